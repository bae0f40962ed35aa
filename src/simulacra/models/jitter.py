"""What pix2pix and CycleGAN do to images: enlarge, cut and mirror them at random."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from simulacra.core.noise import Noise
from simulacra.errors import ConfigError

# pixels a side that a source is read at, at most
LARGEST = 4096


class Jitter:
    """Transforms the images of a pair alike.

    Args:
        shape: of an image, `(C, H, W)`.
        load_size: side that the shorter side is enlarged to, before a part of the old size is cut out; no
            enlarging when None (Isola et al. 2017, section 6.2: 286 for 256).
        flip: exchange left and right of every second image.

    Raises:
        ConfigError: the load size is smaller than the image, or far too large.

    >>> x = torch.rand(4, 3, 32, 32)
    >>> a, b = Jitter((3, 32, 32), load_size=36, flip=True)(Noise(seed=0), x, x)
    >>> a.shape, bool((a == b).all()), bool((a == x).all())
    (torch.Size([4, 3, 32, 32]), True, False)
    """

    def __init__(self, shape: Sequence[int], load_size: int | None, flip: bool) -> None:
        self.flip = flip
        h, w = shape[1:]
        shorter = min(h, w)
        if load_size is not None and not shorter <= load_size <= LARGEST:
            raise ConfigError(
                f"load_size: must be at least the image's {shorter} pixels and at most {LARGEST},"
                f" not {load_size}"
            )
        scale = 1.0 if load_size is None else load_size / shorter
        self.large = (round(h * scale), round(w * scale))

    def __call__(self, noise: Noise, *images: Tensor) -> tuple[Tensor, ...]:
        """Images `(B, C, H, W)`, each of its own number of channels, changed alike."""
        x = torch.cat(images, dim=1)
        n, _, h, w = x.shape
        u = noise.uniform(n, 3)
        if self.large != (h, w):
            x = F.interpolate(x, self.large, mode="bilinear", antialias=False)
            top, left = (
                (u[:, k] * (large - side + 1)).floor().long()
                for k, (large, side) in enumerate(zip(self.large, (h, w), strict=True))
            )
            rows = top[:, None] + torch.arange(h, device=x.device)
            columns = left[:, None] + torch.arange(w, device=x.device)
            example = torch.arange(n, device=x.device)[:, None, None]
            # an index before and behind the slice moves the channels to the end
            x = x[example, :, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)
        if self.flip:
            x = torch.where(u[:, 2, None, None, None] < 0.5, x.flip(3), x)
        return x.split([image.shape[1] for image in images], dim=1)


def scaled(x: Tensor) -> Tensor:
    """From [0, 1] to [-1, 1]."""
    return 2 * x - 1
