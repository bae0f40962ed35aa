"""`simulacra evaluate RUN [--data SOURCE] [--metrics nll,...] [--json]`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import tyro


@dataclass(frozen=True)
class Evaluate:
    """Measure a trained model on held-out data."""

    run: tyro.conf.Positional[Path]
    """run folder"""
    data: str | None = None
    """data source, e.g. mnist@validation; the run's own test split when not given"""
    metrics: str = "elbo,nll,reconstruction,latents,prediction,samples"
    """groups of numbers, with commas between them"""
    importance_samples: int = 100
    """draws k of z for an estimated log-likelihood"""
    examples: int | None = None
    """the first so many examples; all when not given"""
    seed: int = 0
    """of all noise"""
    json: tyro.conf.FlagCreatePairsOff[bool] = False
    """print one JSON object and nothing else"""


def main(argv: list[str]) -> int:
    arguments = tyro.cli(Evaluate, args=argv, prog="simulacra evaluate")
    import json

    from simulacra.data import split_of
    from simulacra.evaluation import evaluate
    from simulacra.run import Run

    run = Run(arguments.run)
    split = split_of(arguments.data)
    model = run.load()
    numbers = evaluate(
        model,
        run.data(arguments.data),
        split,
        arguments.metrics.split(","),
        arguments.importance_samples,
        arguments.examples,
        seed=arguments.seed,
    )
    trained = run.events("train")
    run.log("evaluation", step=trained[-1]["step"] if trained else 0, **numbers)
    if arguments.json:
        print(json.dumps({"run": str(run), **numbers}))
        return 0
    for name, value in numbers.items():
        print(f"{name:24}{value:.4f}" if isinstance(value, float) else f"{name:24}{value}")
    return 0
