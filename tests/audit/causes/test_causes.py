"""`causes` against enumeration, other implementations and figures worked out by hand."""

from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

from simulacra.audit.causes.adjustment import Column, Effect, NoEffect, column, dependence, effect
from simulacra.audit.causes.command import Arguments, audit
from simulacra.audit.causes.graph import read_graph
from simulacra.audit.causes.towns import GROUPS, Preset, town
from simulacra.audit.shared.findings import Audit, Estimate, Finding
from simulacra.audit.shared.intervals import newcombe, wilson
from simulacra.audit.shared.poverty import STOPS, Group, policy
from simulacra.errors import ConfigError, DataError, SimulacraError


def named(made: Audit) -> dict[str, Finding]:
    return {f.name: f for f in made.findings()}


def number(f: Finding) -> float:
    assert f.number is not None
    return f.number.value


def col(name: str, values: Any, one: str | None = None) -> Column:
    return column(pd.Series([str(v) for v in values], name=name), one)


def written(folder: Path, graph: str, table: pd.DataFrame) -> dict[str, Any]:
    (folder / "graph.yaml").write_text(graph)
    table.to_csv(folder / "data.csv", index=False)
    return {"graph": folder / "graph.yaml", "table": folder / "data.csv"}


@pytest.fixture(scope="module")
def confounded() -> pd.DataFrame:
    """Z -> X, Z -> Y; Y = 2 Z + e, and no arrow from X to Y."""
    rng = np.random.default_rng(0)
    z = rng.normal(size=20_000)
    return pd.DataFrame(
        {"x": z + rng.normal(size=len(z)), "y": 2 * z + rng.normal(size=len(z)), "z": z}
    ).round(6)


def test_what_goes_together_is_not_what_it_does(confounded: pd.DataFrame, tmp_path: Path) -> None:
    files = written(tmp_path, "arrows: {z: [x, y]}", confounded)
    f = named(audit(Arguments(**files, do="x=1")))
    assert number(f["observed.y"]) == pytest.approx(1.0, abs=0.03)
    assert f["observed.y"].verdict == "finding"
    # the graph excludes an effect: that it is 0 is a test of the graph
    assert "effect.y" not in f
    assert f["effect"].verdict == "withheld"
    assert number(f["excluded.y"]) == pytest.approx(0, abs=0.03)
    assert f["excluded.y"].verdict == "no finding"
    assert "By the graph they are independent given z" in f["excluded.y"].sentence
    # with an arrow it is an effect
    f = named(audit(Arguments(**written(tmp_path, "arrows: {z: [x, y], x: [y]}", confounded), do="x=1")))
    assert number(f["effect.y"]) == pytest.approx(0, abs=0.03)
    assert f["effect.y"].verdict == "no finding"
    assert "adjusted for z" in f["effect.y"].sentence
    assert number(f["gap.y"]) == pytest.approx(1.0, abs=0.03)
    f = named(audit(Arguments(**written(tmp_path, "arrows: {z: [x, y]}", confounded), do="x=1")))
    # z acts on x: setting x does nothing to it, and there is no finding about it
    assert not [name for name in f if name.endswith(".z")]
    # the graph says x and y are independent given z; a graph without z's arrow to y is contradicted
    assert f["separation"].verdict == "no finding"
    files = written(tmp_path, "arrows: {z: [x], x: [y]}", confounded)
    wrong = named(audit(Arguments(**files)))["separation"]
    assert wrong.verdict == "finding"
    assert number(wrong) == 1
    # y given x: corr(2 z + e, z | x) of unit normals is 1 / sqrt(1.5) = .816
    assert wrong.more["pair.z.y"].value == pytest.approx(1.5**-0.5, abs=0.01)


def test_kidney_stones(tmp_path: Path) -> None:
    # Charig et al. 1986: open surgery (A) succeeds more often with small stones, and with large ones, and
    # less often in all, because it is done where stones are large
    cells = {
        ("A", "small"): (81, 87), ("A", "large"): (192, 263),
        ("B", "small"): (234, 270), ("B", "large"): (55, 80),
    }  # fmt: skip
    rows = [
        (treatment, size, "yes" if i < k else "no")
        for (treatment, size), (k, n) in cells.items()
        for i in range(n)
    ]
    table = pd.DataFrame(rows, columns=["treatment", "size", "success"])
    files = written(tmp_path, "arrows: {size: [treatment, success], treatment: [success]}", table)
    f = named(audit(Arguments(**files, do="treatment=A")))
    assert number(f["observed.success"]) == pytest.approx(273 / 350 - 289 / 350)
    small, large = 357 / 700, 343 / 700
    a, b = (81 / 87 * small + 192 / 263 * large), (234 / 270 * small + 55 / 80 * large)
    assert f["effect.success"].more["done"].value == pytest.approx(a)
    assert f["effect.success"].more["undone"].value == pytest.approx(b)
    assert number(f["effect.success"]) == pytest.approx(a - b)
    assert (
        "Of 100 people with treatment = A, 78 have success = yes; of 100 others, 83: difference"
        in f["observed.success"].sentence
    )
    assert (
        "for everybody, 83 of 100 people would have success = yes; if it were for nobody, 78"
        in f["effect.success"].sentence
    )
    # the arrow and both of size's leave nothing to test
    assert f["separation"].verdict == "withheld"
    # set the other way, the sign turns
    other = named(audit(Arguments(**files, do="treatment=B")))
    assert number(other["effect.success"]) == pytest.approx(b - a)


def test_effects_are_those_of_least_squares() -> None:
    rng = np.random.default_rng(0)
    n = 500
    z = rng.normal(size=(n, 2))
    x = z @ [1, -1] + 2 * rng.normal(size=n)
    y = 3 * x + z @ [2, 1] + x * z[:, 0] + rng.normal(size=n) * (1 + np.abs(x))
    cx, cy, *cz = col("x", x), col("y", y), col("z", z[:, 0]), col("w", z[:, 1])
    found = effect(cx, cy, cz, 0.5)
    assert isinstance(found, Effect)
    assert isinstance(found.done, Estimate)
    centred = z - z.mean(axis=0)
    design = np.c_[np.ones(n), x, centred, centred * x[:, None]]
    fit = sm.OLS(y, design).fit(cov_type="HC0")
    assert found.effect.value == pytest.approx(fit.params[1])
    assert found.done.value == pytest.approx(fit.params[0] + 0.5 * fit.params[1])
    # besides the lines, the mean slope of these people is uncertain: wider than least squares alone
    half = (found.effect.ends[1] - found.effect.ends[0]) / 2
    assert 1.96 * fit.bse[1] < half < 1.5 * 1.96 * fit.bse[1]
    plain = sm.OLS(y, np.c_[np.ones(n), x]).fit()
    assert found.observed.value == pytest.approx(plain.params[1])
    assert found.gap.value == pytest.approx(plain.params[1] - fit.params[1])
    # an effect that varies by group: each slope counts as often as its people
    g = rng.choice(["a", "b", "c"], n, p=[0.6, 0.3, 0.1])
    slopes = {"a": 1.0, "b": 3.0, "c": -2.0}
    y = np.array([slopes[k] for k in g]) * x
    found = effect(cx, col("y", y), [col("g", g)], 0.0)
    assert isinstance(found, Effect)
    assert found.effect.value == pytest.approx(np.mean([slopes[k] for k in g]))


@pytest.mark.parametrize("kind", ["numbers", "groups"])
def test_intervals_cover(kind: str) -> None:
    rng = np.random.default_rng(0)
    inside = {"effect": 0, "gap": 0, "dependence": 0}
    runs = 300
    for _ in range(runs):
        z = rng.normal(size=200) if kind == "numbers" else rng.integers(0, 3, 200).astype(float)
        noise = rng.normal(size=200) * (0.5 + np.abs(z))
        if kind == "numbers":
            x = 0.8 * z + rng.normal(size=200)
            gap = 0.8 / 1.64
        else:
            x = (rng.random(200) < 0.2 + 0.25 * z).astype(float)
            # cov(x, z) / var(x) with p(x | z) = .2 + .25 z: 1/6 / (.45 .55)
            gap = (0.25 * 2 / 3) / (0.45 * 0.55)
        y = z + x * 1.5 + noise
        c = {"x": col("x", x), "y": col("y", y), "z": col("z", z), "n": col("n", noise)}
        found = effect(c["x"], c["y"], [c["z"]], 1.0)
        left = dependence(c, "x", "n", ["z"])
        assert isinstance(found, Effect)
        assert left is not None
        inside["effect"] += found.effect.holds(1.5)
        inside["gap"] += found.gap.holds(gap)
        inside["dependence"] += left.holds(0)
    for name, k in inside.items():
        assert 0.915 <= k / runs <= 0.985, name


def test_dependence_is_the_partial_correlation() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(5000, 4)) @ rng.normal(size=(4, 4))
    c = {name: col(name, x[:, i]) for i, name in enumerate("abcd")}
    found = dependence(c, "a", "b", ["c", "d"])
    inverse = np.linalg.inv(np.cov(x.T))
    assert found is not None
    assert found.value == pytest.approx(-inverse[0, 1] / np.sqrt(inverse[0, 0] * inverse[1, 1]))
    # groups with names: the one that differs is found, whichever it is
    g = rng.choice(["p", "q", "r", "s"], 5000)
    c["g"] = col("g", g)
    c["y"] = col("y", (g == "r") + rng.normal(size=5000))
    c["e"] = col("e", rng.normal(size=5000))
    tied, free = dependence(c, "g", "y", []), dependence(c, "g", "e", [])
    assert tied is not None
    assert free is not None
    assert not tied.holds(0)
    assert free.holds(0)
    # nothing is left of what is known
    assert dependence({**c, "copy": col("copy", g)}, "g", "y", ["copy"]) is None


def test_columns_for_what_they_are() -> None:
    assert col("a", ["yes", "no", "yes"]).positive == "yes"
    assert col("a", ["f", "m", "m"]).positive == "f"
    assert col("a", ["f", "m", "m"], "m").values.tolist() == [0, 1, 1]
    three = col("a", [1, 2, 10, 2])
    assert (three.positive, three.groups, three.categorical) == ("", ("1", "2", "10"), False)
    assert col("a", range(60)).codes is None
    text = col("a", ["u", "v", "w"])
    assert text.categorical
    assert text.indicators.shape == (3, 2)
    with pytest.raises(ValueError, match="holds 'x' in every row"):
        col("a", ["x", "x"])
    with pytest.raises(ValueError, match="more than 50 different values, and 'person 0' is not a number"):
        col("a", [f"person {i}" for i in range(51)])


def logistic(rng: np.random.Generator, a: np.ndarray) -> np.ndarray:
    return (rng.random(len(a)) < 1 / (1 + np.exp(-a))).astype(int)


def test_shares_stay_shares_and_are_right() -> None:
    """A steep binary outcome: a straight line gave 1.04 and -.047 here, and other shares inside."""
    rng = np.random.default_rng(0)
    truth = np.random.default_rng(1).normal(size=200_000)
    inside = {(do, what): 0 for do in (-1.0, 0.0, 1.5) for what in ("done", "effect")}
    runs = 100
    for _ in range(runs):
        z = rng.normal(size=500)
        x = 0.3 * z + rng.normal(size=500)
        y = logistic(rng, 3 * x - 2 * z)
        c = {"x": col("x", x), "y": col("y", np.where(y, "yes", "no")), "z": col("z", z)}
        for do in (-1.0, 0.0, 1.5):
            found = effect(c["x"], c["y"], [c["z"]], do)
            assert isinstance(found, Effect)
            assert isinstance(found.done, Estimate)
            assert 0 <= found.done.ends[0] <= found.done.ends[1] <= 1
            share = float((1 / (1 + np.exp(-3 * do + 2 * truth))).mean())
            inside[do, "done"] += found.done.holds(share)
            inside[do, "effect"] += found.effect.holds(share - 0.5)
    for name, k in inside.items():
        assert k >= 0.88 * runs, name


def test_an_effect_of_two_values_is_as_certain_as_newcombe_says() -> None:
    """Without columns to adjust for; also where a share is 0, and where nobody differs."""
    for k1, n1, k0, n0 in ((0, 40, 30, 100), (40, 40, 10, 100), (20, 40, 30, 60), (1, 30, 29, 30)):
        x = np.repeat([1, 0], [n1, n0])
        y = np.r_[np.arange(n1) < k1, np.arange(n0) < k0]
        found = effect(col("x", x, "1"), col("y", y, "True"), [], 1.0)
        assert isinstance(found, Effect)
        assert isinstance(found.done, Estimate)
        assert found.effect.ends == pytest.approx(newcombe(k1, n1, k0, n0).ends)
        assert found.done.ends == pytest.approx(wilson(k1, n1).ends)
    # one of many strata has nobody with y: its share is not known to be 0
    g = np.repeat(["a", "b"], [20, 400])
    x = np.tile([0, 1], 210)
    y = np.where(g == "a", 0, np.arange(420) // 2 % 2)
    found = effect(col("x", x, "1"), col("y", y, "1"), [col("g", g)], 1.0)
    assert isinstance(found, Effect)
    assert isinstance(found.done, Estimate)
    assert found.done.value == pytest.approx(400 / 420 / 2)


def test_nothing_is_extrapolated(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    n = 500
    z = rng.normal(size=n)
    graph = "arrows: {z: [x, y], x: [y]}"
    # nobody with z < .3 has x = 1: the line gave 117 against 97.7 as a finding
    apart = pd.DataFrame({"z": z, "x": (z > 0.3).astype(int), "y": 100 + 70 * z + rng.normal(size=n)})
    f = named(audit(Arguments(**written(tmp_path, graph, apart), do="x=1")))
    assert f["effect.y"].verdict == "outside the data"
    assert f["effect.y"].number is None
    assert "no row with another x has a comparable z" in f["effect.y"].sentence
    assert "gap.y" not in f
    # x follows z: nobody with a low z has x = 2.5. The line gave negative money
    near = pd.DataFrame({"z": z, "x": z + 0.05 * rng.normal(size=n), "y": 1000 * np.exp(z)}).round(6)
    f = named(audit(Arguments(**written(tmp_path, graph, near), do="x=2.4")))
    assert f["done.y"].verdict == "outside the data"
    assert "done" not in f["effect.y"].more
    assert "set to" not in f["effect.y"].sentence
    # a binary outcome: nothing but the mean at the value is asked
    steep = near.assign(y=logistic(rng, 4 * z))
    f = named(audit(Arguments(**written(tmp_path, graph, steep), do="x=2.4")))
    assert f["effect.y"].verdict == "outside the data"
    # a group whose x never comes near the value is left out, and the sentence says so
    g = np.repeat(["a", "b"], [300, 200])
    x = np.where(g == "a", rng.uniform(0, 10, n), rng.uniform(0, 3, n)).round(4)
    table = pd.DataFrame({"z": g, "x": x, "y": 2 * x})
    table.loc[0, "x"] = 8
    f = named(audit(Arguments(**written(tmp_path, graph, table), do="x=8")))
    assert "set to 8 for the 300 of 500 people who can be compared" in f["effect.y"].sentence
    # a line below all values of y, inside of x
    x = rng.uniform(0, 1, n).round(4)
    x[0] = 0.001
    table = pd.DataFrame({"z": g, "x": x, "y": np.exp(12 * x)})
    f = named(audit(Arguments(**written(tmp_path, graph, table), do="x=0.001")))
    assert f["done.y"].verdict == "outside the data"
    assert "would leave the range" in f["done.y"].sentence


def test_what_the_graph_excludes_tests_the_graph(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(500, 3))
    table = pd.DataFrame(
        {"z": x[:, 2], "x": x[:, 0], "y": x[:, 0] + x[:, 1], "kind": ["u", "v", "w", "w", "u"] * 100}
    )
    graph = "arrows: {z: [x, y, kind]}"
    made = audit(Arguments(**written(tmp_path, graph, table), do="x=1"))
    f = named(made)
    assert f["excluded.y"].verdict == "finding"
    assert number(f["excluded.y"]) == pytest.approx(0.5**0.5, abs=0.06)
    assert f["excluded.y"].sentence.endswith("The data contradict the graph.")
    assert f["excluded.kind"].verdict == "no finding"
    assert not [name for name in f if name.startswith(("effect.", "gap."))]
    section = next(s for s in made.sections if "excluded.y" in [g.name for g in s.findings])
    assert section.title == "Does the graph fit the data?"
    # something hidden acts on both: nothing tests it
    f = named(audit(Arguments(**written(tmp_path, graph + "\nhidden: [z]", table), do="x=1")))
    assert f["excluded.y"].verdict == "withheld"


def test_few_rows_with_a_value_are_withheld(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"x": [1] * 5 + [0] * 195, "y": rng.normal(size=200)})
    f = named(audit(Arguments(**written(tmp_path, "arrows: {x: [y]}", table), do="x=1")))
    assert f["effect.y"].verdict == "withheld"
    assert "5 rows with one of the values of x, 30 are needed" in f["effect.y"].sentence
    # numbers whose squares overflow are refused in words
    table["y"] *= 1e200
    with pytest.raises(DataError, match="column 'y' holds numbers beyond 1e\\+100"):
        audit(Arguments(**written(tmp_path, "arrows: {x: [y]}", table)))


def test_nobody_to_compare_with() -> None:
    rng = np.random.default_rng(0)
    g = np.repeat(["a", "b", "c"], 100)
    x = np.where(g == "c", 1, rng.integers(0, 2, 300))
    found = effect(col("x", x), col("y", rng.normal(size=300)), [col("g", g)], 1.0)
    assert isinstance(found, Effect)
    assert (found.n, found.dropped) == (200, 100)
    z = rng.normal(size=300)
    for x, y, given in (("x", g == "c"), rng.normal(size=300), ("g", g)), (("x", 2 * z), z, ("z", z)):
        none = effect(col(*x), col("y", y), [col(*given)], 1.0)
        assert isinstance(none, NoEffect)
        assert none.verdict == "outside the data"
        assert "nobody to compare with" in none.why


def test_many_groups_are_not_crossed() -> None:
    # 5 columns of 4 groups: 1,024 cells of 2,000 rows; their shares are added up
    rng = np.random.default_rng(0)
    z = rng.integers(0, 4, (2000, 5))
    x = (rng.random(2000) < 0.1 + 0.05 * z.sum(axis=1)).astype(int)
    y = 0.5 * x + z.sum(axis=1) + rng.normal(size=2000)
    found = effect(col("x", x), col("y", y), [col(str(k), z[:, k]) for k in range(5)], 1.0)
    assert isinstance(found, Effect)
    assert found.dropped == 0
    assert found.effect.holds(0.5)
    assert found.effect.ends[1] - found.effect.ends[0] < 0.3


def test_something_hidden_is_withheld(confounded: pd.DataFrame, tmp_path: Path) -> None:
    table = confounded.iloc[:1000].assign(kind=["u", "v", "w", "w"] * 250)
    files = written(tmp_path, "arrows: {z: [x, y], x: [y, kind]}\nhidden: [z]", table)
    made = audit(Arguments(**files, do="x=1"))
    f = named(made)
    assert f["effect.y"].verdict == "withheld"
    assert "something hidden acts on both" in f["effect.y"].sentence
    assert f["observed.y"].verdict == "finding"
    assert "gap.y" not in f
    assert "The effect on kind: categories have no mean" in made.not_asked[0]
    # a node that everything acts on
    f = named(audit(Arguments(**written(tmp_path, "arrows: {x: [z], y: [z]}", table), do="z=1")))
    assert f["effect"].verdict == "withheld"
    # a group with a name is set
    f = named(audit(Arguments(**written(tmp_path, "arrows: {kind: [y], z: [y]}", table), do="kind=w")))
    mine = table["kind"] == "w"
    assert number(f["effect.y"]) == pytest.approx(table["y"][mine].mean() - table["y"][~mine].mean())


def test_one_correlation_two_towns() -> None:
    made = {preset: named(audit(Arguments(preset=preset))) for preset in get_args(Preset)}
    tables = {preset: town(preset)[1] for preset in made}
    # the same people by group and poverty, the same offences by group
    for columns in (["group", "poor"], ["group", "offence"]):
        direct, poverty = (tables[preset].groupby(columns).size() for preset in ("direct", "poverty"))
        assert direct.equals(poverty)
    assert direct["A", "yes"] / 2000 == 2 * direct["B", "yes"] / 8000 == 0.12
    # poverty taken away: nothing in one town, 20 of 100 in the other
    assert number(made["direct"]["excluded.offence"]) == pytest.approx(0)
    assert made["direct"]["excluded.offence"].verdict == "no finding"
    assert "effect.offence" not in made["direct"]
    assert number(made["direct"]["observed.offence"]) < -0.01
    assert number(made["poverty"]["effect.offence"]) == pytest.approx(-0.2)
    for preset, f in made.items():
        # each graph fits its own town, and the other one's is contradicted there
        assert f["separation"].verdict == "no finding", preset
        assert f["other"].verdict == "finding", preset
        # the policy does the opposite
        down, up = f["policy.direct"].number, f["policy.poverty"].number
        assert down is not None
        assert up is not None
        assert down.ends[1] < 0 < up.ends[0]
    f = named(audit(Arguments(preset="direct", do="group=A")))
    assert number(f["effect.offence"]) == pytest.approx(0.06)


@pytest.mark.parametrize("preset", ["direct", "poverty"])
def test_towns_live_as_their_chain_does(preset: Literal["direct", "poverty"]) -> None:
    people, poor, rates = GROUPS[preset]["A"]
    group = Group(people, poor / people, rates)
    start, enter = group.equilibrium()
    seen = policy(group, 0.4, 30, 400)
    for stops, after in ((STOPS, 0), (0.4, 30)):
        none, some = group.rates(np.array([stops]))[0, :2]
        c, d = none * stops, some * stops
        chain = np.array(
            [
                [(1 - c) * (1 - enter), (1 - c) * enter, c],
                [(1 - d) * 0.1, (1 - d) * 0.9, d],
                [0, (1 - d) * 0.05, d + (1 - d) * 0.95],
            ]
        )
        if after == 0:
            # settled: as it was, it stays
            assert start @ chain == pytest.approx(start)
            assert start[1:].sum() == pytest.approx(0.5)
            assert seen[:, 0].mean() == pytest.approx(0.12, abs=0.002)
            year = start
            continue
        # in year t people have lived t years, the first as it was
        shares = year @ np.linalg.matrix_power(chain, after - 1)
        assert seen[:, after].mean() == pytest.approx(shares @ [none, some, some], abs=0.0015)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("arrows: {z: [x, y], x: y, y: z}", "arrows run in a circle, z -> x -> y -> z; in time nothing acts"),
        ("arrows: {z: [x, z]}", "an arrow runs from 'z' to itself"),
        ("arrows: {zz: [x, y]}", "'zz' is not a column of the table, did you mean 'z'?; if nobody has"),
        ("arrows: {z: [x]}\nhiden: [z]", "line 2: unknown key 'hiden', did you mean 'hidden'?"),
        ("arrows: {z: [x]}\nhidden: [w]", "hidden: no arrow names 'w'"),
        ("arrows: {z: }", "names fewer than two columns"),
        ("arrows: [z, x]", "arrows: must look like arrows:"),
        ("arrows: {z: [[x]]}", "arrows.z.0: must be text"),
        ("a: [", "is not YAML"),
    ],
)  # fmt: skip
def test_plain_words_about_graphs(text: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "graph.yaml").write_text(text)
    with pytest.raises(DataError, match=r"graph\.yaml") as caught:
        read_graph(tmp_path / "graph.yaml", ["x", "y", "z"])
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_plain_words(confounded: pd.DataFrame, tmp_path: Path) -> None:
    table = confounded.iloc[:100].assign(sex=["f", "m"] * 50, one=1)
    graph = "arrows: {z: [x, y], sex: [y]}"
    for do, said in (
        ("x", "'x' sets nothing; write COL=VALUE"),
        ("q=1", "the graph has no node 'q'"),
        ("x=a", "'a' is not a number"),
        ("x=100", "column 'x' lies between"),
        ("sex=x", "column 'sex' never holds 'x'"),
    ):
        with pytest.raises(ConfigError, match=said):
            audit(Arguments(**written(tmp_path, graph, table), do=do))
    settings: list[tuple[dict[str, Any], str]] = [
        ({}, "give graph.yaml and a table, or --preset"),
        ({"graph": tmp_path / "graph.yaml"}, "give graph.yaml and a table"),
        ({"preset": "direct", "graph": tmp_path / "graph.yaml"}, "not both"),
    ]
    for setting, said in settings:
        with pytest.raises(ConfigError, match=said):
            audit(Arguments(**setting))
    for other, rows, said in (
        ("arrows: {z: [x, one]}", table, "column 'one' holds '1' in every row; leave it out of the graph"),
        (graph, table.iloc[:20], "20 rows have all columns of the graph; 30 are needed"),
    ):
        with pytest.raises(SimulacraError, match=said):
            audit(Arguments(**written(tmp_path, other, rows)))
    # rows without a value are left out, and counted
    table.loc[:9, "x"] = np.nan
    made = audit(Arguments(**written(tmp_path, graph, table)))
    assert made.inputs["rows left out"] == "10, without a value (x 10)"
    assert named(made)["direction"].verdict == "stated"
