"""A training step of pix2pix and CycleGAN: this library and the plain loop of junyanz' repository.

    python benchmarks/translation_step.py [--cases pix2pix-256-1 ...] [--rounds 5] [--steps 1] [--threads 2]
    python benchmarks/translation_step.py --check

The plain loop does what models/pix2pix_model.py and models/cycle_gan_model.py of
junyanz/pytorch-CycleGAN-and-pix2pix (032e884) do: a backward pass for every loss of a discriminator, whose
weights are frozen in the generator's turn, torch's Adam with its defaults, a pool of 50 images drawn by
Python, and losses read back at every step (the original reads them every 100 steps; this makes no measurable
difference). Both sides have the nets of `Pix2Pix` and `CycleGAN` with 64 channels, which are those of the
papers. They alternate in one process on the same images; the first round warms up.

Prints median seconds per step, the median of the rounds' ratios, and the peak memory of each side in a
process of its own (beyond the imports). `--check` compares the losses of the first three steps instead, with
equal weights before every step and without dropout.
"""

from __future__ import annotations

import argparse
import random
import resource
import statistics
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from itertools import count, islice
from multiprocessing import get_context
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from simulacra.accelerate.doubling import DoublingConv2d, HalvingConv2d
from simulacra.accelerate.winograd import WinogradConv2d
from simulacra.config import Training
from simulacra.core.batch import Batch
from simulacra.core.model import Model
from simulacra.core.noise import Noise
from simulacra.data.spec import DataSpec
from simulacra.engine.distributed import launch
from simulacra.engine.players import Players
from simulacra.models.cyclegan.card import CycleGANConfig
from simulacra.models.cyclegan.model import CycleGAN
from simulacra.models.pix2pix.card import Pix2PixConfig
from simulacra.models.pix2pix.model import Pix2Pix

SEED, RATE, BETAS = 0, 2e-4, (0.5, 0.999)


class Case(NamedTuple):
    """What is trained: `batch` pairs, or `batch` images of each domain."""

    size: int
    batch: int
    blocks: int = 0


CASES = {
    "pix2pix-256-1": Case(256, 1),
    "pix2pix-256-4": Case(256, 4),
    "cyclegan-128-6": Case(128, 1, blocks=6),
    "cyclegan-256-9": Case(256, 1, blocks=9),
}
Side = Callable[[int], None]


def model(case: Case) -> Model:
    torch.manual_seed(SEED)
    image = DataSpec("image", (3, case.size, case.size))
    if not case.blocks:
        spec = DataSpec("image", image.shape, target=image)
        return Pix2Pix(spec, Pix2PixConfig(norm="batch")).train()
    spec = DataSpec("image", image.shape, classes=("a", "b"))
    return CycleGAN(spec, CycleGANConfig(blocks=case.blocks, flip=False)).train()


def batches(case: Case) -> Iterator[Batch]:
    """Other images in every step: what they show costs the same."""
    drawn = torch.Generator().manual_seed(SEED)
    for step in count():
        x, target = (torch.rand(case.batch, 3, case.size, case.size, generator=drawn) for _ in range(2))
        noise = Noise(SEED, step + 1)
        if case.blocks:
            y = torch.arange(2).repeat_interleave(case.batch)
            yield Batch(torch.cat([x, target]), y, noise, step=step, steps=2**31)
        else:
            yield Batch(x, None, noise, step=step, steps=2**31, target=target)


def adam(*nets: nn.Module) -> torch.optim.Adam:
    return torch.optim.Adam([p for net in nets for p in net.parameters()], lr=RATE, betas=BETAS)


def trainable(nets: list[nn.Module], yes: bool) -> None:
    for net in nets:
        net.requires_grad_(yes)


class PlainPix2Pix:
    """Their step for pairs, on images in [-1, 1]."""

    def __init__(self, pix2pix: Model) -> None:
        assert isinstance(pix2pix, Pix2Pix)
        self.g, self.d = pix2pix.generator, pix2pix.discriminator
        self.moves_g, self.moves_d = adam(self.g), adam(self.d)
        self.bce = nn.BCEWithLogitsLoss()

    def step(self, batch: Batch) -> list[float]:
        assert batch.target is not None
        x, y = 2 * batch.x - 1, 2 * batch.target - 1
        fake = torch.tanh(self.g(x))
        trainable([self.d], True)
        self.moves_d.zero_grad()
        false, true = self.d(torch.cat([x, fake.detach()], 1)), self.d(torch.cat([x, y], 1))
        loss_d = 0.5 * (self.bce(false, torch.zeros_like(false)) + self.bce(true, torch.ones_like(true)))
        loss_d.backward()
        self.moves_d.step()
        trainable([self.d], False)
        self.moves_g.zero_grad()
        outputs = self.d(torch.cat([x, fake], 1))
        loss_g = self.bce(outputs, torch.ones_like(outputs)) + 100 * F.l1_loss(fake, y)
        loss_g.backward()
        self.moves_g.step()
        return [loss_d.item(), loss_g.item()]


class PlainCycleGAN:
    """Their step for two domains, on images in [-1, 1]."""

    def __init__(self, cyclegan: Model) -> None:
        assert isinstance(cyclegan, CycleGAN)
        self.g_b, self.g_a = cyclegan.a_to_b, cyclegan.b_to_a
        self.d_b, self.d_a = cyclegan.discriminator_b, cyclegan.discriminator_a
        self.moves_g, self.moves_d = adam(self.g_a, self.g_b), adam(self.d_a, self.d_b)
        self.mse = nn.MSELoss()
        self.pools: tuple[list[Tensor], list[Tensor]] = ([], [])

    def step(self, batch: Batch) -> list[float]:
        a, b = (2 * batch.x - 1).chunk(2)
        fake_b, fake_a = torch.tanh(self.g_b(a)), torch.tanh(self.g_a(b))
        back_a, back_b = torch.tanh(self.g_a(fake_b)), torch.tanh(self.g_b(fake_a))
        trainable([self.d_a, self.d_b], False)
        self.moves_g.zero_grad()
        identity = F.l1_loss(torch.tanh(self.g_b(b)), b) + F.l1_loss(torch.tanh(self.g_a(a)), a)
        adversarial = self._loss(self.d_b, fake_b, 1.0) + self._loss(self.d_a, fake_a, 1.0)
        cycle = F.l1_loss(back_a, a) + F.l1_loss(back_b, b)
        loss_g = adversarial + 10 * cycle + 5 * identity
        loss_g.backward()
        self.moves_g.step()
        trainable([self.d_a, self.d_b], True)
        self.moves_d.zero_grad()
        losses = [loss_g.item()]
        for discriminator, real, fake, pool in (
            (self.d_b, b, fake_b, self.pools[1]),
            (self.d_a, a, fake_a, self.pools[0]),
        ):
            pooled = self._exchanged(pool, fake.detach())
            loss_d = 0.5 * (self._loss(discriminator, real, 1.0) + self._loss(discriminator, pooled, 0.0))
            loss_d.backward()
            losses.append(loss_d.item())
        self.moves_d.step()
        return losses

    def _loss(self, discriminator: nn.Module, x: Tensor, target: float) -> Tensor:
        outputs = discriminator(x)
        loss: Tensor = self.mse(outputs, torch.full_like(outputs, target))
        return loss

    def _exchanged(self, pool: list[Tensor], fake: Tensor) -> Tensor:
        shown = []
        for image in fake.split(1):
            if len(pool) < 50:
                pool.append(image)
            elif random.random() < 0.5:
                place = random.randrange(50)
                image, pool[place] = pool[place], image
            shown.append(image)
        return torch.cat(shown)


def plain_loop(theirs: Model) -> PlainPix2Pix | PlainCycleGAN:
    return (PlainPix2Pix if isinstance(theirs, Pix2Pix) else PlainCycleGAN)(theirs)


def engine(mine: Model, case: Case, precision: Any) -> Players:
    training = Training(batch_size=case.batch, lr=RATE, betas=BETAS, precision=precision, device="cpu")
    return Players(mine, training, launch(training))


def plain(case: Case) -> Side:
    """The peer's next k steps."""
    loop, todo = plain_loop(model(case)), batches(case)

    def play(steps: int) -> None:
        for batch in islice(todo, steps):
            loop.step(batch)

    return play


def ours(case: Case, precision: Any, kernels: bool = True) -> Side:
    """Our next k steps, and what the engine does when it logs; with the kernels of `simulacra.accelerate`."""
    mine, todo = model(case), batches(case)
    players = engine(mine, case, precision)
    for layer in mine.modules():
        if isinstance(layer, WinogradConv2d | HalvingConv2d | DoublingConv2d) and not kernels:
            layer.__class__ = type(layer).__base__  # type: ignore[assignment]  # torch's class

    def play(steps: int) -> None:
        for batch in islice(todo, steps):
            players.play([batch], RATE)
        players.averages(batch.step + 1)

    return play


def check(name: str, case: Case, steps: int = 3) -> None:
    """At equal weights the losses are the same. What Adam makes of rounding is not carried along."""
    mine, theirs = model(case), model(case)
    for module in (*mine.modules(), *theirs.modules()):
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    players, loop = engine(mine, case, "32"), plain_loop(theirs)
    for batch in islice(batches(case), steps):
        theirs.load_state_dict(mine.state_dict())
        players.play([batch], RATE)
        terms = players.averages(batch.step + 1)
        # the adversary's, and the generators'
        found = [terms[f"{player}_loss"] for player in sorted(mine.players)]
        first, *others = loop.step(batch)
        expected = [sum(others), first] if case.blocks else [first, *others]
        apart = [abs(a / b - 1) for a, b in zip(found, expected, strict=True)]
        print(f"  {name:16} step {batch.step}  losses", *(f"{loss:.6f}" for loss in found), end="  ")
        print(f"relative differences {apart[0]:.1e} {apart[1]:.1e}", flush=True)
        if max(apart) > 1e-5:
            raise SystemExit("the losses differ")


SIDES: dict[str, Callable[[Case], Side]] = {
    "plain loop, fp32": plain,
    "simulacra, fp32": lambda case: ours(case, "32"),
    "without kernels": lambda case: ours(case, "32", kernels=False),
    "simulacra, bf16": lambda case: ours(case, "bf16"),
}


def memory(name: str, case: Case, threads: int, steps: int = 3) -> float:
    """MB that some steps of a side take beyond the imports; of a fresh process."""
    torch.set_num_threads(threads)
    launch(Training(device="cpu"))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    SIDES[name](case)(steps)
    # ru_maxrss is in kB on Linux
    return (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024


def compare(case: Case, rounds: int, steps: int, megabytes: dict[str, float]) -> None:
    sides = {name: SIDES[name](case) for name in megabytes}
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(rounds + 1):
        for name, play in sides.items():
            began = time.perf_counter()
            play(steps)
            seconds[name].append((time.perf_counter() - began) / steps)
    theirs = seconds["plain loop, fp32"][1:]
    for name, (_, *times) in seconds.items():
        ratio = statistics.median(a / b for a, b in zip(theirs, times, strict=True))
        print(
            f"  {name:18} {statistics.median(times):7.3f} s a step   {ratio:5.2f} times as fast"
            f"   peak {megabytes[name]:6,.0f} MB",
            flush=True,
        )


def main() -> None:
    form = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=form)
    parser.add_argument("--cases", nargs="+", choices=list(CASES), default=list(CASES))
    parser.add_argument("--sides", nargs="+", choices=list(SIDES), default=list(SIDES))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=1, help="steps of each side in a round")
    parser.add_argument("--check", action="store_true", help="compare losses instead of times")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    if arguments.check:
        for name in arguments.cases:
            check(name, CASES[name])
        return
    megabytes: dict[str, dict[str, float]] = {name: {} for name in arguments.cases}
    for name, found in megabytes.items():
        for side in arguments.sides:
            # before this process grows: a child starts at the peak of its parent
            with ProcessPoolExecutor(1, get_context("spawn")) as process:
                found[side] = process.submit(memory, side, CASES[name], arguments.threads).result()
    for name in arguments.cases:
        print(f"{name}, {arguments.threads} threads, {arguments.rounds} rounds of {arguments.steps} steps")
        compare(CASES[name], arguments.rounds, arguments.steps, megabytes[name])


if __name__ == "__main__":
    main()
