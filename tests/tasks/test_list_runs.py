"""The list of runs: states, steps, key numbers and their order."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from simulacra.config import Training
from simulacra.data import DataSpec, Options
from simulacra.errors import RunError
from simulacra.models.pca.card import PCAConfig
from simulacra.models.vae.card import VAEConfig
from simulacra.run import Run, RunConfig
from simulacra.tasks.list_runs import RunSummary, list_runs


def make(path: Path, *events: dict[str, Any], weights: bool = True, model: str = "vae", age: int = 0) -> Run:
    run, spec = Run(path), DataSpec("image", (1, 8, 8))
    config = {"vae": VAEConfig, "pca": PCAConfig}[model]()
    path.mkdir(parents=True)
    run.save(RunConfig(model, config, "digits", Options(), spec, Training()))
    run.metrics.write_text("".join(json.dumps(event) + "\n" for event in events))
    if weights:
        run.weights.touch()
    for file in (run.metrics, path / "config.yaml"):
        os.utime(file, (file.stat().st_atime, file.stat().st_mtime - age))
    return run


START = {"event": "length", "step": 0, "steps": 100}


def train(step: int) -> dict[str, Any]:
    return {"event": "train", "step": step, "loss": 3.0}


def by_name(folder: Path) -> dict[str, RunSummary]:
    return {Path(run.path).name: run for run in list_runs(folder)}


def test_states_and_steps(tmp_path: Path) -> None:
    make(tmp_path / "finished", START, train(50), train(100))
    make(tmp_path / "stopped", START, train(50))
    make(
        tmp_path / "lengthened", START, train(100), {"event": "length", "step": 100, "steps": 300}, train(120)
    )
    make(tmp_path / "early", START, weights=False)
    diverged = {"event": "warning", "step": 100, "cause": "divergence", "text": "the training diverged"}
    make(tmp_path / "exploded", START, train(100), diverged)
    make(tmp_path / "solved", model="pca")
    make(tmp_path / "busy", START, train(50))
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "config.yaml").write_text("layout: [")
    with FileLock(tmp_path / "busy" / ".lock"):
        runs = by_name(tmp_path)
    assert {name: (run.state, run.step, run.steps) for name, run in runs.items()} == {
        "finished": ("finished", 100, 100),
        "stopped": ("interrupted", 50, 100),
        "lengthened": ("interrupted", 120, 300),
        "early": ("interrupted", 0, 100),
        "exploded": ("diverged", 100, 100),
        "solved": ("finished", 0, 0),
        "busy": ("training", 50, 100),
        "broken": ("damaged", 0, None),
    }
    assert "cannot be read" in runs["broken"].problem
    assert (runs["solved"].model, runs["solved"].data) == ("pca", "digits")


def test_the_key_number_is_of_the_last_evaluation_else_of_the_last_validation(tmp_path: Path) -> None:
    validation = {"event": "validation", "step": 100, "loss": 2.5, "kl": 1.0}
    evaluations = [
        {"event": "evaluation", "step": 100, "data": "digits@test", "nll": nll, "psnr": 20.0}
        for nll in (9.0, 8.0)
    ]
    make(tmp_path / "measured", START, validation, *evaluations, validation)
    make(tmp_path / "validated", START, validation)
    make(tmp_path / "neither", START)
    found = {name: (run.key, run.value, run.on) for name, run in by_name(tmp_path).items()}
    assert found == {
        "measured": ("nll", 8.0, "digits@test"),
        "validated": ("loss", 2.5, "validation"),
        "neither": ("", None, ""),
    }


def test_the_key_number_is_of_the_own_test_split_and_older_ones_say_so(tmp_path: Path) -> None:
    own, other = (
        {"event": "evaluation", "step": 50, "data": data, "accuracy": accuracy}
        for data, accuracy in (("digits@test", 0.5), ("other@test", 0.25))
    )
    make(tmp_path / "both", START, train(50), own, other, own | {"data": "digits@validation"})
    make(tmp_path / "other", START, train(50), other)
    make(tmp_path / "older", START, train(50), own, train(80))
    found = {name: (run.value, run.on) for name, run in by_name(tmp_path).items()}
    assert found == {
        "both": (0.5, "digits@test"),
        "other": (0.25, "other@test"),
        "older": (0.5, "digits@test, step 50"),
    }


def test_the_step_is_that_of_the_last_checkpoint(tmp_path: Path) -> None:
    run = make(tmp_path / "run", START, train(50), train(75))
    run.checkpoints.mkdir()
    for step in (60, 72):
        (run.checkpoints / f"{step:06d}.safetensors").touch()
    assert run.step == by_name(tmp_path)["run"].step == 72
    # what is not saved yet counts while it goes on
    with FileLock(run.path / ".lock"):
        assert by_name(tmp_path)["run"].step == 75


def test_the_last_written_come_first_also_from_sub_folders(tmp_path: Path) -> None:
    make(tmp_path / "old", age=7200)
    make(tmp_path / "attack" / "round-1", age=60)
    make(tmp_path / "new")
    (tmp_path / "not a run").mkdir()
    assert [Path(run.path).name for run in list_runs(tmp_path)] == ["new", "round-1", "old"]
    assert list_runs(tmp_path)[2].age == pytest.approx(7200, abs=60)
    assert [run.path for run in list_runs(tmp_path / "old")] == [str(tmp_path / "old")]


def test_a_missing_folder_is_an_error_and_an_empty_one_is_none(tmp_path: Path) -> None:
    assert list_runs(tmp_path) == []
    with pytest.raises(RunError, match="no such folder"):
        list_runs(tmp_path / "none")


def test_an_evaluation_without_a_step_is_not_older(tmp_path: Path) -> None:
    make(tmp_path / "a", START, train(100), {"event": "evaluation", "data": "digits@test", "accuracy": 0.5})
    (found,) = list_runs(tmp_path)
    assert (found.value, found.on) == (0.5, "digits@test")
