"""`decide` against brute force, and figures worked out by hand."""

from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from simulacra.audit.decisions.command import Arguments, audit
from simulacra.audit.shared.costs import Costs, break_even, read_costs
from simulacra.audit.shared.findings import Audit, Finding
from simulacra.audit.shared.ledger import CURVE_FACTORS, read
from simulacra.audit.shared.source import Source
from simulacra.errors import ConfigError, DataError


def named(made: Audit) -> dict[str, Finding]:
    return {f.name: f for f in made.findings()}


def number(f: Finding) -> float:
    assert f.number is not None
    return f.number.value


def test_one_to_five(costs: Path) -> None:
    assert read_costs(costs).threshold() == pytest.approx(1 / 6)
    assert read_costs(costs).spans() == [(1, 0.0, pytest.approx(1 / 6)), (0, pytest.approx(1 / 6), 1.0)]


def test_thresholds_are_where_brute_force_changes_its_mind() -> None:
    rng = np.random.default_rng(0)
    grid = np.linspace(0, 1, 501)
    p = np.stack([grid, 1 - grid], axis=1)
    for _ in range(50):
        matrix = rng.integers(0, 20, (rng.integers(2, 6), 2)).astype(float)
        costs = Costs(tuple(map(str, range(len(matrix)))), ("yes", "no"), matrix)
        cheapest = np.array(
            [min(sum(q * c for q, c in zip(row, action, strict=True)) for action in matrix) for row in p]
        )
        best = costs.best(p)
        assert costs.expected(p)[np.arange(len(p)), best] == pytest.approx(cheapest)
        for a, low, high in costs.spans():
            inside = (grid > low + 1e-9) & (grid < high - 1e-9)
            assert costs.expected(p)[inside, a] == pytest.approx(cheapest[inside])
        ends = [end for _, low, high in costs.spans() for end in (low, high)]
        assert ends[0] == 0
        assert ends[-1] == 1
        assert ends[1:-1:2] == ends[2::2]


def test_three_actions_three_outcomes_against_brute_force(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    matrix, p = rng.integers(0, 9, (3, 3)), rng.dirichlet([1, 1, 1], 500).round(6)
    y = [rng.choice(3, p=row / row.sum()) for row in p]
    text = "".join(f"  a{i}: {{x: {a}, y: {b}, z: {c}}}\n" for i, (a, b, c) in enumerate(matrix))
    (tmp_path / "c.yaml").write_text(f"actions:\n{text}")
    rows = [
        f"{a:.6f},{b:.6f},{c:.6f},{'xyz'[k]},{'fm'[i % 2]}"
        for i, ((a, b, c), k) in enumerate(zip(p, y, strict=True))
    ]
    (tmp_path / "t.csv").write_text("px,py,pz,truth,sex\n" + "\n".join(rows))
    made = audit(
        Arguments(
            table=tmp_path / "t.csv", score="px,py,pz", costs=tmp_path / "c.yaml", y="truth", group="sex"
        )
    )
    paid = {"f": 0, "m": 0}
    fixed = np.zeros(3)
    for i, (row, k) in enumerate(zip(p, y, strict=True)):
        action = min(range(3), key=lambda a: sum(row[j] * matrix[a][j] for j in range(3)))
        paid["fm"[i % 2]] += matrix[action][k]
        fixed += matrix[:, k]
    saved = named(made)["cost"]
    assert number(saved) == pytest.approx((fixed.min() - sum(paid.values())) / 500)
    by_sex = named(made)["cost.sex"].more
    assert by_sex["group.f"].value == pytest.approx(paid["f"] / 250)
    assert by_sex["group.m"].value == pytest.approx(paid["m"] / 250)
    # costs under each outcome halved and doubled
    for k, factor in product(range(3), (0.5, 2.0)):
        other = matrix.astype(float)
        other[:, k] *= factor
        changed = sum(
            min(range(3), key=lambda a: row @ matrix[a]) != min(range(3), key=lambda a: row @ other[a])
            for row in p
        )
        f = named(made)[f"sensitivity.{'xyz'[k]}"]
        assert f.more["half" if factor < 1 else "twice"].value == pytest.approx(changed / 500)


def test_mail(mail: Path, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("p\n" + "\n".join(f"{x / 1000}" for x in range(1000)))
    found = named(audit(Arguments(table=tmp_path / "t.csv", score="p", costs=mail)))
    assert found["threshold"].sentence == (
        "By the probability of spam, the cheapest action is inbox below 0.5, junk from 0.5 on and delete "
        "from 0.875 on."
    )
    assert found["threshold"].more["from.junk"].value == pytest.approx(0.5)
    assert found["threshold"].verdict == "stated"


def test_a_hit_rate_of_two_percent(tmp_path: Path, costs: Path) -> None:
    assert break_even(0.02) == pytest.approx(49)
    (tmp_path / "t.csv").write_text("p,found\n" + "0.5,1\n" * 40 + "0.5,0\n" * 1960)
    found = named(audit(Arguments(table=tmp_path / "t.csv", score="p", costs=costs, y="found")))
    f = found["break-even-taken.search"]
    assert number(f) == pytest.approx(49)
    assert f.verdict == "finding"
    assert f.sentence.startswith(
        "Of 1,000 people who get 'search', 20 turned out carries. For 'search' to pay, a miss would have to "
        "cost 49 times as much as a wrongful 'search' (95% 35.9 to 66.9)"
    )
    # scores of one half, hits of one fiftieth
    assert found["calibration"].verdict == "finding"
    # nobody was found: at least what the upper end of Wilson's interval leaves possible
    (tmp_path / "t.csv").write_text("p,found\n" + "0.5,0\n" * 100)
    f = named(audit(Arguments(table=tmp_path / "t.csv", score="p", costs=costs, y="found")))[
        "break-even.search"
    ]
    assert "at least 26" in f.sentence
    assert number(f) == pytest.approx((1 - 0.036995) / 0.036995, rel=1e-3)


def test_costs_and_errors_by_group(people: Path, costs: Path) -> None:
    found = named(audit(Arguments(table=people, score="p", costs=costs, y="y", group="region")))
    table = pd.read_csv(people)
    act = table["p"] >= 1 / 6
    paid = np.where(table["y"] == 1, np.where(act, 0, 5), np.where(act, 1, 0))
    for region in ("north", "south"):
        here = table["region"] == region
        assert found["cost.region"].more[f"group.{region}"].value == pytest.approx(paid[here].mean())
        innocent = here & (table["y"] == 0)
        wrong = found["wrong.innocent.region"].more[f"group.{region}"]
        assert wrong.value == pytest.approx(act[innocent].mean())
        hits = found["hits.search.region"].more[f"group.{region}"]
        assert hits.value == pytest.approx(table["y"][here & act].mean())
    # the same scores mean less in the south
    assert found["hits.search.region"].verdict == "finding"
    assert found["action.search.region"].verdict == "no finding"


def test_without_outcomes_nothing_is_judged(people: Path, costs: Path) -> None:
    made = audit(Arguments(table=people, score="p", costs=costs))
    assert {f.verdict for f in made.findings()} == {"stated"}
    assert {s.about for s in made.sections} == {"actions"}
    assert len(made.not_asked) == 2
    p = pd.read_csv(people)["p"].to_numpy()
    best = np.minimum(5 * p, 1 - p)
    always = min(5 * p.mean(), 1 - p.mean())
    assert number(named(made)["cost"]) == pytest.approx(always - best.mean())


def test_other_costs_are_counted_out(people: Path, costs: Path) -> None:
    ledger = read(Source(people), read_costs(costs), ["p"], None, None, 30)
    p = pd.read_csv(people)["p"].to_numpy()
    for factor, (search, leave) in zip(CURVE_FACTORS, ledger.taken, strict=True):
        assert search == pytest.approx((p > 1 / (1 + 5 * factor)).sum(), abs=1)
        assert search + leave == len(p)


def test_an_action_that_is_never_the_cheapest(tmp_path: Path, people: Path) -> None:
    (tmp_path / "c.yaml").write_text("actions: {a: {yes: 0, no: 1}, b: {yes: 1, no: 0}, c: {yes: 2, no: 2}}")
    made = audit(Arguments(table=people, score="p", costs=tmp_path / "c.yaml"))
    assert made.sections[0].notes == ["c is the cheapest action for no score."]
    # YAML's yes and no are names all the same
    assert made.inputs["outcomes"] == "yes, no"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "actions: must look like actions: {search:"),
        ("actions: {a: {x: 1, y: 2}}", "names one action only"),
        ("actions: {a: {x: 1}, b: {x: 2}}", "names one outcome only"),
        ("actions: {a: {x: 1, y: 2}, b: {x: 1, z: 2}}", "the outcomes of 'b' are not x, y; check 'y'"),
        ("actions: {a: {x: 1, y: much}, b: {x: 1, y: 2}}", "line 1: actions.a.y: 'much' is not a number"),
        ("actions: {a: 3, b: {x: 1}}", "actions.a: must look like"),
        ("actions: {a: {x: 1, y: 1}, b: {x: 1, y: 2}}\nunits: euros", "line 2: unknown key 'units', did you"),
        ("actions: {a: {x: 1, y: 1e200}, b: {x: 1, y: 2}}", "actions.a.y: 1e200 is too large; use another"),
        ("actions: [", "is not YAML"),
    ],
)  # fmt: skip
def test_bad_costs(tmp_path: Path, people: Path, text: str, said: str) -> None:
    (tmp_path / "c.yaml").write_text(text)
    with pytest.raises(DataError) as raised:
        audit(Arguments(table=people, score="p", costs=tmp_path / "c.yaml"))
    assert said in str(raised.value)


def test_bad_scores(tmp_path: Path, costs: Path, mail: Path) -> None:
    (tmp_path / "t.csv").write_text("p,q,y\n0.5,0.6,spam\n0.5,0.5,eggs\n")
    with pytest.raises(DataError, match=r"row 1: the scores add up to 1.1, not to 1"):
        audit(Arguments(table=tmp_path / "t.csv", score="p,q", costs=costs))
    (tmp_path / "c.yaml").write_text(
        "actions: {a: {spam: 1, ham: 2, bacon: 3}, b: {spam: 3, ham: 2, bacon: 1}}"
    )
    with pytest.raises(ConfigError, match="2 columns, but 3 outcomes"):
        audit(Arguments(table=tmp_path / "t.csv", score="p,q", costs=tmp_path / "c.yaml"))
    (tmp_path / "t.csv").write_text("p,q,r,y\n0.2,0.3,0.5,spam\n0.2,0.3,0.5,eggs\n")
    with pytest.raises(DataError, match="column 'y' holds 'eggs', for which there are no costs"):
        audit(Arguments(table=tmp_path / "t.csv", score="p,q,r", costs=tmp_path / "c.yaml", y="y"))


def test_few_people_and_their_costs_are_withheld(tmp_path: Path, costs: Path) -> None:
    """One person was a traceback; five were a finding."""
    for n in (1, 5):
        (tmp_path / "few.csv").write_text("p,y\n" + "0.9,1\n" * n)
        made = audit(Arguments(table=tmp_path / "few.csv", score="p", costs=costs, y="y"))
        (cost,) = (f for f in made.findings() if f.name == "cost")
        assert cost.verdict == "withheld"
        assert f"{n} people are fewer than 30" in cost.sentence
