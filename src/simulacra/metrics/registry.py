"""What is measured: every metric is declared once, in the module of `simulacra.metrics` that computes it.

    RATIO = Metric("variance_ratio", "variance ratio")
    register(Measurement(name="samples", needs=(Samples,), metrics=(RATIO,), compute=variance_ratio))

`evaluate`, its `--metrics` and `--json`, scores while a model trains, curves, reports and model cards read
the declarations.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeVar

import simulacra.metrics
from simulacra.core.capabilities import Capability, Samples, Translates
from simulacra.errors import ConfigError, nearest

if TYPE_CHECKING:
    from torch import Tensor

    from simulacra.core.batch import Batch
    from simulacra.core.model import Model
    from simulacra.metrics.evaluation import Evaluation
    from simulacra.metrics.sample_scores import Comparison


@dataclass(frozen=True)
class Metric:
    """A number of a run, as people read it.

    Attributes:
        key: in events and in JSON.
        label: its name in tables and charts.
        unit: `nats`, `dB`, or empty. `%` for shares, which are stored as fractions.
        meaning: half a sentence about it.
        better: which direction is better; empty where neither is, or where `meaning` says it.
        circumstances: a format, e.g. `with {seed} as seed`, that continues `meaning` where an event has the
            values that it names.
        out_of: key of the count that it is a part of.
        error: key of its standard error, which is drawn as a band.
        chart: what it is drawn in together with other metrics; None for a chart of its own.
        line: its name in that chart.
        reference: a value that charts mark, for comparison.
        limits: of the axis of its chart; None for those of the values.
        linear: whether its chart never has a logarithmic scale, since its values have no meaningful zero.
    """

    key: str
    label: str
    unit: str = ""
    meaning: str = ""
    better: Literal["", "higher", "lower"] = ""
    circumstances: str = ""
    out_of: str = ""
    error: str = ""
    chart: Metric | None = None
    line: str = ""
    reference: float | None = None
    limits: tuple[float, float] | None = None
    linear: bool = False

    def described(self, event: Mapping[str, Any]) -> str:
        """Its meaning, the circumstances of an event, and which direction is better.

        >>> metric = Metric("nll", "NLL", "nats", "-log p(x)", "lower", " with {draws:,} draws")
        >>> metric.described({"draws": 1000}), metric.described({})
        ('-log p(x) with 1,000 draws; lower is better', '-log p(x); lower is better')
        """
        try:
            text = self.meaning + self.circumstances.format_map(event)
        except KeyError:
            text = self.meaning
        return f"{text}; {self.better} is better" if self.better else text


# of measurements that know an example only by its latents or its likelihood
ANY_KIND = ("image", "vector", "text")


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """Metrics that are computed together, for the models that have a capability.

    Attributes:
        name: the group in `--metrics`; several measurements may share one.
        needs: capabilities, of which a model must have one.
        metrics: what it measures.
        settings: keys of other values that it gives: how it was made, and lists for charts.
        compute: gives the values.
        features: whether it compares features of an extractor.
        slow: whether it takes longer for another reason.
        kinds: of data that it is about.
        order: place among the other measurements.

    Groups that compare features or are slow are computed only when they are named.
    """

    name: str
    needs: tuple[type[Capability], ...]
    metrics: tuple[Metric, ...]
    settings: tuple[str, ...] = ()
    compute: Callable[[Evaluation], Mapping[str, Any]] = lambda _: {}
    features: bool = False
    slow: bool = False
    kinds: tuple[str, ...] = ("image", "vector")
    order: int = 1000

    def suits(self, model: Model) -> bool:
        """Whether it can be measured for a model."""
        return isinstance(model, self.needs) and model.spec.kind in self.kinds

    @property
    def quick(self) -> bool:
        return not (self.features or self.slow)

    def measure(self, evaluation: Evaluation) -> Mapping[str, Any]:
        """Its values, by their keys; those of one direction between domains in `directions`, by its name."""
        return self.compute(evaluation)


@dataclass(frozen=True, kw_only=True)
class PerExample(Measurement):
    """A measurement that averages values of single examples.

    Attributes:
        values: of a batch, and of its examples as the likelihood takes them: key -> `(B,)`.
    """

    values: Callable[[Evaluation, Batch, Tensor], Mapping[str, Tensor]]

    def measure(self, evaluation: Evaluation) -> Mapping[str, Any]:
        return {**evaluation.averages[self.name], **self.compute(evaluation)}


@dataclass(frozen=True, kw_only=True)
class Score(Measurement):
    """A measurement of samples, or of translations, against real examples.

    Attributes:
        score: gives the values of one comparison.
        fewest: samples, and real examples, that it needs.
        in_training: whether `--evaluate-every` computes it.
        classes: whether it needs the classes that the extractor predicts.
        whole: whether it needs the features of all examples at a time.
        reference: whether the score of real examples against real ones, as many, is given beside it.
        covariance: whether it needs more samples than features, for a covariance of full rank.
        caution: a sentence about its values that those of real examples suggest, or an empty one.
    """

    needs: tuple[type[Capability], ...] = (Samples, Translates)
    features: ClassVar[bool] = True  # type: ignore[misc]  # true of every score
    score: Callable[[Comparison], Mapping[str, Any]]
    fewest: int = 1
    in_training: bool = False
    classes: bool = False
    whole: bool = False
    reference: bool = False
    covariance: bool = False
    caution: Callable[[Mapping[str, Any], Mapping[str, Any]], str] = lambda found, real: ""

    def measure(self, evaluation: Evaluation) -> Mapping[str, Any]:
        comparisons = evaluation.comparisons.items()
        found = {name: c.circumstances | self.values(c) for name, c in comparisons}
        return by_direction(found)

    def values(self, comparison: Comparison) -> dict[str, Any]:
        """Its values, beside them those of real examples, and what is to be said about them.

        Scores of real examples are in `real_against_real`. `left_out` and `cautions` are by the group.
        """
        n, width = comparison.size, comparison.samples.features.shape[1]
        biased = f"{n:,} samples are fewer than the {width:,} features, so that most of this score is bias"
        if n < self.fewest:
            return {"left_out": f"{self.name} needs {self.fewest} examples, not {n}"}
        found = dict(comparison.scored(self))
        if not self.reference:
            return found
        real, few = comparison.reference, self.covariance and n <= width
        if real is not None:
            scored = real.scored(self)
            known = {m.key: scored[m.key] for m in self.metrics if m.key in scored}
            found["real_against_real"] = known
            text = self.caution(found, known)
            if few:
                score = known[self.metrics[0].key]
                text = f"{biased}: real examples score {score:.4g} against real ones"
            if text:
                found["cautions"] = {self.name: text}
        elif few and comparison.no_reference:
            return {"left_out": f"{self.name} needs more samples than its {width:,} features, not {n:,}"}
        elif few or comparison.no_reference:
            found["cautions"] = {self.name: comparison.no_reference or biased}
        return found


# the same for both directions of a translation between domains
SHARED = ("extractor", "weights", "resize", "features", "seed", "left_out")
# keys of an event that are not metrics: of every evaluation, and of every comparison of samples
SETTINGS = (
    "event", "step", "data", "examples", "seed", "columns", "directions", "left_out", "cautions",
    "real_against_real",
)  # fmt: skip
COMPARED = ("extractor", "weights", "resize", "features", "samples", "real")

M = TypeVar("M", bound=Measurement)
_MEASUREMENTS: list[Measurement] = []
_TERMS: list[Metric] = []
_SETTINGS: list[str] = []


def register(measurement: M) -> M:
    """Add a measurement to what `evaluate` computes and what reports name."""
    _MEASUREMENTS.append(measurement)
    return measurement


def describe(*metrics: Metric, settings: Sequence[str] = ()) -> None:
    """Name numbers that `evaluate` does not compute: those of a training, or of edits.

    Args:
        metrics: the numbers.
        settings: keys of other values beside them in events.
    """
    _TERMS.extend(metrics)
    _SETTINGS.extend(settings)


@cache
def _import_all() -> None:
    for module in iter_modules(simulacra.metrics.__path__, "simulacra.metrics."):
        import_module(module.name)


def measurements() -> list[Measurement]:
    """All measurements, in the order in which their numbers are listed."""
    _import_all()
    return sorted(_MEASUREMENTS, key=lambda measurement: measurement.order)


def scores(names: Collection[str]) -> list[Score]:
    """The scores of these groups.

    Raises:
        ConfigError: there is no such group.
    """
    known = {m.name: m for m in measurements() if isinstance(m, Score)}
    check(names, list(known))
    return [score for name, score in known.items() if name in names]


def in_training() -> tuple[str, ...]:
    """The groups of scores that `--evaluate-every` computes."""
    return tuple(m.name for m in measurements() if isinstance(m, Score) and m.in_training)


def training_scores() -> list[str]:
    """Keys of the scores of a training that are printed and drawn: not those of standard errors."""
    metrics = [metric for score in scores(in_training()) for metric in score.metrics]
    errors = {metric.error for metric in metrics}
    return [metric.key for metric in metrics if metric.key not in errors]


def groups(quick: bool | None = None) -> list[str]:
    """Names of groups, in order: all, those that are computed when none is named, or the others."""
    return list(dict.fromkeys(m.name for m in measurements() if quick in (None, m.quick)))


def check(names: Collection[str], known: Sequence[str]) -> None:
    """Raises ConfigError for a name that is not among the known ones."""
    for name in names:
        if name not in known:
            raise ConfigError(f"metrics: unknown '{name}', {nearest(name, known)}")


def settings() -> set[str]:
    """Keys of an event that are not metrics."""
    return {
        *SETTINGS,
        *COMPARED,
        *_SETTINGS,
        *(key for measurement in measurements() for key in measurement.settings),
    }


def metric(key: str, event: Collection[str] = ()) -> Metric:
    """The metric of a key; one with a readable name where none is declared.

    Args:
        key: of a number.
        event: keys of the numbers beside it. Where several measurements have a metric of this key (`nll`), it
            is that of the measurement with the most metrics in the event.

    >>> metric("kl").label, metric("generator_loss").label
    ('KL', 'generator loss')
    """
    measurement = measurement_of(key, event)
    if measurement is not None:
        return next(one for one in measurement.metrics if one.key == key)
    charts = [one.chart for m in measurements() for one in m.metrics if one.chart]
    charts += [one.chart for one in _TERMS if one.chart]
    known = {one.key: one for one in (*charts, *_TERMS)}
    return known.get(key, Metric(key, key.replace("_", " ")))


def measurement_of(key: str, event: Collection[str] = ()) -> Measurement | None:
    """The measurement that has the metric of a key, as `metric` chooses it."""
    found = [m for m in measurements() if any(one.key == key for one in m.metrics)]
    return max(found, key=lambda m: len({one.key for one in m.metrics} & {*event}), default=None)


def by_group(event: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The values of each group of metrics in an event, by their keys, and beside them what they depend on.

    Values of no known metric are in a group without a name. Lists for charts are left out.

    >>> event = {"data": "digits@test", "elbo": -1.0, "nll": 0.5, "importance_samples": 9}
    >>> by_group(event)["nll"]
    {'data': 'digits@test', 'importance_samples': 9, 'nll': 0.5}
    """
    other = settings()
    found: dict[str, dict[str, Any]] = {}

    def of(measurement: Measurement | None) -> dict[str, Any]:
        name = "" if measurement is None else measurement.name
        if name not in found:
            kept = {*SETTINGS, *(COMPARED if measurement and measurement.features else ())}
            kept |= set() if measurement else set(_SETTINGS)
            kept |= {key for m in measurements() if m.name == name for key in m.settings}
            found[name] = {
                key: value
                for key, value in event.items()
                if key in kept and isinstance(value, (str, int, float))
            }
        return found[name]

    for key, value in event.items():
        if key not in other:
            of(measurement_of(key, event))[key] = value
    for key, value in event.get("real_against_real", {}).items():
        of(measurement_of(key, event)).setdefault("real_against_real", {})[key] = value
    for part in ("columns", "directions"):
        for name, values in event.get(part, {}).items():
            for group, several in by_group(values).items():
                measurement = next((m for m in measurements() if m.name == group), None)
                of(measurement).setdefault(part, {})[name] = several
    for group, text in event.get("cautions", {}).items():
        # those of edits are in none
        named = group if group in groups() else ""
        found.setdefault(named, {}).setdefault("cautions", {})[group] = text
    if not found:
        # everything was left out
        of(None)
    return found


def by_direction(found: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Values of comparisons, by the name of the direction of each; those of a nameless one as they are.

    >>> by_direction({"": {"fid": 1.0}})
    {'fid': 1.0}
    >>> by_direction({"horse to zebra": {"fid": 1.0, "seed": 0}})
    {'seed': 0, 'directions': {'horse to zebra': {'fid': 1.0}}}
    """
    if list(found) == [""]:
        return dict(found[""])
    numbers = {key: value for values in found.values() for key, value in values.items() if key in SHARED}
    directions = {
        name: {key: value for key, value in values.items() if key not in SHARED}
        for name, values in found.items()
    }
    return {**numbers, "directions": directions}


def merge(numbers: dict[str, Any], found: Mapping[str, Any]) -> None:
    """Add the values of a measurement to those of others.

    >>> numbers = {"directions": {"a to b": {"fid": 1.0}}, "left_out": "kid needs 4 examples, not 3"}
    >>> merge(numbers, {"directions": {"a to b": {"l1": 2.0}}, "left_out": "prdc needs 6 examples, not 3"})
    >>> numbers["directions"]["a to b"]
    {'fid': 1.0, 'l1': 2.0}
    >>> numbers["left_out"]
    'kid needs 4 examples, not 3, prdc needs 6 examples, not 3'
    """
    for key, value in found.items():
        if key in ("columns", "directions"):
            parts = numbers.setdefault(key, {})
            for name, values in value.items():
                merge(parts.setdefault(name, {}), values)
        elif key in ("real_against_real", "cautions"):
            numbers[key] = {**numbers.get(key, {}), **value}
        elif key == "left_out" and key in numbers:
            numbers[key] += f", {value}"
        else:
            numbers[key] = value
