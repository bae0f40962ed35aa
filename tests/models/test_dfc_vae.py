"""The VAE that compares features: its loss in a plain loop, and the networks that features come from."""

from __future__ import annotations

import sys
from itertools import pairwise
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from safetensors.torch import load_file
from torch import Tensor
from torch.distributions import Normal, kl_divergence

import simulacra as sim
from simulacra.cli.main import main
from simulacra.core.batch import Batch
from simulacra.core.noise import Noise
from simulacra.data.spec import Dataset, DataSpec
from simulacra.errors import ConfigError, RunError
from simulacra.models.dfc_vae.card import DFCVAEConfig
from simulacra.models.dfc_vae.model import DFCVAE, feature_loss
from simulacra.nets import vgg
from tests.models.generator_run import generator_run

COLOUR = DataSpec("image", (3, 16, 16))
CLASSES = DataSpec("image", (1, 16, 16), ("a", "b"))


def images(spec: DataSpec, n: int = 12) -> Dataset:
    return Dataset(spec, np.random.default_rng(0).integers(0, 256, (n, *spec.shape), dtype=np.uint8))


def made(spec: DataSpec = COLOUR, **settings: Any) -> DFCVAE:
    torch.manual_seed(0)
    model = DFCVAE(spec, DFCVAEConfig(latent_dim=4, width=4, **settings))
    model.prepare(images(spec))
    return model


def test_the_feature_loss_is_that_of_a_plain_loop() -> None:
    rng = np.random.default_rng(0)
    f, g = ([rng.normal(size=shape) for shape in ((2, 3, 4, 5), (2, 6, 2, 2), (2, 7))] for _ in range(2))
    v, expected = [0.5, 2.0, 3.0], np.zeros(2)
    for a, b, variance in zip(f, g, v, strict=True):
        for n in range(2):
            squares = [(x - y) ** 2 for x, y in zip(a[n].flat, b[n].flat, strict=True)]
            expected[n] += sum(squares) / len(squares) / variance
    found = feature_loss(*([torch.from_numpy(a) for a in maps] for maps in (f, g)), torch.tensor(v))
    np.testing.assert_allclose(found, expected)


def test_the_loss_by_hand() -> None:
    model, x = made(kl_weight=0.3), torch.rand(5, 3, 16, 16)
    (turn,) = model.play(Batch(x, None, Noise(1)))
    q: Any = model.encode(x)
    y = model.decode(q.mean + q.stddev * Noise(1).normal(5, 4)).mean
    features = feature_loss(model.feature_maps(x), model.feature_maps(y), model.variance).mean()
    kl = kl_divergence(q.base_dist, Normal(0.0, 1.0)).sum(dim=1).mean()
    torch.testing.assert_close(turn.loss, features + 0.3 * kl)
    torch.testing.assert_close(turn.terms["feature_loss"], features)
    torch.testing.assert_close(turn.terms["kl"], kl)


def test_a_constant_has_a_loss_of_1_in_every_layer() -> None:
    model, data = made(), images(COLOUR)
    maps = model.feature_maps(torch.from_numpy(data.x).float() / 255)
    means = [layer.mean(dim=0, keepdim=True).expand_as(layer) for layer in maps]
    assert feature_loss(maps, means, model.variance).mean().item() == pytest.approx(3, rel=1e-4)


def test_small_grey_images_are_enlarged() -> None:
    maps = made(DataSpec("image", (1, 16, 16))).feature_maps(torch.rand(2, 1, 16, 16))
    assert [tuple(layer.shape[2:]) for layer in maps] == [(32, 32), (16, 16), (8, 8)]


def test_features_of_a_classifier_are_frozen_and_stored(tmp_path: Path) -> None:
    classifier = sim.train("classifier", "digits", tmp_path / "classifier", steps=3, net="conv", width=4)
    folder = tmp_path / "run"
    model = sim.train("dfc_vae", "digits", folder, features=str(tmp_path / "classifier"), steps=3)
    x = sim.load_data("digits").test.x[:4]
    pixels = torch.from_numpy(np.array(x)).float() / 255
    # 8 x 8, 4 x 4, and the hidden layer
    assert [layer.ndim for layer in model.feature_maps(pixels)] == [4, 4, 2]
    for found, expected in zip(model.feature_maps(pixels), classifier.maps(pixels), strict=True):
        assert torch.equal(found, expected)
    stored = load_file(folder / "model.safetensors")
    own = {
        name.removeprefix("classifier."): t for name, t in stored.items() if name.startswith("classifier.")
    }
    assert own.keys() == classifier.state_dict().keys()
    for name, tensor in classifier.state_dict().items():
        assert torch.equal(own[name], tensor), name
    assert {name.partition(".")[0] for name, _ in model.named_parameters()} == {"encoder", "decoder"}
    # the weights are the run's own, the nets those that the classifier's folder describes
    (tmp_path / "classifier" / "model.safetensors").unlink()
    assert torch.equal(sim.load(folder).reconstruct(x), model.reconstruct(x))
    (tmp_path / "classifier").rename(tmp_path / "moved")
    with pytest.raises(RunError, match=r"features: .*no run here"):
        sim.load(folder)


def test_maps_of_a_classifier_are_those_that_its_features_come_from(tmp_path: Path) -> None:
    for net in ("conv", "resnet", "mlp"):
        model: Any = generator_run(tmp_path / net, CLASSES, "classifier", net=net, width=4, hidden=(6,))
        x = torch.rand(3, 1, 16, 16)
        *maps, features = model.maps(x)
        assert torch.equal(features, model.features(x))
        assert [tuple(layer.shape) for layer in maps] == (
            [] if net == "mlp" else [(3, 4, 16, 16), (3, 8, 8, 8), (3, 16, 4, 4)]
        )
        assert all((layer >= 0).all() for layer in maps)
        assert all(a.shape[2] == 2 * b.shape[2] for a, b in pairwise(maps))


def fake_torchvision(monkeypatch: pytest.MonkeyPatch, get_state_dict: Any) -> None:
    module: Any = ModuleType("torchvision.models")
    weights = SimpleNamespace(get_state_dict=get_state_dict, url="https://a.b/vgg19.pth")
    module.VGG19_Weights = SimpleNamespace(IMAGENET1K_V1=weights)
    monkeypatch.setitem(sys.modules, "torchvision.models", module)
    monkeypatch.setattr(vgg, "LOADED", {})


def test_vgg_by_its_equations(monkeypatch: pytest.MonkeyPatch) -> None:
    g = torch.Generator().manual_seed(0)
    sizes = {0: (64, 3), 2: (64, 64), 5: (128, 64), 7: (128, 128), 10: (256, 128), 12: (256, 256)}
    state = {}
    for i, (c_out, c_in) in sizes.items():
        state[f"features.{i}.weight"] = torch.randn(c_out, c_in, 3, 3, generator=g) / (9 * c_in) ** 0.5
        state[f"features.{i}.bias"] = torch.randn(c_out, generator=g)
    fake_torchvision(monkeypatch, lambda **_: state)
    x = torch.rand(2, 1, 16, 16)
    mean, std = (torch.tensor(n)[:, None, None] for n in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))

    def layer(h: Tensor, i: int) -> Tensor:
        weight, bias = state[f"features.{i}.weight"], state[f"features.{i}.bias"]
        return F.conv2d(h, weight, bias, padding=1).relu()

    relu1_1 = layer((x.expand(-1, 3, -1, -1) - mean) / std, 0)
    relu2_1 = layer(F.max_pool2d(layer(relu1_1, 2), 2), 5)
    relu3_1 = layer(F.max_pool2d(layer(relu2_1, 7), 2), 10)
    model = made(DataSpec("image", (1, 16, 16)), features="vgg")
    for found, expected in zip(model.feature_maps(x), (relu1_1, relu2_1, relu3_1), strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)
    # a constant of the library: no part of the model
    assert {name.partition(".")[0] for name in model.state_dict()} == {"encoder", "decoder", "variance"}


def test_what_cannot_be_is_refused_in_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match="a dfc_vae needs images; train a vae"):
        DFCVAE(DataSpec("vector", (5,)), DFCVAEConfig())
    with pytest.raises(ConfigError, match="efficientnet-lite0 sees grey or colour images, not images of 2"):
        DFCVAE(DataSpec("image", (2, 16, 16)), DFCVAEConfig())
    generator_run(tmp_path / "vae", COLOUR, "vae", width=4)
    generator_run(tmp_path / "classifier", CLASSES, "classifier", width=4)
    for run, message in (
        ("gone", "gone: no run here"),
        ("vae", "a vae gives no features; name the run of a classifier, or efficientnet-lite0 or vgg"),
        ("classifier", "classifies images of 1x16x16, and the data are images of 3x16x16"),
    ):
        with pytest.raises(ConfigError, match=rf"^features: .*{message}"):
            DFCVAE(COLOUR, DFCVAEConfig(features=str(tmp_path / run)))
    monkeypatch.setitem(sys.modules, "torchvision.models", None)
    monkeypatch.setattr(vgg, "LOADED", {})
    with pytest.raises(ConfigError, match=r"vgg: needs .*pip install simulacra\[vision\]"):
        DFCVAE(COLOUR, DFCVAEConfig(features="vgg"))

    def unreachable(**_: Any) -> Any:
        raise OSError("no network")

    fake_torchvision(monkeypatch, unreachable)
    with pytest.raises(ConfigError, match=r"could not be downloaded \(no network\); put https://a.b/vgg19"):
        DFCVAE(COLOUR, DFCVAEConfig(features="vgg"))


def test_it_samples_and_walks(tmp_path: Path) -> None:
    run = str(tmp_path / "run")
    train = ["train", "dfc_vae", "--data", "digits", "--latent-dim", "2", "--hidden", "8", "--steps", "2"]
    assert main([*train, "--out", run]) == 0
    assert main(["sample", run, "-n", "4", "--out", str(tmp_path / "samples.png")]) == 0
    for file, frames in (("strip.png", 1), ("strip.gif", 9)):
        out = tmp_path / file
        assert main(["interpolate", run, "--seeds", "1,2", "--out", str(out)]) == 0
        with Image.open(out) as image:
            assert getattr(image, "n_frames", 1) >= frames
