"""Settings that several models share. Imports no torch."""

from __future__ import annotations

from typing import Any, Literal

from simulacra.config import Training
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

# nets memorise a table of some hundred rows long before the training ends
PREDICTION = Training(keep="best", lr=2e-3, schedule="cosine")
# momentum destabilises the game (Gidel et al. 2019)
ADVERSARIAL = Training(betas=(0.0, 0.99), ema=0.999, schedule="cosine", lr=2e-3)
# Isola et al. 2017; Zhu et al. 2017
TRANSLATION = Training(batch_size=1, lr=2e-4, betas=(0.5, 0.999), schedule="linear")


def check_sizes(config: Any) -> None:
    """Raises ConfigError for a size of a net that is not positive."""
    for name in ("latent_dim", "width", "depth", "blocks", "components"):
        size = getattr(config, name, None)
        if size is not None and size < 1:
            raise ConfigError(f"{name}: must be at least 1, not {size}")
    if any(size < 1 for size in getattr(config, "hidden", ())):
        raise ConfigError(f"hidden: every layer needs at least 1 unit, not {config.hidden}")
