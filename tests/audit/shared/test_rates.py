"""Gaps between groups: which pair is told, at which level, and when nothing is said."""

import numpy as np
import pytest

from simulacra.audit.shared import intervals
from simulacra.audit.shared.findings import Finding
from simulacra.audit.shared.rates import Mean, Measured, Rate, compared, difference, unique, widest
from simulacra.audit.shared.rows import Sums


def finding(measured: list[Rate] | list[Mean], minimum: int = 30, did: str = "were flagged") -> Finding:
    return compared(
        "rate.group", measured, what="rates", of="people", did=did, column="group", does_not_show="Why.",
        minimum=minimum,
    )  # fmt: skip


def test_two_groups_are_told_at_95_percent() -> None:
    f = finding([Rate("B", 349, 1488), Rate("A", 805, 1795)])
    assert f.verdict == "finding"
    assert f.number == intervals.newcombe(805, 1795, 349, 1488)
    assert f.more["ratio"] == intervals.katz(805, 1795, 349, 1488)
    assert f.more["group.a"] == intervals.wilson(805, 1795)
    assert f.n == 1795 + 1488
    assert f.sentence == (
        "Of 100 people whose group is A, 45 were flagged; of 100 whose group is B, 23: ratio 1.91 (95% "
        "1.72 to 2.12), difference 0.214 (95% 0.182 to 0.245)."
    )


def test_the_surest_pair_is_told_not_the_most_extreme_one() -> None:
    # the smallest group has the highest rate by chance
    rates = [Rate("tiny", 18, 31), Rate("A", 4500, 10_000), Rate("B", 4000, 10_000)]
    gap = widest(rates)
    assert gap is not None
    assert (gap.high.group, gap.low.group, gap.pairs) == ("A", "B", 3)
    assert gap.difference == intervals.newcombe(4500, 10_000, 4000, 10_000, 1 - 0.05 / 3)
    assert "for all 3 pairs" in finding(rates).sentence


def test_all_pairs_hold_at_once() -> None:
    # five groups alike: a false finding in at most 5 of 100 audits
    rng = np.random.default_rng(0)
    found = 0
    for _ in range(300):
        gap = widest([Rate(str(g), int(k), 200) for g, k in enumerate(rng.binomial(200, 0.3, 5))])
        assert gap is not None
        found += not gap.difference.holds(0)
    assert found <= 24  # mean at most 15, three standard deviations above


def test_no_difference_is_no_finding() -> None:
    f = finding([Rate("A", 30, 100), Rate("B", 28, 100)])
    assert f.verdict == "no finding"
    assert "compatible with no difference" in f.sentence


def test_small_groups_are_withheld_and_named() -> None:
    f = finding([Rate("A", 30, 100), Rate("B", 3, 3)])
    assert f.verdict == "withheld"
    assert f.number is None
    assert f.sentence == "Rates by group: withheld, only one group has 30 people or more. Too small: B (3)."
    f = finding([Rate("A", 30, 100), Rate("B", 80, 100), Rate("C", 3, 3), Rate("D", 0, 0)])
    assert f.verdict == "finding"
    assert f.does_not_show == "Why. Nothing about groups with fewer than 30 people: C (3), D (0)."
    assert "group.c" not in f.more
    assert finding([Rate("D", 0, 0)]).verdict == "withheld"


def test_the_two_largest_groups_are_told_too() -> None:
    f = finding([Rate("A", 500, 1000), Rate("B", 400, 1000), Rate("C", 50, 300)])
    assert f.sentence.startswith(
        "Of 100 people whose group is A, 50 were flagged; of 100 whose group is C, 17"
    )
    assert "The two largest groups: A 50 of 100, B 40 of 100, difference 0.1 (" in f.sentence
    assert f.more["largest"].value == pytest.approx(0.1)


def test_rates_of_nothing_have_no_ratio() -> None:
    f = finding([Rate("A", 20, 100), Rate("B", 0, 100)])
    assert "ratio" not in f.more
    assert f.verdict == "finding"


def test_means() -> None:
    a, b = np.array([1.0, 2, 3, 4] * 20), np.array([3.0, 4, 5, 9] * 20)
    means = [Mean(g, float(x.sum()), float((x * x).sum()), len(x)) for g, x in (("A", a), ("B", b))]
    f = finding(means, did="cost {} euros each")
    assert f.sentence.startswith(
        "People whose group is B cost 5.25 euros each, those whose group is A 2.5: diff"
    )
    assert f.number is not None
    assert f.number.value == pytest.approx(2.75)
    mixed: list[Measured] = [means[0], Rate("B", 1, 2)]
    with pytest.raises(TypeError):
        difference(*mixed)


def test_counts_add_up_over_parts() -> None:
    import pandas as pd

    rng = np.random.default_rng(0)
    table = pd.DataFrame({"a": rng.choice(["x", "y"], 100), "b": rng.random(100) < 0.1})
    table["x"] = rng.normal(size=100)
    sums = Sums(["a", "b"], ["x"])
    for part in (table[:3], table[3:3], table[3:50], table[50:]):
        sums.add(part)
    rows = sums.rows()
    by = table.groupby(["a", "b"])["x"]
    assert list(zip(rows["a"], rows["b"], rows["n"], strict=True)) == [(*k, n) for k, n in by.size().items()]
    assert rows["x"] == pytest.approx(by.sum().to_numpy())


def test_names_of_groups_that_are_written_alike() -> None:
    f = finding([Rate("A+", 30, 100), Rate("A-", 80, 100)])
    assert f.more["group.a"].value != f.more["group.a-2"].value
    assert unique("b", []) == "b"
