"""Drawing: a chest that measures like one, and every kind of finding where its box says."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from pipelines.synthetic import chest
from pipelines.synthetic.case import Case, Course, Side
from pipelines.synthetic.kinds import KINDS
from tests.pipelines.synthetic.scenes import COARSE, a_case, finding

MOVING = (
    "atelectasis",
    "cardiomegaly",
    "hiatal_hernia",
    "pericardial_effusion",
    "pleural_effusion",
)


def hu_of(case: Case) -> NDArray[np.int16]:
    return chest.draw(case)[0]


@pytest.fixture(scope="module")
def healthy() -> NDArray[np.int16]:
    return hu_of(a_case())


def test_a_healthy_chest_measures_like_one(healthy: NDArray[np.int16]) -> None:
    voxel_litres = 4.2 * 4.2 * 5.0 / 1e6
    middle = healthy[:, 20:80, 15:80]
    lung_litres = ((middle > -950) & (middle < -700)).sum() * voxel_litres
    assert 2.5 < lung_litres < 7
    lung = middle[(middle > -950) & (middle < -700)]
    assert -890 < np.median(lung) < -800
    assert ((healthy > -130) & (healthy < -80)).mean() > 0.03  # fat
    assert ((healthy > 20) & (healthy < 80)).mean() > 0.1  # muscle, blood, liver
    assert (healthy > 300).mean() > 0.002  # bone
    assert healthy[:, :4].max() < -800  # air before the patient


def test_drawing_is_repeatable_and_follows_the_seed() -> None:
    case = a_case(finding("nodule", size_mm=20.0, count=4))
    first, second = chest.draw(case), chest.draw(case)
    assert np.array_equal(first[0], second[0])
    assert np.array_equal(first[1], second[1])
    assert first[2] == second[2]
    assert not np.array_equal(first[0], hu_of(replace(case, seed=18)))


def test_axes_are_canonical() -> None:
    """Heart and stomach to the patient's left (+x), spine behind (+y), head up (+z)."""
    hu, affine, _ = chest.draw(a_case(acquisition=replace(COARSE, contrast=True)))
    assert (np.diag(affine) > 0).all()
    heart = np.argwhere((hu[19:24, :52] > 110) & (hu[19:24, :52] < 350))  # enhanced blood
    bone = np.argwhere(hu > 350)
    body = np.argwhere(hu > -200)
    assert bone[:, 1].mean() > body[:, 1].mean()
    tall = [(hu[k] > -500).sum() for k in (5, len(hu) // 2)]
    assert tall[0] > tall[1]  # the solid abdomen lies at the bottom
    assert heart[:, 2].mean() > body[:, 2].mean() + 1


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_changes_the_scan_inside_its_box(kind: str, healthy: NDArray[np.int16]) -> None:
    rng = np.random.default_rng(4)
    findings = tuple(KINDS[kind].plan(rng))
    hu, affine, drawn = chest.draw(a_case(*findings))
    assert [place.planned for place in drawn] == list(findings)
    change = np.abs(hu.astype(float) - healthy) > 60
    held = np.zeros_like(change)
    for place in drawn:
        held[_voxels(place.box_lps_mm, affine, margin_mm=8.0)] = True
    assert change[held].sum() > 4
    # What moves organs (a collapse, a large heart) changes places elsewhere too.
    if kind not in MOVING:
        assert change[held].sum() > 0.8 * change.sum()


def _voxels(
    box: tuple[float, ...], affine: NDArray[np.float64], margin_mm: float
) -> tuple[slice, slice, slice]:
    back = np.linalg.inv(affine)
    low = back @ [*(np.array(box[:3]) - margin_mm), 1]
    high = back @ [*(np.array(box[3:]) + margin_mm), 1]
    x, y, z = (slice(max(int(a), 0), int(b) + 2) for a, b in zip(low[:3], high[:3], strict=True))
    return z, y, x


def test_an_effusion_lies_at_the_back_of_its_side(healthy: NDArray[np.int16]) -> None:
    case = a_case(finding("pleural_effusion", side=Side.LEFT, size_mm=35.0))
    filled = np.argwhere((hu_of(case) > -60) & (healthy < -600))
    assert len(filled) > 300
    assert filled[:, 2].mean() > 52  # +x: left
    assert filled[:, 1].mean() > 50  # behind the middle


def test_a_large_heart_takes_room_from_the_lungs(healthy: NDArray[np.int16]) -> None:
    large = hu_of(a_case(finding("cardiomegaly", side=Side.MIDLINE)))
    assert (large > 0).sum() > 1.02 * (healthy > 0).sum()


def test_a_resolved_finding_is_not_drawn(healthy: NDArray[np.int16]) -> None:
    gone = finding("mass", size_mm=60.0, course=Course.RESOLVED)
    hu, _, drawn = chest.draw(a_case(gone))
    assert not drawn
    assert np.array_equal(hu, healthy)


def test_a_stable_nodule_stays_where_it_was() -> None:
    """Also when the next study is scanned otherwise and the heart has grown meanwhile."""
    nodule = finding("nodule", side=Side.RIGHT, lobe="right upper lobe", size_mm=24.0, place_seed=7)
    wires = finding("medical_device", side=Side.MIDLINE, texture="sternal_wires")
    fine = replace(COARSE, matrix=128, pixel_mm=3.1, slice_mm=3.0)
    heart = finding("cardiomegaly", side=Side.MIDLINE)
    places = []
    for case in (
        a_case(nodule, wires, seed=1),
        a_case(nodule, wires, heart, seed=2, acquisition=fine),
    ):
        boxes = {d.planned.finding: np.array(d.box_lps_mm) for d in chest.draw(case)[2]}
        assert 15 < (boxes["nodule"][3:] - boxes["nodule"][:3]).max() < 40
        places.append(boxes["nodule"] - boxes["medical_device"])
    assert np.allclose(places[0], places[1], atol=9)


def test_an_invisible_finding_hardly_changes_the_scan(healthy: NDArray[np.int16]) -> None:
    opacity = finding("ground_glass", texture="patchy")
    changes = [
        np.abs(hu_of(a_case(replace(opacity, visible=visible))).astype(float) - healthy).mean()
        for visible in (True, False)
    ]
    assert changes[1] < 0.35 * changes[0]


@pytest.mark.parametrize("kernel", ["soft", "sharp"])
def test_noise_is_as_planned(kernel: str) -> None:
    scan = replace(COARSE, kernel=kernel, noise_hu=30.0, matrix=128, pixel_mm=3.2)
    hu = hu_of(a_case(acquisition=scan))
    air = hu[:, 2:8, 40:90].astype(float)
    assert 12 < air.std() < 45


def test_variants_are_drawn() -> None:
    plain = hu_of(a_case())
    for variant in ("ecg_leads", "granuloma", "arms_down", "azygos_fissure", "pleural_fat"):
        assert (np.abs(hu_of(a_case(variants=(variant,))).astype(float) - plain) > 100).any()


def test_leads_lie_on_a_breast_not_in_it() -> None:
    woman = a_case(patient=replace(a_case().patient, sex="F", size_scale=1.05, seed=12))
    fine = replace(COARSE, matrix=192, pixel_mm=2.1)
    plain = hu_of(replace(woman, acquisition=fine))
    leads = hu_of(replace(woman, acquisition=fine, variants=("ecg_leads",)))
    z, y, x = np.nonzero((leads > 1500) & (plain < 200))
    assert len(z)
    before = np.where(plain > -500, np.arange(plain.shape[1])[:, None], plain.shape[1]).min(axis=1)
    # A wire may run along the skin's slope; an electrode is thicker than that.
    assert (y - before[z, x]).max() * fine.pixel_mm < 8
