"""GANs trained for the same time and scored in the same way: this library and its peers, at 32 px.

    pip install --no-deps --target peers torchgan==0.1.0
    SIMULACRA_DATA=... simulacra train classifier --data mnist --image-size 32 --out runs/classifier
    SIMULACRA_DATA=... PYTHONPATH=peers python benchmarks/mnist_gans.py --classifier runs/classifier \\
        [--minutes 10]

pytorch-examples    its DCGAN and its loop (`gan_step.Plain`). Its nets are for 64 px, to which it would
                    enlarge MNIST, four times the work; this benchmark leaves out the widest level.
torchgan            its DCGAN, optimizers and least-squares losses, as in its first tutorial, MNIST at 32 px.
torchgan-minimax    the same with the tutorial's minimax losses.
ours                `simulacra train gan`, with all options that are not listed below (for example
                    `--precision bf16`), or the run folder of `--run`.

All gather batches of the same images from the same table in memory, in the same order if the batch size is
the same. A peer logs nothing and is stopped by the clock; all use the same number of threads. A trial
estimates how many steps of `simulacra train gan` fit into the time, with monitors and checkpoints, and the
training is interrupted if they do not. A peer's 10,000 samples are drawn twice, normalised by the batch and
by running averages, and both sets are scored.

FID, KID, precision, recall, density and coverage compare samples and test images in the features of a
classifier run; `digits` is the largest difference between the frequencies of its predicted classes among
samples and test images, in points. 10,000 training images show the best scores to expect. Writes 64 samples
of each (PNG) and scores.jsonl.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import tempfile
import threading
import time
import types
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from gan_step import BATCH, BETAS, LATENT, Plain
from simulacra import data as sources
from simulacra.cli import train as command
from simulacra.core.capabilities import Samples
from simulacra.core.noise import Noise
from simulacra.data import Data, Options
from simulacra.engine.batches import Batches
from simulacra.images import grid, save_png
from simulacra.metrics.features import Extractor, load_extractor
from simulacra.metrics.sample_scores import score_samples
from simulacra.metrics.statistics import Statistics, as_examples
from simulacra.run import Run

SIZE, SAMPLES = 32, 10_000
# share of the time for the training steps of `ours`; the rest is for monitors, which the trial does not time
SHARE = 0.95


class Peer(NamedTuple):
    """What is trained by the clock.

    Attributes:
        step: both players move once; takes images in [-1, 1].
        generator: `(B, 100)` to images in [-1, 1].
    """

    step: Callable[[Tensor], object]
    generator: nn.Module


def examples() -> Peer:
    loop = Plain(SIZE, 1)
    return Peer(lambda x: loop.step(x, torch.randn(len(x), LATENT)), loop.generator)


def torchgan(losses: str) -> Peer:
    # imported for its pictures, which nobody asks for here
    absent = find_spec("torchvision") is None
    if absent:
        sys.modules["torchvision"] = types.ModuleType("torchvision")
    nets, of = import_module("torchgan.models"), import_module("torchgan.losses")
    if absent:
        del sys.modules["torchvision"]
    slope = nn.LeakyReLU(0.2)
    generator = nets.DCGANGenerator(LATENT, SIZE, 1, 32, nonlinearity=slope, last_nonlinearity=nn.Tanh())
    discriminator = nets.DCGANDiscriminator(SIZE, 1, 32, nonlinearity=slope, last_nonlinearity=slope)
    moves_g = torch.optim.Adam(generator.parameters(), lr=1e-4, betas=BETAS)
    moves_d = torch.optim.Adam(discriminator.parameters(), lr=3e-4, betas=BETAS)
    loss_g, loss_d = getattr(of, f"{losses}GeneratorLoss")(), getattr(of, f"{losses}DiscriminatorLoss")()
    device = torch.device("cpu")

    # the order of its trainer
    def step(x: Tensor) -> None:
        loss_g.train_ops(generator, discriminator, moves_g, device, len(x))
        loss_d.train_ops(generator, discriminator, moves_d, x, device)

    return Peer(step, generator)


PEERS: dict[str, Callable[[], Peer]] = {
    "pytorch-examples": examples,
    "torchgan": lambda: torchgan("LeastSquares"),
    "torchgan-minimax": lambda: torchgan("Minimax"),
}


class Trained(NamedTuple):
    """Minutes and steps it took, images seen, and sets of samples by how they were drawn."""

    minutes: float
    steps: int
    seen: int
    samples: dict[str, Tensor]


def by_the_clock(peer: Peer, data: Data, minutes: float, seed: int) -> Trained:
    batches = Batches(data.train, BATCH, seed, 2**31, 1, torch.device("cpu"))
    peer.generator.train()
    began = time.perf_counter()
    for step in count():
        if (passed := time.perf_counter() - began) >= 60 * minutes:
            break
        peer.step(2 * batches.at(step, 0).x - 1)
    # the averages first: drawing by the batch moves them
    drawn = {
        way: _draw(peer.generator, seed, by_batch)
        for way, by_batch in (("by averages", False), ("by batch", True))
    }
    return Trained(passed / 60, step, step * BATCH, drawn)


@torch.no_grad()
def _draw(generator: nn.Module, seed: int, by_batch: bool) -> Tensor:
    generator.train(by_batch)
    z = Noise(seed).normal(SAMPLES, LATENT)
    return torch.cat([generator(part) for part in z.split(BATCH)]) / 2 + 0.5


def ours(source: str, folder: Path, minutes: float, seed: int, settings: list[str]) -> Trained:
    common = ["gan", "--data", source, "--image-size", str(SIZE), "--seed", str(seed), *settings]
    with tempfile.TemporaryDirectory() as name:
        trial = Run(command.run([*common, "--steps", "60", "--log-every", "20", "--out", f"{name}/run"]))
        speed = float(trial.events("train")[-1]["images_per_second"]) / trial.config.training.batch_size
    steps = max(1, int(SHARE * 60 * minutes * speed))
    stop = threading.Timer(60 * minutes, os.kill, (os.getpid(), signal.SIGINT))
    began = time.perf_counter()
    stop.start()
    try:
        command.run([*common, "--steps", str(steps), "--out", str(folder)])
    except KeyboardInterrupt:
        print(f"ours: stopped by the clock before step {steps}", file=sys.stderr)
    finally:
        stop.cancel()
    passed = time.perf_counter() - began
    return of_run(Run(folder), seed)._replace(minutes=passed / 60)


def of_run(run: Run, seed: int) -> Trained:
    """Samples of a finished run; its minutes are those between the lines of its log, without monitors."""
    size, events = run.config.training.batch_size, run.events("train")
    steps = [0, *(event["step"] for event in events)]
    seconds = sum(
        (now - before) * size / event["images_per_second"]
        for before, now, event in zip(steps, steps[1:], events, strict=False)
    )
    model = run.load()
    assert isinstance(model, Samples)
    drawn = {"": model.sample(SAMPLES, Noise(seed))}
    return Trained(seconds / 60, steps[-1], steps[-1] * size, drawn)


def scores(x: np.ndarray, real: np.ndarray, extractor: Extractor, seed: int) -> dict[str, Any]:
    numbers = score_samples(x, real, extractor, ("fid", "kid", "prdc"), seed)
    shares = [_shares(images, extractor) for images in (x, real)]
    return numbers | {"digits": 100 * float(np.abs(shares[0] - shares[1]).max())}


def _shares(x: np.ndarray, extractor: Extractor) -> np.ndarray:
    """How often the classifier predicts each class, `(K,)`."""
    p = Statistics(x, extractor, classes=True).probabilities
    assert p is not None
    return np.bincount(p.argmax(axis=1), minlength=p.shape[1]) / len(p)


def main() -> None:
    form = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=form)
    parser.add_argument("--classifier", type=Path, required=True, help="run folder of a classifier at 32 px")
    parser.add_argument("--minutes", type=float, default=10.0, help="of training, each")
    parser.add_argument("--data", default="mnist")
    parser.add_argument("--peer", nargs="+", choices=[*PEERS, "ours"], default=[*PEERS, "ours"])
    parser.add_argument("--run", type=Path, help="ours: a trained run instead of training one")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--out", type=Path, default=Path("runs/mnist-gans"))
    arguments, settings = parser.parse_known_args()
    out, seed, minutes = arguments.out, arguments.seed, arguments.minutes
    if "ours" in arguments.peer and arguments.run is None and (out / "ours").exists():
        parser.error(f"{out / 'ours'} exists already; choose another --out, or give it as --run")
    out.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(arguments.threads)
    data = sources.load(arguments.data, Options(image_size=SIZE, channels=1))
    real, extractor = data.test.x[:SAMPLES], load_extractor(Run(arguments.classifier).load())

    names = ("fid", "kid", "precision", "recall", "density", "coverage", "digits")
    print(f"{'':30} minutes  steps   images " + "".join(f"{name:>10}" for name in names))

    def show(name: str, trained: Trained) -> None:
        for way, drawn in trained.samples.items():
            x = as_examples(drawn)
            row: dict[str, Any] = {"name": name, "drawn": way, "minutes": trained.minutes}
            row |= {"steps": trained.steps, "images": trained.seen, "threads": arguments.threads}
            row |= scores(x, real, extractor, seed)
            save_png(grid(x[:64], 8), out / f"{'-'.join([name, *way.split()])}.png")
            with (out / "scores.jsonl").open("a", encoding="utf-8") as file:
                file.write(json.dumps(row) + "\n")
            numbers = "".join(f"{row[name]:10.4f}" for name in names)
            about = f"{trained.minutes:7.2f} {trained.steps:6} {trained.seen:8}"
            print(f"{name + ' ' + way:30} {about} {numbers}", flush=True)

    show("training-images", Trained(0.0, 0, 0, {"": torch.from_numpy(data.train.x[:SAMPLES])}))
    for name in arguments.peer:
        torch.manual_seed(seed)
        if name != "ours":
            show(name, by_the_clock(PEERS[name](), data, minutes, seed))
        elif arguments.run is not None:
            show(name, of_run(Run(arguments.run), seed))
        else:
            show(name, ours(arguments.data, out / name, minutes, seed, settings))


if __name__ == "__main__":
    main()
