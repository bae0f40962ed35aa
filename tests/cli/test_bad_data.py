"""Training on what people really have: broken files, odd zips, full disks. Nothing of theirs is harmed."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from simulacra.cli.main import main
from simulacra.data import load
from simulacra.run import Run

Make = Callable[[Path], Path]
SETTINGS = ["--steps", "4", "--latent-dim", "2", "--net", "mlp", "--hidden", "8", "--image-size", "16"]


def pictures(folder: Path, n: int = 40, size: int = 20) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    for i in range(n):
        Image.fromarray(rng.integers(0, 256, (size, size, 3), dtype=np.uint8)).save(folder / f"{i:03d}.jpg")


def snapshot(folder: Path) -> dict[str, bytes]:
    return {str(f.relative_to(folder)): f.read_bytes() for f in sorted(folder.rglob("*")) if f.is_file()}


def empty(folder: Path) -> Path:
    folder.mkdir()
    return folder


def truncated(folder: Path) -> Path:
    pictures(folder)
    whole = (folder / "007.jpg").read_bytes()
    (folder / "007.jpg").write_bytes(whole[: len(whole) // 2])
    return folder


def text(folder: Path) -> Path:
    pictures(folder)
    (folder / "notes.png").write_text("not an image at all")
    return folder


def one_pixel(folder: Path) -> Path:
    pictures(folder)
    Image.new("RGB", (1, 1)).save(folder / "dot.png")
    return folder


def climbing_zip(folder: Path) -> Path:
    pictures(folder / "in")
    out = folder / "pictures.zip"
    with zipfile.ZipFile(out, "w") as archive:
        archive.write(folder / "in" / "000.jpg", "../../000.jpg")
    return out


def not_a_zip(folder: Path) -> Path:
    folder.mkdir()
    (folder / "pictures.zip").write_bytes(b"PK\x03\x04 and nothing more")
    return folder / "pictures.zip"


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (empty, "no images found"),
        (truncated, "007.jpg"),
        (text, "notes.png"),
        (one_pixel, "dot.png"),
        (climbing_zip, "../../000.jpg"),
        (not_a_zip, "not a complete .zip"),
    ],
)
def test_refused_in_plain_words(
    tmp_path: Path, make: Make, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    source = make(tmp_path / "pics")
    before = snapshot(tmp_path)
    code = main(["train", "vae", "--data", f"folder:{source}", "--out", str(tmp_path / "run"), *SETTINGS])
    out, err = capsys.readouterr()
    assert code == 1
    assert out == ""
    assert said in err
    assert "Traceback" not in err
    assert len(err.strip().splitlines()) <= 2
    assert snapshot(tmp_path) == before, "something was written or changed"


@pytest.mark.parametrize("make", [truncated, text, one_pixel])
def test_skip_bad_goes_on_without_them(tmp_path: Path, make: Make) -> None:
    source = make(tmp_path / "pics")
    run = tmp_path / "run"
    words = ["train", "vae", "--data", f"folder:{source}", "--out", str(run), "--skip-bad", *SETTINGS]
    assert main(words) == 0
    assert (run / "model.safetensors").exists()
    # what comes after finds the same data by itself
    assert main(["reconstruct", str(run), "-n", "2", "--out", str(tmp_path / "pairs.png")]) == 0


def test_mixed_sizes_are_brought_to_one(tmp_path: Path) -> None:
    pictures(tmp_path / "pics", n=20, size=20)
    for i, size in enumerate([(33, 21), (64, 64), (10, 40)]):
        Image.new("RGB", size, (200, 10, 10)).save(tmp_path / "pics" / f"odd{i}.png")
    run = tmp_path / "run"
    assert main(["train", "vae", "--data", f"folder:{tmp_path / 'pics'}", "--out", str(run), *SETTINGS]) == 0
    assert main(["sample", str(run), "-n", "2", "--out", str(tmp_path / "x.npz")]) == 0
    assert np.load(tmp_path / "x.npz")["x"].shape == (2, 3, 16, 16)


def test_too_few_pictures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.savez(tmp_path / "two.npz", images=np.zeros((2, 8, 8), np.uint8))
    words = ["--data", f"npz:{tmp_path / 'two.npz'}", "--accumulate", "4", "--out", str(tmp_path / "run")]
    assert main(["train", "vae", *words, "--net", "mlp"]) == 1
    assert "too few to train on" in capsys.readouterr().err
    assert not (tmp_path / "run" / "model.safetensors").exists()


def test_a_source_of_another_shape_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = tmp_path / "run"
    assert (
        main(["train", "vae", "--data", "digits", "--steps", "2", "--latent-dim", "2", "--out", str(run)])
        == 0
    )
    np.savez(tmp_path / "v.npz", x=np.random.default_rng(0).normal(size=(50, 3)))
    capsys.readouterr()
    assert main(["evaluate", str(run), "--data", f"npz:{tmp_path / 'v.npz'}"]) == 1
    assert "holds vectors" in capsys.readouterr().err


def halves(folder: Path, n: int = 3) -> Path:
    """Pairs side by side."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    for i in range(n):
        Image.fromarray(rng.integers(0, 256, (8, 16), dtype=np.uint8)).save(folder / f"{i}.png")
    return folder


def test_three_pairs_train_and_swap_is_remembered(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, run = f"pairs:{halves(tmp_path / 'pairs')}", tmp_path / "run"
    words = ["train", "regressor", "--data", source, "--steps", "2", "--out", str(run), "--net", "mlp"]
    assert main([*words, "--swap"]) == 0
    there, back = load(source).train, Run(run).data(f"{source}@train").train
    assert there.target is not None
    assert len(back) > 0
    assert np.array_equal(back.x, there.target)
    assert np.array_equal(Run(run).data().train.x, there.target)
    # the other way round is another training
    capsys.readouterr()
    assert main(words) == 1
    assert "swap True there, False here" in capsys.readouterr().err


@pytest.mark.parametrize("skip", [False, True])
def test_pairs_that_are_none(skip: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder, run = halves(tmp_path / "pairs", 20), tmp_path / "run"
    Image.new("L", (17, 8)).save(folder / "odd.png")
    words = [
        "train",
        "regressor",
        "--data",
        f"pairs:{folder}",
        "--steps",
        "2",
        "--out",
        str(run),
        "--net",
        "mlp",
    ]
    assert main([*words, *["--skip-bad"] * skip]) == (0 if skip else 1)
    assert skip or "(first: odd.png: 17x8 pixels; an odd width" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ["vae", "--data", "digits", "--swap"],
            "only face-outlines[:N][,glasses=P] and pairs:PATH accept it; leave it out",
        ),
        (["vae", "--data", "unpaired:{}"], "two folders of images"),
        (["regressor", "--data", "pairs:{}/nowhere"], "there is no"),
        (["regressor", "--data", "pairs:{}", "--target", "b"], "pairs: --target does not apply here"),
    ],
)
def test_wrong_words_about_pairs(
    words: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = halves(tmp_path / "pairs")
    assert main(["train", *(word.format(folder) for word in words), "--out", str(tmp_path / "run")]) == 1
    err = capsys.readouterr().err
    assert said in err
    assert len(err.strip().splitlines()) == 1
    assert not (tmp_path / "run").exists()
