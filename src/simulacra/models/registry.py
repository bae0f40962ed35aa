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
    """Where a model is, its settings, a line for people, and what it is known not to do."""

    path: str
    Config: type[Any]
    summary: str
    limits: tuple[str, ...]


MODELS: dict[str, Entry] = {
    "autoencoder": Entry(
        "simulacra.models.autoencoder:Autoencoder",
        configs.AutoencoderConfig,
        "encoder and decoder, trained to reconstruct",
        (
            "It has no distribution over latents: it draws no new examples, and points between the latents of"
            " two examples need not decode to anything like the data.",
            "A reconstruction close to the original says nothing about how likely the original is.",
        ),
    ),
    "vae": Entry(
        "simulacra.models.vae:VAE",
        configs.VAEConfig,
        "variational autoencoder",
        (
            "Samples and reconstructions are blurrier than the data: each is the mean of p(x | z).",
            "Its likelihood is not known exactly: the ELBO is a lower bound, and so, on average, is an"
            " estimate from importance samples.",
            "Samples from the prior are worse than reconstructions where the encoder leaves parts of it"
            " unused.",
        ),
    ),
    "pca": Entry(
        "simulacra.models.pca:PCA",
        configs.PCAConfig,
        "the linear baseline, solved exactly",
        (
            "It is linear and Gaussian: samples are sums of a mean and a few components, and look like the"
            " data only as far as that goes.",
            "It is here as a baseline, which better models have to beat.",
        ),
    ),
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
