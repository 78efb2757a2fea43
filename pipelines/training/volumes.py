"""The volumes of a run, checked before it starts and brought near where that is asked."""

import shutil
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

from lightning import Fabric

from configs import files
from configs.contracts import InputError
from model.training.devices import gathered
from model.volumes.store import Store
from pipelines.running.progress import track


def damaged_volumes(
    fabric: Fabric, store: Store, volume_ids: Sequence[str], *, quiet: bool
) -> list[str]:
    """The volumes whose file is missing, or not the one that was written, by its hash.

    Each process looks at its share.
    """
    columns = store.manifest[["volume_id", "array", "array_sha256"]]
    written = {name: (array, digest) for name, array, digest in columns.itertuples(index=False)}
    own = volume_ids[fabric.global_rank :: fabric.world_size]
    found = [
        name
        for name in track(own, "check volumes", quiet=quiet)
        if not _is_sound(store.path, *written[name])
    ]
    return sorted({name for share in gathered(fabric, found) for name in share})


def _is_sound(folder: Path, name: str, sha256: str) -> bool:
    try:
        return files.sha256_of(folder / name) == sha256
    except OSError:
        return False


def copied(
    fabric: Fabric, store: Store, volume_ids: Sequence[str], folder: Path, *, quiet: bool
) -> Store:
    """Copy what a run reads of a store to a machine's own disk, and open it there.

    Once a machine; a file that lies there already with the right size is not copied again, so a
    resumed run starts at once. Each store has a place of its own there, by where it lies. Raises
    InputError where the disk is too small.
    """
    place = store.path.resolve()
    target = folder / f"{place.name}-{sha256(str(place).encode()).hexdigest()[:8]}"
    if fabric.local_rank == 0:
        _copy(store, volume_ids, target, quiet=quiet)
    fabric.barrier()
    return Store.open(target)


def _copy(store: Store, volume_ids: Sequence[str], target: Path, *, quiet: bool) -> None:
    arrays = store.manifest.set_index("volume_id")["array"]
    wanted = [str(name) for name in arrays[list(volume_ids)]]
    present = [name for name in wanted if (store.path / name).exists()]
    sizes = {name: (store.path / name).stat().st_size for name in present}
    missing = [
        name
        for name, size in sizes.items()
        if not (target / name).exists() or (target / name).stat().st_size != size
    ]
    try:
        target.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise InputError(f"--local-copy {target.parent}: is a file; name a folder") from None
    needed, free = sum(sizes[name] for name in missing), shutil.disk_usage(target).free
    if needed > free:
        raise InputError(
            f"--local-copy {target.parent}: {needed / 2**30:.1f} GiB are needed and "
            f"{free / 2**30:.1f} GiB are free; name another folder, or leave --local-copy out"
        )
    for name in ("store.json", *(p.relative_to(store.path) for p in _manifest_parts(store))):
        _copy_file(store.path / str(name), target / str(name))
    for name in track(missing, "copy volumes to this machine", quiet=quiet):
        _copy_file(store.path / name, target / name)


def _manifest_parts(store: Store) -> list[Path]:
    return sorted((store.path / "scans.parquet").glob("*.parquet"))


def _copy_file(source: Path, target: Path) -> None:
    with files.atomic_path(target) as temporary:
        shutil.copyfile(source, temporary)
