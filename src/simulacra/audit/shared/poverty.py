"""A simulated town in which people who are caught become poor, and poor people may offend more."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

# stops a year, per person, before anything changes
STOPS = 0.1
# the share by which offences would shrink if everybody were stopped
DETERRENCE = 0.3
# the share of poor people without a record who leave poverty in a year; of records deleted in a year
LEAVE, CLEAR = 0.1, 0.05


@dataclass(frozen=True)
class Group:
    """People whose state changes from year to year: not poor, poor, poor with a record.

    Attributes:
        people: number of people.
        poor: share of them who are poor at the start, with or without a record.
        offences: offences a year per person who is not poor, and per poor person, at `STOPS`.

    >>> group = Group(2000, 0.5, (0.02, 0.22))
    >>> start, enter = group.equilibrium()
    >>> start.round(3).tolist(), round(enter, 4)
    ([0.5, 0.331, 0.169], 0.0628)
    """

    people: int
    poor: float
    offences: tuple[float, float]

    def equilibrium(self) -> tuple[np.ndarray, float]:
        """Shares of the three states `(3,)`, and the share who become poor in a year, in equilibrium."""
        # caught: N c_N + P c_P = R (1 - c_P) d, with P = q - R
        c_n, c_p = (rate * STOPS for rate in self.offences)
        none, q = 1 - self.poor, self.poor
        record = (none * c_n + q * c_p) / ((1 - c_p) * CLEAR + c_p)
        # not poor: N (c_N + (1 - c_N) e) = P (1 - c_P) l
        enter = ((q - record) * (1 - c_p) * LEAVE / none - c_n) / (1 - c_n)
        return np.array([none, q - record, record]), float(enter)

    def rates(self, stops: np.ndarray) -> np.ndarray:
        """Offences per person in the three states `(S, 3)`, given stops per person `(S,)`."""
        none, poor = self.offences
        deterred = (1 - DETERRENCE * stops) / (1 - DETERRENCE * STOPS)
        return np.array([none, poor, poor]) * deterred[:, None]


class Town:
    """Many runs of one group: its people by state, int `(S, 3)`, year after year."""

    def __init__(self, group: Group, runs: int, rng: np.random.Generator) -> None:
        start, self.enter = group.equilibrium()
        self.group, self.rng = group, rng
        self.people = rng.multinomial(group.people, start, size=runs)

    @property
    def poor(self) -> np.ndarray:
        """Share of people who are poor, `(S,)`."""
        return np.asarray(self.people[:, 1:].sum(axis=1) / self.group.people)

    def year(self, stops: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Simulate a year in which offenders are stopped, and caught, with this probability `(S,)`.

        People who are caught become poor, with a record; nobody leaves poverty with a record.

        Returns:
            Offences and convictions, int `(S,)` each.
        """
        draw = self.rng.binomial
        offences = draw(self.people, self.group.rates(stops))
        caught = draw(offences, stops[:, None])
        none, poor, record = (self.people - caught).T
        enter, leave, clear = draw(none, self.enter), draw(poor, LEAVE), draw(record, CLEAR)
        self.people = np.stack(
            [none - enter + leave, poor + enter - leave + clear, record - clear + caught.sum(axis=1)], axis=1
        )
        return offences.sum(axis=1), caught.sum(axis=1)


def policy(group: Group, stops: float, years: int, runs: int, seed: int = 0) -> np.ndarray:
    """Offences per person in each year, float `(S, T + 1)`, if stops change after the first year."""
    town = Town(group, runs, np.random.default_rng(seed))
    offences = [town.year(np.full(runs, STOPS if year == 0 else stops))[0] for year in range(years + 1)]
    return np.stack(offences, axis=1) / group.people
