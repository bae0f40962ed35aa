"""`simulacra train`: the dry run, the length of a training, and what it prints at its end."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from simulacra.cli.main import main
from simulacra.cli.train import parse
from simulacra.run import Run

SMALL = ["--data", "digits", "--latent-dim", "2", "--hidden", "8"]


def test_a_dry_run_prints_what_it_takes_and_writes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    assert main(["train", "vae", *SMALL, "--steps", "40", "--out", str(out), "--dry-run"]) == 0
    printed, _ = capsys.readouterr()
    lines = dict(line.split(maxsplit=1) for line in printed.splitlines())
    assert list(lines) == ["data", "splits", "classes", "model", "training", "speed", "time", "memory", "run"]
    assert lines["data"] == "digits: images of 1x8x8"
    assert lines["splits"].startswith("train 1,465")
    # 64-8-4 and 2-8-64
    assert lines["model"] == f"vae: {64 * 8 + 8 + 8 * 4 + 4 + 2 * 8 + 8 + 8 * 64 + 64:,} parameters"
    assert lines["training"].startswith("40 steps of 128 examples")
    assert lines["training"].endswith("on cpu")
    assert lines["run"] == f"{out} (new); nothing was written"
    assert not list(tmp_path.iterdir())


def test_a_dry_run_of_a_started_training_counts_from_its_last_step(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = str(tmp_path / "run")
    assert main(["train", "vae", *SMALL, "--steps", "20", "--out", out]) == 0
    before = {file: file.stat().st_mtime_ns for file in tmp_path.rglob("*") if file.name != ".lock"}
    assert main(["train", "vae", *SMALL, "--steps", "40", "--out", out, "--dry-run"]) == 0
    assert "resumes at step 20" in capsys.readouterr().out
    assert before == {file: file.stat().st_mtime_ns for file in tmp_path.rglob("*") if file.name != ".lock"}


def test_recipes_have_a_dry_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["recipe", "digits-vae", "--dry-run"]) == 0
    assert "runs/digits-vae (new)" in capsys.readouterr().out
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["two words", "it's", "$HOME"])
def test_the_next_commands_are_quoted(tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str) -> None:
    out = tmp_path / name
    assert main(["train", "pca", "--data", "digits", "--out", str(out)]) == 0
    commands = capsys.readouterr().err.splitlines()[-1].removeprefix("next: ")
    assert shlex.split(commands.replace("; ", " ")) == [
        "simulacra", "evaluate", str(out), "simulacra", "report", str(out),
    ]  # fmt: skip


def test_a_given_length_replaces_that_of_a_recipe() -> None:
    recipe = {"steps": 2000}
    _, arguments = parse(["vae", "--data", "digits", "--minutes", "5"], recipe)
    assert (arguments.training.steps, arguments.training.minutes) == (None, 5)
    _, arguments = parse(["vae", "--data", "digits", "--epochs=3"], recipe)
    assert (arguments.training.steps, arguments.training.epochs) == (None, 3)


def test_minutes_are_stored_with_their_steps(tmp_path: Path) -> None:
    out = tmp_path / "run"
    assert main(["train", "vae", *SMALL, "--minutes", "0.005", "--out", str(out)]) == 0
    training = Run(out).config.training
    assert training.minutes == 0.005
    assert training.steps is not None
    assert Run(out).events("train")[-1]["step"] == training.steps


def test_a_dry_run_of_the_same_minutes_has_their_steps(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["train", "vae", *SMALL, "--minutes", "0.005", "--out", str(tmp_path / "run")]
    assert main(words) == 0
    steps = Run(tmp_path / "run").config.training.steps
    assert main([*words, "--dry-run"]) == 0
    assert f"{steps:,} steps of 128" in capsys.readouterr().out


def test_what_a_kill_left_of_the_first_file_does_not_block_the_folder(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / ".config.yaml.99999999.tmp").write_text("layout")
    assert main(["train", "vae", *SMALL, "--steps", "2", "--out", str(tmp_path / "run")]) == 0
    assert not list((tmp_path / "run").glob(".*.tmp"))
