"""The numbers of a run as people read them: names, values, units and meanings."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import inf
from typing import Any

import numpy as np

from simulacra.data.spec import DataSpec
from simulacra.data.text.summary import described
from simulacra.errors import abridge
from simulacra.metrics.registry import by_group, groups, merge, metric, settings
from simulacra.models.registry import model_card
from simulacra.run import Run, RunConfig

# of long lists of names
SHOWN = 20


@dataclass(frozen=True)
class Number:
    """One number.

    Attributes:
        name: of its metric.
        value: written out.
        unit: empty without one.
        meaning: half a sentence about it.
        real: the same of real examples against real ones, written out; empty where it is unknown.
    """

    name: str
    value: str
    unit: str
    meaning: str
    real: str = ""


@dataclass(frozen=True)
class Numbers:
    """Numbers of a run that belong together.

    Attributes:
        heading: the data, and what else distinguishes them from other numbers of the run.
        title: where the numbers come from; a sentence.
        rows: the numbers; empty when nothing was measured.
        evaluated: whether they come from an evaluation, not from the validation while it was trained.
        columns: the numbers of every predicted column, in the same order for all.
        directions: the numbers of every direction between two domains, by their keys.
    """

    heading: str
    title: str
    rows: list[Number]
    evaluated: bool
    columns: Mapping[str, list[Number]] = field(default_factory=dict)
    directions: Mapping[str, Mapping[str, Number]] = field(default_factory=dict)
    cautions: Sequence[str] = ()

    @property
    def compared(self) -> bool:
        """Whether some numbers are known of real examples too."""
        return any(row.real for row in self.rows)

    def by_direction(self) -> list[tuple[Number, list[str]]]:
        """Each number that a direction has, and its value in every direction, empty where it has none.

        >>> a, b = Number("L1", "0.1", "", ""), Number("L1", "0.2", "", "")
        >>> Numbers("", "", [], True, {}, {"there": {"l1": a}, "back": {"l1": b}}).by_direction()[0][1]
        ['0.1', '0.2']
        """
        of = list(self.directions.values())
        known = {key: number for numbers in reversed(of) for key, number in numbers.items()}
        order = dict.fromkeys(key for numbers in of for key in numbers)
        return [
            (known[key], [_with_real(numbers[key]) if key in numbers else "" for numbers in of])
            for key in order
        ]


def _with_real(number: Number) -> str:
    return f"{number.value} (real: {number.real})" if number.real else number.value


def numbers_of(run: Run) -> list[Numbers]:
    """All numbers of a run, at least one: its evaluations, or else the `validation` event of its weights.

    What an evaluation measured is identified by the group of metrics, the data and their split, the number
    of examples, the step of the weights, the features that are compared, and the seed. Of each only the
    newest is given; those that agree in all but the group are together.
    """
    if found := _evaluations(run):
        return found
    best = kept(run)
    for event in reversed(run.events()):
        if event["event"] == "validation" and best in (None, event["step"]):
            title = f"Not evaluated yet: these are from the validation at step {event['step']:,}."
            return [Numbers("validation", title, _rows(event), False)]
    return [Numbers("", "Not evaluated yet.", [], False)]


@dataclass(frozen=True)
class _Measured:
    """What one evaluation found for a group of metrics; its number, and whether features were compared."""

    evaluation: int
    group: str
    values: dict[str, Any]

    @property
    def circumstances(self) -> dict[str, Any]:
        of = settings() - {"left_out"}
        return {k: v for k, v in self.values.items() if k in of and not isinstance(v, (dict, list))}

    def belongs(self, others: Sequence[_Measured]) -> bool:
        """Whether it was measured as others were, of which none is of its group."""
        mine = self.circumstances
        theirs = {key: value for other in others for key, value in other.circumstances.items()}
        alike = [o for o in others if ("extractor" in o.circumstances) == ("extractor" in mine)]
        return (
            all(other.group != self.group for other in others)
            and all(mine.get("direction") == other.circumstances.get("direction") for other in others)
            and all(mine.get(key, value) == value for key, value in theirs.items())
            and bool(alike or any(other.evaluation == self.evaluation for other in others))
        )


def _evaluations(run: Run) -> list[Numbers]:
    newest: dict[Any, _Measured] = {}
    for i, event in enumerate(reversed(run.events("evaluation"))):
        for group, values in by_group(event).items():
            one = _Measured(i, group, values)
            newest.setdefault((group, frozenset(one.circumstances.items())), one)
    together: list[list[_Measured]] = []
    for one in newest.values():
        fitting = next((several for several in together if one.belongs(several)), None)
        if fitting is None:
            together.append(fitting := [])
        fitting.append(one)
    order = [*groups(), ""]
    events = []
    for several in together:
        merged: dict[str, Any] = {}
        for one in sorted(several, key=lambda one: order.index(one.group)):
            merge(merged, one.values)
        left = dict.fromkeys(one.values["left_out"] for one in several if "left_out" in one.values)
        events.append(merged | ({"left_out": ", ".join(left)} if left else {}))
    source = run.config.source
    events.sort(key=lambda event: _order(event, source))
    return [_evaluated(event, run) for event in events]


def _order(event: Mapping[str, Any], source: str) -> tuple[bool, int, bool, bool]:
    """The run's own data come first, then the latest step, the test split, and what compares no features."""
    data = event.get("data", f"{source}@test")
    own, held_out = data.startswith(f"{source}@"), data.endswith("@test")
    return not own, -event.get("step", 0), not held_out, "extractor" in event


def _evaluated(event: dict[str, Any], run: Run) -> Numbers:
    columns = {name: _rows(values) for name, values in event.get("columns", {}).items()}
    directions = {name: _by_key(values) for name, values in event.get("directions", {}).items()}
    cautions = [_caution(group, text) for group, text in event.get("cautions", {}).items()]
    cautions += [
        f"{name}: {_caution(group, text)}"
        for name, values in event.get("directions", {}).items()
        for group, text in values.get("cautions", {}).items()
    ]
    heading = event.get("data", "held-out data")
    if "extractor" in event:
        heading += f", {event['extractor']} features"
    if "direction" in event:
        heading += f", direction {event['direction']}"
    steps = run.step
    if event.get("step", steps) < steps:
        heading += f", step {event['step']:,}"
    return Numbers(heading, _origin(event, run), _rows(event), True, columns, directions, cautions)


def _caution(group: str, text: str) -> str:
    return f"{group}: {text}."


def summary(config: RunConfig, steps: int) -> str:
    """One sentence: which model, on which data, trained for how long.

    >>> from simulacra.config import Training
    >>> from simulacra.data import DataSpec, Options
    >>> from simulacra.models.pca.card import PCAConfig
    >>> spec = DataSpec("image", (1, 8, 8), ("0", "1"))
    >>> summary(RunConfig("pca", PCAConfig(2), "digits", Options(), spec, Training()), 0)
    'pca (the linear baseline, solved exactly), 2 latent dimensions, on digits: 8x8 grey images, 2 classes.'
    """
    latents = getattr(config.config, "latent_dim", None)
    text = f"{config.model} ({model_card(config.model).summary})"
    if latents is not None:
        text += f", {latents:,} latent dimension{'s' if latents > 1 else ''}"
    length = f" Trained for {steps:,} steps." if steps else ""
    return f"{text}, on {config.source}: {examples(config)}.{length}"


def examples(config: RunConfig) -> str:
    """What the data are, in a few words: `8x8 grey images, 10 classes`.

    >>> from simulacra.config import Training
    >>> from simulacra.data import Options
    >>> from simulacra.models.mdn.card import MDNConfig
    >>> spec = DataSpec("vector", (2,), target=DataSpec("vector", (3,)))
    >>> examples(RunConfig("mdn", MDNConfig(), "robot-arm", Options(), spec, Training()))
    'vectors of 2 numbers, 3 numbers to predict'
    """
    spec = config.spec
    text = _shaped(spec) if spec.kind == "image" else f"vectors of {_shaped(spec)}"
    if spec.vocabulary is not None:
        text = f"sentences of at most {spec.shape[0] - 1:,} tokens, {described(spec.vocabulary)}"
    if spec.schema is not None:
        text = f"rows of {len(spec.schema.columns):,} column{'s' if len(spec.schema.columns) > 1 else ''}"
    if spec.target is not None:
        text += f", {_shaped(spec.target)} to predict"
    return text + (f", {len(spec.classes):,} classes" if spec.classes else "")


def _shaped(spec: DataSpec) -> str:
    """`8x8 grey images`, `2 numbers`."""
    if spec.kind == "image":
        channels, height, width = spec.shape
        return f"{height}x{width} {'grey' if channels == 1 else 'colour'} images"
    return f"{spec.shape[0]:,} number{'s' if spec.shape[0] > 1 else ''}"


def kept(run: Run, until: float = inf) -> int | None:
    """The step with the lowest validation loss up to a step, where its weights are kept; else None."""
    if run.config.training.keep != "best":
        return None
    seen = [event for event in run.events("validation") if event["step"] <= until and "loss" in event]
    return min(seen, key=lambda event: event["loss"])["step"] if seen else None


def listed(names: Sequence[str]) -> str:
    """Names with commas between them, at most twenty.

    >>> listed(["cat", "dog"])
    'cat, dog'
    """
    more = [f"and {len(names) - SHOWN:,} more"] if len(names) > SHOWN else []
    return ", ".join([*names[:SHOWN], *more])


def column(names: Sequence[str], i: int) -> str:
    """The name of column i, or its number.

    >>> column(("age", "weight"), 1), column((), 1)
    ('weight', 'column 2')
    """
    return names[i] if names else f"column {i + 1}"


def moments(x: np.ndarray, names: tuple[str, ...] = (), most: int = 4) -> str:
    """The mean, and in brackets the standard deviation, of every column of `(N, D)`, of at most so many.

    >>> moments(np.array([[1.0, 0.0], [3.0, 0.0]]), ("a", "b"))
    'a 2.000 (1.000), b 0.000 (0.000)'
    """
    mean, std = x.mean(axis=0, dtype=np.float64), x.std(axis=0, dtype=np.float64)
    D = len(mean)
    each = [
        f"{abridge(column(names, i))} {written(float(mean[i]))} ({written(float(std[i]))})"
        for i in range(min(D, most))
    ]
    more = [f"and {D - most:,} more"] if most < D else []
    return ", ".join([*each, *more])


def describe_scores(scores: Mapping[str, Any]) -> str:
    """A sentence: what an event of scores compares, and how."""
    return (
        f"Scores compare {scores['samples']:,} samples with {scores['real']:,} validation examples by"
        f" {scores['extractor']} features (resize: {scores['resize']}; seed {scores['seed']})."
    )


def written(value: Any) -> str:
    """A value of an event as text, fractions with four significant digits.

    >>> written(-104.123), written(10000), written(12345.6), written(0.01234567)
    ('-104.1', '10,000', '12,346', '0.01235')
    >>> written(-79.0), written(True), written("inception")
    ('-79.00', 'true', 'inception')
    """
    if isinstance(value, str):
        return value
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return json.dumps(value)
    if isinstance(value, int) or 1000 <= abs(value) < float("inf"):
        return f"{value:,.0f}"
    return f"{value:#.4g}".rstrip(".")


def _origin(event: dict[str, Any], run: Run) -> str:
    steps, best = run.step, kept(run, event.get("step", 0))
    what = f"Edits along the direction '{event['direction']}' of" if "direction" in event else "Evaluated on"
    title = f"{what} {event.get('data', 'held-out data')}"
    if "examples" in event:
        title += f", {event['examples']:,} examples"
    if event.get("seed"):
        title += f", seed {event['seed']}"
    target = run.config.spec.target
    translates = "directions" in event or (target is not None and target.kind == "image")
    if "samples" in event and not translates:
        title += f" and {event['samples']:,} samples"
    if "variants" in event:
        title += f", each translated {event['variants']:,} times"
    if "resize" in event:
        of = " of translations as samples" if translates else ""
        title += f" (scores{of} by {event['extractor']} features, resize: {event['resize']})"
    if event.get("step"):
        title += f", at step {event['step']:,}"
        if best not in (None, event["step"]):
            title += f", with the weights of step {best:,}, where the validation loss was lowest"
        if event["step"] < steps:
            title += f"; training has since continued to step {steps:,}, so evaluate again"
    left = f" Left out: {event['left_out']}." if "left_out" in event else ""
    return f"{title}.{left}"


def _rows(event: dict[str, Any]) -> list[Number]:
    return list(_by_key(event).values())


def _by_key(event: dict[str, Any]) -> dict[str, Number]:
    other = settings()
    return {key: _number(key, value, event) for key, value in event.items() if key not in other}


def _number(key: str, value: Any, event: dict[str, Any]) -> Number:
    known = metric(key, event)
    unit = f"of {event[known.out_of]}" if known.out_of in event else known.unit
    share = known.unit == "%" and isinstance(value, (int, float))
    real = event.get("real_against_real", {}).get(key)

    def text(value: Any) -> str:
        return f"{100 * value:.1f}" if share else written(value)

    return Number(known.label, text(value), unit, known.described(event), "" if real is None else text(real))
