"""Checkpoints: what is in them, and what happens when they are damaged, foreign or cannot be written."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from torch import Tensor

from simulacra import tensors
from simulacra.engine import checkpoint
from simulacra.errors import RunError
from simulacra.run import Run
from tests.engine.conftest import Trains

RICH: dict[str, Any] = {"ema": 0.9, "keep": "best", "validate_every": 4, "checkpoint_every": 0.0}


def last(run: Run) -> Path:
    return checkpoint.paths(run)[-1]


def flip(file: Path) -> None:
    """Change one byte in the middle."""
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


def rewrite(file: Path, state: Mapping[str, Tensor]) -> None:
    """Other tensors with a right checksum: a file that somebody made."""
    notes = tensors.read(file)[1]
    tensors.write(file, state, {"counters": notes["counters"]})


def test_the_last_two_are_kept(trains: Trains) -> None:
    run, _ = trains("run", **RICH)
    assert [file.name for file in checkpoint.paths(run)] == ["000019.safetensors", "000020.safetensors"]


def test_everything_has_a_name(trains: Trains) -> None:
    run, _ = trains("run", **RICH)
    with safe_open(last(run), "pt") as file:
        names = {name.split(".")[0] for name in file.keys()}  # noqa: SIM118  # it is no dict
        assert "optimizer.vae.encoder.layers.0.weight.exp_avg" in file.keys()  # noqa: SIM118
    assert names == {"model", "ema", "best", "optimizer"}
    saved, _ = checkpoint.load(run)
    assert saved is not None
    assert (saved.step, saved.pending, saved.unlogged) == (20, False, 0)


def test_between_two_logs_the_terms_are_in_it(trains: Trains) -> None:
    run, _ = trains("run", **RICH)
    last(run).unlink()
    saved, _ = checkpoint.load(run)
    assert saved is not None
    # the last log was at step 15
    assert (saved.step, saved.unlogged) == (19, 4)
    assert saved.state["record.loss"].shape == (4,)


def test_a_damaged_one_is_named_and_the_one_before_is_used(
    trains: Trains, capsys: pytest.CaptureFixture[str]
) -> None:
    whole, _ = trains("whole", steps=30, **RICH)
    run, _ = trains("run", **RICH)
    flip(last(run))
    trains("run", steps=30, **RICH)
    said = capsys.readouterr().err
    assert "000020.safetensors: damaged" in said
    assert "resuming at step 19 of 30" in said
    assert run.weights.read_bytes() == whole.weights.read_bytes()


def test_when_all_are_damaged_that_is_said(trains: Trains) -> None:
    run, _ = trains("run", **RICH)
    for file in checkpoint.paths(run):
        flip(file)
    with pytest.raises(RunError, match=r"000020\.safetensors: damaged .* no whole one before it; delete"):
        trains("run", steps=30, **RICH)


@pytest.mark.parametrize(
    ("name", "tensor", "message"),
    [
        ("optimizer.vae.encoder.layers.0.weight.exp_avg", torch.zeros(3), "of shape"),
        (
            "optimizer.vae.encoder.layers.0.weight.exp_avg",
            torch.zeros(32, 64, dtype=torch.float64),
            "float64",
        ),
        ("optimizer.vae.encoder.layers.0.weight.step", torch.zeros(2), "is no number"),
        ("optimizer.vae.encoder.layers.9.weight.exp_avg", torch.zeros(3), "no parameter for"),
        ("model.encoder.layers.0.weight", torch.zeros(2, 2), "of shape"),
        ("model.encoder.layers.7.weight", torch.zeros(2, 2), "is not part of it"),
        ("ema.n_averaged", torch.zeros(()), "float32"),
    ],
)
def test_a_tensor_that_does_not_fit_touches_nothing(
    trains: Trains, name: str, tensor: Tensor, message: str
) -> None:
    run, _ = trains("run", steps=5, ema=0.9)
    state = tensors.read(last(run))[0]
    rewrite(last(run), {**state, name: tensor})
    with pytest.raises(RunError, match=f"does not fit this model .*{message}"):
        trains("run", steps=10, ema=0.9)


@pytest.mark.parametrize(
    "key", ["model.encoder.layers.0.weight", "optimizer.vae.encoder.layers.0.weight.step"]
)
def test_a_missing_tensor_is_named(trains: Trains, key: str) -> None:
    run, _ = trains("run", steps=5)
    state = tensors.read(last(run))[0]
    rewrite(last(run), {name: tensor for name, tensor in state.items() if name != key})
    with pytest.raises(RunError, match="does not fit this model"):
        trains("run", steps=10)


def test_a_finished_run_gets_its_weights_back(trains: Trains) -> None:
    run, _ = trains("run", steps=5, ema=0.9)
    weights = run.weights.read_bytes()
    run.weights.unlink()
    trains("run", steps=5, ema=0.9)
    assert run.weights.read_bytes() == weights
    flip(run.weights)
    with pytest.raises(RunError, match=r"model\.safetensors: damaged"):
        run.load()
    trains("run", steps=5, ema=0.9)
    assert run.weights.read_bytes() == weights


def test_a_full_disk_leaves_the_checkpoints_before(trains: Trains, monkeypatch: pytest.MonkeyPatch) -> None:
    run, _ = trains("run", steps=5)
    before = last(run).read_bytes()

    def full(file: Path, header: bytes, data: object) -> None:
        file.write_bytes(b"half of it")
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(tensors, "_write", full)
        with pytest.raises(RunError, match=r"could not be written \(No space left on device\)"):
            trains("run", steps=10)
    assert last(run).read_bytes() == before
    assert not list(run.path.rglob("*.tmp"))
    assert trains("run", steps=10)[0].events("train")[-1]["step"] == 10


def test_a_folder_that_is_deleted_is_not_made_anew(trains: Trains, monkeypatch: pytest.MonkeyPatch) -> None:
    import shutil

    from simulacra.engine.session import Session

    play = Session.play

    def deleting(self: Session, step: int) -> None:
        play(self, step)
        if step == 6:
            shutil.rmtree(tmp)

    run, _ = trains("other", steps=2)
    tmp = run.path.parent / "run"
    with monkeypatch.context() as patched:
        patched.setattr(Session, "play", deleting)
        with pytest.raises(RunError, match="was deleted during the training"):
            trains("run")
    assert not tmp.exists()
    trains("run")
