"""`simulacra edit`: files, folders, sources and samples through trained models, as a person does it."""

from __future__ import annotations

import csv
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import simulacra as sim
from simulacra.cli.main import main
from simulacra.core.batch import tensor, to_bytes
from simulacra.latent import directions
from simulacra.latent.directions import Direction
from simulacra.run import Run
from simulacra.tasks.edit import edit
from simulacra.tasks.picture_files import RECORD

FLOW = f"{Path(__file__).parents[2] / 'examples' / 'flow.py'}:Flow"


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    sim.train("pca", "faces:60", folder / "faces", latent_dim=4, image_size=32)
    sim.train("pca", "iris", folder / "iris", latent_dim=2)
    sim.train("gan", "digits", folder / "gan", latent_dim=4, steps=2)
    sim.train("conditional_gan", "digits", folder / "digits", latent_dim=4, steps=2)
    sim.train(FLOW, "moons", folder / "flow", steps=2)
    sim.train("classifier", "digits", folder / "classifier", steps=2)
    for name in ("faces", "iris", "gan", "digits", "flow"):
        run = Run(folder / name)
        model: Any = run.load()
        vector = 0.3 * torch.arange(1.0, model.spaces[0].size + 1)
        directions.save(run, Direction("smile", "z", vector, "means"))
    return folder


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Two faces at the size of the model, one of them in a folder."""
    x = sim.load_data("faces:4", image_size=32).train.x
    folder = tmp_path / "in"
    (folder / "more").mkdir(parents=True)
    for image, name in zip(x, ("a.png", "more/b.bmp"), strict=False):
        Image.fromarray(image.transpose(1, 2, 0)).save(folder / name)
    return folder


def read(file: Path) -> np.ndarray:
    with Image.open(file) as image:
        return np.asarray(image)


def files(folder: Path) -> list[str]:
    """What was made, without the record of it."""
    made = (f for f in folder.rglob("*") if f.is_file() and f.name != RECORD)
    return sorted(f.relative_to(folder).as_posix() for f in made)


def expected(run: Path, x: np.ndarray, strengths: list[float]) -> np.ndarray:
    """Edits `(N, S, H, W, C)`."""
    y = edit(sim.load(run), tensor(x), directions.load(Run(run), "smile"), strengths)
    return to_bytes(y.flatten(0, 1)).reshape(y.shape).transpose(0, 1, 3, 4, 2)


def test_a_folder_becomes_a_file_for_each_picture_and_strength(
    runs: Path, pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, run = tmp_path / "out", runs / "faces"
    words = ["edit", str(run), str(pictures), "--direction", "smile", "--out", str(out)]
    assert main([*words, "--strength", "-1..1", "--steps", "3"]) == 0
    said, wrong = capsys.readouterr()
    assert said.splitlines() == [str(out), "2 images edited at 3 strengths"]
    assert wrong == ""
    names = [
        f"{stem}-smile{s}{end}"
        for stem, end in (("a", ".png"), ("more/b", ".bmp"))
        for s in ("+0", "+1", "-1")
    ]
    assert files(out) == names
    x = np.stack([read(pictures / name).transpose(2, 0, 1) for name in ("a.png", "more/b.bmp")])
    y = expected(run, x, [0, 1, -1])
    for file, image in zip(names, y.reshape(-1, 32, 32, 3), strict=True):
        assert np.abs(read(out / file).astype(int) - image).max() <= 1
    # of one strength the names are kept
    assert main([*words[:-1], str(tmp_path / "one"), "--strength", "1"]) == 0
    assert files(tmp_path / "one") == ["a.png", "more/b.bmp"]
    assert np.array_equal(read(tmp_path / "one" / "a.png"), read(out / "a-smile+1.png"))


def test_the_same_command_writes_what_is_missing(
    runs: Path,
    pictures: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    out = tmp_path / "out"
    words = ["edit", str(runs / "faces"), str(pictures), "--direction", "smile", "--out", str(out)]

    def stopped(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("simulacra.tasks.edit.placed", stopped)
        assert main(words) == 130
    assert (
        f"interrupted: the edits so far are in {out}; run the same command to resume"
        in capsys.readouterr().err
    )
    assert not out.exists() or files(out) == []
    assert main(words) == 0
    before = {name: (out / name).read_bytes() for name in files(out)}
    assert len(before) == 10
    (out / "a-smile+1.png").unlink()
    (out / "a-smile+2.png").write_bytes(b"mine")
    capsys.readouterr()
    assert main(words) == 0
    said, wrong = capsys.readouterr()
    assert said.splitlines() == [str(out), "1 image edited at 5 strengths"]
    assert f"{out}: already has edits of 1 of the images; they are kept" in wrong
    after = {name: (out / name).read_bytes() for name in files(out)}
    assert after == {**before, "a-smile+2.png": b"mine"}
    assert main(words) == 0
    assert capsys.readouterr().out == f"{out}\n"
    assert main([*words, "--overwrite"]) == 0
    assert {name: (out / name).read_bytes() for name in files(out)} == before


def test_a_zip_a_strip_and_an_archive(
    runs: Path, pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    archive, run = tmp_path / "in.zip", str(runs / "faces")
    with zipfile.ZipFile(archive, "w") as packed:
        for name in files(pictures):
            packed.write(pictures / name, name)
    Image.new("L", (50, 60), 90).save(tmp_path / "large.png")
    words = ["edit", run, str(archive), str(tmp_path / "large.png"), "--direction", "smile"]
    assert main([*words, "--out", str(tmp_path / "out")]) == 0
    assert len(files(tmp_path / "out" / "more")) == 5
    assert read(tmp_path / "out" / "large-smile+1.png").shape == (60, 50, 3)
    said = (
        "the model takes 32x32 pixels; 1 image of another size was resized; of 1 only the middle square was"
        " edited; 1 image was converted to colour"
    )
    assert said in capsys.readouterr().err
    assert main([*words, "--out", str(tmp_path / "strip.png")]) == 0
    assert said in capsys.readouterr().err
    assert read(tmp_path / "strip.png").shape == (16 + 3 * 34 + 2, 5 * 34 + 2, 3)
    assert main([*words, "--strength", "0,1", "--out", str(tmp_path / "x.npz")]) == 0
    with np.load(tmp_path / "x.npz") as arrays:
        assert arrays["x"].shape == (3, 2, 3, 32, 32)
        assert arrays["strengths"].tolist() == [0, 1]
        assert arrays["names"].tolist() == [
            f"{archive}/a.png", f"{archive}/more/b.bmp", str(tmp_path / "large.png")
        ]  # fmt: skip


def test_examples_of_a_source_are_named_as_there(runs: Path, pictures: Path, tmp_path: Path) -> None:
    run = str(runs / "faces")
    words = ["edit", run, "--direction", "smile", "--strength", "0"]
    out = tmp_path / "out"
    assert main([*words, "--data", "faces:60@validation", "-n", "3", "--out", str(out)]) == 0
    data = sim.load_data("faces:60", image_size=32).validation.take(slice(0, 3))
    assert files(out) == [f"{row:05d}.png" for row in sorted(data.rows.tolist())]
    y = expected(runs / "faces", data.x, [0])
    for row, image in zip(data.rows.tolist(), y[:, 0], strict=True):
        assert np.abs(read(out / f"{row:05d}.png").astype(int) - image).max() <= 1
    assert main([*words, "--data", f"folder:{pictures}@train", "--out", str(tmp_path / "named")]) in (0, 1)
    assert set(files(tmp_path / "named")) <= {"a.png", "more/b.bmp"}


def test_rows_become_a_table_or_an_array(runs: Path, tmp_path: Path) -> None:
    words = [
        "edit",
        str(runs / "iris"),
        "--data",
        "iris",
        "-n",
        "2",
        "--strength",
        "-1,0,1",
        "--direction",
        "smile",
    ]
    assert main([*words, "--out", str(tmp_path / "x.npz")]) == 0
    with np.load(tmp_path / "x.npz") as arrays:
        y = arrays["x"]
    assert y.shape == (2, 3, 4)
    x = sim.load_data("iris").test.x[:2]
    np.testing.assert_allclose(y[:, 1], sim.load(runs / "iris").reconstruct(x), rtol=1e-5)
    np.testing.assert_allclose(y[:, 2] - y[:, 1], y[:, 1] - y[:, 0], rtol=1e-3, atol=1e-5)
    assert main([*words, "--out", str(tmp_path / "x.csv")]) == 0
    with (tmp_path / "x.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert [row["strength"] for row in rows] == ["-1", "0", "1"] * 2
    assert len(rows[0]) == 6


def test_samples_are_edited_by_their_seeds(runs: Path, tmp_path: Path) -> None:
    words = ["--seeds", "5,7", "--direction", "smile"]
    for run, more in (("gan", []), ("digits", ["--class", "3"])):
        model = sim.load(runs / run)
        model = model.for_class("3") if more else model
        out = tmp_path / run
        assert main(["edit", str(runs / run), *words, *more, "--out", str(out)]) == 0
        assert len(files(out)) == 10
        for seed in (5, 7):
            image = to_bytes(model.sample(1, seed=seed))[0, 0]
            assert np.abs(read(out / f"seed-{seed}-smile+0.png").astype(int) - image).max() <= 1
        assert not np.array_equal(read(out / "seed-5-smile+0.png"), read(out / "seed-5-smile+2.png"))
        assert main(["edit", str(runs / run), *words, *more, "--out", str(tmp_path / f"{run}.png")]) == 0
    # a stranger's model of vectors
    assert main(["edit", str(runs / "flow"), *words, "--out", str(tmp_path / "flow.npz")]) == 0
    with np.load(tmp_path / "flow.npz") as arrays:
        assert arrays["x"].shape == (2, 5, 2)
        point = sim.load(runs / "flow").sample(1, seed=7, draw=False)[0]
        np.testing.assert_allclose(arrays["x"][1, 2], point, rtol=1e-4)


def test_damaged_files_are_counted_and_the_others_done(
    runs: Path, pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (pictures / "broken.png").write_bytes((pictures / "a.png").read_bytes()[:-200])
    (pictures / "text.jpg").write_text("hello")
    out = tmp_path / "out"
    words = ["edit", str(runs / "faces"), str(pictures), "--direction", "smile", "--out"]
    assert main([*words, str(out)]) == 1
    said, wrong = capsys.readouterr()
    assert said.splitlines() == [str(out), "2 images edited at 5 strengths"]
    assert wrong.splitlines() == [
        f"simulacra: {pictures}/text.jpg: not an image",
        f"simulacra: {pictures}/broken.png: damaged or truncated",
        "simulacra: 2 of 4 inputs could not be read, as reported above",
    ]
    assert len(files(out)) == 10
    assert main([*words, str(tmp_path / "strip.png")]) == 1
    assert "2 of 4 inputs could not be read" in capsys.readouterr().err
    assert (tmp_path / "strip.png").is_file()


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ("{runs}/faces {inputs} --direction smlie --out {out}", 1, "did you mean 'smile'?"),
        ("{runs}/classifier {inputs} --direction smile --out {out}", 1, "there is no direction 'smile'"),
        ("{runs}/none {inputs} --direction smile --out {out}", 1, "no run here"),
        ("{runs}/faces --direction smile --out {out}", 2, "name images or folders, or a source"),
        ("{runs}/faces {inputs} --data digits --direction smile --out {out}", 2, "name images or"),
        ("{runs}/faces {inputs} --direction smile --strength a..b --out {out}", 2, "cannot read 'a..b'"),
        ("{runs}/faces {inputs} --direction smile --steps 1 --out {out}", 2, "from 2 to 1000, not 1"),
        ("{runs}/faces {inputs} --direction smile -n 3 --out {out}", 2, "the number of examples of --data"),
        ("{runs}/faces {inputs} --direction smile --class 3 --out {out}", 2, "add --seeds"),
        ("{runs}/faces {inputs} --direction smile --out {inputs}", 1, "is one of the inputs"),
        ("{runs}/faces {inputs}/a.png --direction smile --strength 1 --out {inputs}", 1, "one of the inputs"),
        ("{runs}/faces {inputs} --direction smile --out {out}/x.jpg", 2, "as a file; give a folder"),
        ("{runs}/faces {inputs} --direction smile --out {out}/sub/a.png", 1, "--overwrite"),
        ("{runs}/gan {inputs} --direction smile --out {out}", 1, "edit its samples with --seeds 1,2,3"),
        ("{runs}/gan --seeds 1,a --direction smile --out {out}", 2, "cannot read '1,a'"),
        ("{runs}/gan --seeds 1,1 --direction smile --out {out}", 2, "has a seed twice"),
        ("{runs}/gan --seeds -1 --direction smile --out {out}", 2, "0 or more"),
        ("{runs}/gan --seeds 1 --class 3 --direction smile --out {out}", 1, "is not conditioned on classes"),
        ("{runs}/digits --seeds 1 --direction smile --out {out}", 2, "choose one with --class: 0, 1, 2"),
        ("{runs}/digits --seeds 1 --class x --direction smile --out {out}", 2, "unknown 'x'"),
        ("{runs}/faces --data faces:60@tset --direction smile --out {out}", 1, "did you mean 'test'?"),
        ("{runs}/iris {inputs} --direction smile --out {out}.npz", 1, "was trained on rows, not on"),
        ("{runs}/iris --data iris --direction smile --out {out}", 2, "these examples are vectors"),
    ],
)  # fmt: skip
def test_mistakes_get_a_plain_line_and_no_work_is_done(
    runs: Path,
    pictures: Path,
    tmp_path: Path,
    words: str,
    code: int,
    said: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    before = {name: (pictures / name).read_bytes() for name in files(pictures)}
    out = tmp_path / "out"
    (out / "sub").mkdir(parents=True)
    (out / "sub" / "a.png").write_text("mine")
    assert main(["edit", *words.format(runs=runs, inputs=pictures, out=out).split()]) == code
    printed, wrong = capsys.readouterr()
    assert printed == ""
    assert said in wrong
    assert len(wrong.splitlines()) == 1
    assert files(out) == ["sub/a.png"]
    assert (out / "sub" / "a.png").read_text() == "mine"
    assert {name: (pictures / name).read_bytes() for name in files(pictures)} == before


def test_a_direction_of_other_weights_is_refused(
    runs: Path, pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = Run(tmp_path / "run")
    sim.train("pca", "faces:60", run.path, latent_dim=4, image_size=32, seed=1)
    other = directions.file_of(run, "smile")
    other.parent.mkdir(parents=True)
    for ending in (".safetensors", ".json"):
        source = directions.file_of(Run(runs / "iris"), "smile").with_suffix(ending)
        other.with_suffix(ending).write_bytes(source.read_bytes())
    words = ["edit", str(run), str(pictures), "--direction", "smile", "--out", str(tmp_path / "out")]
    assert main(words) == 1
    assert "was found with other weights than these" in capsys.readouterr().err


def test_edits_of_another_kind_are_not_taken_for_those_of_this_one(
    runs: Path, pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one = [str(pictures), "--direction", "smile", "--out", str(tmp_path / "out")]
    assert main(["edit", str(runs / "faces"), *one, "--strength", "1"]) == 0
    before = {name: (tmp_path / "out" / name).read_bytes() for name in files(tmp_path / "out")}
    capsys.readouterr()
    assert main(["edit", str(runs / "faces"), *one, "--strength", "2"]) == 1
    assert "holds edits of another direction, of other strengths" in capsys.readouterr().err
    assert {name: (tmp_path / "out" / name).read_bytes() for name in files(tmp_path / "out")} == before
    assert main(["edit", str(runs / "faces"), *one, "--strength", "2", "--overwrite"]) == 0
    assert {name: (tmp_path / "out" / name).read_bytes() for name in files(tmp_path / "out")} != before


def test_no_edits_go_into_a_folder_of_other_files(
    runs: Path, pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "a.png").write_bytes(b"mine")
    # also not next to the folder of the inputs
    for out in (tmp_path / "mine", pictures.parent):
        before = files(out)
        assert (
            main(["edit", str(runs / "faces"), str(pictures), "--direction", "smile", "--out", str(out)]) == 1
        )
        assert "is not empty; choose another --out" in capsys.readouterr().err
        assert files(out) == before
