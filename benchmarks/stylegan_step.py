"""A training step of StyleGAN2: this library, and the published PyTorch code with its reference operations.

    git clone https://github.com/NVlabs/stylegan2-ada-pytorch PEER
    python benchmarks/stylegan_step.py --peer PEER [--rounds 3] [--threads 2]

64 pixels, batches of 8, 256 channels at full size and 512 at all others, z and w of 512 numbers, 8 layers of
mapping: 23.8 million parameters in the generator and 23.4 million in the discriminator, on both sides. The
peer (d72cc7d) plays its own loss functions: a main step moves both players once, each with new fakes; R1
every 16 and path length every 4 steps are separate backward passes there. Here R1 shares the discriminator's
pass on real images. Both have torch's Adam and a moving average of the generator. The sides alternate in one
process on the same images; the first round warms up.

Prints the median seconds of a main step, and of one with R1 or path length, in wall-clock and in CPU time,
and the medians of the rounds' ratios of CPU time, which a busy machine changes less.
"""

from __future__ import annotations

import argparse
import copy
import statistics
import sys
import time
from collections.abc import Callable
from math import sqrt
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from simulacra.accelerate.processor import keep_freed_memory
from simulacra.config import Training
from simulacra.core.batch import Batch
from simulacra.core.noise import Noise
from simulacra.data.spec import DataSpec
from simulacra.engine.distributed import launch
from simulacra.engine.optimizers import average
from simulacra.engine.players import Players
from simulacra.models.stylegan.card import StyleGANConfig
from simulacra.models.stylegan.model import StyleGAN

SIDE, BATCH, WIDTH, WIDE, DEPTH, RATE, BETAS = 64, 8, 256, 512, 8, 2e-3, (0.0, 0.99)
R1, PATH, MIXING, DECAY = 10.0, 2.0, 0.9, 0.999
KINDS = ("main", "main, R1", "main, path length")
PEER = "stylegan2-ada-pytorch"
Side = Callable[[str, Tensor], None]


class Peer:
    """The peer's networks, played as its training/loss.py and training/training_loop.py do."""

    def __init__(self, folder: Path) -> None:
        sys.path.insert(0, str(folder))
        # it is imported for downloads
        sys.modules.setdefault("requests", ModuleType("requests"))
        from training import networks  # type: ignore[import-not-found]  # of the peer

        sizes = {"channel_base": SIDE * WIDTH, "channel_max": WIDE}
        torch.manual_seed(0)
        self.g = networks.Generator(
            WIDE, 0, WIDE, SIDE, 3, mapping_kwargs={"num_layers": DEPTH}, synthesis_kwargs=sizes
        ).train()
        self.d = networks.Discriminator(0, SIDE, 3, **sizes).train()
        self.average = copy.deepcopy(self.g).eval()
        self.moves_g, self.moves_d = (
            torch.optim.Adam(net.parameters(), lr=RATE, betas=BETAS, eps=1e-8) for net in (self.g, self.d)
        )
        self.path_mean = torch.zeros(())

    def generate(self, n: int) -> tuple[Tensor, Tensor]:
        z = torch.randn(n, WIDE)
        w = self.g.mapping(z, None)
        cut = int(torch.randint(1, w.shape[1], ())) if torch.rand(()) < MIXING else w.shape[1]
        w[:, cut:] = self.g.mapping(torch.randn_like(z), None, skip_w_avg_update=True)[:, cut:]
        return self.g.synthesis(w), w

    def move(self, net: nn.Module, optimizer: torch.optim.Optimizer, *losses: Callable[[], Tensor]) -> None:
        for other in (self.g, self.d):
            other.requires_grad_(other is net)
        optimizer.zero_grad(set_to_none=True)
        for loss in losses:
            loss().backward()
        for p in net.parameters():
            if p.grad is not None:
                torch.nan_to_num(p.grad, nan=0, posinf=1e5, neginf=-1e5, out=p.grad)
        optimizer.step()

    def path_length(self) -> Tensor:
        image, w = self.generate(BATCH // 2)
        noise = torch.randn_like(image) / sqrt(SIDE * SIDE)
        (slope,) = torch.autograd.grad((image * noise).sum(), w, create_graph=True)
        lengths = slope.square().sum(2).mean(1).sqrt()
        mean = self.path_mean.lerp(lengths.mean(), 0.01)
        self.path_mean.copy_(mean.detach())
        return (lengths - mean).square().mean() * PATH

    def r1(self, x: Tensor) -> Tensor:
        x = x.detach().requires_grad_(True)
        (slope,) = torch.autograd.grad(self.d(x, None).sum(), x, create_graph=True)
        return slope.square().sum((1, 2, 3)).mean() * R1 / 2

    def __call__(self, kind: str, x: Tensor) -> None:
        if kind == "R1":
            self.move(self.d, self.moves_d, lambda: self.r1(x))
        elif kind == "path length":
            self.move(self.g, self.moves_g, self.path_length)
        else:
            self.move(self.g, self.moves_g, lambda: F.softplus(-self.d(self.generate(BATCH)[0], None)).mean())
            self.move(
                self.d,
                self.moves_d,
                lambda: F.softplus(self.d(self.generate(BATCH)[0], None)).mean(),
                lambda: F.softplus(-self.d(x, None)).mean(),
            )
            with torch.no_grad():
                for mean, p in zip(self.average.parameters(), self.g.parameters(), strict=True):
                    mean.copy_(p.lerp(mean, DECAY))


class Ours:
    """The game of `StyleGAN` as the engine plays it."""

    def __init__(self, precision: Any) -> None:
        config = StyleGANConfig(
            latent_dim=WIDE, mapping_depth=DEPTH, width=WIDTH, widest=WIDE, mixing=MIXING, r1=R1, lazy=16,
            path_length=PATH,
        )  # fmt: skip
        torch.manual_seed(0)
        self.model = StyleGAN(DataSpec("image", (3, SIDE, SIDE)), config).train()
        training = Training(batch_size=BATCH, lr=RATE, betas=BETAS, precision=precision, device="cpu")
        self.players = Players(self.model, training, launch(training))
        self.average, self.weight = average(self.model, DECAY), self.model.path_weight
        self.steps = 0

    def __call__(self, kind: str, x: Tensor) -> None:
        # the step of a game decides which penalties are due: those of both players at 16
        step = 1 if kind == "main" else 16
        stage: Any = self.players.stage
        stage.lazy = 16 if kind == "main, R1" else 17
        stage.path_weight = self.weight if kind == "main, path length" else 0.0
        self.steps += 1
        self.players.play([Batch((x + 1) / 2, None, Noise(0, self.steps), step, 10**6)], RATE)
        self.average.update_parameters(self.model)


def timed(side: Side, kind: str, x: Tensor) -> tuple[float, float]:
    began, used = time.perf_counter(), time.process_time()
    side(kind, x)
    return time.perf_counter() - began, time.process_time() - used


def main() -> None:
    form = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=form)
    parser.add_argument("--peer", type=Path, required=True, help="its code")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=KINDS, help="steps to measure")
    parser.add_argument("--bf16", action="store_true", help="also in bfloat16")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    keep_freed_memory()
    peer, mine = Peer(arguments.peer), Ours("32")
    sides: dict[str, Side] = {PEER: peer, "simulacra, fp32": mine}
    if arguments.bf16:
        sides["simulacra, bf16"] = Ours("bf16")
    for name, g, d in (
        ("peer", peer.g, peer.d),
        ("simulacra", nn.ModuleList([mine.model.mapping, mine.model.generator]), mine.model.discriminator),
    ):
        sizes = [sum(p.numel() for p in net.parameters()) / 1e6 for net in (g, d)]
        print(f"{name}: {sizes[0]:.2f} + {sizes[1]:.2f} million parameters", flush=True)
    draw = torch.Generator().manual_seed(0)
    times: dict[str, dict[str, list[tuple[float, float]]]] = {
        kind: {name: [] for name in sides} for kind in arguments.kinds
    }
    for turn in range(arguments.rounds + 1):
        x = 2 * torch.rand(BATCH, 3, SIDE, SIDE, generator=draw) - 1
        for kind in arguments.kinds:
            for name, side in sides.items():
                found = timed(side, kind, x)
                if turn:
                    times[kind][name].append(found)
    for kind in arguments.kinds:
        for name, rounds in times[kind].items():
            wall, cpu = (statistics.median(each) for each in zip(*rounds, strict=True))
            pairs = zip(times[kind][PEER], rounds, strict=True)
            ratio = statistics.median(theirs[1] / ours[1] for theirs, ours in pairs)
            print(f"{kind:20} {name:22} {wall:6.2f} s   CPU {cpu:6.2f} s   {ratio:5.2f} times as fast")
    print(f"medians of {arguments.rounds} rounds, {arguments.threads} threads")


if __name__ == "__main__":
    main()
