import csv
import json
from pathlib import Path

import pandas as pd
import pytest

from configs import files
from configs.contracts import InputError
from configs.training import RECIPES
from model import bundle as bundles
from pipelines.train import train
from tests.model.archive import NAMES, make_archive, write_labels

RECIPE = RECIPES / "quick.yaml"
QUICK = ["epochs=2", "threads=1", "max_minutes=null"]


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    return make_archive(tmp_path_factory.mktemp("archive"), train=24, validation=12, test=4)


def train_on(archive: Path, out: Path, **changes: object):
    arguments = {
        "config": RECIPE,
        "labels": archive / "labels",
        "store": archive / "store",
        "cohort": archive / "cohort",
        "override": QUICK,
        "quiet": True,
    }
    return train(out=out, **{**arguments, **changes})


def test_writes_a_bundle_that_says_where_it_comes_from(archive, tmp_path, capfd):
    train_on(archive, tmp_path)
    bundle = bundles.load(tmp_path)
    assert bundle.labels == tuple(f"ct_rate:{name}" for name in NAMES)
    assert bundle.card.training_data == "synthetic"
    assert bundle.card.counts["train"].scans == 24
    assert set(bundle.card.counts["validation"].positives) == set(NAMES)
    assert bundle.card.train_config["epochs"] == 2
    assert {c.positives + c.negatives for c in bundle.calibrations} == {12}
    assert "".join(capfd.readouterr()) == ""
    with (tmp_path / "history.csv").open() as file:
        assert [row["epoch"] for row in csv.DictReader(file)] == ["0", "1"]
    record = json.loads((tmp_path / "run.json").read_text())
    assert record["config"]["recipe"]["batch_size"] == 8
    assert record["validation"]["macro_auroc"] == bundle.card.metrics["macro_auroc"]
    assert not (tmp_path / "resume.ckpt").exists()


def test_says_what_it_did(archive, tmp_path, capfd):
    train_on(archive, tmp_path, quiet=False)
    output = capfd.readouterr()
    assert "macro AUROC" in output.out
    assert "Lightning" not in output.out + output.err
    assert output.err == ""


def test_a_label_without_positives_is_left_out_and_said(tmp_path, capfd):
    make_archive(tmp_path, train=12, validation=12, test=2)
    frame = files.read_table(tmp_path / "labels" / "labels.parquet").to_pandas()
    frame["Mosaic attenuation"] = pd.array([0] * len(frame), dtype="Int8")
    write_labels(tmp_path / "labels", frame)
    bundle = train_on(tmp_path, tmp_path / "bundle", quiet=False)
    assert "ct_rate:Mosaic attenuation" not in bundle.labels
    assert "Mosaic attenuation" in capfd.readouterr().err
    record = json.loads((tmp_path / "bundle" / "run.json").read_text())
    assert record["labels_left_out"] == ["Mosaic attenuation"]


@pytest.mark.parametrize(
    ("override", "message"),
    [
        (["profile=small"], "prepared for profile 'tiny'"),
        (["epochs"], "expected FIELD=VALUE"),
        (["no_such=1"], "'no_such' is not a field"),
        (["network=os.system"], "network: Input should be 'additive' or 'resnet3d'"),
    ],
)
def test_wrong_recipes_are_refused_and_leave_no_bundle(archive, tmp_path, override, message):
    with pytest.raises(InputError, match=message):
        train_on(archive, tmp_path, override=[*QUICK, *override])
    assert not list(tmp_path.glob("*.json"))
