"""Cards of models of tables: rows in the table's own words, and every column."""

import csv
import html
import re
from pathlib import Path

import numpy as np
import pytest

import simulacra as sim
from simulacra.data.tables.schema import Column
from simulacra.metrics.tables import Values
from simulacra.report import tables
from simulacra.report.data_section import data_section
from simulacra.report.material import gather
from simulacra.report.page import write_report
from simulacra.run import Run
from tests.pages import standing_alone

NAMES = ("age", "<script>alert(1)</script>", "day | of", 'so "called"', "note")
WORDS = ("<b>cook</b>", "-nurse", "none & all")


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A vae of numbers, words, days and missing cells, evaluated; a column of names is left out."""
    folder, rng = tmp_path_factory.mktemp("tables"), np.random.default_rng(0)
    rows = [
        (
            int(rng.integers(20, 60)),
            WORDS[rng.integers(3)],
            np.datetime64("2024-01-01") + int(rng.integers(300)),
            "" if rng.random() < 0.2 else f"{rng.normal():.2f}",
            f"person {i}",
        )
        for i in range(400)
    ]
    with (folder / "a.csv").open("w", newline="") as file:
        csv.writer(file).writerows([NAMES, *rows])
    run = Run(folder / "run")
    sim.train("vae", f"csv:{folder / 'a.csv'}", run.path, latent_dim=2, steps=60)
    run.log("evaluation", step=60, **sim.evaluate(sim.load(run.path), run.data(), metrics=["table"]))
    return run


def rows(body: str) -> list[list[str]]:
    """The cells of each row of a table."""
    found = re.findall(r"<tr>(.*?)</tr>", body, re.DOTALL)
    return [[html.unescape(cell) for cell in re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row)] for row in found]


def test_rows_are_written_as_the_table_is(table: Run) -> None:
    m = gather(table)
    card = tables.sampled_rows(m)
    assert card is not None
    names, title, *others = rows(card.body)
    assert names == list(NAMES[:4])
    assert title == ["rows of the test split"]
    assert others[tables.ROWS] == ["samples"]
    # held-out rows are rows of the file, samples are not
    with Path(table.config.source.removeprefix("csv:")).open(newline="") as file:
        known = {tuple(row[:4]) for row in csv.reader(file)}
    assert all(tuple(row) in known for row in others[: tables.ROWS])
    samples = others[tables.ROWS + 1 :]
    assert len(samples) == tables.ROWS
    assert not any(tuple(row) in known for row in samples)
    assert all(row[0].lstrip("-").isdecimal() and row[1] in WORDS for row in samples)


def test_a_page_of_a_table(table: Run) -> None:
    text = write_report(table).read_text(encoding="utf-8")
    page = standing_alone(text)
    assert {"rows", "columns", "data"} <= page.ids
    # codes of categories are no coordinates
    assert "samples" not in page.ids
    assert "rows of 4 columns" in page.words
    for name in NAMES[:4]:
        assert name in page.words
    for kind in ("number", "3 categories: ", "date"):
        assert kind in page.words
    assert "2024-01-0" in page.words
    # scores stand beside those of real rows
    assert "fit of the columns" in page.words
    assert "real data" in page.words
    assert "--out samples.csv" in page.words
    assert page.words.count("fit 0.") == 4


def test_what_is_left_out_is_named(table: Run) -> None:
    facts = dict(data_section(gather(table)).facts)
    assert facts["left out"] == "columns of the file that are no inputs: note"


def test_a_target_is_not_left_out(table: Run, tmp_path: Path) -> None:
    run = Run(tmp_path / "run")
    sim.train("classifier", table.config.source, run.path, target=NAMES[1], steps=2)
    facts = dict(data_section(gather(run)).facts)
    assert facts["left out"] == "columns of the file that are no inputs: note"


def test_fits_are_those_of_the_samples_that_are_drawn(table: Run) -> None:
    m = gather(table)
    card = tables.column_charts(m)
    assert card is not None
    fits = re.findall(r"fit (\d\.\d+), real rows (\d\.\d+)", card.body)
    numbers = table.events("evaluation")[-1]
    real = numbers["real_against_real"]["column_fit"]
    assert np.mean([float(of_real) for _, of_real in fits]) == pytest.approx(real, abs=0.05)
    assert all(0 <= float(fit) <= 1 for fit, _ in fits)


def test_a_number_with_missing_cells() -> None:
    column = Column("a < b", "number", special=("",))
    values = np.linspace(0, 1, 60)
    figure = tables.column_chart(column, Values("", np.append(values, [np.nan] * 20)), Values("", values))
    (axes,) = figure.axes
    assert axes.get_xlabel() == "missing: 25.0%, real rows 0.0%"
    real, samples = (patch.get_data().values for patch in axes.patches)
    assert real.sum() == pytest.approx(100)
    assert samples.sum() == pytest.approx(75)


def test_rare_categories_are_together() -> None:
    column = Column("word", "category", tuple("abcdefghijkl"))
    real = Values("", np.repeat(np.arange(12), np.arange(12, 0, -1)), 12)
    figure = tables.column_chart(column, Values("", np.full(10, 11), 12), real)
    (axes,) = figure.axes
    names = [label.get_text() for label in axes.get_yticklabels()]
    assert names == [*"abcdefgh", "4 others"]
    of_real, of_samples = ([bar.get_width() for bar in bars] for bars in axes.containers)
    assert of_real == pytest.approx([*(100 * np.arange(12, 4, -1) / 78), 100 * 10 / 78])
    assert of_samples == [0] * 8 + [100]


def test_columns_without_any_value() -> None:
    empty = Values("", np.full(5, np.nan))
    figure = tables.column_chart(Column("a", "number", special=("",)), empty, empty)
    assert figure.axes[0].get_xlabel() == "missing: 100.0%, real rows 100.0%"


def test_of_wide_tables_the_worst_columns_are_drawn(tmp_path: Path) -> None:
    x = np.random.default_rng(0).normal(size=(2000, 30))
    x[:, 7] = np.abs(x[:, 7]) ** 4
    np.savez(tmp_path / "a.npz", x=x, column_names=np.array([f"c{i}" for i in range(30)]))
    run = Run(tmp_path / "run")
    sim.train("pca", f"npz:{tmp_path / 'a.npz'}", run.path, latent_dim=2)
    card = tables.column_charts(gather(run))
    assert card is not None
    assert card.body.count("<img") == tables.DRAWN
    assert re.findall(r'alt="(\w+):', card.body)[0] == "c7"
    assert "The 24 of 30 columns with the lowest fit." in card.caption


def test_without_data_rows_are_still_sampled(table: Run, tmp_path: Path) -> None:
    place = Path(table.config.source.removeprefix("csv:"))
    place.rename(tmp_path / "moved.csv")
    try:
        m = gather(table)
        card = tables.sampled_rows(m)
        assert card is not None
        assert card.title == "Sampled rows"
        assert rows(card.body)[1] == ["samples"]
        assert tables.column_charts(m) is None
    finally:
        (tmp_path / "moved.csv").rename(place)
