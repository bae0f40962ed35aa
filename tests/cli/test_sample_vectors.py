"""`simulacra sample` of models of vectors: charts, arrays, and what is said about them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

import simulacra as sim
from simulacra.cli.main import main
from simulacra.report import clouds


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("vectors")
    sim.train("generator", "gaussians-8:200", folder / "generator")
    x = np.random.default_rng(0).normal(size=(100, 10)) * np.arange(10) + 100
    np.savez(folder / "wide.npz", x=x)
    sim.train("pca", f"npz:{folder / 'wide.npz'}", folder / "pca", latent_dim=5)
    np.savez(folder / "narrow.npz", x=x[:, :1])
    sim.train("generator", f"npz:{folder / 'narrow.npz'}", folder / "narrow", latent_dim=1)
    sim.train("mdn", "bishop-inverse:200", folder / "mdn", components=2, steps=2)
    return folder


def chart(picture: Path) -> None:
    """Charts are on white, so that they can be read on any ground, and not empty."""
    with Image.open(picture) as image:
        assert image.format == "PNG"
        pixels = np.asarray(image.convert("L"))
        assert image.convert("RGBA").getpixel((0, 0)) == (255, 255, 255, 255)
    assert len(np.unique(pixels)) > 10


@pytest.mark.parametrize("n", [1, 300, 100_000])
def test_points_become_a_chart(
    runs: Path, tmp_path: Path, n: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = []
    density = clouds.density

    def spy(*given: Any) -> Figure:
        shown.append("density")
        return density(*given)

    monkeypatch.setattr(clouds, "density", spy)
    out = tmp_path / "points.png"
    assert main(["sample", str(runs / "generator"), "-n", str(n), "--out", str(out)]) == 0
    chart(out)
    assert shown == (["density"] if n > 5000 else [])
    path, said = capsys.readouterr().out.splitlines()
    assert path == str(out)
    assert said.startswith(f"{n:,} points, mean (standard deviation): x_1 ")


def test_the_moments_are_those_of_the_array(
    runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "points.npz"
    assert main(["sample", str(runs / "generator"), "-n", "2000", "--seed", "3", "--out", str(out)]) == 0
    x = np.load(out)["x"]
    assert x.shape == (2000, 2)
    path, said = capsys.readouterr().out.splitlines()
    assert path == str(out)
    told = [float(number) for number in re.findall(r"x_\d (\S+) \((\S+)\)", said) for number in number]
    assert told == pytest.approx([f(x[:, i]) for i in (0, 1) for f in (np.mean, np.std)], rel=1e-3)


def test_at_most_eight_columns_are_told(
    runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["sample", str(runs / "pca"), "-n", "6000", "--out", str(tmp_path / "x.png")]) == 0
    chart(tmp_path / "x.png")
    said = capsys.readouterr().out.splitlines()[1]
    assert said.count("(") == 9
    assert said.endswith("and 2 more")
    assert "column 8 " in said


def test_a_single_column(runs: Path, tmp_path: Path) -> None:
    for n in ("50", "6000"):
        assert main(["sample", str(runs / "narrow"), "-n", n, "--out", str(tmp_path / f"{n}.png")]) == 0
        chart(tmp_path / f"{n}.png")


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (
            "generator --out {tmp}/folder",
            2,
            "vectors, not pictures; give a .csv, .parquet or .npz, or a .png for a chart",
        ),
        ("generator --out {tmp}/x.jpg", 2, "or a .png for a chart, not"),
        ("mdn --out {tmp}/x.png", 1, "this mdn does not sample; train a vae or a gan, or use"),
        (
            "mdn --out {tmp}/folder",
            1,
            "simulacra predict {run} --data bishop-inverse:200 --out predictions.csv",
        ),
    ],
)
def test_what_cannot_be_is_said_plainly(
    runs: Path, tmp_path: Path, words: str, code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    run, *rest = words.format(tmp=tmp_path).split()
    assert main(["sample", str(runs / run), *rest]) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert said.format(run=runs / run) in err
    assert list(tmp_path.iterdir()) == []


def test_reconstructions_of_vectors_are_no_pictures(
    runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["reconstruct", str(runs / "pca"), "--out", str(tmp_path / "x.png")]) == 2
    assert "vectors, not pictures; give a .csv, .parquet or .npz, not" in capsys.readouterr().err
