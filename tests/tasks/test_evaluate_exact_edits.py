"""Edits of sentences whose attributes are those of their latents."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from simulacra.core.capabilities import Reconstructs
from simulacra.core.latents import LatentSpace
from simulacra.data import load
from simulacra.data.spec import Data
from simulacra.data.text import grammar
from simulacra.errors import ConfigError
from simulacra.latent.directions import Direction
from simulacra.probability.distributions import Delta
from simulacra.tasks.evaluate_exact_edits import evaluate_exact_edits

# by plural and past; and what is not grammatical
TEXTS = ["She sings alone.", "She sang alone.", "They sing alone.", "They sang alone.", "They sings."]


class Four(Reconstructs):
    """z = (plural, past, broken); decoded to one of four sentences, or a broken one."""

    def __init__(self, data: Data) -> None:
        spec, self.attributes = data.spec, data.truth.attributes
        super().__init__(spec, None)
        self.spaces = (LatentSpace.normal(3),)
        assert spec.vocabulary is not None
        self.x = torch.from_numpy(spec.vocabulary.encode(TEXTS, *spec.shape)).long()

    def encode(self, x: Tensor, space: str | None = None) -> Delta:
        # those with unknown words have none
        z = torch.from_numpy(np.nan_to_num(self.attributes(x.numpy())[:, :3])).float()
        return Delta(z * torch.tensor([1.0, 1.0, 0.0]))

    def decode(self, z: Tensor, space: str | None = None) -> Delta:
        plural, past, broken = (z > 0.5).long().T
        return Delta(self.x[torch.where(broken > 0, 4, 2 * plural + past)])


@pytest.fixture(scope="module")
def data() -> Data:
    return load("sentences:2000")


def direction(*vector: float, attribute: str = "plural") -> Direction:
    return Direction("way", "z", torch.tensor(vector), "means", {"attribute": attribute})


def test_sentences_of_the_test_are_in_the_grammar_and_one_is_not() -> None:
    assert [grammar.is_grammatical(text) for text in TEXTS] == [True, True, True, True, False]


def test_an_edit_that_flips_one_attribute_alone(data: Data) -> None:
    numbers = evaluate_exact_edits(Four(data), data, direction(1, 0, 0), examples=100)
    edit = numbers["edit"]
    assert (numbers["edit_success"], numbers["edit_rest"], numbers["edit_valid"]) == (1, 1, 1)
    assert edit["success"] == edit["rest"] == edit["valid"] == [1, 1, 1, 1]
    # those that have it are made to lose it, and the others to have it
    has = data.test.attributes
    assert has is not None
    assert sum(edit["tried"][1:3]) == 100
    assert edit["others"] == ["past", "negated", "question", "adjective"]


def test_an_edit_that_moves_another_attribute_or_breaks_the_sentence(data: Data) -> None:
    numbers = evaluate_exact_edits(Four(data), data, direction(1, 1, 0), strengths=[1], examples=200)
    edit = numbers["edit"]
    assert edit["success"] == [1]
    assert data.test.attributes is not None
    # those of the past stay there
    assert edit["unchanged"][0][0] == edit["rest"][0] == pytest.approx(0.5, abs=0.2)
    broken = evaluate_exact_edits(Four(data), data, direction(1, 0, 1), strengths=[1], examples=50)
    assert (broken["edit_success"], broken["edit_valid"], broken["edit_rest"]) == (0, 0, 0)


def test_comparisons_and_directions_for_no_attribute(data: Data) -> None:
    model = Four(data)
    numbers = evaluate_exact_edits(model, data, direction(0, 0, 0.1, attribute="length>=4"), examples=20)
    assert numbers["edit"]["flipped"] == "length"
    assert numbers["edit_success"] == 0
    with pytest.raises(ConfigError, match="is for 'sad'"):
        evaluate_exact_edits(model, data, direction(1, 0, 0, attribute="sad"), examples=20)


def test_words_in_common(data: Data) -> None:
    numbers = evaluate_exact_edits(Four(data), data, direction(0, 0, 0.1), strengths=[1], examples=30)
    # nothing moves
    assert numbers["edit_identity"] == pytest.approx(1)
    assert numbers["edit_different"] < 1
    assert np.isfinite(numbers["edit_different"])
