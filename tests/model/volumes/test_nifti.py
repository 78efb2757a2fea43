"""NIfTI: where common readers guess or disagree there is one rule, or a refusal."""

import gzip
import random
from pathlib import Path

import numpy as np
import pytest

from model.volumes import VolumeReason, find_volumes, read_volume
from tests.model.volumes.damage import flipped, is_caught
from tests.model.volumes.dicom_phantom import misplaced
from tests.model.volumes.phantom import affine_of, chest, with_round_field
from tests.model.volumes.small_phantom import AFFINE, HU, assert_exact, refused

nibabel = pytest.importorskip("nibabel", reason="nibabel writes the test files")

R = VolumeReason
LPS = np.diag([-1.0, -1.0, 1.0, 1.0])


def image(hu: np.ndarray = HU, affine: np.ndarray = AFFINE) -> "nibabel.Nifti1Image":
    made = nibabel.Nifti1Image(hu.transpose(2, 1, 0), LPS @ affine)
    made.header.set_xyzt_units("mm")
    return made


def saved(made: "nibabel.Nifti1Image", folder: Path, name: str = "x.nii.gz") -> Path:
    nibabel.save(made, folder / name)
    return folder / name


def patched(folder: Path, offset: int, value: np.ndarray | np.generic) -> Path:
    """A valid .nii with some header bytes overwritten."""
    path = saved(image(), folder, "x.nii")
    content = bytearray(path.read_bytes())
    packed = value.tobytes()
    content[offset : offset + len(packed)] = packed
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("name", ["x.nii", "x.nii.gz"])
@pytest.mark.parametrize("dtype", ["i2", "i4", "f4", "f8", ">i2", ">f4"])
def test_every_number_type(name: str, dtype: str, tmp_path: Path) -> None:
    assert_exact(read_volume(saved(image(HU.astype(dtype)), tmp_path, name)))


def test_one_value_around_the_round_field_is_padding(tmp_path: Path) -> None:
    affine = affine_of((5.0, 5.0, 5.0))
    scan = read_volume(saved(image(with_round_field(chest()), affine), tmp_path))
    assert any("round field" in warning for warning in scan.warnings)
    assert np.array_equal(scan.hu_zyx, with_round_field(chest(), -1024))


def test_nifti_2(tmp_path: Path) -> None:
    made = nibabel.Nifti2Image(HU.transpose(2, 1, 0), LPS @ AFFINE)
    assert_exact(read_volume(saved(made, tmp_path)))


@pytest.mark.parametrize("axes", ["RAS", "LPS", "LAS", "PIR", "SAR", "ILP"])
def test_any_axis_order_is_the_same_volume(axes: str, tmp_path: Path) -> None:
    orientation = nibabel.orientations
    start = orientation.io_orientation(image().affine)
    turned = image().as_reoriented(
        orientation.ornt_transform(start, orientation.axcodes2ornt(axes))
    )
    assert_exact(read_volume(saved(turned, tmp_path)))


def test_only_qform_and_only_sform(tmp_path: Path) -> None:
    for sform, qform in ((0, 1), (1, 0), (2, 1)):
        made = image()
        affine = made.affine.copy()
        made.set_sform(affine, sform, update_affine=False)
        made.set_qform(affine, qform, update_affine=False)
        assert_exact(read_volume(saved(made, tmp_path)))


def test_contradicting_forms_are_refused(tmp_path: Path) -> None:
    made = image()
    flipped = made.affine.copy()
    flipped[0] *= -1
    made.set_sform(made.affine, 1)
    made.set_qform(flipped, 1)
    assert refused(saved(made, tmp_path)) is R.ORIENTATION
    shifted = made.affine.copy()
    shifted[2, 3] += 1.5
    made.set_qform(shifted, 1)
    assert refused(saved(made, tmp_path)) is R.ORIENTATION
    shifted[2, 3] -= 1.4
    made.set_qform(shifted, 1)
    read_volume(saved(made, tmp_path))


def test_no_form_at_all_is_refused(tmp_path: Path) -> None:
    made = image()
    made.set_sform(made.affine, 0)
    made.set_qform(made.affine, 0)
    assert refused(saved(made, tmp_path)) is R.ORIENTATION


@pytest.mark.parametrize(
    ("slope", "intercept", "expected"),
    [
        (1, 0, None),
        (0, 0, None),
        (np.nan, np.nan, None),
        (np.nan, 0, None),
        (0, -1024, R.HU_UNKNOWN),
        (np.nan, 5, R.HU_UNKNOWN),
        (np.inf, 0, R.HU_UNKNOWN),
        (1, np.nan, R.HU_UNKNOWN),
        (1, np.inf, R.HU_UNKNOWN),
    ],
)
def test_slope_rules(
    slope: float, intercept: float, expected: VolumeReason | None, tmp_path: Path
) -> None:
    path = patched(tmp_path, 112, np.array([slope, intercept], "<f4"))
    if expected is None:
        assert_exact(read_volume(path))
    else:
        assert refused(path) is expected


def test_slope_and_intercept_are_applied(tmp_path: Path) -> None:
    path = saved(image(((HU + 1024) * 2).astype("i2")), tmp_path, "x.nii")
    content = bytearray(path.read_bytes())
    content[112:120] = np.array([0.5, -1024], "<f4").tobytes()
    path.write_bytes(content)
    assert_exact(read_volume(path))


def test_units(tmp_path: Path) -> None:
    for unit, scale in (("meter", 0.001), ("micron", 1000), ("unknown", 1)):
        affine = np.diag([scale, scale, scale, 1.0]) @ AFFINE
        made = image(HU, affine)
        made.header.set_xyzt_units(unit)
        assert_exact(read_volume(saved(made, tmp_path)))
    made = image()
    made.header.set_xyzt_units("meter")
    assert refused(saved(made, tmp_path)) is R.SPACING


def test_pixdim_zero_and_pixdim_that_contradicts(tmp_path: Path) -> None:
    def with_pixdim(values: list[float]) -> Path:
        path = patched(tmp_path, 80, np.array(values, "<f4"))
        content = bytearray(path.read_bytes())
        content[252:256] = np.array([0, 1], "<i2").tobytes()
        path.write_bytes(content)
        return path

    volume = read_volume(with_pixdim([0, 0, 0]))
    assert_exact(volume)
    assert any("pixdim" in warning for warning in volume.warnings)
    assert refused(with_pixdim([0.7, 0.7, 5])) is R.SPACING


def test_no_numbers_become_padding_with_a_warning(tmp_path: Path) -> None:
    hu = HU.astype("f4")
    hu[2, 3, 4], hu[0, 0, 0] = np.nan, np.inf
    volume = read_volume(saved(image(hu), tmp_path))
    assert volume.hu_zyx[2, 3, 4] == volume.hu_zyx[0, 0, 0] == -1024
    assert misplaced(volume) == 0
    assert any("2 voxels are no numbers" in warning for warning in volume.warnings)


def test_values_that_no_scanner_makes_are_refused(tmp_path: Path) -> None:
    assert refused(saved(image(HU.astype("i4") + 100_000), tmp_path)) is R.NOT_HU
    metal = HU.astype("i4")
    metal[0, 0, 0] = 65000
    volume = read_volume(saved(image(metal), tmp_path))
    assert volume.hu_zyx.max() == 32767
    assert any("clipped" in warning for warning in volume.warnings)


def test_padding_is_minus_1024(tmp_path: Path) -> None:
    hu = HU.copy()
    hu[:, 0] = -3024
    assert (read_volume(saved(image(hu), tmp_path)).hu_zyx[:, 0] == -1024).all()


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda: nibabel.Nifti1Image(np.zeros((4, 4, 4, 3), "i2"), np.eye(4)), R.PIXEL_FORMAT),
        (lambda: nibabel.Nifti1Image(np.zeros((4, 4), "i2"), np.eye(4)), R.PIXEL_FORMAT),
        (lambda: nibabel.Nifti1Image(np.zeros((4, 4, 4), "c8"), np.eye(4)), R.PIXEL_FORMAT),
        (lambda: image(HU, AFFINE * [[1, 1, 1, 1]] + [[0, 0.3, 0, 0]] + 0), R.ORIENTATION),
        (lambda: image(HU, AFFINE @ np.diag([100, 100, 100, 1])), R.SPACING),
    ],
    ids=["4D", "2D", "complex", "sheared", "centimetres"],
)
def test_what_is_no_plain_volume_is_refused(
    make: object, expected: VolumeReason, tmp_path: Path
) -> None:
    made = make()
    made.set_qform(None, 0)
    assert refused(saved(made, tmp_path)) is expected


def test_four_dimensions_of_one_volume_are_read(tmp_path: Path) -> None:
    made = nibabel.Nifti1Image(HU.transpose(2, 1, 0)[..., None], LPS @ AFFINE)
    assert_exact(read_volume(saved(made, tmp_path)))


def test_not_a_nifti(tmp_path: Path) -> None:
    for content in (b"", b"hello", b"\0" * 400, gzip.compress(b"hello")):
        (tmp_path / "x.nii.gz").write_bytes(content)
        assert refused(tmp_path / "x.nii.gz") in (R.UNREADABLE, R.TRUNCATED)


def test_a_plain_file_cut_short_or_too_long_is_refused(tmp_path: Path) -> None:
    path = saved(image(), tmp_path, "x.nii")
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    assert refused(path) is R.TRUNCATED
    path.write_bytes(whole + b"\0")
    assert refused(path) is R.SIZE


def test_every_cut_of_a_gzip_file_is_refused(tmp_path: Path) -> None:
    path = saved(image(), tmp_path)
    whole = path.read_bytes()
    for count in np.linspace(1, len(whole) - 1, 100, dtype=int):
        path.write_bytes(whole[:count])
        assert refused(path) in (R.TRUNCATED, R.CHECKSUM, R.UNREADABLE)


def test_no_flipped_bit_of_a_gzip_file_changes_the_volume(tmp_path: Path) -> None:
    path = saved(image(), tmp_path)
    whole = path.read_bytes()
    right = read_volume(path)
    dice = random.Random(5)
    for _ in range(400):
        path.write_bytes(flipped(whole, dice))
        assert is_caught(path, right)


def test_a_twin_without_gz_is_not_read_instead(tmp_path: Path) -> None:
    path = saved(image(), tmp_path)
    saved(image(HU + 500), tmp_path, "x.nii")
    volume = read_volume(path)
    assert_exact(volume)
    assert any("beside it, unread" in warning for warning in volume.warnings)


def test_a_small_file_that_promises_much_is_refused_at_once(tmp_path: Path) -> None:
    zeros = np.zeros((2000, 512, 512), "u1")
    path = saved(image(zeros), tmp_path)
    assert path.stat().st_size < 3 << 20
    assert refused(path) is R.TOO_LARGE


def test_the_file_s_name_is_its_identifier(tmp_path: Path) -> None:
    volume = read_volume(saved(image(), tmp_path, "train_1_a_1.nii.gz"))
    assert (volume.series_uid, volume.source.accession) == ("train_1_a_1", "train_1_a_1")
    assert volume.source.format == "nii"
    assert [item.series_uid for item in find_volumes(tmp_path)] == ["train_1_a_1"]
