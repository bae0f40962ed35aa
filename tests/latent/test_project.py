"""Projection against a linear decoder, whose optimum is known, and own samples of small generators."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

import simulacra as sim
from simulacra.core.capabilities import Decodes
from simulacra.core.latents import LatentSpace, StandardNormal
from simulacra.core.noise import Noise
from simulacra.errors import RunError
from simulacra.latent.project import autocorrelation, project
from simulacra.probability.distributions import Delta

SPEC = sim.DataSpec("image", (3, 16, 16))


class Linear(Decodes):
    """x = m + W z, with its weights trainable and in training mode."""

    def __init__(self, size: int = 6, prior: bool = True) -> None:
        super().__init__(SPEC, None)
        self.spaces = (LatentSpace("z", (size,), StandardNormal((size,)) if prior else None),)
        noise = Noise(1)
        self.W = torch.nn.Parameter(0.1 * noise.normal(size, 3 * 16 * 16))
        self.m = torch.nn.Parameter(torch.full((3 * 16 * 16,), 0.5))
        self.dropout = torch.nn.Dropout(0.5)

    def decode(self, z: Tensor, space: str | None = None) -> Delta:
        return Delta(self.dropout(self.m + z @ self.W).reshape(-1, *SPEC.shape))


@pytest.fixture(autouse=True)
def few_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("simulacra.latent.project.DRAWS", 32)


def images(n: int, seed: int = 3) -> Tensor:
    return Noise(seed).uniform(n, *SPEC.shape)


def test_the_optimum_of_a_linear_decoder() -> None:
    model, x = Linear(), images(3)
    z = project(model, x, steps=300, perceptual=0, radius=0).latents
    # least squares: z = (W W^T)^-1 W (x - m)
    solution = torch.linalg.lstsq(model.W.T, (x.flatten(1) - model.m).T).solution.T
    assert torch.allclose(z, solution.detach(), atol=1e-3)
    # the model is as it was
    assert model.training
    assert model.dropout.training
    assert all(parameter.requires_grad and parameter.grad is None for parameter in model.parameters())


def test_an_image_is_projected_as_if_it_were_alone_and_again_alike() -> None:
    model, x = Linear().eval(), images(5)

    def found(x: Tensor, seed: int, perceptual: float) -> Tensor:
        return project(model, x, steps=30 if perceptual == 0 else 3, seed=seed, perceptual=perceptual).latents

    # with a network between, rounding grows
    for perceptual, tolerance in ((0.0, 1e-4), (1.0, 0.02)):
        together = found(x, 1, perceptual)
        assert torch.equal(found(x, 1, perceptual), together)
        alone = torch.cat([found(one[None], 1, perceptual) for one in x.flip(0)])
        assert torch.allclose(alone.flip(0), together, atol=tolerance)
        # the start is drawn
        assert not torch.allclose(found(x, 2, perceptual), together, atol=0.1)


def test_latents_stay_where_the_prior_has_its_mass() -> None:
    model, x = Linear(size=64), images(4)
    near, free = (project(model, x, steps=100, perceptual=0, radius=r).latents for r in (1e4, 0.0))
    # the mode of the chi distribution of 64 numbers is sqrt(63)
    assert torch.allclose(near.norm(dim=1), torch.full((4,), 63**0.5), rtol=0.02)
    assert (free.norm(dim=1) < 5).all()


def test_it_goes_on_from_a_start_and_needs_one_without_a_prior() -> None:
    model, x = Linear(prior=False), images(2)
    exact = torch.linalg.lstsq(model.W.T, (x.flatten(1) - model.m).T).solution.T.detach()
    z = project(model, x, steps=1, start=exact, perceptual=0).latents
    assert torch.allclose(z, exact, atol=0.2)
    with pytest.raises(
        RunError, match="'z' of this Linear has no prior to start from, and the model no encoder"
    ):
        project(model, x, perceptual=0)


def test_a_model_that_encodes_starts_from_its_encodings() -> None:
    model = sim.VAE(sim.DataSpec("image", (1, 8, 8)), sim.MODELS["vae"].Config(latent_dim=2)).eval()
    x = images(2)[:, :1, :8, :8]
    found = project(model, x, steps=0, perceptual=0)
    assert torch.allclose(found.latents, model.encode(x).mean)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_own_samples_are_found_again(dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    model: Any = sim.GAN(SPEC, sim.MODELS["gan"].Config(latent_dim=4, net="mlp", hidden=(32,))).eval()
    model.to(dtype)
    with torch.no_grad():
        x = model.sample(3, seed=5).float()
    found = project(model, x, steps=150, perceptual=0)
    assert found.latents.dtype == torch.float32
    with torch.no_grad():
        error = (model.decode(found.latents.to(dtype)).mean.float() - x).square().flatten(1).mean(dim=1)
        start = (
            (model.decode(torch.zeros(1, 4, dtype=dtype)).mean.float() - x).square().flatten(1).mean(dim=1)
        )
    # PSNR over 30 dB
    assert (error < (1e-3 if dtype == torch.float32 else 3e-3)).all()
    assert (start > 10 * error).all()


def styled() -> Any:
    torch.manual_seed(0)
    config = sim.MODELS["stylegan"].Config(latent_dim=8, width=4)
    model: Any = sim.StyleGAN(SPEC, config).eval()
    # at first noise has no strength
    for name, parameter in model.named_parameters():
        if "strength" in name or "noise" in name:
            torch.nn.init.constant_(parameter, 0.3)
    return model


@pytest.mark.parametrize("space", ["w", "w+", "z"])
def test_every_space_of_a_stylegan(space: str) -> None:
    model = styled()
    with torch.no_grad():
        x = model.sample(2, seed=5)
    found = project(model, x, space, steps=60, perceptual=0)
    assert found.space == space
    assert found.latents.shape == (2, *model.space(space).shape)
    assert found.noise == ()
    with torch.no_grad():
        before = (model.decode(model.space("w").sample(2, Noise(0)).flip(0)).mean - x).square().mean()
        after = (model.decode(found.latents, space).mean - x).square().mean()
    assert after < before


def test_noise_maps_are_learned_and_stay_white() -> None:
    model = styled()
    with torch.no_grad():
        own = model.space("w").sample(2, Noise(0))
        x = model.decode_with_noise(own, model.noise_maps(2, Noise(4))).mean
    found = project(model, x, steps=100, start=own, learn_noise=True, perceptual=0)
    assert [m.shape for m in found.noise] == [(2, *m.shape[1:]) for m in model.fixed_noise]
    for maps, fixed in zip(found.noise, model.fixed_noise, strict=True):
        assert torch.allclose(maps.mean(dim=(1, 2, 3)), torch.zeros(2), atol=1e-5)
        assert torch.allclose(maps.square().mean(dim=(1, 2, 3)), torch.ones(2), atol=1e-4)
        assert not torch.allclose(maps, fixed.expand_as(maps), atol=1e-3)
    with torch.no_grad():
        on = (model.decode_with_noise(found.latents, found.noise).mean - x).square().mean()
        off = (model.decode(found.latents).mean - x).square().mean()
    assert on < off


def test_the_autocorrelation_of_white_noise_is_small() -> None:
    white = Noise(0).normal(4, 1, 64, 64)
    smooth = torch.nn.functional.avg_pool2d(Noise(0).normal(4, 1, 66, 66), 3, stride=1) * 3
    assert (autocorrelation(white) < 0.1).all()
    assert (autocorrelation(smooth) > 0.5).all()
