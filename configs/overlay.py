"""An overlay: a site's own findings, cues and conventions, in a folder laid over the product's."""

from pathlib import Path

from configs.contracts import InputError

KINDS = ("findings", "cues", "conventions")


def overlay_files(overlay: Path | None, kind: str) -> list[Path]:
    """The YAML files of one kind in an overlay folder, sorted; none without an overlay.

    Raises InputError when the folder is missing or holds anything that would be left unread, for
    a misspelt name must not leave a site's own rules out.
    """
    if overlay is None:
        return []
    if not overlay.is_dir():
        raise InputError(f"{overlay}: no such folder (--configs)")
    expected = ", ".join(f"{name}/*.yaml" for name in KINDS)
    files = [path for path in sorted(overlay.rglob("*")) if path.is_file()]
    for path in files:
        place = path.relative_to(overlay)
        if len(place.parts) != 2 or place.parts[0] not in KINDS or path.suffix != ".yaml":
            raise InputError(f"{path}: is not read; an overlay holds {expected}")
    if not files:
        raise InputError(f"{overlay}: empty; an overlay holds {expected}")
    return [path for path in files if path.parent.name == kind]
