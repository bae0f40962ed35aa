"""A density model as a prior: against the density model itself, and for a model with every kind of space."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from simulacra.core.capabilities import Conditional, EstimatesLikelihood, Generates, Guided, Samples
from simulacra.core.model_prior import ModelPrior, with_prior
from simulacra.core.noise import Noise
from simulacra.data.spec import Dataset, DataSpec
from simulacra.errors import ConfigError
from simulacra.models.registry import build, model_card

IMAGES = DataSpec("image", (1, 8, 8))
MEAN = torch.tensor([1.0, -2.0, 0.0, 3.0])


def made(name: str, spec: DataSpec, **settings: Any) -> Any:
    torch.manual_seed(0)
    return build(name, spec, model_card(name).Config(**settings)).eval()


def density(shape: tuple[int, ...] = (4,)) -> Any:
    """PCA of latents with this mean."""
    spec = DataSpec("vector", (4,))
    pca = made("pca", spec, latent_dim=2)
    eps = np.random.default_rng(0).normal(size=(500, 4))
    x = (eps - eps.mean(axis=0)) / eps.std(axis=0) * [1.0, 2.0, 0.5, 1.0] + MEAN.numpy()
    pca.prepare(Dataset(spec, x.astype(np.float32)))
    return ModelPrior(pca, MEAN.reshape(shape), "pca")


@pytest.mark.parametrize("name", ["autoencoder", "vae"])
def test_a_sample_is_a_decoded_draw_of_the_density(name: str) -> None:
    model = made(name, IMAGES, latent_dim=4)
    own = model.sample(3, seed=1) if isinstance(model, Generates) else None
    prior = density()
    new = with_prior(model, prior)
    assert isinstance(new, type(model))
    assert isinstance(new, Generates)
    assert type(new).__name__ == type(model).__name__
    z = prior.sample(64, Noise(1))
    assert torch.equal(new.sample(3, seed=1), model.decode(z).mean[:3])
    # its weights are those of the model, which is as it was
    assert all(a is b for a, b in zip(new.parameters(), model.parameters(), strict=True))
    assert own is None or torch.equal(model.sample(3, seed=1), own)
    assert isinstance(model, Samples) == (name == "vae")
    x = torch.rand(2, 1, 8, 8)
    assert torch.equal(new.encode(x).mean, model.encode(x).mean)


def test_draws_and_density_are_those_of_the_model() -> None:
    prior = density()
    z = prior.sample(20_000, Noise(0))
    assert torch.allclose(z.mean(dim=0), MEAN, atol=0.1)
    assert torch.allclose(z.std(dim=0), torch.tensor([1.0, 2.0, 0.5, 1.0]), atol=0.1)
    assert torch.equal(prior.log_prob(z[:5]), prior.model.log_likelihood(z[:5]))
    # of a latent with another shape, the numbers one after the other
    square = density((2, 2))
    assert torch.equal(square.sample(5, Noise(0)).flatten(1), prior.sample(5, Noise(0)))
    assert torch.equal(square.log_prob(z[:5].reshape(5, 2, 2)), prior.log_prob(z[:5]))


def test_truncation_moves_towards_the_mean_of_the_latents() -> None:
    prior = density()
    z = prior.sample(6, Noise(0))
    assert torch.equal(prior.truncate(z, 1.0), z)
    assert torch.allclose(prior.truncate(z, 0.25), MEAN + 0.25 * (z - MEAN))
    model = with_prior(made("autoencoder", IMAGES, latent_dim=4), prior)
    x = model.sample(2, seed=0, truncation=0.0)
    assert torch.allclose(x, model.decode(MEAN[None]).mean.expand_as(x), atol=1e-6)


def test_what_a_prior_cannot_do_says_so() -> None:
    with pytest.raises(ConfigError, match="quantiles of p\\(z\\) of pca are not known"):
        density().quantile(torch.tensor([0.5]))
    gan = ModelPrior(made("gan", DataSpec("vector", (4,))), MEAN, "gan")
    assert not isinstance(gan.model, EstimatesLikelihood)
    with pytest.raises(ConfigError, match="its model has no likelihood"):
        gan.log_prob(MEAN[None])
    with pytest.raises(ConfigError, match="pca is one of 4 numbers, and a latent of this Autoencoder has 3"):
        with_prior(made("autoencoder", IMAGES, latent_dim=3), density())


class OfClasses(Conditional):
    """z = the class in all numbers, plus uniform noise."""

    def sample_labelled(self, n: int, seed: int | Noise = 0, **_: Any) -> tuple[Tensor, Tensor]:
        noise = Noise.of(seed)
        y = torch.arange(n) % 3
        return y[:, None] + 0.1 * noise.uniform(n, 4), y

    def for_class(self, y: int | str) -> Any:
        return OneClass(self.spec, self.class_index(y))


class Guiding(OfClasses, Guided):
    """The same, with guidance."""


class OneClass(Samples):
    def sample(self, n: int, seed: int | Noise = 0, **_: Any) -> Tensor:
        return self.config + 0.1 * Noise.of(seed).uniform(n, 4)


@pytest.mark.parametrize("name", ["autoencoder", "vae"])
def test_a_prior_of_classes_makes_the_model_one_of_classes(name: str) -> None:
    spec = DataSpec("vector", (4,), classes=("a", "b", "c"))
    prior = ModelPrior(OfClasses(spec, None), torch.zeros(4), "classes")
    images = DataSpec("image", (1, 8, 8), classes=("a", "b", "c"))
    model = with_prior(made(name, images, latent_dim=4), prior)
    assert isinstance(model, Conditional)
    x, y = model.sample_labelled(70, seed=0)
    z, expected = prior.model.sample_labelled(70, 0)
    assert torch.equal(y, expected)
    assert torch.allclose(x, model.decode(z).mean, atol=1e-6)
    one = model.for_class("b")
    assert isinstance(one, Generates)
    assert not isinstance(one, Conditional)
    drawn = one.latent.sample(5, Noise(0))
    assert bool(((drawn >= 1) & (drawn <= 1.1)).all())
    assert torch.equal(one.sample(2, seed=3), model.for_class(1).sample(2, seed=3))
    # given z the class changes nothing
    z = torch.randn(2, 4)
    assert torch.equal(model.decode_weighted(z, torch.rand(2, 3)).mean, model.decode(z).mean)


def test_guidance_is_that_of_the_prior() -> None:
    spec = DataSpec("vector", (4,), classes=("a", "b", "c"))
    plain, guided = (
        with_prior(made("autoencoder", IMAGES, latent_dim=4), ModelPrior(kind(spec, None), MEAN, "classes"))
        for kind in (OfClasses, Guiding)
    )
    assert not isinstance(plain, Guided)
    assert isinstance(guided, Guided)
    guided.guidance = 3.0
    assert guided.prior.model.guidance == guided.guidance == 3.0
