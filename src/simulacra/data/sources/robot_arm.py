"""`robot-arm`: predict the joint angles of a planar arm from the position of its hand.

J links, each 1/J long, start at the base (0, 0). theta_1 is the angle of the first link to the x axis,
theta_j that of link j to the link before, in radians. The angles theta_2 .. theta_J are uniform on
+-240/J degrees, and the direction phi of the hand seen from the base is uniform on +-90 degrees:

    theta_1 = phi - psi,    psi the direction of the hand seen along the first link

so that an arm and its mirror image in the line from base to hand are equally likely: two joints reach
every hand position with the elbow on either side. theta_1 is never wrapped into +-180 degrees.
There is no noise.

Source: C. M. Bishop, Mixture Density Networks (Aston University NCRG/94/004, 1994), where the links of
the arm differ in length and both angles are uniform.
"""

from __future__ import annotations

import numpy as np

from simulacra.data.sources.arguments import read
from simulacra.data.sources.simulated import COUNT, simulate
from simulacra.data.spec import Data, Dataset, DataSpec, Options, Truth
from simulacra.errors import DataError

# (default, lowest, highest)
JOINTS = (2, 1, 8)


def joints(theta: np.ndarray) -> np.ndarray:
    """Where base, joints and hand are, in arm lengths, `(N, J)` to float64 `(N, J + 1, 2)`.

    >>> joints(np.array([[0.0, np.pi / 2]])).round(3).tolist()
    [[[0.0, 0.0], [0.5, 0.0], [0.5, 0.5]]]
    """
    n, J = theta.shape
    angle = np.cumsum(theta, 1, dtype=np.float64)
    positions = np.zeros((n, J + 1, 2))
    np.cumsum(np.stack([np.cos(angle), np.sin(angle)], 2) / J, 1, out=positions[:, 1:])
    return positions


def hand(theta: np.ndarray) -> np.ndarray:
    """Forward kinematics: where the hand is, in arm lengths, `(N, J)` to float64 `(N, 2)`.

    >>> hand(np.array([[0.0, 0.0, 0.0]])).tolist()
    [[1.0, 0.0]]
    """
    return joints(theta)[:, -1]


def elbows(hand: np.ndarray) -> np.ndarray:
    """Inverse kinematics of two joints: both arms that reach each hand position.

    Args:
        hand: `(N, 2)`, in arm lengths. Beyond reach, the arm is stretched towards it.

    Returns:
        The angles, float64 `(N, 2, 2)`: first the arm with theta_2 >= 0, then its mirror image.

    Raises:
        DataError: a position is not in the plane.

    >>> elbows(np.array([[0.5, 0.5]])).round(3).tolist()
    [[[0.0, 1.571], [1.571, -1.571]]]
    """
    if hand.ndim != 2 or hand.shape[1] != 2:
        raise DataError(f"robot-arm: the positions of N hands have shape (N, 2), not {hand.shape}")
    x, y = np.asarray(hand, np.float64).T
    # two links of 1/2 with the angle theta_2 between them: r = cos(theta_2 / 2), psi = theta_2 / 2
    phi, psi = np.arctan2(y, x), np.arccos(np.minimum(np.hypot(x, y), 1))
    return np.stack([np.stack([phi - s * psi, s * 2 * psi], 1) for s in (1, -1)], 1)


def sample(n: int, J: int = 2, seed: int = 0) -> np.ndarray:
    """The angles of n arms in radians, float32 `(n, J)`; row i depends on seed and i alone, not on n.

    >>> sample(100, J=3).shape
    (100, 3)
    """
    u = np.stack([np.random.default_rng([seed, j]).uniform(-1, 1, n) for j in range(J)], 1)
    theta = np.radians(240 / J) * u
    theta[:, 0] = 0
    x, y = hand(theta).T
    theta[:, 0] = np.radians(90) * u[:, 0] - np.arctan2(y, x)
    return theta.astype(np.float32)


def load(name: str, argument: str, options: Options) -> Data:
    """`robot-arm[:N][,joints=J]`: N arms, 50,000 if not given, with 1 to 8 joints, 2 if not given.

    >>> data = load("robot-arm", "200,joints=3", Options())
    >>> data.spec.columns, data.spec.target.columns
    (('hand_x', 'hand_y'), ('theta_1', 'theta_2', 'theta_3'))

    Raises:
        DataError: N or J is out of range.
    """
    source, values = read(name, argument, COUNT, joints=JOINTS)
    J = values["joints"]
    angles = DataSpec("vector", (J,), columns=tuple(f"theta_{j}" for j in range(1, J + 1)))
    spec = DataSpec("vector", (2,), columns=("hand_x", "hand_y"), target=angles)

    def draw() -> Dataset:
        theta = sample(values["N"], J)
        return Dataset(spec, hand(theta).astype(np.float32), target=theta)

    return simulate(source, draw, Truth(forward=hand))
