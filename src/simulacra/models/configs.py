"""The settings of every model, importable without torch: the command line reads them first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from simulacra.errors import ConfigError

LikelihoodName = Literal[
    "bernoulli",
    "continuous-bernoulli",
    "normal",
    "normal-shared",
    "normal-learned",
    "laplace",
    "laplace-learned",
    "multivariate-normal",
    "categorical",
    "discretised-logistic",
]


def check_sizes(config: Any) -> None:
    """Raises ConfigError for a size of a net that is not positive."""
    for name in ("latent_dim", "width", "depth", "blocks", "components"):
        size = getattr(config, name, None)
        if size is not None and size < 1:
            raise ConfigError(f"{name}: must be at least 1, not {size}")
    if any(size < 1 for size in getattr(config, "hidden", ())):
        raise ConfigError(f"hidden: every layer needs at least 1 unit, not {config.hidden}")


@dataclass(frozen=True)
class AutoencoderConfig:
    """Nets and likelihood of an encoder and a decoder."""

    latent_dim: int = 16
    """numbers in a latent z"""
    net: Literal["auto", "mlp", "conv", "upsample", "resnet"] = "auto"
    """kind of net; auto: conv for images of 16 pixels and more, else mlp; upsample: as conv, but the decoder
    enlarges and convolves instead of transposed convolutions"""
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


@dataclass(frozen=True)
class PredictionConfig:
    """The net between an input and the distribution of what belongs to it."""

    net: Literal["auto", "mlp", "conv", "resnet"] = "auto"
    """kind of net; auto: conv for images of 16 pixels and more, else mlp"""
    hidden: tuple[int, ...] = (64, 64)
    """mlp: sizes of the hidden layers; resnet: of its last layers"""
    width: int = 32
    """conv, resnet: channels of the first level, doubled at every halving of the image"""
    depth: int = 2
    """resnet: residual blocks a level"""
    scale: Literal["softplus", "exp"] = "softplus"
    """activation of predicted scales"""


@dataclass(frozen=True)
class RegressorConfig(PredictionConfig):
    """One distribution for every input."""

    likelihood: LikelihoodName | Literal["auto"] = "auto"
    """p(y | x); auto: normal-learned for targets that are numbers or images, categorical for classes"""
    sigma: float = 1.0
    """fixed scale of normal and laplace, or where a learned one starts, in deviations of the target"""


@dataclass(frozen=True)
class MDNConfig(PredictionConfig):
    """A mixture of normal distributions for every input."""

    components: int = 5
    """number K of components"""
    covariance: Literal["diagonal", "full"] = "diagonal"
    """of every component"""


@dataclass(frozen=True)
class ClassifierConfig:
    """The net between an example and the probabilities of the classes, and how it is trained."""

    net: Literal["auto", "mlp", "conv", "resnet"] = "auto"
    """kind of net; auto: conv for images, mlp for vectors"""
    hidden: tuple[int, ...] = (128,)
    """sizes of the hidden layers, after the convolutions where there are any; the last gives the features"""
    width: int = 32
    """conv, resnet: channels of the first level, doubled at every halving of the image"""
    depth: int = 1
    """conv: convolutions a level; resnet: residual blocks a level"""
    shift: int = 1
    """pixels that images are moved by at random in training, at most"""
    robust: bool = False
    """train on adversarial examples, made anew in every step (Madry et al. 2018)"""
    epsilon: float = 0.3
    """robust: largest change of a pixel, of 1"""
    attack_steps: int = 7
    """robust: gradient steps to an adversarial example; 1 is fast (Wong et al. 2020)"""


@dataclass(frozen=True)
class NetworkConfig:
    """A net whose input is random."""

    latent_dim: int = 2
    """numbers in a latent z ~ N(0, I)"""
    net: Literal["auto", "mlp", "conv", "upsample", "resnet"] = "auto"
    """kind of net; conv: transposed convolutions; upsample: enlarge, then convolve; auto: conv for images of
    16 pixels and more, else mlp"""
    hidden: tuple[int, ...] = (100,) * 12
    """mlp: sizes of the hidden layers; resnet: of its first layers"""
    width: int = 32
    """conv, upsample, resnet: channels of the last level, doubled at every halving of the image"""
    depth: int = 2
    """resnet: residual blocks a level"""


@dataclass(frozen=True)
class GeneratorConfig(NetworkConfig):
    """An untrained generator network, with or without a distribution at its output."""

    likelihood: LikelihoodName | Literal["none"] = "none"
    """p(x | z) that samples are drawn from; none: the net's output itself"""
    scale: Literal["softplus", "exp"] = "softplus"
    """activation of predicted scales"""
    sigma: float = 1.0
    """fixed scale of normal and laplace"""


@dataclass(frozen=True)
class GANConfig(NetworkConfig):
    """Generator, discriminator and the objective of their game."""

    latent_dim: int | None = None  # type: ignore[assignment]  # None is resolved from the data
    """numbers in a latent z ~ N(0, I); 64 for images, as many as a vector has when not given"""
    net: Literal["auto", "mlp", "dcgan", "conv", "upsample", "resnet"] = "auto"  # type: ignore[assignment]
    """kind of nets; dcgan: strided and transposed convolutions; conv: with one more at full size; upsample:
    enlarge, then convolve; auto: dcgan for images of 16 pixels and more, else mlp"""
    hidden: tuple[int, ...] = (128, 128, 128)
    """mlp: sizes of the hidden layers; resnet: of the layers next to the latent"""
    norm: Literal["none", "batch", "group"] = "batch"
    """normalisation in the generator's convolutions"""
    features: int = 256
    """numbers that the discriminator judges by"""
    batch_deviation: bool = False
    """show the discriminator how much features vary over the batch (Karras et al. 2018)"""
    spectral_norm: bool = False
    """divide the discriminator's weights by their largest singular value (Miyato et al. 2018)"""
    objective: Literal[
        "non-saturating",
        "minimax",
        "least-squares",
        "hinge",
        "wasserstein",
        "wasserstein-gp",
        "relativistic",
        "relativistic-average",
    ] = "non-saturating"
    """what the players minimise"""
    r1: float | None = None
    """weight of the squared gradient at real examples; the objective's own when not given"""
    r2: float | None = None
    """weight of the squared gradient at fake examples; the objective's own when not given"""
    gradient_penalty: float | None = None
    """weight of (|gradient| - 1)^2 between real and fake; for wasserstein-gp 10, of vectors 0.1, else 0"""
    clip_weights: float | None = None
    """largest weight of the discriminator; for wasserstein 0.01, of vectors 0.05, else none"""
    lazy: int | None = None
    """steps between penalties, which then count as much more; 4 for images, else 1"""
    n_critic: int = 1
    """moves of the discriminator for one of the generator"""
    augment: Literal["none", "diff", "ada"] = "none"
    """change the images that the discriminator sees, for small sets: always a little (diff, Zhao et al. 2020)
    or as much as it overfits (ada, Karras et al. 2020)"""


@dataclass(frozen=True)
class ConditionalGANConfig(GANConfig):
    """Generator and discriminator that are told the class, and the objective of their game."""

    condition: Literal["projection", "concatenation"] = "projection"
    """how the discriminator is told: by projection (Miyato and Koyama 2018), or beside its input"""


@dataclass(frozen=True)
class Pix2PixConfig:
    """Nets and losses of a translation learned from pairs."""

    net: Literal["unet", "resnet"] = "unet"
    """generator: a U-Net as deep as the image allows, or residual blocks at a quarter of its size"""
    width: int = 64
    """channels of the first level of both nets"""
    blocks: int = 6
    """resnet: residual blocks"""
    norm: Literal["batch", "instance", "none"] = "instance"
    """normalisation in both nets; the paper's batches of one are instances"""
    patch: Literal["1", "16", "70", "full"] = "70"
    """pixels a side that an output of the discriminator sees"""
    objective: Literal["non-saturating", "least-squares", "hinge"] = "non-saturating"
    """what the players minimise; non-saturating is the paper's"""
    l1: float = 100.0
    """weight of the distance from the target"""
    adversarial: float = 1.0
    """weight of the adversarial loss; 0 for the distance alone"""
    load_size: int | None = None
    """pixels that images are enlarged to before a part of the old size is cut out, e.g. 143 for 128"""
    flip: bool = False
    """exchange left and right at random"""
    style_dim: int = 0
    """numbers of a code that chooses among translations, e.g. 8, with an `l1` of 10; 0 for none"""
    kl: float = 0.01
    """style: weight of the KL term of the encoder's code"""
    recover: float = 0.5
    """style: weight of the distance between a random code and what the encoder recovers"""


@dataclass(frozen=True)
class CycleGANConfig:
    """Nets and losses of translations between two domains without pairs."""

    width: int = 64
    """channels of the first level of all nets"""
    blocks: int = 6
    """residual blocks of a generator; the paper has 6 for 128 pixels, 9 for 256"""
    norm: Literal["batch", "instance", "none"] = "instance"
    """normalisation in all nets"""
    patch: Literal["1", "16", "70", "full"] = "70"
    """pixels a side that an output of a discriminator sees"""
    objective: Literal["non-saturating", "least-squares", "hinge"] = "least-squares"
    """what the players minimise; least-squares is the paper's"""
    cycle: float = 10.0
    """weight of the distance of an image from its translation there and back"""
    identity: float = 0.5
    """weight of the distance of an image from its translation into its own domain, in units of `cycle`"""
    pool: int = 50
    """translations of earlier steps that the discriminators are shown half of the time; 0 for none"""
    load_size: int | None = None
    """pixels that images are enlarged to before a part of the old size is cut out, e.g. 143 for 128"""
    flip: bool = True
    """exchange left and right at random"""


@dataclass(frozen=True)
class NaiveConfig(NetworkConfig):
    """A generator network that is compared with examples picked at random."""

    hidden: tuple[int, ...] = (128, 128, 128)
    """mlp: sizes of the hidden layers"""
    loss: Literal["mse", "bce", "l1"] = "mse"
    """distance between a sample and an example; bce needs images"""
