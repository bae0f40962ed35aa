"""`simulacra attack`, as a person does it."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from simulacra.cli.main import main


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = str(tmp_path_factory.mktemp("runs") / "digits")
    train = ["train", "classifier", "--data", "digits", "--steps", "150", "--width", "8", "--out", path]
    assert main(train) == 0
    return path


def told(words: list[str], capsys: pytest.CaptureFixture[str]) -> dict[str, object]:
    capsys.readouterr()
    assert main(["attack", *words, "--json"]) == 0
    found: dict[str, object] = json.loads(capsys.readouterr().out)
    return found


@pytest.mark.parametrize(
    "words",
    [
        ["--method", "fgsm"],
        ["--method", "pgd", "--norm", "l2", "--epsilon", "3", "--restarts", "2"],
        ["--method", "noise", "--target", "7"],
        ["--method", "smallest", "--steps", "10"],
        ["--method", "patch", "--size", "0.6", "--target", "3", "--steps", "20"],
    ],
)
def test_every_method_writes_a_picture_and_numbers(
    run: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    out = tmp_path / "attack.png"
    numbers = told([run, *words, "-n", "20", "--out", str(out)], capsys)
    with Image.open(out) as picture:
        assert picture.width > 1000
    assert numbers["method"] == words[1]
    assert numbers["examples"] == 20
    clean, fooled = numbers["clean_accuracy"], numbers["fooled"]
    assert isinstance(clean, float)
    assert isinstance(fooled, float)
    assert clean > 0.75
    if words[1] != "patch":
        assert fooled > 0.9
        assert isinstance(numbers["median_l2"], float)
    if words[1] == "pgd":
        assert numbers["accuracy_under_attack"] == 0
        assert numbers["epsilon"] == 3
        assert numbers["norm"] == "l2"


def test_arrays(run: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = [tmp_path / "a.npz", tmp_path / "b.npz"]
    for out in files:
        told([run, "--data", "digits@validation", "--out", str(out), "--steps", "5", "--target", "0"], capsys)
    first, second = (np.load(out) for out in files)
    for name in first:
        assert np.array_equal(first[name], second[name]), name
    assert first["x"].shape == first["start"].shape == (100, 1, 8, 8)
    assert first["probabilities"].shape == first["probabilities_before"].shape == (100, 10)
    assert first["linf"].max() <= 0.3001
    # a digit that was read as 0 before was not attacked into it
    was, became = (first[name].argmax(axis=1) == 0 for name in ("probabilities_before", "probabilities"))
    assert (first["fooled"] == (became & ~was)).all()
    # those that are of the class already are left out
    assert (first["y"] != 0).all()


@pytest.mark.parametrize(
    "words", [["--method", "pgd", "--norm", "l2"], ["--method", "smallest"], ["--method", "noise"]]
)
def test_images_are_attacked_alike_however_many_follow(run: str, tmp_path: Path, words: list[str]) -> None:
    found = []
    for n in ("3", "5"):
        out = tmp_path / f"{n}.npz"
        assert main(["attack", run, *words, "--steps", "3", "-n", n, "--out", str(out)]) == 0
        found.append(np.load(out)["x"])
    assert np.allclose(found[0], found[1][:3], atol=1e-4)


def test_a_picture_that_was_misread_before_fools_nobody(
    run: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "a.npz"
    numbers = told([run, "--data", "digits@validation", "--out", str(out), "--method", "fgsm"], capsys)
    held = np.load(out)
    misread = held["probabilities_before"].argmax(axis=1) != held["y"]
    assert misread.any()
    assert not held["fooled"][misread].any()
    assert numbers["fooled"] == held["fooled"][~misread].mean()


def test_words_for_people(run: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["attack", run, "--method", "fgsm", "-n", "10", "--out", str(tmp_path / "a.png")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith("accuracy_under_attack ") for line in lines)
    assert lines[-1] == str(tmp_path / "a.png")


def digests(folder: Path) -> dict[str, str]:
    return {
        str(file): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in folder.rglob("*")
        if file.is_file()
    }


@pytest.mark.parametrize("method", ["fgsm", "noise"])
def test_rounds_write_new_runs_and_leave_the_old_one(
    run: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], method: str
) -> None:
    before = digests(Path(run))
    out = tmp_path / "rounds"
    words = [run, "--method", method, "--rounds", "1", "--added", "600", "-n", "100", "--out", str(out)]
    numbers = told(words, capsys)
    assert digests(Path(run)) == before
    table = numbers["rounds"]
    assert isinstance(table, list)
    assert [row["number"] for row in table] == [0, 1]
    assert 300 < table[1]["negatives"] <= 600
    assert table[1]["known_accuracy"] > table[0]["robust_accuracy"]
    assert json.loads((out / "rounds.json").read_text()) == table
    # a run as any other
    assert main(["evaluate", str(out / "round-1")]) == 0
    assert ("- none" in (out / "round-1" / "config.yaml").read_text()) == (method == "noise")
    # the same command again has nothing left to do, and another attack does not fit in
    assert told(words, capsys)["rounds"] == table
    assert main(["attack", *words, "--seed", "1"]) == 1
    assert "another attack" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["{run}", "--out", "{tmp}/a.jpg"], 2, "ends in .png or .npz"),
        (["{run}", "--out", "{tmp}"], 2, "ends in .png or .npz"),
        (["{run}", "--out", "{tmp}/a.png", "-n", "0"], 2, "n: must be at least 1"),
        (["{run}", "--out", "{tmp}/a.png", "--epsilon", "0"], 2, "epsilon"),
        (["{run}", "--out", "{tmp}/a.png", "--size", "0.3"], 2, "leave --size out"),
        (["{run}", "--out", "{tmp}/a.png", "--method", "patch", "--size", "2"], 2, "size"),
        (["{run}", "--out", "{tmp}/a.png", "--target", "eleven"], 2, "no class 'eleven'"),
        (["{run}", "--out", "{tmp}/a.png", "--rounds", "1"], 2, "a folder"),
        (["{run}", "--out", "{tmp}/f", "--rounds", "1", "--method", "patch"], 2, "not with patch"),
        (["{run}", "--out", "{run}", "--rounds", "1"], 2, "stays as it is"),
        (["{run}", "--out", "{tmp}/a.png", "--data", "npz:{vae}.npz"], 1, "no labels"),
        (["{run}", "--out", "{tmp}/a.png", "--data", "npz:{tmp}/none.npz"], 1, "none.npz"),
        (["{tmp}/none", "--out", "{tmp}/a.png"], 1, "no run here"),
        (["{vae}", "--out", "{tmp}/a.png"], 1, "train a classifier"),
    ],
)  # fmt: skip
def test_mistakes_are_said_plainly(
    run: str,
    vae: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    code: int,
    message: str,
) -> None:
    capsys.readouterr()
    assert main(["attack", *(word.format(run=run, vae=vae, tmp=tmp_path) for word in words)]) == code
    error = capsys.readouterr().err
    assert message in error
    assert len(error.splitlines()) <= 2
    assert not list(tmp_path.iterdir())


@pytest.fixture(scope="module")
def vae(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = str(tmp_path_factory.mktemp("runs") / "vae")
    assert main(["train", "vae", "--data", "digits", "--steps", "1", "--out", path]) == 0
    # and images of nothing in particular
    np.savez(f"{path}.npz", images=np.arange(64 * 60, dtype=np.int64).reshape(60, 8, 8).astype(np.uint8))
    return path
