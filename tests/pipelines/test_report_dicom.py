"""`chestct report --form dicom --send`: what leaves the house, and what is said when it stays."""

import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("highdicom", reason="the extra dicom-sr is not installed")

from pydicom.uid import (
    Comprehensive3DSRStorage,
    KeyObjectSelectionDocumentStorage,
    SegmentationStorage,
)

from configs import files
from configs.contracts import InputError
from pipelines.report import report
from tests.pipelines.made_scans import model as model
from tests.pipelines.made_scans import scan as scan
from tests.pipelines.made_scans import write_series
from tests.pipelines.sending.archives import free_port, service, storage

CLASSES = [SegmentationStorage, Comprehensive3DSRStorage, KeyObjectSelectionDocumentStorage]


def objects_in(out: Path) -> list[str]:
    return sorted(path.name for path in (out / "dicom").glob("*"))


def test_objects_need_a_name_to_be_asked_for(scan: Path, model: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--identified"):
        report(scan, model=model, out=tmp_path / "out", form="json,dicom")
    assert not (tmp_path / "out").exists()


def test_sending_writes_and_sends_what_it_names(scan: Path, model: Path, tmp_path: Path) -> None:
    with storage(CLASSES) as (port, stored):
        entity = f"127.0.0.1:{port}:ARCHIVE"
        report(scan, model=model, out=tmp_path, form="json", send=entity, quiet=True)
        report(scan, model=model, out=tmp_path, form="json", send=entity, quiet=True)
    names = objects_in(tmp_path)
    assert {"sr.dcm"} <= set(names)
    half = len(stored) // 2
    assert half == len(names)
    uids = [one.SOPInstanceUID for one in stored]
    assert uids[:half] == uids[half:]
    assert {one.PatientID for one in stored} == {"CANARY-ID"}
    assert json.loads((tmp_path / "report.json").read_text())["scan"]["identified"] is True
    run = json.loads((tmp_path / "run.json").read_text())
    assert run["counts"]["sent"] == half
    assert run["counts"]["rejected"] == 0


def test_what_is_not_stored_is_told_and_kept(
    scan: Path, model: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(InputError, match="not stored") as refused:
        report(
            scan,
            model=model,
            out=tmp_path,
            send=f"127.0.0.1:{free_port()}:ARCHIVE",
            stow=f"http://127.0.0.1:{free_port()}/dicom-web",
            quiet=True,
        )
    assert "\n" not in str(refused.value)
    rejected = files.read_table(tmp_path / "rejected.parquet").to_pylist()
    names = objects_in(tmp_path)
    assert sorted(row["id"] for row in rejected) == sorted(2 * names)
    assert {(row["stage"], row["reason"]) for row in rejected} == {("send", "NOT_STORED")}
    assert (tmp_path / "report.html").exists()
    assert json.loads((tmp_path / "run.json").read_text())["counts"]["sent"] == 0
    out, err = capfd.readouterr()
    assert "anary" not in out + err + str(refused.value)


def test_a_service_that_stores_all_is_enough(scan: Path, model: Path, tmp_path: Path) -> None:
    with service(200, None) as (url, seen):
        report(scan, model=model, out=tmp_path, form="json", stow=url, quiet=True)
    assert len(seen) == 1
    assert seen[0][1].count(b"DICM") == len(objects_in(tmp_path))


def test_a_source_that_is_not_dicom_is_named_and_nothing_sent(
    model: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    nibabel = pytest.importorskip("nibabel")
    from tests.model.volumes.phantom import chest

    hu_xyz = chest().transpose(2, 1, 0)
    image = nibabel.Nifti1Image(hu_xyz.astype(np.int16), np.diag([-5.0, -5.0, 5.0, 1.0]))
    image.header.set_xyzt_units("mm")
    nibabel.save(image, tmp_path / "scan.nii.gz")
    report(
        tmp_path / "scan.nii.gz",
        model=model,
        out=tmp_path / "out",
        form="json,dicom",
        identified=True,
    )
    assert "dicom: left out, the source is not DICOM" in capfd.readouterr().err
    assert objects_in(tmp_path / "out") == []
    with pytest.raises(InputError, match="nothing was sent"):
        report(
            tmp_path / "scan.nii.gz",
            model=model,
            out=tmp_path / "out",
            send="127.0.0.1:1:A",
            quiet=True,
        )


def test_a_refused_scan_leaves_no_object_behind(model: Path, tmp_path: Path) -> None:
    noise = np.random.default_rng(0).normal(0, 400, (40, 64, 64))
    noisy = write_series(tmp_path / "scan", noise)
    (tmp_path / "out" / "dicom").mkdir(parents=True)
    (tmp_path / "out" / "dicom" / "sr.dcm").write_bytes(b"another scan's report")
    files.write_json(tmp_path / "out" / "run.json", {"verb": "report"})
    out = tmp_path / "out"
    with storage(CLASSES) as (port, stored), pytest.raises(InputError, match="not read"):
        report(noisy, model=model, out=out, send=f"127.0.0.1:{port}:ARCHIVE", restart=True)
    assert stored == []
    assert objects_in(tmp_path / "out") == []


@pytest.mark.parametrize("destination", [{"send": "pacs:104"}, {"stow": "https://a:b@pacs/x"}])
def test_a_destination_that_is_none_stops_before_anything_is_read(
    destination: dict[str, str], scan: Path, model: Path, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=r"--send|--stow"):
        report(scan, model=model, out=tmp_path / "out", **destination)
    assert not (tmp_path / "out").exists()


def test_the_objects_say_what_the_json_says(scan: Path, model: Path, tmp_path: Path) -> None:
    from highdicom.sr import srread

    from model.calibration import CalibrationState
    from pipelines.rendering.content import Decision
    from pipelines.rendering.dicom import codes

    report(scan, model=model, out=tmp_path, form="json,dicom", identified=True, quiet=True)
    said = json.loads((tmp_path / "report.json").read_text())["findings"]
    groups = srread(tmp_path / "dicom" / "sr.dcm").content.get_image_measurement_groups()
    told = {
        group.tracking_identifier: [
            *(
                (one.name.value, one.value)
                for one in group.get_measurements()
                if one.name != codes.SHARE
            ),
            *(
                (one.name.value, one.value)
                for one in group.get_qualitative_evaluations()
                if one.name in (codes.DECISION, codes.CALIBRATION)
            ),
        ]
        for group in groups
    }
    assert told == {
        one["label"]: [
            ("PROBABILITY", pytest.approx(one["probability"], abs=1e-6)),
            ("THRESHOLD", pytest.approx(one["threshold"], abs=1e-6)),
            ("LOGIT", pytest.approx(one["logit"], abs=1e-6)),
            ("DECISION", codes.DECISIONS[Decision(one["decision"])]),
            ("CALIBRATION", codes.CALIBRATIONS[CalibrationState(one["calibration"])]),
        ]
        for one in said
    }
