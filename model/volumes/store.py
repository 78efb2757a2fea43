"""The store: a profile's prepared volumes, one compressed array each, and their manifest."""

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import blosc2
import numpy as np
import pandas as pd
import pyarrow as pa

from configs import files, tables
from configs.contracts import InputError
from configs.profile import Profile
from model.volumes.anatomy import LungMeasures
from model.volumes.preprocess import PREPROCESS_VERSION, PreparedVolume
from model.volumes.volume import HuArray

STORE_FORMAT = 1

Row = dict[str, Any]
"""A row of the manifest, keyed by the columns of `configs.tables.SCANS`."""

# Measured on base-profile volumes (docs/log.md): what is written once is read each epoch.
_CHUNK = 64
_BLOCK = (16, 32, 32)
_LEVEL = 3
_ROWS_A_PART = 64


@dataclass(frozen=True, slots=True)
class VolumeIds:
    """Whose a volume is, in pseudonyms: nothing else that identifies is ever kept."""

    volume_id: str
    scan_id: str
    study_id: str
    patient_id: str
    phase: int | None = None
    """Which of the study's phases: only reconstructions of one phase show the same moment."""


class Store:
    """A folder: `store.json`, `scans.parquet/` (a row a volume), `arrays/` (one b2nd file each).

    Rows are written in parts of 64 and on `flush`; a volume whose row was lost in a crash is not
    in the manifest and is simply added again. Use as a context manager, or call `flush`.
    """

    def __init__(self, path: Path, profile: Profile) -> None:
        self.path = path
        self.profile = profile
        self._pending: list[Row] = []
        self._checked: dict[str, tuple[int, int]] = {}
        """What was verified in this process, by volume: its file's size and time of change."""

    @classmethod
    def create(cls, path: Path, profile: Profile) -> "Store":
        """Make a store, or open the one that is there if it has the same profile and version.

        Raises InputError when it has another: mixing them would train on two kinds of volume.
        """
        if (path / "store.json").exists():
            store = cls.open(path)
            if store.profile != profile:
                raise InputError(
                    f"{path}: holds profile {store.profile.name!r}, not {profile.name!r} as asked; "
                    "choose another folder"
                )
            return store
        header = {
            "format": STORE_FORMAT,
            "preprocess_version": PREPROCESS_VERSION,
            "profile": profile.model_dump(mode="json"),
        }
        files.write_json(path / "store.json", header)
        return cls(path, profile)

    @classmethod
    def open(cls, path: Path) -> "Store":
        """Open a store; raises InputError when there is none or it is of another version."""
        if not (path / "store.json").is_file():
            raise InputError(f"{path}: not a store; `chestct prepare SCANS --out STORE` makes one")
        header = files.read_json(path / "store.json")
        found = (header.get("format"), header.get("preprocess_version"))
        if found != (STORE_FORMAT, PREPROCESS_VERSION):
            raise InputError(
                f"{path}: store format {found[0]}, preprocessing {found[1]}; this chestct reads "
                f"{STORE_FORMAT} and {PREPROCESS_VERSION}: prepare the scans again"
            )
        try:
            return cls(path, Profile.model_validate(header.get("profile")))
        except ValueError:
            raise InputError(f"{path / 'store.json'}: its profile is not valid") from None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.flush()

    @property
    def manifest(self) -> pd.DataFrame:
        """One row a volume, columns of `configs.tables.SCANS`, the latest when one was redone."""
        return self._manifest.copy()

    @cached_property
    def _manifest(self) -> pd.DataFrame:
        folder = self.path / "scans.parquet"
        written = [_conform(files.read_table(part)) for part in sorted(folder.glob("*.parquet"))]
        pending = pa.Table.from_pylist(self._pending, schema=tables.SCANS)
        frame: pd.DataFrame = pa.concat_tables([*written, pending]).to_pandas()
        return frame.drop_duplicates("volume_id", keep="last").reset_index(drop=True)

    @cached_property
    def _rows(self) -> dict[str, Row]:
        wanted = self._manifest[["volume_id", "array", "array_sha256", "source_sha256"]]
        return {
            volume_id: {"array": array, "array_sha256": digest, "source_sha256": source}
            for volume_id, array, digest, source in wanted.itertuples(index=False)
        }

    def __len__(self) -> int:
        return len(self._rows)

    def __contains__(self, volume_id: object) -> bool:
        return volume_id in self._rows

    def __reduce__(self) -> tuple[type["Store"], tuple[Path, Profile]]:
        """A worker's copy writes arrays; rows stay with the parent."""
        return Store, (self.path, self.profile)

    def holds(self, volume_id: str, source_sha256: str) -> bool:
        """True when the volume is there and was made from these very bytes."""
        row = self._rows.get(volume_id)
        return row is not None and row["source_sha256"] == source_sha256

    def add(
        self,
        prepared: PreparedVolume,
        ids: VolumeIds,
        quality: Sequence[str] = (),
        lungs: LungMeasures | None = None,
    ) -> None:
        """Keep a volume: its array at once, its row with the next part.

        Raises InputError when the volume was prepared for another profile.
        """
        self.record(self.write_array(prepared, ids, quality, lungs))

    def write_array(
        self,
        prepared: PreparedVolume,
        ids: VolumeIds,
        quality: Sequence[str] = (),
        lungs: LungMeasures | None = None,
    ) -> Row:
        """Write a volume's array and return its row for `record`; several processes may do so."""
        if prepared.profile != self.profile:
            raise InputError(f"{self.path}: the volume was prepared for another profile")
        packed = _pack(prepared.hu_zyx)
        digest = hashlib.sha256(packed).hexdigest()
        # The content's hash in the name keeps the old array readable until the new row stands.
        name = f"arrays/{files.safe_name(ids.volume_id)}-{digest[:8]}.b2nd"
        with files.atomic_path(self.path / name) as temporary:
            temporary.write_bytes(packed)
        row = _row(prepared, ids, quality) | {"array": name, "array_sha256": digest}
        if lungs is not None:
            row |= {"lung_volume_ml": lungs.volume_ml, "share_below_950": lungs.share_below_950}
        return row

    def record(self, row: Row) -> None:
        """Take a row that `write_array` gave into the manifest."""
        self._pending.append(row)
        self._rows[row["volume_id"]] = row
        self.__dict__.pop("_manifest", None)
        if len(self._pending) >= _ROWS_A_PART:
            self.flush()

    def flush(self) -> None:
        """Write the rows that are not yet on disk as one more part of `scans.parquet`."""
        if not self._pending:
            return
        folder = self.path / "scans.parquet"
        number = 1 + max((int(part.stem[5:]) for part in folder.glob("part-*.parquet")), default=-1)
        table = pa.Table.from_pylist(self._pending, schema=tables.SCANS)
        files.write_table(folder / f"part-{number:06d}.parquet", table)
        self._pending = []

    def read(self, volume_id: str) -> HuArray:
        """The prepared `hu_zyx` (int16) of a volume.

        A file is verified when this process first reads it, and again when it changes. Raises
        InputError when it is not there, or is not the one that was written.
        """
        packed = Path(self._verified(volume_id)).read_bytes()
        hu_zyx: HuArray = blosc2.ndarray_from_cframe(packed)[:]
        return hu_zyx

    def read_crop(self, volume_id: str, box_zyx: tuple[slice, slice, slice]) -> HuArray:
        """A part of a volume, without reading the rest; verified as by `read`.

        A box reaches as far as the volume does, as NumPy's slices do; steps are not honoured.
        """
        array = blosc2.open(self._verified(volume_id), mode="r")
        spans = [part.indices(size)[:2] for part, size in zip(box_zyx, array.shape, strict=True)]
        hu_zyx = np.empty([max(0, stop - start) for start, stop in spans], np.int16)
        if hu_zyx.size:
            # Not array[box]: what that looks for besides a box takes as long as the decoding.
            array.get_slice_numpy(hu_zyx, tuple(zip(*spans, strict=True)))
        return hu_zyx

    def _verified(self, volume_id: str) -> str:
        row = self._rows.get(volume_id)
        if row is None:
            raise InputError(f"{self.path}: no volume {volume_id!r} in the manifest")
        path = os.path.join(self.path, row["array"])  # noqa: PTH118 (a Path costs half a crop)
        try:
            state = os.stat(path)  # noqa: PTH116
            stamp = (state.st_size, state.st_mtime_ns)
            if self._checked.get(volume_id) != stamp:
                if files.sha256_of(Path(path)) != row["array_sha256"]:
                    raise InputError(
                        f"{path}: altered since it was written; prepare the scans again"
                    )
                self._checked[volume_id] = stamp
        except OSError:
            raise InputError(f"{path}: missing; prepare the scans again") from None
        return path


def _conform(part: pa.Table) -> pa.Table:
    """A part with today's columns: those it was written without are empty."""
    for field in tables.SCANS:
        if field.name not in part.schema.names:
            part = part.append_column(field, pa.nulls(len(part), field.type))
    return part.select(tables.SCANS.names).cast(tables.SCANS)


def _row(prepared: PreparedVolume, ids: VolumeIds, quality: Sequence[str]) -> Row:
    volume, source = prepared.volume, prepared.volume.source
    return {
        "volume_id": ids.volume_id,
        "scan_id": ids.scan_id,
        "study_id": ids.study_id,
        "patient_id": ids.patient_id,
        "date": source.date or None,
        "time": source.time or None,
        "sex": source.sex or None,
        "age_band": age_band(source.age_years),
        "vendor": source.vendor or None,
        "kernel": source.kernel or None,
        "contrast": source.contrast,
        "phase": ids.phase,
        "synthetic": source.synthetic,
        "shape": list(prepared.hu_zyx.shape),
        "spacing_mm": list(prepared.spacing_mm_zyx),
        "affine_lps": prepared.affine_lps.ravel().tolist(),
        "source_shape": list(volume.hu_zyx.shape),
        "source_spacing_mm": list(volume.spacing_mm_zyx),
        "source_affine_lps": volume.affine_lps.ravel().tolist(),
        "quality": list(quality),
        "warnings": list(prepared.warnings),
        "source_sha256": source.sha256,
    }


def age_band(years: int | None) -> str | None:
    """An age as the band that the manifest keeps.

    >>> age_band(17), age_band(64), age_band(95), age_band(None)
    ('0-17', '60-69', '90+', None)
    """
    if years is None:
        return None
    if years < 18:
        return "0-17"
    if years >= 90:
        return "90+"
    decade = years // 10 * 10
    return f"{max(18, decade)}-{decade + 9}"


def _pack(hu_zyx: HuArray) -> bytes:
    chunks = tuple(min(_CHUNK, size) for size in hu_zyx.shape)
    blocks = tuple(min(block, size) for block, size in zip(_BLOCK, hu_zyx.shape, strict=True))
    cparams = blosc2.CParams(codec=blosc2.Codec.LZ4HC, clevel=_LEVEL, nthreads=1)
    array = blosc2.asarray(
        np.ascontiguousarray(hu_zyx), chunks=chunks, blocks=blocks, cparams=cparams
    )
    return bytes(array.to_cframe())
