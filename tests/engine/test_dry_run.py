"""Dry runs: what a training will take, and how many steps fit the minutes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from simulacra.config import Training, configure
from simulacra.data import Data, Options
from simulacra.engine import dry_run as module
from simulacra.engine.dry_run import DryRun, dry_run
from simulacra.errors import ConfigError
from simulacra.models.pca.card import PCAConfig
from simulacra.models.vae.card import VAEConfig
from simulacra.run import RunConfig
from tests.engine.conftest import Trains


@pytest.fixture
def config(digits: Data) -> RunConfig:
    training = Training(steps=40, batch_size=64)
    return RunConfig("vae", VAEConfig(latent_dim=2, hidden=(32,)), "digits", Options(), digits.spec, training)


def test_it_measures_and_leaves_no_file(
    config: RunConfig, digits: Data, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    measured = dry_run(config, digits)
    # encoder 64-32-4, decoder 2-32-64
    parameters = (64 * 32 + 32) + (32 * 4 + 4) + (2 * 32 + 32) + (32 * 64 + 64)
    assert measured.parameters == {"vae": parameters}
    assert (measured.steps, measured.batch_size) == (40, 64)
    assert measured.step > 0 < measured.monitors
    assert measured.memory is not None
    assert measured.memory > 10**8
    assert not list(tmp_path.iterdir())


def test_a_model_that_is_solved_has_no_steps(digits: Data) -> None:
    config = RunConfig("pca", PCAConfig(latent_dim=2), "digits", Options(), digits.spec, Training(minutes=1))
    measured = dry_run(config, digits)
    assert (measured.steps, measured.step, measured.parameters) == (0, 0.0, {})
    assert measured.seconds() == measured.preparation > 0


def test_seconds_to_the_end() -> None:
    measured = DryRun("cpu", 64, 100, {}, preparation=3.0, step=0.5, monitors=10.0, memory=None)
    assert measured.seconds() == 3 + 50 + 10
    assert measured.seconds(start=40) == 30 + 6
    assert measured.seconds(start=200) == 0


@pytest.mark.parametrize(
    ("settings", "steps"),
    [
        # 60 s, of which 20 validations take 10 s: 50 s at 0.1 s a step
        ({}, 500),
        # a validation every 10 steps: 60 s at 0.1 + 0.5 / 10 s a step
        ({"validate_every": 10}, 400),
    ],
)
def test_steps_that_fit_the_minutes(
    config: RunConfig, digits: Data, monkeypatch: pytest.MonkeyPatch, settings: dict[str, int], steps: int
) -> None:
    training = Training(minutes=1, batch_size=64, **settings)

    def validations(*_: object) -> list[module._Recurring]:
        return [module._Recurring(0.5, training.validate_every, module.VALIDATIONS)]

    monkeypatch.setattr(module, "_seconds_a_step", lambda *_: 0.1)
    monkeypatch.setattr(module, "_recurring", validations)
    measured = dry_run(replace(config, training=training), digits)
    assert measured.steps == steps
    assert measured.seconds() - measured.preparation == pytest.approx(60)


def test_what_comes_late_is_measured_by_its_share() -> None:
    steps = module.spread(1000, 10_000)
    assert len(steps) == 1000
    assert sum(step >= 7000 for step in steps) == pytest.approx(300, abs=module.BLOCK)
    # what comes every 2 or 4 steps is as frequent as in the training
    assert sum(step % 4 == 0 for step in steps) == 250
    assert all(0 <= step < 3 for step in module.spread(8, 3))


def test_a_late_player_lengthens_a_training(digits: Data, monkeypatch: pytest.MonkeyPatch) -> None:
    played: list[int] = []
    monkeypatch.setattr(module.Session, "play", lambda session, step: played.append(step))
    training = Training(steps=40, batch_size=64)
    settings = VAEConfig(latent_dim=2, hidden=(32,))
    dry_run(RunConfig("vae", settings, "digits", Options(), digits.spec, training), digits)
    assert {step >= 20 for step in played} == {False, True}


def test_minutes_give_steps_that_are_kept_and_the_same_weights(trains: Trains) -> None:
    minutes, _ = trains("minutes", steps=None, minutes=0.005)
    training = minutes.config.training
    assert training.minutes == 0.005
    assert training.steps is not None
    steps, _ = trains("steps", steps=training.steps)
    assert minutes.weights.read_bytes() == steps.weights.read_bytes()
    # the same command again neither measures nor trains
    trains("minutes", steps=None, minutes=0.005)
    assert minutes.config.training == training


def test_other_minutes_are_measured_anew(trains: Trains, monkeypatch: pytest.MonkeyPatch) -> None:
    run, _ = trains("run", steps=None, minutes=0.005)
    monkeypatch.setattr(module, "_seconds_a_step", lambda *_: 0.001)
    monkeypatch.setattr(module, "_recurring", lambda *_: [])
    first = run.config.training.steps
    assert first is not None
    trains("run", steps=None, minutes=(first + 20) * 0.001 / 60)
    assert run.config.training.steps == first + 20
    assert run.events("train")[-1]["step"] == first + 20


def test_one_length_of_a_training() -> None:
    with pytest.raises(ConfigError, match="one of --steps, --epochs and --minutes"):
        configure([Training()], {"steps": 3, "minutes": 1})
    with pytest.raises(ConfigError, match="one of --steps, --epochs and --minutes"):
        Training(epochs=3, minutes=1)
    with pytest.raises(ConfigError, match="minutes: must be above 0"):
        Training(minutes=0)
