from hypothesis import given
from hypothesis import strategies as st

from configs.contracts import RecordReason
from pipelines.reports_in.repeated import told_apart
from pipelines.reports_in.rows import Report

FEW = st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(("x", " x ", "y"))), max_size=12)


@given(FEW)
def test_a_repeat_is_told_from_a_conflict(records: list[tuple[str, str]]) -> None:
    reports = [Report(name, text, f"line {n}") for n, (name, text) in enumerate(records)]
    texts: dict[str, set[str]] = {}
    for report in reports:
        texts.setdefault(report.id, set()).add(report.text.strip())
    given_ids = set[str]()
    told = told_apart((report.id for report in reports), lambda: iter(reports))
    for report, record in zip(reports, told, strict=True):
        if len(texts[report.id]) > 1:
            expected = RecordReason.CONFLICT
        elif report.id in given_ids:
            expected = RecordReason.DUPLICATE_ID
        else:
            assert record is report
            given_ids.add(report.id)
            continue
        assert not isinstance(record, Report)
        assert (record.reason, record.id) == (expected, report.id)


def test_an_archive_in_which_no_identifier_comes_twice_is_read_once() -> None:
    passes = []

    def read() -> list[Report]:
        passes.append(1)
        return [Report("a", "x", "line 1"), Report("b", "x", "line 2")]

    assert len(list(told_apart("ab", read))) == 2
    assert len(passes) == 1
