"""Models of sentences whose samples and reconstructions a test chooses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from simulacra.core.capabilities import Reconstructs, Samples
from simulacra.core.latents import LatentSpace
from simulacra.core.noise import Noise
from simulacra.data.spec import Data, Dataset, DataSpec
from simulacra.data.text.vocabulary import Vocabulary
from simulacra.probability.distributions import Delta

LONGEST = 6
VOCABULARY = Vocabulary("words", " ".join(f"\u2581{letter}" for letter in "abcdefg"))
SPEC = DataSpec("text", (LONGEST,), vocabulary=VOCABULARY)


def rows(texts: Sequence[str]) -> np.ndarray:
    return VOCABULARY.encode(texts, LONGEST)


def sentence_data(train: Sequence[str], test: Sequence[str]) -> Data:
    of = [Dataset(SPEC, rows(texts)) for texts in (train, [], test)]
    return Data("some", *of)


class Sampler(Samples):
    """Repeats some sentences."""

    def __init__(self, x: np.ndarray, spec: DataSpec = SPEC) -> None:
        super().__init__(spec, None)
        self.register_buffer("x", torch.from_numpy(x).long())
        self.register_buffer("one", torch.ones(()))

    def sample(
        self, n: int, seed: int | Noise = 0, *, truncation: float = 1.0, draw: bool | None = None
    ) -> Tensor:
        x = self.get_buffer("x")
        return x.repeat(-(-n // len(x)), 1)[:n]


class Walker(Reconstructs):
    """A sentence is encoded by its first letter, a, b, ..., as 0, 1, ...; z is decoded to some sentence."""

    def __init__(self, decoded: Any) -> None:
        super().__init__(SPEC, None)
        self.spaces = (LatentSpace("z", (1,)),)
        self.decoded = decoded
        self.register_buffer("one", torch.ones(()))

    def encode(self, x: Tensor, space: str | None = None) -> Any:
        return Delta(x[:, :1].float() - 3)

    def decode(self, z: Tensor, space: str | None = None) -> Any:
        return Delta(torch.from_numpy(rows([self.decoded(one) for one in z[:, 0].tolist()])).long())
