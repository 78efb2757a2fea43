import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from pydicom.dataset import Dataset

from configs.contracts import InputError, Stage
from configs.files import IdKey, read_json
from model.bundle import Bundle
from model.calibration import UNCALIBRATED
from model.card import ModelCard
from model.data import Volumes
from model.networks.sizes import SIZES
from model.volumes.store import Store
from pipelines.prepare import PrepareEstimate, prepare
from pipelines.preparing.work import Task
from pipelines.rendering.reading import read_scan
from pipelines.running.run import Rejected, Run
from tests.model.volumes.dicom_phantom import Plan, make_series, save
from tests.model.volumes.phantom import chest

CHEST = chest((60, 80, 80), 5.0)


def chest_series(patient: str = "P1", accession: str = "A1") -> list[Dataset]:
    plan = Plan(60, 80, 80, 5.0, 5.0, 5.0, origin=(-200.0, -200.0, -150.0))
    series = make_series(plan, CHEST)
    for ds in series:
        ds.PatientID, ds.AccessionNumber, ds.StudyTime = patient, accession, "083015.250"
    return series


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    root = tmp_path / "scans"
    save(chest_series("P1", "A1"), root / "one")
    save(chest_series("P2", "A2"), root / "deep" / "two")
    gap = chest_series("P3", "A3")
    del gap[20]
    save(gap, root / "gap")
    (root / "notes.txt").write_text("not a scan")
    return root


def test_good_series_are_kept_and_bad_ones_listed(archive: Path, tmp_path: Path) -> None:
    out = tmp_path / "store"
    summary = prepare(archive, out=out, quiet=True)
    assert (summary.volumes, summary.scans, summary.patients, summary.rejected) == (2, 2, 2, 1)
    rejected = pd.read_parquet(out / "rejected.parquet")
    assert rejected["reason"].tolist() == ["GAP"]
    assert read_json(out / "run.json")["counts"]["volumes"] == 2
    store = Store.open(out)
    for name in store.manifest["volume_id"]:
        assert store.read(name).shape == (64, 64, 64)
    assert store.manifest["time"].tolist() == ["083015"] * 2


def test_identifiers_are_pseudonyms_of_the_key(archive: Path, tmp_path: Path) -> None:
    key_path = tmp_path / "site.key"
    key = IdKey.open(key_path, create=True)
    prepare(archive, out=tmp_path / "store", id_key=key_path, quiet=True)
    manifest = Store.open(tmp_path / "store").manifest
    assert set(manifest["scan_id"]) == {key.pseudonym("scan", name) for name in ("A1", "A2")}
    assert set(manifest["patient_id"]) == {key.pseudonym("patient", name) for name in ("P1", "P2")}
    assert not (tmp_path / "store" / "id.key").exists()


def test_no_identity_reaches_the_store(archive: Path, tmp_path: Path) -> None:
    out = tmp_path / "store"
    prepare(archive, out=out, quiet=True)
    tables = [pd.read_parquet(path) for path in (out / "rejected.parquet", out / "scans.parquet")]
    text = " ".join([*(table.to_json() for table in tables), (out / "run.json").read_text()])
    names = " ".join(path.name for path in out.rglob("*"))
    for canary in ("Canary", "P-000123", "19500101", '"P1"', '"A1"', "1.2.826"):
        assert canary not in text
        assert canary not in names


def test_a_second_run_keeps_what_stands_and_redoes_what_changed(
    archive: Path, tmp_path: Path
) -> None:
    out = tmp_path / "store"
    prepare(archive, out=out, quiet=True)
    before = {path: path.stat().st_mtime_ns for path in (out / "arrays").iterdir()}
    again = prepare(archive, out=out, quiet=True)
    assert (again.added, again.kept, again.volumes) == (0, 2, 2)
    assert before == {path: path.stat().st_mtime_ns for path in (out / "arrays").iterdir()}

    changed = next((archive / "one").iterdir())
    content = bytearray(changed.read_bytes())
    content[-1] ^= 1
    changed.write_bytes(content)
    third = prepare(archive, out=out, quiet=True)
    assert (third.added, third.kept, third.volumes) == (1, 1, 2)


def test_files_that_share_a_name_stay_apart(tmp_path: Path) -> None:
    nibabel = pytest.importorskip("nibabel")
    for folder, shift in (("s1", 0), ("s2", 4)):
        (tmp_path / "scans" / folder).mkdir(parents=True)
        hu = np.roll(CHEST, shift, axis=2).transpose(2, 1, 0)
        image = nibabel.Nifti1Image(hu, np.diag([-5.0, -5.0, 5.0, 1.0]))
        nibabel.save(image, tmp_path / "scans" / folder / "ct.nii.gz")
    summary = prepare(tmp_path / "scans", out=tmp_path / "store", quiet=True)
    assert (summary.volumes, summary.patients) == (2, 2)


def test_an_accession_that_patients_share_joins_nothing(tmp_path: Path) -> None:
    for patient in ("P1", "P2"):
        save(chest_series(patient, "ANON"), tmp_path / "scans" / patient)
    summary = prepare(tmp_path / "scans", out=tmp_path / "store", quiet=True)
    assert (summary.volumes, summary.scans) == (2, 2)


def test_what_is_no_chest_is_rejected_unless_asked_for(tmp_path: Path) -> None:
    save(chest_series()[:5], tmp_path / "scans" / "legs")
    save(chest_series("P2", "A2"), tmp_path / "scans" / "chest")
    summary = prepare(tmp_path / "scans", out=tmp_path / "store", quiet=True)
    assert (summary.volumes, summary.rejected) == (1, 1)
    rejected = pd.read_parquet(tmp_path / "store" / "rejected.parquet")
    assert rejected["reason"].tolist() == ["NO_LUNGS"]
    share = float(rejected["detail"].item().split("NO_LUNGS lung_share=")[1])
    assert 0 <= share < 0.03
    again = prepare(tmp_path / "scans", out=tmp_path / "store", quiet=True, any_content=True)
    assert (again.volumes, again.added, again.rejected) == (2, 1, 0)
    quality = Store.open(tmp_path / "store").manifest["quality"]
    assert ["NO_LUNGS"] in [list(reasons) for reasons in quality]


def two_kernels(folder: Path) -> list[str]:
    """One scan as a soft and as a sharp reconstruction; returns their series UIDs, soft first."""
    soft, sharp = chest_series("P1", "A1"), chest_series("P1", "A1")
    for ds in sharp:
        ds.StudyInstanceUID, ds.ConvolutionKernel = soft[0].StudyInstanceUID, "B70f"
    save(soft, folder / "soft")
    save(sharp, folder / "sharp")
    return [soft[0].SeriesInstanceUID, sharp[0].SeriesInstanceUID]


def test_of_a_scan_s_series_the_best_is_kept_unless_all_or_one_is_asked_for(tmp_path: Path) -> None:
    soft, sharp = two_kernels(tmp_path / "scans")
    best = prepare(tmp_path / "scans", out=tmp_path / "best", quiet=True)
    assert (best.volumes, best.scans) == (1, 1)
    assert best.left_out["other series of a scan"] == 1
    assert Store.open(tmp_path / "best").manifest["kernel"].tolist() == ["B30f"]
    both = prepare(tmp_path / "scans", out=tmp_path / "all", all_series=True, quiet=True)
    assert (both.volumes, both.scans) == (2, 1)
    prepare(tmp_path / "scans", out=tmp_path / "one", series=[sharp], quiet=True)
    assert Store.open(tmp_path / "one").manifest["kernel"].tolist() == ["B70f"]
    with pytest.raises(InputError, match="1 of the 2 series named"):
        prepare(tmp_path / "scans", out=tmp_path / "x", series=[soft, "1.2"], quiet=True)
    with pytest.raises(InputError, match="give one"):
        prepare(tmp_path / "scans", out=tmp_path / "x", series=[soft], all_series=True)


def test_series_are_grouped_by_study_and_phase(tmp_path: Path) -> None:
    moments = (
        ("100000", ""), ("100100", "IOMERON"), ("100101", "IOMERON"), ("100140", "IOMERON"),
        ("", ""), ("", ""),
    )  # fmt: skip
    study = "1.2.3.4"
    for number, (start, agent) in enumerate(moments):
        series = chest_series("P1", "A1")
        for ds in series:
            ds.StudyInstanceUID, ds.AcquisitionTime = study, start
            ds.ConvolutionKernel = f"B3{number}f"
            if agent:
                ds.ContrastBolusAgent = agent
        save(series, tmp_path / "scans" / str(number))
    save(chest_series("P2", "A2"), tmp_path / "scans" / "other")
    prepare(tmp_path / "scans", out=tmp_path / "store", quiet=True, all_series=True)
    manifest = Store.open(tmp_path / "store").manifest
    one = manifest[manifest["study_id"] == manifest["study_id"].mode().item()]
    phase = dict(zip(one["kernel"], one["phase"], strict=True))
    assert phase["B31f"] == phase["B32f"], "two reconstructions of one acquisition"
    assert len(set(phase.values())) == 5, "what does not say when is alone"


def test_a_conversion_beside_its_dicom_slices_is_no_second_patient(tmp_path: Path) -> None:
    nibabel = pytest.importorskip("nibabel")
    save(chest_series("P1", "A1"), tmp_path / "scans" / "one")
    image = nibabel.Nifti1Image(CHEST.transpose(2, 1, 0), np.diag([-5.0, -5.0, 5.0, 1.0]))
    nibabel.save(image, tmp_path / "scans" / "one" / "converted.nii.gz")
    summary = prepare(tmp_path / "scans", out=tmp_path / "store", quiet=True, all_series=True)
    assert (summary.volumes, summary.patients) == (1, 1)
    assert any("volume file in the folder" in what for what in summary.left_out)


def test_the_command_line_takes_every_option(
    archive: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from pipelines.cli import app

    line = ["prepare", str(archive), "--out", str(tmp_path / "store"), "--all-series", "--dry-run"]
    app(line, result_action="return_value")
    said = capsys.readouterr().out
    assert "nothing was written" in said
    assert "Profile tiny: to be trained by `chestct train --config demo` (or quick)" in said
    assert not (tmp_path / "store").exists()


def test_a_dry_run_tells_disk_and_time_and_writes_nothing(archive: Path, tmp_path: Path) -> None:
    expected = prepare(archive, out=tmp_path / "store", dry_run=True, quiet=True)
    assert not (tmp_path / "store").exists()
    assert (expected.volumes, expected.refused) == (2, 1)
    assert (expected.sampled, expected.sample_kept) == (2, 2)
    assert expected.seconds_one_worker > 0
    prepare(archive, out=tmp_path / "store", quiet=True)
    written = sum(path.stat().st_size for path in (tmp_path / "store" / "arrays").iterdir())
    assert expected.store_bytes == written


def test_a_dry_run_counts_the_time_of_a_core_not_of_the_clock(
    archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def waiting(task: Task) -> Rejected:
        time.sleep(0.5)  # as where other programs hold the cores
        return Rejected(task.ids.volume_id, Stage.PREPARE, "GAP", "")

    monkeypatch.setattr("pipelines.preparing.estimate.prepare_one", waiting)
    expected = prepare(archive, out=tmp_path / "store", dry_run=True, quiet=True)
    assert isinstance(expected, PrepareEstimate)
    assert expected.seconds_one_worker < 0.5


def test_a_dry_run_finds_what_a_run_would_refuse(archive: Path, tmp_path: Path) -> None:
    (tmp_path / "no.key").write_text("not a key")
    prepare(archive, out=tmp_path / "store", quiet=True)
    for wrong in (
        {"id_key": tmp_path / "no.key"},
        {"metadata": tmp_path / "no.csv", "dataset": "ct_rate"},
        {"dataset": "ct_rate"},  # DICOM is not of it
        {"profile": "small"},  # the store holds another
        {"id_map": tmp_path / "store" / "map.parquet"},
    ):
        with pytest.raises(InputError):
            prepare(archive, out=tmp_path / "store", dry_run=True, quiet=True, **wrong)


def test_a_missing_folder_is_told_as_everywhere(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none: no such file or folder$"):
        prepare(tmp_path / "none", out=tmp_path / "store")


def test_a_second_run_into_a_store_at_work_is_refused_before_it_reads(
    archive: Path, tmp_path: Path
) -> None:
    out = tmp_path / "store"
    with (
        Run("prepare", out),
        pytest.raises(InputError, match="another run is at work here"),
    ):
        prepare(archive, out=out, quiet=True)
    assert not (out / "store.json").exists()


def test_the_way_back_is_written_only_outside_the_store_and_when_asked_for(
    archive: Path, tmp_path: Path
) -> None:
    out, id_map = tmp_path / "store", tmp_path / "map.parquet"
    prepare(archive, out=out, id_map=id_map, quiet=True)
    assert id_map.stat().st_mode & 0o777 == 0o600
    rows = pd.read_parquet(id_map).set_index("volume_id")
    manifest = Store.open(out).manifest.set_index("volume_id")
    for name, row in manifest.iterrows():
        assert (row["scan_id"], row["patient_id"]) == tuple(
            rows.loc[name, ["scan_id", "patient_id"]]
        )
    assert set(rows.loc[manifest.index, "patient"]) == {"P1", "P2"}
    rejected = pd.read_parquet(out / "rejected.parquet")["id"].item()
    assert rows.loc[rejected, "series"].startswith("1.2.826")  # pydicom's root of UIDs
    key = IdKey.open(out / "id.key")
    own = ["scan", "patient", "scan_id", "patient_id"]
    pseudonyms = [key.pseudonym("scan", "A3"), key.pseudonym("patient", "P3")]
    assert rows.loc[rejected, own].tolist() == ["A3", "P3", *pseudonyms]
    assert rows.loc[rejected, "study"].startswith("1.2.826")
    again = prepare(archive / "one", out=out, id_map=id_map, quiet=True)
    assert (again.kept, len(pd.read_parquet(id_map))) == (1, 3), "earlier rows stay"
    other = (out / "rejected.parquet").rename(tmp_path / "other.parquet")
    with pytest.raises(InputError, match="not a map"):
        prepare(archive, out=out, id_map=other, quiet=True)


def test_whose_a_refused_series_is_stays_known_until_it_is_mended(
    archive: Path, tmp_path: Path
) -> None:
    """A gap, a file cut short, and what is no chest: each names its scan in the store."""
    cut = save(chest_series("P4", "A4")[:1], archive / "cut")
    (file,) = cut.iterdir()
    file.write_bytes(file.read_bytes()[:-100])
    save(chest_series("P5", "A5")[:5], archive / "legs")
    out = tmp_path / "store"
    prepare(archive, out=out, quiet=True)
    key = IdKey.open(out / "id.key")

    def known() -> dict[str, str]:
        table = pd.read_parquet(out / "refused.parquet")
        return dict(zip(table["scan_id"], table["reason"], strict=True))

    scans = {name: key.pseudonym("scan", name) for name in ("A3", "A4", "A5")}
    assert known() == {
        scans["A3"]: "GAP", scans["A4"]: "TRUNCATED", scans["A5"]: "NO_LUNGS"
    }  # fmt: skip
    prepare(archive / "one", out=out, quiet=True)
    assert set(known()) == set(scans.values()), "those of earlier runs stay"
    prepare(archive, out=out, any_content=True, quiet=True)
    assert set(known()) == {scans["A3"], scans["A4"]}


def test_a_refused_scan_s_accession_number_is_not_another_patient_s(tmp_path: Path) -> None:
    gap = chest_series("P2", "ANON")
    del gap[20]
    save(gap, tmp_path / "scans" / "gap")
    save(chest_series("P1", "ANON"), tmp_path / "scans" / "whole")
    prepare(tmp_path / "scans", out=tmp_path / "store", quiet=True)
    store = Store.open(tmp_path / "store")
    shared = IdKey.open(tmp_path / "store" / "id.key").pseudonym("scan", "ANON")
    assert store.manifest["scan_id"].tolist() != [shared]


def test_lungs_are_measured(archive: Path, tmp_path: Path) -> None:
    prepare(archive, out=tmp_path / "store", quiet=True)
    manifest = Store.open(tmp_path / "store").manifest
    lungs = (CHEST < -600) & (CHEST > -950)  # the phantom's lungs; room air is -1000
    millilitres = lungs.sum() * 5.0**3 / 1000
    assert manifest["lung_volume_ml"].tolist() == pytest.approx([millilitres] * 2, rel=0.1)
    assert (manifest["share_below_950"] < 0.05).all()


def test_a_nifti_s_id_is_its_name(tmp_path: Path) -> None:
    nibabel = pytest.importorskip("nibabel")
    (tmp_path / "scans").mkdir()
    image = nibabel.Nifti1Image(CHEST.transpose(2, 1, 0), np.diag([-5.0, -5.0, 5.0, 1.0]))
    nibabel.save(image, tmp_path / "scans" / "train_1_a_1.nii.gz")
    prepare(tmp_path / "scans", out=tmp_path / "store", quiet=True)
    key = IdKey.open(tmp_path / "store" / "id.key")
    manifest = Store.open(tmp_path / "store").manifest
    assert manifest["scan_id"].tolist() == [key.pseudonym("scan", "train_1_a_1")]


def test_two_workers_make_the_same_store(archive: Path, tmp_path: Path) -> None:
    key = tmp_path / "site.key"
    IdKey.open(key, create=True)
    for workers in (1, 2):
        prepare(archive, out=tmp_path / str(workers), id_key=key, workers=workers, quiet=True)
    one, two = (Store.open(tmp_path / name).manifest for name in ("1", "2"))
    pd.testing.assert_frame_equal(one, two)


def test_a_cluster_s_workers_make_the_same_store_and_a_second_run_keeps_it(
    archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from distributed.deploy.subprocess import SubprocessCluster

    key = tmp_path / "site.key"
    IdKey.open(key, create=True)
    prepare(archive, out=tmp_path / "one", id_key=key, workers=1, quiet=True)
    monkeypatch.chdir(tmp_path)  # paths are the workers' too, wherever these stand
    with SubprocessCluster(n_workers=2, threads_per_worker=1) as cluster:
        address = cluster.scheduler_address
        for added in (2, 0):
            done = prepare(
                Path("scans"), out=Path("two"), id_key=key, scheduler=address, quiet=True
            )
            assert (done.added, done.volumes, done.rejected) == (added, 2, 1)
    one, two = (Store.open(tmp_path / name).manifest for name in ("one", "two"))
    pd.testing.assert_frame_equal(one, two)


def test_a_worker_that_sees_other_files_or_is_of_another_version_ends_the_run(
    archive: Path, tmp_path: Path
) -> None:
    from dataclasses import replace

    from model.volumes.find import survey_folder
    from model.volumes.store import VolumeIds
    from pipelines.preparing.work import Task, prepare_one

    prepare(archive / "one", out=tmp_path / "store", quiet=True)
    candidate = survey_folder(archive / "one").candidates[0]
    ids = VolumeIds("v", "s", "t", "p")
    task = Task(candidate, ids, Store.open(tmp_path / "store"), any_content=False, root=archive)
    assert isinstance(prepare_one(task), dict)
    with pytest.raises(InputError, match="does not see it"):
        prepare_one(replace(task, root=tmp_path / "elsewhere"))
    with pytest.raises(InputError, match="another chestct"):
        prepare_one(replace(task, preprocess_version=0))


def test_no_workers_are_refused(archive: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--workers 0: at least 1"):
        prepare(archive, out=tmp_path / "store", workers=0, quiet=True)


def test_nothing_usable_is_an_input_error(tmp_path: Path) -> None:
    (tmp_path / "scans").mkdir()
    (tmp_path / "scans" / "a.txt").write_text("not a scan")
    with pytest.raises(InputError, match="no CT images"):
        prepare(tmp_path / "scans", out=tmp_path / "store", quiet=True)
    assert not (tmp_path / "store").exists()
    with pytest.raises(InputError, match="no such"):
        prepare(tmp_path / "nowhere", out=tmp_path / "store", quiet=True)


def test_everything_rejected_is_an_input_error_that_leaves_the_list(tmp_path: Path) -> None:
    gap = chest_series()
    del gap[30]
    save(gap, tmp_path / "scans")
    with pytest.raises(InputError, match="GAP"):
        prepare(tmp_path / "scans", out=tmp_path / "store", quiet=True)
    rejected = pd.read_parquet(tmp_path / "store" / "rejected.parquet")
    assert rejected["reason"].tolist() == ["GAP"]


def test_where_scans_were_taken_is_noted_when_told(archive: Path, tmp_path: Path) -> None:
    prepare(archive, out=tmp_path / "store", site="north", quiet=True)
    assert set(Store.open(tmp_path / "store").manifest["site"]) == {"north"}


class Listener(torch.nn.Module):
    """A network that keeps what it was given."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))
        self.seen: list[bytes] = []

    def forward(self, hu_bzyx: torch.Tensor) -> torch.Tensor:
        self.seen.append(hu_bzyx.numpy().tobytes())
        return torch.zeros(len(hu_bzyx), 1)


def test_training_and_reports_give_the_network_the_same_bytes(
    archive: Path, tmp_path: Path
) -> None:
    prepare(archive, out=tmp_path / "store", quiet=True)
    store, listener = Store.open(tmp_path / "store"), Listener()
    ids = store.manifest["volume_id"].tolist()
    trained, _ = Volumes(ids, store.read, store.profile.grid_zyx, in_memory=False)[0]
    card = ModelCard(
        training_data="synthetic",
        counts={},
        metrics={},
        label_source="ct_rate",
        train_config={},
        seconds=0.0,
        versions={},
    )
    bundle = Bundle(
        store.profile, "resnet3d", SIZES["tiny"], ("ct_rate:Emphysema",), (UNCALIBRATED,),
        card, listener,
    )  # fmt: skip
    (tmp_path / "bundle.json").write_text("{}")  # a report names it by its hash
    assert not read_scan(archive / "one", bundle, tmp_path).refused
    assert listener.seen == [trained.numpy().tobytes()]
