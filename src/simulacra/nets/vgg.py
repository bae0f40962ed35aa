"""VGG-19 (Simonyan and Zisserman 2015), trained on ImageNet: its first layers, a constant of the library."""

from __future__ import annotations

from importlib import import_module

import torch
from torch import Tensor, nn

from simulacra.errors import ConfigError

# channels of the convolutions, and M for a maximum over 2 x 2 places: up to relu3_1
LAYERS = (64, 64, "M", 128, 128, "M", 256)
# outputs of relu1_1, relu2_1 and relu3_1 by their place in torchvision's `features`
SEEN = (1, 6, 11)
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
LOADED: dict[torch.device, VGG] = {}


class VGG(nn.Module):
    """VGG-19 up to its layer relu3_1, with torchvision's names of the weights."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        c_in = 3
        for c in LAYERS:
            if isinstance(c, int):
                layers += [nn.Conv2d(c_in, c, 3, padding=1), nn.ReLU()]
                c_in = c
            else:
                layers += [nn.MaxPool2d(2)]
        self.features = nn.Sequential(*layers)

    def maps(self, x: Tensor) -> list[Tensor]:
        """relu1_1, relu2_1 and relu3_1 of colour images `(B, 3, H, W)` in [0, 1] of any size.

        Returns:
            Maps of 64, 128 and 256 channels at strides 1, 2 and 4.
        """
        mean, std = (torch.tensor(numbers, device=x.device)[:, None, None] for numbers in (MEAN, STD))
        h, seen = (x - mean) / std, []
        for i, layer in enumerate(self.features):
            h = layer(h)
            if i in SEEN:
                seen.append(h)
        return seen


def vgg19(device: torch.device | str = "cpu") -> VGG:
    """The pretrained network on a device, the same object at every call: frozen, in evaluation mode.

    torchvision finds its weights in torch's cache, or downloads them (550 MB).

    Raises:
        ConfigError: torchvision is not installed, or the weights cannot be had.
    """
    device = torch.device(device)
    if device not in LOADED:
        LOADED[device] = _load(device)
    return LOADED[device]


def _load(device: torch.device) -> VGG:
    try:
        weights = import_module("torchvision.models").VGG19_Weights.IMAGENET1K_V1
    except ImportError as error:
        raise ConfigError(
            f"vgg: needs '{error.name}', which is not installed: pip install simulacra[vision]"
        ) from error
    try:
        state = weights.get_state_dict(progress=False, check_hash=True)
    # OSError without a network, RuntimeError for another file
    except (OSError, RuntimeError) as error:
        raise ConfigError(
            f"vgg: its weights could not be downloaded ({error}); put {weights.url} into"
            f" {torch.hub.get_dir()}/checkpoints"
        ) from error
    # without initial weights, which would take random numbers of a training
    with torch.device("meta"):
        net = VGG()
    # usable in training wherever it is loaded first
    with torch.inference_mode(False):
        net.load_state_dict({name: state[name] for name in net.state_dict()}, assign=True)
        net.eval().requires_grad_(False)
        return net.to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # missing in torch's stubs
