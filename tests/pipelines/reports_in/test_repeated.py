from hypothesis import given
from hypothesis import strategies as st

from configs.contracts import RecordReason
from pipelines.reports_in.repeated import Repeated
from pipelines.reports_in.rows import Report

FEW = st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("xy")), max_size=12)


@given(FEW)
def test_the_first_report_keeps_its_identifier(records: list[tuple[str, str]]) -> None:
    repeated, seen = Repeated(), dict[str, str]()
    for number, (report_id, text) in enumerate(records):
        fault = repeated.fault(Report(report_id, text, f"line {number}"))
        if report_id not in seen:
            seen[report_id] = text
            assert fault is None
        else:
            which = "same" if seen[report_id] == text else "other"
            assert fault == (RecordReason.DUPLICATE_ID, f"identifier seen before, {which} text")
