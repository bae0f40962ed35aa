"""Devices and processes, through lightning-fabric."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING

from simulacra.config import Training
from simulacra.errors import ConfigError

if TYPE_CHECKING:
    from lightning_fabric import Fabric

# Variables in which launchers say which process this is (Fabric's own, torchrun, SLURM, MPI).
RANK_VARIABLES = ("RANK", "LOCAL_RANK", "SLURM_PROCID", "OMPI_COMM_WORLD_RANK")


def is_first_process() -> bool:
    """Whether this process owns the run folder. Known before anything is launched."""
    return next((os.environ[name] == "0" for name in RANK_VARIABLES if name in os.environ), True)


def world_size(training: Training) -> int:
    """Processes of the training: torchrun's count, else `devices`."""
    return int(os.environ["WORLD_SIZE"]) if "TORCHELASTIC_RUN_ID" in os.environ else training.devices


def find_device(training: Training) -> str:
    """The device of a training: `cpu`, `cuda` or `mps`.

    Raises:
        ConfigError: the device asked for is not there.
    """
    import torch

    there = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    device: str = training.device
    if device == "auto":
        device = next(name for name, available in there.items() if available)
    if not there[device]:
        raise ConfigError(
            f"device: {device} is not available on this machine; use --device cpu or leave it out"
        )
    if device == "cuda" and training.devices > torch.cuda.device_count():
        raise ConfigError(f"devices: {training.devices} requested, {torch.cuda.device_count()} available")
    return device


def launch(training: Training) -> Fabric:
    """Start the other processes, if any, and return the Fabric of this one.

    Raises:
        ConfigError: the device asked for is not there.
    """
    # It takes seconds to import, so only trainings do.
    from lightning_fabric import Fabric

    from simulacra.accelerate.processor import keep_freed_memory

    # it prints its own settings
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)
    device = find_device(training)
    world = world_size(training)
    local = int(os.environ.get("LOCAL_WORLD_SIZE", world)) if world > 1 else 1
    fabric = Fabric(
        accelerator=device,
        devices=local,
        num_nodes=max(1, world // local),
        strategy="ddp" if world > 1 else "auto",
        precision="bf16-mixed" if training.precision == "bf16" else "32-true",
    )
    fabric.launch()
    if device == "cpu":
        keep_freed_memory()
    return fabric
