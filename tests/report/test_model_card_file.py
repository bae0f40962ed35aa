"""The model card, section by section; its code runs."""

import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from markdown_it import MarkdownIt

import simulacra as sim
from simulacra.errors import RunError
from simulacra.report.model_card_file import write_model_card
from simulacra.run import Run
from simulacra.tasks.evaluate import evaluate

SECTIONS = [
    "What it was trained on", "How it was trained", "Metrics", "Limits", "Audit findings", "How to load it",
]  # fmt: skip


def card(run: Run) -> str:
    path = write_model_card(run)
    assert path == run.path / "MODEL_CARD.md"
    return path.read_text(encoding="utf-8")


def test_every_section_is_there(vae: Run, vae5: Run, autoencoder: Run, pca: Run, vectors: Run) -> None:
    for run in (vae, vae5, autoencoder, pca, vectors):
        assert re.findall(r"^## (.+)$", card(run), re.MULTILINE) == SECTIONS


def test_data_and_training_are_named(vae: Run) -> None:
    text = card(vae)
    for line in (
        "- Source: `digits`",
        "- Examples: 8x8 grey images, 10 classes",
        "- Sizes: 1,465 train, 175 validation, 157 test",
        "- Classes: 0, 1, 2, 3, 4, 5, 6, 7, 8, 9",
        "- latent_dim: 2",
        "- steps: 20",
        "- seed: 0",
        "None yet: the effects of this model on people have not been audited.",
    ):
        assert line in text, line


def test_metrics_of_the_evaluation(vae5: Run) -> None:
    text = card(vae5)
    assert "Evaluated on digits@test, 157 examples, at step 20." in text
    assert "| ELBO | -104.1 | nats |" in text
    assert "| new score | 1.500 |" in text
    assert "has not been evaluated" not in text
    # every row has four cells
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert {len(re.findall(r"(?<!\\)\|", row)) for row in rows} == {5}


def test_without_an_evaluation_it_says_so(pca: Run, autoencoder: Run) -> None:
    for run in (pca, autoencoder):
        assert "It has not been evaluated" in card(run)
    assert "Solved directly, without training steps." in card(pca)


def test_whether_examples_are_memorised_is_said(pca: Run, tmp_path: Path) -> None:
    run = Run(shutil.copytree(pca.path, tmp_path / "run"))
    asked = f"This was not checked: `simulacra evaluate {run} --metrics memorisation` does."
    assert asked in card(run)
    data, model = run.data(), run.load()
    # other data have other training examples
    run.log("evaluation", **evaluate(model, data, metrics=["memorisation"]) | {"data": "other@test"})
    assert asked in card(run)
    found = evaluate(model, data, metrics=["memorisation"])
    run.log("evaluation", step=0, **found)
    text = card(run)
    assert "not checked" not in text
    assert (
        f": {100 * found['closer_to_train']:.1f}% of 157 samples are nearer to one of 1,465 training examples"
        in text
    )
    assert "0 samples equal a training example (evaluated at step 0)." in text


def test_limits_go_with_the_model(vae: Run, autoencoder: Run, pca: Run) -> None:
    assert "blurrier" in card(vae)
    assert "lower bound" in card(vae)
    assert "draws no new examples" in card(autoencoder)
    assert "linear" in card(pca)


def test_columns_and_targets_are_listed(arm: Run, painter: Run, generator: Run) -> None:
    text = card(arm)
    assert "- Columns: hand_x, hand_y\n- Targets: theta_1, theta_2\n" in text
    assert "- keep: best" in text
    assert "| theta_2 | " in text
    assert f"simulacra predict {arm} --data robot-arm:2000 --out predictions.csv" in text
    text = card(painter)
    assert "- Columns" not in text
    assert "4x6 grey images, 8x8 colour images to predict" in text
    assert "- Columns: x_1, x_2" in card(generator)


def test_an_untrained_net_was_not_trained(generator: Run) -> None:
    text = card(generator)
    assert "none was used for training" in text
    assert "- Untrained: its weights are those of the initialisation, seed 0." in text
    assert "It reflects its training data" not in text
    assert "single training examples" not in text


@pytest.mark.parametrize(
    ("name", "shape"), [("mdn", (5, 1)), ("classifier", (5, 10)), ("painter", (5, 3, 8, 8))]
)
def test_the_code_of_predictions_runs(
    name: str, shape: tuple[int, ...], request: pytest.FixtureRequest
) -> None:
    run: Run = request.getfixturevalue(name)
    code = re.search(r"```python\n(.*?)```", card(run), re.DOTALL)
    assert code is not None
    names: dict[str, object] = {"given": torch.zeros(5, *run.config.spec.shape)}
    exec(code.group(1).replace("...", "given"), names)
    assert names["y"].shape == shape  # type: ignore[attr-defined]  # from exec


@pytest.mark.parametrize("name", ["vae", "pca", "vectors"])
def test_the_code_runs(name: str, request: pytest.FixtureRequest) -> None:
    run: Run = request.getfixturevalue(name)
    code = re.search(r"```python\n(.*?)```", card(run), re.DOTALL)
    assert code is not None
    names: dict[str, object] = {}
    exec(code.group(1), names)
    assert names["y"].shape == (16, *run.config.spec.shape)  # type: ignore[attr-defined]  # from exec


def test_without_the_data(vectors: Run, tmp_path: Path) -> None:
    run = Run(tmp_path / "run")
    shutil.copytree(vectors.path, run.path)
    config = run.path / "config.yaml"
    config.write_text(config.read_text().replace("vectors.npz", "moved.npz"))
    assert "- Sizes: unknown" in card(run)


def test_an_untrained_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="no run here"):
        write_model_card(Run(tmp_path))


def test_names_are_text(tmp_path: Path) -> None:
    """Names of columns and classes that are HTML or Markdown are shown as they are."""
    columns = ("<script>alert(1)</script>", "a | b", "_x_ *y*", "[link](z)", "5 < 6 & 7")
    rng, run = np.random.default_rng(0), Run(tmp_path / "a *b* run")
    source = tmp_path / "odd `name`.npz"
    labels = np.array(["`</b>`", "**bold**"])[np.arange(90) % 2]
    np.savez(source, x=rng.normal(size=(90, 5)), column_names=np.array(columns), labels=labels)
    sim.train("classifier", f"npz:{source}", run.path, steps=2)
    run.log(
        "evaluation", step=2, data=f"npz:{source}@test", columns={name: {"rmse": 1.0} for name in columns}
    )
    tokens = MarkdownIt("commonmark").enable("table").parse(card(run))
    inline = [child for token in tokens for child in token.children or ()]
    kinds = {token.type for token in (*tokens, *inline)}
    assert not kinds & {"html_block", "html_inline", "link_open", "em_open"}
    lines = ["".join(child.content for child in token.children or ()) for token in tokens]
    for text in (
        "a *b* run",
        f"Source: npz:{source}",
        f"Columns: {', '.join(columns)}",
        "Classes: **bold**, `</b>`",
        *columns,
    ):
        assert text in lines, text
