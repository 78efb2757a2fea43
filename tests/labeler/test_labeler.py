"""The labeler's promises: offsets, determinism, any text, the words behind every fact."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from configs.contracts import Assessability, Change, Existence, Experiencer, InputError, Temporality
from configs.tables import FACTS
from labeler import Fact, Labeler, load_labeler

PIECES = [
    "No pleural effusion.",
    "Pleural effusion-thickening was not observed.",
    "A 13x9.3 mm nodule in the right upper lobe",
    "; ",
    " but ",
    ", and ",
    "\n\nIMPRESSION: ",
    ' " ',
    "•",
    "İstanbul ",
    "ﬁbrosis ",
    "Heart size is normal. ",
    "may represent pneumonia? ",
    "(5 mm in the previous examination) ",
    "\ud800",
    "lymph node* ",
]
texts = st.one_of(
    st.text(max_size=400), st.lists(st.sampled_from(PIECES), max_size=30).map("".join)
)


@pytest.fixture(scope="module")
def labeler() -> Labeler:
    return load_labeler("ct_rate")


@given(texts)
@settings(max_examples=300, deadline=None)
def test_any_text_gives_an_answer_with_true_offsets(text: str) -> None:
    report = SHARED.label(text)
    assert list(report.labels) == list(SHARED.label_names)
    for fact in report.facts:
        assert text[fact.start : fact.end] == fact.text
        assert fact.text
    assert load_again().label(text) == report == SHARED.label(text)


def test_what_was_read_before_changes_nothing() -> None:
    text = "Bronchi are patent. Comment: Stable. Atherosclerosis is seen."
    expected = FRESH.label(text)
    SHARED.label(text.replace("Bronchi are patent", "The vertebrae are normal"))
    assert SHARED.label(text) == expected
    assert expected.facts[-1].anatomy == "bronchus"


SHARED = load_labeler("ct_rate")
FRESH = load_labeler("ct_rate")


def load_again() -> Labeler:
    """A labeler whose caches hold other things than those of SHARED."""
    FRESH.label("Something else entirely. No effusion.")
    return FRESH


@given(texts)
@settings(max_examples=100, deadline=None)
def test_a_sentence_says_the_same_in_any_report(text: str) -> None:
    first = SHARED.label(f"Mild cardiomegaly.\n\n{text}").facts[:1]
    assert [fact.finding for fact in first] == ["cardiomegaly"]


@pytest.mark.parametrize(
    "unit",
    [
        "no pleural ",
        "a",
        "nodule (",
        "no, ",
        "pleural effusion ",
        "\n",
        '"',
        "? ",
        "1x1x",
        ": ",
        "x:",
        "History: ",
        "could not be evaluated mediastinum ",
    ],
)
def test_a_megabyte_of_anything_takes_under_two_seconds(unit: str) -> None:
    numbered = (unit.replace("#", str(number)) for number in range(1_000_000 // len(unit)))
    text = "".join(numbered)[:1_000_000]
    labeler = load_labeler("ct_rate")
    started = time.process_time()
    labeler.label(text)
    assert time.process_time() - started < 2.0


def test_a_megabyte_of_full_stops_takes_under_two_seconds() -> None:
    labeler = load_labeler("ct_rate")
    started = time.process_time()
    labeler.label("." * 1_000_000 + "x")
    assert time.process_time() - started < 2.0


def test_fact_fields_are_the_table_columns() -> None:
    assert ["report_id", *Fact._fields] == FACTS.names


def test_an_unknown_convention_is_named() -> None:
    with pytest.raises(InputError, match="no convention 'nonsense'"):
        load_labeler("nonsense")


def only(labeler: Labeler, text: str, finding: str) -> Fact:
    (fact,) = [fact for fact in labeler.label(text).facts if fact.finding == finding]
    return fact


@pytest.mark.parametrize(
    ("text", "finding", "existence", "cue"),
    [
        ("No evidence of pneumothorax.", "pneumothorax", "absent", "no evidence of"),
        ("Negative for pneumothorax.", "pneumothorax", "absent", "negative for"),
        ("The lungs are clear of consolidation.", "consolidation", "absent", "clear of"),
        ("Pneumothorax was not detected.", "pneumothorax", "absent", "not detected"),
        ("Pneumothorax-effusion was not observed.", "pneumothorax", "absent", "not observed"),
        ("Effusion - no thickening was seen.", "pleural_effusion", "absent", "no"),
        ("Heart contour and size are normal.", "cardiomegaly", "absent", "normal"),
        ("The heart is not enlarged.", "cardiomegaly", "absent", "not"),
        ("No change in the consolidation.", "consolidation", "present", None),
        ("Consolidation cannot be excluded.", "consolidation", "uncertain", "cannot be excluded"),
        ("This may represent consolidation.", "consolidation", "uncertain", "may represent"),
        ("Consolidation?", "consolidation", "uncertain", "?"),
        ("No visualized pneumothorax.", "pneumothorax", "absent", "no visualized"),
        ("PLEURA: No effusion.", "pleural_effusion", "absent", "no"),
        ("Pneumothorax: None.", "pneumothorax", "absent", "none"),
    ],
)
def test_existence_and_its_cue(
    labeler: Labeler, text: str, finding: str, existence: str, cue: str | None
) -> None:
    fact = only(labeler, text, finding)
    assert (fact.existence, fact.cue) == (Existence(existence), cue)


def test_coordination_and_clauses(labeler: Labeler) -> None:
    facts = {
        fact.finding: fact.existence
        for fact in labeler.label(
            "Consolidation, ground glass and pleural effusion were not detected, but there is "
            "emphysema, and bronchiectasis was observed."
        ).facts
    }
    assert facts["consolidation"] is facts["ground_glass"] is Existence.ABSENT
    assert facts["pleural_effusion"] is Existence.ABSENT
    assert facts["emphysema"] is facts["bronchiectasis"] is Existence.PRESENT


def test_time_and_change(labeler: Labeler) -> None:
    earlier = only(
        labeler, "Consolidation was observed in the previous examination.", "consolidation"
    )
    assert earlier.temporality is Temporality.PRIOR
    new = only(
        labeler, "Effusion, which was not observed in the previous examination.", "pleural_effusion"
    )
    assert (new.existence, new.change) == (Existence.PRESENT, Change.NEW)
    gone = only(labeler, "The consolidation has completely resolved.", "consolidation")
    assert (gone.existence, gone.change) == (Existence.ABSENT, Change.RESOLVED)
    stable = only(labeler, "Stable emphysema in both lungs.", "emphysema")
    assert stable.change is Change.STABLE


@pytest.mark.parametrize(
    ("text", "temporality"),
    [
        ("There was consolidation in the left lung in the previous examination.", "prior"),
        ("In the previous examination, there was consolidation in the left lung.", "prior"),
        ("Consolidation, which was 5 cm in the previous CT.", "current"),
        ("There is consolidation, 5 cm in the previous CT.", "current"),
        ("There is consolidation larger than in the previous CT.", "current"),
        ("Consolidation similar to that in the previous examination.", "current"),
    ],
)
def test_what_the_previous_examination_showed(
    labeler: Labeler, text: str, temporality: str
) -> None:
    assert only(labeler, text, "consolidation").temporality == temporality


def test_hypothetical_and_other_people(labeler: Labeler) -> None:
    assert only(labeler, "Evaluate for pneumothorax.", "pneumothorax").hypothetical
    mother = only(labeler, "Mother had emphysema.", "emphysema")
    assert mother.experiencer is Experiencer.OTHER


def test_history_is_no_evidence(labeler: Labeler) -> None:
    report = labeler.label("INDICATION: Emphysema.\nFINDINGS: No pneumothorax.")
    assert [fact.section for fact in report.facts] == ["indication", "findings"]
    assert report.labels["Emphysema"] is None


def test_attributes(labeler: Labeler) -> None:
    nodule = only(
        labeler,
        "A 13x9.3 mm nodule (11 mm in the previous examination) in the right lung upper lobe.",
        "nodule",
    )
    assert nodule.sizes_mm == (13.0, 9.3)
    assert (nodule.size_mm, nodule.prior_size_mm) == (13.0, 11.0)
    assert (nodule.side, nodule.lobe, nodule.anatomy) == ("right", "right_upper_lobe", "lung")
    effusion = only(labeler, "Minimal bilateral pleural effusion.", "pleural_effusion")
    assert (effusion.side, effusion.severity) == ("bilateral", "minimal")
    assert only(labeler, "Two nodules in the left lung.", "nodule").count == 2


def test_contradiction_between_findings_and_impression_is_flagged(labeler: Labeler) -> None:
    report = labeler.label('No pleural effusion. " Pleural effusion on the right.')
    assert report.contradictions == ("pleural_effusion",)
    assert {fact.section for fact in report.facts} == {"findings", "impression"}


def test_reference_to_the_prior_leaves_the_rest_blank() -> None:
    text = "Lungs are clear. No significant difference was found in the other findings described."
    report = load_labeler("clinical").label(text)
    assert report.incomplete_by_reference
    assert set(report.labels.values()) == {None}


def test_normal_groups_are_absent_not_blank() -> None:
    labels = load_labeler("clinical").label("The lungs are clear.").labels
    assert labels["consolidation"] == 0
    assert labels["fracture"] is None


def test_not_assessable_is_not_absent() -> None:
    labeler = load_labeler("clinical")
    text = (
        "The mediastinum could not be evaluated optimally in this non-contrast examination. "
        "No pulmonary embolism. No mediastinal lymphadenopathy."
    )
    report = labeler.label(text)
    embolism, node = report.facts[-2:]
    assert embolism.assessability is Assessability.NONE
    assert node.assessability is Assessability.LIMITED
    assert report.labels["pulmonary_embolism"] is None
    assert report.labels["lymphadenopathy"] == 0
    assert report.facts[0].finding == "limited_mediastinum"
    assert report.facts[0].cue == "could not be evaluated optimally (non-contrast)"


def test_labels_returned_are_the_callers_own(labeler: Labeler) -> None:
    text = "Emphysema in both lungs."
    labeler.label(text).labels["Emphysema"] = None
    assert labeler.label(text).labels["Emphysema"] == 1


@pytest.mark.parametrize("head", ["ADDENDUM:", "Addendum #1:", "*** ADDENDA:"])
def test_an_addendum_is_evidence_and_begins_anew(labeler: Labeler, head: str) -> None:
    first = "FINDINGS: Stone in the left kidney.\nRECOMMENDATION:\nFollow up in 6 months."
    report = labeler.label(f"{first}\n\n{head} There is a 5 mm nodule.")
    nodule = report.facts[-1]
    assert (nodule.section, nodule.finding, nodule.anatomy) == ("addendum", "nodule", "lung")
    assert report.labels["Lung nodule"] == 1


def test_an_addendum_may_contradict_the_report(labeler: Labeler) -> None:
    report = labeler.label("FINDINGS: No pleural effusion.\nADDENDUM: There is a pleural effusion.")
    assert report.contradictions == ("pleural_effusion",)
