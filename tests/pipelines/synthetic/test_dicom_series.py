"""Synthetic DICOM series: complete, honest about being synthetic, and read back as drawn."""

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pydicom
import pytest
import SimpleITK

from pipelines.synthetic import dicom_series
from tests.pipelines.synthetic.scenes import COARSE, a_case

AFFINE = np.array([[4.2, 0, 0, -80.5], [0, 4.2, 0, -190.25], [0, 0, 5, -400], [0, 0, 0, 1.0]])


def hu_ramp(slices: int = 6) -> np.ndarray:
    rng = np.random.default_rng(0)
    return rng.integers(-1024, 3071, (slices, 96, 96)).astype(np.int16)


@pytest.mark.parametrize("vendor", ["SYNTHETIC Alpha", "SYNTHETIC Gamma"])
@pytest.mark.parametrize("position", ["HFS", "FFS"])
def test_an_independent_reader_gives_back_voxels_and_geometry(
    tmp_path: Path, vendor: str, position: str
) -> None:
    scan = replace(COARSE, vendor=vendor, patient_position=position)
    hu = hu_ramp()
    dicom_series.write(a_case(acquisition=scan), hu, AFFINE, tmp_path)
    reader = SimpleITK.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(tmp_path)))
    image = reader.Execute()
    assert np.array_equal(SimpleITK.GetArrayFromImage(image), hu)
    assert image.GetSpacing() == pytest.approx((4.2, 4.2, 5.0))
    assert image.GetOrigin() == pytest.approx((-80.5, -190.25, -400))
    assert image.GetDirection() == (1, 0, 0, 0, 1, 0, 0, 0, 1)


def test_a_head_first_scan_is_numbered_from_the_head(tmp_path: Path) -> None:
    for position, first_z in (("HFS", -375.0), ("FFS", -400.0)):
        scan = replace(COARSE, patient_position=position)
        path = dicom_series.write(a_case(acquisition=scan), hu_ramp(), AFFINE, tmp_path / position)
        assert pydicom.dcmread(path[0]).ImagePositionPatient[2] == first_z


def test_every_header_says_synthetic_and_is_a_ct_image(tmp_path: Path) -> None:
    paths = dicom_series.write(a_case(), hu_ramp(2), AFFINE, tmp_path)
    headers = [pydicom.dcmread(path) for path in paths]
    for header in headers:
        assert header.SOPClassUID == pydicom.uid.CTImageStorage
        for keyword in ("PatientName", "SeriesDescription", "StudyDescription", "ImageComments"):
            assert "SYNTHETIC" in str(header[keyword].value)
        assert header.ImageType == ["ORIGINAL", "PRIMARY", "AXIAL"]
        assert header.ConvolutionKernel == "B30f"
        assert header.PatientAge == "061Y"
        assert "ContrastBolusAgent" not in header
    assert len({header.SOPInstanceUID for header in headers}) == 2
    assert len({header.SeriesInstanceUID for header in headers}) == 1


def test_contrast_is_declared(tmp_path: Path) -> None:
    case = a_case(acquisition=replace(COARSE, contrast=True))
    path = dicom_series.write(case, hu_ramp(1), AFFINE, tmp_path)[0]
    assert pydicom.dcmread(path).ContrastBolusAgent


def test_the_same_case_gives_the_same_bytes(tmp_path: Path) -> None:
    first = dicom_series.write(a_case(), hu_ramp(1), AFFINE, tmp_path / "a")[0]
    second = dicom_series.write(a_case(), hu_ramp(1), AFFINE, tmp_path / "b")[0]
    assert first.read_bytes() == second.read_bytes()


@pytest.mark.external
@pytest.mark.skipif(shutil.which("dciodvfy") is None, reason="needs dciodvfy (dicom3tools)")
@pytest.mark.parametrize("position", ["HFS", "FFS"])
def test_the_standard_s_own_checker_finds_no_error(tmp_path: Path, position: str) -> None:
    scan = replace(COARSE, patient_position=position, contrast=True)
    path = dicom_series.write(a_case(acquisition=scan), hu_ramp(2), AFFINE, tmp_path)[0]
    checked = subprocess.run(["dciodvfy", path], capture_output=True, text=True, check=False)
    assert "CTImage" in checked.stderr + checked.stdout
    assert "Error" not in checked.stderr + checked.stdout
