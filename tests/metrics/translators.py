"""Models that translate in ways whose numbers are known, and a classifier that goes by brightness."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor
from torch.distributions import Categorical

from simulacra.core.capabilities import Cycles, Predicts, Translates
from simulacra.core.noise import Noise
from simulacra.data.spec import Data, Dataset, DataSpec

IMAGE = DataSpec("image", (1, 8, 8))
DOMAINS = replace(IMAGE, classes=("dark", "bright"))
PAIRS = replace(IMAGE, target=IMAGE)


class Stub(Translates):
    """Translates images into themselves."""

    def __init__(self, spec: DataSpec) -> None:
        super().__init__(spec, None)
        self.register_buffer("somewhere", torch.zeros(1))

    def translate(self, x: Tensor, seed: int | Noise = 0, to: str | None = None) -> Tensor:
        return x


class Cycle(Cycles, Stub):
    """The same of two domains."""

    def cycle(self, x: Tensor, y: Tensor | None) -> tuple[Tensor, Tensor]:
        assert y is not None
        first, second = self.spec.classes
        there = [self.translate(one[None], Noise(0), (second, first)[k]) for one, k in zip(x, y, strict=True)]
        back = [self.translate(one, Noise(0), (first, second)[k]) for one, k in zip(there, y, strict=True)]
        return torch.cat(there), torch.cat(back)


class Inverts(Cycle):
    """Dark for bright."""

    def translate(self, x: Tensor, seed: int | Noise = 0, to: str | None = None) -> Tensor:
        return 1 - x


class Constant(Cycle):
    """One grey, whatever it is shown."""

    def translate(self, x: Tensor, seed: int | Noise = 0, to: str | None = None) -> Tensor:
        return torch.full_like(x, 0.25)


class Hides(Cycle):
    """One grey to look at, and the image in what 8 bits leave out, from where it comes back."""

    def translate(self, x: Tensor, seed: int | Noise = 0, to: str | None = None) -> Tensor:
        if to == self.spec.classes[1]:
            return (128 + 0.9 * (x - 0.5)) / 255
        return (255 * x - (255 * x).round()) / 0.9 + 0.5


class Varies(Stub):
    """The input, inverted, less up to a fifth that each noise chooses for the whole image."""

    def translate(self, x: Tensor, seed: int | Noise = 0, to: str | None = None) -> Tensor:
        return 1 - x - 0.2 * Noise.of(seed).uniform(len(x), 1, 1, 1)


class Brightness(Predicts):
    """Bright is what is above a half on average."""

    def __init__(self, classes: tuple[str, ...] = DOMAINS.classes) -> None:
        super().__init__(replace(IMAGE, classes=classes), None)
        self.register_buffer("somewhere", torch.zeros(1))

    def features(self, x: Tensor) -> Tensor:
        return x.flatten(1).mean(dim=1, keepdim=True)

    def predict(self, x: Tensor) -> Categorical:
        bright = self.features(x) - 0.5
        return Categorical(logits=torch.cat([-bright, bright], dim=1))

    def targets(self, batch: object) -> Tensor:
        raise NotImplementedError


def images(seed: int, n: int, low: int = 0, high: int = 256) -> np.ndarray:
    return np.random.default_rng(seed).integers(low, high, (n, *IMAGE.shape), dtype=np.uint8)


def domains(n: int = 30) -> Data:
    """Every split n dark images and the same n inverted, the dark ones first."""

    def split(seed: int) -> Dataset:
        dark = images(seed, n, 0, 100)
        return Dataset(DOMAINS, np.concatenate([dark, 255 - dark]), np.repeat([0, 1], n))

    return Data("domains", split(1), split(2), split(3))


def pairs(n: int = 30) -> Data:
    """Every split n images of at least a fifth and no more than one, their targets inverted."""

    def split(seed: int) -> Dataset:
        x = images(seed, n, 0, 204)
        return Dataset(PAIRS, x, target=255 - x)

    return Data("pairs", split(1), split(2), split(3))
