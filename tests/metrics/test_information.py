"""Information in latents against a Gaussian channel, where everything has a closed form."""

from math import log

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.distributions import Independent, Normal

import simulacra as sim
from simulacra.core.noise import Noise
from simulacra.data.spec import Data, Dataset, DataSpec
from simulacra.metrics.information import log_marginal, mutual_information
from simulacra.models.vae.card import VAEConfig
from simulacra.models.vae.model import VAE

N = 2000


def channel(a: float, s: float, n: int = N) -> tuple[list[Independent], Tensor]:
    """q(z | x) = N(a x, s^2) of examples x ~ N(0, 1) in two parts, and a draw from each."""
    generator = torch.Generator().manual_seed(0)
    x, noise = torch.randn(2, n, 1, generator=generator, dtype=torch.float64)
    q = [Independent(Normal(part, s), 1) for part in (a * x).split(n - 7)]
    return q, a * x + s * noise


@pytest.mark.parametrize(("a", "s"), [(1.0, 0.5), (0.5, 1.0), (0.0, 1.0)])
def test_mutual_information_of_a_gaussian_channel(a: float, s: float) -> None:
    q, z = channel(a, s)
    found = mutual_information(q, z)
    exact = 0.5 * log(1 + a**2 / s**2)
    error = (found.std() / N**0.5).item()
    assert found.mean().item() == pytest.approx(exact, abs=4 * error + 0.01)
    # ln q(z) is that of N(0, a^2 + s^2)
    exact_q = Normal(0.0, (a**2 + s**2) ** 0.5).log_prob(z).mean()
    assert log_marginal(q, z).mean().item() == pytest.approx(exact_q.item(), abs=0.01)


def test_n_examples_show_at_most_ln_n() -> None:
    q, z = channel(1.0, 1e-4, n=50)
    assert mutual_information(q, z).mean().item() == pytest.approx(log(50), abs=0.05)
    assert 0.5 * log(1 + 1e8) > 9


def data(n: int) -> Data:
    x = np.random.default_rng(0).normal(size=(n, 3)).astype(np.float32)
    spec = DataSpec("vector", (3,))
    return Data("numbers", Dataset(spec, x), Dataset(spec, x[:0]), Dataset(spec, x))


@pytest.mark.parametrize("groups", [1, 3])
def test_the_kl_is_the_sum_of_both(groups: int) -> None:
    torch.manual_seed(0)
    vae = VAE(DataSpec("vector", (3,)), VAEConfig(latent_dim=2, groups=groups, hidden=(8,)))
    found = sim.evaluate(vae, data(400), metrics=["elbo", "information"])
    both = found["mutual_information"] + found["aggregate_kl"]
    assert both == pytest.approx(found["kl"], rel=0.15)
    assert sum(found["kl_of_dimensions"]) == pytest.approx(found["kl"], rel=0.15)
    assert len(found["kl_of_dimensions"]) == 2 * groups
    assert found["information_examples"] == 400
    if groups == 1:
        assert "kl_of_groups" not in found
    else:
        assert sum(found["kl_of_groups"]) == pytest.approx(sum(found["kl_of_dimensions"]))


def test_a_group_without_information_and_an_estimate_at_its_limit_are_named() -> None:
    torch.manual_seed(0)
    vae = VAE(DataSpec("vector", (3,)), VAEConfig(latent_dim=2, groups=3, hidden=()))
    with torch.no_grad():
        for p in vae.parameters():
            p.zero_()
    # the posterior of the second group is (x_1, x_2) with sigma = softplus(-20 ln 2) / ln 2
    encoder = vae.encoder.layers[0]
    with torch.no_grad():
        encoder.weight[2:4] = torch.eye(3)[:2]
        encoder.bias[8:10] = -20.0
    found = sim.evaluate(vae, data(100), metrics=["information"])
    text = found["cautions"]["information"]
    assert "100 examples show at most ln 100 = 4.61 nats" in text
    assert "groups 1, 3 of 3 carry less than 0.1 nats" in text
    assert found["kl_of_groups"][0] == found["kl_of_groups"][2] == 0


def test_a_collapsed_posterior_is_named() -> None:
    torch.manual_seed(0)
    vae = VAE(DataSpec("vector", (3,)), VAEConfig(latent_dim=2, hidden=()))
    with torch.no_grad():
        vae.encoder.layers[0].weight.zero_()
        vae.encoder.layers[0].bias.copy_(torch.tensor([0.0, 0.0, 0.5413, 0.5413]))  # sigma = 1
    found = sim.evaluate(vae, data(20), metrics=["elbo"])
    assert found["kl"] == pytest.approx(0, abs=1e-3)
    assert "the decoder ignores them" in found["cautions"]["elbo"]


@torch.no_grad()
def test_pairs_of_a_ladder_are_those_of_single_examples() -> None:
    torch.manual_seed(0)
    vae = VAE(DataSpec("vector", (3,)), VAEConfig(latent_dim=2, groups=3, hidden=(8,))).double()
    x = torch.randn(4, 3, dtype=torch.float64)
    z = Noise(0).draw(vae.encode(x))
    pairs = vae.encode(x).log_prob(z[:, None])  # of z_i given x_j
    for j in range(4):
        torch.testing.assert_close(pairs[:, j], vae.encode(x[j : j + 1].expand(4, -1)).log_prob(z))
