"""A generator, its data and its samples, divided into groups."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from simulacra.audit.generator.group_classifier import Grouping
from simulacra.audit.generator.prevalence import Prevalence
from simulacra.audit.shared.findings import slug
from simulacra.audit.shared.rates import unique
from simulacra.core.batch import to_bytes
from simulacra.core.capabilities import Samples
from simulacra.core.inference import draw
from simulacra.data.spec import Data
from simulacra.metrics.features import Extractor
from simulacra.metrics.statistics import Statistics, as_examples


@dataclass(frozen=True)
class GroupedGenerator:
    """A generator with its data and samples in groups.

    Attributes:
        model: the generator.
        data: its splits.
        split: the split whose shares are the shares of the data.
        groupings: ways to divide examples into groups.
        samples: in the units of the stored data, `(n, ...)`.
        predicted: predicted group of each sample `(n,)`, for every grouping.
        extractor: of the features that are compared.
        minimum: examples that a number of a group needs.
        seed: random seed.
    """

    model: Samples
    data: Data
    split: str
    groupings: Sequence[Grouping]
    samples: np.ndarray
    predicted: Sequence[np.ndarray]
    extractor: Extractor
    minimum: int
    seed: int

    @property
    def image(self) -> bool:
        """Whether the examples are images."""
        return self.data.spec.kind == "image"

    @property
    def noun(self) -> str:
        """What examples are called."""
        return "pictures" if self.image else "examples"

    @property
    def split_noun(self) -> str:
        """What the examples are called whose shares are the shares of the data."""
        return f"{'training' if self.split == 'train' else self.split} {self.noun}"

    @cached_property
    def keys(self) -> list[str]:
        """What the names of findings call each grouping."""
        # truncation.coverage is taken
        keys = ["coverage"]
        for grouping in self.groupings:
            keys.append(unique(slug(grouping.name), keys))
        return keys[1:]

    @cached_property
    def held_out(self) -> np.ndarray:
        """Validation and test examples, in the order of `Grouping.held_out`."""
        return np.concatenate([self.data.validation.x, self.data.test.x])

    def features(self, x: np.ndarray) -> np.ndarray:
        """Features `(N, F)` of stored examples."""
        return Statistics(x, self.extractor).features

    def prevalence(self, i: int, predicted: np.ndarray, stream: int = 1) -> Prevalence:
        """Shares of the large groups of a grouping behind the predicted groups of samples `(n,)`."""
        grouping = self.groupings[i]
        confusions = grouping.confusions[grouping.large(self.minimum)]
        return Prevalence(confusions, grouping.counts(predicted), self.seed, stream)


def stored_samples(model: Samples, n: int, seed: int, truncation: float = 1.0) -> np.ndarray:
    """Samples as the data are stored: images as uint8.

    Raises:
        DataError: a sample is not finite.
    """
    x = draw(model, n, seed, truncation)
    return as_examples(x) if bool(x.isnan().any()) or model.spec.kind != "image" else to_bytes(x)
