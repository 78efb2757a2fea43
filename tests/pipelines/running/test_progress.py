import pytest

from pipelines.running import progress
from pipelines.running.progress import metered


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
