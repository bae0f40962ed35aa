"""Every model by name. Importing this imports no model and no torch."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

from simulacra.errors import ConfigError, nearest
from simulacra.models import configs

if TYPE_CHECKING:
    from simulacra.data.spec import DataSpec
    from simulacra.game import Model


@dataclass(frozen=True)
class Entry:
    """Where a model is, its settings, and a line for people."""

    path: str
    Config: type[Any]
    summary: str


MODELS: dict[str, Entry] = {
    "autoencoder": Entry(
        "simulacra.models.autoencoder:Autoencoder",
        configs.AutoencoderConfig,
        "encoder and decoder, trained to reconstruct",
    ),
    "vae": Entry("simulacra.models.vae:VAE", configs.VAEConfig, "variational autoencoder"),
    "pca": Entry("simulacra.models.pca:PCA", configs.PCAConfig, "the linear baseline, solved exactly"),
}


def entry(name: str) -> Entry:
    """The registered model called `name`.

    Raises:
        ConfigError: there is none.
    """
    if name not in MODELS:
        raise ConfigError(f"unknown model '{name}', {nearest(name, MODELS)}")
    return MODELS[name]


def build(name: str, spec: DataSpec, config: Any) -> Model:
    """An untrained model for data of this spec."""
    module, _, attribute = entry(name).path.partition(":")
    model: Model = getattr(import_module(module), attribute)(spec, config)
    return model
