"""The forms whose libraries are slow to load, each written by a process of its own.

Such a process loads its library while this one reads the scan, and then writes beside it.
"""

import pickle
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

from configs import files
from configs.contracts import InputError
from pipelines.rendering import forms
from pipelines.rendering.forms import Form
from pipelines.rendering.reading import Reading
from pipelines.running.child import Child, ChildCrashedError, ChildHungError

_MOST_SECONDS = 600.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a form."""

    paths: tuple[Path, ...] = ()
    seconds: float = 0.0
    """What its process took; others worked meanwhile."""
    problem: str = ""
    """Why it was left out, in a line."""


class Writers:
    """Processes that write some forms of one report. Use as a context manager.

    Forms that need no process are not theirs: `wanted` may name them.
    """

    def __init__(self, wanted: Iterable[Form]) -> None:
        self._children = {form: Child(_WRITE[form]) for form in wanted if form in _WRITE}
        self._threads = ThreadPoolExecutor(max_workers=len(_WRITE))
        self._loading = {form: self._call(form, None) for form in self._children}
        self._writing: dict[Form, Future[Any]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        for child in self._children.values():
            child.close()
        self._threads.shutdown()

    def begin(self, reading: Reading, scan: Path, out: Path) -> None:
        """Begin to write each form of this reading into `out`."""
        for form in self._children:
            job = (_pdf_job if form is Form.PDF else _dicom_job)(reading, scan, out)
            self._writing[form] = self._threads.submit(self._after_loading, form, job)

    def outcomes(self) -> dict[Form, Outcome]:
        """What became of each form, once all are written. Raises what is a mistake of ours."""
        return {form: _outcome(form, future) for form, future in self._writing.items()}

    def _after_loading(self, form: Form, job: object) -> Any:
        self._loading[form].result()
        return self._children[form].call(pickle.dumps(job), _MOST_SECONDS)

    def _call(self, form: Form, job: object) -> Future[Any]:
        return self._threads.submit(self._children[form].call, pickle.dumps(job), _MOST_SECONDS)


def _outcome(form: Form, writing: Future[Any]) -> Outcome:
    try:
        outcome: Outcome = writing.result()
    except InputError as error:
        return Outcome(problem=f"{form}: left out, {error}")
    except (ChildCrashedError, ChildHungError):
        return Outcome(problem=f"{form}: left out, the process that writes it ended or hung")
    return outcome


def _pdf_job(reading: Reading, _: Path, out: Path) -> tuple[Any, ...]:
    from pipelines.rendering import pictures

    keys: tuple[pictures.KeyImage, ...] = ()
    if reading.volume is not None and reading.prediction is not None:
        keys = pictures.key_images(reading.content, reading.volume, reading.prediction)
    return reading.content, keys, out / "report.pdf"


def _dicom_job(reading: Reading, scan: Path, out: Path) -> tuple[Any, ...]:
    volume = reading.volume
    if volume is not None:  # the objects know the slices, not their pixels
        reading = replace(reading, volume=replace(volume, hu_zyx=volume.hu_zyx[:0].copy()))
    return reading, scan, out / "dicom"


def _write_pdf(job: tuple[Any, ...] | None) -> Outcome:
    if problem := forms.unloadable(Form.PDF):
        return Outcome(problem=problem)
    from pipelines.rendering import pdf

    if job is None:
        return Outcome()
    started = time.perf_counter()
    content, key_images, path = job
    with files.atomic_path(path) as temporary:
        temporary.write_bytes(pdf.render(content, key_images))
    return Outcome((path,), time.perf_counter() - started)


def _write_dicom(job: tuple[Any, ...] | None) -> Outcome:
    if problem := forms.unloadable(Form.DICOM):
        return Outcome(problem=problem)
    from pipelines.rendering.dicom.write import write_dicom

    if job is None:
        return Outcome()
    started = time.perf_counter()
    return Outcome(write_dicom(*job), time.perf_counter() - started)


_WRITE: dict[Form, Callable[[Any], Outcome]] = {Form.PDF: _write_pdf, Form.DICOM: _write_dicom}
"""By form: loads what it needs for None, and writes for anything else."""
