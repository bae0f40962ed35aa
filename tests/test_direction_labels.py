"""The benchmark of labels, on a linear model whose latents are the factors."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch

from simulacra.tasks.attribute_predictor import known
from tests.tasks.linear_edits import Linear, factors, predictor


@pytest.fixture
def direction_labels(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(Path(__file__).parents[1] / "benchmarks"))
    return import_module("direction_labels")


def test_more_labels_come_nearer_and_leak_less(direction_labels: ModuleType, tmp_path: Path) -> None:
    data = factors(n=1000)
    model = Linear(torch.eye(3).tolist())
    what = known(predictor(), data.test)
    rows = list(direction_labels.experiment(model, data.train, data.test, what, "smile", draws=4))
    found = {(method, n): several for method, n, several in rows}
    assert {method for method, _ in found} == {"means", "logistic", "means, projected"}
    for method in ("means", "logistic", "means, projected"):
        cosines = [np.mean([one.cosine for one in found[method, n]]) for n in (5, 500, None)]
        assert cosines[2] == pytest.approx(1)
        assert cosines[0] < cosines[1]
    # what is orthogonal to the means of independent factors leaves them alone
    (whole,) = found["means, projected", None]
    assert whole.leakage is not None
    assert whole.leakage < 0.05
    assert whole.left_alone == 2
    direction_labels.draw(rows, tmp_path / "labels.png")
    assert (tmp_path / "labels.png").read_bytes().startswith(b"\x89PNG")


def test_ranges_may_be_infinite(direction_labels: ModuleType) -> None:
    assert direction_labels.range_of([1.0, np.inf, 2.0]) == (2, 1, np.inf)
