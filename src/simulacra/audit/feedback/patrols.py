"""Findings of the urn: where patrols end up, and where they would with the correction."""

from __future__ import annotations

import numpy as np

from simulacra.audit.feedback.polya_urn import LONG, Setting, shares, times
from simulacra.audit.shared.bands import Runs, bands
from simulacra.audit.shared.findings import Estimate, Finding, Plot, Section, Verdict
from simulacra.audit.shared.intervals import mean
from simulacra.audit.shared.phrasing import amount, base, frequency, interval, told
from simulacra.report.figures import BLUE, ORANGE

LIMITS = (
    "What any real police does: two areas, one patrol at a time, rates that never change. That incidents "
    "found are all incidents."
)


def of_runs(x: np.ndarray) -> Estimate:
    """The mean of runs `(S,)`, with Student's interval."""
    return mean(float(x.sum()), float((x**2).sum()), len(x))


def sections(setting: Setting, draws: int, runs: int, seed: int = 0) -> list[Section]:
    """The loop as it is, and corrected.

    Args:
        setting: the areas.
        draws: patrols asked about; `LONG` times as many are sent.
        runs: with different seeds.
        seed: of all draws.
    """
    at, truth = times(draws), setting.truth
    plain, fixed = (shares(setting, draws, runs, corrected, seed) for corrected in (False, True))
    here = int(np.flatnonzero(at == draws)[0])
    chart = bands(
        at[1:],
        [Runs("as it is", plain[:, 1:], ORANGE), Runs("corrected", fixed[:, 1:], BLUE)],
        ("patrols sent", "sent to the first area"),
        truth=truth,
        log=True,
    )
    picture = Plot(
        "share",
        "Where patrols are sent",
        chart,
        f"Mean and 95 of 100 of {runs} runs. Dotted: the first area's share of all incidents, "
        f"{amount(truth)}; at the beginning it had {amount(setting.began)} of the records.",
    )
    prediction = Section(
        "records",
        "What the records come to say",
        "predictions",
        [
            _share("share", plain[:, here], setting, draws, "", "share"),
            _ran("distance", plain[:, here], setting, draws),
            _share("long-run", plain[:, -1], setting, LONG * draws, "", "share"),
        ],
        [picture],
        notes=[
            f"The first area has {100 * truth:.1f} of 100 incidents (rates {setting.rates[0]:g} and "
            f"{setting.rates[1]:g}). Records that learn should come to say so."
        ],
    )
    correction = Section(
        "correction",
        "If what is found counts for less where patrols go often",
        "actions",
        [
            _share("corrected", fixed[:, here], setting, draws, "corrected, ", "share"),
            _share("corrected-long-run", fixed[:, -1], setting, LONG * draws, "corrected, ", "share"),
            _better(plain, fixed, setting, draws, here),
        ],
        [picture],
        notes=[
            "The correction of Ensign et al. 2018: what is found in the area that patrols visit more often "
            "enters the records only with a probability, that of a visit to the other area divided by that "
            "of a visit to this one."
        ],
    )
    return [prediction, correction]


def _share(name: str, x: np.ndarray, setting: Setting, draws: int, how: str, plot: str) -> Finding:
    """The share of patrols at a time, against the truth."""
    e, truth = of_runs(x), setting.truth
    low, high = np.percentile(x, [2.5, 97.5])
    of = base(e.value, truth)
    off = (e - truth).holds(0)
    return Finding(
        name,
        f"After {draws:,} patrols, {how}{frequency(e.value, of)} of {of:,} are sent to the first area "
        f"({interval(e)}, mean of {len(x)} runs); it has {frequency(truth, of)} of {of:,} incidents. In 95 "
        f"of 100 runs it is between {amount(float(low))} and {amount(float(high))}."
        + (" On average that is no more than chance away." if off else ""),
        "no finding" if off else "finding",
        LIMITS,
        "share of patrols sent to the first area",
        e,
        len(x),
        {
            "off": e - truth,
            "truth": Estimate(truth),
            "began": Estimate(setting.began),
            "sd": Estimate(float(x.std(ddof=1))),
            "runs-low": Estimate(float(low)),
            "runs-high": Estimate(float(high)),
        },
        plot,
    )


def _ran(name: str, x: np.ndarray, setting: Setting, draws: int) -> Finding:
    """Whether a run ends further from the truth than it began."""
    began = abs(setting.began - setting.truth)
    e = of_runs(np.abs(x - setting.truth))
    change = e - began
    verdict: Verdict = "no finding" if change.holds(0) else "finding"
    words = (
        "Chance may have done that."
        if verdict == "no finding"
        else "Patrols see what they were sent to see, and the records move away from the truth."
        if change.value > 0
        else "The records have come nearer to the truth."
    )
    return Finding(
        name,
        f"The records began {amount(began)} away from the truth; after {draws:,} patrols a run is {told(e)} "
        f"away on average. {words}",
        verdict,
        LIMITS,
        "how much further a run is from the truth than at the beginning",
        change,
        len(x),
        {"distance": e, "began": Estimate(began)},
        "share",
    )


def _better(plain: np.ndarray, fixed: np.ndarray, setting: Setting, draws: int, here: int) -> Finding:
    """How much nearer to the truth the correction ends, run by run."""
    before, after = (np.abs(x[:, here] - setting.truth) for x in (plain, fixed))
    e = of_runs(before), of_runs(after)
    gain = of_runs(before - after)
    sure = not gain.holds(0)
    return Finding(
        "gain",
        f"After {draws:,} patrols a run is {amount(e[0].value)} away from the truth as it is, and "
        f"{amount(e[1].value)} with the correction: {told(gain)} nearer."
        + ("" if sure else " That may be chance."),
        "finding" if sure else "no finding",
        "That a corrected loop does no harm: it learns where incidents are found, not whether patrols "
        "should be sent, or what a visit costs those who are visited.",
        "how much nearer to the truth",
        gain,
        len(before),
        {"as-it-is": e[0], "corrected": e[1]},
        "share",
    )
