"""What a checkpoint costs: the time that a training stands still, beside the disk's own time.

    python benchmarks/checkpoint.py [--rounds 10] [--folder .]

A GAN with two nets of 24 million parameters each, their moving average and Adam's moments. A checkpoint
writes both of its files, model.safetensors and checkpoints/STEP.safetensors, waits until they are on the disk
(fsync), and deletes the checkpoint before the last two. Alternating with it, as many bytes are written into
two plain files with fsync. The first round warms up. Prints the seconds of each round, and medians.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np

from simulacra.config import Training
from simulacra.data import Data, Options
from simulacra.data.spec import Dataset, DataSpec
from simulacra.engine.distributed import launch
from simulacra.engine.events import Events
from simulacra.engine.monitors.checkpoints import Checkpoints
from simulacra.engine.monitors.monitor import State
from simulacra.engine.session import Session
from simulacra.models.gan.card import GANConfig
from simulacra.run import Run, RunConfig

# 24 million parameters in each net
CONFIG = GANConfig(net="dcgan", width=184, features=476)
SPEC = DataSpec("image", (3, 64, 64))
PART = 2**24


def plain(folder: Path, sizes: list[int], buffer: bytes) -> float:
    """Seconds to write files of these sizes, each with fsync."""
    began = time.perf_counter()
    for i, size in enumerate(sizes):
        with (folder / f"plain{i}.{time.monotonic_ns()}").open("wb", buffering=0) as file:
            for start in range(0, size, PART):
                file.write(memoryview(buffer)[: min(PART, size - start)])
            os.fsync(file.fileno())
    seconds = time.perf_counter() - began
    for file_path in folder.glob("plain*"):
        file_path.unlink()
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--folder", default=".", help="on the disk that is measured")
    arguments = parser.parse_args()
    x = np.random.default_rng(0).integers(0, 256, (64, *SPEC.shape), dtype=np.uint8)
    part = Dataset(SPEC, x)
    data = Data("random", part, part, part)
    training = Training(steps=10_000, batch_size=4, ema=0.999, precision="32", device="cpu")
    config = RunConfig("gan", CONFIG, data.name, Options(), SPEC, training)
    session = Session(config, data, launch(training))
    for player, parameters in session.players.parameters.items():
        print(f"{player}: {sum(p.numel() for p in parameters) / 1e6:.1f} million parameters")
    session.model.train()
    # the moments of Adam
    session.play(0)
    buffer = os.urandom(PART)
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        run = Run(Path(folder) / "run")
        run.path.mkdir()
        events = Events(run, 0, 0, training.steps or 0, quiet=True)
        state = State(run, config, data, session.model, session.published, events, training.steps or 0)
        checkpoints = Checkpoints(training.checkpoint_every, session, None)
        times: dict[str, list[float]] = {"checkpoint": [], "plain files": []}
        for step in range(arguments.rounds + 1):
            state.step = step + 1
            began = time.perf_counter()
            checkpoints.save(state, session.players.record())
            saved = time.perf_counter() - began
            files = [run.weights, max(run.checkpoints.iterdir(), key=lambda file: file.name)]
            sizes = [file.stat().st_size for file in files]
            raw = plain(Path(folder), sizes, buffer)
            if step == 0:
                print(f"{sum(sizes) / 2**20:,.0f} MiB in {len(sizes)} files")
                continue
            times["checkpoint"].append(saved)
            times["plain files"].append(raw)
            print(f"round {step}: checkpoint {saved:.2f} s, plain files {raw:.2f} s")
    for kind, seconds in times.items():
        print(
            f"{kind:12} median {statistics.median(seconds):.2f} s, {min(seconds):.2f} to {max(seconds):.2f}"
        )
    ratios = [c / p for c, p in zip(times["checkpoint"], times["plain files"], strict=True)]
    print(f"checkpoint / plain files: median {statistics.median(ratios):.2f} of {len(ratios)} rounds")


if __name__ == "__main__":
    main()
