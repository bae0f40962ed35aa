"""Findings about the urn: where patrols end up, and where they would with the correction."""

from __future__ import annotations

import numpy as np

from simulacra.audit.feedback.polya_urn import LONG, Setting, shares, times
from simulacra.audit.shared.bands import Runs, bands
from simulacra.audit.shared.findings import Estimate, Finding, Plot, Section, conclude
from simulacra.audit.shared.intervals import mean_of
from simulacra.audit.shared.phrasing import amount, base, format_estimate, frequency, interval
from simulacra.report.figures import BLUE, ORANGE

LIMITS = (
    "What any real police force does: this model has two areas, one patrol at a time and constant rates. It "
    "also assumes that patrols find all incidents."
)
NO_HARM = (
    "That a corrected loop does no harm: it learns where incidents are found, not whether patrols should be "
    "sent, or what a visit costs the people visited."
)


def sections(setting: Setting, draws: int, runs: int, seed: int = 0) -> list[Section]:
    """The loop without and with the correction, after `draws` patrols and after `LONG` times as many."""
    at, truth, start = times(draws), setting.truth, abs(setting.initial - setting.truth)
    plain, fixed = (shares(setting, draws, runs, corrected, seed) for corrected in (False, True))
    here = int(np.flatnonzero(at == draws)[0])
    lines = [Runs("as it is", plain[:, 1:], ORANGE), Runs("corrected", fixed[:, 1:], BLUE)]
    chart = bands(at[1:], lines, ("patrols sent", "sent to the first area"), truth=truth, log=True)
    caption = (
        f"Mean and central 95% of {runs} runs. Dotted: the first area's share of all incidents, "
        f"{amount(truth)}; its share of the records at the start was {amount(setting.initial)}."
    )
    plot = Plot("share", "Where patrols are sent", chart, caption)

    off, off_fixed = (np.abs(x[:, here] - truth) for x in (plain, fixed))
    distance = mean_of(off)
    change = distance - start
    sentence = (
        f"The records started {amount(start)} away from the truth; after {draws:,} patrols a run is "
        f"{format_estimate(distance)} away on average."
    )
    if change.ends[0] > 0:
        sentence += " Patrols find crime where they are sent, and the records move away from the truth."
    elif change.ends[1] < 0:
        sentence += " The records have come closer to the truth."
    what, more = "how much further a run is from the truth than at the start", {"distance": distance}
    more["began"] = Estimate(start)
    chance = "Chance alone may explain the change."
    drift = conclude(
        not change.holds(0), chance, "distance", sentence, LIMITS, what, change, runs, more, "share"
    )
    gain = mean_of(off - off_fixed)
    sentence = (
        f"After {draws:,} patrols a run is {amount(off.mean())} away from the truth without the correction "
        f"and {amount(off_fixed.mean())} with it, on average: {format_estimate(gain)} closer."
    )
    what, more = "how much closer to the truth", {"as-it-is": distance, "corrected": mean_of(off_fixed)}
    improvement = conclude(
        not gain.holds(0), chance, "gain", sentence, NO_HARM, what, gain, runs, more, "share"
    )

    known = (
        f"The first area has {100 * truth:.1f} of 100 incidents (rates {setting.rates[0]:g} and "
        f"{setting.rates[1]:g}). Records that learn should converge to that share."
    )
    correction = (
        "The correction of Ensign et al. 2018: what is found in the area visited more often enters the "
        "records only with a probability, that of visiting the other area over that of visiting this one."
    )
    as_it_is = [
        _share("share", plain[:, here], setting, draws),
        drift,
        _share("long-run", plain[:, -1], setting, LONG * draws),
    ]
    corrected = [
        _share("corrected", fixed[:, here], setting, draws, "corrected, "),
        _share("corrected-long-run", fixed[:, -1], setting, LONG * draws, "corrected, "),
        improvement,
    ]
    title = "If finds count for less where patrols go often"
    return [
        Section("records", "What the records come to say", "predictions", as_it_is, [plot], notes=[known]),
        Section("correction", title, "actions", corrected, [plot], notes=[correction]),
    ]


def _share(name: str, x: np.ndarray, setting: Setting, draws: int, how: str = "") -> Finding:
    """The share of patrols sent to the first area in each run `(S,)`, against the truth."""
    e, truth = mean_of(x), setting.truth
    off, (low, high) = e - truth, np.percentile(x, [2.5, 97.5])
    of = base(e.value, truth)
    sentence = (
        f"After {draws:,} patrols, {how}{frequency(e.value, of)} of {of:,} are sent to the first area "
        f"({interval(e)}, mean of {len(x)} runs), which has {frequency(truth, of)} of {of:,} incidents. In "
        f"95% of the runs the share is between {amount(low)} and {amount(high)}."
    )
    numbers = {
        "truth": truth,
        "began": setting.initial,
        "sd": x.std(ddof=1),
        "runs-low": low,
        "runs-high": high,
    }
    more = {"off": off} | {key: Estimate(number) for key, number in numbers.items()}
    what, true = "share of patrols sent to the first area", "The mean is compatible with the true share."
    return conclude(not off.holds(0), true, name, sentence, LIMITS, what, e, len(x), more, "share")
