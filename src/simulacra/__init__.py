"""Deep generative models: train them on your data, work with them, measure them, audit them.

>>> import simulacra as sim
>>> "vae" in sim.MODELS
True
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from simulacra.api import load, load_data, train
    from simulacra.config import Training
    from simulacra.core.batch import Batch
    from simulacra.core.card import ModelCard
    from simulacra.core.decoding import Decoding
    from simulacra.core.latents import LatentSpace
    from simulacra.core.model import Model, Turn
    from simulacra.core.noise import Noise
    from simulacra.data.spec import DataSpec
    from simulacra.estimators import DistributionRegressor, MDNRegressor
    from simulacra.latent.directions import Direction
    from simulacra.models.autoencoder.model import Autoencoder
    from simulacra.models.autoencoder_kl.model import AutoencoderKL
    from simulacra.models.classifier.model import Classifier
    from simulacra.models.conditional_flow_matching.model import ConditionalFlowMatching
    from simulacra.models.conditional_gan.model import ConditionalGAN
    from simulacra.models.conditional_stylegan.model import ConditionalStyleGAN
    from simulacra.models.cyclegan.model import CycleGAN
    from simulacra.models.dfc_vae.model import DFCVAE
    from simulacra.models.flow.model import Flow
    from simulacra.models.flow_matching.model import FlowMatching
    from simulacra.models.gan.model import GAN
    from simulacra.models.gan_encoder.model import GANEncoder
    from simulacra.models.generator.model import Generator
    from simulacra.models.gmm.model import GMM
    from simulacra.models.language_model.model import LanguageModel
    from simulacra.models.mdn.model import MDN
    from simulacra.models.naive.model import Naive
    from simulacra.models.pca.model import PCA
    from simulacra.models.pix2pix.model import Pix2Pix
    from simulacra.models.registry import MODELS
    from simulacra.models.regressor.model import Regressor
    from simulacra.models.sentence_autoencoder.model import SentenceAutoencoder
    from simulacra.models.sentence_vae.model import SentenceVAE
    from simulacra.models.stylegan.model import StyleGAN
    from simulacra.models.vae.model import VAE
    from simulacra.tasks.compare import compare
    from simulacra.tasks.density import fit_density
    from simulacra.tasks.direction import direction, unlabelled_directions
    from simulacra.tasks.edit import edit
    from simulacra.tasks.evaluate import evaluate
    from simulacra.tasks.interpolate import interpolate
    from simulacra.tasks.mix import mix
    from simulacra.tasks.project import project
    from simulacra.transformer import as_transformer

# Imported when first used: torch takes over a second. The models' classes are found by their cards.
_LAZY = {
    "MODELS": "simulacra.models.registry",
    "Batch": "simulacra.core.batch",
    "DataSpec": "simulacra.data.spec",
    "Decoding": "simulacra.core.decoding",
    "Direction": "simulacra.latent.directions",
    "DistributionRegressor": "simulacra.estimators",
    "LatentSpace": "simulacra.core.latents",
    "MDNRegressor": "simulacra.estimators",
    "Model": "simulacra.core.model",
    "ModelCard": "simulacra.core.card",
    "Noise": "simulacra.core.noise",
    "Training": "simulacra.config",
    "Turn": "simulacra.core.model",
    "as_transformer": "simulacra.transformer",
    "compare": "simulacra.tasks.compare",
    "direction": "simulacra.tasks.direction",
    "edit": "simulacra.tasks.edit",
    "evaluate": "simulacra.tasks.evaluate",
    "fit_density": "simulacra.tasks.density",
    "interpolate": "simulacra.tasks.interpolate",
    "load": "simulacra.api",
    "load_data": "simulacra.api",
    "mix": "simulacra.tasks.mix",
    "project": "simulacra.tasks.project",
    "train": "simulacra.api",
    "unlabelled_directions": "simulacra.tasks.direction",
}
__all__ = [  # names that are imported when first used
    "DFCVAE",
    "GAN",
    "GMM",
    "MDN",
    "MODELS",
    "PCA",
    "VAE",
    "Autoencoder",
    "AutoencoderKL",
    "Batch",
    "Classifier",
    "ConditionalFlowMatching",
    "ConditionalGAN",
    "ConditionalStyleGAN",
    "CycleGAN",
    "DataSpec",
    "Decoding",
    "Direction",
    "DistributionRegressor",
    "Flow",
    "FlowMatching",
    "GANEncoder",
    "Generator",
    "LanguageModel",
    "LatentSpace",
    "MDNRegressor",
    "Model",
    "ModelCard",
    "Naive",
    "Noise",
    "Pix2Pix",
    "Regressor",
    "SentenceAutoencoder",
    "SentenceVAE",
    "StyleGAN",
    "Training",
    "Turn",
    "as_transformer",
    "compare",
    "direction",
    "edit",
    "evaluate",
    "fit_density",
    "interpolate",
    "load",
    "load_data",
    "mix",
    "project",
    "train",
    "unlabelled_directions",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    lazy = _LAZY if name in _LAZY else _LAZY | _model_classes()
    if name not in lazy:
        from difflib import get_close_matches

        known = {one.casefold(): one for one in reversed(__all__)}
        close = get_close_matches(name.casefold(), known, n=1)
        hint = f"; did you mean '{known[close[0]]}'?" if close else ""
        raise AttributeError(f"module 'simulacra' has no attribute '{name}'{hint}")
    module, _, attribute = lazy[name].partition(":")
    return getattr(import_module(module), attribute or name)


def _model_classes() -> dict[str, str]:
    """Where the class of every registered model is."""
    from simulacra.models.registry import MODELS

    paths = [card.path.partition(":") for card in MODELS.values()]
    return {cls: module for module, _, cls in paths}


def __dir__() -> list[str]:
    return sorted({*__all__, *(name for name in globals() if name.startswith("__"))})
