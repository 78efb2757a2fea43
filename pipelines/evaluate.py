"""`chestct evaluate`: a bundle's discrimination and calibration on scans it was not trained on."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from configs import files
from configs.contracts import PROBABILITY_MEANING, InputError, Split
from model import bundle as bundles
from model.bundle import Bundle
from model.card_markdown import card_markdown
from model.data import Part, read_parts
from model.metrics import Metrics
from model.operating import SENSITIVITY
from model.volumes.store import Store
from pipelines.evaluating import page
from pipelines.evaluating import protocol as protocols
from pipelines.evaluating.evaluation import Evaluation, evaluate_judged
from pipelines.evaluating.held_out import learnt_rows, read_cohort, refuse_learnt
from pipelines.evaluating.judged import Unit, judge
from pipelines.evaluating.predictions import PREDICTIONS, predict, write_predictions
from pipelines.evaluating.protocol import Protocol
from pipelines.evaluating.recalibration import recalibrated, save_as
from pipelines.evaluating.reference import Reference, read_reference
from pipelines.evaluating.subgroups import scan_attributes
from pipelines.evaluating.tables import number, write_protocol, write_tables
from pipelines.evaluating.terminal import print_evaluation
from pipelines.running.progress import results
from pipelines.running.run import Run
from pipelines.training.teaching import digest_of

PAGE, CARD = "evaluation.html", "model_card.md"


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
    protocol: Protocol | None = None,
    trained_on: list[Path] | None = None,
    recalibrate: Path | None = None,
    sensitivity: float = SENSITIVITY,
    resamples: int = 1000,
    seed: int = 0,
    quiet: bool = False,
) -> dict[str, Metrics]:
    """Measure a bundle on one split of a cohort, scan by scan, with patient-level intervals.

    A scan's logits are averaged over its volumes. Blank labels count as absent, uncertain ones
    are left out. evaluation.html shows everything with its curves; the tables are CSV and JSON.

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
    quiet
        Print nothing.
    """
    _check_options(split, protocol, recalibrate, sensitivity, resamples)
    inputs = {"bundle": bundle, "cohort": cohort, "store": store, "labels": labels}
    inputs |= {"truth": truth} if truth else {}
    inputs |= {"against": against} if against else {}
    inputs |= {f"trained on {i}": path for i, path in enumerate(trained_on or [], start=1)}
    config: dict[str, Any] = {
        "split": split,
        "protocol": protocol,
        "resamples": resamples,
        "seed": seed,
    }
    config |= {"recalibrate": recalibrate, "sensitivity": sensitivity} if recalibrate else {}
    with Run("evaluate", out, inputs, config) as run:
        loaded, opened = bundles.load(bundle), Store.open(store)
        _check_profile(opened, loaded)
        references = _references(loaded, {"labels": labels, "truth": truth}, protocol)
        parts = {name: read_parts(cohort, r.frame, opened) for name, r in references.items()}
        part = parts["labels"][split]
        if not len(part):
            raise InputError(f"{cohort}: the {split.value} split is empty")
        learnt = learnt_rows(loaded, cohort, trained_on or ())
        _refuse_seen(protocol, learnt, cohort, split)
        if recalibrate is not None:
            fitting = parts["labels"][Split.VALIDATION]
            if not len(fitting):
                raise InputError(f"{cohort}: the validation split is empty: nothing to fit on")
            fitting_logits_nl = predict(loaded, opened, fitting, quiet=quiet)
            sources = {"labels": digest_of([labels]), "cohort": digest_of([cohort])}
            loaded = recalibrated(
                loaded, references["labels"], fitting, fitting_logits_nl, sources, sensitivity
            )
            save_as(recalibrate, loaded)
        logits_nl = predict(loaded, opened, part, quiet=quiet)
        write_predictions(out / PREDICTIONS, loaded, part, logits_nl)
        attributes = scan_attributes(opened, part, cohort)
        tested = {name: of_split[split] for name, of_split in parts.items()}
        evaluations = [
            evaluate_judged(
                judge(loaded, reference, tested[name], logits_nl),
                attributes,
                against,
                resamples,
                seed,
            )
            for name, reference in references.items()
        ]
        published = [
            _published(protocol, loaded, found, references, tested, logits_nl, resamples, seed)
            for found in evaluations
            if protocol is not None
        ]
        cautions = _cautions(loaded, opened, part, split, known=learnt is not None)
        setting = page.Setting(loaded, bundle, split, resamples, cautions)
        write_tables(out, evaluations)
        write_protocol(out, published)
        files.write_text(out / PAGE, page.render(setting, evaluations, published))
        files.write_text(out / CARD, card_markdown(loaded))
        measured = {found.reference: found.metrics for found in evaluations}
        run.counts.update(scans=measured["labels"].scans, volumes=len(part))
        run.facts["macro_auroc"] = {k: number(m.macro["auroc"].value) for k, m in measured.items()}
        run.facts["cautions"] = list(cautions)
    if not quiet:
        _print(evaluations, loaded, cautions, out, recalibrate)
    return measured


def _check_options(
    split: Split,
    protocol: Protocol | None,
    recalibrate: Path | None,
    sensitivity: float,
    resamples: int,
) -> None:
    if resamples < 1:
        raise InputError(f"--resamples {resamples}: at least 1")
    if not 0 < sensitivity < 1:
        raise InputError(f"--sensitivity {sensitivity}: a share between 0 and 1")
    if recalibrate is not None and split is Split.VALIDATION:
        raise InputError(
            "--recalibrate fits on the validation split, so --split validation would measure on "
            "what was fitted; measure on test"
        )
    if protocol is not None and split is not Split.TEST:
        raise InputError(f"--protocol {protocol}: its scans are the test split, not {split}")


def _check_profile(store: Store, bundle: Bundle) -> None:
    if store.profile != bundle.profile:
        raise InputError(
            f"{store.path}: prepared for profile {store.profile.name!r}, the bundle wants "
            f"{bundle.profile.name!r}; prepare the scans again"
        )


def _references(
    bundle: Bundle, paths: Mapping[str, Path | None], protocol: Protocol | None
) -> dict[str, Reference]:
    mapping = protocols.load_protocol(protocol).mapping if protocol else None
    return {
        name: read_reference(name, path, bundle.labels, mapping)
        for name, path in paths.items()
        if path is not None
    }


def _refuse_seen(
    protocol: Protocol | None, learnt: pd.DataFrame | None, cohort: Path, split: Split
) -> None:
    if split is not Split.TEST:
        return
    frame = read_cohort(cohort)
    if learnt is not None:
        refuse_learnt(learnt, cohort, frame[frame["split"] == Split.TEST])
    if protocol is not None:
        protocols.check_terms(protocol, cohort, frame, learnt)


def _published(
    protocol: Protocol,
    bundle: Bundle,
    by_scan: Evaluation,
    references: Mapping[str, Reference],
    parts: Mapping[str, Part],
    logits_nl: NDArray[np.float32],
    resamples: int,
    seed: int,
) -> protocols.Table:
    """The published figures beside this reference's, by scan and by volume."""
    name = by_scan.reference
    by_volume = judge(bundle, references[name], parts[name], logits_nl, Unit.VOLUME)
    measured = [
        (Unit.SCAN, by_scan.judged, by_scan.metrics),
        (Unit.VOLUME, by_volume, by_volume.measure(resamples, seed)),
    ]
    return protocols.table_of(protocol, bundle, measured, parts[name])


def _cautions(
    bundle: Bundle, store: Store, part: Part, split: Split, *, known: bool
) -> tuple[str, ...]:
    """What a reader must know before any figure."""
    said = []
    if bundle.card.training_data == "synthetic":
        said.append("The network was trained on synthetic chests, drawn by chestct.")
    drawn = store.manifest.set_index("volume_id")["synthetic"].astype(bool)[part.volume_ids]
    if drawn.any():
        said.append("Synthetic scans, not patients, are measured here.")
    if split is not Split.TEST:
        used = "learnt from" if split is Split.TRAIN else "used to choose and to calibrate"
        said.append(f"The {split.value} split was {used}: its figures are too good.")
    if (fitted := bundle.card.recalibrated_on) is not None:
        said.append(
            f"Calibration and operating points were fitted anew on {fitted.scans} validation scans "
            f"of {fitted.patients} patients."
        )
    if not known:
        said.append(
            "The bundle was trained with another cohort's table: that none of these patients was "
            "trained on was not checked (--trained-on does)."
        )
    return tuple(said)


def _print(
    evaluations: list[Evaluation],
    bundle: Bundle,
    cautions: tuple[str, ...],
    out: Path,
    recalibrate: Path | None,
) -> None:
    for found in evaluations:
        print_evaluation(found, bundle)
    for caution in cautions:
        results.print(caution)
    results.print(PROBABILITY_MEANING)
    if recalibrate is not None:
        results.print(f"New bundle: {recalibrate}")
    results.print(f"Curves, operating points, groups: {out / PAGE}")
