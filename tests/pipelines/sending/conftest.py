"""Small DICOM files of the kinds that a report is sent as."""

import shutil
import ssl
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

pytest.importorskip("pynetdicom", reason="the extra dicom-sr is not installed")

from pydicom import dcmwrite
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import (
    Comprehensive3DSRStorage,
    ExplicitVRLittleEndian,
    KeyObjectSelectionDocumentStorage,
    SegmentationStorage,
    generate_uid,
)

CLASSES = [SegmentationStorage, Comprehensive3DSRStorage, KeyObjectSelectionDocumentStorage]


@pytest.fixture(scope="session")
def paths(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ...]:
    """One file of every class, all of one study of Canary^Name."""
    folder = tmp_path_factory.mktemp("objects")
    made = []
    for name, sop_class in zip(("seg", "sr", "kos"), CLASSES, strict=True):
        file = Dataset()
        file.file_meta = FileMetaDataset()
        file.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        file.file_meta.MediaStorageSOPClassUID = file.SOPClassUID = sop_class
        uid = generate_uid(entropy_srcs=[name])
        file.file_meta.MediaStorageSOPInstanceUID = file.SOPInstanceUID = uid
        file.StudyInstanceUID = generate_uid(entropy_srcs=["study"])
        file.SeriesInstanceUID = generate_uid(entropy_srcs=["series", name])
        file.PatientName, file.PatientID = "Canary^Name", "CANARY-ID"
        made.append(folder / f"{name}.dcm")
        dcmwrite(made[-1], file, enforce_file_format=True)
    return tuple(made)


@dataclass(frozen=True, slots=True)
class Certificate:
    """A server's certificate for 127.0.0.1, signed by nobody but itself."""

    path: Path
    server: ssl.SSLContext


@pytest.fixture(scope="session")
def own_certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    folder = tmp_path_factory.mktemp("certificate")
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    command = (
        "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost "
        f"-addext subjectAltName=IP:127.0.0.1 -keyout {key} -out {certificate}"
    )
    subprocess.run(command.split(), check=True, capture_output=True)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(certificate, key)
    return Certificate(certificate, server)
