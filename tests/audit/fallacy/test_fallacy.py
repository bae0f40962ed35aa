"""`fallacy`: both directions of a conditional, counted out."""

from pathlib import Path

import pytest

from simulacra.audit.fallacy.command import Arguments, audit
from simulacra.audit.shared.findings import Audit, Finding
from simulacra.audit.shared.intervals import newcombe, wilson
from simulacra.errors import ConfigError, DataError


def named(made: Audit) -> dict[str, Finding]:
    return {f.name: f for f in made.findings()}


def table(path: Path, cells: tuple[int, int, int, int]) -> Path:
    """Counts of (A, B), (A, not B), (not A, B), (not A, not B) as a table."""
    rows = [row for row, n in zip(("1,b", "1,c", "0,b", "0,c"), cells, strict=True) for _ in range(n)]
    path.write_text("a,group\n" + "\n".join(rows))
    return path


def test_drugs() -> None:
    made = audit(Arguments(p_given=0.09, base=0.13, other=0.08, a="drugs", b="the group"))
    found = named(made)
    assert made.sections[0].tables[0].rows == [
        ["with drugs", "117", "696", "813"],
        ["without drugs", "1,183", "8,004", "9,187"],
        ["together", "1,300", "8,700", "10,000"],
    ]
    f = found["reversed"]
    assert f.number is not None
    assert f.number.value == pytest.approx(117 / 813)
    assert f.number.value == pytest.approx(0.144, abs=5e-4)
    assert f.number.low is None
    assert found["innocent"].sentence == (
        "Stop all 1,300 in the group, and 1,183 of them, 91 of 100, are innocent: they do not have drugs."
    )
    assert "misses 696 of the 813 with drugs, 86 of 100" in found["missed"].sentence
    assert [s.about for s in made.sections] == ["data", "actions"]
    # numbers that were typed in leave nothing to chance
    assert [f.verdict for f in made.findings()] == ["finding", "stated", "stated", "stated"]


def test_of_a_table(tmp_path: Path) -> None:
    made = audit(Arguments(table=table(tmp_path / "t.csv", (90, 640, 910, 8360)), a="a", b="group=b"))
    f = named(made)["reversed"]
    assert f.number == wilson(90, 730)
    assert f.more["given"] == wilson(90, 1000)
    assert f.verdict == "finding"
    assert f.n == 730
    assert named(made)["difference"].number == newcombe(90, 1000, 640, 9000)
    assert made.inputs["rows"] == 10_000


def test_few_people_are_withheld(tmp_path: Path) -> None:
    for cells, few in (
        ((3, 0, 0, 2), "in group=b (3), not in group=b (2), with a (3)"),
        ((29, 500, 0, 500), "in group=b (29)"),
        ((15, 14, 500, 500), "with a (29)"),
    ):
        made = audit(Arguments(table=table(tmp_path / "t.csv", cells), a="a", b="group=b"))
        assert list(named(made)) == ["reversed", "difference", "innocent", "missed"]
        for f in made.findings():
            assert f.verdict == "withheld"
            assert f.sentence.endswith(f"withheld, fewer than 30 people are {few}.")
        assert not any(section.tables or section.plots for section in made.sections)
    kept = audit(Arguments(table=tmp_path / "t.csv", a="a", b="group=b", minimum_n=29))
    assert named(kept)["reversed"].number == wilson(15, 29)


def test_equal_margins_are_no_finding(tmp_path: Path) -> None:
    # as many have A as are in B: both directions are the same number
    made = audit(Arguments(table=table(tmp_path / "t.csv", (30, 70, 70, 200)), a="a", b="group=b"))
    assert named(made)["reversed"].verdict == "no finding"
    exact = audit(Arguments(p_given=0.25, base=0.2, other=0.1875))
    assert named(exact)["reversed"].verdict == "no finding"
    assert exact.inputs == {"p(A | B)": 0.25, "p(B)": 0.2, "p(A | not B)": 0.1875}


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({}, "give --p-given, --base and --other, or a table"),
        ({"p_given": 0.1, "base": 0.2}, "give --p-given, --base and --other"),
        ({"p_given": 9, "base": 0.13, "other": 0.08}, "p-given: a share lies between 0 and 1, not 9"),
        ({"p_given": 0.1, "base": 1, "other": 0.08}, "base: a share"),
        ({"p_given": 0, "base": 0.1, "other": 0}, "nobody has A"),
        ({"table": Path("t.csv")}, "name both columns"),
        ({"table": Path("t.csv"), "a": "a", "b": "b", "minimum_n": 1}, "minimum-n: must be at least 2"),
        ({"table": Path("t.csv"), "base": 0.1}, "or a table"),
    ],
)  # fmt: skip
def test_bad_settings(settings: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigError) as raised:
        audit(Arguments(**settings))  # type: ignore[arg-type]  # values of the test
    assert said in str(raised.value)


def test_nobody_in_the_group(tmp_path: Path) -> None:
    path = table(tmp_path / "t.csv", (5, 0, 5, 0))
    with pytest.raises(DataError, match=r"no row is not group=b"):
        audit(Arguments(table=path, a="a", b="group=b"))
