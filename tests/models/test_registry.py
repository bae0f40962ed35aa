"""How models are found: folders of the package, entry points, files of the user."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

import simulacra as sim
from simulacra.cli.main import main
from simulacra.errors import ConfigError, RunError
from simulacra.models.registry import MODELS, model_card, model_class

FLOW = f"{Path(__file__).parents[2] / 'examples' / 'flow.py'}:Flow"


def test_every_class_is_exported_under_its_name() -> None:
    for name in MODELS:
        cls = model_class(name)
        assert getattr(sim, cls.__name__) is cls
        assert cls.card is MODELS[name]
        assert cls.__name__ in dir(sim)


def test_a_file_of_the_user_is_a_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = tmp_path / "run"
    words = ["--data", "moons:500", "--steps", "20", "--layers", "2", "--width", "8", "--out", str(run)]
    assert main(["train", FLOW, *words]) == 0
    # from everywhere
    monkeypatch.chdir(tmp_path)
    assert main(["sample", str(run), "-n", "5", "--out", "samples.npz"]) == 0
    assert main(["evaluate", str(run)]) == 0
    assert main(["report", str(run)]) == 0
    assert (run / "report.html").is_file()
    assert type(sim.load(run)).__name__ == "Flow"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("vea", "did you mean 'vae'"),
        ("no/such.py:Flow", "there is no file no/such.py"),
        (FLOW.replace(":Flow", ":Flo"), "has no class Flo with an attribute `card`"),
        (FLOW.replace(":Flow", ":FlowConfig"), "has no class FlowConfig with an attribute `card`"),
    ],
)
def test_unknown_models_are_refused(name: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        model_card(name)


def test_the_card_in_a_file_says_what_its_model_needs(tmp_path: Path) -> None:
    (tmp_path / "picky.py").write_text(
        "import simulacra as sim\n"
        "class Picky(sim.PCA):\n"
        "    card = sim.ModelCard('', sim.PCA.card.Config, 'picky', needs=lambda spec: 'it needs more')\n"
    )
    with pytest.raises(ConfigError, match="it needs more"):
        model_card(f"{tmp_path / 'picky.py'}:Picky").check(sim.DataSpec("vector", (3,)))


def test_a_file_that_fails_says_so(tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("1 / 0\n")
    with pytest.raises(ConfigError, match=r"broken.py cannot be imported \(ZeroDivisionError"):
        model_card(f"{tmp_path / 'broken.py'}:Broken")


def test_a_run_of_an_earlier_layout_is_refused_in_a_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    assert main(["train", "pca", "--data", "iris", "--latent-dim", "2", "--out", str(run)]) == 0
    config = yaml.safe_load((run / "config.yaml").read_text())
    del config["layout"]
    (run / "config.yaml").write_text(yaml.safe_dump(config))
    with pytest.raises(RunError, match="made by another version of simulacra; train it again"):
        sim.load(run)
    capsys.readouterr()
    assert main(["sample", str(run), "--out", str(tmp_path / "x.npz")]) == 1
    assert capsys.readouterr().err.count("\n") == 1
