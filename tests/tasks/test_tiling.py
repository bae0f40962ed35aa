"""Pictures in tiles that are normalised alike."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from simulacra.core.batch import tensor, to_bytes
from simulacra.core.noise import Noise
from simulacra.data.spec import DataSpec
from simulacra.tasks.translate import translated
from tests.tasks.test_translate import noise


class Normed(nn.Module):
    """Normalised by the statistics of an image, mean 1/2 and deviation 1/10."""

    spec, device = DataSpec("image", (3, 32, 32)), torch.device("cpu")

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.InstanceNorm2d(3)

    def translate(self, x: Tensor, noise: Noise, to: str | None = None) -> Tensor:
        return self.norm(x) / 10 + 0.5


@pytest.mark.parametrize(("h", "w", "k"), [(1024, 640, 2), (1030, 900, 3), (700, 513, 2)])
def test_tiles_are_normalised_by_the_statistics_of_the_picture(h: int, w: int, k: int) -> None:
    # of blocks that the thumbnail has for pixels, darker above and brighter below
    small = noise(3, -(-h // k), -(-w // k)) // 2 + np.linspace(0, 127, -(-h // k)).astype(np.uint8)[:, None]
    x = small.repeat(k, axis=1).repeat(k, axis=2)[:, :h, :w]
    model = Normed()
    whole = to_bytes(model.translate(tensor(x[None]), Noise(0)))[0]
    apart = np.abs(translated(model, x).astype(int) - whole)
    # blocks at the edge count as much as whole ones
    assert apart.max() <= 1
    # the net is as before
    assert not model.norm._forward_hooks
    assert not model.norm._forward_pre_hooks
    assert np.abs(translated(Unseen(model), x).astype(int) - whole).max() > 10


class Unseen:
    """A model that is no module: every tile has its own statistics."""

    def __init__(self, model: Normed) -> None:
        self.spec, self.device, self.translate = model.spec, model.device, model.translate
