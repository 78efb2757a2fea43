"""Series that look unusual and are right: each must come out exact, every voxel in its place."""

import random
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path

import numpy as np
import openjpeg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    RLELossless,
    generate_uid,
)

from model.volumes import Volume, read_volume
from tests.model.volumes.dicom_phantom import (
    Plan,
    make_series,
    misplaced,
    plane_hu,
    save,
    set_hu,
    set_stored,
    stored_of,
)

PLAN = Plan()
Change = Callable[[list[Dataset]], list[Dataset] | None]


def corners_of(volume: Volume) -> np.ndarray:
    ends = [(0, size - 1) for size in volume.hu_zyx.shape[::-1]]
    index = np.array([[i, j, k, 1] for i in ends[0] for j in ends[1] for k in ends[2]])
    corners = (index @ volume.affine_lps.T)[:, :3]
    return np.asarray(corners[np.lexsort(np.round(corners, 3).T)])


def planned_corners(plan: Plan) -> np.ndarray:
    row, column, normal = plan.axes
    corners = np.array(
        [
            np.array(plan.origin)
            + i * plan.column_spacing_mm * row
            + j * plan.row_spacing_mm * column
            + k * plan.step_mm * normal
            for i in (0, plan.columns - 1)
            for j in (0, plan.rows - 1)
            for k in (0, plan.slices - 1)
        ]
    )
    return np.asarray(corners[np.lexsort(np.round(corners, 3).T)])


def assert_exact(volume: Volume, plan: Plan = PLAN) -> None:
    assert misplaced(volume) == 0
    assert np.abs(corners_of(volume) - planned_corners(plan)).max() < 0.01
    directions = volume.affine_lps[:3, :3] / np.linalg.norm(volume.affine_lps[:3, :3], axis=0)
    assert (np.diag(directions) > 0.57).all(), "axes nearest to +x, +y, +z"
    assert (volume.hu_zyx > -1024).all()


def each(change: Callable[[Dataset], object]) -> Change:
    def on_all(series: list[Dataset]) -> None:
        for ds in series:
            change(ds)

    return on_all


def shuffled(series: list[Dataset]) -> list[Dataset]:
    return random.Random(1).sample(series, len(series))


def numbered_backwards(series: list[Dataset]) -> None:
    for number, ds in enumerate(series):
        ds.InstanceNumber = len(series) - number


def per_slice_rescale(series: list[Dataset]) -> None:
    for number, ds in enumerate(series):
        ds.RescaleSlope, ds.RescaleIntercept = (1, 0.5, 0.25)[number % 3], -1000 - 8 * number
        set_hu(ds, plane_hu(ds))


def garbage_above_stored_bits(ds: Dataset) -> None:
    ds.BitsStored, ds.HighBit = 12, 11
    set_stored(ds, stored_of(ds) & 0xFFF | 0xA000)


def signed_12_in_16(ds: Dataset) -> None:
    ds.RescaleIntercept, ds.PixelRepresentation = 0, 1
    ds.BitsStored, ds.HighBit = 12, 11
    set_stored(ds, np.rint(plane_hu(ds)).astype(np.int64) & 0xFFF)


def left_aligned_bits(ds: Dataset) -> None:
    ds.BitsStored, ds.HighBit = 12, 15
    set_stored(ds, stored_of(ds) << 4)


def with_scout(series: list[Dataset]) -> None:
    scout = deepcopy(series[0])
    scout.SOPInstanceUID = generate_uid()
    scout.ImageType = ["ORIGINAL", "PRIMARY", "LOCALIZER"]
    scout.ImageOrientationPatient = [1, 0, 0, 0, 0, -1]
    series.append(scout)


def with_unmarked_coronal(series: list[Dataset]) -> None:
    with_scout(series)
    series[-1].ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]


def with_dose_page(series: list[Dataset]) -> None:
    page = deepcopy(series[0])
    page.SOPInstanceUID, page.SOPClassUID = generate_uid(), "1.2.840.10008.5.1.4.1.1.7"
    page.ImageType = ["DERIVED", "SECONDARY", "DOSE_INFO"]
    del page.ImagePositionPatient, page.ImageOrientationPatient
    series.append(page)


def with_copies(series: list[Dataset]) -> None:
    for ds in series[3:5]:
        copy = deepcopy(ds)
        copy.SOPInstanceUID = generate_uid()
        series.append(copy)


def with_reformat(series: list[Dataset]) -> None:
    for ds in series[:8]:
        copy = deepcopy(ds)
        copy.SOPInstanceUID = generate_uid()
        copy.ImageType = ["DERIVED", "SECONDARY", "MPR"]
        copy.ImagePositionPatient[2] += 1
        set_hu(copy, plane_hu(copy) + 50)
        series.append(copy)


def second_kernel(series: list[Dataset]) -> None:
    for ds in list(series):
        copy = deepcopy(ds)
        copy.SOPInstanceUID, copy.ConvolutionKernel = generate_uid(), "B70f"
        set_hu(copy, plane_hu(copy) + 50)
        series.append(copy)


def second_phase(series: list[Dataset]) -> None:
    for ds in list(series):
        copy = deepcopy(ds)
        copy.SOPInstanceUID, copy.AcquisitionNumber = generate_uid(), 2
        series.append(copy)
        set_hu(copy, plane_hu(copy) * 1.0)
        copy.PixelData = copy.PixelData[:-2] + b"\x00\x01"


def two_times(series: list[Dataset]) -> None:
    second_phase(series)
    for number, ds in enumerate(series):
        ds.AcquisitionNumber = 1
        ds.AcquisitionTime = f"1000{number + 20 * (number >= 16):02d}.25"


def slightly_long_cosines(ds: Dataset) -> None:
    ds.ImageOrientationPatient = [1.004, 0, 0, 0, 0.997, 0]


def in_ten_steps(series: list[Dataset]) -> None:
    for number, ds in enumerate(series):
        ds.AcquisitionNumber = number + 1


def rounded_positions(ds: Dataset) -> None:
    ds.ImagePositionPatient = [f"{float(value):.6f}" for value in ds.ImagePositionPatient]


def compress(ds: Dataset, syntax: UID) -> None:
    if syntax != JPEG2000Lossless:
        ds.compress(syntax, generate_instance_uid=False)
        return
    packed = openjpeg.encode(stored_of(ds).astype(np.uint16), codec_format=0)
    ds.PixelData = encapsulate([packed])
    ds["PixelData"].VR, ds["PixelData"].is_undefined_length = "OB", True
    ds.file_meta.TransferSyntaxUID = syntax


def compressed(syntax: UID) -> Change:
    return each(lambda ds: compress(ds, syntax))


def mixed_syntaxes(series: list[Dataset]) -> None:
    for number, ds in enumerate(series):
        syntax = (None, RLELossless, JPEG2000Lossless, JPEGLSLossless)[number % 4]
        if syntax:
            compress(ds, syntax)


def big_endian(ds: Dataset) -> None:
    ds.PixelData = np.frombuffer(ds.PixelData, "<u2").astype(">u2").tobytes()
    ds.file_meta.TransferSyntaxUID = ExplicitVRBigEndian


def set_all(**values: object) -> Change:
    def apply(ds: Dataset) -> None:
        for name, value in values.items():
            setattr(ds, name, value)

    return each(apply)


def without(*names: str) -> Change:
    def apply(ds: Dataset) -> None:
        for name in names:
            delattr(ds, name)

    return each(apply)


VALID: dict[str, Change] = {
    "as it is": lambda series: None,
    "files in another order": shuffled,
    "numbered backwards": numbered_backwards,
    "no instance numbers": without("InstanceNumber"),
    "no patient tags": without("PatientID", "PatientName", "PatientBirthDate", "PatientSex"),
    "no SOP class": without("SOPClassUID"),
    "no frame of reference": without("FrameOfReferenceUID"),
    "no slice thickness": without("SliceThickness"),
    "thickness that lies": set_all(SliceThickness=5),
    "implicit little endian": each(
        lambda ds: setattr(ds.file_meta, "TransferSyntaxUID", ImplicitVRLittleEndian)
    ),
    "explicit big endian": each(big_endian),
    "deflated": each(
        lambda ds: setattr(ds.file_meta, "TransferSyntaxUID", DeflatedExplicitVRLittleEndian)
    ),
    "RLE": compressed(RLELossless),
    "JPEG 2000 lossless": compressed(JPEG2000Lossless),
    "JPEG-LS lossless": compressed(JPEGLSLossless),
    "several syntaxes in one series": mixed_syntaxes,
    "slope and intercept of each slice": per_slice_rescale,
    "garbage above the stored bits": each(garbage_above_stored_bits),
    "signed 12 bits in 16": each(signed_12_in_16),
    "bits aligned to the left": each(left_aligned_bits),
    "MONOCHROME1": set_all(PhotometricInterpretation="MONOCHROME1"),
    "a scout in the series": with_scout,
    "an unmarked coronal in the series": with_unmarked_coronal,
    "a dose page in the series": with_dose_page,
    "a reformat in the series": with_reformat,
    "identical copies": with_copies,
    "two kernels in the series": second_kernel,
    "two phases in the series": second_phase,
    "two phases told apart by time": two_times,
    "cosines a little off unit length": each(slightly_long_cosines),
    "an acquisition a slice": in_ten_steps,
    "positions to a micrometre": each(rounded_positions),
    "rescale type HU": set_all(RescaleType="HU"),
    "derived but axial": set_all(ImageType=["DERIVED", "SECONDARY", "AXIAL"]),
    "a padding value that is not there": set_all(PixelPaddingValue=63536),
}


@pytest.mark.parametrize("name", VALID)
def test_unusual_but_valid(name: str, tmp_path: Path) -> None:
    series = make_series(PLAN)
    series = VALID[name](series) or series
    volume = read_volume(save(series, tmp_path / "series"))
    assert_exact(volume)
    assert volume.series_uid == series[0].SeriesInstanceUID
    assert len(volume.source.instance_uids) == PLAN.slices


ORIENTATIONS = {
    "head first supine": (1, 0, 0, 0, 1, 0),
    "head first prone": (-1, 0, 0, 0, -1, 0),
    "feet first supine": (-1, 0, 0, 0, 1, 0),
    "feet first prone": (1, 0, 0, 0, -1, 0),
    "decubitus right": (0, 1, 0, -1, 0, 0),
    "decubitus left": (0, -1, 0, 1, 0, 0),
    "coronal": (1, 0, 0, 0, 0, -1),
    "sagittal": (0, 1, 0, 0, 0, -1),
    "oblique": (0.98480775, 0.17364818, 0, -0.17101007, 0.96984631, 0.17364818),
}


@pytest.mark.parametrize("name", ORIENTATIONS)
def test_any_orientation_becomes_canonical(name: str, tmp_path: Path) -> None:
    plan = Plan(orientation=ORIENTATIONS[name])
    volume = read_volume(save(make_series(plan), tmp_path / "series"))
    assert_exact(volume, plan)


def test_all_48_axis_codes_give_the_same_canonical_array(tmp_path: Path) -> None:
    axes = [np.array(axis) for axis in ((1, 0, 0), (0, 1, 0), (0, 0, 1))]
    for row in [sign * axis for axis in axes for sign in (1, -1)]:
        for column in [sign * axis for axis in axes for sign in (1, -1) if abs(axis @ row) < 0.5]:
            plan = Plan(5, 6, 7, orientation=(*map(float, row), *map(float, column)))
            code = "".join(f"{int(v):+d}" for v in (*row, *column))
            for order in (1, -1):
                series = make_series(plan)[::order]
                volume = read_volume(save(series, tmp_path / f"{code}{order}"))
                assert_exact(volume, plan)


@pytest.mark.parametrize("slices", [1, 2, 3])
def test_small_series_are_read(slices: int, tmp_path: Path) -> None:
    volume = read_volume(save(make_series(Plan(slices=slices)), tmp_path))
    assert volume.hu_zyx.shape == (slices, 40, 48)
    assert misplaced(volume) == 0
    assert volume.spacing_mm_zyx == pytest.approx((2.5, 0.9, 0.7))


def test_a_single_file_is_read_by_its_own_path(tmp_path: Path) -> None:
    folder = save(make_series(PLAN), tmp_path)
    volume = read_volume(sorted(folder.iterdir())[3])
    assert volume.hu_zyx.shape == (1, 40, 48)
    assert volume.affine_lps[2, 3] == pytest.approx(PLAN.origin[2] + 3 * PLAN.step_mm)


def test_each_file_in_a_folder_of_its_own(tmp_path: Path) -> None:
    for number, ds in enumerate(shuffled(make_series(PLAN))):
        save([ds], tmp_path / f"{number:06d}.dcm")
    assert_exact(read_volume(tmp_path))


def test_junk_beside_the_series_is_listed(tmp_path: Path) -> None:
    folder = save(make_series(PLAN), tmp_path)
    (folder / "empty").write_bytes(b"")
    (folder / "DICOMDIR").write_bytes(b"\0" * 400)
    (folder / "photo.jpg").write_bytes(b"\xff\xd8\xff\xe0" + b"x" * 300)
    (folder / "notes.txt").write_text("not a scan")
    volume = read_volume(folder)
    assert_exact(volume)
    assert any("4 left out" in warning for warning in volume.warnings)


def test_files_without_preamble_are_read(tmp_path: Path) -> None:
    folder = save(make_series(PLAN), tmp_path)
    for path in folder.iterdir():
        path.write_bytes(path.read_bytes()[132:])
    assert_exact(read_volume(folder))


@pytest.mark.parametrize("implicit", [True, False])
def test_bare_data_sets_are_read(implicit: bool, tmp_path: Path) -> None:
    folder = tmp_path / "series"
    folder.mkdir()
    for number, ds in enumerate(make_series(PLAN)):
        del ds.file_meta
        ds.save_as(folder / f"{number}", implicit_vr=implicit, little_endian=True)
    assert_exact(read_volume(folder))


def test_files_that_are_links_are_read(tmp_path: Path) -> None:
    for path in save(make_series(PLAN), tmp_path / "real").iterdir():
        (tmp_path / "links").mkdir(exist_ok=True)
        (tmp_path / "links" / path.name).symlink_to(path)
    assert_exact(read_volume(tmp_path / "links"))


@pytest.mark.parametrize("value", [-2000, -3000, -32768])
@pytest.mark.parametrize("tagged", [True, False])
def test_padding_is_minus_1024(value: int, tagged: bool, tmp_path: Path) -> None:
    series = make_series(Plan(signed=True, intercept=-100))
    yy, xx = np.indices((40, 48))
    outside = (yy - 19.5) ** 2 + (xx - 23.5) ** 2 > 324
    for ds in series:
        stored = stored_of(ds)
        stored[outside] = value
        set_stored(ds, stored)
        if tagged:
            ds.PixelPaddingValue = value
            ds["PixelPaddingValue"].VR = "SS"
    volume = read_volume(save(series, tmp_path))
    assert (volume.hu_zyx[:, outside] == -1024).all()
    assert (volume.hu_zyx[:, ~outside] > -1024).all()
    assert misplaced(volume) == 0


def test_a_padding_range_is_honoured(tmp_path: Path) -> None:
    series = make_series(Plan(intercept=-1024))
    for ds in series:
        stored = stored_of(ds)
        stored[0], stored[1] = 64000, 64500
        set_stored(ds, stored)
        ds.PixelPaddingValue, ds.PixelPaddingRangeLimit = 64000, 65000
        ds["PixelPaddingValue"].VR = ds["PixelPaddingRangeLimit"].VR = "US"
    volume = read_volume(save(series, tmp_path))
    assert (volume.hu_zyx[:, :2] == -1024).all()
    assert misplaced(volume) == 0


@pytest.mark.parametrize("degrees", [0.5, 2, 5, 12, 18.5, 30])
def test_gantry_tilt_is_corrected_by_its_shear(degrees: float, tmp_path: Path) -> None:
    tilt = np.radians(degrees)
    plan = Plan(orientation=(1, 0, 0, 0, float(np.cos(tilt)), float(-np.sin(tilt))))
    series = make_series(plan)
    for number, ds in enumerate(series):
        # The table moves along z while the planes lean.
        ds.ImagePositionPatient = [-16, -18, -20 + number * 2.5]
        set_hu(ds, plane_hu(ds))
    volume = read_volume(save(series, tmp_path))
    assert any("gantry tilt" in warning for warning in volume.warnings)
    assert misplaced(volume, tolerance_hu=1.01) < 0.025  # half a pixel at one edge
    assert misplaced(volume, tolerance_hu=2) == 0
    assert (volume.hu_zyx > -1024).sum() == 16 * 40 * 48


@pytest.mark.parametrize("slices", [16, 100])
def test_drift_within_a_millimetre_is_read(slices: int, tmp_path: Path) -> None:
    steps = np.linspace(2.49, 2.51, slices)
    series = make_series(Plan(slices=slices))
    for ds, z in zip(series, np.cumsum(steps), strict=True):
        ds.ImagePositionPatient[2] = f"{z:.6f}"
        set_hu(ds, plane_hu(ds))
    volume = read_volume(save(series, tmp_path))
    assert misplaced(volume, tolerance_hu=3.6) == 0  # 1 mm along z


CHANGING_STEPS = {
    "5 to 2.5 mm": (lambda k: 5 * k if k < 8 else 17.5 + 2.5 * k, 2.5, 23),
    "4 to 7 mm": (lambda k: 4 * k if k < 8 else 7 * k - 24, 4, 22),
    "7 to 4 mm": (lambda k: 7 * k if k < 8 else 4 * k + 21, 4, 21),
    "2.5 to 3.2 mm": (lambda k: 2.5 * k if k < 8 else 3.2 * k - 5.6, 2.5, 17),
    "4 to 7 mm, overlapping": (lambda k: 4 * k if k < 8 else 7 * k - 27, 4, 21),
    "4 to 7 mm, another step between": (lambda k: 4 * k if k < 8 else 7 * k - 22.5, 4, 21),
    "three runs": (lambda k: (5 * k, 25 + 2.5 * (k - 5), 37.5 + 5 * (k - 10))[(k > 5) + (k > 10)],
                   2.5, 26),
    "drift from 2 to 3 mm": (lambda k: 2 * k + k * k / 30, 2.5, 16),
}  # fmt: skip


@pytest.mark.parametrize("degrees", [0, 10])
@pytest.mark.parametrize("name", CHANGING_STEPS)
def test_steps_that_change_are_resampled_by_true_position(
    name: str, degrees: float, tmp_path: Path
) -> None:
    height, step, slices = CHANGING_STEPS[name]
    tilt = np.radians(degrees)
    plan = Plan(orientation=(1, 0, 0, 0, float(np.cos(tilt)), float(-np.sin(tilt))))
    series = make_series(plan)
    for number, ds in enumerate(series):
        ds.ImagePositionPatient = [-16, -18, f"{-20 + height(number) / np.cos(tilt):.6f}"]
        set_hu(ds, plane_hu(ds))
    volume = read_volume(save(series, tmp_path))
    assert any("resampled to" in warning for warning in volume.warnings)
    # Interpolation rounds, and a leaning stack's sides are half a pixel off.
    assert misplaced(volume, tolerance_hu=1.6) < (0.03 if degrees else 1e-9)
    assert misplaced(volume, tolerance_hu=2.6) == 0
    assert volume.spacing_mm_zyx[0] == pytest.approx(step, abs=0.02)
    assert volume.hu_zyx.shape[0] == len(volume.source.instance_uids)
    assert abs(volume.hu_zyx.shape[0] - slices) <= 1


def test_the_slices_of_the_finer_run_are_kept_as_they_are(tmp_path: Path) -> None:
    series = make_series(Plan())
    height = CHANGING_STEPS["4 to 7 mm"][0]
    rng = np.random.default_rng(0)
    images = rng.integers(-1000, 1000, (16, 40, 48))
    for number, ds in enumerate(series):
        ds.ImagePositionPatient[2] = f"{height(number)}"
        set_hu(ds, images[number])
    volume = read_volume(save(series, tmp_path))
    assert (volume.hu_zyx[:8] == images[:8]).all()
    assert volume.source.instance_uids[:8] == tuple(ds.SOPInstanceUID for ds in series[:8])


@pytest.fixture
def volume(tmp_path: Path) -> Volume:
    return read_volume(save(make_series(Plan(orientation=(1, 0, 0, 0, 0, -1))), tmp_path))


def test_a_voxel_leads_back_to_its_slice(volume: Volume, tmp_path: Path) -> None:
    import pydicom

    place = (volume.affine_lps @ np.array([3, 5, 7, 1]))[:3]
    index = {0: 7, 1: 5, 2: 3}[volume.source.instance_axis]
    uid = volume.source.instance_uids[index]
    ds = next(d for d in map(pydicom.dcmread, tmp_path.iterdir()) if uid == d.SOPInstanceUID)
    normal = np.cross(ds.ImageOrientationPatient[:3], ds.ImageOrientationPatient[3:])
    assert abs((place - np.array(ds.ImagePositionPatient, float)) @ normal) < 1e-6


def test_the_source_is_told_and_its_identities_are_not_printed(volume: Volume) -> None:
    source = volume.source
    assert (source.patient_id, source.accession, source.date) == ("P-000123", "A-77", "20200102")
    assert (source.sex, source.age_years, source.vendor, source.kernel) == (
        "F", 64, "siemens", "B30f",
    )  # fmt: skip
    assert source.contrast is None
    assert not source.synthetic
    assert source.shape == (16, 40, 48)
    for canary in ("P-000123", "A-77", "20200102", volume.series_uid, *source.instance_uids):
        assert canary not in repr(volume)


@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_random_valid_series_are_exact(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    angles = data.draw(st.tuples(*[st.floats(-3.1, 3.1)] * 3), label="angles")
    a, b, c = angles
    turn = (
        np.array([[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]])
        @ np.array([[np.cos(b), 0, np.sin(b)], [0, 1, 0], [-np.sin(b), 0, np.cos(b)]])
        @ np.array([[1, 0, 0], [0, np.cos(c), -np.sin(c)], [0, np.sin(c), np.cos(c)]])
    )
    millimetres = st.floats(0.4, 3)
    plan = Plan(
        slices=data.draw(st.integers(2, 9)),
        rows=data.draw(st.integers(2, 12)),
        columns=data.draw(st.integers(2, 12)),
        step_mm=data.draw(millimetres),
        row_spacing_mm=round(data.draw(millimetres), 4),
        column_spacing_mm=round(data.draw(millimetres), 4),
        orientation=(*map(float, turn[:, 0]), *map(float, turn[:, 1])),
        origin=data.draw(st.tuples(*[st.floats(-50, 50)] * 3)),
        signed=data.draw(st.booleans()),
    )
    series = data.draw(st.permutations(make_series(plan)))
    volume = read_volume(save(series, tmp_path_factory.mktemp("series")))
    assert misplaced(volume, tolerance_hu=0.53) == 0
    assert np.abs(corners_of(volume) - planned_corners(plan)).max() < 0.01
