"""What the engine costs: the same VAE through the engine and through two loops without it, alternating.

    python benchmarks/engine.py [--rounds 20] [--data mnist]

All train from the same in-memory uint8 table with the same fused Adam. The bare loop plays the model's game
with the same batches, random numbers and memory layout, and ends with the weights of the engine, bit for bit,
which is checked: engine / bare is what the engine costs. The loop by hand is what one would write for this
model alone, with the loss as one number, in torch's default layout and without repeatable random numbers:
engine / by hand is what the model's own code costs too. Prints images/s of each and the ratios of times.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from simulacra import data as sources
from simulacra.accelerate import for_cpu
from simulacra.config import Training
from simulacra.core.batch import Batch
from simulacra.core.model import Model
from simulacra.core.noise import Noise, derive_seed
from simulacra.data import Data, Options
from simulacra.data.spec import Dataset, DataSpec
from simulacra.engine.loop import train
from simulacra.models.registry import build
from simulacra.models.vae.card import VAEConfig
from simulacra.run import Run, RunConfig

BATCH = 128


def by_hand(data: Data, config: VAEConfig, steps: int) -> float:
    """Seconds of a loop written for this model alone."""
    torch.manual_seed(derive_seed(0))
    model = build("vae", data.spec, config)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, fused=True)
    table = torch.from_numpy(data.train.x)
    began = time.perf_counter()
    total = torch.zeros(())
    order = torch.randperm(len(table))
    for step in range(steps):
        at = step % (len(table) // BATCH)
        x = table.index_select(0, order[at * BATCH : (at + 1) * BATCH]).float().div_(255)
        mu, s = model.encoder(x).chunk(2, dim=1)
        sigma = torch.nn.functional.softplus(s) + 1e-6
        z = mu + sigma * torch.randn_like(mu)
        logits = model.decoder(z)
        bce = torch.nn.functional.binary_cross_entropy_with_logits(logits, x, reduction="sum")
        kl = (0.5 * (mu**2 + sigma**2 - 1) - sigma.log()).sum()
        loss = (bce + kl) / BATCH
        loss.backward()
        total += loss.detach()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
    return time.perf_counter() - began


def bare(data: Data, config: VAEConfig, steps: int) -> tuple[float, Model]:
    """Seconds of a loop around the model's game, and the model."""
    torch.manual_seed(derive_seed(0))
    model = build("vae", data.spec, config)
    for_cpu(model)
    model.to(memory_format=model.memory_format)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, fused=True)
    table = torch.from_numpy(data.train.x)
    began = time.perf_counter()
    total = torch.zeros(())
    for step in range(steps):
        epoch, at = divmod(step, len(table) // BATCH)
        if at == 0:
            generator = torch.Generator().manual_seed(derive_seed(0, epoch))
            order = torch.randperm(len(table), generator=generator)
        x = table.index_select(0, order[at * BATCH : (at + 1) * BATCH]).float().div_(255)
        for turn in model.play(Batch(x, None, Noise(0, step + 1), step, steps)):
            turn.loss.backward()
            total += turn.loss.detach()
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
    return time.perf_counter() - began, model


def engine(data: Data, config: VAEConfig, steps: int) -> tuple[float, Model]:
    """Seconds that the steps take, by the engine's own log lines, and the model."""
    with tempfile.TemporaryDirectory() as folder:
        run = Run(Path(folder) / "run")
        training = Training(
            steps=steps, batch_size=BATCH, lr=1e-3, precision="32", validate_every=steps, sample_every=steps
        )
        model = train(run, RunConfig("vae", config, data.name, Options(), data.spec, training), data)
        return sum(50 * BATCH / event["images_per_second"] for event in run.events("train")), model


def check_same(ours: Model, theirs: Model) -> None:
    """The comparison is of the same training only where both end with the same weights."""
    found = theirs.state_dict()
    for name, tensor in ours.state_dict().items():
        if not torch.equal(tensor, found[name]):
            raise SystemExit(f"engine and bare loop differ in {name}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--data", default="mnist")
    arguments = parser.parse_args()
    data = sources.load(arguments.data) if arguments.data != "random" else random_images()
    for name, config, steps in (
        ("classical VAE 784-400-20", VAEConfig(latent_dim=20, net="mlp", hidden=(400,)), 200),
        ("convolutional VAE", VAEConfig(latent_dim=20, net="conv", width=32), 50),
    ):
        times: dict[str, list[float]] = {"by hand": [], "bare": [], "engine": []}
        for _ in range(arguments.rounds):
            times["by hand"].append(by_hand(data, config, steps))
            seconds, model = bare(data, config, steps)
            times["bare"].append(seconds)
            seconds, trained = engine(data, config, steps)
            times["engine"].append(seconds)
            check_same(trained, model)
        for kind, all_seconds in times.items():
            print(f"{name:26} {kind:7} {steps * BATCH / statistics.median(all_seconds):9,.0f} images/s")
        for kind in ("bare", "by hand"):
            ratios = [e / b for e, b in zip(times["engine"], times[kind], strict=True)]
            low, middle, high = statistics.quantiles(ratios, n=4)
            print(
                f"{name:26} engine / {kind} time: median {middle:.3f} of {len(ratios)} rounds"
                f" (half of them {low:.3f} to {high:.3f})"
            )


def random_images() -> Data:
    """A table of the shape of MNIST, where MNIST is not at hand: the arithmetic is the same."""
    spec = DataSpec("image", (1, 28, 28))
    x = np.random.default_rng(0).integers(0, 256, (60_000, 1, 28, 28), dtype=np.uint8)
    part = Dataset(spec, x)
    return Data("random", part, part.take(slice(0, 1024)), part.take(slice(0, 1024)))


if __name__ == "__main__":
    main()
