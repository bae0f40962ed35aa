from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from simulacra.errors import RunError
from simulacra.images import grid, save_png


def test_tiles_row_by_row_on_white() -> None:
    x = np.arange(5, dtype=np.uint8)[:, None, None, None].repeat(3, 1).repeat(30, 2).repeat(40, 3)
    sheet = grid(x, columns=3, padding=2)
    assert sheet.shape == (2 + 2 * 32, 2 + 3 * 42, 3)
    assert sheet.dtype == np.uint8
    for i in range(5):
        top, left = 2 + i // 3 * 32, 2 + i % 3 * 42
        assert (sheet[top : top + 30, left : left + 40] == i).all()
    assert (sheet[34:, 2 + 2 * 42 :] == 255).all()  # the place of the sixth
    assert (sheet[:2] == 255).all()


def test_channels_keep_their_order() -> None:
    x = np.zeros((1, 3, 32, 32), np.uint8)
    x[:, 0] = 200
    assert grid(x, padding=0)[0, 0].tolist() == [200, 0, 0]


@pytest.mark.parametrize(("n", "columns"), [(1, 1), (2, 2), (9, 3), (10, 4)])
def test_as_square_as_it_gets(n: int, columns: int) -> None:
    assert grid(np.zeros((n, 1, 28, 28), np.uint8), padding=0).shape[1] == columns * 28


def test_few_images_take_no_empty_columns() -> None:
    assert grid(np.zeros((2, 1, 28, 28), np.uint8), columns=8, padding=0).shape == (28, 56, 3)


def test_tiny_images_are_enlarged_by_a_whole_factor() -> None:
    x = np.random.default_rng(0).integers(0, 256, (1, 1, 8, 8), dtype=np.uint8)
    sheet = grid(x, padding=0)
    assert sheet.shape == (32, 32, 3)
    assert np.array_equal(sheet[::4, ::4, 0], x[0, 0])
    assert np.array_equal(sheet[3::4, 3::4, 1], x[0, 0])


@pytest.mark.parametrize(
    "x",
    [np.zeros((0, 1, 8, 8), np.uint8), np.zeros((1, 2, 8, 8), np.uint8), np.zeros((1, 1, 8, 8), np.float32)],
)
def test_other_arrays_are_refused(x: np.ndarray) -> None:
    with pytest.raises(ValueError, match="expected uint8"):
        grid(x)


def test_a_png_comes_back(tmp_path: Path) -> None:
    sheet = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    path = tmp_path / "new" / "folder" / "sheet.png"
    save_png(sheet, path)
    with Image.open(path) as image:
        assert np.array_equal(np.asarray(image), sheet)
    assert [each.name for each in path.parent.iterdir()] == ["sheet.png"]


def test_what_cannot_be_written_is_said(tmp_path: Path) -> None:
    sheet = np.zeros((4, 4, 3), np.uint8)
    (tmp_path / "file").touch()
    with pytest.raises(RunError, match="is a folder"):
        save_png(sheet, tmp_path)
    with pytest.raises(RunError, match=r"end in \.png"):
        save_png(sheet, tmp_path / "sheet.jpg")
    with pytest.raises(RunError, match="cannot be made"):
        save_png(sheet, tmp_path / "file" / "sheet.png")


def test_what_was_there_stays_when_writing_fails(tmp_path: Path) -> None:
    path = tmp_path / "sheet.png"
    path.write_bytes(b"before")
    with pytest.raises(TypeError):
        save_png(np.zeros((4, 4, 3), np.complex64), path)
    assert path.read_bytes() == b"before"
    assert [each.name for each in tmp_path.iterdir()] == ["sheet.png"]
