import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pipelines.running import shards
from pipelines.running.shards import map_records


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


def leave(number: int) -> int:
    os._exit(number)


def test_dead_workers_are_an_error_and_no_endless_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shards, "_LOOKS_WITHOUT_WORKERS", 4)
    with pytest.raises(Exception, match=r"worker"):
        list(map_records(leave, [1, 2, 3], workers=2))


def test_ctrl_c_ends_the_run_and_its_workers(tmp_path: Path) -> None:
    script = tmp_path / "sleepers.py"
    script.write_text(
        "import time\n"
        "from pipelines.running.shards import map_records\n"
        "print('started', flush=True)\n"
        "list(map_records(time.sleep, [0.2] * 200, workers=2))\n"
    )
    run = subprocess.Popen([sys.executable, script], start_new_session=True, stdout=subprocess.PIPE)
    time.sleep(4)
    os.killpg(run.pid, signal.SIGINT)
    assert run.wait(timeout=20) != 0
    time.sleep(1)
    with pytest.raises(ProcessLookupError):
        os.killpg(run.pid, 0)
