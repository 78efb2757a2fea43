"""STOW-RS: one request, an answer for every file, and credentials that go nowhere else."""

import email
import email.policy
from pathlib import Path
from typing import Any

import httpx
import pydicom
import pytest

from configs.contracts import InputError
from pipelines.sending import stow
from tests.pipelines.sending.archives import free_port, service
from tests.pipelines.sending.conftest import Certificate


@pytest.fixture(autouse=True)
def _without_credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv(stow.TOKEN_VARIABLE, raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "absent"))


def uid_of(path: Path) -> str:
    return str(pydicom.dcmread(path).SOPInstanceUID)


def told(stored: list[Path], failed: dict[Path, int]) -> dict[str, Any]:
    """A service's answer (PS3.18 10.5.3)."""

    def item(path: Path, **more: Any) -> dict[str, Any]:
        return {"00081155": {"vr": "UI", "Value": [uid_of(path)]}, **more}

    reasons = [
        item(path, **{"00081197": {"vr": "US", "Value": [reason]}})
        for path, reason in failed.items()
    ]
    return {
        "00081199": {"vr": "SQ", "Value": [item(path) for path in stored]},
        "00081198": {"vr": "SQ", "Value": reasons},
    }


def test_files_arrive_whole_in_one_request(paths: tuple[Path, ...]) -> None:
    with service(200, told(list(paths), {})) as (url, seen):
        outcomes = stow.stow(paths, stow.checked(url))
    assert [(one.path, one.stored) for one in outcomes] == [(path, True) for path in paths]
    ((headers, body),) = seen
    assert "Authorization" not in headers
    head = f"Content-Type: {headers['Content-Type']}\r\n\r\n".encode()
    message = email.message_from_bytes(head + body, policy=email.policy.HTTP)
    assert message.get_content_type() == "multipart/related"
    assert message.get_param("type") == "application/dicom"
    parts = body.split(b"\r\n--" + message.get_boundary().encode())
    contents = [part.partition(b"\r\n\r\n")[2] for part in parts[:-1]]
    assert contents == [path.read_bytes() for path in paths]


def test_each_file_that_is_not_stored_is_told(paths: tuple[Path, ...]) -> None:
    answer = told([paths[0]], {paths[1]: 0xA700})
    with service(202, answer) as (url, _):
        first, second, third = stow.stow(paths, stow.checked(url))
    assert first.stored
    assert not second.stored
    assert "0xA700" in second.detail
    assert not third.stored
    assert "not named" in third.detail


@pytest.mark.parametrize("answer", [None, [], {}, "Canary^Name", [None], {"00081199": None}])
def test_an_answer_without_instances_counts_by_its_status(
    paths: tuple[Path, ...], answer: Any
) -> None:
    for status, stored in ((200, True), (401, False), (409, False), (503, False), (302, False)):
        with service(status, answer) as (url, _):
            outcomes = stow.stow(paths, stow.checked(url))
        assert [one.stored for one in outcomes] == [stored] * 3
        assert all(stored or str(status) in one.detail for one in outcomes)
        assert all("Canary" not in one.detail for one in outcomes)


def test_nobody_there_is_told(paths: tuple[Path, ...]) -> None:
    outcomes = stow.stow(paths, stow.checked(f"http://127.0.0.1:{free_port()}/dicom-web"))
    assert {(one.stored, one.detail) for one in outcomes} == {(False, "no connection")}


def test_a_token_goes_into_the_header_and_nowhere_else(
    paths: tuple[Path, ...],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv(stow.TOKEN_VARIABLE, "s3cret-token")
    caplog.set_level("DEBUG")
    with service(401, None) as (url, seen):
        outcomes = stow.stow(paths, stow.checked(url))
    assert seen[0][0]["Authorization"] == "Bearer s3cret-token"
    out, err = capfd.readouterr()
    assert "s3cret" not in out + err + caplog.text + str(outcomes)


def test_netrc_names_user_and_password(
    paths: tuple[Path, ...], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "netrc"
    file.write_text("machine 127.0.0.1 login reader password s3cret\n")
    file.chmod(0o600)
    monkeypatch.setenv("NETRC", str(file))
    with service(200, told(list(paths), {})) as (url, seen):
        stow.stow(paths, stow.checked(url))
    assert seen[0][0]["Authorization"].startswith("Basic ")
    file.write_text("machine 127.0.0.1 nonsense s3cret\n")
    with pytest.raises(InputError, match="netrc") as refused:
        stow.stow(paths, stow.checked(url))
    assert "s3cret" not in str(refused.value)


def test_credentials_do_not_go_over_an_open_line(
    paths: tuple[Path, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(stow.TOKEN_VARIABLE, "s3cret-token")
    with pytest.raises(InputError, match="only over https") as refused:
        stow.stow(paths, stow.checked("http://pacs.invalid/dicom-web"))
    assert "s3cret" not in str(refused.value)


@pytest.mark.external
def test_a_certificate_must_be_trusted(
    paths: tuple[Path, ...], own_certificate: Certificate, monkeypatch: pytest.MonkeyPatch
) -> None:
    with service(200, told(list(paths), {}), own_certificate.server) as (url, seen):
        outcomes = stow.stow(paths, stow.checked(url))
        assert {one.detail for one in outcomes} == {"its certificate is not trusted"}
        assert not seen
        monkeypatch.setenv("SSL_CERT_FILE", str(own_certificate.path))
        assert all(one.stored for one in stow.stow(paths, stow.checked(url)))


@pytest.mark.parametrize(
    "url",
    ["", "pacs/dicom-web", "ftp://pacs/x", "https://", "https://user:s3cret@pacs/dicom-web",
     "https://pacs/dicom-web?token=s3cret", "https://pacs:port/", "file:///etc/passwd"],
)  # fmt: skip
def test_what_is_no_service_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(InputError, match="--stow") as refused:
        stow.checked(url)
    assert "s3cret" not in str(refused.value)


@pytest.mark.parametrize("end", ["", "/", "/studies", "/studies/"])
def test_a_service_is_named_with_or_without_its_studies(end: str) -> None:
    assert stow.checked(f"https://pacs/dicom-web{end}") == httpx.URL(
        "https://pacs/dicom-web/studies"
    )
