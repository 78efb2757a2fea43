"""The forms that a report can take, and which of them this installation can write."""

from enum import StrEnum
from importlib import import_module
from importlib.util import find_spec

from configs.contracts import InputError


class Form(StrEnum):
    """A form of the same content; `report.FORM` in the output folder, `dicom/` for objects."""

    JSON = "json"
    HTML = "html"
    PDF = "pdf"
    DICOM = "dicom"


_EXTRAS = {Form.PDF: ("pdf", "weasyprint"), Form.DICOM: ("dicom-sr", "highdicom")}


def chosen(text: str) -> tuple[Form, ...]:
    """The forms of a list such as `json,html`, each once, in the enum's order.

    >>> [form.value for form in chosen("pdf, json")]
    ['json', 'pdf']
    """
    names = {name.strip().lower() for name in text.split(",")} - {""}
    unknown = names - set(Form)
    if unknown or not names:
        known = ", ".join(Form)
        raise InputError(f"--form {text}: {known} are the forms; separate them by commas")
    return tuple(form for form in Form if form in names)


def lacking(form: Form) -> str | None:
    """Why this installation has not what a form needs, in a line that says what to install."""
    if form not in _EXTRAS or find_spec(_EXTRAS[form][1]):
        return None
    return _left_out(form)


def unloadable(form: Form) -> str | None:
    """Load what a form needs, which may take long; the line of `lacking` where that fails."""
    try:
        import_module(_EXTRAS[form][1])
    except (ImportError, OSError):  # OSError: WeasyPrint without the system's Pango
        return _left_out(form)
    return None


def _left_out(form: Form) -> str:
    extra, module = _EXTRAS[form]
    return f"{form}: left out, {module} cannot be loaded; {install(extra)}"


def install(extra: str) -> str:
    """How an extra is installed: from this package's own folder, for no index has it."""
    return f'in chestct\'s folder: .venv/bin/pip install -c constraints.txt -e ".[{extra}]"'
