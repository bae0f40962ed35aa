"""Nets: plain torch layers, sized from the shape of the data. The functions here build one by name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from torch import nn

from simulacra.errors import ConfigError, nearest
from simulacra.nets.conv import ConvDecoder, ConvEncoder
from simulacra.nets.layers import RELU, NormAct
from simulacra.nets.mlp import MLP
from simulacra.nets.resnet import ResNetDecoder, ResNetEncoder
from simulacra.nets.unet import UNet

__all__ = ["NormAct", "decoder", "encoder", "mapping", "pick"]

KINDS = ("mlp", "conv", "dcgan", "upsample", "resnet")


def pick(kind: str, shape: Sequence[int]) -> str:
    """Resolve `auto`: convolutions for images of at least 16 pixels a side, else an MLP.

    >>> pick("auto", (3, 64, 64)), pick("auto", (1, 8, 8)), pick("auto", (2,))
    ('conv', 'mlp', 'mlp')

    Raises:
        ConfigError: an unknown net, or a convolutional net for data that are not images.
    """
    if kind == "auto":
        return "conv" if len(shape) == 3 and min(shape[1:]) >= 16 else "mlp"
    if kind not in KINDS:
        raise ConfigError(f"net: unknown '{kind}', {nearest(kind, ('auto', *KINDS))}")
    if kind != "mlp" and len(shape) != 3:
        raise ConfigError(f"net: '{kind}' needs images, the data have shape {tuple(shape)}; use mlp")
    return kind


class Settings(Protocol):
    """The fields of a model's Config that describe its nets."""

    @property
    def net(self) -> str: ...
    @property
    def hidden(self) -> Sequence[int]: ...
    @property
    def width(self) -> int: ...
    @property
    def depth(self) -> int: ...


def encoder(shape: Sequence[int], outputs: int, settings: Settings, norm_act: NormAct = RELU) -> nn.Module:
    """A net from data `(B, *shape)` to `(B, outputs)`."""
    match pick(settings.net, shape):
        case "mlp":
            return MLP(shape, (outputs,), settings.hidden, norm_act.slope)
        case "conv" | "dcgan" | "upsample":
            return ConvEncoder(shape, outputs, settings.width, norm_act)
        case _:
            return ResNetEncoder(shape, outputs, settings.hidden, settings.width, settings.depth, norm_act)


def decoder(inputs: int, shape: Sequence[int], settings: Settings, norm_act: NormAct = RELU) -> nn.Module:
    """A net from latents `(B, inputs)` to `(B, *shape)`, with the hidden layers in the order listed.

    Its second argument are the classes, `(B,)` or weights `(B, K)`; it is required where `norm_act` has
    classes.
    """
    match pick(settings.net, shape):
        case "mlp":
            return MLP((inputs,), shape, settings.hidden, norm_act.slope)
        case "resnet":
            return ResNetDecoder(inputs, shape, settings.hidden, settings.width, settings.depth, norm_act)
        case kind:
            return ConvDecoder(
                inputs, shape, settings.width, kind == "upsample", norm_act, refine=kind != "dcgan"
            )


def mapping(inputs: Sequence[int], outputs: Sequence[int], settings: Settings) -> nn.Module:
    """A net from `(B, *inputs)` to `(B, *outputs)`, each images or vectors.

    Raises:
        ConfigError: the net does not fit the data; only an MLP maps images to images of another size.
    """
    if len(inputs) == 1:
        return decoder(inputs[0], outputs, settings)
    if len(outputs) == 1:
        return encoder(inputs, outputs[0], settings)
    if pick(settings.net, inputs) == "mlp":
        return MLP(inputs, outputs, settings.hidden)
    if tuple(inputs[1:]) != tuple(outputs[1:]):
        raise ConfigError(
            f"net: '{settings.net}' needs targets as large as the inputs, not {outputs[1]}x{outputs[2]} from"
            f" {inputs[1]}x{inputs[2]}; resize them to one size, or use mlp"
        )
    return UNet(inputs, outputs, settings.width)
