"""Sizes, sides and lobes: what a sentence says of a mention, and what only looks like it."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labeler import Fact, Labeler, load_labeler


@pytest.fixture(scope="module")
def labeler() -> Labeler:
    return load_labeler("ct_rate")


def fact_at(labeler: Labeler, marked: str) -> Fact:
    """The fact about the words in square brackets: the one that shares most with them."""
    opening, closing = marked.index("["), marked.index("]") - 1
    facts = labeler.label(re.sub(r"[\[\]]", "", marked)).facts
    shared = {fact: min(fact.end, closing) - max(fact.start, opening) for fact in facts}
    assert max(shared.values(), default=0) > 0, "no fact at the marked words"
    return max(shared, key=lambda fact: shared[fact])


SIZES = [
    ("There is a [nodule] of 7 mm in the right upper lobe.", (7,)),
    ("7 mm [nodule] in the lingula.", (7,)),
    ("A 12x8 mm [nodule] is seen near the fissure.", (12, 8)),
    ("A 1.2 x 0.8 cm spiculated [nodule], right upper lobe.", (12, 8)),
    ("Left lower lobe [mass], 4.1 cm x 3.2 cm x 2.9 cm.", (41, 32, 29)),
    ("A [nodule] with a diameter of 6,5 mm was observed in the middle lobe.", (6.5,)),
    ("The [mass] is 35 mm by 28 mm.", (35, 28)),
    ("[Nodules] measuring up to 9 mm are scattered through both lungs.", (9,)),
    ("A few [nodules] of 3-4 mm were observed in the left lung.", (4,)),
    ("[Lymph nodes] with a short axis reaching 11 mm were observed in the mediastinum.", (11,)),
    ("Multiple [nodules] are observed, the largest of which is 8 mm in the left lower lobe.", (8,)),
    (
        "There are several [lymph nodes] in the paratracheal chain, the largest of which stands "
        "beside the azygos arch and keeps its fatty hilum, with a short axis of 9 mm.",
        (9,),
    ),
    (
        "Pleural [effusion] of 30 mm on the right and 18 mm on the left at its deepest point.",
        (30, 18),
    ),
    ("A pleural [effusion] measuring 25 mm in thickness lies along the pleural leaves.", (25,)),
    ("The diameter of the ascending aorta was 44 mm and showed [dilatation].", (44,)),
    ("The ascending aorta is 4.4 cm across and [aneurysmatic].", (44,)),
    ("A 5-mm [nodule] in the left apex.", (5,)),
    ("A sub-centimeter [nodule] in the left apex.", ()),
    ("A [nodule] is observed in the right lower lobe.", ()),
]


@pytest.mark.parametrize(("marked", "sizes"), SIZES)
def test_sizes(labeler: Labeler, marked: str, sizes: tuple[float, ...]) -> None:
    fact = fact_at(labeler, marked)
    assert fact.size_mm == max(sizes, default=None)
    said = {*fact.sizes_mm, *fact.other_sizes_mm}
    assert set(sizes) <= said <= {*sizes, 3.0}  # "3-4 mm" may keep both


SEVERAL_SIZES = [
    ("[Nodules] of 2, 3.5 and 4.8 mm.", (4.8,), (2, 3.5)),
    ("2 mm, 3.5 mm and 4.8 mm [nodules] in the left lung.", (4.8,), (2, 3.5)),
    ("[Nodules] measuring 6 and 4 mm.", (6,), (4,)),
    ("A 2 x 3.5 x 4.8 mm [nodule].", (2, 3.5, 4.8), ()),
    ("[Lymph nodes] of 12 x 8 mm and 5 mm.", (12, 8), (5,)),
    ("A [nodule] of 12 mm in long axis and 8 mm in short axis.", (12, 8), ()),
    ("[Nodes] of 12 mm in short axis and 8 mm in short axis.", (12,), (8,)),
    ("A [nodule] on image 45, 5 mm.", (5,), ()),
    ("A [nodule] in segments 3 and 5 mm beside it.", (5,), ()),
]


@pytest.mark.parametrize(("marked", "sizes", "others"), SEVERAL_SIZES)
def test_several_things_are_not_one(
    labeler: Labeler, marked: str, sizes: tuple[float, ...], others: tuple[float, ...]
) -> None:
    fact = fact_at(labeler, marked)
    assert (fact.size_mm, fact.sizes_mm, fact.other_sizes_mm) == (max(sizes), sizes, others)


PRIOR = [
    ("[Nodule] in the right upper lobe, previously 8 mm, now 12 mm.", 12, 8),
    ("The [nodule] has grown to 12 mm from 8 mm.", 12, 8),
    ("The left lower lobe [nodule] measures 12 mm (8 mm in the previous examination).", 12, 8),
    ("A 14 mm [nodule] in the lingula was 10 mm in the prior study.", 14, 10),
    ("The [nodule], which was 4 mm in the previous examination, measured 6 mm today.", 6, 4),
    ("[Mass] in the left hilum, 32 x 21 mm, formerly 40 x 30 mm.", 32, 40),
    ("The 9 mm [nodule] is stable since the previous examination.", 9, None),
    ("When compared with the previous examination, a new 9 mm [nodule] was observed.", 9, None),
    ("Increase of the [nodule] from 5 to 8 mm.", 8, 5),
    ("A [nodule] ranging from 5 to 8 mm.", 8, None),
    ("A [mass] of 23x15 mm in the previous examination and 20x8 mm in the current one.", 20, 23),
    (
        "A [mass] with a longest diameter of 20 mm was observed in the left lower lobe "
        "(23 mm in the longest diameter in the previous examination).",
        20,
        23,
    ),
    ("Right paratracheal [lymph node] measures 14 mm in short axis, was 11 mm.", 14, 11),
]


@pytest.mark.parametrize(("marked", "size", "prior"), PRIOR)
def test_earlier_size_stands_apart(
    labeler: Labeler, marked: str, size: float, prior: float | None
) -> None:
    fact = fact_at(labeler, marked)
    assert (fact.size_mm, fact.prior_size_mm) == (size, prior)


OWNERS = [
    ("A 6 mm [nodule] in the right lung and a 25 mm cyst in the liver were observed.", 6),
    ("A 6 mm nodule in the right lung and a 25 mm [cyst] in the liver were observed.", 25),
    ("A [nodule] of 6 mm and a mass of 40 mm are present in the left lung.", 6),
    ("A nodule of 6 mm and a [mass] of 40 mm are present in the left lung.", 40),
    ("There is a 9 mm nodule in the lingula, and there is [consolidation] below it.", None),
    ("[Emphysema] is present; a 4 mm nodule was observed in the right lung.", None),
    ("An 18 mm solid nodular mass [lesion] in the left adrenal gland.", 18),
    ("An 18 mm solid [nodular] mass lesion in the left adrenal gland.", 18),
]


@pytest.mark.parametrize(("marked", "size"), OWNERS)
def test_a_size_belongs_to_one_mention(labeler: Labeler, marked: str, size: float | None) -> None:
    assert fact_at(labeler, marked).size_mm == size


NO_SIZE = [
    "[Nodule] in the right lung, assessed on sections of 1.5 mm.",
    "[Nodule] in the right lung on 1 mm slices.",
    "[Nodule] in the left lung; slice thickness 3 mm.",
    "The [nodule] lies 15 mm from the pleura.",
    "The [catheter] tip ends 3 cm above the carina.",
    "A [nodule] 2 cm below the carina was observed.",
    "The [fracture] is at the level of the T7 vertebra.",
    "The [nodule] has an SUVmax of 3.4.",
    "A [cyst] of 12 HU in the left kidney.",
    "The [nodule] was first seen on 12.03.2019.",
    "A [nodule] in the right lung (series 4, image 92).",
    "Metallic [stent] placed 3 months ago.",
]


@pytest.mark.parametrize("marked", NO_SIZE)
def test_other_numbers_are_no_size(labeler: Labeler, marked: str) -> None:
    fact = fact_at(labeler, marked)
    assert (fact.size_mm, fact.sizes_mm, fact.prior_size_mm) == (None, (), None)


PLACES = [
    ("A [nodule] in the right upper lobe.", "right", "right_upper_lobe"),
    ("RLL [nodule].", "right", "right_lower_lobe"),
    ("A [nodule] in the 3. segment of the upper lobe of the left lung.", "left", "left_upper_lobe"),
    ("[Atelectasis] in the lingula.", "left", "lingula"),
    ("[Atelectasis] in the lingular segment of the left upper lobe.", "left", "lingula"),
    ("[Atelectasis] was observed in the middle lobe.", "right", "right_middle_lobe"),
    ("[Consolidation] in both lower lobes.", "bilateral", "lower_lobe"),
    ("[Consolidation] in the bilateral lower lobes.", "bilateral", "lower_lobe"),
    ("[Consolidation] in the lower lobes of both lungs.", "bilateral", "lower_lobe"),
    ("[Bronchiectasis] in the right upper and left lower lobes.", "bilateral", None),
    ("[Bronchiectasis] in the right upper and middle lobes.", "right", None),
    ("A [nodule] in the upper lobe of the right lung and the lower lobe.", "right", None),
    ("Right-sided pleural [effusion].", "right", None),
    ("Pleural [effusion] on the left.", "left", None),
    ("Pleural [effusion] in both hemithoraces.", "bilateral", None),
    ("Bibasilar [atelectasis].", "bilateral", None),
    ("A [lymph node] at the level of the left hilum.", "left", None),
    ("In the upper pole of the left kidney, there is a [stone] of 4 mm.", "left", None),
    ("No [obstruction] was detected in the trachea and both main bronchi.", "bilateral", None),
    ("[Lymph nodes] were observed in both axillary regions.", "bilateral", None),
    ("There is a pleural [effusion].", None, None),
    ("Right upper lobe nodule and left [effusion].", "left", None),
    ("Right upper lobe [nodule] and left effusion.", "right", "right_upper_lobe"),
    ("[Effusion] on the right, a nodule on the left.", "right", None),
    ("Effusion on the right, a [nodule] on the left.", "left", None),
    ("The right atrium is enlarged and there is left pleural [effusion].", "left", None),
    (
        "[Nodules] in both lungs, the largest in the left lower lobe.",
        "bilateral",
        "left_lower_lobe",
    ),
    ("[Nodules] in the left lung, the largest in the lower lobe.", "left", "left_lower_lobe"),
    ("The mass narrows the left main bronchus, with [atelectasis] distally.", "left", None),
    ("In the lower lobe of the right lung, there are [nodules].", "right", "right_lower_lobe"),
    ("Nodules in both lungs and [atelectasis] in the left lower lobe.", "left", "left_lower_lobe"),
    (
        "Mild [atelectasis] and nodules in the lower lobe of the left lung.",
        "left",
        "left_lower_lobe",
    ),
    ("Linear fibrotic [densities] in the right middle lobe and the lingula.", "bilateral", None),
    ("[Linear] fibrotic densities in the right middle lobe and the lingula.", "bilateral", None),
    ("Small bilateral [effusions], left greater than right, with atelectasis.", "bilateral", None),
    ("[Mosaic attenuation] in both lungs (small airway disease?).", "bilateral", None),
    ("Effusion in the left hemithorax and [atelectasis] in the lower lobe.", "left", None),
    ("Pleural [effusion] and right lower lobe atelectasis.", None, None),
    ("On the right there is [effusion], on the left there is a nodule.", "right", None),
    ("On the right there is effusion, on the left there is a [nodule].", "left", None),
    ("Atelectasis in the lingula and [effusion] on both sides.", "bilateral", None),
]
SEVERAL = {  # several lobes are named: each is a right answer
    "Linear fibrotic [densities] in the right middle lobe and the lingula.": {
        "right_middle_lobe",
        "lingula",
    },
    "[Linear] fibrotic densities in the right middle lobe and the lingula.": {
        "right_middle_lobe",
        "lingula",
    },
    "Effusion in the left hemithorax and [atelectasis] in the lower lobe.": {
        "lower_lobe",
        "left_lower_lobe",
    },
    "[Bronchiectasis] in the right upper and left lower lobes.": {
        "right_upper_lobe",
        "left_lower_lobe",
    },
    "[Bronchiectasis] in the right upper and middle lobes.": {
        "right_upper_lobe",
        "right_middle_lobe",
    },
    "A [nodule] in the upper lobe of the right lung and the lower lobe.": {
        "right_upper_lobe",
        "right_lower_lobe",
    },
}


@pytest.mark.parametrize(("marked", "side", "lobe"), PLACES)
def test_side_and_lobe(labeler: Labeler, marked: str, side: str | None, lobe: str | None) -> None:
    fact = fact_at(labeler, marked)
    assert fact.side == side
    assert fact.lobe in SEVERAL.get(marked, {lobe})


@given(
    st.decimals("0.5", "99", places=1),
    st.sampled_from([("mm", 1), ("cm", 10)]),
    st.sampled_from(["", " ", "  "]),
)
def test_any_diameter_is_read_in_millimetres(
    labeler: Labeler, diameter: object, unit: tuple[str, int], gap: str
) -> None:
    name, factor = unit
    (fact,) = labeler.label(f"A nodule of {diameter}{gap}{name} is seen in the lingula.").facts
    expected = float(str(diameter)) * factor
    assert fact.size_mm == (pytest.approx(expected) if expected <= 600 else None)


@pytest.mark.parametrize(
    ("marked", "is_limit"),
    [
        ("[Lymph nodes] with a short axis of less than 1 cm are observed.", True),
        ("[Lymph nodes] under 10 mm in the mediastinum.", True),
        ("[Nodules] smaller than 5 mm in both lungs.", True),
        ("A [nodule] of <5 mm in the left lung.", True),
        ("[Lymph nodes] not exceeding 10 mm.", True),
        ("[Nodules] of 5 mm or less.", True),
        ("[Nodules] measuring up to 9 mm.", False),
        ("A 10 mm [nodule] below the carina.", False),
        ("[Nodules] smaller than 5 mm and one of 7 mm.", False),
        ("A [nodule] in the left lung.", False),
    ],
)
def test_a_limit_is_told_from_a_size(labeler: Labeler, marked: str, is_limit: bool) -> None:
    assert fact_at(labeler, marked).size_below is is_limit


@pytest.mark.parametrize(
    ("marked", "side", "lobe"),
    [
        ("Atelectasis in the left upper lobe, [pericardial effusion].", None, None),
        ("Left upper lobe atelectasis, left [pleural effusion].", "left", None),
        ("[Lymphadenopathies] narrow the right upper lobe bronchus.", "right", None),
        ("A [nodule] on the pleura of the right lower lobe.", "right", "right_lower_lobe"),
        ("[Cysts] in both kidneys.", "bilateral", None),
        ("[Nodular thickening] of both adrenals.", "bilateral", None),
        ("A [mass] in the right lung surrounding the left subclavian artery.", "right", None),
        ("A [nodule] adjacent to the left hilum.", "left", None),
        ("A [mass] adjacent to the right and left hila.", "bilateral", None),
        ("A [lymph node] to the right of the trachea.", None, None),
    ],
)
def test_places_of_neighbours(
    labeler: Labeler, marked: str, side: str | None, lobe: str | None
) -> None:
    fact = fact_at(labeler, marked)
    assert (fact.side, fact.lobe) == (side, lobe)
