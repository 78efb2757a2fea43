"""`chestct evaluate`: a bundle's discrimination and calibration on scans it was not trained on."""

from pathlib import Path
from typing import Any, Literal

from configs.contracts import InputError, Split
from model.metrics import Metrics
from model.operating import SENSITIVITY


def evaluate(
    bundle: Path,
    *,
    cohort: Path,
    store: Path,
    labels: Path,
    out: Path,
    split: Split = Split.TEST,
    truth: Path | None = None,
    against: Path | None = None,
    protocol: Literal["ct_rate_valid", "rad_public"] | None = None,
    trained_on: list[Path] | None = None,
    recalibrate: Path | None = None,
    sensitivity: float = SENSITIVITY,
    resamples: int = 1000,
    seed: int = 0,
    restart: bool = False,
    quiet: bool = False,
) -> dict[str, Metrics]:
    """Measure a bundle on one split of a cohort, scan by scan, with patient-level intervals.

    A scan's logits are averaged over its reconstructions of one contrast phase. Blank labels count
    as absent; uncertain ones, and what the examination could not show, are left out.
    evaluation.html shows everything with its curves; the tables are CSV and JSON.

    Parameters
    ----------
    bundle
        Output folder of `chestct train`.
    cohort
        Output folder of `chestct cohort`, or its cohort.parquet.
    store
        Output folder of `chestct prepare`.
    labels
        Output folder of `chestct label`, or its labels.parquet: what the network is measured by.
    out
        Folder for evaluation.html, predictions.parquet, the tables, model_card.md and run.json.
    split
        train, validation or test.
    truth
        A second label table to measure by, such as a data set's published labels.
    against
        predictions.parquet of another run on the same scans, or its folder: the difference.
    protocol
        A published test set: published figures beside ours, and whether they may be compared.
    trained_on
        The cohort that the bundle was trained with, where it is another one: its patients are
        refused here. --protocol ct_rate_valid needs it.
    recalibrate
        Folder for a new bundle, with curves and operating points fitted on this cohort's
        validation split: for a site's own scans. The new bundle is then measured.
    sensitivity
        With --recalibrate, the share of positives that the sensitive point is to find.
    resamples
        Bootstrap resamples of the patients.
    seed
        Seed of the bootstrap.
    restart
        Replace a finished evaluation in OUT that was made with other arguments.
    quiet
        Print nothing.
    """
    from pipelines.evaluating.protocol import Protocol
    from pipelines.evaluating.terminal import print_findings
    from pipelines.evaluating.work import Request, measure, write
    from pipelines.running.run import Run

    _check_options(split, protocol, recalibrate, sensitivity, resamples)
    inputs = {"bundle": bundle, "cohort": cohort, "store": store, "labels": labels}
    inputs |= {"truth": truth} if truth else {}
    inputs |= {"against": against} if against else {}
    inputs |= {f"trained on {i}": path for i, path in enumerate(trained_on or [], start=1)}
    config: dict[str, Any] = {"split": split, "protocol": protocol}
    config |= {"resamples": resamples, "seed": seed}
    config |= {"recalibrate": recalibrate, "sensitivity": sensitivity} if recalibrate else {}
    request = Request(
        bundle=bundle,
        cohort=cohort,
        store=store,
        references={"labels": labels} | ({"truth": truth} if truth else {}),
        split=split,
        against=against,
        protocol=Protocol(protocol) if protocol else None,
        trained_on=tuple(trained_on or ()),
        recalibrate=recalibrate,
        sensitivity=sensitivity,
        resamples=resamples,
        seed=seed,
    )
    run = Run("evaluate", out, inputs, config, restart=restart)
    with run.alone():
        findings = measure(request, quiet=quiet)  # a refusal leaves an earlier one as it is
        with run:
            write(out, request, findings)
            run.counts.update(scans=len(findings.evaluations[0].judged), volumes=len(findings.part))
            run.facts |= findings.facts()
    if not quiet:
        print_findings(findings, out, recalibrate)
    return {found.reference: found.metrics for found in findings.evaluations}


def _check_options(
    split: Split,
    protocol: str | None,
    recalibrate: Path | None,
    sensitivity: float,
    resamples: int,
) -> None:
    if resamples < 1:
        raise InputError(f"--resamples {resamples}: at least 1")
    if not 0 < sensitivity < 1:
        raise InputError(f"--sensitivity {sensitivity}: a share between 0 and 1")
    if sensitivity != SENSITIVITY and recalibrate is None:
        raise InputError(
            f"--sensitivity {sensitivity}: operating points are fitted with --recalibrate alone; "
            "add it, or leave this out"
        )
    if recalibrate is not None and split is Split.VALIDATION:
        raise InputError(
            "--recalibrate fits on the validation split, so --split validation would measure on "
            "what was fitted; measure on test"
        )
    if protocol is not None and split is not Split.TEST:
        raise InputError(f"--protocol {protocol}: its scans are the test split, not {split}")
