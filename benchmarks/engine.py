"""What the engine costs: the same VAE through the engine and through a bare loop, alternating.

    python benchmarks/engine.py [--rounds 20] [--data mnist]

Both train the same nets from the same in-memory uint8 table with the same fused Adam. The bare loop
is what one would write by hand for this model. Prints images/s of each and the ratio of times.
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
from simulacra.config import Training
from simulacra.core.noise import derive_seed
from simulacra.data import Data, Options
from simulacra.data.spec import Dataset, DataSpec
from simulacra.engine.loop import train
from simulacra.models.registry import build
from simulacra.models.vae.card import VAEConfig
from simulacra.run import Run, RunConfig

BATCH = 128


def bare(data: Data, config: VAEConfig, steps: int) -> float:
    """Seconds of a hand-written loop."""
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


def engine(data: Data, config: VAEConfig, steps: int) -> float:
    """Seconds a step of the engine takes between its own log lines, times the steps."""
    with tempfile.TemporaryDirectory() as folder:
        run = Run(Path(folder) / "run")
        training = Training(steps=steps, batch_size=BATCH, validate_every=steps, sample_every=steps)
        train(run, RunConfig("vae", config, data.name, Options(), data.spec, training), data)
        return sum(50 * BATCH / event["images_per_second"] for event in run.events("train"))


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
        times: dict[str, list[float]] = {"bare": [], "engine": []}
        for _ in range(arguments.rounds):
            times["bare"].append(bare(data, config, steps))
            times["engine"].append(engine(data, config, steps))
        for kind, seconds in times.items():
            print(f"{name:26} {kind:7} {steps * BATCH / statistics.median(seconds):9,.0f} images/s")
        ratios = [e / b for e, b in zip(times["engine"], times["bare"], strict=True)]
        print(f"{name:26} engine / bare time: median {statistics.median(ratios):.3f} of {len(ratios)} rounds")


def random_images() -> Data:
    """A table of the shape of MNIST, where MNIST is not at hand: the arithmetic is the same."""
    spec = DataSpec("image", (1, 28, 28))
    x = np.random.default_rng(0).integers(0, 256, (60_000, 1, 28, 28), dtype=np.uint8)
    part = Dataset(spec, x)
    return Data("random", part, part.take(slice(0, 1024)), part.take(slice(0, 1024)))


if __name__ == "__main__":
    main()
