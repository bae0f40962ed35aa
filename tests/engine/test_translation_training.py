"""pix2pix and CycleGAN in training: resumed, in parts, in two processes, at the rates of their papers."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from simulacra.cli.main import main
from simulacra.config import Training
from simulacra.core.batch import Batch
from simulacra.core.model import Model, Turn
from simulacra.data import Data, Options, load
from simulacra.engine import checkpoint
from simulacra.engine.loop import train
from simulacra.engine.optimizers import learning_rate
from simulacra.models.registry import MODELS, model_card
from simulacra.run import Run, RunConfig
from tests.engine.test_processes import SIMULACRA, run

SOURCES = {"pix2pix": "face-outlines:60", "cyclegan": "faces:60"}
OPTIONS = {"pix2pix": Options(image_size=32), "cyclegan": Options(image_size=32, target="smiling")}
# more translations than the pool has places for, so that old ones are shown
SETTINGS: dict[str, dict[str, Any]] = {
    "pix2pix": {"width": 4, "style_dim": 2, "load_size": 36, "flip": True},
    "cyclegan": {"width": 4, "blocks": 1, "pool": 5, "load_size": 36},
}


@pytest.fixture(scope="module")
def data() -> dict[str, Data]:
    return {name: load(source, OPTIONS[name]) for name, source in SOURCES.items()}


def trained(name: str, data: dict[str, Data], folder: Path, **training: Any) -> Run:
    known = data[name]
    settings = Training(**{"steps": 8, "batch_size": 4, "log_every": 1, "schedule": "linear", **training})
    config = RunConfig(
        name, model_card(name).Config(**SETTINGS[name]), SOURCES[name], OPTIONS[name], known.spec, settings
    )
    train(Run(folder), config, known, quiet=True)
    return Run(folder)


def terms(folder: Run, name: str) -> list[float]:
    return [event[name] for event in folder.events("train")]


@pytest.mark.parametrize("name", SOURCES)
def test_interrupted_and_resumed_is_bit_for_bit_uninterrupted(
    name: str, data: dict[str, Data], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = trained(name, data, tmp_path / "whole")
    kind: type[Model] = type(whole.load())
    play = kind.play

    def interrupted(self: Model, batch: Batch) -> Iterator[Turn]:
        if batch.step == 3:
            os.kill(os.getpid(), signal.SIGTERM)
        yield from play(self, batch)

    with monkeypatch.context() as patched:
        patched.setattr(kind, "play", interrupted)
        with pytest.raises(KeyboardInterrupt, match="step 4 of 8"):
            trained(name, data, tmp_path / "halves")
    halves = trained(name, data, tmp_path / "halves")
    assert whole.weights.read_bytes() == halves.weights.read_bytes()
    ours, theirs = (in_training(run) for run in (whole, halves))
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[key], theirs[key]) for key in ours)
    if name == "cyclegan":
        # the pool is part of it, and full; who gets the weights does not get it
        assert not {"pool_a", "pool_b"} & load_file(whole.weights).keys()
        assert all(ours[pool].flatten(1).std(dim=1).min() > 0 for pool in ("pool_a", "pool_b"))


def in_training(run: Run) -> dict[str, torch.Tensor]:
    """The weights and buffers of the last checkpoint."""
    saved, _ = checkpoint.load(run)
    assert saved is not None
    start = "model."
    return {key.removeprefix(start): t for key, t in saved.state.items() if key.startswith(start)}


def test_parts_of_a_batch_share_the_pool(data: dict[str, Data], tmp_path: Path) -> None:
    whole = trained("cyclegan", data, tmp_path / "whole", steps=4, lr=1e-5)
    parts = trained("cyclegan", data, tmp_path / "parts", steps=4, lr=1e-5, accumulate=2)
    for term in ("generators_loss", "discriminators_loss", "cycle"):
        assert terms(parts, term) == pytest.approx(terms(whole, term), rel=1e-5)
    ours, theirs = (in_training(run) for run in (whole, parts))
    for pool in ("pool_a", "pool_b"):
        # after four steps of two a pool of five has exchanged some
        torch.testing.assert_close(ours[pool], theirs[pool], rtol=1e-4, atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("name", SOURCES)
def test_two_processes_are_two_parts(name: str, tmp_path: Path) -> None:
    # batch norm and dropout are of a part: not those of the batch in one piece
    words = ["train", name, "--data", SOURCES[name], "--image-size", "32", "--steps", "6"]
    words += ["--batch-size", "4"]
    words += ["--target", "smiling"] if name == "cyclegan" else []
    for key, value in SETTINGS[name].items():
        words += [f"--{key.replace('_', '-')}", *([str(value)] if value is not True else [])]
    words += ["--log-every", "1", "--device", "cpu", "--out"]
    assert main([*words, str(tmp_path / "parts"), "--accumulate", "2"]) == 0
    run([*SIMULACRA, *words, str(tmp_path / "processes"), "--devices", "2"])
    parts, processes = Run(tmp_path / "parts"), Run(tmp_path / "processes")
    term = {"pix2pix": "l1", "cyclegan": "cycle"}[name]
    assert len(terms(processes, term)) == 6
    for key in (term, "adversarial"):
        assert terms(processes, key) == pytest.approx(terms(parts, key), rel=1e-4)
    ours, theirs = load_file(parts.weights), load_file(processes.weights)
    for key, tensor in ours.items():
        # what batch norm averages is of the first process; of a bias that a norm takes away again the
        # gradient is rounding, which Adam follows as far as any other
        if "running" not in key and "num_batches" not in key and not key.endswith("bias"):
            torch.testing.assert_close(theirs[key], tensor, rtol=1e-2, atol=1e-3)


@pytest.mark.parametrize("name", SOURCES)
def test_the_rate_is_constant_for_half_of_the_training_and_falls_to_zero(name: str) -> None:
    training = MODELS[name].training
    rates = [learning_rate(training, step, 8) / 2e-4 for step in range(9)]
    assert rates == pytest.approx([1, 1, 1, 1, 1, 0.75, 0.5, 0.25, 0])
    assert training.betas == (0.5, 0.999)
