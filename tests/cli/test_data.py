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
from simulacra.errors import SimulacraError

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
    assert all(f"{written} " in out and what in out for _, written, what in SOURCES.values())
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
    assert lines[0] == "diary.png: not a picture"
    assert "30 of 31 can be used: 1 cannot be used" in lines[-1]


def test_check_lists_problems_of_the_csv(capsys: Capture, pics: Path) -> None:
    (pics / "labels.csv").write_text("picture,age\n")
    assert main(["check", f"folder:{pics}"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "labels.csv: the first column must be named 'file', not 'picture'"
    assert "labels.csv has to be mended" in lines[-1]


def test_check_as_json(capsys: Capture, pics: Path) -> None:
    (pics / "diary.png").write_text("a diary")
    assert main(["check", f"folder:{pics}", "--json", "--image-size", "8", "--channels", "3"]) == 1
    report = json.loads(capsys.readouterr().out)
    assert report["ok"] is False
    assert report["bad"] == {"diary.png": "not a picture"}
    assert report["shape"] == [3, 8, 8]


def test_check_prints_long_lists_in_part(capsys: Capture, pics: Path) -> None:
    for path in list(pics.iterdir()):
        (pics / f"copy{path.name}").write_bytes(path.read_bytes())
    assert main(["check", f"folder:{pics}"]) == 0
    out = capsys.readouterr().out
    assert out.count("same picture: ") == 21
    assert "10 more; --json lists them" in out


def test_preview(capsys: Capture, pics: Path, tmp_path: Path) -> None:
    out = tmp_path / "new" / "sheet.png"
    assert main(["preview", f"folder:{pics}", "--out", str(out), "-n", "4"]) == 0
    with Image.open(out) as image:
        assert image.size == (2 + 2 * 34, 2 + 2 * 34)  # 16 pixels twice as large
    assert f"{out}: 4 of " in capsys.readouterr().out


def test_preview_is_a_matter_of_the_seed_and_the_split(pics: Path, tmp_path: Path) -> None:
    def sheet(source: str, *options: str) -> bytes:
        main(["preview", source, "--out", str(tmp_path / "sheet.png"), "-n", "2", *options])
        return (tmp_path / "sheet.png").read_bytes()

    train = sheet(f"folder:{pics}")
    assert sheet(f"folder:{pics}@train", "--seed", "0") == train
    assert sheet(f"folder:{pics}", "--seed", "1") != train
    assert sheet(f"folder:{pics}@test") != train


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
        ([f"npz:{tmp_path / 'a.npz'}", "--out", out], "only images can be previewed"),
        (["digits", "--out", str(tmp_path)], "is a folder"),
        (["digits", "--out", out, "-n", "0"], "-n must be at least 1"),
        (["digits", "--out", out, "--image-size", "1"], "out of range"),
        (["digitz", "--out", out], "did you mean 'digits'"),
    ]:
        with pytest.raises(SimulacraError, match=message):
            main(["preview", *arguments])
    assert not Path(out).exists()


@pytest.mark.parametrize(
    "arguments",
    [[], ["frobnicate"], ["check"], ["check", "digits", "--channels", "2"], ["preview", "digits"]],
)
def test_bad_usage_exits_2(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2


def test_torch_is_not_imported(pics: Path) -> None:
    code = (
        "import sys; from simulacra.cli.data import main; main(['list']); "
        f"main(['check', 'folder:{pics}', '--json']); assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True, capture_output=True)
