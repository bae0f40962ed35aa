"""What a report is made of: the model, the data if it is still there, and what the model makes of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from simulacra.core.batch import in_order
from simulacra.core.capabilities import Decodes, Encodes, Predicts
from simulacra.core.model import Model
from simulacra.data import Data
from simulacra.data.spec import Dataset
from simulacra.errors import SimulacraError
from simulacra.probability.distributions import kl_to_standard_normal
from simulacra.run import Run, RunConfig

# held-out examples that are encoded: enough for a map
ENCODED = 2000
BATCH = 128


@dataclass(frozen=True)
class Codes:
    """What the encoder says about held-out examples.

    Attributes:
        mean: of q(z | x), `(N, Z)`.
        stddev: of q(z | x), `(N, Z)`.
    """

    mean: Tensor
    stddev: Tensor

    def kl(self) -> np.ndarray:
        """KL(q(z_j | x) || N(0, 1)) of every dimension on average over the examples, nats `(Z,)`.

        The sum is the KL term of
        the bound where q factorises over the dimensions, as in a VAE and in probabilistic PCA.
        """
        return np.asarray(kl_to_standard_normal(self.mean.double(), self.stddev.double()).mean(dim=0))

    def variance(self) -> np.ndarray:
        """Variance of the means over the examples, `(Z,)`."""
        return np.asarray(self.mean.double().var(dim=0, correction=0))


@dataclass(frozen=True)
class Material:
    """A run, opened for a report.

    Attributes:
        model: trained, in evaluation mode.
        data: what it was trained on; None when that is not there any more.
        missing: why `data` is None; empty otherwise.
        split: the split that `held` comes from.
        held: at most 2,000 random held-out examples with their labels and targets, the same for the same
            seed; None without data.
        codes: of `held`; None without data or for a model that does not encode.
    """

    run: Run
    config: RunConfig
    model: Model
    data: Data | None
    missing: str
    split: str
    held: Dataset | None
    codes: Codes | None


def gather(run: Run) -> Material:
    """Load the model of a run and, where it is still there, its data.

    Raises:
        RunError: there is no run, or it has no weights.
    """
    config, model = run.config, run.load()
    data, missing = load_data(run, config)
    split, held = "", None
    if data is not None:
        split, held = _held_out(data, config.training.seed)
    codes = None
    if held is not None and isinstance(model, Encodes):
        codes = _encode(model, held)
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


def untrained(model: Model) -> bool:
    """Whether it has seen no data: nothing moves its nets, and nothing in it was fitted to examples."""
    return not model.players and not isinstance(model, Encodes | Predicts)


@torch.no_grad()
def decoded(model: Decodes, z: Tensor) -> Tensor:
    """The means of p(x | z) for `(N, Z)`."""
    return torch.cat([model.decode(part).mean for part in z.split(BATCH)])


def _held_out(data: Data, seed: int) -> tuple[str, Dataset | None]:
    for split in ("test", "validation"):
        dataset = data.split(split)
        if len(dataset):
            index = np.random.default_rng(seed).permutation(len(dataset))[:ENCODED]
            return split, dataset.take(index)
    return "", None


@torch.no_grad()
def _encode(model: Encodes, dataset: Dataset) -> Codes:
    q = [model.encode(batch.x) for batch in in_order(dataset, BATCH, torch.device("cpu"))]
    return Codes(torch.cat([part.mean for part in q]), torch.cat([part.stddev for part in q]))
