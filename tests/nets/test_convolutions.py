"""Convolutions that are computed in another way in training: the same outputs and gradients as torch's."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from simulacra.nets import last, winograd
from simulacra.nets.last import ToImage
from simulacra.nets.translation import PatchCritic, ResNetTranslator
from simulacra.nets.winograd import CHANNELS, PIXELS, Winograd


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


@pytest.mark.parametrize("c_out", [1, 3])
@pytest.mark.parametrize("kernel", [1, 3, 7])
def test_the_last_convolution_is_the_convolution(kernel: int, c_out: int) -> None:
    torch.manual_seed(0)
    x, weight = double(2, 4, 11, 8), double(c_out, 4, kernel, kernel)
    expected = with_gradients(F.conv2d(x, weight), x, weight)
    torch.testing.assert_close(with_gradients(last.Convolution.apply(x, weight), x, weight), expected)


def test_both_can_be_differentiated_twice() -> None:
    x, weight = double(1, 2, 5, 6), double(2, 2, 3, 3)
    assert torch.autograd.gradgradcheck(lambda *t: winograd.Convolution.apply(*t, 1), (x, weight))
    assert torch.autograd.gradgradcheck(last.Convolution.apply, (x, weight))


@pytest.mark.parametrize(
    ("net", "x"),
    [
        (Winograd(CHANNELS, CHANNELS, 3, padding=1), torch.zeros(1, CHANNELS, PIXELS // 30, 30)),
        (ToImage(2, 3, 7), torch.zeros(1, 2, 9, 9)),
    ],
)
def test_they_are_for_training_in_float32_alone(
    net: nn.Conv2d, x: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[nn.Module] = []

    def convolution(self: nn.Conv2d, x: Tensor) -> Tensor:
        asked.append(self)
        return F.conv2d(x, self.weight, self.bias, padding=self.padding)

    monkeypatch.setattr(nn.Conv2d, "forward", convolution)
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
    net.float()


def test_winograd_is_for_many_channels_and_pixels(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*given: object) -> None:
        raise AssertionError

    monkeypatch.setattr(winograd.Convolution, "apply", refuse)
    for c_in, c_out, pixels in [
        (CHANNELS - 1, CHANNELS, PIXELS),
        (CHANNELS, CHANNELS - 1, PIXELS),
        (CHANNELS, CHANNELS, PIXELS - 30),
    ]:
        Winograd(c_in, c_out, 3)(torch.zeros(1, c_in, pixels // 30, 30))
    with pytest.raises(AssertionError):
        Winograd(CHANNELS, CHANNELS, 3)(torch.zeros(1, CHANNELS, PIXELS // 30, 30))


def test_the_nets_of_translations_have_them() -> None:
    assert sum(isinstance(layer, Winograd) for layer in PatchCritic(6, 256, "70", 64).modules()) == 1
    assert sum(isinstance(layer, ToImage) for layer in ResNetTranslator(3, 3, 64, 6).modules()) == 1
