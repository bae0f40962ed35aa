"""Inception-v3 as the FID and the Inception score use it, from its weights alone.

The network of Szegedy et al. 2015 ("Rethinking the Inception architecture") in the version of 2015-12-05
that Heusel et al. 2017 took from TensorFlow. It differs from torchvision's: 1008 classes, average pools that
do not count their padding, a maximum pool in the last block. Inference only.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor

SIZE = 299
FEATURES = 2048
CLASSES = 1008


class InceptionV3:
    """Images to features and logits.

    Args:
        weights: the converted network, by name: `pt_inception-2015-12-05-6726825d.pth` of pytorch-fid,
            `weights-inception-2015-12-05-6726825d.pth` of torch-fidelity.

    Raises:
        KeyError: a weight is missing.
        ValueError: these are the weights of another Inception-v3, with other classes.
    """

    def __init__(self, weights: Mapping[str, Tensor]) -> None:
        suffix = ".conv.weight"
        names = [name.removesuffix(suffix) for name in weights if name.endswith(suffix)]
        self.convolutions = {name: _folded(weights, name) for name in names}
        self.classifier = weights["fc.weight"].float()
        if self.classifier.shape != (CLASSES, FEATURES):
            raise ValueError(f"expected {CLASSES} classes, not {len(self.classifier)}")

    def to(self, device: torch.device | str) -> InceptionV3:
        """The same network, moved."""
        self.convolutions = {n: (w.to(device), b.to(device)) for n, (w, b) in self.convolutions.items()}
        self.classifier = self.classifier.to(device)
        return self

    def features(self, x: Tensor) -> Tensor:
        """The last pool `(B, 2048)` of images `(B, 3, H, W)` in [0, 255], of any size."""
        return self.maps(x)[-1].mean(dim=(2, 3))

    def maps(self, x: Tensor) -> list[Tensor]:
        """Of the same images after both first pools, before the last shrinking and the last pool.

        `(B, 64, 73, 73)`, `(B, 192, 35, 35)`, `(B, 768, 17, 17)`, `(B, 2048, 8, 8)`: the four layers that
        Fréchet distances are made of elsewhere, not pooled.
        """
        conv, chain = self._conv, self._chain
        # (x - 128) / 128, after the resize: what happens in TensorFlow's graph
        x = ((resize(x, SIZE) - 128) / 128).contiguous(memory_format=torch.channels_last)
        x = conv(x, "Conv2d_1a_3x3", stride=2)
        x = conv(x, "Conv2d_2a_3x3", valid=True)
        first = F.max_pool2d(conv(x, "Conv2d_2b_3x3"), 3, 2)
        x = conv(first, "Conv2d_3b_1x1")
        second = x = F.max_pool2d(conv(x, "Conv2d_4a_3x3", valid=True), 3, 2)
        for name in ("Mixed_5b.branch", "Mixed_5c.branch", "Mixed_5d.branch"):
            wide, deep = chain(x, f"{name}5x5_", "12"), chain(x, f"{name}3x3dbl_", "123")
            x = torch.cat([conv(x, f"{name}1x1"), wide, deep, conv(_mean(x), f"{name}_pool")], 1)
        deep = conv(chain(x, "Mixed_6a.branch3x3dbl_", "12"), "Mixed_6a.branch3x3dbl_3", stride=2)
        x = torch.cat([conv(x, "Mixed_6a.branch3x3", stride=2), deep, F.max_pool2d(x, 3, 2)], 1)
        for name in ("Mixed_6b.branch", "Mixed_6c.branch", "Mixed_6d.branch", "Mixed_6e.branch"):
            wide, deep = chain(x, f"{name}7x7_", "123"), chain(x, f"{name}7x7dbl_", "12345")
            x = torch.cat([conv(x, f"{name}1x1"), wide, deep, conv(_mean(x), f"{name}_pool")], 1)
        third = x
        wide = conv(conv(x, "Mixed_7a.branch3x3_1"), "Mixed_7a.branch3x3_2", stride=2)
        deep = conv(chain(x, "Mixed_7a.branch7x7x3_", "123"), "Mixed_7a.branch7x7x3_4", stride=2)
        x = torch.cat([wide, deep, F.max_pool2d(x, 3, 2)], 1)
        for name in ("Mixed_7b.branch", "Mixed_7c.branch"):
            wide, deep = conv(x, f"{name}3x3_1"), chain(x, f"{name}3x3dbl_", "12")
            wides = [conv(wide, f"{name}3x3_2a"), conv(wide, f"{name}3x3_2b")]
            deeps = [conv(deep, f"{name}3x3dbl_3a"), conv(deep, f"{name}3x3dbl_3b")]
            pool = _mean(x) if name == "Mixed_7b.branch" else F.max_pool2d(x, 3, 1, 1)
            x = torch.cat([conv(x, f"{name}1x1"), *wides, *deeps, conv(pool, f"{name}_pool")], 1)
        return [first, second, third, x]

    def logits(self, features: Tensor) -> Tensor:
        """`(B, 1008)` of `features`, without the bias: what the Inception score is made from."""
        return features @ self.classifier.T

    def _conv(self, x: Tensor, name: str, stride: int = 1, valid: bool = False) -> Tensor:
        w, b = self.convolutions[name]
        padding = (0, 0) if valid or stride > 1 else (w.shape[2] // 2, w.shape[3] // 2)
        return F.relu_(F.conv2d(x, w, b, stride, padding))

    def _chain(self, x: Tensor, prefix: str, steps: str) -> Tensor:
        for step in steps:
            x = self._conv(x, prefix + step)
        return x


def resize(x: Tensor, size: int) -> Tensor:
    """Bilinear resize of `(B, C, H, W)` to a square as TensorFlow 1 does it.

    Pixel i of the result lies at i * (old / new): the corners are aligned on one side only, and nothing is
    averaged where the image shrinks.

    >>> resize(torch.tensor([[[[0.0, 1.0]]]]), 4)[0, 0, 0]
    tensor([0.0000, 0.5000, 1.0000, 1.0000])
    """
    for dim in (3, 2):
        old = x.shape[dim]
        place = torch.arange(size, dtype=x.dtype, device=x.device) * torch.tensor(old / size).to(x)
        low = place.long().clamp(max=old - 1)
        high = (low + 1).clamp(max=old - 1)
        share = (place - low).view(-1, *(1 for _ in range(3 - dim)))
        left = x.index_select(dim, low)
        x = left + (x.index_select(dim, high) - left) * share
    return x


def _mean(x: Tensor) -> Tensor:
    return F.avg_pool2d(x, 3, 1, 1, count_include_pad=False)


def _folded(weights: Mapping[str, Tensor], name: str) -> tuple[Tensor, Tensor]:
    """A convolution and the batch norm after it as one: gamma (W x - mean) / sqrt(var + eps) + beta."""
    w = weights[f"{name}.conv.weight"].double()
    gamma, beta, mean, var = (
        weights[f"{name}.bn.{part}"].double() for part in ("weight", "bias", "running_mean", "running_var")
    )
    scale = gamma / (var + 0.001).sqrt()
    w = (w * scale[:, None, None, None]).float()
    # channels last: half as fast again on a processor
    return w.contiguous(memory_format=torch.channels_last), (beta - mean * scale).float()
