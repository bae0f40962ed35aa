"""Kinds of densities of latents, and the models that they are. Imports no torch."""

from __future__ import annotations

from typing import Any

from simulacra.errors import ConfigError, nearest
from simulacra.models.registry import MODELS

# kind -> the model that is trained on the latents, and its settings
KINDS: dict[str, tuple[str, dict[str, Any]]] = {
    "mvn": ("gmm", {"components": 1}),
    "gmm": ("gmm", {}),
    "flow": ("flow", {}),
    "flow-matching": ("flow_matching", {}),
    "conditional-flow-matching": ("conditional_flow_matching", {}),
}


def model_of(kind: str) -> tuple[str, dict[str, Any]]:
    """The model of a kind of density, and the settings of the kind; any other model stands for itself.

    >>> model_of("mvn"), model_of("vae")
    (('gmm', {'components': 1}), ('vae', {}))

    Raises:
        ConfigError: there is no such kind and no such model.
    """
    if kind in KINDS:
        return KINDS[kind]
    if kind not in MODELS and ".py:" not in kind:
        raise ConfigError(f"kind: unknown '{kind}', {nearest(kind, KINDS)}")
    return kind, {}
