"""Turns of phrase that a reader understands at once; all sentences are our own."""

import pytest

from configs.contracts import Existence, Experiencer
from labeler import Fact, Labeler, load_labeler

IDIOMS = {
    # denials that look the other way
    "Bronchiectasis: no.": {"bronchiectasis": "absent"},
    "Emphysema was observed, whereas bronchiectasis was not.": {
        "emphysema": "present",
        "bronchiectasis": "absent",
    },
    "Absent pleural effusions.": {"pleural_effusion": "absent"},
    "Not seen: pneumothorax, effusion.": {"pneumothorax": "absent", "pleural_effusion": "absent"},
    "Emphysema (mild), bronchiectasis (none).": {
        "emphysema": "present",
        "bronchiectasis": "absent",
    },
    # what stands beside a denied list, and not in it
    "No consolidation or pleural effusion, and the heart is enlarged.": {
        "consolidation": "absent",
        "pleural_effusion": "absent",
        "cardiomegaly": "present",
    },
    "No pneumothorax, small left pleural effusion, moderate emphysema.": {
        "pneumothorax": "absent",
        "pleural_effusion": "present",
        "emphysema": "present",
    },
    "No consolidation, nodule, small effusion or pneumothorax is seen.": {
        "pleural_effusion": "absent",
        "pneumothorax": "absent",
    },
    "Free of consolidation, the lungs show mild bronchiectasis.": {
        "consolidation": "absent",
        "bronchiectasis": "present",
    },
    "Resolution of the consolidation with residual scarring.": {
        "consolidation": "absent",
        "scarring": "present",
    },
    "Pleural effusion is newly developed and pericardial effusion has disappeared.": {
        "pleural_effusion": "present",
        "pericardial_effusion": "absent",
    },
    # headed lists
    "HEART: Mildly enlarged.": {"cardiomegaly": "present"},
    "HEART: Possibly enlarged.": {"cardiomegaly": "uncertain"},
    "HEART: Not enlarged.": {"cardiomegaly": "absent"},
    "PLEURA: No effusion or thickening.": {
        "pleural_effusion": "absent",
        "pleural_thickening": "absent",
    },
    "PLEURA: Negative for effusion.": {"pleural_effusion": "absent"},
    # no denials, though they look so
    "There is no evidence that the nodule has grown.": {"nodule": "present"},
    "No interval growth of the nodule.": {"nodule": "present"},
    "Effusion has not resolved.": {"pleural_effusion": "present"},
    "Pericardial effusion has almost disappeared.": {"pericardial_effusion": "present"},
    # denials by other words
    "Pneumonia instead of edema.": {"pneumonia": "present", "pulmonary_edema": "absent"},
    "Nothing to suggest pneumonia.": {"pneumonia": "absent"},
    "There isn't any pleural effusion.": {"pleural_effusion": "absent"},
    "Negative CT angiogram for PE.": {"pulmonary_embolism": "absent"},
    "The nodule described before could not be distinguished.": {"nodule": "absent"},
    "The previously reported mass is not confirmed.": {"mass": "absent"},
    # hedges and questions
    "Atelectasis, edema, and/or pneumonia could have this appearance.": {
        "atelectasis": "uncertain",
        "pneumonia": "uncertain",
    },
    "Whether this is pneumonia or edema is uncertain.": {
        "pneumonia": "uncertain",
        "pulmonary_edema": "uncertain",
    },
    "?pneumonia in the right base.": {"pneumonia": "uncertain"},
    "Consolidation (pneumonia?) was observed.": {
        "consolidation": "present",
        "pneumonia": "uncertain",
    },
    "Raises the possibility of pneumonia.": {"pneumonia": "uncertain"},
    # neither here nor there
    "Risk factors for pulmonary embolism are present.": {"pulmonary_embolism": "aside"},
    "Evaluation for pulmonary embolism is limited by motion.": {"pulmonary_embolism": "aside"},
}


@pytest.fixture(scope="module")
def labeler() -> Labeler:
    return load_labeler("clinical")


def standing(fact: Fact) -> str:
    if fact.hypothetical or fact.experiencer is not Experiencer.PATIENT:
        return "aside"
    return Existence(fact.existence).value


def test_the_largest_is_of_what_was_mentioned_last(labeler: Labeler) -> None:
    text = "Three small nodules in the left lower lobe, the largest 6 mm, moderate left effusion."
    sizes = {fact.finding: fact.size_mm for fact in labeler.label(text).facts}
    assert sizes == {"nodule": 6.0, "pleural_effusion": None}


@pytest.mark.parametrize(("sentence", "wanted"), IDIOMS.items(), ids=IDIOMS)
def test_idiom_is_understood(labeler: Labeler, sentence: str, wanted: dict[str, str]) -> None:
    facts = labeler.label(sentence).facts
    for finding, existence in wanted.items():
        assert {standing(fact) for fact in facts if fact.finding == finding} == {existence}
