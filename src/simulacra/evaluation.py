"""Measure a trained model on held-out data: every number its capabilities allow."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from simulacra.core.batch import Batch, in_order, max_batch, to_bytes, to_float
from simulacra.core.capabilities import (
    BoundsLikelihood,
    Conditional,
    Cycles,
    Decodes,
    Encodes,
    EstimatesLikelihood,
    Predicts,
    Samples,
    Translates,
)
from simulacra.core.model import Model
from simulacra.core.noise import Noise
from simulacra.data.spec import Data, Dataset, Truth
from simulacra.errors import ConfigError, DataError, nearest
from simulacra.metrics import judge, translation
from simulacra.metrics.features import Extractor, load_extractor
from simulacra.metrics.judge import Compared
from simulacra.metrics.latents import active_units, knn_accuracy, linear_probe_accuracy
from simulacra.metrics.prediction import INTERVALS, WITH_CDF, calibration_error, covered, crps, pit
from simulacra.metrics.reconstruction import mse, psnr, ssim
from simulacra.metrics.samples import mean_distance, mode_coverage, variance_ratio
from simulacra.metrics.translation import meanings, of_domain, read, readings
from simulacra.probability.distributions import marginals

METRICS = ("elbo", "nll", "reconstruction", "latents", "prediction", "samples", "translation")
# what a judge of samples and translations takes longer for
SCORES = (*judge.METRICS, "perceptual")
# samples that are drawn, at most, and translations that are scored
DRAWN = 10_000
# of scores, what is the same for every direction
ABOUT = ("extractor", "weights", "resize", "features", "seed", "left_out")
PIT_BINS = 10


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
    features: str | object = "raw",
    weights: str | Path | None = None,
    variants: int = translation.VARIANTS,
) -> dict[str, Any]:
    """Numbers on one split, averaged over examples; log-likelihoods in nats an example.

    Args:
        model: a trained model.
        data: the splits; `latents` also reads the training split, to fit its probes.
        split: `train`, `validation` or `test`.
        metrics: groups out of `METRICS` and `SCORES`; those the model has no capability for are left out.
        importance_samples: draws k of z for an estimated log-likelihood.
        examples: the first so many of the split, of a model that translates between two domains half of
            them from each; all of it when not given.
        batch_size: examples at a time.
        seed: of all noise.
        features: what `SCORES` compare: `raw` numbers, `efficientnet-lite0`, `inception`, or a model that
            has features.
        weights: a file of weights, for `inception`.
        variants: translations of each input of a pair, at least 2.

    Returns:
        `elbo`, `reconstruction`, `kl` (elbo); `nll`, `importance_samples` (nll); `mse`, `psnr`, `ssim`
        (reconstruction); `active_units`, `latent_dim`, `knn_accuracy`, `linear_probe_accuracy` (latents);
        `nll` of the targets, `rmse`, `crps`, `coverage_50`, `coverage_80`, `coverage_95`, `pit_histogram`,
        or `accuracy` and `calibration_error` of classes, and against what is known of simulated data
        `nll_exact`, `round_trip_error` and `round_trip_within_2_percent` (prediction); `mean_distance`,
        `variance_ratio`, and where the modes are known `modes_covered`, `within_4_sigma` and `mode_shares`,
        the share of all samples at each (samples);
        what `metrics.judge` gives (`SCORES`), as many samples as examples; and of samples of a class that
        was asked for `asked_accuracy`, the share that a classifier given as `features` reads as it (classes).
        Translations are compared with their targets, or with images of the domain they are to be of, by the
        same scores, and by what `metrics.translation` gives: for pairs `of_pairs` and `variants`
        (translation, perceptual); between domains, in `directions`, for 'horse to zebra' and for 'zebra to
        horse' `of_domain` (translation, perceptual) and `readings` (classes).
        EstimatesLikelihood that the examples are too few for are left out, and named in `left_out`.

    Raises:
        ConfigError: an unknown metric, none that the model has anything for, or what scores are asked for
            is not there.
        DataError: the split is empty, or has not what is to be translated.

    >>> import tempfile, simulacra as sim
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     model = sim.train("pca", "digits", f"{folder}/run", latent_dim=8)
    >>> round(evaluate(model, sim.load_data("digits"))["linear_probe_accuracy"], 1)
    0.9
    """
    for name in metrics:
        if name not in (*METRICS, *SCORES):
            raise ConfigError(f"metrics: unknown '{name}', {nearest(name, (*METRICS, *SCORES))}")
    if importance_samples < 1 or (examples is not None and examples < 1):
        raise ConfigError("importance_samples and examples: must be at least 1")
    if variants < 2:
        raise ConfigError(f"variants: must be at least 2, not {variants}")
    dataset = _first(model, data.split(split), examples)
    if len(dataset) == 0:
        raise DataError(
            f"{data.name}@{split}: no examples to evaluate on; take more data, or --data {data.name}@train to"
            " evaluate on what it was trained on"
        )
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
    if "prediction" in metrics and isinstance(model, Predicts):
        numbers |= _of_predictions(model, data.truth, dataset, batch_size, seed)
    if "samples" in metrics and isinstance(model, Samples):
        numbers |= _of_samples(model, data.truth, dataset, seed)
    if isinstance(model, Samples | Translates):
        about = (features, weights, variants, batch_size, seed)
        numbers |= _of_made(model, data, dataset, metrics, *about)
    if "classes" in metrics and isinstance(model, Conditional) and isinstance(features, Predicts):
        numbers["asked_accuracy"] = _asked(model, features, min(len(dataset), DRAWN), seed)
    if numbers.keys() == {"data", "examples", "seed"}:
        raise ConfigError(f"metrics: the model has nothing that {', '.join(metrics)} would measure")
    return numbers


def _first(model: Model, dataset: Dataset, n: int | None) -> Dataset:
    """The first n examples, or of a model that translates between domains the first of each."""
    if n is None or not isinstance(model, Cycles) or dataset.y is None:
        return dataset.take(slice(0, n))
    rows = [np.flatnonzero(dataset.y == k)[: max(1, n // 2)] for k in range(2)]
    return dataset.take(np.concatenate(rows))


def _of_made(
    model: Model,
    data: Data,
    dataset: Dataset,
    metrics: Sequence[str],
    features: str | object,
    weights: str | Path | None,
    variants: int,
    batch_size: int,
    seed: int,
) -> dict[str, Any]:
    """Scores of samples, or all numbers of translations, in each direction where there are two."""
    scores = [name for name in metrics if name in SCORES]
    groups = [name for name in metrics if name in translation.GROUPS and isinstance(model, Translates)]
    if not scores and not groups:
        return {}
    extractor = load_extractor(features, weights, model.device) if scores else load_extractor("raw")
    if isinstance(model, Samples):
        n = min(len(dataset), DRAWN)
        drawn = Compared(_drawn(model, n, seed), dataset.x[:n], data.train.x[:DRAWN], "")
        return _scores(drawn, extractor, scores, seed)
    size = max_batch(dataset, batch_size)
    if isinstance(model, Cycles):
        parts = _by_domain(model.spec.classes, data.name, dataset)
        # nothing else looks at what it was trained on, which is large
        train = _by_domain(model.spec.classes, data.name, data.train) if "memorisation" in metrics else parts
        return _of_directions(model, parts, train, extractor, groups, scores, size, seed)
    assert isinstance(model, Translates)
    if dataset.target is None:
        raise DataError(f"{data.name}: has no targets to compare translations with; take pairs of images")
    batches = in_order(dataset, size, model.device, seed)
    of = translation.of_pairs(model, batches, dataset, data.train, extractor, groups, variants)
    made = {"variants": variants} if groups else {}
    return {**of.numbers, **made, **(_scores(of, extractor, scores, seed) if scores else {})}


def _of_directions(
    model: Any,
    parts: Mapping[str, Dataset],
    train: Mapping[str, Dataset],
    extractor: Extractor,
    groups: Sequence[str],
    scores: Sequence[str],
    size: int,
    seed: int,
) -> dict[str, Any]:
    numbers: dict[str, Any] = {"directions": {}}
    names: Sequence[str] = getattr(extractor, "classes", ())
    real = {domain: read(part.x, extractor) for domain, part in parts.items() if "classes" in scores}
    read_as = {domain: classes for domain, classes in real.items() if classes is not None}
    for a, b in (tuple(parts), tuple(parts)[::-1]):
        batches = in_order(parts[a], size, model.device, seed)
        of = of_domain(model, batches, (a, b), parts[a], parts[b], train[b], extractor, groups)
        found = {**of.numbers, **(_scores(of, extractor, scores, seed) if scores else {})}
        if read_as:
            found |= readings(of, extractor, read_as, names)
        numbers |= {name: found.pop(name) for name in ABOUT if name in found}
        numbers["directions"][of.name] = found
    if read_as and not meanings(read_as, names):
        alike = "images read as their domain, since most of both are read as one class"
        numbers["left_out"] = ", ".join([*filter(None, [numbers.get("left_out")]), alike])
    return numbers


def _by_domain(domains: Sequence[str], name: str, dataset: Dataset) -> dict[str, Dataset]:
    """The examples of each of two domains, the first one first."""
    if dataset.y is None or dataset.spec.classes != domains:
        theirs = ", ".join(dataset.spec.classes) or "none"
        raise DataError(f"{name}: its classes are {theirs}; the model translates {' and '.join(domains)}")
    parts = {domain: dataset.take(np.flatnonzero(dataset.y == k)) for k, domain in enumerate(domains)}
    for domain, part in parts.items():
        if not len(part):
            raise DataError(f"{name}: no examples of '{domain}' in this split; choose another or more data")
    return parts


def _scores(of: Compared, extractor: Extractor, scores: Sequence[str], seed: int) -> dict[str, Any]:
    """What a judge says; a score that there are too few examples for is left out, and named."""
    made, real, train = (x[:DRAWN] for x in (of.made, of.real, of.train))
    n = min(len(made), len(real))
    least = {name: judge.needed(name) for name in scores if name in judge.METRICS}
    asked = [name for name, k in least.items() if k <= n]
    numbers = judge.judge(made, real, extractor, asked, seed, train=train)
    if left := [f"{name} needs {k} examples, not {n}" for name, k in least.items() if k > n]:
        numbers["left_out"] = ", ".join(left)
    return numbers


def _of_batch(model: Model, batch: Any, metrics: Sequence[str], k: int) -> dict[str, torch.Tensor]:
    numbers: dict[str, torch.Tensor] = {}
    x = model.observe(batch.x, batch.noise)
    if "elbo" in metrics and isinstance(model, BoundsLikelihood):
        elbo = model.elbo(x, batch.noise)
        numbers |= {"elbo": elbo.value, "reconstruction": elbo.reconstruction, "kl": elbo.kl}
    if "nll" in metrics and isinstance(model, EstimatesLikelihood):
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


def _of_predictions(model: Any, truth: Truth, dataset: Dataset, batch_size: int, seed: int) -> dict[str, Any]:
    batches = list(in_order(dataset, batch_size, model.device, seed))
    nll = torch.cat([-model.predict(batch.x).log_prob(model.targets(batch)) for batch in batches])
    numbers: dict[str, Any] = {"nll": nll.double().mean().item()}
    answers = model.targets(batches[0])
    if answers.dtype == torch.int64 or not isinstance(marginals(model.predict(batches[0].x[:1])), WITH_CDF):
        return numbers | _of_classes(model, batches)
    rows = [_of_numbers(model, batch) for batch in batches]
    each = {name: torch.cat([row[name] for row in rows]).double().cpu() for name in rows[0]}
    u = each.pop("pit")
    counts = torch.histc(u.float(), PIT_BINS, 0, 1)
    totals = {name: values.mean().item() for name, values in each.items()}
    numbers |= {"rmse": totals.pop("squared_error") ** 0.5, **totals}
    numbers["pit_histogram"] = (counts / counts.sum()).tolist()
    columns = model.spec.target.columns
    if len(columns) > 1:
        by_column = {name: values.mean(dim=0).tolist() for name, values in each.items()}
        by_column["rmse"] = [value**0.5 for value in by_column.pop("squared_error")]
        numbers["columns"] = {
            column: {name: values[i] for name, values in by_column.items()}
            for i, column in enumerate(columns)
        }
    return numbers | _of_truth(model, truth, batches)


def _of_numbers(model: Any, batch: Batch) -> dict[str, torch.Tensor]:
    """Of every number of every target: each `(B, T)`, of images `(B, C * H * W)`."""
    p, y = marginals(model.predict(batch.x)), model.targets(batch)
    u = pit(p, y)
    values = {"squared_error": (p.mean - y).square(), "crps": crps(p, y), "pit": u}
    values |= {f"coverage_{percent}": covered(u, percent) for percent in INTERVALS}
    return {name: value.flatten(1) for name, value in values.items()}


def _of_classes(model: Any, batches: Sequence[Batch]) -> dict[str, Any]:
    """Of a categorical `(B,)` over K classes, or of Bernoulli numbers."""
    means, answers = [], torch.cat([model.targets(batch) for batch in batches])
    for batch in batches:
        p = model.predict(batch.x)
        means.append(p.probs if answers.dtype == torch.int64 else p.mean)
    probs = torch.cat(means)
    if answers.dtype != torch.int64:
        if not bool(((answers == 0) | (answers == 1)).all()):
            return {"rmse": (probs - answers).square().mean().sqrt().item()}
        # every number is a question of its own with two answers
        probs, answers = probs.flatten(), answers.flatten().long()
        probs = torch.stack([1 - probs, probs], dim=1)
    return {
        "accuracy": (probs.argmax(dim=1) == answers).double().mean().item(),
        "calibration_error": calibration_error(probs, answers),
    }


def _of_truth(model: Any, truth: Truth, batches: Sequence[Batch]) -> dict[str, Any]:
    """Against the exact conditional, and by the way back from answers to inputs."""
    numbers: dict[str, Any] = {}
    x = torch.cat([batch.x for batch in batches]).cpu().numpy()
    if truth.log_conditional is not None:
        y = torch.cat([model.targets(batch) for batch in batches]).cpu().numpy()
        numbers["nll_exact"] = -float(np.mean(truth.log_conditional(x, y)))
    if truth.forward is not None:
        predictions = [(model.predict(batch.x), batch.noise) for batch in batches]
        ways = {
            "": torch.cat([noise.draw(p) for p, noise in predictions]),
            "_of_mean": torch.cat([p.mean for p, _ in predictions]),
        }
        for name, given in ways.items():
            error = np.linalg.norm(truth.forward(given.cpu().numpy()) - x, axis=1) / truth.size
            numbers[f"round_trip_error{name}"] = float(np.median(error))
            numbers[f"round_trip_within_2_percent{name}"] = float((error < 0.02).mean())
    return numbers


def _drawn(model: Any, n: int, seed: int) -> np.ndarray:
    """Samples as the data are stored: images as uint8."""
    x: Tensor = model.sample(n, Noise(seed))
    return to_bytes(x) if model.spec.kind == "image" else x.cpu().numpy()


def _asked(model: Any, classifier: Any, n: int, seed: int) -> float:
    """Share of samples, as many of each class, that the classifier reads as the class asked for.

    Raises:
        ConfigError: the two know other classes.
    """
    classes = model.spec.classes
    if classifier.spec.classes != classes:
        known = ", ".join(classifier.spec.classes)
        raise ConfigError(f"features: the classifier knows {known}, the model {', '.join(classes)}")
    right = []
    for k in range(len(classes)):
        x = torch.from_numpy(_drawn(model.for_class(k), -(-n // len(classes)), seed + k))
        for part in x.to(classifier.device).split(256):
            right.append(classifier.predict(to_float(part)).probs.argmax(dim=1) == k)
    return torch.cat(right).double().mean().item()


def _of_samples(model: Any, truth: Truth, dataset: Dataset, seed: int) -> dict[str, Any]:
    n = min(len(dataset), DRAWN)
    samples, data = _drawn(model, n, seed).reshape(n, -1), dataset.x.reshape(len(dataset), -1)
    numbers: dict[str, Any] = {
        "samples": n,
        "mean_distance": mean_distance(samples, data),
        "variance_ratio": variance_ratio(samples, data),
    }
    if truth.modes is not None and truth.sigma is not None:
        coverage = mode_coverage(samples, truth.modes, truth.sigma)
        numbers |= {
            "modes": len(truth.modes),
            "modes_covered": coverage.covered,
            "within_4_sigma": coverage.near,
            "mode_shares": (coverage.counts / n).tolist(),
        }
    return numbers
