"""How good samples are, in every number, with everything the numbers depend on beside them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from simulacra.errors import ConfigError, DataError, nearest
from simulacra.metrics.features import load_extractor
from simulacra.metrics.frechet import frechet_distance
from simulacra.metrics.inception import inception_score
from simulacra.metrics.kernel import kernel_distance
from simulacra.metrics.neighbours import copies, duplicates, memorisation
from simulacra.metrics.prdc import prdc
from simulacra.metrics.statistics import Statistics

METRICS = ("fid", "kid", "prdc", "is", "classes", "memorisation")
# features whose covariance is still worked with: 0.13 GB, some ten seconds
LARGEST = 4096


@dataclass(frozen=True)
class Compared:
    """What a model made and what that is compared with, as the data are stored.

    Attributes:
        made: samples or translations.
        real: examples of what they are to be like.
        train: examples of that which the model was trained on.
        name: of the direction of a translation between domains, as 'horse to zebra'; else empty.
    """

    made: np.ndarray
    real: np.ndarray
    train: np.ndarray
    name: str


def judge(
    samples: np.ndarray | Tensor,
    real: np.ndarray | Tensor,
    extractor: str | object = "raw",
    metrics: Sequence[str] = ("fid", "kid", "prdc", "is"),
    seed: int = 0,
    *,
    train: np.ndarray | Tensor | None = None,
    weights: str | Path | None = None,
    device: torch.device | str = "cpu",
    neighbours: int = 5,
    subsets: int = 100,
    subset_size: int = 1000,
    splits: int = 10,
    batch_size: int = 64,
) -> dict[str, Any]:
    """Scores of samples against real examples; plain numbers and words.

    Args:
        samples: images `(M, C, H, W)`, uint8 or in [0, 1], where they are clipped and rounded to 8 bits; or
            vectors `(M, D)`.
        real: examples of the data, of the same shape.
        extractor: as `features.load_extractor` takes it.
        metrics: out of `METRICS`; Inception score and classes are left out where the extractor knows none.
        seed: of the subsets of the kernel distance and of the order of the Inception score.
        train: the examples the model was trained on, for `memorisation`; `real` when not given.
        weights: a file of weights, for `inception`.
        device: where the network of an extractor computes.
        neighbours: k of precision, recall, density and coverage.
        subsets: of the kernel distance.
        subset_size: examples in a subset; half of what there is, if that is less.
        splits: of the Inception score; one for each sample, if these are fewer.
        batch_size: examples the extractor sees at a time.

    Returns:
        `extractor`, `weights` (a digest), `resize`, `features`, `samples`, `real`, `seed`, and: `fid` (fid);
        `kid`, `kid_error`, `kid_subsets`, `kid_subset_size` (kid); `precision`, `recall`, `density`,
        `coverage`, `neighbours` (prdc); `inception_score`, `inception_score_std`, `splits` (is);
        `class_shares`, `class_shares_data`, `class_share_difference`, the largest one, all as the extractor
        sees the classes (classes);
        `closer_to_train`, `closer_expected`, `duplicates`, `copies`, `train` (memorisation, as in
        `neighbours`: duplicates and copies are counted in the examples themselves, not in features).

    Raises:
        ConfigError: an unknown metric or extractor, one that does not fit the data, or missing packages.
        DataError: too few examples, or numbers that are not finite.

    >>> rng = np.random.default_rng(0)
    >>> scores = judge(rng.normal(size=(500, 2)), rng.normal(size=(500, 2)))
    >>> scores["fid"] < 0.05, scores["extractor"], scores["samples"], scores["seed"]
    (True, 'raw', 500, 0)
    """
    for name in metrics:
        if name not in METRICS:
            raise ConfigError(f"metrics: unknown '{name}', {nearest(name, METRICS)}")
    looked = load_extractor(extractor, weights, device)
    fake = Statistics(samples, looked, classes=bool({"is", "classes"} & {*metrics}), batch_size=batch_size)
    data = Statistics(real, looked, classes="classes" in metrics, keep=True, batch_size=batch_size)
    seen = data if train is None else Statistics(train, looked, keep=True, batch_size=batch_size)
    _check(fake, data, seen, metrics, neighbours)
    numbers: dict[str, Any] = {
        "extractor": looked.name,
        "weights": looked.weights,
        "resize": looked.resize,
        "features": fake.features.shape[1],
        "samples": len(fake),
        "real": len(data),
        "seed": seed,
    }
    if "kid" in metrics:
        numbers |= _kid(fake, data, subsets, subset_size, seed)
    if "prdc" in metrics:
        found = prdc(data.features, fake.features, neighbours, data.radii(neighbours))
        numbers |= vars(found) | {"neighbours": neighbours}
    # after those that hold the features of the data
    if "fid" in metrics:
        numbers["fid"] = _fid(fake, data)
    if "is" in metrics and fake.probabilities is not None:
        splits = min(splits, len(fake))
        score = inception_score(fake.probabilities, splits, seed)
        numbers |= {"inception_score": score.mean, "inception_score_std": score.std, "splits": splits}
    if "classes" in metrics and fake.probabilities is not None and data.probabilities is not None:
        shares, expected = (
            np.bincount(p.argmax(axis=1), minlength=p.shape[1]) / len(p)
            for p in (fake.probabilities, data.probabilities)
        )
        numbers |= {
            "class_shares": shares.tolist(),
            "class_shares_data": expected.tolist(),
            "class_share_difference": float(abs(shares - expected).max()),
        }
    if "memorisation" in metrics:
        repeats = memorisation(fake.features, seen.features, seen.others())
        numbers |= {
            "closer_to_train": repeats.closer,
            "closer_expected": repeats.expected,
            "duplicates": duplicates(fake.x),
            "copies": copies(fake.x, seen.x),
            "train": len(seen),
        }
    return numbers


def needed(metric: str, neighbours: int = 5) -> int:
    """How many samples, and how many real examples, a metric takes at least.

    >>> needed("kid"), needed("prdc", neighbours=3)
    (4, 4)
    """
    return {"fid": 2, "kid": 4, "prdc": neighbours + 1}.get(metric, 1)


def _fid(fake: Statistics, data: Statistics) -> float:
    features = fake.features.shape[1]
    if features > LARGEST:
        raise ConfigError(
            f"fid: the covariance of {features} features is too large to work with; "
            "choose another extractor, or smaller images"
        )
    a, b = fake.moments, data.moments
    return frechet_distance(a.mean, a.covariance, b.mean, b.covariance)


def _kid(fake: Statistics, data: Statistics, subsets: int, subset_size: int, seed: int) -> dict[str, Any]:
    # a subset of all there is has no error
    subset_size = min(subset_size, len(fake) // 2, len(data) // 2)
    kid = kernel_distance(fake.features, data.features, subsets, subset_size, seed)
    return {
        "kid": kid.mean,
        "kid_error": kid.error,
        "kid_subsets": subsets,
        "kid_subset_size": subset_size,
    }


def _check(
    fake: Statistics, data: Statistics, train: Statistics, metrics: Sequence[str], neighbours: int
) -> None:
    """Before anything takes time: shapes that agree, and enough examples."""
    for name, other in (("real examples", data), ("training examples", train)):
        if other.x.shape[1:] != fake.x.shape[1:]:
            raise ConfigError(
                f"judge: samples of shape {fake.x.shape[1:]} against {name} of shape {other.x.shape[1:]}"
            )
    least = max((needed(name, neighbours) for name in metrics), default=1)
    fewest = min(len(fake), len(data))
    if fewest < least:
        raise DataError(
            f"judge: {fewest} examples are too few for {', '.join(metrics)}: take at least {least}"
        )
    if "memorisation" in metrics and len(train) < 2:
        raise DataError("judge: memorisation needs at least two training examples")
