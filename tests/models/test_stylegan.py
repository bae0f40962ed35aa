"""StyleGAN's game: mixing, averages, path length, and exports."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from simulacra.cli.main import main
from simulacra.config import Training
from simulacra.core.batch import Batch
from simulacra.core.noise import Noise
from simulacra.data.spec import DataSpec
from simulacra.engine.distributed import launch
from simulacra.engine.players import Players
from simulacra.models.stylegan.card import StyleGANConfig
from simulacra.models.stylegan.model import StyleGAN
from simulacra.models.stylegan.styled import PATH_LAZY, PATH_MEMORY, W_MEMORY
from tests.engine.test_processes import SIMULACRA, run

SPEC = DataSpec("image", (1, 8, 8))


def made(**settings: Any) -> StyleGAN:
    torch.manual_seed(0)
    small: dict[str, Any] = {"latent_dim": 4, "width": 4, "widest": 8, "batch_deviation": False}
    model = StyleGAN(SPEC, StyleGANConfig(**small | settings)).train()
    with torch.no_grad():
        for layer in model.generator.layers:
            layer.noise_strength.fill_(0.1)
    return model


def batch(n: int = 8, step: int = 0, shard: int = 0, shards: int = 1) -> Batch:
    x = torch.rand(n * shards, 1, 8, 8, generator=torch.Generator().manual_seed(step))
    return Batch(x[shard * n :][:n], None, Noise(0, step, shard, shards), step, 100)


class Recorder(nn.Module):
    """Stands in for the synthesis network and keeps its styles."""

    def __init__(self, net: Any) -> None:
        super().__init__()
        self.net, self.resolutions, self.noise = net, net.resolutions, net.noise
        self.seen: list[Tensor] = []

    def forward(self, styles: Tensor, maps: Sequence[Tensor]) -> Tensor:
        self.seen.append(styles.detach())
        out: Tensor = self.net(styles, maps)
        return out


@pytest.mark.parametrize("mixing", [0.0, 0.5, 1.0])
def test_mixing_takes_a_second_latent_from_a_random_layer_on(mixing: float) -> None:
    model, n = made(mixing=mixing), 400
    recorder = Recorder(model.generator)
    model._modules["generator"] = recorder
    z = torch.randn(n, 4)
    model._generate_standardised(z, noise=Noise(0))
    (styles,) = recorder.seen
    w = model.mapping(z)[:, None]
    own = (styles == w).all(dim=2)
    layers = own.shape[1]
    # those of the first latent, then those of the second alone
    first = own.sum(dim=1)
    assert torch.equal(own, torch.arange(layers) < first[:, None])
    assert (styles[:, -1:] == styles)[~own].all()
    assert (first >= 1).all()
    mixed = first < layers
    assert mixed.float().mean().item() == pytest.approx(mixing, abs=0.08)
    if mixing:
        counts = first[mixed].bincount(minlength=layers)[1:layers].float()
        assert counts / counts.sum() == pytest.approx([1 / (layers - 1)] * (layers - 1), abs=0.08)


def test_the_mean_of_w_moves_by_a_share_of_each_batch() -> None:
    model, z = made(), torch.randn(6, 4)
    with torch.no_grad():
        model.mapping.w_avg.fill_(2.0)
        model._generate_standardised(z, noise=Noise(0))
        expected = (1 - W_MEMORY) * 2.0 + W_MEMORY * model.mapping(z).mean(dim=0)
    torch.testing.assert_close(model.mapping.w_avg, expected)


def test_path_length_is_that_of_the_jacobian() -> None:
    """J_w^T n by the whole Jacobian, in float64, and the penalty's gradient by finite differences."""
    model = made(path_length=3.0).double()
    model.path_average.fill_(0.5)
    noise = Noise(0, 4)
    z = noise.normal(4, 4).double()
    maps = [values.double() for values in model.generator.noise(4, noise.normal)]
    direction = noise.normal(4, 1, 8, 8).double()
    w = model.mapping(z)[:, None].expand(-1, len(model.resolutions), -1)
    jacobian = torch.autograd.functional.jacobian(lambda w: model.generator(w, maps), w)
    lengths = []
    for i in range(4):
        # (1, 8, 8, L, W)
        rows = torch.einsum("chw,chwld->ld", direction[i] / 8, jacobian[i, :, :, :, i])
        lengths.append(rows.square().sum(dim=1).mean().sqrt())
    mean = torch.stack(lengths).mean()
    average = 0.5 + PATH_MEMORY * (mean - 0.5)
    expected = 3.0 * PATH_LAZY * torch.stack([(one - average) ** 2 for one in lengths]).mean()

    def penalty() -> Tensor:
        model.path_average.fill_(0.5)
        x = torch.zeros(8, 1, 8, 8).double()
        found = model._generator_penalty(Batch(x, None, DoubleNoise(0, 4), 4, 100), ())
        assert found is not None
        return found

    torch.testing.assert_close(penalty(), expected)
    torch.testing.assert_close(model.path_average, average)
    weight = model.generator.layers[1].conv.weight
    (gradient,) = torch.autograd.grad(penalty(), weight)
    values = []
    for sign in (1, -1):
        with torch.no_grad():
            weight[0, 0, 1, 1] += sign * 1e-6
        values.append(penalty().item())
        with torch.no_grad():
            weight[0, 0, 1, 1] -= sign * 1e-6
    # the average is a constant to the gradient
    moved = (values[0] - values[1]) / 2e-6
    assert gradient[0, 0, 1, 1].item() == pytest.approx(moved, rel=0.05)


class DoubleNoise(Noise):
    """The same numbers in float64."""

    def normal(self, n: int, *shape: int) -> Tensor:
        return super().normal(n, *shape).double()


def test_path_length_is_due_every_few_steps_and_off_for_small_images() -> None:
    model = made(path_length=3.0)
    assert [model._generator_penalty(batch(step=step), ()) is not None for step in range(5)] == [
        True, False, False, False, True,
    ]  # fmt: skip
    assert made()._generator_penalty(batch(), ()) is None
    assert StyleGAN(DataSpec("image", (3, 128, 128)), StyleGANConfig(width=1, widest=2)).path_weight == 2.0


@pytest.mark.parametrize("parts", [2, 4])
def test_parts_of_a_batch_move_averages_like_the_whole(parts: int) -> None:
    averages = []
    for n in (1, parts):
        model = made(path_length=2.0, mixing=0.5)
        training = Training(batch_size=8, accumulate=n, lr=1e-3, precision="32", device="cpu")
        players = Players(model, training, launch(training))
        for step in range(5):
            players.play([batch(8 // n, step, part, n) for part in range(n)], 1e-3)
        averages.append((model.mapping.w_avg, model.path_average, model.generator.constant.detach()))
    for (one, other), rounding in zip(zip(*averages, strict=True), (1e-6, 1e-6, 1e-4), strict=True):
        assert one.abs().max() > 0
        torch.testing.assert_close(one, other, rtol=1e-3, atol=rounding)


@pytest.mark.slow
def test_two_processes_move_averages_like_one(tmp_path: Path) -> None:
    words = ["train", "stylegan", "--data", "digits", "--latent-dim", "4", "--width", "4", "--steps", "2"]
    words += ["--batch-size", "16", "--no-batch-deviation", "--path-length", "2", "--augment", "diff"]
    words += ["--device", "cpu", "--precision", "32"]
    assert main([*words, "--out", str(tmp_path / "one")]) == 0
    run([*SIMULACRA, *words, "--devices", "2", "--out", str(tmp_path / "two")])
    one, two = (
        load_file(next((tmp_path / name / "checkpoints").glob("*2.safetensors"))) for name in ("one", "two")
    )
    for name in ("model.mapping.w_avg", "model.path_average"):
        torch.testing.assert_close(two[name], one[name], rtol=1e-3, atol=1e-6)
    assert one["model.path_average"] > 0
    # first steps of Adam are as long for gradients of rounding errors
    for name, value in one.items():
        if name.startswith("model.generator"):
            assert (two[name] - value).abs().mean() < 1e-4, name


# of the exporter itself
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("settings", [{}, {"synthesis": "residual", "modulation": "adain"}])
def test_onnx_gives_the_same_images_of_any_batch(settings: dict[str, Any], tmp_path: Path) -> None:
    pytest.importorskip("onnxscript")
    runtime: Any = pytest.importorskip("onnxruntime")
    model = made(**settings).eval().requires_grad_(False)

    class Decoder(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, w: Tensor, *maps: Tensor) -> Tensor:
            mean: Tensor = self.model.decode_with_noise(w, maps).mean
            return mean

    file, n = tmp_path / "decoder.onnx", torch.export.Dim("n", min=1, max=1024)
    maps = model.noise_maps(2, Noise(1))
    dynamic = ({0: n}, tuple({0: n} for _ in maps))
    torch.onnx.export(
        Decoder().eval(), (torch.randn(2, 4), *maps), file, dynamo=True, dynamic_shapes=dynamic,
        input_names=["w", *(f"noise_{i}" for i in range(len(maps)))],
    )  # fmt: skip
    session = runtime.InferenceSession(file, providers=["CPUExecutionProvider"])
    for size in (1, 5):
        w, maps = torch.randn(size, 4), model.noise_maps(size, Noise(size))
        inputs = {"w": w.numpy()} | {f"noise_{i}": values.numpy() for i, values in enumerate(maps)}
        (found,) = session.run(None, inputs)
        expected = model.decode_with_noise(w, maps).mean
        torch.testing.assert_close(torch.from_numpy(found), expected, rtol=1e-4, atol=1e-5)
