"""`correlations` against other implementations, enumeration and tables of noise."""

from itertools import permutations
from math import comb
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests

from simulacra.audit.correlations.charts import expected
from simulacra.audit.correlations.command import Arguments, audit
from simulacra.audit.correlations.pairwise import (
    correlate,
    correlation,
    discoveries,
    family_wise_error,
    p_value,
    serial_correlation,
    shuffled,
)
from simulacra.audit.correlations.replication import replicate
from simulacra.audit.correlations.search import Search
from simulacra.audit.shared.findings import Audit, Finding
from simulacra.audit.shared.random_rows import Loose, sampled
from simulacra.audit.shared.source import Source
from simulacra.errors import ConfigError, DataError, SimulacraError


def named(made: Audit) -> dict[str, Finding]:
    return {f.name: f for f in made.findings()}


def number(f: Finding) -> float:
    assert f.number is not None
    return f.number.value


def written(folder: Path, table: pd.DataFrame) -> Path:
    table.to_csv(folder / "wide.csv", index=False)
    return folder / "wide.csv"


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    """400 rows of 20 columns, of which four pairs go together, one of them hardly."""
    rng = np.random.default_rng(3)
    x = rng.normal(size=(400, 20))
    for i, slope in ((0, 1.0), (2, 0.6), (4, -0.6), (6, 0.1)):
        x[:, i + 1] += slope * x[:, i]
    return pd.DataFrame(x, columns=[f"c{i}" for i in range(20)])


def test_p_of_eleven_rows() -> None:
    assert float(p_value(0.6660, 11)) == pytest.approx(0.0253, abs=5e-5)
    rng = np.random.default_rng(0)
    for n in (4, 11, 300):
        a, b = rng.normal(size=(2, n))
        true = stats.pearsonr(a, b + 0.3 * a)
        r, counts = correlate(np.stack([a, b + 0.3 * a], axis=1))
        assert r[0, 1] == pytest.approx(true.statistic)
        assert float(p_value(r[0, 1], n)) == pytest.approx(true.pvalue)
        assert counts[0, 1] == n
        interval = true.confidence_interval()
        assert correlation(float(r[0, 1]), n).ends == pytest.approx((interval.low, interval.high))
    assert correlation(1.0, 10).ends == (1, 1)


def test_a_hundred_columns_against_one() -> None:
    p = float(p_value(0.6660, 11))
    assert family_wise_error(p, 100) == pytest.approx(0.923, abs=5e-4)
    # 2,000 tables of 100 columns of noise, each held against the same further one
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(2000, 100, 11)), rng.normal(size=(2000, 1, 11))
    x, y = (z - z.mean(axis=2, keepdims=True) for z in (x, y))
    r = (x * y).sum(axis=2) / np.sqrt((x**2).sum(axis=2) * (y**2).sum(axis=2))
    assert (np.abs(r) >= 0.6660).any(axis=1).mean() == pytest.approx(0.923, abs=0.02)
    # all pairs are another count: there it is certain
    assert family_wise_error(p, comb(101, 2)) > 1 - 1e-12


def test_all_pairs_of_noise_are_as_good_as_independent() -> None:
    rng = np.random.default_rng(2)
    x = rng.normal(size=(600, 11, 8))
    upper = np.triu_indices(8, 1)
    seen = np.mean([p_value(correlate(one)[0][upper], 11).min() <= 0.05 for one in x])
    assert seen == pytest.approx(family_wise_error(0.05, 28), abs=0.05)


def test_correlations_with_holes_are_those_of_pandas() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(60, 6)) @ rng.normal(size=(6, 6))
    x[:, 2] = 1.6e9 + x[:, 2]  # a small spread beside a large mean
    x[:, 3] *= 1e200
    x[rng.random(x.shape) < 0.3] = np.nan
    x[3:, 5] = np.nan
    r, n = correlate(x)
    frame = pd.DataFrame(x)
    there = (~np.isnan(x)).astype(int)
    assert (n == there.T @ there).all()
    frame[3] /= 1e200
    true = frame.corr(min_periods=4).to_numpy()
    assert r[:5, :5] == pytest.approx(true[:5, :5], abs=1e-6)
    assert np.isnan(r[5]).all()
    assert np.isnan(correlate(np.c_[np.ones(9), np.arange(9)])[0][0]).all()


def test_discoveries_are_those_of_benjamini_and_hochberg() -> None:
    rng = np.random.default_rng(0)
    for m in (1, 10, 500):
        for _ in range(20):
            p = np.where(rng.random(m) < 0.3, rng.random(m) ** 6, rng.random(m))
            assert (discoveries(p) == multipletests(p, 0.05, "fdr_bh")[0]).all()
    assert not discoveries(np.array([0.9, 0.5])).any()


def test_serial_has_the_moments_of_all_orders() -> None:
    x = np.array([0.0, 1, 5, 2, 9, 4, 4])
    z = x - x.mean()
    c = np.array([np.dot(y[1:], y[:-1]) for y in (np.array(order) for order in permutations(z))])
    r, p = serial_correlation(x)
    assert r == pytest.approx(z[1:] @ z[:-1] / (z @ z))
    assert p == pytest.approx(2 * stats.norm.sf(abs(z[1:] @ z[:-1] - c.mean()) / c.std()))
    # a trend is seen, an alternation too, noise is not
    t = np.arange(40.0)
    noise = np.random.default_rng(0).normal(size=40)
    assert serial_correlation(t)[1] < 1e-6
    assert serial_correlation((-1) ** t)[1] < 1e-6
    assert serial_correlation(noise)[1] > 0.05
    assert serial_correlation(np.r_[noise, np.nan]) == serial_correlation(noise)
    assert serial_correlation(np.ones(9)) == (0.0, 1.0)


def test_shuffles_find_nothing_true(table: pd.DataFrame) -> None:
    raw, left = shuffled(table.to_numpy()[:60], 100, np.random.default_rng(0))
    assert raw.mean() == pytest.approx(0.05 * comb(20, 2), abs=1.5)
    assert (left > 0).mean() < 0.12


def test_what_is_true_is_found_and_holds(table: pd.DataFrame, tmp_path: Path) -> None:
    made = audit(Arguments(table=written(tmp_path, table)))
    f = named(made)
    assert f["pairs"].more["all"].value == comb(20, 2)
    assert f["pairs"].more["expected"].value == pytest.approx(9.5)
    # Benjamini and Hochberg by hand, in the rows that were searched
    search = Search(table.to_numpy(), list(table), 0.5)
    assert len(search.searched) == len(search.withheld) == 200
    assert not set(search.searched) & set(search.withheld)
    frame = table.iloc[search.searched]
    p = {
        (a, b): stats.pearsonr(frame[a], frame[b]).pvalue
        for i, a in enumerate(table)
        for b in list(table)[i + 1 :]
    }
    left = [
        pair for pair, keep in zip(p, multipletests(list(p.values()), 0.05, "fdr_bh")[0], strict=True) if keep
    ]
    assert number(f["pairs"]) == len(left)
    assert {("c0", "c1"), ("c2", "c3"), ("c4", "c5")} <= set(left)
    assert f["pairs"].verdict == "finding"
    rest = table.iloc[search.withheld]
    for a, b in (("c0", "c1"), ("c4", "c5")):
        pair = f[f"pair.{a}.{b}"]
        assert number(pair) == pytest.approx(stats.pearsonr(rest[a], rest[b]).statistic)
        assert pair.verdict == "finding"
    assert f["replication"].more["held"].value >= 3
    assert number(f["replication"]) == f["replication"].more["held"].value / len(left)
    assert f["strongest"].sentence.startswith("The strongest pair is c0 and c1: r = ")
    assert number(f["strongest"]) < 1e-6
    assert f["order"].verdict == "no finding"
    assert "changes" not in f


def test_what_was_found_by_chance_does_not_hold() -> None:
    # pairs that look strong in a few rows; the rest is noise
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 30))
    search = Search(x, [str(i) for i in range(30)], 0.5)
    search.found = np.argsort(search.p)[:10]
    assert not any(a.holds for a in replicate(search, search.found, search.r, search.withheld))
    # on the other side of 0 is no replication
    y = rng.normal(size=100)
    search = Search(np.c_[np.r_[y, -y], np.r_[y, y]], ["a", "b"], 0.5)
    search.searched, search.withheld = np.arange(100), np.arange(100, 200)
    assert not replicate(search, np.array([0]), np.array([1.0]), search.withheld)[0].holds
    assert replicate(search, np.array([0]), np.array([-1.0]), search.withheld)[0].holds


def test_noise_is_no_finding(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    noise = pd.DataFrame(rng.normal(size=(11, 101)), columns=[f"x{i}" for i in range(101)])
    f = named(audit(Arguments(table=written(tmp_path, noise), holdout=0)))
    assert f["pairs"].verdict == f["strongest"].verdict == f["order"].verdict == "no finding"
    assert f["pairs"].more["uncorrected"].value > 150
    p = f["strongest"].more["p"].value
    assert number(f["strongest"]) == pytest.approx(1 - (1 - p) ** comb(101, 2))
    assert f["strongest"].more["one-column"].value == pytest.approx(1 - (1 - p) ** 100)
    assert number(f["chance"]) == 1
    assert f["chance"].more["one-column"].value == pytest.approx(1 - 0.95**100)
    assert "replication" not in f


def test_trends_go_together_and_their_changes_do_not(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    t = np.arange(15.0)[:, None]
    years = pd.DataFrame(t * rng.uniform(1, 3, 8) + rng.normal(size=(15, 8)), columns=list("abcdefgh"))
    years["i"] = years["a"].cumsum()
    f = named(audit(Arguments(table=written(tmp_path, years), holdout=0)))
    assert number(f["pairs"]) == comb(9, 2)
    assert number(f["order"]) == 9
    assert f["order"].verdict == "finding"
    assert number(f["changes"]) <= 2
    # withheld rows lie on the same trends: they hold, and the page says why that is nothing new
    f = named(audit(Arguments(table=written(tmp_path, years))))
    assert number(f["replication"]) > 0.5
    assert "hardly new" in f["replication"].does_not_show


def test_a_sorted_column_leaves_the_p_of_others(table: pd.DataFrame, tmp_path: Path) -> None:
    """One id called every p of the table too small, and every withheld row not new."""
    plain = named(audit(Arguments(table=written(tmp_path, table))))
    f = named(audit(Arguments(table=written(tmp_path, table.assign(id=range(1, 401))))))
    assert number(f["order"]) == 1
    assert "In 1 of 21 columns (id)" in f["order"].sentence
    assert "The rows are sorted by id, or numbered." in f["order"].sentence
    assert "every p stands" in f["order"].sentence
    assert "changes" not in f
    assert f["strongest"].more["p"] == plain["strongest"].more["p"]
    assert "hardly new" not in f["replication"].does_not_show
    assert f["pair.c0.c1"].verdict == "finding"


def test_two_walks_are_no_finding_beside_a_pair_that_is_one(table: pd.DataFrame, tmp_path: Path) -> None:
    steps = np.random.default_rng(0).normal(size=(400, 2))
    walks = table.assign(w1=steps[:, 0].cumsum(), w2=steps[:, 1].cumsum(), id=range(400))
    f = named(audit(Arguments(table=written(tmp_path, walks))))
    assert "(w1, w2, id)" in f["order"].sentence
    assert "In 3 of 253 pairs both columns do" in f["order"].sentence
    assert f["strongest"].sentence.startswith(
        "The strongest pair of columns that do not both follow the order"
    )
    assert "is c0 and c1" in f["strongest"].sentence
    assert f["pair.c0.c1"].verdict == "finding"
    walked = [f[name] for name in f if name.startswith("pair.w1.")]
    assert walked
    assert {pair.verdict for pair in walked} == {"withheld"}
    assert f["pairs"].more["ordered"].value >= 1
    assert "In 3 of these pairs both columns" in f["replication"].does_not_show
    # nothing but walks: nothing is found
    f = named(audit(Arguments(table=written(tmp_path, walks[["w1", "w2", "id"]]))))
    assert f["pairs"].verdict == f["replication"].verdict == "no finding"
    assert f["strongest"].verdict == "withheld"


def test_false_pairs_of_tall_and_wide_tables() -> None:
    assert float(expected(100, 11)) == pytest.approx(comb(100, 2) * stats.beta(4.5, 4.5, -1, 2).sf(0.5) * 2)
    assert expected(100, 11) > 500 > 1 > expected(100, 100)


def test_bad_tables(tmp_path: Path, table: pd.DataFrame) -> None:
    few = table.iloc[:40, :3].round(2).astype(object)
    few["name"] = [f"person {i}" for i in range(40)]
    few["same"] = 7
    few["odd"] = few["c0"]
    few.loc[3, "odd"] = "1,5"
    few["holes"] = [""] * 38 + ["1", "2"]
    few.loc[5, "c1"] = "n/a"
    made = audit(Arguments(table=written(tmp_path, few)))
    assert made.inputs["columns passed over"] == (
        "name (text: 'person 0'), same (constant), odd (text: '1,5')"
    )
    # two values share no four rows with anything
    assert made.inputs["columns compared"] == 4
    assert named(made)["pairs"].more["all"].value == 3
    for change, error, said in (
        ({"holdout": 1.0}, ConfigError, "holdout: must be a share of the rows"),
        ({"seed": -1}, ConfigError, "seed: must be 0 or more"),
        ({"columns": "c0"}, ConfigError, "name two or more"),
        ({"columns": "c0,c9"}, DataError, "there is no column 'c9'"),
        ({"columns": "c0,odd"}, DataError, "column 'odd' holds '1,5', which is not a number"),
    ):
        with pytest.raises(SimulacraError, match=said) as caught:
            audit(Arguments(table=tmp_path / "wide.csv", **change))
        assert caught.type is error
    written(tmp_path, few[["name", "same", "c0"]])
    with pytest.raises(DataError, match=r"1 columns of numbers that vary and 40 rows.*passed over: name"):
        audit(Arguments(table=tmp_path / "wide.csv"))
    written(tmp_path, table.iloc[:3])
    with pytest.raises(DataError, match="20 columns of numbers that vary and 3 rows"):
        audit(Arguments(table=tmp_path / "wide.csv"))
    # four rows: two searched are too few for any pair
    written(tmp_path, table.iloc[:4])
    f = named(audit(Arguments(table=tmp_path / "wide.csv")))
    assert f["pairs"].verdict == f["replication"].verdict == "withheld"


def test_too_many_columns(tmp_path: Path) -> None:
    wide = pd.DataFrame(np.random.default_rng(0).normal(size=(4, 1001)).round(1))
    with pytest.raises(DataError, match=r"1,001 columns of numbers make too many pairs; name at most 1,000"):
        audit(Arguments(table=written(tmp_path, wide.add_prefix("c"))))


def test_random_rows_are_random_and_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("simulacra.audit.shared.source.ROWS", 50)
    path = written(tmp_path, pd.DataFrame({"i": range(1, 1001), "t": "x"}))
    fields = {"i": Loose("i"), "t": Loose("t")}
    got = sampled(Source(path), fields, 100, drop=False)
    assert len(got) == 100
    assert (got["i"] == got.index).all()
    assert got.index.is_monotonic_increasing
    # as many from each part of the table
    assert stats.kstest(got.index, stats.uniform(0, 1000).cdf).pvalue > 0.01
    assert fields["t"].odd == "x"
    assert got["t"].isna().all()
    assert len(sampled(Source(path), {"i": Loose("i")})) == 1000
