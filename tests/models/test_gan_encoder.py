"""The encoder of a generator: known inverses, a generator that stays as it is, and what is refused."""

from __future__ import annotations

import copy
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from torch import Tensor

import simulacra as sim
from simulacra.cli.main import main
from simulacra.core.batch import Batch
from simulacra.core.capabilities import Styles
from simulacra.core.noise import Noise
from simulacra.data.spec import Dataset, DataSpec
from simulacra.data.tables.schema import Column, Schema
from simulacra.errors import ConfigError, RunError
from simulacra.models.gan_encoder.card import GANEncoderConfig
from simulacra.models.gan_encoder.model import GANEncoder
from simulacra.run import Run
from tests.models.generator_run import generator_run

GREY = DataSpec("image", (1, 16, 16))
COLOUR = DataSpec("image", (3, 16, 16))
ROTATION = '''
import simulacra as sim
import torch
from dataclasses import dataclass
from simulacra.core.capabilities import Generates
from simulacra.probability.distributions import Delta

@dataclass(frozen=True)
class Config:
    pass

class Rotation(Generates):
    """x = M z + 1, with a matrix that has an inverse."""
    card = sim.ModelCard("", Config, "a linear generator")

    def __init__(self, spec, config):
        super().__init__(spec, config)
        self.M = torch.nn.Parameter(torch.tensor([[0.0, -2.0], [1.0, 1.0]]))
        self.spaces = (sim.LatentSpace.normal(2),)

    def decode(self, z, space=None):
        self.space(space)
        return Delta(z @ self.M.T + 1)
'''


def images(spec: DataSpec, n: int = 32) -> Dataset:
    return Dataset(spec, np.random.default_rng(0).integers(0, 256, (n, *spec.shape), dtype=np.uint8))


def batch(x: Tensor, step: int = 0, steps: int = 1) -> Batch:
    return Batch(x, None, Noise(0, step + 1), step, steps)


def train(model: GANEncoder, data: Dataset, steps: int, lr: float) -> Iterator[dict[str, Tensor]]:
    """Play a game with plain Adam; the terms of each step."""
    x = torch.from_numpy(data.x).float() / (255 if data.spec.kind == "image" else 1)
    optimizer = torch.optim.Adam(model.encoder.parameters(), lr=lr)
    model.train()
    for step in range(steps):
        (turn,) = model.play(batch(x, step, steps))
        optimizer.zero_grad()
        turn.loss.backward()
        optimizer.step()
        yield dict(turn.terms)
    model.eval()


def prepared(folder: Path, data: Dataset, **settings: Any) -> GANEncoder:
    torch.manual_seed(0)
    model = GANEncoder(data.spec, GANEncoderConfig(generator=str(folder), **settings))
    model.prepare(data)
    return model


def test_the_encoder_of_a_linear_generator_becomes_its_inverse(tmp_path: Path) -> None:
    (tmp_path / "rotation.py").write_text(ROTATION)
    spec = DataSpec("vector", (2,))
    rotation: Any = generator_run(tmp_path / "run", spec, f"{tmp_path / 'rotation.py'}:Rotation")
    with torch.no_grad():
        x = rotation.sample(256, seed=1).numpy()
    model = prepared(tmp_path / "run", Dataset(spec, x), hidden=())
    terms = list(train(model, Dataset(spec, x), 300, 0.05))
    assert terms[0]["latent"] > 0.5
    assert terms[-1]["latent"] < 1e-4
    z = torch.tensor([[0.0, 0.0], [1.0, 2.0]])
    assert model.encode(rotation.decode(z).mean).mean.detach().numpy() == pytest.approx(z.numpy(), abs=0.05)
    # M^-1 (x - 1)
    assert model.encode(torch.tensor([[-1.0, 3.0]])).mean.tolist()[0] == pytest.approx([1.0, 1.0], abs=0.05)


def test_the_generator_never_changes_and_reconstructions_improve(tmp_path: Path) -> None:
    # batch norms, whose statistics a forward pass in training mode would move
    gan: Any = generator_run(tmp_path / "gan", COLOUR, net="dcgan", width=4, latent_dim=4)
    model = prepared(tmp_path / "gan", images(COLOUR), width=4, hidden=(16,), perceptual_weight=0)
    own = gan.sample(64, seed=7)

    def error() -> float:
        with torch.no_grad():
            return float((model.reconstruct(own) - own).square().mean() / own.var(dim=0).mean())

    before = {name: value.clone() for name, value in model.generator.state_dict().items()}
    assert all(torch.equal(value, gan.state_dict()[name]) for name, value in before.items())
    untrained = error()
    assert untrained > 0.9
    for _ in train(model, images(COLOUR), 80, 5e-3):
        pass
    assert error() < 0.5 * untrained
    assert torch.equal(model.sample(3, seed=2), gan.sample(3, seed=2))
    for name, value in model.generator.state_dict().items():
        assert torch.equal(value, before[name]), name
    assert {name.partition(".")[0] for name, _ in model.named_parameters()} == {"encoder"}
    # the discriminator takes no part
    assert not any("discriminator" in name for name in model.state_dict())


def test_real_examples_count_more_and_more(tmp_path: Path) -> None:
    generator_run(tmp_path / "gan", GREY, latent_dim=4, width=4)
    model = prepared(tmp_path / "gan", images(GREY), width=4, latent_weight=0, perceptual_weight=0)
    x = torch.rand(8, 1, 16, 16)
    shares = []
    for step in (0, 25, 50, 75):
        with torch.no_grad():
            (turn,) = model.play(batch(x, step, 100))
        shares.append(float((turn.loss - turn.terms["generated"]) / turn.terms["pixel"]))
    assert shares == pytest.approx([0, 0.5, 1, 1], abs=1e-5)


def test_styles_are_encoded_to_every_layer_and_their_mean(tmp_path: Path) -> None:
    gan: Any = generator_run(tmp_path / "gan", COLOUR, "stylegan", latent_dim=8, width=4, widest=16)
    model: Any = prepared(tmp_path / "gan", images(COLOUR), width=4, hidden=(16,))
    assert isinstance(model, GANEncoder)
    assert isinstance(model, Styles)
    size = gan.space("s").size
    assert [(s.name, s.shape) for s in model.spaces] == [("w+", (6, 8)), ("w", (8,)), ("s", (size,))]
    x = torch.rand(5, 3, 16, 16)
    w = model.encode(x).mean
    assert w.shape == (5, 6, 8)
    torch.testing.assert_close(model.encode(x, "w").mean, w.mean(dim=1))
    torch.testing.assert_close(model.decode(w).mean, gan.decode(w, "w+").mean)
    torch.testing.assert_close(model.decode(model.encode(x, "s").mean, "s").mean, model.decode(w).mean)
    torch.testing.assert_close(model.decode(w[:, 0], "w").mean, gan.decode(w[:, 0], "w").mean)
    torch.testing.assert_close(model.sample(3, seed=4), gan.sample(3, seed=4))
    torch.testing.assert_close(model.decode_with_noise(w, model.fixed_noise).mean, gan.decode(w, "w+").mean)
    assert torch.equal(model.styles(w[:, 0], "w"), gan.styles(w[:, 0], "w"))
    assert model.layers("0-1") == [0, 1]
    assert model.style_layers == gan.style_layers
    (turn,) = model.play(batch(x, 1, 2))
    assert {"latent", "generated", "pixel", "perceptual_loss", "delta"} == set(turn.terms)
    # a copy has spaces of its own
    other = copy.deepcopy(model)
    with torch.no_grad():
        for value in other.generator.state_dict().values():
            value.zero_()
    assert other.space("w").sample(2, Noise(0)).abs().max() == 0
    assert model.space("w").sample(2, Noise(0)).abs().max() > 0


def test_what_cannot_be_encoded_for_is_refused_in_a_sentence(tmp_path: Path) -> None:
    classes = DataSpec("image", (1, 16, 16), ("a", "b"))
    generator_run(tmp_path / "conditional", classes, "conditional_gan", width=4)
    generator_run(tmp_path / "classifier", classes, "classifier", width=4)
    generator_run(tmp_path / "gan", GREY, width=4)
    for run, message in (
        ("conditional", "generates examples of a given class, and a gan_encoder does not know the class"),
        ("classifier", "this classifier does not sample"),
        ("gone", "gone: no run here"),
    ):
        with pytest.raises(ConfigError, match=rf"^generator: .*{message}"):
            GANEncoder(GREY, GANEncoderConfig(generator=str(tmp_path / run)))
    with pytest.raises(ConfigError, match="generates images of 1x16x16, and the data are images of 3x16x16"):
        GANEncoder(COLOUR, GANEncoderConfig(generator=str(tmp_path / "gan")))
    schema = Schema((Column("job", "category", ("clerk", "smith")),))
    with pytest.raises(ConfigError, match="the data are the rows of a table"):
        GANEncoder(
            DataSpec("vector", (schema.width,), schema=schema),
            GANEncoderConfig(generator=str(tmp_path / "gan")),
        )


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("encoder")
    generator_run(folder / "gan", DataSpec("image", (1, 8, 8)), latent_dim=3, hidden=(16,))
    return folder


def test_the_command_takes_the_generators_data(digits: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["train", "gan_encoder", "--steps", "3", "--out", str(digits / "own")]
    assert main(words) == 2
    assert "generator: name the run folder of a trained generator" in capsys.readouterr().err
    assert main([*words, "--generator", str(digits / "gone")]) == 1
    assert "no run here" in capsys.readouterr().err
    assert main([*words, "--generator", str(digits / "gan")]) == 0
    own = Run(digits / "own")
    assert own.config.source == "digits"
    assert sim.load(own.path).reconstruct(sim.load_data("digits").test.x[:2]).shape == (2, 1, 8, 8)
    # other images are brought to the size of the generator's
    other = digits / "other"
    (digits / "pictures").mkdir()
    for i, pixels in enumerate(np.random.default_rng(0).integers(0, 256, (20, 12, 12, 3), dtype=np.uint8)):
        Image.fromarray(pixels).save(digits / "pictures" / f"{i}.png")
    words = ["train", "gan_encoder", "--generator", str(digits / "gan"), "--perceptual-weight", "0"]
    words += ["--data", f"folder:{digits / 'pictures'}"]
    assert main([*words, "--steps", "2", "--out", str(other)]) == 0
    assert Run(other).config.spec.shape == (1, 8, 8)
    # the folder of the generator is needed: it says what the nets are
    (digits / "gan").rename(digits / "moved")
    try:
        with pytest.raises(RunError, match=r"generator: .*no run here"):
            sim.load(other)
    finally:
        (digits / "moved").rename(digits / "gan")


@pytest.mark.slow
def test_two_processes_equal_one(digits: Path, tmp_path: Path) -> None:
    words = ["train", "gan_encoder", "--generator", str(digits / "gan"), "--steps", "10", "--device", "cpu"]
    words += ["--batch-size", "16", "--precision", "32", "--perceptual-weight", "0"]
    assert main([*words, "--out", str(tmp_path / "one")]) == 0
    command = [sys.executable, "-m", "simulacra", *words, "--devices", "2", "--out", str(tmp_path / "two")]
    subprocess.run(
        command, env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True, timeout=300, check=True
    )
    ours = load_file(tmp_path / "two" / "model.safetensors")
    for name, tensor in load_file(tmp_path / "one" / "model.safetensors").items():
        torch.testing.assert_close(ours[name], tensor, rtol=1e-3, atol=1e-5)
