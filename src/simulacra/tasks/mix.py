"""Mix styles: images with the coarse styles of one latent and the fine styles of another."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np
import torch
from torch import Tensor

from simulacra.core.batch import to_bytes
from simulacra.core.calls import trusted
from simulacra.core.capabilities import Conditional, Styles, require
from simulacra.core.inference import CHUNK, eval_mode
from simulacra.core.model import Model
from simulacra.data.images.parallel import progress
from simulacra.errors import ConfigError, RunError
from simulacra.images import grid, titled
from simulacra.limits import check_memory
from simulacra.models.registry import short_name
from simulacra.run import Run
from simulacra.tasks.interpolate import from_seeds


def mix(
    model: Any,
    sources: Sequence[int] | Tensor,
    destinations: Sequence[int] | Tensor,
    layers: str = "coarse",
    truncation: float = 1.0,
    classes: Sequence[int | str] = (),
) -> Tensor:
    """Destinations with the styles of sources at some layers.

    This is style mixing (Karras et al. 2019, arXiv:1812.04948, figure 3).

    Args:
        model: a trained model with styles, e.g. a `stylegan`.
        sources: seeds, of which these are the first samples; or latents of w+, `(S, L, W)`.
        destinations: likewise, `(D, L, W)`.
        layers: that take the styles of the source: some of `coarse`, `middle`, `fine`, numbers and ranges,
            e.g. `coarse,5-7`.
        truncation: of the samples of seeds.
        classes: of a class-conditional model: one for all, or one for the sources and one for the
            destinations.

    Returns:
        `(D, S, C, H, W)` in [0, 1].

    Raises:
        SimulacraError: the subclass says what is at fault: the model, a seed or the layers.

    >>> import simulacra as sim
    >>> config = sim.MODELS["stylegan"].Config(latent_dim=8, width=4)
    >>> model = sim.StyleGAN(sim.DataSpec("image", (3, 16, 16)), config).eval()
    >>> y = mix(model, sources=[1, 2], destinations=[3, 4, 5], layers="0-5")
    >>> y.shape, torch.allclose(y[0, 0], model.sample(1, seed=1)[0], atol=1e-6)
    (torch.Size([3, 2, 3, 16, 16]), True)
    """
    a, b = with_styles(model, classes)
    top, left = (
        _stacks(a, "sources", sources, truncation),
        _stacks(b, "destinations", destinations, truncation),
    )
    return _mixed(b, top, left, b.layers(layers))


def figure(model: Styles, sources: Tensor, destinations: Tensor, layers: Sequence[str] = ()) -> np.ndarray:
    """The sources in a row, the destinations in a column, and their mixes: uint8 `(H', W', 3)`.

    Args:
        model: decodes the latents.
        sources: latents of w+, `(S, L, W)`.
        destinations: likewise, `(D, L, W)`.
        layers: as `mix` takes them; of each its own rows, under a title. The model's groups by default.

    Raises:
        ConfigError: there are no such layers.
    """
    (_, first), *others = rows(model, sources, destinations, layers)
    tiled = [titled(grid(x, len(first)), [name]) for name, x in others]
    return np.concatenate([grid(first, len(first)), *tiled])


def rows(
    model: Styles, sources: Tensor, destinations: Tensor, layers: Sequence[str] = ()
) -> list[tuple[str, np.ndarray]]:
    """The images of `figure`, uint8 `(N, C, H, W)`, S + 1 in a row: sources, then mixes by their layers."""
    chosen = {describe(names, index := model.layers(names)): index for names in layers or model.groups}
    first, column = (to_bytes(_decoded(model, w)) for w in (sources, destinations))
    found = [("sources", np.concatenate([np.full_like(first[:1], 255), first]))]
    for name, index in progress(chosen.items(), len(chosen), "mixing"):
        y = to_bytes(_mixed(model, sources, destinations, index).flatten(0, 1))
        whole = np.concatenate([column[:, None], y.reshape(len(column), -1, *y.shape[1:])], axis=1)
        found.append((name, whole.reshape(-1, *y.shape[1:])))
    return found


def describe(names: str, layers: Sequence[int]) -> str:
    """The title of mixes at some layers.

    >>> describe("coarse", [0, 1, 2]), describe("7,4", [4, 7])
    ('coarse: layers 0-2', 'layers 4, 7')
    """
    ends: list[list[int]] = []
    for i in layers:
        if ends and i == ends[-1][1] + 1:
            ends[-1][1] = i
        else:
            ends.append([i, i])
    numbers = ", ".join(f"{a}" if a == b else f"{a}-{b}" for a, b in ends)
    return f"{f'{names}: ' if names.isalpha() else ''}layers {numbers}"


def open_styles(run: Run, classes: Sequence[str]) -> tuple[Styles, Styles]:
    """The model of a run, as `with_styles`; raises also RunError if it has no styles or no weights."""
    model = run.load()
    if not isinstance(model, Conditional):
        require(model, Styles, run, short_name(run.config.model), run.config.source)
    return with_styles(model, classes)


def with_styles(model: Any, classes: Sequence[int | str] = ()) -> tuple[Styles, Styles]:
    """The model of the sources and that of the destinations, which differ only in their classes.

    Raises:
        ConfigError: it is not a model, there is no such class, or there are not one or two.
        RunError: the model has no styles, takes no classes, or needs some.
    """
    if not isinstance(model, Model):
        raise ConfigError(f"the model is a {type(model).__name__}; pass a model, e.g. sim.load(RUN)")
    name, kinds = type(model).__name__, [model]
    if isinstance(model, Conditional):
        kinds = [model.for_class(y) for y in classes or [0]]
    elif classes:
        raise RunError(f"classes: this {name} is not conditioned on classes")
    if not isinstance(kinds[0], Styles) or not isinstance(kinds[-1], Styles):
        raise RunError(f"this {name} {Styles.missing}")
    if isinstance(model, Conditional) and not classes:
        names = ", ".join(model.spec.classes[:2])
        raise RunError(f"this {name} is conditioned on a class: choose one for all, e.g. of {names}")
    if len(kinds) > 2:
        raise ConfigError(
            f"{len(kinds)} classes: give one for all, or one for the sources and one for the destinations"
        )
    return kinds[0], kinds[-1]


def _stacks(model: Styles, what: str, given: Sequence[int] | Tensor, truncation: float) -> Tensor:
    """Latents of w+ `(N, L, W)`."""
    shape = model.space("w+").shape
    if not isinstance(given, Tensor):
        return seed_styles(model, given, truncation)
    if given.shape[1:] != shape or not len(given):
        wanted = f"(N, {', '.join(map(str, shape))})"
        raise ConfigError(f"{what}: the latents have shape {tuple(given.shape)}; w+ has {wanted}")
    return given.to(model.device, model.dtype)


@torch.no_grad()
def seed_styles(model: Styles, seeds: Sequence[int], truncation: float = 1.0) -> Tensor:
    """Latents of w+ `(N, L, W)`: of each seed that of its first sample.

    Raises:
        ConfigError: there is no seed, or one is negative.
    """
    if not len(seeds):
        raise ConfigError("give at least one seed, e.g. 1,2")
    z = from_seeds(model, seeds)
    with eval_mode(model):
        return model.styles(model.prior.truncate(z, truncation))


def _mixed(model: Styles, top: Tensor, left: Tensor, layers: Sequence[int]) -> Tensor:
    """Mixes `(D, S, C, H, W)` of latents of w+: of sources `(S, L, W)`, of destinations `(D, L, W)`."""
    count = len(top) * len(left)
    check_memory(2 * 4 * count * prod(model.spec.shape), f"{count:,} mixes", "take fewer seeds")
    w = left[:, None].repeat(1, len(top), 1, 1)
    w[:, :, layers] = top[None, :, layers]
    return _decoded(model, w.flatten(0, 1)).unflatten(0, w.shape[:2])


@torch.no_grad()
def _decoded(model: Styles, w: Tensor) -> Tensor:
    """Images `(N, C, H, W)` of latents of w+ `(N, L, W)`."""
    with eval_mode(model), trusted():
        return torch.cat([model.decode(part, "w+").mean for part in w.split(CHUNK)])
