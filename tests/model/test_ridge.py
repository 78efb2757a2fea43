import numpy as np
import pytest
import torch

from model.losses import Targets
from model.measures import macro_auroc
from model.networks.regional import RegionalReading
from model.ridge import fit_regional
from tests.model.phantom import make_chests

GRID, CELLS = (32, 32, 32), (4, 4, 4)


@pytest.fixture(scope="module")
def fitted():
    hu_nzyx, values_nl = make_chests(140)
    chance_n1 = np.random.default_rng(0).integers(0, 2, (140, 1))  # a label that nothing tells
    values_nl = np.hstack([values_nl, chance_n1]).astype(np.int8)
    branch = RegionalReading(GRID, CELLS, 4, values_nl.shape[1])
    cells = branch.kinds(torch.from_numpy(hu_nzyx))
    branch.set_typical(cells[:100].mean(dim=0))
    target = values_nl[:100].astype(np.float32)
    weight = np.ones_like(target)
    weight[:10, 0] = 0
    fit = fit_regional(
        branch,
        branch.features(cells[:100]),
        Targets(target, weight),
        [f"p{i // 2}" for i in range(100)],
    )
    with torch.inference_mode():
        return fit, branch(cells).numpy() + fit.bias_l, values_nl


def test_reads_unseen_chests(fitted):
    fit, logits_nl, values_nl = fitted
    assert macro_auroc(logits_nl[100:, :3], values_nl[100:, :3]) > 0.8
    assert np.isfinite(fit.penalty_l).all()


def test_out_of_fold_logits_are_as_good_as_on_unseen_chests_and_not_better(fitted):
    """In-sample logits would tell the trunk that nothing is left to learn."""
    fit, logits_nl, values_nl = fitted
    in_sample = macro_auroc(logits_nl[:100], values_nl[:100])
    out_of_fold = macro_auroc(fit.out_of_fold_nl, values_nl[:100])
    unseen = macro_auroc(logits_nl[100:], values_nl[100:])
    assert abs(out_of_fold - unseen) < 0.12
    assert out_of_fold < in_sample - 0.03


def test_a_label_with_one_value_is_left_at_zero():
    hu_nzyx, values_nl = make_chests(20)
    branch = RegionalReading(GRID, CELLS, 2, 3)
    target = values_nl.astype(np.float32)
    target[:, 1] = 0
    histograms = branch.features(branch.kinds(torch.from_numpy(hu_nzyx)))
    fit = fit_regional(
        branch, histograms, Targets(target, np.ones_like(target)), [str(i) for i in range(20)]
    )
    assert branch.tissues.weight[1].abs().max() == 0
    assert branch.tissues.weight[0].abs().max() > 0
    assert np.isnan(fit.penalty_l[1])


def test_a_few_voxels_that_stand_out_are_learnt_where_they_matter():
    """Balls anywhere in the lungs: no region has enough of them, the chest as a whole has."""
    random = np.random.default_rng(0)
    hu_nzyx = np.random.default_rng(1).normal(-850, 30, (120, *GRID)).astype(np.int16)
    values = (np.arange(120) % 2).astype(np.float32)[:, None]
    for hu_zyx in hu_nzyx[1::2]:
        z, y, x = random.integers(3, 26, 3)
        hu_zyx[z : z + 3, y : y + 3, x : x + 3] = 40
    for hu_zyx in hu_nzyx:  # vessels for everybody: as dense, but not standing out at their ends
        y, x = random.integers(0, 30, 2)
        hu_zyx[:, y : y + 2, x : x + 2] = 40
    branch = RegionalReading(GRID, CELLS, 4, 1)
    features = branch.features(branch.kinds(torch.from_numpy(hu_nzyx)))
    patients = [str(i) for i in range(120)]
    fit = fit_regional(branch, features, Targets(values, np.ones_like(values)), patients)
    assert fit.emphasis_l[0] > 0
    assert macro_auroc(fit.out_of_fold_nl, values.astype(np.int8)) > 0.9
