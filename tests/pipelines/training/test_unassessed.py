from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from configs import files
from configs.convention import FOLDER
from configs.training import LabelPolicy
from model.data import read_labels
from model.losses import BLANK, NOT_ASSESSABLE, targets_of
from pipelines.evaluating.reference import read_reference
from pipelines.label import label
from pipelines.training.unassessed import mark_unassessed

REPORTS = {
    "plain": "CT of the chest with contrast. There is a 5 mm nodule in the right upper lobe.",
    "native": "CT of the chest without contrast. No pulmonary embolism. No pleural effusion.",
    "both": "CT of the chest without contrast. No pulmonary embolism. "
    "Filling defect in the left lower lobe pulmonary artery, consistent with pulmonary embolism.",
}
NAME = "pulmonary_embolism"


@pytest.fixture(scope="module")
def archive(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("reports")
    frame = pd.DataFrame({"report_id": list(REPORTS), "report_text": list(REPORTS.values())})
    frame.to_csv(folder / "reports.csv", index=False)
    return folder / "reports.csv"


@pytest.fixture(scope="module")
def clinical(archive, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("clinical")
    label(archive, out=out, convention="clinical", quiet=True)
    return out


def values(path: Path, convention: str = "clinical") -> dict[str, int]:
    return mark_unassessed(read_labels(path), path, convention)[NAME].to_dict()


def test_what_could_not_be_shown_is_told_from_what_was_not_mentioned(clinical):
    found = {"plain": BLANK, "native": NOT_ASSESSABLE, "both": 1}
    assert values(clinical) == found
    assert values(clinical / "labels.parquet") == found
    frame = mark_unassessed(read_labels(clinical), clinical, "clinical")
    assert frame.loc["native", "pleural_effusion"] == 0
    assert (frame.loc["plain"] != NOT_ASSESSABLE).all()


def test_it_is_left_out_of_the_loss_unless_the_policy_says_otherwise(clinical):
    frame = mark_unassessed(read_labels(clinical), clinical, "clinical")
    taught = frame[[NAME]].to_numpy(np.int8)
    assert targets_of(taught, LabelPolicy()).weight_nl[:, 0].tolist() == [1, 0, 1]
    policy = LabelPolicy(not_assessable_weight=0.5)
    assert targets_of(taught, policy).weight_nl[:, 0].tolist() == [1, 0.5, 1]
    assert targets_of(taught, policy).target_nl[:, 0].tolist() == [0, 0, 1]


def test_it_is_not_measured_by(clinical):
    reference = read_reference("labels", clinical, [f"clinical:{NAME}"])
    assert reference.frame[f"clinical:{NAME}"].to_dict()["native"] == NOT_ASSESSABLE


def test_a_table_without_facts_stays_as_it_is(clinical, tmp_path):
    table = tmp_path / "labels.parquet"
    files.write_table(table, files.read_table(clinical / "labels.parquet"))
    assert values(table)["native"] == BLANK


def test_a_sites_own_convention_and_findings_are_used(archive, tmp_path):
    rules = tmp_path / "rules" / "conventions" / "ours.yaml"
    rules.parent.mkdir(parents=True)
    text = (FOLDER / "clinical.yaml").read_text()
    rules.write_text(text)
    label(archive, out=tmp_path / "ours", convention="ours", configs=tmp_path / "rules", quiet=True)
    assert values(tmp_path / "ours", "ours")["native"] == NOT_ASSESSABLE
    rules.write_text(text.replace("not_assessable: blank", "not_assessable: uncertain"))
    label(archive, out=tmp_path / "said", convention="ours", configs=tmp_path / "rules", quiet=True)
    assert values(tmp_path / "said", "ours")["native"] == -1
