"""Rescaling, marginals, quantiles and modes against torch's own machinery and against brute force."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.distributions import (
    AffineTransform,
    Categorical,
    Distribution,
    Independent,
    MixtureSameFamily,
    MultivariateNormal,
    Normal,
    TransformedDistribution,
)

from simulacra.probability.distributions import (
    Delta,
    affine,
    component,
    marginals,
    modes,
    quantile,
    tempered,
)
from simulacra.probability.likelihoods import Mixture, make

B, T, K = 5, 2, 3


def mixture(covariance: str, dtype: torch.dtype = torch.float32) -> MixtureSameFamily:
    name = {"diagonal": "normal-learned", "full": "multivariate-normal"}[covariance]
    head = Mixture(K, make(name))
    generator = torch.Generator().manual_seed(0)
    p = head(2 * torch.randn(B, *head.outputs((T,)), generator=generator).to(dtype))
    assert isinstance(p, MixtureSameFamily)
    return p


def single(name: str) -> Distribution:
    head = make(name)
    p: Distribution = head(torch.randn(B, *head.outputs((T,)), generator=torch.Generator().manual_seed(0)))
    return p


FAMILIES: dict[str, Callable[[], Distribution]] = {
    "normal": lambda: single("normal"),
    "normal-learned": lambda: single("normal-learned"),
    "laplace-learned": lambda: single("laplace-learned"),
    "full": lambda: single("multivariate-normal"),
    "mixture": lambda: mixture("diagonal"),
    "full mixture": lambda: mixture("full"),
}


@pytest.fixture(params=FAMILIES)
def p(request: pytest.FixtureRequest) -> Distribution:
    return FAMILIES[request.param]()


def test_affine_is_the_affine_transform(p: Distribution) -> None:
    shift, scale = torch.tensor([100.0, -3.0]), torch.tensor([20.0, 0.1])
    q = affine(p, shift, scale)
    y = p.sample()
    oracle = TransformedDistribution(p, [AffineTransform(shift, scale, event_dim=1)])
    torch.testing.assert_close(
        q.log_prob(shift + scale * y), oracle.log_prob(shift + scale * y), rtol=1e-4, atol=1e-3
    )
    torch.testing.assert_close(q.mean, shift + scale * p.mean)
    torch.testing.assert_close(q.variance, scale**2 * p.variance)


def test_tempered_is_wider_about_the_same_places(p: Distribution) -> None:
    q = tempered(p, torch.tensor(2.0))
    torch.testing.assert_close(q.mean, p.mean)
    if not isinstance(p, MixtureSameFamily):
        torch.testing.assert_close(q.stddev, 2 * p.stddev)
        return
    torch.testing.assert_close(q.component_distribution.stddev, 2 * p.component_distribution.stddev)
    torch.testing.assert_close(q.mixture_distribution.probs, p.mixture_distribution.probs)


def test_a_temperature_divides_logits() -> None:
    logits = torch.tensor([[2.0, 0.0], [0.0, -4.0]])
    classes = tempered(Categorical(logits=logits), torch.tensor(2.0))
    torch.testing.assert_close(classes.probs, (logits / 2).softmax(dim=1))
    bits = tempered(make("bernoulli")(logits), torch.tensor(4.0))
    torch.testing.assert_close(bits.mean, (logits / 4).sigmoid())


def test_what_has_no_scale_cannot_be_rescaled() -> None:
    with pytest.raises(TypeError, match="Bernoulli"):
        affine(torch.distributions.Bernoulli(0.5), torch.zeros(1), torch.ones(1))


def test_marginals_have_the_moments_and_the_samples_of_the_whole(p: Distribution) -> None:
    each = marginals(p)
    assert each.batch_shape == (B, T)
    torch.testing.assert_close(each.mean, p.mean)
    torch.testing.assert_close(each.variance, p.variance)
    torch.manual_seed(0)
    u = each.cdf(p.sample((20_000,)))
    # F(y) is uniform: its mean is 1/2 and its variance 1/12
    torch.testing.assert_close(u.mean(dim=0), torch.full((B, T), 0.5), atol=0.01, rtol=0)
    torch.testing.assert_close(u.var(dim=0), torch.full((B, T), 1 / 12), atol=0.003, rtol=0)


def test_quantiles_invert_the_distribution_function(p: Distribution) -> None:
    each = marginals(p)
    for q in (0.001, 0.25, 0.5, 0.9, 0.999):
        torch.testing.assert_close(each.cdf(quantile(each, q)), torch.full((B, T), q), atol=1e-4, rtol=1e-3)


def test_a_component_is_that_of_the_mixture() -> None:
    for covariance in ("diagonal", "full"):
        p = mixture(covariance)
        k = torch.tensor([0, 1, 2, 1, 0])
        y = torch.randn(B, T)
        parts = p.component_distribution.log_prob(y[:, None])
        torch.testing.assert_close(component(p, k).log_prob(y), parts[torch.arange(B), k])


@pytest.mark.parametrize("covariance", ["diagonal", "full"])
def test_modes_are_the_local_maxima_of_the_density(covariance: str) -> None:
    p = mixture(covariance, torch.float64)
    found = modes(p, steps=1000)
    assert (found.log_density[:, 0] >= found.log_density[:, 1]).all()
    values = found.values.clone().requires_grad_(True)
    log_p = p.log_prob(values.transpose(0, 1))
    (gradient,) = torch.autograd.grad(log_p.sum(), values)
    real = found.log_density.isfinite()
    assert real[:, 0].all()
    assert gradient[real].abs().max() < 1e-4
    # nothing around a mode is higher
    for step in torch.randn(50, T) * 1e-4:
        around = p.log_prob((found.values + step).transpose(0, 1)).transpose(0, 1)
        assert (around[real] <= found.log_density[real] + 1e-9).all()


def far_apart(distance: float) -> MixtureSameFamily:
    loc = torch.tensor([[[-distance / 2], [distance / 2]]])
    parts = Independent(Normal(loc, torch.ones(1, 2, 1)), 1)
    return MixtureSameFamily(torch.distributions.Categorical(torch.tensor([[0.5, 0.5]])), parts)


def test_two_equal_normals_have_one_mode_until_they_are_two_sigma_apart() -> None:
    # the classical result: bimodal exactly when |mu_1 - mu_2| > 2 sigma
    for distance, count in ((1.0, 1), (1.8, 1), (2.5, 2), (6.0, 2)):
        found = modes(far_apart(distance), steps=2000)
        assert int(found.log_density.isfinite().sum()) == count
    at: Tensor = modes(far_apart(1.0), steps=2000).values[0, 0]
    torch.testing.assert_close(at, torch.zeros(1), atol=1e-3, rtol=0)


def test_the_mode_of_one_normal_is_its_mean() -> None:
    p = MultivariateNormal(torch.randn(B, T), torch.eye(T))
    found = modes(p)
    torch.testing.assert_close(found.values[:, 0], p.mean)
    torch.testing.assert_close(found.log_density[:, 0], p.log_prob(p.mean))


def test_all_mass_on_a_point() -> None:
    p = Delta(torch.tensor([[1.0, 2.0], [3.0, 4.0]]))
    assert p.log_prob(torch.tensor([[1.0, 2.0], [3.0, 5.0]])).tolist() == [float("inf"), -float("inf")]
