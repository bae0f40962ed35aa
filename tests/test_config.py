"""Settings that come back as they went, and refuse what cannot be."""

from dataclasses import replace
from pathlib import Path

import pytest

from simulacra.config import Training, from_dict
from simulacra.data import Options
from simulacra.data.spec import DataSpec
from simulacra.errors import ConfigError, RunError
from simulacra.models.pca.card import PCAConfig
from simulacra.models.vae.card import VAEConfig
from simulacra.run import Run, RunConfig

CONFIG = RunConfig(
    "vae",
    VAEConfig(latent_dim=3, hidden=(10, 20)),
    "digits",
    Options(image_size=16),
    DataSpec("image", (1, 16, 16), ("a", "b"), ("x",)),
    Training(epochs=1.5, betas=(0.5, 0.9)),
)


def test_yaml_and_back() -> None:
    assert RunConfig.from_yaml(CONFIG.to_yaml()) == CONFIG


def test_unknown_keys_name_the_nearest() -> None:
    with pytest.raises(ConfigError, match="'latent_dims', did you mean 'latent_dim'"):
        from_dict(PCAConfig, {"latent_dims": 2})


def test_differences_leave_out_what_may_change() -> None:
    longer = replace(CONFIG, training=replace(CONFIG.training, steps=5, epochs=None, devices=2))
    assert CONFIG.differences(longer) == []
    scored = replace(CONFIG.training, evaluate_every=5, evaluate_features="inception")
    assert CONFIG.differences(replace(CONFIG, training=scored)) == []
    faster = replace(CONFIG, training=replace(CONFIG.training, lr=0.5, warmup=3))
    assert CONFIG.differences(faster) == ["lr 0.001 there, 0.5 here", "warmup 0 there, 3 here"]
    # another source says all there is to say
    assert CONFIG.differences(replace(faster, source="mnist")) == ["data digits there, mnist here"]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"steps": 1, "epochs": 1.0}, "give one of"),
        ({"steps": 0}, "steps"),
        ({"lr": -1.0}, "lr"),
        ({"lr": float("nan")}, "lr"),
        ({"batch_size": 0}, "batch_size"),
        ({"ema": 1.0}, "ema"),
        ({"seed": -1}, "seed"),
        ({"evaluate_every": 0}, "evaluate_every"),
        ({"warmup": -1}, "warmup"),
    ],
)
def test_impossible_settings(settings: dict[str, float], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        Training(**settings)  # type: ignore[arg-type]  # wrong on purpose


def test_steps_and_batches() -> None:
    assert Training().total_steps(1000, 100) == 2000
    assert Training().total_steps(100_000, 100) == 20_000
    assert Training(epochs=0.5).total_steps(1000, 100) == 5
    assert Training(steps=7).total_steps(1000, 100) == 7
    assert Training(batch_size=128).fitted_batch([50], 1) == 50
    assert Training(batch_size=128).fitted_batch([51], 2) == 50
    with pytest.raises(ConfigError, match="must be a multiple of 3 for equal parts, not 128"):
        Training(batch_size=128).fitted_batch([1000], 3)
    # as many of each class
    assert Training(batch_size=16).fitted_batch([1, 2], 1) == 2
    with pytest.raises(ConfigError, match=r"multiple of 3 for equal parts \(3 classes in 1\), not 16"):
        Training(batch_size=16).fitted_batch([90, 90, 90], 1)
    with pytest.raises(ConfigError, match="too few examples for 4 equal parts"):
        Training(batch_size=16).fitted_batch([1, 90], 2)


def test_every_setting_has_a_line_for_people() -> None:
    # tyro shows the text under a field; a field without one is a riddle
    import inspect

    for cls in (Training, VAEConfig, PCAConfig):
        lines = inspect.getsource(cls).splitlines()
        for i, line in enumerate(lines):
            if line.startswith("    ") and ": " in line and " = " in line and not line.startswith("     "):
                assert lines[i + 1].strip().startswith('"""'), f"{cls.__name__}: {line.strip()}"


def test_a_missing_run(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="no run here"):
        Run(tmp_path).load()


def test_a_broken_config(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(
        "layout: 3\nmodel: {name: vae, latent_dimm: 3}\ndata: {source: a, spec: {}}\n"
    )
    with pytest.raises(RunError, match="did you mean 'latent_dim'"):
        _ = Run(tmp_path).config
    (tmp_path / "config.yaml").write_text(": : :")
    with pytest.raises(RunError, match="cannot be read"):
        _ = Run(tmp_path).config


def test_broken_weights(tmp_path: Path) -> None:
    run = Run(tmp_path)
    (tmp_path / "config.yaml").write_text(CONFIG.to_yaml())
    with pytest.raises(RunError, match="no weights yet"):
        run.load()
    run.weights.write_bytes(b"nonsense")
    with pytest.raises(RunError, match="damaged"):
        run.load()


def test_a_torn_line_of_the_log_is_left_out(tmp_path: Path) -> None:
    run = Run(tmp_path)
    run.log("train", step=1, loss=0.5)
    with run.metrics.open("a") as file:
        file.write('{"event": "train", "st')
    assert run.events() == [{"event": "train", "step": 1, "loss": 0.5}]
