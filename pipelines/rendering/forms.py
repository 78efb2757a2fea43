"""The forms that a report can take, and which of them this installation can write."""

from enum import StrEnum
from importlib import import_module

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
    """Why this installation cannot write a form, in a line that says what to install."""
    if form not in _EXTRAS:
        return None
    extra, module = _EXTRAS[form]
    try:
        import_module(module)
    except (ImportError, OSError):  # OSError: WeasyPrint without the system's Pango
        return f'{form}: left out, {module} cannot be loaded; pip install "chestct[{extra}]"'
    return None
