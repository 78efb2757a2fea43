"""An archive whose identifying tags hold planted words, and one whose identifiers are hostile."""

from pathlib import Path

import pandas as pd
from pydicom.dataset import Dataset

from tests.model.volumes.dicom_phantom import Plan, make_series, save
from tests.model.volumes.phantom import chest

PLANTED = "CANARY"

TEXT_TAGS = [
    0x00080050, 0x00080080, 0x00080081, 0x00080090, 0x00081030, 0x0008103E, 0x00081048, 0x00081050,
    0x00081060, 0x00081070, 0x00081080, 0x00100010, 0x00100020, 0x00101000, 0x00101001, 0x00101005,
    0x00101060, 0x00102154, 0x00102180, 0x001021B0, 0x00104000, 0x00180015, 0x00180010, 0x00181000,
    0x00181030, 0x00181400, 0x00200010, 0x00204000, 0x00321032, 0x00321033, 0x00321060, 0x00324000,
    0x00380300, 0x00380400, 0x00380500, 0x00400006, 0x00400241, 0x00400242, 0x00400253, 0x00400254,
    0x00400275, 0x00401001, 0x00401002, 0x00401400, 0x00402001, 0x00402400, 0x00402008, 0x00402009,
    0x00402010, 0x00080070, 0x00081090, 0x00080092, 0x00080094, 0x00081010, 0x00181210, 0x0018105A,
    0x00102297, 0x00102298, 0x00102299, 0x00101090,
]  # fmt: skip
_KEPT = "kernel"  # in the manifest by design
_CHEST = Plan(60, 40, 40, 5.0, 10.0, 10.0)


def planted_archive(root: Path) -> Path:
    """A good series and two bad ones, planted words in each of 60 tags and in a folder's name."""
    good = make_series(_CHEST, chest((60, 40, 40), 10.0))
    short, odd = make_series(Plan()), make_series(Plan())
    del short[7]
    odd[3].add_new(0x00281053, "LO", f"{PLANTED}-slope")
    odd[4].add_new(0x00101010, "LO", f"{PLANTED}-age")
    for folder, series in ((f"{PLANTED}-folder", good), ("short", short), ("odd", odd)):
        for ds in series:
            for number, tag in enumerate(TEXT_TAGS):
                ds.add_new(tag, "LO", f"{PLANTED}-{number:02d}")
        save(series, root / folder)
    return root


def planted_in(out: Path) -> list[str]:
    """The files of an output folder in whose name or content a planted word is found."""
    found = [path.name for path in out.rglob("*") if PLANTED in path.name]
    for path in out.rglob("*"):
        if path.suffix == ".parquet" and path.is_file():
            table = pd.read_parquet(path).drop(columns=_KEPT, errors="ignore")
            found += [path.name] if PLANTED in table.to_json() else []
        elif path.is_file() and PLANTED.encode() in path.read_bytes():
            found.append(path.name)
    return found


def hostile_names() -> list[str]:
    """A hundred names that would leave a folder, run, or be another name, if they were paths."""
    places = ("escaped", "etc/passwd", "CON", "a b")
    ways_up = (
        "../", "../../", "/", "..\\", "....//", "%2e%2e%2f", "..%5c", "..;/", "~/", "./../",
        "a/../../", "\\\\host\\", "C:\\", "file:///", ".\u2024/", "\uff0e\uff0e\uff0f",
    )  # fmt: skip
    odd = [
        "..", ".", "...", "CON", "nul.txt", "aux", "COM1", "LPT1.dcm", "prn", "a\\b", "a:b",
        "a" * 300,
        "x\u202egnp.exe", "\u200bzero", "\u212bngstr\u00f6m", "A\u030angstr\u00f6m", "case", "CASE",
        "~root", "$(touch x)", "`id`", "; rm -rf x", "a|b", "-rf", "*", "?", "a>b", "'", '"',
        "NaN", "1e5", "00123", "=1+1", "+1", "@SUM(1)", "trailing.",
    ]  # fmt: skip
    return [up + place for up in ways_up for place in places] + odd


def hostile_archive(root: Path, names: list[str]) -> Path:
    """A chest a name, which stands as patient, accession number, study and series."""
    hu = chest((60, 40, 40), 10.0)
    for number, name in enumerate(names):
        series = make_series(_CHEST, hu)[::3]
        for ds in series:
            _call(ds, name[:60], number)
        save(series, root / str(number))
    return root


def _call(ds: Dataset, name: str, number: int) -> None:
    ds.SpecificCharacterSet = "ISO_IR 192"
    ds.PatientID = ds.AccessionNumber = name
    plain = name.encode("ascii", "replace").decode()
    ds.SeriesInstanceUID = ds.StudyInstanceUID = plain + str(number)
