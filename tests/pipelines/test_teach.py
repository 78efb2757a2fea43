"""`teach` and `fuse`: an archive and gold in, a stage out, and what it says in tables."""

from pathlib import Path

import pytest
import torch

from configs import files, tables
from configs.contracts import InputError
from labeler import load_labeler
from labeler.neural import Fusion, Recipe, load
from pipelines.fuse import fuse
from pipelines.label import label
from pipelines.labelled.taught import apply
from pipelines.teach import teach


def archive(folder: Path, reports: int = 40) -> tuple[Path, Path]:
    """Reports with gold for three in four; one row is no report."""
    rows, gold = [], []
    for number in range(reports):
        present = number % 2 == 0
        said = "is seen" if present else "was not observed"
        rows.append(f"{number:05},Pleural effusion {said} in zone {number % 9}.")
        if number % 4:
            gold.append(f"{number:05},{int(present)}")
    (folder / "reports.csv").write_text("\n".join(["report_id,report_text", *rows, "x,"]) + "\n")
    (folder / "gold.csv").write_text("\n".join(["report_id,Pleural effusion", *gold]) + "\n")
    return folder / "reports.csv", folder / "gold.csv"


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.set_num_threads(1)
    brief = {"rules_epochs": 2, "gold_epochs": 2, "folds": 2}
    monkeypatch.setattr("labeler.neural.Recipe", lambda **given: Recipe(**brief, **given))


def test_an_archive_becomes_a_stage_that_labels(tmp_path: Path) -> None:
    reports, gold = archive(tmp_path)
    done = teach(reports, out=tmp_path / "stage", gold=gold, max_reports=5, quiet=True)
    assert (done.reports, done.gold_reports) == (35, 30)
    counts = files.read_json(tmp_path / "stage" / "run.json")["counts"]
    assert counts == {"read": 41, "taught": 35, "gold": 30, "rejected": 1}

    labeler, stage = load_labeler(), load(tmp_path / "stage")
    texts = ["Pleural effusion is seen in zone 3.", "INDICATION: cough."]
    found = apply(stage, labeler, ["007", "1e5"], texts, Fusion.FUSED)
    assert found.soft.schema.equals(tables.SOFT_LABELS)
    assert found.soft.num_rows == 2 * len(labeler.label_names)
    row = found.soft.to_pylist()[labeler.label_names.index("Pleural effusion")]
    assert row["report_id"] == "007"
    assert found.labels[0]["Pleural effusion"] == 1
    assert row["probability"] > 0.5
    assert (row["start"], row["end"]) == (0, len(texts[0]))
    assert all(part["start"] is None for part in found.soft.to_pylist()[-3:])
    assert list(found.labels[1]) == list(labeler.label_names)


def test_gold_that_fits_no_report_is_refused(tmp_path: Path) -> None:
    reports, gold = archive(tmp_path)
    gold.write_text("report_id,Pleural effusion\nother,1\n")
    with pytest.raises(InputError, match="names no report"):
        teach(reports, out=tmp_path / "stage", gold=gold, quiet=True)
    assert not (tmp_path / "stage" / "run.json").exists()


def test_a_labelled_archive_is_judged_beside_its_rules(tmp_path: Path) -> None:
    reports, gold = archive(tmp_path)
    label(reports, out=tmp_path / "labels", quiet=True)
    teach(reports, out=tmp_path / "stage", gold=gold, quiet=True)
    done = fuse(tmp_path / "labels", stage=tmp_path / "stage", out=tmp_path / "out", quiet=True)
    assert done.reports == 40
    names = load_labeler().label_names
    fused = files.read_table(tmp_path / "out" / "labels.parquet")
    ruled = files.read_table(tmp_path / "labels" / "labels.parquet")
    assert fused.schema.equals(tables.labels_schema(names))
    assert fused.column("report_id").equals(ruled.column("report_id"))
    differing = sum(
        one[name] != other[name]
        for one, other in zip(fused.to_pylist(), ruled.to_pylist(), strict=True)
        for name in names
    )
    assert differing == done.overruled
    soft = files.read_table(tmp_path / "out" / "soft_labels.parquet")
    assert soft.schema.equals(tables.SOFT_LABELS)
    assert soft.num_rows == 40 * len(names)

    reports.write_text(reports.read_text() + "more,Pleural effusion is seen.\n")
    with pytest.raises(InputError, match="has changed"):
        fuse(tmp_path / "labels", stage=tmp_path / "stage", out=tmp_path / "out", quiet=True)
    with pytest.raises(InputError, match="chestct label"):
        fuse(tmp_path / "stage", stage=tmp_path / "stage", out=tmp_path / "x", quiet=True)
