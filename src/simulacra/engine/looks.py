"""What a training looks at as it goes: held-out data, how its generator fares, scores and a picture."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from simulacra.data.spec import Data, Dataset
from simulacra.engine.batches import fitting, in_order, tensor, to_bytes
from simulacra.errors import ConfigError, DataError
from simulacra.game import (
    Conditional,
    Cycles,
    Decodes,
    Encodes,
    Judges,
    Model,
    Noise,
    Samples,
    Translates,
    mix,
)
from simulacra.metrics.features import load_extractor
from simulacra.metrics.judge import LARGEST, judge
from simulacra.metrics.samples import diversity
from simulacra.pictures import grid, save_png
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
    looked = up_to(LOOKED_AT, dataset, seed)
    with at_rest(model):
        for batch in in_order(looked, fitting(looked, 256), model.device, seed):
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
    held_out = some(data.validation, n, seed)
    real = tensor(held_out.x).numpy()
    numbers["diversity"] = diversity(drawn(shown, n, seed).cpu().numpy(), real)
    if isinstance(live, Judges):
        known = some(data.train, n, seed)
        d_known, d_held_out = (outputs(live, of.x, of.y) for of in (known, held_out))
        d_fake = outputs(live, imitations(live, known, seed), known.y)
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
        self.real, self.seed = some(held_out, SCORED, seed).x, seed
        what = Run(features).load() if Path(features, "config.yaml").is_file() else features
        # nets are initialised at random before their weights are read
        with torch.random.fork_rng([]):
            self.extractor = load_extractor(what, device=model.device)
        few = self.real[:FEWEST]
        width = judge(few, few, self.extractor, ("prdc",))["features"]
        if width > LARGEST:
            raise ConfigError(
                f"evaluate_features: {self.extractor.name} has {width:,} features, too many for the Fréchet"
                " distance; take efficientnet-lite0, inception or the run folder of a classifier"
            )

    def __call__(self, model: Model) -> dict[str, Any]:
        """What `metrics.judge` gives for samples of the model."""
        x = drawn(model, len(self.real), self.seed)
        return judge(x, self.real, self.extractor, ("fid", "kid", "prdc"), self.seed, subsets=SUBSETS)


def compared(data: Data) -> int:
    """How many examples of each kind `diagnosis` takes."""
    return min(COMPARED, len(data.train), len(data.validation))


def some(dataset: Dataset, n: int, seed: int) -> Dataset:
    """At most n examples, the same every time; at random, as the first may all be of one class."""
    return dataset.take(np.random.default_rng(seed).permutation(len(dataset))[:n])


def up_to(n: int, dataset: Dataset, seed: int) -> Dataset:
    """All examples in their order, or of more than n as many at random."""
    return dataset if len(dataset) <= n else some(dataset, n, seed)


@torch.no_grad()
def drawn(model: Any, n: int, seed: int) -> Tensor:
    """The same n samples every time, as far as the model is the same."""
    noise = Noise(seed)
    with at_rest(model):
        return torch.cat([model.sample(min(PART, n - start), noise) for start in range(0, n, PART)])


def imitations(model: Any, dataset: Dataset, seed: int) -> np.ndarray:
    """As many samples, of the same classes in the same order where the model is told classes."""
    if dataset.y is None or not isinstance(model, Conditional):
        return drawn(model, len(dataset), seed).cpu().numpy()
    x = np.empty(dataset.x.shape, np.float32)
    for y in np.unique(dataset.y).tolist():
        of_class = dataset.y == y
        x[of_class] = drawn(model.given(y), int(of_class.sum()), mix(seed, y)).cpu().numpy()
    return x


@torch.no_grad()
def outputs(model: Any, x: np.ndarray, y: np.ndarray | None) -> Tensor:
    """What the discriminator says of every example, `(N,)`."""
    said = []
    with at_rest(model):
        for start in range(0, len(x), PART):
            part = slice(start, start + PART)
            labels = None if y is None else tensor(y[part], model.device)
            said.append(model.judge(tensor(x[part], model.device), labels))
    return torch.cat(said)


@contextmanager
def at_rest(model: Model) -> Iterator[None]:
    """Batch norm, dropout and the like as after the training; then each part as it was."""
    training = [module for module in model.modules() if module.training]
    model.eval()
    try:
        yield
    finally:
        for module in training:
            module.training = True


@torch.no_grad()
def picture(model: Model, dataset: Dataset, file: Path, seed: int) -> None:
    """Samples from the same latents every time, or what becomes of the same examples.

    Of a model that is told classes a row a class, for the first of them. Of one that translates the inputs,
    their translations and their targets, or their way there and back; of one that only encodes and decodes
    examples beside their reconstructions.
    """
    if model.spec.kind != "image":
        return
    columns = None
    with at_rest(model):
        if isinstance(model, Conditional):
            columns = ROW
            rows = range(min(len(model.spec.classes), SHOWN_CLASSES))
            x = torch.cat([drawn(model.given(y), ROW, seed) for y in rows])
        elif isinstance(model, Samples):
            x = model.sample(SHOWN, Noise(seed))
        elif not len(dataset):
            return
        elif isinstance(model, Translates):
            x, columns = translations(model, some(dataset, SHOWN_TRANSLATIONS, seed), seed), 6
        elif isinstance(model, Encodes) and isinstance(model, Decodes):
            real = tensor(dataset.x[: SHOWN // 2], model.device)
            x = torch.stack([real, model.decode(model.encode(real).mean).mean], dim=1).flatten(0, 1)
        else:
            return
    save_png(grid(to_bytes(x), columns), file)


def translations(model: Any, dataset: Dataset, seed: int) -> Tensor:
    """Of each example three images: itself, its translation, and the target or the way back."""
    device: torch.device = model.device
    parts = []
    for batch in in_order(dataset, fitting(dataset, len(dataset)), device, seed):
        if isinstance(model, Cycles):
            three = [batch.x, *model.there_and_back(batch.x, batch.y)]
        else:
            assert batch.target is not None, "what is translated has targets, or domains"
            three = [batch.x, model.translate(batch.x, batch.noise), batch.target]
        # grey images as colour
        parts.append(torch.stack([image.expand(-1, 3, -1, -1) for image in three], dim=1).flatten(0, 1))
    return torch.cat(parts)
