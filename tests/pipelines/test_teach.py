"""`teach`, and `label` with a stage: archive and gold in, a stage out, what it says in tables."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pytest
import torch

from configs import files, tables
from configs.contracts import InputError
from labeler import load_labeler
from labeler.neural import Fusion, Recipe, load
from pipelines.label import Labelled, label
from pipelines.labelling.taught import apply
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
    shorten(monkeypatch)


def shorten(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.set_num_threads(1)
    brief = {"rules_epochs": 2, "gold_epochs": 2, "folds": 2}
    monkeypatch.setattr("labeler.neural.Recipe", lambda **given: Recipe(**brief, **given))


def test_an_archive_becomes_a_stage_that_labels(tmp_path: Path) -> None:
    reports, gold = archive(tmp_path)
    done = teach(reports, out=tmp_path / "stage", gold=gold, max_reports=5, quiet=True)
    assert (done.reports, done.gold_reports) == (35, 30)
    counts = files.read_json(tmp_path / "stage" / "run.json")["counts"]
    assert counts == {"read": 41, "taught": 35, "gold": 30, "gold_sentences": 0, "rejected": 1}

    labeler, stage = load_labeler(), load(tmp_path / "stage")
    texts = ["Pleural effusion is seen in zone 3.", "INDICATION: cough."]
    reports_in = [
        (name, text, labeler.label(text)) for name, text in zip(("007", "1e5"), texts, strict=True)
    ]
    found = apply(stage, labeler, reports_in, Fusion.FUSED)
    assert found.soft.schema.equals(tables.SOFT_LABELS)
    assert found.soft.num_rows == 2 * len(labeler.label_names)
    row = found.soft.to_pylist()[labeler.label_names.index("Pleural effusion")]
    assert row["report_id"] == "007"
    assert found.labels[0]["Pleural effusion"] == 1
    assert row["probability"] > 0.5
    assert (row["start"], row["end"]) == (0, len(texts[0]))
    assert all(part["start"] is None for part in found.soft.to_pylist()[-3:])
    assert list(found.labels[1]) == list(labeler.label_names)
    beside = apply(stage, labeler, reports_in, Fusion.RULES)
    assert beside.labels == [read.labels for _, _, read in reports_in]
    assert beside.soft.equals(found.soft)
    assert beside.overruled == 0
    assert apply(stage, labeler, [], Fusion.FUSED).soft.num_rows == 0


def test_gold_that_fits_no_report_is_refused(tmp_path: Path) -> None:
    reports, gold = archive(tmp_path)
    gold.write_text("report_id,Pleural effusion\nother,1\n")
    with pytest.raises(InputError, match="names no report"):
        teach(reports, out=tmp_path / "stage", gold=gold, quiet=True)
    assert not (tmp_path / "stage").exists()


def test_judged_sentences_teach_beside_reports(tmp_path: Path) -> None:
    reports, gold = archive(tmp_path)
    names = load_labeler().label_names
    rows = [{"report_id": f"s{n}", **dict.fromkeys(names), "Emphysema": n % 2} for n in range(6)]
    said = tmp_path / "said"
    files.write_table(
        said / "gold.parquet", pa.Table.from_pylist(rows, tables.labels_schema(names))
    )
    words = [f"Lung {'vanishing' if n % 2 else 'expansion'} in zone {n}." for n in range(6)]
    ids = [row["report_id"] for row in rows]
    files.write_table(
        said / "sentences.parquet", pa.table({"report_id": ids, "report_text": words})
    )
    files.write_json(said / "run.json", {"verb": "review"})
    both = teach(reports, out=tmp_path / "both", gold=gold, sentences=said, quiet=True)
    assert (both.gold_reports, both.gold_sentences) == (30, 6)
    alone = teach(reports, out=tmp_path / "alone", sentences=said, quiet=True)
    assert (alone.gold_reports, alone.gold_sentences) == (0, 6)
    cards = [load(done.out).card for done in (both, alone)]
    assert [card["calibrated_on"] for card in cards] == ["gold", "sentences"]
    (said / "sentences.parquet").unlink()
    with pytest.raises(InputError, match="review --apply"):
        teach(reports, out=tmp_path / "none", sentences=said, quiet=True)


class Judged(NamedTuple):
    """An archive, the stage taught on it, and what `label` made of both."""

    reports: Path
    stage: Path
    out: Path
    done: Labelled


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> Judged:
    folder = tmp_path_factory.mktemp("judged")
    with pytest.MonkeyPatch.context() as patch:
        shorten(patch)
        reports, gold = archive(folder)
        teach(reports, out=folder / "stage", gold=gold, quiet=True)
    out, stage = folder / "out", folder / "stage"
    done = label(reports, out=out, stage=stage, shard_size=8, workers=1, quiet=True)
    return Judged(reports, stage, out, done)


def test_an_archive_is_labelled_by_rules_and_stage(judged: Judged, tmp_path: Path) -> None:
    names = load_labeler().label_names
    label(judged.reports, out=tmp_path / "ruled", quiet=True)
    rules, fused = (
        files.read_table(out / "labels.parquet") for out in (tmp_path / "ruled", judged.out)
    )
    assert fused.schema.equals(rules.schema)
    assert fused.column("report_id").equals(rules.column("report_id"))
    differing = sum(
        one[name] != other[name]
        for one, other in zip(fused.to_pylist(), rules.to_pylist(), strict=True)
        for name in names
    )
    counts = files.read_json(judged.out / "run.json")["counts"]
    assert counts["overruled"] == judged.done.tally.overruled == differing
    assert (counts["read"], counts["labelled"], counts["rejected"]) == (41, 40, 1)
    soft = files.read_table(judged.out / "soft_labels.parquet")
    assert soft.schema.equals(tables.SOFT_LABELS)
    assert soft.num_rows == 40 * len(names)
    facts = (files.read_table(out / "facts.parquet") for out in (tmp_path / "ruled", judged.out))
    assert next(facts).equals(next(facts)), "the rules' own"


def test_a_killed_run_with_a_stage_ends_with_a_clean_run_s_bytes(
    judged: Judged, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    chestct = str(Path(sys.executable).with_name("chestct"))
    command = [chestct, "label", judged.reports, "--out", out, "--stage", judged.stage]
    process = subprocess.Popen([*command, "--shard-size", "8", "--quiet"], start_new_session=True)
    while process.poll() is None and not list(out.glob(".shards/part-*.json")):
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    label(judged.reports, out=out, stage=judged.stage, shard_size=8, workers=1, quiet=True)
    parts = sorted(path.relative_to(judged.out) for path in judged.out.glob("*.parquet/*"))
    assert len(parts) == 5 * 6
    assert [(judged.out / part).read_bytes() for part in parts] == [
        (out / part).read_bytes() for part in parts
    ]


def test_a_stage_is_part_of_the_plan(judged: Judged, tmp_path: Path) -> None:
    reports, stage = judged.reports, judged.stage
    with pytest.raises(InputError, match="needs --stage"):
        label(reports, out=tmp_path / "x", fusion="neural", quiet=True)
    with pytest.raises(InputError, match="not a finished folder of `chestct teach`"):
        label(reports, out=tmp_path / "x", stage=tmp_path, quiet=True)
    with pytest.raises(InputError, match="other labels"):
        label(reports, out=tmp_path / "x", stage=stage, convention="clinical", quiet=True)
    assert not (tmp_path / "x").exists()
    out = tmp_path / "out"
    shutil.copytree(judged.out, out)
    with pytest.raises(InputError, match="--fusion has changed"):
        label(reports, out=out, shard_size=8, quiet=True)
    shutil.copytree(stage, tmp_path / "stage")
    (tmp_path / "stage" / "run.json").write_text("{}")
    with pytest.raises(InputError, match="the stage has changed"):
        label(reports, out=out, stage=tmp_path / "stage", shard_size=8, quiet=True)
    label(reports, out=out, restart=True, quiet=True)
    assert not (out / "soft_labels.parquet").exists(), "no longer true"
