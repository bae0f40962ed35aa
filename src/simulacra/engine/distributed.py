"""Devices and processes, through lightning-fabric."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from subprocess import Popen
from typing import TYPE_CHECKING, Any, NoReturn

from simulacra.config import Training
from simulacra.errors import ConfigError

if TYPE_CHECKING:
    from lightning_fabric import Fabric

# what torchrun gives each of its processes
TORCHRUN = ("TORCHELASTIC_RUN_ID", "RANK", "LOCAL_RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
# what the first process of --devices gives the others, beside their LOCAL_RANK
CHILD = "SIMULACRA_CHILD"
# variables of launchers, which say nothing where there is no world
LEFTOVERS = ("RANK", "LOCAL_RANK", "GROUP_RANK", "NODE_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE")
# seconds between looks at the other processes
WATCH = 1.0


def in_torchrun() -> bool:
    """Whether torchrun started this process. One of its variables alone is a leftover."""
    return all(name in os.environ for name in TORCHRUN)


def is_first_process() -> bool:
    """Whether this process owns the run folder. Known before anything is launched."""
    if in_torchrun():
        return os.environ["RANK"] == "0"
    return CHILD not in os.environ


def world_size(training: Training) -> int:
    """Processes of the training: torchrun's count, else `devices`."""
    return int(os.environ["WORLD_SIZE"]) if in_torchrun() else training.devices


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
    from lightning_fabric.plugins.environments.lightning import LightningEnvironment
    from lightning_fabric.plugins.environments.torchelastic import TorchElasticEnvironment

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
        # without, it believes any variable of SLURM or MPI
        plugins=[TorchElasticEnvironment() if in_torchrun() else LightningEnvironment()],
    )
    if in_torchrun() or not is_first_process():
        fabric.launch()
    else:
        _launch_others(fabric)
    if device == "cpu":
        keep_freed_memory()
    return fabric


def _launch_others(fabric: Fabric) -> None:
    """Start the other processes, if any, in an environment of their own world alone."""
    for name in LEFTOVERS:
        os.environ.pop(name, None)
    os.environ[CHILD] = "1"
    try:
        fabric.launch()
    finally:
        del os.environ[CHILD]


class Agreement:
    """What every process does after a step: the wishes of any of them, a step later, so that none waits.

    Args:
        fabric: the processes.
    """

    def __init__(self, fabric: Fabric) -> None:
        self.fabric = fabric
        self._group: Any = None
        self._asked: tuple[Any, Any] | None = None
        if fabric.world_size > 1:
            import torch.distributed as dist

            # on the host, whatever the device: no step of a GPU is waited for
            self._group = dist.new_group(backend="gloo")

    def reach(self, *wishes: bool) -> Sequence[bool]:
        """Which of the wishes, the same number in every process, one process had; called after every step."""
        if self.fabric.world_size == 1:
            return wishes
        import torch
        import torch.distributed as dist

        agreed = self.close() or [False] * len(wishes)
        flags = torch.tensor(wishes, dtype=torch.int32)
        work = dist.all_reduce(flags, op=dist.ReduceOp.MAX, group=self._group, async_op=True)
        self._asked = (work, flags)
        return agreed

    def close(self) -> list[bool]:
        """Wait for what was asked last."""
        if self._asked is None:
            return []
        work, flags = self._asked
        self._asked = None
        work.wait()
        return [bool(flag) for flag in flags]


@contextmanager
def watching(fabric: Fabric, where: object) -> Iterator[None]:
    """End every process inside when one of those of `--devices` dies: the others would wait for it for ever.

    Args:
        fabric: the processes.
        where: the run, for the message.
    """
    children: list[Popen[bytes]] = list(getattr(fabric.strategy.launcher, "procs", []))
    for thread in threading.enumerate():
        # Fabric's own watch kills this process without a word
        if thread.name == "child-process-observer":
            thread._child_processes = []  # type: ignore[attr-defined]  # of Fabric
    parent, over = os.getppid(), threading.Event()

    def watch_children() -> None:
        while not over.wait(WATCH):
            for rank, child in enumerate(children, 1):
                if child.poll():
                    _end(rank, children, where)

    def watch_parent() -> None:
        while not over.wait(WATCH):
            if os.getppid() != parent:
                os._exit(1)

    watch = watch_children if children else None if is_first_process() else watch_parent
    if watch is not None:
        threading.Thread(target=watch, daemon=True).start()
    try:
        yield
    except RuntimeError:
        # a collective that failed, for a reason that the watch finds out
        if fabric.world_size > 1 and not in_torchrun():
            time.sleep(2 * WATCH)
        raise
    finally:
        over.set()


def _end(rank: int, children: Sequence[Popen[bytes]], where: object) -> NoReturn:
    """Say which process died, and end all others, also where they wait for it."""
    code = children[rank - 1].returncode
    for child in children:
        child.kill()
    how = f"signal {-code}" if code < 0 else f"exit code {code}"
    message = (
        f"simulacra: {where}: process {rank} of {len(children) + 1} died ({how}); the last checkpoint is"
        " whole, run the same command to resume\n"
    )
    os.write(2, message.encode())
    os._exit(1)
