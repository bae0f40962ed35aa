"""What tools learn from the capabilities of a model."""

from __future__ import annotations

import pytest
import torch

import simulacra as sim
from simulacra.core.capabilities import (
    BoundsLikelihood,
    Conditional,
    Discriminates,
    EstimatesLikelihood,
    Reconstructs,
    Samples,
    capabilities,
    commands,
    require,
    usage,
)
from simulacra.core.model import Model
from simulacra.data.spec import DataSpec
from simulacra.errors import ConfigError, RunError
from simulacra.models.registry import MODELS, build

GREY = DataSpec("image", (1, 8, 8), ("cat", "dog"))


def made(name: str) -> Model:
    return build(name, GREY, MODELS[name].Config())


def test_most_specific_ones_in_the_order_of_inheritance() -> None:
    assert capabilities(made("vae")) == [Samples, Reconstructs, EstimatesLikelihood, BoundsLikelihood]
    assert capabilities(made("conditional_gan")) == [Conditional, Discriminates]
    assert capabilities(Model(GREY, None)) == []


def test_lines_and_commands_that_use_a_model() -> None:
    assert usage(made("vae")) == [
        "x = model.sample(16, seed=0)",
        "z = model.encode(x).mean",
        "y = model.decode(z).mean",
    ]
    assert usage(made("autoencoder"))[0] == "x = ...  # float32, (N, 1, 8, 8) in [0, 1]"
    assert [words[0] for words in commands(made("vae"), "runs/x", "digits", 0)] == ["sample", "reconstruct"]


def test_a_model_without_a_capability_is_refused_with_what_to_do() -> None:
    with pytest.raises(RunError, match=r"runs/x: this classifier does not sample.*simulacra predict runs/x"):
        require(made("classifier"), Samples, "runs/x", "classifier", "digits")
    vae = made("vae")
    assert require(vae, Samples, "runs/x", "vae", "digits") is vae


def test_classes_by_name_or_index() -> None:
    model = made("conditional_gan").eval()
    assert isinstance(model, sim.ConditionalGAN)
    by_name, by_index = (model.for_class(y).sample(2, seed=1) for y in ("dog", 1))
    assert torch.equal(by_name, by_index)
    with pytest.raises(ConfigError, match="did you mean 'dog'"):
        model.for_class("dogg")
    with pytest.raises(ConfigError, match="2 is not a class; choose a name, or 0 to 1"):
        model.for_class(2)


def test_draws_from_the_likelihood_differ_from_its_mean() -> None:
    model = made("vae").eval()
    assert isinstance(model, sim.VAE)
    mean, draw = model.sample(3, seed=0), model.sample(3, seed=0, draw=True)
    # a Bernoulli's draws are black or white, and those of a seed are always the same
    assert set(draw.unique().tolist()) <= {0.0, 1.0}
    assert not torch.equal(mean, draw)
    assert torch.equal(draw, model.sample(3, seed=0, draw=True))


def test_vectors_are_drawn_from_the_likelihood() -> None:
    model = sim.VAE(DataSpec("vector", (3,)), sim.VAE.card.Config()).eval()
    assert torch.equal(model.sample(3, seed=0), model.sample(3, seed=0, draw=True))
    assert not torch.equal(model.sample(3, seed=0), model.sample(3, seed=0, draw=False))


def test_an_unknown_space_names_the_known_one() -> None:
    with pytest.raises(ConfigError, match="space: unknown 'w'"):
        made("vae").decode(torch.zeros(1, 16), space="w")  # type: ignore[operator]  # a module's attribute
