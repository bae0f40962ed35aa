"""`sampling` against counts worked out by hand, and against people weighted one by one."""

from pathlib import Path

import numpy as np
import pytest
from scipy.stats import binomtest

from simulacra.audit.sampling.command import Arguments, audit
from simulacra.audit.sampling.reference import Selection, read
from simulacra.audit.shared.findings import Audit, Finding
from simulacra.audit.shared.source import Source
from simulacra.errors import ConfigError, DataError

# 13 of 100 people are in A; of 100 in A 9 use drugs, of 100 in B 8: 117 and 696 of 10,000
RATES = "group,population,rate\nA,1300,0.09\nB,8700,0.08\n"


def table(path: Path, counts: dict[tuple[str, int], int]) -> Path:
    rows = [f"{group},{y}" for (group, y), n in counts.items() for _ in range(n)]
    path.write_text("group,y\n" + "\n".join(rows))
    return path


@pytest.fixture
def arrests(tmp_path: Path) -> Path:
    return table(tmp_path / "arrests.csv", {("A", 1): 60, ("A", 0): 240, ("B", 1): 350, ("B", 0): 350})


def run(observed: Path, rates: str, **more: object) -> dict[str, Finding]:
    return {f.name: f for f in audited(observed, rates, **more).findings()}


def ratio(found: dict[str, Finding]) -> tuple[float, ...]:
    number = found["selection.group"].number
    assert number is not None
    return number.value, *number.ends


def audited(observed: Path, rates: str, **more: object) -> Audit:
    path = observed.with_name("rates.csv")
    path.write_text(rates)
    return audit(Arguments(observed=observed, reference_rates=path, **more))  # type: ignore[arg-type]  # of the test


def test_arrests_against_use(arrests: Path) -> None:
    found = run(arrests, RATES)
    share = found["share.group"].number
    assert share is not None
    assert share.value == pytest.approx(0.3 - 117 / 813)
    wilson = binomtest(300, 1000).proportion_ci(0.95, "wilson")
    assert share.ends == pytest.approx((wilson.low - 117 / 813, wilson.high - 117 / 813))
    assert found["share.group"].verdict == "finding"
    ratio = found["selection.group"].number
    assert ratio is not None
    assert ratio.value == pytest.approx(300 / 700 * 696 / 117)
    ends = binomtest(300, 1000).proportion_ci(0.95, "wilson")
    assert ratio.ends == pytest.approx([p / (1 - p) * 696 / 117 for p in (ends.low, ends.high)])
    assert found["selection.group"].sentence == (
        "For as many people in the reference, those whose group is A are selected 2.55 times as often as "
        "those whose group is B (95% 2.23 to 2.92)."
    )
    assert "(its rate there is 0.09)" in found["tipping"].sentence
    # as many selected of each as use drugs
    even = arrests.with_name("even.csv")
    table(even, {("A", 1): 117, ("B", 1): 696})
    found = run(even, RATES)
    assert [found[name].verdict for name in ("share.group", "selection.group")] == ["no finding"] * 2
    assert found["weights"].more["largest"].value == pytest.approx(1)


def test_reweighting_is_counting_people_by_weights(arrests: Path) -> None:
    found = run(arrests, RATES, y="y")
    w = np.repeat([117 / 813 / 0.3, 696 / 813 / 0.7], [300, 700])
    y = np.concatenate([np.arange(300) < 60, np.arange(700) < 350])
    assert found["weights"].more["effective"].value == pytest.approx(w.sum() ** 2 / (w**2).sum())
    assert found["reweighted"].more["reweighted"].value == pytest.approx(np.average(y, weights=w))
    number = found["reweighted"].number
    assert number is not None
    assert number.value == pytest.approx(np.average(y, weights=w) - y.mean())
    # by the delta method, in large samples the same
    sd = np.sqrt(sum((117 / 813 - 0.3) ** 2 * p * (1 - p) / n for p, n in ((0.2, 300), (0.5, 700))))
    assert number.ends == pytest.approx((number.value - 1.96 * sd, number.value + 1.96 * sd), abs=3e-3)
    # selection within groups that multiplies the odds of y is undone
    low, high = found["within"].more["low"].value, found["within"].more["high"].value
    ratio = found["selection.group"].number
    assert ratio is not None
    odds = ratio.ends[0]
    real = {"A": (0.2 / odds) / (0.2 / odds + 0.8), "B": 0.5 / (0.5 + 0.5 * odds)}
    assert low == pytest.approx(117 / 813 * real["A"] + 696 / 813 * real["B"])
    selected = [p * odds / (p * odds + 1 - p) for p in real.values()]
    assert selected == pytest.approx([0.2, 0.5])
    assert low < found["within"].more["reweighted"].value < high


def test_rates_that_were_asked_for_hold_what_they_promise() -> None:
    rng, size = np.random.default_rng(0), np.array([2000.0, 8000.0])
    p, asked = np.array([0.1, 0.06]), np.array([800, 1500])
    inside, wider = 0, 0
    for _ in range(400):
        # selected three times as readily in the first group
        k = rng.poisson(size * p * np.array([0.9, 0.3]))
        rate = rng.binomial(asked, p) / asked
        found = Selection("g", ("a", "b"), k, None, size, rate, asked.astype(float))
        e = found.ratio(0, 1)
        exact = Selection("g", ("a", "b"), k, None, size, rate, None).ratio(0, 1)
        assert e is not None
        assert exact is not None
        inside += e.holds(3.0)
        wider += e.ends[0] < exact.ends[0] and e.ends[1] > exact.ends[1]
    assert wider == 400
    assert 0.93 <= inside / 400 <= 0.98


def test_the_reference_in_other_words(arrests: Path, tmp_path: Path) -> None:
    whole = run(arrests, RATES)
    # shares for people, and rates alone that are shares
    for rates in (
        "group,share,rate\nA,0.13,0.09\nB,0.87,0.08\n", f"group,rate\nA,{117 / 813}\nB,{696 / 813}\n",
        "n,group\n117,A\n696,B\n",
    ):  # fmt: skip
        assert ratio(run(arrests, rates)) == pytest.approx(ratio(whole))
    # a row for many
    counts = tmp_path / "counts.csv"
    counts.write_text("group,y,people\nA,1,60\nA,0,240\nB,1,350\nB,0,350\nB,0,0\n")
    aggregated = run(counts, RATES, count="people", y="y")
    assert aggregated["reweighted"].number == run(arrests, RATES, y="y")["reweighted"].number
    # everybody, and who of them is arrested: arrest rates against use rates
    people = tmp_path / "people.csv"
    people.write_text("group,arrested,n\nA,yes,300\nA,no,1000\nB,yes,700\nB,no,8000\n")
    compared = run(people, "group,rate\nA,0.09\nB,0.08\n", count="n", selected="arrested")
    assert ratio(compared) == pytest.approx(ratio(whole))


def test_groups_are_crossed(tmp_path: Path) -> None:
    (tmp_path / "o.csv").write_text("race,sex,n\na,f,50\na,m,150\nb,f,100\nb,m,100\n")
    rates = "sex,race,people\nf,a,1\nm,a,1\nf,b,1\nm,b,1\n"
    made = audited(tmp_path / "o.csv", rates, count="n")
    found = {f.name: f for f in made.findings()}
    number = found["selection.sex-race"].number
    assert number is not None
    assert number.value == pytest.approx(3)
    assert "m & a" in found["selection.sex-race"].sentence
    assert "for all 6 pairs at once" in found["selection.sex-race"].sentence


def test_nobody_and_three_people(tmp_path: Path) -> None:
    (tmp_path / "o.csv").write_text("group,n\nA,3\nB,400\nC,0\nD,2\n")
    found = run(tmp_path / "o.csv", "group,people\nA,3\nB,300\nC,100\nD,2\n", count="n")
    # 100 of 405 are expected of C, and nobody is selected: that is known; of A and D too few either way
    assert "have group C" in found["share.group"].sentence
    assert found["share.group"].verdict == "finding"
    assert (
        "fewer than 30 are selected or expected are left out: A (3), D (2)"
        in found["share.group"].does_not_show
    )
    assert found["selection.group"].verdict == "withheld"
    number = found["uncovered"].number
    assert number is not None
    assert number.value == pytest.approx(100 / 405)
    assert found["uncovered"].more["few"].value == pytest.approx(5 / 405)
    assert "tipping" not in found
    (tmp_path / "o.csv").write_text("group,n\nA,2\nB,1\n")
    found = run(tmp_path / "o.csv", "group,people\nA,3\nB,3\n", count="n")
    assert {f.verdict for f in found.values()} == {"withheld", "stated"}
    # one group alone, or all as in the reference: nobody counts for more than anybody else
    for cells in ("A,300\nB,0\n", "A,300\nB,300\n"):
        (tmp_path / "o.csv").write_text("group,n\n" + cells)
        found = run(tmp_path / "o.csv", "group,people\nA,3\nB,3\n", count="n")
        assert "as in the reference, each person counts for 1. The" in found["weights"].sentence


@pytest.mark.parametrize(
    ("rates", "more", "said"),
    [
        ("race,rate\nA,0.5\nB,0.5\n", {}, "no column of groups that .* has too"),
        ("group,rate\nA,0.09\nB,0.08\n", {}, "the rates add up to 0.17: add a column 'population'"),
        ("group\nA\nB\n", {}, "neither a column 'rate' nor one of sizes"),
        ("group,rate,a,b\nA,0.1,1,1\nB,0.1,1,1\n", {}, "columns 'a' and 'b' could all be the sizes"),
        ("group,rate,people\nA,9,10\nB,8,10\n", {}, "9 is not a probability"),
        ("group,people\nA,10\n", {}, "one group only, 'A'"),
        ("group,people\nA,10\nB,10\nA,10\n", {}, "'A' has several rows"),
        ("group,people\nA,10\nC,10\n", {}, "'group' holds 'B', which .* does not have"),
        ("group,people\nA,-1\nB,10\n", {}, "column 'people', row 1: -1 people"),
        ("group,people\nA,\nB,10\n", {}, "1 rows lack a value"),
        ("group,people\nA,0\nB,0\n", {}, "the reference is empty"),
        ("group,people\nA,0\nB,1\n", {}, "'A': the reference has nobody, but 300 are selected"),
        ("group,people,rate,n\nA,1,0.1,0\nB,1,0.1,5\n", {}, "column 'n', row 1: 0 people"),
        (RATES, {"count": "half"}, "0.5 is not a number of people"),
        (RATES, {"selected": "y>=7"}, "nobody is selected"),
        (RATES, {"y": "z"}, "there is no column 'z'"),
        (RATES, {"minimum_n": 1}, "minimum-n: must be at least 2"),
    ],
)  # fmt: skip
def test_bad_tables(arrests: Path, rates: str, more: dict[str, object], said: str) -> None:
    if "count" in more:
        arrests.write_text("group,half\nA,0.5\nB,1\n")
    with pytest.raises((DataError, ConfigError), match=said) as raised:
        run(arrests, rates, **more)
    assert "\n" not in str(raised.value)


def test_a_table_is_read_in_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    counts = {("A", 1): 60, ("A", 0): 240, ("B", 1): 350, ("B", 0): 350}
    path, rates = table(tmp_path / "o.csv", counts), tmp_path / "r.csv"
    rates.write_text(RATES)
    whole = read(Source(path), Source(rates), None, None, "y")
    monkeypatch.setattr("simulacra.audit.shared.source.ROWS", 7)
    parts = read(Source(path), Source(rates), None, None, "y")
    assert whole.k.tolist() == parts.k.tolist() == [300, 700]
    assert whole.y is not None
    assert parts.y is not None
    assert whole.y.tolist() == parts.y.tolist() == [60, 350]
