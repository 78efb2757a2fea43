"""Files that are not DICOM: what they are, so that what is left out has a name."""

import re
from enum import Enum
from pathlib import Path

from model.volumes.dicom_header import Slice

_PACKED = (b"PK\3\4", b"\x1f\x8b", b"BZh", b"7z\xbc\xaf", b"Rar!", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd")
_NUMBER = re.compile(r"\d+")


class OtherFile(Enum):
    """What `header_of` says of a file that is not DICOM."""

    VOLUME_FILE = "volume file"
    BLANK = "empty file"
    PACKED = "packed file or archive (unpack it)"
    PAIR = "header or voxels of an Analyze or NIfTI pair (convert it to .nii)"
    LINKED_FOLDER = "linked folder, not followed"
    NO_IMAGE = "file that is no image"


def other_file(path: Path) -> OtherFile:
    """What a file is that is neither DICOM nor a volume by its name."""
    with path.open("rb") as handle:
        start = handle.read(512)
    if not start.strip(b"\0"):
        return OtherFile.BLANK
    if start.startswith(_PACKED) or start[257:262] == b"ustar":
        return OtherFile.PACKED
    return OtherFile.PAIR if path.suffix.lower() in (".hdr", ".img") else OtherFile.NO_IMAGE


def is_named_like_one(path: Path, planes: list[Slice]) -> bool:
    """Whether a file in the slices' folder has the name of one but for the numbers in it."""
    pattern = _NUMBER.sub("0", path.name)
    return any(
        _NUMBER.sub("0", plane.file.path.name) == pattern
        for plane in planes
        if plane.file.path.parent == path.parent
    )
