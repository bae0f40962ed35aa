"""`simulacra predict`: from a table to a table of predictions, as a person does it."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from simulacra.cli.main import main


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """y = 10 a, z = a - b and a word, and models of each."""
    place = tmp_path_factory.mktemp("tables")
    rng = np.random.default_rng(0)
    with (place / "all.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["a", "b", "y", "z", "sign"])
        for a, b in rng.normal(size=(400, 2)).round(4):
            writer.writerow([a, b, 10 * a, a - b, "plus" if a > 0 else "minus"])
    # new rows: other columns, another order, no targets
    (place / "new.csv").write_text("name,b,a\nfirst,0.5,-1\nsecond,-0.5,1\n")
    short = ["--steps", "400", "--out"]
    (place / "numbers.csv").write_text(
        "\n".join(line.rsplit(",", 1)[0] for line in (place / "all.csv").read_text().splitlines())
    )
    (place / "words.csv").write_text(
        "\n".join(
            ",".join(np.array(line.split(","))[[0, 1, 4]])
            for line in (place / "all.csv").read_text().splitlines()
        )
    )
    numbers, words = f"csv:{place}/numbers.csv", f"csv:{place}/words.csv"
    assert main(["train", "mdn", "--data", numbers, "--target", "y,z", *short, str(place / "mdn")]) == 0
    assert (
        main(["train", "regressor", "--data", words, "--target", "sign", *short, str(place / "words")]) == 0
    )
    return place


def read(file: Path) -> list[dict[str, str]]:
    with file.open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_new_rows_in_their_order(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "p.csv"
    assert (
        main(
            [
                "predict",
                str(folder / "mdn"),
                "--data",
                f"csv:{folder}/new.csv",
                "--out",
                str(out),
                "--samples",
                "2",
            ]
        )
        == 0
    )
    rows = read(out)
    assert [row["row"] for row in rows] == ["1", "2"]
    for row, a, b in zip(rows, (-1, 1), (0.5, -0.5), strict=True):
        assert float(row["y_mean"]) == pytest.approx(10 * a, abs=2)
        assert float(row["z_mode"]) == pytest.approx(a - b, abs=0.4)
        assert float(row["y_q05"]) < float(row["y_q50"]) < float(row["y_q95"])
        assert float(row["y_std"]) > 0
        assert {"y_sample_1", "z_sample_2"} <= set(row)


def test_classes_and_their_probabilities(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "p.csv"
    assert main(["predict", str(folder / "words"), "--data", f"csv:{folder}/new.csv", "--out", str(out)]) == 0
    rows = read(out)
    assert [row["predicted"] for row in rows] == ["minus", "plus"]
    for row in rows:
        assert float(row["p_minus"]) + float(row["p_plus"]) == pytest.approx(1, abs=1e-5)


def test_arrays(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "p.npz"
    argv = ["predict", str(folder / "mdn"), "--data", f"csv:{folder}/numbers.csv", "--samples", "3"]
    assert main([*argv, "--out", str(out)]) == 0
    arrays = np.load(out)
    assert arrays["mean"].shape == arrays["mode"].shape == (400, 2)
    assert arrays["quantiles"].shape == (400, 5, 2)
    assert arrays["samples"].shape == (400, 3, 2)


@pytest.mark.parametrize("model", ["mdn", "words"])
def test_samples_are_the_first_of_more_of_their_seed(folder: Path, tmp_path: Path, model: str) -> None:
    table, drawn = "numbers" if model == "mdn" else "new", []
    for n in (3, 8):
        argv = ["predict", str(folder / model), "--data", f"csv:{folder}/{table}.csv", "--samples", str(n)]
        assert main([*argv, "--out", str(tmp_path / f"{n}.npz")]) == 0
        drawn.append(np.load(tmp_path / f"{n}.npz")["samples"])
    assert np.array_equal(drawn[0], drawn[1][:, :3])
    # they differ from one another
    assert model == "words" or len(np.unique(drawn[1][0, :, 0])) == 8


def test_rows_with_empty_cells_are_reported_and_the_others_predicted(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    head, *lines = (folder / "numbers.csv").read_text().splitlines()
    place = head.split(",").index("a")
    for i in (1, 3):
        cells = lines[i].split(",")
        cells[place] = ""
        lines[i] = ",".join(cells)
    (tmp_path / "holes.csv").write_text("\n".join([head, *lines[:6]]))
    whole, holes = tmp_path / "whole.csv", tmp_path / "out.csv"
    argv = ["predict", str(folder / "mdn"), "--data"]
    assert main([*argv, f"csv:{folder}/numbers.csv", "--out", str(whole)]) == 0
    capsys.readouterr()
    assert main([*argv, f"csv:{tmp_path}/holes.csv", "--out", str(holes)]) == 1
    said = capsys.readouterr().err
    assert "2 rows are left out (2, 4): a cell of 'a' is empty; fill it, or train with --missing mean" in said
    assert said.endswith("simulacra: 2 of 6 rows have empty cells, as reported above\n")
    expected = [row for row in read(whole) if row["row"] in ("1", "3", "5", "6")]
    found = read(holes)
    assert [row["row"] for row in found] == ["1", "3", "5", "6"]
    for one, other in zip(expected, found, strict=True):
        for name, cell in one.items():
            if name != "split":
                assert cell == other[name] or float(cell) == pytest.approx(float(other[name]), rel=1e-4)


def test_one_split_when_one_is_named(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "p.csv"
    source = f"csv:{folder}/numbers.csv@test"
    assert main(["predict", str(folder / "mdn"), "--data", source, "--out", str(out)]) == 0
    assert 20 < len(read(out)) < 70


def test_every_row_with_its_id_its_truth_and_its_split(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "p.csv"
    source = f"csv:{folder}/numbers.csv"
    assert main(["predict", str(folder / "mdn"), "--data", source, "--out", str(out), "--overwrite"]) == 0
    rows = read(out)
    table = read(folder / "numbers.csv")
    assert [row["row"] for row in rows] == [str(i) for i in range(1, 401)]
    assert [row["y_true"] for row in rows] == [row["y"] for row in table]
    counts = Counter(row["split"] for row in rows)
    assert set(counts) == {"train", "validation", "test"}
    # the columns of the table, so that an audit can group by one of them
    assert [[row[name] for name in ("a", "b", "y", "z")] for row in rows] == [list(r.values()) for r in table]
    # rows of the training table in another file, with ids, beside new ones
    lines = ["patient_id,a,b,y"]
    lines += [f"p{i},{row['a']},{row['b']},{row['y']}" for i, row in enumerate(table[100:150])]
    lines += [f"new{i},{i}.123,{i}.456," for i in range(5)]
    (tmp_path / "mixed.csv").write_text("\n".join(lines))
    mixed = f"csv:{tmp_path}/mixed.csv"
    assert main(["predict", str(folder / "mdn"), "--data", mixed, "--out", str(out), "--overwrite"]) == 0
    found = read(out)
    assert [row["patient_id"] for row in found] == [line.partition(",")[0] for line in lines[1:]]
    assert [row["split"] for row in found[:50]] == [row["split"] for row in rows[100:150]]
    assert [row["split"] for row in found[50:]] == ["new"] * 5
    for split in ("train", "test", "new"):
        argv = [
            "predict",
            str(folder / "mdn"),
            "--data",
            mixed,
            "--split",
            split,
            "--out",
            str(out),
            "--overwrite",
        ]
        assert main(argv) == 0
        assert [row["patient_id"] for row in read(out)] == [
            row["patient_id"] for row in found if row["split"] == split
        ]


def test_columns_whose_names_are_taken(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "new.csv").write_text("a,b,split,file,sex\n1,0.5,mine,f,=m\n-1,0.5,yours,g,w\n")
    argv = ["predict", str(folder / "words"), "--data", f"csv:{tmp_path}/new.csv", "--out"]
    assert main([*argv, str(tmp_path / "p.csv")]) == 0
    rows = read(tmp_path / "p.csv")
    assert [(row["split"], row["table_split"], row["sex"]) for row in rows] == [
        ("new", "mine", "'=m"),
        ("new", "yours", "w"),
    ]
    assert main([*argv, str(tmp_path / "p.npz")]) == 0
    arrays = np.load(tmp_path / "p.npz")
    assert arrays["table_split"].tolist() == ["mine", "yours"]
    assert arrays["table_file"].tolist() == ["f", "g"]


def test_no_cell_is_a_formula(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    lines = ["a,id,kind"]
    for i, a in enumerate(rng.normal(size=200).round(4)):
        lines.append(f"{a},@{i},{'=HYPERLINK(1)' if a > 0 else '-2+3'}")
    (tmp_path / "t.csv").write_text("\n".join(lines))
    run, out = str(tmp_path / "run"), tmp_path / "p.csv"
    source = f"csv:{tmp_path}/t.csv"
    assert (
        main(["train", "regressor", "--data", source, "--target", "kind", "--steps", "20", "--out", run]) == 0
    )
    assert main(["predict", run, "--data", source, "--out", str(out)]) == 0
    with out.open(newline="") as stream:
        for row in csv.reader(stream):
            for cell in row:
                assert not cell.startswith(("=", "@", "+")), cell
                assert not cell.startswith("-") or float(cell) < 0
    assert {row["predicted"] for row in read(out)} <= {"'=HYPERLINK(1)", "'-2+3"}
    assert {row["kind_true"] for row in read(out)} == {"'=HYPERLINK(1)", "'-2+3"}


def pictures(folder: Path, n: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    for i in range(n):
        place = folder / ("dark" if i % 2 else "bright")
        place.mkdir(parents=True, exist_ok=True)
        x = rng.integers(0, 100, (16, 16), np.uint8) + np.uint8(0 if i % 2 else 120)
        Image.fromarray(x).save(place / f"{i}.png")


def test_every_picture_with_its_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pictures(tmp_path / "own", 60, seed=0)
    pictures(tmp_path / "more", 57, seed=1)
    run, out = str(tmp_path / "run"), tmp_path / "p.csv"
    own = f"folder:{tmp_path}/own"
    assert main(["train", "classifier", "--data", own, "--steps", "30", "--out", run]) == 0
    assert main(["predict", run, "--data", f"folder:{tmp_path}/more", "--out", str(out), "--overwrite"]) == 0
    rows = read(out)
    assert len(rows) == 57
    assert rows[0]["file"] == "bright/0.png"
    assert {row["split"] for row in rows} == {"new"}
    assert {row["file"].partition("/")[0] == row["true"] for row in rows} == {True}
    # a picture alone, a folder, one of the training set, and one that is none
    trained = read_splits(run, own, out)
    name = next(file for file, split in trained.items() if split == "train")
    (tmp_path / "bad.png").write_text("a diary")
    inputs = [tmp_path / "more" / "dark", tmp_path / "own" / name, tmp_path / "bad.png"]
    capsys.readouterr()
    assert main(["predict", run, *map(str, inputs), "--out", str(out), "--overwrite"]) == 1
    assert "bad.png: not an image" in capsys.readouterr().err
    rows = read(out)
    assert len(rows) == 29
    assert rows[-1]["file"] == str(tmp_path / "own" / name)
    assert [row["split"] for row in rows] == ["new"] * 28 + ["train"]
    assert {row["predicted"] for row in rows[:-1]} <= {"dark", "bright"}
    arrays = tmp_path / "p.npz"
    assert main(["predict", run, str(tmp_path / "more" / "dark"), "--out", str(arrays)]) == 0
    assert len(np.load(arrays)["files"]) == 28
    # one picture in a folder is no data set, but can be predicted for
    (tmp_path / "one").mkdir()
    (tmp_path / "more" / "dark" / "1.png").rename(tmp_path / "one" / "1.png")
    assert main(["predict", run, "--data", f"folder:{tmp_path}/one", "--out", str(out), "--overwrite"]) == 0
    assert [row["file"] for row in read(out)] == ["1.png"]


def read_splits(run: str, source: str, out: Path) -> dict[str, str]:
    assert main(["predict", run, "--data", source, "--out", str(out), "--overwrite"]) == 0
    return {row["file"]: row["split"] for row in read(out)}


def test_pictures(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    y = rng.integers(0, 256, (60, 8, 8), dtype=np.uint8)
    np.savez(tmp_path / "pairs.npz", images=255 - y, targets=y)
    source, run, out = f"npz:{tmp_path}/pairs.npz", str(tmp_path / "run"), str(tmp_path / "p.png")
    assert main(["train", "regressor", "--data", source, "--steps", "20", "--out", run]) == 0
    assert main(["predict", run, "--data", source, "--out", out]) == 0
    assert Path(out).stat().st_size > 100
    assert main(["evaluate", run, "--json"]) == 0
    assert main(["predict", run, "--data", source, "--out", str(tmp_path / "p.csv")]) == 2


@pytest.mark.parametrize(
    ("argv", "code", "message"),
    [
        (["--data", "csv:{folder}/words.csv", "--out", "{tmp}/p.csv"], 0, ""),
        (["--data", "csv:{folder}/none.csv", "--out", "{tmp}/p.csv"], 1, "none.csv"),
        (["--data", "csv:{folder}/b.csv", "--out", "{tmp}/p.csv"], 1, "'a'"),
        (["--data", "digits", "--out", "{tmp}/p.csv"], 1, "trained on"),
        (["--data", "csv:{folder}/new.csv", "--out", "{tmp}/p.png"], 2, "ends in .csv or .npz"),
        (["--data", "csv:{folder}/new.csv", "--out", "{tmp}"], 2, "must be a file"),
        (["--data", "csv:{folder}/new.csv", "--out", "{tmp}/p.csv", "--samples", "-1"], 2, "samples"),
        (["--out", "{tmp}/p.csv"], 2, "name image files or folders, or a source with --data"),
        (["{folder}/new.csv", "--out", "{tmp}/p.csv"], 1, "not trained on square images"),
        (["--data", "csv:{folder}/new.csv", "--split", "train", "--out", "{tmp}/p.csv"], 1, "no examples"),
        (["--data", "csv:{folder}/new.csv", "--split", "trian", "--out", "{tmp}/p.csv"], 2, "split"),
    ],
)  # fmt: skip
def test_mistakes_are_said_plainly(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], argv: list[str], code: int, message: str
) -> None:
    (folder / "b.csv").write_text("b\n1\n2\n")
    words = [word.format(folder=folder, tmp=tmp_path) for word in argv]
    capsys.readouterr()
    assert main(["predict", str(folder / "mdn"), *words]) == code
    error = capsys.readouterr().err
    assert message in error
    assert len(error.splitlines()) <= 2
    assert (tmp_path / "p.csv").exists() == (code == 0)


def test_a_model_that_does_not_predict_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = str(tmp_path / "run")
    assert main(["train", "generator", "--data", "gaussians-8:1000", "--out", run]) == 0
    capsys.readouterr()
    assert main(["predict", run, "--data", "gaussians-8:1000", "--out", str(tmp_path / "p.csv")]) == 1
    assert "this generator does not predict" in capsys.readouterr().err
