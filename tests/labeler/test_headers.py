"""A header lends its place to the sentences under it, and never its words."""

import pytest

from labeler import Labeler, load_labeler

HEADERS = [
    "Heart",
    "Pericardium",
    "Pleura",
    "Aorta",
    "Coronary arteries",
    "Mediastinum",
    "Airways",
    "Thyroid",
    "Adrenals",
    "Bones",
    "Chest wall",
    "Pulmonary arteries",
    "Lymph nodes",
    "Lungs and airways",
]
SENTENCES = [
    "Enlarged main pulmonary artery, 34 mm.",
    "Dilated ascending aorta measuring 42 mm.",
    "Bilateral pleural effusions are present.",
    "Small pericardial effusion.",
    "Enlarged right hilar lymph node.",
    "Large hiatal hernia.",
    "Calcified granuloma in the right upper lobe.",
    "6 mm nodule in the left lower lobe.",
    "Bronchial wall thickening.",
    "Moderate emphysema.",
    "Thrombus in the left atrium.",
    "Cyst in the left kidney.",
]


@pytest.fixture(scope="module", params=["ct_rate", "clinical", "rad_chestct"])
def labeler(request: pytest.FixtureRequest) -> Labeler:
    return load_labeler(request.param)


@pytest.mark.parametrize("header", HEADERS)
def test_a_sentence_that_names_its_own_says_the_same_under_any_header(
    labeler: Labeler, header: str
) -> None:
    for sentence in SENTENCES:
        under = f"{header}: No abnormality of this structure. {sentence}"
        assert _present(labeler, under) == _present(labeler, sentence), sentence


def _present(labeler: Labeler, text: str) -> set[str]:
    return {label for label, value in labeler.label(text).labels.items() if value == 1}
