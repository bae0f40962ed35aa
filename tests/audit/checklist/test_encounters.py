"""Wrongs that add up: the chance of at least one in so many encounters, by group."""

from math import log
from pathlib import Path

import pytest

from simulacra.audit.checklist.command import Arguments, audit
from simulacra.audit.checklist.encounters import Wronged, at_least_once, section
from simulacra.audit.shared.findings import Audit, Finding
from simulacra.audit.shared.intervals import newcombe, wilson
from simulacra.errors import DataError


def named(made: Audit) -> dict[str, Finding]:
    return {f.name: f for f in made.findings()}


def test_at_least_once() -> None:
    assert at_least_once(0.1, 10) == pytest.approx(1 - 0.9**10)
    assert at_least_once(0.1, 10) == pytest.approx(0.6513215599)
    # no digits are lost on the way
    assert at_least_once(1e-12, 10) == pytest.approx(1e-11, rel=1e-9)
    g = Wronged("A", 10, 0.1, 10, 100)
    low, high = wilson(10, 100).ends
    assert g.once().ends == pytest.approx((1 - (1 - low) ** 10, 1 - (1 - high) ** 10))


def table(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_rates_that_are_given(tmp_path: Path) -> None:
    path = table(tmp_path / "w.csv", "race,rate\nA,0.1\nB,0.05\nC,0\n")
    made = audit(Arguments(out=tmp_path, wronged=path, encounters=10))
    f = named(made)["wronged.race"]
    assert f.verdict == "stated"
    assert f.sentence.startswith(
        "Of 100 people whose race is A, 65 are wronged at least once in 10 encounters; of 100 whose race is "
        "C, 0: difference 0.651. In a single encounter it is 10 and 0 of 100."
    )
    assert f.number is not None
    assert f.number.value == pytest.approx(0.6513215599)
    assert f.number.low is None
    assert f.more["group.b"].value == pytest.approx(1 - 0.95**10)
    rows = {row[0]: row[1:] for row in next(s for s in made.sections if s.name == "wronged").tables[0].rows}
    assert rows["A"] == ["0.1", "10", "0.651", "1.00", f"{log(0.5) / log(0.9):.1f}"]
    assert rows["C"] == ["0", "10", "0", "0.00", "never"]


def test_counts_have_intervals(tmp_path: Path) -> None:
    path = table(
        tmp_path / "w.csv",
        "race,sex,wronged,n,encounters\nA,f,805,1795,1\nB,f,349,1488,1\nC,f,0,12,1\n",
    )
    f = named(audit(Arguments(out=tmp_path, wronged=path)))["wronged.race-sex"]
    assert f.verdict == "finding"
    # in one encounter it is the rate itself, and Newcombe's interval
    exact = newcombe(805, 1795, 349, 1488)
    assert f.number is not None
    assert f.number.value == pytest.approx(exact.value)
    assert f.number.ends == pytest.approx(exact.ends)
    assert f.n == 1795 + 1488
    assert "C & f (12)" in f.does_not_show
    assert "group.c-f" not in f.more
    assert f.more["group.a-f"].ends == pytest.approx(wilson(805, 1795).ends)
    close = table(tmp_path / "c.csv", "race,wronged,n,encounters\nA,10,100,5\nB,9,100,5\n")
    f = named(audit(Arguments(out=tmp_path, wronged=close)))["wronged.race"]
    assert f.verdict == "no finding"
    assert "compatible with no difference" in f.sentence


def test_encounters_of_their_own() -> None:
    # the same rate, met twice as often
    groups = [Wronged("A", 10, 0.1, 100, 1000), Wronged("B", 5, 0.1, 100, 1000)]
    f = section("race", groups, 30).findings[0]
    assert (
        "A, 65 are wronged at least once in their 10 encounters; of 100 whose race is B, 41 in their 5"
        in (f.sentence)
    )
    assert f.verdict == "finding"
    assert "10 and 10 of 100" in f.sentence
    few = section("race", [Wronged("A", 10, 0.1, 1, 10), groups[1]], 30)
    assert few.findings[0].verdict == "withheld"
    assert few.tables[0].rows[0][1] == "withheld, n = 10"
    assert section("race", groups[:1], 30).findings[0].sentence.endswith("withheld, there is one group only.")
    # everybody and nobody
    ends = section("race", [Wronged("A", 3, 1.0, 50, 50), Wronged("B", 3, 0.0, 0, 50)], 30).findings[0]
    assert ends.number is not None
    assert ends.number.value == 1
    assert "ratio" not in ends.more
    # more groups than colours
    many = [Wronged(f"g{i}", 3, i / 40) for i in range(40)]
    assert "5 of 40 groups" in section("race", many, 30).plots[1].caption


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("race,share\nA,1\n", "needs either a column 'rate'"),
        ("race,rate,wronged,n\nA,1,1,1\n", "needs either"),
        ("race,wronged\nA,1\n", "there is no column 'n'"),
        ("race,rate\nA,0.1\n", "with --encounters, or in a column"),
        ("rate,encounters\n0.1,3\n", "no column that names the groups"),
        ("race,rate,encounters\nA,1.5,2\n", "1.5 is not a probability"),
        ("race,rate,encounters\nA,0.1,2\nA,0.2,2\n", "'A' has several rows"),
        ("race,rate,encounters\nA,0.1,\nB,0.2,2\n", "1 rows lack a value"),
        ("race,rate,encounters\nA,0.1,2.5\n", "column 'encounters', row 1: 2.5; write a whole number from 1"),
        ("race,wronged,n,encounters\nA,5,4,2\n", "row 1: 5 wrongs in 4 encounters"),
        ("race,wronged,n,encounters\nA,-5,4,2\n", "whole number from 0"),
    ],
)
def test_bad_tables(text: str, said: str, tmp_path: Path) -> None:
    path = table(tmp_path / "w.csv", text)
    with pytest.raises(DataError) as raised:
        audit(Arguments(out=tmp_path / "out", wronged=path))
    assert said in str(raised.value)
    assert not (tmp_path / "out").exists()
