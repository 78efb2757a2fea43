"""Crashes, kills and full disks: a rerun's output equals a clean run's, byte for byte."""

import errno
import os
import pickle
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Self

import pyarrow as pa
import pytest

from configs import files, tables
from configs.contracts import InputError
from pipelines.labelling.archive import label_archive
from pipelines.labelling.cut import Text, cut
from pipelines.labelling.parts import Parts
from pipelines.labelling.tally import Tally
from pipelines.labelling.work import LabelWork, Tables, reports_table
from pipelines.reports_in.archive import read_reports
from pipelines.running import shards

REPORTS = 60
SIZE = 5
NAMES = ("Emphysema", "Atelectasis")


class QuickWork(LabelWork):
    """Labels by the first letter of a text, and crashes or hangs where a text says so."""

    def compute(self, records: Sequence[Text]) -> Tables:
        for record in records:
            if "CRASH" in record.text:
                os.kill(os.getpid(), signal.SIGSEGV)
            if "HANG" in record.text:
                time.sleep(60)
        time.sleep(0.02)
        columns: list[Any] = [[record.id for record in records]]
        columns += [[ord(record.text[0]) % 2 for record in records] for _ in NAMES]
        labels = pa.table(columns, schema=tables.labels_schema(NAMES))
        return Tables(labels, tables.FACTS.empty_table(), reports_table(records), 0)

    def seconds(self, records: Sequence[Text]) -> float:
        return 2.0

    def _empty(self) -> Tables:
        schemas = (tables.labels_schema(NAMES), tables.FACTS, tables.REPORTS)
        return Tables(*(schema.empty_table() for schema in schemas), 0)


class Here:
    """Stands for the child process, where no test needs one."""

    def __init__(self, function: Callable[[Any], Any]) -> None:
        self._function = function

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        pass

    def call(self, packed: bytes, seconds: float) -> Any:
        return self._function(pickle.loads(packed))


def write_archive(path: Path, special: dict[int, str] | None = None) -> Path:
    """Reports 0 to 59; two have no text, and `special` says what others hold."""
    texts = {number: f"{'ab'[number % 3 == 0]} report {number}" for number in range(REPORTS)}
    texts |= {7: "", 33: ""} | (special or {})
    rows = (f"r{number},{text}\n" for number, text in texts.items())
    path.write_text("report_id,report_text\n" + "".join(rows))
    return path


def run(archive: Path, out: Path, workers: int = 1) -> Tally:
    out.mkdir(exist_ok=True)
    plan = {"archive": files.sha256_of(archive)}
    work = QuickWork(out, "ct_rate", None, False, plan)
    with Parts(out).taken(plan):
        records = read_reports(archive)
        shards, tally = label_archive(work, archive, records, shard_size=SIZE, workers=workers)
    assert shards == REPORTS // SIZE
    return tally


def written(out: Path) -> dict[str, bytes]:
    """All that is visible in a folder, with the marks and without the lock's folder itself."""
    found = (path for path in out.rglob("*") if path.is_file())
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in found}


@pytest.fixture
def in_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shards, "Child", Here)


def ids(out: Path, name: str, column: str) -> list[str]:
    rows: list[str] = files.read_table(out / name).column(column).to_pylist()
    return rows


def test_poison_is_set_aside_and_every_other_report_labelled(tmp_path: Path) -> None:
    special = {3: "CRASH", 21: "HANG", 22: "CRASH"}
    tally = run(write_archive(tmp_path / "a.csv", special), tmp_path / "out")
    assert (tally.read, tally.labelled, tally.rejected) == (REPORTS, 55, 5)
    rows = files.read_table(tmp_path / "out" / "rejected.parquet").to_pylist()
    poison = {row["id"]: (row["stage"], row["reason"]) for row in rows if row["stage"] == "label"}
    assert poison == {
        "r3": ("label", "CRASH"),
        "r21": ("label", "TIMEOUT"),
        "r22": ("label", "CRASH"),
    }
    assert next(row["detail"] for row in rows if row["id"] == "r21").startswith("line 23: ")
    labelled = ids(tmp_path / "out", "labels.parquet", "report_id")
    apart = {3, 7, 21, 22, 33}
    assert labelled == [f"r{number}" for number in range(REPORTS) if number not in apart]


def test_killed_at_any_moment_a_rerun_ends_with_a_clean_run_s_bytes(tmp_path: Path) -> None:
    archive = write_archive(tmp_path / "a.csv", {21: "CRASH"})
    run(archive, tmp_path / "clean")
    clean, out = written(tmp_path / "clean"), tmp_path / "out"
    random_seconds = random.Random(5)
    script = (
        f"from pathlib import Path\nfrom {__name__} import run\n"
        f"run(Path({str(archive)!r}), Path({str(out)!r}))\n"
    )
    kills = 0
    for _ in range(4):
        process = subprocess.Popen([sys.executable, "-c", script], start_new_session=True)
        begun = len(list(out.glob(".shards/part-*.json")))
        while process.poll() is None and len(list(out.glob(".shards/part-*.json"))) == begun:
            time.sleep(0.01)
        time.sleep(random_seconds.uniform(0, 0.1))
        kills += process.poll() is None
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        for name, content in written(out).items():
            hidden = any(part.startswith(".") for part in Path(name).parts)
            assert hidden or clean[name] == content, "a part is whole or absent"
    assert kills
    run(archive, out)
    assert written(out) == clean


@pytest.mark.usefixtures("in_process")
def test_a_full_disk_at_any_write_leaves_nothing_half_and_the_rerun_equals_a_clean_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = write_archive(tmp_path / "a.csv")
    run(archive, tmp_path / "clean")
    clean, out = written(tmp_path / "clean"), tmp_path / "out"
    fsync, countdown = os.fsync, 0

    def failing(descriptor: int) -> None:
        nonlocal countdown
        countdown -= 1
        if countdown == 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", failing)
    places: list[str] = []
    for write in range(1, 40):
        countdown = write
        try:
            run(archive, out)
            break
        except OSError as error:
            places.append(error.filename)
        assert all(clean[name] == content for name, content in written(out).items())
    assert len(places) > 5
    assert all(place.startswith(str(out)) for place in places), "the message says where"
    assert written(out) == clean


@pytest.mark.usefixtures("in_process")
def test_only_what_is_unfinished_is_done_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive, out = write_archive(tmp_path / "a.csv"), tmp_path / "out"
    run(archive, out)
    clean = written(out)
    (out / "labels.parquet" / "part-00002.parquet").unlink()
    (out / ".shards" / "part-00005.json").unlink()
    done = []
    compute = QuickWork.compute

    def noted(self: QuickWork, records: Sequence[Text]) -> Tables:
        done.append(records[0].id)
        return compute(self, records)

    monkeypatch.setattr(QuickWork, "compute", noted)
    run(archive, out)
    assert done == ["r10", "r25"]
    assert written(out) == clean


@pytest.mark.usefixtures("in_process")
def test_a_part_too_many_or_rows_too_few_are_noticed(tmp_path: Path) -> None:
    archive, out = write_archive(tmp_path / "a.csv"), tmp_path / "out"
    run(archive, out)
    stray = out / "labels.parquet" / "part-00099.parquet"
    stray.write_bytes((out / "labels.parquet" / "part-00000.parquet").read_bytes())
    with pytest.raises(RuntimeError, match="exactly the parts"):
        run(archive, out)
    stray.replace(out / "labels.parquet" / "part-00001.parquet")
    short = files.read_table(out / "labels.parquet" / "part-00001.parquet").slice(0, 3)
    files.write_table(out / "labels.parquet" / "part-00001.parquet", short)
    with pytest.raises(RuntimeError, match="not all accounted for"):
        run(archive, out)


@pytest.mark.usefixtures("in_process")
def test_an_archive_that_changes_while_it_is_read_is_noticed(tmp_path: Path) -> None:
    archive, out = write_archive(tmp_path / "a.csv"), tmp_path / "out"

    def meddled() -> Iterator[Any]:
        yield from read_reports(archive)
        archive.write_text(archive.read_text() + "r99,late\n")

    plan = {"archive": "x"}
    out.mkdir()
    work = QuickWork(out, "ct_rate", None, False, plan)
    with Parts(out).taken(plan), pytest.raises(InputError, match="was changed while"):
        label_archive(work, archive, meddled(), shard_size=SIZE, workers=1)


def test_a_second_run_in_the_same_folder_is_refused(tmp_path: Path) -> None:
    parts = Parts(tmp_path)
    with parts.taken({"a": 1}):
        with pytest.raises(InputError, match="another run is at work"), parts.taken({"a": 1}):
            pass
        assert parts.plan() == {"a": 1}, "and nothing of the first is removed"


def test_a_worker_of_an_earlier_run_writes_nothing_into_another_s_folder(tmp_path: Path) -> None:
    parts = Parts(tmp_path)
    with parts.taken({"a": 1}), pytest.raises(InputError, match="another run"):
        parts.write(0, {}, Tally(), {"a": 2})


def test_shards_end_at_so_many_records_or_so_much_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = write_archive(tmp_path / "a.csv")
    assert [len(piece) for piece in cut(read_reports(archive), 25)] == [25, 25, 10]
    monkeypatch.setattr("pipelines.labelling.cut.MAX_SHARD_CHARS", 40)
    pieces = list(cut(read_reports(archive), 25))
    assert [piece.number for piece in pieces] == list(range(len(pieces)))
    assert sum(map(len, pieces)) == REPORTS
    assert max(sum(len(text.text) for text in piece.texts) for piece in pieces) < 40 + 12
