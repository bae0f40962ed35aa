"""Intervals against published figures, their own formulas, and SciPy."""

from math import exp, log, sqrt

import numpy as np
import pytest
from scipy.stats import beta, norm, ttest_1samp, ttest_ind
from statsmodels.stats.proportion import confint_proportions_2indep, proportion_confint

from simulacra.audit.shared import intervals
from simulacra.audit.shared.findings import Estimate

Z = norm.ppf(0.975)


def near(estimate: Estimate, low: float, high: float, within: float = 5e-5) -> None:
    assert estimate.ends == (pytest.approx(low, abs=within), pytest.approx(high, abs=within))


def test_figures_of_the_literature() -> None:
    # Newcombe 1998, Statistics in Medicine 17:857, table I: 81 of 263
    near(intervals.wilson(81, 263), 0.2553, 0.3662)
    near(intervals.clopper_pearson(81, 263), 0.2527, 0.3676)
    near(intervals.clopper_pearson(0, 10), 0, 0.3085)
    near(intervals.wilson(0, 20), 0, 0.1611)
    # Newcombe 1998, Statistics in Medicine 17:873, table II, method 10
    near(intervals.newcombe(56, 70, 48, 80), 0.0524, 0.3339)
    near(intervals.newcombe(9, 10, 3, 10), 0.1705, 0.8090)
    near(intervals.newcombe(10, 10, 0, 20), 0.6791, 1.0)
    near(intervals.newcombe(0, 10, 0, 10), -0.2775, 0.2775)


def test_compas() -> None:
    d = intervals.newcombe(805, 1795, 349, 1488)
    assert d.value == pytest.approx(0.2139, abs=5e-5)
    near(d, 0.182, 0.245, 5e-4)
    ratio = intervals.katz(805, 1795, 349, 1488)
    assert ratio is not None
    assert ratio.value == pytest.approx(1.91, abs=5e-3)
    near(ratio, 1.72, 2.12, 5e-3)


@pytest.mark.parametrize(("k", "n"), [(0, 7), (3, 11), (500, 1000), (40, 40)])
@pytest.mark.parametrize("level", [0.95, 0.995])
def test_shares_by_their_formulas(k: int, n: int, level: float) -> None:
    z, p = norm.ppf((1 + level) / 2), k / n
    centre = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z * sqrt(p * (1 - p) / n + z**2 / (4 * n * n)) / (1 + z**2 / n)
    near(intervals.wilson(k, n, level), centre - half, centre + half, 1e-12)
    low = 0.0 if k == 0 else beta.ppf((1 - level) / 2, k, n - k + 1)
    high = 1.0 if k == n else beta.ppf((1 + level) / 2, k + 1, n - k)
    near(intervals.clopper_pearson(k, n, level), low, high, 1e-12)


@pytest.mark.parametrize("counts", [(3, 11, 8, 20), (0, 9, 4, 31), (805, 1795, 349, 1488)])
def test_differences_and_ratios_by_their_formulas(counts: tuple[int, int, int, int]) -> None:
    k1, n1, k2, n2 = counts
    (l1, u1), (l2, u2) = intervals.wilson(k1, n1).ends, intervals.wilson(k2, n2).ends
    d = k1 / n1 - k2 / n2
    low = d - sqrt((k1 / n1 - l1) ** 2 + (u2 - k2 / n2) ** 2)
    high = d + sqrt((u1 - k1 / n1) ** 2 + (k2 / n2 - l2) ** 2)
    near(intervals.newcombe(*counts), low, high, 1e-12)
    ratio = intervals.katz(*counts)
    if k1 == 0:
        assert ratio is None
        return
    assert ratio is not None
    error = sqrt(1 / k1 - 1 / n1 + 1 / k2 - 1 / n2)
    centre = log(k1 / n1 / (k2 / n2))
    near(ratio, exp(centre - Z * error), exp(centre + Z * error), 1e-9)


def test_wilson_covers_as_often_as_it_says() -> None:
    n, p = 50, 0.3
    ends = np.array([intervals.wilson(k, n).ends for k in range(n + 1)])
    k = np.random.default_rng(0).binomial(n, p, 20_000)
    covered = ((ends[k, 0] <= p) & (p <= ends[k, 1])).mean()
    assert 0.93 < covered < 0.97


def test_means_against_scipy() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.normal(3, 1, 20), rng.normal(2, 4, 7)
    sums = [(float(x.sum()), float((x * x).sum()), len(x)) for x in (a, b)]
    for level in (0.95, 0.99):
        near(intervals.mean(*sums[0], level), *ttest_1samp(a, 0).confidence_interval(level), 1e-9)
        oracle = ttest_ind(a, b, equal_var=False).confidence_interval(level)
        near(intervals.welch(*sums, level), *oracle, 1e-9)


def test_without_anybody_there_is_no_share() -> None:
    for k, n in ((0, 0), (3, 2), (-1, 2)):
        with pytest.raises(ValueError, match="no share"):
            intervals.wilson(k, n)
    with pytest.raises(ValueError, match="no interval"):
        intervals.mean(1.0, 1.0, 1)


def test_paired_shares() -> None:
    # Newcombe 1998, Statistics in Medicine 17:2635: 36 in both, 12 and 2 in one alone, method 10
    near(intervals.paired(36, 48, 38, 50), 0.0569, 0.3404)
    e, back = intervals.paired(36, 48, 38, 50), intervals.paired(36, 38, 48, 50)
    assert (back.value, *back.ends) == pytest.approx((-e.value, -e.ends[1], -e.ends[0]))
    # all the same people: nothing differs, and how unsure that is
    e = intervals.paired(20, 20, 20, 60)
    assert e.value == 0
    assert e.ends[1] == pytest.approx(-e.ends[0])
    assert 0.02 < e.ends[1] < 0.04
    # the truth lies inside as often as it should
    rng, inside = np.random.default_rng(0), 0
    for a, b, c, _ in rng.multinomial(80, [0.3, 0.25, 0.1, 0.35], 500):
        inside += intervals.paired(a, a + b, a + c, 80).holds(0.15)
    assert 0.93 <= inside / 500 <= 0.98


def test_sums_of_independent_numbers() -> None:
    # of normal numbers the exact one
    parts = [(2.0, Estimate(1, 1 - Z * 0.3, 1 + Z * 0.3)), (-0.5, Estimate(4, 4 - Z, 4 + Z))]
    half = Z * sqrt(0.6**2 + 0.5**2)
    near(intervals.combined(parts), -half, half, 1e-9)
    assert intervals.combined(parts).value == 0
    # asymmetric ends keep their sides, and change them below 0
    e = intervals.combined([(-1.0, Estimate(0.5, 0.4, 0.9))])
    assert (e.value, *e.ends) == pytest.approx((-0.5, -0.9, -0.4))


def test_a_share_of_all_is_not_known_for_certain() -> None:
    """2 of 2 against 2 of 2 had a ratio of 1 (95% 1 to 1)."""
    for counts in ((2, 2, 2, 2), (2, 2, 50, 100), (50, 100, 2, 2)):
        low, high = intervals.katz(*counts).ends  # type: ignore[union-attr]  # no count is 0
        assert high / low > 2
    rng = np.random.default_rng(0)
    inside = 0
    for k in rng.binomial(30, 0.95, (2000, 2)):
        ratio = intervals.katz(int(k[0]), 30, int(k[1]), 30)
        inside += ratio is not None and ratio.holds(1)
    assert 0.93 < inside / 2000 < 0.995


def test_intervals_are_those_of_statsmodels() -> None:
    for k, n in ((0, 1), (1, 1), (3, 17), (0, 40), (40, 40), (500, 1000)):
        for name, interval in (("wilson", intervals.wilson), ("beta", intervals.clopper_pearson)):
            low, high = proportion_confint(k, n, 0.1, name)
            low, high = (0.0 if np.isnan(low) else low), (1.0 if np.isnan(high) else high)
            assert interval(k, n, 0.9).ends == pytest.approx((low, high), abs=1e-12)
    for k1, n1, k2, n2 in ((3, 10, 40, 90), (0, 30, 12, 40), (7, 9, 2, 50)):
        args = {"compare": "diff", "method": "newcomb", "alpha": 0.1}
        assert intervals.newcombe(k1, n1, k2, n2, 0.9).ends == pytest.approx(
            confint_proportions_2indep(k1, n1, k2, n2, **args)
        )
        ratio = intervals.katz(k1, n1, k2, n2, 0.9)
        args = {"compare": "ratio", "method": "log", "alpha": 0.1}
        assert ratio is None or ratio.ends == pytest.approx(
            confint_proportions_2indep(k1, n1, k2, n2, **args)
        )
