"""Findings about the urn: where patrols end up, and where they would with the correction."""

from __future__ import annotations

import numpy as np

from simulacra.audit.feedback.polya_urn import LONG, Setting, shares, times
from simulacra.audit.shared.bands import Runs, bands
from simulacra.audit.shared.findings import Estimate, Finding, Plot, Section
from simulacra.audit.shared.intervals import mean_of
from simulacra.audit.shared.phrasing import amount, base, frequency, interval, told
from simulacra.report.figures import BLUE, ORANGE

LIMITS = (
    "What any real police force does: this model has two areas, one patrol at a time and constant rates. It "
    "also assumes that patrols find all incidents."
)


def sections(setting: Setting, draws: int, runs: int, seed: int = 0) -> list[Section]:
    """The loop without and with the correction.

    Args:
        setting: the areas.
        draws: patrols asked about; `LONG` times as many are sent.
        runs: simulations, each with its own random numbers.
        seed: random seed.
    """
    at, truth, initial = times(draws), setting.truth, setting.initial
    plain, fixed = (shares(setting, draws, runs, corrected, seed) for corrected in (False, True))
    here = int(np.flatnonzero(at == draws)[0])
    off, off_fixed = (np.abs(x[:, here] - truth) for x in (plain, fixed))
    chart = bands(
        at[1:],
        [Runs("as it is", plain[:, 1:], ORANGE), Runs("corrected", fixed[:, 1:], BLUE)],
        ("patrols sent", "sent to the first area"),
        truth=truth,
        log=True,
    )
    plot = Plot(
        "share",
        "Where patrols are sent",
        chart,
        f"Mean and central 95% of {runs} runs. Dotted: the first area's share of all incidents, "
        f"{amount(truth)}; its share of the records at the start was {amount(initial)}.",
    )
    distance = mean_of(off)
    change = distance - abs(initial - truth)
    if change.holds(0):
        meaning = "Chance alone may explain the change."
    elif change.value > 0:
        meaning = "Patrols find crime where they are sent, and the records move away from the truth."
    else:
        meaning = "The records have come closer to the truth."
    drift = Finding(
        "distance",
        f"The records started {amount(abs(initial - truth))} away from the truth; after {draws:,} patrols "
        f"the average run is {told(distance)} away. {meaning}",
        change.verdict,
        LIMITS,
        "how much further a run is from the truth than at the start",
        change,
        runs,
        {"distance": distance, "began": Estimate(abs(initial - truth))},
        "share",
    )
    gain = mean_of(off - off_fixed)
    improvement = Finding(
        "gain",
        f"After {draws:,} patrols the average run is {amount(off.mean())} away from the truth without the "
        f"correction and {amount(off_fixed.mean())} with it: {told(gain)} closer."
        + (" Chance alone may explain that." if gain.holds(0) else ""),
        gain.verdict,
        "That a corrected loop does no harm: it learns where incidents are found, not whether patrols "
        "should be sent, or what a visit costs the people visited.",
        "how much nearer to the truth",
        gain,
        runs,
        {"as-it-is": distance, "corrected": mean_of(off_fixed)},
        "share",
    )
    prediction = Section(
        "records",
        "What the records come to say",
        "predictions",
        [
            _share("share", plain[:, here], setting, draws),
            drift,
            _share("long-run", plain[:, -1], setting, LONG * draws),
        ],
        [plot],
        notes=[
            f"The first area has {100 * truth:.1f} of 100 incidents (rates {setting.rates[0]:g} and "
            f"{setting.rates[1]:g}). Records that learn should converge to that share."
        ],
    )
    correction = Section(
        "correction",
        "If finds count for less where patrols go often",
        "actions",
        [
            _share("corrected", fixed[:, here], setting, draws, "corrected, "),
            _share("corrected-long-run", fixed[:, -1], setting, LONG * draws, "corrected, "),
            improvement,
        ],
        [plot],
        notes=[
            "The correction of Ensign et al. 2018: what is found in the area visited more often enters the "
            "records only with a probability, the ratio of the probabilities of visiting the other area and "
            "this one."
        ],
    )
    return [prediction, correction]


def _share(name: str, x: np.ndarray, setting: Setting, draws: int, how: str = "") -> Finding:
    """The share of patrols sent to the first area in each run `(S,)`, against the truth."""
    e, truth = mean_of(x), setting.truth
    off, (low, high) = e - truth, np.percentile(x, [2.5, 97.5])
    of = base(e.value, truth)
    return Finding(
        name,
        f"After {draws:,} patrols, {how}{frequency(e.value, of)} of {of:,} are sent to the first area "
        f"({interval(e)}, mean of {len(x)} runs), which has {frequency(truth, of)} of {of:,} incidents. In "
        f"95% of the runs the share is between {amount(low)} and {amount(high)}."
        + (" The mean is compatible with the true share." if off.holds(0) else ""),
        off.verdict,
        LIMITS,
        "share of patrols sent to the first area",
        e,
        len(x),
        {
            "off": off,
            "truth": Estimate(truth),
            "began": Estimate(setting.initial),
            "sd": Estimate(x.std(ddof=1)),
            "runs-low": Estimate(low),
            "runs-high": Estimate(high),
        },
        "share",
    )
