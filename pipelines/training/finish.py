"""From a trained network to its bundle: calibration, thresholds, model card."""

import numpy as np

from configs.contracts import Split
from configs.training import TrainConfig
from model.bundle import Bundle, Member
from model.calibration import fit_calibrations
from model.card import ModelCard, SplitCounts
from model.data import Part, mean_by_scan
from model.losses import known_values
from model.training import Fitted
from model.volumes.store import Store
from pipelines.running.run import package_versions
from pipelines.training.teaching import Teaching


def make_bundle(
    fitted: Fitted, recipe: TrainConfig, teaching: Teaching, store: Store, seconds: float
) -> Bundle:
    """Calibrate on the validation split, scan by scan, and describe what was done."""
    part = teaching.parts[Split.VALIDATION]
    logits_nl, values_nl, _, patients = mean_by_scan(fitted.validation_logits_nl, part)
    return Bundle(
        store.profile,
        recipe.network,
        fitted.size,
        teaching.labels,
        fit_calibrations(logits_nl, known_values(values_nl), patients),
        _card(fitted, recipe, teaching, store, seconds),
        fitted.network,
        tuple(
            Member(member.seed, round(member.best_auroc, 4), member.best_epoch)
            for member in fitted.members
        ),
    )


def _card(
    fitted: Fitted, recipe: TrainConfig, teaching: Teaching, store: Store, seconds: float
) -> ModelCard:
    synthetic = store.manifest.set_index("volume_id")["synthetic"].astype(bool)
    drawn = synthetic[teaching.parts[Split.TRAIN].volume_ids]
    kind = "synthetic" if drawn.all() else "mixed" if drawn.any() else "patients"
    used = recipe.labels.model_copy(update={"blank_weight": fitted.blank_weight})
    return ModelCard(
        training_data=kind,
        counts={
            split.value: _counts(teaching.parts[split], teaching.labels)
            for split in (Split.TRAIN, Split.VALIDATION)
        },
        metrics={
            "macro_auroc": round(fitted.best_auroc, 4),
            "epoch": fitted.best_epoch,
        },
        label_source=", ".join(dict.fromkeys(n.partition(":")[0] for n in teaching.labels)),
        train_config=recipe.model_copy(update={"labels": used}).model_dump(mode="json"),
        seconds=round(seconds, 1),
        versions=package_versions(),
        sources=teaching.sources,
    )


def _counts(part: Part, labels: tuple[str, ...]) -> SplitCounts:
    names = [label.partition(":")[2] for label in labels]
    if len(set(names)) < len(names):  # two conventions share a label's name
        names = list(labels)
    _, first_n = np.unique(np.asarray(part.scan_ids), return_index=True)
    positives = (part.values_nl[first_n] == 1).sum(axis=0)
    return SplitCounts(
        patients=len(set(part.patient_ids)),
        scans=len(first_n),
        volumes=len(part),
        positives=dict(zip(names, positives.tolist(), strict=True)),
    )
