"""Forward and reverse perplexity of samples that are real, and of samples that are all the same."""

from __future__ import annotations

import pytest

import simulacra as sim
from tests.metrics.texts import Sampler, rows, sentence_data


def test_perplexities_of_real_and_of_repeated_samples() -> None:
    data = sim.load_data("sentences:600")
    real = Sampler(data.train.x[(data.train.x != 2).all(axis=1)], data.spec)
    found = sim.evaluate(real, data, metrics=["language_model"])
    expected = found["real_against_real"]["reverse_perplexity"]
    assert 7 < expected < 70
    assert found["reverse_perplexity"] == pytest.approx(expected, rel=0.1)
    assert found["forward_perplexity"] == pytest.approx(expected, rel=0.2)
    same = Sampler(data.train.x[:1], data.spec)
    found = sim.evaluate(same, data, metrics=["language_model"])
    # the language model of the data is the same one
    assert found["real_against_real"]["reverse_perplexity"] == expected
    assert found["reverse_perplexity"] > 10 * expected
    assert found["forward_perplexity"] < expected


def test_too_few_sentences() -> None:
    found = sim.evaluate(Sampler(rows(["a"])), sentence_data(["a"], ["b"] * 30), metrics=["language_model"])
    assert found["left_out"] == "language_model needs 20 training and 20 other sentences"
