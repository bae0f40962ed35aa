"""Numbers of samples and of translations, of models that make what is known."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

import simulacra as sim
from simulacra.core.capabilities import Samples
from simulacra.core.model import Model
from simulacra.core.noise import Noise
from simulacra.data import load
from simulacra.data.spec import Data, Dataset, DataSpec
from simulacra.data.tables.schema import Column, Schema
from simulacra.errors import ConfigError, DataError
from simulacra.metrics.sample_scores import score_samples
from simulacra.models.registry import build, model_card
from simulacra.tasks.evaluate import evaluate
from tests.metrics.translators import (
    DOMAINS,
    Brightness,
    Constant,
    Hides,
    Inverts,
    Stub,
    Varies,
    domains,
    pairs,
)


class AtModes(Samples):
    """Half its samples at the first mode of the ring, a quarter at the second, a quarter in the middle."""

    def __init__(self, modes: np.ndarray) -> None:
        super().__init__(DataSpec("vector", (2,)), None)
        points = np.stack([modes[0], modes[1], modes[0], np.zeros(2)])
        self.register_buffer("points", torch.from_numpy(points).float())

    def sample(
        self, n: int, seed: int | Noise = 0, *, truncation: float = 1.0, draw: bool | None = None
    ) -> Tensor:
        points = self.get_buffer("points")
        return points[torch.arange(n) % len(points)]


def test_shares_of_the_modes() -> None:
    data = load("gaussians-8:2000")
    assert data.truth.modes is not None
    numbers = evaluate(AtModes(data.truth.modes), data, examples=100)
    assert numbers["mode_shares"] == [0.5, 0.25, 0, 0, 0, 0, 0, 0]
    assert sum(numbers["mode_shares"]) == pytest.approx(numbers["within_4_sigma"])
    assert numbers["modes_covered"] == 2


SCORES = ("fid", "kid", "prdc")
# of scores, what is the same for both directions
ABOUT = {"extractor", "weights", "resize", "features"}


def test_translations_of_pairs() -> None:
    data = pairs()
    numbers = evaluate(Varies(data.spec), data)
    l1s = {"l1", "best_l1", "diversity_l1", "targets_l1"}
    assert set(numbers) == {"data", "examples", "seed", "variants", "psnr", "ssim"} | l1s
    # up to a fifth is missing, a tenth on average, of the best of K variants 1 / (K + 1) of the fifth
    assert numbers["l1"] == pytest.approx(0.1, abs=0.03)
    assert numbers["best_l1"] == pytest.approx(0.2 / 5, abs=0.015)
    assert numbers["diversity_l1"] == pytest.approx(0.2 / 3, abs=0.015)
    assert numbers["variants"] == 4
    many = evaluate(Varies(data.spec), data, variants=20)
    assert many["best_l1"] == pytest.approx(0.2 / 21, abs=0.005)
    assert (many["l1"], many["variants"]) == (numbers["l1"], 20)
    assert evaluate(Varies(data.spec), data, seed=1)["l1"] != numbers["l1"]
    assert evaluate(Varies(data.spec), data) == numbers


def test_translations_of_pairs_are_scored_against_the_targets() -> None:
    data = pairs()
    target = data.test.target
    assert target is not None
    numbers = evaluate(Stub(data.spec), data, metrics=(*SCORES, "memorisation", "perceptual"))
    assert "l1" not in numbers
    # what it makes are its inputs
    expected = score_samples(data.test.x, target, "raw", (*SCORES, "memorisation"), train=data.train.target)
    assert {name: numbers[name] for name in expected} == expected
    # of 1 - x, by its cosine
    u, v = (
        a.reshape(30, -1) / np.linalg.norm(a.reshape(30, -1) / 1.0, axis=1)[:, None]
        for a in (data.test.x, target)
    )
    assert numbers["perceptual"] == pytest.approx((2 - 2 * (u * v).sum(1)).mean(), rel=1e-4)
    assert numbers["diversity_perceptual"] == 0
    assert numbers["best_perceptual"] == numbers["perceptual"]


def test_translations_between_domains() -> None:
    data = domains()
    numbers = evaluate(Hides(data.spec), data)
    assert set(numbers) == {"data", "examples", "seed", "directions"}
    there, back = (numbers["directions"][name] for name in ("dark to bright", "bright to dark"))
    assert there["cycle_l1"] < 1e-4 < 0.1 < there["cycle_l1_quantised"]
    # this way nothing is hidden
    assert back["cycle_l1"] == pytest.approx(back["cycle_l1_quantised"], rel=1e-3)


def test_translations_between_domains_are_scored_each_way() -> None:
    data = domains()
    x, y = data.test.x, data.test.y
    numbers = evaluate(Inverts(data.spec), data, metrics=[*SCORES, "memorisation"])
    assert {*numbers} == {"data", "examples", "seed", "directions", *ABOUT}
    for name in ("dark to bright", "bright to dark"):
        found = numbers["directions"][name]
        assert found["fid"] == pytest.approx(0, abs=1e-3)
        assert (found["precision"], found["recall"], found["copies"]) == (1, 1, 0)
        assert (found["samples"], found["real"], found["train"]) == (30, 30, 30)
        assert "cycle_l1" not in found
    found = evaluate(Constant(data.spec), data, metrics=["kid"])["directions"]["bright to dark"]
    expected = score_samples(np.full_like(x[y == 1], 64), x[y == 0], "raw", ["kid"])
    assert found["kid"] == expected["kid"]


def test_classes_of_translations() -> None:
    data = domains()
    right = {"translated_as_target": 1, "real_as_target": 1, "source_as_target": 0, "cycle_as_source": 1}
    numbers = evaluate(Inverts(data.spec), data, metrics=["classes"], features=Brightness())
    found = numbers["directions"]["dark to bright"]
    assert found.items() >= right.items()
    # the shares of all classes, as of samples
    assert (found["class_shares"], found["class_shares_data"]) == ([0, 1], [0, 1])
    # whatever the classes are called
    other = Brightness(("night", "day"))
    found = evaluate(Inverts(data.spec), data, metrics=["classes"], features=other)["directions"]
    assert found["dark to bright"].items() >= {**right, "target_class": "day"}.items()
    assert found["bright to dark"].items() >= {**right, "target_class": "night"}.items()


def test_two_domains_of_one_class_are_not_told_apart() -> None:
    test = domains().test
    # bright ones are called so, and dark ones too
    data = replace(domains(), test=replace(test, x=np.concatenate([test.x[30:], test.x[30:]])))
    numbers = evaluate(
        Inverts(DOMAINS), data, metrics=["classes", "kid"], features=Brightness(("night", "day"))
    )
    assert (
        numbers["left_out"] == "shares classified as a domain, since most images of both have the same class"
    )
    for found in numbers["directions"].values():
        assert found["cycle_same_class"] == 1
        assert "translated_as_target" not in found


def test_the_first_examples_are_half_of_each_domain() -> None:
    data = domains()
    numbers = evaluate(Inverts(data.spec), data, metrics=["kid"], examples=12)
    assert numbers["examples"] == 12
    assert [found["samples"] for found in numbers["directions"].values()] == [6, 6]


def test_large_images_are_translated_few_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    data = pairs()

    class Counts(Stub):
        def translate(self, x: Tensor, seed: int | Noise = 0, to: str | None = None) -> Tensor:
            seen.append(len(x))
            return x

    monkeypatch.setattr("simulacra.core.batch.PIXELS", 20 * 64)
    evaluate(Counts(data.spec), data, variants=2)
    assert seen == [20, 20, 10, 10]
    # one is enough for scores
    seen.clear()
    evaluate(Counts(data.spec), data, metrics=["kid"])
    assert seen == [20, 10]


@pytest.mark.parametrize(
    ("model", "data", "said"),
    [
        (Stub(pairs().spec), domains(), "has no targets to compare translations with"),
        (
            Inverts(replace(DOMAINS, classes=("horse", "zebra"))),
            domains(),
            "hold 'dark', 'bright' in 180 rows, and the model knows only 'horse', 'zebra'",
        ),
        (Inverts(DOMAINS), pairs(), "its classes are none; the model"),
        (
            Inverts(DOMAINS),
            replace(domains(), test=domains().test.take(slice(30))),
            "no examples of 'bright' in this split",
        ),
    ],
)
def test_data_without_what_is_to_be_translated(model: Model, data: Data, said: str) -> None:
    with pytest.raises(DataError, match=said):
        evaluate(model, data)


def test_scores_that_need_more_examples_are_left_out() -> None:
    data = pairs(3)
    metrics = ["translation", "perceptual", "fid", "kid", "prdc"]
    numbers = evaluate(Varies(data.spec), data, metrics=metrics)
    assert numbers["left_out"] == "kid needs 4 examples, not 3, prdc needs 6 examples, not 3"
    assert {"l1", "perceptual", "fid", "samples", "extractor"} <= set(numbers)
    assert not {"kid", "precision"} & set(numbers)
    numbers = evaluate(Inverts(DOMAINS), domains(1), metrics=metrics)
    assert numbers["left_out"].startswith("fid needs 2 examples, not 1, kid")
    assert all("cycle_l1" in found for found in numbers["directions"].values())
    # the targets of two inputs take two
    numbers = evaluate(Varies(data.spec), pairs(1), metrics=metrics)
    assert {"l1", "best_perceptual", "diversity_perceptual"} <= set(numbers)
    assert not {"targets_l1", "targets_perceptual"} & set(numbers)


def test_one_variant_says_nothing() -> None:
    with pytest.raises(ConfigError, match="variants: must be at least 2, not 1"):
        evaluate(Varies(pairs().spec), pairs(), variants=1)


def test_extractors_are_refused_before_anything_is_translated() -> None:
    class Refuses(Stub):
        def translate(self, x: Tensor, seed: int | Noise = 0, to: str | None = None) -> Tensor:
            raise AssertionError

    with pytest.raises(ConfigError, match="did you mean 'inception'"):
        evaluate(Refuses(pairs().spec), pairs(), metrics=["kid"], features="incepton")
    # and nothing is translated for numbers of other models
    with pytest.raises(ConfigError, match="latents, nll do not apply to this model"):
        evaluate(Refuses(pairs().spec), pairs(), metrics=["latents", "nll"])


def test_rows_with_unseen_categories_are_counted() -> None:
    schema = Schema((Column("age", "number"), Column("sex", "category", ("f", "m"))))
    spec = DataSpec("vector", (3,), schema=schema)
    rng = np.random.default_rng(0)
    x = np.column_stack([rng.normal(40, 10, 50), np.eye(2)[rng.integers(0, 2, 50)]]).astype(np.float32)
    model = build("pca", spec, model_card("pca").Config())
    model.prepare(Dataset(spec, x))
    new = x.copy()
    new[:4, 1:] = 0
    for rows, counted in ((x, {}), (new, {"unseen_rows": 4})):
        numbers = evaluate(
            model, Data("table", *(Dataset(spec, part) for part in (x, x, rows))), metrics=["nll"]
        )
        assert {key: value for key, value in numbers.items() if key == "unseen_rows"} == counted
        assert "importance_samples" not in numbers


def test_no_number_of_vectors_depends_on_their_units(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    x = (rng.normal(size=(600, 3)) @ rng.normal(size=(3, 3))).astype(np.float32)
    found = []
    for name, unit in (("metres", [1, 1, 1]), ("others", [1, 1000, 0.01])):
        parts = (Dataset(DataSpec("vector", (3,)), rows * np.float32(unit)) for rows in np.split(x, 3))
        data = Data("measured", *parts)
        model = sim.train("pca", data, tmp_path / name, latent_dim=2)
        found.append(evaluate(model, data, metrics=["reconstruction", "samples", *SCORES]))
    keys = ("mse", "variance_ratio", "mean_distance", "fid", "kid", "precision", "coverage")
    first, second = ([numbers[key] for key in keys] for numbers in found)
    assert second == pytest.approx(first, rel=0.02, abs=1e-3)
    assert found[0]["extractor"] == "standardised raw"
