"""How well a model tells anomalies from the data it was trained on: scores of examples, and their AUC."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from simulacra.core.batch import in_order
from simulacra.core.calls import trusted
from simulacra.core.capabilities import (
    BoundsLikelihood,
    EstimatesLikelihood,
    ImportanceWeighted,
    Reconstructs,
)
from simulacra.core.inference import eval_mode
from simulacra.core.model import Model
from simulacra.core.noise import Noise
from simulacra.data.spec import Dataset
from simulacra.errors import ConfigError
from simulacra.metrics.reconstruction import mse
from simulacra.metrics.registry import Measurement, Metric, register
from simulacra.metrics.roc import auc
from simulacra.probability.distributions import log_mean_exp

if TYPE_CHECKING:
    from simulacra.metrics.evaluation import Evaluation

# score -> the capability that has it
SCORES = {
    "reconstruction_error": Reconstructs,
    "negative_elbo": BoundsLikelihood,
    "nll": EstimatesLikelihood,
}
# draws of z that the bound of an example is averaged over, where it is not exact and has no weights
ELBO_DRAWS = 16


@torch.no_grad()
def anomaly_scores(
    model: Model, dataset: Dataset, importance_samples: int = 100, seed: int = 0, batch_size: int = 100
) -> dict[str, np.ndarray]:
    """Scores of examples, each `(N,)`; the larger, the less an example is like the training data.

    `reconstruction_error`, the mean squared error (of vectors in the units of the data); `negative_elbo` and
    `nll`, -ln p(x), in nats. Those that the model has a capability for. The ELBO of a vae is averaged over
    the draws of z that estimate ln p(x), so that `nll` is at most `negative_elbo` for each example.

    A high likelihood is no proof that an example is like the training data: simple images of another kind
    often have a higher one (Nalisnick et al. 2019, arXiv:1810.09136).

    >>> import tempfile, simulacra as sim
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     model = sim.train("pca", "digits", f"{folder}/run", latent_dim=8)
    >>> digits = sim.load_data("digits").test
    >>> noise = np.random.default_rng(0).integers(0, 256, digits.x.shape).astype(np.uint8)
    >>> usual = anomaly_scores(model, digits)["nll"]
    >>> bool(anomaly_scores(model, Dataset(digits.spec, noise))["nll"].min() > usual.max())
    True

    Args:
        model: a trained model.
        dataset: examples.
        importance_samples: draws of z for each example, for a log-likelihood or a bound that is estimated.
        seed: random seed.
        batch_size: examples at a time.

    Raises:
        ConfigError: the model has none of the scores.
    """
    if not isinstance(model, tuple(SCORES.values())):
        raise ConfigError(
            f"this {type(model).__name__} has no reconstructions and no likelihood to score examples by;"
            " train an autoencoder, a vae or a pca"
        )
    parts: list[dict[str, Tensor]] = []
    with eval_mode(model), trusted():
        for batch in in_order(dataset, batch_size, model.device, seed):
            x, part = model.observe(batch.x, batch.noise), {}
            if isinstance(model, Reconstructs):
                part["reconstruction_error"] = mse(batch.x, model.reconstruct(batch.x))
            parts.append(part | _likelihood_scores(model, x, batch.noise, importance_samples))
    return {key: torch.cat([part[key] for part in parts]).cpu().numpy() for key in parts[0]}


def _likelihood_scores(model: Model, x: Tensor, noise: Noise, samples: int) -> dict[str, Tensor]:
    """`negative_elbo` and `nll`, from the same draws of z where the model has their weights; each `(B,)`."""
    if isinstance(model, ImportanceWeighted):
        log_w = model.log_weights(x, noise, samples)
        return {"negative_elbo": -log_w.mean(dim=1), "nll": -log_mean_exp(log_w)}
    scores = {}
    if isinstance(model, BoundsLikelihood):
        draws = 1 if isinstance(model, EstimatesLikelihood) and model.exact else ELBO_DRAWS
        bounds = [model.elbo(x, noise).value for _ in range(draws)]
        scores["negative_elbo"] = -torch.stack(bounds).mean(dim=0)
    if isinstance(model, EstimatesLikelihood):
        scores["nll"] = -model.log_likelihood(x, noise, samples)
    return scores


def _anomaly(evaluation: Evaluation) -> Mapping[str, Any]:
    assert evaluation.anomalies is not None
    name, anomalies = evaluation.anomalies
    if min(len(anomalies), len(evaluation.dataset)) < 2:
        return {"left_out": "anomaly needs 2 examples and 2 anomalies"}
    numbers: dict[str, Any] = {"anomalies": name, "anomalous_examples": len(anomalies)}
    usual, other = (
        anomaly_scores(
            evaluation.model, part, evaluation.importance_samples, evaluation.seed, evaluation.batch_size
        )
        for part in (evaluation.dataset, anomalies)
    )
    for key in usual:
        scores = np.concatenate([usual[key], other[key]])
        area, low, high = auc(scores, np.arange(len(scores)) >= len(usual[key]))
        numbers |= {f"auc_{key}": area, f"auc_{key}_interval": [low, high]}
    return numbers


def _metric(key: str, label: str, score: str) -> Metric:
    return Metric(f"auc_{key}", f"anomaly AUC, {label}", better="higher",
        meaning=f"how often an anomaly has a larger {score} than an example of the data; 0.5 is chance",
        circumstances=", against {anomalous_examples:,} examples of {anomalies}")  # fmt: skip


ANOMALY = register(Measurement(
    name="anomaly", needs=tuple(SCORES.values()), slow=True,
    metrics=(
        _metric("reconstruction_error", "reconstruction error", "reconstruction error"),
        _metric("negative_elbo", "ELBO", "-ELBO"),
        _metric("nll", "log-likelihood", "-log p(x)"),
    ),
    settings=("anomalies", "anomalous_examples", *(f"auc_{key}_interval" for key in SCORES)),
    compute=_anomaly, order=12,
))  # fmt: skip
