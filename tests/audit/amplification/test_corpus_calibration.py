"""Calibration against the exact optimum, a linear programme, and the audit of what it wrote."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import linprog

from simulacra.audit.amplification.command import Arguments, audit
from simulacra.audit.amplification.corpus_calibration import calibrate
from simulacra.audit.shared.findings import Estimate, Finding
from simulacra.errors import ConfigError, DataError

MARGIN = 0.05


def problem(n: int, objects: int = 20, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Log-probabilities of two groups that lean further than their targets, `(N, 2)`, objects, targets."""
    rng = np.random.default_rng(seed)
    place, p = np.repeat(np.arange(objects), n), rng.uniform(0.1, 0.9, objects)
    z = 2 * rng.normal(size=objects * n) + (2.5 * np.log(p / (1 - p)))[place]
    f = -np.logaddexp(0, np.stack([z, -z], axis=1))
    return f, place, np.stack([1 - p, p], axis=1)


def best(f: np.ndarray, place: np.ndarray, target: np.ndarray) -> np.ndarray:
    """The highest score within the margin, of every object: the rows that gain most get the second group."""
    found = []
    for o in range(len(target)):
        rows = f[place == o]
        gain = np.sort(rows[:, 1] - rows[:, 0])[::-1]
        score = rows[:, 0].sum() + np.concatenate([[0], np.cumsum(gain)])
        share = np.arange(len(rows) + 1) / len(rows)
        found.append(score[np.abs(share - target[o, 1]) <= MARGIN].max())
    return np.array(found)


@pytest.mark.parametrize("n", [40, 300, 3000])
def test_near_the_exact_optimum(n: int) -> None:
    f, place, target = problem(n)
    made = calibrate(f, place, target, MARGIN)
    share = np.bincount(place, made.y) / n
    assert np.abs(share - target[:, 1]).max() <= MARGIN
    assert not made.violation.any()
    exact, free = best(f, place, target), np.bincount(place, f.max(axis=1))
    assert made.score == pytest.approx(np.bincount(place, f[np.arange(len(f)), made.y]))
    assert (made.score <= exact + 1e-9).all()
    # the dual is never below
    assert (made.bound >= exact - 1e-9).all()
    # of what calibrating costs, at most a twentieth more than it has to
    assert (exact - made.score).sum() <= 0.05 * (free - exact).sum()


def test_a_fixed_step_on_counts_diverges() -> None:
    """What the normalised, decaying step is for: that of the paper's code on 3,000 rows an object."""
    f, place, target = problem(3000)
    multiplier = np.zeros((2, 20))
    for _ in range(100):
        y = f[:, 1] - f[:, 0] - (multiplier[0] - multiplier[1])[place] > 0
        k = np.bincount(place, y)
        sides = k - (target[:, 1] + MARGIN) * 3000, (target[:, 1] - MARGIN) * 3000 - k
        multiplier = np.maximum(0, multiplier + 0.05 * np.array(sides))
    fixed = (np.abs(k / 3000 - target[:, 1]) > MARGIN).sum()
    assert fixed > 10
    assert not calibrate(f, place, target, MARGIN, steps=100).violation.any()


def test_three_groups_against_a_linear_programme() -> None:
    rng = np.random.default_rng(2)
    for _ in range(5):
        n, target = 60, rng.dirichlet([4, 4, 4])
        f = np.log(rng.dirichlet(2 * target**2, n))
        made = calibrate(f, np.zeros(n, int), target[None], MARGIN)
        share = np.bincount(made.y, minlength=3) / n
        assert np.abs(share - target).max() <= MARGIN
        # max sum f x with a row for each person, and shares within the margin
        sums = np.kron(np.ones(n), np.eye(3))
        solved = linprog(
            -f.ravel(),
            A_ub=np.concatenate([sums, -sums]),
            b_ub=n * np.concatenate([target + MARGIN, MARGIN - target]),
            A_eq=np.kron(np.eye(n), np.ones(3)),
            b_eq=np.ones(n),
            bounds=(0, 1),
        )
        assert made.score[0] <= -solved.fun + 1e-6
        assert made.bound[0] >= -solved.fun - 1e-6
        assert -solved.fun - made.score[0] <= 0.1 * (f.max(axis=1).sum() + solved.fun) + 1


def test_what_holds_already_and_what_is_left_alone() -> None:
    f, place, target = problem(50, 3)
    share = np.bincount(place, f.argmax(axis=1)) / 50
    target = np.stack([1 - share, share], axis=1)
    target[2] = np.nan
    made = calibrate(f, place, target, MARGIN)
    assert (made.y == f.argmax(axis=1)).all()
    # one person has no share within the margin: as it is
    made = calibrate(np.log([[0.6, 0.4]]), np.zeros(1, int), np.array([[0.5, 0.5]]), MARGIN, 20)
    assert made.y.tolist() == [0]
    assert made.violation == pytest.approx(0.45)


@pytest.fixture
def tables(tmp_path: Path) -> Path:
    """Training with 60 and 30 of 100 men, and a model that calls too many alike; an empty line between."""
    rng = np.random.default_rng(0)
    (tmp_path / "train.csv").write_text(
        "object,group\n" + "cook,m\n" * 60 + "cook,f\n" * 90 + "coach,m\n" * 160 + "coach,f\n" * 40
    )
    rows = ["object;group;real;p;note"]
    for name, share in (("cook", 0.4), ("coach", 0.8), ("rare", 0.5)):
        for i in range(200 if name != "rare" else 5):
            man = rng.random() < share
            z = rng.normal() + 2 * man - 1 + 1.6 * np.log(share / (1 - share))
            p = round(float(1 / (1 + np.exp(-1.5 * z))), 4)
            rows.append(f'{name};{"m" if p > 0.5 else "f"};{"m" if man else "f"};{p};"a; {i}"')
    rows.insert(7, "")
    rows.append("cook;;m;0.9;no group")
    (tmp_path / "preds.csv").write_text("\n".join(rows) + "\n")
    return tmp_path


def run(folder: Path, preds: str = "preds.csv", **more: object) -> dict[str, Finding]:
    made = audit(
        Arguments(train=folder / "train.csv", preds=folder / preds, object="object", group="group", **more)  # type: ignore[arg-type]  # of the test
    )
    return {f.name: f for f in made.findings()}


def test_the_table_that_is_written(tables: Path) -> None:
    out = tables / "out.csv"
    found = run(tables, rba=out, score="m=p", true_group="real")
    before, after = (pd.read_csv(tables / name, sep=";") for name in ("preds.csv", "out.csv"))
    assert after.drop(columns="group").equals(before.drop(columns="group"))
    changed = after["group"].fillna("") != before["group"].fillna("")
    f = found["rba.violations"]
    assert f.number is not None
    assert f.number.value == 0
    assert f.more["before"].value == 2
    assert f.more["changed"].value == pytest.approx(changed.sum() / 405)
    assert changed.any()
    # a row without a group, and an object that training lacks, stay
    assert not changed[before["group"].isna() | (before["object"] == "rare")].any()
    # the doubtful ones are changed: those changed were the least sure of theirs
    p = np.where(before["group"] == "m", before["p"], 1 - before["p"])
    assert p[changed].max() < 0.9
    assert f.more["probability-before"].value == pytest.approx(p[changed].mean())
    assert f.more["probability-after"].value == pytest.approx(1 - p[changed].mean())
    here = before["group"].notna()
    right = [(table["group"] == table["real"])[here].sum() for table in (before, after)]
    accuracy = found["rba.accuracy"]
    assert accuracy.number is not None
    assert accuracy.number.value == pytest.approx((right[1] - right[0]) / 405)
    assert accuracy.plot == "rba"
    # the audit of what was written says the same
    again = run(tables, "out.csv", true_group="real")
    for name, key in (("amplification", "rba.amplification"), ("violations", "rba.violations")):
        assert again[name].number == found[key].number


def test_nothing_large_enough_is_left_as_it_is(tables: Path) -> None:
    found = run(tables, rba=tables / "out.csv", minimum_n=1000)
    assert found["rba.violations"].verdict == "withheld"
    before, after = (pd.read_csv(tables / name, sep=";") for name in ("preds.csv", "out.csv"))
    assert after.equals(before)


def test_without_scores_as_few_as_can_be_are_drawn_by_lot(tables: Path) -> None:
    found = run(tables, rba=tables / "out.csv")
    assert "drawn by lot" in found["rba.violations"].does_not_show
    assert found["rba.accuracy"].verdict == "withheld"
    table = pd.read_csv(tables / "preds.csv", sep=";").dropna(subset="group")
    needed = 0
    for name, share in (("cook", 0.4), ("coach", 0.8)):
        said = (table["group"][table["object"] == name] == "m").to_numpy()
        options = np.arange(len(said) + 1)
        inside = options[np.abs(options / len(said) - share) <= MARGIN]
        needed += int(np.abs(inside - said.sum()).min())
    assert found["rba.violations"].more["changed"].value * 405 == pytest.approx(needed, abs=3)
    assert found["rba.violations"].more["changed"].value * 405 >= needed - 1e-6


def test_rows_that_score_the_same_are_told_apart(tables: Path) -> None:
    table = pd.read_csv(tables / "preds.csv", sep=";")
    for p in (0.5, None):
        # one score for all, or two
        table["p"] = np.where(table["group"] == "m", 0.6, 0.4) if p is None else p
        table.to_csv(tables / "tied.csv", index=False)
        found = run(tables, "tied.csv", rba=tables / "out.csv", score="m=p")
        assert found["rba.violations"].number == Estimate(0)
        # as few as drawn by lot without scores
        lot = run(tables, "tied.csv", rba=tables / "lot.csv")
        assert (
            found["rba.violations"].more["changed"].value
            <= lot["rba.violations"].more["changed"].value + 0.01
        )


def test_three_groups_without_scores(tmp_path: Path) -> None:
    shares = {"train": (50, 30, 20), "preds": (80, 15, 5)}
    for name, counts in shares.items():
        rows = [f"o,{group}" for group, n in zip("abc", counts, strict=True) for _ in range(3 * n)]
        (tmp_path / f"{name}.csv").write_text("object,group\n" + "\n".join(rows))
    found = run(tmp_path, rba=tmp_path / "out.csv")
    assert found["rba.violations"].number == Estimate(0)
    # 80 of 100 have to be 55 at most, 15 at least 25, 5 at least 15: 25 of 100 change
    assert found["rba.violations"].more["changed"].value == pytest.approx(0.25, abs=0.02)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"score": "p"}, "'p' is not GROUP=COL"),
        ({"score": "x=p"}, "there is no group 'x'"),
        ({"score": "m=q"}, "there is no column 'q'"),
        ({"score": "m=p,f=p"}, "the probabilities add up to"),
        ({"score": "m=note"}, "is no number"),
        ({"true_group": "group"}, "says that they were not predicted"),
        ({"rba": "preds.csv"}, "is read; name another file"),
        ({"rba": "."}, "is a folder"),
    ],
)
def test_bad_settings(tables: Path, more: dict[str, str], said: str) -> None:
    settings: dict[str, object] = {**more, "rba": tables / more.get("rba", "out.csv")}
    with pytest.raises((ConfigError, DataError), match=said):
        run(tables, **settings)
    assert not (tables / "out.csv").exists()


def test_more_rows_than_fit(tables: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("simulacra.audit.amplification.corpus_calibration.MOST_ROWS", 100)
    with pytest.raises(DataError, match="more than 100 rows are too many to be calibrated at once"):
        run(tables, rba=tables / "out.csv")


def test_six_groups_are_brought_inside(tmp_path: Path) -> None:
    """Several shares at the edge of the margin at once."""
    rng = np.random.default_rng(0)
    target, place = rng.dirichlet([4] * 6, 10), np.repeat(np.arange(10), 300)
    f = np.log(np.stack([rng.dirichlet(18 * target[o] ** 2 / (target[o] ** 2).sum()) for o in place]) + 1e-9)
    made = calibrate(f, place, target, MARGIN)
    assert not made.violation.any()
    free = np.bincount(place, f.max(axis=1))
    assert (made.bound - made.score).sum() < 0.1 * (free - made.score).sum()
