"""The urn of Ensign et al. 2018: where patrols are sent, and what the records learn from them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

# the long run, as a multiple of the draws asked about; times at which shares are kept
LONG, KEPT = 10, 60


@dataclass(frozen=True)
class Setting:
    """Two areas and their records at the start.

    Attributes:
        rates: mean incidents that a visit to each area finds.
        start: recorded incidents of each area.
        poisson: whether what a visit finds is Poisson distributed; otherwise it is exactly the rate.
    """

    rates: tuple[float, float]
    start: tuple[float, float]
    poisson: bool

    @property
    def truth(self) -> float:
        """The first area's share of all incidents."""
        return self.rates[0] / sum(self.rates)

    @property
    def initial(self) -> float:
        """The first area's share of the records at the start."""
        return self.start[0] / sum(self.start)


# Polya's urn with two identical areas; and two areas of Oakland in the setting of Lum and Isaac 2016, with
# the daily numbers and records that Ensign et al. 2018 take from it
SETTINGS = {
    "urn": Setting((1.0, 1.0), (1.0, 1.0), poisson=False),
    "oakland": Setting((3.68511, 2.816466), (609.0, 379.0), poisson=True),
}


def times(draws: int) -> np.ndarray:
    """Draws after which shares are kept, int `(T,)`; they include 0, `draws` and `LONG * draws`."""
    spaced = np.geomspace(1, LONG * draws, KEPT).round().astype(int)
    return np.unique(np.concatenate([[0, draws], spaced]))


def shares(setting: Setting, draws: int, runs: int, corrected: bool, seed: int = 0) -> np.ndarray:
    """The first area's share of the balls in many runs, float `(S, T)`, at `times(draws)`.

    Each draw sends a patrol to the area of the ball's colour; what the patrol finds is added as balls of that
    colour. With the correction, as in the authors' programs, what is found in the area visited more often is
    added only with a probability, that of visiting the other area over that of visiting this one. Balls of
    either colour then arrive at the rate min(p, 1 - p) lambda: in the ratio of the rates, wherever they go.

    >>> bool(abs(shares(SETTINGS["urn"], 100, 2000, corrected=False)[:, -1].std() - 12**-0.5) < 0.02)
    True

    Args:
        setting: the areas.
        draws: draws asked about; `LONG` times as many are made.
        runs: S.
        corrected: whether to apply the correction.
        seed: random seed.
    """
    rng = np.random.default_rng(seed)
    rates, balls = np.array(setting.rates), np.tile(np.array(setting.start), (runs, 1))
    kept, every = [], np.arange(runs)
    at = set(times(draws).tolist())
    for t in range(LONG * draws + 1):
        p = balls[:, 0] / balls.sum(axis=1)
        if t in at:
            kept.append(p)
        area = (rng.random(runs) >= p).astype(int)
        found = rng.poisson(rates[area]).astype(float) if setting.poisson else rates[area]
        if corrected:
            own = np.where(area == 0, p, 1 - p)
            # (1 - p_i) / max_j (1 - p_j)
            found = found * (rng.random(runs) < (1 - own) / np.maximum(p, 1 - p))
        balls[every, area] += found
    return np.stack(kept, axis=1)
