"""When a training warns, how often, and of what."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

import simulacra as sim
from simulacra.core.model import Model
from simulacra.data.spec import DataSpec
from simulacra.engine.monitors.warnings import COLLAPSED, MARGIN, OVERFITTED, START, TrainingWarnings
from simulacra.models.gan.card import GANConfig
from simulacra.models.gan.model import GAN
from simulacra.models.vae.card import VAEConfig
from simulacra.models.vae.model import VAE
from simulacra.run import Run

IMAGES = DataSpec("image", (1, 8, 8))


def gan(spec: DataSpec = IMAGES, **settings: Any) -> GAN:
    return GAN(spec, GANConfig(hidden=(8,), latent_dim=2, net="mlp", **settings))


def watch(*events: dict[str, Any], n: int = 500, **settings: Any) -> TrainingWarnings:
    return TrainingWarnings(gan(**settings), n, events)


def signs(over: TrainingWarnings, *diversities: float) -> list[list[str]]:
    return [[sign for sign, _ in over.check(START + i, {"diversity": d})] for i, d in enumerate(diversities)]


def test_a_collapse_is_said_once_and_again_after_it_was_over() -> None:
    collapse = ["collapse"]
    assert signs(watch(), 0.9, 0.2, 0.1, 0.0) == [[], collapse, [], []]
    # just above the limit is not over it
    assert signs(watch(), 0.9, 0.2, COLLAPSED + MARGIN / 2, 0.2) == [[], collapse, [], []]
    assert signs(watch(), 0.9, 0.2, COLLAPSED + MARGIN, 0.2) == [[], collapse, [], collapse]


def test_a_generator_that_starts_has_not_collapsed() -> None:
    assert signs(watch(), 0.02, 0.1, 0.2, 0.25, 0.5) == [[]] * 5
    # one that gets nowhere has
    assert signs(watch(), 0.02, 0.02) == [[], ["collapse"]]
    assert signs(watch(), 0.0) == [["collapse"]]
    assert signs(watch(), 0.1, 0.1001) == [[], ["collapse"]]
    # when it has had time
    early = watch()
    assert [list(early.check(step, {"diversity": 0.0})) for step in range(0, START, 50)] == [[]] * 10
    # one that falls back at once
    assert [len(list(early.check(step, {"diversity": d}))) for step, d in ((20, 0.5), (30, 0.2))] == [0, 1]


def test_repeated_samples_are_a_collapse_however_far_apart() -> None:
    before = {"event": "validation", "diversity": 0.9, "distinct": 500, "held_out_distinct": 500}

    def of(*distinct: float) -> list[int]:
        over = watch(before)
        looks = ({"diversity": 0.94, "distinct": d, "held_out_distinct": 500.0} for d in distinct)
        return [len(list(over.check(START + i, look))) for i, look in enumerate(looks)]

    for k in (1, 2, 3, 5, 10):
        assert of(k) == [1]
    assert of(500, 10, 10, 500, 10) == [0, 1, 0, 0, 1]
    # data that have few values themselves
    look = {"diversity": 1.0, "distinct": 8.0, "held_out_distinct": 8.0}
    assert list(watch().check(START, look)) == []
    ((_, text),) = watch(before).check(9, {"diversity": 0.94, "distinct": 10.2, "held_out_distinct": 500.0})
    assert text.startswith(
        "samples repeat: they are as often the same as if there were 10 different ones; among examples of the"
        " data there are 500. Try "
    )


def test_a_resumed_training_remembers_what_was_said() -> None:
    def looked(diversity: float) -> dict[str, Any]:
        return {"event": "validation", "diversity": diversity}

    warning = {"event": "warning", "cause": "collapse"}
    assert signs(watch(looked(0.9), looked(0.2), warning), 0.1) == [[]]
    assert signs(watch(looked(0.9), looked(0.2), warning, looked(0.9)), 0.1) == [["collapse"]]
    # and what was seen last
    assert signs(watch(looked(0.1)), 0.2) == [[]]
    assert signs(watch(looked(0.9)), 0.2) == [["collapse"]]


def accuracies(real: float, held_out: float) -> dict[str, float]:
    return {"diversity": 1.0, "real_accuracy": real, "held_out_accuracy": held_out, "fake_accuracy": 1.0}


def overfits(over: TrainingWarnings, *pairs: tuple[float, float]) -> list[bool]:
    return [bool(list(over.check(9, accuracies(*pair)))) for pair in pairs]


def test_overfitting_is_a_gap_between_training_and_held_out_examples() -> None:
    assert overfits(watch(), (1.0, 0.5)) == [True]
    assert overfits(watch(), (0.5, 0.5), (0.9, 0.9), (0.9, 0.7), (0.2, 0.9)) == [False] * 4
    again = (0.9, 0.91 - OVERFITTED + MARGIN)
    assert overfits(watch(), (1.0, 0.5), (1.0, 0.5), (0.9, 0.7), (1.0, 0.5)) == [True, False, False, False]
    assert overfits(watch(), (1.0, 0.5), again, (1.0, 0.5)) == [True, False, True]


def test_a_gap_that_chance_makes_is_none() -> None:
    # of 20 examples the standard error of the difference is sqrt(0.09 + 0.24) / sqrt(20) = 0.13
    assert overfits(watch(n=20), (0.9, 0.6)) == [False]
    assert overfits(watch(n=500), (0.9, 0.6)) == [True]
    assert overfits(watch(n=20), (0.9, 0.4)) == [True]


def text_of(model: Model, terms: dict[str, float]) -> str:
    over = TrainingWarnings(model, 500, [{"event": "validation", "diversity": 0.9}])
    ((_, text),) = over.check(9, terms)
    return text


def test_remedies_are_those_of_the_model() -> None:
    collapsed = {"diversity": 0.0123}
    assert text_of(gan(), collapsed) == (
        "samples have collapsed: their distances are 0.01 times those of held-out examples. Try a larger"
        " --r1, --batch-deviation, another --objective or a smaller --lr, in another --out"
    )
    assert "--batch-deviation" not in text_of(gan(batch_deviation=True), collapsed)
    vae = VAE(IMAGES, VAEConfig(hidden=(8,)))
    assert "Try a smaller --lr or more --steps, in" in text_of(vae, collapsed)
    assert "a model with an adversary or an encoder" in text_of(Model(IMAGES, None), collapsed)
    overfitted = accuracies(0.98, 0.55)
    assert text_of(gan(), overfitted) == (
        "the discriminator memorises the training set: it accepts 98% of the training examples, but 55% of"
        " held-out ones. Try --augment ada or more data, in another --out"
    )
    for model in (gan(DataSpec("vector", (2,))), gan(augment="ada")):
        assert "Try more data, in" in text_of(model, overfitted)


def test_a_posterior_that_collapses_is_named_once_after_the_start() -> None:
    vae = VAE(IMAGES, VAEConfig(hidden=(8,)))

    def kinds(*kls: float, step: int = 600) -> list[list[str]]:
        over = TrainingWarnings(vae, 500)
        return [[kind for kind, _ in over.check(step, {"kl": kl})] for kl in kls]

    assert kinds(0.05, 0.04) == [[], ["posterior collapse"]]
    assert kinds(3.0, 0.09, 0.08, 0.07) == [[], ["posterior collapse"], [], []]
    # rising, early, or informative
    assert kinds(0.02, 0.04, 0.08, 0.3) == [[], [], [], []]
    assert kinds(0.05, 0.04, step=400) == [[], []]
    assert kinds(0.5, 0.02, 0.4, 0.03)[1::2] == [["posterior collapse"], ["posterior collapse"]]
    over = TrainingWarnings(vae, 500, [{"event": "validation", "kl": 1.0}])
    ((_, text),) = over.check(600, {"kl": 0.02})
    assert text == (
        "posterior collapse: the latents carry 0.02 nats about an example, so the decoder ignores them. Try"
        " --free-bits 0.1, a longer --kl-warmup or a smaller --beta, in another --out"
    )


def test_a_strong_decoder_collapses_the_posterior_and_free_bits_cure_it(tmp_path: Path) -> None:
    """A full covariance at the output fits a normal distribution without any latents."""
    rng = np.random.default_rng(0)
    x = (rng.normal(size=(2000, 5)) @ rng.normal(size=(5, 5))).astype(np.float32)
    settings: dict[str, Any] = {
        "latent_dim": 2, "hidden": (32,), "likelihood": "multivariate-normal", "steps": 700, "lr": 3e-3,
        "batch_size": 64, "validate_every": 100, "sample_every": 700,
    }  # fmt: skip

    def train(name: str, **others: Any) -> tuple[list[str], float]:
        sim.train("vae", x, tmp_path / name, **settings, **others)
        run = Run(tmp_path / name)
        causes = [event["cause"] for event in run.events("warning")]
        return causes, run.events("validation")[-1]["kl"]

    causes, kl = train("strong")
    assert causes == ["posterior collapse"]
    assert kl < 0.1
    causes, kl = train("cured", free_bits=0.2)
    assert causes == []
    assert kl > 0.35
