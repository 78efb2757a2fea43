"""What training shows where there is no terminal."""

import time

import pytest

from pipelines.running import progress
from pipelines.training.console import Console


def test_without_a_terminal_lines_tell_how_far_it_is(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(progress, "_SECONDS_BETWEEN_LINES", 0.02)
    with Console(["A"], quiet=False).shown():
        time.sleep(0.2)
    assert capsys.readouterr().err.startswith("train: regional histograms · 0:00:00\n")
    with Console(["A"], quiet=True).shown():
        time.sleep(0.1)
    assert capsys.readouterr().err == ""
