"""Scores of samples against held-out examples while a model trains."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import torch

from simulacra.core.batch import random_subset
from simulacra.core.capabilities import Samples
from simulacra.core.inference import draw
from simulacra.core.model import Model
from simulacra.data.spec import Dataset
from simulacra.engine.monitors.monitor import State, every
from simulacra.errors import ConfigError, DataError
from simulacra.metrics.features import load_extractor
from simulacra.metrics.frechet import LARGEST
from simulacra.metrics.registry import in_training
from simulacra.metrics.sample_scores import score_samples
from simulacra.run import Run

# examples of each kind that are compared, at most and at least: a neighbourhood has 5 others
MOST, FEWEST = 2000, 6
# subsets of the kernel distance: its standard error is 1.02 times that with 100, its time a fifth
SUBSETS = 20


class Scores:
    """Scores samples; what cannot be scored is refused before the training.

    Args:
        model: the model in training, called `name`.
        held_out: examples of the data, of which at most 2,000 are compared with as many samples.
        features: `Training.evaluate_features`.
        every: steps between scores.
        seed: random seed of the choice, the latents and the scores.
        train: the training data, by which raw features of vectors are standardised.

    Raises:
        ConfigError: the model does not sample; the features are unknown, their packages are missing, or they
            do not fit the data.
        DataError: too few examples.
    """

    def __init__(
        self,
        model: Model,
        name: str,
        held_out: Dataset,
        features: str,
        every: int,
        seed: int,
        train: Dataset | None = None,
    ) -> None:
        if not isinstance(model, Samples):
            raise ConfigError(f"evaluate_every: {name} draws no samples to score; leave --evaluate-every out")
        if len(held_out) < FEWEST:
            raise DataError(
                f"evaluate_every: {len(held_out)} validation examples are too few to score samples against,"
                f" {FEWEST} are needed; leave --evaluate-every out, or take more data"
            )
        self.every, self.seed = every, seed
        self.real = random_subset(held_out, MOST, seed).x
        extractor = Run(features).load() if Path(features, "config.yaml").is_file() else features
        # nets are initialised at random before their weights are read
        with torch.random.fork_rng([]):
            self.extractor = load_extractor(extractor, None, model.device, train)
        few = self.real[:FEWEST]
        width = score_samples(few, few, self.extractor, ("prdc",))["features"]
        if width > LARGEST:
            raise ConfigError(
                f"evaluate_features: {self.extractor.name} has {width:,} features, too many for the Fréchet"
                " distance; take efficientnet-lite0, inception or the run folder of a classifier"
            )

    def due(self, state: State) -> bool:
        return every(self.every, state)

    def run(self, state: State) -> None:
        state.events.log("scores", state.step, self.scores(state.average))

    def scores(self, model: Model) -> dict[str, Any]:
        """The scores of samples of a model."""
        # checked at the start
        x = draw(cast(Samples, model), len(self.real), self.seed)
        return score_samples(x, self.real, self.extractor, in_training(), self.seed, subsets=SUBSETS)
