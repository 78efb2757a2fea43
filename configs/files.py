"""Files at the edges: whole or absent, hashed, and with names that cannot leave their folder."""

import hashlib
import hmac
import json
import os
import re
import secrets
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from configs.contracts import InputError

if TYPE_CHECKING:
    import pyarrow.dataset as pads

_CHUNK_BYTES = 1 << 20
_BATCH_ROWS = 32_768
_LINE_CHARS = 160


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Give a temporary name beside `path`; on success fsync and rename it there, else remove it.

    The name starts with a dot, so a table folder that is being read never shows a half-written
    part. A reader sees the old file or the whole new one, also after a power cut.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        yield temporary
        with temporary.open("rb+") as handle:
            os.fsync(handle.fileno())
        temporary.replace(path)
        _fsync_folder(path.parent)
    except OSError as error:
        if error.filename is None:  # a full disk, while writing: say where
            error.filename = str(path)
        raise
    finally:
        temporary.unlink(missing_ok=True)


def _fsync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text atomically."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, content: Any) -> None:
    """Write JSON atomically, refusing NaN and infinity: they are not JSON."""
    write_text(path, json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def read_json(path: Path) -> Any:
    """Read a JSON file; raises InputError naming the file and the line when it is not JSON."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise InputError(f"{path}: not a JSON file ({error})") from None


def write_table(path: Path, table: pa.Table) -> None:
    """Write a Parquet table atomically."""
    with atomic_path(path) as temporary:
        pq.write_table(table, temporary, compression="zstd")


def read_table(path: Path, columns: list[str] | None = None) -> pa.Table:
    """Read a table that is one Parquet file or a folder of part files (dot files are skipped)."""
    with _table_at(path, columns) as dataset:
        return dataset.to_table(columns=columns)


def read_batches(path: Path, columns: list[str]) -> Iterator[pa.RecordBatch]:
    """The same some thousands of rows at a time, in their order, for tables of any length."""
    with _table_at(path, columns) as dataset:
        yield from dataset.to_batches(columns=columns, batch_size=_BATCH_ROWS, batch_readahead=2)


def column_names(path: Path) -> list[str]:
    """The columns of a table that `read_table` reads."""
    with _table_at(path, None) as dataset:
        return list(dataset.schema.names)


@contextmanager
def _table_at(path: Path, columns: list[str] | None) -> Iterator["pads.Dataset"]:
    import pyarrow.dataset as pads  # imports pandas, which who only writes has no need of

    if not path.exists():
        raise InputError(f"{path}: no such file")
    try:
        dataset = pads.dataset(path, format="parquet")
        missing = [name for name in columns or [] if name not in dataset.schema.names]
        if missing:
            raise InputError(
                f"{path}: no column {missing[0]!r}; it has {', '.join(dataset.schema.names[:12])}"
            )
        yield dataset
    except (pa.ArrowInvalid, OSError) as error:
        raise InputError(f"{path}: not a Parquet table ({first_line(error)})") from None


def finished_table(path: Path, name: str) -> Path:
    """The table `name` in a verb's output folder, or `path` itself where it is the table.

    Raises InputError for an output folder without `run.json`: the run that made it was cut short.
    """
    if not (path / name).exists():
        return path
    if not (path / "run.json").exists():
        raise InputError(
            f"{path}: has no run.json, so its run was cut short or is still at work; "
            f"run it again, or name {path / name} itself"
        )
    return path / name


def verbs_table(path: Path, name: str, verb: str) -> Path:
    """`finished_table` of a verb; raises InputError also for what can be no such table."""
    table = finished_table(path, name)
    other = path.is_dir() and any((path / mark).exists() for mark in ("run.json", "store.json"))
    if table == path and (other or (path.is_file() and path.suffix != ".parquet")):
        wrong = f"holds no {name}" if other else "is no Parquet table"
        raise InputError(f"{path}: {wrong}; give the output folder of `chestct {verb}`")
    return table


def read_label_record(folder: Path) -> dict[str, Any]:
    """The `run.json` of an output folder of `chestct label`; InputError for anything else."""
    record = read_json(folder / "run.json") if (folder / "run.json").is_file() else None
    if not isinstance(record, dict) or record.get("verb") != "label":
        problem = "not" if folder.is_dir() else "no such folder; give"
        raise InputError(f"{folder}: {problem} the output folder of chestct label")
    return record


def first_line(error: Exception) -> str:
    """What another library's exception says, fit for one line."""
    line = (str(error).splitlines() or [""])[0]
    return textwrap.shorten(line, _LINE_CHARS, placeholder=" ...")


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file, or of a folder's file names and contents in sorted order."""
    digest = hashlib.sha256()
    if path.is_dir():
        for file in sorted(p for p in path.rglob("*") if p.is_file()):
            digest.update(file.relative_to(path).as_posix().encode() + b"\0")
            digest.update(sha256_of(file).encode())
        return digest.hexdigest()
    with path.open("rb") as handle:
        while chunk := handle.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def safe_name(identifier: str) -> str:
    """A file name that shows a short identifier, is unique to it, and cannot leave its folder.

    >>> safe_name("1.2.840")
    '1.2.840'
    >>> safe_name("../../etc/passwd")
    'etc-passwd-3754d6cb'
    """
    readable = re.sub(r"[^A-Za-z0-9._-]+", "-", identifier).strip(".-_")[:64]
    reserved = readable.split(".")[0].upper() in _RESERVED_NAMES
    if readable == identifier and readable and not reserved:
        return readable
    digest = hashlib.sha256(identifier.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{readable or 'id'}-{digest}"


_RESERVED_NAMES = {"CON", "PRN", "AUX", "NUL"} | {
    f"{device}{number}" for device in ("COM", "LPT") for number in range(1, 10)
}


class IdKey:
    """A site's secret: turns identifiers into names that only the key's holder can link back."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    @classmethod
    def open(cls, path: Path, *, create: bool = False) -> "IdKey":
        """Read a key file; with `create`, make one (mode 0600) where none is."""
        if create and not path.exists():
            with atomic_path(path) as temporary:
                temporary.touch(mode=0o600)
                temporary.write_text(secrets.token_hex(32) + "\n", encoding="ascii")
        try:
            key = bytes.fromhex(path.read_text(encoding="ascii").strip())
        except FileNotFoundError:
            raise InputError(
                f"{path}: no such key file; `chestct prepare` writes one into the store, and "
                "--id-key names another"
            ) from None
        except ValueError:
            raise InputError(f"{path}: not a key file (64 hexadecimal digits)") from None
        if len(key) < 16:
            raise InputError(f"{path}: the key is too short; 32 bytes (64 digits) are expected")
        return cls(key)

    def pseudonym(self, kind: str, identifier: str) -> str:
        """The HMAC-SHA-256 (RFC 2104) of an identifier, 20 hexadecimal digits.

        `kind` ("patient", "scan", ...) keeps equal strings of different kinds apart.
        """
        message = f"{kind}\0{identifier.strip()}".encode("utf-8", "surrogatepass")
        return hmac.new(self._key, message, hashlib.sha256).hexdigest()[:20]
