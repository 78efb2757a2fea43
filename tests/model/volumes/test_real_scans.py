"""Public real scans: the right volume or the right refusal (the table of docs/volumes.md)."""

from pathlib import Path

import numpy as np
import pytest

from model.volumes import VolumeError, VolumeReason, read_volume

DATA = Path(__file__).parents[4] / "shared" / "data" / "ct"
pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="the shared real scans are not here")

R = VolumeReason
SYNTAXES = DATA / "robustness" / "transfer_syntaxes"
LOSSLESS = [
    "1.2",
    "1.2.1",
    "1.2.1.99",
    "1.2.2",
    "1.2.4.57",
    "1.2.4.70",
    "1.2.4.80",
    "1.2.4.90",
    "1.2.5",
]
LOSSY = {"1.2.4.50": 40, "1.2.4.51": 6, "1.2.4.53": 6, "1.2.4.55": 6, "1.2.4.81": 4, "1.2.4.91": 12}


@pytest.mark.parametrize(
    ("name", "shape", "spacing"),
    [
        ("cptac_chest", (99, 512, 512), (3, 0.5645, 0.5645)),
        ("lung_pet_ct_dx_A0001/kernel_1", (64, 512, 512), (5, 0.8418, 0.8418)),
        ("cip/dicom", (79, 64, 64), (3.9873, 4.1719, 4.1719)),
        ("cip/ct-64.nrrd", (79, 64, 64), (3.9873, 4.1719, 4.1719)),
        ("totalseg/example_ct.nii.gz", (112, 101, 122), (3, 3, 3)),
        ("robustness/gantry_tilt_step_change", (37, 611, 512), (4.0019, 0.4883, 0.4883)),
        ("robustness/jpeg2000_no_sopclass", (20, 512, 512), (2, 0.9766, 0.9766)),
    ],
)
def test_right_volume(
    name: str, shape: tuple[int, int, int], spacing: tuple[float, float, float]
) -> None:
    volume = read_volume(DATA / name)
    assert volume.hu_zyx.shape == shape
    assert volume.spacing_mm_zyx == pytest.approx(spacing, abs=1e-3)
    assert volume.hu_zyx.min() >= -1024


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("robustness/transfer_syntaxes", R.DUPLICATE_POSITION),
        ("robustness/broken_geometry/notavolume/001", R.DUPLICATE_POSITION),
        ("robustness/broken_geometry/sliceincrement/001", R.GAP),
        ("robustness/broken_geometry/sliceincrement/002", R.GAP),
        ("robustness/broken_geometry/slicecount/001", R.MODALITY),
        ("robustness/broken_geometry/sliceorientation/001", R.MODALITY),
        ("robustness/dose_reports", R.NO_IMAGES),
        ("robustness/mr_series", R.MODALITY),
        ("robustness/brain_mr_tagged_ct", R.NOT_HU),
        ("robustness/eCT_Supplemental.dcm", R.DERIVED),
        ("robustness/transfer_syntaxes/no-pixel-data.dcm", R.NO_IMAGES),
    ],
)
def test_right_refusal(name: str, reason: VolumeReason) -> None:
    with pytest.raises(VolumeError) as caught:
        read_volume(DATA / name)
    assert caught.value.reason is reason


def test_dicom_and_nrrd_of_one_scan_are_the_same_voxels() -> None:
    dicom, nrrd = read_volume(DATA / "cip" / "dicom"), read_volume(DATA / "cip" / "ct-64.nrrd")
    assert (dicom.hu_zyx == nrrd.hu_zyx).all()
    assert np.allclose(dicom.affine_lps, nrrd.affine_lps, atol=0.01)


def of_syntax(code: str) -> np.ndarray:
    return read_volume(next(SYNTAXES.glob(f"*_1.2.840.10008.{code}.dcm"))).hu_zyx


@pytest.mark.parametrize("code", LOSSLESS)
def test_lossless_syntaxes_are_equal_to_the_voxel(code: str) -> None:
    assert (of_syntax(code) == read_volume(SYNTAXES / "CTImage.dcm").hu_zyx).all()


@pytest.mark.parametrize("code", LOSSY)
def test_lossy_syntaxes_are_near(code: str) -> None:
    difference = of_syntax(code) - read_volume(SYNTAXES / "CTImage.dcm").hu_zyx.astype(int)
    assert np.abs(difference).mean() < LOSSY[code]


def test_the_soft_kernel_is_chosen_of_two() -> None:
    root = DATA / "lung_pet_ct_dx_A0001"
    volume = read_volume(root)
    assert volume.source.kernel == "B"
    assert any("soft kernel" in warning for warning in volume.warnings)
    other = read_volume(root / "kernel_1")
    assert read_volume(root, series=other.series_uid).source.kernel == "L"


def test_simpleitk_agrees_on_a_real_series() -> None:
    import SimpleITK as sitk  # noqa: N813 (the field's usual name)

    folder = DATA / "lung_pet_ct_dx_A0001" / "kernel_1"
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(folder)))
    image = reader.Execute()
    volume = read_volume(folder)
    assert (np.maximum(sitk.GetArrayFromImage(image), -1024) == volume.hu_zyx).all()
    assert volume.affine_lps[:3, 3] == pytest.approx(image.GetOrigin(), abs=1e-6)
    assert volume.spacing_mm_zyx[::-1] == pytest.approx(image.GetSpacing(), abs=1e-6)
