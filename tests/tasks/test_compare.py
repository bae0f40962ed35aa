"""Models side by side, and what cannot be compared."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch.distributions import Distribution

import simulacra as sim
from simulacra.errors import ConfigError
from simulacra.tasks.compare import _is_discrete


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    for latent_dim in (4, 32):
        sim.train("pca", "digits", folder / f"pca{latent_dim}", latent_dim=latent_dim)
    sim.train("vae", "digits", folder / "vae", steps=10)
    sim.train("pca", "digits", folder / "small", image_size=6)
    sim.train("pca", "iris", folder / "iris", latent_dim=1)
    return folder


def test_numbers_are_those_of_evaluate_and_the_best_is_marked(runs: Path) -> None:
    four, many = runs / "pca4", runs / "pca32"
    comparison = sim.compare([four, many])
    assert comparison.data == "digits@test"
    for run in (four, many):
        alone = sim.evaluate(sim.load(run), sim.load_data("digits"))
        assert comparison.values[str(run)] == {key: alone[key] for key in comparison.values[str(run)]}
        assert {"nll", "elbo", "psnr", "knn_accuracy"} <= set(comparison.values[str(run)])
    assert comparison.best("nll") == comparison.best("psnr") == [str(many)]
    (line,) = [line for line in str(comparison).splitlines() if line.startswith("nll ")]
    assert line.split()[1] == "lower"
    assert [cell.endswith("*") for cell in line.split()[2:]] == [False, True]
    assert comparison.note == ""
    by_name = sim.compare({"few": four, "many": sim.load(many)}, sim.load_data("digits"), metrics=["nll"])
    assert by_name.as_dict()["models"]["few"] == {"nll": comparison.values[str(four)]["nll"]}


def test_models_without_a_metric_are_left_blank_and_named_by_class(runs: Path) -> None:
    pca, vae = sim.load(runs / "pca4"), sim.load(runs / "vae")
    generator = sim.Generator(pca.spec, sim.MODELS["generator"].Config()).eval()
    comparison = sim.compare([pca, generator, pca], sim.load_data("digits"), examples=20)
    assert list(comparison.values) == ["PCA", "Generator", "PCA 2"]
    assert "nll" not in comparison.values["Generator"]
    assert comparison.best("nll") == ["PCA", "PCA 2"]
    assert sim.compare([pca, generator], sim.load_data("digits"), examples=20).best("nll") == []
    # a density of grey values, and the probability of black and white
    mixed = sim.compare([pca, vae], sim.load_data("digits"), examples=20)
    assert mixed.best("nll") == mixed.best("elbo") == []
    assert mixed.best("psnr") == ["PCA"]
    assert mixed.note.startswith("Not comparable")
    assert "PCA: density of x, VAE: probability of x" in str(mixed).splitlines()[-1]


@pytest.mark.parametrize(
    ("names", "data", "message"),
    [
        (["pca4"], None, "give two or more models"),
        (["pca4", "pca4"], None, "is named twice"),
        (["pca4", "iris"], None, "trained on different data .*digits.*iris"),
        (["pca4", "small"], None, r"shapes \(1, 8, 8\) and \(1, 6, 6\)"),
        (["pca4", "nowhere"], None, "no run here"),
    ],
)
def test_what_cannot_be_compared(runs: Path, names: list[str], data: Any, message: str) -> None:
    with pytest.raises(sim.errors.SimulacraError, match=message):
        sim.compare([runs / name for name in names], data)


def test_models_need_data(runs: Path) -> None:
    pca = sim.load(runs / "pca4")
    with pytest.raises(ConfigError, match="keeps no data"):
        sim.compare([pca, pca])


def test_tables_are_compared_with_and_without_likelihoods(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"age": rng.normal(40, 10, 200).round(), "sex": rng.choice(["female", "male"], 200)})
    vaes = {f"{n}": sim.train("vae", table, tmp_path / f"{n}", steps=n) for n in (5, 10)}
    for metrics in (["nll"], ["table"]):
        found = sim.compare(vaes, table, metrics=metrics)
        assert set(found.values) == {"5", "10"}
        assert found.note == ""
    # all columns are categories: rows have probabilities
    codes = table[["sex"]].assign(job=rng.choice(["a", "b"], 200))
    vae = sim.train("vae", codes, tmp_path / "codes", steps=5)
    p = vae.decode(torch.zeros(1, *vae.latent.shape))
    assert _is_discrete(p)
    assert not _is_discrete(vaes["5"].decode(torch.zeros(1, *vaes["5"].latent.shape)))


def test_a_distribution_without_support_has_densities() -> None:
    assert not _is_discrete(Distribution(validate_args=False))
    assert not _is_discrete(None)


def test_splits_that_differ_are_named(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    file = tmp_path / "heights.csv"
    pd.DataFrame({"a": rng.normal(size=200), "b": rng.normal(size=200)}).to_csv(file, index=False)
    for split in ("hash", "time"):
        sim.train("pca", str(file), tmp_path / split, latent_dim=1, split=split)
    with pytest.raises(ConfigError, match=r"test splits differ.*--data NAME"):
        sim.compare([tmp_path / split for split in ("hash", "time")])
