"""Processes that read: as they are done, and a scan that kills its process is a row."""

import os
import time
from pathlib import Path

from model.volumes import Candidate
from pipelines.rendering.content import Scan, Status
from pipelines.triaging.readers import Readers, Task
from pipelines.triaging.record import Record


def task(number: int, out: Path) -> Task:
    candidate = Candidate(out, f"1.2.{number}", "1.2", "P", "A", (b"",), 1)
    return Task(candidate, f"key{number}", out, out, identified=False, pages=False, flagged_from={})


def test_a_scan_that_ends_its_process_or_hangs_costs_no_other(tmp_path: Path) -> None:
    def work(task: Task) -> Record:
        if task.key == "key1":
            os._exit(9)
        if task.key == "key2":
            time.sleep(60)
        return Record(key=task.key, status=Status.READ, scan=Scan(identified=False))

    with Readers(2, seconds=2.0, function=work) as readers:
        records = {r.key: r for r in readers.read(task(n, tmp_path) for n in range(4))}
        assert readers.under_way == frozenset()
    assert sorted(records) == ["key0", "key1", "key2", "key3"]
    codes = {key: [reason.code for reason in r.reasons] for key, r in records.items()}
    assert codes == {"key0": [], "key1": ["CRASH"], "key2": ["TIMEOUT"], "key3": []}


def test_leaving_ends_what_is_under_way_at_once(tmp_path: Path) -> None:
    def work(task: Task) -> Record:
        time.sleep(60)
        raise AssertionError

    started = time.monotonic()
    with Readers(1, function=work) as readers:
        assert list(readers.read([task(0, tmp_path)], patience=0.2)) == []
        assert readers.under_way == {"key0"}
    assert time.monotonic() - started < 30
