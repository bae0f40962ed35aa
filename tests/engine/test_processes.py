"""Several processes, and processes that are killed. As a person does it: through the command line."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from simulacra.cli.main import main

COMMAND = ["vae", "--data", "digits", "--latent-dim", "2", "--hidden", "64", "--batch-size", "64"]
VAE = ["train", *COMMAND]
SIMULACRA = [sys.executable, "-m", "simulacra"]


def run(command: list[str]) -> None:
    """A command in a process of its own, with one thread."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    subprocess.run(command, env=environment, capture_output=True, timeout=300, check=True)


def losses(folder: Path) -> list[float]:
    events = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [event["loss"] for event in events if event["event"] == "train"]


EQUAL = ["--steps", "30", "--log-every", "1", "--likelihood", "normal-shared", "--device", "cpu"]


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A training in one process: this one."""
    folder = tmp_path_factory.mktemp("processes") / "one"
    assert main([*VAE, *EQUAL, "--out", str(folder)]) == 0
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("launcher", ["torchrun", "devices"])
def test_two_processes_equal_one(one: Path, tmp_path: Path, launcher: str) -> None:
    if launcher == "torchrun":
        torchrun = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--standalone"]
        two = [*torchrun, "-m", "simulacra", *VAE]
    else:
        two = [*SIMULACRA, *VAE, "--devices", "2"]
    run([*two, *EQUAL, "--out", str(tmp_path / "two")])
    assert len(losses(one)) == len(losses(tmp_path / "two")) == 30
    assert losses(tmp_path / "two") == pytest.approx(losses(one), rel=1e-5)
    ours = load_file(tmp_path / "two" / "model.safetensors")
    for name, tensor in load_file(one / "model.safetensors").items():
        torch.testing.assert_close(ours[name], tensor, rtol=1e-3, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("kills", [3, pytest.param(20, marks=pytest.mark.torture)])
def test_killed_at_many_moments_ends_in_the_same_weights(tmp_path: Path, kills: int) -> None:
    options = ["--steps", str(300 * kills), "--log-every", "25", "--checkpoint-every", "0", "--ema", "0.99"]
    assert main([*VAE, *options, "--out", str(tmp_path / "whole")]) == 0
    killed = [*VAE, *options, "--out", str(tmp_path / "killed")]
    rng = random.Random(0)
    in_training = 0
    for _ in range(kills):
        metrics = tmp_path / "killed" / "metrics.jsonl"
        before = metrics.stat().st_mtime_ns if metrics.exists() else 0
        process = subprocess.Popen([*SIMULACRA, *killed], stderr=subprocess.DEVNULL)
        # the moment counts from the first sign of life of the training, not of the interpreter
        deadline = time.monotonic() + 60
        while process.poll() is None and time.monotonic() < deadline:
            if metrics.exists() and metrics.stat().st_mtime_ns != before:
                break
            time.sleep(0.005)
        time.sleep(rng.uniform(0, 0.3))
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
            in_training += 1
        process.wait()
    assert in_training == kills, f"the training was over before it was killed {kills} times"
    assert main(killed) == 0
    whole, resumed = (tmp_path / name / "model.safetensors" for name in ("whole", "killed"))
    assert whole.read_bytes() == resumed.read_bytes()
    assert losses(tmp_path / "whole")[-1] == losses(tmp_path / "killed")[-1]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_by_a_person(
    tmp_path: Path, number: signal.Signals, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    command = [*VAE, "--steps", "1000000", "--log-every", "20", "--out", str(out)]
    process = subprocess.Popen([*SIMULACRA, *command], stderr=subprocess.PIPE, text=True)
    while not (out / "metrics.jsonl").exists():
        time.sleep(0.02)
        assert process.poll() is None
    assert main(command) == 1
    assert "another process is training here" in capsys.readouterr().err
    process.send_signal(number)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "interrupted, saved at step" in said
    assert "Traceback" not in said
    assert len(list((out / "checkpoints").glob("*.safetensors"))) == 1
    assert (out / "model.safetensors").exists()


@pytest.mark.slow
def test_an_adversarial_game_in_two_processes_equals_one(tmp_path: Path) -> None:
    gan = ["train", "gan", "--data", "gaussians-8:1000", "--hidden", "16"]
    gan += [
        "--steps",
        "20",
        "--log-every",
        "1",
        "--batch-size",
        "64",
        "--r1",
        "1",
        "--r2",
        "1",
        "--device",
        "cpu",
    ]
    assert main([*gan, "--out", str(tmp_path / "one")]) == 0
    run([*SIMULACRA, *gan, "--devices", "2", "--out", str(tmp_path / "two")])
    assert main([*gan, "--precision", "bf16", "--out", str(tmp_path / "half")]) == 0
    ours = load_file(tmp_path / "two" / "model.safetensors")
    for name, tensor in load_file(tmp_path / "one" / "model.safetensors").items():
        torch.testing.assert_close(ours[name], tensor, rtol=1e-3, atol=1e-5)
