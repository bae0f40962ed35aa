"""Several processes, and processes that are killed. As a person does it: through the command line."""

from __future__ import annotations

import json
import os
import random
import shlex
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
def test_sentences_in_two_processes_equal_one(tmp_path: Path) -> None:
    nets = ["--width", "16", "--embedding", "8", "--latent-dim", "4", "--kl-target", "1", "--kl-warmup", "5"]
    command = ["train", "sentence_vae", "--data", "sentences:600", *nets, "--batch-size", "32"]
    command += ["--steps", "20", "--log-every", "1", "--device", "cpu"]
    assert main([*command, "--out", str(tmp_path / "one")]) == 0
    run([*SIMULACRA, *command, "--devices", "2", "--out", str(tmp_path / "two")])
    assert len(losses(tmp_path / "two")) == 20
    assert losses(tmp_path / "two") == pytest.approx(losses(tmp_path / "one"), rel=1e-4)


def contents(folder: Path) -> tuple[bytes, list[dict[str, object]], dict[str, bytes]]:
    """Weights, events but for their speed, and sample grids."""
    lines = (folder / "metrics.jsonl").read_text().splitlines()
    events = [{k: v for k, v in json.loads(line).items() if k != "images_per_second"} for line in lines]
    grids = {file.name: file.read_bytes() for file in (folder / "samples").iterdir()}
    return (folder / "model.safetensors").read_bytes(), events, grids


def kill_at_random(command: list[str], folder: Path, rng: random.Random) -> bool:
    """Start a training, and kill it up to 0.3 s after its first event; whether it was running."""
    metrics = folder / "metrics.jsonl"
    before = metrics.stat().st_mtime_ns if metrics.exists() else 0
    process = subprocess.Popen([*SIMULACRA, *command], stderr=subprocess.DEVNULL)
    # the moment counts from the first sign of life of the training, not of the interpreter
    deadline = time.monotonic() + 60
    while process.poll() is None and time.monotonic() < deadline:
        if metrics.exists() and metrics.stat().st_mtime_ns != before:
            break
        time.sleep(0.005)
    time.sleep(rng.uniform(0, 0.3))
    process.kill()
    return process.wait(timeout=60) == -signal.SIGKILL


# --keep best: which weights are kept depends on when validations happen
WATCHED = ["--ema", "0.99", "--keep", "best", "--log-every", "25", "--validate-every", "40"]


@pytest.mark.slow
@pytest.mark.parametrize("kills", [3, pytest.param(20, marks=pytest.mark.torture)])
def test_killed_at_many_moments_ends_the_same(tmp_path: Path, kills: int) -> None:
    options = [*WATCHED, "--steps", str(400 * kills)]
    assert main([*VAE, *options, "--out", str(tmp_path / "whole")]) == 0
    command = [*VAE, *options, "--checkpoint-every", "0.05", "--out", str(tmp_path / "killed")]
    rng = random.Random(0)
    in_training = [kill_at_random(command, tmp_path / "killed", rng) for _ in range(kills)]
    assert all(in_training), f"the training was over before it was killed {kills} times"
    assert main(command) == 0
    assert contents(tmp_path / "whole") == contents(tmp_path / "killed")
    assert not list((tmp_path / "killed").rglob("*.tmp"))


def test_checkpoints_and_logs_change_nothing_else(tmp_path: Path) -> None:
    options = [*VAE, *WATCHED, "--steps", "120"]
    assert main([*options, "--out", str(tmp_path / "few")]) == 0
    assert main([*options, "--checkpoint-every", "0", "--out", str(tmp_path / "many")]) == 0
    assert contents(tmp_path / "few") == contents(tmp_path / "many")
    assert main([*options, "--log-every", "7", "--out", str(tmp_path / "logged")]) == 0
    few, logged = contents(tmp_path / "few"), contents(tmp_path / "logged")
    assert (few[0], few[2]) == (logged[0], logged[2])


@pytest.mark.parametrize(
    "number", [signal.SIGTERM, signal.SIGUSR1, *(pytest.param(n, marks=pytest.mark.slow) for n in (1, 2))]
)
def test_interrupted_by_a_person(
    tmp_path: Path, number: signal.Signals, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    command = [
        *VAE,
        "--steps",
        "1000000",
        "--log-every",
        "100000",
        "--checkpoint-every",
        "0",
        "--out",
        str(out),
    ]
    process = subprocess.Popen([*SIMULACRA, *command], stderr=subprocess.PIPE, text=True)
    while not (out / "model.safetensors").exists():
        time.sleep(0.02)
        assert process.poll() is None
    assert main(command) == 1
    assert "another process is training here" in capsys.readouterr().err
    process.send_signal(number)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "interrupted, saved at step" in said
    assert "Traceback" not in said
    assert len(list((out / "checkpoints").glob("*.safetensors"))) == 2


def test_interrupted_before_the_first_step(tmp_path: Path) -> None:
    out = tmp_path / "run"
    process = subprocess.Popen([*SIMULACRA, *VAE, "--out", str(out)], stderr=subprocess.PIPE, text=True)
    while not (out / "config.yaml").exists():
        time.sleep(0.005)
        assert process.poll() is None
    process.send_signal(signal.SIGUSR1)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "interrupted" in said
    assert "Traceback" not in said


@pytest.mark.slow
def test_nohup_is_respected(tmp_path: Path) -> None:
    command = [*SIMULACRA, *VAE, "--steps", "2000", "--out", str(tmp_path / "run")]
    process = subprocess.Popen(["nohup", *command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while not (tmp_path / "run" / "metrics.jsonl").exists():
        time.sleep(0.02)
        assert process.poll() is None
    process.send_signal(signal.SIGHUP)
    assert process.wait(timeout=120) == 0


@pytest.mark.parametrize("output", ["| head -1", ">&- 2>&-"])
def test_a_lost_terminal_stops_nothing(one: Path, tmp_path: Path, output: str) -> None:
    words = shlex.join([*SIMULACRA, *VAE, *EQUAL, "--out", str(tmp_path / "run")])
    pipe = "2>&1 | head -1" if output.startswith("|") else output
    script = f"set -o pipefail; {words} {pipe}"
    subprocess.run(["bash", "-c", script], check=True, capture_output=True, timeout=120)
    assert (tmp_path / "run" / "model.safetensors").read_bytes() == (one / "model.safetensors").read_bytes()


def test_ranks_without_a_world_are_nothing(one: Path, tmp_path: Path) -> None:
    leftovers = {
        "SLURM_PROCID": "1",
        "RANK": "1",
        "LOCAL_RANK": "1",
        "OMPI_COMM_WORLD_RANK": "1",
        "TORCHELASTIC_RUN_ID": "none",
        "SLURM_NTASKS": "4",
        "SLURM_JOB_ID": "7",
    }
    command = [*SIMULACRA, *VAE, *EQUAL, "--out", str(tmp_path / "run")]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", **leftovers}
    subprocess.run(command, env=environment, check=True, capture_output=True, timeout=120)
    assert (tmp_path / "run" / "model.safetensors").read_bytes() == (one / "model.safetensors").read_bytes()


def children(process: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{process}/task/{process}/children").read_text().split()]


@pytest.mark.slow
@pytest.mark.parametrize("victim", [0, 1])
def test_a_dead_process_ends_the_job(tmp_path: Path, victim: int) -> None:
    out = tmp_path / "run"
    two = ["--devices", "2", "--steps", "1000000", "--checkpoint-every", "0.2", "--device", "cpu"]
    command = [*SIMULACRA, *VAE, *two, "--log-every", "10", "--out", str(out)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 100
    while not list((out / "checkpoints").glob("*.safetensors")) and time.monotonic() < deadline:
        time.sleep(0.1)
    (other,) = children(process.pid)
    os.kill((process.pid, other)[victim], signal.SIGKILL)
    _, said = process.communicate(timeout=60)
    if victim == 1:
        assert process.returncode == 1
        assert "process 1 of 2 died (signal 9); the last checkpoint is whole" in said
    # the other one has left too
    deadline = time.monotonic() + 30
    while Path(f"/proc/{other}").exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not Path(f"/proc/{other}").exists()


@pytest.mark.slow
def test_two_processes_stop_between_two_logs(tmp_path: Path) -> None:
    options = ["--steps", "400", "--log-every", "50", "--device", "cpu", "--devices", "2"]
    run([*SIMULACRA, *VAE, *options, "--out", str(tmp_path / "whole")])
    command = [*SIMULACRA, *VAE, *options, "--out", str(tmp_path / "stopped")]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
    while not (tmp_path / "stopped" / "metrics.jsonl").exists():
        time.sleep(0.01)
        assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    run(command)
    assert contents(tmp_path / "whole") == contents(tmp_path / "stopped")


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
