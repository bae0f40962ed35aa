"""Settings of a training, and how settings become YAML and come back. Imports no torch."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from simulacra.errors import ConfigError, nearest

T = TypeVar("T")

DEFAULT_EPOCHS, DEFAULT_STEPS = 20, 2000


@dataclass(frozen=True)
class Training:
    """How long, how fast and where a model is trained."""

    steps: int | None = None
    """rounds of the game; instead of --epochs"""
    epochs: float | None = None
    """passes over the training data; 20, or as many as make 2,000 steps, when neither is given"""
    batch_size: int = 128
    """examples a step, over all devices and accumulated parts"""
    lr: float = 1e-3
    """learning rate after warm-up"""
    optimizer: Literal["adam", "adamw"] = "adam"
    """Adam, or Adam with decoupled weight decay"""
    betas: tuple[float, float] = (0.9, 0.999)
    """Adam's averages of gradient and squared gradient"""
    weight_decay: float = 0.0
    """weight decay"""
    schedule: Literal["constant", "cosine", "linear"] = "constant"
    """learning rate after warm-up: as it is, down to 0 along a cosine, or as it is for half of the training
    and then down to 0 in a line"""
    warmup: int = 0
    """steps in which the learning rate rises from 0"""
    clip: float | None = None
    """largest norm of a player's gradient"""
    accumulate: int = 1
    """parts that a batch is computed in, to save memory"""
    ema: float | None = None
    """decay of the moving average of the weights, e.g. 0.999; the average is what is kept"""
    keep: Literal["last", "best"] = "last"
    """weights that are kept: the last ones, or those with the lowest validation loss"""
    precision: Literal["32", "bf16"] = "32"
    """arithmetic: float32, or bfloat16 where it is safe"""
    compile: bool = False
    """compile the nets with torch.compile"""
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    """where to compute"""
    devices: int = 1
    """processes, one a device"""
    seed: int = 0
    """of everything that is random"""
    log_every: int = 50
    """steps between lines of metrics.jsonl"""
    validate_every: int | None = None
    """steps between looks at the validation data; a twentieth of the training when not given"""
    sample_every: int | None = None
    """steps between sample grids; a tenth of the training when not given"""
    evaluate_every: int | None = None
    """steps between scores of samples (FID, KID, precision, recall, ...); no scores when not given"""
    evaluate_features: str = "raw"
    """what these scores compare: raw, efficientnet-lite0, inception, or the run folder of a classifier"""
    checkpoint_every: float = 60.0
    """seconds between checkpoints"""

    def __post_init__(self) -> None:
        """Raises ConfigError for settings that cannot be."""
        if self.steps is not None and self.epochs is not None:
            raise ConfigError("give --steps or --epochs, not both")
        for name in ("steps", "epochs", "lr", "clip", "validate_every", "sample_every", "evaluate_every"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise ConfigError(f"{name}: must be above 0, not {value}")
        for name in ("batch_size", "accumulate", "devices", "log_every"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name}: must be at least 1, not {getattr(self, name)}")
        for name in ("weight_decay", "warmup", "checkpoint_every", "seed"):
            if not getattr(self, name) >= 0:
                raise ConfigError(f"{name}: must be 0 or more, not {getattr(self, name)}")
        if not all(0 <= beta < 1 for beta in self.betas):
            raise ConfigError(f"betas: both must be in [0, 1), not {self.betas}")
        if self.ema is not None and not 0 < self.ema < 1:
            raise ConfigError(f"ema: must be between 0 and 1, not {self.ema}")

    def fitted_batch(self, examples: Sequence[int], shards: int) -> int:
        """The batch size: smaller than asked for when there are fewer examples.

        >>> Training(batch_size=16).fitted_batch([5, 3], shards=2)
        4

        Args:
            examples: how many there are of each group that a batch holds equally many of.
            shards: equal parts of a batch, one for each process and accumulated part.

        Raises:
            ConfigError: it cannot be cut so.
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
        """Steps for this many training examples. Batches are full, an epoch drops the rest."""
        if self.steps is not None:
            return self.steps
        per_epoch = examples // batch_size
        if self.epochs is None:
            return max(DEFAULT_STEPS, DEFAULT_EPOCHS * per_epoch)
        return max(1, round(self.epochs * per_epoch))


def to_dict(config: Any) -> dict[str, Any]:
    """A dataclass as plain YAML values: tuples become lists, dataclasses inside it dicts."""
    plain: dict[str, Any] = _plain(dataclasses.asdict(config))
    return plain


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items()}
    return [_plain(v) for v in value] if isinstance(value, (tuple, list)) else value


def from_dict(cls: type[T], values: dict[str, Any]) -> T:
    """A dataclass from YAML values: the reverse of `to_dict`.

    >>> from_dict(Training, {"lr": 0.01}).lr
    0.01

    Raises:
        ConfigError: an unknown key; the message names the nearest valid one.
    """
    known = [f.name for f in dataclasses.fields(cls)]  # type: ignore[arg-type]  # cls is a dataclass
    for key in values:
        if key not in known:
            raise ConfigError(f"unknown setting '{key}', {nearest(key, known)}")
    return cls(**{k: tuple(v) if isinstance(v, list) else v for k, v in values.items()})
