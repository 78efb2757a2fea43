"""One evaluation from its inputs to its folder: read, refuse, predict, measure, write."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from configs import files
from configs.contracts import InputError, Split
from model import bundle as bundles
from model.bundle import Bundle
from model.card_markdown import card_markdown
from model.data import Part, read_parts
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
from pipelines.training.teaching import digest_of

PAGE, CARD = "evaluation.html", "model_card.md"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is to be measured; the fields are the options of `chestct evaluate`."""

    bundle: Path
    cohort: Path
    store: Path
    references: Mapping[str, Path]
    """Label tables by name; `labels` is always there, and first."""
    split: Split
    against: Path | None
    protocol: Protocol | None
    trained_on: tuple[Path, ...]
    recalibrate: Path | None
    sensitivity: float
    resamples: int
    seed: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Findings:
    """What was measured: the first evaluation is the one against `labels`."""

    bundle: Bundle
    """The one that was measured: with --recalibrate the new one."""
    part: Part
    logits_nl: NDArray[np.float32]
    """Of the part's volumes, for all of the bundle's labels."""
    evaluations: tuple[Evaluation, ...]
    published: tuple[protocols.Table, ...]
    cautions: tuple[str, ...]

    def facts(self) -> dict[str, Any]:
        """What run.json tells."""
        areas = {e.reference: e.metrics.macro["auroc"].value for e in self.evaluations}
        return {
            "macro_auroc": {name: number(value) for name, value in areas.items()},
            "cautions": list(self.cautions),
        }


def measure(request: Request, *, quiet: bool) -> Findings:
    """Raises InputError for whatever cannot be measured, before anything is predicted."""
    loaded, store = bundles.load(request.bundle), Store.open(request.store)
    _check_profile(store, loaded)
    references = _references(request, loaded)
    parts = {name: read_parts(request.cohort, r.frame, store) for name, r in references.items()}
    tested = {name: of_split[request.split] for name, of_split in parts.items()}
    part = tested["labels"]
    if not len(part):
        raise InputError(
            f"{request.cohort}: the {request.split.value} split is empty; --split names another, "
            "or `chestct cohort` makes one"
        )
    known = _refuse_seen(request, loaded)
    if request.recalibrate is not None:
        fitting = parts["labels"][Split.VALIDATION]
        loaded = _recalibrate(
            request, request.recalibrate, loaded, references, fitting, store, quiet
        )
    logits_nl = predict(loaded, store, part, quiet=quiet)
    attributes = scan_attributes(store, part, request.cohort)
    evaluations = tuple(
        evaluate_judged(
            judge(loaded, reference, tested[name], logits_nl),
            attributes,
            request.against,
            request.resamples,
            request.seed,
        )
        for name, reference in references.items()
    )
    published = tuple(
        _published(request, loaded, found, references[found.reference], part, logits_nl)
        for found, part in zip(evaluations, tested.values(), strict=True)
    )
    return Findings(
        bundle=loaded,
        part=part,
        logits_nl=logits_nl,
        evaluations=evaluations,
        published=tuple(table for table in published if table is not None),
        cautions=_cautions(request, loaded, store, part, known=known),
    )


def write(out: Path, request: Request, findings: Findings) -> None:
    """Predictions, tables, the page and the card."""
    write_predictions(out / PREDICTIONS, findings.bundle, findings.part, findings.logits_nl)
    write_tables(out, findings.evaluations)
    write_protocol(out, findings.published)
    setting = page.Setting(
        findings.bundle, request.bundle, request.split, request.resamples, findings.cautions
    )
    shown = page.render(setting, findings.evaluations, findings.published)
    files.write_text(out / PAGE, shown)
    files.write_text(out / CARD, card_markdown(findings.bundle))


def _check_profile(store: Store, bundle: Bundle) -> None:
    if store.profile != bundle.profile:
        found, wanted = store.profile.model_dump(), bundle.profile.model_dump()
        differing = next(name for name in wanted if found[name] != wanted[name])
        raise InputError(
            f"{store.path}: prepared for another profile than the bundle's ({differing}: "
            f"{found[differing]}, the bundle wants {wanted[differing]}); prepare the scans again"
        )


def _references(request: Request, bundle: Bundle) -> dict[str, Reference]:
    mapping = protocols.load_protocol(request.protocol).mapping if request.protocol else None
    return {
        name: read_reference(name, path, bundle.labels, mapping)
        for name, path in request.references.items()
    }


def _refuse_seen(request: Request, bundle: Bundle) -> bool:
    """Refuse what the bundle learnt from; whether that is known."""
    learnt = learnt_rows(bundle, request.cohort, request.trained_on)
    if request.split is Split.TEST:
        frame = read_cohort(request.cohort)
        if learnt is not None:
            refuse_learnt(learnt, request.cohort, frame[frame["split"] == Split.TEST])
        if request.protocol is not None:
            protocols.check_terms(request.protocol, request.cohort, frame, learnt)
    return learnt is not None


def _recalibrate(
    request: Request,
    path: Path,
    bundle: Bundle,
    references: Mapping[str, Reference],
    fitting: Part,
    store: Store,
    quiet: bool,
) -> Bundle:
    """Fit on the validation split and write the new bundle to `path`."""
    if not len(fitting):
        raise InputError(f"{request.cohort}: the validation split is empty: nothing to fit on")
    logits_nl = predict(bundle, store, fitting, quiet=quiet)
    tables = {"labels": request.references["labels"], "cohort": request.cohort}
    sources = {name: digest_of([table]) for name, table in tables.items()}
    reference = references["labels"]
    new = recalibrated(bundle, reference, fitting, logits_nl, sources, request.sensitivity)
    save_as(path, new)
    return new


def _published(
    request: Request,
    bundle: Bundle,
    by_scan: Evaluation,
    reference: Reference,
    part: Part,
    logits_nl: NDArray[np.float32],
) -> protocols.Table | None:
    """The published figures beside a reference's, by scan and by volume."""
    if request.protocol is None:
        return None
    by_volume = judge(bundle, reference, part, logits_nl, Unit.VOLUME)
    measured = [
        (Unit.SCAN, by_scan.judged, by_scan.metrics),
        (Unit.VOLUME, by_volume, by_volume.measure(request.resamples, request.seed)),
    ]
    return protocols.table_of(request.protocol, bundle, measured, part)


def _cautions(
    request: Request, bundle: Bundle, store: Store, part: Part, *, known: bool
) -> tuple[str, ...]:
    """What a reader must know before any figure."""
    said = []
    if bundle.card.training_data == "synthetic":
        said.append("The network was trained on synthetic chests, drawn by chestct.")
    drawn = store.manifest.set_index("volume_id")["synthetic"].astype(bool)[part.volume_ids]
    if drawn.any():
        said.append("Synthetic scans, not patients, are measured here.")
    if request.split is not Split.TEST:
        used = "learnt from" if request.split is Split.TRAIN else "used to choose and to calibrate"
        said.append(f"The {request.split.value} split was {used}: its figures are too good.")
    if (fitted := bundle.card.recalibrated_on) is not None:
        said.append(
            f"Calibration and operating points were fitted anew on {fitted.scans} validation scans "
            f"of {fitted.patients} patients."
        )
    if (more := len(set(part.cases)) - len(set(part.scan_ids))) > 0:
        said.append(
            f"Scans with several contrast phases or studies count once for each: {more} cases more "
            "than scans."
        )
    if not known:
        said.append(
            "The bundle was trained with another cohort's table: that none of these patients was "
            "trained on was not checked (--trained-on does)."
        )
    return tuple(said)
