"""A critic that sees images through frozen features of a pretrained network (Sauer et al. 2021)."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from simulacra.nets.efficientnet import CHANNELS, efficientnet_lite0

# of the maps at strides 4, 8, 16 and 32: channels, and root mean squares on photographs of 64 to 128 pixels
SEEN = CHANNELS[1:]
TYPICAL = (9.0, 8.0, 8.0, 3.0)
# channels of the mixed maps and of the discriminators' last layer, and the side of the maps of logits
WIDTHS = (32, 64, 128, 256)
LAST, SIDE = 128, 8
SLOPE = 0.2


class ProjectedCritic(nn.Module):
    """Images in [-1, 1] to the logits of four small discriminators, `(B, K)` (arXiv:2111.01007).

    The discriminators see four maps of EfficientNet-Lite0, mixed by fixed random convolutions: across
    channels, 1 x 1, and across scales: from the deepest map up 3 x 3, enlarged, and added to the next map.
    What is random is saved with the critic; the pretrained network is a constant of the library and is not.

    Args:
        shape: of an image, `(1|3, H, W)`.
        classes: number of classes that the logits are conditioned on by projection (Miyato and Koyama 2018,
            eq. 3); 0 for none.

    >>> ProjectedCritic((3, 64, 64))(torch.zeros(2, 3, 64, 64)).shape  # 8 x 8 + 8 x 8 + 4 x 4 + 2 x 2
    torch.Size([2, 148])
    """

    def __init__(self, shape: Sequence[int], classes: int = 0) -> None:
        super().__init__()
        for i, (c_in, c_out, typical) in enumerate(zip(SEEN, WIDTHS, TYPICAL, strict=True)):
            self.register_buffer(f"channels_{i}", random_filters(c_out, c_in, 1) / typical)
        for i, (c_out, c_in) in enumerate(zip(WIDTHS, WIDTHS[1:], strict=False)):
            self.register_buffer(f"scales_{i}", random_filters(c_out, c_in, 3))
        sides = [-(-min(shape[1:]) // 2 ** (i + 2)) for i in range(len(WIDTHS))]
        self.heads = nn.ModuleList(MapCritic(c, side, classes) for c, side in zip(WIDTHS, sides, strict=True))

    def forward(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        logits = [head(h, y).flatten(1) for head, h in zip(self.heads, self.project(x), strict=True)]
        return torch.cat(logits, dim=1)

    def project(self, x: Tensor) -> list[Tensor]:
        """The mixed maps of images in [-1, 1] at strides 4, 8, 16 and 32.

        Raises:
            ConfigError: the pretrained network is not installed.
        """
        device = x.device.type
        # backward, depthwise convolutions in bfloat16 take 3 times as long on a processor as in float32
        mixed = torch.is_autocast_enabled(device) and not (device == "cpu" and x.requires_grad)
        with torch.autocast(device, enabled=mixed):
            seen = efficientnet_lite0(x.device).maps((x.float().expand(-1, 3, -1, -1) + 1) / 2)[1:]
        maps = [F.conv2d(h, self.get_buffer(f"channels_{i}")) for i, h in enumerate(seen)]
        for i in reversed(range(len(maps) - 1)):
            deeper = F.conv2d(maps[i + 1], self.get_buffer(f"scales_{i}"), padding=1)
            maps[i] = maps[i] + F.interpolate(deeper, maps[i].shape[2:], mode="bilinear")
        return maps


class MapCritic(nn.Module):
    """A map to a map of logits, with weights of spectral norm 1 (Miyato et al. 2018).

    Args:
        channels: of the map.
        side: of the map; sides above 8 are halved until they are not.
        classes: as for `ProjectedCritic`.
    """

    def __init__(self, channels: int, side: int, classes: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        while side > SIDE:
            layers += [spectral_norm(nn.Conv2d(channels, 2 * channels, 4, 2, 1)), nn.LeakyReLU(SLOPE, True)]
            channels, side = 2 * channels, side // 2
        layers += [spectral_norm(nn.Conv2d(channels, LAST, 3, 1, 1)), nn.LeakyReLU(SLOPE, True)]
        self.body, self.head = nn.Sequential(*layers), spectral_norm(nn.Conv2d(LAST, 1, 3, 1, 1))
        self.projection = spectral_norm(nn.Embedding(classes, LAST)) if classes else None

    def forward(self, h: Tensor, y: Tensor | None = None) -> Tensor:
        h = self.body(h)
        out: Tensor = self.head(h)
        if self.projection is not None and y is not None:
            # <v_y, h> at each place
            out = out + (self.projection(y)[:, :, None, None] * h).sum(dim=1, keepdim=True)
        return out


def random_filters(c_out: int, c_in: int, kernel: int) -> Tensor:
    """Weights ~ N(0, 1 / fan in), which keep the scale of what they mix."""
    return torch.randn(c_out, c_in, kernel, kernel) / sqrt(c_in * kernel**2)
