"""Where training runs: one process a device, on one machine or many, by Lightning Fabric."""

import logging
import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import torch
from lightning import Fabric
from lightning.fabric.plugins.environments.slurm import SLURMEnvironment
from lightning.fabric.plugins.environments.torchelastic import TorchElasticEnvironment
from lightning.fabric.strategies.ddp import DDPStrategy

from configs.contracts import ExitCode, InputError
from configs.training import TrainConfig

Result = TypeVar("Result")


def launch(config: TrainConfig) -> Fabric:
    """Start the processes that the recipe, torchrun or srun asks for; returns in each of them.

    On one machine the other processes are started here, by the same command line. Nothing is
    requeued here: a run that is asked to stop writes its state, and `--resume` goes on.
    Raises InputError where the machine has not what is asked for.
    """
    accelerator = _accelerator(config)
    devices, nodes, environment = _places(config, accelerator)
    world = devices * nodes
    if world > 1 and accelerator == "cpu" and config.norm == "batch":
        raise InputError(
            "norm: batch over several CPU processes is impossible (synchronised batch norm needs "
            "GPUs); set norm: group or devices: 1"
        )
    with quiet_lightning():
        fabric = Fabric(
            accelerator=accelerator,
            devices=devices,
            num_nodes=nodes,
            # Buffers are alike already: batch norms are synchronised, all others are constants.
            strategy=DDPStrategy(broadcast_buffers=False) if world > 1 else "auto",
            precision="bf16-mixed" if config.bf16 else "32-true",
            plugins=environment,
        )
        fabric.launch()
    if config.threads is not None:
        torch.set_num_threads(config.threads)
    return fabric


def leave() -> None:
    """Part from the other processes, before the interpreter takes things down in its own order."""
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


def _accelerator(config: TrainConfig) -> str:
    found = torch.cuda.is_available()
    if config.accelerator == "gpu" and not found:
        raise InputError("accelerator: gpu, but PyTorch finds no CUDA device; set cpu or auto")
    if config.accelerator == "cpu" or not found:
        return "cpu"
    if config.bf16 and not torch.cuda.is_bf16_supported(including_emulation=False):
        raise InputError("bf16: true, but this GPU computes no bfloat16; set bf16: false")
    return "cuda"


def _places(config: TrainConfig, accelerator: str) -> tuple[int, int, Any]:
    """Processes on each machine, machines, and who started them."""
    if TorchElasticEnvironment.detect():
        here = int(os.environ["LOCAL_WORLD_SIZE"])
        return here, int(os.environ["WORLD_SIZE"]) // here, TorchElasticEnvironment()
    if int(os.environ.get("SLURM_NTASKS", "1")) > 1 and SLURMEnvironment.detect():
        nodes = int(os.environ["SLURM_NNODES"])
        here = int(os.environ["SLURM_NTASKS"]) // nodes
        return here, nodes, SLURMEnvironment(auto_requeue=False)
    available = torch.cuda.device_count() if accelerator == "cuda" else 1
    devices = available if config.devices == "auto" else config.devices
    if accelerator == "cuda" and devices > available:
        raise InputError(f"devices: {devices}, but PyTorch finds {available} CUDA devices")
    return devices, config.nodes, None


@contextmanager
def quiet_lightning() -> Iterator[None]:
    """Keep Lightning's banners and advice out of the user's output."""
    loggers = [logging.getLogger(name) for name in ("lightning.fabric", "lightning.pytorch")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def first_only(fabric: Fabric, action: Callable[[], Result]) -> Result:
    """What the first process finds, in all of them; they wait meanwhile.

    An InputError is raised in the first process, which speaks for all: the others end quietly and
    with 0, so that nobody who watches them kills the first before it has spoken.
    """
    if fabric.world_size == 1:
        return action()
    found: tuple[bool, Any] = (False, None)
    failure: InputError | None = None
    if fabric.is_global_zero:
        try:
            found = (True, action())
        except InputError as error:
            failure = error
    found = fabric.broadcast(found)
    if failure is not None:
        raise failure
    if not found[0]:
        raise SystemExit(ExitCode.DONE)
    result: Result = found[1]
    return result


def gathered(fabric: Fabric, own: Any) -> list[Any]:
    """Every process's object, in the order of the ranks."""
    if fabric.world_size == 1:
        return [own]
    found: list[Any] = [None] * fabric.world_size
    torch.distributed.all_gather_object(found, own)
    return found
