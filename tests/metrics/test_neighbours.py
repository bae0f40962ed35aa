"""Nearest neighbours against all pairs, and memorisation against what chance gives."""

from __future__ import annotations

import numpy as np
import pytest

from simulacra.errors import DataError
from simulacra.metrics import neighbours
from simulacra.metrics.neighbours import (
    copies,
    distances,
    duplicates,
    memorisation,
    nearest,
    nearest_other,
)


def all_pairs(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return np.linalg.norm(x[:, None] - y[None], axis=2)


@pytest.mark.parametrize("block", [2**22, 50, 1])
@pytest.mark.parametrize("features", [2, 40])
def test_nearest_of_all_pairs(monkeypatch: pytest.MonkeyPatch, features: int, block: int) -> None:
    monkeypatch.setattr(neighbours, "BLOCK", block)
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(20, features)).astype(np.float32), rng.normal(size=(30, features)) + 1
    d = all_pairs(x, y)
    index, distance = nearest(x, y)
    np.testing.assert_array_equal(index, d.argmin(axis=1))
    np.testing.assert_allclose(distance, d.min(axis=1), rtol=1e-9)
    d = all_pairs(y, y) + np.diag(np.full(30, np.inf))
    index, distance = nearest_other(y)
    np.testing.assert_array_equal(index, d.argmin(axis=1))
    np.testing.assert_allclose(distance, d.min(axis=1), rtol=1e-9)


def test_blocks_stay_small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbours, "BLOCK", 60)
    sizes = [d.numel() for _, d in distances(np.zeros((11, 2)), np.zeros((20, 2)))]
    assert sizes == [60, 60, 60, 40]


def test_distances_far_from_zero() -> None:
    near = np.random.default_rng(0).normal(size=(20, 64))
    index, distance = nearest(near[:5] + 1e6, near[5:] + 1e6)
    d = all_pairs(near[:5], near[5:])
    np.testing.assert_array_equal(index, d.argmin(axis=1))
    np.testing.assert_allclose(distance, d.min(axis=1), rtol=1e-8)


def test_ties_go_to_the_first() -> None:
    assert nearest(np.array([[1.0]]), np.array([[2.0], [0.0], [2.0]]))[0].tolist() == [0]


def test_equal_rows_have_no_distance_and_equal_distances_are_equal() -> None:
    # a matrix product would give equal rows some 1e-7
    x = np.random.default_rng(0).normal(size=(30, 50))
    assert nearest(x, x[::-1])[1].tolist() == [0.0] * 30
    assert nearest_other(np.concatenate([x, x]))[1].tolist() == [0.0] * 60
    # every other row differs in one column by the same
    steps = x[0] + 0.1 * np.eye(50)
    index, distance = nearest(x[:1], steps[:, None].repeat(2, axis=1).reshape(100, 50)[::2])
    exact = np.sqrt(np.square(x[0] - steps).sum(axis=1))
    assert (index[0], distance[0]) == (exact.argmin(), exact.min())


def test_new_examples_are_as_close_as_chance() -> None:
    rng = np.random.default_rng(0)
    found = memorisation(rng.uniform(size=(3000, 2)), rng.uniform(size=(3000, 2)))
    # two points of a plane are each other's nearest with probability 6 pi / (8 pi + 3 sqrt 3)
    mutual = 6 * np.pi / (8 * np.pi + 3 * np.sqrt(3))
    assert found.closer == pytest.approx(mutual, abs=0.03)
    assert found.expected == pytest.approx(mutual, abs=0.03)


def test_memorised_examples_are_closer_and_others_are_not() -> None:
    rng = np.random.default_rng(0)
    train = rng.normal(size=(500, 8))
    repeated = memorisation(train[::-1] + 1e-3 * rng.normal(size=train.shape), train)
    assert repeated.closer == 1
    assert repeated.index.tolist() == list(range(500))[::-1]
    assert repeated.distance.max() < 0.01
    assert repeated.expected < 0.75
    assert memorisation(train + 50, train).closer == 0


def test_closer_by_hand() -> None:
    train = np.array([[0.0], [1.0], [1.5], [10.0]])
    # the gaps to the nearest other are 1, 0.5, 0.5, 8.5; only 1 and 1.5 are mutual
    samples = np.array([[-0.9], [-1.0], [1.1], [2.1], [18.0]])
    found = memorisation(samples, train)
    assert found.index.tolist() == [0, 0, 1, 2, 3]
    # 0.9 < 1, 1 = 1, 0.1 < 0.5, 0.6 > 0.5, 8 < 8.5
    assert found.closer == 3 / 5
    assert found.expected == 2 / 4
    assert memorisation(samples, train, nearest_other(train)).closer == 3 / 5


def test_duplicates_and_copies() -> None:
    images = np.random.default_rng(0).integers(0, 256, size=(6, 1, 4, 4)).astype(np.uint8)
    assert (duplicates(images), copies(images, images[4:])) == (0, 2)
    repeated = images[[0, 1, 0, 0, 1]]
    assert (duplicates(repeated), copies(repeated, images[:1])) == (3, 3)
    almost = images.copy()
    almost[0, 0, 0, 0] ^= 1
    assert copies(almost, images) == 5


def test_zero_has_no_sign() -> None:
    assert duplicates(np.array([[0.0, 1.0], [-0.0, 1.0]])) == 1


def test_someone_has_to_be_near() -> None:
    with pytest.raises(DataError, match="the reference set is empty"):
        nearest(np.zeros((2, 3)), np.zeros((0, 3)))
    with pytest.raises(DataError, match="no neighbour"):
        nearest_other(np.zeros((1, 3)))
    assert nearest(np.zeros((0, 3)), np.zeros((2, 3)))[0].shape == (0,)
