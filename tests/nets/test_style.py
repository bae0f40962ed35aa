"""StyleGAN's generator against operations written plainly, and what its parts do."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from simulacra.nets.modulated import ModulatedConv2d, StyledLayer, ToImage, activate_, products
from simulacra.nets.style import MappingNetwork, Synthesis
from tests.nets.plain_style import lrelu, modulated, upfirdn


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(0)


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("doubling", [False, True])
def test_modulated_convolution_is_the_plain_loop(doubling: bool, memory_format: torch.memory_format) -> None:
    layer = StyledLayer(4, 5, doubling, "demodulated").to(memory_format=memory_format)  # type: ignore[call-overload]
    x, s = torch.randn(3, 4, 6, 6).to(memory_format=memory_format), torch.randn(3, 4)
    noise = torch.randn(3, 1, *([12, 12] if doubling else [6, 6]))
    with torch.no_grad():
        layer.bias.normal_()
        layer.noise_strength.fill_(0.7)
    expected = modulated(x, layer.conv.weight / 36**0.5, s, demodulate=True, doubling=doubling)
    expected = lrelu(expected + 0.7 * noise + layer.bias[:, None, None])
    torch.testing.assert_close(layer(x, s, noise).double(), expected, rtol=1e-5, atol=1e-5)
    with torch.no_grad():
        torch.testing.assert_close(layer(x, s, noise).double(), expected, rtol=1e-5, atol=1e-5)


def test_an_image_is_the_plain_loop_without_demodulation() -> None:
    layer = ToImage(4, 3)
    x, s = torch.randn(3, 4, 6, 6), torch.randn(3, 4)
    expected = modulated(x, layer.conv.weight / 4**0.5, s, demodulate=False, doubling=False)
    torch.testing.assert_close(layer(x, s).double(), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("channels", [3, 65])
def test_products(channels: int) -> None:
    a, b = torch.randn(2, channels, 4, 4), torch.randn(2, channels, 4, 4)
    torch.testing.assert_close(products(a, b), (a * b).sum(dim=(2, 3)), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("shared", [False, True])
def test_derivatives_of_the_activation(shared: bool) -> None:
    """The gradients, and those of the gradients, which R1 and path length need."""
    shapes = [(2, 3, 4, 4), (2, 3), (1 if shared else 2, 1, 4, 4), (), (3,)]
    inputs = [(torch.rand(shape) + 0.5).double() * (-1) ** (i == 4) for i, shape in enumerate(shapes)]
    for one in inputs:
        one.requires_grad_(True)

    def f(x: Tensor, *factors: Tensor) -> Tensor:
        return activate_(x.clone(), *factors)

    x, d, noise, strength, bias = inputs
    plain = F.leaky_relu(x * d[:, :, None, None] + strength * noise + bias[:, None, None], 0.2)
    torch.testing.assert_close(f(*inputs), plain)
    assert torch.autograd.gradcheck(f, inputs)
    assert torch.autograd.gradgradcheck(f, inputs)


def test_adain_gives_maps_the_mean_and_deviation_of_the_style() -> None:
    layer = StyledLayer(4, 5, False, "adain")
    s = torch.cat([torch.rand(3, 5) + 0.5, torch.randn(3, 5)], dim=1)
    out = layer(torch.randn(3, 4, 16, 16), s, torch.zeros(3, 1, 16, 16))
    torch.testing.assert_close(out.std(dim=(2, 3), correction=0), s[:, :5], rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(out.mean(dim=(2, 3)), s[:, 5:], rtol=1e-4, atol=1e-4)


def test_a_style_acts_on_its_own_example_and_layer() -> None:
    net = Synthesis((3, 32, 32), 6, width=4, widest=16)
    noise = net.noise(2, torch.randn)
    w = torch.randn(2, len(net.resolutions), 6)
    before = net(w, noise)
    w[1, -1] += 1
    after = net(w, noise)
    torch.testing.assert_close(before[0], after[0])
    assert (before[1] - after[1]).abs().max() > 0.01
    assert net.resolutions == (4, 8, 8, 16, 16, 32, 32, 32)
    # what all styles together give is what w+ gives
    torch.testing.assert_close(net(net.styles(w), noise), after)


def test_skip_adds_up_images() -> None:
    net = Synthesis((3, 8, 8), 6, width=4, widest=16)
    noise, w = net.noise(2, torch.randn), torch.randn(2, 4, 6)
    s = net.styles(w).split(net.style_sizes, dim=1)
    x = net.layers[0](net.constant.expand(2, -1, -1, -1), s[0], noise[0])
    image = net.images[0](x, s[3])
    for i in (1, 2):
        x = net.layers[i](x, s[i], noise[i])
    expected = upfirdn(image, 2, 1, 2, 1, gain=2.0).float() + net.images[1](x, s[4])
    torch.testing.assert_close(net(w, noise), expected, rtol=1e-5, atol=1e-5)


def test_residual_adds_up_features() -> None:
    net = Synthesis((3, 8, 8), 6, width=4, widest=16, architecture="residual")
    noise, w = net.noise(2, torch.randn), torch.randn(2, 4, 6)
    s = net.styles(w).split(net.style_sizes, dim=1)
    x = net.layers[0](net.constant.expand(2, -1, -1, -1), s[0], noise[0])
    shortcut = F.conv2d(x, net.shortcuts[0].weight / 8**0.5)
    for i in (1, 2):
        x = net.layers[i](x, s[i], noise[i])
    x = (x + upfirdn(shortcut, 2, 1, 2, 1, gain=2.0).float()) / 2**0.5
    torch.testing.assert_close(net(w, noise), net.images[0](x, s[3]), rtol=1e-5, atol=1e-5)


def test_noise_changes_nothing_at_first_and_only_its_layer_later() -> None:
    net = Synthesis((3, 16, 16), 6, width=4, widest=16)
    w = torch.randn(1, 6, 6)
    one, other = net.noise(1, torch.randn), net.noise(1, torch.randn)
    assert torch.equal(net(w, one), net(w, other))
    with torch.no_grad():
        net.layers[4].noise_strength.fill_(1.0)
    assert torch.equal(net(w, one), net(w, [*other[:4], one[4]]))
    assert not torch.equal(net(w, one), net(w, other))


@pytest.mark.parametrize("side", [8, 64, 1024])
@torch.no_grad()
def test_images_of_all_sizes(side: int) -> None:
    net = Synthesis((3, side, side), 8, width=1, widest=2)
    w = torch.randn(1, len(net.resolutions), 8)
    assert net(w, net.noise(1, torch.randn)).shape == (1, 3, side, side)
    assert len(net.resolutions) == 2 * (side.bit_length() - 1) - 2


def test_mapping_is_of_the_direction_of_z() -> None:
    net, z = MappingNetwork(6, 4, depth=3), torch.randn(5, 6)
    torch.testing.assert_close(net(z), net(3 * z), rtol=1e-4, atol=1e-5)
    given = MappingNetwork(6, 4, depth=2, classes=3)
    assert not torch.equal(given(z, torch.zeros(5).long()), given(z, torch.ones(5).long()))


def test_the_norm_of_demodulated_weights_is_one() -> None:
    conv, s = ModulatedConv2d(4, 5, 3), torch.randn(2, 4)
    w = conv.weight[None] * s[:, None, :, None, None] * conv.demodulation(s)[:, :, None, None, None]
    torch.testing.assert_close(w.square().sum(dim=(2, 3, 4)), torch.ones(2, 5))
