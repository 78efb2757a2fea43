"""C-STORE (PS3.4 annex B): DICOM files over one association to an application entity."""

import logging
import ssl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import pydicom
from pydicom.uid import UID, ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import AE
from pynetdicom.association import Association
from pynetdicom.presentation import build_context
from pynetdicom.status import STORAGE_SERVICE_CLASS_STATUS, code_to_category

from configs.contracts import InputError
from pipelines.sending.outcome import Outcome

_OUR_TITLE = "CHESTCT"
_SECONDS = 30
_STORED = ("Success", "Warning")
_TLS = "tls://"
_NO_ANSWER = "no association: nothing answers there, or it broke off"
_NOT_TRUSTED = ", or its certificate is not one that this machine trusts"


@dataclass(frozen=True, slots=True)
class Entity:
    """An application entity: where it listens, and its title (PS3.8 9.3.2)."""

    host: str
    port: int
    title: str
    tls: bool = False
    """Over TLS (PS3.15 B.12), with a certificate that this machine trusts."""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read HOST:PORT:AET, or tls://HOST:PORT:AET; raises InputError.

        >>> Entity.parse("pacs.example:11112:ARCHIVE")
        Entity(host='pacs.example', port=11112, title='ARCHIVE', tls=False)
        """
        plain = text.removeprefix(_TLS)
        host, port, title = (["", "", *plain.rsplit(":", 2)])[-3:]
        title = title.strip()
        sound = host and port.isascii() and port.isdigit() and 0 < int(port) < 65536
        if not sound or not 0 < len(title) <= 16 or not title.isascii() or "\\" in title:
            raise InputError(
                f"--send {text}: write HOST:PORT:AET, as in pacs.example:11112:ARCHIVE "
                "(the title has up to 16 ASCII characters)"
            )
        return cls(host.strip("[]"), int(port), title, plain != text)

    def __str__(self) -> str:
        return f"{_TLS if self.tls else ''}{self.host}:{self.port}:{self.title}"


def store(paths: Sequence[Path], entity: Entity) -> tuple[Outcome, ...]:
    """Send files in their order; every file gets an outcome, whatever the network does."""
    with _silent():
        application = AE(ae_title=_OUR_TITLE)
        application.connection_timeout = _SECONDS
        application.acse_timeout = _SECONDS
        application.dimse_timeout = _SECONDS
        application.network_timeout = _SECONDS
        association = application.associate(
            entity.host,
            entity.port,
            contexts=[
                build_context(uid, [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
                for uid in sorted({_sop_class(path) for path in paths})
            ],
            ae_title=entity.title,
            # The context reads SSL_CERT_FILE, and checks the certificate's time, chain and name.
            tls_args=(ssl.create_default_context(), entity.host) if entity.tls else None,
        )
        unanswered = _NO_ANSWER + (_NOT_TRUSTED if entity.tls else "")
        try:
            return tuple(_store(path, association, unanswered) for path in paths)
        finally:
            if association.is_established:
                association.release()


def _store(path: Path, association: Association, unanswered: str) -> Outcome:
    if association.is_rejected:
        return Outcome(path, False, "the association was rejected: check both titles")
    if not association.is_established:
        return Outcome(path, False, unanswered)
    accepted = {context.abstract_syntax for context in association.accepted_contexts}
    if _sop_class(path) not in accepted:
        return Outcome(path, False, f"{_sop_class(path).name} is not accepted there")
    answer = association.send_c_store(path)
    if "Status" not in answer:
        return Outcome(path, False, "no answer: it broke off or took too long")
    code = int(answer.Status)
    meaning = STORAGE_SERVICE_CLASS_STATUS.get(code, ("", "no known status"))[1]
    detail = f"status 0x{code:04X}, {meaning or 'stored'}" if code else ""
    return Outcome(path, code_to_category(code) in _STORED, detail)


def _sop_class(path: Path) -> UID:
    return UID(pydicom.filereader.read_file_meta_info(path).MediaStorageSOPClassUID)


@contextmanager
def _silent() -> Iterator[None]:
    """The library logs what it sends and gets; here the outcomes say what happened."""
    logger = logging.getLogger("pynetdicom")
    level = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        logger.setLevel(level)
