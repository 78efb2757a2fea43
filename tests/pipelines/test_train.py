import csv
import json
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest
import torch

from configs import files
from configs.contracts import ExitCode, InputError
from configs.convention import FOLDER
from configs.training import RECIPES
from model import bundle as bundles
from model.training import Epoch
from pipelines.train import train
from tests.model.archive import NAMES, make_archive, write_cohort, write_labels
from tests.model.narrow import narrow_networks

RECIPE = RECIPES / "quick.yaml"
QUICK = ["epochs=2", "threads=1", "max_minutes=null"]


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    return make_archive(tmp_path_factory.mktemp("archive"), train=12, validation=10, test=2)


@pytest.fixture(scope="module", autouse=True)
def narrow() -> Iterator[None]:
    with narrow_networks():
        yield


def train_on(archive: Path, out: Path, **changes: object):
    arguments = {
        "config": RECIPE,
        "labels": archive / "labels",
        "store": archive / "store",
        "cohort": archive / "cohort",
        "override": QUICK,
        "quiet": True,
    }
    return train(out=out, **{**arguments, **changes})


def test_writes_a_bundle_that_says_where_it_comes_from(archive, tmp_path, capfd):
    train_on(archive, tmp_path)
    bundle = bundles.load(tmp_path)
    assert bundle.labels == tuple(f"ct_rate:{name}" for name in NAMES)
    assert bundle.card.training_data == "synthetic"
    assert bundle.card.counts["train"].scans == 12
    assert set(bundle.card.counts["validation"].positives) == set(NAMES)
    assert bundle.card.train_config["epochs"] == 2
    assert {c.positives + c.negatives for c in bundle.calibrations} == {10}
    assert "".join(capfd.readouterr()) == ""
    with (tmp_path / "history.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows] == ["0", "1", "2"]
    assert rows[-1][f"auroc {NAMES[0]}"]
    assert (tmp_path / "learning_curves.svg").read_text().startswith("<?xml")
    record = json.loads((tmp_path / "run.json").read_text())
    assert record["config"]["recipe"]["batch_size"] == 8
    assert record["validation"]["macro_auroc"] == bundle.card.metrics["macro_auroc"]
    assert not (tmp_path / "resume").exists()
    assert [member.seed for member in bundle.members] == [0]


def test_the_command_line_reads_its_signature(capfd):
    from pipelines.cli import app

    app(["train", "--help"], result_action="return_value")
    assert "--soft-labels" in capfd.readouterr().out


def test_says_what_it_did(archive, tmp_path, capfd):
    train_on(archive, tmp_path, quiet=False)
    output = capfd.readouterr()
    assert "macro AUROC" in output.out
    assert "Lightning" not in output.out + output.err
    assert "Positives by label" in output.err
    assert "seed 0, start: macro AUROC" in output.err
    assert "waits" in output.err
    assert any(f"worst: {name} " in output.err for name in NAMES)


def test_an_unfinished_run_is_resumed_and_a_finished_one_left_alone(archive, tmp_path, monkeypatch):
    from pipelines.training import records

    def power_cut(recorder: records.Recorder, epoch: Epoch) -> None:
        if epoch.epoch == 1:
            raise KeyboardInterrupt

    with monkeypatch.context() as broken:
        broken.setattr(records.Recorder, "epoch", power_cut)
        with pytest.raises(KeyboardInterrupt):
            train_on(archive, tmp_path / "cut")
    assert not (tmp_path / "cut" / "run.json").exists()
    with pytest.raises(InputError, match="unfinished run; --resume goes on with it, --restart"):
        train_on(archive, tmp_path / "cut")
    with pytest.raises(InputError, match=r"batch_size: was 8, is 4"):
        train_on(archive, tmp_path / "cut", override=[*QUICK, "batch_size=4"], resume=True)
    resumed = train_on(archive, tmp_path / "cut", resume=True)
    whole = train_on(archive, tmp_path / "whole", resume=True)  # there is nothing yet: a start
    for name, value in whole.network.state_dict().items():
        assert torch.equal(value, resumed.network.state_dict()[name]), name
    with (tmp_path / "cut" / "history.csv").open() as file:
        assert [row["epoch"] for row in csv.DictReader(file)] == ["0", "1", "2"]
    with pytest.raises(InputError, match=r"another run, which is finished \(epochs: was 2, is 9\)"):
        train_on(archive, tmp_path / "cut", override=[*QUICK, "epochs=9"], resume=True)
    before = (tmp_path / "cut" / "bundle.json").stat().st_mtime_ns
    train_on(archive, tmp_path / "cut", resume=True)
    assert (tmp_path / "cut" / "bundle.json").stat().st_mtime_ns == before


def test_a_second_run_of_the_folder_is_refused_while_one_is_at_work(archive, tmp_path, monkeypatch):
    from pipelines.training import records

    said = []

    def second(recorder: records.Recorder, step: object) -> None:
        with pytest.raises(InputError, match="another run is at work here") as refused:
            train_on(archive, tmp_path, restart=bool(said))
        said.append(str(refused.value))

    monkeypatch.setattr(records.Recorder, "step", second)
    assert train_on(archive, tmp_path, override=[*QUICK, "epochs=1"]).card.counts
    assert len(said) > 1


def test_a_run_is_unfinished_from_its_first_moment_and_one_that_failed_is_not(
    archive, tmp_path, monkeypatch
):
    once = [*QUICK, "epochs=1"]

    def cut_by(error: BaseException) -> None:
        def prepared(*_: object) -> None:
            raise error

        with monkeypatch.context() as broken:
            broken.setattr(sys.modules["model.training.fit"], "_prepared", prepared)
            with pytest.raises(type(error)):
                train_on(archive, tmp_path, override=once)

    cut_by(InputError("no memory"))
    cut_by(KeyboardInterrupt())  # what failed is begun anew without a word
    with pytest.raises(InputError, match="unfinished run; --resume goes on with it, --restart"):
        train_on(archive, tmp_path, override=once)
    assert train_on(archive, tmp_path, override=once, resume=True).card.counts


def test_a_bundle_is_replaced_by_restart_alone(archive, tmp_path):
    out = tmp_path / "bundle"
    once = [*QUICK, "epochs=1"]
    train_on(archive, out, override=once)
    modes = {path.name: path.stat().st_mode for path in out.iterdir()}
    assert len(set(modes.values())) == 1, modes
    kept = {path.name: path.read_bytes() for path in out.iterdir()}

    def untouched() -> bool:
        return {path.name: path.read_bytes() for path in out.iterdir()} == kept

    for changes in ({}, {"override": [*once, "seeds=[1]"]}):
        with pytest.raises(InputError, match=r"holds a finished bundle; .*--restart"):
            train_on(archive, out, **{"override": once, **changes})
        assert untouched()
    with pytest.raises(InputError, match="give one of them"):
        train_on(archive, out, override=once, resume=True, restart=True)
    with pytest.raises(InputError, match="labels"):  # what is refused costs nothing
        train_on(archive, out, labels=archive / "cohort", restart=True)
    assert untouched()
    (out / "run.json").rename(tmp_path / "run.json")  # a bundle that was copied without it
    for resume in (False, True):
        with pytest.raises(InputError, match="holds a finished bundle"):
            train_on(archive, out, override=once, resume=resume)
    (tmp_path / "run.json").rename(out / "run.json")
    anew = train_on(archive, out, override=[*once, "seeds=[1]"], restart=True)
    assert [member.seed for member in anew.members] == [1]
    assert [m.seed for m in bundles.load(out).members] == [1]


def test_restart_throws_an_unfinished_run_away(archive, tmp_path, monkeypatch):
    from pipelines.training import records

    def power_cut(recorder: records.Recorder, epoch: Epoch) -> None:
        raise KeyboardInterrupt

    once = [*QUICK, "epochs=1"]
    with monkeypatch.context() as broken:
        broken.setattr(records.Recorder, "step", power_cut)
        with pytest.raises(KeyboardInterrupt):
            train_on(archive, tmp_path, override=once)
    other = [*once, "batch_size=4"]
    with pytest.raises(InputError, match=r"batch_size: was 8, is 4.*--restart"):
        train_on(archive, tmp_path, override=other, resume=True)
    assert train_on(archive, tmp_path, override=other, restart=True).card.counts
    assert not (tmp_path / "resume").exists()


def test_a_stop_signal_pauses_the_run(archive, tmp_path, monkeypatch, capfd):
    from pipelines.training import records

    def time_is_up(recorder: records.Recorder, step: object) -> None:
        os.kill(os.getpid(), signal.SIGUSR1)

    with monkeypatch.context() as ending:
        ending.setattr(records.Recorder, "step", time_is_up)
        with pytest.raises(SystemExit) as ended:
            train_on(archive, tmp_path, quiet=False)
    assert ended.value.code == ExitCode.PAUSED
    assert "--resume goes on" in capfd.readouterr().err
    assert train_on(archive, tmp_path, resume=True).labels


def test_damaged_volumes_are_reported_and_not_trained_on(tmp_path):
    make_archive(tmp_path, train=12, validation=8, test=2)
    arrays = sorted((tmp_path / "store" / "arrays").iterdir())
    content = bytearray(arrays[3].read_bytes())
    content[-5] ^= 1
    arrays[3].write_bytes(content)
    arrays[5].unlink()
    for local in (None, tmp_path / "local"):
        bundle = train_on(tmp_path, tmp_path / f"bundle{local is None}", local_copy=local)
        assert bundle.card.counts["train"].scans == 10
        folder = tmp_path / f"bundle{local is None}"
        rejected = pd.read_parquet(folder / "rejected.parquet")
        assert sorted(rejected["id"]) == ["volume003", "volume005"]
        assert set(rejected["reason"]) == {"DAMAGED"}
        assert set(rejected["stage"]) == {"train"}


def test_copied_volumes_train_the_same_and_are_copied_once(archive, tmp_path):
    plain = train_on(archive, tmp_path / "plain")
    near = train_on(archive, tmp_path / "near", local_copy=tmp_path / "local")
    for name, value in plain.network.state_dict().items():
        assert torch.equal(value, near.network.state_dict()[name]), name
    copies = sorted((tmp_path / "local").glob("store-*/arrays/*"))
    assert len(copies) == 22  # not the test split's
    times = [copy.stat().st_mtime_ns for copy in copies]
    train_on(
        archive,
        tmp_path / "again",
        local_copy=tmp_path / "local",
        override=[*QUICK, "network=resnet3d", "epochs=1"],
    )
    assert [copy.stat().st_mtime_ns for copy in copies] == times
    other = make_archive(tmp_path / "other", train=12, validation=10, test=2)  # also named store
    epoch = ["network=resnet3d", "epochs=1"]
    train_on(other, tmp_path / "o", local_copy=tmp_path / "local", override=[*QUICK, *epoch])
    assert len(list((tmp_path / "local").glob("store-*"))) == 2
    with pytest.raises(InputError, match=r"--local-copy .*run\.json: is a file; name a folder"):
        train_on(archive, tmp_path / "p", local_copy=tmp_path / "o" / "run.json")


def test_several_conventions_and_soft_labels_in_one_bundle(archive, tmp_path):
    frame = files.read_table(archive / "labels" / "labels.parquet").to_pandas()
    other = frame[["report_id", NAMES[0]]].rename(columns={NAMES[0]: "pleural_effusion"})
    write_labels(tmp_path / "other", other)
    files.write_json(
        tmp_path / "other" / "run.json",
        {"verb": "label", "config": {"convention": "rad_chestct"}},
    )
    soft = pd.DataFrame({"report_id": frame["report_id"], "label": NAMES[1]})
    soft["probability"], soft["confidence"] = 0.7, 0.9
    table = pa.Table.from_pandas(soft, preserve_index=False)
    files.write_table(tmp_path / "soft_labels.parquet", table)
    bundle = train_on(
        archive,
        tmp_path / "bundle",
        also_labels=[tmp_path / "other"],
        soft_labels=tmp_path / "soft_labels.parquet",
        override=[*QUICK, "labels.soft_labels=replace", "seeds=[0, 3]", "epochs=1"],
    )
    assert bundle.labels[-1] == "rad_chestct:pleural_effusion"
    assert len(bundle.labels) == 4
    assert [member.seed for member in bundle.members] == [0, 3]
    assert bundle.card.train_config["labels"]["soft_labels"] == "replace"


def test_columns_that_are_no_labels_are_refused(tmp_path, archive):
    frame = files.read_table(archive / "labels" / "labels.parquet").to_pandas()
    write_labels(tmp_path, frame.rename(columns={NAMES[2]: "Cardiomegali"}))
    with pytest.raises(InputError, match=r"'Cardiomegali' is no label .*; is it 'Cardiomegaly'"):
        train_on(archive, tmp_path / "bundle", labels=tmp_path)


@pytest.mark.parametrize(
    ("argument", "given", "message"),
    [
        ("config", "smal", "smal: no such file, and no recipe .* there are base, "),
        ("labels", "cohort", r"cohort: holds no labels\.parquet; .*`chestct label`"),
        ("labels", "labels.csv", r"labels\.csv: is no Parquet table; .*`chestct label`"),
        ("cohort", "store", r"store: holds no cohort\.parquet; .*`chestct cohort`"),
        (
            "cohort",
            "no_validation",
            r"no_validation: the validation split is empty; .*--validation",
        ),
        ("labels", "one_sided", r"cohort: no label has both values in the validation split.*--val"),
        ("labels", "healthy", "healthy: no label has positives and negatives in the train split"),
    ],
)
def test_what_is_given_for_another_thing_is_refused(archive, tmp_path, argument, given, message):
    labels = files.read_table(archive / "labels" / "labels.parquet").to_pandas()
    cohort = files.read_table(archive / "cohort" / "cohort.parquet").to_pandas()
    labels.to_csv(tmp_path / "labels.csv", index=False)
    write_labels(tmp_path / "healthy", labels.assign(**dict.fromkeys(NAMES, 0)))
    held = labels["report_id"].isin(cohort.loc[cohort["split"] == "validation", "report_id"])
    one_sided = labels.copy()
    one_sided.loc[held, list(NAMES)] = 0
    write_labels(tmp_path / "one_sided", one_sided)
    write_cohort(tmp_path / "no_validation", cohort[cohort["split"] != "validation"])
    here = tmp_path / given if (tmp_path / given).exists() else archive / given
    with pytest.raises(InputError, match=message):
        train_on(archive, tmp_path / "bundle", **{argument: here})
    assert not (tmp_path / "bundle").exists()


def test_a_convention_that_no_bundle_can_name_is_refused(tmp_path, archive):
    path = tmp_path / "Our-Site.yaml"
    path.write_text((FOLDER / "ct_rate.yaml").read_text())
    with pytest.raises(InputError, match="convention 'Our-Site': a bundle names its labels by it"):
        train_on(archive, tmp_path / "bundle", convention=str(path))


def test_a_logger_s_missing_package_is_said(archive, tmp_path, monkeypatch):
    from pipelines.training import records

    monkeypatch.setattr(records, "find_spec", lambda name: None)
    with pytest.raises(InputError, match="needs the package mlflow; install it"):
        train_on(archive, tmp_path, override=[*QUICK, "logger=mlflow"])


def test_figures_go_to_the_logger_that_is_named(archive, tmp_path, monkeypatch):
    from pipelines.training import records

    logged: dict[str, float] = {}

    class Logger:
        def __init__(self, root_dir: Path, **rest: object) -> None:
            assert root_dir == tmp_path  # nothing leaves the output folder

        def log_metrics(self, figures: dict[str, float], step: int) -> None:
            logged.update({f"{step} {name}": figure for name, figure in figures.items()})

        def finalize(self, status: str) -> None:
            logged[status] = 1

    monkeypatch.setattr(records, "find_spec", lambda name: name)
    monkeypatch.setattr("lightning.fabric.loggers.tensorboard.TensorBoardLogger", Logger)
    bundle = train_on(archive, tmp_path, override=[*QUICK, "logger=tensorboard", "epochs=1"])
    assert {logged["0 seed_0/macro_auroc"], logged["1 seed_0/macro_auroc"]} & {
        bundle.card.metrics["macro_auroc"]
    }
    assert logged["1 seed_0/loss"] > 0
    assert logged["success"]


def test_a_label_without_positives_is_left_out_and_said(tmp_path, capfd):
    make_archive(tmp_path, train=12, validation=12, test=2)
    frame = files.read_table(tmp_path / "labels" / "labels.parquet").to_pandas()
    frame["Mosaic attenuation pattern"] = pd.array([0] * len(frame), dtype="Int8")
    write_labels(tmp_path / "labels", frame)
    bundle = train_on(tmp_path, tmp_path / "bundle", quiet=False)
    assert "ct_rate:Mosaic attenuation pattern" not in bundle.labels
    assert "Mosaic attenuation" in capfd.readouterr().err
    record = json.loads((tmp_path / "bundle" / "run.json").read_text())
    assert record["labels_left_out"] == ["ct_rate:Mosaic attenuation pattern"]


@pytest.mark.parametrize(
    ("override", "message"),
    [
        (
            ["profile=small"],
            "profile 'tiny'.*prepare SCANS .*--profile small.*--override profile=tiny",
        ),
        (["epochs"], "expected FIELD=VALUE"),
        (["no_such=1"], "--override no_such: 'no_such' is not a field"),
        (["epoch=2"], "--override epoch: .*did you mean 'epochs'"),
        (["noise_hu=0"], r"did you mean 'augmentation\.noise_hu'"),
        (["network=os.system"], "network: Input should be 'additive'"),
        (["lr=1"], r"'lr' is not a field of the train config$"),
        (["profile=huge"], "no profile 'huge'; there are base"),
        (["augmentation=none"], r"a section; set its fields one by one, such as augmentation\.rot"),
    ],
)
def test_wrong_recipes_are_refused_and_leave_no_bundle(archive, tmp_path, override, message):
    with pytest.raises(InputError, match=message):
        train_on(archive, tmp_path, override=[*QUICK, *override])
    assert not list(tmp_path.glob("*.json"))
