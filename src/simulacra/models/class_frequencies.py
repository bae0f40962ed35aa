"""How frequent the classes of the training data are, for models whose samples have them as frequently."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from simulacra.core.model import Model
from simulacra.data.spec import Dataset, DataSpec


class ClassFrequencies(Model):
    """A model that learns how frequent classes are.

    Attributes:
        frequencies: of the classes in the training data `(K,)`; samples have them too.
    """

    frequencies: Tensor

    def __init__(self, spec: DataSpec, config: Any, *others: Any) -> None:
        """Raises ConfigError for data that the model cannot be trained on."""
        super().__init__(spec, config, *others)
        self.register_buffer("frequencies", torch.full((len(spec.classes),), 1 / len(spec.classes)))

    def prepare(self, train: Dataset) -> None:
        """Learn the frequencies."""
        super().prepare(train)
        assert train.y is not None, "the spec has classes"
        counts = np.bincount(train.y, minlength=len(self.spec.classes))
        self.frequencies.copy_(torch.from_numpy(counts / counts.sum()))

    def classes_at(self, u: Tensor) -> Tensor:
        """Classes `(B,)` at quantiles u `(B,)` of their frequencies."""
        return torch.searchsorted(self.frequencies.cumsum(0), u).clamp(max=len(self.frequencies) - 1)
