import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from configs import files
from configs.contracts import INTENDED_USE, InputError
from model import bundle as bundles
from model.bundle import Bundle, Member
from model.calibration import Calibration, CalibrationState, Knot, fit_calibration
from model.card import ModelCard, SplitCounts
from model.ensemble import as_one
from model.evidence import map_affine, peak_lps
from model.networks import build_network
from model.networks.sizes import size_of
from tests.model.archive import NAMES, PROFILE, prepared_of
from tests.model.phantom import make_chests

LABELS = tuple(f"ct_rate:{name}" for name in NAMES)


def made(network: str = "additive") -> Bundle:
    torch.manual_seed(0)
    counts = SplitCounts(patients=2, scans=2, volumes=3, positives=dict.fromkeys(NAMES, 1))
    card = ModelCard(
        training_data="synthetic",
        counts={"train": counts},
        metrics={"macro_auroc": 0.8},
        label_source="ct_rate",
        train_config={"epochs": 1},
        seconds=1.0,
        versions={"python": "3"},
    )
    calibrations = tuple(
        Calibration(CalibrationState.FITTED, 0.5 + i, -0.1 * i, 0.4, 12, 30) for i in range(3)
    )
    built = build_network(network, PROFILE, 3)
    return Bundle(
        PROFILE, network, size_of(network, "tiny"), LABELS, calibrations, card, built.eval()
    )


@pytest.fixture
def saved(tmp_path) -> Path:
    bundles.save(tmp_path / "bundle", made())
    return tmp_path / "bundle"


CHEST = make_chests(1)[0][0]


@pytest.mark.parametrize("network", ["additive", "resnet3d"])
def test_a_bundle_predicts_the_same_after_a_round_trip(tmp_path, network):
    bundle = made(network)
    bundles.save(tmp_path, bundle)
    loaded = bundles.load(tmp_path)
    before, after = bundle.predict(prepared_of(CHEST)), loaded.predict(prepared_of(CHEST))
    assert np.array_equal(before.logits_l, after.logits_l)
    assert np.array_equal(before.probabilities_l, after.probabilities_l)
    assert loaded.labels == LABELS == after.labels
    assert loaded.calibrations == bundle.calibrations
    assert loaded.card == bundle.card
    assert loaded.card.intended_use == INTENDED_USE
    assert np.allclose(loaded.logits([CHEST, CHEST])[1], after.logits_l, atol=1e-5)


def test_evidence_sums_to_the_logits_and_lies_in_the_patient(saved):
    prediction = bundles.load(saved).predict(prepared_of(CHEST))
    assert prediction.maps_lzyx is not None
    assert prediction.map_affine_lps is not None
    total = prediction.bias_l + prediction.maps_lzyx.sum(axis=(1, 2, 3))
    assert np.abs(total - prediction.logits_l).max() < 1e-4
    # 32 voxels of 10 mm in 4 cells: the first cell's centre lies 3.5 voxels in.
    assert prediction.map_affine_lps[:3, 3] == pytest.approx([35, 35, 35])
    assert np.diag(prediction.map_affine_lps)[:3] == pytest.approx([80, 80, 80])


@pytest.mark.parametrize("network", ["additive", "resnet3d"])
def test_an_ensemble_is_one_bundle(tmp_path, network):
    torch.manual_seed(1)
    members = [build_network(network, PROFILE, 3).eval() for _ in range(3)]
    for member in members:  # else every head starts at zero
        for parameter in member.parameters():
            torch.nn.init.normal_(parameter, std=0.02)
    named = tuple(Member(seed, 0.7, 4) for seed in range(3))
    bundle = replace(made(network), network=as_one(members), members=named)
    bundles.save(tmp_path, bundle)
    loaded = bundles.load(tmp_path)
    assert loaded.members == named
    assert loaded.has_evidence == (network == "additive")
    hu = torch.from_numpy(CHEST.copy())[None]
    with torch.inference_mode():
        mean = torch.stack([member(hu) for member in members]).mean(0)[0].numpy()
    prediction = loaded.predict(prepared_of(CHEST))
    assert prediction.logits_l == pytest.approx(mean, abs=1e-5)
    assert np.ptp(mean) > 0
    if prediction.maps_lzyx is not None:
        total = prediction.bias_l + prediction.maps_lzyx.sum(axis=(1, 2, 3))
        assert np.abs(total - prediction.logits_l).max() < 1e-4


def test_map_affine_keeps_the_box_of_an_oblique_grid():
    random = np.random.default_rng(0)
    affine = np.eye(4)
    affine[:3, :3] = np.linalg.qr(random.normal(size=(3, 3)))[0] * [2.0, 3.0, 4.0]
    affine[:3, 3] = random.normal(size=3)
    cells = map_affine(affine, (16, 24, 32), (2, 4, 8))
    for corner in ((0, 0, 0), (1, 1, 1), (1, 0, 1)):
        in_grid = affine @ [*(np.array(corner) * [32, 24, 16] - 0.5), 1]
        in_cells = cells @ [*(np.array(corner) * [8, 4, 2] - 0.5), 1]
        assert in_cells == pytest.approx(in_grid)
    evidence = np.zeros((2, 4, 8))
    evidence[1, 2, 5] = 1
    assert peak_lps(evidence, cells) == pytest.approx((cells @ [5, 2, 1, 1])[:3])
    # What speaks least against it, where nothing speaks for it.
    assert peak_lps(evidence - 2, cells) == pytest.approx((cells @ [5, 2, 1, 1])[:3])


def test_a_lesion_that_lies_in_several_cells_is_pointed_at_as_a_whole():
    cells = np.diag([24.0, 24.0, 24.0, 1.0])
    evidence = np.full((6, 6, 6), -0.5)
    evidence[1, 1, 1] = 3  # a vessel, say, in one cell
    evidence[3:5, 3:5, 3:5] = 1  # a lesion on the corner of eight
    assert peak_lps(evidence, cells) == pytest.approx((84, 84, 84))


def edit(path: Path, change) -> None:
    content = json.loads((path / "bundle.json").read_text())
    change(content)
    (path / "bundle.json").write_text(json.dumps(content))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c.update(format=1), "bundle format 1, this chestct reads 3"),
        (lambda c: c.update(preprocess_version=99), "preprocessing version 99"),
        (lambda c: c["labels"].reverse(), "lists other labels"),
        (lambda c: c["labels"][0].update(label="ct_rate:Nodule"), "lists other labels"),
        (lambda c: c.update(weights_sha256="0" * 64), "hash differs"),
        (lambda c: c.update(import_path="os.system"), "import_path: Extra inputs"),
        (lambda c: c["network"].update(name="os.system"), "network 'os.system'"),
        (lambda c: c["network"]["size"].update(stem_width=32), "do not fit the network"),
        (lambda c: c["network"]["members"].append({"seed": 1}), "do not fit the network"),
        (lambda c: c["network"]["members"].clear(), "members: List should have at least 1"),
        (lambda c: c["labels"][0].pop("calibration"), "calibration: Field required"),
        (lambda c: c["card"].pop("training_data"), "training_data: Field required"),
    ],
)
def test_a_changed_description_is_refused(saved, change, message):
    edit(saved, change)
    with pytest.raises(InputError, match=message):
        bundles.load(saved)


def test_changed_weights_are_refused(saved):
    weights = load_file(saved / "weights.safetensors")
    weights["bias"] += 1
    save_file(weights, saved / "weights.safetensors")
    with pytest.raises(InputError, match="hash differs"):
        bundles.load(saved)


def test_a_pickle_in_the_weights_place_is_never_opened(saved):
    marker = saved / "executed"

    class Payload:
        def __reduce__(self):
            return (marker.touch, ())

    torch.save(Payload(), saved / "weights.safetensors")
    edit(saved, lambda c: c.update(weights_sha256=files.sha256_of(saved / "weights.safetensors")))
    with pytest.raises(InputError, match="not a safetensors file"):
        bundles.load(saved)
    assert not marker.exists()


def test_what_is_missing_is_named(saved, tmp_path):
    (saved / "weights.safetensors").unlink()
    with pytest.raises(InputError, match="missing; copy the whole bundle"):
        bundles.load(saved)
    with pytest.raises(InputError, match="not a bundle"):
        bundles.load(tmp_path / "nowhere")


def test_a_scan_of_another_profile_is_refused(saved):
    prepared = prepared_of(CHEST)
    other = type(prepared)(
        prepared.hu_zyx,
        prepared.affine_lps,
        PROFILE.model_copy(update={"margin_mm": 3.0}),
        prepared.volume,
    )
    with pytest.raises(InputError, match="prepared for profile"):
        bundles.load(saved).predict(other)


def test_the_card_is_written_for_people_to_read(tmp_path):
    bundles.save(tmp_path, made())
    card = (tmp_path / "model_card.md").read_text()
    assert INTENDED_USE in card
    assert "Synthetic chests only" in card
    assert card.count("not validated |") == 2 * len(LABELS)


def test_a_curve_and_its_points_survive_a_round_trip(tmp_path):
    bundle = made()
    logits = np.random.default_rng(0).normal(0, 2, 600)
    fitted = replace(
        fit_calibration(logits, logits > np.random.default_rng(1).normal(0, 1, 600)),
        knots=(Knot(-1.0, 0.1), Knot(1.0, 0.7)),
    )
    assert fitted.sensitive is not None
    bundles.save(tmp_path, replace(bundle, calibrations=(fitted, *bundle.calibrations[1:])))
    loaded = bundles.load(tmp_path).calibrations[0]
    assert loaded == fitted
    assert np.array_equal(loaded.probability(logits), fitted.probability(logits))


def test_a_falling_curve_is_refused(saved):
    content = json.loads((saved / "bundle.json").read_text())
    content["labels"][0]["calibration"]["knots"] = [
        {"logit": 0.0, "probability": 0.6},
        {"logit": 1.0, "probability": 0.2},
    ]
    (saved / "bundle.json").write_text(json.dumps(content))
    with pytest.raises(InputError, match="knots must rise"):
        bundles.load(saved)
