"""Decision files: what the page saves is read back; anything else is refused in one line."""

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from configs.contracts import InputError
from pipelines.reviewing import label_studio
from pipelines.reviewing.answers import report_gold, sentence_gold
from pipelines.reviewing.decisions import Decision, Decisions, read_decisions
from pipelines.reviewing.sheet import Item, Kind, Sheet

LABELS = ("A", "B, C", "=D")


def content(**changes: Any) -> dict[str, Any]:
    judged = {"id": "s1", "verdict": "judged", "labels": {"A": 1, "B, C": None, "=D": -1}}
    decisions = [judged, {"id": "s2", "verdict": "unsure", "labels": {}}]
    whole = {"format": 1, "worksheet": "w", "sheet": "sentences", "reader": "XY"}
    return whole | {"decisions": decisions} | changes


def saved(folder: Path, what: Any, name: str = "d.json") -> Path:
    path = folder / name
    path.write_text(what if isinstance(what, str) else json.dumps(what), encoding="utf-8")
    return path


def test_json_is_read_as_saved(tmp_path: Path) -> None:
    found = read_decisions(saved(tmp_path, content()), "w", LABELS)
    assert found.decisions[0].labels == {"A": 1, "B, C": None, "=D": -1}
    assert found.decisions[1].verdict == "unsure"


@pytest.mark.parametrize("delimiter", [",", ";"])
def test_csv_is_read_also_from_a_spreadsheet(tmp_path: Path, delimiter: str) -> None:
    path = tmp_path / "d.csv"
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file, delimiter=delimiter)
        writer.writerow(["worksheet", "sheet", "reader", "id", "verdict", "text", "A", "B, C"])
        writer.writerow(["w", "sentences", "XY", "s1", "judged", 'said "so"\nand on', "1", ""])
        writer.writerow(["w", "sentences", "XY", "s2", "unsure", "=1+1", "", ""])
    found = read_decisions(path, "w", LABELS)
    assert [decision.labels for decision in found.decisions] == [
        {"A": 1, "B, C": None},
        {"A": None, "B, C": None},
    ]


Change = Callable[[dict[str, Any]], Any]
WRONG: dict[str, tuple[Change, str]] = {
    "another worksheet": (lambda c: c | {"worksheet": "v"}, "another worksheet"),
    "run.json's own object": (lambda c: c | {"worksheet": {"hash": "w"}}, "docs/files.md"),
    "another format": (lambda c: c | {"format": 2}, "format"),
    "a label unknown": (
        lambda c: c | {"decisions": [{"id": "s1", "verdict": "judged", "labels": {"Z": 1}}]},
        "no label is called 'Z'",
    ),
    "a value unknown": (
        lambda c: c | {"decisions": [{"id": "s1", "verdict": "judged", "labels": {"A": 2}}]},
        "labels.A",
    ),
    "twice": (lambda c: c | {"decisions": c["decisions"] * 2}, "decided before"),
    "more": (lambda c: c | {"run": "rm"}, "run"),
    "a number": (lambda c: 7, "the file"),
    "no JSON": (lambda c: "{", "not a JSON file"),
    "no export": (lambda c: [{"annotations": 3}], "Label Studio"),
    "empty": (lambda c: "[]", "no tasks"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_said_in_a_line(tmp_path: Path, name: str) -> None:
    change, said = WRONG[name]
    path = saved(tmp_path, change(content()))
    with pytest.raises(InputError, match=said) as caught:
        read_decisions(path, "w", LABELS)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ("id,verdict\ns1,judged", "no column 'worksheet'"),
        ("worksheet,sheet,reader,id,verdict,A\nw,sentences,,s1,judged,yes", "record 2"),
        ("worksheet,sheet,reader,id,verdict,A\nw,sentences,,s1,judged", "5 cells where 6"),
        ("worksheet,sheet,reader,id,verdict,A\n", "no decisions"),
        ("worksheet,sheet,reader,id,verdict,A,A\nw,s,,s1,judged,1,1", "stands twice"),
        ('worksheet,"sheet', "CSV"),
        (
            "worksheet,sheet,reader,id,verdict,A\nw,sentences,,s1,judged,1\nv,sentences,,s2,judged,1",
            "record 3",
        ),
    ],
)
def test_a_wrong_csv_is_refused_with_its_record(tmp_path: Path, rows: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        read_decisions(saved(tmp_path, rows, "d.csv"), "w", LABELS)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["id", "annotations", "data", "decisions", "x"]), inner)
    ),
    max_leaves=8,
)


@settings(max_examples=80, deadline=None)
@given(json_values, st.text(max_size=60))
def test_any_file_gives_decisions_or_one_line(
    tmp_path_factory: pytest.TempPathFactory, value: Any, text: str
) -> None:
    folder = tmp_path_factory.mktemp("any")
    for path in (saved(folder, json.dumps(value)), saved(folder, text, "d.csv")):
        with pytest.raises(InputError):
            read_decisions(path, "w", LABELS)


def test_label_studio_gives_back_what_it_was_given(tmp_path: Path) -> None:
    item = Item("s1", [("Some words", None)], LABELS, {"A": 1, "=D": -1}, why=("so",))
    tasks = label_studio.tasks(Sheet(Kind.SENTENCES, "sentences", "w", LABELS, [item, item]))
    tasks[1]["data"]["id"] = "s2"
    tasks[0]["annotations"] = tasks[0]["predictions"]
    tasks[1]["annotations"] = [{"was_cancelled": True, "result": []}]
    found = read_decisions(saved(tmp_path, tasks), "w", LABELS)
    assert found.decisions[0].labels == {"A": 1, "=D": -1}
    assert found.decisions[1].verdict == "unsure"
    assert label_studio.interface(("<A>", '"B"')).count("<Choice ") == 6
    assert "<A>" not in label_studio.interface(("<A>",))


def by(sheet: str, **said: dict[str, int | None] | None) -> Decisions:
    decisions = tuple(
        Decision(id=item, verdict="unsure" if labels is None else "judged", labels=labels or {})
        for item, labels in said.items()
    )
    return Decisions(format=1, worksheet="w", sheet=sheet, decisions=decisions)


def test_sentences_count_where_all_readers_agree() -> None:
    one = by("sentences", s1={"A": 1}, s2={"A": 1}, s3=None, s4=None)
    other = by("sentences", s1={"A": 1, "=D": None}, s2={"A": 0}, s4={"A": -1})
    gold = sentence_gold([one, other], LABELS)
    assert gold.rows == {"s1": (1, None, None), "s4": (-1, None, None)}
    assert gold.disputed == ("s2",)
    assert gold.unsure == ("s3",)


def test_reports_wait_for_adjudication_where_readers_differ() -> None:
    one = by("reader-1", r1={"A": 1}, r2={"A": 1}, r3=None, r4={})
    other = by("reader-2", r1={"A": -1}, r2={"A": 0, "=D": 1}, r3=None)
    gold = report_gold([one, other], None, LABELS, uncertain=1, blank=0)
    assert gold.items == ("r1", "r2", "r4")
    assert gold.differing == {"r2": {"A": (1, 0), "=D": (None, 1)}}
    assert gold.gold_dl[0].tolist() == [1, 0, 0]
    assert gold.unsure == ("r3",)
    assert gold.readers is not None
    assert gold.readers[0].shape == (2, 3)

    settled = by("adjudication", r2={"A": 0, "=D": None})
    gold = report_gold([one, other], settled, LABELS, uncertain=1, blank=0)
    assert gold.gold_dl[1].tolist() == [0, 0, 0]
    assert not gold.differing
    assert report_gold([one, other], settled, LABELS, uncertain=0, blank=0).differing == {
        "r1": {"A": (1, -1)}
    }
