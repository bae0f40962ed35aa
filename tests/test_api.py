"""Training on what a program passes, and the types of what it gets."""

from __future__ import annotations

import pydoc
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import simulacra as sim
from simulacra.cli.main import main
from simulacra.errors import RunError

X = np.random.default_rng(0).random((300, 8, 8))
Y = np.arange(300) % 3
ROOT = Path(__file__).parents[1]


def test_a_training_on_arrays_resumes_bit_for_bit(tmp_path: Path) -> None:
    settings: dict[str, Any] = {"latent_dim": 2, "batch_size": 16}
    whole = sim.train("vae", X, tmp_path / "whole", steps=20, **settings)
    half = sim.train("vae", X, tmp_path / "half", steps=10, **settings)
    resumed = sim.train("vae", torch.from_numpy(X), tmp_path / "half", steps=20, **settings)
    state = whole.state_dict()
    assert all(torch.equal(value, state[name]) for name, value in resumed.state_dict().items())
    assert not torch.equal(half.sample(2), whole.sample(2))
    with pytest.raises(RunError, match=r"other settings \(data arrays:\w+ there, arrays:\w+ here\)"):
        sim.train("vae", 1 - X, tmp_path / "half", steps=30, **settings)


def test_arrays_have_a_run_folder_of_their_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for x in (X, 1 - X, X):
        sim.train("pca", x, latent_dim=2)
    assert len(list(Path("runs").glob("arrays-*-pca"))) == 2


def test_the_command_line_asks_for_the_data_of_a_run_on_arrays(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = str(tmp_path / "run")
    model = sim.train("classifier", (X, Y), run, steps=5)
    assert main(["evaluate", run]) == 1
    assert re.search(r"arrays .* are not stored; add --data SOURCE", capsys.readouterr().err)
    np.savez(tmp_path / "same.npz", x=X, y=Y)
    assert main(["evaluate", run, "--data", f"npz:{tmp_path / 'same.npz'}"]) == 0
    shown = capsys.readouterr().out
    accuracy = sim.evaluate(model, sim.load_data((X, Y)))["accuracy"]
    assert f"{accuracy:.4f}" in shown
    assert main(["report", run]) == 0
    assert "--data SOURCE" in (tmp_path / "run" / "report.html").read_text()


def test_a_path_is_read_by_the_source_that_suits_it_and_that_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    np.savez("own.npz", x=X, y=Y)
    model = sim.train("pca", Path("own.npz"), latent_dim=2)
    assert "own.npz is read as npz:own.npz\n" in capsys.readouterr().err
    assert sim.train("pca", "npz:own.npz", latent_dim=2).spec == model.spec
    assert "is read as" not in capsys.readouterr().err
    assert main(["evaluate", "runs/own-pca", "--data", "own.npz@validation"]) == 0
    assert "npz:own.npz@validation" in capsys.readouterr().out


def test_load_data_takes_settings_and_everything_that_train_takes() -> None:
    assert sim.load_data("digits", image_size=4).spec.shape == (1, 4, 4)
    assert sim.load_data((X, Y), split="time").test.y is not None
    assert len(sim.load_data(sim.load_data("digits").test).train) > 90


def test_the_readmes_arrays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    data = (ROOT / "README.md").read_text(encoding="utf-8").split("\n## Data\n")[1].split("\n## ")[0]
    (code,) = re.findall(r"```python\n(.*?)```", data, re.DOTALL)
    exec(compile(code.replace("steps=500", "steps=20"), "README.md", "exec"), {})
    table = capsys.readouterr().out
    assert re.search(r"better +vae +pca\nnll +lower +\d\.\d{4}\*? +\d\.\d{4}\*?", table)


def test_short_reprs(tmp_path: Path) -> None:
    model = sim.train("pca", (X, Y), tmp_path / "run", latent_dim=2)
    assert repr(model) == (
        "PCA(DataSpec('image', (1, 8, 8), 3 classes: 0, 1, 2), 0 parameters: "
        "encode, decode, reconstruct, sample, log_likelihood, elbo)"
    )
    digits = sim.load_data("digits")
    assert repr(digits) == (
        "Data('digits', 1,465 train, 175 validation, 157 test: "
        "DataSpec('image', (1, 8, 8), 10 classes: 0, 1, 2, 3, 4, ...))"
    )
    assert repr(digits.test).startswith("Dataset(157 examples of DataSpec('image', (1, 8, 8)")


def test_dir_and_help_list_everything() -> None:
    assert set(sim.__all__) <= set(dir(sim))
    assert not {"TYPE_CHECKING", "Any", "import_module", "annotations"} & set(dir(sim))
    shown = pydoc.plain(pydoc.render_doc(sim))
    for name in sim.__all__:
        assert re.search(rf"\b{name}\b", shown), name


def test_every_registered_model_has_a_type_and_the_readme_passes_mypy(tmp_path: Path) -> None:
    # what pyproject.toml takes from `--strict`; the rest shares the cache of `make lint`
    strict = "# mypy: warn-return-any"
    lines = [strict, "import simulacra as sim", "import numpy as np"]
    for name, card in sim.MODELS.items():
        cls = card.path.rpartition(":")[2]
        lines.append(f'{name}: sim.{cls} = sim.train("{name}", "digits")')
        lines.append(f'reveal_type(sim.train("{name}", (np.zeros((9, 8, 8)), [1])))')
    lines.append('reveal_type(sim.train("file.py:Flow", "moons"))')
    (tmp_path / "every_model.py").write_text("\n".join(lines))
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    assert len(blocks) >= 2
    for i, block in enumerate(blocks):
        (tmp_path / f"readme{i}.py").write_text(f"{strict}\n{block}")
    files = [str(path) for path in sorted(tmp_path.glob("*.py"))]
    words = ["mypy", "--config-file", "pyproject.toml", *files]
    done = subprocess.run(
        [sys.executable, "-m", *words], capture_output=True, text=True, cwd=ROOT, check=False
    )
    revealed = re.findall(r'Revealed type is "(.*?)"', done.stdout)
    assert done.returncode == 0, done.stdout
    assert [name.rpartition(".")[2] for name in revealed] == [
        *(card.path.rpartition(":")[2] for card in sim.MODELS.values()),
        "Any",
    ]
