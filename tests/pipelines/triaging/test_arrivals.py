"""What lies in a folder, and when a scan in a folder that fills may be read."""

import os
from pathlib import Path

import numpy as np
import pytest
from pydicom.dataset import Dataset

from configs.contracts import InputError
from model.volumes import Candidate
from pipelines.triaging.arrivals import Arrivals
from tests.pipelines.made_scans import write_series

SMALL = np.full((6, 16, 16), -800, np.int16)


def named(number: int):
    def fill(image: Dataset) -> None:
        image.StudyInstanceUID = f"1.2.{number}"
        image.SeriesInstanceUID = f"1.2.{number}.1"
        image.SOPInstanceUID = f"1.2.{number}.1.{image.InstanceNumber}"
        image.file_meta.MediaStorageSOPInstanceUID = image.SOPInstanceUID
        image.PatientID, image.AccessionNumber = f"P{number}", f"A{number}"

    return fill


def test_scans_come_in_order_of_arrival_with_one_state_each(tmp_path: Path) -> None:
    for number in (1, 2):
        write_series(tmp_path / f"s{number}", SMALL, fill=named(number))
    for path in (tmp_path / "s1").iterdir():
        os.utime(path, (1e9, 1e9))
    arrivals = Arrivals(tmp_path)
    first = arrivals.look()
    assert first[0].received == 1e9
    assert len({found.state for found in first}) == 2
    assert [found.state for found in arrivals.look()] == [found.state for found in first]
    (tmp_path / "s1" / "000.dcm").unlink()  # one slice fewer: another state of the scan
    again = arrivals.look()
    assert again[0].state != first[0].state
    assert again[1].state == first[1].state


def test_a_scan_waits_until_its_last_file_is_still(tmp_path: Path) -> None:
    now = [1000.0]
    arrivals = Arrivals(tmp_path, settle_seconds=10, clock=lambda: now[0])
    assert arrivals.look() == []
    write_series(tmp_path / "s1", SMALL, fill=named(1))
    late = tmp_path / "s1" / "005.dcm"
    content = late.read_bytes()
    late.unlink()
    assert arrivals.look() == []
    now[0] += 8
    late.write_bytes(content[: len(content) // 2])  # still being written
    assert arrivals.look() == []
    now[0] += 8  # the other slices are still by now, the last one is not
    late.write_bytes(content)
    assert arrivals.look() == []
    assert arrivals.waiting == 1
    now[0] += 11
    (found,) = arrivals.look()
    assert isinstance(found.item, Candidate)
    assert found.item.slices == 6
    assert arrivals.waiting == 0


def test_what_cannot_be_a_volume_arrives_too(tmp_path: Path) -> None:
    write_series(tmp_path / "s1", SMALL, fill=named(1))
    for gone in ("002.dcm", "003.dcm"):
        (tmp_path / "s1" / gone).unlink()
    (found,) = Arrivals(tmp_path).look()
    assert not isinstance(found.item, Candidate)
    assert found.item.reason == "GAP"


def test_a_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        Arrivals(tmp_path / "absent").look()
