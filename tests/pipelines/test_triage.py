"""`chestct triage` from folders to worklists, with an untrained network: arithmetic, no meaning."""

import csv
import json
import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom.dataset import Dataset

from configs import files
from configs.contracts import INTENDED_USE, InputError, Stage
from configs.profile import load_profile
from configs.triage_policy import load_triage_policy
from model.volumes import Candidate, Refused, VolumeError, assess, find_volumes
from model.volumes.preprocess import preprocess
from model.volumes.store import Store, VolumeIds
from pipelines.running.run import Rejected, rejected_table
from pipelines.triage import triage
from pipelines.triaging.id_map import read_id_map
from pipelines.triaging.worklist import NO_FLAG_MEANING, Standing, Worklist
from tests.model.volumes.phantom import chest
from tests.pipelines.made_scans import IDENTITIES, model, plant, write_series

__all__ = ["model"]  # the fixture


def named(number: int) -> Callable[[Dataset], None]:
    def fill(image: Dataset) -> None:
        image.StudyInstanceUID = f"1.2.840.{number}"
        image.SeriesInstanceUID = f"1.2.840.{number}.1"
        image.SOPInstanceUID = f"1.2.840.{number}.1.{image.InstanceNumber}"
        image.file_meta.MediaStorageSOPInstanceUID = image.SOPInstanceUID
        image.PatientID, image.AccessionNumber = f"CANARY-P{number}", f"CANARY-A{number}"
        image.StudyTime = "120000" if number == 1 else ""

    return fill


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two chests, one scan of noise, one that lacks slices."""
    root = tmp_path_factory.mktemp("archive")
    write_series(root / "CANARY-one", chest(), fill=named(1))
    write_series(root / "two", chest(), fill=named(2))
    noise = np.random.default_rng(0).normal(0, 400, (40, 64, 64))
    write_series(root / "noise", noise, fill=named(3))
    write_series(root / "gap", chest(), fill=named(4))
    for number in (20, 21):
        (root / "gap" / f"{number:03}.dcm").unlink()
    return root


@pytest.fixture(scope="module")
def out(archive: Path, model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("out")
    triage(archive, model=model, out=out, reports=True, quiet=True)
    return out


def saved(out: Path) -> Worklist:
    return Worklist.model_validate_json((out / "worklist.json").read_text())


def test_every_scan_has_its_row_and_what_was_not_read_is_on_top(out: Path) -> None:
    worklist = saved(out)
    assert [row.standing for row in worklist.rows] == [
        Standing.NOT_READ, Standing.NOT_READ, Standing.RANKED, Standing.RANKED,
    ]  # fmt: skip
    assert {row.reasons[0].code for row in worklist.having(Standing.NOT_READ)} >= {"GAP"}
    for row in worklist.having(Standing.NOT_READ):
        assert (row.urgency, row.priority, row.flags) == (None, None, ())
    rejected = files.read_table(out / "rejected.parquet").to_pylist()
    assert {row["stage"] for row in rejected} == {"read"}
    counts = json.loads((out / "run.json").read_text())["counts"]
    assert (counts["scans"], counts["read"]) == (4, 2)


def test_every_form_says_first_what_the_model_cannot_see(out: Path) -> None:
    first = saved(out).cannot_see
    assert first.startswith("This model cannot see: aortic dissection, pneumothorax")
    lines = (out / "worklist.csv").read_text().splitlines()
    assert lines[0] == f"# {first}"
    assert lines[1] == f"# {INTENDED_USE}"
    page = (out / "worklist.html").read_text()
    body = page.partition("<body>")[2]
    assert body.index(first) < body.index(INTENDED_USE) < body.index("<table")
    assert NO_FLAG_MEANING in page
    for text in (page, "\n".join(lines)):
        assert "normal" not in text.replace(NO_FLAG_MEANING, "").lower()


def test_the_terminal_says_how_many_it_leaves_out(
    archive: Path,
    model: Path,
    out: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("pipelines.triage._MOST_PRINTED", 1)
    worklist = triage(archive, model=model, out=out, reports=True)
    more = len(worklist.having(Standing.RANKED)) - 1
    assert f"{more} more in worklist.html" in capsys.readouterr().out


def test_the_table_has_the_list_after_four_lines(out: Path) -> None:
    with (out / "worklist.csv").open() as text:
        for _ in range(4):
            next(text)
        rows = list(csv.DictReader(text))
    worklist = saved(out)
    assert [row["series"] for row in rows] == [row.scan.series for row in worklist.rows]
    assert [row["standing"] for row in rows] == [row.standing.value for row in worklist.rows]


def test_nobody_is_named_unless_asked(
    out: Path, archive: Path, model: Path, tmp_path: Path
) -> None:
    everything = b"".join(path.read_bytes() for path in out.rglob("*") if path.is_file())
    for identity in (*IDENTITIES.values(), "CANARY", "1.2.840.1.1", "20191230"):
        assert identity.encode() not in everything
    pages = [row.page for row in saved(out).rows if row.page]
    assert len(pages) >= 2
    assert all((out / page).exists() for page in pages)

    named = triage(archive / "two", model=model, out=tmp_path, identified=True, quiet=True)
    (row,) = named.rows
    assert (row.scan.patient_id, row.scan.accession) == ("CANARY-P2", "CANARY-A2")
    assert "CANARY-A2" in (tmp_path / "worklist.csv").read_text()


def test_sixty_planted_identities_reach_no_list(
    model: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    def other(image: Dataset) -> None:
        plant(image)
        image.StudyInstanceUID, image.SeriesInstanceUID = "1.2.840.9", "1.2.840.9.1"

    def second(image: Dataset) -> None:
        plant(image)
        image.SeriesInstanceUID = "1.2.840.8"
        image.SOPInstanceUID = f"1.2.840.8.{image.InstanceNumber}"

    write_series(tmp_path / "in" / "CANARYFOLDER", chest(), fill=plant)
    write_series(tmp_path / "in" / "CANARYSECOND", chest(), fill=second)
    write_series(tmp_path / "in" / "CANARYGAP", chest(), fill=other)
    for number in (20, 21):
        (tmp_path / "in" / "CANARYGAP" / f"{number:03}.dcm").unlink()
    (tmp_path / "in" / "CANARYNOTE.txt").write_text("CANARYTEXT")
    with caplog.at_level("DEBUG"):
        made = triage(tmp_path / "in", model=model, out=tmp_path / "out", reports=True)
    assert [row.standing for row in made.rows] == [Standing.NOT_READ, Standing.RANKED]
    left_out = json.loads((tmp_path / "out" / "run.json").read_text())["left_out"]
    assert left_out["other series of a scan"] == 1
    assert "--" not in " ".join(left_out)  # no option of another verb
    said = capsys.readouterr()
    written = [path for path in (tmp_path / "out").rglob("*") if path.is_file()]
    everything = b"".join(path.read_bytes() for path in written)
    shown = caplog.text + said.err + said.out.replace(str(tmp_path), "")
    assert b"CANARY" not in everything + shown.encode()
    for identity in ("19410203", "19871229", "19871230", "091807", "1.2.840.9"):
        assert identity.encode() not in everything


def test_a_second_run_reads_nothing_again_and_another_policy_ranks_anew(
    out: Path, archive: Path, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("read again")

    monkeypatch.setattr("pipelines.triaging.readers.Readers._read", refuse)
    own = tmp_path / "policy.yaml"
    own.write_text(
        "sensitivity: 0.9\nmax_wait_hours: 1\nurgent_weight: 50\nfindings: {pleural_effusion: 60}\n"
    )
    before, copy = saved(out), tmp_path / "copy"
    shutil.copytree(out, copy)
    again = triage(archive, model=model, out=copy, reports=True, policy=str(own), quiet=True)
    assert json.loads((copy / "run.json").read_text())["counts"]["kept"] == 3
    assert [row.scan for row in again.rows] == [row.scan for row in before.rows]
    assert again.cannot_see.startswith("This model has a label for every urgent finding")
    assert [watched.name for watched in again.watched] == ["Pleural effusion"]
    own.write_text(own.read_text().replace("pleural_effusion", "nodule"))
    with pytest.raises(AssertionError, match="read again"):  # pages name what a list flags from
        triage(archive, model=model, out=copy, reports=True, policy=str(own), quiet=True)


@pytest.fixture
def _interrupts_ignored() -> Iterator[None]:
    """As a shell starts what it puts into the background."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    yield
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("_interrupts_ignored")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_folder_that_fills_is_read_until_a_signal_ends_it(
    number: int, archive: Path, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(seconds: float) -> None:
        if saved(tmp_path).having(Standing.RANKED):
            os.kill(os.getpid(), number)

    monkeypatch.setattr(time, "sleep", interrupt)
    watched = triage(
        archive / "two", model=model, out=tmp_path, watch=True, every=0.05, settle=0, quiet=True
    )
    assert [row.standing for row in watched.rows] == [Standing.RANKED]
    assert (tmp_path / "run.json").exists()
    assert 'http-equiv="refresh"' in (tmp_path / "worklist.html").read_text()


def test_a_signal_before_and_another_after_watching_leave_the_record(
    archive: Path, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pipelines.triaging import board
    from pipelines.triaging.coverage import cover

    def slow(*arguments: Any) -> Any:
        os.kill(os.getpid(), signal.SIGTERM)
        return cover(*arguments)

    def written(*arguments: Any) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        forms(*arguments)

    forms = board.write_forms
    monkeypatch.setattr("pipelines.triaging.coverage.cover", slow)
    monkeypatch.setattr(board, "write_forms", written)
    listed = triage(archive / "two", model=model, out=tmp_path, watch=True, settle=0, quiet=True)
    assert [row.standing for row in listed.rows] == [Standing.PENDING]
    assert (tmp_path / "run.json").exists()


def _prepare(archive: Path, path: Path) -> None:
    """A store as `prepare` leaves it: what is in scope, and rows of what is not."""
    with Store.create(path, load_profile("tiny")) as store:
        rejected = []
        for number, item in enumerate(find_volumes(archive)):
            try:
                volume = item.read() if isinstance(item, Candidate) else None
            except VolumeError:
                volume = None
            if volume is None or not assess(volume).in_scope:
                reason = item.reason if isinstance(item, Refused) else "NO_LUNGS"
                rejected.append(Rejected(f"r{number}", Stage.PREPARE, reason, "why"))
                continue
            ids = VolumeIds(f"v{number}", f"s{number}", f"s{number}", "p")
            store.add(preprocess(volume, store.profile), ids)
    files.write_table(path / "rejected.parquet", rejected_table(rejected))


def test_a_store_gives_the_same_numbers_and_keeps_what_prepare_refused(
    out: Path, archive: Path, model: Path, tmp_path: Path
) -> None:
    _prepare(archive, tmp_path / "store")
    made = triage(tmp_path / "store", model=model, out=tmp_path / "out", quiet=True)
    assert [row.standing for row in made.rows] == [row.standing for row in saved(out).rows]
    assert {row.reasons[0].code for row in made.having(Standing.NOT_READ)} >= {"GAP"}
    alike = [row.urgency for row in saved(out).having(Standing.RANKED)]
    assert [row.urgency for row in made.having(Standing.RANKED)] == pytest.approx(alike, abs=1e-3)
    assert all(row.overdue for row in made.having(Standing.RANKED))  # by the date of the study
    noon, unknown = sorted(row.waited_hours for row in made.having(Standing.RANKED))
    assert unknown - noon == pytest.approx(12, abs=0.1)
    with pytest.raises(InputError, match="a store holds pseudonyms only"):
        triage(tmp_path / "store", model=model, out=tmp_path / "o", identified=True, quiet=True)


def test_what_cannot_be_done_is_said_in_one_line(
    archive: Path, model: Path, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="no CT images"):
        triage(model, model=model, out=tmp_path / "a", quiet=True)
    with pytest.raises(InputError, match="no triage policy 'x'; there are default"):
        triage(archive, model=model, out=tmp_path / "b", policy="x", quiet=True)
    with pytest.raises(InputError, match="no scan could be read"):
        triage(archive / "gap", model=model, out=tmp_path / "c", quiet=True)
    assert (tmp_path / "c" / "worklist.html").exists()


def test_a_policy_with_an_unknown_finding_is_refused_with_its_line(tmp_path: Path) -> None:
    own = tmp_path / "policy.yaml"
    text = "sensitivity: 0.9\nmax_wait_hours: 1\nurgent_weight: 50\nfindings: {pneumotorax: 60}\n"
    own.write_text(text)
    with pytest.raises(InputError, match=r"policy\.yaml:.*'pneumotorax'"):
        load_triage_policy(str(own))
    own.write_text(text.replace("pneumotorax: 60", "pneumothorax: 160"))
    with pytest.raises(InputError, match=r"policy\.yaml:4"):
        load_triage_policy(str(own))


def test_the_way_back_is_kept_only_when_asked_and_covers_every_row(
    out: Path, archive: Path, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = shutil.copytree(out, tmp_path / "copy")
    scans = shutil.copytree(archive, tmp_path / "scans")
    (scans / "CANARYSTRAY").write_bytes((scans / "two" / "000.dcm").read_bytes()[:200])
    triage(scans, model=model, out=copy, reports=True)
    assert "--id-map" in capsys.readouterr().out
    for name in ("map.csv", "map.parquet"):
        kept = tmp_path / name
        made = triage(scans, model=model, out=copy, reports=True, id_map=kept, quiet=True)
        assert kept.stat().st_mode & 0o777 == 0o600
        rows = {row["series"]: row for row in read_id_map(kept)}
        assert all(row.scan.series in rows for row in made.rows)
        stray = next(row for row in rows.values() if row["path"] == "CANARYSTRAY")
        assert stray["series"] in (copy / "worklist.csv").read_text()
        (two,) = (row for row in rows.values() if row["accession"] == "CANARY-A2")
        assert (two["patient_id"], two["series_uid"]) == ("CANARY-P2", "1.2.840.2.1")
        assert two["path"].startswith("two")
        (gap,) = (row for row in rows.values() if row["accession"] == "CANARY-A4")
        assert gap["study"] in {row.scan.study for row in made.having(Standing.NOT_READ)}
    everything = b"".join(path.read_bytes() for path in copy.rglob("*") if path.is_file())
    assert b"CANARY" not in everything


def test_files_of_one_name_are_told_apart(archive: Path, model: Path, tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / "in" / folder).mkdir(parents=True)
        (tmp_path / "in" / folder / "ct.nii").write_bytes(b"no volume")
    with pytest.raises(InputError, match="no scan could be read"):
        triage(tmp_path / "in", model=model, out=tmp_path / "o", id_map=tmp_path / "m", quiet=True)
    assert len({row.scan.series for row in saved(tmp_path / "o").rows}) == 2
    assert {row["path"] for row in read_id_map(tmp_path / "m")} == {"a/ct.nii", "b/ct.nii"}


def test_the_way_back_never_lies_beside_the_list_nor_over_another_file(
    archive: Path, model: Path, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="lies in the list's folder"):
        triage(archive, model=model, out=tmp_path, id_map=tmp_path / "map.csv", quiet=True)
    other = tmp_path / "other.csv"
    other.write_text("a,b\n1,2\n")
    with pytest.raises(InputError, match="not a worklist's map"):
        triage(archive, model=model, out=tmp_path / "o", id_map=other, quiet=True)
    assert other.read_text() == "a,b\n1,2\n"
    header = "series,study,series_uid,study_uid,patient_id,accession,path\n"
    (tmp_path / "folder.csv").mkdir()
    (tmp_path / "latin.csv").write_bytes(header.encode() + b"a,b,c,d,M\xfcller,f,g\n")
    (tmp_path / "cut.csv").write_text(header + "a,b,c,d,e,f,g\na,b,c\n")
    for name, told in (("folder", "as a file"), ("latin", "UTF-8"), ("cut", "row 2 is cut")):
        with pytest.raises(InputError, match=told):
            read_id_map(tmp_path / f"{name}.csv")
    _prepare(archive / "two", tmp_path / "store")
    with pytest.raises(InputError, match="prepare --id-map"):
        triage(
            tmp_path / "store", model=model, out=tmp_path / "o", id_map=tmp_path / "m", quiet=True
        )
