"""`simulacra interpolate` as a person uses it: strips, lattices, animations, tables, and mistakes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import simulacra as sim
from simulacra.cli.main import main
from simulacra.images import save_png

MODEL = '''
from dataclasses import dataclass
from torch import nn
from simulacra import DataSpec, LatentSpace, ModelCard
from simulacra.core.capabilities import Reconstructs
from simulacra.probability.distributions import Delta

@dataclass(frozen=True)
class Config:
    """None."""

class Pixels(Reconstructs):
    """The latent of an image are its pixels."""
    card = ModelCard("", Config, "pixels")
    players = {}

    def __init__(self, spec, config):
        super().__init__(spec, config)
        self.spaces = (LatentSpace("pixels", (64,)),)
        self.register_buffer("one", __import__("torch").ones(()))

    def encode(self, x, space=None):
        self.space(space)
        return Delta(x.flatten(1))

    def decode(self, z, space=None):
        self.space(space)
        return Delta(z.unflatten(1, self.spec.shape))
'''


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    for model in ("vae", "autoencoder", "conditional_gan", "gan"):
        sim.train(model, "digits", folder / model, steps=5)
    sim.train("vae", "iris", folder / "iris", steps=5)
    sim.train("classifier", "digits", folder / "classifier", steps=5)
    (folder / "own.py").write_text(MODEL)
    assert main(["train", f"{folder}/own.py:Pixels", "--data", "digits", "--out", f"{folder}/own"]) == 0
    x = sim.load_data("digits").test.x
    for i in range(4):
        save_png(np.broadcast_to(x[i, 0][:, :, None], (8, 8, 3)), folder / f"{i}.png")
    Image.new("RGB", (90, 60), "red").save(folder / "photo.jpg")
    (folder / "note.png").write_text("no image")
    return folder


def run(words: str, runs: Path, out: Path) -> int:
    return main(["interpolate", *words.format(runs=runs, out=out).split()])


def size(file: Path) -> tuple[int, int]:
    with Image.open(file) as image:
        return image.size


def cells(columns: int, rows: int) -> tuple[int, int]:
    return columns * 34 + 2, rows * 34 + 2


def test_strips_lattices_folders_and_arrays(
    runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("{runs}/vae --seeds 1,2 --out {out}/strip.png", runs, tmp_path) == 0
    assert capsys.readouterr().out == f"{tmp_path}/strip.png\n9 images, slerp in z\n"
    assert size(tmp_path / "strip.png") == cells(9, 1)
    assert run("{runs}/vae --seeds 1,2,3 --steps 5 --path linear --out {out}/two.png", runs, tmp_path) == 0
    assert capsys.readouterr().out.endswith("9 images, linear in z\n")
    assert size(tmp_path / "two.png") == cells(5, 2)
    with Image.open(tmp_path / "two.png") as image:
        rows = np.asarray(image)
    # the second row begins where the first one ends
    assert np.array_equal(rows[2:34, -34:-2], rows[36:68, 2:34])
    assert run("{runs}/vae --seeds 1,2,3,4 --steps 4 --lattice --out {out}/l.png", runs, tmp_path) == 0
    assert size(tmp_path / "l.png") == cells(4, 4)
    assert run("{runs}/vae --seeds 1,2,3 --steps 3 --out {out}/each", runs, tmp_path) == 0
    assert len(list((tmp_path / "each").glob("*.png"))) == 5
    assert run("{runs}/vae --seeds 1,2,3,4 --steps 3 --space z --out {out}/x.npz", runs, tmp_path) == 0
    x = np.load(tmp_path / "x.npz")["x"]
    assert x.shape == (7, 1, 8, 8)
    model = sim.load(runs / "vae")
    for seed in (1, 2, 3, 4):
        np.testing.assert_allclose(x[2 * (seed - 1)], model.sample(1, seed)[0], atol=1e-6)


@pytest.mark.parametrize("suffix", ["gif", "webp"])
def test_animations_run_there_and_back(runs: Path, tmp_path: Path, suffix: str) -> None:
    out = tmp_path / f"walk.{suffix}"
    assert run(f"{{runs}}/gan --seeds 1,2 --steps 6 --out {out}", runs, tmp_path) == 0
    frames, durations = [], []
    with Image.open(out) as film:
        assert film.info["loop"] == 0
        assert film.size == (128, 128)
        for k in range(film.n_frames):  # type: ignore[attr-defined]  # of films only
            film.seek(k)
            frames.append(np.asarray(film.convert("L"), np.int16)[::16, ::16])
            durations.append(film.info["duration"])
    assert len(frames) == 10
    for there, back in zip(frames[1:5], frames[:5:-1], strict=True):
        assert np.abs(there - back).max() <= 1
    assert not np.array_equal(frames[0], frames[5])
    assert durations == [500, 200, 200, 200, 200, 500, 200, 200, 200, 200]


@pytest.mark.parametrize("model", ["vae", "autoencoder", "own"])
def test_between_images(runs: Path, tmp_path: Path, model: str, capsys: pytest.CaptureFixture[str]) -> None:
    words = f"{{runs}}/{model} --images {{runs}}/0.png {{runs}}/1.png --steps 3 --out {{out}}/x.npz"
    assert run(words, runs, tmp_path) == 0
    assert f"{'slerp' if model == 'vae' else 'linear'} in " in capsys.readouterr().out
    x, loaded = np.load(tmp_path / "x.npz")["x"], sim.load(runs / model)
    ends = sim.load_data("digits").test.x[:2]
    np.testing.assert_allclose(x[[0, 2]], loaded.reconstruct(ends), atol=1e-6)
    if model == "own":
        np.testing.assert_allclose(x[1], (x[0] + x[2]) / 2, atol=1e-6)
    # a photograph in colour becomes what the training data are
    words = f"{{runs}}/{model} --images {{runs}}/0.png {{runs}}/photo.jpg --out {{out}}/y.png"
    assert run(words, runs, tmp_path) == 0


def test_between_classes(runs: Path, tmp_path: Path) -> None:
    assert run("{runs}/conditional_gan --classes 3,5 --seeds 7 --out {out}/a.npz", runs, tmp_path) == 0
    x, model = np.load(tmp_path / "a.npz")["x"], sim.load(runs / "conditional_gan")
    for name, found in (("3", x[0]), ("5", x[-1])):
        np.testing.assert_allclose(found, model.for_class(name).sample(1, 7)[0], atol=1e-6)
    # seed 0 by default, several seeds of one class, and both at once
    for words in ("--classes 3,5", "--classes 3 --seeds 1,2", "--classes 3,5 --seeds 1,2"):
        out = words.replace(" ", "")
        assert run(f"{{runs}}/conditional_gan {words} --out {{out}}/{out}.png", runs, tmp_path) == 0
    # of a model that encodes: the means of its data
    assert run("{runs}/autoencoder --classes 3,5 --out {out}/b.npz", runs, tmp_path) == 0
    train, model = sim.load_data("digits").train, sim.load(runs / "autoencoder")
    assert train.y is not None
    z = model.encode(train.x[train.y == 5]).mean.mean(dim=0, keepdim=True)
    np.testing.assert_allclose(np.load(tmp_path / "b.npz")["x"][-1], model.decode(z).mean[0], atol=1e-5)


def test_rows_of_a_table(runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("{runs}/iris --classes setosa,virginica --steps 4 --out {out}/x.csv", runs, tmp_path) == 0
    assert "4 rows, slerp in z" in capsys.readouterr().out
    lines = (tmp_path / "x.csv").read_text().splitlines()
    assert lines[0].startswith("sepal length (cm),")
    assert len(lines) == 5


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ("{runs}/vae --out {out}/x.png", 2, "name what to interpolate between: --seeds 1,2, --images A B,"),
        (
            "{runs}/vae --seeds 1 --out {out}/x.png",
            2,
            "a path needs at least 2 seeds, images, texts or classes",
        ),
        ("{runs}/vae --images {runs}/0.png --out {out}/x.png", 2, "a path needs at least 2"),
        ("{runs}/vae --seeds 1,b --out {out}/x.png", 2, "--seeds takes whole numbers, 0 or more, with"),
        ("{runs}/vae --seeds 1,-2 --out {out}/x.png", 2, "not '-2'"),
        ("{runs}/vae --seeds 1 2 --out {out}/x.png", 2, "unexpected '2'"),
        ("{runs}/vae --seeds 1,2 --images {runs}/0.png --out {out}/x.png", 2, "cannot be combined"),
        (
            "{runs}/vae --seeds 1,2,3 --lattice --out {out}/x.png",
            2,
            "--lattice needs 4 seeds, images, texts or",
        ),
        ("{runs}/vae --seeds 1,2,3,4 --lattice --out {out}/x.gif", 2, "give a .png, a .npz or a folder"),
        ("{runs}/vae --seeds 1,2 --steps 1 --out {out}/x.png", 2, "steps: must be at least 2, not 1"),
        ("{runs}/vae --seeds 1,2 --steps 9999999999 --out {out}/x.png", 1, "take fewer steps"),
        ("{runs}/vae --seeds 1,2 --space zz --out {out}/x.png", 2, "space: unknown 'zz', did you mean 'z'?"),
        ("{runs}/vae --seeds 1,2 --path slurp --out {out}/x.png", 2, "--path: unknown 'slurp', did you mean"),
        ("{runs}/vae --seeds 1,2 --classes 3,5 --out {out}/x.png", 1, "is not conditioned on classes"),
        ("{runs}/vae --classes 3,11 --out {out}/x.png", 2, "classes: unknown '11', choose from 0, 1, 2, "),
        ("{runs}/vae --seeds 1,2 --out {out}/x.jpg", 2, "give a .png, a .gif, a .webp, a .npz or a folder"),
        ("{runs}/vae --images {runs}/0.png {runs}/note.png --out {out}/x.png", 1, "note.png: not an image"),
        ("{runs}/vae --images {runs}/0.png {runs}/none.png --out {out}/x.png", 1, "none.png: cannot be read"),
        ("{runs}/vae --images {runs}/0.png {runs} --out {out}/x.png", 1, "is a folder, not a file"),
        ("{runs}/autoencoder --seeds 1,2 --out {out}/x.png", 1, "has no prior to draw from; give images"),
        ("{runs}/gan --images {runs}/0.png {runs}/1.png --out {out}/x.png", 1, "this gan has no encoder"),
        ("{runs}/gan --classes 3,5 --out {out}/x.png", 1, "has no encoder to find them with; give --seeds"),
        ("{runs}/conditional_gan --seeds 1,2 --out {out}/x.png", 1, "is conditioned on a class: add classes"),
        ("{runs}/conditional_gan --seeds 1,2,3 --classes 1,2 --out {out}/x.png", 2, "3 seeds and 2 classes"),
        ("{runs}/classifier --seeds 1,2 --out {out}/x.png", 1, "this classifier has no decoder"),
        ("{runs}/iris --seeds 1,2 --out {out}/x.png", 2, "these examples are vectors, not pictures"),
        ("{runs}/iris --images {runs}/0.png {runs}/1.png --out {out}/x.csv", 1, "was trained on rows"),
    ],
)
def test_mistakes_get_a_plain_line(
    runs: Path, tmp_path: Path, words: str, code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(words, runs, tmp_path) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert said in err
    assert "Traceback" not in err
    assert len(err.strip().splitlines()) == 1
    assert not list(tmp_path.iterdir())


def test_what_is_there_is_kept(runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "walk.gif"
    file.write_text("mine")
    assert run("{runs}/vae --seeds 1,2 --out {out}/walk.gif", runs, tmp_path) == 1
    assert "walk.gif: exists; choose another name, or replace it with --overwrite" in capsys.readouterr().err
    assert file.read_text() == "mine"
    assert run("{runs}/vae --seeds 1,2 --out {out}/walk.gif --overwrite", runs, tmp_path) == 0
    assert size(file) == (128, 128)
