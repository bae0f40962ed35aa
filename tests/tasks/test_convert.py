"""A checkpoint in the layout of rosinality/stylegan2-pytorch, whose images are computed independently."""

from __future__ import annotations

import argparse
from math import sqrt
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from simulacra.cli.main import main
from simulacra.core.noise import Noise
from simulacra.errors import RunError
from simulacra.models.stylegan.model import StyleGAN
from simulacra.run import Run
from simulacra.tasks.convert import convert
from tests.nets.plain_style import TAPS, lrelu, modulated, upfirdn

W, DEPTH, SIDE = 6, 3, 16
# at 4, 8 and 16 pixels
WIDTHS = [8, 8, 5]


def checkpoint() -> dict[str, Any]:
    """Random weights, biases and noise, and a discriminator."""
    draw = torch.Generator().manual_seed(0)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=draw)

    g = {"input.input": normal(1, WIDTHS[0], 4, 4)}
    for i in range(DEPTH):
        g |= {f"style.{i + 1}.weight": 100 * normal(W, W), f"style.{i + 1}.bias": 30 * normal(W)}

    def modulation(name: str, c_in: int, c_out: int, kernel: int) -> None:
        g[f"{name}.conv.weight"] = normal(1, c_out, c_in, kernel, kernel)
        g[f"{name}.conv.modulation.weight"] = normal(c_in, W)
        g[f"{name}.conv.modulation.bias"] = 1 + 0.1 * normal(c_in)

    pairs = [(WIDTHS[0], WIDTHS[0])]
    for a, b in zip(WIDTHS, WIDTHS[1:], strict=False):
        pairs += [(a, b), (b, b)]
    taps = torch.from_numpy(TAPS).float()
    kernel = 4 * taps[:, None] * taps
    for i, (a, b) in enumerate(pairs):
        name = "conv1" if i == 0 else f"convs.{i - 1}"
        modulation(name, a, b, 3)
        g |= {f"{name}.noise.weight": normal(1), f"{name}.activate.bias": normal(b)}
        side = 4 * 2 ** ((i + 1) // 2)
        g[f"noises.noise_{i}"] = normal(1, 1, side, side)
        if i % 2:
            g[f"{name}.conv.blur.kernel"] = kernel
    for i, width in enumerate(WIDTHS):
        name = "to_rgb1" if i == 0 else f"to_rgbs.{i - 1}"
        modulation(name, width, 3, 1)
        g[f"{name}.bias"] = normal(1, 3, 1, 1)
        if i:
            g[f"{name}.upsample.kernel"] = kernel
    d = {"convs.0.0.weight": normal(WIDTHS[-1], 3, 1, 1), "convs.0.1.bias": normal(WIDTHS[-1])}
    for k, (a, b) in enumerate([(5, 8), (8, 8)], 1):
        d |= {
            f"convs.{k}.conv1.0.weight": normal(a, a, 3, 3),
            f"convs.{k}.conv1.1.bias": normal(a),
            f"convs.{k}.conv2.0.kernel": kernel / 4,
            f"convs.{k}.conv2.1.weight": normal(b, a, 3, 3),
            f"convs.{k}.conv2.2.bias": normal(b),
            f"convs.{k}.skip.0.kernel": kernel / 4,
            f"convs.{k}.skip.1.weight": normal(b, a, 1, 1),
        }
    d |= {"final_conv.0.weight": normal(8, 9, 3, 3), "final_conv.1.bias": normal(8)}
    d |= {"final_linear.0.weight": normal(8, 128), "final_linear.0.bias": normal(8)}
    d |= {"final_linear.1.weight": normal(1, 8), "final_linear.1.bias": normal(1)}
    return {"g_ema": g, "latent_avg": normal(W), "d": d}


def mapped(g: dict[str, Tensor], z: Tensor) -> Tensor:
    """f(z): z / sqrt(mean z^2), then layers that learn at 1 / 100 of the rate."""
    h = z.double() / (z.double().square().mean(dim=1, keepdim=True) + 1e-8).sqrt()
    for i in range(1, DEPTH + 1):
        weight, bias = g[f"style.{i}.weight"].double(), g[f"style.{i}.bias"].double()
        h = lrelu(0.01 * h @ weight.T / sqrt(W) + 0.01 * bias)
    return h


def images(g: dict[str, Tensor], w: Tensor) -> Tensor:
    """Karras et al. 2020, figure 2 and 7b, in [-1, 1] where they are not clipped; w is `(B, L, W)`."""

    def convolved(x: Tensor, name: str, w: Tensor, demodulate: bool, doubling: bool) -> Tensor:
        weight = g[f"{name}.conv.weight"][0].double()
        s = w @ g[f"{name}.conv.modulation.weight"].double().T / sqrt(W) + g[f"{name}.conv.modulation.bias"]
        weight = weight / sqrt(weight[0].numel())
        return modulated(x, weight, s, demodulate, doubling)

    def layer(x: Tensor, i: int, doubling: bool) -> Tensor:
        name = "conv1" if i == 0 else f"convs.{i - 1}"
        x = convolved(x, name, w[:, i], True, doubling)
        x = x + g[f"{name}.noise.weight"] * g[f"noises.noise_{i}"]
        return lrelu(x + g[f"{name}.activate.bias"][:, None, None])

    w = w.double()
    x = layer(g["input.input"].repeat(len(w), 1, 1, 1), 0, False)
    image = convolved(x, "to_rgb1", w[:, 1], False, False) + g["to_rgb1.bias"]
    for k in (1, 2):
        x = layer(layer(x, 2 * k - 1, True), 2 * k, False)
        name = f"to_rgbs.{k - 1}"
        image = upfirdn(image, 2, 1, 2, 1, gain=2.0) + g[f"{name}.bias"]
        image = image + convolved(x, name, w[:, 2 * k + 1], False, False)
    return image


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("weights") / "faces.pt"
    torch.save(checkpoint(), file)
    return file


@pytest.fixture(scope="module")
def run(saved: Path) -> Run:
    return convert(saved, saved.parent / "run")


@pytest.fixture(scope="module")
def model(run: Run) -> StyleGAN:
    model = run.load()
    assert isinstance(model, StyleGAN)
    return model


def test_images_are_those_of_the_equations(model: StyleGAN) -> None:
    g, z = checkpoint()["g_ema"], Noise(1).normal(3, W)
    w = mapped(g, z)
    torch.testing.assert_close(model.styles(z, "z")[:, 0].double(), w, rtol=1e-4, atol=1e-5)
    # of each layer another
    stack = torch.stack([w, w.roll(1, 0), w.roll(2, 0), w, w, w.roll(1, 0)], dim=1)
    expected = images(g, stack)
    found = model.generator(stack.float(), model.fixed_noise)
    torch.testing.assert_close(found.double(), expected, rtol=1e-4, atol=1e-4)
    shown = model.decode(stack.float(), "w+").mean
    torch.testing.assert_close(shown.double(), ((expected + 1) / 2).clamp(0, 1), rtol=0, atol=1e-4)


def test_truncation_is_towards_the_mean_of_the_checkpoint(model: StyleGAN) -> None:
    w = model.latent.sample(4, Noise(0), truncation=0.0)
    assert torch.equal(w, checkpoint()["latent_avg"].expand(4, -1))


def test_the_noise_is_kept_by_copies_of_the_weights(model: StyleGAN) -> None:
    state = model.state_dict()
    assert torch.equal(state["noise_2"], checkpoint()["g_ema"]["noises.noise_2"])
    fresh = StyleGAN(model.spec, model.config)
    assert "noise_2" not in fresh.state_dict()
    fresh.load_state_dict(state)
    assert torch.equal(fresh.fixed_noise[2], model.fixed_noise[2])
    assert "noise_2" in fresh.state_dict()


def test_the_discriminator_is_that_of_the_checkpoint(model: StyleGAN) -> None:
    d = checkpoint()["d"]
    assert torch.equal(model.discriminator.blocks[1].shortcut.weight, d["convs.2.skip.1.weight"])
    assert torch.equal(model.discriminator.linear.weight, d["final_linear.0.weight"])


def test_a_mean_that_is_not_there_is_computed(tmp_path: Path) -> None:
    torch.save({"g_ema": checkpoint()["g_ema"]}, tmp_path / "g.pt")
    found: Any = convert(tmp_path / "g.pt", tmp_path / "run").load()
    expected = mapped(checkpoint()["g_ema"], Noise(5).normal(20_000, W)).mean(dim=0)
    assert (found.mapping.w_avg - expected).abs().max() < 0.03 * expected.abs().max()


def test_the_run_is_used_like_any_other(run: Run, tmp_path: Path) -> None:
    for words in (
        ["sample", str(run), "-n", "4", "--truncation", "0.7", "--out", str(tmp_path / "grid.png")],
        ["interpolate", str(run), "--seeds", "1,2", "--steps", "3", "--out", str(tmp_path / "strip.png")],
        ["report", str(run)],
    ):
        assert main(words) == 0


def test_what_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good = checkpoint()
    cases: dict[str, tuple[Any, str]] = {
        "args": (good | {"args": argparse.Namespace(size=16)}, r"Python objects \(argparse.Namespace\)"),
        "other": ({"state": good["g_ema"]}, "has no 'g_ema' of tensors \\(it has: state\\)"),
        "less": (
            {"g_ema": {k: v for k, v in good["g_ema"].items() if k != "conv1.noise.weight"}},
            "has no conv1",
        ),
        "more": ({"g_ema": good["g_ema"] | {"extra": torch.zeros(1)}}, "also has extra"),
        "filter": (
            {"g_ema": good["g_ema"] | {"to_rgbs.0.upsample.kernel": torch.ones(4, 4)}},
            "another filter than",
        ),
        "shape": ({"g_ema": good["g_ema"] | {"conv1.activate.bias": torch.zeros(9)}}, "has shape"),
        "mean": ({"g_ema": good["g_ema"], "latent_avg": torch.zeros(5)}, "not a vector of 6"),
        "widths": (
            {"g_ema": good["g_ema"] | {"convs.1.conv.weight": torch.zeros(1, 7, 7, 3, 3)}},
            "not doubled at every halving",
        ),
    }
    for name, (contents, reason) in cases.items():
        torch.save(contents, tmp_path / f"{name}.pt")
        with pytest.raises(RunError, match=reason):
            convert(tmp_path / f"{name}.pt", tmp_path / name)
        assert not (tmp_path / name).exists()
    # a pickle that would run a command, as any may
    (tmp_path / "network.pkl").write_bytes(b"cos\nsystem\n(S'touch " + bytes(tmp_path / "run") + b"'\ntR.")
    assert main(["convert", str(tmp_path / "network.pkl"), "--out", str(tmp_path / "out")]) == 1
    assert "would run code from the file" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
    (tmp_path / "text.pt").write_text("no weights")
    assert main(["convert", str(tmp_path / "text.pt"), "--out", str(tmp_path / "out")]) == 1
    assert main(["convert", str(tmp_path / "missing.pt"), "--out", str(tmp_path / "out")]) == 1
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "a").touch()
    with pytest.raises(RunError, match="is not empty"):
        convert(tmp_path / "args.pt", tmp_path / "full")
    assert "Traceback" not in capsys.readouterr().err
