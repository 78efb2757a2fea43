"""Label an archive on a SLURM cluster: `chestct label` with workers that are SLURM jobs.

    pip install -e ".[cluster]"
    python -P docs/scale/slurm_label.py REPORTS OUT --jobs 20 --queue cpu [--account A]

The reports are read here, so run it where a process may stay for hours (a login node's tmux, or a
job of its own); the jobs only label and write. OUT, the checkout and .venv must lie on a file
system that the nodes see under the same path. Interrupted, the same command goes on.
`--local` starts the jobs as processes of this machine, to try the script without SLURM.
`--print-job` shows the job script that would be submitted, and ends.
"""

import argparse
from pathlib import Path

import dask
from dask_jobqueue import SLURMCluster
from dask_jobqueue.local import LocalCluster

from pipelines.label import label

parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
parser.add_argument("reports", type=Path)
parser.add_argument("out", type=Path)
parser.add_argument("--jobs", type=int, default=2, help="jobs, each one core and one worker")
parser.add_argument("--queue", help="SLURM partition")
parser.add_argument("--account")
parser.add_argument("--walltime", default="04:00:00")
parser.add_argument("--memory", default="2GB", help="of a job")
parser.add_argument("--interface", help="the network that nodes share, such as ib0")
parser.add_argument("--convention", default="ct_rate")
parser.add_argument("--local", action="store_true")
parser.add_argument("--print-job", action="store_true")
arguments = parser.parse_args()

job = {
    "cores": 1,
    "processes": 1,
    "memory": arguments.memory,
    "nanny": False,  # the process that labels is a killable child already
    "interface": arguments.interface,
    "worker_extra_args": ["--memory-limit", "0", "--no-dashboard"],
    "scheduler_options": {"dashboard_address": "127.0.0.1:0"},
}
slurm = {
    "queue": arguments.queue,
    "account": arguments.account,
    "walltime": arguments.walltime,
    "job_script_prologue": ["export PYTHONSAFEPATH=1"],  # a folder called model is not ours
}
with (
    # A shard whose worker was preempted goes elsewhere, as often as that happens.
    dask.config.set({"distributed.scheduler.allowed-failures": 20}),
    LocalCluster(**job) if arguments.local else SLURMCluster(**job, **slurm) as cluster,
):
    if arguments.print_job:
        print(cluster.job_script())  # noqa: T201  # what was asked for
    else:
        cluster.scale(jobs=arguments.jobs)
        label(
            arguments.reports,
            out=arguments.out,
            convention=arguments.convention,
            scheduler=cluster.scheduler_address,
        )
