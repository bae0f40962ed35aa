"""`feedback`: urns with known limits, and towns that begin alike."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy import stats

from simulacra.audit.feedback.command import Arguments, audit
from simulacra.audit.feedback.polya_urn import LONG, SETTINGS, Setting, shares, times
from simulacra.audit.feedback.profiling import GROUPS, PEOPLE, loop
from simulacra.audit.shared.findings import Audit, Finding
from simulacra.audit.shared.poverty import STOPS
from simulacra.errors import ConfigError


def named(made: Audit) -> dict[str, Finding]:
    return {f.name: f for f in made.findings()}


def number(f: Finding) -> float:
    assert f.number is not None
    return f.number.value


def at(draws: int) -> int:
    return int(np.flatnonzero(times(draws) == draws)[0])


def test_two_areas_alike() -> None:
    # Polya: after n draws from (1, 1), the number of first balls is uniform on 1 ... n + 1
    p = shares(SETTINGS["urn"], 100, 3000, corrected=False)
    balls = p[:, at(100)] * 102
    assert balls == pytest.approx(balls.round())
    assert stats.chisquare(np.bincount(balls.round().astype(int), minlength=102)[1:102]).pvalue > 0.01
    assert p[:, -1].mean() == pytest.approx(0.5, abs=0.02)
    assert p[:, -1].std() == pytest.approx(0.2887, abs=0.01)
    # with the correction all runs come to the truth
    fixed = shares(SETTINGS["urn"], 1000, 500, corrected=True)
    assert fixed[:, -1].mean() == pytest.approx(0.5, abs=0.003)
    assert fixed[:, -1].std() < 0.01


def test_oakland() -> None:
    oakland = SETTINGS["oakland"]
    assert oakland.truth == pytest.approx(0.5668, abs=5e-5)
    assert oakland.initial == pytest.approx(609 / 988)
    f = named(audit(Arguments(preset="oakland", seeds=400)))
    assert number(f["share"]) == pytest.approx(0.702, abs=0.004)
    assert f["share"].verdict == "finding"
    assert f["distance"].verdict == "finding"
    assert number(f["long-run"]) > 0.78
    # corrected it is on its way after as many patrols, and there after ten times as many
    assert number(f["corrected"]) == pytest.approx(0.581, abs=0.003)
    assert number(f["corrected-long-run"]) == pytest.approx(0.5686, abs=0.0012)
    assert f["gain"].verdict == "finding"
    assert number(f["gain"]) > 0.1


def test_the_correction_forgets_where_patrols_go() -> None:
    # the first draw, summed over what it can find
    setting, k = Setting((3.0, 1.0), (20.0, 80.0), poisson=True), np.arange(60)
    found = stats.poisson([[3.0], [1.0]]).pmf(k)
    after = (found * [(20 + k) / (100 + k), 20 / (100 + k)]).sum(axis=1)
    p = shares(setting, 1, 400_000, corrected=False)[:, at(1)]
    assert p.mean() == pytest.approx(0.2 * after[0] + 0.8 * after[1], abs=5e-5)
    # corrected, what the second area finds counts in .2 / .8 of its draws: both come in as .2 lambda
    p = shares(setting, 1, 400_000, corrected=True)[:, at(1)]
    assert p.mean() == pytest.approx(0.2 * after.sum() + 0.6 * 0.2, abs=5e-5)
    # from records that are nearly all of one area it finds the other (Oakland and an area at random)
    start = Setting((3.68511, 2.35592), (609.0, 7.0), poisson=True)
    assert shares(start, 1000, 50, corrected=False)[:, -1].mean() > 0.97
    fixed = shares(start, 1000, 50, corrected=True)
    assert abs(fixed[:, -1] - start.truth).mean() < 0.25 < abs(fixed[:, 0] - start.truth).mean()


def test_what_is_kept() -> None:
    kept = times(7)
    assert kept[0] == 0
    assert 7 in kept
    assert kept[-1] == 7 * LONG
    assert (np.diff(kept) > 0).all()
    p = shares(SETTINGS["oakland"], 7, 20, corrected=False)
    assert p.shape == (20, len(kept))
    assert p[:, 0] == pytest.approx(609 / 988)
    assert (shares(SETTINGS["oakland"], 7, 20, corrected=False, seed=1) != p).any()


def test_alike_they_stay_alike_with_the_correction() -> None:
    f = named(audit(Arguments(preset="poverty", seeds=60)))
    for name in ("offences", "stops", "poor", "gain"):
        assert f[name].verdict == "finding", name
        assert f[name].number is not None
        assert number(f[name]) > 0, name
    assert f["corrected"].number is not None
    assert f["corrected"].number.holds(0)
    assert f["offences"].more["a"].value > 0.08 > f["offences"].more["b"].value
    plain, fixed = loop(30, 60, corrected=False), loop(30, 60, corrected=True)
    people = np.array([group.people for group in GROUPS])
    for years in (plain, fixed):
        # as many stops each year, shared out
        assert np.einsum("gst,g->st", years.stops, people) == pytest.approx(PEOPLE * STOPS)
        assert years.poor[:, :, 0].mean(axis=1) == pytest.approx(0.3, abs=0.003)
    # before the first year one group was stopped twice as often
    assert plain.stops[0, :, 0] == pytest.approx(2 * plain.stops[1, :, 0])
    assert fixed.stops[:, :, 0] == pytest.approx(STOPS)
    assert fixed.stops[0, :, -1].mean() == pytest.approx(STOPS, abs=0.001)
    # the loop turns faster and faster, the corrected one does not turn
    gap = (plain.poor[0] - plain.poor[1]).mean(axis=0)
    assert gap[30] > gap[15] + 0.01 > gap[5] + 0.02
    assert abs((fixed.poor[0] - fixed.poor[1]).mean(axis=0)).max() < 0.003


def test_areas_of_ones_own() -> None:
    made = audit(Arguments(preset="urn", rates=(3.0, 1.0), start=(30.0, 10.0), steps=50, seeds=20))
    assert made.inputs["rate 1"] == 3
    assert made.inputs["record 2"] == 10
    f = named(made)
    assert f["share"].more["truth"].value == f["share"].more["began"].value == 0.75
    assert "After 50 patrols" in f["share"].sentence
    assert "After 500 patrols" in f["long-run"].sentence


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"preset": "urn", "steps": 0}, "steps: must be at least 1 and at most 100,000, not 0"),
        ({"preset": "urn", "seeds": 5}, "seeds: must be at least 20"),
        ({"preset": "urn", "seed": -1}, "seed: must be at least 0, not -1"),
        ({"preset": "urn", "rates": (1.0, 0.0)}, "rates: two numbers above 0, not 1 and 0"),
        ({"preset": "oakland", "start": (float("nan"), 1.0)}, "start: two numbers above 0"),
        ({"preset": "poverty", "start": (1.0, 1.0)}, "rates and start belong to the presets urn and oakland"),
    ],
)
def test_plain_words(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        audit(Arguments(**settings))


def test_a_setting_knows_its_truth() -> None:
    assert replace(SETTINGS["urn"], rates=(1.0, 3.0)).truth == 0.25
