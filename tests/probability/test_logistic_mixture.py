"""A mixture of discretised logistics against its definition, level by level."""

import pytest
import torch
from torch import Tensor

from simulacra.probability.likelihoods import make
from simulacra.probability.logistic_mixture import LogisticMixture

LEVELS = torch.linspace(0, 1, 256, dtype=torch.float64)
K = 3


def mixture(channels: int, pixels: int = 2, width: float = 0.1) -> LogisticMixture:
    generator = torch.Generator().manual_seed(0)

    def draw(*shape: int) -> Tensor:
        return torch.rand(*shape, generator=generator, dtype=torch.float64)

    pairs = channels * (channels - 1) // 2
    return LogisticMixture(
        draw(1, K, pixels),
        draw(1, K, channels, pixels),
        width * (0.1 + draw(1, K, channels, pixels)),
        draw(1, K, pairs, pixels) - 0.5,
        (channels, 1, pixels),
    )


def mass(mu: Tensor, s: Tensor, x: Tensor) -> Tensor:
    """What a logistic puts on the bin of level x, open at 0 and 1."""
    upper = torch.where(x > 1 - 1e-6, 1.0, torch.sigmoid((x + 0.5 / 255 - mu) / s))
    lower = torch.where(x < 1e-6, 0.0, torch.sigmoid((x - 0.5 / 255 - mu) / s))
    return upper - lower


def test_masses_add_up_to_one_and_are_those_of_the_definition() -> None:
    p = mixture(channels=1)
    x = LEVELS[:, None, None, None, None].expand(-1, 1, 1, 1, 2)
    found = p.log_prob(x).exp().squeeze(1)  # of both pixels at the same level
    pi = p.log_pi.exp()
    each = (pi * mass(p.mu[:, :, 0], p.s[:, :, 0], LEVELS[:, None, None])).sum(dim=1)  # (256, P)
    torch.testing.assert_close(each.sum(dim=0), torch.ones(2).double())
    torch.testing.assert_close(found, each.prod(dim=1), rtol=1e-6, atol=1e-12)
    single = mixture(channels=1, pixels=1)
    total = single.log_prob(LEVELS[:, None, None, None, None]).exp().sum()
    assert total.item() == pytest.approx(1, abs=1e-9)


def test_a_channel_given_those_before_it() -> None:
    p = mixture(channels=3, pixels=1)
    red, green = LEVELS[100], LEVELS[180]
    x = torch.stack([red.expand(256), green.expand(256), LEVELS], dim=1)[:, None, :, None, None]
    (pi,), (mu,), (s,), (a,) = p.log_pi.exp()[..., 0], p.mu[..., 0], p.s[..., 0], p.a[..., 0]
    of_red = mass(mu[:, 0], s[:, 0], red)
    of_green = mass(mu[:, 1] + a[:, 0] * red, s[:, 1], green)
    means = mu[:, 2] + a[:, 1] * red + a[:, 2] * green
    of_blue = mass(means, s[:, 2], LEVELS[:, None])
    expected = (pi * of_red * of_green * of_blue).sum(dim=1)
    torch.testing.assert_close(p.log_prob(x).exp().squeeze(1), expected, rtol=1e-6, atol=1e-15)
    assert expected.sum().item() == pytest.approx((pi * of_red * of_green).sum().item(), rel=1e-9)


def test_draws_have_its_masses() -> None:
    p, n = mixture(channels=1, pixels=1), 40_000
    torch.manual_seed(0)
    x = p.sample((n,))
    assert x.shape == (n, 1, 1, 1, 1)
    share = torch.histc(x.flatten() * 255, 256, -0.5, 255.5) / n
    masses = p.log_prob(LEVELS[:, None, None, None, None]).exp().flatten()
    error = (masses * (1 - masses) / n).sqrt()
    assert ((share - masses).abs() < 5 * error + 2 / n).all()


def test_mean_and_variance_are_those_of_draws_inside_the_range() -> None:
    p = mixture(channels=3, width=0.02)
    p.mu[:, :, 0] = 0.4 + 0.2 * p.mu[:, :, 0]
    p.mu[:, :, 1:] = 0.5 + 0.1 * p.mu[:, :, 1:]
    p.a *= 0.5
    torch.manual_seed(0)
    x = p.sample((20_000,))
    error = x.std(dim=0) / 20_000**0.5
    assert ((x.mean(dim=0) - p.mean).abs() < 4.5 * error).all()
    torch.testing.assert_close(x.var(dim=0), p.variance, rtol=0.05, atol=1e-4)


def test_outputs_of_a_net_begin_spread_over_the_range() -> None:
    likelihood = make("logistic-mixture")
    shape = likelihood.outputs((3, 4, 5))
    assert shape == (100, 4, 5)
    p = likelihood(torch.zeros(2, *shape))
    assert isinstance(p, LogisticMixture)
    torch.testing.assert_close(p.mu[0, :, 0, 0], torch.linspace(0.05, 0.95, 10))
    assert p.log_prob(torch.rand(2, 3, 4, 5)).shape == (2,)
