"""The card of directions: examples edited along those that fit the run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

import simulacra as sim
from simulacra.core.batch import tensor, to_bytes
from simulacra.latent import directions
from simulacra.latent.directions import Direction
from simulacra.report import directions as card
from simulacra.report.material import gather
from simulacra.report.page import write_report
from simulacra.run import Run
from simulacra.tasks.edit import STRENGTHS, edit
from tests.pages import standing_alone

ACCURACY = {"value": 0.925, "low": 0.8, "high": 0.97, "n": 40, "measured_on": "held-out data"}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("directions")
    sim.train("pca", "faces:300", folder / "run", latent_dim=4, image_size=32)
    run = Run(folder / "run")
    for k in range(7):
        vector = torch.eye(4)[k % 4] * (1 + k)
        directions.save(run, Direction(f"pca-{k + 1}", "z", vector, "pca", {"share": 0.1}))
    details = {"held_out_accuracy": ACCURACY}
    directions.save(run, Direction("smile<b>", "z", torch.ones(4), "means", details))
    return run


def test_a_run_without_directions_has_no_card(tmp_path: Path) -> None:
    sim.train("pca", "digits", tmp_path / "run", latent_dim=2)
    assert card.edited_examples(gather(Run(tmp_path / "run"))) is None


def test_each_direction_shows_its_edits(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = []
    tiles = card.tiles

    def watched(x: np.ndarray, *rest: object) -> object:
        shown.append(x)
        return tiles(x, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(card, "tiles", watched)
    m = gather(run)
    made = card.edited_examples(m)
    assert made is not None
    assert m.held is not None
    # labelled ones first, and not more than six
    names = ["smile<b>", *(f"pca-{k + 1}" for k in range(5))]
    assert len(shown) == len(names)
    for x, name in zip(shown, names, strict=True):
        y = edit(m.model, tensor(m.held.x[:5]), directions.load(run, name), STRENGTHS)
        assert np.array_equal(x, to_bytes(y.flatten(0, 1)))
    assert "smile&lt;b&gt;: accuracy 92% of 40 (held-out data)" in made.body
    assert "<h3>pca-1</h3>" in made.body
    assert "Columns: strengths -2, -1, 0, +1, +2; 0 is the reconstruction." in made.caption
    assert "2 more directions are not shown" in made.caption


def test_directions_of_other_weights_are_left_out(run: Run) -> None:
    other = Direction("old", "z", torch.ones(4), "means")
    directions.save(run, other)
    file = directions.file_of(run, "old")
    file.write_bytes(file.read_bytes()[:-3])
    made = card.edited_examples(gather(run))
    file.unlink()
    assert made is not None
    assert "1 found with other weights, or damaged, are left out" in made.caption


def test_samples_of_a_gan_are_edited(tmp_path: Path) -> None:
    sim.train("gan", "digits", tmp_path / "run", latent_dim=4, steps=2)
    run = Run(tmp_path / "run")
    directions.save(run, Direction("one", "z", torch.ones(4), "pca"))
    made = card.edited_examples(gather(run))
    assert made is not None
    assert "Rows: the samples of seeds 0 to 4" in made.caption
    assert "0 is the unedited sample" in made.caption
    assert not made.wide


def test_the_page_has_the_card(run: Run) -> None:
    text = write_report(run).read_text(encoding="utf-8")
    standing_alone(text)
    assert 'id="directions"' in text
    assert "smile&lt;b&gt;" in text
    assert "smile<b>" not in text
