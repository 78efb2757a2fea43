#!/bin/bash
# Train without a scheduler: the same line on every machine, with HEAD the name of the first.
#   HEAD=node1 MACHINES=2 GPUS=4 docs/scale/torchrun_train.sh --out … --config … --labels … --store … --cohort …
# A process that dies takes its run down; torchrun starts it again from the last state, three times.
export PYTHONSAFEPATH=1 OMP_NUM_THREADS=${OMP_NUM_THREADS:-2}
exec torchrun --nnodes="${MACHINES:-1}" --nproc-per-node="${GPUS:-1}" --rdzv-backend=c10d \
    --rdzv-endpoint="${HEAD:-localhost}:29511" --max-restarts=3 --no-python chestct train "$@" --resume
