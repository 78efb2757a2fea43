import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from configs.contracts import InputError, RecordReason
from pipelines.running import shards
from pipelines.running.salvage import pack
from pipelines.running.shards import Lost, Shard, map_records, map_shards


def square(number: int) -> tuple[int, int]:
    return number * number, os.getpid()


@pytest.mark.parametrize("workers", [1, 2])
def test_results_come_in_the_order_of_the_records(workers: int) -> None:
    results = list(map_records(square, range(30), workers=workers))
    assert [value for value, _ in results] == [n * n for n in range(30)]
    processes = {pid for _, pid in results}
    assert (os.getpid() in processes) == (workers == 1)


def fail_on_three(number: int) -> int:
    if number == 3:
        raise ValueError("three")
    return number


def test_an_exception_reaches_the_caller() -> None:
    with pytest.raises(ValueError, match="three"):
        list(map_records(fail_on_three, range(5), workers=2))


def named(number: int, reason: RecordReason) -> int:
    return -1 if reason is RecordReason.CRASH else -2


def leave_or_hang(number: int) -> int:
    if number == 2:
        os._exit(0)
    if number == 4:
        time.sleep(60)
    return number


def test_a_record_that_crashes_or_hangs_is_answered_for_by_lost() -> None:
    results = map_records(leave_or_hang, range(6), seconds=2, lost=named)
    assert list(results) == [0, 1, -1, 3, -2, 5]


def test_without_lost_a_crash_is_an_error() -> None:
    with pytest.raises(RuntimeError, match=r"record 3 ended its worker process: CRASH"):
        list(map_records(leave_or_hang, [0, 1, 2, 3], workers=2))


@dataclass(frozen=True)
class Poisoned:
    """Doubles numbers; some crash or hang the process, and some Dask worker dies once."""

    crash: frozenset[int] = frozenset()
    hang: frozenset[int] = frozenset()
    mark: Path | None = None
    """Where the death of a Dask worker is noted, for it to happen once."""

    def compute(self, records: Sequence[int]) -> list[int]:
        for number in records:
            if number in self.crash:
                os.kill(os.getpid(), signal.SIGSEGV)
            if number in self.hang:
                time.sleep(60)
        return [2 * number for number in records]

    def seconds(self, records: Sequence[int]) -> float:
        return 2.0

    def finish(self, shard: Shard, pieces: Sequence[Any]) -> tuple[int, list[Any]]:
        if self.mark and not self.mark.exists():
            self.mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        found: list[Any] = []
        for piece in pieces:
            found += [(piece.record, piece.reason)] if isinstance(piece, Lost) else piece
        return shard.number, found


def cut(count: int, size: int) -> list[Shard]:
    return [
        Shard(number, pack(range(start, start + size)), 2.0)
        for number, start in enumerate(range(0, count, size))
    ]


def test_poison_is_found_and_every_other_record_computed() -> None:
    work = Poisoned(crash=frozenset({0, 41, 42}), hang=frozenset({77}))
    results = dict(map_shards(work, cut(128, 64)))
    wanted: list[list[Any]] = [[2 * n for n in range(64)], [2 * n for n in range(64, 128)]]
    for number in (0, 41, 42):
        wanted[0][number] = (number, RecordReason.CRASH)
    wanted[1][77 - 64] = (77, RecordReason.TIMEOUT)
    assert [results[0], results[1]] == wanted


class Broken(Poisoned):
    def compute(self, records: Sequence[int]) -> list[int]:
        os._exit(1)


def test_a_process_that_dies_of_no_record_blames_none() -> None:
    with pytest.raises(RuntimeError, match="without any record"):
        list(map_shards(Broken(), cut(4, 2)))


def test_a_dead_dask_worker_s_shards_go_to_the_other(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    from distributed.deploy.subprocess import SubprocessCluster

    work = Poisoned(mark=tmp_path / "died")
    with SubprocessCluster(n_workers=2, threads_per_worker=1) as cluster:
        results = dict(map_shards(work, cut(40, 4), scheduler=cluster.scheduler_address))
    assert (tmp_path / "died").exists()
    assert "distributed.client" not in capfd.readouterr().err
    assert [results[n] for n in range(10)] == [
        [2 * x for x in range(4 * n, 4 * n + 4)] for n in range(10)
    ]


def test_a_run_that_is_left_early_leaves_no_process_and_no_shard() -> None:
    before = psutil.Process().children()
    results = map_records(time.sleep, [0.0, 60.0, 60.0, 60.0], workers=2)
    next(results)
    results.close()
    assert (shards._warm, shards._handed) == ({}, {})
    assert psutil.Process().children() == before


def test_an_address_without_scheduler_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipelines.running.cluster._CONNECT_SECONDS", 1)
    with pytest.raises(InputError, match=r"tcp://127.0.0.1:9: no Dask scheduler"):
        list(map_shards(Poisoned(), cut(4, 2), scheduler="tcp://127.0.0.1:9"))


def test_ctrl_c_ends_the_run_and_its_workers(tmp_path: Path) -> None:
    script = tmp_path / "sleepers.py"
    script.write_text(
        "import signal, time\n"
        "from pipelines.running.shards import map_records\n"
        # ignored where the tests run in a shell's background
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "results = map_records(time.sleep, [0.2] * 400, workers=2)\n"
        "next(results)\n"
        "print('computing', flush=True)\n"
        "list(results)\n"
    )
    run = subprocess.Popen([sys.executable, script], start_new_session=True, stdout=subprocess.PIPE)
    assert run.stdout is not None
    assert run.stdout.readline() == b"computing\n"
    time.sleep(1)
    workers = psutil.Process(run.pid).children(recursive=True)  # in sessions of their own
    assert workers
    os.killpg(run.pid, signal.SIGINT)
    assert run.wait(timeout=30) != 0
    _, alive = psutil.wait_procs(workers, timeout=10)
    assert not alive, "the workers end when they notice"


def test_a_cluster_without_workers_is_waited_for_and_said_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from distributed import LocalCluster

    monkeypatch.setattr(shards, "_DESERTED_SECONDS", 0.5)
    with LocalCluster(n_workers=0, processes=False, dashboard_address="127.0.0.1:0") as cluster:
        scale = threading.Timer(5, cluster.scale, [1])
        scale.start()
        results = dict(map_shards(Poisoned(), cut(4, 2), scheduler=cluster.scheduler_address))
    assert results == {0: [0, 2], 1: [4, 6]}
    said = capsys.readouterr().err
    assert "the cluster has no worker; waiting" in said
    assert said.count("waiting") == 1
    assert "a worker has come" in said


def test_an_existing_cluster_computes_and_keeps_no_child() -> None:
    from distributed import LocalCluster

    with LocalCluster(
        n_workers=1, threads_per_worker=2, processes=False, dashboard_address="127.0.0.1:0"
    ) as cluster:
        results = dict(map_shards(Poisoned(), cut(12, 3), scheduler=cluster.scheduler_address))
    assert [results[n] for n in range(4)] == [[6 * n, 6 * n + 2, 6 * n + 4] for n in range(4)]
    assert shards._warm == {}
