"""A model and the data that it is measured on, with what several measurements share."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from torch import Tensor

from simulacra.core.batch import by_length, in_order, max_batch, to_bytes
from simulacra.core.capabilities import Capability, Cycles, EstimatesLikelihood, Samples, Translates
from simulacra.core.inference import draw
from simulacra.data.spec import Data, Dataset
from simulacra.metrics.features import Extractor, load_extractor
from simulacra.metrics.grammatical import Judge, find_judge
from simulacra.metrics.registry import Measurement, PerExample, Score
from simulacra.metrics.sample_scores import Comparison, SampleSets
from simulacra.metrics.translation import cycle_sets, pair_sets

# samples that are drawn, and examples that scores compare with them, at most
MOST = 10_000


class Predictor(Protocol):
    """Predicts attributes of examples that have no labels, as those of samples."""

    @property
    def names(self) -> tuple[str, ...]:
        """The attributes that it predicts well, K of them."""

    def predict(self, x: np.ndarray) -> np.ndarray:
        """`(N, K)` of examples as data are stored."""


@dataclass(frozen=True)
class Evaluation:
    """One evaluation.

    Attributes:
        model: a trained model, which has the capabilities that the measurements need.
        data: what it is measured on, and what it was trained on.
        dataset: the examples that it is measured on.
        held_out: whether none of them is in the training split of `data`.
        measurements: what is measured.
        features: what `load_extractor` takes.
        weights: a file of weights, for `inception`.
        importance_samples: draws of z for an estimated log-likelihood.
        variants: translations of each input of a pair.
        batch_size: examples at a time.
        seed: random seed.
        anomalies: the name of other data, and examples of them, for `anomaly`.
        predictor: makes what predicts the attributes of samples; it may have to be trained.
        language_model: trains one on sentences `(N, T)`.
    """

    model: Any
    data: Data
    dataset: Dataset
    held_out: bool
    measurements: Sequence[Measurement]
    features: str | object = "raw"
    weights: str | Path | None = None
    importance_samples: int = 100
    variants: int = 4
    batch_size: int = 100
    seed: int = 0
    anomalies: tuple[str, Dataset] | None = None
    predictor: Callable[[], Predictor] | None = None
    language_model: Callable[[np.ndarray], EstimatesLikelihood] | None = None

    @cached_property
    def averages(self) -> dict[str, dict[str, float]]:
        """Group -> key -> average over the examples, for every `PerExample`."""
        sums: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
        measurements = [m for m in self.measurements if isinstance(m, PerExample)]
        for batch in in_order(by_length(self.dataset), self.batch_size, self.model.device, self.seed):
            observed = self.model.observe(batch.x, batch.noise)
            for m in measurements:
                for key, values in m.values(self, batch, observed).items():
                    sums[m.name][key] += values.double().sum().item()
        n = len(self.dataset)
        return {name: {key: total / n for key, total in values.items()} for name, values in sums.items()}

    @cached_property
    def groups(self) -> set[str]:
        """Names of the groups that are measured."""
        return {measurement.name for measurement in self.measurements}

    @cached_property
    def extractor(self) -> Extractor:
        """Its features are compared; `raw` where no measurement compares features."""
        if any(measurement.features for measurement in self.measurements):
            return load_extractor(self.features, self.weights, self.model.device, self._train)
        return self.raw

    @cached_property
    def raw(self) -> Extractor:
        """Numbers in one row: pixels as they are, columns of vectors standardised by the training data."""
        return load_extractor("raw", None, self.model.device, self._train)

    @property
    def _train(self) -> Dataset:
        return self.data.train if len(self.data.train) else self.dataset

    @cached_property
    def samples(self) -> np.ndarray:
        """As many samples as there are examples, stored as the data are: images as uint8."""
        return self.draw(self.model, min(len(self.dataset), MOST), self.seed)

    def draw(self, model: Samples, n: int, seed: int) -> np.ndarray:
        """Samples of a model, stored as the data are."""
        return self.stored(draw(model, n, seed))

    def stored(self, x: Tensor) -> np.ndarray:
        """Examples of the model as data are stored."""
        return to_bytes(x) if self.model.spec.kind == "image" else x.cpu().numpy()

    @cached_property
    def predicts(self) -> Predictor | None:
        """What predicts the attributes of samples; None where there is nothing."""
        return None if self.predictor is None else self.predictor()

    @cached_property
    def judge(self) -> Judge:
        """What tells whether sentences are grammatical.

        Raises:
            DataError: there is nothing that does.
        """
        return find_judge(self.dataset, self.seed)

    @cached_property
    def sample_sets(self) -> Sequence[Any]:
        """What the model generates and what that is compared with: one, or one for each direction."""
        # a wrong extractor is an error before anything is generated
        _ = self.extractor
        kinds: dict[type[Capability], Any] = {Samples: _drawn, Cycles: cycle_sets, Translates: pair_sets}
        kind = next(kind for kind in type(self.model).__mro__ if kind in kinds)
        sets: Sequence[SampleSets] = kinds[kind](self, max_batch(self.dataset, self.batch_size))
        return sets

    @cached_property
    def comparisons(self) -> dict[str, Comparison]:
        """Name of each of `sample_sets` -> what scores are computed from."""
        scores = [m for m in self.measurements if isinstance(m, Score)]
        found = {}
        for sets in self.sample_sets:
            samples, real, train = (x[:MOST] for x in (sets.samples, sets.real, sets.train))
            found[sets.name] = Comparison(
                samples,
                real,
                self.extractor,
                scores,
                self.seed,
                train if len(train) else None,
                held_out=self.held_out,
            )
        return found


def _drawn(evaluation: Evaluation, size: int) -> list[SampleSets]:
    x = evaluation.samples
    return [SampleSets(x, evaluation.dataset.x[: len(x)], evaluation.data.train.x, "")]
