"""Winograd's convolution: the same outputs and gradients as torch's."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from simulacra.accelerate import for_cpu, winograd
from simulacra.accelerate.winograd import CHANNELS, PIXELS, WinogradConv2d
from simulacra.nets.patch import PatchDiscriminator
from simulacra.nets.translation import ResNetTranslator


def double(*shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, requires_grad=True)


def with_gradients(y: Tensor, *of: Tensor) -> list[Tensor]:
    return [y, *torch.autograd.grad((y**2).sum(), of)]


@pytest.mark.parametrize(("kernel", "padding"), [(3, 0), (3, 1), (4, 1), (4, 0), (1, 0), (2, 1)])
@pytest.mark.parametrize("size", [(4, 4), (5, 9), (8, 7), (17, 12)])
def test_winograd_is_the_convolution(kernel: int, padding: int, size: tuple[int, int]) -> None:
    torch.manual_seed(0)
    x, weight = double(2, 3, *size), double(5, 3, kernel, kernel)
    expected = with_gradients(F.conv2d(x, weight, padding=padding), x, weight)
    found = with_gradients(winograd.Convolution.apply(x, weight, padding), x, weight)
    torch.testing.assert_close(found, expected)


def test_winograd_in_float32_is_off_by_a_few_millionths() -> None:
    """Against float64, relative to the size of all; as the docstring says."""
    torch.manual_seed(0)
    x, weight = torch.randn(2, 256, 19, 19), torch.randn(256, 256, 4, 4)
    exact = with_gradients(
        F.conv2d(*(wide := [t.double().requires_grad_() for t in (x, weight)]), padding=1), *wide
    )
    x.requires_grad_(), weight.requires_grad_()
    found = with_gradients(winograd.Convolution.apply(x, weight, 1), x, weight)
    for ours, theirs in zip(found, exact, strict=True):
        assert 1e-7 < (ours.double() - theirs).norm() / theirs.norm() < 8e-6


def test_it_can_be_differentiated_twice() -> None:
    x, weight = double(1, 2, 5, 6), double(2, 2, 3, 3)
    assert torch.autograd.gradgradcheck(lambda *t: winograd.Convolution.apply(*t, 1), (x, weight))


def swapped(conv: nn.Conv2d) -> nn.Conv2d:
    for_cpu(conv)
    return conv


def test_it_is_for_training_in_float32_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    net = nn.Conv2d(CHANNELS, CHANNELS, 4, padding=1)
    x = torch.zeros(1, CHANNELS, PIXELS // 30, 30)
    asked: list[nn.Module] = []

    def convolution(self: nn.Conv2d, x: Tensor) -> Tensor:
        asked.append(self)
        return F.conv2d(x, self.weight, self.bias, padding=self.padding)

    monkeypatch.setattr(nn.Conv2d, "forward", convolution)
    for_cpu(net)
    y = net(x)
    assert not asked
    with torch.no_grad():
        torch.testing.assert_close(net(x), y)
    assert len(asked) == 1
    with torch.autocast("cpu", torch.bfloat16):
        net(x)
    assert len(asked) == 2
    torch.testing.assert_close(net.double()(x.double()).float(), y)
    assert len(asked) == 3


def test_winograd_is_for_many_channels_and_pixels(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*given: object) -> None:
        raise AssertionError

    monkeypatch.setattr(winograd.Convolution, "apply", refuse)
    for c_in, c_out, pixels in [
        (CHANNELS - 1, CHANNELS, PIXELS),
        (CHANNELS, CHANNELS - 1, PIXELS),
        (CHANNELS, CHANNELS, PIXELS - 30),
    ]:
        swapped(nn.Conv2d(c_in, c_out, 4))(torch.zeros(1, c_in, pixels // 30, 30))
    with pytest.raises(AssertionError):
        swapped(nn.Conv2d(CHANNELS, CHANNELS, 4))(torch.zeros(1, CHANNELS, PIXELS // 30, 30))


@pytest.mark.parametrize(
    "conv",
    [
        nn.Conv2d(256, 256, 4, stride=2, padding=2),
        nn.Conv2d(256, 256, 4, dilation=2),
        nn.Conv2d(256, 256, 4, groups=2),
        nn.Conv2d(256, 256, 4, padding=1, padding_mode="reflect"),
        nn.Conv2d(256, 256, 4, padding="same"),
        nn.Conv2d(256, 256, 4, padding=(1, 0)),
        nn.Conv2d(256, 256, 4, bias=False),
        nn.Conv2d(256, 256, 3),
        nn.Conv2d(3, 64, 7),
        nn.Conv2d(64, 3, 7, padding=3),
    ],
    ids=str,
)
def test_other_convolutions_stay_torchs(conv: nn.Conv2d) -> None:
    for_cpu(conv)
    assert type(conv) is nn.Conv2d


def test_swapped_nets_of_translations_keep_their_state() -> None:
    net = nn.ModuleList([PatchDiscriminator(6, 256, "70", 64), ResNetTranslator(3, 3, 64, 6)])
    before = {name: (id(p), p.data_ptr()) for name, p in net.named_parameters()}
    state = list(net.state_dict())
    for_cpu(net)
    assert sum(isinstance(layer, WinogradConv2d) for layer in net[0].modules()) == 1
    assert not any(isinstance(layer, WinogradConv2d) for layer in net[1].modules())
    assert {name: (id(p), p.data_ptr()) for name, p in net.named_parameters()} == before
    assert list(net.state_dict()) == state
