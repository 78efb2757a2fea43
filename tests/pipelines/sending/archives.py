"""Archives to send to: pynetdicom's own, a small STOW-RS service, and an Orthanc."""

import json
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import httpx
from pydicom.dataset import Dataset
from pydicom.uid import UID
from pynetdicom import AE, evt

ORTHANC = shutil.which("Orthanc")
PLUGINS = Path("/usr/share/orthanc/plugins")


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@contextmanager
def storage(
    classes: list[UID],
    status_of: Callable[[Dataset], int] = lambda _: 0x0000,
    tls: ssl.SSLContext | None = None,
) -> Iterator[tuple[int, list[Dataset]]]:
    """An application entity ARCHIVE: its port, and what it stored."""
    stored: list[Dataset] = []

    def keep(event: evt.Event) -> int:
        dataset = event.dataset
        status = status_of(dataset)
        if status in (0x0000, 0xB000):
            stored.append(dataset)
        return status

    entity = AE(ae_title="ARCHIVE")
    entity.require_called_aet = True
    for uid in classes:
        entity.add_supported_context(uid)
    port = free_port()
    server = entity.start_server(
        ("127.0.0.1", port), block=False, evt_handlers=[(evt.EVT_C_STORE, keep)], ssl_context=tls
    )
    try:
        yield port, stored
    finally:
        server.shutdown()


@contextmanager
def service(
    status: int, answer: Any, tls: ssl.SSLContext | None = None
) -> Iterator[tuple[str, list[tuple[Any, bytes]]]]:
    """A service that answers every POST alike: its URL, and the requests' headers and bodies."""
    seen: list[tuple[Any, bytes]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            seen.append((self.headers, body))
            content = json.dumps(answer).encode() if answer is not None else b""
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if tls:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield f"{'https' if tls else 'http'}://127.0.0.1:{server.server_port}/dicom-web", seen
    finally:
        server.shutdown()
        server.server_close()


@contextmanager
def orthanc(folder: Path) -> Iterator[tuple[int, str]]:
    """A real Orthanc (title ORTHANC) on free ports with its files below `folder`: port, URL."""
    assert ORTHANC is not None
    dicom, http = free_port(), free_port()
    settings = {
        "Name": "test",
        "StorageDirectory": str(folder / "storage"),
        "IndexDirectory": str(folder / "index"),
        "DicomAet": "ORTHANC",
        "DicomPort": dicom,
        "HttpPort": http,
        "RemoteAccessAllowed": False,
        "AuthenticationEnabled": False,
        "DicomAlwaysAllowStore": True,
        "Plugins": [str(path) for path in PLUGINS.glob("libOrthancDicomWeb.so*")][:1],
        "DicomWeb": {"Enable": True, "Root": "/dicom-web/"},
    }
    (folder / "orthanc.json").write_text(json.dumps(settings))
    with (folder / "orthanc.log").open("wb") as log:
        process = subprocess.Popen(
            [ORTHANC, str(folder / "orthanc.json")], stdout=log, stderr=subprocess.STDOUT
        )
    url = f"http://127.0.0.1:{http}"
    try:
        _wait_for(url, process, folder / "orthanc.log")
        yield dicom, url
    finally:
        process.terminate()
        process.wait(30)


def _wait_for(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        try:
            httpx.get(f"{url}/system").raise_for_status()
        except httpx.HTTPError:
            time.sleep(0.2)
        else:
            return
    raise AssertionError(f"Orthanc did not start: {log.read_text(errors='replace')[-2000:]}")
