"""Requeueing, with a scontrol of our own."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from simulacra.core.batch import Batch
from simulacra.core.model import Turn
from simulacra.engine.scheduler import check_requeue
from simulacra.errors import ConfigError, RunError
from simulacra.models.vae.model import VAE
from tests.engine.conftest import Trains


@pytest.fixture
def slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A scontrol that notes how it was called, in the file that is returned."""
    called, program = tmp_path / "called", tmp_path / "bin" / "scontrol"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\necho "$@" >> "{called}"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    monkeypatch.setenv("SLURM_JOB_ID", "17")
    return called


def interrupt_at(monkeypatch: pytest.MonkeyPatch, step: int, number: signal.Signals) -> None:
    play = VAE.play

    def interrupted(self: VAE, batch: Batch) -> Iterator[Turn]:
        if batch.step == step:
            os.kill(os.getpid(), number)
        return play(self, batch)

    monkeypatch.setattr(VAE, "play", interrupted)


def test_a_notice_queues_the_job_again(trains: Trains, slurm: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    interrupt_at(monkeypatch, 7, signal.SIGUSR1)
    with pytest.raises(KeyboardInterrupt, match="saved at step 8 of 20; the job is queued again"):
        trains("run", on_signal="requeue")
    assert slurm.read_text() == "requeue 17\n"


def test_ctrl_c_does_not(trains: Trains, slurm: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    interrupt_at(monkeypatch, 7, signal.SIGINT)
    with pytest.raises(KeyboardInterrupt, match="run the same command to resume"):
        trains("run", on_signal="requeue")
    assert not slurm.exists()


def test_a_failure_of_the_scheduler_is_reported(
    trains: Trains, slurm: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = slurm.parent / "bin" / "scontrol"
    program.write_text('#!/bin/sh\necho "not permitted" >&2\nexit 1\n')
    interrupt_at(monkeypatch, 7, signal.SIGUSR1)
    with pytest.raises(RunError, match=r"is saved, but scontrol requeue 17 failed \(not permitted\)"):
        trains("run", on_signal="requeue")


def test_outside_of_a_job_it_is_refused(trains: Trains, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    with pytest.raises(ConfigError, match="needs a job of SLURM"):
        check_requeue()
    with pytest.raises(ConfigError, match="needs a job of SLURM"):
        trains("run", on_signal="requeue")
