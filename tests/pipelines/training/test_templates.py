"""The job scripts of docs/scale with a cluster that is made of two-line programs."""

import os
import subprocess
from pathlib import Path

import pytest

SCALE = Path(__file__).parents[3] / "docs" / "scale"


def run(
    script: str, folder: Path, programs: dict[str, str], *arguments: str, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run a script in `folder`, where each program notes its arguments and ends as told."""
    (folder / "bin").mkdir()
    for name, body in programs.items():
        program = folder / "bin" / name
        program.write_text(f'#!/bin/bash\necho "$(basename "$0") $@" >> noted\n{body}\n')
        program.chmod(0o755)
    (folder / ".venv" / "bin").mkdir(parents=True)
    (folder / ".venv" / "bin" / "activate").touch()
    path = f"{folder / 'bin'}:{os.environ['PATH']}"
    return subprocess.run(
        ["bash", SCALE / script, *arguments],
        cwd=folder,
        env={**os.environ, "PATH": path, **variables},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(("code", "requeued"), [(75, True), (0, False), (2, False)])
def test_a_paused_job_and_no_other_is_queued_again(tmp_path, code, requeued):
    programs = {"srun": f"exit {code}", "scontrol": ""}
    names = ("OUT", "RECIPE", "LABELS", "STORE", "COHORT")
    ended = run("slurm_train.sh", tmp_path, programs, *names, SLURM_JOB_ID="77", SLURM_TMPDIR="/d")
    assert ended.returncode == code
    noted = (tmp_path / "noted").read_text().splitlines()
    assert noted[0] == (
        "srun --kill-on-bad-exit=1 chestct train --out OUT --config RECIPE --labels LABELS "
        "--store STORE --cohort COHORT --local-copy /d --resume"
    )
    assert noted[1:] == (["scontrol requeue 77"] if requeued else [])


def test_the_signal_comes_to_the_steps_before_the_limit_and_the_job_may_be_requeued():
    text = (SCALE / "slurm_train.sh").read_text()
    for line in ("#SBATCH --signal=USR1@600", "#SBATCH --requeue", "#SBATCH --time="):
        assert line in text


def test_torchrun_starts_the_verb_on_every_machine_and_resumes(tmp_path):
    variables = {"HEAD": "node1", "MACHINES": "2", "GPUS": "4"}
    ended = run("torchrun_train.sh", tmp_path, {"torchrun": ""}, "--out", "OUT", **variables)
    assert ended.returncode == 0, ended.stderr
    noted = (tmp_path / "noted").read_text().split()
    assert {"--nnodes=2", "--nproc-per-node=4", "--rdzv-endpoint=node1:29511"} <= set(noted)
    assert noted[-6:] == ["--no-python", "chestct", "train", "--out", "OUT", "--resume"]
