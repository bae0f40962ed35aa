"""A stranger's table, one command each: check, train, sample, evaluate and predict, without preparation."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

import simulacra as sim
from simulacra.cli.main import main
from simulacra.errors import RunError
from simulacra.run import Run
from tests import tables

Capture = pytest.CaptureFixture[str]

ADULT = tables.adult(400)
TEST = tables.adult(200, seed=1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tables")
    source = tables.write(ADULT | {"name": [f"person {i}" for i in range(400)]}, folder / "adult.csv")
    tables.write(dict(reversed(TEST.items())), folder / "new.csv")
    sim.train("gan", source, folder / "gan", steps=5, missing="mean")
    sim.train(
        "classifier", source, folder / "classifier", steps=5, target="income", categorical="education-num"
    )
    return folder


def read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_check_shows_every_column(folder: Path, capsys: Capture) -> None:
    assert main(["data", "check", f"csv:{folder / 'adult.csv'}", "--target", "income"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert (
        lines[0]
        == "note: column 'name' is left out: 400 different texts ('person 0', 'person 1', 'person 2', ...)"
    )
    assert "which encode 14 columns" in lines[1]
    shown = {words[0]: " ".join(words[1:]) for words in map(str.split, lines)}
    assert [name for name in [*ADULT, "name"] if name not in shown] == []
    missing = ADULT["workclass"].count("?")
    assert shown["workclass"] == f"category {missing} 4: Federal-gov, Local-gov, Private, Self-emp"
    assert shown["hired"] == f"date {min(ADULT['hired'])} to {max(ADULT['hired'])}"
    assert shown["capital-gain"].endswith(", often 0")
    assert shown["income"] == "category (target) 2: <=50K, >50K"
    assert shown["name"].startswith("left out 400 different texts")


def test_check_as_json(folder: Path, capsys: Capture) -> None:
    assert main(["data", "check", f"csv:{folder / 'adult.csv'}", "--json", "--missing", "drop"]) == 0
    report = json.loads(capsys.readouterr().out)
    table = {column["name"]: column for column in report["table"]}
    assert list(table) == [*ADULT, "name"]
    assert table["sex"]["categories"] == ["Female", "Male"]
    assert table["capital-gain"]["special"] == ["0"]
    assert table["wage"]["missing"] == ADULT["wage"].count("")
    assert table["name"]["role"] == "left out"
    assert any("rows are left out: a cell is missing" in note for note in report["notes"])


def test_training_says_what_is_left_out(folder: Path, tmp_path: Path, capsys: Capture) -> None:
    source = f"csv:{folder / 'adult.csv'}"
    words = ["--data", source, "--target", "workclass", "--steps", "1", "--out", str(tmp_path / "run")]
    assert main(["train", "classifier", *words]) == 0
    err = capsys.readouterr().err
    assert f"{source}: column 'name' is left out: " in err
    assert f"{source}: {ADULT['workclass'].count('?')} rows are left out: no value of 'workclass'" in err


def test_samples_are_rows_of_the_table(folder: Path, tmp_path: Path, capsys: Capture) -> None:
    assert main(["sample", str(folder / "gan"), "-n", "50", "--out", str(tmp_path / "new.csv")]) == 0
    assert capsys.readouterr().out.splitlines() == [str(tmp_path / "new.csv"), "50 rows of 15 columns"]
    rows = read(tmp_path / "new.csv")
    assert len(rows) == 50
    assert list(rows[0]) == list(ADULT)
    assert main(["sample", str(folder / "gan"), "--out", str(tmp_path / "chart.png")]) == 0
    for row in rows:
        assert row["sex"] in {"Male", "Female"}
        assert row["education"] in set(ADULT["education"])
        assert len(row["hired"]) == 10
        assert float(row["age"]).is_integer()
        assert len(row["wage"].partition(".")[2]) == 2
    assert main(["data", "check", f"csv:{tmp_path / 'new.csv'}"]) == 0


def test_samples_of_classes_have_their_class(folder: Path, tmp_path: Path) -> None:
    run = str(tmp_path / "run")
    sim.train("conditional_gan", f"csv:{folder / 'adult.csv'}", run, steps=5, target="income")
    assert main(["sample", run, "-n", "400", "--out", str(tmp_path / "new.csv")]) == 0
    rows = read(tmp_path / "new.csv")
    assert list(rows[0]) == list(ADULT)
    share = ADULT["income"].count(">50K") / 400
    assert sum(row["income"] == ">50K" for row in rows) / 400 == pytest.approx(share, abs=0.1)
    assert main(["sample", run, "--class", ">50K", "--out", str(tmp_path / "rich.csv")]) == 0
    assert {row["income"] for row in read(tmp_path / "rich.csv")} == {">50K"}


def test_new_rows_are_evaluated_and_predicted_by_name(folder: Path, tmp_path: Path, capsys: Capture) -> None:
    run, new = str(folder / "classifier"), f"csv:{folder / 'new.csv'}"
    assert main(["evaluate", run, "--data", new, "--json"]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["accuracy"] > 0
    assert "unseen categories, encoded as none of the known ones: 'education' in 1 row, " in err
    assert main(["predict", run, "--data", new, "--out", str(tmp_path / "p.csv")]) == 0
    assert "'native-country' in" in capsys.readouterr().err
    assert len(read(tmp_path / "p.csv")) == 200


def test_dates_are_predicted_as_dates(folder: Path, tmp_path: Path) -> None:
    source = f"csv:{folder / 'adult.csv'}"
    sim.train("regressor", source, tmp_path / "run", steps=5, target="hired")
    assert main(["predict", str(tmp_path / "run"), "--data", source, "--out", str(tmp_path / "p.csv")]) == 0
    rows = read(tmp_path / "p.csv")
    assert [row["hired_true"] for row in rows] == ADULT["hired"]
    for row in rows:
        assert row["hired_q05"] < row["hired_mean"] < row["hired_q95"]
        assert len(row["hired_mean"]) == 10
        assert float(row["hired_std"]) > 100


def test_columns_that_new_rows_lack(folder: Path, tmp_path: Path, capsys: Capture) -> None:
    new = {name.capitalize(): cells for name, cells in TEST.items() if name != "wage"}
    source = tables.write(new, tmp_path / "new.csv")
    assert main(["predict", str(folder / "gan"), "--data", source, "--out", str(tmp_path / "p.csv")]) == 1
    capsys.readouterr()
    assert (
        main(["predict", str(folder / "classifier"), "--data", source, "--out", str(tmp_path / "p.csv")]) == 1
    )
    err = capsys.readouterr().err
    assert "there are no columns 'age' (did you mean 'Age'?), " in err
    assert "'wage'" in err


def test_a_run_is_evaluated_on_its_own_splits(folder: Path) -> None:
    """The file that it was trained on may have grown, and its categories with it."""
    run = Run(folder / "classifier")
    before = run.data()
    text = (folder / "adult.csv").read_text()
    try:
        (folder / "adult.csv").write_text(text + text.splitlines()[1].replace("Male", "Other") + "\n")
        after = run.data()
    finally:
        (folder / "adult.csv").write_text(text)
    assert after.spec == before.spec
    assert len(after.test) + len(after.train) + len(after.validation) == 401
    held = {row.tobytes() for row in before.test.x}
    assert held <= {row.tobytes() for row in after.test.x}
    assert not held & {row.tobytes() for row in after.train.x}


def test_a_training_goes_on_with_the_same_table_only(tmp_path: Path) -> None:
    source = tables.write(tables.ricci(), tmp_path / "a.csv")
    sim.train("classifier", source, tmp_path / "run", steps=2, target="Class")
    sim.train("classifier", source, tmp_path / "run", steps=3, target="Class")
    with (tmp_path / "a.csv").open("a") as file:
        file.write("Chief,101,70,W,80.0,Promotion\n")
    with pytest.raises(RunError, match=r"\(columns of the table that changed: Position, Oral\)"):
        sim.train("classifier", source, tmp_path / "run", steps=4, target="Class")


def test_vectors_without_names_are_a_table_too(tmp_path: Path, capsys: Capture) -> None:
    x = np.random.default_rng(0).normal(size=(50, 2)) / 1000
    np.savez(tmp_path / "x.npz", x=x)
    sim.train("pca", f"npz:{tmp_path / 'x.npz'}", tmp_path / "pca", latent_dim=1)
    assert main(["sample", str(tmp_path / "pca"), "-n", "3", "--out", str(tmp_path / "new.csv")]) == 0
    rows = read(tmp_path / "new.csv")
    assert list(rows[0]) == ["x_1", "x_2"]
    assert all(0 < abs(float(cell)) < 0.1 for row in rows for cell in row.values())


def test_a_classifier_of_a_number_names_the_models_and_the_option(tmp_path: Path, capsys: Capture) -> None:
    lines = ["a,income,word", *(f"{i / 7:.3f},{i * 31 % 1009}.5,{'xy'[i % 2]}" for i in range(60))]
    (tmp_path / "a.csv").write_text("\n".join(lines))
    argv = ["train", "classifier", "--data", f"csv:{tmp_path}/a.csv", "--out", str(tmp_path / "run")]
    assert main([*argv, "--target", "income"]) == 2
    said = capsys.readouterr().err
    assert "income is a number: train a regressor or an mdn, or --categorical income" in said
    assert "have none" not in said
