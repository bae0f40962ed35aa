"""The settings of every model, importable without torch: the command line reads them first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

LikelihoodName = Literal[
    "bernoulli",
    "continuous-bernoulli",
    "normal",
    "normal-shared",
    "normal-learned",
    "laplace",
    "categorical",
    "discretised-logistic",
]


@dataclass(frozen=True)
class AutoencoderConfig:
    """Nets and likelihood of an encoder and a decoder."""

    latent_dim: int = 16
    """numbers in a latent z"""
    net: Literal["auto", "mlp", "conv", "resnet"] = "auto"
    """kind of net; auto: conv for images of 16 pixels and more, else mlp"""
    hidden: tuple[int, ...] = (400,)
    """mlp: sizes of the encoder's hidden layers, the decoder has them mirrored; resnet: of its last layers"""
    width: int = 32
    """conv, resnet: channels of the first level, doubled at every halving of the image"""
    depth: int = 2
    """resnet: residual blocks a level"""
    likelihood: LikelihoodName | Literal["auto"] = "auto"
    """p(x | z); auto: bernoulli for grey images, normal-shared for colour, normal-learned for vectors"""
    scale: Literal["softplus", "exp"] = "softplus"
    """activation of predicted scales"""
    sigma: float = 1.0
    """fixed scale of normal and laplace, or where a learned one starts"""
    binarise: bool = False
    """train and evaluate on black-or-white pixels drawn anew each time with p = grey value"""


@dataclass(frozen=True)
class VAEConfig(AutoencoderConfig):
    """Nets, likelihood and objective of a variational autoencoder."""

    beta: float = 1.0
    """weight of the KL term (Higgins et al. 2017)"""
    kl_warmup: int = 0
    """steps in which the weight of the KL term rises from 0 to beta"""
    free_bits: float = 0.0
    """nats of KL that each latent dimension has for free (Kingma et al. 2016)"""
    importance_samples: int = 1
    """samples k of the importance-weighted bound that is maximised; 1 is the ELBO (Burda et al. 2016)"""
    importance_from: float = 0.0
    """share of the training after which k samples are used; before it, 1"""


@dataclass(frozen=True)
class PCAConfig:
    """Probabilistic principal component analysis."""

    latent_dim: int = 16
    """number of principal components"""
