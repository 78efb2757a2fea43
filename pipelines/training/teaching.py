"""What is taught: labels under their conventions, the splits, and the volumes that are sound."""

import difflib
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pandas as pd

from configs import files
from configs.contracts import InputError, Split
from configs.convention import load_convention
from model.bundle import CONVENTION_NAME
from model.data import Part, read_labels, read_parts, read_soft_labels
from model.losses import known_values
from model.training.fit import NOTHING_TO_CHOOSE_BY, any_label_has_both_values
from model.volumes.store import Store
from pipelines.labelled.values import convention_of
from pipelines.training.unassessed import mark_unassessed

DEFAULT_CONVENTION = "ct_rate"


@dataclass(frozen=True, slots=True)
class Teaching:
    """The splits with their labels, and the hashes of where they came from."""

    labels: tuple[str, ...]
    """As `convention:label`, in the order of the parts' columns."""
    parts: dict[Split, Part]
    left_out: tuple[str, ...]
    """Labels with one value only in the train split."""
    sources: dict[str, str] = field(default_factory=dict)

    def without(self, volumes: set[str]) -> "Teaching":
        """The same without some volumes."""
        parts = {
            split: part.rows([i for i, name in enumerate(part.volume_ids) if name not in volumes])
            for split, part in self.parts.items()
        }
        return replace(self, parts=parts)


def read_teaching(
    tables: Sequence[Path],
    convention: str | None,
    cohort: Path,
    store: Store,
    soft_labels: Path | None = None,
) -> Teaching:
    """Read label tables of the same reports, each under its convention, and join the splits.

    Their convention is `convention`, else what a table's run.json says, else ct_rate. Raises
    InputError for columns that are no labels of it, and for splits that cannot be told apart.
    """
    frames = [_read_qualified(path, convention) for path in tables]
    frame = pd.concat(frames, axis=1, join="inner")
    if frame.empty:
        raise InputError(f"{tables[0]} and {tables[1]}: have no report in common")
    if frame.columns.has_duplicates:
        twice = frame.columns[frame.columns.duplicated()][0]
        raise InputError(f"{tables[-1]}: {twice} stands in two label tables; name one of them")
    soft = None
    if soft_labels is not None:
        plain = frame.rename(columns=lambda name: name.partition(":")[2])
        soft = read_soft_labels(soft_labels, plain)
    parts = read_parts(cohort, frame, store, soft)
    _check_splits(cohort, parts)
    teaching = _learnable(tables[0], tuple(frame.columns), parts)
    if not any_label_has_both_values(teaching.parts[Split.VALIDATION]):
        raise InputError(f"{cohort}: {NOTHING_TO_CHOOSE_BY}")
    named = {"labels": list(tables), "cohort": [cohort]}
    named |= {"soft labels": [soft_labels]} if soft_labels else {}
    hashes = {name: digest_of(paths) for name, paths in named.items()}
    return replace(teaching, sources=hashes | {"store": _store_digest(store, parts)})


def _read_qualified(path: Path, stated: str | None) -> pd.DataFrame:
    convention = stated or convention_of(path) or DEFAULT_CONVENTION
    frame = read_labels(path)
    known = list(load_convention(convention).labels)
    for name in frame.columns:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            meant = f"; is it {near[0]!r}?" if near else ""
            raise InputError(
                f"{path}: column {name!r} is no label of convention {convention}{meant} "
                "(--convention names another)"
            )
    name = Path(convention).stem if convention.endswith((".yaml", ".yml")) else convention
    if not re.fullmatch(CONVENTION_NAME, name):  # no bundle could be read back
        raise InputError(
            f"convention {name!r}: a bundle names its labels by it; rename its file, with small "
            "letters, digits and _ alone"
        )
    marked = mark_unassessed(frame, path, convention)
    return marked.rename(columns=lambda label: f"{name}:{label}")


def _check_splits(cohort: Path, parts: dict[Split, Part]) -> None:
    for split in (Split.TRAIN, Split.VALIDATION):
        if not len(parts[split]):
            raise InputError(
                f"{cohort}: the {split.value} split is empty; run `chestct cohort` again with "
                "other --validation and --test"
            )


def _learnable(path: Path, names: tuple[str, ...], parts: dict[Split, Part]) -> Teaching:
    """The labels that the train split shows in both values, or that soft labels teach."""
    part = parts[Split.TRAIN]
    values_nl = known_values(part.values_nl)
    both = (values_nl == 1).any(axis=0) & (values_nl == 0).any(axis=0)
    if part.soft is not None:
        both |= (part.soft.probability_nl > 0.5).any(axis=0)
    kept = [number for number, keep in enumerate(both) if keep]
    if len(part) and not kept:
        raise InputError(
            f"{path}: no label has positives and negatives in the train split; are these the "
            "labels of its reports? (`chestct label` prints how often each is present)"
        )
    return Teaching(
        tuple(names[number] for number in kept),
        {split: part.labels(kept) for split, part in parts.items()},
        tuple(name for name, keep in zip(names, both, strict=True) if not keep),
    )


def digest_of(paths: Sequence[Path]) -> str:
    """Of label or cohort tables, or the output folders that they lie in: equal for equal tables."""
    names = {"labels.parquet", "soft_labels.parquet", "cohort.parquet"}
    digest = hashlib.sha256()
    for path in paths:
        inside = [path / name for name in sorted(names) if (path / name).exists()]
        digest.update(files.sha256_of(inside[0] if inside else path).encode())
    return digest.hexdigest()[:16]


def _store_digest(store: Store, parts: dict[Split, Part]) -> str:
    arrays = store.manifest.set_index("volume_id")["array_sha256"]
    digest = hashlib.sha256(str(store.profile.model_dump(mode="json")).encode())
    for split in (Split.TRAIN, Split.VALIDATION):
        digest.update("".join(arrays[parts[split].volume_ids]).encode())
    return digest.hexdigest()[:16]
