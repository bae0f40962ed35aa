"""Measure a trained model on held-out data: every number its capabilities allow."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from simulacra.data.spec import Data, Dataset
from simulacra.engine.batches import in_order
from simulacra.errors import ConfigError, DataError, nearest
from simulacra.game import Bounds, Decodes, Encodes, Model, Scores
from simulacra.metrics.latents import active_units, knn_accuracy, linear_probe_accuracy
from simulacra.metrics.reconstruction import mse, psnr, ssim

METRICS = ("elbo", "nll", "reconstruction", "latents")


@torch.no_grad()
def evaluate(
    model: Model,
    data: Data,
    split: str = "test",
    metrics: Sequence[str] = METRICS,
    importance_samples: int = 100,
    examples: int | None = None,
    batch_size: int = 100,
    seed: int = 0,
) -> dict[str, Any]:
    """Numbers on one split, averaged over examples; log-likelihoods in nats an example.

    Args:
        model: a trained model.
        data: the splits; `latents` also reads the training split, to fit its probes.
        split: `train`, `validation` or `test`.
        metrics: groups out of `METRICS`; those the model has no capability for are left out.
        importance_samples: draws k of z for an estimated log-likelihood.
        examples: the first so many of the split; all of it when not given.
        batch_size: examples at a time.
        seed: of all noise.

    Returns:
        `elbo`, `reconstruction`, `kl` (elbo); `nll`, `importance_samples` (nll); `mse`, `psnr`, `ssim`
        (reconstruction); `active_units`, `latent_dim`, `knn_accuracy`, `linear_probe_accuracy` (latents).

    Raises:
        ConfigError: an unknown metric.
        DataError: the split is empty.

    >>> import tempfile, simulacra as sim
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     model = sim.train("pca", "digits", f"{folder}/run", latent_dim=8)
    >>> round(evaluate(model, sim.load_data("digits"))["linear_probe_accuracy"], 1)
    0.9
    """
    for name in metrics:
        if name not in METRICS:
            raise ConfigError(f"metrics: unknown '{name}', {nearest(name, METRICS)}")
    if importance_samples < 1 or (examples is not None and examples < 1):
        raise ConfigError("importance_samples and examples: must be at least 1")
    dataset = data.split(split)
    dataset = dataset.take(slice(0, examples or len(dataset)))
    if len(dataset) == 0:
        raise DataError(f"{data.name}@{split}: no examples to evaluate on; choose another split or more data")
    numbers: dict[str, Any] = {"data": f"{data.name}@{split}", "examples": len(dataset), "seed": seed}
    sums: dict[str, float] = defaultdict(float)
    for batch in in_order(dataset, batch_size, model.device, seed):
        for name, values in _of_batch(model, batch, metrics, importance_samples).items():
            sums[name] += values.double().sum().item()
    numbers |= {name: total / len(dataset) for name, total in sums.items()}
    # a model that knows its likelihood exactly draws no samples
    if "nll" in sums and model.players:
        numbers["importance_samples"] = importance_samples
    if "latents" in metrics and isinstance(model, Encodes):
        numbers |= _of_latents(model, data.train, dataset, batch_size)
    return numbers


def _of_batch(model: Model, batch: Any, metrics: Sequence[str], k: int) -> dict[str, torch.Tensor]:
    numbers: dict[str, torch.Tensor] = {}
    x = model.observed(batch.x, batch.noise)
    if "elbo" in metrics and isinstance(model, Bounds):
        elbo = model.elbo(x, batch.noise)
        numbers |= {"elbo": elbo.value, "reconstruction": elbo.reconstruction, "kl": elbo.kl}
    if "nll" in metrics and isinstance(model, Scores):
        numbers["nll"] = -model.log_likelihood(x, batch.noise, k)
    if "reconstruction" in metrics and isinstance(model, Encodes) and isinstance(model, Decodes):
        y = model.decode(model.encode(batch.x).mean).mean
        numbers["mse"] = mse(batch.x, y)
        if model.spec.kind == "image":
            y = y.clamp(0, 1)
            numbers |= {"psnr": psnr(batch.x, y), "ssim": ssim(batch.x, y)}
    return numbers


def encode_all(model: Encodes, dataset: Dataset, batch_size: int, device: torch.device) -> np.ndarray:
    """Posterior means of a whole split, `(N, Z)`."""
    means = [model.encode(batch.x).mean.cpu() for batch in in_order(dataset, batch_size, device)]
    return torch.cat(means).numpy()


def _of_latents(model: Any, train: Dataset, dataset: Dataset, batch_size: int) -> dict[str, Any]:
    mu = encode_all(model, dataset, batch_size, model.device)
    numbers: dict[str, Any] = {"active_units": active_units(mu), "latent_dim": mu.shape[1]}
    if train.y is not None and dataset.y is not None:
        mu_train = encode_all(model, train, batch_size, model.device)
        numbers["knn_accuracy"] = knn_accuracy(mu_train, train.y, mu, dataset.y)
        numbers["linear_probe_accuracy"] = linear_probe_accuracy(mu_train, train.y, mu, dataset.y)
    return numbers
