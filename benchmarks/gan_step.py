"""A training step of DCGAN at 64 px: this library and the plain loop of pytorch/examples.

    python benchmarks/gan_step.py [--rounds 10] [--steps 3] [--threads 2]
    python benchmarks/gan_step.py --check

The nets of Radford et al. 2016 with 64 filters and 100 latents, batches of 64, Adam at 2e-4 with betas (0.5,
0.999), binary cross-entropy. The plain loop does what dcgan/main.py of pytorch/examples (77f55b9) does:
gradients for both nets in the generator's turn, sigmoid and then cross-entropy, torch's Adam with its
defaults, losses read back at every step. The other side is the game of `GAN` with the same nets, played by
the engine. All sides alternate in one process and gather their batches from the same table in memory; the
first round warms up.

Prints the peak memory of each side in a process of its own (beyond the imports), median seconds per step,
and the median of the rounds' ratios. `--check` compares the losses of the first five steps instead, with
equal seeds, nets and noise. Adam's first step is as long for a gradient of 1e-7 as for one of 1, and batch
norm enlarges the small differences between the first fakes, so that rounding alone makes fp32 runs diverge.
The plain loop compared with itself, with every batch in reverse order, shows by how much. In fp64 the two
sides agree.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from itertools import count, islice
from math import log2
from multiprocessing import get_context
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from simulacra import data as sources
from simulacra.config import Training
from simulacra.core.batch import Batch
from simulacra.data import Data, Options
from simulacra.engine.batches import Batches
from simulacra.engine.distributed import launch
from simulacra.engine.players import Players
from simulacra.models.gan.card import GANConfig
from simulacra.models.gan.model import GAN

SIZE, BATCH, FILTERS, LATENT, RATE, BETAS = 64, 64, 64, 100, 2e-4, (0.5, 0.999)
SEED = 0
# BCE on real, on fake, of the generator
Losses = tuple[float, float, float]


def dcgan(size: int, channels: int) -> tuple[nn.Sequential, nn.Sequential]:
    """Radford et al. 2016 for images of 2^k pixels: generator `(B, 100)` to before its tanh, and
    discriminator to logits `(B,)`. At 64 px 512, 256, 128, 64 channels; at 32 px without the widest level.
    """
    widths = [FILTERS * 2**level for level in range(int(log2(size)) - 2)]
    wide = widths[::-1]
    up = [nn.Unflatten(1, (LATENT, 1, 1)), *_up(LATENT, wide[0], 1, 0)]
    for c_in, c_out in zip(wide, wide[1:], strict=False):
        up += _up(c_in, c_out, 2, 1)
    generator = nn.Sequential(*up, nn.ConvTranspose2d(wide[-1], channels, 4, 2, 1, bias=False))
    down: list[nn.Module] = [nn.Conv2d(channels, widths[0], 4, 2, 1, bias=False), nn.LeakyReLU(0.2, True)]
    for c_in, c_out in zip(widths, widths[1:], strict=False):
        convolution = nn.Conv2d(c_in, c_out, 4, 2, 1, bias=False)
        down += [convolution, nn.BatchNorm2d(c_out), nn.LeakyReLU(0.2, True)]
    discriminator = nn.Sequential(*down, nn.Conv2d(widths[-1], 1, 4, 1, 0, bias=False), nn.Flatten(0))
    for module in [*generator.modules(), *discriminator.modules()]:
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.normal_(module.weight, 0.0, 0.02)
        elif isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.weight, 1.0, 0.02)
    return generator, discriminator


def _up(c_in: int, c_out: int, stride: int, padding: int) -> list[nn.Module]:
    convolution = nn.ConvTranspose2d(c_in, c_out, 4, stride, padding, bias=False)
    return [convolution, nn.BatchNorm2d(c_out), nn.ReLU(True)]


class Plain:
    """The loop of pytorch/examples, on images in [-1, 1].

    Attributes:
        generator: `(B, 100)` to images.
    """

    def __init__(self, size: int, channels: int) -> None:
        generator, discriminator = dcgan(size, channels)
        self.generator = nn.Sequential(*generator, nn.Tanh())
        self.discriminator = nn.Sequential(*discriminator, nn.Sigmoid())
        self.bce = nn.BCELoss()
        self.moves_d = torch.optim.Adam(self.discriminator.parameters(), lr=RATE, betas=BETAS)
        self.moves_g = torch.optim.Adam(self.generator.parameters(), lr=RATE, betas=BETAS)

    def step(self, x: Tensor, z: Tensor) -> Losses:
        real, fake = torch.ones(len(x)), torch.zeros(len(x))
        self.discriminator.zero_grad()
        loss_real = self.bce(self.discriminator(x), real)
        loss_real.backward()
        g = self.generator(z)
        loss_fake = self.bce(self.discriminator(g.detach()), fake)
        loss_fake.backward()
        self.moves_d.step()
        self.generator.zero_grad()
        loss = self.bce(self.discriminator(g), real)
        loss.backward()
        self.moves_g.step()
        return loss_real.item(), loss_fake.item(), loss.item()


def model(data: Data) -> GAN:
    """Our game with the same nets."""
    config = GANConfig(latent_dim=LATENT, objective="non-saturating", r1=0.0, r2=0.0, gradient_penalty=0.0)
    gan = GAN(data.spec, config)
    torch.manual_seed(SEED)
    gan.generator, discriminator = dcgan(SIZE, data.spec.shape[0])
    gan.discriminator = discriminator  # type: ignore[assignment]  # the game takes any net
    return gan.train()


def players(gan: GAN, precision: Any) -> Players:
    training = Training(batch_size=BATCH, lr=RATE, betas=BETAS, precision=precision, device="cpu")
    return Players(gan, training, launch(training))


def batches(data: Data) -> Iterator[Batch]:
    """In the shuffled order of the engine, without an end, with x in torch's default precision."""
    endless = Batches(data.train, BATCH, SEED, 2**31, 1, torch.device("cpu"))
    for step in count():
        batch = endless.at(step, 0)
        yield replace(batch, x=batch.x.to(torch.get_default_dtype()))


Side = Callable[[int], None]


def plain(data: Data) -> Side:
    """The peer's next k steps."""
    torch.manual_seed(SEED)
    loop, todo = Plain(SIZE, data.spec.shape[0]), batches(data)

    def play(steps: int) -> None:
        for batch in islice(todo, steps):
            loop.step((batch.x - 0.5) / 0.5, torch.randn(len(batch), LATENT))

    return play


def ours(data: Data, precision: str) -> Side:
    """Our next k steps, and what the engine does when it logs."""
    engine, todo = players(model(data), precision), batches(data)

    def play(steps: int) -> None:
        for batch in islice(todo, steps):
            engine.play([batch], RATE)
        engine.averages(batch.step + 1)

    return play


def their_losses(data: Data, steps: int, turned: bool = False) -> list[Losses]:
    """Of the plain loop's first steps, the batches as they are or from last to first."""
    torch.manual_seed(SEED)
    loop, order = Plain(SIZE, data.spec.shape[0]), torch.arange(BATCH)
    order = order.flip(0) if turned else order
    return [
        loop.step(((batch.x - 0.5) / 0.5)[order], batch.noise.normal(BATCH, LATENT)[order])
        for batch in islice(batches(data), steps)
    ]


def our_losses(data: Data, steps: int) -> list[Losses]:
    """Of our first steps, from what the discriminator says to real and then to fake examples."""
    gan = model(data)
    outputs: list[Tensor] = []
    gan.discriminator.register_forward_hook(lambda net, given, output: outputs.append(output.detach()))
    engine, found = players(gan, "32"), []
    for batch in islice(batches(data), steps):
        outputs.clear()
        engine.play([batch], RATE)
        terms = engine.averages(batch.step + 1)
        real, fake = F.softplus(-outputs[0]).mean().item(), F.softplus(outputs[1]).mean().item()
        assert abs(terms["discriminator_loss"] - real - fake) < 1e-6 * (real + fake)
        found.append((real, fake, terms["generator_loss"]))
    return found


def check(data: Data, steps: int = 5) -> None:
    """With equal seeds, nets and noise the losses are the same, except for accumulated rounding."""
    theirs, mine = their_losses(data, steps), our_losses(data, steps)
    torch.set_default_dtype(torch.float64)
    exact = _differences(our_losses(data, steps), their_losses(data, steps))
    torch.set_default_dtype(torch.float32)
    found, alone = _differences(mine, theirs), _differences(their_losses(data, steps, turned=True), theirs)
    print("losses in fp32                          relative differences, the largest of the three")
    print("step  on real     on fake     generator   ours, fp64  ours, fp32  theirs, batch reversed, fp32")
    for step, losses in enumerate(mine):
        numbers = "  ".join(f"{loss:10.6f}" for loss in losses)
        print(f"{step:4}  {numbers}  {exact[step]:10.1e}  {found[step]:10.1e}  {alone[step]:10.1e}")
    if max(exact) > 1e-10 or found[0] > 1e-5:
        raise SystemExit("the losses differ")


def _differences(mine: list[Losses], theirs: list[Losses]) -> list[float]:
    return [
        max(abs(a / b - 1) for a, b in zip(*both, strict=True)) for both in zip(mine, theirs, strict=True)
    ]


def memory(name: str, data: Data, threads: int, steps: int = 3) -> float:
    """MB that some steps of a side take beyond the imports, in a fresh process."""
    torch.set_num_threads(threads)
    launch(Training(device="cpu"))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    SIDES[name](data)(steps)
    # ru_maxrss is in kB on Linux
    return (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024


SIDES: dict[str, Callable[[Data], Side]] = {
    "plain loop, fp32": plain,
    "simulacra, fp32": lambda data: ours(data, "32"),
    "simulacra, bf16": lambda data: ours(data, "bf16"),
}


def main() -> None:
    form = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=form)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--steps", type=int, default=3, help="steps of each side in a round")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--check", action="store_true", help="compare losses instead of times")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    data = sources.load("faces:1000", Options(image_size=SIZE))
    if arguments.check:
        check(data)
        return
    megabytes = {}
    for name in SIDES:
        with ProcessPoolExecutor(1, get_context("spawn")) as process:
            megabytes[name] = process.submit(memory, name, data, arguments.threads).result()
    sides = {name: build(data) for name, build in SIDES.items()}
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(arguments.rounds + 1):
        for name, play in sides.items():
            began = time.perf_counter()
            play(arguments.steps)
            seconds[name].append((time.perf_counter() - began) / arguments.steps)
    theirs = seconds["plain loop, fp32"][1:]
    for name, (_, *times) in seconds.items():
        ratio = statistics.median(a / b for a, b in zip(theirs, times, strict=True))
        print(
            f"{name:18} {statistics.median(times):7.3f} s a step   {ratio:5.2f} times as fast"
            f"   peak {megabytes[name]:6,.0f} MB"
        )
    print(f"medians of {arguments.rounds} rounds of {arguments.steps} steps, {arguments.threads} threads")


if __name__ == "__main__":
    main()
