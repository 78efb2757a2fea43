"""The `chestct` command: one line a verb; its signature and docstring are its command line."""

import sys
from importlib.metadata import version

import cyclopts

from configs.contracts import ExitCode, InputError
from pipelines.running.interrupt import keep_interrupts


def _said(error: cyclopts.CycloptsError) -> str:
    """A usage error in one line, which names what has no option by its place."""
    text = " ".join(str(error).split())
    if isinstance(error, cyclopts.MissingArgumentError) and error.argument is not None:
        option = error.argument.names[0] if error.argument.names else ""
        if error.argument.index is not None:  # told apart from options by its place
            name = option.removeprefix("--").upper().replace("-", "_")
            text = text.replace(f"parameter {option} requires an argument", f"needs {name}")
    return f"chestct: {text}"


_AGAIN = {
    **dict.fromkeys(("label", "prepare", "triage"), "the same command goes on"),
    "train": "the same command goes on with --resume, and begins anew with --restart",
    **dict.fromkeys(("demo", "score", "cohort", "report"), "the same command starts anew"),
}
"""What to do after an interrupt, by verb."""

app = cyclopts.App(
    name="chestct",
    help="A chest-CT abnormality classifier learnt from an archive's own reports.",
    version=lambda: version("chestct"),
    version_flags=["--version"],
    suppress_keyboard_interrupt=False,
    help_format="markdown",
    default_parameter=cyclopts.Parameter(negative=()),  # no --no-quiet, no --empty-series
    error_formatter=_said,
)

# Import paths as strings: a verb's module, and all that is heavy, loads when the verb is called.
# In the order of work, which help keeps.
_VERBS = {
    "demo": "The whole chain on a synthetic archive that it makes, on a CPU, in minutes.",
    "label": "Reports in, labels and facts out.",
    "teach": "A neural stage that learns from an archive what the rules miss.",
    "score": "Labels against gold: precision, recall, F1 with intervals.",
    "locations": "Where labels lie: the label x location table, from facts.",
    "explain": "One report with every fact and its cue marked.",
    "dataset": "A published data set's folders, labels and reports as chestct's tables.",
    "prepare": "Scans in, a store of training-ready volumes out.",
    "cohort": "Who belongs to whom: joins labels and scans, and splits by patient.",
    "review": "Sentences and reports for people to judge, and their answers back in.",
    "train": "Train a network on a cohort.",
    "evaluate": "A bundle against a cohort's labels: discrimination and calibration.",
    "report": "One scan's probabilities with evidence: JSON, HTML, PDF, DICOM.",
    "triage": "Many scans in, a worklist out: most urgent first, with what it cannot see.",
    "timeline": "One patient over time: scores by the network, changes by the reports.",
}
for number, (verb, help_line) in enumerate(_VERBS.items()):
    app.command(f"pipelines.{verb}:{verb}", name=verb, help=help_line, sort_key=number)


def main() -> None:
    """Run the command line; see `configs.contracts.ExitCode` for what the shell gets back."""
    keep_interrupts()
    try:
        app(print_error=True, exit_on_error=False, result_action="return_value")
    except InputError as error:
        print(f"chestct: {error}", file=sys.stderr)
        sys.exit(ExitCode.INPUT)
    except cyclopts.CycloptsError:
        sys.exit(ExitCode.INPUT)
    except OSError as error:
        if error.filename is None:
            raise
        # A path that cannot be written or read: a full disk, a missing right, a folder for a file.
        place = error.filename2 or error.filename  # of a rename, the target
        print(f"chestct: {place}: {error.strerror}", file=sys.stderr)
        sys.exit(ExitCode.INPUT)
    except KeyboardInterrupt:
        again = _AGAIN.get(next(iter(sys.argv[1:]), ""), "the same command goes on or starts anew")
        print(f"chestct: interrupted; {again}", file=sys.stderr)
        sys.exit(ExitCode.INTERRUPTED)


if __name__ == "__main__":
    main()
