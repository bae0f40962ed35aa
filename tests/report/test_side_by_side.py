"""Runs side by side: every kind of model has the panels of its capabilities."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from simulacra.cli.main import main
from simulacra.report.side_by_side import PANELS, side_by_side
from simulacra.run import Run

LATENTS, RECONSTRUCTIONS, BETWEEN, SAMPLES = (panel.title for panel in PANELS)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("side-by-side")
    small = ["--steps", "5", "--latent-dim", "2"]
    for model in ("vae", "autoencoder", "gan"):
        assert main(["train", model, "--data", "digits", *small, "--out", str(folder / model)]) == 0
    for model in ("vae", "gan"):
        words = ["train", model, "--data", "gaussians-25", *small, "--out", str(folder / f"vectors-{model}")]
        assert main(words) == 0
    words = ["--data", "digits", "--steps", "5", "--out", str(folder / "classifier")]
    assert main(["train", "classifier", *words]) == 0
    return folder


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["vae"], [{LATENTS, RECONSTRUCTIONS, BETWEEN, SAMPLES}]),
        (
            ["autoencoder", "vae", "gan"],
            [
                {LATENTS, RECONSTRUCTIONS, BETWEEN},
                {LATENTS, RECONSTRUCTIONS, BETWEEN, SAMPLES},
                {SAMPLES},
            ],
        ),
        (["vectors-vae", "vectors-gan"], [{LATENTS, SAMPLES}, {SAMPLES}]),
    ],
)
def test_a_column_for_each_run_and_a_panel_for_each_capability(
    runs: Path, names: list[str], expected: list[set[str]]
) -> None:
    figure = side_by_side([Run(runs / name) for name in names], names)
    axes = figure.axes
    rows = len(axes) // len(names)
    drawn = [
        {axes[r * len(names) + c].get_title(loc="left") for r in range(rows)} - {""}
        for c in range(len(names))
    ]
    assert drawn == expected
    assert rows == len(set().union(*expected))


def test_compare_writes_the_picture(runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "compare.png"
    words = ["compare", str(runs / "vae"), str(runs / "autoencoder"), "--metrics", "reconstruction"]
    assert main([*words, "--out", str(out)]) == 0
    assert capsys.readouterr().out.endswith(f"{out}\n")
    with Image.open(out) as image:
        assert image.height > image.width
    # it is not replaced, and what is drawn is a picture
    assert main([*words, "--out", str(out)]) == 1
    assert main([*words, "--out", str(tmp_path / "compare.gif")]) == 1
    assert "png" in capsys.readouterr().err
