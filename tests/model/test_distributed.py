"""Two CPU processes train as one does: the same loss, every sample once, one writer."""

import multiprocessing
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from configs.contracts import InputError
from configs.training import TrainConfig
from model.data import Part
from model.training import Epoch, Fitted, Paused, Step, checkpoint, fit, loop
from model.training.devices import launch
from tests.model.narrow import COARSE, narrow_networks
from tests.model.phantom import make_chests

HU, VALUES = make_chests(40, edge=16)
# Odd numbers, so that the two have unequal shares; masked labels, so that their counts differ.
VALUES[3, 0] = VALUES[8] = -1
CONFIG = TrainConfig(
    network="resnet3d", norm="group", epochs=2, batch_size=6, threads=1, accelerator="cpu",
    bf16=False, checkpoint_steps=1,
)  # fmt: skip


def part(first: int, last: int) -> Part:
    ids = [str(i) for i in range(first, last)]
    return Part(ids, ids, ids, VALUES[first:last])


@pytest.fixture(scope="module", autouse=True)
def narrow() -> Iterator[None]:
    with narrow_networks():
        yield


class Reader:
    """Reads and remembers what."""

    def __init__(self) -> None:
        self.read: list[str] = []

    def __call__(self, volume_id: str):
        self.read.append(volume_id)
        return HU[int(volume_id)]


def fit_on(folder: Path, config: TrainConfig = CONFIG, **changes: object) -> Fitted:
    return fit(
        config,
        COARSE,
        part(0, 17),
        part(17, 40),
        **{"read": Reader(), "resume_folder": folder / "resume", **changes},
    )


def set_torchrun(rank: int) -> None:
    os.environ |= {
        "RANK": str(rank), "LOCAL_RANK": str(rank), "GROUP_RANK": "0", "WORLD_SIZE": "2",
        "LOCAL_WORLD_SIZE": "2", "TORCHELASTIC_RUN_ID": "test",
    }  # fmt: skip


def set_srun(rank: int) -> None:
    os.environ |= {
        "SLURM_NTASKS": "2", "SLURM_NTASKS_PER_NODE": "2", "SLURM_NNODES": "1",
        "SLURM_PROCID": str(rank), "SLURM_LOCALID": str(rank), "SLURM_NODEID": "0",
        "SLURM_JOB_ID": "71234", "SLURM_JOB_NAME": "train", "SLURM_NODELIST": "localhost",
    }  # fmt: skip


def as_process(rank: int, port: int, body, results, arguments, variables) -> None:
    """What the launcher sets for each process, then the body."""
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    variables(rank)
    try:
        results.put((rank, body(rank, *arguments)))
    except (InputError, SystemExit) as error:
        results.put((rank, repr(error)))


def in_two_processes(body, *arguments, variables=set_torchrun) -> dict[int, object]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    context = multiprocessing.get_context("fork")
    results = context.Queue()
    processes = [
        context.Process(target=as_process, args=(rank, port, body, results, arguments, variables))
        for rank in range(2)
    ]
    for process in processes:
        process.start()
    found = dict(results.get(timeout=120) for _ in processes)
    for process in processes:
        process.join(30)
    return found


def train_and_tell(rank: int, folder: Path) -> dict[str, object]:
    writes, seen, reader = [], [], Reader()
    write, take = checkpoint.write, loop.SeedRun._step

    def noted(path, *rest):
        writes.append(path.name)
        write(path, *rest)

    def watched(self, hu_bzyx, rows):
        seen.append((self.progress.step, rows.tolist()))
        return take(self, hu_bzyx, rows)

    checkpoint.write, loop.SeedRun._step = noted, watched
    config = CONFIG.model_copy(update={"in_memory": False})
    fitted = fit_on(folder, config, read=reader)
    return {
        "weights": {n: v.numpy() for n, v in fitted.network.state_dict().items()},
        "logits": fitted.validation_logits_nl,
        "history": [(e.loss, e.macro_auroc) for e in fitted.history],
        "seen": seen,
        "read": reader.read,
        "writes": writes,
    }


@pytest.fixture(scope="module")
def two(tmp_path_factory) -> dict[int, object]:
    return in_two_processes(train_and_tell, tmp_path_factory.mktemp("two"))


@pytest.fixture(scope="module")
def one(tmp_path_factory) -> Fitted:
    return fit_on(tmp_path_factory.mktemp("one"))


def test_two_processes_learn_what_one_does(one, two):
    for rank in (0, 1):
        for (loss, auroc), epoch in zip(two[rank]["history"], one.history, strict=True):
            assert loss == (None if epoch.loss is None else pytest.approx(epoch.loss, rel=1e-4))
            assert auroc == pytest.approx(epoch.macro_auroc, abs=0.02)
        for name, value in one.network.state_dict().items():
            assert two[rank]["weights"][name] == pytest.approx(value.numpy(), abs=2e-4), name
        assert two[rank]["logits"] == pytest.approx(one.validation_logits_nl, abs=2e-3)
    assert all((two[0]["weights"][n] == v).all() for n, v in two[1]["weights"].items())


def test_every_sample_is_seen_once_an_epoch_by_one_process(two):
    steps = [dict(two[rank]["seen"]) for rank in (0, 1)]
    per_epoch = len(steps[0]) // CONFIG.epochs
    for epoch in range(CONFIG.epochs):
        rows = [
            row
            for own in steps
            for step in range(epoch * per_epoch, (epoch + 1) * per_epoch)
            for row in own[step]
        ]
        assert sorted(rows) == list(range(17))


def test_each_validation_volume_is_predicted_by_one_process(two):
    own = [{v for v in two[rank]["read"] if int(v) >= 17} for rank in (0, 1)]
    assert own[0] | own[1] == {str(i) for i in range(17, 40)}
    assert not own[0] & own[1]


def test_the_first_process_alone_writes(two):
    assert "seed_0.safetensors" in two[0]["writes"]
    assert two[1]["writes"] == []


class Killer:
    def resumed(self, history: list[Epoch]) -> None: ...

    def epoch(self, epoch: Epoch) -> None: ...

    def step(self, step: Step) -> None:
        if step.done == 4:
            raise InputError("stopped from outside")


def resume_with_two(rank: int, folder: Path) -> dict[str, object]:
    fitted = fit_on(folder, resume=True)
    return {"weights": {n: v.numpy() for n, v in fitted.network.state_dict().items()}}


def test_one_process_s_run_goes_on_in_two(tmp_path, one):
    with pytest.raises(InputError, match="from outside"):
        fit_on(tmp_path, watcher=Killer())
    two = in_two_processes(resume_with_two, tmp_path)
    for name, value in one.network.state_dict().items():
        assert two[1]["weights"][name] == pytest.approx(value.numpy(), abs=2e-4), name


def refused(rank: int, folder: Path) -> None:
    fit_on(folder, resume=rank == 0)  # only the first process looks


def test_a_refusal_ends_all_processes_with_one_message(tmp_path, one):
    (tmp_path / "resume").mkdir()
    (tmp_path / "resume" / "identity.json").write_text("{}")
    (tmp_path / "resume" / "seed_0.safetensors").touch()
    found = in_two_processes(refused, tmp_path)
    assert "belongs to another run" in found[0]
    assert found[1] == "SystemExit(<ExitCode.DONE: 0>)"


def test_batch_norm_over_cpu_processes_is_refused(monkeypatch):
    with pytest.raises(InputError, match="set norm: group or devices: 1"):
        launch(CONFIG.model_copy(update={"devices": 2, "norm": "batch"}))


def paused(rank: int, folder: Path) -> str:
    """The second process alone is told that the time is up."""
    try:
        fit_on(folder, asked_to_stop=lambda: rank == 1)
    except Paused:
        return "paused"
    return "ran on"


def test_a_signal_to_one_process_pauses_all(tmp_path):
    assert in_two_processes(paused, tmp_path) == {0: "paused", 1: "paused"}
    assert checkpoint.read(tmp_path / "resume" / "seed_0.safetensors")[1]["step"] == 1


def places(rank: int) -> tuple[int, int, int]:
    fabric = launch(CONFIG)
    return fabric.world_size, fabric.global_rank, fabric.local_rank


@pytest.mark.parametrize("variables", [set_torchrun, set_srun])
def test_torchrun_and_srun_say_where_a_process_stands(variables):
    found = in_two_processes(places, variables=variables)
    assert found == {0: (2, 0, 0), 1: (2, 1, 1)}


def test_fewer_scans_a_step_than_processes_are_refused(tmp_path):
    found = in_two_processes(too_small, tmp_path)
    assert "batch_size: 1 scans a step cannot occupy 2 devices" in found[0]


def too_small(rank: int, folder: Path) -> None:
    fit_on(folder, CONFIG.model_copy(update={"batch_size": 1}))
