"""What training shows on a terminal of the usual width."""

import io
import re

import pytest
from rich.console import Console as Terminal

from model.training import Step
from pipelines.training import console


def test_time_left_speed_waiting_loss_and_rate_fit_on_eighty_columns(monkeypatch):
    shown = io.StringIO()
    terminal = Terminal(file=shown, force_terminal=True, width=80)
    monkeypatch.setattr(console, "messages", terminal)
    with console.Console(["Emphysema"], quiet=False).shown() as bar:
        for done in range(1, 4):
            bar.step(Step(0, done, 9_000, 0.628, 5.4e-4, 148.9, 0.12))
        bar._bar.refresh()
    text = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", shown.getvalue())
    assert re.search(
        r"left [\d-]+:[\d-]+:[\d-]+ loss 0\.628 · rate 5\.4e-04 · 148\.9 scans/s · waits 12%", text
    )


@pytest.mark.parametrize("terminal", [True, False])
def test_quiet_shows_nothing(monkeypatch, terminal):
    shown = io.StringIO()
    monkeypatch.setattr(console, "messages", Terminal(file=shown, force_terminal=terminal))
    with console.Console(["Emphysema"], quiet=True).shown() as bar:
        bar.step(Step(0, 1, 9, 0.6, 1e-3, 10.0, 0.0))
    assert shown.getvalue() == ""
