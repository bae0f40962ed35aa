"""What a report is made of: the model, its data where they can be read, and their latents."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Generic, TypeVar

import numpy as np
import torch
from torch import Tensor
from torch.distributions import Categorical

from simulacra.core.batch import at_most, random_subset, tensor
from simulacra.core.capabilities import Encodes, Predicts
from simulacra.core.inference import encode_all, predict_all
from simulacra.core.model import Model
from simulacra.data import Data
from simulacra.data.spec import Dataset
from simulacra.errors import SimulacraError
from simulacra.probability.distributions import kl_to_standard_normal
from simulacra.run import Run, RunConfig

# held-out examples that are encoded: enough for a map; and fewer where that would take hours
ENCODED, ENCODED_SLOWLY = 2000, 200
# held-out examples that are classified
CLASSIFIED = 10_000

M = TypeVar("M", bound=Model)


@dataclass(frozen=True)
class Codes:
    """The encodings of held-out examples.

    Attributes:
        mean: of q(z | x), `(N, Z)`.
        stddev: of q(z | x), `(N, Z)`.
    """

    mean: Tensor
    stddev: Tensor

    def kl(self) -> np.ndarray:
        """KL(q(z_j | x) || N(0, 1)) of every dimension on average over the examples, nats `(Z,)`.

        The sum is the KL term of the bound where q factorises over the dimensions, as in a VAE and in
        probabilistic PCA.
        """
        return np.asarray(kl_to_standard_normal(self.mean.double(), self.stddev.double()).mean(dim=0))

    def variance(self) -> np.ndarray:
        """Variance of the means over the examples, `(Z,)`."""
        return np.asarray(self.mean.double().var(dim=0, correction=0))


@dataclass(frozen=True)
class Classified:
    """The predicted classes of held-out examples.

    Attributes:
        examples: the examples.
        probs: of the classes, `(N, K)`.
        y: their labels, `(N,)`.
    """

    examples: Dataset
    probs: np.ndarray
    y: np.ndarray

    @property
    def predicted(self) -> np.ndarray:
        """The most probable class of each, `(N,)`."""
        return np.asarray(self.probs.argmax(axis=1))

    @property
    def confidence(self) -> np.ndarray:
        """The probability of the predicted class of each, `(N,)`."""
        return np.asarray(self.probs.max(axis=1))


@dataclass(frozen=True)
class Material(Generic[M]):
    """A run, opened for a report.

    Attributes:
        run: its folder.
        config: its settings.
        model: trained, in evaluation mode.
        data: what it was trained on; None when that cannot be read any more.
        missing: why `data` is None; empty otherwise.
        split: the split that `held` comes from.
        held: at most 2,000 random held-out examples with their labels and targets, the same for the same
            seed, or 200 for a slow encoder; None without data.
        codes: of `held`; None without data or for a model that does not encode.
    """

    run: Run
    config: RunConfig
    model: M
    data: Data | None
    missing: str
    split: str
    held: Dataset | None
    codes: Codes | None

    @cached_property
    def classified(self) -> Classified | None:
        """At most 10,000 examples of `split`; None without labels, or if the model predicts no classes."""
        spec, model = self.config.spec, self.model
        if self.data is None or self.held is None or not isinstance(model, Predicts):
            return None
        examples = at_most(CLASSIFIED, self.data.split(self.split), self.config.training.seed)
        if examples.y is None or examples.spec.classes != spec.classes:
            return None
        if spec.target is not None and not isinstance(model.predict(tensor(examples.x[:1])), Categorical):
            return None
        probs = []
        for p, _ in predict_all(model, examples):
            # of one number it is the probability of the second of two classes
            one = p.probs if isinstance(p, Categorical) else torch.cat([1 - p.mean, p.mean], dim=1)
            probs.append(one.cpu())
        return Classified(examples, torch.cat(probs).numpy(), examples.y)


def gather(run: Run) -> Material[Any]:
    """Load the model of a run and, where they can be read, its data.

    Raises:
        RunError: there is no run, or it has no weights.
    """
    config, model = run.config, run.load()
    data, missing = load_data(run, config)
    split, held = "", None
    if data is not None:
        n = ENCODED_SLOWLY if "latents" in model.on_request else ENCODED
        split, held = _held_out(data, n, config.training.seed)
    codes = None
    if held is not None and isinstance(model, Encodes):
        codes = Codes(*encode_all(model, held))
    return Material(run, config, model, data, missing, split, held, codes)


def load_data(run: Run, config: RunConfig) -> tuple[Data | None, str]:
    """The data of a run, or None and the reason."""
    try:
        data = run.data()
    except SimulacraError as error:
        return None, str(error)
    ours, theirs = config.spec, data.spec
    if theirs.shape != ours.shape:
        return None, f"{data.name}: its examples now have shape {theirs.shape}, not {ours.shape}"
    if ours.target is not None and (theirs.target is None or theirs.target.shape != ours.target.shape):
        now = "are missing" if theirs.target is None else f"have shape {theirs.target.shape}"
        return None, f"{data.name}: its targets now {now}, not {ours.target.shape}"
    return data, ""


def _held_out(data: Data, n: int, seed: int) -> tuple[str, Dataset | None]:
    for split in ("test", "validation"):
        dataset = data.split(split)
        if len(dataset):
            return split, random_subset(dataset, n, seed)
    return "", None
