"""The benchmark of smiles: translators whose changes are known, and a reader that knows the truth."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from torch import Tensor

from simulacra.core.model import Model
from simulacra.core.noise import Noise
from simulacra.data import Dataset, Options, load
from simulacra.data.sources.faces import FACTORS, draw

Change = Callable[[np.ndarray], np.ndarray]


@pytest.fixture
def benchmark(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    monkeypatch.syspath_prepend(str(Path(__file__).parents[1] / "benchmarks"))
    import face_smiles

    yield face_smiles
    del sys.modules["face_smiles"]


@pytest.fixture(scope="module")
def faces() -> Dataset:
    return load("faces:120", Options(image_size=32, target="smiling")).test


class Redraws(Model):
    """Draws the face it is shown anew, its factors changed."""

    def __init__(self, faces: Dataset, change: Change) -> None:
        super().__init__(faces.spec, None)
        assert faces.attributes is not None
        self.known = {x.tobytes(): f for x, f in zip(faces.x, faces.attributes, strict=True)}
        self.change = change

    def cycle(self, x: Tensor, y: Tensor | None) -> tuple[Tensor, Tensor]:
        raise NotImplementedError

    def translate(self, x: Tensor, noise: Noise, to: str | None = None) -> Tensor:
        shown = (255 * x).round().to(torch.uint8).numpy()
        rows = np.stack([self.known[one.tobytes()] for one in shown])[:, : len(FACTORS)]
        changed = self.change(rows.copy())
        made = draw(changed, 32)
        smiling = changed[:, :1] > 0
        for one, f in zip(made, np.concatenate([changed, smiling], axis=1), strict=True):
            self.known[one.tobytes()] = f
        return torch.from_numpy(made).float() / 255

    def read(self, x: np.ndarray) -> np.ndarray:
        """The truth of every face it was shown or has drawn."""
        columns = [0, *map(list(FACTORS).index, ("hair_lightness", "hair_warmth", "skin_tone", "glasses"))]
        return np.stack([self.known[one.tobytes()] for one in x])[:, columns]


def shares(benchmark: ModuleType, faces: Dataset, change: Change) -> dict[str, dict[str, float]]:
    model = Redraws(faces, change)
    rows = list(benchmark.table(model, faces, model.read))
    assert sum(n for _, n, _ in rows) == 2 * len(faces)
    return {name: found for name, _, found in rows}


UNTOUCHED = {"as target": 0, **dict.fromkeys(
    ("hair_lightness", "hair_warmth", "skin_tone", "glasses", "all kept"), 1
)}  # fmt: skip
DIRECTIONS = ("without smiling to smiling", "smiling to without smiling")


def smiles_turned(f: np.ndarray) -> np.ndarray:
    f[:, 0] *= -1
    return f


def test_nothing_is_changed(benchmark: ModuleType, faces: Dataset) -> None:
    found = shares(benchmark, faces, lambda f: f)
    assert list(found) == [
        "without smiling, untouched", "without smiling to smiling",
        "smiling, untouched", "smiling to without smiling",
    ]  # fmt: skip
    assert all(row == UNTOUCHED for row in found.values())


def test_smiles_alone_are_changed(benchmark: ModuleType, faces: Dataset) -> None:
    found = shares(benchmark, faces, smiles_turned)
    assert all(found[name] == UNTOUCHED | {"as target": 1} for name in DIRECTIONS)
    assert all(found[name] == UNTOUCHED for name in found if name not in DIRECTIONS)


def test_all_become_smiling_and_put_glasses_on(benchmark: ModuleType, faces: Dataset) -> None:
    glasses, tone = list(FACTORS).index("glasses"), list(FACTORS).index("skin_tone")

    def changed(f: np.ndarray) -> np.ndarray:
        f[:, 0], f[:, glasses] = 1, 1
        # by too little to count
        f[:, tone] += np.where(f[:, tone] > 0.5, -0.05, 0.05)
        return f

    found = shares(benchmark, faces, changed)
    assert faces.y is not None
    assert faces.attributes is not None
    for k, name in enumerate(DIRECTIONS):
        wore = faces.attributes[faces.y == k, glasses].mean()
        assert 0 < wore < 1
        part = {"as target": 1 - k, "glasses": wore, "all kept": wore}
        assert found[name] == pytest.approx(UNTOUCHED | part)


def test_faces_of_another_colour_are_not_kept(benchmark: ModuleType, faces: Dataset) -> None:
    lightness = list(FACTORS).index("hair_lightness")

    def changed(f: np.ndarray) -> np.ndarray:
        f[:, lightness] += np.where(f[:, lightness] > 0.5, -0.15, 0.15)
        return f

    found = shares(benchmark, faces, changed)
    assert all(found[name] == UNTOUCHED | {"hair_lightness": 0, "all kept": 0} for name in DIRECTIONS)
