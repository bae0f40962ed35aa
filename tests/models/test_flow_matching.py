"""Flow matching on a normal distribution, where velocity, map and likelihood are known in closed form."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.distributions import MultivariateNormal

from simulacra.core.batch import Batch
from simulacra.core.noise import Noise
from simulacra.data.spec import Dataset, DataSpec
from simulacra.errors import ConfigError
from simulacra.models.flow_matching.card import FlowMatchingConfig
from simulacra.models.flow_matching.continuous_flow import Scaling, matching_losses
from simulacra.models.flow_matching.model import FlowMatching
from simulacra.tasks.evaluate import applicable

PLANE = DataSpec("vector", (2,))


class NormalVelocity(nn.Module):
    """E[x_1 - x_0 | x_t = x] for x_0 ~ N(0, I) and x_1 ~ N(m, S)."""

    def __init__(self, m: Tensor, S: Tensor) -> None:
        super().__init__()
        self.m, self.S = m, S

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        # x_t ~ N(t m, C_t), C_t = (1 - t)^2 I + t^2 S, Cov(x_1 - x_0, x_t) = t S - (1 - t) I
        t, I = t[:, None, None], torch.eye(len(self.m)).to(x)  # noqa: E741
        C = (1 - t) ** 2 * I + t**2 * self.S
        K = (t * self.S - (1 - t) * I) @ torch.linalg.inv(C)
        return self.m + (K @ (x - t[:, 0] * self.m)[..., None]).squeeze(-1)


def target(D: int) -> tuple[Tensor, Tensor]:
    A = Noise(7).normal(D, D).double() / D**0.5
    return Noise(8).normal(D).double(), A @ A.T + 0.3 * torch.eye(D)


def analytic(D: int, steps: int = 100) -> tuple[FlowMatching, MultivariateNormal]:
    m, S = target(D)
    model = FlowMatching(DataSpec("vector", (D,)), FlowMatchingConfig(solver_steps=steps)).double()
    model.velocity = NormalVelocity(m, S)
    return model, MultivariateNormal(m, S)


def test_the_analytic_velocity_gives_the_analytic_map() -> None:
    model, p = analytic(3)
    z = Noise(0).normal(50, 3).double()
    # C_t commute, so x_t = t m + C_t^(1/2) z solves the equation
    values, vectors = torch.linalg.eigh(p.covariance_matrix)
    root = vectors @ values.sqrt().diag() @ vectors.T
    x = model.decode(z).mean
    torch.testing.assert_close(x, p.mean + z @ root, atol=2e-4, rtol=0)
    torch.testing.assert_close(model.encode(x).mean, z, atol=5e-4, rtol=0)


def test_the_analytic_velocity_gives_the_likelihood_of_the_normal() -> None:
    model, p = analytic(3)
    x = p.sample((50,))
    torch.testing.assert_close(model.log_likelihood(x), p.log_prob(x), atol=1e-3, rtol=0)


def test_many_numbers_have_an_unbiased_estimate_and_an_exact_value_with_enough_probes() -> None:
    model, p = analytic(20, steps=25)
    assert not model.exact
    x = p.sample((8,))
    exact = model.log_likelihood(x, samples=20)
    torch.testing.assert_close(exact, p.log_prob(x), atol=0.03, rtol=0)
    found = torch.stack([model.log_likelihood(x, seed, samples=5) for seed in range(40)])
    error = found.std(dim=0) / 40**0.5
    assert (error > 0).all()
    assert ((found.mean(dim=0) - exact).abs() < 4 * error).all()


@pytest.fixture(scope="module")
def trained() -> FlowMatching:
    """A small net after a short training on a normal in the plane, in units of their own."""
    m, S = target(2)
    torch.manual_seed(0)
    model = FlowMatching(PLANE, FlowMatchingConfig(hidden=(64, 64)))
    x = 10 * MultivariateNormal(m, S).sample((5000,)).float() + 3
    model.prepare(Dataset(PLANE, x.numpy()))
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    for step in range(500):
        for group in optimizer.param_groups:
            group["lr"] = 5e-3 * (1 - step / 500)
        batch = Batch(x[torch.randint(len(x), (256,))], None, Noise(0, step), step, 500)
        for turn in model.play(batch):
            optimizer.zero_grad()
            turn.loss.backward()
            optimizer.step()
    return model.eval()


def test_training_finds_the_analytic_velocity(trained: FlowMatching) -> None:
    # of what the model sees, standardised numbers
    m, S = target(2)
    scale = trained.scaling.standardise
    m = (10 * m + 3 - scale.mean) / scale.std
    S = 100 * S / (scale.std[:, None] * scale.std)
    exact = NormalVelocity(m, S.double())
    x0, t = Noise(1).normal(4000, 2), Noise(2).uniform(4000)
    x1 = MultivariateNormal(m.double(), S.double()).sample((4000,)).float()
    x_t = torch.lerp(x0, x1, t[:, None])
    expected = exact(x_t.double(), t.double())
    error = (trained.field(x_t, t) - expected).square().mean() / expected.square().mean()
    assert error < 0.03


def test_density_integrates_to_one_and_equals_the_change_of_variables(trained: FlowMatching) -> None:
    side = torch.linspace(-60, 80, 50)
    x = torch.cartesian_prod(side, side)
    mass = trained.log_likelihood(x).exp().sum() * (140 / 49) ** 2
    assert mass.item() == pytest.approx(1, abs=0.01)
    few = trained.sample(2, seed=0)

    def encode(x: Tensor) -> Tensor:
        return trained.encode(x[None]).mean[0]

    jacobian = torch.stack([torch.autograd.functional.jacobian(encode, one) for one in few])
    brute = trained.prior.log_prob(trained.encode(few).mean) + jacobian.det().abs().log()
    torch.testing.assert_close(trained.log_likelihood(few), brute, atol=0.02, rtol=0)


def test_samples_have_the_moments_of_the_data(trained: FlowMatching) -> None:
    m, S = target(2)
    x = trained.sample(3000, seed=3).double()
    torch.testing.assert_close(x.mean(dim=0), 10 * m + 3, atol=1.0, rtol=0)
    torch.testing.assert_close(torch.cov(x.T), 100 * S, rtol=0.1, atol=8.0)
    z = Noise(4).normal(20, 2)
    torch.testing.assert_close(trained.encode(trained.decode(z).mean).mean, z, atol=0.02, rtol=0)


def test_images_are_dequantised() -> None:
    spec = DataSpec("image", (1, 1, 1))
    levels = (torch.arange(256) / 255).view(256, 1, 1, 1)
    scaling = Scaling(spec)
    scaling.fit(np.random.default_rng(0).integers(100, 200, (500, 1, 1, 1), dtype=np.uint8))
    torch.testing.assert_close(scaling.inverse(scaling(levels)), levels)
    torch.manual_seed(0)
    # its velocity is zero, so the numbers are N(0, 1)
    model = FlowMatching(spec, FlowMatchingConfig(net="mlp", solver_steps=1))
    model.scaling = scaling
    # a lower bound of a distribution over 256 levels, which it nearly reaches
    mass = torch.stack([model.log_likelihood(levels, seed) for seed in range(20)]).mean(dim=0).exp().sum()
    assert 0.97 < mass < 1


def test_vectors_are_read_as_maps() -> None:
    model = FlowMatching(DataSpec("vector", (64,)), FlowMatchingConfig(grid=(4, 4, 4), width=8))
    with torch.no_grad():
        for p in model.parameters():
            p += 0.1 * torch.randn_like(p)
    x, t = Noise(0).normal(3, 64), Noise(1).uniform(3)
    expected = model.velocity(x.view(3, 4, 4, 4), t).flatten(1)
    torch.testing.assert_close(model.field(x, t), expected)
    assert model.sample(2).shape == (2, 64)


def test_times_are_uniform_or_logit_normal() -> None:
    def times(kind: str) -> Tensor:
        found: list[Tensor] = []

        def v(x: Tensor, t: Tensor) -> Tensor:
            found.append(t)
            return torch.zeros_like(x)

        matching_losses(v, torch.zeros(20_000, 1), Noise(0), kind)
        return found[0]

    uniform, logit = times("uniform"), times("logit-normal")
    assert uniform.var().item() == pytest.approx(1 / 12, rel=0.02)
    assert torch.logit(logit).std().item() == pytest.approx(1, rel=0.02)


def test_what_takes_hours_is_measured_on_request_alone() -> None:
    image, vector = (
        FlowMatching(spec, FlowMatchingConfig(width=8)) for spec in (DataSpec("image", (1, 8, 8)), PLANE)
    )
    assert {m.name for m in applicable(vector)} >= {"nll", "reconstruction", "latents", "samples"}
    assert not {m.name for m in applicable(image)} & {"nll", "reconstruction", "latents"}
    assert [m.name for m in applicable(image, ["nll"])] == ["nll"]


@pytest.mark.parametrize(
    ("shape", "settings", "message"),
    [
        ((64,), {"grid": (4, 4, 5)}, "grid: 4 x 4 x 5 are 80 numbers, and the data have 64"),
        ((1, 8, 8), {"grid": (1, 8, 8)}, "grid: is for vectors, and the data are images"),
        ((64,), {"net": "unet"}, "net: unet needs images or a --grid"),
    ],
)
def test_settings_that_do_not_fit_are_refused(
    shape: tuple[int, ...], settings: dict[str, Any], message: str
) -> None:
    spec = DataSpec("image" if len(shape) == 3 else "vector", shape)
    with pytest.raises(ConfigError, match=message):
        FlowMatching(spec, FlowMatchingConfig(**settings))


def test_impossible_settings_are_refused() -> None:
    for settings in ({"solver_steps": 0}, {"hidden": ()}, {"grid": (4, 1, 4)}):
        with pytest.raises(ConfigError):
            FlowMatchingConfig(**settings)  # type: ignore[arg-type]
