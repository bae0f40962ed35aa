"""Latent maps: pictures at the places of their latents, and colours of attributes."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import simulacra as sim
from simulacra.report import maps
from simulacra.report.material import gather
from simulacra.report.page import write_report
from simulacra.run import Run
from tests.pages import standing_alone


@pytest.fixture(scope="module")
def faces(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("maps")
    sim.train("pca", "faces:300", folder / "run", latent_dim=4, image_size=32)
    return Run(folder / "run")


def grey(*values: int) -> np.ndarray:
    """An image of 32x32 pixels of each grey value."""
    return np.array(values, np.uint8).reshape(-1, 1, 1, 1) * np.ones((1, 1, 32, 32), np.uint8)


def test_images_are_where_their_points_are() -> None:
    # the corners of a square, and a point between them that is nearer to the centre of its cell
    points = np.array([[0, 0], [3, 0], [0, 3], [3, 3], [0.6, 0.6]])
    canvas = maps.arranged(points, grey(10, 20, 30, 40, 50), width=96)
    assert canvas.shape == (96, 96, 3)
    cells = canvas[16::32, 16::32, 0]
    # the second coordinate increases upwards
    assert cells.tolist() == [[30, 255, 40], [255, 255, 255], [50, 255, 20]]


@pytest.mark.parametrize(
    ("shape", "cell"), [((1, 8, 8), (32, 32)), ((3, 64, 64), (32, 32)), ((1, 28, 20), (28, 20))]
)
def test_large_images_are_reduced_and_small_ones_enlarged(
    shape: tuple[int, ...], cell: tuple[int, int]
) -> None:
    rng = np.random.default_rng(0)
    canvas = maps.arranged(rng.normal(size=(50, 2)), np.zeros((50, *shape), np.uint8), width=320)
    assert canvas.shape[0] % cell[0] == 0
    assert canvas.shape[1] == 320 // cell[1] * cell[1]


def test_a_line_of_points_is_a_row() -> None:
    points = np.stack([np.arange(10), np.zeros(10)], axis=1)
    assert maps.arranged(points, grey(*range(10)), width=160).shape == (32, 160, 3)


def test_what_the_plane_explains() -> None:
    rng = np.random.default_rng(0)
    points, noise = rng.normal(size=(4000, 2)), rng.normal(size=(4000, 1))
    # half of the variance of x + e is that of x
    assert maps._explained(points, points[:, :1] * 3 + 7) == pytest.approx(1)
    assert maps._explained(points, points[:, :1] + noise) == pytest.approx(0.5, abs=0.04)
    assert maps._explained(points, noise) == pytest.approx(0, abs=0.005)


def test_the_six_attributes_that_the_plane_explains_best(faces: Run) -> None:
    m = gather(faces)
    assert m.codes is not None
    assert m.held is not None
    card = maps.attribute_maps(m)
    assert card is not None
    shares = [int(part.split("%")[0].split()[-1]) for part in str(card.body).split(" explained")[:-1]]
    assert len(shares) == maps.MAPPED
    assert shares == sorted(shares, reverse=True)
    assert "The 6 of 12 attributes" in card.caption


def test_the_page_has_the_maps(faces: Run) -> None:
    page = standing_alone(write_report(faces).read_text(encoding="utf-8"))
    assert {"map", "map-images", "map-attributes"} <= page.ids


def test_one_dimension_and_vectors_have_the_plain_map(autoencoder: Run, vectors: Run) -> None:
    for run in (autoencoder, vectors):
        m = gather(run)
        assert maps.latent_map(m) is not None
        assert maps.pictured_map(m) is None
        assert maps.attribute_maps(m) is None


def test_groups_of_columns_are_classes(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    race = rng.integers(0, 3, 60)
    for i in range(60):
        Image.fromarray(rng.integers(0, 255, (16, 16), dtype=np.uint8)).save(tmp_path / f"{i}.png")
    lines = ["file,race,age", *(f"{i}.png,{'ABC'[k]},{20 + i}" for i, k in enumerate(race))]
    (tmp_path / "labels.csv").write_text("\n".join(lines))
    sim.train("pca", f"folder:{tmp_path}", tmp_path / "out" / "run", latent_dim=3)
    m = gather(Run(tmp_path / "out" / "run"))
    assert m.codes is not None
    assert m.held is not None
    points = np.asarray(m.codes.mean[:, :2])
    found = {one.name: one.classes for one in maps._attributes(m.held, points)}
    assert found["race"] == ("A", "B", "C")
    assert found["age"] == () or all(name.startswith("age=") for name in found["age"])
