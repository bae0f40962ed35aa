"""Latent spaces and their prior, against scipy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.stats import multivariate_normal, norm

from simulacra.core.latents import LatentSpace, StandardNormal
from simulacra.core.noise import Noise
from simulacra.errors import ConfigError


def test_log_density_is_scipys() -> None:
    z = torch.from_numpy(np.random.default_rng(0).normal(size=(5, 3)))
    expected = multivariate_normal(np.zeros(3)).logpdf(z.numpy())
    np.testing.assert_allclose(StandardNormal((3,)).log_prob(z).numpy(), expected)
    # a stack of styles has the density of all its numbers
    stack = z.reshape(5, 3, 1).expand(5, 3, 2)
    assert torch.allclose(StandardNormal((3, 2)).log_prob(stack), 2 * StandardNormal((3,)).log_prob(z))


def test_quantiles_are_scipys() -> None:
    u = torch.tensor([0.05, 0.5, 0.95], dtype=torch.float64)
    q = StandardNormal((2,)).quantile(u)
    assert q.shape == (3, 2)
    np.testing.assert_allclose(q.numpy(), np.stack([norm.ppf(u.numpy())] * 2, axis=1), atol=1e-12)


def test_samples_are_those_of_the_noise_times_the_truncation() -> None:
    space = LatentSpace.normal(4)
    z = space.sample(6, Noise(3))
    assert torch.equal(z, Noise(3).normal(6, 4))
    assert torch.equal(space.sample(6, Noise(3), truncation=0.5), 0.5 * z)
    assert space.size == 4


def test_a_space_without_a_prior_does_not_sample() -> None:
    with pytest.raises(ConfigError, match="'z' has no prior"):
        LatentSpace("z", (4,)).sample(1, Noise(0))
