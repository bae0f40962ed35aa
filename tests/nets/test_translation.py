"""Nets of pix2pix and CycleGAN: how deep, where their noise is, and that they can be taken elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.export import Dim

from simulacra.nets.patch import PatchDiscriminator
from simulacra.nets.translation import ResNetBlock, ResNetTranslator, SkipUNet


def nets() -> dict[str, tuple[nn.Module, tuple[Tensor, ...], int]]:
    """Each with inputs, and what divides the sides of pictures that need no padding."""
    torch.manual_seed(0)
    x, z = torch.rand(1, 3, 128, 192), torch.rand(1, 4)
    made = {
        "unet": (SkipUNet(3, 1, 64, 8), (x,), 64),
        "unet with a code": (SkipUNet(3, 3, 64, 8, "instance", code_dim=4), (x, z), 64),
        "resnet": (ResNetTranslator(3, 3, 8, 2), (x,), 4),
    }
    for net, _, _ in made.values():
        net.eval().requires_grad_(False)
    return made


@pytest.mark.parametrize("name", nets())
def test_nets_are_exported_for_every_size_they_take(name: str) -> None:
    net, (x, *z), unit = nets()[name]
    sides = {2: unit * Dim("height", max=64), 3: unit * Dim("width", max=64)}
    program = torch.export.export(net, (x, *z), dynamic_shapes=(sides, *({} for _ in z)), strict=True)
    other = torch.rand(1, 3, 2 * unit, 5 * unit)
    for picture in (x, other):
        torch.testing.assert_close(program.module()(picture, *z), net(picture, *z))
    assert not torch.allclose(program.module()(x, *z), program.module()(1 - x, *z), atol=1e-4)


@pytest.mark.parametrize("name", nets())
@pytest.mark.parametrize("size", [(64, 64), (50, 66)])
# of the exporter itself
@pytest.mark.filterwarnings("ignore")
def test_onnx_gives_the_same_translations(name: str, size: tuple[int, int], tmp_path: Path) -> None:
    pytest.importorskip("onnxscript")
    runtime: Any = pytest.importorskip("onnxruntime")
    net, (_, *z), _ = nets()[name]
    x = torch.rand(1, 3, *size)
    torch.onnx.export(net, (x, *z), tmp_path / "net.onnx", dynamo=True)
    session = runtime.InferenceSession(tmp_path / "net.onnx", providers=["CPUExecutionProvider"])
    inputs = {given.name: value.numpy() for given, value in zip(session.get_inputs(), (x, *z), strict=True)}
    (y,) = session.run(None, inputs)
    torch.testing.assert_close(torch.from_numpy(y), net(x, *z), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("size", "levels", "noisy"), [(256, 8, 3), (128, 7, 2), (64, 6, 1), (32, 5, 1), (8, 3, 1)]
)
def test_a_unet_is_as_deep_as_the_image_allows(size: int, levels: int, noisy: int) -> None:
    net = SkipUNet(3, 3, size, width=2)
    assert len(net.down) == len(net.up) == levels
    assert sum(isinstance(module, nn.Dropout) for module in net.modules()) == noisy
    x = torch.rand(1, 3, size, size)
    for down in net.eval().down:
        x = down(x)
    assert x.shape[2:] == (1, 1)


@pytest.mark.parametrize("blocks", [6, 9])
def test_a_resnet_has_its_blocks_at_a_quarter_of_the_size(blocks: int) -> None:
    net = ResNetTranslator(3, 3, width=2, blocks=blocks)
    seen: list[tuple[int, ...]] = []
    for module in net.modules():
        if isinstance(module, ResNetBlock):
            module.register_forward_hook(lambda module, inputs, output: seen.append(tuple(output.shape)))
    net(torch.rand(1, 3, 32, 48))
    assert seen == [(1, 8, 8, 12)] * blocks


# as junyanz/pytorch-CycleGAN-and-pix2pix prints them for 256 pixels, in millions
@pytest.mark.parametrize(
    ("net", "millions"),
    [
        (lambda: SkipUNet(3, 3, 256, 64, "batch"), 54.414),
        (lambda: ResNetTranslator(3, 3, 64, 9, "instance"), 11.378),
        (lambda: PatchDiscriminator(6, 256, "70", 64, "batch"), 2.769),
        (lambda: PatchDiscriminator(3, 256, "70", 64, "instance"), 2.765),
    ],
)
def test_nets_are_as_large_as_those_published(net: Any, millions: float) -> None:
    with torch.device("meta"):
        layers = list(net().modules())
    parameters = sum(p.numel() for layer in layers for p in layer.parameters(recurse=False))
    for layer, after in zip(layers, layers[1:], strict=False):
        # theirs has no biases that batch norm takes away again
        if isinstance(after, nn.BatchNorm2d) and isinstance(layer.bias, Tensor):
            parameters -= layer.bias.numel()
    assert parameters / 1e6 == pytest.approx(millions, rel=2e-4)
