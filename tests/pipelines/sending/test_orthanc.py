"""A real archive keeps a report's objects in the right study, and keeps them once."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

pytest.importorskip("highdicom", reason="the extra dicom-sr is not installed")

import pydicom

from model.volumes import Volume
from pipelines.rendering.dicom.write import write_dicom
from pipelines.sending.store import Entity, store
from pipelines.sending.stow import checked, stow
from tests.pipelines.rendering.conftest import volume as volume
from tests.pipelines.rendering.dicom.made import COPIED, read_made, write_series
from tests.pipelines.sending.archives import ORTHANC, PLUGINS, orthanc

pytestmark = [
    pytest.mark.external,
    pytest.mark.skipif(ORTHANC is None, reason="Orthanc is not installed"),
]


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, str]]:
    with orthanc(tmp_path_factory.mktemp("orthanc")) as running:
        yield running


@pytest.fixture(scope="module")
def scan(volume: Volume, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_series(tmp_path_factory.mktemp("archive") / "scan", volume)


@pytest.fixture
def objects(scan: Path, tmp_path: Path) -> tuple[Path, ...]:
    """Written anew for every test: a repeat is a repeated run, not a repeated file."""
    return write_dicom(read_made(scan, tmp_path / "bundle"), scan, tmp_path / "out")


def study_of(paths: tuple[Path, ...]) -> str:
    return str(pydicom.dcmread(paths[0]).StudyInstanceUID)


def instances(url: str, study: str) -> list[str]:
    """SOP instance UIDs in the study, as Orthanc's own interface lists them."""
    query = {"Level": "Instance", "Query": {"StudyInstanceUID": study}, "Expand": True}
    found = httpx.post(f"{url}/tools/find", json=query).raise_for_status().json()
    return sorted(item["MainDicomTags"]["SOPInstanceUID"] for item in found)


def test_c_store_puts_each_object_into_the_scan_s_study_once(
    archive: tuple[int, str], objects: tuple[Path, ...], scan: Path, tmp_path: Path
) -> None:
    port, url = archive
    entity = Entity("127.0.0.1", port, "ORTHANC")
    scans = tuple(sorted(scan.iterdir()))
    assert all(one.stored for one in store((*scans, *objects), entity))
    again = write_dicom(read_made(scan, tmp_path / "bundle"), scan, tmp_path / "again")
    assert all(one.stored for one in store(again, entity))
    sent = sorted(str(pydicom.dcmread(path).SOPInstanceUID) for path in (*scans, *objects))
    assert instances(url, study_of(objects)) == sent

    (study,) = httpx.get(f"{url}/studies?expand").json()
    assert study["PatientMainDicomTags"]["PatientID"] == COPIED["PatientID"]
    assert study["MainDicomTags"]["AccessionNumber"] == COPIED["AccessionNumber"]
    series = httpx.get(f"{url}/studies/{study['ID']}/series").json()
    modalities = sorted(one["MainDicomTags"]["Modality"] for one in series)
    assert modalities == ["CT", "KO", "SEG", "SR"]


@pytest.mark.skipif(
    not list(PLUGINS.glob("libOrthancDicomWeb.so*")), reason="orthanc-dicomweb is not installed"
)
def test_stow_puts_each_object_into_the_scan_s_study_once(
    archive: tuple[int, str], objects: tuple[Path, ...]
) -> None:
    _, url = archive
    for known in httpx.get(f"{url}/studies").json():
        httpx.delete(f"{url}/studies/{known}")
    for _ in range(2):
        assert all(one.stored for one in stow(objects, checked(f"{url}/dicom-web")))
    sent = sorted(str(pydicom.dcmread(path).SOPInstanceUID) for path in objects)
    assert instances(url, study_of(objects)) == sent
    study = httpx.get(f"{url}/dicom-web/studies/{study_of(objects)}/series").json()
    assert {item["00080060"]["Value"][0] for item in study} == {"SEG", "SR", "KO"}
