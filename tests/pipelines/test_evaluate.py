import json

import pandas as pd
import pytest

from configs import files, tables
from configs.contracts import InputError, Split
from model.metrics import MEASURES
from pipelines.evaluate import evaluate
from tests.model.archive import NAMES, make_archive, write_labels
from tests.pipelines.test_train import train_on


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    root = make_archive(tmp_path_factory.mktemp("archive"), train=40, validation=20, test=24)
    train_on(root, root / "bundle")
    return root


def evaluate_on(archive, out, **changes):
    arguments = {
        "cohort": archive / "cohort",
        "store": archive / "store",
        "labels": archive / "labels",
        "resamples": 100,
        "quiet": True,
    }
    return evaluate(archive / "bundle", out=out, **{**arguments, **changes})


def test_writes_a_prediction_a_volume_and_label(archive, tmp_path):
    metrics = evaluate_on(archive, tmp_path)["labels"]
    predictions = files.read_table(tmp_path / "predictions.parquet")
    assert predictions.schema.equals(tables.PREDICTIONS)
    assert predictions.num_rows == 24 * len(NAMES)
    assert predictions.to_pandas()["probability"].between(0, 1).all()
    content = json.loads((tmp_path / "metrics.json").read_text())
    shown = content["labels"]["macro"]["auroc"]
    assert shown["low"] <= shown["value"] <= shown["high"]
    assert shown["value"] == pytest.approx(metrics.macro["auroc"].value, abs=1e-5)
    table = pd.read_csv(tmp_path / "metrics.csv")
    assert len(table) == len(MEASURES) * (len(NAMES) + 1)
    assert json.loads((tmp_path / "run.json").read_text())["counts"]["scans"] == 24


def test_measures_against_truth_beside_labels(archive, tmp_path, capsys):
    truth = files.read_table(archive / "labels" / "labels.parquet").to_pandas()
    truth[list(NAMES)] = 1 - truth[list(NAMES)]
    write_labels(tmp_path / "truth", truth)
    metrics = evaluate_on(archive, tmp_path / "out", truth=tmp_path / "truth", quiet=False)
    areas = {name: m.labels[0].measures["auroc"].value for name, m in metrics.items()}
    assert areas["truth"] == pytest.approx(1 - areas["labels"])
    printed = capsys.readouterr().out
    assert "against labels: 24 scans of 24 patients · trained on synthetic chests" in printed
    assert "against truth" in printed
    assert "not the chance of disease" in printed


def test_splits_are_told_apart(archive, tmp_path):
    assert evaluate_on(archive, tmp_path, split=Split.VALIDATION)["labels"].scans == 20


def test_labels_of_another_convention_are_refused(archive, tmp_path):
    frame = files.read_table(archive / "labels" / "labels.parquet").to_pandas()
    write_labels(tmp_path / "labels", frame.drop(columns=[NAMES[1]]))
    with pytest.raises(InputError, match=f"no column '{NAMES[1]}'"):
        evaluate_on(archive, tmp_path / "out", labels=tmp_path / "labels")
    assert not (tmp_path / "out" / "run.json").exists()
