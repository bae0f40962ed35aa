"""Movement, leakage and identity of edits, against numbers worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from simulacra.metrics import edits


def test_intervals_cover_as_often_as_they_say() -> None:
    """The ratio of two means, 0.5, of correlated numbers: 95% within the standard error of 300 trials."""
    rng = np.random.default_rng(0)
    covered = 0
    for seed in range(300):
        target = rng.normal(2, 1, 60)
        other = 0.5 * target + rng.normal(0, 0.5, 60)
        found = edits.leakage(np.stack([target, other], axis=1), 0, seed)
        assert found is not None
        covered += bool(found.holds(0.5)[1])
    assert 0.91 <= covered / 300 <= 0.98


def test_leakage_has_a_sign_and_absolute_leakage_counts_both_ways() -> None:
    # half of the examples gain the other attribute, half lose it
    change = np.array([[[2.0, 1.0, -1.0], [2.0, -1.0, -1.0]]])
    moved = edits.movement(change, np.array([1.0]))
    found = edits.leakage(moved, 0)
    assert found is not None
    assert found.value == pytest.approx([1, 0, -0.5])
    assert edits.absolute_leakage(change, 0) == pytest.approx([1, 0.5, 0.5])


def test_movement_is_per_unit_of_strength() -> None:
    strengths = np.array([-2.0, -1.0, 1.0, 2.0])
    change = strengths[:, None, None] * np.array([[3.0, -0.5]])
    assert edits.movement(change, strengths)[0] == pytest.approx([3, -0.5])
    # saturated at both ends: less than the 3 of the middle
    clipped = np.clip(change, -3, 3)
    assert edits.movement(clipped, strengths)[0, 0] == pytest.approx((6 + 3 + 3 + 6) / 10)


def test_a_target_that_may_not_move_has_no_leakage() -> None:
    moved = np.random.default_rng(0).normal(size=(50, 2))
    assert edits.leakage(moved, 0) is None


def test_identity_of_swapped_examples() -> None:
    before = np.eye(3)
    swapped = before[[1, 0, 2]]
    found = edits.identity(before, np.stack([before, swapped]))
    assert found.cosine.tolist() == [[1, 1, 1], [0, 0, 1]]
    assert found.recognised == pytest.approx([1, 1 / 3])
    # features without length resemble nothing
    assert edits.identity(np.zeros((2, 3)), np.ones((1, 2, 3))).cosine.tolist() == [[0, 0]]


def test_separation_needs_both_kinds() -> None:
    assert edits.separation(np.arange(4.0), np.array([True, True, False, False])) == 0
    assert edits.separation(np.arange(4.0), np.ones(4, bool)) is None
