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
    """Log-probabilities of two groups that are more biased than their targets, `(N, 2)`, objects, targets."""
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


def off(y: np.ndarray, place: np.ndarray, target: np.ndarray) -> np.ndarray:
    """By how much the shares of every object miss their targets at most."""
    missed = []
    for o, b in enumerate(target):
        share = np.bincount(y[place == o], minlength=len(b)) / (place == o).sum()
        missed.append(np.abs(share - b).max())
    return np.array(missed)


@pytest.mark.parametrize("n", [40, 300, 3000])
def test_the_exact_optimum(n: int) -> None:
    f, place, target = problem(n)
    y = calibrate(f, place, target, MARGIN)
    assert (off(y, place, target) <= MARGIN).all()
    assert np.bincount(place, f[np.arange(len(f)), y]) == pytest.approx(best(f, place, target))


def test_a_fixed_step_on_counts_diverges() -> None:
    """Why it isn't solved by relaxation as in the paper's code: that on 3,000 rows an object."""
    f, place, target = problem(3000)
    multiplier = np.zeros((2, 20))
    for _ in range(100):
        y = f[:, 1] - f[:, 0] - (multiplier[0] - multiplier[1])[place] > 0
        k = np.bincount(place, y)
        sides = k - (target[:, 1] + MARGIN) * 3000, (target[:, 1] - MARGIN) * 3000 - k
        multiplier = np.maximum(0, multiplier + 0.05 * np.array(sides))
    fixed = (np.abs(k / 3000 - target[:, 1]) > MARGIN).sum()
    assert fixed > 10
    assert (off(calibrate(f, place, target, MARGIN), place, target) <= MARGIN).all()


def test_three_groups_against_a_linear_programme() -> None:
    rng = np.random.default_rng(2)
    for _ in range(5):
        n, target = 60, rng.dirichlet([4, 4, 4])
        f = np.log(rng.dirichlet(2 * target**2, n))
        y = calibrate(f, np.zeros(n, int), target[None], MARGIN)
        assert off(y, np.zeros(n, int), target[None]) <= MARGIN
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
        # that one may divide a row among groups, at the edge of the margin
        score = f[np.arange(n), y].sum()
        assert score <= -solved.fun + 1e-6
        assert -solved.fun - score <= 0.1 * (f.max(axis=1).sum() + solved.fun) + 1


def test_what_holds_already_and_what_cannot_hold() -> None:
    f, place, target = problem(50, 3)
    share = np.bincount(place, f.argmax(axis=1)) / 50
    target = np.stack([1 - share, share], axis=1)
    assert (calibrate(f, place, target, MARGIN) == f.argmax(axis=1)).all()
    # one person has no share within the margin: as it is
    y = calibrate(np.log([[0.6, 0.4]]), np.zeros(1, int), np.array([[0.5, 0.5]]), MARGIN)
    assert y.tolist() == [0]
    # seven people neither: 3 of 7 are as near to 0.36 as can be
    target, f = np.array([[0.36, 0.64]]), np.tile(np.log([[0.9, 0.1]]), (7, 1))
    y = calibrate(f, np.zeros(7, int), target, 0.01)
    assert off(y, np.zeros(7, int), target) == pytest.approx(3 / 7 - 0.36)


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
    # as the command writes them, together with the page
    for file, write in made.files.items():
        write(file)
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
    found = run(tables, rba=tables / "out.csv", minimum_n=1000, overwrite=True)
    assert found["rba.violations"].verdict == "withheld"
    before, after = (pd.read_csv(tables / name, sep=";") for name in ("preds.csv", "out.csv"))
    assert after.equals(before)


def test_without_scores_as_few_as_can_be_are_drawn_at_random(tables: Path) -> None:
    found = run(tables, rba=tables / "out.csv", overwrite=True)
    assert "drawn at random" in found["rba.violations"].does_not_show
    assert found["rba.accuracy"].verdict == "withheld"
    table = pd.read_csv(tables / "preds.csv", sep=";").dropna(subset="group")
    needed = 0
    for name, share in (("cook", 0.4), ("coach", 0.8)):
        said = (table["group"][table["object"] == name] == "m").to_numpy()
        options = np.arange(len(said) + 1)
        inside = options[np.abs(options / len(said) - share) <= MARGIN]
        needed += int(np.abs(inside - said.sum()).min())
    # at the edge of the margin rounding decides
    assert needed - 1e-6 <= found["rba.violations"].more["changed"].value * 405 <= needed + 1 + 1e-6


def test_ties_of_scores_are_broken(tables: Path) -> None:
    table = pd.read_csv(tables / "preds.csv", sep=";")
    for p in (0.5, None):
        # one score for all, or two
        table["p"] = np.where(table["group"] == "m", 0.6, 0.4) if p is None else p
        table.to_csv(tables / "tied.csv", index=False)
        found = run(tables, "tied.csv", rba=tables / "out.csv", score="m=p", overwrite=True)
        assert found["rba.violations"].number == Estimate(0)
        # as few as drawn at random without scores
        drawn = run(tables, "tied.csv", rba=tables / "drawn.csv", overwrite=True)
        assert (
            found["rba.violations"].more["changed"].value
            <= drawn["rba.violations"].more["changed"].value + 0.01
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
        ({"score": "m=note"}, "is not a number"),
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
    y = calibrate(f, place, target, MARGIN)
    assert (off(y, place, target) <= MARGIN).all()
    # of what calibration costs, at most a tenth more than with rows that may be divided
    for o in range(10):
        here, sums = f[place == o], np.kron(np.ones(300), np.eye(6))
        solved = linprog(
            -here.ravel(),
            A_ub=np.concatenate([sums, -sums]),
            b_ub=300 * np.concatenate([target[o] + MARGIN, MARGIN - target[o]]),
            A_eq=np.kron(np.eye(300), np.ones(6)),
            b_eq=np.ones(300),
            bounds=(0, 1),
        )
        score = here[np.arange(300), y[place == o]].sum()
        assert -solved.fun - score < 0.1 * (here.max(axis=1).sum() + solved.fun) + 1e-9
