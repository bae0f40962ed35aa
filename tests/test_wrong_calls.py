"""Wrong calls of the Python API: each is answered in a moment by one sentence that names the fix."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

import simulacra as sim
from simulacra.errors import SimulacraError
from simulacra.models.registry import build

RNG = np.random.default_rng(0)
IMAGES = RNG.random((40, 8, 8))
ROWS = RNG.normal(size=(40, 3))
LABELS = np.arange(40) % 2
GREY = sim.DataSpec("image", (1, 8, 8), ("cat", "dog"))
VECTORS = sim.DataSpec("vector", (3,), target=sim.DataSpec("vector", (1,)))


def made(name: str, spec: sim.DataSpec = GREY) -> Any:
    return build(name, spec, sim.MODELS[name].Config()).eval()


def train(*arguments: Any, **settings: Any) -> Callable[[], Any]:
    return lambda: sim.train(*arguments, **settings)


def on(name: str, call: str, *arguments: Any, **settings: Any) -> Callable[[], Any]:
    spec = VECTORS if name in ("regressor", "mdn") else GREY
    return lambda: getattr(made(name, spec), call)(*arguments, **settings)


# what a newcomer types -> what the answer says
WRONG: list[tuple[Callable[[], Any], str]] = [
    # the model
    (train("VAE", "digits"), "did you mean 'vae'?"),
    (train(sim.VAE, "digits"), "the model must be a name, e.g. 'vae'"),
    (train("digits", "vae"), "unknown model 'digits', choose from"),
    (train("nets.py:Net", "digits"), "there is no file nets.py"),
    # the data
    (train("vae", "digitz"), "did you mean 'digits'?"),
    (train("vae", "digits@test"), "leave '@test' out"),
    (train("vae", "photos/holiday"), "there is no such file or folder"),
    (train("vae", None), "pass a source like 'digits', an array x"),
    (train("vae", {"x": IMAGES}), "pass a source like 'digits', an array x"),
    (train("vae", [1, 2, 3]), "has shape (3,); it must be (N, H, W)"),
    (train("vae", [[1, 2], [3]]), "one length"),
    (train("vae", np.array(["a", "b"])), "a vae takes no sentences; train a sentence_vae"),
    (train("vae", IMAGES[:0]), "is empty"),
    (train("vae", IMAGES[0, 0]), "has shape (8,)"),
    (train("vae", IMAGES * 255), "images are uint8, or floats in [0, 1]: divide by 255"),
    (train("vae", IMAGES * 2 - 1), "(x + 1) / 2"),
    (train("vae", (IMAGES * 255).astype(int)), "x.astype(numpy.uint8)"),
    (train("vae", np.where(IMAGES > 0.9, np.nan, IMAGES)), "NaN or infinite"),
    (train("vae", torch.full((9, 3), torch.inf)), "infinite"),
    (train("vae", pd.DataFrame({"a": []})), "there are no rows"),
    (train("classifier", (IMAGES, LABELS[:5])), "must be (40,), one per example"),
    (train("classifier", (ROWS, ROWS[:, 0])), "whole numbers or words as y, not floats"),
    (train("classifier", IMAGES), "or pass (x, y)"),
    (train("regressor", ROWS), "or pass (x, y)"),
    (train("pix2pix", IMAGES), "pairs"),
    (train("classifier", (ROWS, LABELS, LABELS)), "a tuple must be (x, y)"),
    (train("vae", IMAGES, target="y"), "target: does not apply"),
    # the settings
    (train("vae", "digits", latentdim=2), "did you mean 'latent_dim'?"),
    (train("vae", "digits", latent_dim=-1), "latent_dim: must be at least 1"),
    (train("vae", "digits", steps=0), "steps: must be above 0"),
    (train("vae", "digits", steps="ten"), "steps: must be a whole number or None, not 'ten'"),
    (train("vae", "digits", lr="1e-3"), "lr: must be a number"),
    (train("vae", "digits", steps=10, epochs=2), "give one of"),
    (train("vae", "digits", hidden=100), "hidden: must be a list of numbers, not 100"),
    (train("vae", "digits", net="mpl"), "did you mean 'mlp'?"),
    (train("vae", "digits", device="gpu"), "did you mean 'cpu'?"),
    (train("vae", "digits", device="cuda" if not torch.cuda.is_available() else "mps"), "is not available"),
    (train("vae", "digits", image_size=2), "choose from 4 to 4096"),
    (train("vae", "digits", 7), "a run folder is a path"),
    # loading
    (lambda: sim.load("nowhere"), "nowhere: no run here"),
    (lambda: sim.load(made("vae")), "a run folder is a path"),  # type: ignore[arg-type]  # wrong
    (lambda: sim.load_data("digits", "x"), "write settings by name"),  # type: ignore[arg-type]  # wrong
    (lambda: sim.load_data("digits", size=8), "unknown setting 'size'"),
    # the calls of a model
    (on("vae", "encode", IMAGES[:, :5]), "this model takes (N, 1, 8, 8)"),
    (on("vae", "encode", IMAGES.reshape(40, 64)), "x.reshape(-1, 1, 8, 8)"),
    (on("vae", "encode", IMAGES[0]), "x.reshape(1, 1, 8, 8)"),
    (on("vae", "encode", IMAGES * 255), "divide by 255"),
    (on("vae", "encode", "digits"), "must be an array or a tensor of numbers, not a str"),
    (on("vae", "encode", torch.zeros(2, 1, 8, 8, device="meta")), "use .to(model.device)"),
    (on("vae", "encode", IMAGES, space="w"), "space: unknown 'w'"),
    (on("vae", "decode", np.zeros((2, 3))), "the latent space 'z' has (N, 16)"),
    (on("vae", "decode", 3), "z has shape ()"),
    (on("vae", "sample", -1), "at least 1, not -1"),
    (on("vae", "sample", 2.5), "not 2.5"),
    (on("vae", "sample", 4, seed="a"), "seed must be a whole number"),
    (on("vae", "sample", 4, truncation="low"), "truncation must be a number"),
    (on("vae", "log_likelihood", IMAGES, samples=0), "samples must be a whole number, at least 1"),
    (on("vae", "predict", IMAGES), "this VAE does not predict; train a regressor"),
    (on("gan", "encode", IMAGES), "this GAN has no encoder; train an autoencoder"),
    (on("gan", "for_class", 1), "train a conditional_gan"),
    (on("conditional_gan", "for_class", "bird"), "choose from cat, dog"),
    (on("conditional_gan", "for_class", 7), "choose a name, or 0 to 1"),
    (on("regressor", "predict", ROWS[:, :2]), "this model takes (N, 3)"),
    (on("regressor", "sample", 4), "this Regressor does not sample"),
    (lambda: made("vae")(IMAGES), "call its encode, decode"),
    # the estimators
    (lambda: sim.MDNRegressor(steps="ten").fit(ROWS, ROWS[:, 0]), "steps: must be"),  # type: ignore[arg-type]  # wrong
    (lambda: sim.MDNRegressor(hidden=3).fit(ROWS, ROWS[:, 0]), "hidden: must be"),  # type: ignore[arg-type]  # wrong
    # measuring
    (lambda: sim.evaluate("runs/first", "digits"), "pass a model"),  # type: ignore[arg-type]  # wrong
    (lambda: sim.evaluate(made("vae"), "iris"), "its examples have shape (4,)"),
    (lambda: sim.evaluate(made("vae"), "digits", "tset"), "did you mean 'test'?"),
    (lambda: sim.evaluate(made("vae"), "digits", metrics=["fdi"]), "did you mean 'fid'?"),
    (lambda: sim.evaluate(made("vae"), IMAGES * 255), "divide by 255"),
    (lambda: sim.compare([made("vae")], "digits"), "give two or more"),
    (lambda: sim.compare([made("vae"), made("vae")]), "name the data"),
]


@pytest.mark.parametrize(("call", "fix"), WRONG, ids=[fix for _, fix in WRONG])
def test_a_wrong_call_is_answered_with_its_fix(
    call: Callable[[], Any], fix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    began = time.monotonic()
    with pytest.raises(SimulacraError) as caught:
        call()
    # a second, on a machine that is busy
    assert time.monotonic() - began < 5
    message = str(caught.value)
    assert fix in message
    assert message.count("\n") <= 1
    # the names of all models are the longest
    assert len(message) < 400
    # refused before anything is made
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "meant"),
    [("Vae", "VAE"), ("trian", "train"), ("Evaluate", "evaluate"), ("loaddata", "load_data")],
)
def test_a_slip_in_the_name_of_a_call(name: str, meant: str) -> None:
    with pytest.raises(AttributeError, match=f"did you mean '{meant}'"):
        getattr(sim, name)


def test_what_looks_wrong_and_works(tmp_path: Path) -> None:
    model = sim.train("vae", IMAGES, tmp_path / "a", steps=np.int64(3), lr=np.float32(1e-3), precision=32)
    assert sim.train("vae", "digits", tmp_path / "b", steps=3, hidden=[20]).config.hidden == (20,)
    assert len(model.sample(4)) == 4
    assert sim.evaluate(model, "digits", examples=5)["examples"] == 5
    assert sim.evaluate(model, "digits@validation", examples=5)["data"] == "digits@validation"
    assert sim.evaluate(model, IMAGES, split="train", examples=5)["examples"] == 5
    assert sim.compare({"a": model, "b": tmp_path / "b"}, "digits", examples=5).examples == 5
