"""What a training looks at as it goes: held-out data, how its generator fares, scores and a picture."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any

import torch

from simulacra.core.batch import in_order, max_batch, random_subset, tensor, to_bytes
from simulacra.core.capabilities import (
    Discriminates,
    Samples,
    preview,
)
from simulacra.core.inference import discriminate_all, draw, eval_mode, matched_samples
from simulacra.core.model import Model
from simulacra.data.spec import Data, Dataset
from simulacra.errors import ConfigError, DataError
from simulacra.images import grid, save_png
from simulacra.metrics.features import load_extractor
from simulacra.metrics.frechet import LARGEST
from simulacra.metrics.sample_scores import score_samples
from simulacra.metrics.samples import diversity
from simulacra.run import Run

# Held-out examples looked at: enough for a curve, few enough to cost nothing.
LOOKED_AT = 1024
SHOWN = 64
# of a model that is told classes
ROW, SHOWN_CLASSES = 8, 10
# of a model that translates
SHOWN_TRANSLATIONS = 16
# of each kind that diagnoses compare: shares of so many are known to 0.02
COMPARED = 500
# of each kind that scores compare, at most and at least: a neighbourhood has 5 others
SCORED, FEWEST = 2000, 6
# of the kernel distance: its error is that of 100 times 1.02, its time a fifth
SUBSETS = 20
# samples and outputs computed at a time
PART = 125


@torch.no_grad()
def validation(model: Model, dataset: Dataset, seed: int) -> dict[str, float]:
    """The model's terms averaged over held-out examples, the same with the same noise every time."""
    sums: dict[str, float] = defaultdict(float)
    looked = at_most(LOOKED_AT, dataset, seed)
    with eval_mode(model):
        for batch in in_order(looked, max_batch(looked, 256), model.device, seed):
            for name, values in model.validate(batch).items():
                sums[name] += values.double().sum().item()
    return {name: value / len(looked) for name, value in sums.items()}


@torch.no_grad()
def diagnosis(shown: Model, live: Model, data: Data, seed: int) -> dict[str, float]:
    """How a generator fares, by the same examples and latents every time; nothing of other models.

    Args:
        shown: the model whose samples are kept: the moving average, where there is one.
        live: the model whose discriminator plays.
        data: its training and validation examples are compared with samples.
        seed: of the choice of examples, and of the latents.

    Returns:
        `diversity`, of the samples of `shown` against held-out examples; and, of a model that judges,
        `real_accuracy`, `fake_accuracy`, `held_out_accuracy`: the shares of training examples, of samples
        and of held-out examples that the discriminator takes for what they are. The outputs of relativistic
        and Wasserstein discriminators have no zero: what counts as real is above the middle of the mean
        outputs on training examples and on samples.
    """
    numbers: dict[str, float] = {}
    n = compared(data)
    if not isinstance(shown, Samples) or n < 2:
        return numbers
    held_out = random_subset(data.validation, n, seed)
    real = tensor(held_out.x).numpy()
    numbers["diversity"] = diversity(draw(shown, n, seed).cpu().numpy(), real)
    if isinstance(live, Discriminates):
        known = random_subset(data.train, n, seed)
        d_known, d_held_out = (discriminate_all(live, part.x, part.y) for part in (known, held_out))
        assert isinstance(live, Samples), "what discriminates samples"
        d_fake = discriminate_all(live, matched_samples(live, known, seed), known.y)
        middle = (d_known.mean() + d_fake.mean()) / 2
        numbers["real_accuracy"] = (d_known > middle).double().mean().item()
        numbers["fake_accuracy"] = (d_fake <= middle).double().mean().item()
        numbers["held_out_accuracy"] = (d_held_out > middle).double().mean().item()
    return numbers


class Scorer:
    """Scores samples against held-out examples; what cannot be scored is refused before the training.

    Args:
        model: whose samples will be scored, called `name`.
        held_out: examples of the data, of which at most 2,000 are taken, and as many samples.
        features: `Training.evaluate_features`.
        seed: of the choice, the latents and the scores.

    Raises:
        ConfigError: the model does not sample; the features are unknown, their packages missing, or they do
            not fit the data.
        DataError: too few examples.
    """

    def __init__(self, model: Model, name: str, held_out: Dataset, features: str, seed: int) -> None:
        if not isinstance(model, Samples):
            raise ConfigError(f"evaluate_every: {name} draws no samples to score; leave --evaluate-every out")
        if len(held_out) < FEWEST:
            raise DataError(
                f"evaluate_every: {len(held_out)} validation examples are too few to score samples against,"
                f" {FEWEST} are needed; leave --evaluate-every out, or take more data"
            )
        self.real, self.seed = random_subset(held_out, SCORED, seed).x, seed
        what = Run(features).load() if Path(features, "config.yaml").is_file() else features
        # nets are initialised at random before their weights are read
        with torch.random.fork_rng([]):
            self.extractor = load_extractor(what, device=model.device)
        few = self.real[:FEWEST]
        width = score_samples(few, few, self.extractor, ("prdc",))["features"]
        if width > LARGEST:
            raise ConfigError(
                f"evaluate_features: {self.extractor.name} has {width:,} features, too many for the Fréchet"
                " distance; take efficientnet-lite0, inception or the run folder of a classifier"
            )

    def __call__(self, model: Model) -> dict[str, Any]:
        """What `score_samples` gives for samples of the model."""
        assert isinstance(model, Samples), "checked at the start"
        x = draw(model, len(self.real), self.seed)
        return score_samples(x, self.real, self.extractor, ("fid", "kid", "prdc"), self.seed, subsets=SUBSETS)


def compared(data: Data) -> int:
    """How many examples of each kind `diagnosis` takes."""
    return min(COMPARED, len(data.train), len(data.validation))


def at_most(n: int, dataset: Dataset, seed: int) -> Dataset:
    """All examples in their order, or n random ones of more."""
    return dataset if len(dataset) <= n else random_subset(dataset, n, seed)


@torch.no_grad()
def picture(model: Model, dataset: Dataset, file: Path, seed: int) -> None:
    """Samples from the same latents every time, or what becomes of the same examples.

    Of a model that is told classes a row a class, for the first of them. Of one that translates the inputs,
    their translations and their targets, or their way there and back; of one that only encodes and decodes
    examples beside their reconstructions.
    """
    if model.spec.kind != "image":
        return
    with eval_mode(model):
        shown = preview(model, dataset, seed)
    if shown is not None:
        save_png(grid(to_bytes(shown.images), shown.columns), file)
