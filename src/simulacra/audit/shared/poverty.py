"""A made-up town in which being caught makes poor, and being poor may lead to offences."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

# stops a year, by person, before anything changes
STOPS = 0.1
# how much a stop of everybody would deter: offences shrink by this share
DETERRENCE = 0.3
# poor people who leave poverty in a year, unless they have a record; records that are struck off in a year
LEAVE, CLEAR = 0.1, 0.05


@dataclass(frozen=True)
class Group:
    """People whose state changes from year to year: not poor, poor, poor with a record.

    Attributes:
        people: how many.
        poor: share of them that is poor at the beginning, with a record or without.
        offences: a year, by person: of those who are not poor, and of the poor, at `STOPS`.

    >>> group = Group(2000, 0.5, (0.02, 0.22))
    >>> start, enter = group.settled()
    >>> start.round(3).tolist(), round(enter, 4)
    ([0.5, 0.331, 0.169], 0.0628)
    """

    people: int
    poor: float
    offences: tuple[float, float]

    def settled(self) -> tuple[np.ndarray, float]:
        """Shares of the three states `(3,)`, and how many become poor in a year so that shares stay."""
        # caught: N c_N + P c_P = R (1 - c_P) d, with P = q - R
        c_n, c_p = (rate * STOPS for rate in self.offences)
        none, q = 1 - self.poor, self.poor
        record = (none * c_n + q * c_p) / ((1 - c_p) * CLEAR + c_p)
        # not poor: N (c_N + (1 - c_N) e) = P (1 - c_P) l
        enter = ((q - record) * (1 - c_p) * LEAVE / none - c_n) / (1 - c_n)
        return np.array([none, q - record, record]), float(enter)

    def rates(self, stops: np.ndarray) -> np.ndarray:
        """Offences by person in the three states, `(S, 3)`, where so many are stopped, `(S,)`."""
        none, poor = self.offences
        deterred = (1 - DETERRENCE * stops) / (1 - DETERRENCE * STOPS)
        return np.array([none, poor, poor]) * deterred[:, None]


class Town:
    """Many runs of one group: its people by state, int `(S, 3)`, year after year."""

    def __init__(self, group: Group, runs: int, rng: np.random.Generator) -> None:
        start, self.enter = group.settled()
        self.group, self.rng = group, rng
        self.people = rng.multinomial(group.people, start, size=runs)

    @property
    def poor(self) -> np.ndarray:
        """Share that is poor, `(S,)`."""
        return np.asarray(self.people[:, 1:].sum(axis=1) / self.group.people)

    def year(self, stops: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Let a year pass in which people are stopped with this chance, `(S,)`; who offends is caught then.

        Being caught makes poor, with a record; with a record nobody leaves poverty.

        Returns:
            Offences and catches, int `(S,)` each.
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
    """Offences by person in each year, float `(S, T + 1)`; from the second year on so many are stopped."""
    town = Town(group, runs, np.random.default_rng(seed))
    offences = [town.year(np.full(runs, STOPS if year == 0 else stops))[0] for year in range(years + 1)]
    return np.stack(offences, axis=1) / group.people
