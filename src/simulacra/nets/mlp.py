"""Multi-layer perceptron on examples of any shape."""

from collections.abc import Sequence
from math import prod

from torch import Tensor, nn

from simulacra.nets.layers import rectifier


class MLP(nn.Module):
    """Linear layers with (leaky) ReLU between them, from `(B, *inputs)` to `(B, *outputs)`.

    >>> import torch
    >>> MLP((1, 28, 28), (40,), hidden=(400,))(torch.zeros(5, 1, 28, 28)).shape
    torch.Size([5, 40])
    """

    def __init__(
        self, inputs: Sequence[int], outputs: Sequence[int], hidden: Sequence[int], slope: float = 0.0
    ) -> None:
        super().__init__()
        self.outputs = tuple(outputs)
        sizes = [prod(inputs), *hidden, prod(outputs)]
        layers: list[nn.Module] = []
        for n_in, n_out in zip(sizes, sizes[1:], strict=False):
            layers += [nn.Linear(n_in, n_out), rectifier(slope)]
        self.layers = nn.Sequential(*layers[:-1])

    def forward(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        """Outputs `(B, *outputs)`; the class y is ignored, as there is no normalisation."""
        out: Tensor = self.layers(x.flatten(1))
        return out.unflatten(1, self.outputs)
