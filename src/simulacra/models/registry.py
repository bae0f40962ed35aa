"""Every model by name. Importing this imports no model and no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from importlib import import_module
from typing import TYPE_CHECKING, Any

from simulacra.config import Training
from simulacra.errors import ConfigError, nearest
from simulacra.models import configs

if TYPE_CHECKING:
    from simulacra.data.spec import DataSpec
    from simulacra.game import Model


DEFAULTS = Training()
# a net learns a table of some hundred rows by heart long before the training ends
PREDICTION = Training(keep="best", lr=2e-3, schedule="cosine")

# averages of the gradient itself carry the game past its balance (Gidel et al. 2019)
ADVERSARIAL = Training(betas=(0.0, 0.99), ema=0.999, schedule="cosine", lr=2e-3)

# the settings of both papers (Isola et al. 2017, Zhu et al. 2017)
TRANSLATION = Training(batch_size=1, lr=2e-4, betas=(0.5, 0.999), schedule="linear")
# a tenth of the arithmetic, which gets further in the same time on a few cores
NANO = {"width": 32, "blocks": 4, "identity": 0.0}


@dataclass(frozen=True)
class Entry:
    """Where a model is, its settings, a line for people, what it is known not to do, and how it trains."""

    path: str
    Config: type[Any]
    summary: str
    limits: tuple[str, ...]
    training: Training = DEFAULTS
    presets: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """settings of model and training under one name"""


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
    "regressor": Entry(
        "simulacra.models.regressor:Regressor",
        configs.RegressorConfig,
        "a net whose output is a distribution: p(y | x)",
        (
            "Where several answers are right its distribution covers all of them and what lies between: the"
            " mean may be no answer at all. An mdn keeps them apart.",
            "Predicted scales say how much the training data scatter, not how little the net knows far away"
            " from them.",
        ),
        PREDICTION,
    ),
    "mdn": Entry(
        "simulacra.models.mdn:MDN",
        configs.MDNConfig,
        "mixture density network: p(y | x) with several modes",
        (
            "K components show at most about K answers; a continuum of them is covered by pieces.",
            "Maximum likelihood may leave components unused, or spend one on few examples.",
            "Predicted scales say how much the training data scatter, not how little the net knows far away"
            " from them.",
        ),
        PREDICTION,
    ),
    "classifier": Entry(
        "simulacra.models.classifier:Classifier",
        configs.ClassifierConfig,
        "which class, and how sure: p(class | x)",
        (
            "It always names one of its classes, and may be sure of one for an image of nothing it knows.",
            "Small changes made to mislead it do, unless it was trained with --robust, and then only those of"
            " the kind and size it was trained on are harder to find: simulacra attack.",
        ),
        PREDICTION,
    ),
    "generator": Entry(
        "simulacra.models.generator:Generator",
        configs.GeneratorConfig,
        "an untrained net whose input is random",
        (
            "It has seen no data: only the shape of its samples is the data's.",
            "Its density is not known.",
        ),
    ),
    "gan": Entry(
        "simulacra.models.gan:GAN",
        configs.GANConfig,
        "generative adversarial network, eight objectives",
        (
            "It has no likelihood and no encoder: it draws, and says nothing of given examples.",
            "It may leave out parts of the data; coverage and recall say how much.",
        ),
        ADVERSARIAL,
    ),
    "conditional_gan": Entry(
        "simulacra.models.conditional_gan:ConditionalGAN",
        configs.ConditionalGANConfig,
        "a gan that is told the class: sample --class",
        (
            "It has no likelihood and no encoder: it draws, and says nothing of given examples.",
            "It draws the classes as often as the training data had them, which may not be how often they"
            " are.",
            "It may leave out parts of a class; coverage and recall say how much.",
        ),
        ADVERSARIAL,
    ),
    "pix2pix": Entry(
        "simulacra.models.pix2pix:Pix2Pix",
        configs.Pix2PixConfig,
        "translates images, learned from pairs",
        (
            "It invents what the input does not say, and does not mark what it invented.",
            "Its translations of one input are nearly the same; --style-dim makes them differ.",
            "Inputs unlike those it was trained on become something all the same.",
        ),
        TRANSLATION,
    ),
    "cyclegan": Entry(
        "simulacra.models.cyclegan:CycleGAN",
        configs.CycleGANConfig,
        "translates between two domains of images, without pairs",
        (
            "Nothing says which translation is the right one: colours may be exchanged, things appear or go.",
            "It may hide what it needs for the way back where nobody sees it: evaluate says how far the way"
            " back depends on that.",
        ),
        replace(TRANSLATION, batch_size=2),
        {"nano": NANO},
    ),
    "naive": Entry(
        "simulacra.models.naive:Naive",
        configs.NaiveConfig,
        "a generator compared with examples picked at random: collapses",
        (
            "It collapses: every sample tends to the mean of the data (mse, bce) or its median (l1). It is"
            " here to show why adversaries and encoders are needed.",
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
