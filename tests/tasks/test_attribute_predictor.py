"""What a given classifier knows of data that lack its classes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import simulacra as sim
from simulacra.data.spec import Dataset
from simulacra.tasks.attribute_predictor import given_predictor, known


def test_classes_that_the_data_lack_are_checked_on_the_predictors_own_data(tmp_path: Path) -> None:
    data = sim.load_data("digits")
    sim.train("classifier", "digits", tmp_path / "judge", steps=150, device="cpu")
    spec = replace(data.spec, classes=())
    bare = Dataset(spec, data.test.x[:20])
    predictor = given_predictor(tmp_path / "judge", spec)
    labelled, unlabelled = known(predictor, data.test), known(predictor, bare)
    assert labelled.names == unlabelled.names == tuple(data.spec.classes)
    assert unlabelled.r2 == pytest.approx(labelled.r2)
    assert (unlabelled.predict(bare.x) == predictor.predict(bare.x)).all()


def test_own_data_that_are_gone_withhold(tmp_path: Path) -> None:
    data = sim.load_data("digits")
    x, y = data.train.x[:60], data.train.y
    assert y is not None
    np.savez(tmp_path / "own.npz", x=x, y=y[:60])
    sim.train("classifier", f"npz:{tmp_path / 'own.npz'}", tmp_path / "judge", steps=2, device="cpu")
    (tmp_path / "own.npz").unlink()
    bare = Dataset(replace(data.spec, classes=()), x[:20])
    found = known(given_predictor(tmp_path / "judge", bare.spec), bare)
    assert found.names == ()
    assert all("of the predictor's own ones" in why and "own.npz" in why for why in found.withheld.values())
