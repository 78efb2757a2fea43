"""`chestct report` on a made scan: what it writes, what it refuses, what it never writes."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

from configs import files
from configs.contracts import INTENDED_USE, InputError
from configs.profile import load_profile
from model import bundle as bundles
from model.calibration import UNCALIBRATED, Calibration, CalibrationState
from model.card import ModelCard
from model.networks import build_network
from model.networks.sizes import SIZES
from pipelines.rendering.content import ScanReport, Status
from pipelines.rendering.finding_wording import chance
from pipelines.report import report
from tests.model.volumes.phantom import chest

IDENTITIES = {
    "PatientName": "Canary^Name",
    "PatientID": "CANARY-ID",
    "AccessionNumber": "CANARY-ACC",
    "PatientBirthDate": "19410203",
    "StudyDate": "20191230",
    "InstitutionName": "Canary Hospital",
    "ReferringPhysicianName": "Canary^Referrer",
    "StudyDescription": "Canary study",
    "SeriesDescription": "Canary series",
}
STUDY, SERIES = generate_uid(entropy_srcs=["study"]), generate_uid(entropy_srcs=["series"])


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle with an untrained network: real arithmetic, meaningless numbers."""
    profile, labels = load_profile("tiny"), ("ct_rate:Lung nodule", "ct_rate:Pleural effusion")
    card = ModelCard(
        training_data="synthetic",
        counts={},
        metrics={},
        label_source="ct_rate",
        train_config={},
        seconds=0.0,
        versions={},
    )
    fitted = Calibration(CalibrationState.FITTED, 1.0, 0.0, 0.3, 20, 30)
    network = build_network("additive", profile, len(labels), SIZES["tiny"])
    path = tmp_path_factory.mktemp("bundle")
    bundle = bundles.Bundle(
        profile, "additive", SIZES["tiny"], labels, (fitted, UNCALIBRATED), card, network
    )
    bundles.save(path, bundle)
    return path


def write_series(
    folder: Path,
    hu_zyx: np.ndarray,
    spacing_mm: float = 5.0,
    fill: Callable[[Dataset], None] = lambda image: None,
) -> Path:
    """A CT series of axial slices, feet first; `fill` may add to each header."""
    folder.mkdir(parents=True)
    for index, hu_yx in enumerate(hu_zyx):
        image = Dataset()
        image.file_meta = FileMetaDataset()
        image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        image.file_meta.MediaStorageSOPClassUID = image.SOPClassUID = CTImageStorage
        uid = generate_uid(entropy_srcs=[str(index)])
        image.file_meta.MediaStorageSOPInstanceUID = image.SOPInstanceUID = uid
        for tag, value in IDENTITIES.items():
            setattr(image, tag, value)
        image.Modality = "CT"
        image.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
        image.StudyInstanceUID, image.SeriesInstanceUID = STUDY, SERIES
        image.FrameOfReferenceUID = generate_uid(entropy_srcs=["frame"])
        image.InstanceNumber = index + 1
        image.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
        image.ImagePositionPatient = [-200.0, -200.0, index * spacing_mm]
        image.PixelSpacing, image.SliceThickness = [spacing_mm, spacing_mm], spacing_mm
        image.Rows, image.Columns = hu_yx.shape
        image.SamplesPerPixel, image.PhotometricInterpretation = 1, "MONOCHROME2"
        image.BitsAllocated = image.BitsStored = 16
        image.HighBit, image.PixelRepresentation = 15, 1
        image.RescaleSlope, image.RescaleIntercept, image.RescaleType = 1, 0, "HU"
        image.PixelData = hu_yx.astype("<i2").tobytes()
        fill(image)
        pydicom.dcmwrite(folder / f"{index:03}.dcm", image, enforce_file_format=True)
    return folder


@pytest.fixture(scope="module")
def scan(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_series(tmp_path_factory.mktemp("archive") / "scan", chest())


@pytest.fixture(scope="module")
def out(scan: Path, model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("out")
    report(scan, model=model, out=out, quiet=True)
    return out


def written(out: Path) -> str:
    return "".join(
        (out / name).read_text(encoding="utf-8") for name in ("report.json", "report.html")
    )


def test_a_scan_gets_its_probabilities_and_its_page(out: Path, model: Path) -> None:
    content = ScanReport.model_validate_json((out / "report.json").read_text())
    assert content.status is Status.READ
    assert [f.label for f in content.findings] == list(bundles.load(model).labels)
    assert [f.calibrated for f in content.findings] == [True, False]
    for finding in content.findings:
        assert finding.evidence is not None
        total = finding.evidence.bias + finding.evidence.supporting + finding.evidence.opposing
        assert total == pytest.approx(finding.logit, abs=1e-4)
    page = (out / "report.html").read_text(encoding="utf-8")
    assert INTENDED_USE in page
    assert "Trained on synthetic scans only" in page
    assert len(page) < 15_000_000
    run = json.loads((out / "run.json").read_text())
    assert run["counts"] == {"findings": 2, "rejected": 0}
    assert {"read scan", "predict", "write json", "write html"} <= set(run["stage_seconds"])


def test_nobody_is_named_unless_asked(out: Path, scan: Path, model: Path, tmp_path: Path) -> None:
    canaries = [*IDENTITIES.values(), STUDY, SERIES]
    assert [canary for canary in canaries if canary in written(out)] == []
    assert "20191230" not in written(out)

    report(scan, model=model, out=tmp_path, identified=True, quiet=True)
    content = json.loads((tmp_path / "report.json").read_text())["scan"]
    assert content["patient_id"] == "CANARY-ID"
    assert content["accession"] == "CANARY-ACC"
    assert content["series"] == SERIES
    for never in ("Canary^Name", "Canary Hospital", "Canary^Referrer", "19410203"):
        assert never not in written(tmp_path)


def test_a_scan_that_is_no_chest_gets_reasons_and_no_number(model: Path, tmp_path: Path) -> None:
    noise = np.random.default_rng(0).normal(0, 400, (40, 64, 64))
    scan = write_series(tmp_path / "scan", noise)
    out = tmp_path / "out"
    files.write_text(out / "report.html", "another scan's page")
    with pytest.raises(InputError) as refused:
        report(scan, model=model, out=out)
    assert "\n" not in str(refused.value)
    content = ScanReport.model_validate_json((out / "report.json").read_text())
    assert content.status is Status.REFUSED
    assert content.findings == ()
    assert content.quality.reasons
    assert '"probability"' not in (out / "report.json").read_text()
    page = (out / "report.html").read_text(encoding="utf-8")
    assert content.quality.reasons[0].code in page
    assert "another scan" not in page
    rejected = files.read_table(out / "rejected.parquet").to_pylist()
    assert [r["reason"] for r in rejected] == [r.code for r in content.quality.reasons]


def test_a_file_that_is_no_scan_is_refused_with_its_reason(model: Path, tmp_path: Path) -> None:
    scan = tmp_path / "Canary^Name.txt"
    scan.write_text("not a scan")
    with pytest.raises(InputError):
        report(scan, model=model, out=tmp_path / "out")
    content = ScanReport.model_validate_json((tmp_path / "out" / "report.json").read_text())
    assert content.status is Status.REFUSED
    assert content.geometry is None
    assert "Canary" not in written(tmp_path / "out")


def test_what_is_not_there_is_said_and_nothing_is_written(model: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        report(tmp_path / "absent", model=model, out=tmp_path / "out")
    with pytest.raises(InputError, match="not a bundle"):
        report(model, model=tmp_path, out=tmp_path / "out")
    assert not list((tmp_path / "out").glob("*"))


def test_the_summary_names_the_page(
    scan: Path, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report(scan, model=model, out=tmp_path, timings=True)
    printed = capsys.readouterr().out
    assert str(tmp_path / "report.html") in printed
    assert INTENDED_USE in printed
    assert "predict" in printed


def test_the_summary_marks_what_is_not_calibrated(
    scan: Path, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content = report(scan, model=model, out=tmp_path)
    printed = capsys.readouterr().out
    shown = [f for f in content.findings if f.decision.value in ("present", "indeterminate")]
    assert [f.name for f in shown if not f.calibrated] == ["Pleural effusion"]
    (line,) = (line for line in printed.splitlines() if line.startswith("Pleural effusion"))
    assert line.count("*") == 2  # the probability and its threshold
    assert "1 of 2 findings are not calibrated on enough cases" in " ".join(printed.split())
    assert f"Pleural effusion {chance(content.findings[1])}" in content.draft.replace(",", "")


TEXT_REPORT = "INDICATION: Cough.\nFINDINGS: No nodule. A left pleural effusion.\n"


def test_all_forms_have_the_same_numbers_and_flags(scan: Path, model: Path, tmp_path: Path) -> None:
    pytest.importorskip("weasyprint", reason="the extra `pdf` is not installed")
    (tmp_path / "text.txt").write_text(TEXT_REPORT)
    out = tmp_path / "out"
    content = report(
        scan, model=model, out=out, form="json,html,pdf",
        report_text=tmp_path / "text.txt", quiet=True,
    )  # fmt: skip
    saved = ScanReport.model_validate_json((out / "report.json").read_text())
    assert saved == content
    page = (out / "report.html").read_text(encoding="utf-8")
    for finding in content.findings:
        assert f"{finding.name}" in page
        assert f">{chance(finding)}<" in page.replace("&lt;", "<").replace("&gt;", ">")
    assert (out / "report.pdf").read_bytes().startswith(b"%PDF")
    assert content.text_report is not None
    assert [f.value.value for f in content.text_report.findings] == ["absent", "present"]
    assert "A left pleural effusion." in page
    assert content.text_report.indication == "Cough."
    for record in ("run.json", "rejected.parquet"):
        assert b"effusion" not in (out / record).read_bytes()


def test_a_report_of_an_archive_is_named_by_its_identifier(
    scan: Path, model: Path, tmp_path: Path
) -> None:
    archive = tmp_path / "reports.csv"
    archive.write_text("AccessionNo,report_text\nA1,No nodule.\nA2,A large nodule.\n")
    content = report(
        scan, model=model, out=tmp_path / "out", form="json",
        report_text=archive, report_id="A2", quiet=True,
    )  # fmt: skip
    assert content.text_report is not None
    assert content.text_report.text == "A large nodule."
    assert sorted(path.name for path in (tmp_path / "out").glob("report.*")) == ["report.json"]
    with pytest.raises(InputError, match="report-id"):
        report(scan, model=model, out=tmp_path / "out", report_text=archive, quiet=True)
    with pytest.raises(InputError, match="no readable report"):
        report(
            scan, model=model, out=tmp_path / "out", report_text=archive, report_id="A3", quiet=True
        )


def test_a_form_that_cannot_be_written_is_named_and_the_others_are_written(
    scan: Path, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.setitem(sys.modules, "weasyprint", None)
    report(scan, model=model, out=tmp_path, form="pdf,json")
    assert "chestct[pdf]" in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.glob("report.*")) == ["report.json"]
    with pytest.raises(InputError, match="chestct\\[pdf\\]"):
        report(scan, model=model, out=tmp_path, form="pdf", quiet=True)
    with pytest.raises(InputError, match="are the forms"):
        report(scan, model=model, out=tmp_path, form="docx", quiet=True)


def test_without_the_extra_for_dicom_nothing_is_sent_and_the_rest_is_written(
    scan: Path, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.setitem(sys.modules, "highdicom", None)
    report(scan, model=model, out=tmp_path, form="json,dicom", identified=True)
    assert "chestct[dicom-sr]" in capsys.readouterr().err
    with pytest.raises(InputError, match="nothing was sent"):
        report(scan, model=model, out=tmp_path, form="json", send="127.0.0.1:9:X")
    assert "chestct[dicom-sr]" in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "rejected.parquet", "report.json", "run.json",
    ]  # fmt: skip


TEXTS = (  # text of every value representation that holds text, PS3.5 6.2
    "PatientName", "PatientID", "IssuerOfPatientID", "OtherPatientNames", "PatientBirthName",
    "PatientMotherBirthName", "PatientAddress", "PatientTelephoneNumbers",
    "PatientReligiousPreference",
    "PatientComments", "Occupation", "EthnicGroup", "MilitaryRank", "CountryOfResidence",
    "RegionOfResidence", "AdditionalPatientHistory", "MedicalAlerts", "Allergies", "PatientState",
    "AccessionNumber", "StudyID", "StudyDescription", "SeriesDescription", "ProtocolName",
    "InstitutionName", "InstitutionAddress", "InstitutionalDepartmentName", "StationName",
    "ReferringPhysicianName", "ReferringPhysicianAddress", "PerformingPhysicianName",
    "NameOfPhysiciansReadingStudy", "OperatorsName", "PhysiciansOfRecord", "RequestingPhysician",
    "RequestedProcedureDescription", "RequestedProcedureID", "AdmissionID",
    "CurrentPatientLocation",
    "Manufacturer", "ManufacturerModelName", "DeviceSerialNumber", "SoftwareVersions",
    "ConvolutionKernel", "ContrastBolusAgent", "ImageComments", "BodyPartExamined", "FilterType",
    "AcquisitionComments", "DerivationDescription",
)  # fmt: skip
SEQUENCES = {
    "OtherPatientIDsSequence": "PatientID",
    "RequestAttributesSequence": "RequestedProcedureID",
    "ReferringPhysicianIdentificationSequence": "InstitutionName",
    "ProcedureCodeSequence": "CodeMeaning",
    "ContributingEquipmentSequence": "StationName",
}


def plant(image: Dataset) -> None:
    """Sixty identities: in text of every kind, in dates and ages, in sequences, in private tags."""
    for number, keyword in enumerate(TEXTS):
        setattr(image, keyword, f"CANARY{number:02}")
    for number, (sequence, keyword) in enumerate(SEQUENCES.items()):
        item = Dataset()
        setattr(item, keyword, f"CANARYQ{number}")
        setattr(image, sequence, [item])
    block = image.private_block(0x0029, "CANARYOWNER", create=True)
    for number in range(5):
        block.add_new(number, "LO", f"CANARYP{number}")
    image.PatientBirthDate, image.StudyDate, image.SeriesDate = "19410203", "19871229", "19871230"
    image.StudyTime, image.PatientAge, image.PatientSex = "091807", "047Y", "O"


def test_sixty_planted_identities_reach_no_output(
    model: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    assert len(TEXTS) + len(SEQUENCES) + 5 >= 60
    scan = write_series(tmp_path / "CANARYFOLDER", chest(), fill=plant)
    out = tmp_path / "out"
    with caplog.at_level("DEBUG"):
        report(scan, model=model, out=out, form="json,html", timings=True)
    said = capsys.readouterr()
    everything = b"".join(path.read_bytes() for path in sorted(out.rglob("*")) if path.is_file())
    everything += (said.out + said.err + caplog.text).encode()
    assert b"CANARY" not in everything
    for identity in (STUDY, SERIES, "19410203", "19871229", "19871230", "091807"):
        assert identity.encode() not in everything
    content = ScanReport.model_validate_json((out / "report.json").read_text())
    assert (content.scan.age_years, content.scan.sex) == (None, None)
    assert content.scan.kernel == ""

    report(scan, model=model, out=out, form="json", identified=True, quiet=True)
    named = ScanReport.model_validate_json((out / "report.json").read_text()).scan
    assert (named.patient_id, named.accession) == ("CANARY01", "CANARY19")


def test_a_refused_scan_names_nobody_either(
    model: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    noise = np.random.default_rng(0).normal(0, 400, (40, 64, 64))
    scan = write_series(tmp_path / "CANARYFOLDER", noise, fill=plant)
    out = tmp_path / "out"
    with caplog.at_level("DEBUG"), pytest.raises(InputError):
        report(scan, model=model, out=out)
    everything = b"".join(path.read_bytes() for path in out.rglob("*") if path.is_file())
    assert b"CANARY" not in everything + caplog.text.encode()
