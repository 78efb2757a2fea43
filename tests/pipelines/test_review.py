"""`review`: a labelled archive in, sheets out; decisions in, gold and an audit out."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from configs import files, tables
from configs.contracts import InputError
from labeler.neural import Recipe
from pipelines.label import label
from pipelines.review import review
from pipelines.score import score
from pipelines.teach import teach

KINDS = (
    "Emphysema is seen.",
    "Possible pleural effusion.",
    "The lungs have a queer look.",
    "Heart size is normal.",
)


@pytest.fixture(scope="module")
def labels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A labelled archive of 40 reports."""
    folder = tmp_path_factory.mktemp("archive")
    rows = [f"acc-{n},{KINDS[n % 4]} {KINDS[n % 3]} Zone {n} is seen." for n in range(40)]
    (folder / "reports.csv").write_text("\n".join(["report_id,report_text", *rows]) + "\n")
    label(folder / "reports.csv", out=folder / "labels", workers=1, quiet=True)
    return folder / "labels"


@pytest.fixture
def sheets(labels: Path, tmp_path: Path) -> Path:
    review(labels, out=tmp_path / "sheets", quiet=True)
    return tmp_path / "sheets"


@pytest.fixture
def drawn(labels: Path, tmp_path: Path) -> Path:
    assert review(labels, out=tmp_path / "audit", audit=20, quiet=True).items == 20
    return tmp_path / "audit"


def decide(folder: Path, sheet: str, items: dict[str, dict[str, int] | None], name: str) -> Path:
    """A file as the page saves it."""
    worksheet = files.read_json(folder / "run.json")["worksheet"]["hash"]
    decisions: list[dict[str, Any]] = [
        {"id": item, "verdict": "unsure" if said is None else "judged", "labels": said or {}}
        for item, said in items.items()
    ]
    content = {"format": 1, "worksheet": worksheet, "sheet": sheet, "reader": "XY"}
    path = folder.parent / name
    path.write_text(json.dumps(content | {"decisions": decisions}))
    return path


def items_of(folder: Path) -> list[dict[str, Any]]:
    return list(files.read_table(folder / "items.parquet").to_pylist())


def test_sentences_become_gold_that_score_and_teach_read(
    labels: Path, sheets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = {item["text"]: item for item in items_of(sheets)}
    assert len(asked) == 2
    assert asked["Possible pleural effusion."]["doubts"] == ["hedge"]
    assert (sheets / "sentences.html").stat().st_size > 10_000
    assert len(files.read_json(sheets / "label_studio.json")) == 2
    first = (sheets / "sentences.html").read_bytes()
    review(labels, out=sheets, quiet=True)
    assert (sheets / "sentences.html").read_bytes() == first

    said: dict[str, dict[str, int] | None] = {
        asked["Possible pleural effusion."]["id"]: {"Pleural effusion": 0},
        asked["The lungs have a queer look."]["id"]: {"Mosaic attenuation pattern": 1},
    }
    one = decide(sheets, "sentences", said, "one.json")
    gold = tmp_path / "gold"
    assert review(sheets, out=gold, apply=[one], quiet=True).items == 2
    table = files.read_table(gold / "gold.parquet")
    assert table.schema.names[0] == "report_id"
    assert table.num_rows == 2

    label(gold / "sentences.parquet", out=tmp_path / "again", workers=1, quiet=True)
    scored = score(tmp_path / "again", gold / "gold.parquet", resamples=20, quiet=True)
    assert scored.as_is.reports == 2
    assert scored.as_is.by_label["Mosaic attenuation pattern"].recall.value == 0.0
    assert scored.as_is.by_label["Pleural effusion"].precision.value == 0.0

    torch.set_num_threads(1)
    brief = {"rules_epochs": 1, "gold_epochs": 1, "folds": 2}
    monkeypatch.setattr("labeler.neural.Recipe", lambda **given: Recipe(**brief, **given))
    both = tmp_path / "both"
    both.mkdir()
    shutil.copy(labels.parent / "reports.csv", both)
    (gold / "sentences.csv").rename(both / "sentences.csv")
    taught = teach(both, out=tmp_path / "stage", gold=gold / "gold.parquet", quiet=True)
    assert (taught.reports, taught.gold_reports) == (42, 2)


def test_what_readers_leave_open_is_set_aside(sheets: Path, tmp_path: Path) -> None:
    one, other = (item["id"] for item in items_of(sheets))
    files_ = [
        decide(sheets, "sentences", {one: {"Emphysema": 1}, other: None}, "1.json"),
        decide(sheets, "sentences", {one: {}, other: None}, "2.json"),
    ]
    done = review(sheets, out=tmp_path / "gold", apply=files_, quiet=True)
    assert done.items == 0
    rejected = files.read_table(tmp_path / "gold" / "rejected.parquet").to_pylist()
    assert {(row["id"], row["stage"], row["reason"]) for row in rejected} == {
        (one, "review", "CONFLICT"),
        (other, "review", "UNSURE"),
    }


def test_gold_of_reports_points_to_sentences(labels: Path, tmp_path: Path) -> None:
    gold = tmp_path / "gold.csv"
    gold.write_text("id,Emphysema\n" + "".join(f"acc-{n},0\n" for n in range(20)))
    done = review(labels, out=tmp_path / "s", gold=gold, gold_id_column="id", quiet=True)
    assert items_of(tmp_path / "s")[0]["text"] == "Emphysema is seen."
    assert done.items == 3
    gold.write_text("id,Emphysema\nother,0\n")
    with pytest.raises(InputError, match="names no report"):
        review(labels, out=tmp_path / "t", gold=gold, gold_id_column="id", quiet=True)


def test_an_audit_that_is_too_small_is_refused_before_a_report_is_read(
    labels: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = labels.parent / "reports.csv"
    whole = archive.read_text()
    monkeypatch.setattr("labeler.load_labeler", lambda *_: pytest.fail("loads the rules"))
    archive.write_text("report_id,report_text\nchanged,since\n")
    try:
        with pytest.raises(InputError, match=r"too few for this archive; give at least \d+"):
            review(labels, out=tmp_path / "audit", audit=1, quiet=True)
        with pytest.raises(InputError, match="has changed since"):
            review(labels, out=tmp_path / "audit", audit=20, quiet=True)
    finally:
        archive.write_text(whole)


def test_readers_see_no_label_and_no_identifier(drawn: Path) -> None:
    pages = [(drawn / f"reader-{number}.html").read_text() for number in (1, 2)]
    assert pages[0] != pages[1]
    for page in pages:
        assert "acc-" not in page
        assert '"proposal": {}' in page
        assert not re.search(r'"proposal": \{[^}]', page)


def test_two_readers_audit_an_archive(labels: Path, drawn: Path, tmp_path: Path) -> None:
    sheets = drawn
    items = {item["id"]: item for item in items_of(sheets)}
    truth: dict[str, dict[str, int] | None] = {
        item: {"Emphysema": 1} if "Emphysema" in row["text"] else {} for item, row in items.items()
    }
    other = dict(truth)
    doubtful = next(item for item, said in truth.items() if said)
    other[doubtful] = {}
    readers = [
        decide(sheets, "reader-1", truth, "1.json"),
        decide(sheets, "reader-2", other, "2.json"),
    ]
    done = review(sheets, out=tmp_path / "found", apply=readers, quiet=True)
    assert done.to_adjudicate == 1
    assert (tmp_path / "found" / "adjudication.html").exists()
    assert done.audit is not None
    found = done.audit.by_label
    assert found["Emphysema"].precision.value == 1.0
    assert found["Emphysema"].kappa is not None
    assert found["Emphysema"].kappa.value < 1.0
    assert found["Pleural effusion"].precision.value == 0.0  # hedged ones, which readers deny

    settled = decide(sheets, "adjudication", {doubtful: {"Emphysema": 0}}, "3.json")
    done = review(sheets, out=tmp_path / "found", apply=[*readers, settled], quiet=True)
    assert done.to_adjudicate == 0
    assert not (tmp_path / "found" / "adjudication.html").exists()
    assert done.audit is not None
    assert 0.5 < done.audit.by_label["Emphysema"].precision.value < 1.0
    gold = files.read_table(tmp_path / "found" / "gold.parquet")
    names = tuple(files.read_json(sheets / "run.json")["worksheet"]["labels"])
    assert gold.schema.equals(tables.labels_schema(names))
    assert set(gold.column("report_id").to_pylist()) == {row["report_id"] for row in items.values()}
    scored = score(labels, tmp_path / "found" / "gold.parquet", resamples=20, quiet=True)
    assert scored.as_is.reports == 20

    one = review(sheets, out=tmp_path / "one", apply=readers[:1], quiet=True)
    assert one.audit is not None
    assert one.audit.by_label["Emphysema"].kappa is None


def test_what_cannot_be_is_refused_in_a_line(labels: Path, drawn: Path, tmp_path: Path) -> None:
    sheets = drawn
    one = decide(sheets, "reader-1", {"r00001": {}}, "1.json")
    unknown = decide(sheets, "reader-1", {"r99999": {}}, "2.json")
    strange = decide(sheets, "sentences", {"r00001": {}}, "3.json")
    out = tmp_path / "out"
    for said, arguments in {
        "one at a time": {"source": sheets, "audit": 5, "apply": [one]},
        "not with": {"source": labels, "audit": 5, "gold": one},
        "at least": {"source": labels, "audit": 1},
        "--sentences": {"source": labels, "sentences": 0},
        "not the output folder of": {"source": sheets},
        "not the output folder": {"source": labels.parent},
        "no such folder; give the output folder of": {"source": tmp_path / "none"},
        "not a folder of sheets": {"source": labels, "apply": [one]},
        "a second file": {"source": sheets, "apply": [one, one]},
        "has not": {"source": sheets, "apply": [unknown]},
        "is called 'sentences'": {"source": sheets, "apply": [strange]},
        "no such file": {"source": sheets, "apply": [tmp_path / "none.json"]},
        "holds the sheets": {"source": sheets, "apply": [one], "out": sheets},
    }.items():
        given: dict[str, Any] = {"out": out, "quiet": True} | arguments
        with pytest.raises(InputError, match=said) as caught:
            review(**given)
        assert "\n" not in str(caught.value)


def test_an_archive_that_has_changed_is_refused(labels: Path, tmp_path: Path) -> None:
    reports = labels.parent / "reports.csv"
    before = reports.read_text()
    try:
        reports.write_text(before + "more,Emphysema.\n")
        with pytest.raises(InputError, match="has changed"):
            review(labels, out=tmp_path / "out", quiet=True)
    finally:
        reports.write_text(before)


def test_sheets_that_people_work_on_are_replaced_with_restart_alone(
    labels: Path, drawn: Path
) -> None:
    def content() -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in drawn.iterdir()}

    before = content()
    others: list[dict[str, Any]] = [{}, {"audit": 22}, {"audit": 20, "seed": 1}]
    for other in others:
        with pytest.raises(InputError, match="--restart replaces"):
            review(labels, out=drawn, quiet=True, **other)
    assert content() == before
    review(labels, out=drawn, audit=20, quiet=True)
    assert {name: before[name] for name in before if name != "run.json"} == {
        name: held for name, held in content().items() if name != "run.json"
    }
    review(labels, out=drawn, restart=True, quiet=True)
    assert {path.name for path in drawn.glob("*.html")} == {"sentences.html"}


def test_sheets_of_labels_that_changed_are_not_replaced_unasked(labels: Path, drawn: Path) -> None:
    record = files.read_json(drawn / "run.json")
    record["worksheet"]["hash"] = "of other labels"
    files.write_json(drawn / "run.json", record)
    with pytest.raises(InputError, match="holds other sheets, on which people may be at work"):
        review(labels, out=drawn, audit=20, quiet=True)
