"""C-STORE: every file gets an answer, and no answer repeats what the archive or a file says."""

from pathlib import Path

import pydicom
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.uid import Comprehensive3DSRStorage

from configs.contracts import InputError
from pipelines.sending.store import Entity, store
from tests.pipelines.sending.archives import free_port, storage
from tests.pipelines.sending.conftest import CLASSES, Certificate


def test_files_arrive_whole_and_in_order(paths: tuple[Path, ...]) -> None:
    with storage(CLASSES) as (port, stored):
        outcomes = store(paths, Entity("127.0.0.1", port, "ARCHIVE"))
    assert [(one.path, one.stored, one.detail) for one in outcomes] == [
        (path, True, "") for path in paths
    ]
    assert stored == [pydicom.dcmread(path) for path in paths]


def test_each_file_that_is_not_stored_is_told(paths: tuple[Path, ...]) -> None:
    """One class is not accepted, one object is refused for space, one is stored with a warning."""
    by_class = {CLASSES[0]: 0xA700, CLASSES[2]: 0xB000}
    accepted = [uid for uid in CLASSES if uid != Comprehensive3DSRStorage]
    with storage(accepted, lambda ds: by_class[ds.SOPClassUID]) as (port, stored):
        segmentation, report, selection = store(paths, Entity("127.0.0.1", port, "ARCHIVE"))
    assert not segmentation.stored
    assert "0xA700" in segmentation.detail
    assert not report.stored
    assert "Comprehensive 3D SR Storage is not accepted" in report.detail
    assert selection.stored
    assert "0xB000" in selection.detail
    assert len(stored) == 1


def test_an_archive_that_breaks_down_costs_the_files_it_did_not_take(
    paths: tuple[Path, ...],
) -> None:
    def breaks(dataset: pydicom.Dataset) -> int:
        if dataset.SOPClassUID == CLASSES[1]:
            raise RuntimeError("Canary^Name")
        return 0x0000

    with storage(CLASSES, breaks) as (port, _):
        outcomes = store(paths, Entity("127.0.0.1", port, "ARCHIVE"))
    assert [one.stored for one in outcomes] == [True, False, True]
    assert "0xC211" in outcomes[1].detail


def test_no_archive_and_the_wrong_title_are_told_apart(
    paths: tuple[Path, ...], caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    nobody = store(paths, Entity("127.0.0.1", free_port(), "ARCHIVE"))
    assert not any(one.stored for one in nobody)
    assert "nothing answers" in nobody[0].detail
    with storage(CLASSES) as (port, _):
        caplog.clear()
        stranger = store(paths, Entity("127.0.0.1", port, "OTHER"))
    assert not any(one.stored for one in stranger)
    assert "rejected: check both titles" in stranger[0].detail
    assert capfd.readouterr() == ("", "")


@pytest.mark.external
def test_over_tls_only_a_trusted_archive_gets_anything(
    paths: tuple[Path, ...], own_certificate: Certificate, monkeypatch: pytest.MonkeyPatch
) -> None:
    with storage(CLASSES, tls=own_certificate.server) as (port, stored):
        entity = Entity("127.0.0.1", port, "ARCHIVE", tls=True)
        strangers = store(paths, entity)
        assert not any(one.stored for one in strangers)
        assert "its certificate" in strangers[0].detail
        monkeypatch.setenv("SSL_CERT_FILE", str(own_certificate.path))
        assert all(one.stored for one in store(paths, entity))
        assert stored == [pydicom.dcmread(path) for path in paths]
        stored.clear()
        # One that speaks TLS alone takes nothing in plain, and the other way round.
        assert not any(one.stored for one in store(paths, Entity("127.0.0.1", port, "ARCHIVE")))
    with storage(CLASSES) as (port, plain):
        entity = Entity("127.0.0.1", port, "ARCHIVE", tls=True)
        assert not any(one.stored for one in store(paths, entity))
    assert stored == plain == []


@pytest.mark.parametrize(
    ("text", "entity"),
    [
        ("pacs:104:AE", Entity("pacs", 104, "AE")),
        ("[::1]:11112:MY AE", Entity("::1", 11112, "MY AE")),
        ("tls://pacs:2762:AE", Entity("pacs", 2762, "AE", tls=True)),
        ("tls:104:AE", Entity("tls", 104, "AE")),
        ("10.0.0.7:65535:A_B-C", Entity("10.0.0.7", 65535, "A_B-C")),
    ],
)
def test_an_entity_is_written_host_port_title(text: str, entity: Entity) -> None:
    assert Entity.parse(text) == entity


@pytest.mark.parametrize(
    "text",
    ["", "pacs", "pacs:104", ":104:AE", "pacs:0:AE", "pacs:65536:AE", "pacs:-1:AE", "pacs:1_0:AE",
     "pacs:104:", "pacs:104:SEVENTEEN_LETTERS", "pacs:104:A\\B", "pacs:104:Ä", "pacs:١٠٤:AE"],
)  # fmt: skip
def test_what_is_no_entity_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="HOST:PORT:AET"):
        Entity.parse(text)


@given(st.text())
def test_any_text_is_an_entity_or_a_clear_refusal(text: str) -> None:
    try:
        entity = Entity.parse(text)
    except InputError:
        return
    assert entity.host
    assert 0 < entity.port < 65536
    assert 0 < len(entity.title) <= 16
