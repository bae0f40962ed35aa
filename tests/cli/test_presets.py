"""`--preset NAME`: settings under one name, which recipes and other options replace."""

from dataclasses import replace

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
        assert (made.model, made.training) != (plain.model, plain.training)
        for name, value in MODELS[model].presets[preset].items():
            assert getattr(made.model if hasattr(made.model, name) else made.training, name) == value


@pytest.mark.parametrize(
    "words", [["--preset", "nano", "--width", "7"], ["--width", "7", "--preset", "nano"]]
)
def test_other_options_replace_those_of_the_preset(words: list[str]) -> None:
    preset = MODELS["cyclegan"].presets["nano"]
    _, made = parse(["cyclegan", *words, "--data", "x"])
    assert made.model == CycleGANConfig(**{**preset, "width": 7})


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["cyclegan", "--preset", "nanno"], "--preset: unknown 'nanno', did you mean 'nano'"),
        (["cyclegan", "--data", "x", "--preset"], "--preset: unknown ''"),
        (["pca", "--preset", "nano"], "--preset: pca has no presets"),
    ],
)
def test_unknown_presets(words: list[str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse(words)


def test_recipes_presets_and_options_in_order() -> None:
    recipe = {"data": "digits", "preset": "nano", "blocks": 3, "epochs": 7.0}
    _, plain = parse(["cyclegan"], recipe)
    preset = MODELS["cyclegan"].presets["nano"]
    assert plain.data.data == "digits"
    assert plain.model == CycleGANConfig(**{**preset, "blocks": 3})
    assert plain.training == replace(MODELS["cyclegan"].training, epochs=7.0)
    # a recipe's length gives way to the other kind of length
    words = ["--steps", "10", "--data=mnist", "--preset", "nano", "--blocks", "1"]
    _, shorter = parse(["cyclegan", *words], recipe)
    assert shorter.data.data == "mnist"
    assert shorter.model == CycleGANConfig(**{**preset, "blocks": 1})
    assert (shorter.training.steps, shorter.training.epochs) == (10, None)
    with pytest.raises(ConfigError, match="unknown setting 'blokcs', did you mean 'blocks'"):
        parse(["cyclegan"], {**recipe, "blokcs": 2})
