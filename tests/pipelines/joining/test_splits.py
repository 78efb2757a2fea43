import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from configs.contracts import Split
from pipelines.joining.splits import Shares, by_date, by_hash

SHARES = Shares(validation=0.1, test=0.2)


def test_a_patient_keeps_its_split_when_the_archive_grows() -> None:
    patients = [f"patient {n}" for n in range(4000)]
    first, grown = by_hash(patients[:2000], SHARES), by_hash(patients, SHARES)
    assert (grown[first.index] == first).all()
    shares = grown.value_counts(normalize=True)
    assert abs(shares[Split.TEST] - 0.2) < 0.03
    assert abs(shares[Split.VALIDATION] - 0.1) < 0.03
    assert (by_hash(patients, Shares(0.1, 0.2, seed=1)) != grown).any()


@given(
    st.lists(st.tuples(st.integers(0, 12), st.integers(0, 400)), min_size=1),
    st.integers(0, 4),
    st.integers(0, 4),
)
def test_nobody_who_tests_was_last_seen_before_one_who_trains(
    scans: list[tuple[int, int]], validation: int, test: int
) -> None:
    patients = pd.Series([f"p{patient}" for patient, _ in scans])
    moments = pd.Series([pd.Timestamp("2020-01-01") + pd.Timedelta(days=d) for _, d in scans])
    shares = Shares(validation / 10, test / 10)
    splits = by_date(patients, moments.dt.strftime("%Y%m%d"), shares)
    assert set(splits.index) == set(patients)
    assert (splits == Split.TEST).sum() == round(shares.test * len(splits))
    latest = moments.groupby(patients).max()
    ends = [latest[splits[splits == split].index] for split in Split]
    ordered = pd.concat(ends).to_numpy()  # train, validation, test
    firsts = [part.min() for part in ends if len(part)]
    lasts = [part.max() for part in ends if len(part)]
    assert len(ordered) == len(latest)
    assert all(np.greater_equal(firsts[1:], lasts[:-1]))


def test_an_archive_may_only_test_and_rounding_gives_nobody_two_splits() -> None:
    patients = [f"p{number}" for number in range(50)]
    assert set(by_hash(patients, Shares(validation=0.0, test=1.0))) == {Split.TEST.value}
    three, days = pd.Series(["a", "b", "c"]), pd.Series(["20200101", "20200102", "20200103"])
    splits = by_date(three, days, Shares(validation=0.5, test=0.5))
    assert splits.loc[["a", "b", "c"]].tolist() == ["validation", "test", "test"]
