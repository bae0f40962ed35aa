"""The iterated game with classifiers whose answers are known."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from simulacra.attacks.gradient import fgsm, from_noise
from simulacra.attacks.rounds import Attack, rounds, with_negatives
from simulacra.core.model import Model
from simulacra.data.spec import Data, Dataset, DataSpec
from tests.attacks.linear import Linear

SPEC = DataSpec("image", (1, 4, 4), ("no", "yes"))


def split(n: int, seed: int) -> Dataset:
    x = np.random.default_rng(seed).integers(100, 156, (n, 1, 4, 4), dtype=np.uint8)
    with torch.no_grad():
        y = (Linear().margin(torch.from_numpy(x).float() / 255) > 0).long().numpy()
    return Dataset(SPEC, x, y)


@pytest.fixture
def data() -> Data:
    return Data("lines", split(40, 0), split(10, 1), split(20, 2))


class Stubborn(Linear):
    """So far on one side that nothing moves it."""

    def margin(self, x: torch.Tensor) -> torch.Tensor:
        return super().margin(x) + 1e4


def test_corrected_negatives(data: Data) -> None:
    seen: list[Data] = []

    def retrain(number: int, grown: Data) -> Model:
        assert number == len(seen) + 1
        seen.append(grown)
        return Linear() if number == 1 else Stubborn()

    attack: Attack = lambda model, x, y, noise: fgsm(model, x, y, 0.3)  # noqa: E731  # typed where it stands
    table = list(rounds(Linear(), data, data.test, attack, retrain, count=3, added=10))
    assert [row.number for row in table] == [0, 1, 2, 3]
    # a linear model is right on what it labelled, and wrong on all of it within 0.3
    assert (table[0].accuracy, table[0].robust_accuracy, table[0].known_accuracy) == (1, 0, None)
    # the same model again is wrong on what fooled it
    assert table[1].known_accuracy == 0
    yes = float((data.test.y == 1).mean()) if data.test.y is not None else 0
    assert table[2].accuracy == table[2].robust_accuracy == table[3].known_accuracy == pytest.approx(yes)
    # negatives add up; the third round's are those of class 'no', which the stubborn one misreads
    assert [row.negatives for row in table][:3] == [0, 10, 20]
    assert [len(one.train) for one in seen] == [40 + row.negatives for row in table[1:]]
    assert all(one.spec == SPEC and len(one.test) == 20 for one in seen)
    assert seen[0].train.y is not None
    wrong = Linear().margin(torch.from_numpy(seen[0].train.x[40:]).float() / 255) > 0
    assert (wrong.numpy() != seen[0].train.y[40:]).all()
    assert data.train.x.shape == (40, 1, 4, 4)


def test_negatives_from_noise_are_of_no_class(data: Data) -> None:
    seen: list[Data] = []

    def retrain(number: int, grown: Data) -> Model:
        seen.append(grown)
        return Linear()

    table = list(
        rounds(
            Linear(), data, data.test, lambda model, x, y, noise: from_noise(model, y, noise), retrain,
            count=1, added=12, as_none=True,
        )
    )  # fmt: skip
    assert seen[0].spec.classes == ("no", "yes", "none")
    assert seen[0].train.y is not None
    assert (seen[0].train.y[40:] == 2).all()
    assert len(seen[0].train) == 40 + table[1].negatives == 52
    assert table[0].robust_accuracy == table[1].robust_accuracy == table[1].known_accuracy == 0


def test_only_the_training_split_grows(data: Data) -> None:
    grown = with_negatives(data, data.train.x[:3], np.array([0, 1, 1]), as_none=False)
    assert (len(grown.train), len(grown.validation), len(grown.test)) == (43, 10, 20)
    assert grown.spec == SPEC
