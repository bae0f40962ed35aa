"""What engine, metrics, attacks, audits and reports do with a trained model: sample, encode and decode.

Everything runs in evaluation mode, without gradients, and in parts that fit in memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from simulacra.core.batch import in_order, max_batch, tensor
from simulacra.core.capabilities import (
    BoundsLikelihood,
    Conditional,
    Decodes,
    Discriminates,
    Encodes,
    Predicts,
    Samples,
)
from simulacra.core.noise import derive_seed
from simulacra.data.spec import Dataset

# examples at a time
CHUNK = 128


@contextmanager
def eval_mode(model: nn.Module) -> Iterator[None]:
    """Evaluation mode inside, and every module's own mode afterwards.

    >>> net = nn.Dropout()
    >>> with eval_mode(net):
    ...     net.training
    False
    >>> net.training
    True
    """
    training = [module for module in model.modules() if module.training]
    model.eval()
    try:
        yield
    finally:
        for module in training:
            module.training = True


@torch.no_grad()
def draw(model: Samples, n: int, seed: int, truncation: float = 1.0) -> Tensor:
    """n samples, the same ones for the same seed and weights.

    Vectors are drawn from p(x | z), whose means vary less than the data and are no rows of a table; images
    are means, without the noise of their pixels.
    """
    with eval_mode(model):
        return model.sample(n, seed, truncation=truncation, draw=model.spec.kind == "vector")


@torch.no_grad()
def matched_samples(model: Samples, dataset: Dataset, seed: int) -> Tensor:
    """As many samples as the data set has examples, of the same classes where the model is conditional."""
    if dataset.y is None or not isinstance(model, Conditional):
        return draw(model, len(dataset), seed)
    x = torch.empty(dataset.x.shape, device=model.device)
    for y in np.unique(dataset.y).tolist():
        rows = torch.from_numpy(np.flatnonzero(dataset.y == y)).to(x.device)
        x[rows] = draw(model.for_class(y), len(rows), derive_seed(seed, y))
    return x


@torch.no_grad()
def decode(model: Decodes, z: Tensor, space: str | None = None) -> Tensor:
    """The means of p(x | z) for latents `(N, *shape)` of a space, on their device."""
    parts = z.split(CHUNK)
    with eval_mode(model):
        return torch.cat([model.decode(part.to(model.device), space).mean.to(z.device) for part in parts])


@torch.no_grad()
def encode_all(model: Encodes, dataset: Dataset, space: str | None = None) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of q(z | x) for every example, each `(N, *shape)` on the CPU."""
    batches = in_order(dataset, max_batch(dataset, CHUNK), model.device)
    with eval_mode(model):
        q = [model.encode(batch.x, space) for batch in batches]
        return torch.cat([part.mean for part in q]).cpu(), torch.cat([part.stddev for part in q]).cpu()


@torch.no_grad()
def kl_of_dimensions(model: BoundsLikelihood, dataset: Dataset, seed: int) -> Tensor | None:
    """KL(q(z_j | x) || p(z_j)) of each dimension on average over the examples, `(Z,)`.

    None where q does not factorise. Examples are as the likelihood takes them, and of several groups of
    latents those above are drawn.
    """
    total: Tensor | None = None
    with eval_mode(model):
        for batch in in_order(dataset, max_batch(dataset, CHUNK), model.device, seed):
            kl = model.elbo(model.observe(batch.x, batch.noise), batch.noise).kl_of_dimensions
            if kl is None:
                return None
            part = kl.double().sum(dim=0).cpu()
            total = part if total is None else total + part
    return None if total is None else total / len(dataset)


@torch.no_grad()
def predict_all(model: Predicts, dataset: Dataset) -> Iterator[tuple[Distribution, Tensor]]:
    """p(y | x) and y of every example, in order and a part at a time."""
    with eval_mode(model):
        for batch in in_order(dataset, max_batch(dataset, CHUNK), model.device):
            yield model.predict(batch.x), model.targets(batch)


@torch.no_grad()
def discriminate_all(model: Discriminates, x: np.ndarray | Tensor, y: np.ndarray | None) -> Tensor:
    """The discriminator's outputs `(N,)` on examples in the units of the data, with labels `(N,)` or None."""

    def rows(table: Any, start: int) -> Tensor:
        part = table[start : start + CHUNK]
        return part.to(model.device) if isinstance(part, Tensor) else tensor(part, model.device)

    with eval_mode(model):
        return torch.cat(
            [
                model.discriminate(rows(x, start), None if y is None else rows(y, start))
                for start in range(0, len(x), CHUNK)
            ]
        )
