"""Examples as files: one grid, a folder of PNGs, a NumPy archive, a table, or lines of text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image
from torch import Tensor

from simulacra.core.batch import to_bytes
from simulacra.data.spec import DataSpec
from simulacra.data.tables.rows import schema_of
from simulacra.data.tables.writer import SUFFIXES, write_table
from simulacra.errors import ConfigError
from simulacra.files import replacing, replacing_all
from simulacra.images import ANIMATIONS, grid, save_png


def check_output(out: Path | None, spec: DataSpec, charts: bool = False, animations: bool = False) -> None:
    """Refuse an output that examples of this kind cannot be written to, before any work is done.

    Args:
        out: the file or the folder; None for sentences that are printed.
        spec: of the examples.
        charts: vectors may be drawn, as a chart.
        animations: pictures may be the frames of an animation.

    Raises:
        ConfigError: an ending that does not fit the examples.
    """
    if out is None:
        if spec.kind == "text":
            return
        raise ConfigError("--out is missing; only sentences are printed without it")
    if spec.kind == "text":
        if out.suffix not in (".txt", ".npz"):
            raise ConfigError(f"out: these examples are sentences; give a .txt or a .npz, not {out}")
    elif spec.kind != "image":
        if out.suffix not in (".npz", *SUFFIXES, *([".png"] if charts else [])):
            files = f"a .csv, .parquet or .npz{', or a .png for a chart' if charts else ''}"
            raise ConfigError(f"out: these examples are vectors, not pictures; give {files}, not {out}")
    elif out.suffix not in (".png", ".npz", "", *(ANIMATIONS if animations else ())):
        films = "a .gif, a .webp, " if animations else ""
        raise ConfigError(f"out: {out} ends in '{out.suffix}'; give a .png, {films}a .npz or a folder")
    if out.suffix and out.is_dir():
        raise ConfigError(f"out: {out} is a folder")
    if not out.suffix and out.is_file():
        raise ConfigError(f"out: {out} is a file; give a .png, a .npz or a folder")


def write_examples(
    x: Tensor,
    spec: DataSpec,
    out: Path | None,
    columns: int | None = None,
    labels: Mapping[str, Sequence[str]] | None = None,
    overwrite: bool = True,
) -> None:
    """Write examples: of pictures `.png` is a grid, and no ending a folder; of vectors `.csv` is a table.

    Of sentences `.txt` has a line for each, and an empty line after each row of the grid; without a file they
    are printed so.

    A file and a new folder are whole or absent; in an existing folder, all files are written or none.

    Args:
        x: `(N, C, H, W)` in [0, 1], `(N, D)`, or numbers of tokens `(N, T)`.
        spec: of the examples.
        out: the file or the folder; None for sentences that are printed.
        columns: of the grid.
        labels: more columns of a table.
        overwrite: whether files that are there are replaced.
    """
    if out is None or out.suffix == ".txt":
        assert spec.vocabulary is not None
        lines = spec.vocabulary.decode(x.cpu().numpy())
        rows = [lines[i : i + columns] for i in range(0, len(lines), columns)] if columns else [lines]
        text = "\n\n".join("\n".join(row) for row in rows) + "\n"
        if out is None:
            print(text, end="")
            return
        with replacing(out, overwrite) as file:
            file.write_text(text, encoding="utf-8")
    elif out.suffix in SUFFIXES:
        schema = schema_of(spec)
        write_table({**schema.decode(x.cpu().numpy()), **(labels or {})}, out, schema, overwrite)
    elif out.suffix == ".npz":
        with replacing(out, overwrite) as file, file.open("wb") as stream:
            np.savez_compressed(stream, x=x.cpu().numpy())
    elif out.suffix == ".png":
        save_png(grid(to_bytes(x), columns), out, overwrite)
    else:
        names = [f"{i:05d}.png" for i in range(len(x))]
        if out.is_dir():
            with replacing_all({out / name: overwrite for name in names}) as files:
                _write_each(x, files)
        else:
            with replacing(out, overwrite) as folder:
                folder.mkdir()
                _write_each(x, [folder / name for name in names])


def _write_each(images: Tensor, files: Sequence[Path]) -> None:
    for image, file in zip(to_bytes(images), files, strict=True):
        array = np.broadcast_to(image, (3, *image.shape[1:])).transpose(1, 2, 0)
        Image.fromarray(array).save(file, format="PNG")
