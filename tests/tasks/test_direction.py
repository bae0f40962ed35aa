"""Directions of every model with a latent space, from examples, arrays, a classifier's labels and none."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.distributions import Categorical, Distribution

import simulacra as sim
from simulacra.core.batch import Batch
from simulacra.core.capabilities import Encodes, Generates, Predicts, Reconstructs
from simulacra.core.latents import LatentSpace
from simulacra.core.model import LatentModel, Model
from simulacra.data.spec import Data, Dataset, DataSpec
from simulacra.errors import ConfigError, DataError, RunError
from simulacra.latent.directions import save
from simulacra.models.registry import model_card
from simulacra.probability.distributions import Delta
from simulacra.run import Run
from simulacra.tasks import direction as task
from simulacra.tasks.direction import direction, unlabelled_directions
from tests.latent.layered import CHANNELS, LAYERS, SHOWN, Layered
from tests.models.test_contract import NAMES, SPECS, built, dataset

KINDS = ("grey", "vector", "mixed", "table", "image to image", "text")


def suits(name: str, kind: str) -> bool:
    """Whether a model can be trained on this kind of data."""
    return not model_card(name).lacks(SPECS[kind])


# every model on the first kind of data that suits it, and one of a mixed table
LATENT = [(name, next(kind for kind in KINDS if suits(name, kind))) for name in NAMES] + [("vae", "mixed")]
W = torch.tensor([[3.0, 0.0], [0.0, 1.0], [0.0, 0.0]])


class Line(Generates, Reconstructs):
    """x = W z, a model of a stranger."""

    def __init__(self, *classes: str) -> None:
        super().__init__(DataSpec("vector", (3,), classes), None)
        self.spaces = (LatentSpace.normal(2),)

    def encode(self, x: Tensor, space: str | None = None) -> Distribution:
        return Delta(x @ torch.linalg.pinv(W).T)

    def decode(self, z: Tensor, space: str | None = None) -> Distribution:
        return Delta(z @ W.T)


class Thrower(Generates):
    """A generator without an encoder."""

    def __init__(self) -> None:
        super().__init__(DataSpec("vector", (3,)), None)
        self.spaces = (LatentSpace.normal(2),)

    def decode(self, z: Tensor, space: str | None = None) -> Distribution:
        return Delta((z @ W.T / 3).tanh())


class Sign(Predicts):
    """Whether the second number is positive."""

    def __init__(self, size: int = 3) -> None:
        super().__init__(DataSpec("vector", (size,), ("low", "high")), None)

    def predict(self, x: Tensor) -> Distribution:
        return Categorical(logits=torch.stack([-x[:, 1], x[:, 1]], dim=1))

    def targets(self, batch: Batch) -> Tensor:
        raise NotImplementedError


def arrays(n: int = 400) -> tuple[np.ndarray, np.ndarray]:
    """Examples on the line, and whether the first latent is positive."""
    z = torch.randn(n, 2, generator=torch.Generator().manual_seed(0))
    return np.asarray(z @ W.T), np.where(z[:, 0].numpy() > 0, "up", "down")


@pytest.mark.parametrize(("name", "kind"), LATENT)
def test_every_model_with_latents_has_directions(
    name: str, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(task, "PRINCIPAL", 60)
    monkeypatch.setattr(task, "AT_ONCE", 30)
    model: Any = built(name, kind).eval()
    x = dataset(SPECS[kind]).x
    if not isinstance(model, LatentModel) or not model.spaces:
        with pytest.raises(RunError, match="has no latent space; train an autoencoder"):
            direction(model, x[:5], x[5:10])
        return
    shape = model.latent.shape
    if isinstance(model, Encodes):
        one = direction(model, x[:5], x[5:10], name="it")
        expected = model.encode(x[:5]).mean.mean(dim=0) - model.encode(x[5:10]).mean.mean(dim=0)
        assert torch.allclose(one.vector, expected, atol=1e-5)
        assert one.apply(model.encode(x[:2]).mean, 2.0).shape == (2, *shape)
    else:
        with pytest.raises(RunError, match=r"has no encoder, so examples have no latents; let a classifier"):
            direction(model, x[:5], x[5:10])
    if name == "flow":
        with pytest.raises(ConfigError, match="sefa: the first layer of this Flow does not see the latents"):
            unlabelled_directions(model, "sefa", 2, data=dataset(SPECS[kind]))
    for method in ("pca", "sefa") if name != "flow" else ("pca",):
        found = unlabelled_directions(model, method, 2, data=dataset(SPECS[kind]))
        assert [(one.name, one.vector.shape) for one in found] == [(f"{method}-{k}", shape) for k in (1, 2)]


def test_directions_of_arrays() -> None:
    model = Line()
    up = direction(model, data=arrays(), attribute="up", examples=100)
    assert up.name == "up"
    # E[z | z > 0] - E[z | z < 0] = 2 sqrt(2 / pi)
    assert torch.allclose(up.vector, torch.tensor([1.596, 0.0]), atol=0.35)
    assert up.details["examples"] == {"with": 100, "without": 100}
    assert up.details["held_out_accuracy"]["value"] > 0.9
    assert up.details["held_out_accuracy"]["measured_on"] == "held-out data"
    assert torch.equal(up.vector, direction(model, data=arrays(), attribute="up", examples=100).vector)
    other = direction(model, data=arrays(), attribute="up", examples=100, seed=1)
    assert not torch.equal(up.vector, other.vector)
    assert direction(model, data=arrays(), attribute="down").cosine(up) < -0.9
    with pytest.raises(ConfigError, match="belongs to no run; pass data"):
        direction(model, attribute="up")


def test_sefa_and_principal_components_of_a_linear_model() -> None:
    (first, second) = unlabelled_directions(Line(), "sefa")
    assert torch.allclose(first.vector, torch.tensor([1.0, 0.0]), atol=0.05)
    assert torch.allclose(second.vector, torch.tensor([0.0, 1.0]), atol=0.05)
    assert first.details["share"] == pytest.approx(0.9)
    (first, _) = unlabelled_directions(Thrower(), "pca")
    # the first latent alone; tanh is almost a line
    assert first.vector[0] > 0.6
    assert abs(first.vector[1]) < 0.1


@pytest.mark.parametrize("model", [Thrower(), Line("down", "up")], ids=["generator", "autoencoder"])
def test_a_classifier_labels_samples(model: LatentModel) -> None:
    high = direction(model, classifier=Sign())
    assert high.name == "high"
    assert high.details["data"] == "samples"
    assert high.details["examples"] == {"with": 500, "without": 500}
    assert torch.allclose(high.vector, torch.tensor([0.0, 1.596]), atol=0.2)
    assert high.details["held_out_accuracy"]["value"] > 0.95


class Wide(Sign):
    """Whether the second number is above 5."""

    def predict(self, x: Tensor) -> Distribution:
        return super().predict(x - 5)


@pytest.mark.parametrize(("space", "scale"), [("w", 1), ("w+", 1), ("s", 2)])
def test_a_direction_in_each_space_of_a_model_with_styles(space: str, scale: int) -> None:
    # the second number is 2 w_1 + 3 with w_1 ~ N(1, 1)
    model = Layered()
    one = direction(model, classifier=Wide(), space=space, layers="1")
    assert one.details["layers"] == "1"
    v = one.vector.reshape(LAYERS, CHANNELS)
    assert v.any(dim=1).tolist() == [False, True, False]
    assert torch.allclose(v[1], scale * torch.tensor([0, 1.596, 0, 0]), atol=0.2 * scale)
    assert one.details["held_out_accuracy"]["value"] > 0.95
    # the midpoint, along the vector
    middle = scale * one.vector.reshape(LAYERS, CHANNELS)[1, 1] * (1 if space != "s" else 5 / 2)
    assert one.details["threshold"] == pytest.approx(float(middle), rel=0.15)
    channel = direction(model, classifier=Wide(), space=space, method="channels", layers="1")
    # in w+ and s the one that shows
    assert channel.vector.flatten().nonzero().flatten().tolist() == [CHANNELS + SHOWN]


def test_unlabelled_directions_of_layers() -> None:
    model = Layered()
    for method in ("pca", "sefa"):
        for space in ("w", "w+"):
            found = unlabelled_directions(model, method, 2, space=space, layers="0,2")
            assert [one.space for one in found] == ["w+", "w+"]
            assert not any(one.vector[1].any() for one in found)
    # the third layer doubles twice: in w+ its numbers come first
    (first,) = unlabelled_directions(model, "sefa", 1, space="w+")
    assert first.vector.any(dim=1).tolist() == [False, False, True]
    assert first.details["share"] == pytest.approx(16 / (4 * 21))
    # w ~ N(1, I): all components as long as a standard deviation
    pca = unlabelled_directions(model, "pca", 4, space="w")
    assert [one.vector.norm().item() for one in pca] == pytest.approx([1] * 4, abs=0.1)
    with pytest.raises(ConfigError, match="layers: latents of 'z' have no layers"):
        unlabelled_directions(model, "pca", space="z", layers="0")
    with pytest.raises(ConfigError, match="sefa: the first layer of this StyleGAN does not see"):
        unlabelled_directions(built("stylegan", "grey").eval(), "sefa", space="z")
    with pytest.raises(RunError, match=r"layers: this Thrower has no styles"):
        unlabelled_directions(Thrower(), "sefa", layers="coarse")


def test_a_classifier_labels_data() -> None:
    low = direction(Line(), classifier=Sign(), attribute="low", data=arrays(), examples=50)
    assert low.details["examples"] == {"with": 50, "without": 50}
    assert low.vector[1] < -1


def test_orthogonal_to_attributes_and_directions() -> None:
    x, y = arrays()
    model = Line()
    up = direction(model, data=(x, y), attribute="up")
    kept = direction(model, x[:50, :], x[50:100, :], orthogonal_to=[up])
    assert abs(kept.cosine(up)) < 1e-6
    with pytest.raises(ConfigError, match="nothing of it is left without 'up'"):
        direction(model, data=(x, y), attribute="up", orthogonal_to=[up])
    with pytest.raises(
        ConfigError, match=r"orthogonal-to: 'dwn' is no saved direction; .*did you mean 'down'"
    ):
        direction(model, data=(x, y), attribute="up", orthogonal_to=["dwn"])
    with pytest.raises(ConfigError, match="'up' is no saved direction; it is unknown which of the examples"):
        direction(model, x[:5], x[5:10], orthogonal_to=["up"])


def test_another_attribute_is_left_alone_where_latents_are_correlated() -> None:
    # factors f ~ N(0, I) and latents z = (f1 + f2, f2): f2 is read as z2, and its means differ along (1, 1)
    f = np.random.default_rng(0).normal(size=(5000, 2)).astype(np.float32)
    x = np.stack([f.sum(axis=1), f[:, 1]], axis=1) @ W.numpy().T
    spec = DataSpec("vector", (3,), attributes=("one", "two"))
    every = Dataset(spec, x, attributes=(f > 0).astype(np.float32), rows=np.arange(len(x)))
    parts = (every.take(slice(0, 4000)), every.take(slice(4000, 4500)), every.take(slice(4500, None)))
    data = Data("factors", *parts)
    one = direction(Line(), data=data, attribute="one", examples=1500, orthogonal_to=["two"])
    f1, f2 = one.vector[0] - one.vector[1], one.vector[1]
    assert abs(f2 / f1) < 0.05
    # E[f1 | f1 > 0] - E[f1 | f1 < 0] = 2 sqrt(2 / pi)
    assert f1 == pytest.approx(2 * (2 / np.pi) ** 0.5, rel=0.1)


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({}, ConfigError, "name an attribute, or give examples"),
        ({"positive": arrays()[0]}, ConfigError, "examples with the attribute, and examples without it"),
        ({"positive": arrays()[0], "negative": arrays()[0], "data": "digits"}, ConfigError, "leave data and"),
        ({"positive": arrays()[0][:1], "negative": arrays()[0][:2]}, DataError, "there is 1 example with it"),
        ({"positive": np.zeros((5, 4)), "negative": np.zeros((5, 4))}, DataError, r"x has shape \(5, 4\)"),
        ({"positive": np.zeros((5, 3)), "negative": np.zeros((5, 3))}, DataError, "are the same"),
        ({"attribute": "up", "data": "digits"}, DataError, "digits"),
        ({"attribute": "up", "data": "wine@test"}, DataError, "leave '@test' out"),
        (
            {"attribute": "up", "data": arrays(), "examples": 0},
            ConfigError,
            "examples: must be a whole number",
        ),
        ({"attribute": "up", "data": arrays(), "seed": -1}, ConfigError, "seed: must be a whole number"),
        ({"attribute": "up", "data": arrays(), "space": "w"}, ConfigError, "space: unknown 'w'"),
        ({"attribute": "up", "data": arrays(), "method": "mean"}, ConfigError, "method: unknown 'mean'"),
        (
            {"classifier": Sign(4)},
            ConfigError,
            r"shape \(4,\), and the model's have \(3,\)",
        ),
        ({"classifier": Line()}, RunError, "predicts no classes; train a classifier"),
        ({"classifier": Sign(), "attribute": "hihg"}, DataError, "did you mean 'high'"),
        ({"classifier": Path("nowhere")}, RunError, "no run here"),
    ],
)
def test_what_cannot_be_found_is_explained(
    settings: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        direction(Line(), **settings)


def test_unlabelled_settings() -> None:
    with pytest.raises(ConfigError, match="components: must be a whole number, at least 1, not 0"):
        unlabelled_directions(Line(), "pca", 0, data=arrays())
    with pytest.raises(ConfigError, match="unlabelled: unknown 'ica', did you mean 'pca'"):
        unlabelled_directions(Line(), "ica", data=arrays())  # type: ignore[arg-type]
    assert [one.name for one in unlabelled_directions(Line(), "pca", 9, data=arrays(), name="x")] == [
        "x-1",
        "x-2",
    ]


def test_models_lend_no_gradients_and_keep_their_mode() -> None:
    model: Model = built("vae", "grey").train()
    x = dataset(SPECS["grey"]).x
    one = direction(model, x[:5], x[5:10])
    unlabelled_directions(model, "sefa")
    assert model.training
    assert not one.vector.requires_grad


def test_a_run_knows_its_weights_and_directions(tmp_path: Path) -> None:
    sim.train("pca", "wine", tmp_path / "run", latent_dim=4)
    run = Run(tmp_path / "run")
    first = direction(run.path, attribute="class 0")
    assert first.details["weights"]
    save(run, first)
    second = direction(run.path, attribute="alcohol>=13", orthogonal_to=["class 0"])
    assert abs(second.cosine(first)) < 1e-6
    third = direction(sim.load(run.path), attribute="alcohol>=13")
    assert third.details["attribute"] == "alcohol>=13"
    assert "weights" not in third.details
    save(run, third)


def test_the_example_of_the_docs_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    page = (Path(__file__).parents[2] / "docs" / "latent-space.md").read_text(encoding="utf-8")
    code = page.partition("## Directions")[2].partition("```python\n")[2].partition("```")[0]
    names: dict[str, Any] = {}
    exec(compile(code, "docs/latent-space.md", "exec"), names)
    assert names["mixed"].name == "7 - 0.5*3"
    assert names["x"].shape == (8, 1, 8, 8)
    assert "held-out data" in capsys.readouterr().out
