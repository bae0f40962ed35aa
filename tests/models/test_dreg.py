"""Doubly reparametrised gradients against those of the importance-weighted bound, by many draws."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from simulacra.core.noise import Noise
from simulacra.errors import ConfigError
from simulacra.models.vae.card import VAEConfig
from simulacra.models.vae.model import VAE
from tests.models import test_vae, test_vae_ladder

K, DRAWS = 8, 10_000
GROUPS = pytest.mark.parametrize("groups", [1, 3])


@torch.no_grad()
def vae_with(dreg: bool, groups: int) -> VAE:
    """A linear-Gaussian VAE, its encoder a little off the exact posterior (Tucker et al. 2019, 6.1)."""
    if groups == 1:
        vae = test_vae.linear_vae(exact_posterior=True)
    else:
        vae = test_vae_ladder.linear_ladder()
        test_vae_ladder.give_exact_posterior(vae)
    generator = torch.Generator().manual_seed(0)
    for p in vae.encoder.parameters():
        p += 0.1 * torch.randn(p.shape, generator=generator)
    vae.config = replace(vae.config, importance_samples=K, dreg=dreg)
    return vae


def gradients(dreg: bool, groups: int, beta: float) -> tuple[Tensor, list[Tensor]]:
    """Of the bound of one x: at the encoder's output, for each of many draws; in the decoder, on average."""
    vae = vae_with(dreg, groups)
    x = torch.randn(1, *vae.spec.shape, generator=torch.Generator().manual_seed(1)).double()
    outputs = vae.encoder(x).detach().expand(DRAWS, -1).clone().requires_grad_()
    vae._importance_bound(x.expand(DRAWS, -1), outputs, Noise(1), K, beta).sum().backward()
    assert outputs.grad is not None
    return outputs.grad, [p.grad / DRAWS for p in vae.decoder.parameters() if p.grad is not None]


@GROUPS
@pytest.mark.parametrize("beta", [1.0, 0.4])
def test_the_same_expectation(groups: int, beta: float) -> None:
    plain, of_decoder = gradients(False, groups, beta)
    dreg, same = gradients(True, groups, beta)
    error = ((plain.var(dim=0) + dreg.var(dim=0)) / DRAWS).sqrt()
    assert ((plain.mean(dim=0) - dreg.mean(dim=0)).abs() < 4 * error).all()
    assert (plain.mean(dim=0).abs() > 10 * error).any()
    for a, b in zip(of_decoder, same, strict=True):
        torch.testing.assert_close(a, b)


@GROUPS
def test_less_variance(groups: int) -> None:
    plain, dreg = (gradients(kind, groups, 1.0)[0].var(dim=0) for kind in (False, True))
    assert (dreg < plain).all()
    assert dreg.sum() < 0.1 * plain.sum()


def test_the_value_is_that_of_the_bound() -> None:
    x = test_vae_ladder.data()
    bounds = [
        vae._importance_bound(x, vae.encoder(x), Noise(2), K, 1.0)
        for vae in (vae_with(dreg, 3) for dreg in (False, True))
    ]
    torch.testing.assert_close(*bounds)


def test_it_needs_several_samples() -> None:
    with pytest.raises(ConfigError, match="dreg: is about the bound with k samples"):
        VAEConfig(dreg=True)
