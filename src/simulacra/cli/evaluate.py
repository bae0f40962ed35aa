"""`simulacra evaluate RUN [--data SOURCE] [--metrics nll,...] [--json]`."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

from simulacra.cli.usage import parse
from simulacra.errors import abridge

# longer lists are in JSON only, e.g. the shares of all classes of ImageNet
LISTED = 100


def _groups() -> str:
    """Help for `--metrics`."""
    from simulacra.metrics.registry import groups

    quick, others = (", ".join(groups(quick)) for quick in (True, False))
    return f"comma-separated groups: {quick} (all of these when not given); {others}"


@dataclass(frozen=True)
class Evaluate:
    """Measure a trained model on held-out data."""

    run: tyro.conf.Positional[Path]
    """run folder"""
    data: str | None = None
    """data source: every example that the run was not trained on, or its test split where it has splits; e.g.
    mnist@validation is one split; the run's own test split when not given"""
    metrics: str | None = None
    """comma-separated groups of metrics, e.g. nll,fid"""
    direction: str | None = None
    """measure the edits that a direction of the run makes: what they move, and how much identity stays"""
    classifier: Path | None = None
    """of edits and samples: run folder of a classifier or regressor that predicts their attributes, for
    --direction, layers, and disentanglement without an encoder; by default a regressor of all attributes of
    the data, trained once and kept in the run"""
    strength: str = "-2..2"
    """direction: strengths of the edit, e.g. -2..2 or -1,0,2"""
    prior: str | None = None
    """name of a density that was fitted to latents ('simulacra density'), for metrics of samples"""
    features: str | None = None
    """features that samples are compared by: raw, efficientnet-lite0, inception, or the run folder of a
    classifier; raw when not given, and efficientnet-lite0 for edits of images of 32 pixels and more"""
    weights: Path | None = None
    """file with the weights of inception"""
    importance_samples: int = 100
    """draws of z for an estimated log-likelihood"""
    variants: int = 4
    """translations of each input of a pair, with different noise"""
    examples: int | None = None
    """number of examples, the first of the split; all when not given"""
    anomalies: str | None = None
    """data source of anomalies: how well the model tells them from the data (AUC)"""
    seed: int = 0
    """random seed"""
    json: tyro.conf.FlagCreatePairsOff[bool] = False
    """print one JSON object and nothing else"""


def main(argv: list[str]) -> int:
    asked = not {"-h", "--help"}.isdisjoint(argv)
    run(parse(_with_groups() if asked else Evaluate, argv, "simulacra evaluate"))
    return 0


def _with_groups() -> type[Evaluate]:
    """The options with all metrics in their help; imports torch."""
    metrics = Annotated[str | None, tyro.conf.arg(help=_groups())]
    shape: type[Evaluate] = dataclasses.make_dataclass(
        "Evaluate",
        [("metrics", metrics, dataclasses.field(default=None))],
        bases=(Evaluate,),
        namespace={"__doc__": Evaluate.__doc__},
        frozen=True,
    )
    return shape


def run(arguments: Evaluate) -> None:
    """Evaluate a run, or the edits of one of its directions, and print the numbers."""
    if arguments.direction is not None:
        from simulacra.cli import evaluate_edits

        evaluate_edits.run(arguments)
        return
    import json

    from simulacra.run import Run

    trained = Run(arguments.run)
    trained.check_trained()
    from simulacra.data import parse as parse_source
    from simulacra.tasks.evaluate import applicable, evaluate

    features: object = arguments.features or "raw"
    if Path(str(features), "config.yaml").is_file():
        features = Run(str(features)).load()
    source = arguments.data or trained.config.source
    parse_source(source)
    if arguments.anomalies is not None:
        parse_source(arguments.anomalies)
    model = trained.load(arguments.prior)
    asked: dict[str, Any] = {
        "metrics": arguments.metrics.split(",") if arguments.metrics else None,
        "importance_samples": arguments.importance_samples,
        "examples": arguments.examples,
        "features": features,
        "variants": arguments.variants,
        "anomalies": arguments.anomalies,
    }
    # before the data are read, which may take long
    applicable(model, **asked)
    numbers = evaluate(
        model,
        source,
        seed=arguments.seed,
        weights=arguments.weights,
        classifier=arguments.classifier,
        run=trained,
        **asked,
    )
    if arguments.json:
        print(json.dumps({"run": str(trained), **numbers}))
    else:
        print("\n".join(lines(numbers)))
    # behind the numbers, which are not lost where the log cannot be written
    trained.log("evaluation", step=trained.step, **numbers)


def lines(numbers: dict[str, Any]) -> Iterator[str]:
    """Numbers as text, one a line; those of single columns and directions, and cautions, at the end.

    >>> print("\\n".join(lines({"nll": 1.25, "columns": {"height": {"rmse": 0.5}}, "pit": [0.5, 0.5]})))
    nll                                    1.2500
    pit                                    0.50 0.50
    height rmse                            0.5000
    """
    parts: dict[str, Any] = {"": numbers, **numbers.get("columns", {}), **numbers.get("directions", {})}
    flat, cautions = {}, []
    for part, values in parts.items():
        real = values.get("real_against_real", {})
        for name, value in values.items():
            if not isinstance(value, dict) and not (isinstance(value, list) and len(value) > LISTED):
                of_real = f"    real data {real[name]:.4f}" if name in real else ""
                flat[f"{abridge(part)} {name}".strip()] = _written(value) + of_real
        cautions += [
            f"{abridge(part)} {name}: {text}".strip() for name, text in values.get("cautions", {}).items()
        ]
    width = max(38, *map(len, flat))
    yield from (f"{name:{width}} {text}" for name, text in flat.items())
    yield from cautions


def _written(value: Any) -> str:
    if isinstance(value, list):
        return " ".join(f"{number:.2f}" if isinstance(number, float) else str(number) for number in value)
    return f"{value:.4f}" if isinstance(value, float) else str(value)
