"""The mixture density network: starts apart, stays finite, and finds every answer."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import simulacra as sim
from simulacra.core.batch import Batch
from simulacra.core.noise import Noise
from simulacra.data import load
from simulacra.data.sources.robot_arm import hand
from simulacra.data.spec import Dataset, DataSpec
from simulacra.errors import ConfigError
from simulacra.models.mdn.card import MDNConfig
from simulacra.models.mdn.model import MDN

SPEC = DataSpec("vector", (1,), target=DataSpec("vector", (2,)))
LONG = {"batch_size": 512, "lr": 3e-3, "schedule": "cosine"}


def two_answers(n: int = 500) -> Dataset:
    """y = +-(x, 2 x), with noise."""
    rng = np.random.default_rng(0)
    x = rng.uniform(1, 2, (n, 1))
    sign = rng.choice([-1, 1], (n, 1))
    y = sign * x * np.array([1, 2]) + 0.1 * rng.normal(size=(n, 2))
    return Dataset(SPEC, x.astype(np.float32), target=y.astype(np.float32))


@pytest.mark.parametrize("covariance", ["diagonal", "full"])
def test_components_start_apart_and_at_targets(covariance: Any) -> None:
    torch.manual_seed(0)
    model = MDN(SPEC, MDNConfig(components=4, covariance=covariance))
    data = two_answers()
    model.prepare(data)
    p = model.predict(torch.from_numpy(data.x[:1]))
    mu = p.component_distribution.mean[0]
    apart = torch.cdist(mu, mu)[~torch.eye(4, dtype=torch.bool)]
    assert apart.min() > 0.3
    assert data.target is not None
    nearest = torch.cdist(mu, torch.from_numpy(data.target)).amin(dim=1)
    # up to the net's own first output
    assert nearest.max() < 1.5


@pytest.mark.parametrize("covariance", ["diagonal", "full"])
def test_stable_far_out_in_the_tails(covariance: Any) -> None:
    torch.manual_seed(0)
    model = MDN(SPEC, MDNConfig(components=3, covariance=covariance, scale="exp"))
    x = torch.tensor([[0.0], [1e3], [-1e3]])
    for far in (1e3, 1e6):
        batch = Batch(x, None, Noise(0), target=torch.full((3, 2), far))
        (turn,) = model.play(batch)
        assert turn.loss.isfinite()
        turn.loss.backward()
        assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())
        model.zero_grad()


@pytest.mark.parametrize("covariance", ["diagonal", "full"])
def test_modes_are_the_answers_and_the_mean_is_none(tmp_path: Any, covariance: Any) -> None:
    data = two_answers(4000)
    np.savez(tmp_path / "two.npz", x=data.x, targets=data.target)
    model: Any = sim.train(
        "mdn", f"npz:{tmp_path}/two.npz", tmp_path / "run", components=2, covariance=covariance, steps=1000,
        batch_size=256, lr=5e-3,
    )  # fmt: skip
    x = torch.tensor([[1.1], [1.5], [1.9]])
    found = model.modes(x)
    answers = x * torch.tensor([1.0, 2.0])
    for sign in (-1, 1):
        gap = (found.values - sign * answers[:, None]).norm(dim=2).amin(dim=1)
        assert (gap < 0.15).all()
    p = model.predict(x)
    torch.testing.assert_close(p.mixture_distribution.probs, torch.full((3, 2), 0.5), atol=0.1, rtol=0)
    assert (p.mean.norm(dim=1) < 0.5).all()
    top = model.most_probable(x).mean
    assert ((top.abs() - answers).norm(dim=1) < 0.15).all()


def test_needs_numbers_to_predict() -> None:
    with pytest.raises(ConfigError, match="the targets are classes"):
        MDN(DataSpec("vector", (3,), ("a", "b")), MDNConfig())
    with pytest.raises(ConfigError, match="the targets are images"):
        MDN(DataSpec("vector", (3,), target=DataSpec("image", (1, 8, 8))), MDNConfig())


@pytest.mark.slow
def test_bishops_inverse_problem(tmp_path: Any) -> None:
    data = load("bishop-inverse")
    mdn = sim.train("mdn", "bishop-inverse", tmp_path / "mdn", components=3, steps=2500, **LONG)
    numbers = sim.evaluate(mdn, data)
    assert numbers["nll"] - numbers["nll_exact"] < 0.05
    assert numbers["nll"] > numbers["nll_exact"]
    # calibrated, by the way
    assert abs(numbers["coverage_80"] - 0.8) < 0.03
    # at x = 0.35 the mean of the answers lies between them, in empty space
    x = torch.tensor([[0.35]])
    least_squares: Any = sim.train(
        "regressor", "bishop-inverse", tmp_path / "ls", likelihood="normal", steps=1000, **LONG
    )
    mean = least_squares.predict(x).mean
    truth = data.truth.log_conditional
    assert truth is not None
    best = max(truth(x.numpy(), np.array([[t]]))[0] for t in np.linspace(0, 1, 201))
    assert truth(x.numpy(), mean.numpy())[0] < best - 3


@pytest.mark.slow
def test_robot_arm_finds_both_elbows(tmp_path: Any) -> None:
    data = load("robot-arm")
    x = data.test.x[:1000]
    mdn: Any = sim.train(
        "mdn", "robot-arm", tmp_path / "mdn", hidden=(128, 128), components=4, steps=4000, **LONG
    )
    y = Noise(0).draw(mdn.predict(torch.from_numpy(x)), 20).numpy()
    error = np.linalg.norm(np.stack([hand(draw) for draw in y]) - x, axis=2)
    assert (error[0] < 0.02).mean() >= 0.95
    up = (y[..., 1] > 0).mean(axis=0)
    assert ((up > 0) & (up < 1)).mean() > 0.95
    plain: Any = sim.train("regressor", "robot-arm", tmp_path / "ls", likelihood="normal", steps=500, **LONG)
    missed = np.linalg.norm(hand(plain.predict(torch.from_numpy(x)).mean.numpy()) - x, axis=1)
    assert np.median(missed) > 0.05
