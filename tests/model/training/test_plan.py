import pytest

from model.training.plan import Plan, Steps


def test_an_epoch_shows_every_scan_once_in_an_order_of_its_own():
    plan = Plan(["a", "a", "b", "c", "c", "c", "d"], batch_size=3, epochs=20, seed=1)
    scan_of = [0, 0, 1, 2, 2, 2, 3]
    per_epoch = plan.steps_per_epoch
    epochs = [
        [int(r) for step in range(e * per_epoch, (e + 1) * per_epoch) for r in plan.rows(step)]
        for e in range(20)
    ]
    assert all(sorted(scan_of[row] for row in rows) == [0, 1, 2, 3] for rows in epochs)
    assert {row for rows in epochs for row in rows} == set(range(7))
    assert len({tuple(rows) for rows in epochs}) > 5
    assert [plan.rows(s).tolist() for s in (5, 0)] == [plan.rows(s).tolist() for s in (5, 0)]


@pytest.mark.parametrize(
    ("scans", "batch", "least"), [(3, 2, 2), (17, 16, 2), (9, 4, 4), (5, 8, 5)]
)
def test_no_step_is_too_small(scans, batch, least):
    plan = Plan([str(i) for i in range(scans)], batch, epochs=1, seed=0, least=least)
    sizes = [len(plan.rows(step)) for step in range(plan.steps)]
    assert sum(sizes) == scans
    assert min(sizes) >= least
    shares = [list(Steps(plan, 0, rank, least)) for rank in range(least)]
    for step in range(plan.steps):
        together = [row for share in shares for row in share[step]]
        assert sorted(together) == sorted(plan.rows(step).tolist())
