"""Projection: the latents whose decoded images resemble given images most, found by optimisation.

    minimise over z of d(x, G(z)) + lambda |x - G(z)|^2

with d a perceptual distance: GAN inversion as by StyleGAN2's projector (Karras et al. 2020, arXiv:1912.04958,
appendix D), in the latent space that is asked for (in `w+` Image2StyleGAN, Abdal et al. 2019,
arXiv:1904.03189). Many images are projected at once, each as if it were alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import cos, pi

import torch
import torch.nn.functional as F
from torch import Tensor

from simulacra.core.calls import trusted
from simulacra.core.capabilities import Decodes, Encodes, Styles
from simulacra.core.inference import CHUNK, eval_mode
from simulacra.core.latents import LatentSpace, StandardNormal
from simulacra.core.model import frozen
from simulacra.core.noise import Noise
from simulacra.errors import RunError
from simulacra.nets.perceptual import map_distance, perceptual_maps

STEPS = 500
# of Adam, in standard deviations of the latents a step, with the shares of the steps in which it rises and
# falls (Karras et al. 2020)
RATE, RISING, FALLING = 0.1, 0.05, 0.25
# lambda, for the mean squared error of images in [0, 1]
PIXELS = 100.0
# weight of -ln p(|z|) / dim(z)
RADIUS = 1.0
# of the autocorrelation of noise maps (Karras et al. 2020)
AUTOCORRELATION = 1e5
# draws from the prior that a start is chosen from
DRAWS = 256


@dataclass(frozen=True, eq=False)
class Projection:
    """What images were projected to.

    Attributes:
        latents: `(N, *shape of the space)`, float32.
        space: name of the latent space.
        noise: noise maps of each image `(N, 1, H, W)`, where they were learned.
    """

    latents: Tensor
    space: str
    noise: tuple[Tensor, ...] = ()


def project(
    model: Decodes,
    x: Tensor,
    space: str | None = None,
    *,
    steps: int = STEPS,
    seed: int = 0,
    start: Tensor | None = None,
    learn_noise: bool = False,
    perceptual: float = 1.0,
    radius: float = RADIUS,
) -> Projection:
    """The latents whose decoded images resemble images most, by their loss

        d(x, G(z)) + 100 mean((x - G(z))^2)

    with d of `nets.perceptual`. Adam moves each latent from its start, in the units of the prior's standard
    deviation, for a fixed number of steps. A model that encodes starts from its encodings, another one from
    the draw from the prior that is nearest to the image, of 256.

    Draws from a prior N(0, I) in many dimensions lie near a sphere, and a generator has seen no others. So
    the loss has a term -ln p(|z|) / dim(z), p the chi distribution of their norms, which keeps z near the
    sphere; -ln p(z) itself would pull it to the centre, where there are none.

    The result of an image depends on the model, the image, the settings and the seed: not, up to rounding, on
    the other images or its place among them.

    Args:
        model: decodes latents to images; its weights and its mode stay as they are.
        x: images `(N, C, H, W)` in [0, 1].
        space: name of the latent space; the default one for None.
        steps: of Adam.
        seed: of the draws.
        start: latents `(N, *shape)` to start from instead, e.g. encodings.
        learn_noise: whether the noise maps of a model with `Styles` are optimised, too, with a penalty on
            their autocorrelation. They can hide pixels that the latent does not explain.
        perceptual: weight of d; 0 for pixels alone.
        radius: weight of the term of |z|, for spaces with the prior N(0, I).

    Raises:
        RunError: there is nothing to start from: neither a prior nor an encoder.
        ConfigError: there is no such space, or the network of d is not installed.

    >>> import simulacra as sim
    >>> model = sim.GAN(sim.DataSpec("image", (1, 8, 8)), sim.MODELS["gan"].Config(latent_dim=4))
    >>> project(model, model.sample(2, seed=1), steps=3).latents.shape
    torch.Size([2, 4])
    """
    of, device = model.space(space), model.device
    dims = tuple(range(1, 1 + len(of.shape)))
    with torch.enable_grad(), eval_mode(model), frozen(model), trusted():
        x = x.to(device, torch.float32)
        target = [layer.detach() for layer in perceptual_maps(x)] if perceptual else []
        z, scale = _start(model, x, target, of, start, seed)
        maps = [m.detach().float().repeat(len(x), 1, 1, 1) for m in _noise(model, learn_noise)]
        moved = [z.div_(scale), *maps]
        optimiser = torch.optim.Adam([tensor.requires_grad_(True) for tensor in moved])
        for step in range(steps):
            optimiser.param_groups[0]["lr"] = RATE * _ramp(step, steps)
            y = decode(model, z * scale, of.name, maps).float()
            loss = PIXELS * (x - y).square().flatten(1).mean(dim=1)
            if perceptual:
                loss = loss + perceptual * map_distance(target, perceptual_maps(y))
            if radius and isinstance(of.prior, StandardNormal):
                # ln p(r) = (d - 1) ln r - r^2 / 2 + constant
                r2 = (z * scale).square().sum(dim=dims)
                loss = loss + radius * (r2 - (of.size - 1) * r2.clamp(min=1e-6).log()) / (2 * of.size)
            for noise in maps:
                loss = loss + AUTOCORRELATION * autocorrelation(noise)
            # each image has a loss of its own, so that the gradient of their sum is that of each
            for tensor, gradient in zip(moved, torch.autograd.grad(loss.sum(), moved), strict=True):
                tensor.grad = gradient
            optimiser.step()
            with torch.no_grad():
                for noise in maps:
                    noise.sub_(noise.mean(dim=(1, 2, 3), keepdim=True))
                    noise.mul_(noise.square().mean(dim=(1, 2, 3), keepdim=True).rsqrt())
        z = (z * scale).detach()
    return Projection(z, of.name, tuple(noise.detach() for noise in maps))


def decode(model: Decodes, z: Tensor, space: str, maps: Sequence[Tensor] = ()) -> Tensor:
    """What latents are decoded to `(N, ...)`, images with noise maps of their own where there are any."""
    z = z.to(model.device, model.dtype)
    if maps:
        assert isinstance(model, Styles), "only a model with styles has noise maps"
        return model.decode_with_noise(z, [m.to(z) for m in maps], space).mean
    return model.decode(z, space).mean


def _noise(model: Decodes, learn: bool) -> list[Tensor]:
    """The noise maps that are learned, as they are at first."""
    return model.fixed_noise if learn and isinstance(model, Styles) else []


@torch.no_grad()
def _start(
    model: Decodes, x: Tensor, target: list[Tensor], of: LatentSpace, start: Tensor | None, seed: int
) -> tuple[Tensor, Tensor]:
    """Latents to start from `(N, *shape)`, and the unit of their steps, `()` or one for each."""
    if start is None and isinstance(model, Encodes):
        start = model.encode(x.to(model.dtype), of.name).mean
    if of.prior is not None:
        draws = of.sample(DRAWS, Noise(seed)).to(x)
        scale = (draws - draws.mean(dim=0)).square().mean().sqrt()
        z = _nearest(model, x, target, draws, of) if start is None else start.to(x)
    elif start is not None:
        z = start.to(x)
        # of each its own, so that it does not depend on the others
        scale = z.square().mean(dim=tuple(range(1, z.ndim)), keepdim=True).sqrt().clamp(min=1e-6)
    else:
        raise RunError(
            f"the latent space '{of.name}' of this {type(model).__name__} has no prior to start from, and the"
            " model no encoder; choose another space"
        )
    return z.clone(), scale


def _nearest(model: Decodes, x: Tensor, target: list[Tensor], draws: Tensor, of: LatentSpace) -> Tensor:
    """Of each image the draw that is decoded to the most similar one: by the perceptual distance, if any."""
    similarity = []
    for part in draws.split(CHUNK):
        y = decode(model, part, of.name).float()
        if target:
            # of unit vectors |u - v|^2 = 2 - 2 u.v
            pairs = zip(target, perceptual_maps(y), strict=True)
            similarity.append(
                torch.stack([u.flatten(1) @ v.flatten(1).T / u[0, 0].numel() for u, v in pairs]).sum(dim=0)
            )
        else:
            similarity.append(-torch.cdist(x.flatten(1), y.flatten(1)))
    return draws[torch.cat(similarity, dim=1).argmax(dim=1)]


def _ramp(step: int, steps: int) -> float:
    """The factor of the learning rate: linear up, a cosine down."""
    up, down = (step + 1) / (RISING * steps), (steps - step) / (FALLING * steps)
    return min(1.0, up) * (0.5 - 0.5 * cos(pi * min(1.0, down)))


def autocorrelation(noise: Tensor) -> Tensor:
    """How far noise maps are from white noise `(N,)`: Karras et al. 2020, appendix D.

        sum over scales of (mean of n(h, w) n(h, w - 1))^2 + (mean of n(h, w) n(h - 1, w))^2

    The scales are the map, and its halves down to 8 pixels; sums of 2 x 2 pixels, divided by 2, keep the
    variance of white noise.

    >>> float(autocorrelation(torch.ones(1, 1, 16, 16)))  # 1 + 1, and 4 + 4 squared
    34.0

    Args:
        noise: `(N, 1, H, W)`.
    """
    total = noise.new_zeros(len(noise))
    while True:
        for dim in (2, 3):
            total = total + (noise * noise.roll(1, dim)).mean(dim=(1, 2, 3)).square()
        if min(noise.shape[2:]) <= 8:
            return total
        noise = F.avg_pool2d(noise, 2) * 2
