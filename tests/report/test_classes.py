"""Cards of predicted classes: the confusion matrix, and the table of classes, with names as they are."""

import html
import re
from pathlib import Path

import numpy as np
import pytest

import simulacra as sim
from simulacra.metrics.confusion import Confusion
from simulacra.report import classes, prediction_figures
from simulacra.report.material import gather
from simulacra.report.page import write_report
from simulacra.run import Run
from tests.pages import standing_alone

NAMES = ("<script>alert(1)</script>", 'a "b" & c', "$x_1$ | *y*")


@pytest.fixture(scope="module")
def awkward(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Three classes with names that pages and charts have to escape."""
    folder = tmp_path_factory.mktemp("classes")
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, 300)
    x = rng.normal(size=(300, 2)) + 2 * y[:, None]
    np.savez(folder / "a.npz", x=x.astype(np.float32), labels=np.array(NAMES)[y])
    sim.train("classifier", f"npz:{folder / 'a.npz'}", folder / "run", steps=40)
    return Run(folder / "run")


def test_counts_are_those_of_the_whole_split(classifier: Run) -> None:
    m = gather(classifier)
    assert m.data is not None
    assert m.classified is not None
    assert len(m.classified.y) == len(m.data.test)
    matrix = Confusion.of(m.classified.y, m.classified.predicted, 10)
    card, table = classes.confusion(m), classes.by_class(m)
    assert card is not None
    assert table is not None
    assert (
        f"{matrix.correct.sum()} of 157 examples of the test split are classified correctly" in card.caption
    )
    cells = [
        re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row) for row in re.findall(r"<tr>(.*?)</tr>", table.body)
    ]
    assert cells[0] == ["class", "examples", "precision", "recall", "F1"]
    assert [row[:2] for row in cells[1:]] == [[str(k), str(n)] for k, n in enumerate(matrix.examples)]
    recall = [float(row[3].split()[0]) for row in cells[1:]]
    assert recall == pytest.approx(100 * matrix.recall.value, abs=0.051)


def test_names_are_escaped(awkward: Run) -> None:
    text = write_report(awkward).read_text(encoding="utf-8")
    page = standing_alone(text)
    assert {"confusion", "by-class"} <= page.ids
    for name in NAMES:
        assert page.words.count(name) >= 2
        assert html.escape(name, quote=False) in text.replace("&#34;", '"')
    (alt,) = (image["alt"] for image in page.images if image["alt"].startswith("examples of each class"))
    assert NAMES[1] in alt


def test_cells_of_a_small_matrix_have_counts_and_shares() -> None:
    (axes,) = prediction_figures.confusion(np.array([[3, 1], [0, 2000]]), ["cat", "dog"]).axes
    assert sorted(text.get_text() for text in axes.texts) == ["1\n25%", "2,000\n100%", "3\n75%"]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["cat", "dog"]


def test_large_matrices_stay_readable() -> None:
    counts = np.random.default_rng(0).integers(0, 3, (100, 100))
    figure = prediction_figures.confusion(counts, [f"class {k}" for k in range(100)])
    (axes,) = figure.axes
    assert not axes.texts
    rows = [label.get_window_extent() for label in axes.get_yticklabels()]
    figure.draw_without_rendering()
    rows = sorted((label.get_window_extent() for label in axes.get_yticklabels()), key=lambda box: box.y0)
    # labels do not lie upon each other
    assert all(a.y1 <= b.y0 + 1 for a, b in zip(rows, rows[1:], strict=False))


def test_of_very_many_classes_the_most_confused_pairs_are_listed(
    classifier: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(classes, "MATRIX", 9)
    monkeypatch.setattr(classes, "LISTED", 4)
    m = gather(classifier)
    assert m.classified is not None
    matrix = Confusion.of(m.classified.y, m.classified.predicted, 10)
    card, table = classes.confusion(m), classes.by_class(m)
    assert card is not None
    assert table is not None
    assert card.title == "Most confused classes"
    true, predicted, n = matrix.most_confused(1)[0]
    first = re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", card.body)[3:6]
    assert first == [str(true), str(predicted), f"{n} of {matrix.examples[true]}"]
    assert "The 4 of 10 classes with the lowest F1." in table.caption
    shown = re.findall(r'<th scope="row">(.*?)</th>', table.body)
    assert sorted(map(int, shown)) == sorted(np.argsort(matrix.f1.value, kind="stable")[:4])


def test_data_without_labels_have_no_cards(awkward: Run, tmp_path: Path) -> None:
    m = gather(awkward)
    Path(awkward.config.source.removeprefix("npz:")).rename(tmp_path / "moved.npz")
    try:
        gone = gather(awkward)
        assert gone.classified is None
        assert classes.confusion(gone) is None
        assert classes.by_class(gone) is None
    finally:
        (tmp_path / "moved.npz").rename(awkward.config.source.removeprefix("npz:"))
    assert m.classified is not None
