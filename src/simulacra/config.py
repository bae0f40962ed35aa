"""Settings of a training, and conversion of settings to and from YAML. Imports no torch."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from math import inf
from numbers import Integral, Real
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from simulacra.errors import ConfigError, nearest, shorten
from simulacra.limits import STEPS

T = TypeVar("T")

# settings of the length of a training
LENGTHS = ("steps", "epochs", "minutes")
ONE_LENGTH = "give one of --steps, --epochs and --minutes"
DEFAULT_EPOCHS, DEFAULT_STEPS = 20, 2000


@dataclass(frozen=True)
class Training:
    """How a model is trained."""

    steps: int | None = None
    """training steps; an alternative to --epochs and --minutes"""
    epochs: float | None = None
    """passes over the training data; without any length 20, but at least 2,000 steps"""
    minutes: float | None = None
    """minutes to train for; the steps that fit are measured at the first start and kept"""
    batch_size: int = 128
    """examples per step, over all devices and accumulation parts"""
    lr: float = 1e-3
    """learning rate after warm-up"""
    optimizer: Literal["adam", "adamw", "adamax"] = "adam"
    """Adam; Adam with decoupled weight decay; Adamax, with the largest gradient for its mean square"""
    betas: tuple[float, float] = (0.9, 0.999)
    """Adam's decay rates of the averages of gradient and squared gradient"""
    weight_decay: float = 0.0
    """strength of weight decay"""
    schedule: Literal["constant", "cosine", "linear"] = "constant"
    """learning rate after warm-up: constant, a cosine down to 0, or constant for half of the training,
    then a line down to 0"""
    warmup: int = 0
    """steps over which the learning rate rises from 0"""
    clip: float | None = None
    """clip the gradient of each player to this norm"""
    accumulate: int = 1
    """parts that a batch is split into to save memory; their gradients are accumulated"""
    ema: float | None = None
    """decay of a moving average of the weights, e.g. 0.999; the run keeps the average"""
    keep: Literal["last", "best"] = "last"
    """which weights the run keeps: the last ones, or those with the lowest validation loss"""
    precision: Literal["auto", "32", "bf16"] = "auto"
    """arithmetic: float32, or mixed precision with bfloat16; auto: bf16 where the model gains by it and the
    device computes in it, else 32, as found when the training begins"""
    compile: bool = False
    """compile the nets with torch.compile"""
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    """device to train on"""
    devices: int = 1
    """number of devices, each with a process of its own"""
    seed: int = 0
    """random seed"""
    log_every: int = 50
    """steps between training events in metrics.jsonl"""
    validate_every: int | None = None
    """steps between validations; a twentieth of the training by default"""
    sample_every: int | None = None
    """steps between sample grids; a tenth of the training by default"""
    evaluate_every: int | None = None
    """steps between scores of samples (FID, KID, precision, recall, ...); no scores by default"""
    evaluate_features: str = "raw"
    """features that the scores compare: raw, efficientnet-lite0, inception, or a classifier's run folder"""
    checkpoint_every: float = 60.0
    """seconds between checkpoints"""
    on_signal: Literal["stop", "requeue"] = "stop"
    """after SIGTERM, SIGUSR1 or SIGUSR2 and a checkpoint: leave, or put the SLURM job into the queue again"""

    def __post_init__(self) -> None:
        """Raises ConfigError for impossible settings."""
        # steps and minutes: the steps are those that fit the minutes
        if self.epochs is not None and (self.steps is not None or self.minutes is not None):
            raise ConfigError(ONE_LENGTH)
        check_ranges(
            self,
            positive=(*LENGTHS, "lr", "clip", "validate_every", "sample_every", "evaluate_every"),
            at_least_1=("batch_size", "accumulate", "devices", "log_every"),
            at_least_0=("weight_decay", "warmup", "checkpoint_every", "seed"),
        )
        for name in ("steps", "epochs", "warmup"):
            if (value := getattr(self, name)) is not None and value > STEPS:
                raise ConfigError(f"{name}: must be at most {STEPS:,}, not {value}")
        if not all(0 <= beta < 1 for beta in self.betas):
            raise ConfigError(f"betas: both must be in [0, 1), not {self.betas}")
        if self.ema is not None and not 0 < self.ema < 1:
            raise ConfigError(f"ema: must be between 0 and 1, not {self.ema}")

    def fitted_batch(self, examples: Sequence[int], shards: int) -> int:
        """The batch size, smaller than `batch_size` when there are fewer examples.

        >>> Training(batch_size=16).fitted_batch([5, 3], shards=2)
        4

        Args:
            examples: the number of examples of each group; a batch holds equally many of each.
            shards: equal parts of a batch, one for each process and accumulation part.

        Raises:
            ConfigError: the batch cannot be divided equally.
        """
        size = min(self.batch_size, min(examples) // shards * shards * len(examples))
        parts = shards * len(examples)
        if size == 0:
            raise ConfigError(f"batch_size: there are too few examples for {parts} equal parts")
        if size % parts:
            classes = f" ({len(examples)} classes in {shards})" if len(examples) > 1 else ""
            raise ConfigError(
                f"batch_size: must be a multiple of {parts} for equal parts{classes}, not {self.batch_size}"
            )
        return size

    def total_steps(self, examples: int, batch_size: int) -> int:
        """The number of steps for this many training examples. Batches are full: an epoch drops the rest."""
        if self.steps is not None:
            return self.steps
        per_epoch = examples // batch_size
        if self.epochs is None:
            return max(DEFAULT_STEPS, DEFAULT_EPOCHS * per_epoch)
        return max(1, round(self.epochs * per_epoch))


def check_ranges(
    config: Any,
    positive: Sequence[str] = (),
    at_least_1: Sequence[str] = (),
    at_least_0: Sequence[str] = (),
) -> None:
    """Raises ConfigError for a field out of its range, NaN and infinity included; None is in every range."""
    for names, low, text in (
        (positive, 0, "above 0"),
        (at_least_1, 1, "at least 1"),
        (at_least_0, 0, "0 or more"),
    ):
        for name in names:
            value = getattr(config, name)
            fits = value is None or low < value < inf or (value == low and names is not positive)
            if not fits:
                raise ConfigError(
                    f"{name}: must be {'finite and ' if value == inf else ''}{text}, not {value}"
                )


def to_dict(config: Any) -> dict[str, Any]:
    """A dataclass as plain YAML values: tuples become lists, dataclasses inside it dicts."""
    plain: dict[str, Any] = _plain(dataclasses.asdict(config))
    return plain


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items()}
    return [_plain(v) for v in value] if isinstance(value, (tuple, list)) else value


def configure(groups: Sequence[Any], settings: Mapping[str, Any]) -> tuple[Any, ...]:
    """Dataclasses with each setting replaced in those that have a field of its name.

    >>> configure([Training()], {"lr": 0.01})[0].lr
    0.01

    Raises:
        ConfigError: no field has the name of a setting, and the message names the nearest; a value is not of
            the field's type; or more than one setting gives the length of a training.
    """
    if len(settings.keys() & set(LENGTHS)) > 1:
        raise ConfigError(ONE_LENGTH)
    fields = [{field.name for field in dataclasses.fields(group)} for group in groups]
    _check_names(settings, set().union(*fields))
    return tuple(
        dataclasses.replace(
            group, **{name: _typed(type(group), name, settings[name]) for name in names & settings.keys()}
        )
        for group, names in zip(groups, fields, strict=True)
    )


def from_dict(cls: type[T], values: dict[str, Any]) -> T:
    """A dataclass from YAML values: the reverse of `to_dict`.

    >>> from_dict(Training, {"lr": 0.01}).lr
    0.01

    Raises:
        ConfigError: an unknown key, and the message names the nearest valid one; or a value is not of the
            field's type.
    """
    if not isinstance(values, dict):
        raise ConfigError(f"settings must be names with values, not {shorten(repr(values))}")
    _check_names(values, [f.name for f in dataclasses.fields(cls)])  # type: ignore[arg-type]  # a dataclass
    return cls(**{name: _typed(cls, name, value) for name, value in values.items()})


def _check_names(settings: Collection[str], known: Collection[str]) -> None:
    for name in settings:
        if name not in known:
            raise ConfigError(f"unknown setting '{shorten(str(name))}', {nearest(str(name), known)}")


def _field(value: Any) -> Any:
    """A YAML value as a field of a dataclass holds it."""
    return tuple(value) if isinstance(value, list) else value


def _typed(cls: type[Any], name: str, value: Any) -> Any:
    """A value as the type of its field holds it.

    >>> _typed(Training, "lr", 1), _typed(Training, "betas", [0, 0.9])
    (1.0, (0.0, 0.9))

    Raises:
        ConfigError: it is not of this type.
    """
    try:
        hint = _hints(cls)[name]  # type: ignore[arg-type]  # classes are hashable
    # an annotation that a model in a file of its own did not import
    except NameError:
        return _field(value)
    kinds = get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)
    for kind in kinds:
        with suppress(ValueError):
            return _converted(kind, value)
    choices = [choice for kind in kinds if get_origin(kind) is Literal for choice in get_args(kind)]
    if choices and isinstance(value, str):
        raise ConfigError(f"{name}: unknown '{value}', {nearest(value, choices)}")
    wanted = [f"one of {', '.join(choices)}"] if choices else []
    wanted += [_NAMES.get(kind) or _list(get_args(kind)) for kind in kinds if get_origin(kind) is not Literal]
    raise ConfigError(f"{name}: must be {' or '.join(wanted)}, not {shorten(repr(value))}")


@cache
def _hints(cls: type[Any]) -> dict[str, Any]:
    return get_type_hints(cls)


def _list(parts: Sequence[Any]) -> str:
    return "a list of numbers" if ... in parts else f"{len(parts)} numbers"


_NAMES = {int: "a whole number", float: "a number", bool: "True or False", str: "a text", NoneType: "None"}


def _converted(kind: Any, value: Any) -> Any:
    """The value as one type; ValueError if it is of another."""
    if get_origin(kind) is tuple and isinstance(value, list | tuple):
        parts = get_args(kind)
        each = [parts[0]] * len(value) if parts[-1] is ... else parts
        return tuple(_converted(one, part) for one, part in zip(each, value, strict=True))
    fits = {
        NoneType: value is None,
        bool: isinstance(value, bool),
        int: isinstance(value, Integral) and not isinstance(value, bool),
        float: isinstance(value, Real) and not isinstance(value, bool),
        str: isinstance(value, str),
    }
    if get_origin(kind) is Literal:
        # 32 for "32"
        value = str(value) if isinstance(value, int) else value
        fits[kind] = value in get_args(kind)
    if not fits.get(kind, get_origin(kind) is not tuple):
        raise ValueError
    return kind(value) if kind in (int, float) else _field(value)
