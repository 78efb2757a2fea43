import time
from collections.abc import Iterator

import pytest

from pipelines.running import progress
from pipelines.running.progress import lines, metered, track


def test_without_a_terminal_a_line_now_and_then_tells_rate_rejects_and_time_left(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: clock[0])
    with metered("labelling") as meter:
        assert meter is not None
        for minute in range(1, 4):
            clock[0] += 61
            meter.show(1_000 * minute, 5, 0.1 * minute, new=1_000 * minute)
            clock[0] += 1
            meter.show(1_000 * minute, 5, 0.1 * minute, new=1_000 * minute)
    lines = [line for line in capsys.readouterr().err.splitlines() if line]
    assert len(lines) == 3
    assert lines[0] == "labelling: 1,000 records, 5 set aside, 16/s"
    assert lines[2] == "labelling: 3,000 records, 5 set aside, 16/s, 0:07:14 left"


def test_a_quiet_run_has_no_meter() -> None:
    with metered("labelling", quiet=True) as meter:
        assert meter is None


def test_without_a_terminal_a_slow_item_is_no_silence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(progress, "_SECONDS_BETWEEN_LINES", 0.05)

    def slow() -> Iterator[int]:
        yield 1
        time.sleep(0.4)
        yield 2

    assert list(track(slow(), "reading", total=2)) == [1, 2]
    told = capsys.readouterr().err.splitlines()
    assert len(told) > 1
    assert told[0].startswith("reading: 1 of 2 in 0:00:00, 0:00:00 left")
    assert list(track(slow(), "reading", quiet=True)) == [1, 2]
    assert capsys.readouterr().err == ""


def test_lines_end_with_what_they_tell_of(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(progress, "_SECONDS_BETWEEN_LINES", 0.02)
    with lines(lambda: "[at work]"):
        time.sleep(0.2)
    assert "[at work]" in capsys.readouterr().err
    time.sleep(0.1)
    assert capsys.readouterr().err == ""
