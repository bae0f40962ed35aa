"""`--preset NAME`: settings under one name, which other options replace."""

import pytest

from simulacra.cli.train import parse
from simulacra.errors import ConfigError
from simulacra.models.cyclegan.card import CycleGANConfig
from simulacra.models.registry import MODELS


@pytest.mark.parametrize(("model", "preset"), [(m, p) for m, one in MODELS.items() for p in one.presets])
def test_a_preset_is_settings_of_its_model(model: str, preset: str) -> None:
    _, plain = parse([model, "--data", "x"])
    for words in (["--preset", preset], [f"--preset={preset}"]):
        _, made = parse([model, "--data", "x", *words])
        assert (made.config, made.training) != (plain.config, plain.training)
        for name, value in MODELS[model].presets[preset].items():
            assert getattr(made.config if hasattr(made.config, name) else made.training, name) == value


@pytest.mark.parametrize(
    "words", [["--preset", "nano", "--width", "7"], ["--width", "7", "--preset", "nano"]]
)
def test_other_options_replace_those_of_the_preset(words: list[str]) -> None:
    preset = MODELS["cyclegan"].presets["nano"]
    _, made = parse(["cyclegan", *words, "--data", "x"])
    assert made.config == CycleGANConfig(**{**preset, "width": 7})


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["cyclegan", "--preset", "nanno"], "--preset: unknown 'nanno', did you mean 'nano'"),
        (["cyclegan", "--data", "x", "--preset"], "--preset: unknown ''"),
        (["vae", "--preset", "nano"], "--preset: vae has none"),
    ],
)
def test_unknown_presets(words: list[str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse(words)
