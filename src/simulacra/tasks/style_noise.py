"""What noise maps change in samples: deviations over draws, close-ups, and noise of some layers only."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from math import ceil

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from simulacra.core.batch import PIXELS, to_bytes
from simulacra.core.calls import trusted, whole_number
from simulacra.core.capabilities import Styles
from simulacra.core.inference import CHUNK, eval_mode
from simulacra.core.noise import Noise
from simulacra.data.images.parallel import progress
from simulacra.errors import ConfigError
from simulacra.images import SMALLEST_FRAME, strip
from simulacra.tasks.mix import seed_styles

# draws of noise maps, and those of them that a figure shows
DRAWS, SHOWN = 100, 3
# a close-up is this part of a side
CLOSE_UP = 2
# no division by 0 where noise does nothing
TINY = 1e-12


def deviation(
    model: Styles,
    seeds: Sequence[int],
    layers: str | None = None,
    draws: int = DRAWS,
    truncation: float = 1.0,
    seed: int = 0,
) -> Tensor:
    """Standard deviation of every pixel of samples over draws of their noise maps.

    It is that of Karras et al. 2019 (arXiv:1812.04948), figure 4c; the mean over the channels.

    Args:
        model: a trained model with styles.
        seeds: of the samples.
        layers: whose maps are drawn, as `model.layers` takes them; the others have their fixed maps. All by
            default.
        draws: of noise maps, at least 2.
        truncation: of the samples.
        seed: of the noise maps.

    Returns:
        `(N, H, W)`, in units of pixels in [0, 1].

    Raises:
        ConfigError: there are no such layers, or too few draws.

    >>> import simulacra as sim
    >>> config = sim.MODELS["stylegan"].Config(latent_dim=8, width=4)
    >>> model = sim.StyleGAN(sim.DataSpec("image", (3, 16, 16)), config).eval()
    >>> deviation(model, [1, 2], draws=3).abs().max()  # the noise of an untrained net has strength 0
    tensor(0.)
    """
    if (whole_number(draws) or 0) < 2:
        raise ConfigError(f"draws: must be a whole number, at least 2, not {draws!r}")
    chosen = noisy_layers(model, layers)
    w = seed_styles(model, seeds, truncation)
    each = progress(w.split(1), len(w), "drawing noise")
    return torch.stack([_deviation(model, one, chosen, draws, seed) for one in each])


def figure(
    model: Styles,
    seeds: Sequence[int],
    layers: str | None = None,
    draws: int = DRAWS,
    truncation: float = 1.0,
    seed: int = 0,
) -> tuple[np.ndarray, Tensor]:
    """The images of `columns` in a picture, uint8 `(H', W', 3)`, and the deviation `(N, H, W)`."""
    found, sigma = columns(model, seeds, layers, draws, truncation, seed)
    cells = np.stack(list(found.values()), axis=1)
    scale = ceil(SMALLEST_FRAME / max(cells.shape[3:]))
    return strip(cells.repeat(scale, axis=3).repeat(scale, axis=4), list(found)), sigma


def columns(
    model: Styles,
    seeds: Sequence[int],
    layers: str | None = None,
    draws: int = DRAWS,
    truncation: float = 1.0,
    seed: int = 0,
) -> tuple[dict[str, np.ndarray], Tensor]:
    """Samples, close-ups of three draws of noise, the deviation over all draws, and noise of some layers.

    In the columns without noise, and with that of coarse or fine layers only, the maps are the fixed ones
    (Karras et al. 2019, figure 5); close-ups are where the deviation is largest.

    Args:
        model: as `deviation` takes it, and the rest.

    Returns:
        Of each column uint8 images `(N, C, H, W)`, and the deviation `(N, H, W)`.

    Raises:
        ConfigError: as `deviation`.
    """
    sigma = deviation(model, seeds, layers, draws, truncation, seed)
    chosen, w, fixed = noisy_layers(model, layers), seed_styles(model, seeds, truncation), model.fixed_noise
    images, largest = _decoded(model, w, fixed), float(sigma.amax())
    found = {"sample": images}
    for k in range(SHOWN):
        drawn = _decoded(model, w, _maps(model, chosen, 1, Noise(seed, k)))
        found[f"close-up {k + 1}"] = _close_up(drawn, sigma)
    found[f"deviation to {largest:.2g}"] = (sigma / max(largest, TINY))[:, None].expand_as(images)
    parts: dict[str, Sequence[int]] = {"no noise": ()}
    parts |= {f"{name} only": group for name, group in model.groups.items() if name != "middle"}
    for name, kept in parts.items():
        found[name] = _decoded(model, w, [one * (i in kept) for i, one in enumerate(fixed)])
    return {name: to_bytes(x) for name, x in found.items()}, sigma


def noisy_layers(model: Styles, layers: str | None = None) -> list[int]:
    """Indices of noise maps: those of some layers of w+, or all. The last layer of w+ has none.

    Raises:
        ConfigError: there are no such layers, or they have no noise.
    """
    count = len(model.fixed_noise)
    if layers is None:
        return list(range(count))
    found = [i for i in model.layers(layers) if i < count]
    if not found:
        raise ConfigError(f"layers: {layers} has no noise; choose layers from 0 to {count - 1}")
    return found


def _maps(model: Styles, chosen: Collection[int], n: int, noise: Noise) -> list[Tensor]:
    """Noise maps: drawn at the chosen layers, the same whichever are chosen, and fixed at the others."""
    pairs = zip(model.noise_maps(n, noise), model.fixed_noise, strict=True)
    return [drawn if i in chosen else fixed for i, (drawn, fixed) in enumerate(pairs)]


@torch.no_grad()
def _decoded(model: Styles, w: Tensor, maps: Sequence[Tensor]) -> Tensor:
    with eval_mode(model), trusted():
        images: Tensor = model.decode_with_noise(w, maps, "w+").mean
    return images


def _deviation(model: Styles, w: Tensor, chosen: Collection[int], draws: int, seed: int) -> Tensor:
    """The deviation `(H, W)` of one latent `(1, L, W)`."""
    noise = Noise(seed)
    size = max(1, min(CHUNK, PIXELS // max(model.resolutions) ** 2))
    total = squares = first = torch.zeros(())
    for start in range(0, draws, size):
        n = min(size, draws - start)
        x = _decoded(model, w.expand(n, -1, -1), _maps(model, chosen, n, noise)).double()
        # from the first draw, so that nothing cancels
        first = x[:1] if start == 0 else first
        total = total + (x - first).sum(dim=0)
        squares = squares + (x - first).square().sum(dim=0)
    variance = (squares - total.square() / draws) / (draws - 1)
    return variance.clamp(min=0).sqrt().mean(dim=0).float()


def _close_up(x: Tensor, sigma: Tensor) -> Tensor:
    """Of each image the window with the largest mean deviation, enlarged to the size of the image."""
    h, w = (side // CLOSE_UP for side in x.shape[2:])
    means = F.avg_pool2d(sigma[:, None], (h, w), stride=1)[:, 0]
    windows = []
    for image, mean in zip(x, means, strict=True):
        row, column = divmod(int(mean.argmax()), mean.shape[1])
        windows.append(image[:, row : row + h, column : column + w])
    return torch.stack(windows).repeat_interleave(CLOSE_UP, dim=2).repeat_interleave(CLOSE_UP, dim=3)
