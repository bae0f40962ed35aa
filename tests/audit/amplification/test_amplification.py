"""`amplify` against Zhao et al.'s released results, the formulas of the papers in loops, and made data."""

from collections.abc import Mapping
from fractions import Fraction
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from simulacra.audit.amplification.bias_amplification import READINGS, Bias
from simulacra.audit.amplification.command import Arguments, audit
from simulacra.audit.amplification.directional_amplification import direction
from simulacra.audit.amplification.over_prediction import over_predictions
from simulacra.audit.amplification.tables import read
from simulacra.audit.shared.findings import Audit, Estimate, Finding
from simulacra.audit.shared.intervals import combined, newcombe, paired
from simulacra.audit.shared.source import Source
from simulacra.data.paths import find
from simulacra.errors import ConfigError, DataError

Counts = Mapping[tuple[str, ...], int]
# github.com/uclanlp/reducingbias, results/; looked for before a test has folders of its own
RELEASED = find("tables/zhao2017")


def write(path: Path, counts: Counts, head: str = "object,group") -> Path:
    lines = [",".join(cells) for cells, n in counts.items() for _ in range(n)]
    path.write_text("\n".join([head, *lines]) + "\n")
    return path


def run(folder: Path, train: Counts, preds: Counts, head: str = "object,group", **more: object) -> Audit:
    one, other = write(folder / "train.csv", train), write(folder / "preds.csv", preds, head)
    return audit(Arguments(train=one, preds=other, object="object", group="group", **more))  # type: ignore[arg-type]  # of the test


def named(made: Audit) -> dict[str, Finding]:
    return {f.name: f for f in made.findings()}


def number(f: Finding) -> Estimate:
    assert f.number is not None
    return f.number


# share of men: in training, predicted; published results are of this form
RATIOS = {
    "cook": ("0.33", "0.16"), "shop": ("0.45", "0.52"), "coach": ("0.8", "0.95"), "drive": ("0.75", "0.71"),
    "fix": ("0.62", "0.62"), "teach": ("0.5", "0.9"), "lift": ("0.55", "0.59"),
}  # fmt: skip


def of_ratios(ratios: Mapping[str, str], rows: int = 100) -> dict[tuple[str, ...], int]:
    counts = {}
    for name, text in ratios.items():
        ratio = fraction(text)
        times = -(-rows // ratio.denominator)
        counts[name, "man"] = times * ratio.numerator
        counts[name, "woman"] = times * (ratio.denominator - ratio.numerator)
    return counts


def fraction(text: str) -> Fraction:
    """The counts that a published decimal is the ratio of: the simplest fraction with the same digits."""
    return next(
        ratio
        for most in np.geomspace(10, 1e5, 50)
        if abs((ratio := Fraction(text).limit_denominator(int(most))) - Fraction(text)) < 1e-12
    )


def test_made_ratios(tmp_path: Path) -> None:
    train, preds = ({name: pair[i] for name, pair in RATIOS.items()} for i in (0, 1))
    found = named(run(tmp_path, of_ratios(train), of_ratios(preds)))
    # men - women of 0.5: cook 0.17, shop -0.07, coach 0.15, drive -0.04, lift 0.04; teach has no bias
    f = found["amplification"]
    assert number(f).value == pytest.approx((0.17 - 0.07 + 0.15 - 0.04 + 0 + 0.04) / 7)
    assert (f.more["amplified"].value, f.more["objects"].value) == (3, 7)
    # the other reading
    f = found["amplification.toward.man"]
    assert number(f).value == pytest.approx((0.15 - 0.04 + 0.04) / 4)
    assert f.more["amplified"].value == 2
    assert f.more["share-of-all"].value == pytest.approx(2 / 7)
    assert "It is higher for 2, 28.57% of all 7" in f.sentence
    assert number(found["amplification.toward.woman"]).value == pytest.approx((0.17 - 0.07) / 2)
    # away from training by more than 0.05, either way
    assert number(found["violations"]).value == 4
    assert found["training"].more["toward.man"].value == 4


@pytest.mark.parametrize(
    ("name", "stage", "rows", "mean", "amplified", "toward_man", "off"),
    [
        ("COCO", "before", 66, 0.031743, 49, 44, 40),
        ("COCO", "after", 66, 0.021695, 51, 45, 24),
        ("imSitu", "before", 212, 0.050223, 147, 97, 154),
        ("imSitu", "after", 212, 0.023876, 143, 95, 107),
    ],
)
def test_released_results_of_zhao(
    tmp_path: Path, name: str, stage: str, rows: int, mean: float, amplified: int, toward_man: int, off: int
) -> None:
    if not RELEASED.is_dir():
        pytest.skip("the results have no licence; they are read from SIMULACRA_DATA")
    table = pd.read_csv(RELEASED / f"{name}_gender_ratio_dev_res.csv", dtype=str)
    objects = table.iloc[:, 1]
    train, preds = (
        dict(zip(objects, table[column], strict=True))
        for column in ("training_ratio", f"gender_ratio_{stage}_RBA")
    )
    found = named(run(tmp_path, of_ratios(train), of_ratios(preds)))
    f = found["amplification"]
    assert number(f).value == pytest.approx(mean, abs=1e-6)
    assert (f.more["amplified"].value, f.more["objects"].value) == (amplified, rows)
    # the paper's percentage, 45.75% for imSitu, counts those that are biased towards man only
    f = found["amplification.toward.man"]
    if (name, stage) == ("COCO", "before"):
        assert number(f).value == pytest.approx(0.0391, abs=5e-5)
    assert f.more["amplified"].value == toward_man
    assert f.more["share-of-all"].value == pytest.approx(toward_man / rows)
    assert number(found["violations"]).value == off


def test_both_readings_are_on_the_page(tmp_path: Path) -> None:
    train, preds = ({name: pair[i] for name, pair in RATIOS.items()} for i in (0, 1))
    made = run(tmp_path, of_ratios(train), of_ratios(preds))
    (section,) = (section for section in made.sections if section.name == "amplification")
    assert section.notes == [READINGS]
    for words in ("0.036 and 65.67%", "0.031743 and 49 of 66", "44 of 67", "97 of 212", "147 are amplified"):
        assert words in READINGS
    assert round(100 * 44 / 67, 2) == 65.67
    assert round(100 * 97 / 212, 2) == 45.75


TABLE = {("cook", "woman"): 30, ("not", "woman"): 10, ("cook", "man"): 10, ("not", "man"): 30}


@pytest.mark.parametrize(
    ("cook", "expected"),
    [(40, 0.125), (0, -0.375), (30, 0.0)],
)
def test_all_women_cook(tmp_path: Path, cook: int, expected: float) -> None:
    preds = {**TABLE, ("cook", "woman"): cook, ("not", "woman"): 40 - cook}
    found = named(run(tmp_path, TABLE, preds))
    assert number(found["a-to-t"]).value == pytest.approx(expected)
    assert found["a-to-t"].more["group.woman"].value == pytest.approx(2 * expected)
    assert found["a-to-t"].more["group.man"].value == 0
    if not expected:
        assert found["a-to-t"].verdict == "no finding"
        assert number(found["amplification"]).value == 0
        assert number(found["t-to-a"]).value == 0


def biasamp(rows: pd.DataFrame, train: pd.DataFrame, given: str, option: str, truth: bool) -> float:
    """Wang and Russakovsky 2021, equations 1 to 3, in loops over all pairs."""
    values = []
    options = sorted({*train[option], *rows[option], *rows[f"true {option}"]})
    for a, t in product(sorted(set(train[given])), options):
        n, both = len(train), ((train[given] == a) & (train[option] == t)).sum()
        y = both / n > (train[given] == a).sum() / n * (train[option] == t).sum() / n
        here = rows[rows[f"true {given}"] == a]
        before = here[f"true {option}"] if truth else train[train[given] == a][option]
        delta = (here[option] == t).mean() - (before == t).mean()
        values.append(delta if y else -delta)
    return float(np.mean(values))


@pytest.mark.parametrize("truth", [True, False])
def test_directions_are_those_of_the_paper(tmp_path: Path, truth: bool) -> None:
    rng = np.random.default_rng(0)

    def people(n: int) -> pd.DataFrame:
        group = rng.choice(list("abc"), n, p=[0.5, 0.3, 0.2])
        shifted = {"a": [0.4, 0.3, 0.2, 0.1], "b": [0.1, 0.2, 0.3, 0.4], "c": [0.25, 0.25, 0.3, 0.2]}
        return pd.DataFrame(
            {"object": [rng.choice(list("wxyz"), p=shifted[g]) for g in group], "group": group}
        )

    train, real = people(3000), people(2000)
    rows = real.rename(columns={"object": "true object", "group": "true group"})
    wrong = rng.random(2000) < 0.2
    rows["object"] = np.where(wrong, "w", rows["true object"])
    rows["group"] = np.where(rng.random(2000) < 0.1, "b", rows["true group"])
    for name, table in (("train", train), ("preds", rows)):
        table.to_csv(tmp_path / f"{name}.csv", index=False)
    columns = {"object": "object", "group": "group"}
    for given, option in (("group", "object"), ("object", "group")):
        true = {given: f"true {given}", option: f"true {option}" if truth else None}
        tables = read(Source(tmp_path / "train.csv"), Source(tmp_path / "preds.csv"), columns, true)
        total, _, _ = direction(tables, given, 30)
        assert total is not None
        assert total.value == pytest.approx(biasamp(rows, train, given, option, truth))
        assert total.holds(total.value)
    # B(h) of every object; of the last one read the real objects are known
    for name, (was, e) in over_predictions(tables).items():
        assert was == (real["object"] == name).sum()
        assert e.value == pytest.approx((rows["object"] == name).mean() - was / 2000)


def test_what_was_not_predicted_is_not_judged(tmp_path: Path) -> None:
    found = named(run(tmp_path, TABLE, TABLE, true_group="group"))
    assert found["t-to-a"].verdict == "withheld"
    assert "group was not predicted" in found["t-to-a"].sentence
    assert "was predicted too" not in found["a-to-t"].does_not_show
    found = named(run(tmp_path, TABLE, TABLE, true_object="object"))
    assert found["a-to-t"].verdict == found["over-prediction"].verdict == "withheld"
    made = run(tmp_path, TABLE, TABLE)
    assert "the prediction is taken for the truth" in named(made)["a-to-t"].does_not_show
    assert sum("--true-" in words for words in made.not_asked) == 2


def test_over_prediction(tmp_path: Path) -> None:
    head = "object,group,real"
    preds = {("cook", "man", "cook"): 400, ("cook", "man", "not"): 150, ("not", "woman", "not"): 450}
    found = named(run(tmp_path, TABLE, preds, head, true_object="real"))
    f = found["over-prediction"]
    assert number(f).value == pytest.approx(0.15)
    # two objects: Bonferroni over both
    assert number(f).ends == paired(400, 550, 400, 1000, 0.975).ends
    assert f.verdict == "finding"
    assert f.sentence.startswith("Of 100 predictions, 55 are cook; in truth, 40 of 100 are: 0.15")
    # without the truth, against the 40 of 80 in training
    f = named(run(tmp_path, TABLE, preds, head))["over-prediction"]
    assert f.more["object.cook"].ends == pytest.approx(newcombe(550, 1000, 40, 80).ends)
    assert "in training, 50 of 100 are" in f.sentence


def test_a_mean_of_differences_is_as_sure_as_it_says() -> None:
    """Of predictions that follow the population, the mean lies above 0 by chance in 2.5% of tables at most;
    below it lies more often, as objects with little bias have it by chance: less is therefore no finding."""
    rng, above, below = np.random.default_rng(0), 0, 0
    p = rng.uniform(0.1, 0.9, 12)
    for _ in range(300):
        train, pred = rng.binomial(200, p), rng.binomial(100, p)
        counts = [np.stack([k, n - k], axis=1) for k, n in ((train, 200), (pred, 100))]
        low, high = Bias(tuple("abcdefghijkl"), ("m", "f"), *counts).amplification().ends
        above, below = above + (low > 0), below + (high < 0)
    assert above <= 0.04 * 300
    assert below <= 0.12 * 300
    e = combined([(1.0, newcombe(30, 40, 10, 40))])
    assert e.ends == pytest.approx(newcombe(30, 40, 10, 40).ends)


def test_less_than_before_is_no_finding(tmp_path: Path) -> None:
    preds = {("cook", "woman"): 200, ("not", "woman"): 200, ("cook", "man"): 200, ("not", "man"): 200}
    found = named(run(tmp_path, TABLE, preds))
    f = found["amplification"]
    assert number(f).ends[1] < 0
    assert f.verdict == "no finding"
    assert "bias is 0.25 lower" in f.sentence
    assert "never reported as a finding" in f.does_not_show
    # the interval leaves out 0: that the data are compatible with it would not be so
    one = found["amplification.object"]
    assert number(one).ends[1] < 0
    assert one.sentence.endswith("For no object is amplification certain.")
    # cook is certainly predicted too seldom, and nothing else is certainly predicted too often
    others = [f"o{i}" for i in range(20)]
    tables = [
        {("cook", "woman"): cook, **{(o, g): each for o in others for g in ("woman", "man")}}
        for cook, each in ((100, 1), (60, 2))
    ]
    f = named(run(tmp_path, *tables))["over-prediction"]
    assert f.verdict == "no finding"
    assert f.more["object.cook"].ends[1] < 0
    assert f.sentence.endswith("No object is certainly predicted too often.")


def test_three_groups_against_loops(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    objects, groups = [f"o{i}" for i in range(6)], ["a", "b", "c"]
    tables = [
        {
            (o, g): int(n)
            for (o, g), n in zip(product(objects, groups), rng.integers(20, 200, 18), strict=True)
        }
        for _ in range(2)
    ]
    total, further = 0.0, 0
    for o in objects:
        train, pred = ({g: t[o, g] / sum(t[o, h] for h in groups) for g in groups} for t in tables)
        moved = sum(pred[g] - train[g] for g in groups if train[g] > 1 / 3)
        total, further = total + moved, further + (moved > 0)
    f = named(run(tmp_path, *tables))["amplification"]
    assert number(f).value == pytest.approx(total / 6)
    assert f.more["amplified"].value == further


def test_small_objects_are_withheld(tmp_path: Path) -> None:
    train = {**TABLE, ("sew", "woman"): 3, ("row", "man"): 50}
    preds = {**TABLE, ("row", "man"): 29, ("sew", "woman"): 50}
    found = named(run(tmp_path, train, preds))
    assert found["amplification"].more["objects"].value == 2
    assert "row (50 and 29), sew (3 and 50)" in found["amplification"].does_not_show
    few = dict.fromkeys(TABLE, 3)
    assert {f.verdict for f in run(tmp_path, few, few).findings()} == {"withheld"}


TRAIN, PREDS = "object,group\na,f\nb,m\n", "object,group\na,f\n"


@pytest.mark.parametrize(
    ("train", "preds", "more", "said"),
    [
        ("object,group\n", PREDS, {}, "there are no rows to use"),
        ("object,sex\na,f\n", PREDS, {}, "there is no column 'group'"),
        ("object,group\na,f\n", PREDS, {}, "column 'group' holds one group only, 'f'"),
        (TRAIN, "object,group\na,F\n", {}, "holds 'F', a group that .* does not have, did you mean .f."),
        (TRAIN, "object,group\nc,f\n", {}, r"holds no object of .* \(a, b\)"),
        (TRAIN, PREDS, {"margin": 0.0}, "margin: a share lies"),
        (TRAIN, PREDS, {"minimum_n": 1}, "minimum-n: must be at least 2"),
        (TRAIN, PREDS, {"group": "object"}, "both are 'object'"),
        (TRAIN, PREDS, {"score": "f=p"}, "name a table to write"),
        (TRAIN, PREDS, {"true_group": "sex"}, "no column 'sex'"),
        (TRAIN, "object,group,y\na,f,yes\n", {"true_object": "y"}, "column 'y' holds no object of"),
        (TRAIN, PREDS, {"features": "x*"}, "features: no column"),
        ("object,group,x\na,f,1\nb,m,c\n", PREDS, {"features": "x"}, "'c' is not a number"),
    ],
)  # fmt: skip
def test_bad_tables(tmp_path: Path, train: str, preds: str, more: dict[str, object], said: str) -> None:
    for name, text in (("train", train), ("preds", preds)):
        (tmp_path / f"{name}.csv").write_text(text)
    settings = {"object": "object", "group": "group", **more}
    with pytest.raises((DataError, ConfigError), match=said) as raised:
        audit(Arguments(train=tmp_path / "train.csv", preds=tmp_path / "preds.csv", **settings))  # type: ignore[arg-type]  # of the test
    assert "\n" not in str(raised.value)


def test_too_many_objects(tmp_path: Path) -> None:
    train = {(f"o{i}", "fm"[i % 2]): 1 for i in range(2001)}
    with pytest.raises(DataError, match="holds more than 2,000 different values"):
        run(tmp_path, train, TABLE)
