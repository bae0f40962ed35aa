"""Scores of samples against real examples, with everything that the numbers depend on beside them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from simulacra.core.batch import to_float
from simulacra.core.capabilities import Conditional, Predicts
from simulacra.core.inference import eval_mode
from simulacra.errors import ConfigError, DataError
from simulacra.metrics.features import Extractor, load_extractor
from simulacra.metrics.registry import Measurement, Metric, Score, merge, register, scores
from simulacra.metrics.statistics import Statistics

if TYPE_CHECKING:
    from simulacra.metrics.evaluation import Evaluation


@dataclass(frozen=True)
class SampleSets:
    """What a model generated and what that is compared with, stored as the data are.

    Attributes:
        samples: samples or translations.
        real: examples of the distribution that they should have.
        train: examples of that distribution which the model was trained on.
        name: of the direction of a translation between domains, e.g. 'horse to zebra'; else empty.
    """

    samples: np.ndarray
    real: np.ndarray
    train: np.ndarray
    name: str


class Comparison:
    """Samples and real examples with the features of an extractor: what scores are computed from.

    Args:
        samples: images `(M, C, H, W)`, uint8 or in [0, 1], or vectors `(M, D)`.
        real: examples of the data, of the same shape.
        extractor: its features are compared.
        scores: that will be computed.
        seed: of their random choices.
        train: the examples that the model was trained on; `real` when not given.
        subsets: number of subsets of the kernel distance.
        held_out: whether `real` has none of `train`, so that as many of `train` as there are samples, scored
            against `real`, show what real examples score.

    Raises:
        ConfigError: the shapes differ.
        DataError: no examples, or numbers that are not finite.
    """

    def __init__(
        self,
        samples: np.ndarray | Tensor,
        real: np.ndarray | Tensor,
        extractor: Extractor,
        scores: Sequence[Score],
        seed: int = 0,
        train: np.ndarray | Tensor | None = None,
        subsets: int = 100,
        held_out: bool = False,
    ) -> None:
        classes = any(score.classes for score in scores)
        whole = any(score.whole for score in scores)
        self.extractor, self.seed, self.subsets, self.held_out = extractor, seed, subsets, held_out
        self._scored: dict[str, Mapping[str, Any]] = {}
        self.samples = Statistics(samples, extractor, classes=classes)
        self.real = Statistics(real, extractor, classes=classes, keep=True, whole=whole)
        self.train = self.real if train is None else Statistics(train, extractor, keep=True)
        shape = self.samples.x.shape[1:]
        for name, other in (("real examples", self.real), ("training examples", self.train)):
            if other.x.shape[1:] != shape:
                raise ConfigError(
                    f"score_samples: samples of shape {shape} against {name} of shape {other.x.shape[1:]}"
                )

    @property
    def size(self) -> int:
        """Samples or real examples, whichever are fewer."""
        return min(len(self.samples), len(self.real))

    def scored(self, score: Score) -> Mapping[str, Any]:
        """The values of a score, computed once."""
        if score.name not in self._scored:
            self._scored[score.name] = score.score(self)
        return self._scored[score.name]

    @cached_property
    def reference(self) -> Comparison | None:
        """As many random training examples in place of the samples; None where there are not so many."""
        n = len(self.samples)
        if not self.held_out or len(self.train) < n:
            return None
        rows = np.sort(np.random.default_rng(self.seed).permutation(len(self.train))[:n])
        real = copy(self)
        real._scored = {}
        real.samples = Statistics(self.train.x[rows], self.extractor, keep=True, whole=self.real.whole)
        return real

    @property
    def no_reference(self) -> str:
        """Why there is none; empty where no training examples were given."""
        if self.train is self.real:
            return ""
        unknown = "what real examples would score is unknown"
        if not self.held_out:
            return f"{unknown}, since the samples are compared with training examples; take the test split"
        n, there = len(self.samples), len(self.train)
        return f"{unknown}: {n:,} training examples are needed, and there are {there:,}"

    @property
    def circumstances(self) -> dict[str, Any]:
        """What every score depends on."""
        return {
            "extractor": self.extractor.name,
            "weights": self.extractor.weights,
            "resize": self.extractor.resize,
            "features": self.samples.features.shape[1],
            "samples": len(self.samples),
            "real": len(self.real),
            "seed": self.seed,
        }


def score_samples(
    samples: np.ndarray | Tensor,
    real: np.ndarray | Tensor,
    extractor: str | object = "raw",
    metrics: Collection[str] = ("fid", "kid", "prdc", "is"),
    seed: int = 0,
    *,
    train: np.ndarray | Tensor | None = None,
    subsets: int = 100,
) -> dict[str, Any]:
    """Scores of samples against real examples.

    Args:
        samples: images `(M, C, H, W)`, uint8 or in [0, 1], where they are clipped and rounded to 8 bits; or
            vectors `(M, D)`.
        real: examples of the data, of the same shape.
        extractor: as `features.load_extractor` takes it.
        metrics: groups of scores: `fid`, `kid`, `prdc`, `is`, `classes`, `memorisation`, or any other that is
            registered. Inception score and classes are left out where the extractor predicts no classes.
        seed: of the subsets of the kernel distance and of the order of the Inception score.
        train: the examples the model was trained on, none of them in `real`: for `memorisation`, and to
            score as many of them as there are samples against `real`. `real` itself when not given.
        subsets: number of subsets of the kernel distance.

    Returns:
        `extractor`, `weights` (a digest), `resize`, `features`, `samples`, `real`, `seed`, and the values of
        each group, which the module that registers it describes. Given `train`, also `real_against_real`:
        the same scores of training examples, for comparison.

    Raises:
        ConfigError: an unknown metric or extractor, one that does not fit the data, or missing packages.
        DataError: too few examples, or numbers that are not finite.

    >>> rng = np.random.default_rng(0)
    >>> scores = score_samples(rng.normal(size=(500, 2)), rng.normal(size=(500, 2)))
    >>> scores["fid"] < 0.05, scores["extractor"], scores["samples"], scores["seed"]
    (True, 'raw', 500, 0)
    """
    chosen = scores(metrics)
    held_out = train is not None
    comparison = Comparison(samples, real, load_extractor(extractor), chosen, seed, train, subsets, held_out)
    fewest = max((score.fewest for score in chosen), default=1)
    if comparison.size < fewest:
        raise DataError(
            f"score_samples: {comparison.size} examples are too few for {', '.join(metrics)}: take at least"
            f" {fewest}"
        )
    numbers = comparison.circumstances
    for score in chosen:
        merge(numbers, score.values(comparison))
    return numbers


def _class_shares(comparison: Comparison) -> dict[str, Any]:
    """Shares of the classes, as the extractor classifies examples, and their largest difference."""
    p, q = comparison.samples.probabilities, comparison.real.probabilities
    if p is None or q is None:
        return {}
    shares, expected = (np.bincount(r.argmax(axis=1), minlength=r.shape[1]) / len(r) for r in (p, q))
    return {
        "class_shares": shares.tolist(),
        "class_shares_data": expected.tolist(),
        "class_share_difference": float(abs(shares - expected).max()),
    }


CLASSES = register(Score(
    name="classes",
    metrics=(
        Metric("class_share_difference", "largest difference of a class share", "%",
            "between samples and data, as the extractor classifies them", "lower"),
    ),
    settings=("class_shares", "class_shares_data"), score=_class_shares, classes=True, order=130,
))  # fmt: skip


def _class_accuracy(evaluation: Evaluation) -> dict[str, float]:
    """`class_accuracy`, where the features are those of a classifier of the same classes.

    Raises:
        ConfigError: its classes are others.
    """
    model, classifier = evaluation.model, evaluation.features
    if not isinstance(classifier, Predicts):
        return {}
    p: Any
    classes = model.spec.classes
    if classifier.spec.classes != classes:
        known = ", ".join(classifier.spec.classes)
        raise ConfigError(
            f"features: the classes of the classifier are {known}, those of the model {', '.join(classes)}"
        )
    n = -(-len(evaluation.samples) // len(classes))
    correct = []
    for k in range(len(classes)):
        x = torch.from_numpy(evaluation.draw(model.for_class(k), n, evaluation.seed + k))
        with eval_mode(classifier):
            for part in x.to(classifier.device).split(256):
                p = classifier.predict(to_float(part))
                correct.append(p.probs.argmax(dim=1) == k)
    return {"class_accuracy": torch.cat(correct).double().mean().item()}


CLASS_ACCURACY = register(Measurement(
    name="classes", needs=(Conditional,),
    metrics=(
        Metric("class_accuracy", "class accuracy", "%",
            "samples that a classifier assigns to the class they were generated for", "higher"),
    ),
    compute=_class_accuracy, features=True, order=150,
))  # fmt: skip
