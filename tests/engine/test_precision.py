"""The arithmetic of a training: chosen for model and processor, kept when it goes on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from simulacra.accelerate import processor
from simulacra.data import DataSpec, Options
from simulacra.engine.precision import settled
from simulacra.errors import RunError
from simulacra.models.registry import model_card
from simulacra.report.reproduce import command
from simulacra.run import Run, RunConfig
from tests.engine.conftest import Trains

X86: dict[str, Any] = {"architecture": "x86_64", "avx512_bf16": False, "amx_bf16": False}


def test_a_training_in_bf16_says_that_it_is_not_faster(
    trains: Trains, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: X86, raising=False)
    said = "bfloat16 is not faster on this device: --precision 32 is\n"
    trains("bf16", steps=5, precision="bf16")
    assert said in capsys.readouterr().err
    trains("fp32", steps=5)
    assert said not in capsys.readouterr().err


def config(model: str, shape: tuple[int, ...], **settings: Any) -> RunConfig:
    spec, card = DataSpec("image", shape), model_card(model)
    training = replace(card.training, device="cpu")
    return RunConfig(model, card.Config(**settings), "digits", Options(), spec, training)


@pytest.mark.parametrize(
    ("model", "shape", "settings", "speedup", "precision"),
    [
        ("gan", (3, 32, 32), {}, 2.0, "bf16"),
        ("pix2pix", (3, 32, 32), {}, 2.0, "bf16"),
        # as on a processor whose bfloat16 takes twice as long, or gains little
        ("gan", (3, 32, 32), {}, 0.5, "32"),
        ("gan", (3, 32, 32), {}, 1.2, "32"),
        # small nets, and models that are measured by their likelihood
        ("gan", (1, 8, 8), {}, 2.0, "32"),
        ("gan", (3, 32, 32), {"net": "mlp"}, 2.0, "32"),
        ("vae", (3, 32, 32), {}, 2.0, "32"),
    ],
)
def test_auto_is_bf16_where_model_and_processor_gain(
    model: str,
    shape: tuple[int, ...],
    settings: dict[str, Any],
    speedup: float,
    precision: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(processor, "bf16_speedup", lambda: speedup)
    monkeypatch.setattr(processor, "emulates_bf16", lambda device: False)
    left_open = config(model, shape, **settings)
    assert left_open.training.precision == "auto"
    assert settled(Run(tmp_path), left_open).training.precision == precision


def test_a_training_goes_on_as_it_began_on_another_machine(
    trains: Trains, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run, _ = trains("run", steps=5, precision="bf16")
    assert "precision bf16: computing in bfloat16 where that is safe, on cpu\n" in capsys.readouterr().err
    # a vae would have begun with 32
    trains("run", steps=10)
    assert run.config.training.precision == "bf16"
    assert run.events("train")[-1]["step"] == 10
    with pytest.raises(RunError, match="precision bf16 there, 32 here"):
        trains("run", steps=10, precision="32")
    run, _ = trains("new", steps=5)
    assert run.config.training.precision == "32"
    assert "precision 32: computing in float32, on cpu\n" in capsys.readouterr().err
    # nothing to repeat: it is 32 everywhere
    assert "--precision" not in command(run.config)


def test_products_of_matrices_are_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    assert 0.001 < processor.bf16_speedup() < 1000
