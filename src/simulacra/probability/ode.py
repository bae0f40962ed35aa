"""Ordinary differential equations dx/dt = f(x, t), solved with a fixed number of steps."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

# (examples (B, ...), times (B,)) -> (B, ...), or (B,)
Field = Callable[[Tensor, Tensor], Tensor]


def integrate(
    f: Field, x: Tensor, start: float, end: float, steps: int, g: Field | None = None
) -> tuple[Tensor, Tensor]:
    """The solution at `end` that is x at `start`, by the explicit midpoint method, with error O(steps^-2).

    Args:
        f: the field; it is evaluated twice a step.
        x: examples `(B, ...)`.
        start: the time of x.
        end: the time of the result, before or after `start`.
        steps: of equal length.
        g: gives numbers `(B,)` that are integrated along the solution; evaluated once a step.

    Returns:
        The examples, like x, and the integral of g, `(B,)`; zeros without g.

    >>> x, total = integrate(lambda x, t: -x, torch.ones(1, 1), 0.0, 1.0, 100, lambda x, t: x[:, 0])
    >>> round(x.item(), 4), round(total.item(), 4)  # 1 / e, 1 - 1 / e
    (0.3679, 0.6321)
    """
    h, total = (end - start) / steps, x.new_zeros(len(x))
    for i in range(steps):
        t = x.new_full((len(x),), start + i * h)
        middle = x + h / 2 * f(x, t)
        x = x + h * f(middle, t + h / 2)
        if g is not None:
            total = total + h * g(middle, t + h / 2)
    return x, total


def divergence(f: Field, x: Tensor, t: Tensor, probes: Tensor | None = None) -> Tensor:
    """The trace of df/dx, `(B,)`.

    Args:
        f: the field.
        x: examples `(B, ...)`.
        t: times `(B,)`.
        probes: random vectors of covariance I, `(S, B, ...)`: the trace is estimated as the mean of
            e^T (df/dx) e (Hutchinson 1990). None: the trace is exact, at the cost of a derivative for every
            number of an example.

    >>> A = torch.tensor([[2.0, 1.0], [1.0, 3.0]])
    >>> divergence(lambda x, t: x @ A, torch.zeros(4, 2), torch.zeros(4))
    tensor([5., 5., 5., 5.])
    """
    if probes is None:
        D = x[0].numel()
        directions = (e.view(x.shape[1:]).expand_as(x) for e in torch.eye(D, dtype=x.dtype, device=x.device))
        count = 1
    else:
        directions, count = iter(probes), len(probes)
    with torch.enable_grad():
        x = x.detach().requires_grad_()
        y = f(x, t)
        total = x.new_zeros(len(x))
        for e in directions:
            (product,) = torch.autograd.grad(y, x, e, retain_graph=True)
            total = total + (product * e).flatten(1).sum(dim=1)
    return total / count
