"""Projected gradient ascent inside a ball around every example, which all attacks use.

The ball of radius epsilon around x is { x + delta : |delta| <= epsilon }, with |delta| the largest change
of a number (`linf`) or the Euclidean length (`l2`); images also stay in [0, 1].

    >>> x = torch.full((1, 1, 1, 2), 0.5)
    >>> w = torch.tensor([3.0, -4.0])
    >>> projected_ascent(lambda x: (w * x).sum(dim=(1, 2, 3)), x, x, 0.1, "linf", steps=5)
    tensor([[[[0.6000, 0.4000]]]])
    >>> projected_ascent(lambda x: (w * x).sum(dim=(1, 2, 3)), x, x, 0.1, "l2", steps=5)
    tensor([[[[0.5600, 0.4200]]]])
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor

from simulacra.core.noise import Noise

Norm = Literal["linf", "l2"]

# below the smallest length a float32 has: keeps 0 / 0 at 0
TINY = 1e-38


def length(delta: Tensor, norm: Norm) -> Tensor:
    """|delta| `(B,)` of `(B, ...)`.

    >>> delta = torch.tensor([[3.0, -4.0]])
    >>> length(delta, "linf"), length(delta, "l2")
    (tensor([4.]), tensor([5.]))
    """
    flat = delta.flatten(1)
    return flat.abs().amax(dim=1) if norm == "linf" else flat.norm(dim=1)


def project(delta: Tensor, epsilon: float | Tensor, norm: Norm) -> Tensor:
    """Projection of delta `(B, ...)` on the ball around 0; epsilon is a number or `(B,)`."""
    radius = _each(epsilon, delta)
    if norm == "linf":
        return torch.maximum(torch.minimum(delta, radius), -radius)
    # delta min(1, epsilon / |delta|)
    return delta * (radius / _each(length(delta, norm), delta).clamp(min=TINY)).clamp(max=1)


def uniform(x: Tensor, epsilon: float | Tensor, norm: Norm, noise: Noise) -> Tensor:
    """Random changes `(B, ...)` of examples, uniform in the ball around 0."""
    radius, (n, *shape) = _each(epsilon, x), x.shape
    if norm == "linf":
        return radius * (2 * noise.uniform(n, *shape) - 1)
    # a uniform direction, and a radius with density proportional to r^(D - 1)
    r = noise.uniform(n) ** (1 / x[0].numel())
    return radius * _each(r, x) * steepest(noise.normal(n, *shape), norm)


def steepest(gradient: Tensor, norm: Norm) -> Tensor:
    """argmax of <gradient, d> over |d| <= 1, `(B, ...)`; 0 where the gradient is 0."""
    if norm == "linf":
        return gradient.sign()
    return gradient / _each(length(gradient, norm), gradient).clamp(min=TINY)


def projected_ascent(
    loss: Callable[[Tensor], Tensor],
    x: Tensor,
    start: Tensor,
    epsilon: float | Tensor,
    norm: Norm,
    steps: int,
) -> Tensor:
    """Projected gradient ascent from `start`, in the ball around x and in [0, 1] (Madry et al. 2018, 2.1).

    Args:
        loss: from images `(B, C, H, W)` to the objective `(B,)`; its parameters should not require gradients.
        x: the centres of the balls `(B, C, H, W)` in [0, 1].
        start: the starting points `(B, C, H, W)`.
        epsilon: the radius, or `(B,)` of them.
        norm: of the ball.
        steps: of length 2.5 epsilon / steps (Madry et al. 2018, appendix A); one or two steps of 1.25 epsilon
            (Wong et al. 2020, section 4).
    """
    alpha = min(1.25, 2.5 / steps) * _each(epsilon, x)
    for _ in range(steps):
        # x_{t+1} = P(x_t + alpha argmax <g, d>), g = grad L(x_t)
        start = start.detach().requires_grad_()
        with torch.enable_grad():
            (g,) = torch.autograd.grad(loss(start).sum(), start)
        delta = project(start.detach() + alpha * steepest(g, norm) - x, epsilon, norm)
        # x is in the box, so clipping brings no number further from it
        start = (x + delta).clamp(0, 1)
    return start


def _each(value: float | Tensor, like: Tensor) -> Tensor:
    """One number an example, shaped to broadcast against the examples."""
    value = torch.as_tensor(value, dtype=like.dtype, device=like.device)
    return value.reshape(-1, *(1 for _ in like.shape[1:])) if value.ndim else value
