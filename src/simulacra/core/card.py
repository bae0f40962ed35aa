"""The card of a model: everything about it that is known without torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from simulacra.config import Training
from simulacra.data.spec import DataSpec
from simulacra.errors import ConfigError


@dataclass(frozen=True)
class ModelCard:
    """A model as the command line, the API and the docs introduce it.

    Attributes:
        path: where its class is, `module:Class`.
        Config: the dataclass of its settings.
        summary: what it is, in a line.
        limits: what it cannot do, sentences for the model card.
        training: defaults of its training.
        presets: settings of model and training by name.
        gains_bf16: whether the nets of a Config for data of a spec train clearly faster in bfloat16, and as
            well.
        needs: what a spec of data lacks for this model, a sentence; empty when the data suit.
        densities: the kinds of density of latents that it is, and the settings of each.
        kinds: of data that it takes.
        base: the setting that names the run of another model, which this one is trained for; its data are the
            default. Empty for none.
    """

    path: str
    Config: type[Any]
    summary: str
    limits: tuple[str, ...] = ()
    training: Training = field(default_factory=Training)
    presets: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    gains_bf16: Callable[[Any, DataSpec], bool] = lambda config, spec: False
    needs: Callable[[DataSpec], str] = lambda spec: ""
    densities: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    kinds: tuple[str, ...] = ("image", "vector")
    base: str = ""

    def lacks(self, spec: DataSpec) -> str:
        """Why the model cannot be trained on data of this spec, a sentence; empty when it can."""
        if spec.kind in self.kinds:
            return self.needs(spec)
        name = self.path.partition(":")[0].split(".")[-2]
        if spec.kind == "text":
            return f"a {name} takes no sentences; train a sentence_vae"
        return f"a {name} takes sentences alone; train a vae"

    def check(self, spec: DataSpec) -> None:
        """Raises ConfigError for data that the model cannot be trained on."""
        if problem := self.lacks(spec):
            raise ConfigError(problem)
