"""The urn of Ensign et al. 2018: where patrols are sent, and what they learn there."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

# draws after which the share is kept, as factors of the number asked for
LONG = 10
KEPT = 60


@dataclass(frozen=True)
class Setting:
    """Two areas, and what is known of them at the beginning.

    Attributes:
        rates: incidents that a visit finds, on average.
        start: incidents on record.
        poisson: visits find numbers that vary (Poisson); otherwise exactly the rate.
    """

    rates: tuple[float, float]
    start: tuple[float, float]
    poisson: bool

    @property
    def truth(self) -> float:
        """The first area's share of all incidents."""
        return self.rates[0] / sum(self.rates)

    @property
    def began(self) -> float:
        """The first area's share of the records at the beginning."""
        return self.start[0] / sum(self.start)


# Polya's urn: two areas alike; and two areas of Oakland in the setting of Lum and Isaac 2016, with the daily
# numbers and records that Ensign et al. 2018 take from it
SETTINGS = {
    "urn": Setting((1.0, 1.0), (1.0, 1.0), poisson=False),
    "oakland": Setting((3.68511, 2.816466), (609.0, 379.0), poisson=True),
}


def times(draws: int) -> np.ndarray:
    """Draws after which shares are kept, int `(T,)`: 0, `draws` and `LONG * draws` are among them."""
    spaced = np.geomspace(1, LONG * draws, KEPT).round().astype(int)
    return np.unique(np.concatenate([[0, draws], spaced]))


def shares(setting: Setting, draws: int, runs: int, corrected: bool, seed: int = 0) -> np.ndarray:
    """The first area's share of the balls, float `(S, T)`, at `times(draws)`, in many runs.

    Each draw sends a patrol to the area of the ball's colour, and what it finds there is put in as balls of
    that colour. Corrected, as in the authors' programs, what is found in the area that is visited more often
    is put in only with the probability that the other one is visited, by its own. Then balls of either colour
    come in as min(p, 1 - p) lambda: in the ratio of the rates, wherever patrols go.

    >>> bool(abs(shares(SETTINGS["urn"], 100, 2000, corrected=False)[:, -1].std() - 12**-0.5) < 0.02)
    True

    Args:
        setting: the areas.
        draws: draws that are asked about; `LONG` times as many are made.
        runs: S.
        corrected: what is found counts for less where patrols go often.
        seed: of the draws.
    """
    rng = np.random.default_rng(seed)
    rates, balls = np.array(setting.rates), np.tile(np.array(setting.start), (runs, 1))
    kept, every = [], np.arange(runs)
    at = times(draws)
    keep = np.isin(np.arange(at[-1] + 1), at)
    for t in range(at[-1] + 1):
        p = balls[:, 0] / balls.sum(axis=1)
        if keep[t]:
            kept.append(p)
        area = (rng.random(runs) >= p).astype(int)
        found = rng.poisson(rates[area]).astype(float) if setting.poisson else rates[area]
        if corrected:
            own = np.where(area == 0, p, 1 - p)
            # (1 - p_i) / max_j (1 - p_j)
            found = found * (rng.random(runs) < (1 - own) / np.maximum(p, 1 - p))
        balls[every, area] += found
    return np.stack(kept, axis=1)
