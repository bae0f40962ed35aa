"""How close projections come to images: a model's own samples, held-out images, images of another kind.

    python benchmarks/projection.py RUN [--held SOURCE] [--other SOURCE] [--n 16] [--steps 500]
                                    [--encoder RUN] [--spaces w w+] [--tune-steps 350] [--alone 4]

The protocol of papers about GAN inversion (Xia et al. 2022, arXiv:2101.05278): for each kind of image and
each method, medians of PSNR and of the perceptual distance of `nets.perceptual`, the share of failures, and
seconds an image, all in one batch. A projection has failed if it is further from its image than half of the
mean distance between two images of its kind.

Methods: the nearest of 256 samples, where the optimisation starts; optimisation in each space; with noise
maps that are learned, scored with them and with the model's own ones; an encoder run alone, and with 50
steps after it; weights tuned around the latents of the first space, with what that does to other samples: how
far they move, in shares of the mean distance between two of them, and what the delta of 1 MiB loses. At last
images projected in one batch are timed against images one by one.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from copy import deepcopy
from typing import Any

import torch
from torch import Tensor

import simulacra as sim
from simulacra.core.batch import tensor
from simulacra.core.capabilities import Encodes, Styles
from simulacra.core.noise import Noise
from simulacra.data import split_of
from simulacra.latent import tuning
from simulacra.latent.project import Projection, project
from simulacra.metrics.reconstruction import psnr
from simulacra.nets.perceptual import perceptual_distance
from simulacra.run import Run
from simulacra.tasks.project import decoded

HEAD = f"{'images':8} {'method':34} {'PSNR':>6} {'distance':>9} {'failed':>7} {'s/image':>8}"
REFINED = 50


def distances(x: Tensor, y: Tensor) -> Tensor:
    with torch.no_grad():
        parts = [perceptual_distance(x[i : i + 16], y[i : i + 16]) for i in range(0, len(x), 16)]
    return torch.cat(parts)


def spread(x: Tensor) -> float:
    """The mean distance between two images."""
    return float(distances(x, x.roll(1, 0)).mean())


def row(kind: str, method: str, x: Tensor, y: Tensor, seconds: float | None = None) -> None:
    d, p = distances(x, y), psnr(x, y)
    failed = (d > spread(x) / 2).double().mean()
    timed = "" if seconds is None else f"{seconds / len(x):8.2f}"
    print(f"{kind:8} {method:34} {p.median():6.1f} {d.median():9.3f} {failed:7.0%} {timed}", flush=True)


def timed(model: Any, x: Tensor, space: str | None, **settings: Any) -> tuple[Projection, float]:
    began = time.perf_counter()
    found = project(model, x, space, **settings)
    return found, time.perf_counter() - began


def measure(model: Any, kind: str, x: Tensor, encoder: Any, arguments: argparse.Namespace) -> None:
    pivots = None
    for space in arguments.spaces:
        start = project(model, x, space, steps=0)
        row(kind, f"nearest sample, {space}", x, decoded(model, start))
        found, seconds = timed(model, x, space, steps=arguments.steps)
        pivots = pivots or found
        row(kind, f"{space}, {arguments.steps} steps", x, decoded(model, found), seconds)
        if isinstance(model, Styles):
            found, seconds = timed(model, x, space, steps=arguments.steps, learn_noise=True)
            row(kind, f"{space}, learned noise on", x, decoded(model, found), seconds)
            row(kind, f"{space}, learned noise off", x, decoded(model, found, noise=False))
    if encoder is not None:
        with torch.no_grad():
            z = encoder.encode(x, arguments.encoder_space).mean
        space = arguments.encoder_space or encoder.latent.name
        row(kind, f"encoder, {space}", x, decoded(model, Projection(z, space)))
        found, seconds = timed(model, x, space, steps=REFINED, start=z)
        row(kind, f"encoder, {REFINED} steps in {space}", x, decoded(model, found), seconds)
    if pivots is not None and arguments.tune_steps:
        tuned_rows(model, kind, x, pivots, arguments.tune_steps)


def tuned_rows(model: Any, kind: str, x: Tensor, pivots: Projection, steps: int) -> None:
    """Weights tuned around pivots: whole, and as the delta that is kept."""
    space = model.space(pivots.space)
    others = Projection(space.sample(64, Noise(99)), pivots.space)
    before = decoded(model, others)
    began = time.perf_counter()
    whole = tuning.tune(model, pivots.latents, x, pivots.space, steps=steps, size=2**40)
    seconds = time.perf_counter() - began
    small = tuning.compress({name: value.float() for name, value in uncompressed(model, whole).items()})
    for name, delta in (("tuned", whole), (f"tuned, {size(small) / 2**20:.2f} MiB", small)):
        tuned = tuning.apply(deepcopy(model), delta)
        row(kind, name, x, decoded(tuned, pivots), seconds if delta is whole else None)
        moved = float(distances(before, decoded(tuned, others)).mean()) / spread(before)
        print(f"{'':8} other samples move by {moved:.1%} of the distance between samples", flush=True)


def uncompressed(model: Any, delta: dict[str, Tensor]) -> dict[str, Tensor]:
    """The change of each weight that a delta stands for."""
    zero = deepcopy(model)
    with torch.no_grad():
        for parameter in zero.parameters():
            parameter.zero_()
    changed = tuning.apply(zero, delta)
    return {name: value for name, value in changed.named_parameters() if value.any()}


def size(delta: dict[str, Tensor]) -> int:
    return sum(value.nbytes for value in delta.values())


def examples(run: Run, source: str, n: int) -> Tensor:
    dataset = run.data(source).split(split_of(source))
    return tensor(dataset.x[:n])


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run")
    parser.add_argument("--held", help="a source; the run's own test split by default")
    parser.add_argument("--other", help="a source of images of another kind")
    parser.add_argument("--n", type=int, default=16)
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--spaces", nargs="+", help="the default one, and w+ where there is one, by default")
    parser.add_argument("--encoder", help="a run that encodes into a space of the model")
    parser.add_argument("--encoder-space")
    parser.add_argument("--tune-steps", type=int, default=tuning.STEPS)
    parser.add_argument("--alone", type=int, default=4, help="images that are projected one by one")
    arguments = parser.parse_args(argv)
    run = Run(arguments.run)
    model: Any = run.load()
    names = [space.name for space in model.spaces]
    arguments.spaces = arguments.spaces or [names[0], *(name for name in names if name == "w+")]
    encoder: Any = None if arguments.encoder is None else sim.load(arguments.encoder)
    assert encoder is None or isinstance(encoder, Encodes), "the encoder encodes"
    print(HEAD)
    with torch.no_grad():
        own = model.sample(arguments.n, seed=12345)
    measure(model, "own", own, encoder, arguments)
    held = examples(run, arguments.held or f"{run.config.source}@test", arguments.n)
    measure(model, "held out", held, encoder, arguments)
    if arguments.other:
        measure(model, "other", examples(run, arguments.other, arguments.n), encoder, arguments)
    few = max(1, arguments.steps // 10)
    _, together = timed(model, own, None, steps=few)
    alone = sum(timed(model, one[None], None, steps=few)[1] for one in own[: arguments.alone])
    ratio = (alone / arguments.alone) / (together / len(own))
    print(f"{len(own)} images in one batch: {ratio:.1f} times as fast as one by one, {few} steps each")


if __name__ == "__main__":
    main()
