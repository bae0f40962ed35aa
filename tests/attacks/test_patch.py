"""Stickers: they cover what they should, stay inside, and learn what is known to be best."""

from __future__ import annotations

import pytest
import torch

from simulacra.attacks.patch import Placement, make, paste, stick
from simulacra.core.noise import Noise
from simulacra.errors import ConfigError
from tests.attacks.linear import Linear, middling


@pytest.mark.parametrize("shape", [(32, 32), (32, 64), (64, 32)])
def test_a_sticker_is_a_disc_of_its_size_inside_the_image(shape: tuple[int, int]) -> None:
    x = torch.zeros(200, 1, *shape)
    placed = paste(x, torch.ones(1, 32, 32), Placement(Noise(0), 200, 0.5, shape))[:, 0]
    area = placed.sum(dim=(1, 2))
    # pi r^2, with a diameter of 0.4 to 0.6 of 32 pixels: nothing is cut off
    assert area.min() > 0.9 * torch.pi * (0.4 * 16) ** 2
    assert area.max() < 1.1 * torch.pi * (0.6 * 16) ** 2
    assert area.mean().item() == pytest.approx(torch.pi * (0.5 * 16) ** 2, rel=0.05)
    # as high as it is wide
    height, width = placed.amax(dim=2).sum(dim=1), placed.amax(dim=1).sum(dim=1)
    assert (height - width).abs().max() <= 1
    # and everywhere
    assert (placed.mean(dim=0)[4:-4, 4:-4] > 0).all()


def test_turns() -> None:
    patch = torch.zeros(1, 33, 33)
    patch[:, :, 16] = 1
    placed = paste(torch.zeros(50, 1, 64, 64), patch, Placement(Noise(0), 50, 0.9, (64, 64)))[:, 0]
    # an upright line leans by at most 22.5 degrees: tan(22.5) = 0.41
    height, width = placed.amax(dim=2).sum(dim=1), (placed > 0.5).float().amax(dim=1).sum(dim=1)
    assert (width / height < 0.6).all()
    assert (width / height > 0.25).any()


def test_what_is_not_covered_stays() -> None:
    x = torch.rand(20, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    placed = paste(x, torch.full((3, 8, 8), 2.0), Placement(Noise(0), 20, 0.5, (16, 16)))
    covered = placed > 1.5
    assert 0.1 < covered.float().mean() < 0.3
    assert torch.equal(placed[~covered], x[~covered])


def test_the_best_sticker_on_a_linear_model_is_white_where_weights_are_positive() -> None:
    model = Linear((1, 16, 16))
    with torch.no_grad():
        model.w.fill_(1.0)
        model.b.fill_(-180.0)
    x = middling(shape=(1, 16, 16))
    y = torch.zeros(20, dtype=torch.int64)
    sticker = make(model, x, y, Noise(0), size=0.6, target=1)
    rows, columns = torch.meshgrid(torch.arange(16) - 7.5, torch.arange(16) - 7.5, indexing="ij")
    inside = rows**2 + columns**2 < 7**2
    assert (sticker.patch[0, inside] > 0.99).all()
    found = stick(model, sticker, x, y, Noise(1), target=1)
    with torch.no_grad():
        before = model.predict(x).probs
    assert (found.probabilities[:, 1] > before[:, 1]).all()
    assert all(p.grad is None and p.requires_grad for p in model.parameters())


def test_the_same_seed_gives_the_same_sticker() -> None:
    model, x = Linear((1, 16, 16)), middling(shape=(1, 16, 16))
    y = torch.zeros(20, dtype=torch.int64)
    first, second = (make(model, x, y, Noise(3), steps=3).patch for _ in range(2))
    assert torch.equal(first, second)
    with pytest.raises(ConfigError, match="size"):
        make(model, x, y, Noise(3), size=1.5)
