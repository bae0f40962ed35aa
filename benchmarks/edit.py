"""What `edit` costs beside its decoder: pictures are read, encoded, edited and written.

    python benchmarks/edit.py [--edits 10000] [--rounds 3] [--folder DIR]

The model is an autoencoder with default settings, a convolutional one, on drawn faces of 64 pixels. Each
round measures, one after the other, `model.decode` alone of as many latents as there are edits, in batches of
32 (those of `edit`) and of 128 (those of the library), and two edits of PNG files: one at five strengths, the
default, of a fifth as many pictures, and one at one strength. Prints edits/s, and the ratio of the speed of
each to that of the faster bare decode.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path
from shutil import rmtree

import numpy as np
import torch
from PIL import Image

import simulacra as sim
from simulacra.data.sources.faces import draw, sample_factors
from simulacra.latent.directions import Direction
from simulacra.models.registry import build, model_card
from simulacra.tasks.edit import edit_files
from simulacra.tasks.picture_files import open_pictures, plan

STRENGTHS = (-2.0, -1.0, 0.0, 1.0, 2.0)


def bare(model: sim.Autoencoder, z: torch.Tensor, batch: int) -> float:
    """Seconds that decoding takes."""
    began = time.perf_counter()
    with torch.no_grad():
        for part in z.split(batch):
            model.decode(part).mean.sum()
    return time.perf_counter() - began


def edited(
    model: sim.Autoencoder,
    pictures: list[Path],
    direction: Direction,
    strengths: tuple[float, ...],
    out: Path,
) -> float:
    """Seconds that editing takes, from the names of the files on."""
    rmtree(out, ignore_errors=True)
    began = time.perf_counter()
    with open_pictures(pictures, out) as found:
        jobs, bad, there = plan(found, out, [f"{s:+g}" for s in strengths])
        assert not bad
        assert not there
        done = list(edit_files(model, jobs, direction, strengths, False))
    seconds = time.perf_counter() - began
    assert len(done) == len(pictures)
    assert sum(1 for _ in out.iterdir()) == len(pictures) * len(strengths)
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--edits", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", type=Path, help="for the files; a temporary one by default")
    arguments = parser.parse_args()
    torch.manual_seed(0)
    spec, n = sim.DataSpec("image", (3, 64, 64)), arguments.edits
    model = build("autoencoder", spec, model_card("autoencoder").Config()).eval().requires_grad_(False)
    # as `sim.load` does
    model.to(memory_format=torch.channels_last)
    direction = Direction("smile", "z", torch.randn(model.latent.shape), "means")
    times: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        pictures = [Path(folder) / f"{i:05d}.png" for i in range(n)]
        for i in range(0, n, 1000):
            drawn = draw(sample_factors(min(n, i + 1000))[i:], 64)
            for file, x in zip(pictures[i:], drawn, strict=False):
                Image.fromarray(np.ascontiguousarray(x.transpose(1, 2, 0))).save(file)
        z = torch.randn(n, *model.latent.shape)
        out = Path(folder) / "out"
        few = pictures[: n // len(STRENGTHS)]
        for _ in range(arguments.rounds):
            for name, seconds in (
                ("decode, batches of 32", lambda: bare(model, z, 32)),
                ("edit at 5 strengths", lambda: edited(model, few, direction, STRENGTHS, out)),
                ("decode, batches of 128", lambda: bare(model, z, 128)),
                ("edit at 1 strength", lambda: edited(model, pictures, direction, (1.0,), out)),
            ):
                times.setdefault(name, []).append(seconds())
                print(f"  {name:24} {times[name][-1]:7.2f} s", flush=True)
    for name, seconds in times.items():
        print(f"{name:24} {n / statistics.median(seconds):8,.0f} a second")
    fastest = [min(pair) for pair in zip(*(times[f"decode, batches of {k}"] for k in (32, 128)), strict=True)]
    for name in ("edit at 5 strengths", "edit at 1 strength"):
        ratios = [b / e for b, e in zip(fastest, times[name], strict=True)]
        print(f"{name:24} {statistics.median(ratios):.2f} times the speed of the bare decode", ratios)


if __name__ == "__main__":
    main()
