"""The printed command, parsed by the command line itself, gives back the settings."""

import shlex
from typing import Any

import pytest

from simulacra.cli.train import parse
from simulacra.config import Training
from simulacra.data import DataSpec, Options
from simulacra.models.autoencoder.card import AutoencoderConfig
from simulacra.models.mdn.card import MDNConfig
from simulacra.models.pca.card import PCAConfig
from simulacra.models.registry import model_card
from simulacra.models.vae.card import VAEConfig
from simulacra.report.reproduce import changed, command, versions
from simulacra.run import Run, RunConfig

SPEC = DataSpec("image", (1, 8, 8))


@pytest.mark.parametrize(
    ("model", "source", "config", "options", "training"),
    [
        ("vae", "digits", VAEConfig(), Options(), Training()),
        ("pca", "mnist", PCAConfig(latent_dim=3), Options(), Training(seed=7)),
        (
            "vae",
            "folder:/home/me/my 'holiday' $HOME; rm -r *.zip",
            VAEConfig(hidden=(64, 32), binarise=True, likelihood="bernoulli", free_bits=0.1, beta=4.0),
            Options(image_size=32, channels=3, skip_bad=True),
            Training(
                steps=20, lr=1e-5, betas=(0.5, 0.99), clip=1.0, ema=0.999, optimizer="adamw", compile=True,
                precision="bf16", device="cpu", warmup=10, schedule="cosine", sample_every=5,
            ),
        ),
        ("autoencoder", "npz:x.npz", AutoencoderConfig(hidden=()), Options(), Training(epochs=0.5)),
    ],
)  # fmt: skip
def test_the_command_gives_back_the_config(
    model: str, source: str, config: Any, options: Options, training: Training
) -> None:
    text = command(RunConfig(model, config, source, options, SPEC, training), "runs/my run")
    program, verb, *words = shlex.split(text)
    name, parsed = parse(words)
    assert (program, verb, name) == ("simulacra", "train", model)
    assert (parsed.model, parsed.data.options, parsed.training) == (config, options, training)
    assert parsed.data.data == source
    assert str(parsed.run.out) == "runs/my run"


def test_defaults_are_not_named() -> None:
    assert command(RunConfig("vae", VAEConfig(), "digits", Options(), SPEC, Training())) == (
        "simulacra train vae --data digits"
    )
    assert changed(Training()) == {}


def test_the_defaults_are_those_of_the_model() -> None:
    spec = DataSpec("vector", (1,), target=DataSpec("vector", (1,)))
    for training, words in (
        (model_card("mdn").training, ""),
        (Training(), " --lr 0.001 --schedule constant --keep last"),
    ):
        text = command(RunConfig("mdn", MDNConfig(), "bishop-inverse", Options(), spec, training))
        assert text == f"simulacra train mdn --data bishop-inverse{words}"
        assert parse(shlex.split(text)[2:])[1].training == training


def test_of_a_run(vae: Run) -> None:
    assert command(vae.config) == "simulacra train vae --data digits --latent-dim 2 --steps 20 --log-every 5"
    assert set(versions(vae)) == {"simulacra", "torch", "python"}
