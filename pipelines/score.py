"""`chestct score`: labels against gold, or two labelers against each other."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from configs.contracts import InputError

if TYPE_CHECKING:
    from labeler.scoring import Comparison, Score
    from pipelines.labelled.matched import Matched
    from pipelines.running.run import Run


@dataclass(frozen=True, slots=True)
class Scored:
    """What `score` measured."""

    as_is: "Score"
    minus_errata: "Score | None"
    against: "Score | None"
    difference: "Comparison | None"
    """F1 of the labels minus F1 of those they are compared with."""


def score(
    labels: Path,
    gold: Path,
    *,
    against: Path | None = None,
    errata: Path | None = None,
    reports: Path | None = None,
    out: Path | None = None,
    convention: str | None = None,
    id_column: str | None = None,
    resamples: int = 1000,
    seed: int = 0,
    restart: bool = False,
    quiet: bool = False,
) -> Scored:
    """Score labels against gold: precision, recall, F1 and kappa with 95 % bootstrap intervals.

    Reports are matched by identifier; those in one file only are counted and said.

    Parameters
    ----------
    labels
        The output folder of `chestct label`, or a labels file (Parquet or CSV).
    gold
        CSV or Parquet with an identifier and a column of 1, 0, -1 or blank for each label.
    against
        Other labels of the same reports: shows the difference in F1 with a paired interval.
    errata
        CSV with an identifier and a column `label`: gold cells judged wrong. F1 is given as the
        gold is, and with those cells left out.
    reports
        The archive that was labelled: puts the sentences behind each disagreement into
        `disagreements.csv` (which then holds report text).
    out
        Write `score.json` and `disagreements.csv`, with the facts behind each, to this folder.
    convention
        What uncertain and blank count as; if not given, as the labels' own record says.
    id_column
        The gold's identifier column, if it has not one of the usual names.
    resamples
        Bootstrap resamples of the reports.
    seed
        Seed of the resampling.
    restart
        Replace finished scores in OUT that were made with other arguments.
    quiet
        Show no table.
    """
    from pipelines.labelled.matched import match
    from pipelines.labelled.score_table import show
    from pipelines.labelled.values import coding_of, convention_of, labels_file, read_label_values
    from pipelines.running.progress import messages
    from pipelines.running.run import Run

    if reports is not None and out is None:
        raise InputError("--reports: the sentences are written to --out; give it too")
    if resamples < 1:
        raise InputError(f"--resamples {resamples}: at least 1 is needed")
    convention = convention or convention_of(labels)
    coding = coding_of(convention)
    predicted = read_label_values(labels_file(labels))
    truth = read_label_values(labels_file(gold), id_column, list(predicted.frame.columns))
    other = None if against is None else read_label_values(labels_file(against))
    matched = match(predicted, truth, other, errata, coding)
    done = _measure(matched, with_errata=errata is not None, resamples=resamples, seed=seed)
    if out is not None:
        inputs = {
            "labels": labels,
            "gold": gold,
            "against": against,
            "errata": errata,
            "reports": reports,
        }
        config = {"convention": convention, "resamples": resamples, "seed": seed}
        given = {name: path for name, path in inputs.items() if path is not None}
        run = Run("score", out, given, config, restart=restart)
        _write(run, matched, done)
    for remark in matched.remarks:
        messages.print(remark, markup=False)
    if not quiet:
        show(done)
    return done


def _measure(matched: "Matched", *, with_errata: bool, resamples: int, seed: int) -> Scored:
    from labeler import scoring

    m = matched
    as_is = scoring.score(m.predicted_rl, m.gold_rl, m.labels, resamples=resamples, seed=seed)
    minus_errata = against = difference = None
    if with_errata:
        minus_errata = scoring.score(
            m.predicted_rl,
            m.gold_rl,
            m.labels,
            counted_rl=m.counted_rl,
            resamples=resamples,
            seed=seed,
        )
    if m.other_rl is not None:
        against = scoring.score(m.other_rl, m.gold_rl, m.labels, resamples=resamples, seed=seed)
        difference = scoring.compare(
            m.predicted_rl, m.other_rl, m.gold_rl, m.labels, resamples=resamples, seed=seed
        )
    return Scored(as_is, minus_errata, against, difference)


def _write(run: "Run", matched: "Matched", done: Scored) -> None:
    from configs.files import write_json
    from pipelines.labelled.archive import options_of
    from pipelines.labelled.disagreements import Sources, write_disagreements
    from pipelines.labelled.score_table import as_json

    labels, convention = run.inputs["labels"], run.config["convention"]
    facts = labels / "facts.parquet"
    with run:
        run.counts["reports"] = done.as_is.reports
        run.counts["disagreements"] = write_disagreements(
            run.out / "disagreements.csv",
            matched,
            Sources(
                facts if facts.exists() else None,
                str(convention) if convention else None,
                run.inputs.get("reports"),
                options_of(labels),
            ),
        )
        write_json(run.out / "score.json", as_json(done))
