"""Every likelihood against the classical loss it stands for, and against its own definition."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from simulacra.errors import ConfigError
from simulacra.probability.distributions import Delta
from simulacra.probability.likelihoods import LIKELIHOODS, make

torch.manual_seed(0)
SHAPE = (4, 3, 5, 5)


def output(name: str, requires_grad: bool = False) -> Tensor:
    n = LIKELIHOODS[name].n_parameters
    generator = torch.Generator().manual_seed(1)
    out = torch.randn(SHAPE[0], n * SHAPE[1], *SHAPE[2:], generator=generator)
    return out.requires_grad_(requires_grad)


def data() -> Tensor:
    return torch.randint(0, 256, SHAPE, generator=torch.Generator().manual_seed(2)) / 255


def classical(name: str, out: Tensor, x: Tensor) -> Tensor:
    """The loss of the textbook whose gradient the negative log-likelihood must have."""
    if name == "bernoulli":
        return F.binary_cross_entropy(out.sigmoid(), x, reduction="sum")
    if name == "normal":
        return 0.5 * F.mse_loss(out, x, reduction="sum") / 0.25
    if name == "laplace":
        return F.l1_loss(out, x, reduction="sum") / 0.5
    if name == "categorical":
        logits = out.unflatten(1, (256, 3))
        return F.cross_entropy(logits, (x * 255).round().long(), reduction="sum")
    if name == "normal-learned":
        mu, s = out.chunk(2, dim=1)
        sigma = F.softplus(s) * 0.5 + 1e-3
        return F.gaussian_nll_loss(mu, x, sigma**2, reduction="sum")
    raise KeyError(name)


@pytest.mark.parametrize("name", ["bernoulli", "normal", "laplace", "categorical", "normal-learned"])
def test_gradient_is_that_of_the_classical_loss(name: str) -> None:
    x = data()
    mine, theirs = output(name, True), output(name, True)
    (-make(name, sigma=0.5)(mine).log_prob(x).sum()).backward()
    classical(name, theirs, x).backward()
    assert mine.grad is not None
    assert mine.grad.abs().max() > 0.1
    torch.testing.assert_close(mine.grad, theirs.grad, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", LIKELIHOODS)
@pytest.mark.parametrize("shape", [SHAPE[1:], (3,)], ids=["images", "vectors"])
def test_shapes(name: str, shape: tuple[int, ...]) -> None:
    likelihood = make(name)
    if name == "multivariate-normal" and len(shape) == 3:
        with pytest.raises(ConfigError, match="needs vectors"):
            likelihood.outputs(shape)
        return
    p = likelihood(torch.randn(4, *likelihood.outputs(shape)))
    x = torch.rand(4, *shape)
    assert p.log_prob(x).shape == (4,)
    assert p.mean.shape == x.shape
    assert p.sample().shape == x.shape


@pytest.mark.parametrize("scale", ["exp", "softplus"])
@pytest.mark.parametrize("name", ["categorical", "discretised-logistic"])
def test_masses_of_the_levels_add_up_to_one(name: str, scale: str) -> None:
    p = make(name, scale)(output(name))
    levels = torch.linspace(0, 1, 256)
    total = sum(p.base_dist.log_prob(torch.full(SHAPE, float(v))).exp() for v in levels)
    torch.testing.assert_close(total, torch.ones(SHAPE), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    "name", ["normal", "normal-shared", "normal-learned", "laplace", "continuous-bernoulli"]
)
def test_densities_integrate_to_one(name: str) -> None:
    n = LIKELIHOODS[name].n_parameters
    low, high = (0, 1) if name == "continuous-bernoulli" else (-12, 12)
    x = torch.linspace(low, high, 20_001)[:, None]
    p = make(name, sigma=0.7)(torch.full((1, n), 0.3))
    integral = torch.trapezoid(p.log_prob(x).exp(), x[:, 0])
    assert integral.item() == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize("name", LIKELIHOODS)
def test_mean_is_the_mean_of_the_samples(name: str) -> None:
    (n,) = make(name).outputs((2,))
    out = torch.linspace(-1, 1, n).reshape(1, n)
    if name == "logistic-mixture":
        # narrow ones around 0.5, where the edges of the levels do not matter
        out[:, 10:30], out[:, 30:50], out[:, 50:] = 0.02 * out[:, 10:30], -3.0, 0.0
    if name in ("discretised-logistic", "normal-learned"):
        # inside [0, 1], where the edges of the levels do not matter
        out = torch.tensor([[0.4, 0.6, -4.0, -3.5]])
    torch.manual_seed(3)
    p = make(name, sigma=0.3)(out)
    samples = p.sample(torch.Size([20_000]))
    error = samples.std(dim=0) / 20_000**0.5
    assert ((samples.mean(dim=0) - p.mean).abs() < 4.5 * error + 1e-6).all()


def test_discretised_logistic_by_hand() -> None:
    mu, s = 0.5, 0.1
    raw = torch.log(torch.expm1(torch.tensor(s - 1e-3)))
    p = make("discretised-logistic")(torch.tensor([[mu, raw.item()]]))
    k = 100
    upper = torch.sigmoid(torch.tensor(((k + 0.5) / 255 - mu) / s))
    lower = torch.sigmoid(torch.tensor(((k - 0.5) / 255 - mu) / s))
    assert p.log_prob(torch.tensor([[k / 255]])).item() == pytest.approx(
        (upper - lower).log().item(), abs=1e-4
    )
    # the mass below the first half step belongs to level 0
    first = torch.sigmoid(torch.tensor((0.5 / 255 - mu) / s)).log().item()
    assert p.log_prob(torch.tensor([[0.0]])).item() == pytest.approx(first, abs=1e-4)


def test_extreme_outputs_stay_finite() -> None:
    for name in LIKELIHOODS:
        likelihood = make(name, "softplus")
        for value in (-40.0, 40.0):
            out = torch.full((1, *likelihood.outputs((2,))), value, requires_grad=True)
            log_p = likelihood(out).log_prob(torch.tensor([[0.0, 1.0]]))
            log_p.sum().backward()
            assert log_p.isfinite().all(), (name, value)
            assert out.grad is not None
            assert out.grad.isfinite().all(), (name, value)


def test_shared_sigma_learns_the_spread_of_the_residuals() -> None:
    likelihood = make("normal-shared")
    x = torch.randn(2000, 1, generator=torch.Generator().manual_seed(0)) * 0.3
    opt = torch.optim.LBFGS(likelihood.parameters(), max_iter=50)

    def loss() -> Tensor:
        opt.zero_grad()
        value = -likelihood(torch.zeros_like(x)).log_prob(x).mean()
        value.backward()
        return value

    opt.step(loss)
    # the maximum-likelihood estimate, in closed form
    assert likelihood.log_sigma.exp().item() == pytest.approx(x.square().mean().sqrt().item(), rel=1e-4)


def test_wrong_settings_are_named() -> None:
    with pytest.raises(ConfigError, match="did you mean 'bernoulli'"):
        make("bernouli")
    with pytest.raises(ConfigError, match="softplus"):
        make("normal", scale="softpluss")
    with pytest.raises(ConfigError, match="above 0"):
        make("normal", sigma=0)
    with pytest.raises(ValueError, match="needs 2 outputs"):
        make("normal-learned")(torch.zeros(2, 3))


def test_delta_is_its_point() -> None:
    q = Delta(torch.arange(6.0).reshape(2, 3))
    assert torch.equal(q.mean, q.sample())
    assert q.rsample(torch.Size([4])).shape == (4, 2, 3)
    assert q.stddev.sum() == 0
