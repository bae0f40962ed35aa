"""Iterated adversarial training: attack a classifier, add the images that fool it to its data, retrain.

The images are added as negatives in one of two ways:

- *corrected*: an adversarial image keeps the class of the image it was made from (Szegedy et al. 2014;
  Goodfellow et al. 2015). For attacks that change an image of a class.
- *none*: they get an additional class, for images of no class (Nguyen et al. 2015, section 4). For attacks
  that start from noise.

Every round trains from the beginning, on the data and the negatives of all rounds before it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from simulacra.attacks.gradient import AdversarialExamples
from simulacra.core.model import Model
from simulacra.core.noise import Noise, derive_seed
from simulacra.data.spec import Data, Dataset

# what the class of negatives is called
NONE = "none"
# images attacked at a time
SIZE = 250

# an attack on images `(B, C, H, W)` of classes `(B,)`; from noise, on their classes alone
Attack = Callable[[Model, Tensor, Tensor, Noise], AdversarialExamples]


@dataclass(frozen=True)
class Round:
    """The results of one round, as shares of held-out examples.

    Attributes:
        number: 0 for the given classifier.
        negatives: adversarial examples in its training data.
        accuracy: of unchanged examples.
        robust_accuracy: under an attack on this round's classifier; from noise: share that does not fool it.
        known_accuracy: on adversarial images made for the previous classifier; None in round 0.
    """

    number: int
    negatives: int
    accuracy: float
    robust_accuracy: float
    known_accuracy: float | None


def rounds(
    model: Model,
    data: Data,
    held_out: Dataset,
    attack: Attack,
    retrain: Callable[[int, Data], Model],
    count: int,
    added: int,
    as_none: bool = False,
    seed: int = 0,
) -> Iterator[Round]:
    """Run the rounds, and yield the result of each.

    Args:
        model: the classifier of round 0; it is not changed.
        data: what it was trained on, images.
        held_out: labelled images that the rounds are measured on.
        attack: makes adversarial images of a batch.
        retrain: trains a classifier from the beginning, for a round and its data.
        count: rounds after round 0.
        added: training examples attacked before each round; those that fool become negatives.
        as_none: negatives get the class `none`, after all others, instead of the class they came from.
        seed: of the attacks and of the examples taken.
    """
    none = len(data.spec.classes)
    x, y = np.empty((0, *data.spec.shape), np.uint8), np.empty(0, np.int64)
    known: np.ndarray | None = None
    for number in range(count + 1):
        if number:
            order = np.random.default_rng(derive_seed(seed, number)).permutation(len(data.train))[:added]
            taken = data.train.take(np.sort(order))
            new, fooled = _attacked(model, taken, attack, derive_seed(seed, number, 1))
            assert taken.y is not None
            labels = np.full(len(new), none) if as_none else taken.y
            x, y = np.concatenate([x, new[fooled]]), np.concatenate([y, labels[fooled]])
            model = retrain(number, with_negatives(data, x, y, as_none))
        assert held_out.y is not None
        fresh, fooled = _attacked(model, held_out, attack, derive_seed(seed, 0))
        right = np.full(len(held_out), none) if as_none else held_out.y
        yield Round(
            number,
            len(x),
            float((classify(model, held_out.x) == held_out.y).mean()),
            1 - float(fooled.mean()),
            None if known is None else float((classify(model, known) == right).mean()),
        )
        known = fresh


def with_negatives(data: Data, x: np.ndarray, y: np.ndarray, as_none: bool) -> Data:
    """The data with negatives `(M, C, H, W)` in the training split, and with the class `none` if `as_none`.

    >>> import simulacra as sim
    >>> digits = sim.load_data("digits")
    >>> grown = with_negatives(digits, digits.train.x[:3], np.full(3, 10), as_none=True)
    >>> grown.spec.classes[-1], len(grown.train) - len(digits.train), len(grown.test) - len(digits.test)
    ('none', 3, 0)
    """
    spec = data.spec
    if as_none:
        spec = replace(spec, classes=(*spec.classes, NONE))
    train = data.train
    assert train.y is not None
    grown = Dataset(spec, np.concatenate([train.x, x]), np.concatenate([train.y, y]))
    validation, test = (Dataset(spec, split.x, split.y) for split in (data.validation, data.test))
    return replace(data, train=grown, validation=validation, test=test)


def batches(x: np.ndarray) -> Iterator[Tensor]:
    """uint8 images `(N, C, H, W)` as floats in [0, 1], in batches of at most `SIZE`."""
    for start in range(0, len(x), SIZE):
        yield torch.from_numpy(np.array(x[start : start + SIZE])).float() / 255


@torch.no_grad()
def classify(model: Model, x: np.ndarray) -> np.ndarray:
    """The predicted class of each image `(N, C, H, W)`, `(N,)`."""
    # an attack has checked that it predicts classes
    predict: Any = model.predict
    return np.concatenate([predict(part).logits.argmax(dim=1).numpy() for part in batches(x)])


def _attacked(model: Model, dataset: Dataset, attack: Attack, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Adversarial images as uint8, and which of them fool."""
    assert dataset.y is not None
    found = []
    for i, part in enumerate(batches(dataset.x)):
        y = torch.from_numpy(np.array(dataset.y[i * SIZE : (i + 1) * SIZE]))
        found.append(attack(model, part, y, Noise(seed, i)))
    x = torch.cat([one.x for one in found]).mul(255).round().to(torch.uint8).numpy()
    return x, torch.cat([one.fooled for one in found]).numpy()
