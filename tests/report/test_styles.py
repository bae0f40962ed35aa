"""The cards of models with styles: their rows, and their place in the page."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from simulacra.cli.main import main
from simulacra.report import styles
from simulacra.report.material import gather
from simulacra.report.page import write_report
from simulacra.run import Run

ROWS = Path(__file__).parents[1] / "tasks" / "rows.py"


@pytest.fixture(scope="module")
def rows(folder: Path) -> Run:
    assert main(["train", f"{ROWS}:Rows", "--data", "digits", "--out", f"{folder}/rows"]) == 0
    return Run(folder / "rows")


def labels(body: str) -> list[str]:
    return re.findall(r"<div>([^<]+)</div>", body)


def test_each_group_of_layers_is_mixed(rows: Run) -> None:
    card = styles.mixing(gather(rows))
    names = ["sources", "coarse: layers 0", "middle: layers 1", "fine: layers 2-3"]
    assert labels(card.body) == names
    heights = [int(height) for height in re.findall(r'height="(\d+)"', card.body)]
    # one row of sources, then one for each destination
    assert [(height + 2) / (heights[0] + 2) for height in heights] == [1, 2, 2, 2]
    assert "samples of seeds 0 to 4. The first column below it: those of seeds 5 to 6." in card.caption


def test_noise_is_left_out_and_measured(rows: Run) -> None:
    card = styles.noise(gather(rows))
    assert labels(card.body)[4] == "deviation to " + card.caption.split("white ")[1].split(" ")[0]
    assert labels(card.body)[5:] == ["no noise", "coarse only", "fine only"]
    # a quarter of the rows has .01, a quarter .02
    mean = float(card.caption.split("(mean ")[1].split(")")[0])
    assert mean == pytest.approx(0.0075, rel=0.05)


def test_at_a_truncation_of_0_all_are_the_mean(rows: Run) -> None:
    card = styles.truncation(gather(rows))
    assert labels(card.body) == ["1", "0.7", "0.5", "0", "-0.5", "-1"]
    assert "from the mean of z" in card.caption


def test_they_follow_the_samples(rows: Run) -> None:
    page = write_report(rows).read_text()
    places = [page.index(f'id="{name}"') for name in ("samples", "nearest", "mixing", "noise", "truncation")]
    assert places == sorted(places)
    assert "<span>mix</span>" in page
    assert "<span>noise</span>" in page
