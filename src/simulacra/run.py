"""The run folder: what a training leaves behind, and how it is found again.

config.yaml            model, data, training, versions
model.safetensors      weights (the moving average where one is kept)
checkpoints/000500.safetensors   everything needed to go on bit for bit; the last two are kept
metrics.jsonl          one line an event
samples/000500.png     drawn as training goes
latent/priors/NAME/    the run of a density model of the latents
report.html, MODEL_CARD.md
"""

from __future__ import annotations

import json
import os
import platform
import shlex
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import yaml

from simulacra import limits
from simulacra.config import Training, from_dict, to_dict
from simulacra.data import Data, Options
from simulacra.data.fitting import load_like
from simulacra.data.spec import DataSpec, Origin, is_arrays
from simulacra.data.tables.schema import Column, Schema
from simulacra.data.text.vocabulary import Vocabulary
from simulacra.errors import (
    ConfigError,
    LimitError,
    RunError,
    SimulacraError,
    close_match,
    nearest,
    printable,
    shorten,
)
from simulacra.files import check_writable, clear_leftovers, write_text
from simulacra.models.registry import full_name, model_card, short_name

if TYPE_CHECKING:
    from simulacra.core.capabilities import Capability
    from simulacra.core.model import Model
    from simulacra.core.model_prior import ModelPrior

C = TypeVar("C", bound="Capability")

# version of config.yaml and of the names of weights
LAYOUT = 3
# of the runs of densities: where they are, and the file that says of which latents they are
PRIORS, LATENTS = Path("latent") / "priors", "latents.safetensors"
# Settings that may differ when a training goes on: they change no weight, or only lengthen it.
FREE_TO_CHANGE = {
    "steps", "epochs", "minutes", "device", "devices", "compile",
    "log_every", "validate_every", "sample_every", "evaluate_every", "evaluate_features", "checkpoint_every",
    "on_signal",
}  # fmt: skip


@dataclass(frozen=True)
class RunConfig:
    """The contents of config.yaml: model, data and training."""

    model: str
    config: Any
    source: str
    options: Options
    spec: DataSpec
    training: Training

    def to_yaml(self) -> str:
        document = {
            "layout": LAYOUT,
            "model": {"name": full_name(self.model), **to_dict(self.config)},
            "data": {"source": self.source, **to_dict(self.options), "spec": to_dict(self.spec)},
            "training": to_dict(self.training),
            "versions": {
                "simulacra": version("simulacra"),
                "torch": version("torch"),
                "python": platform.python_version(),
            },
        }
        return yaml.safe_dump(document, sort_keys=False)

    @classmethod
    def from_yaml(cls, text: str) -> RunConfig:
        """The reverse of `to_yaml`.

        Raises:
            RunError: it is of another version.
            SimulacraError, yaml.YAMLError, ValueError, LookupError: it was changed so that it cannot be read.
        """
        document, _ = limits.load_yaml(text)
        if not isinstance(document, dict):
            raise RunError("config.yaml is damaged; delete the folder, or train in another --out")
        if document.get("layout") != LAYOUT:
            raise RunError("made by another version of simulacra; train it again in another --out")
        model, data = (_section(document, name) for name in ("model", "data"))
        name, source, spec = model.pop("name"), data.pop("source"), data.pop("spec")
        if not isinstance(name, str) or not isinstance(source, str):
            raise ConfigError("the name of the model and the source of the data must be texts")
        return cls(
            name,
            from_dict(model_card(name).Config, model),
            source,
            from_dict(Options, data),
            _spec(spec),
            from_dict(Training, _section(document, "training")),
        )

    def settings(self) -> dict[str, Any]:
        """Every setting by its name, as plain values: of the model, the data and the training."""
        parts = (self.config, self.options, self.spec, self.training)
        flat: dict[str, Any] = {"model": full_name(self.model), "data": self.source}
        for part in parts:
            flat |= to_dict(part)
        return flat

    def differences(self, other: RunConfig) -> list[str]:
        """Settings of `other` that a training under this config cannot go on with."""
        mine, theirs = self.settings(), other.settings()
        # another model or source brings other settings with it
        roots = [key for key in ("model", "data") if mine[key] != theirs[key]]
        keys = roots or dict.fromkeys([*mine, *theirs])
        free = set(FREE_TO_CHANGE)
        if self.training.keep == "best":
            # validations choose the best weights
            free.discard("validate_every")
        if theirs["precision"] == "auto":
            # left open, it is what the training began with
            free.add("precision")
        different = [key for key in keys if key not in free and mine.get(key) != theirs.get(key)]
        if "schema" in different:
            # it changes with the table, and classes, columns and shape with it
            changed = _changed_columns(self.spec.schema, other.spec.schema)
            others = [
                key for key in different if key not in ("schema", "classes", "columns", "shape", "target")
            ]
            return [f"{key} {mine.get(key)} there, {theirs.get(key)} here" for key in others] + [
                f"columns of the table that changed: {changed}"
            ]
        return [f"{key} {mine.get(key)} there, {theirs.get(key)} here" for key in different]


def _section(values: Any, name: str) -> dict[str, Any]:
    """A part of config.yaml.

    Raises:
        ConfigError: it is missing, or no mapping.
    """
    section = values.get(name) if isinstance(values, dict) else None
    if not isinstance(section, dict):
        raise ConfigError(f"there is no section '{name}'")
    return section


def _spec(values: Any) -> DataSpec:
    """Raises ConfigError for what describes no data."""
    if not isinstance(values, dict):
        raise ConfigError("spec: must be names with values")
    target, schema = values.get("target"), None
    if values.get("schema"):
        columns = _section(values, "schema").get("columns")
        if not isinstance(columns, list) or not columns:
            raise ConfigError("schema: must have columns")
        schema = Schema(tuple(from_dict(Column, column) for column in columns))
    vocabulary = from_dict(Vocabulary, _section(values, "vocabulary")) if values.get("vocabulary") else None
    target = _spec(target) if target else None
    spec = from_dict(DataSpec, {**values, "target": target, "schema": schema, "vocabulary": vocabulary})
    if len(spec.shape) != (3 if spec.kind == "image" else 1) or min(spec.shape) < 1:
        raise ConfigError(f"shape: {spec.shape} is no shape of an {spec.kind}")
    if (spec.kind == "text") != (vocabulary is not None):
        raise ConfigError("vocabulary: sentences need one, and other examples have none")
    if schema is not None and (schema.width,) != spec.shape:
        raise ConfigError(f"schema: its columns have {schema.width} numbers, but the shape is {spec.shape}")
    if spec.columns and (len(spec.columns),) != spec.shape:
        raise ConfigError(f"columns: {len(spec.columns)} names for {spec.shape[0]} numbers")
    return spec


def _changed_columns(mine: Schema | None, theirs: Schema | None) -> str:
    """The names of columns that differ."""
    ours, others = ({c.name: c for c in schema.columns} if schema else {} for schema in (mine, theirs))
    names = [name for name in dict.fromkeys([*ours, *others]) if ours.get(name) != others.get(name)]
    return shorten(", ".join(names) or "their order", 200)


# events of numbers alone, and the values that others have
_NUMBERS = ("start", "train", "validation")
_VALUES: dict[str, dict[str, type]] = {
    "train": {"step": int},
    "validation": {"step": int},
    "scores": {"step": int, "extractor": str},
    "length": {"step": int, "steps": int},
    "warning": {"step": int, "cause": str, "text": str},
    "evaluation": {"data": str},
}


def read_event(line: bytes) -> dict[str, Any] | None:
    """A line of metrics.jsonl; None of one that is not an event as `Run.log` writes them.

    >>> read_event(b'{"event": "train", "step": 50, "loss": 0.5}')
    {'event': 'train', 'step': 50, 'loss': 0.5}
    >>> read_event(b'{"event": "train", "step": "50"}')
    """
    if len(line) > limits.METRICS_LINE:
        return None
    try:
        event = json.loads(line)
    # nested too deeply, or a number with too many digits
    except (ValueError, RecursionError):
        return None
    if not isinstance(event, dict) or not isinstance(event.get("event"), str):
        return None
    kind, step = event["event"], event.get("step", 0)
    if type(step) is not int or not 0 <= step <= limits.STEPS:
        return None
    wanted = _VALUES.get(kind, {})
    if not all(type(event.get(name)) is value for name, value in wanted.items()):
        return None
    others = (value for name, value in event.items() if name != "event")
    return event if kind not in _NUMBERS or all(type(value) in (int, float) for value in others) else None


class Run:
    """A run folder. Making the object touches nothing on the disk.

    Args:
        path: the folder.
    """

    def __init__(self, path: str | Path) -> None:
        """Raises RunError for what is no path."""
        if not isinstance(path, str | Path):
            raise RunError(f"a run folder is a path, e.g. 'runs/first', not {path!r}")
        self.path = Path(path)
        self.metrics = self.path / "metrics.jsonl"
        self.weights = self.path / "model.safetensors"
        self.checkpoints = self.path / "checkpoints"

    def __str__(self) -> str:
        return str(self.path)

    def __repr__(self) -> str:
        return f"Run({str(self.path)!r})"

    @property
    def config(self) -> RunConfig:
        """The stored config.

        Raises:
            RunError: there is no run here, or its config cannot be read.
        """
        file = self.path / "config.yaml"
        if not file.is_file():
            raise RunError(f"{self.path}: no run here (config.yaml is missing); {self._hint()}")
        try:
            return RunConfig.from_yaml(limits.read_bytes(file, limits.CONFIG_BYTES).decode("utf-8"))
        except RunError as error:
            raise RunError(f"{self.path}: {error}") from None
        except KeyError as error:
            raise RunError(f"{file}: cannot be read ({error} is missing)") from error
        except (yaml.YAMLError, SimulacraError, ValueError, TypeError, OverflowError) as error:
            reason = shorten((str(error).splitlines() or ["damaged"])[0], 200)
            raise RunError(f"{file}: cannot be read ({printable(reason)})") from error
        except OSError as error:
            raise RunError(f"{file}: cannot be read ({error.strerror})") from error

    @property
    def started(self) -> bool:
        """Whether there is a training to go on with: what was never saved is none."""
        return (self.path / "config.yaml").exists() and any(self.checkpoints.glob("*.safetensors"))

    @property
    def busy(self) -> bool:
        """Whether a process is training here."""
        from filelock import FileLock, Timeout

        lock = FileLock(self.path / ".lock")
        try:
            if (self.path / ".lock").exists():
                lock.acquire(timeout=0)
        except Timeout:
            return True
        except OSError:
            return False
        lock.release()
        return False

    def check_free(self) -> None:
        """Check that a training may be started or resumed here, without touching anything.

        Raises:
            RunError: it is busy, holds something else, or cannot be written.
        """
        check_writable(self.path)
        foreign = self.path.exists() and not (self.path / "config.yaml").exists()
        # what a kill left of the first file is none
        if foreign and any(p.name != ".lock" and not p.match(".*.tmp") for p in self.path.iterdir()):
            raise RunError(f"{self.path}: is not empty and is not a run folder; choose another --out")
        if self.busy:
            raise self._busy()

    def check_settings(self, config: RunConfig) -> None:
        """Raises RunError for a training that cannot go on under `config`."""
        if self.started and (different := self.config.differences(config)):
            raise RunError(
                f"{self.path}: holds a training with other settings ({'; '.join(different)});"
                " choose another --out, or delete that folder"
            )

    def _hint(self) -> str:
        """What to do about a folder without a run."""
        runs = {str(file.parent): file for file in self.path.parent.glob("*/config.yaml")}
        close = close_match(str(self.path), runs)
        if close is not None:
            return f"did you mean {close}?"
        if self.path.exists():
            return "'simulacra runs FOLDER' lists the runs in a folder"
        return f"train one with --out {shlex.quote(str(self))}"

    @contextmanager
    def opened(self, config: RunConfig) -> Iterator[None]:
        """Hold the folder for a training under `config`; make it when it is new.

        A training that is refused before it begins leaves no new folder.

        Raises:
            RunError: it is busy, belongs to other settings, or holds something else.
        """
        from filelock import FileLock, Timeout

        self.check_free()
        new = [folder for folder in (self.path, *self.path.parents) if not folder.exists()]
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            lock = FileLock(self.path / ".lock")
            lock.acquire(timeout=0)
        except Timeout:
            raise self._busy() from None
        except OSError as error:
            raise RunError(
                f"{self.path}: cannot be written ({error.strerror}); choose another --out"
            ) from error
        try:
            self.check_settings(config)
            for folder in (self.path, self.checkpoints, self.path / "samples"):
                clear_leftovers(folder)
            self.save(config)
            yield
        finally:
            lock.release()
            left = {file.name for file in self.path.iterdir()} if self.path.exists() else set()
            if new and left and left <= {"config.yaml", ".lock"}:
                for file in self.path.iterdir():
                    file.unlink()
                # others may have put something beside it
                with suppress(OSError):
                    for folder in new:
                        folder.rmdir()

    def save(self, config: RunConfig) -> None:
        """Write config.yaml.

        Raises:
            RunError: it cannot be written, or is larger than what is read.
        """
        text = config.to_yaml()
        if len(text.encode()) > limits.CONFIG_BYTES:
            raise RunError(
                f"{self.path}: the names of columns and categories take more than"
                f" {limits.amount(limits.CONFIG_BYTES)}, the limit; leave some out with --drop"
            )
        write_text(self.path / "config.yaml", text)

    def _busy(self) -> RunError:
        return RunError(
            f"{self.path}: another process is training here; wait for it, or choose another --out"
        )

    def events(self, kind: str | None = None) -> list[dict[str, Any]]:
        """The lines of metrics.jsonl in order, of one `kind` or all; those that are torn are left out.

        Raises:
            RunError: the file cannot be read, or is too large.
        """
        if not self.metrics.is_file():
            return []
        try:
            raw = limits.read_bytes(self.metrics, limits.METRICS_BYTES)
        except (LimitError, OSError) as error:
            raise RunError(f"{self.metrics}: cannot be read ({error})") from error
        events = []
        for line in raw.splitlines():
            event = read_event(line)
            if event is not None and kind in (None, event["event"]):
                events.append(event)
        return events

    @property
    def step(self) -> int:
        """Steps of the training that are saved: of the last checkpoint, or else of the last `train` event."""
        saved = [int(file.stem) for file in self.checkpoints.glob("*.safetensors") if file.stem.isdecimal()]
        return max(saved or [event["step"] for event in self.events("train")], default=0)

    def log(self, kind: str, **values: Any) -> None:
        """Append one event.

        Raises:
            RunError: metrics.jsonl cannot be written.
        """
        line = json.dumps({"event": kind, **values}) + "\n"
        try:
            with self.metrics.open("ab+") as file:
                if file.tell():
                    file.seek(-1, os.SEEK_END)
                    # a line that was torn by a kill
                    if file.read(1) != b"\n":
                        line = "\n" + line
                file.write(line.encode())
        except OSError as error:
            raise RunError(f"{self.metrics}: could not be written ({error.strerror})") from error

    def check_there(self) -> None:
        """Raises RunError when the folder was deleted, so that no part of it is made anew."""
        if not (self.path / "config.yaml").exists():
            raise RunError(
                f"{self.path}: was deleted during the training; run the same command to start again"
            )

    @property
    def whole(self) -> bool:
        """Whether the weights are there and undamaged."""
        from simulacra import tensors

        try:
            tensors.check(self.weights)
        except RunError:
            return False
        return True

    def load_with(self, capability: type[C], prior: str | None = None) -> C:
        """The trained model, which has to have a capability.

        Raises:
            RunError: it has not; or as `load`.
        """
        from simulacra.core.capabilities import require

        config = self.config
        return require(self.load(prior), capability, self, short_name(config.model), config.source)

    @property
    def priors(self) -> list[str]:
        """Names of the densities that were fitted to latents of the present weights, the last one last."""
        from simulacra import tensors

        weights, found = tensors.checksum(self.weights), []
        for file in (self.path / PRIORS).glob(f"*/{LATENTS}"):
            with suppress(RunError):
                notes = tensors.read(file)[1]
                if notes.get("weights") == weights and (file.parent / self.weights.name).is_file():
                    found.append((notes.get("fitted", ""), file.parent.name))
        return [name for _, name in sorted(found)]

    def prior(self, name: str) -> ModelPrior:
        """The prior of this name: a density of the latents.

        Raises:
            RunError: there is none of this name, it is one of other weights, or it cannot be loaded.
        """
        from simulacra import tensors
        from simulacra.core.capabilities import Samples
        from simulacra.core.model_prior import ModelPrior

        known, folder = self.priors, self.path / PRIORS / name
        if name not in known:
            if (folder / LATENTS).is_file():
                raise RunError(
                    f"{self.path}: the prior '{name}' was fitted to the latents of other weights, or not to"
                    " the end; fit it again, with --overwrite"
                )
            hint = nearest(name, known) if known else f"fit one: simulacra density {self} --kind gmm"
            raise RunError(f"{self.path}: there is no prior '{printable(shorten(name))}'; {hint}")
        mean = tensors.read(folder / LATENTS)[0]["mean"]
        return ModelPrior(Run(folder).load_with(Samples), mean, name)

    def check_trained(self) -> None:
        """Refuse a folder without a trained model. Imports no torch.

        Raises:
            RunError: there is no run here, or it has no weights yet.
        """
        _ = self.config
        if not self.weights.is_file():
            raise RunError(
                f"{self.path}: no weights yet (model.safetensors is missing); finish its training first"
            )

    def load(self, prior: str | None = None) -> Model:
        """The trained model, ready to use: evaluation mode, on the CPU.

        Args:
            prior: name of a density that was fitted to its latents; when not given, the prior of the model
                itself, and where it has none, the density that was fitted last.

        Raises:
            RunError: there is no run, no weights yet, or weights that do not fit or are not finite; or no
                such prior.
        """
        from simulacra.core.capabilities import Decodes
        from simulacra.core.model_prior import with_prior

        model = self._load()
        if prior is None and isinstance(model, Decodes) and model.latent.prior is None:
            prior = next(reversed(self.priors), None)
        if prior is None:
            return model
        if not isinstance(model, Decodes):
            raise RunError(f"{self.path}: this {short_name(self.config.model)} {Decodes.missing}")
        return with_prior(model, self.prior(prior))

    def _load(self) -> Model:
        import torch

        from simulacra import tensors
        from simulacra.models.registry import build

        self.check_trained()
        config = self.config
        weights = tensors.read(self.weights)[0]
        try:
            # beside the weights that were read
            model = build(config.model, config.spec, config.config, each=8)
        except SimulacraError as error:
            raise RunError(f"{self.path}: {error}") from error
        # a config that was changed by hand may describe no model: constructors meet it with any error
        except Exception as error:
            reason = shorten((str(error).splitlines() or [""])[0], 200)
            raise RunError(
                f"{self.path / 'config.yaml'}: describes no model that can be built"
                f" ({type(error).__name__}: {printable(reason)})"
            ) from error
        model.trained_on = Origin(config.source, config.options)
        try:
            state = model.state_dict()
            missing = {name: state[name] for name in model.training_only}
            model.load_state_dict(missing | weights)
        except RuntimeError as error:
            raise RunError(f"{self.weights}: cannot be loaded ({str(error).splitlines()[0]})") from error
        # -inf is ln 0 in a buffer
        if not (
            all(parameter.isfinite().all() for parameter in model.parameters())
            and all((buffer < torch.inf).all() for buffer in model.buffers())
        ):
            raise RunError(
                f"{self.weights}: the weights are not finite; train again with a smaller --lr, in another"
                " --out"
            )
        # convolutions on CPU took 1.4 to 1.6 times as long without channels_last (fp32, no gradients)
        model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # missing in torch's stubs
        return model.eval().requires_grad_(False)

    def data(self, source: str | None = None, whole: bool = False) -> Data:
        """The data it was trained on, or another source brought to the same shape.

        Args:
            source: as the user writes it; the run's own by default.
            whole: whether all examples of another source are its test split, whether or not it has what is
                to be predicted.

        Raises:
            DataError: the source is not there, or its examples have another shape.
        """
        from simulacra import data
        from simulacra.errors import DataError

        config = self.config
        # arrays are not stored, and loading them says so
        own = None if is_arrays(config.source) else data.parse(config.source)[:2]
        if source is None or data.parse(source)[:2] == own:
            return data.load(config.source, config.options, config.spec)
        spec, options = config.spec, config.options
        changes: dict[str, Any] = {"target": None, "split": "none"} if whole else {}
        loaded = load_like(source, spec, options, **changes)
        for what, ours, theirs in (
            ("examples", spec, loaded.spec),
            ("targets", spec.target, loaded.spec.target),
        ):
            if whole and what == "targets":
                continue
            if ours is not None and (theirs is None or theirs.shape != ours.shape):
                there = "are missing" if theirs is None else f"have shape {theirs.shape}"
                raise DataError(f"{source}: {what} {there}, {self.path} was trained on {ours.shape}")
            if ours is not None and theirs is not None and theirs.columns != ours.columns:
                named = [", ".join(columns[:10]) for columns in (theirs.columns, ours.columns)]
                raise DataError(f"{source}: columns {named[0]}; {self.path} was trained on {named[1]}")
        if whole and options.target is not None:
            from simulacra.data.images.attributes import with_classes

            with suppress(DataError):
                return with_classes(loaded, options.target)
        return loaded
