"""What a plane's header says it is: a CT image to use, one to leave out, or one to refuse."""

import re
from enum import Enum

from model.volumes.dicom_header import CT_CLASSES, Slice
from model.volumes.volume import VolumeReason


class LeftOut(Enum):
    """Images that lie beside a scan and are no part of it; they are listed, not refused."""

    LOCALIZER = "localizer"
    PAGE = "dose page or screen capture"
    REFORMAT = "reformat beside its original"
    DERIVED = "projection, map or colour image beside its original"


_SECONDARY_CAPTURES = "1.2.840.10008.5.1.4.1.1.7"
_LOCALIZER_WORDS = {"LOCALIZER", "LOCALISER", "SCOUT", "TOPOGRAM", "TOPO", "TOP", "SURVIEW"}
_PAGE_WORDS = {"DOSE", "DOSEINFO", "DOSE_INFO", "PROT", "REPORT", "SCREENSAVE", "SCREEN"}
_PROJECTION_WORDS = {
    "MIP", "MINIP", "MIN_IP", "MAX_IP", "MNIP", "PROJECTION", "AIP", "AVGIP",
    "VRT", "CVRT", "VR", "SSD", "3D", "SURFACE", "SHADED", "CINEMATIC", "RENDERING",
    "MAXIMUM", "MINIMUM", "MEAN", "VOLUME_RENDER", "SURFACE_RENDER",
}  # fmt: skip
_MAP_WORDS = {
    "PERFUSION", "RCBF", "CBF", "CBV", "RCBV", "MTT", "TTP", "TMAX", "PBV", "BOLUS",
    "IODINE", "VNC", "VUE", "WATER", "FAT", "CALCIUM", "URIC", "MONO", "MONOENERGETIC",
    "MONOCHROMATIC", "VMI", "MONO_E", "EFF_Z", "Z_EFF", "ZEFF", "RHO", "MATERIAL", "GSI",
    "ENERGY_PROP_WT", "SUBTRACTION", "PARAMETRIC", "FUSION", "LUNG_VESSELS", "OVERLAY",
    "MONOPLUS", "EFF_ATOMIC_NUM", "ELECTRON_DENSITY", "SEGMENTED", "SEGMENTATION", "MASKED",
    "ADDITION", "DIVISION", "MULTIPLICATION", "STD_DEVIATION", "T_TEST", "Z_SCORE",
}  # fmt: skip
_MAP_PATTERN = re.compile(r"MAT_[A-Z_]+|(?:VMI|MONO_?E?)_?\d+(?:_?KEV)?")
"""Multi-energy images (PS3.3 C.8.15.2.1.1) and single energies in one word."""
_SAID_OF_DERIVED = _PROJECTION_WORDS | _MAP_WORDS | {"MONOE", "KEV"}
_SAID_OF_DERIVED |= {"113074", "113075", "113076", "113077", "113078", "113079"}
"""Words of a description, and codes of DICOM's: rendering, segmenting, editing, projecting."""
_HARMLESS_WORDS = {
    "3D", "MEAN", "FAT", "WATER", "BOLUS", "OVERLAY", "CALCIUM", "VR", "VUE", "MAXIMUM", "MINIMUM",
    "ADDITION", "DIVISION", "MULTIPLICATION", "FUSION", "IODINE", "MASKED", "MATERIAL", "SURFACE",
}  # fmt: skip
"""Words of ImageType that mean other things in a sentence."""
_SAID_TOGETHER = re.compile(
    r"\bBONES? ?(?:REMOV|SUBTR|FREE)|\d ?KEV\b"
    r"|\b(?:MIPS?|M(?:AX|IN|N) ?IPS?|AIPS?|A(?:VE?|VG|VERAGE) ?IPS?)(?:\d+(?:MM)?)?\b"
    r"|\b(?:MAX|MIN|MAXIMUM|MINIMUM|AVERAGE|MEAN) INTENSITY"
    r"|\bVIRTUAL ?(?:NON|UNENH|NATIVE|MONO)|\bSURFACE (?:REND|SHAD|DISPL)"
    r"|\b(?:DE|DECT|DUAL ENERGY|SPECTRAL|GSI) IODINE|^IODINE(?: \d+ ?(?:MM)?)* *$"
    r"|\bIODINE (?:MAP|DENS|CONC|OVERLAY|IMAGE|NO WATER|WATER|FAT|CALCIUM)"
)
_SERVED = r"(?:MIPS?|M(?:AX|IN) ?IPS?|MPRS?|VRT?|SSD|3D)"
_MADE_FOR = re.compile(rf"\bFOR {_SERVED}(?: (?:AND |OR )?{_SERVED})*\b")
"""Thin slices from which others are to be made."""
_GREY = {"", "MONOCHROME1", "MONOCHROME2"}
_REFORMAT_WORDS = {"MPR", "CURVED_MPR", "REFORMATTED", "REFORMAT", "CPR", "CURVED", "RESAMPLED"}


def words_of(image_type: tuple[str, ...]) -> set[str]:
    """The words of ImageType, vendor prefixes included.

    >>> sorted(words_of(("ORIGINAL", "PRIMARY", "AXIAL", "CT_SOM5 TOP")))
    ['AXIAL', 'CT_SOM5', 'ORIGINAL', 'PRIMARY', 'TOP']
    """
    return {word for value in image_type for word in re.split(r"[\s/^-]+", value) if word}


def scope_of(plane: Slice) -> LeftOut | VolumeReason | None:
    """None for a plane that may be part of a CT volume in HU."""
    header = plane.file
    words = words_of(plane.image_type)
    if header.modality not in ("", "CT"):
        return VolumeReason.MODALITY
    if words & _LOCALIZER_WORDS:
        return LeftOut.LOCALIZER
    if words & _PAGE_WORDS or header.sop_class.startswith(_SECONDARY_CAPTURES):
        return LeftOut.PAGE
    if header.sop_class not in ("", *CT_CLASSES) or not (header.modality or header.sop_class):
        return VolumeReason.MODALITY
    if words & (_PROJECTION_WORDS | _MAP_WORDS) or any(map(_MAP_PATTERN.fullmatch, words)):
        return VolumeReason.DERIVED
    if "ORIGINAL" not in words and _is_said_derived(header.derivation):
        return VolumeReason.DERIVED
    if header.pixels.samples != 1 or header.photometric not in _GREY:
        return VolumeReason.DERIVED
    if plane.rescale_type not in ("", "HU"):
        return VolumeReason.NOT_HU
    return None


def _is_said_derived(description: str) -> bool:
    """Whether the description of an image that does not call itself original names a derivation."""
    said = _MADE_FOR.sub("", " ".join(re.findall(r"[A-Z0-9]+", description)))
    return bool(
        set(said.split()) & (_SAID_OF_DERIVED - _HARMLESS_WORDS) or _SAID_TOGETHER.search(said)
    )


def is_reformat(plane: Slice) -> bool:
    """True for planes computed from another volume; true HU, but second choice to the original."""
    return bool(words_of(plane.image_type) & _REFORMAT_WORDS)


def is_sharp(kernel: str) -> bool:
    """True for kernels that makers mean for lung or bone.

    >>> [is_sharp(kernel) for kernel in ("B70f", "Br38f", "LUNG", "STANDARD", "L", "B", "FC51")]
    [True, False, True, False, True, False, True]
    """
    name = kernel.upper().split("\\")[0].strip()
    if found := re.match(r"(?:FC|[A-Z]{1,2})(\d\d)", name):
        return int(found[1]) >= 50
    return name in {"L", "D", "E", "YB", "YC", "YD", "YE"} or any(
        word in name for word in ("LUNG", "BONE", "EDGE", "SHARP", "DETAIL", "ULTRA")
    )
