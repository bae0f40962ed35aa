"""The iterated game: attack a classifier, add what fooled it to its training data, train again, attack again.

What fooled it is added as negatives in one of two ways:

- *corrected*: an adversarial image keeps the class of the image it was made from (Szegedy et al. 2014;
  Goodfellow et al. 2015). For attacks that change an image of a class.
- *none*: it gets one class more, for what belongs to no class (Nguyen et al. 2015, section 4). For attacks
  that begin at noise.

Every round trains from the beginning, on the data and the negatives of all rounds before it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from simulacra.attacks.attacks import Adversarial
from simulacra.core.model import Model
from simulacra.core.noise import Noise, derive_seed
from simulacra.data.spec import Data, Dataset

# what the class of negatives is called
NONE = "none"
# images attacked at a time
SIZE = 250

# an attack on images `(B, C, H, W)` of classes `(B,)`; from noise, on their classes alone
Attack = Callable[[Model, Tensor, Tensor, Noise], Adversarial]


@dataclass(frozen=True)
class Round:
    """What came of one round, in shares of held-out examples.

    Attributes:
        number: 0 is the classifier as it was.
        negatives: adversarial examples in its training data.
        accuracy: of examples as they are, read right.
        robust_accuracy: read right under an attack on this round's classifier; from noise: not fooling it.
        known_accuracy: adversarial images made against the classifier before, read right; None in round 0.
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
    """Play so many rounds, and tell of each when it is over.

    Args:
        model: the classifier of round 0; it stays as it is.
        data: what it was trained on, images.
        held_out: labelled images that the rounds are measured on.
        attack: the attack.
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
            float((read(model, held_out.x) == held_out.y).mean()),
            1 - float(fooled.mean()),
            None if known is None else float((read(model, known) == right).mean()),
        )
        known = fresh


def with_negatives(data: Data, x: np.ndarray, y: np.ndarray, as_none: bool) -> Data:
    """The data with negatives `(M, C, H, W)` in the training split; with the class `none`, if they are of it.

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


def pieces(x: np.ndarray) -> Iterator[Tensor]:
    """uint8 images `(N, C, H, W)` in [0, 1], some at a time."""
    for start in range(0, len(x), SIZE):
        yield torch.from_numpy(np.array(x[start : start + SIZE])).float() / 255


@torch.no_grad()
def read(model: Model, x: np.ndarray) -> np.ndarray:
    """The class that a classifier reads each image `(N, C, H, W)` as, `(N,)`."""
    # an attack has checked that it predicts classes
    predict: Any = model.predict
    return np.concatenate([predict(part).logits.argmax(dim=1).numpy() for part in pieces(x)])


def _attacked(model: Model, dataset: Dataset, attack: Attack, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Adversarial images as uint8, and which of them fool."""
    assert dataset.y is not None
    found = []
    for i, part in enumerate(pieces(dataset.x)):
        y = torch.from_numpy(np.array(dataset.y[i * SIZE : (i + 1) * SIZE]))
        found.append(attack(model, part, y, Noise(seed, i)))
    x = torch.cat([one.x for one in found]).mul(255).round().to(torch.uint8).numpy()
    return x, torch.cat([one.fooled for one in found]).numpy()
