"""Directions at some layers of a model with styles: they move the styles of these layers, and no others."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from itertools import groupby

import torch
from torch import Tensor

from simulacra.core.capabilities import Conditional, Styles
from simulacra.core.inference import eval_mode
from simulacra.core.latents import LatentSpace
from simulacra.core.model import Model
from simulacra.errors import ConfigError, RunError
from simulacra.latent.directions import Direction


def at_layers(model: Model, direction: Direction, layers: str) -> Direction:
    """The direction in some layers, and 0 in the others.

    One in `w` becomes one in `w+`, with the same vector in each of the layers.

    >>> from simulacra import DataSpec, StyleGAN
    >>> model = StyleGAN(DataSpec("image", (1, 16, 16)), StyleGAN.card.Config(latent_dim=2, width=4))
    >>> coarse = at_layers(model, Direction("turn", "w", torch.ones(2), "means"), "coarse")
    >>> coarse.space, coarse.vector[:, 0].tolist(), coarse.details["layers"]
    ('w+', [1.0, 0.0, 0.0, 0.0, 0.0, 0.0], '0')

    Args:
        model: a model with styles.
        direction: in its `w`, `w+` or `s`.
        layers: as `Styles.layers` takes them, e.g. `coarse` or `0-3`.

    Raises:
        RunError: the model has no styles.
        ConfigError: there are no such layers, nothing of the direction is in them, or it is in `z`, which has
            none.
    """
    styled = _styled(model)
    chosen = styled.layers(layers)
    direction.check(styled)
    mask = layer_mask(styled, direction.space, layers)
    vector, details = direction.vector, {**direction.details, "layers": number_ranges(chosen)}
    if direction.space == "w":
        if "threshold" in details:
            # z^T v has a term for each layer
            details["threshold"] *= len(chosen)
        mask = mask[:, None].expand(-1, len(vector))
    moved = replace(
        direction,
        space="w+" if direction.space == "w" else direction.space,
        vector=mask * vector,
        details=details,
    )
    if not bool(moved.vector.any()):
        raise ConfigError(f"layers: direction '{direction.name}' is 0 in the layers {layers}; choose others")
    return moved


def layer_mask(model: Model, space: str, layers: str) -> Tensor:
    """1 where a latent belongs to one of the layers, else 0.

    Returns:
        Of `s` `(S,)`, of `w+` `(L, 1)`, and of `w` `(L,)`, one number for each copy of w.

    Raises:
        RunError: the model has no styles.
        ConfigError: there are no such layers, or latents of the space have none.
    """
    styled = _styled(model)
    chosen = set(styled.layers(layers))
    each = torch.tensor([float(i in chosen) for i in range(len(styled.resolutions))])
    if space == "s":
        sizes = torch.tensor([part.stop - part.start for part in styled.style_slices])
        return each[styled.style_layers].repeat_interleave(sizes)
    if space not in ("w", "w+"):
        raise ConfigError(f"layers: latents of '{space}' have no layers; choose --space w")
    return each if space == "w" else each[:, None]


@torch.no_grad()
def style_weights(model: Styles, space: LatentSpace, layers: str | None = None) -> Tensor:
    """The weights A `(S, Z)` of the affine maps that latents of `w` or `w+` meet: s = A w + b.

    Args:
        model: a model with styles.
        space: its `w` or its `w+`; latents of `w+` are flattened.
        layers: those whose styles are given, of the others A is 0; all of them for None.
    """
    units = torch.eye(space.size, device=model.device, dtype=model.dtype).reshape(-1, *space.shape)
    with eval_mode(model):
        w = model.styles(units, space.name)
        A = (model.channel_styles(w) - model.channel_styles(torch.zeros_like(w[:1]))).T.float().cpu()
    return A if layers is None else A * layer_mask(model, "s", layers)[:, None]


def number_ranges(numbers: Iterable[int]) -> str:
    """Rising numbers as text.

    >>> number_ranges([0, 1, 2, 5])
    '0-2,5'
    """
    # consecutive numbers have the same distance from their place
    parts = []
    for _, run in groupby(enumerate(numbers), lambda pair: pair[1] - pair[0]):
        first, *rest = (number for _, number in run)
        parts.append(f"{first}-{rest[-1]}" if rest else f"{first}")
    return ",".join(parts)


def _styled(model: Model) -> Styles:
    """The model, or that of the first of its classes: layers are the same for all."""
    model = model.for_class(0) if isinstance(model, Conditional) else model
    if not isinstance(model, Styles):
        raise RunError(f"layers: this {type(model).__name__} {Styles.missing}")
    return model
