"""The picture of the arm: which arms are drawn, and where their hands are."""

from pathlib import Path

import numpy as np
import pytest
import torch
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from torch.distributions import Categorical, Independent, MixtureSameFamily, Normal

import simulacra as sim
from simulacra.data.sources.robot_arm import elbows, joints, sample
from simulacra.report import arms
from simulacra.report.figures import BLUE, GREEN, ORANGE, png
from simulacra.report.material import gather
from simulacra.run import Run

HANDS = np.array([[0.3, 0.2], [0.5, -0.4], [0.0, 0.7]])


def arms_of(axes: Axes) -> list[Line2D]:
    """The lines that are arms, not joints or marks."""
    return [line for line in axes.lines if line.get_marker() == "None"]


def colours(J: int) -> list[str]:
    """Of the arms of one hand position, all J joints bent a little upwards, then downwards."""
    theta = np.full((1, J), 0.1)
    figure = arms.draw(HANDS[:1], [np.concatenate([-theta, theta])], theta)
    assert len(png(figure)) > 1000
    return [str(line.get_color()) for line in arms_of(figure.axes[0])]


def test_both_elbows_are_distinguished_and_reach_the_hand() -> None:
    both = elbows(HANDS)
    for theta, hand in zip(both, HANDS, strict=True):
        # theta_2 >= 0 is bent below the line from base to hand
        assert arms.side(joints(theta)).tolist() == [-1, 1]
        np.testing.assert_allclose(joints(theta)[:, -1], [hand, hand], atol=1e-12)
    figure = arms.draw(HANDS, list(both), both.mean(axis=1))
    assert len(figure.axes) == 3
    for axes, theta, hand in zip(figure.axes, both, HANDS, strict=True):
        *solid, dashed = arms_of(axes)
        assert [line.get_color() for line in solid] == [BLUE, GREEN]
        for line, positions in zip(solid, joints(theta), strict=True):
            np.testing.assert_array_equal(np.asarray(line.get_xydata()), positions)
        assert (dashed.get_color(), dashed.get_linestyle()) == (ORANGE, "--")
        # the mean is an arm stretched towards the hand: it reaches too far
        reached = np.asarray(dashed.get_xydata())[-1]
        np.testing.assert_allclose(reached, hand / np.linalg.norm(hand), atol=1e-12)


@pytest.mark.parametrize("J", [1, 2, 3, 8])
def test_arms_of_any_number_of_joints(J: int) -> None:
    assert colours(J) == [BLUE if J == 1 else GREEN, BLUE, ORANGE]


def test_modes_that_are_hardly_there_are_left_out() -> None:
    mu = torch.tensor([[[0.0, 1.0], [1.0, 0.0], [5.0, 5.0]]])
    parts = Independent(Normal(mu, 0.1), 1)
    p = MixtureSameFamily(Categorical(probs=torch.tensor([[0.6, 0.39, 0.01]])), parts)
    (found,) = arms.highest_modes(p)
    np.testing.assert_allclose(found, [[0, 1], [1, 0]], atol=1e-4)


def test_hands_from_near_to_far() -> None:
    x = np.random.default_rng(0).normal(size=(100, 2))
    chosen = arms.spread_out(x)
    distance = np.linalg.norm(chosen, axis=1)
    assert (np.diff(distance) > 0).all()
    assert distance[[0, -1]].tolist() == [
        np.linalg.norm(x, axis=1).min(), np.linalg.norm(x, axis=1).max(),
    ]  # fmt: skip
    assert len(arms.spread_out(x[:2])) == 2


def test_a_mixture_shows_its_modes(arm: Run) -> None:
    card = arms.arms(gather(arm))
    assert card is not None
    assert "the modes of p(angles | hand)" in card.caption
    assert "coloured by the side of the line" in card.caption


def test_many_joints_and_single_distributions_show_draws(folder: Path) -> None:
    run = Run(folder / "arm3")
    sim.train("mdn", "robot-arm:500,joints=3", run.path, components=2, steps=3)
    card = arms.arms(gather(run))
    assert card is not None
    assert "12 draws from p(angles | hand)" in card.caption
    run = Run(folder / "arm1")
    sim.train("regressor", "robot-arm:500,joints=1", run.path, steps=3)
    card = arms.arms(gather(run))
    assert card is not None
    assert "elbow" not in card.caption


def test_only_the_robot_arm_has_arms(mdn: Run, classifier: Run) -> None:
    assert [arms.arms(gather(run)) for run in (mdn, classifier)] == [None] * 2


def test_errors_are_reported() -> None:
    theta = sample(2, J=2)
    exact = joints(theta)[:, -1]
    text = arms._errors(exact, [theta[:1], theta[1:]], np.zeros((2, 2)))
    assert text.startswith("Median distance of the hand from its target: 0.0% of the arm's length")
