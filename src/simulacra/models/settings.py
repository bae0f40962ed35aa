"""Settings that several models share. Imports no torch."""

from __future__ import annotations

from typing import Any, Literal

from simulacra.config import Training, check_ranges
from simulacra.data.spec import DataSpec
from simulacra.data.tables.schema import as_option
from simulacra.errors import ConfigError

LikelihoodName = Literal[
    "bernoulli",
    "continuous-bernoulli",
    "normal",
    "normal-shared",
    "normal-optimal",
    "normal-learned",
    "laplace",
    "laplace-learned",
    "multivariate-normal",
    "categorical",
    "discretised-logistic",
    "logistic-mixture",
]

# nets memorise a table of some hundred rows long before the training ends
PREDICTION = Training(keep="best", lr=2e-3, schedule="cosine")
# momentum destabilises the game (Gidel et al. 2019)
ADVERSARIAL = Training(betas=(0.0, 0.99), ema=0.999, schedule="cosine", lr=2e-3)
# on a table with known truth: a classifier is right on 58% of samples and rows after 2,000 steps, without 62%
ADVERSARIAL_TABLE = {"hidden": (256, 256), "r1": 0.02, "lr": 1e-3}
# Isola et al. 2017; Zhu et al. 2017
TRANSLATION = Training(batch_size=1, lr=2e-4, betas=(0.5, 0.999), schedule="linear")


def target_hint(spec: DataSpec) -> str:
    """How data get something to predict; ends an error."""
    if spec.kind == "image":
        return label_hint(spec)
    return "name the column of a table with --target, or pass (x, y)"


def label_hint(spec: DataSpec) -> str:
    """How data without classes get them; ends an error."""
    if spec.attributes:
        attributes = ", ".join(dict.fromkeys(name.partition("=")[0] for name in spec.attributes))
        return f"make an attribute the class: --target with one of {attributes}"
    if spec.kind == "image":
        return "put the images of each class into a sub-folder, write labels.csv, or pass (x, y)"
    return "name their column with --target, or pass (x, y) with whole numbers or words as y, not floats"


def lacks_classes(model: str, spec: DataSpec, instead: str = "") -> str:
    """Why the data do not suit a model of classes, a sentence; empty when they have classes."""
    if spec.classes:
        return ""
    if spec.target is not None and spec.target.columns:
        names = spec.target.columns
        are = "is a number" if len(names) == 1 else "are numbers"
        categories = f", or --categorical {as_option(names)} to make it classes" if len(names) == 1 else ""
        return (
            f"a {model} needs classes, and {', '.join(names)} {are}: train a regressor or an mdn{categories}"
        )
    return f"a {model} needs labels, and the data have none; {instead}{label_hint(spec)}"


def lacks_vectors(model: str, spec: DataSpec) -> str:
    """Why the data do not suit a density of vectors, a sentence; empty when they are vectors of numbers."""
    if spec.kind != "vector":
        return (
            f"a {model} takes vectors and rows of tables, and the data are images; train a vae or a gan, or"
            " an autoencoder and a density on its latents"
        )
    return lacks_numbers(model, spec)


def lacks_numbers(model: str, spec: DataSpec) -> str:
    """Why the data do not suit a density of numbers, a sentence; empty where there are no codes."""
    if spec.schema is None or spec.schema.continuous:
        return ""
    return (
        f"a {model} is a density of numbers, and the table has categories or special values; train a vae, a"
        " pca or a gan, or choose other columns"
    )


def check_sizes(config: Any) -> None:
    """Raises ConfigError for a size of a net, or a scale, that is not positive."""
    sizes = ("latent_dim", "width", "depth", "blocks", "components")
    check_ranges(config, [name for name in ("sigma",) if hasattr(config, name)])
    check_ranges(config, at_least_1=[name for name in sizes if hasattr(config, name)])
    if any(size < 1 for size in getattr(config, "hidden", ())):
        raise ConfigError(f"hidden: every layer needs at least 1 unit, not {config.hidden}")


def convolves(config: Any, spec: DataSpec) -> bool:
    """Whether the nets are convolutions of images that are large enough to gain by bfloat16.

    Where products of matrices do, a step took 1/2.3 of the time at 64 pixels, and scores agree
    (docs/adversaries.md, docs/translation.md).
    """
    return spec.kind == "image" and min(spec.shape[1:]) >= 16 and getattr(config, "net", "") != "mlp"
