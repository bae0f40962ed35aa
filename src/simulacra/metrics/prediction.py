"""How good a predicted distribution is: errors, calibration, and the continuous ranked probability score.

All of them take one distribution for every number, as `distributions.marginals` gives them.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import pi, sqrt
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor
from torch.distributions import (
    ContinuousBernoulli,
    Distribution,
    Laplace,
    MixtureSameFamily,
    Normal,
)

from simulacra.core.batch import Batch, in_order
from simulacra.core.capabilities import Predicts
from simulacra.data.spec import Truth
from simulacra.metrics.confusion import Confusion
from simulacra.metrics.registry import Measurement, Metric, register
from simulacra.probability.distributions import marginals

if TYPE_CHECKING:
    from simulacra.metrics.evaluation import Evaluation

# central intervals whose coverage is measured
INTERVALS = (50, 80, 95)
# families with a distribution function
WITH_CDF = (Normal, Laplace, ContinuousBernoulli, MixtureSameFamily)
# nodes of the quadrature on [0, 1]
NODES = 512
# of the histogram of the probability integral transform
PIT_BINS = 10


def pit(p: Distribution, y: Tensor) -> Tensor:
    """Probability integral transform F(y): uniform on [0, 1] where p is right (Dawid 1984); as shaped as y.

    >>> pit(Normal(torch.zeros(2), 1.0), torch.tensor([0.0, 10.0]))
    tensor([0.5000, 1.0000])
    """
    return p.cdf(y).clamp(0, 1)


def covered(u: Tensor, percent: float) -> Tensor:
    """1 where the central interval of this many percent holds the value whose transform is u, else 0."""
    return ((u - 0.5).abs() <= percent / 200).float()


def crps(p: Distribution, y: Tensor) -> Tensor:
    """Continuous ranked probability score, the integral of (F(t) - [t >= y])^2; as shaped as y, 0 is best.

    In the units of y, and |y - mean| for a distribution without spread. Normal: Gneiting and Raftery
    2007, eq. 21; mixtures of normals: Grimit et al. 2006, eq. 5.

    >>> crps(Normal(torch.zeros(1), 1.0), torch.zeros(1))
    tensor([0.2337])

    Raises:
        TypeError: p is of no family in `WITH_CDF`.
    """
    match p:
        case Normal():
            return _normal_distance(y - p.loc, p.scale) - p.scale / sqrt(pi)
        case MixtureSameFamily():
            return _mixture_crps(p, y)
        case Laplace():
            away = (y - p.loc).abs()
            return away + p.scale * torch.exp(-away / p.scale) - 0.75 * p.scale
        case ContinuousBernoulli():
            t = (torch.arange(NODES, device=y.device) + 0.5) / NODES
            F = p.cdf(t.view(-1, *(1 for _ in y.shape)).expand(NODES, *y.shape))
            above = (t.view(-1, *(1 for _ in y.shape)) >= y).float()
            return (F - above).square().mean(dim=0)
    raise TypeError(f"the score of a {type(p).__name__} is not known")


def _mixture_crps(p: MixtureSameFamily, y: Tensor) -> Tensor:
    """E|Y - y| - 1/2 E|Y - Y'| for Y, Y' ~ p: both are sums over (pairs of) components."""
    w = p.mixture_distribution.probs
    mu, sigma = p.component_distribution.mean, p.component_distribution.stddev
    near = (w * _normal_distance(y[..., None] - mu, sigma)).sum(dim=-1)
    spread = torch.zeros_like(near)
    for k in range(mu.shape[-1]):
        both = (sigma**2 + sigma[..., k : k + 1] ** 2).sqrt()
        each = _normal_distance(mu - mu[..., k : k + 1], both)
        spread = spread + w[..., k] * (w * each).sum(dim=-1)
    return near - 0.5 * spread


def _normal_distance(m: Tensor, sigma: Tensor) -> Tensor:
    """E|X| for X ~ N(m, sigma^2) = m (2 Phi(m / sigma) - 1) + 2 sigma phi(m / sigma)."""
    z = m / sigma
    return m * torch.erf(z / sqrt(2)) + sigma * sqrt(2 / pi) * torch.exp(-0.5 * z**2)


def calibration_error(probs: Tensor, y: Tensor, bins: int = 15) -> float:
    """Expected calibration error of classes in [0, 1] (Guo et al. 2017, eq. 3).

    Args:
        probs: of the classes, `(N, K)`.
        y: labels `(N,)`.
        bins: of equal width over the confidence.

    >>> calibration_error(torch.tensor([[1.0, 0.0], [1.0, 0.0]]), torch.tensor([0, 1]))
    0.5
    """
    confidence, guess = probs.max(dim=1)
    right = (guess == y).to(confidence)
    place = (confidence * bins).ceil().long().clamp(1, bins) - 1
    # |B| / N |acc(B) - conf(B)|: the sums over each bin, over N
    gaps = torch.zeros(bins).to(probs).index_add_(0, place, right - confidence)
    return float(gaps.abs().sum() / len(y))


def _prediction(evaluation: Evaluation) -> dict[str, Any]:
    """`nll` of the targets, and errors and calibration of numbers or of classes."""
    model = evaluation.model
    batches = list(in_order(evaluation.dataset, evaluation.batch_size, model.device, evaluation.seed))
    nll = torch.cat([-model.predict(batch.x).log_prob(model.targets(batch)) for batch in batches])
    numbers: dict[str, Any] = {"nll": nll.double().mean().item()}
    targets, p = model.targets(batches[0]), model.predict(batches[0].x[:1])
    if targets.dtype == torch.int64 or not isinstance(marginals(p), WITH_CDF):
        return numbers | _of_classes(model, batches)
    return numbers | _of_numbers(model, batches) | _of_truth(model, evaluation.data.truth, batches)


def _of_numbers(model: Any, batches: Sequence[Batch]) -> dict[str, Any]:
    """Averages over all targets and, where there are several, over those of each of the `columns`."""
    rows = [_each_number(model, batch) for batch in batches]
    each = {name: torch.cat([row[name] for row in rows]).double().cpu() for name in rows[0]}
    counts = torch.histc(each.pop("pit").float(), PIT_BINS, 0, 1)
    totals = {name: values.mean().item() for name, values in each.items()}
    numbers: dict[str, Any] = {"rmse": totals.pop("squared_error") ** 0.5, **totals}
    numbers["pit_histogram"] = (counts / counts.sum()).tolist()
    columns = model.spec.target.columns
    if len(columns) > 1:
        by_column = {name: values.mean(dim=0).tolist() for name, values in each.items()}
        by_column["rmse"] = [value**0.5 for value in by_column.pop("squared_error")]
        numbers["columns"] = {
            column: {name: values[i] for name, values in by_column.items()}
            for i, column in enumerate(columns)
        }
    return numbers


def _each_number(model: Any, batch: Batch) -> dict[str, Tensor]:
    """Values of every number of every target, each `(B, T)`, of images `(B, C * H * W)`."""
    p, y = marginals(model.predict(batch.x)), model.targets(batch)
    u = pit(p, y)
    values = {"squared_error": (p.mean - y).square(), "crps": crps(p, y), "pit": u}
    values |= {f"coverage_{percent}": covered(u, percent) for percent in INTERVALS}
    return {name: value.flatten(1) for name, value in values.items()}


def _of_classes(model: Any, batches: Sequence[Batch]) -> dict[str, Any]:
    """Of a categorical `(B,)` over K classes, or of Bernoulli numbers."""
    means, targets = [], torch.cat([model.targets(batch) for batch in batches])
    labels = targets.dtype == torch.int64 or model.spec.target is None
    for batch in batches:
        p = model.predict(batch.x)
        means.append(p.probs if targets.dtype == torch.int64 else p.mean)
    probs = torch.cat(means)
    if targets.dtype != torch.int64:
        if not bool(((targets == 0) | (targets == 1)).all()):
            return {"rmse": (probs - targets).square().mean().sqrt().item()}
        # every number is a prediction of its own with two classes
        probs, targets = probs.flatten(), targets.flatten().long()
        probs = torch.stack([1 - probs, probs], dim=1)
    guess, classes = probs.argmax(dim=1), model.spec.classes
    numbers: dict[str, Any] = {"accuracy": (guess == targets).double().mean().item()}
    if labels:
        confusion = Confusion.of(targets.cpu().numpy(), guess.cpu().numpy(), len(classes))
        numbers["accuracy_of_majority"] = targets.bincount().max().item() / len(targets)
        numbers["balanced_accuracy"] = float(np.nanmean(confusion.recall.value))
        numbers["by_class"] = confusion.by_class(classes)
    return numbers | {"calibration_error": calibration_error(probs, targets)}


def _of_truth(model: Any, truth: Truth, batches: Sequence[Batch]) -> dict[str, Any]:
    """Against the exact conditional of simulated data, and from predicted targets back to their inputs."""
    numbers: dict[str, Any] = {}
    x = torch.cat([batch.x for batch in batches]).cpu().numpy()
    if truth.log_conditional is not None:
        y = torch.cat([model.targets(batch) for batch in batches]).cpu().numpy()
        numbers["nll_exact"] = -float(np.mean(truth.log_conditional(x, y)))
    if truth.forward is not None:
        predictions = [(model.predict(batch.x), batch.noise) for batch in batches]
        predicted = {
            "": torch.cat([noise.draw(p) for p, noise in predictions]),
            "_of_mean": torch.cat([p.mean for p, _ in predictions]),
        }
        for name, targets in predicted.items():
            error = np.linalg.norm(truth.forward(targets.cpu().numpy()) - x, axis=1) / truth.size
            numbers[f"round_trip_error{name}"] = float(np.median(error))
            numbers[f"round_trip_within_2_percent{name}"] = float((error < 0.02).mean())
    return numbers


PREDICTION = register(Measurement(
    name="prediction", needs=(Predicts,),
    metrics=(
        Metric("nll", "negative log-likelihood", "nats", "-log p(y | x) of the target or class of an example",
            "lower"),
        Metric("rmse", "root mean squared error", meaning="of the predicted mean, in the units of the target",
            better="lower"),
        Metric("crps", "CRPS",
            meaning="continuous ranked probability score, which compares the whole predicted distribution"
            " with the observed value, in its units; the absolute error of a prediction without spread",
            better="lower"),
        *(
            Metric(f"coverage_{percent}", f"coverage of {percent}% intervals", "%",
                f"observed values inside the central interval; {percent} is right")
            for percent in INTERVALS
        ),
        Metric("accuracy", "accuracy", "%", "examples whose class is predicted correctly", "higher"),
        Metric("accuracy_of_majority", "accuracy of the majority class", "%",
            "what predicting the most frequent class for every example achieves"),
        Metric("balanced_accuracy", "balanced accuracy", "%",
            "mean over the classes of the share of their examples that is predicted correctly", "higher"),
        Metric("calibration_error", "calibration error", "%",
            "mean difference between the probability of the predicted class and how often it is correct"
            " (ECE, 15 bins)", "lower"),
        Metric("nll_exact", "exact negative log-likelihood", "nats",
            "-log p(y | x) under the distribution that the data were simulated from: the lowest possible"),
        Metric("round_trip_error", "round-trip error", "%",
            "median distance between inputs and those that drawn targets lead to, as a share of the size",
            "lower"),
        Metric("round_trip_within_2_percent", "round trips within 2%", "%",
            "drawn targets that lead back to within 2% of the size", "higher"),
        Metric("round_trip_error_of_mean", "round-trip error of the mean", "%",
            "the same for the mean of the targets, which need not be a possible target itself"),
        Metric("round_trip_within_2_percent_of_mean", "round trips of the mean within 2%", "%",
            "the same for the mean of the targets"),
    ),
    settings=("pit_histogram", "by_class"), compute=_prediction, order=40,
))  # fmt: skip
