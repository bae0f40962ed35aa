"""`simulacra mix`, `noise` and `sample --truncation` of a stranger's model and of ours; mistakes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import simulacra as sim
from simulacra.cli.main import main

ROWS = Path(__file__).parents[1] / "tasks" / "rows.py"


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    assert main(["train", f"{ROWS}:Rows", "--data", "digits", "--out", f"{folder}/rows"]) == 0
    sim.train("gan", "digits", folder / "gan", steps=2, width=8)
    sim.train("conditional_stylegan", "digits", folder / "classes", steps=2, width=2, latent_dim=4)
    return folder


def run(words: str, runs: Path, out: Path) -> int:
    return main(words.format(runs=runs, out=out).split())


def pixels(file: Path) -> np.ndarray:
    with Image.open(file) as image:
        return np.asarray(image)


def test_mixes_of_a_strangers_model(runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = "mix {runs}/rows --sources 1,2,3 --destinations 4,5"
    assert run(f"{words} --out {{out}}/mix.png", runs, tmp_path) == 0
    assert capsys.readouterr().out == f"{tmp_path}/mix.png\n"
    whole = pixels(tmp_path / "mix.png")
    # rows of cells of 34 pixels for each of three groups, under titles
    assert whole.shape == (36 + 3 * (16 + 70), 4 * 34 + 2, 3)
    assert run(f"{words} --layers middle --out {{out}}/middle.png", runs, tmp_path) == 0
    middle = pixels(tmp_path / "middle.png")
    assert np.array_equal(middle[:36], whole[:36])
    assert np.array_equal(middle[36:], whole[36 + 86 : 36 + 2 * 86])
    assert run(f"{words} --truncation 0 --layers 0-3 1 --out {{out}}/mean.png", runs, tmp_path) == 0
    cells = pixels(tmp_path / "mean.png")[2:34, 36:138].reshape(32, 3, 34, 3)[:, :, :32]
    assert (cells == cells[:, :1]).all()


def test_mixes_between_classes(runs: Path, tmp_path: Path) -> None:
    words = "mix {runs}/classes --sources 1,2 --destinations 3 --layers 0-3"
    assert run(f"{words} --classes 7 --out {{out}}/one.png", runs, tmp_path) == 0
    assert run(f"{words} --classes 7,2 --out {{out}}/two.png", runs, tmp_path) == 0
    one, two = pixels(tmp_path / "one.png"), pixels(tmp_path / "two.png")
    assert np.array_equal(one[:36], two[:36])
    assert not np.array_equal(one[52:, :36], two[52:, :36])


def test_noise_of_a_strangers_model(runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = "noise {runs}/rows --seeds 1,2 --draws 500"
    assert run(f"{words} --out {{out}}/noise.png", runs, tmp_path) == 0
    out = capsys.readouterr().out.splitlines()
    assert out[0] == f"{tmp_path}/noise.png"
    assert out[1].startswith("standard deviation over 500 draws of noise")
    # a quarter of the rows has .01, a quarter .02
    assert [float(n) for n in out[1].split(": ")[1].split(", ")] == pytest.approx([0.0075, 0.0075], rel=0.02)
    assert run(f"{words} --layers coarse --out {{out}}/coarse.png", runs, tmp_path) == 0
    assert capsys.readouterr().out.endswith(": 0, 0\n")
    assert pixels(tmp_path / "noise.png").shape == (16 + 2 * 130 + 2, 8 * 130 + 2, 3)
    assert run("noise {runs}/classes --class 3 --seeds 1 --draws 2 --out {out}/c.png", runs, tmp_path) == 0


def test_several_truncations_are_columns(
    runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, more in (("rows", ""), ("gan", "-n 4"), ("classes", "--class 3 -n 4")):
        out = tmp_path / f"{name}.png"
        words = f"sample {{runs}}/{name} --truncation 1,0.5,0,-1 {more} --out {out}"
        assert run(words, runs, tmp_path) == 0
        assert capsys.readouterr().out == f"{out}\n"
        n = 4 if more else 8
        picture = pixels(out)
        assert picture.shape == (16 + n * 34 + 2, 4 * 34 + 2, 3)
        cells = picture[18:, 2:].reshape(n, 34, 4, 34, 3)[:, :32, :, :32]
        # at 0 all are alike, at others not
        assert (cells[:, :, 2] == cells[:1, :, 2]).all()
        assert not (cells[:, :, 0] == cells[:1, :, 0]).all()
        model = sim.load(runs / name)
        one = model.for_class("3") if name == "classes" else model
        for column, psi in ((0, 1.0), (3, -1.0)):
            expected = (one.sample(n, 0, truncation=psi).numpy()[:, 0] * 255).round()
            assert np.array_equal(cells[:, ::4, column, ::4, 0], expected.clip(0, 255))


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (
            "mix {runs}/rows --sources 1,x --destinations 2 --out {out}/x.png",
            2,
            "--sources takes whole numbers",
        ),
        ("mix {runs}/rows --sources 1 --destinations , --out {out}/x.png", 2, "give at least one seed"),
        ("mix {runs}/rows --sources 1 --out {out}/x.png", 2, "--destinations is missing (seeds of the first"),
        ("mix {runs}/rows --sources 1 --destinations 2 --layers coarze --out {out}/x.png", 2, "write coarse"),
        ("mix {runs}/rows --sources 1 --destinations 2 --layers 4 --out {out}/x.png", 2, "from 0 to 3"),
        ("mix {runs}/rows --sources 1 --destinations 2 --out {out}/x.gif", 1, "let the name end in .png"),
        ("mix {runs}/rows --sources 1 --destinations 2 --out {out}", 1, "is a folder; name a .png"),
        ("mix {runs}/rows --sources 1 --destinations 2 --classes 3 --out {out}/x.png", 1, "not conditioned"),
        ("mix {runs}/gan --sources 1 --destinations 2 --out {out}/x.png", 1, "this gan has no styles"),
        ("mix {runs}/classes --sources 1 --destinations 2 --out {out}/x.png", 1, "choose one for all"),
        ("noise {runs}/gan --out {out}/x.png", 1, "this gan has no styles for its layers; train a stylegan"),
        ("noise {runs}/rows --draws 1 --out {out}/x.png", 2, "draws: must be a whole number, at least 2"),
        ("noise {runs}/rows --layers 3 --out {out}/x.png", 2, "3 has no noise; choose layers from 0 to 2"),
        ("noise {runs}/rows --seeds 1.5 --out {out}/x.png", 2, "--seeds takes whole numbers"),
        ("noise {runs}/classes --class 12 --out {out}/x.png", 2, "class: unknown '12'"),
        ("sample {runs}/rows --truncation 1,,x --out {out}/x.png", 2, "numbers with commas between"),
        ("sample {runs}/rows --truncation , --out {out}/x.png", 2, "--truncation needs a value"),
        ("sample {runs}/rows --truncation 1,0 --out {out}/folder", 2, "several are drawn as one .png"),
    ],
)
def test_mistakes_are_answered_in_a_line(
    runs: Path, tmp_path: Path, words: str, code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(words, runs, tmp_path) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert said in err
    assert err.startswith("simulacra: ")
    assert len(err.strip().splitlines()) <= 2
    assert list(tmp_path.iterdir()) == []
