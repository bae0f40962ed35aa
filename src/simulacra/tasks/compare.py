"""Models side by side: the same measurements on the same examples."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.distributions import Distribution

from simulacra.core.batch import tensor
from simulacra.core.capabilities import Decodes, Predicts
from simulacra.core.model import Model
from simulacra.core.noise import Noise
from simulacra.data.arrays import Trainable
from simulacra.data.spec import Dataset
from simulacra.errors import ConfigError, abridge
from simulacra.metrics.registry import Metric, check, groups, metric, settings
from simulacra.run import Run
from simulacra.tasks.evaluate import evaluate, fitted


@dataclass(frozen=True, repr=False)
class ModelComparison:
    """What `compare` returns; printed, a table with a `*` at the best value of each metric.

    Attributes:
        data: what was measured on, e.g. `digits@test`.
        examples: how many.
        values: name of each model -> metric -> value, of the metrics that it has the capability for.
        better: metric -> `higher`, `lower`, or empty where neither is or values cannot be compared.
        note: a sentence about values that cannot be compared; empty if all can.

    >>> values = {"runs/vae": {"nll": 23.5, "psnr": 18.0}, "runs/pca": {"nll": 31.25}}
    >>> print(ModelComparison("digits@test", 180, values, {"nll": "lower", "psnr": "higher"}))
    digits@test: 180 examples  better  runs/vae  runs/pca
    nll                        lower    23.5000*  31.2500
    psnr                       higher   18.0000         -
    """

    data: str
    examples: int
    values: Mapping[str, Mapping[str, float]]
    better: Mapping[str, str]
    note: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON: `data`, `examples`, `note`, and `models`, each with its metrics."""
        models = {name: dict(values) for name, values in self.values.items()}
        return {"data": self.data, "examples": self.examples, "note": self.note, "models": models}

    def best(self, key: str) -> list[str]:
        """The models with the best value of a metric; none if only one model has it, or neither is better."""
        found = {name: values[key] for name, values in self.values.items() if key in values}
        if len(found) < 2 or not self.better.get(key):
            return []
        first = (max if self.better[key] == "higher" else min)(found.values())
        return [name for name, value in found.items() if value == first]

    def __repr__(self) -> str:
        names = [f"{abridge(name)} " for name in self.values]
        rows = [[f"{abridge(self.data)}: {self.examples:,} examples", "better", *names]]
        for key in dict.fromkeys(key for values in self.values.values() for key in values):
            best = self.best(key)
            cells = [
                f"{_number(values.get(key))}{'*' if name in best else ' '}"
                for name, values in self.values.items()
            ]
            rows.append([abridge(key), self.better.get(key, ""), *cells])
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = []
        for row in rows:
            left = [cell.ljust(width) for cell, width in zip(row[:2], widths[:2], strict=True)]
            right = [cell.rjust(width) for cell, width in zip(row[2:], widths[2:], strict=True)]
            lines.append(f"{'  '.join(left)}  {' '.join(right)}".rstrip())
        return "\n".join([*lines, *([self.note] if self.note else [])])


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}" if isinstance(value, float) else str(value)


def compare(
    models: Mapping[str, Model | Run | str | Path] | Iterable[Model | Run | str | Path],
    data: Trainable | None = None,
    split: str | None = None,
    **measuring: Any,
) -> ModelComparison:
    """Measure several models in the same way on the same examples.

    Args:
        models: two or more trained models or run folders, as a list, or as a dict by the names to print.
        data: as `sim.evaluate` takes them; what the runs were trained on when not given.
        split: as for `sim.evaluate`.
        measuring: further arguments of `sim.evaluate`, e.g. `metrics=["nll"]` or `importance_samples=1000`.

    Raises:
        ConfigError: fewer than two models, two of one name, models without data, or data that are not the
            same for all models.
        SimulacraError: as `sim.evaluate`, and as loading a run.

    >>> import tempfile, simulacra as sim
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     a = sim.train("pca", "digits", f"{folder}/a", latent_dim=4)
    ...     b = sim.train("pca", "digits", f"{folder}/b", latent_dim=32)
    >>> compare({"4": a, "32": b}, sim.load_data("digits"), metrics=["nll", "reconstruction"]).best("nll")
    ['32']
    """
    named = models if isinstance(models, Mapping) else _named(models)
    if len(named) < 2:
        raise ConfigError(f"compare: give two or more models or run folders, not {len(named)}")
    opened = {name: Run(one) if isinstance(one, str | Path) else one for name, one in named.items()}
    if data is None:
        _check_same_source(opened)
    check(measuring.get("metrics") or (), groups())
    numbers: dict[str, dict[str, Any]] = {}
    likelihoods: dict[str, str] = {}
    first: tuple[str, Dataset] | None = None
    for name, one in opened.items():
        model = one.load() if isinstance(one, Run) else one
        found, measured = fitted(model, _source(one) if data is None else data, split)
        dataset = found.split(measured)
        if first is None:
            first = name, dataset
        elif difference := _difference(first[1], dataset, measured):
            raise ConfigError(f"compare: {first[0]} and {name} cannot be compared: {difference}")
        numbers[name] = evaluate(model, found, measured, **measuring)
        likelihoods[name] = _likelihood(model, dataset)
    values = {name: _flat(one) for name, one in numbers.items()}
    declared = {
        name: {key: metric(key.rpartition(" ")[2], numbers[name]) for key in found}
        for name, found in values.items()
    }
    better = {key: one.better for metrics in declared.values() for key, one in metrics.items()}
    different = _different_kinds(declared, likelihoods)
    about = numbers[next(iter(numbers))]
    return ModelComparison(
        about["data"], about["examples"], values, better | dict.fromkeys(different, ""), _note(different)
    )


def _named(models: Iterable[Model | Run | str | Path]) -> dict[str, Model | Run | str | Path]:
    """Models by their names: that of a run is its folder, that of a model its class, numbered if need be."""
    found: dict[str, Model | Run | str | Path] = {}
    if isinstance(models, str | Path | Run | Model):
        models = [models]
    for model in models:
        own = type(model).__name__ if isinstance(model, Model) else str(model)
        if own in found and not isinstance(model, Model):
            raise ConfigError(f"compare: {own} is named twice; name it once")
        names = (own if i == 1 else f"{own} {i}" for i in range(1, len(found) + 2))
        found[next(name for name in names if name not in found)] = model
    return found


def _check_same_source(opened: Mapping[str, Model | Run]) -> None:
    sources: dict[str, str] = {}
    for name, one in opened.items():
        if not isinstance(one, Run):
            raise ConfigError(f"compare: {name} is a model, which keeps no data; name the data to compare on")
        sources[name] = one.config.source
    if len(set(sources.values())) > 1:
        trained = ", ".join(f"{name} on {source}" for name, source in sources.items())
        raise ConfigError(f"compare: trained on different data ({trained}); name the data to compare on")


def _source(one: Model | Run) -> str:
    assert isinstance(one, Run)
    return one.config.source


def _difference(one: Dataset, other: Dataset, split: str) -> str:
    """Why results on two data sets cannot be compared; empty if they can."""
    if one.spec.shape != other.spec.shape:
        return f"their examples have shapes {one.spec.shape} and {other.spec.shape}"
    if not np.array_equal(one.x, other.x):
        return (
            f"their {split} splits differ, since the data changed or were split otherwise; with --data NAME,"
            " name data that none of them was trained on"
        )
    for what, a, b in (("targets", one.target, other.target), ("classes", _labels(one), _labels(other))):
        if a is not None and b is not None and not np.array_equal(a, b):
            return f"their {what} differ"
    return ""


def _labels(dataset: Dataset) -> np.ndarray | None:
    """The name of the class of each example, `(N,)`."""
    return None if dataset.y is None else np.array(dataset.spec.classes)[dataset.y]


@torch.no_grad()
def _likelihood(model: Model, dataset: Dataset) -> str:
    """What the log-likelihoods of a model are of: only those of one kind can be compared."""
    x = tensor(dataset.x[:1], model.device)
    of: str = "x"
    p: Any = None
    if isinstance(model, Predicts):
        of, p = "the target", model.predict(x)
    elif isinstance(model, Decodes) and model.has_likelihood:
        p = model.decode(torch.zeros(1, *model.latent.shape, device=model.device, dtype=model.dtype))
    if not torch.equal(model.observe(x, Noise(0, device=model.device)), x):
        of = "binarised x"
    return f"{'probability' if _is_discrete(p) else 'density'} of {of}"


def _is_discrete(p: Distribution | None) -> bool:
    """Whether `log_prob` is of probabilities; of a distribution that says nothing of it, densities."""
    try:
        support = None if p is None else p.support
    except NotImplementedError:
        return False
    return support is not None and bool(support.is_discrete)


def _different_kinds(
    declared: Mapping[str, Mapping[str, Metric]], likelihoods: Mapping[str, str]
) -> dict[str, dict[str, str]]:
    """Log-likelihoods of different kinds: metric -> name of each model -> what it is of."""
    found: dict[str, dict[str, str]] = defaultdict(dict)
    for name, metrics in declared.items():
        for key, one in metrics.items():
            if one.unit == "nats" and one.better:
                found[key][name] = likelihoods[name]
    return {key: kinds for key, kinds in found.items() if len(set(kinds.values())) > 1}


def _note(different: Mapping[str, Mapping[str, str]]) -> str:
    if not different:
        return ""
    kinds = max(different.values(), key=len)
    listed = ", ".join(f"{name}: {kind}" for name, kind in kinds.items())
    return (
        f"Not comparable, since the log-likelihoods are of different kinds ({listed}): {', '.join(different)}"
    )


def _flat(numbers: Mapping[str, Any]) -> dict[str, float]:
    """The metrics of an evaluation; those of single columns and directions behind their names."""
    parts = {"": numbers} | numbers.get("columns", {}) | numbers.get("directions", {})
    return {
        f"{part} {key}".strip(): value
        for part, values in parts.items()
        for key, value in values.items()
        if isinstance(value, int | float) and key not in settings()
    }
