"""The sigma that is best for a batch, in closed form."""

from dataclasses import replace
from math import log, pi

import pytest
import torch

from simulacra.core.batch import Batch
from simulacra.core.noise import Noise
from simulacra.data.spec import Dataset, DataSpec
from simulacra.models.vae.card import VAEConfig
from simulacra.models.vae.model import VAE
from simulacra.probability.likelihoods import make

N, D = 50, 6


def residuals(sigma: float = 0.3, seed: int = 0) -> torch.Tensor:
    return sigma * torch.randn(N, D, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_the_negative_log_likelihood_of_a_batch() -> None:
    x = residuals()
    p = make("normal-optimal").double()(torch.zeros_like(x))
    sigma2 = x.square().mean().item()
    # D / 2 (ln(2 pi sigma^2) + 1)
    assert -p.log_prob(x).mean().item() == pytest.approx(D / 2 * (log(2 * pi * sigma2) + 1), abs=1e-9)
    for other in (0.9, 1.1):
        worse = torch.distributions.Normal(0, other * sigma2**0.5).log_prob(x).sum(dim=1).mean()
        assert worse < p.log_prob(x).mean()


def test_the_gradient_is_that_of_the_logarithm_of_the_squared_error() -> None:
    x = residuals()
    mu = torch.full_like(x, 0.1, requires_grad=True)
    (-make("normal-optimal").double()(mu).log_prob(x).sum()).backward()
    other = torch.full_like(x, 0.1, requires_grad=True)
    (N * D / 2 * (x - other).square().mean().log()).backward()
    torch.testing.assert_close(mu.grad, other.grad)


def test_afterwards_sigma_is_the_average_of_the_last_batches() -> None:
    likelihood = make("normal-optimal", sigma=5.0)
    errors = []
    for step in range(300):
        x = residuals(1.0 if step < 100 else 0.5, seed=step).float()
        likelihood(torch.zeros_like(x)).log_prob(x)
        errors.append(x.square().mean().item())
        if step == 9:
            assert likelihood.mean_square.item() == pytest.approx(sum(errors) / 10, rel=1e-5)
    assert likelihood.mean_square.item() == pytest.approx(0.25 + 0.75 * 0.99**200, rel=0.02)
    p = likelihood.eval()(torch.zeros(3, D))
    before = likelihood.mean_square.item()
    expected = torch.distributions.Normal(0, before**0.5).log_prob(torch.ones(3, D)).sum(dim=1)
    torch.testing.assert_close(p.log_prob(torch.ones(3, D)), expected)
    assert likelihood.mean_square.item() == before


def test_an_exact_fit_is_clipped_softly() -> None:
    mu = torch.zeros(4, D, requires_grad=True)
    log_p = make("normal-optimal")(mu).log_prob(torch.zeros(4, D))
    log_p.sum().backward()
    assert log_p[0].item() == pytest.approx(D * (6 - 0.5 * log(2 * pi)), abs=0.01)
    assert mu.grad is not None
    assert mu.grad.isfinite().all()


def test_columns_are_standardised_first() -> None:
    """Densities in the units of the data are those of standardised ones over the units."""
    spec, units = DataSpec("vector", (D,)), torch.tensor([1e-3, 1.0, 50.0, 2.0, 7.0, 0.1])
    x = residuals().float() * units + 3 * units
    torch.manual_seed(0)
    vae = VAE(spec, VAEConfig(latent_dim=2, likelihood="normal-optimal"))
    vae.prepare(Dataset(spec, x.numpy()))
    torch.manual_seed(0)
    plain = VAE(spec, replace(vae.config))
    assert vae.standardise is not None
    losses = [
        next(iter(model.play(Batch(data, None, Noise(0))))).loss
        for model, data in ((vae, x), (plain, vae.standardise(x)))
    ]
    log_units = x.std(dim=0, correction=0).log().sum()
    torch.testing.assert_close(losses[0], losses[1] + log_units, rtol=1e-4, atol=1e-3)
