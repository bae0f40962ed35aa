"""What pix2pix and CycleGAN have in common: their nets, what is done to images, what they are told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import chain
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from simulacra.core.batch import Batch
from simulacra.core.model import Model
from simulacra.core.noise import Noise
from simulacra.data.spec import DataSpec
from simulacra.errors import ConfigError
from simulacra.models.cyclegan.card import CycleGANConfig
from simulacra.models.cyclegan.model import CycleGAN
from simulacra.models.jitter import Jitter
from simulacra.models.pix2pix.card import Pix2PixConfig
from simulacra.models.pix2pix.model import Pix2Pix
from simulacra.nets.patch import PatchDiscriminator
from tests.models.translators import IMAGE, cyclegan, images, pix2pix


@pytest.mark.parametrize("patch", ["1", "16", "70", "full"])
@pytest.mark.parametrize("norm", ["batch", "instance", "none"])
@pytest.mark.parametrize("side", [8, 13])
def test_every_setting_plays_with_small_images(patch: str, norm: str, side: int) -> None:
    spec = DataSpec("image", (3, side, side + 2), classes=("a", "b"))
    x = torch.rand(2, *spec.shape)
    batch = Batch(x, torch.tensor([0, 1]), Noise(0, 1), target=1 - x)
    one, paired = {"width": 2, "patch": patch, "norm": norm}, replace(spec, target=spec)
    models = [
        CycleGAN(spec, CycleGANConfig(blocks=1, **one)),
        *(Pix2Pix(paired, Pix2PixConfig(net=net, blocks=1, **one)) for net in ("unet", "resnet")),
    ]
    for model in models:
        for turn in model.play(batch):
            turn.loss.backward()
            assert turn.loss.isfinite()


# what asks for numbers, or for how many there are, and waits for the device
READING = {"item", "_local_scalar_dense", "nonzero", "masked_select", "equal", "is_nonzero", "_unique2"}


class Recorder(TorchDispatchMode):
    """Notes the names of all operations inside."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        self.names.add(func._schema.name.removeprefix("aten::"))
        # a mask as an index is counted inside of the operation
        if "index" in func._schema.name and any(
            isinstance(index, Tensor) and index.dtype == torch.bool
            for index in chain.from_iterable(arg for arg in args if isinstance(arg, list | tuple))
        ):
            self.names.add("nonzero")
        return func(*args, **(kwargs or {}))


def recorded(model: Model, batch: Batch) -> set[str]:
    """The operations of a step without what the optimisers do."""
    with Recorder() as recorder:
        for turn in model.play(batch):
            turn.loss.backward()
    return recorder.names


@pytest.mark.parametrize("norm", ["instance", "batch"])
def test_a_step_reads_nothing_back_from_the_device(norm: str) -> None:
    jitter = {"load_size": 36, "flip": True, "norm": norm}
    # so late that every place of the pool is taken
    full, x = 99, images(0)
    steps = [
        (pix2pix(style_dim=2, **jitter), Batch(x, None, Noise(0, 1), full, 100, x[:, :1])),
        (cyclegan(pool=2, **jitter), Batch(x, torch.tensor([0, 0, 1, 1]), Noise(0, 1), full, 100)),
    ]
    for model, batch in steps:
        names = recorded(model, batch)
        # forwards and backwards
        assert {"convolution", "convolution_backward"} <= names
        assert not names & READING


@pytest.mark.parametrize(
    ("reading", "seen"),
    [
        (lambda outputs: outputs * outputs[0].detach().item(), "_local_scalar_dense"),
        (lambda outputs: outputs[int(outputs.argmax()) :], "_local_scalar_dense"),
        (lambda outputs: outputs[outputs.isfinite()], "nonzero"),
    ],
    ids=["item", "int", "mask"],
)
def test_what_is_read_back_is_seen(
    reading: Callable[[Tensor], Tensor], seen: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    x, judge = images(0), Pix2Pix._discriminate
    batch = Batch(x, None, Noise(0, 1), target=x[:, :1])
    assert not recorded(pix2pix(), batch) & READING
    monkeypatch.setattr(Pix2Pix, "_discriminate", lambda self, x, y: reading(judge(self, x, y)))
    assert recorded(pix2pix(), batch) & READING == {seen}


def test_weights_begin_small_and_norms_as_they_are() -> None:
    """Within five standard errors, of one layer and of all together."""

    def check(numbers: Tensor, mean: float) -> None:
        error = 0.02 / numbers.numel() ** 0.5
        assert abs(numbers.mean() - mean) < 5 * error
        assert abs(numbers.std() - 0.02) < 5 * error / 2**0.5

    resnet, unet, cycle = pix2pix(net="resnet", norm="batch"), pix2pix(norm="batch"), cyclegan(norm="batch")
    nets = [resnet.generator, unet.generator, unet.discriminator]
    nets += [getattr(cycle, net) for net in chain(*cycle.players.values())]
    weights: list[Tensor] = []
    scales: list[Tensor] = []
    for module in chain.from_iterable(net.modules() for net in nets):
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.BatchNorm2d):
            (scales if isinstance(module, nn.BatchNorm2d) else weights).append(
                module.weight.detach().flatten()
            )
            assert module.bias is not None
            assert not module.bias.any()
    for layer in weights:
        check(layer, 0)
    check(torch.cat(weights), 0)
    check(torch.cat(scales), 1)
    assert len(torch.cat(weights)) > 1e5
    assert len(torch.cat(scales)) > 500


def test_jitter_cuts_what_belongs_together_alike() -> None:
    x = images(0, n=64)
    a, b = Jitter((3, 32, 32), 40, flip=True)(Noise(0), x, 1 - x[:, :1])
    assert a.shape == (64, 3, 32, 32)
    torch.testing.assert_close(b, 1 - a[:, :1])
    # without enlarging only mirroring is left, of about half
    (c,) = Jitter((3, 32, 32), None, flip=True)(Noise(0), x)
    flipped = [torch.equal(i, j.flip(2)) for i, j in zip(c, x, strict=True)]
    assert all(f or torch.equal(i, j) for f, i, j in zip(flipped, c, x, strict=True))
    assert 20 < sum(flipped) < 44
    large = F.interpolate(x[:1], (40, 40), mode="bilinear")[0]
    cut = Jitter((3, 32, 32), 40, flip=False)(Noise(3), x)[0][0]
    places = [
        (i, j) for i in range(9) for j in range(9) if torch.equal(large[:, i : i + 32, j : j + 32], cut)
    ]
    assert len(places) == 1
    with pytest.raises(ConfigError, match="at least the image's 32 pixels"):
        Jitter((3, 32, 32), 30, flip=False)


@pytest.mark.parametrize("patch", ["1", "16", "70", "full"])
def test_an_output_of_the_discriminator_sees_a_patch(patch: str) -> None:
    net = PatchDiscriminator(3, 128, patch, width=4, norm="none")
    x = torch.rand(1, 3, 128, 128, requires_grad=True)
    out = net(x)
    side = int(out.shape[1] ** 0.5)
    middle = out[0, side // 2 * side + side // 2]
    (gradient,) = torch.autograd.grad(middle, x)
    rows = gradient.abs().sum(dim=(0, 1, 3)).nonzero()[:, 0]
    seen = int(rows.max() - rows.min()) + 1
    assert seen == {"1": 1, "16": 16, "70": 70, "full": 128}[patch]


@pytest.mark.parametrize("size", [(20, 20), (33, 47), (64, 64)])
def test_any_size_is_translated(size: tuple[int, int]) -> None:
    x = torch.rand(1, 3, *size)
    with torch.no_grad():
        assert pix2pix().eval().translate(x, Noise(0)).shape == (1, 1, *size)
        assert cyclegan().eval().translate(x, Noise(0)).shape == (1, 3, *size)


def test_data_that_are_no_pairs_or_domains_are_refused() -> None:
    with pytest.raises(ConfigError, match="needs pairs of images"):
        Pix2Pix(IMAGE, Pix2PixConfig())
    with pytest.raises(ConfigError, match="this one has 0"):
        CycleGAN(IMAGE, CycleGANConfig())
    tiny = DataSpec("image", (3, 7, 9), classes=("a", "b"))
    for kind, config in ((CycleGAN, CycleGANConfig()), (Pix2Pix, Pix2PixConfig())):
        with pytest.raises(ConfigError, match="9x7 pixels are too small"):
            kind(replace(tiny, target=tiny), config)
    with pytest.raises(ConfigError, match="unknown 'zebr', did you mean 'zebra'"):
        cyclegan().translate(images(0), Noise(0), to="zebr")
