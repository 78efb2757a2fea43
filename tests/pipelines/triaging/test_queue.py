"""Who comes first: weights, thresholds, waiting."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from configs.triage_policy import HIGHEST_WEIGHT, load_triage_policy
from model.calibration import UNCALIBRATED, Calibration, CalibrationState, ReliabilityBin
from model.operating import OperatingPoint
from pipelines.rendering.assemble import decide
from pipelines.rendering.content import Decision, Remark, Scan, Status
from pipelines.triaging.coverage import Basis, Cut, Watched, choose_cut, cover
from pipelines.triaging.queue import Scored, flags, precedence, priority, urgency
from pipelines.triaging.record import Record, Score, not_read
from pipelines.triaging.worklist import Dealt, Standing, rank

POLICY = load_triage_policy("default")
LABELS = ("ct_rate:Pleural effusion", "ct_rate:Lung nodule", "ct_rate:Hiatal hernia")
HOURS = st.floats(0, 1e6, allow_nan=False)
POINTS = st.floats(0, HIGHEST_WEIGHT, allow_nan=False)


def fitted(*bins: ReliabilityBin) -> Calibration:
    return Calibration(CalibrationState.FITTED, 1.0, 0.0, 0.5, 10, 30, bins)


BINS = (
    ReliabilityBin(0.0, 0.2, 20, 1),
    ReliabilityBin(0.2, 0.6, 20, 2),
    ReliabilityBin(0.6, 1, 20, 17),
)


@given(st.floats(0.01, 0.99))
def test_a_threshold_catches_at_least_the_stated_share(sensitivity: float) -> None:
    cut = choose_cut(fitted(*BINS), sensitivity)
    if cut.basis is Basis.UNREACHED:
        assert cut == Cut(0.5, Basis.UNREACHED)
        assert sensitivity > 19 / 20
        return
    if cut.basis is Basis.BALANCED:  # an edge above the report's own threshold catches enough
        assert cut == Cut(0.5, Basis.BALANCED)
        assert sensitivity <= 17 / 20
        return
    assert cut.counted is not None
    assert cut.threshold < 0.5
    assert cut.counted.sensitivity >= sensitivity - 1e-6
    higher = [found.low for found in BINS if found.low > cut.threshold]
    for edge in higher:  # it is the highest such edge
        caught = sum(found.positives for found in BINS if found.low >= edge)
        assert caught < sensitivity * 20


def test_a_label_without_counts_keeps_its_threshold_and_says_so() -> None:
    assert choose_cut(UNCALIBRATED, 0.9) == Cut(0.5, Basis.UNKNOWN)


def test_the_bundles_own_point_is_taken_where_it_is_higher_and_catches_enough() -> None:
    own = OperatingPoint(0.25, 19, 5, 1, 35)
    calibration = replace(fitted(*BINS), sensitive=own)
    assert choose_cut(calibration, 0.95) == Cut(0.25, Basis.SENSITIVITY, own)
    assert choose_cut(calibration, 0.96).basis is Basis.UNREACHED


def test_a_threshold_is_validated_on_as_many_positives_as_a_reports() -> None:
    eleven = fitted(*BINS)
    assert not choose_cut(eleven, 0.9).validated
    own = OperatingPoint(0.5, 45, 20, 15, 300)
    sixty = replace(eleven, positives=60, balanced=own)
    assert sixty.validated
    assert choose_cut(sixty, 0.9).validated


@given(st.floats(0, 1), st.floats(0.01, 0.99), st.floats(0.02, 0.98))
def test_what_a_report_calls_present_is_flagged(
    probability: float, sensitivity: float, balanced: float
) -> None:
    calibration = replace(fitted(*BINS), threshold=balanced)
    cut = choose_cut(calibration, sensitivity)
    assert cut.threshold <= balanced
    if decide(probability, balanced) is Decision.PRESENT:
        assert probability >= cut.threshold


def test_what_the_policy_wants_and_no_label_has_is_named() -> None:
    coverage = cover(POLICY, LABELS, [UNCALIBRATED] * 3)
    assert list(coverage.watched) == ["ct_rate:Pleural effusion", "ct_rate:Lung nodule"]
    unseen = {item.finding for item in coverage.unseen}
    assert {"pneumothorax", "pulmonary_embolism", "aortic_dissection"} <= unseen
    assert coverage.statement.startswith("This model cannot see: aortic dissection, pneumothorax")
    more = cover(POLICY, (*LABELS, "rad_chestct:pneumothorax"), [UNCALIBRATED] * 4)
    assert "pneumothorax" not in {item.finding for item in more.unseen}
    assert next(iter(more.watched)) == "rad_chestct:pneumothorax"


def test_a_broader_label_or_an_unknown_convention_is_no_sight() -> None:
    coverage = cover(POLICY, ("ct_rate:Lung opacity", "own_site:pneumothorax"), [UNCALIBRATED] * 2)
    assert "pneumothorax" in {item.finding for item in coverage.unseen}
    assert [item.weight for item in coverage.watched.values()] == [POLICY.findings["lung_opacity"]]


@given(POINTS, POINTS, HOURS, HOURS)
def test_waiting_never_lowers_and_urgency_never_loses(
    first: float, second: float, early: float, late: float
) -> None:
    short, long = sorted((early, late))
    low, high = sorted((first, second))
    assert priority(low, long, 24) >= priority(low, short, 24)
    assert priority(high, long, 24) >= priority(low, long, 24)
    assert priority(0.0, 24.0, 24) >= priority(high, 0.0, 24)


def scored(weight: float, probability: float, threshold: float = 0.1) -> Scored:
    return Scored(
        Watched("ct_rate:x", "X", weight, weight >= 50, Cut(threshold, Basis.UNKNOWN), 0.5),
        probability,
    )


def test_a_dangerous_finding_passes_many_small_ones() -> None:
    many = [scored(20, 0.9)] * 8
    assert urgency([scored(95, 0.3)]) > urgency(many)
    assert urgency([]) == 0.0


def test_only_urgent_findings_over_their_threshold_flag() -> None:
    scores = [scored(49, 0.9), scored(60, 0.5), scored(95, 0.5), scored(95, 0.09)]
    assert [found.points for found in flags(scores)] == [47.5, 30.0]


def dealt(name: str, hours: float, probability: float | None, *, refused: bool = False) -> Dealt:
    scan = Scan(identified=False, series=name)
    record = None
    if refused:
        record = not_read(name, scan, "GAP", "slices are missing inside")
    elif probability is not None:
        score = Score(
            label=LABELS[0], name="Pleural effusion", probability=probability, assessable=True
        )
        record = Record(key=name, status=Status.READ, scan=scan, scores=(score,))
    return Dealt(scan, -3600.0 * hours, record)


def test_unread_on_top_then_pending_then_by_priority_and_nothing_is_lost() -> None:
    coverage = cover(POLICY, LABELS, [fitted(*BINS), UNCALIBRATED, UNCALIBRATED])
    rows = rank(
        [
            dealt("late", 1, 0.1),
            dealt("early", 2, 0.1),
            dealt("urgent", 0, 0.9),
            dealt("pending", 0, None),
            dealt("failed", 0, None, refused=True),
            dealt("overdue", 30, 0.1),
        ],
        POLICY, coverage, now=0.0,
    )  # fmt: skip
    assert [row.scan.series for row in rows] == [
        "failed", "pending", "overdue", "urgent", "early", "late",
    ]  # fmt: skip
    assert [row.rank for row in rows] == [1, 2, 3, 4, 5, 6]
    assert rows[0].reasons == (Remark(code="GAP", meaning="slices are missing inside"),)
    assert [row.standing for row in rows[:3]] == list(Standing)
    assert [row.overdue for row in rows] == [False, False, True, False, False, False]
    assert [bool(row.flags) for row in rows] == [False, False, False, True, False, False]


def test_points_and_waiting_make_the_order_and_a_flag_alone_does_not() -> None:
    coverage = cover(POLICY, LABELS, [fitted(*BINS), UNCALIBRATED, UNCALIBRATED])
    low = coverage.watched[LABELS[0]].cut.threshold
    scans = [
        dealt("flagged", 0, low),
        dealt("waits", 0.9 * POLICY.max_wait_hours, low / 2),
        dealt("overdue", POLICY.max_wait_hours, 0.0),
    ]
    rows = rank(scans, POLICY, coverage, now=0.0)
    assert [row.scan.series for row in rows] == ["overdue", "waits", "flagged"]
    assert [bool(row.flags) for row in rows] == [False, False, True]


def test_where_the_policy_says_so_a_flag_passes_points_and_an_overdue_scan_a_fresh_flag() -> None:
    policy = POLICY.model_copy(update={"flagged_first": True})
    coverage = cover(POLICY, LABELS, [fitted(*BINS), UNCALIBRATED, UNCALIBRATED])
    watched = coverage.watched[LABELS[0]]
    low = watched.cut.threshold
    limit = POLICY.max_wait_hours
    rows = rank(
        [
            dealt("waits", 0.9 * limit, low / 2),
            dealt("flagged", 0, low),
            dealt("overdue", limit, 0.0),
            dealt("overdue and flagged", limit, low),
            dealt("fresh", 0, low / 2),
        ],
        policy, coverage, now=0.0,
    )  # fmt: skip
    names = [row.scan.series for row in rows]
    assert names == ["overdue and flagged", "overdue", "flagged", "waits", "fresh"]
    points = {row.scan.series: row.priority or 0.0 for row in rows}
    assert points["waits"] > points["flagged"]


@given(POINTS, POINTS, HOURS, st.booleans(), st.booleans(), st.booleans())
def test_who_waited_the_maximum_stands_before_whoever_just_came(
    old: float, new: float, extra: float, old_flag: bool, new_flag: bool, first: bool
) -> None:
    late, fresh = priority(old, 24 + extra, 24), priority(new, 0.0, 24)
    waited = precedence(flagged=old_flag, overdue=True, priority=late, flagged_first=first)
    came = precedence(flagged=new_flag, overdue=False, priority=fresh, flagged_first=first)
    assert waited >= came


def test_a_finding_that_needs_contrast_does_not_count_without_it() -> None:
    label = "clinical:pulmonary_embolism"
    coverage = cover(POLICY, (label,), [UNCALIBRATED])
    scan = Scan(identified=False)
    score = Score(label=label, name="Embolism", probability=0.9, assessable=False)
    record = Record(key="a", status=Status.READ, scan=scan, scores=(score,))
    (row,) = rank([Dealt(scan, 0.0, record)], POLICY, coverage, now=0.0)
    assert row.flags == ()
    assert row.urgency == 0
    assert row.not_assessable == ("Embolism",)
