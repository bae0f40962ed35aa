"""Normalisation, activation, conditional layers and initial weights."""

from typing import NamedTuple

from torch import Tensor, nn

# standard deviation of initial weights (Radford et al. 2016)
INITIAL_STD = 0.02


class NormAct(NamedTuple):
    """Normalisation and activation between the layers of a net.

    Attributes:
        norm: normalisation of maps: none, batch or group.
        slope: slope of the leaky ReLU below zero; 0 for ReLU.
        classes: number of classes with their own scale and shift after the normalisation; 0: not conditional.
    """

    norm: str = "none"
    slope: float = 0.0
    classes: int = 0

    def layers(self, channels: int, in_place: bool = True) -> list[nn.Module]:
        """The normalisation, if any, and the activation."""
        return [*norm(self.norm, channels, self.classes), rectifier(self.slope, in_place)]


RELU = NormAct()


class ConditionalSequential(nn.Sequential):
    """`nn.Sequential` that passes the classes y, `(B,)` or weights `(B, K)`, to its conditional layers."""

    def forward(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        for layer in self:
            x = layer(x, y) if isinstance(layer, ConditionalLayer) else layer(x)
        return x


class ConditionalLayer(nn.Module):
    """A layer called with its input and the classes of the batch, as `embed` takes them."""


def embed(embedding: nn.Embedding, y: Tensor) -> Tensor:
    """The embeddings `(B, E)` of classes `(B,)` int64, or their means under class weights `(B, K)`."""
    out: Tensor = y @ embedding.weight if y.is_floating_point() else embedding(y)
    return out


class ClassNorm(ConditionalLayer):
    """Conditional normalisation: a scale and a shift for each class (Dumoulin et al. 2017, eq. 5).

    >>> import torch
    >>> norm = ClassNorm(nn.BatchNorm2d(8, affine=False), 8, classes=10)
    >>> norm(torch.rand(2, 8, 4, 4), torch.tensor([3, 7])).shape
    torch.Size([2, 8, 4, 4])
    """

    def __init__(self, norm: nn.Module, channels: int, classes: int) -> None:
        super().__init__()
        self.norm = norm
        self.scale, self.shift = nn.Embedding(classes, channels), nn.Embedding(classes, channels)
        nn.init.ones_(self.scale.weight)
        nn.init.zeros_(self.shift.weight)

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        h: Tensor = self.norm(x)
        return embed(self.scale, y)[..., None, None] * h + embed(self.shift, y)[..., None, None]


def norm(kind: str, channels: int, classes: int = 0) -> list[nn.Module]:
    """A list of the normalisation layer, empty for `none`; groups have at least 8 channels.

    >>> norm("none", 32), norm("group", 32)
    ([], [GroupNorm(4, 32, eps=1e-05, affine=True, bias=True)])
    """
    if kind == "none":
        return []
    if kind == "batch":
        layer: nn.Module = nn.BatchNorm2d(channels, affine=not classes)
    else:
        # at most 32 groups (Wu and He 2018)
        groups = [g for g in range(1, 33) if channels % g == 0 and channels // g >= 8] or [1]
        layer = nn.GroupNorm(groups[-1], channels, affine=not classes)
    return [ClassNorm(layer, channels, classes) if classes else layer]


def rectifier(slope: float, in_place: bool = True) -> nn.Module:
    """max(x, slope x): ReLU where the slope is 0."""
    return nn.LeakyReLU(slope, in_place) if slope else nn.ReLU(in_place)


def instance_or_batch(kind: str, channels: int) -> nn.Module:
    """Normalisation of maps: `instance` (nothing learned), `batch`, or `none`."""
    if kind == "none":
        return nn.Identity()
    return nn.BatchNorm2d(channels) if kind == "batch" else nn.InstanceNorm2d(channels)


def initialise(net: nn.Module) -> None:
    """Weights of convolutions ~ N(0, 0.02^2), scales of norms ~ N(1, 0.02^2), no biases (pix2pix, 6.2)."""
    for module in net.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            nn.init.normal_(module.weight, 0.0, INITIAL_STD)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.weight, 1.0, INITIAL_STD)
            nn.init.zeros_(module.bias)
