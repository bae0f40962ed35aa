"""Flow matching given the class: guidance against normals, where it moves the mean."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.distributions import MultivariateNormal

import simulacra as sim
from simulacra.cli.main import main
from simulacra.core.batch import Batch
from simulacra.core.noise import Noise
from simulacra.data.spec import Dataset, DataSpec
from simulacra.errors import ConfigError
from simulacra.models.conditional_flow_matching.card import ConditionalFlowMatchingConfig
from simulacra.models.conditional_flow_matching.model import ConditionalFlowMatching

SPEC = DataSpec("vector", (2,), classes=("left", "right"))
S = 0.3
# means of the two classes, and without a class
MEANS = torch.tensor([[-2.0, 1.0], [3.0, 0.5], [0.0, -1.0]])


class ShiftedNormals(nn.Module):
    """E[x_1 - x_0 | x_t = x] for x_1 ~ N(m_y, S I): all classes have the same covariance."""

    def forward(self, x: Tensor, t: Tensor, y: Tensor) -> Tensor:
        m, s = MEANS[y], t[:, None]
        return m + (s * S - (1 - s)) / ((1 - s) ** 2 + s**2 * S) * (x - s * m)


@pytest.fixture
def analytic() -> ConditionalFlowMatching:
    model = ConditionalFlowMatching(SPEC, ConditionalFlowMatchingConfig(solver_steps=100)).eval()
    model.velocity = ShiftedNormals()
    return model


@pytest.mark.parametrize("guidance", [0.0, 0.5, 1.0, 3.0])
def test_guidance_moves_the_mean_from_all_towards_and_beyond_the_class(
    analytic: ConditionalFlowMatching, guidance: float
) -> None:
    analytic.guidance = guidance
    # the velocities are affine in m: their combination is that of N(m_u + g (m_y - m_u), S I)
    m = MEANS[2] + guidance * (MEANS[1] - MEANS[2])
    p = MultivariateNormal(m, S * torch.eye(2))
    right, z = analytic.for_class("right"), Noise(0).normal(50, 2)
    x = right.decode(z).mean
    torch.testing.assert_close(x, m + S**0.5 * z, atol=2e-3, rtol=0)
    torch.testing.assert_close(right.encode(x).mean, z, atol=2e-3, rtol=0)
    torch.testing.assert_close(right.log_likelihood(x), p.log_prob(x), atol=5e-3, rtol=0)


def test_classes_are_sampled_as_frequently_as_in_the_data(analytic: ConditionalFlowMatching) -> None:
    y = np.array([0] * 30 + [1] * 10)
    analytic.prepare(Dataset(SPEC, np.random.default_rng(0).normal(size=(40, 2)).astype(np.float32), y))
    analytic.scaling.fit(np.array([[-1.0, -1.0], [1.0, 1.0]]))
    analytic.solver_steps = 5
    x, labels = analytic.sample_labelled(2000, seed=0)
    assert labels.float().mean().item() == pytest.approx(0.25, abs=0.03)
    for k in (0, 1):
        torch.testing.assert_close(x[labels == k].mean(dim=0), MEANS[k], atol=0.1, rtol=0)


def test_classes_are_dropped_in_training_and_not_in_validation() -> None:
    model = ConditionalFlowMatching(SPEC, ConditionalFlowMatchingConfig(class_dropout=0.25))
    seen: list[Tensor] = []

    class Recorder(nn.Module):
        def forward(self, x: Tensor, t: Tensor, y: Tensor) -> Tensor:
            seen.append(y)
            return torch.zeros_like(x)

    model.velocity = Recorder()
    y = torch.tensor([0, 1]).repeat(2000)
    batch = Batch(torch.zeros(4000, 2), y, Noise(0))
    assert len([*model.play(batch)]) == 1
    assert (seen[0] == 2).float().mean().item() == pytest.approx(0.25, abs=0.03)
    kept = seen[0] != 2
    assert torch.equal(seen[0][kept], y[kept])
    model.validate(batch)
    assert torch.equal(seen[1], y)


def test_a_training_tells_classes_apart_and_the_command_line_guides(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 2000)
    x = (0.5 * rng.normal(size=(2000, 2)) + np.where(y[:, None] == 0, -2.0, 2.0)).astype(np.float32)
    model = sim.train(
        "conditional_flow_matching", (x, y), tmp_path / "run",
        hidden=(32, 32), steps=200, lr=5e-3, ema=0.9, solver_steps=8, class_dropout=0.2,
    )  # fmt: skip
    means = [model.for_class(k).sample(300, seed=0).mean(dim=0) for k in (0, 1)]
    torch.testing.assert_close(means[0], torch.tensor([-2.0, -2.0]), atol=0.4, rtol=0)
    torch.testing.assert_close(means[1], torch.tensor([2.0, 2.0]), atol=0.4, rtol=0)
    found = {}
    for guidance in ("0", "1", "2"):
        out = tmp_path / f"{guidance}.npz"
        words = ["sample", str(tmp_path / "run"), "--class", "1", "--guidance", guidance, "-n", "300"]
        assert main([*words, "--out", str(out)]) == 0
        found[guidance] = np.load(out)["x"].mean()
    # without a class both are drawn
    assert found["0"] < found["1"] - 1
    assert found["2"] > found["1"] - 0.1
    np.testing.assert_allclose(found["1"], means[1].mean(), atol=0.1)


def test_guidance_needs_a_model_that_has_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sim.train("pca", "iris", tmp_path / "run", latent_dim=2)
    capsys.readouterr()
    words = ["sample", str(tmp_path / "run"), "--out", str(tmp_path / "x.npz"), "--guidance"]
    assert main([*words, "2"]) == 1
    assert "this pca has no guidance; train a conditional_flow_matching" in capsys.readouterr().err
    assert main([*words, "nan"]) != 0
    assert "guidance: must be 0 or more" in capsys.readouterr().err


def test_impossible_settings_are_refused() -> None:
    for settings in ({"guidance": -1.0}, {"class_dropout": 1.0}, {"class_dropout": 0.0, "guidance": 2.0}):
        with pytest.raises(ConfigError):
            ConditionalFlowMatchingConfig(**settings)
    with pytest.raises(ConfigError, match="needs labels, and the data have none; use a flow_matching"):
        ConditionalFlowMatching(DataSpec("vector", (2,)), ConditionalFlowMatchingConfig())
