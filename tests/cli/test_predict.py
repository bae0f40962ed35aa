"""`simulacra predict`: from a table to a table of predictions, as a person does it."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

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


def test_one_split_when_one_is_named(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "p.csv"
    source = f"csv:{folder}/numbers.csv@test"
    assert main(["predict", str(folder / "mdn"), "--data", source, "--out", str(out)]) == 0
    assert 20 < len(read(out)) < 70


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
