"""The autoencoder with maps as latents: its terms by hand, the late discriminator, and every latent tool."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch.distributions import Independent, Normal, kl_divergence

import simulacra as sim
from simulacra.cli.main import main
from simulacra.core.batch import Batch
from simulacra.core.model import Turn
from simulacra.core.noise import Noise
from simulacra.data.spec import DataSpec
from simulacra.errors import ConfigError
from simulacra.models.autoencoder_kl.card import AutoencoderKLConfig
from simulacra.models.autoencoder_kl.model import DELTA, AutoencoderKL, adaptive_weight
from simulacra.nets.perceptual import perceptual_distance

COLOUR = DataSpec("image", (3, 16, 16))
SMALL = {"width": 8, "latent_channels": 2, "discriminator_width": 4}
OPTIONS = ["--width", "8", "--latent-channels", "2", "--discriminator-width", "4", "--device", "cpu"]
PLAIN = [*OPTIONS, "--perceptual-weight", "0"]


def made(spec: DataSpec = COLOUR, **settings: Any) -> AutoencoderKL:
    torch.manual_seed(0)
    model = AutoencoderKL(spec, AutoencoderKLConfig(**{**SMALL, **settings}))
    with torch.no_grad():
        # residual blocks start as the identity
        for p in model.parameters():
            p += 0.05 * torch.randn_like(p)
    return model


def batch(step: int = 0, n: int = 5) -> Batch:
    return Batch(Noise(3).uniform(n, *COLOUR.shape), None, Noise(1), step, 100)


def turns(model: AutoencoderKL, step: int) -> dict[str, Turn]:
    return {turn.player: turn for turn in model.play(batch(step))}


def test_adaptive_weight_of_a_linear_layer_by_hand() -> None:
    rng = np.random.default_rng(0)
    # y = h w, |x - y|_1 and -a y, means over examples
    h, w, x, a = rng.normal(size=(50, 4)), rng.normal(size=4), rng.normal(size=50), rng.normal(size=50)
    pixel, adversarial = -np.sign(x - h @ w) @ h / 50, -a @ h / 50
    by_hand = np.linalg.norm(pixel) / (np.linalg.norm(adversarial) + DELTA)
    last = torch.tensor(w, requires_grad=True)
    y = torch.from_numpy(h) @ last
    found = adaptive_weight((torch.from_numpy(x) - y).abs().mean(), -(torch.from_numpy(a) * y).mean(), last)
    assert found.item() == pytest.approx(by_hand, rel=1e-12)


def test_adaptive_weight_is_bounded_and_no_part_of_the_graph() -> None:
    w = torch.ones(2, requires_grad=True)
    assert adaptive_weight(w.sum(), 0 * w.sum(), w) == 1e4
    assert not adaptive_weight(w.sum(), w.sum(), w).requires_grad


def test_the_loss_of_every_player_by_hand() -> None:
    model, b = made(perceptual_weight=0.3, kl_weight=0.02, adversarial_weight=0.7), batch(60)
    found = turns(model, 60)
    q = model.encode(b.x).base_dist  # type: ignore[attr-defined]  # Independent
    y = model.decoder(q.mean + q.stddev * Noise(1).normal(*q.mean.shape)) / 2 + 0.5
    kl = kl_divergence(Independent(q, 3), Independent(Normal(torch.zeros_like(q.mean), 1.0), 3)).mean()
    reconstruction = (b.x - y).abs().mean() + 0.3 * perceptual_distance(b.x, y).mean()
    real, fake = (model.discriminator(2 * images - 1) for images in (b.x, y))
    norms = []
    for loss in (reconstruction, -fake.mean()):
        model.zero_grad()
        loss.backward(retain_graph=True)
        assert model.decoder.last.weight.grad is not None
        norms.append(model.decoder.last.weight.grad.norm())
    weight = 0.7 * norms[0] / (norms[1] + DELTA)
    loss = reconstruction + 0.02 * kl / 768 - weight * fake.mean()
    torch.testing.assert_close(found["autoencoder"].loss, loss)
    torch.testing.assert_close(found["autoencoder"].terms["kl"], kl)
    torch.testing.assert_close(found["autoencoder"].terms["adversarial_weight"], weight)
    hinge = torch.relu(1 - real).mean() + torch.relu(1 + fake).mean()
    torch.testing.assert_close(found["discriminator"].loss, hinge)


@pytest.mark.parametrize("name", ["perceptual_weight", "kl_weight", "adversarial_weight"])
def test_a_weight_of_0_leaves_a_term_out(name: str) -> None:
    given: dict[str, Any] = {
        "perceptual_weight": 0.3,
        "kl_weight": 0.02,
        "adversarial_weight": 0.7,
        name: 0.0,
    }
    found = turns(made(**given), 60)
    left_out = {
        "perceptual_weight": "perceptual_loss" not in found["autoencoder"].terms,
        "kl_weight": True,
        "adversarial_weight": "discriminator" not in found,
    }
    assert left_out[name]
    terms, adversarial = found["autoencoder"].terms, 0.0
    if given["adversarial_weight"]:
        adversarial = (found["autoencoder"].loss - terms["reconstruction_loss"]).item()
        adversarial -= given["kl_weight"] * terms["kl"].item() / 768
    rest = given["perceptual_weight"] * terms.get("perceptual_loss", torch.zeros(())).item()
    rest += given["kl_weight"] * terms["kl"].item() / 768 + adversarial
    assert found["autoencoder"].loss.item() == pytest.approx(terms["absolute_error"].item() + rest, rel=1e-5)


def test_before_it_joins_the_discriminator_takes_no_part(tmp_path: Path) -> None:
    train = ["train", "autoencoder_kl", "--data", "digits", *PLAIN, "--steps", "8"]
    runs = {"without": ["--adversarial-weight", "0"], "late": ["--adversarial-from", "0.9"], "joined": []}
    for name, options in runs.items():
        assert main([*train, *options, "--out", str(tmp_path / name)]) == 0
    weights = {name: load_file(tmp_path / name / "model.safetensors") for name in runs}
    nets = {name.partition(".")[0] for name in weights["late"]}
    assert nets == {"encoder", "decoder", "discriminator"}
    for name, tensor in weights["without"].items():
        assert torch.equal(tensor, weights["late"][name]), name
    moved = {name.partition(".")[0] for name, tensor in weights["joined"].items()
             if not torch.equal(tensor, weights["late"][name])}  # fmt: skip
    assert moved == nets


def test_it_joins_at_its_share_of_the_steps() -> None:
    model = made(adversarial_from=0.6, perceptual_weight=0.0)
    assert set(turns(model, 59)) == {"autoencoder"}
    assert list(turns(model, 60)) == ["discriminator", "autoencoder"]


@pytest.mark.parametrize(
    ("shape", "factor", "latent"),
    [
        ((3, 64, 64), 8, (2, 8, 8)),
        ((1, 17, 20), 8, (2, 3, 3)),
        ((3, 8, 8), 16, (2, 1, 1)),
        ((3, 32, 32), 2, (2, 16, 16)),
    ],
)
def test_shapes(shape: tuple[int, int, int], factor: int, latent: tuple[int, ...]) -> None:
    model = made(DataSpec("image", shape), factor=factor, perceptual_weight=0.0)
    x = Noise(0).uniform(2, *shape)
    z = model.encode(x).mean
    assert z.shape[1:] == model.latent.shape == latent
    y = model.decode(z).mean
    assert y.shape == x.shape
    assert 0 <= y.min() < y.max() <= 1


def test_what_it_cannot_be_is_named() -> None:
    with pytest.raises(ConfigError, match="needs images; train an autoencoder or a vae"):
        AutoencoderKL(DataSpec("vector", (5,)), AutoencoderKLConfig())
    with pytest.raises(ConfigError, match="stem: 8 is above the factor, 4"):
        AutoencoderKLConfig(stem=8, factor=4)
    with pytest.raises(ConfigError, match="factor: must be 2, 4, 8, 16 or 32, not 12"):
        AutoencoderKLConfig(factor=12)
    with pytest.raises(ConfigError, match="adversarial_from"):
        AutoencoderKLConfig(adversarial_from=1.0)
    with pytest.raises(ConfigError, match="kl_weight"):
        AutoencoderKLConfig(kl_weight=-1.0)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A training of two steps on small drawings of faces, with attributes."""
    out = tmp_path_factory.mktemp("maps") / "run"
    train = ["train", "autoencoder_kl", "--data", "faces:150", "--image-size", "32", "--steps", "2"]
    assert main([*train, *PLAIN, "--out", str(out)]) == 0
    return out


def test_latent_tools_take_maps(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model, data = sim.load(run), sim.load_data("faces:150", image_size=32)
    assert model.latent.shape == (2, 4, 4)
    x = data.test.x[:3]
    strip = sim.interpolate(model, x[0], x[1], steps=4)
    z = model.encode(x[:2]).mean
    # an autoencoder's latents have no prior on a sphere: the path is a line
    torch.testing.assert_close(strip[1], model.decode(torch.lerp(z[:1], z[1:], 1 / 3)).mean[0])
    smile = sim.direction(model, data=data, attribute="smiling", examples=10)
    assert smile.vector.shape == (2, 4, 4)
    y = sim.edit(model, x, smile, [0.0, 1.0])
    torch.testing.assert_close(y[:, 0], model.reconstruct(x))
    torch.testing.assert_close(y[:, 1], model.decode(model.encode(x).mean + smile.vector).mean)
    projected = sim.project(model, x, steps=3)
    assert projected.latents.shape == (3, 2, 4, 4)
    numbers = sim.evaluate(model, data)
    assert numbers["latent_dim"] == 32
    assert numbers["psnr"] > 0
    transformer = sim.as_transformer(model)
    assert transformer.transform(x).shape == (3, 32)
    assert transformer.inverse_transform(transformer.transform(x)).shape == x.shape
    labelled = ["--attribute", "smiling", "--examples", "10", "--name", "smile"]
    assert main(["direction", str(run), *labelled]) == 0
    for method in ("pca", "sefa"):
        assert main(["direction", str(run), "--unlabelled", method, "--components", "2"]) == 0
    assert main(["density", str(run), "--kind", "mvn"]) == 0
    assert main(["interpolate", str(run), "--seeds", "1,2", "--out", str(tmp_path / "walk.gif")]) == 0
    samples = sim.load(run).sample(4, seed=0)
    assert samples.shape == (4, 3, 32, 32)
    assert main(["report", str(run)]) == 0
    page = (run / "report.html").read_text()
    assert "Decoded lattice" in page
    assert "Reconstructions" in page
    capsys.readouterr()


def test_only_reconstruction_moves_the_latents_of_the_report(run: Path) -> None:
    events = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    (last,) = [event for event in events if event["event"] == "validation"][-1:]
    assert {"loss", "reconstruction_loss", "absolute_error", "kl"} <= set(last)


@pytest.mark.slow
def test_two_processes_equal_one(tmp_path: Path) -> None:
    train = ["train", "autoencoder_kl", "--data", "digits", *PLAIN, "--steps", "10", "--batch-size", "16"]
    assert main([*train, "--out", str(tmp_path / "one")]) == 0
    two = [sys.executable, "-m", "simulacra", *train, "--devices", "2", "--out", str(tmp_path / "two")]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    subprocess.run(two, env=environment, capture_output=True, timeout=300, check=True)
    ours = load_file(tmp_path / "two" / "model.safetensors")
    for name, tensor in load_file(tmp_path / "one" / "model.safetensors").items():
        torch.testing.assert_close(ours[name], tensor, rtol=1e-3, atol=1e-5)
