"""Edits of a linear model, whose movement and leakage are known from its matrix."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from simulacra.data.spec import Data, Dataset, DataSpec
from simulacra.errors import ConfigError, DataError
from simulacra.latent.directions import Direction
from simulacra.metrics.features import load_extractor
from simulacra.tasks.attribute_predictor import known
from simulacra.tasks.evaluate_edits import evaluate_edits, identity_features, target_of
from tests.tasks.linear_edits import Linear, factors, predictor

IDENTITY = torch.eye(3).tolist()
MIXED = [[1.0, 0.5, 0.0], [0.6, 1.0, 0.0], [-2.0, 0.0, 1.0]]
SMILE = Direction("smile", "z", torch.tensor([1.0, 0.0, 0.0]), "means", {"attribute": "smile>0"})


def measured(model: Linear, direction: Direction, error: Any = (0, 0, 0), **settings: Any) -> dict[str, Any]:
    data = factors()
    what = known(predictor(error=error), data.test)
    return evaluate_edits(model, data, direction, what, load_extractor("raw"), **settings)


def test_latents_that_are_the_factors_leak_nothing() -> None:
    numbers = measured(Linear(IDENTITY), SMILE)
    edit = numbers["edit"]
    sd = factors().test.x.std(axis=0)
    assert edit["strengths"] == [-2, -1, 1, 2]
    # a movement of 1 at strength 1, in standard deviations, for every example alike
    assert np.array(edit["change"]["value"])[:, 0] == pytest.approx(
        np.array([-2, -1, 1, 2]) / sd[0], rel=1e-5
    )
    assert edit["movement"]["value"] == pytest.approx([1 / sd[0], 0, 0], abs=1e-6)
    assert edit["leakage"]["value"] == pytest.approx([1, 0, 0], abs=1e-6)
    assert edit["absolute_leakage"] == pytest.approx([1, 0, 0], abs=1e-6)
    assert (numbers["edit_left_alone"], numbers["edit_others"]) == (2, 2)
    assert numbers["edit_largest_leakage"] == pytest.approx(0, abs=1e-6)
    # of factors that are independent the direction separates examples perfectly
    assert numbers["direction_auc"] == 1
    assert edit["r2"] == edit["shown"] == pytest.approx([1, 1, 1], abs=1e-6)


def test_leakage_of_entangled_latents_is_that_of_the_matrix_and_projection_removes_it() -> None:
    sd = factors().test.x.std(axis=0)
    edit = measured(Linear(MIXED), SMILE)["edit"]
    # z_0 moves the factors by the first column of the matrix: 1, 0.6, -2
    expected = np.array([1, 0.6 / sd[1], -2 / sd[2]]) / [1, 1 / sd[0], 1 / sd[0]]
    assert edit["leakage"]["value"] == pytest.approx(expected, rel=1e-4)
    assert edit["leakage"]["low"] == pytest.approx(expected, rel=1e-4), "the same for every example"
    # what a factor reads of the latents is its row of the matrix: a direction at right angles leaves it alone
    rows = [Direction(f"row {i}", "z", torch.tensor(MIXED[i]), "logistic") for i in (1, 2)]
    numbers = measured(Linear(MIXED), SMILE.orthogonal(*rows))
    assert numbers["edit"]["leakage"]["value"] == pytest.approx([1, 0, 0], abs=1e-5)
    assert numbers["edit_left_alone"] == 2
    one = measured(Linear(MIXED), SMILE.orthogonal(rows[0]))["edit"]["leakage"]["value"]
    assert one[1] == pytest.approx(0, abs=1e-5)
    assert abs(one[2]) > 0.1


def test_success_and_identity() -> None:
    data = factors()
    smile = data.test.x[:, 0]
    numbers = measured(Linear(IDENTITY), SMILE, strengths=[-1, 0, 1, 9])
    edit = numbers["edit"]
    assert edit["strengths"] == [-1, 1, 9]
    without, with_it = smile[smile <= 0], smile[smile > 0]
    assert edit["success"] == pytest.approx([(with_it <= 1).mean(), (without > -1).mean(), 1])
    assert edit["tried"] == [len(with_it), len(without), len(without)]
    # cosine of the numbers themselves
    edited = data.test.x + np.float32([1, 0, 0])
    cosine = (
        (edited * data.test.x).sum(1) / np.linalg.norm(edited, axis=1) / np.linalg.norm(data.test.x, axis=1)
    )
    assert edit["identity"]["value"][1] == pytest.approx(cosine.mean(), abs=1e-5)
    # strength 9 succeeds always, and leaves nobody who they were
    assert edit["identity"]["value"][2] < 0.6
    assert numbers["edit_strength"] == 1
    assert numbers["edit_success"] == pytest.approx((without > -1).mean())
    assert edit["recognised"][1] > edit["recognised"][2]


def test_edits_are_undone_as_far_as_the_encoder_inverts_the_decoder() -> None:
    exact = measured(Linear(MIXED), SMILE)
    assert exact["edit"]["consistency"] == pytest.approx([0] * 4, abs=1e-6)
    assert exact["edit_consistency"] == pytest.approx(0, abs=1e-6)
    half = Linear(IDENTITY)
    half.encode = lambda x, space=None: torch.distributions.Normal(x / 2, 1.0)  # type: ignore[method-assign]
    numbers = measured(half, SMILE, strengths=[-1, 2])
    # z = x / 2 comes back as (z + s v) / 2 - s v
    z = factors().test.x / 2
    away = [np.linalg.norm(z / 2 + s / 2 * np.array([1.0, 0, 0]), axis=1).mean() for s in (-1, 2)]
    between = np.linalg.norm(z[:, None] - z, axis=2).sum() / (len(z) * (len(z) - 1))
    assert numbers["edit"]["consistency"] == pytest.approx(np.array(away) / between, rel=1e-4)
    assert numbers["edit_consistency"] == numbers["edit"]["consistency"][1]


def test_success_needs_examples() -> None:
    far = Direction("smile", "z", torch.tensor([1.0, 0, 0]), "means", {"attribute": "smile>2.6"})
    numbers = measured(Linear(IDENTITY), far)
    tried, shares = numbers["edit"]["tried"], numbers["edit"]["success"]
    assert 0 < tried[0] < 10
    assert (shares[0], shares[3] is None) == (None, False)


def test_what_the_predictor_does_not_know_is_withheld() -> None:
    numbers = measured(Linear(MIXED), SMILE, error=(0, 2, 0.1))
    assert numbers["edit"]["attributes"] == ["smile", "age"]
    assert "explain 0.00 of its variance" in numbers["edit"]["withheld"]["glasses"]
    assert numbers["edit_others"] == 1
    with pytest.raises(
        DataError, match=r"'smile' cannot be measured: predictions explain 0.00 .* --classifier"
    ):
        measured(Linear(MIXED), SMILE, error=(2, 0, 0))
    nameless = Direction("axis", "z", torch.ones(3), "pca")
    with pytest.raises(DataError, match="no attribute can be measured"):
        measured(Linear(MIXED), nameless, error=(2, 2, 2))


def test_an_attribute_that_does_not_move_has_no_leakage() -> None:
    still = Direction("smile", "z", torch.tensor([0.0, 1.0, 0.0]), "means", {"attribute": "smile>0"})
    numbers = measured(Linear(IDENTITY), still)
    assert numbers["edit"]["leakage"] is None
    assert "may not move" in numbers["cautions"]["edits"]
    assert "edit_left_alone" not in numbers


def test_one_and_the_same_attribute_is_no_other() -> None:
    """`smiling` is `smile` above 0; what reconstructions do not show cannot move."""
    data = factors(columns=2)
    spec = DataSpec("vector", (2,), attributes=("smile", "glasses"))

    def doubled(part: Dataset) -> Dataset:
        x = part.x.copy()
        x[:, 1] = 2 * x[:, 0] + 0.5 * x[:, 1]
        return Dataset(spec, x, attributes=x)

    same = Data("same", doubled(data.train), doubled(data.validation), doubled(data.test))
    what = known(predictor(spec.attributes, (0, 0)), same.test)
    smile = Direction("smile", "z", torch.tensor([1.0, 2.0]), "means")
    numbers = evaluate_edits(Linear([[1.0, 0], [0, 1]]), same, smile, what, load_extractor("raw"))
    assert numbers["edit"]["others"] == []
    assert "edit_others" not in numbers


def test_a_model_that_does_not_show_an_attribute_cannot_leave_it_alone() -> None:
    blind = Linear([[1.0, 0, 0], [0, 1.0, 0], [0, 0, 1.0]])
    blind.encode = lambda x, space=None: torch.distributions.Normal(x * torch.tensor([1.0, 1.0, 0.0]), 1.0)  # type: ignore[method-assign]
    numbers = measured(blind, SMILE)
    assert numbers["edit"]["others"] == ["glasses"]
    assert numbers["edit"]["shown"][2] == pytest.approx(0, abs=0.05)


def test_samples_are_edited_without_an_encoder() -> None:
    from simulacra.core.capabilities import Decodes

    class Decoder(Decodes):
        def __init__(self) -> None:
            super().__init__(DataSpec("vector", (3,)), None)
            self.register_buffer("anywhere", torch.zeros(()))
            self.spaces = Linear(IDENTITY).spaces

        def decode(self, z: torch.Tensor, space: str | None = None) -> torch.distributions.Normal:
            return torch.distributions.Normal(z, 1.0)

    data = factors()
    what = known(predictor(), data.test)
    numbers = evaluate_edits(Decoder(), data, SMILE, what, load_extractor("raw"), examples=50)
    assert (numbers["data"], numbers["examples"], numbers["edit"]["shown"]) == ("samples", 50, None)
    assert numbers["edit"]["leakage"]["value"] == pytest.approx([1, 0, 0], abs=1e-6)
    assert "direction_auc" not in numbers
    assert numbers["edit"]["consistency"] is None
    assert "edit_consistency" not in numbers


@pytest.mark.parametrize(
    ("attribute", "column", "threshold", "above"),
    [("smile", 0, None, True), ("age>=2", 2, 2.0, True), ("age < 2", 2, 2.0, False)],
)
def test_the_attribute_of_a_direction(
    attribute: str, column: int, threshold: float | None, above: bool
) -> None:
    data = factors()
    what = known(predictor(), data.test)
    target = target_of(Direction("x", "z", torch.ones(3), "means", {"attribute": attribute}), what, data.test)
    assert target is not None
    assert (target.column, target.above) == (column, above)
    median = float(np.median(data.test.x[:, column]))
    assert target.threshold == pytest.approx(median if threshold is None else threshold)
    if attribute == "age < 2":
        assert target.held_by(np.array([1.0, 3.0])).tolist() == [True, False]


def test_the_attribute_may_be_the_first_of_two_classes() -> None:
    spec = DataSpec("vector", (1,), ("neutral", "smiling"))
    held = Dataset(spec, np.float32([[0], [1], [0], [1]]), np.array([0, 1, 0, 1]))
    what = known(predictor(("smiling",), (0,)), held)
    neutral = target_of(Direction("n", "z", torch.ones(1), "means", {"attribute": "neutral"}), what, held)
    assert neutral is not None
    assert neutral.held_by(np.array([0.1, 0.9])).tolist() == [True, False]
    # a predictor of one attribute measures directions that do not say theirs
    other = target_of(Direction("happy", "z", torch.ones(1), "means"), what, held)
    assert other is not None
    assert (other.name, other.above) == ("smiling", True)


def test_wrong_directions() -> None:
    model = Linear(IDENTITY)
    with pytest.raises(ConfigError, match="belongs to the latent space 'w'"):
        measured(model, Direction("smile", "w", torch.ones(3), "means"))
    with pytest.raises(ConfigError, match="does not predict, did you mean 'smile'"):
        measured(model, Direction("smile", "z", torch.ones(3), "means", {"attribute": "smle"}))
    with pytest.raises(ConfigError, match="at least one besides 0"):
        measured(model, SMILE, strengths=[0])


def test_a_direction_without_an_attribute_says_what_moves() -> None:
    numbers = measured(Linear(MIXED), Direction("pc 1", "z", torch.tensor([1.0, 0, 0]), "pca"))
    sd = np.array(factors().test.x.std(axis=0))
    assert numbers["edit"]["movement"]["value"] == pytest.approx(np.array([1, 0.6, -2]) / sd, rel=1e-4)
    assert "leakage" not in numbers["edit"]
    assert "edit_success" not in numbers


@pytest.mark.parametrize(("side", "features"), [(8, "raw"), (31, "raw"), (32, "efficientnet-lite0")])
def test_small_images_are_compared_by_pixels(side: int, features: str) -> None:
    pytest.importorskip("efficientnet_lite_pytorch")
    assert identity_features(DataSpec("image", (1, side, side))) == features
