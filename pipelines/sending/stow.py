"""STOW-RS (PS3.18 10.5): DICOM files in one request to a DICOMweb service.

Certificates are verified (a hospital's own authority: SSL_CERT_FILE). Credentials come from the
environment variable CHESTCT_STOW_TOKEN (a bearer token) or from netrc, and go nowhere but over TLS
or to this machine.
"""

import netrc
import os
import secrets
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx
import pydicom

from configs.contracts import InputError
from pipelines.sending.outcome import Outcome

TOKEN_VARIABLE = "CHESTCT_STOW_TOKEN"  # noqa: S105 - the name of a variable
_TIMEOUT = httpx.Timeout(120, connect=15)
_HERE = ("localhost", "127.0.0.1", "::1")
_FAILED, _FAILURE, _REFERENCED, _INSTANCE = "00081198", "00081197", "00081199", "00081155"


def checked(url: str) -> httpx.URL:
    """The address of a service's studies; raises InputError, which never repeats credentials."""
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL:
        raise InputError("--stow: not a URL; write https://HOST/PATH of the service") from None
    if parsed.userinfo or parsed.query or parsed.fragment:
        raise InputError(
            f"--stow: write no credentials and no query into the URL; {TOKEN_VARIABLE} or netrc "
            "holds credentials"
        )
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise InputError("--stow: write https://HOST/PATH of the service")
    path = parsed.path.rstrip("/")
    return parsed.copy_with(path=path if path.endswith("/studies") else f"{path}/studies")


def stow(paths: Sequence[Path], studies: httpx.URL) -> tuple[Outcome, ...]:
    """Post files in one request; every file gets an outcome. Raises what `credentials` does."""
    boundary = secrets.token_hex(16)
    headers = {
        "Accept": "application/dicom+json",
        "Content-Type": f'multipart/related; type="application/dicom"; boundary={boundary}',
    }
    with httpx.Client(timeout=_TIMEOUT, auth=credentials(studies)) as client:
        try:
            answer = client.post(studies, headers=headers, content=b"".join(_body(paths, boundary)))
        except httpx.TimeoutException:
            return _all(paths, "no answer in time")
        except httpx.HTTPError as error:
            untrusted = "CERTIFICATE_VERIFY_FAILED" in str(error)
            return _all(paths, "its certificate is not trusted" if untrusted else "no connection")
    return _outcomes(paths, answer)


def _all(paths: Sequence[Path], detail: str) -> tuple[Outcome, ...]:
    return tuple(Outcome(path, False, detail) for path in paths)


def _body(paths: Sequence[Path], boundary: str) -> Iterator[bytes]:
    for path in paths:
        yield f"--{boundary}\r\nContent-Type: application/dicom\r\n\r\n".encode()
        yield path.read_bytes()
        yield b"\r\n"
    yield f"--{boundary}--\r\n".encode()


def credentials(url: httpx.URL) -> httpx.Auth | None:
    """The token or the user and password for a service, None where there are none.

    Raises InputError where they would go over an open line, or cannot be read.
    """
    auth: httpx.Auth | None = None
    if token := os.environ.get(TOKEN_VARIABLE, "").strip():
        if not token.isascii() or not token.isprintable():
            raise InputError(f"{TOKEN_VARIABLE}: holds characters that no token has")
        auth = _Bearer(token)
    else:
        file = os.environ.get("NETRC") or None
        try:
            if netrc.netrc(file).authenticators(url.host):
                auth = httpx.NetRCAuth(file)
        except FileNotFoundError:
            return None
        except (netrc.NetrcParseError, OSError, UnicodeDecodeError):
            # The library's message may quote a password.
            raise InputError("netrc: cannot be read; check its permissions and its form") from None
    if auth is not None and url.scheme != "https" and url.host not in _HERE:
        raise InputError(f"--stow: credentials for {url.host} only over https")
    return auth


class _Bearer(httpx.Auth):
    def __init__(self, token: str) -> None:
        self._token = token

    def auth_flow(self, request: httpx.Request) -> Iterator[httpx.Request]:  # type: ignore[override]  # httpx wants a Generator whose answers nobody uses
        request.headers["Authorization"] = f"Bearer {self._token}"
        yield request


def _outcomes(paths: Sequence[Path], answer: httpx.Response) -> tuple[Outcome, ...]:
    """By instance where the service tells (PS3.18 10.5.3), else the same for all."""
    try:
        told = answer.json()
    except ValueError:
        told = None
    told = told[0] if isinstance(told, list) and told else told
    stored = _instances(told, _REFERENCED)
    failed = _instances(told, _FAILED)
    if not stored and not failed:
        if answer.status_code == httpx.codes.OK:
            return tuple(Outcome(path, True) for path in paths)
        return _all(paths, f"HTTP {answer.status_code} {answer.reason_phrase}")
    outcomes = []
    for path in paths:
        uid = str(pydicom.filereader.read_file_meta_info(path).MediaStorageSOPInstanceUID)
        detail = "" if uid in stored else failed.get(uid, f"not named in HTTP {answer.status_code}")
        outcomes.append(Outcome(path, uid in stored, detail))
    return tuple(outcomes)


def _instances(told: Any, sequence: str) -> dict[str, str]:
    """The instances that a sequence of the answer names, and why they failed."""
    items = told.get(sequence, {}) if isinstance(told, dict) else {}
    found = {}
    for item in items.get("Value", []) if isinstance(items, dict) else []:
        reason = _value(item, _FAILURE)
        code = f"failure reason 0x{reason:04X}" if isinstance(reason, int) else "no reason given"
        found[str(_value(item, _INSTANCE))] = code
    return found


def _value(item: Any, tag: str) -> Any:
    values = item.get(tag, {}).get("Value", []) if isinstance(item, dict) else []
    return values[0] if values else None
