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

COMMAND = ["vae", "--data", "digits", "--latent-dim", "2", "--hidden", "64", "--batch-size", "64"]
SIMULACRA = [sys.executable, "-m", "simulacra", "train", *COMMAND]


def run(command: list[str], **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, env={**os.environ, **environment}, capture_output=True, text=True, timeout=300, check=True
    )


def losses(folder: Path) -> list[float]:
    events = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [event["loss"] for event in events if event["event"] == "train"]


@pytest.mark.slow
@pytest.mark.parametrize("launcher", ["torchrun", "devices"])
def test_two_processes_equal_one(tmp_path: Path, launcher: str) -> None:
    options = ["--steps", "30", "--log-every", "1", "--likelihood", "normal-shared", "--device", "cpu"]
    run([*SIMULACRA, *options, "--out", str(tmp_path / "one")])
    if launcher == "torchrun":
        torchrun = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--standalone"]
        two = [*torchrun, "-m", *SIMULACRA[2:]]
    else:
        two = [*SIMULACRA, "--devices", "2"]
    run([*two, *options, "--out", str(tmp_path / "two")], OMP_NUM_THREADS="1")
    one, two_losses = losses(tmp_path / "one"), losses(tmp_path / "two")
    assert len(one) == len(two_losses) == 30
    assert two_losses == pytest.approx(one, rel=1e-5)
    ours = load_file(tmp_path / "two" / "model.safetensors")
    for name, tensor in load_file(tmp_path / "one" / "model.safetensors").items():
        torch.testing.assert_close(ours[name], tensor, rtol=1e-3, atol=1e-5)


@pytest.mark.slow
def test_killed_at_twenty_moments_ends_in_the_same_weights(tmp_path: Path) -> None:
    options = ["--steps", "6000", "--log-every", "25", "--checkpoint-every", "0", "--ema", "0.99"]
    run([*SIMULACRA, *options, "--out", str(tmp_path / "whole")])
    killed = [*SIMULACRA, *options, "--out", str(tmp_path / "killed")]
    rng = random.Random(0)
    in_training = 0
    for _ in range(20):
        metrics = tmp_path / "killed" / "metrics.jsonl"
        before = metrics.stat().st_mtime_ns if metrics.exists() else 0
        process = subprocess.Popen(killed, stderr=subprocess.DEVNULL)
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
    assert in_training == 20, "the training was over before it was killed 20 times"
    run(killed)
    whole, resumed = (tmp_path / name / "model.safetensors" for name in ("whole", "killed"))
    assert whole.read_bytes() == resumed.read_bytes()
    assert losses(tmp_path / "whole")[-1] == losses(tmp_path / "killed")[-1]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_by_a_person(tmp_path: Path, number: signal.Signals) -> None:
    out = tmp_path / "run"
    command = [*SIMULACRA, "--steps", "1000000", "--log-every", "20", "--out", str(out)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    while not (out / "metrics.jsonl").exists():
        time.sleep(0.02)
        assert process.poll() is None
    busy = subprocess.run(command, capture_output=True, text=True, check=False)
    assert busy.returncode == 1
    assert "another process is training here" in busy.stderr
    process.send_signal(number)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "interrupted, saved at step" in said
    assert "Traceback" not in said
    assert (out / "checkpoints" / "last" / "training.pt").exists()
    assert (out / "model.safetensors").exists()


@pytest.mark.slow
def test_an_adversarial_game_in_two_processes_equals_one(tmp_path: Path) -> None:
    gan = [sys.executable, "-m", "simulacra", "train", "gan", "--data", "gaussians-8:1000", "--hidden", "16"]
    options = [
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
    run([*gan, *options, "--out", str(tmp_path / "one")])
    run([*gan, *options, "--devices", "2", "--out", str(tmp_path / "two")], OMP_NUM_THREADS="1")
    run([*gan, *options, "--precision", "bf16", "--out", str(tmp_path / "half")])
    ours = load_file(tmp_path / "two" / "model.safetensors")
    for name, tensor in load_file(tmp_path / "one" / "model.safetensors").items():
        torch.testing.assert_close(ours[name], tensor, rtol=1e-3, atol=1e-5)
