"""Conventions: what facts become, without the text."""

from pathlib import Path

import pytest

from configs.contracts import InputError
from labeler import load_labeler
from labeler.locations import LabelLocation

TEXTS = {
    "present": "A consolidation is seen.",
    "absent": "No consolidation.",
    "hedged": "A possible consolidation.",
    "prior": "Consolidation was observed in the previous examination.",
    "silent": "The spine is straight.",
}


@pytest.mark.parametrize(
    ("convention", "label", "values"),
    [
        ("ct_rate", "Consolidation", (1, 0, 1, 0, None)),
        ("clinical", "consolidation", (1, 0, -1, 0, None)),
        ("rad_chestct", "consolidation", (1, 0, -1, 1, None)),
    ],
)
def test_coding(convention: str, label: str, values: tuple[int | None, ...]) -> None:
    labeler = load_labeler(convention)
    assert tuple(labeler.label(text).labels[label] for text in TEXTS.values()) == values


def test_binary_has_no_blank() -> None:
    labeler = load_labeler("clinical")
    binary = labeler.binary(labeler.label(TEXTS["hedged"]).labels)
    assert set(binary.values()) == {0, 1}
    assert labeler.binary(dict(binary)) == binary


@pytest.mark.parametrize(
    ("text", "clinical", "ct_rate"),
    [
        ("A 13x9 mm mediastinal lymph node.", 0, 1),
        ("A 13x11 mm mediastinal lymph node.", 1, 1),
        ("Mediastinal lymph nodes with a short axis of less than 1 cm.", 0, 1),
        ("Mediastinal lymph nodes under 15 mm.", 1, 1),
        ("A 10 mm mediastinal lymph node.", 1, 1),
        ("Enlarged mediastinal lymph nodes.", 1, 1),
        ("Millimetric mediastinal lymph nodes.", None, 1),
        ("An intrapulmonary lymph node in the left lung.", None, None),
    ],
)
def test_node_size_is_a_convention(text: str, clinical: int | None, ct_rate: int | None) -> None:
    assert load_labeler("clinical").label(text).labels["lymphadenopathy"] == clinical
    assert load_labeler("ct_rate").label(text).labels["Lymphadenopathy"] == ct_rate


def test_thyroid_nodule_is_no_lung_nodule() -> None:
    labels = load_labeler("ct_rate").label("A nodule in the right lobe of the thyroid.").labels
    assert labels["Lung nodule"] is None


@pytest.mark.parametrize(
    ("text", "convention", "label", "value"),
    [
        ("A mass of 45 mm is observed.", "clinical", "mass", 1),  # no place is named: the chest
        ("A chest wall mass.", "clinical", "mass", 1),
        ("A left renal mass.", "clinical", "mass", None),
        ("Calcified plaque of the abdominal aorta.", "clinical", "arterial_calcification", 1),
        (
            "Calcified plaque of the abdominal aorta.",
            "ct_rate",
            "Arterial wall calcification",
            None,
        ),
        ("Bilateral breast implants.", "clinical", "medical_device", 1),
        ("Bilateral breast implants.", "ct_rate", "Medical material", None),
        ("Crazy paving in both lungs.", "rad_chestct", "septal_thickening", 1),
        ("Crazy paving in both lungs.", "ct_rate", "Interlobular septal thickening", None),
        ("Pulmonary fibrosis.", "rad_chestct", "interstitial_lung_disease", 1),
        ("Fibrotic bands in the lingula.", "rad_chestct", "interstitial_lung_disease", None),
        ("No enlarged lymph nodes.", "ct_rate", "Lymphadenopathy", 0),
        ("No focal opacity.", "rad_chestct", "opacity", 0),
    ],
)
def test_a_convention_says_what_counts(
    text: str, convention: str, label: str, value: int | None
) -> None:
    assert load_labeler(convention).label(text).labels[label] == value


def test_locations() -> None:
    labeler = load_labeler("rad_chestct")
    report = labeler.label(
        "A nodule in the left lower lobe. No effusion. Possible mass on the right."
    )
    found = labeler.locations(report)
    assert LabelLocation("nodule", "left_lower", 1) in found
    assert LabelLocation("mass", "right", -1) in found
    assert not any(place.label == "pleural_effusion" for place in found)
    assert load_labeler("ct_rate").locations(report) == ()


def test_own_convention_and_its_mistakes(tmp_path: Path) -> None:
    path = tmp_path / "ours.yaml"
    text = "about: x\nbinary: {uncertain: 1, blank: 0}\nlabels:\n  ours:\n    findings: [nodule]\n"
    path.write_text(text, encoding="utf-8")
    assert load_labeler(str(path)).label_names == ("ours",)
    path.write_text(text.replace("nodule", "nodul"), encoding="utf-8")
    other = tmp_path / "other.yaml"
    other.write_text(text.replace("nodule", "nodul"), encoding="utf-8")
    with pytest.raises(InputError, match="'ours': no finding is called 'nodul'"):
        load_labeler(str(other))
