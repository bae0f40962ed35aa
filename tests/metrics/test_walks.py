"""Walks whose course is known."""

from __future__ import annotations

import numpy as np
import pytest

import simulacra as sim
from simulacra.metrics.walks import course
from tests.metrics.texts import Walker, rows, sentence_data


def walk(*texts: str) -> dict[str, float]:
    return {key: float(value[0]) for key, value in course(rows(texts)[None]).items()}


def test_courses_of_walks() -> None:
    even = walk("a a a", "b a a", "b b a", "b b b")
    assert even == pytest.approx({"smoothness": 1, "largest_step": 1 / 3, "monotone": 1, "distinct": 4})
    # a single jump is smooth and monotone, and its largest step is all of it
    jump = walk("a a a", "a a a", "b b b", "b b b")
    assert jump == pytest.approx({"smoothness": 1, "largest_step": 1, "monotone": 1, "distinct": 2})
    # over a sentence that has nothing of either: 1 + 1 instead of 1
    detour = walk("a a a", "c c c", "b b b")
    assert detour == pytest.approx({"smoothness": 1 / 2, "largest_step": 1 / 2, "monotone": 1, "distinct": 3})
    # back to the start and off again: of three steps the second comes nearer to it
    back = walk("a a a", "b a a", "a a a", "b b b")
    expected = {"smoothness": 1 / (5 / 3), "largest_step": 3 / 5, "monotone": 2 / 3, "distinct": 3}
    assert back == pytest.approx(expected)
    still = walk("a", "a", "a")
    assert still == {"smoothness": 0, "largest_step": 1, "monotone": 0, "distinct": 1}
    # there and back: a detour alone
    assert walk("a", "b", "a")["smoothness"] == 0


def test_walks_of_a_model_are_straight_and_between_pairs() -> None:
    # eight letters z = 0 or 4: half-way b becomes f
    data = sentence_data([], ["a", "e"] * 20)
    model = Walker(lambda z: "b c" if z < 2.1 else "f c")
    found = sim.evaluate(model, data, metrics=["walks"])
    assert (found["walks"], found["walk_steps"]) == (20, 9)
    assert found["walk_distinct"] == 1 + found["walk_smoothness"]
    assert 0 < found["walk_smoothness"] < 1
    assert found["walk_largest_step"] == 1
    assert found["walk_monotone"] == found["walk_smoothness"]
    seen: list[float] = []
    sim.evaluate(
        Walker(lambda z: seen.append(z) or "a"), sentence_data([], ["a", "e"] * 2), metrics=["walks"]
    )
    steps = np.array(seen).reshape(9, 2)
    np.testing.assert_allclose(np.diff(steps, axis=0), np.tile((steps[-1] - steps[0]) / 8, (8, 1)))


def test_too_few_sentences() -> None:
    found = sim.evaluate(Walker(lambda z: "a"), sentence_data([], ["a", "b"]), metrics=["walks"])
    assert found["left_out"] == "walks need 4 examples, not 2"
