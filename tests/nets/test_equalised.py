"""Equalised layers and filtered resampling against their definitions."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from simulacra.nets.equalised import EqualisedConv2d, EqualisedLinear, double, low_pass, normalise
from tests.nets.plain_style import upfirdn


@pytest.fixture
def x() -> Tensor:
    return torch.randn(2, 3, 6, 6, generator=torch.Generator().manual_seed(0)).double()


@pytest.mark.parametrize(("padding", "gain", "stride"), [(1, 1.0, 1), (2, 1.0, 1), (1, 2.0, 1), (1, 1.0, 2)])
def test_low_pass_is_the_filter(x: Tensor, padding: int, gain: float, stride: int) -> None:
    expected = upfirdn(x, 1, stride, padding, padding, gain)
    torch.testing.assert_close(low_pass(x, padding, gain, stride), expected)


def test_double_puts_zeros_between_and_filters(x: Tensor) -> None:
    torch.testing.assert_close(double(x), upfirdn(x, 2, 1, 2, 1, gain=2.0))


@pytest.mark.parametrize(
    "resample",
    [double, lambda x: low_pass(x, 2), lambda x: low_pass(x, 1, 2.0), lambda x: low_pass(x, 1, stride=2)],
)
def test_derivatives_of_resampling(x: Tensor, resample: type) -> None:
    x = x[:1, :1].requires_grad_(True)
    assert torch.autograd.gradcheck(resample, x)
    assert torch.autograd.gradgradcheck(lambda x: resample(x).square(), x)


def test_the_gains_of_equalised_layers(x: Tensor) -> None:
    linear = EqualisedLinear(6, 4, rate=0.01, bias=0.5, activate=True).double()
    h = x[:, 0, 0]
    # the weights as they act, c w with c = rate / sqrt(inputs)
    y = 0.01 * h @ linear.weight.T / 6**0.5 + 0.01 * linear.bias
    torch.testing.assert_close(linear(h), 2**0.5 * F.leaky_relu(y, 0.2))
    assert torch.allclose(0.01 * linear.bias, torch.tensor(0.5).double())
    conv = EqualisedConv2d(3, 5, 3, gain=0.7).double()
    with torch.no_grad():
        conv.bias.normal_()  # type: ignore[union-attr]  # it has one
    y = F.conv2d(x, conv.weight / 27**0.5, conv.bias, padding=1)
    torch.testing.assert_close(conv(x), 0.7 * 2**0.5 * F.leaky_relu(y, 0.2))


@pytest.mark.parametrize("kernel", [1, 3])
def test_halving_filters_first(x: Tensor, kernel: int) -> None:
    conv = EqualisedConv2d(3, 5, kernel, halve=True, activate=False).double()
    before = upfirdn(x, 1, 1, (kernel + 1) // 2, (kernel + 1) // 2)
    expected = F.conv2d(before, conv.weight / (3 * kernel**2) ** 0.5, stride=2)
    torch.testing.assert_close(conv(x), expected)
    assert expected.shape[2:] == (3, 3)


def test_an_equalised_layer_keeps_the_variance() -> None:
    torch.manual_seed(0)
    linear, h = EqualisedLinear(400, 400), torch.randn(200, 400)
    assert abs(linear(h).var().item() - 1) < 0.1
    assert abs(EqualisedLinear(400, 400, rate=0.01)(h).var().item() - 1) < 0.1


def test_normalise() -> None:
    z = torch.randn(5, 7)
    torch.testing.assert_close(normalise(z).square().mean(dim=1), torch.ones(5))
