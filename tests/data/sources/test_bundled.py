from __future__ import annotations

import numpy as np
import pytest

from simulacra.data import Data, load
from simulacra.data.spec import SPLITS


def together(data: Data, what: str) -> np.ndarray:
    return np.concatenate([getattr(data.split(split), what) for split in SPLITS])


@pytest.mark.parametrize(
    ("name", "columns", "counts", "first", "of"),
    [
        ("iris", 4, {"setosa": 50, "versicolor": 50, "virginica": 50}, [5.1, 3.5, 1.4, 0.2], "setosa"),
        ("wine", 13, {"class 0": 59, "class 1": 71, "class 2": 48}, [14.23, 1.71, 2.43, 15.6], "class 0"),
        (
            "breast-cancer",
            30,
            {"malignant": 212, "benign": 357},
            [17.99, 10.38, 122.8, 1001.0],
            "malignant",
        ),
    ],
)
def test_classes(name: str, columns: int, counts: dict[str, int], first: list[float], of: str) -> None:
    data = load(name)
    spec = data.spec
    assert (spec.kind, spec.shape, len(spec.columns)) == ("vector", (columns,), columns)
    assert spec.target is None
    x, y = together(data, "x"), together(data, "y")
    assert (x.dtype, y.dtype) == (np.float32, np.int64)
    assert dict(zip(spec.classes, np.bincount(y).tolist(), strict=True)) == counts
    # the first row of the published file
    row = (x[:, :4] == np.float32(first)).all(axis=1)
    assert [spec.classes[label] for label in y[row]] == [of]


def test_names_are_tidy() -> None:
    assert load("wine").spec.columns[1] == "malic acid"
    assert load("iris").spec.columns[3] == "petal width (cm)"
    assert load("breast-cancer").spec.columns[-1] == "worst fractal dimension"


def test_diabetes_is_on_its_own_scale() -> None:
    data = load("diabetes")
    assert data.spec.columns == ("age", "sex", "bmi", "bp", "s1", "s2", "s3", "s4", "s5", "s6")
    assert data.spec.target is not None
    assert data.spec.target.columns == ("disease progression",)
    assert data.spec.classes == ()
    x, t = together(data, "x"), together(data, "target")
    assert x.shape == (442, 10)
    assert t.shape == (442, 1)
    assert t.dtype == np.float32
    # age in years; the mean of the response, as published
    assert (x[:, 0].min(), x[:, 0].max()) == (19, 79)
    assert t.mean() == pytest.approx(152.13, abs=0.01)
    # the first patient of the published file: 59 years, bmi 32.1, response 151
    first = (x[:, :4] == np.float32([59, 2, 32.1, 101])).all(axis=1)
    assert t[first].tolist() == [[151.0]]
