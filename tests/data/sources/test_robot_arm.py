"""The robot arm: its kinematics against complex numbers, and how its angles are distributed."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import kstest, uniform

from simulacra.data import load
from simulacra.data.sources.robot_arm import elbows, hand, joints, sample
from simulacra.errors import DataError

N = 20_000
EVERY_J = range(1, 9)


def angles(J: int, n: int = 200) -> np.ndarray:
    """Any angles at all, `(n, J)`."""
    return np.random.default_rng(J).uniform(-7, 7, (n, J))


def complex_hand(theta: np.ndarray) -> np.ndarray:
    """1/J sum_j exp(i (theta_1 + .. + theta_j)), `(N,)`."""
    J = theta.shape[1]
    positions: np.ndarray = sum(np.exp(1j * theta[:, :j].sum(1)) for j in range(1, J + 1)) / J  # type: ignore[assignment]  # J > 0
    return positions


# --- kinematics -----------------------------------------------------------------------------------


@pytest.mark.parametrize("J", EVERY_J)
def test_the_hand_of_a_straight_arm_is_an_arm_length_away(J: int) -> None:
    theta = np.zeros((2, J))
    theta[1, 0] = np.pi / 2
    assert np.allclose(hand(theta), [[1, 0], [0, 1]], atol=1e-15)


def test_known_arms() -> None:
    right_angles = np.radians([[90.0, -90.0], [0.0, 180.0], [180.0, 90.0]])
    assert np.allclose(hand(right_angles), [[0.5, 0.5], [0, 0], [-0.5, -0.5]], atol=1e-15)
    square = joints(np.radians([[0.0, 90.0, 90.0, 90.0]]))[0]
    assert np.allclose(4 * square, [[0, 0], [1, 0], [1, 1], [0, 1], [0, 0]], atol=1e-14)


@pytest.mark.parametrize("J", EVERY_J)
def test_links_are_equally_long_from_base_to_hand(J: int) -> None:
    theta = angles(J)
    positions = joints(theta)
    assert positions.shape == (200, J + 1, 2)
    assert np.all(positions[:, 0] == 0)
    assert np.allclose(np.hypot(*np.moveaxis(np.diff(positions, axis=1), 2, 0)), 1 / J, rtol=1e-12)
    assert np.array_equal(positions[:, -1], hand(theta))
    z = complex_hand(theta)
    assert np.allclose(hand(theta), np.stack([z.real, z.imag], 1), atol=1e-13)


def test_both_elbows_reach_the_hand() -> None:
    rng = np.random.default_rng(0)
    r, phi = np.sqrt(rng.random(500)), rng.uniform(-np.pi, np.pi, 500)
    where = np.stack([r * np.cos(phi), r * np.sin(phi)], 1)
    arms = elbows(where)
    assert arms.shape == (500, 2, 2)
    assert np.all(arms[:, 0, 1] > 0)
    assert np.array_equal(arms[:, 1, 1], -arms[:, 0, 1])
    for solution in (0, 1):
        assert np.allclose(hand(arms[:, solution]), where, atol=1e-14)
    # the elbows are mirror images in the line from base to hand: equal products with it, opposite crosses
    a, b = (joints(arms[:, solution])[:, 1] for solution in (0, 1))
    assert np.allclose((a * where).sum(1), (b * where).sum(1), atol=1e-14)
    crosses = [where[:, 0] * e[:, 1] - where[:, 1] * e[:, 0] for e in (a, b)]
    assert np.allclose(crosses[0], -crosses[1], atol=1e-14)
    assert np.all(crosses[0] < 0)


def test_one_of_the_elbows_is_the_one_that_was_simulated() -> None:
    theta = sample(2_000)
    off = np.abs(elbows(hand(theta)) - theta[:, None]).max(2)
    assert off.min(1).max() < 1e-6
    assert np.array_equal(off.argmin(1), theta[:, 1] < 0)


def test_beyond_reach_the_arm_is_stretched_towards_the_hand() -> None:
    arms = elbows(np.array([[3.0, 0.0], [0.0, 1.0 + 1e-7]]))
    assert np.allclose(arms[..., 0], [[0, 0], [np.pi / 2, np.pi / 2]])
    assert np.all(arms[..., 1] == 0)


@pytest.mark.parametrize("shape", [(2,), (4, 3), (4, 1), (4, 2, 2)])
def test_positions_that_are_not_in_the_plane_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(DataError, match=r"have shape \(N, 2\), not"):
        elbows(np.zeros(shape))


# --- samples --------------------------------------------------------------------------------------


@pytest.mark.parametrize("J", EVERY_J)
def test_angles_are_as_described(J: int) -> None:
    theta = sample(N, J)
    assert theta.dtype == np.float32
    assert theta.shape == (N, J)
    # psi is the direction of the hand seen along the first link, phi that seen along the x axis
    straight = theta.astype(float) * (np.arange(J) > 0)
    psi, phi = (np.degrees(np.angle(complex_hand(a))) for a in (straight, theta))
    assert np.allclose(np.degrees(theta[:, 0]), phi - psi, atol=1e-4)
    assert kstest(phi, uniform(-90, 180).cdf).pvalue > 1e-3
    for column in np.degrees(theta[:, 1:].T):
        assert kstest(column, uniform(-240 / J, 480 / J).cdf).pvalue > 1e-3
    independent = np.column_stack([phi, theta[:, 1:]])
    assert np.abs(np.corrcoef(independent.T) - np.eye(J)).max() < 4.5 / np.sqrt(N)


@pytest.mark.parametrize("J", [2, 3])
def test_an_arm_and_its_mirror_image_are_equally_likely_for_every_hand(J: int) -> None:
    theta = sample(N, J)
    x, y = hand(theta).T
    sign = np.sign(theta[:, 1])
    assert abs(sign.mean()) < 4 / np.sqrt(N)
    r, phi = np.hypot(x, y), np.arctan2(y, x)
    # 5 x 5 regions of the plane, with equally many rings and equally wide sectors
    ring = np.digitize(r, np.quantile(r, [0.2, 0.4, 0.6, 0.8]))
    sector = np.digitize(phi, np.pi * np.array([-0.3, -0.1, 0.1, 0.3]))
    for region in range(25):
        inside = sign[5 * ring + sector == region]
        assert len(inside) > 500
        assert abs(inside.mean()) < 4 / np.sqrt(len(inside))


@pytest.mark.parametrize("J", [1, 2, 5])
def test_samples_depend_on_seed_and_row_alone(J: int) -> None:
    assert np.array_equal(sample(50, J), sample(700, J)[:50])
    assert not np.array_equal(sample(50, J), sample(50, J, seed=1))


@pytest.mark.parametrize(("argument", "J"), [("300", 2), ("300,joints=1", 1), ("300,joints=8", 8)])
def test_load_gives_hands_and_angles(argument: str, J: int) -> None:
    data = load(f"robot-arm:{argument}")
    assert data.spec.columns == ("hand_x", "hand_y")
    assert data.spec.target is not None
    assert data.spec.target.columns == tuple(f"theta_{j}" for j in range(1, J + 1))
    theta = np.concatenate([s.target for s in (data.train, data.validation, data.test)])  # type: ignore[misc]  # never None
    assert sorted(theta.tolist()) == sorted(sample(300, J).tolist())
    assert data.truth.forward is hand
    assert data.truth.size == 1
    assert np.allclose(data.truth.forward(data.train.target), data.train.x, atol=1e-6)  # type: ignore[arg-type]  # never None
    assert data.truth.log_density is None
