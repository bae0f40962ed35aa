"""Pivotal tuning: a generator's weights are tuned until fixed latents, the pivots, give their images.

    minimise over theta of L(x_p, G(z_p; theta)) + lambda L(G(z_r; theta_0), G(z_r; theta))

with L the loss of `latent.project` and z_r on the way from a pivot to a draw from the prior, where the images
are to stay as they are (Roich et al. 2021, arXiv:2106.05744, eqs. 3 to 6). What changes is small: a `delta`
of low rank in half precision, which `apply` adds to the weights.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from typing import TypeVar

import torch
from torch import Tensor, nn

from simulacra.core.calls import trusted
from simulacra.core.capabilities import Decodes
from simulacra.core.inference import eval_mode
from simulacra.core.noise import Noise, derive_seed
from simulacra.errors import RunError
from simulacra.latent.project import PIXELS, decode
from simulacra.nets.perceptual import map_distance, perceptual_maps

STEPS = 350
RATE = 1e-3
# lambda, and pivots of one step, at most
LOCALITY, PIVOTS = 1.0, 16
# bytes of a delta, at most, without the header of its file
BYTES = 2**20 - 2**14

M = TypeVar("M", bound=nn.Module)


def tune(
    model: Decodes,
    z: Tensor,
    x: Tensor,
    space: str | None = None,
    *,
    steps: int = STEPS,
    seed: int = 0,
    locality: float = LOCALITY,
    perceptual: float = 1.0,
    size: int = BYTES,
) -> dict[str, Tensor]:
    """What to add to the weights, so that pivots are decoded to their images: a delta for `apply`.

    Args:
        model: decodes latents to images; it stays as it is.
        z: the pivots `(N, *shape of the space)`.
        x: their images `(N, C, H, W)` in [0, 1].
        space: name of the latent space; the default one for None.
        steps: of Adam.
        seed: of the order of the pivots, and of the latents whose images are kept.
        locality: weight of the images that are kept.
        perceptual: weight of the perceptual distance; 0 for pixels alone.
        size: bytes of the delta, at most.

    Raises:
        RunError: no weights take part in decoding.
    """
    of = model.space(space)
    tuned = deepcopy(model).requires_grad_(True)
    noise = Noise(derive_seed(seed, 2))
    z, x = z.to(model.device), x.to(model.device, torch.float32)
    few, dims = min(len(x), PIVOTS), (1,) * len(of.shape)
    with torch.enable_grad(), eval_mode(model), eval_mode(tuned), trusted():
        moved = _used(tuned, z[:1], of.name)
        optimiser = torch.optim.Adam(moved.values(), lr=RATE)
        order: list[int] = []
        for _ in range(steps):
            if len(order) < few:
                order += noise.uniform(len(x)).argsort().tolist()
            rows, order = order[:few], order[few:]
            pivots, images = z[rows], x[rows]
            loss = _loss(images, decode(tuned, pivots, of.name).float(), perceptual)
            if locality and of.prior is not None:
                # eq. 5: alpha is a share of the distance, drawn anew
                alpha = noise.uniform(few, *dims).to(pivots)
                others = torch.lerp(pivots, of.sample(few, noise).to(pivots), alpha)
                with torch.no_grad():
                    kept = decode(model, others, of.name).float()
                loss = loss + locality * _loss(kept, decode(tuned, others, of.name).float(), perceptual)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()
    before = dict(model.named_parameters())
    return compress({name: new.detach() - before[name] for name, new in moved.items()}, size)


def _used(model: Decodes, z: Tensor, space: str) -> dict[str, nn.Parameter]:
    """The parameters that decoding depends on, by their names."""
    parameters = dict(model.named_parameters())
    y = decode(model, z, space)
    if not y.requires_grad:
        raise RunError(f"this {type(model).__name__} has no weights to tune: what it decodes depends on none")
    gradients = torch.autograd.grad(y.sum(), list(parameters.values()), allow_unused=True)
    used = zip(parameters.items(), gradients, strict=True)
    return {name: parameter for (name, parameter), gradient in used if gradient is not None}


def _loss(x: Tensor, y: Tensor, perceptual: float) -> Tensor:
    """The mean of the loss of `project`."""
    loss = PIXELS * (x - y).square().mean()
    if perceptual:
        loss = loss + perceptual * map_distance(perceptual_maps(x), perceptual_maps(y)).mean()
    return loss


def compress(change: Mapping[str, Tensor], size: int = BYTES) -> dict[str, Tensor]:
    """Changes of weights as a delta: in float16, and of as low a rank as the size demands.

    A weight `(out, in, ...)` is a matrix `(out, rest)`. Where everything does not fit, each matrix keeps the
    singular values that are largest for the numbers that they take, over all matrices: the least squared
    error.

    Args:
        change: by the names of the weights.
        size: bytes, at most; weights that are no matrices are kept, whatever it is.

    Returns:
        Of each weight the whole change `NAME`, or its factors `NAME.left` `(out, rank)` and `NAME.right`
        `(rank, rest)`.

    >>> change = {"weight": torch.outer(torch.arange(1.0, 9), torch.arange(1.0, 9)), "bias": torch.ones(8)}
    >>> {name: tuple(t.shape) for name, t in compress(change, size=64).items()}
    {'bias': (8,), 'weight.left': (8, 1), 'weight.right': (1, 8)}
    """
    if 2 * sum(t.numel() for t in change.values()) <= size:
        return {name: t.to("cpu", torch.float16) for name, t in change.items()}
    delta = {name: t.to("cpu", torch.float16) for name, t in change.items() if t.ndim < 2}
    left = size // 2 - sum(t.numel() for t in delta.values())
    factors = {
        name: torch.linalg.svd(t.cpu().float().flatten(1), full_matrices=False)
        for name, t in change.items()
        if t.ndim >= 2
    }
    # (squared singular value for each number that it takes, numbers, name)
    parts = sorted(
        (
            (float(s) ** 2 / (len(U) + V.shape[1]), len(U) + V.shape[1], name)
            for name, (U, S, V) in factors.items()
            for s in S
        ),
        reverse=True,
    )
    ranks = dict.fromkeys(factors, 0)
    for _, numbers, name in parts:
        if numbers > left:
            break
        left -= numbers
        ranks[name] += 1
    for name, rank in ranks.items():
        U, S, V = factors[name]
        if rank * (len(U) + V.shape[1]) >= change[name].numel():
            delta[name] = change[name].to("cpu", torch.float16)
        elif rank:
            # both factors of one size, as far from the limits of float16 as may be
            root = S[:rank].sqrt()
            delta[f"{name}.left"] = (U[:, :rank] * root).to(torch.float16)
            delta[f"{name}.right"] = (root[:, None] * V[:rank]).to(torch.float16)
    return delta


@torch.no_grad()
def apply(model: M, delta: Mapping[str, Tensor]) -> M:
    """The model with a delta added to its weights, in place.

    Args:
        model: the model that was tuned, with the weights that it had then.
        delta: of `tune`.

    Raises:
        RunError: the delta belongs to another model; the weights are as they were.

    >>> apply(nn.Linear(1, 1), {"weight": torch.ones(2, 2)})
    Traceback (most recent call last):
    simulacra.errors.RunError: the tuned weights belong to another model: 'weight' does not fit
    """
    changes, left = {}, set(delta)
    for name, parameter in model.named_parameters():
        used = {name} & left or {f"{name}.left", f"{name}.right"} & left
        if not used:
            continue
        left -= used
        try:
            if name in used:
                change = delta[name].float().expand_as(parameter)
            else:
                left_, right = (delta[f"{name}.{side}"].float() for side in ("left", "right"))
                change = (left_ @ right).reshape(parameter.shape)
        except (KeyError, RuntimeError):
            raise _foreign(name) from None
        changes[name] = change
    if left:
        raise _foreign(min(left))
    for name, parameter in model.named_parameters():
        if name in changes:
            parameter.add_(changes[name].to(parameter))
    return model


def _foreign(name: str) -> RunError:
    return RunError(f"the tuned weights belong to another model: '{name}' does not fit")
