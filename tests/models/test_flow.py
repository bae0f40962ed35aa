"""Normalising flows: the change of variables, by brute force."""

from __future__ import annotations

import sys
from math import log

import numpy as np
import pytest
import torch
from torch import Tensor

from simulacra.core.batch import Batch
from simulacra.core.noise import Noise
from simulacra.data.sources.toys import TOYS
from simulacra.data.spec import Dataset, DataSpec
from simulacra.errors import ConfigError
from simulacra.models.flow.card import FlowConfig
from simulacra.models.flow.model import Flow

pytest.importorskip("zuko", reason="flow needs the extra `flows`")
KINDS = ("nsf", "maf", "realnvp")


def shaken(D: int, by: float = 0.3, **settings: object) -> Flow:
    """A flow with random weights, far from the identity, on data in units of their own."""
    torch.manual_seed(0)
    model = Flow(DataSpec("vector", (D,)), FlowConfig(transforms=3, hidden=(16,), **settings))  # type: ignore[arg-type]
    x = np.random.default_rng(0).normal(size=(100, D)) * np.linspace(1, 9, D) + 3
    model.prepare(Dataset(model.spec, x.astype(np.float32)))
    with torch.no_grad():
        for p in model.parameters():
            p += by * torch.randn_like(p)
    return model.double().eval()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("D", [1, 4])
def test_likelihood_is_the_change_of_variables(kind: str, D: int) -> None:
    model = shaken(D, flow=kind)
    x = 5 * Noise(1).normal(6, D).double() + 3

    def encode(one: Tensor) -> Tensor:
        return model.encode(one[None]).mean[0]

    jacobian = torch.stack([torch.autograd.functional.jacobian(encode, one) for one in x])
    brute = model.prior.log_prob(model.encode(x).mean) + jacobian.det().abs().log()
    torch.testing.assert_close(model.log_likelihood(x), brute, atol=1e-6, rtol=1e-6)
    assert brute.std() > 0.1


@pytest.mark.parametrize("kind", KINDS)
def test_decoding_inverts_encoding(kind: str) -> None:
    model = shaken(4, flow=kind)
    z = Noise(1).normal(20, 4).double()
    torch.testing.assert_close(model.encode(model.decode(z).mean).mean, z, atol=1e-6, rtol=0)


@pytest.mark.parametrize("kind", KINDS)
def test_density_integrates_to_one(kind: str) -> None:
    # narrow features would fall between the points of the grid
    model = shaken(2, by=0.1, flow=kind)
    side = [torch.linspace(m - 9 * s, m + 9 * s, 250).double() for m, s in ((3.0, 1.0), (3.0, 9.0))]
    cell = (18 / 249) * (18 * 9 / 249)
    mass = model.log_likelihood(torch.cartesian_prod(*side)).exp().sum() * cell
    assert mass.item() == pytest.approx(1, abs=5e-3)


def test_training_approaches_the_true_density() -> None:
    toy = TOYS["moons"]
    x = toy.sample(3000)
    torch.manual_seed(0)
    model = Flow(DataSpec("vector", (2,)), FlowConfig(transforms=3, hidden=(32, 32)))
    model.prepare(Dataset(model.spec, x))
    held = toy.sample(1000, seed=1)
    truth, before = toy.log_density(held).mean(), model.log_likelihood(torch.from_numpy(held)).mean().item()
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    for step in range(200):
        rows = torch.from_numpy(x[torch.randint(len(x), (256,)).numpy()])
        for turn in model.play(Batch(rows, None, Noise(0, step))):
            optimizer.zero_grad()
            turn.loss.backward()
            optimizer.step()
    after = model.log_likelihood(torch.from_numpy(held)).mean().item()
    assert before < truth - 0.4
    assert after == pytest.approx(truth, abs=0.15)
    # the entropy of N(0, I) of what is encoded
    z = model.encode(torch.from_numpy(held)).mean.detach()
    assert -model.prior.log_prob(z).mean().item() == pytest.approx(1 + log(2 * torch.pi), abs=0.15)


def test_without_zuko_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "zuko.flows", None)
    with pytest.raises(ConfigError, match=r"which is not installed: pip install 'simulacra\[flows\]'"):
        Flow(DataSpec("vector", (2,)), FlowConfig())


def test_impossible_settings_are_refused() -> None:
    with pytest.raises(ConfigError, match="bins: must be at least 2"):
        FlowConfig(bins=1)
    with pytest.raises(ConfigError, match="transforms: must be at least 1"):
        FlowConfig(transforms=0)
    with pytest.raises(ConfigError, match="takes vectors and rows of tables"):
        Flow(DataSpec("image", (1, 8, 8)), FlowConfig())
