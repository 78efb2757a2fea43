#!/bin/bash
# Train on SLURM, one task a GPU: sbatch docs/scale/slurm_train.sh OUT RECIPE LABELS STORE COHORT
# Give it from the checkout; OUT and the inputs lie on a file system that all nodes see.
#SBATCH --job-name=chestct-train
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=4
#SBATCH --gpus-per-node=4
#SBATCH --cpus-per-task=10
#SBATCH --time=24:00:00
#SBATCH --signal=USR1@600
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --output=chestct-train-%j.log

source .venv/bin/activate
export PYTHONSAFEPATH=1 OMP_NUM_THREADS=2

# Ten minutes before the end each task gets USR1, writes the run's state and ends with 75.
# --resume starts a run where there is none yet, so the same job may always be queued again.
srun --kill-on-bad-exit=1 chestct train --out "$1" --config "$2" --labels "$3" --store "$4" \
    --cohort "$5" --local-copy "${SLURM_TMPDIR:-/tmp/$USER-chestct}" --resume
code=$?
[ "$code" -eq 75 ] && scontrol requeue "$SLURM_JOB_ID"
exit "$code"
