"""`simulacra runs` and `simulacra compare`, on trained runs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from simulacra.cli.main import main


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    for name, latents in (("two words", 2), ("b", 8)):
        words = ["--data", "digits", "--latent-dim", str(latents), "--out", str(folder / name)]
        assert main(["train", "pca", *words]) == 0
    words = ["--data", "digits", "--latent-dim", "2", "--hidden", "8", "--steps", "10"]
    assert main(["train", "vae", *words, "--out", str(folder / "vae")]) == 0
    return folder


def test_runs_as_a_table_and_as_json(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["runs", str(runs)]) == 0
    header, *lines = capsys.readouterr().out.splitlines()
    assert header.split()[:4] == ["run", "state", "model", "data"]
    assert len(lines) == 3
    (vae,) = [line for line in lines if "vae" in line]
    assert "10 of 10" in vae
    assert "finished" in vae
    assert main(["runs", str(runs), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["runs"]
    assert {(Path(run["path"]).name, run["model"], run["steps"]) for run in found} == {
        ("two words", "pca", 0), ("b", "pca", 0), ("vae", "vae", 10),
    }  # fmt: skip


def test_no_runs_yet(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["runs", str(tmp_path)]) == 0
    assert "train one" in capsys.readouterr().out
    assert main(["runs", str(tmp_path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"runs": []}


def test_compare_lists_settings_that_differ_and_marks_the_better(
    runs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    both = [str(runs / "two words"), str(runs / "b")]
    assert main(["compare", *both, "--metrics", "nll,reconstruction"]) == 0
    out = capsys.readouterr().out
    settings, measured = out.split("\n\n")
    assert settings.splitlines()[1].split() == ["latent_dim", "2", "8"]
    assert len(settings.splitlines()) == 2
    # eight components explain more than two
    (mse,) = [line for line in measured.splitlines() if line.startswith("mse")]
    assert mse.endswith("*")
    assert main(["compare", *both, "--metrics", "reconstruction", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["settings"] == {"latent_dim": [2, 8]}
    assert found["models"][both[0]]["mse"] > found["models"][both[1]]["mse"]


def test_compare_of_different_models_lists_settings_that_both_have(
    runs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["compare", str(runs / "b"), str(runs / "vae"), "--metrics", "reconstruction", "--json"]
    assert main(words) == 0
    assert json.loads(capsys.readouterr().out)["settings"] == {
        "model": ["pca", "vae"], "latent_dim": [8, 2], "steps": [None, 10],
    }  # fmt: skip
