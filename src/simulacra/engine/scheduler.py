"""Schedulers that stop a job and may start it again: SLURM."""

from __future__ import annotations

import os
import signal
import subprocess

from simulacra.errors import ConfigError, RunError

# signals by which a scheduler says that a job is about to end, but not Ctrl-C
NOTICES = {getattr(signal, name) for name in ("SIGTERM", "SIGUSR1", "SIGUSR2") if hasattr(signal, name)}


def check_requeue() -> None:
    """Raises ConfigError outside of a job of SLURM."""
    if "SLURM_JOB_ID" not in os.environ:
        raise ConfigError(
            "on_signal: requeue needs a job of SLURM (SLURM_JOB_ID is not set); leave --on-signal out"
        )


def requeue() -> None:
    """Put the job of this process into the queue again.

    Raises:
        RunError: SLURM did not take it; the training is saved.
    """
    command = ["scontrol", "requeue", os.environ["SLURM_JOB_ID"]]
    try:
        subprocess.run(command, check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError) as error:
        said = getattr(error, "stderr", "") or str(error)
        raise RunError(f"the training is saved, but {' '.join(command)} failed ({said.strip()})") from error
