"""`predictions` against ProPublica's figures, fairlearn, and tables whose truth is known."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from fairlearn.metrics import MetricFrame, false_negative_rate, false_positive_rate, selection_rate
from sklearn.metrics import precision_score, roc_auc_score

from simulacra.audit.predictions.command import Arguments, audit
from simulacra.audit.predictions.confusion import BASE, MEASURES, Confusion
from simulacra.audit.shared import intervals
from simulacra.audit.shared.auc import auc
from simulacra.audit.shared.calibration import Bins, calibration_finding
from simulacra.audit.shared.findings import Audit, Finding
from simulacra.errors import ConfigError, DataError
from tests.audit import compas


def run(table: Path, group: str = "race", **more: object) -> Audit:
    arguments = {"y": "recidivated", "pred": "flagged", "group": group, **more}
    return audit(Arguments(table=table, **arguments))  # type: ignore[arg-type]  # names and values of the test


def named(made: Audit) -> dict[str, Finding]:
    return {f.name: f for f in made.findings()}


def test_propublica(tmp_path: Path) -> None:
    found = named(run(compas.only(tmp_path / "t.csv", "African-American", "Caucasian")))
    f = found["false-positive-rate.race"]
    assert f.more["group.african-american"].value == pytest.approx(0.4485, abs=5e-5)
    assert f.more["group.caucasian"].value == pytest.approx(0.2345, abs=5e-5)
    assert f.number is not None
    assert f.number.value == pytest.approx(0.2139, abs=5e-5)
    assert f.number.ends == (pytest.approx(0.182, abs=5e-4), pytest.approx(0.245, abs=5e-4))
    assert f.verdict == "finding"
    assert f.n == 3283
    assert f.sentence == (
        "Of 100 people without recidivated whose race is African-American, 45 were flagged; of 100 whose "
        "race is Caucasian, 23: ratio 1.91 (95% 1.72 to 2.12), difference 0.214 (95% 0.182 to 0.245)."
    )
    f = found["false-negative-rate.race"]
    assert f.more["group.african-american"].value == pytest.approx(0.2799, abs=5e-5)
    assert f.more["group.caucasian"].value == pytest.approx(0.4772, abs=5e-5)
    # flagged people of both groups come back nearly as often: the other side of the dispute
    assert found["precision.race"].more["group.african-american"].value == pytest.approx(0.630, abs=5e-4)
    assert found["precision.race"].more["group.caucasian"].value == pytest.approx(0.591, abs=5e-4)


def test_people_that_the_model_was_fitted_to_are_left_out(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    flag = rng.random(4000) < 0.5
    split = np.where(np.arange(4000) % 10 < 8, "train", "test")
    # right on all of the training rows, and by chance on the others
    y = np.where(split == "train", flag, rng.random(4000) < 0.5)
    table = pd.DataFrame({"race": np.where(rng.random(4000) < 0.5, "a", "b"), "split": split})
    table.assign(recidivated=y.astype(int), flagged=flag.astype(int)).to_csv(tmp_path / "t.csv", index=False)
    made = run(tmp_path / "t.csv")
    precision = named(made)["precision.race"].more["group.a"].value
    assert precision == pytest.approx(0.5, abs=0.1)
    assert "800 people; 3,200 of its training and validation splits are left out" in made.lead


def test_equal_to_fairlearn(tmp_path: Path) -> None:
    table = pd.DataFrame(compas.rows(), columns=["race", "sex", "y", "flag"])
    table = table.assign(y=table["y"] == 1, flag=table["flag"] == 1)
    confusion = Confusion({"race": "race", "sex": "sex"}, "y", 30)
    # in parts, as they come from the disk
    for part in np.array_split(np.arange(len(table)), 3):
        confusion.add(table.iloc[part])
    oracles = {
        "flagged": selection_rate, "false-positive-rate": false_positive_rate,
        "false-negative-rate": false_negative_rate, "precision": precision_score,
    }  # fmt: skip
    for key in ("race", "sex"):
        frame = MetricFrame(
            metrics=oracles, y_true=table["y"], y_pred=table["flag"], sensitive_features=table[key]
        )
        for measure in MEASURES:
            if measure.name in oracles:
                mine = {rate.group: rate.value for rate in confusion.rates(measure, key) if rate.n}
                assert mine == pytest.approx(frame.by_group[measure.name].to_dict())
    assert {r.group: r.n for r in confusion.rates(BASE, "race")} == table["race"].value_counts().to_dict()
    two = table[table["race"].isin(["African-American", "Caucasian"])]
    frame = MetricFrame(
        metrics=false_positive_rate, y_true=two["y"], y_pred=two["flag"], sensitive_features=two["race"]
    )
    found = named(run(compas.only(tmp_path / "t.csv", "African-American", "Caucasian")))
    number = found["false-positive-rate.race"].number
    assert number is not None
    assert number.value == pytest.approx(frame.difference())


def test_small_groups_and_intersections_are_withheld(tmp_path: Path) -> None:
    made = run(compas.write(tmp_path / "t.csv"), "race,sex")
    found = named(made)
    f = found["false-positive-rate.race"]
    assert (
        "Nothing about groups with fewer than 30 people without recidivated: Asian (23), Native American (8)."
        in (f.does_not_show)
    )
    assert "group.asian" not in f.more
    # six races, two sexes, twelve cells of which some hold one person
    assert "group.caucasian-female" in found["false-positive-rate.race-sex"].more
    assert "Asian & Female (1)" in found["false-positive-rate.race-sex"].does_not_show
    (table,) = next(s for s in made.sections if s.name == "rates.race").tables
    asian = next(row for row in table.rows if row[0] == "Asian")
    # 32 people, of whom 23 did not come back: the share is told, the error rates are not
    assert asian[1:5] == ["32", "28.1% (15.6 to 45.4)", "25.0% (13.3 to 42.1)", "withheld"]
    everybody = next(row for row in table.rows if row[0] == "everybody")
    assert everybody[1] == "7,214"


def test_three_people_are_withheld(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("g,recidivated,flagged\n" + "a,1,1\na,0,0\nb,1,0\n")
    made = run(tmp_path / "t.csv", "g")
    assert {f.verdict for f in made.findings()} == {"withheld"}
    assert all("withheld" in f.sentence for f in made.findings())


def test_predictions_and_actions_stand_apart(tmp_path: Path, costs: Path) -> None:
    made = run(compas.write(tmp_path / "t.csv"), costs=costs)
    about = {f.name: s.about for s in made.sections for f in s.findings}
    assert about["base-rate.race"] == "data"
    assert about["false-positive-rate.race"] == "predictions"
    assert about["cost.race"] == "actions"
    found = named(made)
    # 1,282 wrongful searches at 1, 1,216 misses at 5
    rule = next(s for s in made.sections if s.name == "cost")
    assert "Actions as flagged cost 1.02 wrongful searches for each person" in rule.findings[1].sentence
    assert pytest.approx(1.0205, abs=1e-4) == (1282 + 5 * 1216) / 7214
    # searching everybody costs 3,963 / 7,214: at these costs the flags are worse than no model
    saved = found["cost"].number
    assert saved is not None
    assert saved.value == pytest.approx(3963 / 7214 - 7362 / 7214)
    assert found["cost"].verdict == "finding"
    none = run(tmp_path / "t.csv")
    assert {s.about for s in none.sections} == {"data", "predictions"}
    assert any("a prediction is not an action" in text for text in none.not_asked)


def test_calibration_by_group(people: Path) -> None:
    made = audit(Arguments(table=people, y="y", pred="p>=0.3", score="p", group="region"))
    f = named(made)["calibration.region"]
    assert f.verdict == "finding"
    assert "whose region is south" in f.sentence
    # the score promises the south half as much again as it gets
    table = pd.read_csv(people)
    south = table[table["region"] == "south"]
    assert f.number is not None
    assert f.number.value == pytest.approx(south["y"].mean() - south["p"].mean())
    level = 1 - 0.05 / 2
    expected = intervals.wilson(int(south["y"].sum()), len(south), level) - south["p"].mean()
    assert f.number.ends == pytest.approx(expected.ends)
    tenth = np.minimum((south["p"] * 10).astype(int), 9)
    both = south.groupby(tenth)[["y", "p"]].sum()
    assert f.more["error"].value == pytest.approx((both["y"] - both["p"]).abs().sum() / len(south))
    assert named(made)["calibration"].verdict == "finding"


def test_a_score_that_is_right_is_seldom_a_finding() -> None:
    found = {"calibration": 0, "calibration.g": 0}
    for seed in range(100):
        rng = np.random.default_rng(seed)
        p, bins = rng.random(1000), Bins({"g": "g"})
        y = rng.random(1000) < p
        for half in (slice(0, 300), slice(300, 1000)):
            bins.add(pd.DataFrame({"g": rng.choice(["a", "b", "c"], len(p[half]))}), p[half], y[half])
        for key, name in ((None, "calibration"), ("g", "calibration.g")):
            found[name] += (
                calibration_finding(name, bins.of(key), key or "", 30, "p", "y").verdict == "finding"
            )
    # at most 5 are expected, whatever the number of groups
    assert max(found.values()) <= 9


def test_groups_are_told_from_other_columns(people: Path) -> None:
    made = audit(Arguments(table=people, y="y", pred="p>=0.3", group="region", train=people))
    f = named(made)["proxies.region"]
    assert f.verdict == "finding"
    # the district gives nine of ten away: of 100 pairs one has two whom it does not, and that one is guessed
    assert f.number is not None
    assert f.number.value == pytest.approx(1 - 0.01 / 2, abs=0.005)
    section = next(s for s in made.sections if s.name == "proxies")
    assert section.about == "data"
    assert section.tables[0].rows[0][0] == "district"
    # outcome and prediction are no features
    assert section.notes == ["Columns used: district, height."]


def test_columns_that_tell_nothing(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    lines = [f"{'ab'[rng.integers(2)]},{rng.normal():.4f},{rng.integers(2)},1" for _ in range(2000)]
    (tmp_path / "t.csv").write_text("g,x,y,f\n" + "\n".join(lines))
    made = audit(Arguments(table=tmp_path / "t.csv", y="y", pred="f", group="g", train=tmp_path / "t.csv"))
    assert named(made)["proxies.g"].verdict == "no finding"


def test_area_under_the_curve() -> None:
    rng = np.random.default_rng(0)
    y = rng.random(400) < 0.4
    for score in (rng.normal(size=400) + y, rng.integers(0, 4, 400) + y):
        assert auc(score.astype(float), y).value == pytest.approx(roc_auc_score(y, score))
    # normal scores one standard deviation apart: Phi(1 / sqrt 2) = .7602
    covered = 0
    for _ in range(300):
        y = np.arange(120) < 50
        covered += auc(rng.normal(size=120) + y, y).holds(0.76025)
    assert 0.91 <= covered / 300 <= 0.985
    perfect = auc(np.arange(100.0), np.arange(100) >= 50)
    assert perfect.value == 1
    assert 0.8 < perfect.ends[0] < 1


@pytest.mark.parametrize(
    ("more", "error", "said"),
    [
        ({"y": "recidivatd"}, DataError, "did you mean 'recidivated'?"),
        ({"pred": "race"}, DataError, "say which of them is positive: 'race="),
        ({"score": "flagged2"}, DataError, "there is no column 'flagged2'"),
        ({"group": "race,race"}, DataError, "named twice"),
        ({"minimum_n": 1}, ConfigError, "minimum-n: must be at least 2"),
        ({"costs": Path("none.yaml")}, DataError, "there is no such file"),
    ],
)  # fmt: skip
def test_bad_input(tmp_path: Path, more: dict[str, object], error: type[Exception], said: str) -> None:
    with pytest.raises(error) as raised:
        run(compas.write(tmp_path / "t.csv"), **{"group": "race", **more})  # type: ignore[arg-type]  # as above
    assert said in str(raised.value)


def test_costs_of_three_outcomes_are_refused(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text("actions: {a: {x: 1, y: 2, z: 3}, b: {x: 3, y: 2, z: 1}}")
    with pytest.raises(ConfigError, match="3 outcomes, but --y has two"):
        run(compas.write(tmp_path / "t.csv"), costs=tmp_path / "c.yaml")
