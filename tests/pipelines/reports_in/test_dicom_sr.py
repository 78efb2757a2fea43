"""DICOM structured reports, built with pydicom as a reporting system would write them."""

from collections.abc import Sequence
from pathlib import Path

import pydicom
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import (
    BasicTextSRStorage,
    Comprehensive3DSRStorage,
    CTImageStorage,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    XRayRadiationDoseSRStorage,
)

from pipelines.reports_in.archive import read_reports
from pipelines.reports_in.options import ReadOptions
from pipelines.reports_in.rows import Report
from pipelines.running.run import Rejected

CLEAR = "The lungs are clear. There is no pleural effusion."


def code(value: str, scheme: str, meaning: str) -> Dataset:
    coded = Dataset()
    coded.CodeValue, coded.CodingSchemeDesignator, coded.CodeMeaning = value, scheme, meaning
    return coded


def item(
    kind: str,
    name: tuple[str, str, str] | None,
    children: Sequence[Dataset] = (),
    relationship: str = "CONTAINS",
    **values: object,
) -> Dataset:
    content = Dataset()
    content.ValueType, content.RelationshipType = kind, relationship
    if name:
        content.ConceptNameCodeSequence = [code(*name)]
    for keyword, value in values.items():
        setattr(content, keyword, value)
    if children:
        content.ContentSequence = list(children)
    return content


def text(name: tuple[str, str, str], value: str) -> Dataset:
    return item("TEXT", name, TextValue=value)


def number(name: tuple[str, str, str], value: str, unit: str) -> Dataset:
    measured = Dataset()
    measured.NumericValue = value
    measured.MeasurementUnitsCodeSequence = [code(unit, "UCUM", unit)]
    return item("NUM", name, relationship="HAS PROPERTIES", MeasuredValueSequence=[measured])


FINDINGS, FINDING = ("121070", "DCM", "Findings"), ("121071", "DCM", "Finding")
IMPRESSIONS, IMPRESSION = ("121072", "DCM", "Impressions"), ("121073", "DCM", "Impression")


def sections(findings: str = CLEAR) -> list[Dataset]:
    return [
        item("CONTAINER", FINDINGS, [text(FINDING, findings)]),
        item("CONTAINER", IMPRESSIONS, [text(IMPRESSION, "Normal chest.")]),
    ]


def document(content: Sequence[Dataset], accession: str = "00123", **values: object) -> Dataset:
    sr = Dataset()
    sr.SOPClassUID = BasicTextSRStorage
    sr.SOPInstanceUID = pydicom.uid.generate_uid()
    sr.StudyInstanceUID = "1.2.3"
    sr.AccessionNumber = accession
    sr.PatientName = "SECRET^NAME"
    sr.StudyDescription = "CT CHEST"
    sr.ContentDate, sr.ContentTime = "20240102", "030405"
    sr.CompletionFlag, sr.VerificationFlag = "COMPLETE", "VERIFIED"
    sr.ValueType = "CONTAINER"
    sr.ConceptNameCodeSequence = [code("18748-4", "LN", "Diagnostic Imaging Report")]
    sr.SpecificCharacterSet = "ISO_IR 192"
    observer = item(
        "PNAME",
        ("121008", "DCM", "Person Observer Name"),
        relationship="HAS OBS CONTEXT",
        PersonName="SECRET^OBSERVER",
    )
    sr.ContentSequence = [observer, *content]
    for keyword, value in values.items():
        setattr(sr, keyword, value)
    return sr


def save(
    path: Path,
    sr: Dataset,
    syntax: str = ExplicitVRLittleEndian,
    charset: str | list[str] | None = "as is",
) -> Path:
    if charset != "as is":
        sr.SpecificCharacterSet = charset
    sr.file_meta = FileMetaDataset()
    sr.file_meta.MediaStorageSOPClassUID = sr.SOPClassUID
    sr.file_meta.MediaStorageSOPInstanceUID = sr.SOPInstanceUID
    sr.file_meta.TransferSyntaxUID = syntax
    path.parent.mkdir(parents=True, exist_ok=True)
    sr.save_as(path, enforce_file_format=True)
    return path


def parted(path: Path, **options: object) -> tuple[list[Report], list[Rejected]]:
    records = list(read_reports(path, ReadOptions(**options)))  # type: ignore[arg-type] # kwargs
    reports = [record for record in records if isinstance(record, Report)]
    return reports, [record for record in records if isinstance(record, Rejected)]


@pytest.mark.parametrize(
    "syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian, DeflatedExplicitVRLittleEndian]
)
def test_sections_become_heads(tmp_path: Path, syntax: str) -> None:
    reports, rejected = parted(save(tmp_path / "a.dcm", document(sections()), syntax))
    assert rejected == []
    assert [(r.id, r.text) for r in reports] == [
        ("00123", f"FINDINGS:\n{CLEAR}\n\nIMPRESSION:\nNormal chest.")
    ]
    assert "CT CHEST" in reports[0].exam


def test_codes_numbers_and_nested_containers_in_reading_order(tmp_path: Path) -> None:
    site = item(
        "CODE",
        ("363698007", "SCT", "Finding site"),
        relationship="HAS PROPERTIES",
        ConceptCodeSequence=[code("45653009", "SCT", "Right upper lobe")],
    )
    nodule = item(
        "CODE",
        FINDING,
        [number(("410668003", "SCT", "Diameter"), "7.5", "mm"), site],
        ConceptCodeSequence=[code("27925004", "SCT", "Nodule")],
    )
    context = item("TEXT", ("1", "99X", "Note"), relationship="HAS CONCEPT MOD", TextValue="SECRET")
    lungs = item("CONTAINER", ("39607008", "SCT", "Lung"), [nodule, context])
    plain = text(("1", "99X", "Comparison"), "None is available.")
    history = text(("121060", "DCM", "History"), "<p>Cough &amp; fever.</p>")
    content = [plain, history, item("CONTAINER", FINDINGS, [lungs, text(FINDING, CLEAR)])]
    sr = document(content, SOPClassUID=Comprehensive3DSRStorage)
    reports, rejected = parted(save(tmp_path / "a.dcm", sr))
    assert rejected == []
    assert reports[0].text == (
        "COMPARISON:\nNone is available.\nCLINICAL HISTORY:\nCough & fever.\n\nFINDINGS:\n\nLUNG:\n"
        f"Nodule, diameter 7.5 mm, finding site Right upper lobe.\n{CLEAR}"
    )


@pytest.mark.parametrize(
    ("charset", "word"),
    [
        ("ISO_IR 100", "Müller"),
        ("ISO_IR 192", "Müller 胸"),
        ("ISO_IR 148", "göğüs"),
        ("ISO_IR 144", "Иван"),
        ("GB18030", "胸部"),
        ("GBK", "胸部"),
        (["", "ISO 2022 IR 87"], "胸部"),
        (["ISO 2022 IR 6", "ISO 2022 IR 149"], "김"),
        (["ISO 2022 IR 100", "ISO 2022 IR 144"], "Иван"),
    ],
)
def test_character_sets(tmp_path: Path, charset: str | list[str], word: str) -> None:
    sr = document(sections(f"{CLEAR} Reported by {word}."))
    reports, rejected = parted(save(tmp_path / "a.dcm", sr, charset=charset))
    assert rejected == []
    assert f"Reported by {word}." in reports[0].text


def test_chinese_by_escape_sequences(tmp_path: Path) -> None:
    sr = document(sections(f"{CLEAR} xxxxxxxx."))
    path = save(tmp_path / "a.dcm", sr, charset=["ISO 2022 IR 6", "ISO 2022 IR 58"])
    content = path.read_bytes()
    path.write_bytes(content.replace(b"xxxxxxxx", b"\x1b$)A" + "胸部".encode("gb2312")))
    reports, _ = parted(path)
    assert reports[0].text.startswith(f"FINDINGS:\n{CLEAR} 胸部.")
    path.write_bytes(content.replace(b"xxxxxxxx", b"....\xd0\xd8\xb2\xbf"))
    assert [r.reason for r in parted(path)[1]] == ["CHARSET"]


@pytest.mark.parametrize(
    ("declared", "codec"),
    [(None, "latin-1"), (None, "utf-8"), ("ISO_IR 100", "utf-8"), ("ISO_IR 192", "latin-1")],
)
def test_bytes_that_are_not_of_the_character_set_are_refused(
    tmp_path: Path, declared: str | None, codec: str
) -> None:
    sr = document(sections("It was Mxxller."))
    path = save(tmp_path / "a.dcm", sr, charset=declared)
    wrong = "Mü".encode(codec)
    wrong += b"x" * (3 - len(wrong))
    path.write_bytes(path.read_bytes().replace(b"Mxx", wrong))
    _, rejected = parted(path)
    assert [r.reason for r in rejected] == ["CHARSET"]


def test_an_unknown_character_set_is_refused(tmp_path: Path) -> None:
    path = save(tmp_path / "a.dcm", document(sections()), charset="ISO_IR 192")
    path.write_bytes(path.read_bytes().replace(b"ISO_IR 192", b"ISO_IR 999"))
    _, rejected = parted(path)
    assert [r.reason for r in rejected] == ["CHARSET"]


def test_a_tree_with_images_dose_reports_and_broken_files(tmp_path: Path) -> None:
    save(tmp_path / "a" / "1.dcm", document(sections(), "1"))
    save(tmp_path / "b" / "IM0002", document(sections(), "", StudyInstanceUID="1.2.9"))
    save(tmp_path / "b" / "ct.dcm", document([], SOPClassUID=CTImageStorage))
    save(tmp_path / "b" / "dose.dcm", document([], SOPClassUID=XRayRadiationDoseSRStorage))
    (tmp_path / "b" / "broken.dcm").write_bytes(b"\0" * 128 + b"DICM" + b"\xff" * 50)
    (tmp_path / "b" / "zero.dcm").touch()
    (tmp_path / "b" / "text.dcm").write_text("not DICOM")
    (tmp_path / "DICOMDIR.pdf").write_text("ignored")
    reports, rejected = parted(tmp_path)
    assert [report.id for report in reports] == ["1", "1.2.9"]
    assert sorted((r.id, r.reason) for r in rejected) == [
        ("", "NOT_A_REPORT"),
        ("b/broken", "UNREADABLE"),
        ("b/text", "UNREADABLE"),
        ("b/zero", "UNREADABLE"),
    ]
    assert "2 other DICOM objects" in rejected[-1].detail
    assert not any("SECRET" in str(record) for record in (*reports, *rejected))


def test_flags_are_statuses_and_versions_are_joined(tmp_path: Path) -> None:
    save(tmp_path / "1.dcm", document(sections("Early read."), CompletionFlag="PARTIAL"))
    save(tmp_path / "2.dcm", document(sections("The right lung is clear.")))
    predecessor = Dataset()
    predecessor.StudyInstanceUID = "1.2.3"
    corrected = sections("The left lung is clear.")
    save(tmp_path / "3.dcm", document(corrected, PredecessorDocumentsSequence=[predecessor]))
    save(tmp_path / "4.dcm", document(sections(), "2", VerificationFlag="UNVERIFIED"))
    reports, rejected = parted(tmp_path)
    assert [report.id for report in reports] == ["00123"]
    assert "The left lung is clear." in reports[0].text
    assert [r.reason for r in rejected] == ["SUPERSEDED", "SUPERSEDED", "PRELIMINARY"]
    reports, _ = parted(tmp_path, preliminary=True)
    assert [report.id for report in reports] == ["00123", "2"]


def test_deep_nesting_is_refused(tmp_path: Path) -> None:
    deep = item("TEXT", FINDING, TextValue="x")
    for _ in range(60):
        deep = item("CONTAINER", None, [deep])
    _, rejected = parted(save(tmp_path / "deep.dcm", document([deep])))
    assert [r.reason for r in rejected] == ["UNREADABLE"]


@settings(
    deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), min_size=1, max_size=12),
    st.floats(0, 1),
)
def test_damaged_files_give_reports_or_rejects(
    tmp_path: Path, changes: list[tuple[float, int]], length: float
) -> None:
    path = save(tmp_path / "a.dcm", document(sections()))
    content = bytearray(path.read_bytes())
    for place, byte in changes:
        content[int(place * (len(content) - 1))] = byte
    path.write_bytes(content[: int(len(content) * max(length, 0.3))])
    records = list(read_reports(path))
    assert len(records) == 1
    assert "SECRET" not in str(records)
