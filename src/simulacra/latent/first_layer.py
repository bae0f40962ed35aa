"""The first layer that a latent meets in a decoder, whatever the decoder is.

Decoding is observed for the first linear operation (a product of matrices or a convolution) whose output
depends on z. What it does to z = 0 and to the unit vectors gives its weights and its bias, however a net
stores them, and whatever else (a class, say) is put beside z.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from simulacra.core.capabilities import Decodes
from simulacra.core.inference import eval_mode
from simulacra.core.latents import LatentSpace
from simulacra.errors import ConfigError

LINEAR = {
    "linear", "bilinear", "matmul", "__matmul__", "__rmatmul__", "mm", "bmm", "addmm", "baddbmm", "einsum",
    "conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d",
}  # fmt: skip
# latents at a time
CHUNK = 128
# latents on which the operation has to be linear, and how exactly
CHECKED, TOLERANCE = 8, 1e-3


class _FoundError(Exception):
    """Ends the decoding; its argument is the output of the operation."""


class _FirstLinear(TorchFunctionMode):
    """Raises `_FoundError` at the first linear operation whose output differs between the latents of a batch.

    Args:
        n: latents in the batch.
    """

    def __init__(self, n: int) -> None:
        super().__init__()
        self.n = n

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        if getattr(func, "__name__", "") in LINEAR and isinstance(out, Tensor) and out.shape[:1] == (self.n,):
            rows = out.reshape(self.n, -1)
            if bool((rows != rows[:1]).any()):
                raise _FoundError(rows)
        return out


@torch.no_grad()
def first_layer(model: Decodes, space: LatentSpace) -> Tensor:
    """The weights A `(F, Z)` of the first layer that latents z `(Z,)` of a space meet: it gives A z + b.

    Args:
        model: a model that decodes.
        space: one of its latent spaces; latents of another shape than `(Z,)` are flattened.

    Raises:
        ConfigError: there is no such layer, or something that is not linear comes before it.
    """
    size = space.size
    generator = torch.Generator().manual_seed(0)
    some = torch.randn(CHECKED, size, generator=generator)
    zero = torch.zeros(1, size)
    basis = torch.cat([zero, torch.eye(size), some])
    outputs = torch.cat([_output(model, space, torch.cat([zero, part]))[1:] for part in basis.split(CHUNK)])
    b, A = outputs[0], (outputs[1 : size + 1] - outputs[0]).T
    expected = some @ A.T + b
    if not torch.allclose(outputs[size + 1 :], expected, atol=TOLERANCE * float(expected.abs().max())):
        raise ConfigError(
            f"sefa: the first layer of this {type(model).__name__} does not see the latents of '{space.name}'"
            " themselves, but something that is not linear in them; use --unlabelled pca"
        )
    return A


def _output(model: Decodes, space: LatentSpace, z: Tensor) -> Tensor:
    """The output `(N, F)` of the operation for latents `(N, Z)`, on the CPU."""
    latents = z.reshape(-1, *space.shape).to(model.device, model.dtype)
    try:
        with eval_mode(model), _FirstLinear(len(z)):
            # of sentences nothing is computed before they are asked for
            _ = model.decode(latents, space.name).mean
    except _FoundError as found:
        rows: Tensor = found.args[0]
        return rows.float().cpu()
    raise ConfigError(
        f"sefa: this {type(model).__name__} has no linear layer that its latents meet; use --unlabelled pca"
    )
