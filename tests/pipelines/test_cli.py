"""The command line as a shell sees it: exit codes, messages, start-up."""

import importlib
import inspect
import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

VERBS = (
    "demo",
    "label",
    "teach",
    "score",
    "explain",
    "dataset",
    "locations",
    "prepare",
    "cohort",
    "review",
    "train",
    "evaluate",
    "report",
    "triage",
    "timeline",
)
CHESTCT = Path(sys.executable).with_name("chestct")


def chestct(*arguments: str, folder: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [CHESTCT, *arguments], cwd=folder, capture_output=True, text=True, timeout=120, check=False
    )


def test_help_lists_every_verb_and_loads_nothing_heavy() -> None:
    shown = chestct("--help")
    assert shown.returncode == 0
    lines = [line.strip("│ ").partition(" ")[0] for line in shown.stdout.splitlines()]
    work = "demo label score explain prepare cohort review train evaluate report triage timeline"
    assert [line for line in lines if line in work.split()] == work.split()  # not the alphabet's
    assert set(VERBS) <= set(lines)
    script = (
        "import sys; import pipelines.cli; "
        "heavy = {'torch', 'pandas', 'numpy', 'pyarrow', 'spacy', 'SimpleITK'} & set(sys.modules); "
        "sys.exit(str(heavy) if heavy else 0)"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


@pytest.mark.parametrize("verb", sorted({*VERBS} - {"demo", "explain", "prepare", "triage"}))
def test_a_verb_that_replaces_what_it_made_asks_for_restart(verb: str) -> None:
    """The others add to their folder, write none, or (the demo) always begin anew."""
    function = getattr(importlib.import_module(f"pipelines.{verb}"), verb)
    assert inspect.signature(function).parameters["restart"].default is False


@pytest.mark.parametrize("verb", VERBS)
def test_each_verb_explains_its_options(verb: str) -> None:
    shown = chestct(verb, "--help")
    assert shown.returncode == 0, shown.stderr
    assert "Parameters" in shown.stdout


@pytest.mark.parametrize("verb", VERBS)
def test_help_shows_every_asterisk(verb: str) -> None:
    """Help is Markdown: an asterisk that is not within backticks would set words in italics."""
    text = inspect.getdoc(getattr(importlib.import_module(f"pipelines.{verb}"), verb))
    assert text is not None
    assert "*" not in re.sub("`[^`]*`", "", text)


def test_the_version_is_the_package_s() -> None:
    assert chestct("--version").stdout.strip() == version("chestct")


@pytest.mark.parametrize(
    "arguments",
    [
        ("label", "absent.csv", "--out", "out"),
        ("prepare", "absent", "--out", "out"),
        ("no-such-verb",),
        ("label", "--no-such-flag"),
    ],
)
def test_wrong_input_is_one_line_and_exit_code_two(
    arguments: tuple[str, ...], tmp_path: Path
) -> None:
    result = chestct(*arguments, folder=tmp_path)
    assert result.returncode == 2
    assert "Traceback" not in result.stderr
    assert result.stderr.strip() or result.stdout.strip()
    assert not (tmp_path / "out" / "run.json").exists()


def test_usage_errors_name_what_the_usage_line_names() -> None:
    missing = chestct("report")
    assert (missing.returncode, missing.stderr) == (2, 'chestct: Command "report" needs SCAN.\n')
    assert "parameter --model requires" in chestct("report", "scan", "--out", "out").stderr
    options = ("--model", "m", "--out", "o", "--no-quiet")
    assert "--no-quiet" in chestct("report", "scan", *options).stderr


def test_help_shows_no_option_that_says_no() -> None:
    shown = chestct("report", "--help").stdout
    assert "--prior" in shown
    assert "--empty-" not in shown
    assert "--no-" not in shown


def test_a_users_own_folder_called_model_is_never_picked_up(tmp_path: Path) -> None:
    for name in ("model", "labeler", "configs", "pipelines"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("raise SystemExit('the wrong package')")
    result = chestct("label", "absent.csv", "--out", "out", folder=tmp_path)
    assert result.returncode == 2
    assert "the wrong package" not in result.stderr + result.stdout
    assert "absent.csv" in result.stderr
