"""What measures a GPU in the one hour that there is one must not fail for a small reason."""

import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch

from configs.contracts import InputError
from configs.profile import load_profile
from model.volumes.store import Store
from tests.benchmarks.script import FOLDER, load_script
from tests.model.archive import make_archive
from tests.model.narrow import narrow_networks


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(FOLDER))
    return load_script("gpu")


def measured(
    gpu: ModuleType, monkeypatch: pytest.MonkeyPatch, path: Path, *options: str
) -> list[str]:
    """The lines that a run on the CPU writes."""
    given = ["gpu.py", "--device=cpu", "--profile=tiny", "--repeats=1", f"--write={path}", *options]
    monkeypatch.setattr(sys, "argv", given)
    assert gpu.main() == 0
    return path.read_text(encoding="utf-8").splitlines()


def test_rates_the_loader_and_the_product_s_loop(gpu, monkeypatch, tmp_path):
    root = make_archive(tmp_path, train=3, validation=2, test=0)
    profile = Store.open(root / "store").profile
    monkeypatch.setattr(gpu, "load_profile", lambda name: profile)
    monkeypatch.setattr("reading._STEPS_AN_EPOCH", 3)
    (tmp_path / "page.md").write_text(f"before\n{gpu.BEGIN}\nold\n{gpu.END}\nafter\n")
    with narrow_networks():
        lines = measured(
            gpu, monkeypatch, tmp_path / "page.md", "--networks=resnet3d", "--batches=2",
            f"--store={root / 'store'}", "--workers=0", "--no-compile",
        )  # fmt: skip
    assert (lines[0], lines[-1]) == ("before", "after")
    assert "old" not in lines
    rows = [line for line in lines if line.startswith("| resnet3d")]
    assert [row.split(" | ")[2:6] for row in rows] == [
        ["bf16", "yes", "no", "no"],
        ["bf16", "no", "no", "no"],
        ["float32", "yes", "no", "no"],
        ["bf16", "yes", "no", "yes"],
    ]
    assert all("failed" not in row and float(row.split(" | ")[7]) > 0 for row in rows)
    assert "times as fast as resnet3d's fastest train step" in lines[-4]
    assert "the device waits" in lines[-3]


def test_what_fails_is_told_and_the_rest_goes_on(gpu, monkeypatch, tmp_path):
    def cost(setting, *rest):
        if setting.compiled:
            raise RuntimeError("no compiler")
        if setting.batch > 4 or not setting.bf16:
            raise torch.OutOfMemoryError
        return gpu.Cost(2.0 * setting.batch, 1.0 * setting.batch, 3.0)

    monkeypatch.setattr(gpu, "_measure", cost)
    monkeypatch.setattr(gpu, "_forget", lambda *rest: None)
    lines = measured(
        gpu, monkeypatch, tmp_path / "new.md", "--batches", "2", "4", "8", "16",
        "--networks", "resnet3d", "ctnet83",
    )  # fmt: skip
    for network in ("resnet3d", "ctnet83"):
        rows = [line for line in lines if line.startswith(f"| {network}")]
        assert sum("failed: RuntimeError" in row for row in rows) == 2
        assert ["out of memory" in row for row in rows if " | 8 | " in row] == [True]
        assert not any(" | 16 | " in row for row in rows)  # 8 was too large already
        assert f"| {network} | 4 | bf16 | yes | no | no | 8.00 | 4.00 |" in "\n".join(rows)
    assert "No --store was given: the loader was not measured." in lines


def test_the_product_s_loop_is_tried_with_smaller_batches(gpu, monkeypatch, tmp_path):
    root = make_archive(tmp_path, train=3, validation=2, test=0)
    profile = Store.open(root / "store").profile
    tried = []

    def train_on(store, recipe, labels):
        tried.append(recipe.batch_size)
        if len(tried) == 1:
            raise InputError("a step of 8 scans needs more memory than the device has")
        return 50.0, 0.03

    monkeypatch.setattr(gpu, "load_profile", lambda name: profile)
    monkeypatch.setattr(gpu, "_measure", lambda setting, *rest: gpu.Cost(9.0, setting.batch, 1.0))
    monkeypatch.setattr(gpu, "train_on", train_on)
    lines = measured(
        gpu, monkeypatch, tmp_path / "new.md", "--batches=8", "--networks=resnet3d", "--no-compile",
        f"--store={root / 'store'}", "--workers=0",
    )  # fmt: skip
    assert tried == [8, 4]
    assert "batch 8: failed: a step of 8 scans needs more memory" in lines[-3]
    assert "batch 4: 50.0 volumes/s; the device waits 3.0% of the time" in lines[-2]


def test_nothing_begins_after_its_time_and_what_there_is_stays(gpu, monkeypatch, tmp_path):
    lines = measured(gpu, monkeypatch, tmp_path / "new.md", "--minutes=0")
    assert "a bfloat16 matrix product reaches" in lines[1]
    assert "Cut off after 0 minutes" in lines[-2]
    assert not any(line.startswith("| additive") for line in lines)


def test_flops_are_those_of_the_cost_table(gpu):
    """A train step of the base profile: 615 GFLOP forward, up to twice as many on the way back."""
    assert 2.6 < gpu._train_flops("additive", load_profile("base")) / 615e9 < 3


def test_without_a_gpu_nothing_is_measured(gpu, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["gpu.py"])
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert gpu.main() == 2
    assert "no CUDA device here" in capsys.readouterr().out
