"""Which examinations are read, and what of combined ones."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from configs.contracts import InputError
from pipelines.reports_in.archive import read_reports
from pipelines.reports_in.body_parts import chest_only, is_combined
from pipelines.reports_in.exam import ExamFilter
from pipelines.reports_in.options import ReadOptions
from pipelines.reports_in.rows import Report

COMBINED = """EXAM: CT CHEST, ABDOMEN AND PELVIS
TECHNIQUE: Helical.
FINDINGS:
CHEST:
Lungs: clear.
Bones: intact.
ABDOMEN AND PELVIS:
Liver: 2 cm nodule.
Bones: sclerotic lesion.
IMPRESSION:
1. No pulmonary nodule.
2. Liver: lesion.
"""


@pytest.mark.parametrize(
    ("pattern", "kept", "left"),
    [
        ("ct chest", ["CT Chest w/o", "CT_CHEST", "1^CT CHEST^L"], ["CT HEAD", "XCT CHESTS"]),
        ("thora*", ["CT Thorax", "MR thoracic spine"], ["CT chest", "hemithorax"]),
        ("71260", ["71260", "x 71260"], ["712600", ""]),
    ],
)
def test_patterns_are_words(pattern: str, kept: list[str], left: list[str]) -> None:
    exams = ExamFilter((pattern,))
    assert all(exams.keeps(name) for name in kept)
    assert not any(exams.keeps(name) for name in left)


@given(st.text(), st.text())
def test_any_pattern_and_name_give_an_answer(pattern: str, name: str) -> None:
    assert ExamFilter((pattern,)).keeps(name) in (True, False)


def test_other_examinations_are_set_aside(tmp_path: Path) -> None:
    archive = tmp_path / "a.csv"
    archive.write_text(
        "report_id,exam,report_text\n1,CT CHEST,Lungs clear.\n2,CT HEAD,No bleed.\n"
        "3,,Lungs clear.\n"
        '4,,"EXAM: CT chest\n\nLungs clear."\n'
    )
    options = ReadOptions(exam_column="exam", exam=("ct chest", "thorax"))
    records = list(read_reports(archive, options))
    assert [record.id for record in records if isinstance(record, Report)] == ["1", "4"]
    assert [getattr(record, "reason", "") for record in records] == ["", "EXAM", "EXAM", ""]
    assert len([r for r in read_reports(archive) if isinstance(r, Report)]) == 4
    with pytest.raises(InputError, match="--exam-column"):
        read_reports(archive, ReadOptions(exam_column="nope"))


def test_of_a_combined_examination_the_chest_and_the_impression_stay(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(COMBINED)
    (record,) = read_reports(tmp_path, ReadOptions(exam=("ct chest",)))
    assert isinstance(record, Report)
    assert len(record.text) == len(COMBINED)
    assert "liver: 2 cm" not in record.text.lower()
    assert "sclerotic" not in record.text
    for kept in ("Lungs: clear.", "Bones: intact.", "1. No pulmonary nodule."):
        assert record.text.index(kept) == COMBINED.index(kept)
    (whole,) = read_reports(tmp_path)
    assert isinstance(whole, Report)
    assert whole.text == COMBINED


def test_a_chest_examination_keeps_what_it_says_of_the_abdomen(tmp_path: Path) -> None:
    text = "EXAM: CT CHEST\nLungs: clear.\nUPPER ABDOMEN: Adrenal nodule."
    (tmp_path / "a.txt").write_text(text)
    (record,) = read_reports(tmp_path, ReadOptions(exam=("ct chest",)))
    assert isinstance(record, Report)
    assert record.text == text


def test_heads_of_organs_and_on_one_line() -> None:
    text = "LUNGS: clear. LIVER: nodule. KIDNEYS: stone. BONES: fine. IMPRESSION: ok."
    left = "LUNGS: clear." + " " * 32 + "BONES: fine. IMPRESSION: ok."
    assert chest_only(text) == left
    headings = "CT CHEST\nClear.\n\nCT ABDOMEN\nLiver lesion.\n\nIMPRESSION\nNormal."
    assert chest_only(headings).split() == ["CT", "CHEST", "Clear.", "IMPRESSION", "Normal."]


@pytest.mark.parametrize(
    ("name", "combined"),
    [("CT CAP w contrast", True), ("CT Chest Abd Pelvis", True), ("CT thorax", False), ("", False)],
)
def test_combined_examinations_are_known_by_name(name: str, combined: bool) -> None:
    assert is_combined(name) is combined


PIECES = ("CHEST:", "ABDOMEN:", "LIVER:", "BONES:", "IMPRESSION:", "\n", ". ", "Lung", " 5 mm", "é")


@given(st.lists(st.sampled_from(PIECES)).map("".join))
def test_what_is_left_stands_where_it_stood(text: str) -> None:
    left = chest_only(text)
    assert len(left) == len(text)
    assert all(a in (b, " ") for a, b in zip(left, text, strict=True))
