"""Trainings that are killed, interrupted or lose their terminal end as if nothing had, byte for byte."""

from __future__ import annotations

import json
import random
import shutil
import signal
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pytest

from simulacra.models.registry import MODELS
from simulacra.run import Run
from tests.survival.launcher import STEP, Ending, Launcher, Outcome, Terminal

FLOW = f"{Path(__file__).parents[2] / 'examples' / 'flow.py'}:Flow"
BRIEF = ["--steps", "24", "--log-every", "4", "--batch-size", "16", "--precision", "32", "--device", "cpu"]
DIGITS = ["--data", "digits", "--hidden", "8"]
STYLES = ["--data", "digits", "--latent-dim", "4", "--width", "2"]
SMALL = ["--steps", "12", "--batch-size", "4", "--image-size", "32", "--load-size", "36", "--width", "4"]
# the first word is the model; what a training remembers from step to step is switched on
SENTENCES = ["--data", "sentences:400", "--width", "8", "--embedding", "8"]
TRAININGS = {
    "autoencoder": ["autoencoder", *DIGITS, "--latent-dim", "2", "--keep", "best"],
    "autoencoder_kl": [
        "autoencoder_kl",
        "--data",
        "digits",
        "--width",
        "8",
        "--latent-channels",
        "2",
        "--perceptual-weight",
        "0",
    ],
    "classifier": ["classifier", "--data", "folder:DATA/classes", "--width", "4", "--hidden", "8"],
    "robust classifier": ["classifier", *DIGITS, "--net", "mlp", "--robust", "--attack-steps", "2"],
    "conditional_flow_matching": [
        "conditional_flow_matching",
        *DIGITS,
        "--net",
        "mlp",
        "--solver-steps",
        "2",
    ],
    "conditional_gan": ["conditional_gan", *DIGITS, "--net", "mlp", "--evaluate-every", "8"],
    "cyclegan": ["cyclegan", "--data", "unpaired:DATA/unpaired", *SMALL, "--blocks", "1", "--pool", "3"],
    "dfc_vae": ["dfc_vae", "--features", "DATA/classifier", *DIGITS, "--latent-dim", "2"],
    "flow": ["flow", "--data", "moons:400", "--hidden", "8", "--transforms", "2"],
    "flow_matching": ["flow_matching", "--data", "moons:400", "--hidden", "8", "--ema", "0.9"],
    "gan": ["gan", *DIGITS, "--net", "mlp", "--r1", "1", "--lazy", "3", "--augment", "ada"],
    "gan_encoder": ["gan_encoder", "--generator", "DATA/gan", *DIGITS, "--perceptual-weight", "0"],
    "generator": ["generator", *DIGITS],
    "gmm": ["gmm", "--data", "moons:400"],
    "language_model": ["language_model", *SENTENCES, "--dropout", "0.2"],
    "mdn": ["mdn", "--data", "bishop-inverse:400", "--warmup", "5"],
    "model in a file": [FLOW, "--data", "moons:400", "--clip", "1"],
    "naive": ["naive", *DIGITS],
    "pca": ["pca", "--data", "digits"],
    "pix2pix": ["pix2pix", "--data", "pairs:DATA/pairs", *SMALL, "--style-dim", "2", "--flip"],
    "regressor": ["regressor", "--data", "robot-arm:400", "--accumulate", "2"],
    "sentence_autoencoder": ["sentence_autoencoder", *SENTENCES, "--latent-dim", "2"],
    "sentence_vae": ["sentence_vae", *SENTENCES, "--word-dropout", "0.3", "--encoder-steps", "2"],
    "stylegan": [
        "stylegan",
        *STYLES,
        "--path-length",
        "2",
        "--augment",
        "ada",
        "--ema",
        "0.9",
        "--lazy",
        "3",
    ],
    "conditional_stylegan": ["conditional_stylegan", *STYLES],
    "vae": ["vae", *DIGITS, "--latent-dim", "2", "--ema", "0.9", "--keep", "best"],
    "vae with groups": [
        "vae",
        *DIGITS,
        "--latent-dim",
        "2",
        "--groups",
        "3",
        "--net",
        "resnet",
        "--width",
        "4",
    ],
    "vae of a table": ["vae", "--data", "csv:DATA/table.csv", "--latent-dim", "2", "--hidden", "8"],
}
KILLS = 20
# At the default of 60 s between checkpoints a short training has none. In about half of the starts their
# clock gains 25 s with every step, so that one is due at every third.
TICK = 25.0
# seconds from a point to a kill at most: enough to be in the middle of what follows
DELAY = 0.005


@dataclass(frozen=True)
class Result:
    """Weights and sample grids, and the events but for their speed."""

    files: dict[str, bytes]
    events: list[dict[str, object]]


@dataclass(frozen=True)
class Training:
    """A training that can be stopped."""

    name: str
    launcher: Launcher

    @property
    def folder(self) -> Path:
        return self.launcher.folder / "runs" / self.name

    def run(self, ending: Ending | None = None, tick: float = 0, terminal: Terminal = "kept") -> Outcome:
        """Start it, or resume it."""
        data = str(self.launcher.folder / "data")
        model, *words = (word.replace("DATA", data) for word in TRAININGS[self.name])
        # of an option that is given twice, the last one counts
        words = ["train", model, *BRIEF, *words, "--out", str(self.folder)]
        return self.launcher.run(words, ending, tick, terminal)

    def finish(self, tick: float = 0, terminal: Terminal = "kept") -> Outcome:
        """Run it to its end."""
        outcome = self.run(tick=tick, terminal=terminal)
        assert outcome.code == 0, outcome.said
        assert [*self.launcher.folder.rglob("*.tmp")] == []
        return outcome

    def forget(self) -> None:
        """As before the first start: there is no run, and no decoded picture."""
        for folder in (self.folder, self.launcher.cache):
            shutil.rmtree(folder, ignore_errors=True)

    def result(self) -> Result:
        files = [self.folder / "model.safetensors", *self.folder.glob("samples/*")]
        events = [json.loads(line) for line in (self.folder / "metrics.jsonl").read_text().splitlines()]
        for event in events:
            event.pop("images_per_second", None)
        return Result({file.name: file.read_bytes() for file in files}, events)

    @cached_property
    def whole(self) -> tuple[Result, list[str]]:
        """What it comes to when nothing stops it, and its points."""
        self.forget()
        points = self.finish().points
        result = self.result()
        self.forget()
        return result, points


@pytest.fixture(scope="module")
def trainings(launcher: Launcher) -> dict[str, Training]:
    return {name: Training(name, launcher) for name in TRAININGS}


def kind(point: str) -> str:
    """What a point is about."""
    kinds = ("checkpoints/", "samples/", "model.safetensors", "metrics.jsonl", "cache/", STEP)
    return next((kind for kind in kinds if kind in point), "start")


def kill(training: Training, kills: int) -> Counter[str]:
    """Kill a training so often, with a new one after each that ends; returns what the kills hit."""
    whole, _ = training.whole
    training.forget()
    points = training.finish(TICK).points
    assert training.result() == whole, "checkpoints change the training"

    rng = random.Random(training.name)
    # one in each kind of write, of the last weights in particular; then anywhere
    writes = [
        [i for i, point in enumerate(points, 1) if kind(point) == "checkpoints/"],
        [i for i, point in enumerate(points, 1) if kind(point) == "samples/"],
        [i for i, point in enumerate(points, 1) if kind(point) == "model.safetensors"][-7:],
    ]
    first = [rng.choice(numbers) for numbers in writes if numbers]
    hit: Counter[str] = Counter()
    training.forget()
    while hit.total() < kills:
        if first:
            training.forget()
            ending, tick = Ending(first.pop()), TICK
        else:
            latest = rng.choice((len(points), len(points) // 8 + 1))
            ending = Ending(rng.randint(1, latest), delay=rng.choice((None, rng.uniform(0, DELAY))))
            tick = rng.choice((TICK, 0))
        outcome = training.run(ending, tick)
        if outcome.code == -signal.SIGKILL:
            hit[kind(outcome.points[-1])] += 1
        else:
            # it came to its end before
            assert outcome.code == 0, outcome.said
            assert training.result() == whole
            training.forget()
    training.finish(TICK)
    assert training.result() == whole
    return hit


def stop(training: Training, number: int, terminal: Terminal) -> None:
    """Send a signal, or none, at any moment from the first step on, and resume what was saved."""
    whole, points = training.whole
    training.forget()
    if number:
        rng = random.Random(f"{training.name} {number} {terminal}")
        # the clock is also asked when the training begins
        steps = [i for i, point in enumerate(points, 1) if point == STEP]
        played = len(steps) > 3
        point = rng.randint(steps[0] + 1, steps[-2] if played else len(points))
        outcome = training.run(Ending(point, number), terminal=terminal)
        assert outcome.code == (130 if played else 0), outcome.said
        # a model without steps has none to save
        assert not played or Run(training.folder).step >= outcome.points[:point].count(STEP) - 1
    training.finish(terminal=terminal)
    assert training.result() == whole


def test_every_registered_model_is_among_the_trainings() -> None:
    assert {words[0] for words in TRAININGS.values()} == {*MODELS, FLOW}


@pytest.mark.slow
def test_some_stops(trainings: dict[str, Training]) -> None:
    training = trainings["vae"]
    assert set(kill(training, 3)) == {"checkpoints/", "samples/", "model.safetensors"}
    stop(training, signal.SIGTERM, "closed")


@pytest.mark.torture
@pytest.mark.parametrize("name", TRAININGS)
def test_many_stops(name: str, trainings: dict[str, Training]) -> None:
    training = trainings[name]
    print(f"\n{name}: {dict(kill(training, KILLS))}")
    for number in (signal.SIGTERM, signal.SIGHUP):
        stop(training, number, "kept")
    stop(training, signal.SIGTERM, "closed")
    stop(training, 0, "head")
    stop(training, 0, "closed")
