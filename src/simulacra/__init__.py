"""Deep generative models: train them on your data, work with them, measure them, audit them.

>>> import simulacra as sim
>>> "vae" in sim.MODELS
True
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from simulacra.api import load, train
    from simulacra.core.noise import Noise
    from simulacra.data import load as load_data
    from simulacra.estimators import DistributionRegressor, MDNRegressor
    from simulacra.evaluation import evaluate
    from simulacra.models.registry import MODELS

__all__ = [
    "MODELS",
    "DistributionRegressor",
    "MDNRegressor",
    "Noise",
    "evaluate",
    "load",
    "load_data",
    "train",
]

# Imported when first used: torch takes over a second.
_WHERE = {
    "MODELS": ("simulacra.models.registry", "MODELS"),
    "DistributionRegressor": ("simulacra.estimators", "DistributionRegressor"),
    "MDNRegressor": ("simulacra.estimators", "MDNRegressor"),
    "Noise": ("simulacra.core.noise", "Noise"),
    "evaluate": ("simulacra.evaluation", "evaluate"),
    "load": ("simulacra.api", "load"),
    "load_data": ("simulacra.data", "load"),
    "train": ("simulacra.api", "train"),
}


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module 'simulacra' has no attribute '{name}'")
    module, attribute = _WHERE[name]
    return getattr(import_module(module), attribute)
