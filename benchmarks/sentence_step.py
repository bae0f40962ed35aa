"""What the training of a language model costs, beside a plain PyTorch loop, and with sentences unsorted.

    python benchmarks/sentence_step.py [--data text:captions.txt] [--steps 200] [--rounds 5]

The engine trains `language_model`; the plain loop trains an embedding, an LSTM and an output that shares the
weights of the embedding, of the same sizes on the same batches with the same fused Adam. Both are timed in
turn, and tokens/s and the ratio of the rounds are printed. Then the model's steps on batches of similar
lengths are timed against those on batches in random order, padded to the longest sentence of each. That
padding changes no loss is checked first.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from simulacra import data as sources
from simulacra.config import Training
from simulacra.core.noise import derive_seed
from simulacra.data import Data, Options
from simulacra.data.text.vocabulary import END, PADDING
from simulacra.engine.batches import Batches, Order
from simulacra.engine.loop import train
from simulacra.models.language_model.card import SequenceConfig
from simulacra.models.registry import build
from simulacra.run import Run, RunConfig

BATCH = 64


class Plain(nn.Module):
    """A language model as a tutorial writes it."""

    def __init__(self, tokens: int, embedding: int, width: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(tokens, embedding)
        self.lstm = nn.LSTM(embedding, width, batch_first=True)
        self.projection = nn.Linear(width, embedding)
        self.output = nn.Linear(embedding, tokens)
        self.output.weight = self.embedding.weight

    def forward(self, x: Tensor) -> Tensor:
        before = F.pad(x[:, :-1], (1, 0), value=END)
        logits = self.output(self.projection(self.lstm(self.embedding(before))[0]))
        total = F.cross_entropy(logits.flatten(0, 1), x.flatten(), ignore_index=PADDING, reduction="sum")
        return total / len(x)


def batches(data: Data, steps: int, similar: bool = True) -> Batches:
    found = Batches(data.train, BATCH, 0, steps, 1, torch.device("cpu"))
    if not similar:
        found.orders = [Order(torch.arange(len(found.x)), BATCH, 0)]
    return found


def plain(data: Data, config: SequenceConfig, steps: int) -> float:
    """Seconds of a loop written for this model alone."""
    torch.manual_seed(derive_seed(0))
    assert data.spec.vocabulary is not None
    model = Plain(len(data.spec.vocabulary), config.embedding, config.width)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, fused=True)
    each = batches(data, steps)
    began = time.perf_counter()
    total = torch.zeros(())
    for step in range(steps):
        loss = model(each.at(step, 0).x)
        loss.backward()
        total += loss.detach()
        nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
    return time.perf_counter() - began


def engine(data: Data, config: SequenceConfig, steps: int) -> float:
    """Seconds that the steps take, by the engine's own log lines."""
    with tempfile.TemporaryDirectory() as folder:
        run = Run(Path(folder) / "run")
        training = Training(
            steps=steps, batch_size=BATCH, lr=1e-3, clip=5.0, precision="32", validate_every=steps,
            sample_every=steps,
        )  # fmt: skip
        train(run, RunConfig("language_model", config, data.name, Options(), data.spec, training), data)
        return sum(50 * BATCH / event["images_per_second"] for event in run.events("train"))


def padded(data: Data, config: SequenceConfig, steps: int, similar: bool) -> float:
    """Seconds of the model's own steps."""
    torch.manual_seed(derive_seed(0))
    model = build("language_model", data.spec, config)
    each = batches(data, steps, similar)
    began = time.perf_counter()
    for step in range(steps):
        for turn in model.play(each.at(step, 0)):
            turn.loss.backward()
            model.zero_grad(set_to_none=True)
    return time.perf_counter() - began


def check_same(data: Data, config: SequenceConfig) -> None:
    """A sentence has the same loss in a batch of similar lengths and in one padded to the longest of all."""
    model = build("language_model", data.spec, config).eval()
    x = torch.from_numpy(data.train.x[:BATCH]).long()
    with torch.no_grad():
        whole = model.log_likelihood(x)  # type: ignore[attr-defined]  # it is a language model
        for row, expected in zip(x, whole, strict=True):
            one = model.log_likelihood(row[None, : int((row != PADDING).sum())])  # type: ignore[attr-defined]  # as above
            if not torch.allclose(one[0], expected, rtol=1e-4):
                raise SystemExit(f"padding changes a loss: {one[0]} and {expected}")


def report(name: str, ratios: list[float]) -> None:
    print(f"{name}: median {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", default="sentences:20000")
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    data, config, steps = sources.load(arguments.data), SequenceConfig(), arguments.steps
    check_same(data, config)
    tokens = sum(int((batches(data, steps).at(step, 0).x != PADDING).sum()) for step in range(steps))
    speed: list[float] = []
    bucketing: list[float] = []
    for _ in range(arguments.rounds):
        by_hand, ours = plain(data, config, steps), engine(data, config, steps)
        print(
            f"plain loop {tokens / by_hand:9,.0f} tokens/s, engine {tokens / ours:9,.0f} tokens/s", flush=True
        )
        speed.append(by_hand / ours)
        bucketing.append(padded(data, config, steps, False) / padded(data, config, steps, True))
    report("tokens/s of the engine / of the plain loop", speed)
    report("tokens/s with similar lengths / in random order", bucketing)


if __name__ == "__main__":
    main()
