"""Nets of any size: shapes, ladders, and how they start."""

import pytest
import torch

from simulacra import nets
from simulacra.errors import ConfigError
from simulacra.models.autoencoder.card import AutoencoderConfig
from simulacra.models.regressor.card import RegressorConfig
from simulacra.nets.conv import channels, ladder
from simulacra.nets.resnet import PreActBlock
from simulacra.nets.unet import UNet


@pytest.mark.parametrize("kind", ["mlp", "conv", "upsample", "resnet"])
@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 64, 64), (1, 8, 8), (3, 17, 23), (1, 28, 20), (1, 4, 4)])
def test_any_image_in_and_out(kind: str, shape: tuple[int, int, int]) -> None:
    settings = AutoencoderConfig(net=kind, hidden=(16,), width=4, depth=1)  # type: ignore[arg-type]  # any str
    x = torch.rand(2, *shape)
    z = nets.encoder(shape, 6, settings)(x)
    assert z.shape == (2, 6)
    assert nets.decoder(6, (2 * shape[0], *shape[1:]), settings)(z).shape == (2, 2 * shape[0], *shape[1:])


def test_ladders_halve_down_to_four_to_seven() -> None:
    assert ladder((128, 128)) == [(s, s) for s in (128, 64, 32, 16, 8, 4)]
    assert ladder((17, 23)) == [(17, 23), (9, 12), (5, 6)]
    assert ladder((7, 7)) == [(7, 7), (4, 4)]
    assert channels(32, 5) == [32, 64, 128, 256, 256]


def test_a_residual_block_starts_as_the_identity() -> None:
    x = torch.randn(2, 4, 5, 5)
    out = PreActBlock(4)(x)
    bias = out - x
    # all that is added at first is the last convolution's bias, the same everywhere
    torch.testing.assert_close(bias, bias[:1, :, :1, :1].expand_as(bias))


@pytest.mark.parametrize("kind", ["auto", "mlp", "conv", "resnet"])
@pytest.mark.parametrize("inputs", [(3,), (1, 17, 23), (3, 16, 16)])
@pytest.mark.parametrize("same", [True, False])
def test_mappings_between_vectors_and_images(kind: str, inputs: tuple[int, ...], same: bool) -> None:
    settings = RegressorConfig(net=kind, hidden=(16,), width=4, depth=1)  # type: ignore[arg-type]  # any str
    outputs = (6, *inputs[1:]) if same else (5,)
    if len(inputs) == len(outputs) == 1 and kind in ("conv", "resnet"):
        with pytest.raises(ConfigError, match="needs images"):
            nets.mapping(inputs, outputs, settings)
        return
    assert nets.mapping(inputs, outputs, settings)(torch.rand(2, *inputs)).shape == (2, *outputs)


def test_only_an_mlp_changes_the_size_of_images() -> None:
    small, large = (1, 16, 16), (1, 32, 32)
    with pytest.raises(ConfigError, match="32x32 from 16x16"):
        nets.mapping(small, large, RegressorConfig(net="conv"))
    net = nets.mapping(small, large, RegressorConfig(net="mlp"))
    assert net(torch.rand(2, *small)).shape == (2, *large)


def test_a_unet_sees_pixels_and_the_whole() -> None:
    torch.manual_seed(0)
    x = torch.rand(1, 1, 16, 16, requires_grad=True)
    y = UNet((1, 16, 16), (1, 16, 16), width=16)(x)
    (gradient,) = torch.autograd.grad(y[0, 0, 0, 0], x)
    # the nearest pixels through the skips, the farthest corner through the bottom
    assert gradient[0, 0, 0, 0] != 0
    assert gradient[0, 0, 15, 15] != 0


def test_auto_picks_by_shape() -> None:
    assert nets.pick("auto", (3, 64, 64)) == "conv"
    assert nets.pick("auto", (1, 8, 8)) == "mlp"
    assert nets.pick("resnet", (1, 8, 8)) == "resnet"
    with pytest.raises(ConfigError, match="did you mean 'conv'"):
        nets.pick("conf", (1, 28, 28))
