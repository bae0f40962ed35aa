"""Report cards of latent maps: where held-out examples lie, by class, by attribute, and as pictures."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure

from simulacra.core.capabilities import Encodes
from simulacra.data.images.attributes import classes, known
from simulacra.data.spec import Dataset
from simulacra.errors import DataError
from simulacra.latent.lattice import leading_plane
from simulacra.report import figures
from simulacra.report.inline_images import WIDTH, chart, picture
from simulacra.report.material import Material
from simulacra.report.report_card import ReportCard
from simulacra.report.templating import render

# attributes that are mapped, at most
MAPPED = 6
# pixels of a picture in the map, and rows of pictures, at most
SIDE, ROWS = 32, 24
# the share of examples on each side of an axis that the map of pictures leaves out
TRIMMED = 0.005


def latent_map(m: Material[Encodes]) -> ReportCard | None:
    """Where held-out examples lie in the latent space, coloured by class."""
    found = placed(m)
    if found is None or m.held is None:
        return None
    points, names, note = found
    spec = m.held.spec
    figure = figures.latent_map(points, names, m.held.y, spec.classes)
    colours = "" if m.held.y is None or not spec.classes else ", coloured by class"
    caption = f"Latent means of {len(m.held):,} examples of the {m.split} split{colours}.{note}"
    return ReportCard("map", "Latent map", chart(figure, "map of the latent space", "paper"), caption)


def pictured_map(m: Material[Encodes]) -> ReportCard | None:
    """Held-out images at the places of their latents."""
    found = placed(m)
    if found is None or m.held is None or m.held.spec.kind != "image" or found[0].shape[1] != 2:
        return None
    points, names, note = found
    canvas = arranged(points, m.held.x)
    caption = (
        f"The same map with images: in each cell of a grid the image whose latent mean is nearest to its"
        f" centre. {names[0]} increases to the right, {names[1]} upwards.{note}"
    )
    return ReportCard("map-images", "Latent map, images", picture(canvas, "images by their latents"), caption)


def attribute_maps(m: Material[Encodes]) -> ReportCard | None:
    """The map once for each attribute, coloured by it: of those that the plane explains best."""
    found = placed(m)
    if found is None or m.held is None or m.held.attributes is None or found[0].shape[1] != 2:
        return None
    points, names, note = found
    listed = sorted(_attributes(m.held, points), key=lambda one: -one.explained)
    if not listed:
        return None
    charts = [
        (chart(one.figure(points, names), f"map coloured by {one.name}", "paper", small=True), one.caption)
        for one in listed[:MAPPED]
    ]
    shown = (
        "" if len(listed) <= MAPPED else f" The {MAPPED} of {len(listed)} attributes that it explains best."
    )
    caption = (
        f"The same map, coloured by attributes.{shown} Explained: the share of an attribute's variance that"
        f" is linear in the two coordinates (R²).{note}"
    )
    body = render("charts.html", charts=charts)
    return ReportCard("map-attributes", "Latent map, attributes", body, caption, wide=True)


def arranged(points: np.ndarray, x: np.ndarray, width: int = WIDTH) -> np.ndarray:
    """Images on white at the places of their points, none over another.

    The plane is divided into cells of the size of an image. Each cell that has points shows the image whose
    point is nearest to its centre.

    Args:
        points: coordinates `(N, 2)`; the first increases to the right, the second upwards.
        x: images, uint8 `(N, 1|3, H, W)`; large ones are reduced and small ones enlarged by a whole factor.
        width: of the result in pixels, at most.

    Returns:
        uint8 `(H', W', 3)`.

    >>> corners = np.array([[0, 0], [1, 0], [0, 1], [1, 1]])
    >>> arranged(corners, np.zeros((4, 1, 32, 32), np.uint8), width=64).shape
    (64, 64, 3)
    """
    larger = max(x.shape[2:])
    reduce, enlarge = max(1, round(larger / SIDE)), max(1, SIDE // larger)
    h, w = (side // reduce * enlarge for side in x.shape[2:])
    low, high = np.quantile(points, [TRIMMED, 1 - TRIMMED], axis=0)
    extent = np.maximum(high - low, 1e-12)
    columns = max(width // w, 1)
    # the same scale along both axes
    rows = int(np.clip(round(extent[1] / extent[0] * columns * w / h), 1, ROWS))
    # (column, row) of each point, from the upper left, in units of cells
    place = np.stack([points[:, 0] - low[0], high[1] - points[:, 1]], axis=1) / extent * (columns, rows)
    inside = np.flatnonzero(((place >= 0) & (place <= (columns, rows))).all(axis=1))
    cell = np.minimum(place.astype(int), (columns - 1, rows - 1))
    farness = np.square(place - cell - 0.5).sum(axis=1)
    # the nearest is last and stays
    order = inside[np.argsort(-farness[inside], kind="stable")]
    canvas = np.full((rows, h, columns, w, 3), 255, np.uint8)
    for (column, row), i in {tuple(cell[i]): i for i in order}.items():
        image = x[i, :, : h // enlarge * reduce, : w // enlarge * reduce].transpose(1, 2, 0)
        parts = image.reshape(h // enlarge, reduce, w // enlarge, reduce, -1).mean(axis=(1, 3))
        canvas[row, :, column] = np.rint(parts).repeat(enlarge, axis=0).repeat(enlarge, axis=1)
    return canvas.reshape(rows * h, columns * w, 3)


def placed(m: Material[Encodes]) -> tuple[np.ndarray, list[str], str] | None:
    """Coordinates `(N, 2)` or `(N, 1)` of the held-out examples, names of the axes, and a note on them."""
    if m.codes is None:
        return None
    z = m.codes.mean.flatten(1)
    plane = leading_plane(z)
    dims = z.shape[1]
    points = np.asarray(plane.project(z))
    if dims <= 2:
        return points, ["z₁", "z₂"][:dims], ""
    names = [f"PC {k + 1} ({100 * share:.0f}% of variance)" for k, share in enumerate(plane.explained)]
    return points, names, f" The two leading principal components of {dims} dimensions."


@dataclass(frozen=True)
class _Attribute:
    """An attribute of N examples: classes, or numbers.

    Attributes:
        name: of it.
        values: of the examples, `(N,)`; of classes their indices.
        classes: their names; empty for numbers.
        explained: share of its variance that is linear in the coordinates of the map.
    """

    name: str
    values: np.ndarray
    classes: tuple[str, ...]
    explained: float

    @property
    def caption(self) -> str:
        return f"{figures.shortened(self.name, 40).strip()}: {100 * self.explained:.0f}% explained"

    def figure(self, points: np.ndarray, names: list[str]) -> Figure:
        if self.classes:
            return figures.latent_map(points, names, self.values, self.classes)
        return figures.shaded_map(points, names, self.values, self.name)


def _attributes(held: Dataset, points: np.ndarray) -> Iterator[_Attribute]:
    """The attributes that vary over the examples."""
    spec, table = held.spec, held.attributes
    assert table is not None
    for name in known(spec.attributes):
        columns = [i for i, one in enumerate(spec.attributes) if one.partition("=")[0] == name]
        values = table[:, columns]
        try:
            names, y = classes("", spec.attributes, table, name)
        except DataError:
            # numbers of many values, or the same in every example
            names, y = (), values[:, 0]
        if np.ptp(y) > 0:
            yield _Attribute(name, y, names, _explained(points, values))


def _explained(points: np.ndarray, values: np.ndarray) -> float:
    """R² of the linear regression of columns `(N, A)` on points `(N, 2)`, of their variances together."""
    centred, y = (array - array.mean(axis=0) for array in (points.astype(float), values.astype(float)))
    fitted = centred @ np.linalg.lstsq(centred, y, rcond=None)[0]
    return float(np.square(fitted).sum() / np.square(y).sum())
