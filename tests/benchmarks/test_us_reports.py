from pathlib import Path
from types import ModuleType

import pytest

from configs.contracts import InputError
from labeler import ReportLabels
from tests.benchmarks.script import load_script

NOTHING = ReportLabels({}, (), (), False)


@pytest.fixture(scope="module")
def us_reports() -> ModuleType:
    return load_script("us_reports")


def test_gold_holds_a_hundred_reports_with_every_finding_on_both_sides(
    us_reports: ModuleType,
) -> None:
    reports = us_reports.read_gold()
    assert [report.id for report in reports] == list(range(1, 101))
    for held_back in (False, True):
        sides = [report.present for report in reports if report.held_back is held_back]
        assert frozenset().union(*sides) == set(us_reports.LABELS)


@pytest.mark.parametrize(
    ("present", "uncertain", "said"),
    [("[noodle]", "[]", "unknown findings"), ("[nodule]", "[nodule]", "present and uncertain")],
)
def test_gold_refuses_unknown_and_doubled_findings(
    us_reports: ModuleType, tmp_path: Path, present: str, uncertain: str, said: str
) -> None:
    path = tmp_path / "gold.yaml"
    path.write_text(
        f"reports:\n  - {{id: 1, present: {present}, uncertain: {uncertain}, text: Clear.}}\n"
    )
    with pytest.raises(InputError, match=said):
        us_reports.read_gold(path)


def test_uncertain_cells_are_not_scored(us_reports: ModuleType) -> None:
    one = us_reports.GoldReport(id=1, present={"nodule"}, uncertain={"mass"}, text="")
    figures = us_reports.agreement([one], [frozenset({"nodule", "mass"})])
    assert figures.micro.f1.value == 1
    assert us_reports.agreement([one], [frozenset({"hernia"})]).micro.f1.value == 0


def test_errors_name_the_cell_and_refuse_held_back_reports(us_reports: ModuleType) -> None:
    shown = us_reports.GoldReport(id=60, present={"nodule"}, uncertain=set(), text="")
    assert list(us_reports.errors(shown, frozenset({"mass"}), NOTHING)) == [
        " 60 false mass",
        " 60 missed nodule",
    ]
    hidden = us_reports.GoldReport(id=61, present={"nodule"}, uncertain=set(), text="")
    with pytest.raises(ValueError, match="held back"):
        list(us_reports.errors(hidden, frozenset(), NOTHING))
