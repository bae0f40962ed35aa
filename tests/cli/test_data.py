from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from simulacra.cli.data import main
from simulacra.data import SOURCES
from simulacra.errors import ConfigError, SimulacraError

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def pics(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    (tmp_path / "pics").mkdir()
    for i in range(30):
        Image.fromarray(rng.integers(0, 256, (16, 16), dtype=np.uint8)).save(
            tmp_path / "pics" / f"{i:02}.png"
        )
    return tmp_path / "pics"


def test_list(capsys: Capture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIMULACRA_DATA", str(tmp_path))
    assert main(["list"]) == 0
    out = capsys.readouterr().out
    assert all(f"{one.usage} " in out and one.summary in out for one in SOURCES.values())
    assert str(tmp_path) in out
    assert list(tmp_path.iterdir()) == []


def test_check_of_a_sound_source(capsys: Capture, pics: Path) -> None:
    assert main(["check", f"folder:{pics}"]) == 0
    out, err = capsys.readouterr()
    assert out.splitlines()[-1] == f"folder:{pics}: 30 of 30 can be used: ok"
    assert "images of 1x16x16, from 16x16 30" in out
    assert err == ""


def test_check_lists_bad_files(capsys: Capture, pics: Path) -> None:
    (pics / "diary.png").write_text("a diary")
    assert main(["check", f"folder:{pics}"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "diary.png: not an image"
    assert "30 of 31 can be used: 1 cannot be used" in lines[-1]


def test_check_lists_problems_of_the_csv(capsys: Capture, pics: Path) -> None:
    (pics / "labels.csv").write_text("image,age\n")
    assert main(["check", f"folder:{pics}"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "labels.csv: the first column must be named 'file', not 'image'"
    assert "labels.csv needs corrections" in lines[-1]


def test_check_as_json(capsys: Capture, pics: Path) -> None:
    (pics / "diary.png").write_text("a diary")
    assert main(["check", f"folder:{pics}", "--json", "--image-size", "8", "--channels", "3"]) == 1
    report = json.loads(capsys.readouterr().out)
    assert report["ok"] is False
    assert report["bad"] == {"diary.png": "not an image"}
    assert report["shape"] == [3, 8, 8]


def test_check_prints_long_lists_in_part(capsys: Capture, pics: Path) -> None:
    for path in list(pics.iterdir()):
        (pics / f"copy{path.name}").write_bytes(path.read_bytes())
    assert main(["check", f"folder:{pics}"]) == 0
    out = capsys.readouterr().out
    assert out.count("duplicates: ") == 21
    assert "10 more; --json lists them" in out


def test_preview(capsys: Capture, pics: Path, tmp_path: Path) -> None:
    out = tmp_path / "new" / "sheet.png"
    assert main(["preview", f"folder:{pics}", "--out", str(out), "-n", "4"]) == 0
    with Image.open(out) as image:
        assert image.size == (2 + 2 * 34, 2 + 2 * 34)  # 16 pixels twice as large
    assert f"{out}: 4 of " in capsys.readouterr().out


def test_preview_is_a_matter_of_the_seed_and_the_split(pics: Path, tmp_path: Path) -> None:
    def sheet(source: str, *options: str) -> bytes:
        main(["preview", source, "--out", str(tmp_path / "sheet.png"), "-n", "2", "--overwrite", *options])
        return (tmp_path / "sheet.png").read_bytes()

    train = sheet(f"folder:{pics}")
    assert sheet(f"folder:{pics}@train", "--seed", "0") == train
    assert sheet(f"folder:{pics}", "--seed", "1") != train
    assert sheet(f"folder:{pics}@test") != train


def test_preview_shows_pairs_side_by_side(capsys: Capture, tmp_path: Path) -> None:
    (tmp_path / "pairs").mkdir()
    for i in range(12):
        both = Image.new("L", (64, 32), 200 + i)
        both.paste(10 + i, (0, 0, 32, 32))
        both.save(tmp_path / "pairs" / f"{i}.png")
    source, out = f"pairs:{tmp_path / 'pairs'}", tmp_path / "sheet.png"
    for swap in ([], ["--swap"]):
        assert main(["preview", source, "--out", str(out), "-n", "4", "--overwrite", *swap]) == 0
        assert f"{out}: 4 of " in (told := capsys.readouterr().out)
        assert f" pairs of the train split of {source}" in told
        with Image.open(out) as image:
            assert image.size == (2 + 4 * 34, 2 + 2 * 34)  # two pairs a row
            sheet = np.asarray(image)[..., 0].astype(int)
        # the pixels between the white lines
        tiles = sheet[2:, 2:].reshape(2, 34, 4, 34)[:, :32, :, :32].transpose(0, 2, 1, 3).reshape(8, -1)
        assert (tiles == tiles[:, :1]).all()
        example, target = tiles[::2, 0], tiles[1::2, 0]
        assert ((example - target) == (190 if swap else -190)).all()
        assert len(set(example.tolist())) == 4
    out = tmp_path / "faces.png"
    assert main(["preview", "face-outlines:30", "--image-size", "32", "-n", "2", "--out", str(out)]) == 0
    assert f"{out}: 2 of " in capsys.readouterr().out


def test_check_of_pairs(capsys: Capture, tmp_path: Path) -> None:
    for side, names in {"A": ("1", "2", "4"), "B": ("1", "2", "3")}.items():
        (tmp_path / side).mkdir()
        for name in names:
            Image.new("L", (16, 20 if side + name == "B2" else 16), int(name)).save(
                tmp_path / side / f"{name}.png"
            )
    assert main(["check", f"pairs:{tmp_path}"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines == [
        "A/2.png: 16x16 pixels, but 16x20 its partner B/2.png",
        "A/4.png: no partner of this name in the other folder",
        "B/3.png: no partner of this name in the other folder",
        "images of 1x16x16, from 16x16 1",
        "target: images of 1x16x16",
        "splits: train 1, validation 0, test 0",
        f"pairs:{tmp_path}: 1 of 4 can be used: 3 cannot be used; remove them, or train with --skip-bad",
    ]


def test_check_counts_bad_files_that_a_training_skips(pics: Path, capsys: Capture) -> None:
    (pics / "diary.png").write_text("a diary")
    assert main(["check", f"folder:{pics}"]) == 1
    capsys.readouterr()
    assert main(["check", f"folder:{pics}", "--skip-bad"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("diary.png: ")
    assert lines[-1].endswith(": 1 are skipped")


def test_preview_skips_bad_files_when_told(pics: Path, tmp_path: Path) -> None:
    (pics / "diary.png").write_text("a diary")
    arguments = ["preview", f"folder:{pics}", "--out", str(tmp_path / "sheet.png"), "--image-size", "8"]
    with pytest.raises(SimulacraError, match="--skip-bad"):
        main(arguments)
    assert main([*arguments, "--skip-bad"]) == 0


def test_preview_says_what_is_wrong(tmp_path: Path) -> None:
    out = str(tmp_path / "sheet.png")
    np.savez(tmp_path / "a.npz", x=np.random.default_rng(0).normal(size=(40, 3)))
    for arguments, message in [
        ([f"npz:{tmp_path / 'a.npz'}", "--out", out], "only images and sentences can be previewed"),
        (["digits", "--out", str(tmp_path)], "is a folder"),
        (["digits", "--out", out, "-n", "0"], "-n must be at least 1"),
        (["digits", "--out", out, "--image-size", "1"], "out of range"),
        (["digitz", "--out", out], "did you mean 'digits'"),
    ]:
        with pytest.raises(SimulacraError, match=message):
            main(["preview", *arguments])
    assert not Path(out).exists()


@pytest.mark.parametrize("arguments", [["frobnicate"], ["check"], ["check", "digits", "--channels", "2"]])
def test_bad_usage_exits_2(arguments: list[str]) -> None:
    with pytest.raises(ConfigError):
        main(arguments)


def test_torch_is_not_imported(pics: Path) -> None:
    code = (
        "import sys; from simulacra.cli.data import main; main(['list']); "
        f"main(['check', 'folder:{pics}', '--json']); assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True, capture_output=True)
