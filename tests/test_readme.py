"""What the README tells a newcomer to type does what it says."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import torch

from simulacra.cli.main import VERBS, main
from tests.tasks.test_convert import checkpoint

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def section(title: str) -> str:
    return README.split(f"\n## {title}\n")[1].split("\n## ")[0]


def test_the_python_example_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (code,) = re.findall(r"```python\n(.*?)```", section("From Python"), re.DOTALL)
    exec(compile(code.replace("steps=2000", "steps=50"), "README.md", "exec"), {})
    elbo, nll = map(float, capsys.readouterr().out.split())
    assert elbo < -nll < 0


def test_the_estimator_example_runs(capsys: pytest.CaptureFixture[str]) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", section("Several right answers"), re.DOTALL)
    exec(compile(code.replace("components=3", "components=3, steps=50"), "README.md", "exec"), {})
    log_p, r2 = map(float, capsys.readouterr().out.split())
    assert -10 < log_p < 0
    assert r2 < 1


def test_every_verb_has_an_example_that_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save(checkpoint(), "stylegan2.pt")
    commands = re.findall(r"^simulacra (.*?)(?: +#.*)?$", section("The verbs"), re.MULTILINE)
    for command in commands:
        words = shlex.split(command.replace("--steps 2000", "--steps 50"))
        assert main(words) == 0, command
    assert {command.split()[0] for command in commands} == set(VERBS)
    # single digits, as the classifier was trained on
    assert len(Path("samples.csv").read_text().splitlines()) == 1 + 8
    assert Path("grid.png").is_file()
    assert Path("pairs.png").is_file()
    assert Path("runs/first/report.html").is_file()


def test_pictures_and_links_are_there() -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (ROOT / target).is_file(), target
        assert not target.endswith(".png") or (ROOT / target).stat().st_size < 300 * 1024


def test_every_recipe_is_in_the_readme() -> None:
    from simulacra.cli.recipe import recipes

    assert all(f"| `{name}` |" in README for name in recipes())


def test_numbers_in_headers_are_filled_in() -> None:
    for file in (ROOT / "recipes").glob("*.yaml"):
        assert "TODO" not in file.read_text(), file.name
