"""Labels of attributes, classes and columns; latents of examples and of samples with them."""

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.distributions import Distribution

from simulacra.core.capabilities import Generates, Reconstructs
from simulacra.core.latents import LatentSpace
from simulacra.data.spec import Data, Dataset, DataSpec
from simulacra.data.tables.schema import Column, Schema
from simulacra.errors import DataError
from simulacra.latent.find import labelled
from simulacra.latent.labelled import classified_samples, encoded, one_class, with_attribute
from simulacra.probability.distributions import Delta

NAMES = ("age", "glasses", "race=Asian", "race=Black", "race=White", "rings", "same")


def people() -> Data:
    """60 people with attributes and a class."""
    rng = np.random.default_rng(0)
    age, race = rng.uniform(0, 90, 60), rng.integers(0, 3, 60)
    columns = [
        age,
        rng.integers(0, 2, 60),
        race == 0,
        race == 1,
        race == 2,
        rng.integers(3, 6, 60),
        np.ones(60),
    ]
    spec = DataSpec("image", (1, 4, 4), ("neutral", "smile", "wink"), NAMES)
    x = rng.integers(0, 256, (60, 1, 4, 4), dtype=np.uint8)
    every = Dataset(spec, x, rng.integers(0, 3, 60), np.stack(columns, axis=1).astype(np.float32))
    return Data("people", every.take(slice(0, 40)), every.take(slice(40, 50)), every.take(slice(50, 60)))


def column(name: str) -> np.ndarray:
    table = people().train.attributes
    assert table is not None
    return table[:, NAMES.index(name)]


@pytest.mark.parametrize(
    ("attribute", "expected"),
    [
        ("glasses", column("glasses") == 1),
        ("age>=60", column("age") >= 60),
        ("age < 20", column("age") < 20),
        ("race=Black", column("race=Black") == 1),
        ("rings=4", column("rings") == 4),
        ("smile", people().train.y == 1),
        ("class=wink", people().train.y == 2),
    ],
)
def test_an_attribute_is_two_labels(attribute: str, expected: np.ndarray) -> None:
    found = with_attribute(people(), attribute)
    assert found.train.y is not None
    assert (found.train.y == expected).all()
    assert found.train.y.dtype == np.int64
    assert len(found.spec.classes) == 2
    assert found.spec == found.test.spec


@pytest.mark.parametrize(
    ("attribute", "message"),
    [
        ("glases", r"there is no attribute 'glases', did you mean 'glasses'\?"),
        ("smille", r"there is no attribute 'smille', did you mean 'smile'\?"),
        ("agee>=60", r"there is no attribute 'agee>=60', did you mean 'age>=60'\?"),
        ("age", "'age' has 60 different values; split them in two, e.g. 'age>="),
        ("race", "'race' has 3 values; choose one, e.g. 'race=Asian'"),
        ("class", "'class' has 3 values; choose one, e.g. 'class=neutral'"),
        ("rings", "'rings' has 3 values; choose one, e.g. 'rings=3'"),
        ("race=Blak", r"there is no 'race=Blak', did you mean 'race=Black'\?"),
        ("rase=Blak", r"there is no attribute 'rase=Blak', did you mean 'race=Black'\?"),
        ("rase=x", "there is no attribute 'rase=x', choose from race=Asian, race=Black, race=White"),
        ("rings=7", "there is no 'rings=7'"),
        ("same", "'same' is the same in every example"),
        (
            "age>=200",
            r"'age>=200' is the same in every example; choose another threshold: 'age' goes from \d",
        ),
        ("age>=old", "'old' in 'age>=old' is not a number"),
    ],
)
def test_what_is_no_attribute_is_explained(attribute: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        with_attribute(people(), attribute)


def test_columns_of_a_table_are_attributes() -> None:
    x = np.random.default_rng(0).normal(size=(30, 2)).astype(np.float32)
    spec = DataSpec("vector", (2,), columns=("height", "job is smith"))
    x[:, 1] = np.arange(30) % 2
    part = Dataset(spec, x)
    data = Data("table", part, part, part)
    for attribute, expected in (("height>0", x[:, 0] > 0), ("job is smith", x[:, 1] == 1)):
        found = with_attribute(data, attribute)
        assert (found.train.y == expected).all()
        assert np.array_equal(found.train.x, x)
    plain = Dataset(DataSpec("vector", (2,)), x)
    with pytest.raises(DataError, match="neither classes nor attributes"):
        with_attribute(Data("table", plain, plain, plain), "height")


def table() -> Data:
    """36 people with a number, columns of two and of three words, and a number that is often 0."""
    height = np.linspace(150, 185, 36)
    words = (["no", "yes"] * 18, ["Oslo", "Paris", "Rom"] * 12)
    schema = Schema(
        (
            Column("height", "number"),
            Column("smoker", "category", ("no", "yes")),
            Column("city", "category", ("Oslo", "Paris", "Rom")),
            Column("gain", "number", special=("0",)),
        )
    )
    gain = np.where(np.arange(36) < 12, 0.0, height)
    x = schema.encode({"height": height, "smoker": words[0], "city": words[1], "gain": gain})
    part = Dataset(DataSpec("vector", (schema.width,), columns=schema.names, schema=schema), x)
    return Data("table", part, part, part)


@pytest.mark.parametrize(
    ("attribute", "expected"),
    [
        ("height>=170", np.linspace(150, 185, 36) >= 170),
        ("smoker=yes", np.arange(36) % 2 == 1),
        ("smoker=no", np.arange(36) % 2 == 0),
        ("smoker", np.arange(36) % 2 == 1),
        ("city=Rom", np.arange(36) % 3 == 2),
        ("gain=0", np.arange(36) < 12),
    ],
)
def test_words_in_columns_are_named_as_values(attribute: str, expected: np.ndarray) -> None:
    found = with_attribute(table(), attribute)
    assert found.train.y is not None
    assert (found.train.y == expected).all()
    assert found.spec.columns == table().spec.columns


@pytest.mark.parametrize(
    ("attribute", "message"),
    [
        ("smokr=yes", r"there is no attribute 'smokr=yes', did you mean 'smoker=yes'\?"),
        ("city=Romm", r"there is no 'city=Romm', did you mean 'city=Rom'\?"),
        ("city", "'city' has 3 values; choose one, e.g. 'city=Oslo'"),
        ("heigt>=170", r"there is no attribute 'heigt>=170', did you mean 'height>=170'\?"),
        ("height>=999", "choose another threshold: 'height' goes from 150 to 185"),
    ],
)
def test_what_is_no_value_of_a_column_is_explained(attribute: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        with_attribute(table(), attribute)


def test_classes_stand_for_an_attribute() -> None:
    assert one_class("c", "glasses", ("without glasses", "glasses"), "glasses") == 1
    assert one_class("c", "without glasses", ("without glasses", "glasses"), "glasses") == 0
    assert one_class("c", "age>=60", ("age<60", "age>=60"), "age>=60") == 1
    # two classes, but of something else
    with pytest.raises(DataError, match="there is no 'smile'"):
        one_class("c", "smile", ("without glasses", "glasses"), "glasses")


class Line(Generates, Reconstructs):
    """x = 2 z, and back."""

    def __init__(self) -> None:
        super().__init__(DataSpec("vector", (2,), ("a", "b")), None)
        self.spaces = (LatentSpace.normal(2),)

    def encode(self, x: Tensor, space: str | None = None) -> Distribution:
        return Delta(x / 2)

    def decode(self, z: Tensor, space: str | None = None) -> Distribution:
        return Delta(2 * z)


def test_examples_are_random_and_of_each_kind() -> None:
    model = Line()
    x = np.arange(80, dtype=np.float32).reshape(40, 2)
    part = Dataset(model.spec, x, (np.arange(40) >= 30).astype(np.int64))
    found = encoded(model, model.latent, part, 20, seed=0)
    assert found.counts == {"with": 10, "without": 20}
    assert torch.equal(found.positive, torch.from_numpy(x[30:] / 2))
    chosen = set(found.negative[:, 0].mul(2).tolist())
    assert len(chosen) == 20
    assert chosen < set(x[:30, 0].tolist())
    assert torch.equal(encoded(model, model.latent, part, 20, seed=0).negative, found.negative)
    assert not torch.equal(encoded(model, model.latent, part, 20, seed=1).negative, found.negative)
    none = encoded(model, model.latent, part.take(slice(0, 30)), 20, seed=0)
    assert none.counts == {"with": 0, "without": 20}


def test_samples_with_the_labels_of_a_classifier() -> None:
    model = Line()
    train, held = classified_samples(model, model.latent, lambda x: (x[:, 0] > 2).numpy(), 300, seed=0)
    assert train.counts == {"with": 300, "without": 300}
    # 16% of the samples have it
    assert held.counts == {"with": 500, "without": 500}
    assert bool((train.positive[:, 0] > 1).all())
    assert bool((train.negative[:, 0] <= 1).all())
    found = labelled("a", "z", train, held)
    # E[z | z > 1] - E[z | z <= 1] of a standard normal, 1.5251 + 0.2876
    assert found.vector[0] == pytest.approx(1.8127, abs=0.15)
    assert abs(float(found.vector[1])) < 0.2
    rare, rest = classified_samples(model, model.latent, lambda x: (x[:, 0] > 6).numpy(), 300, seed=0)
    # 0.13% of 10,000
    assert 3 <= rare.counts["with"] <= 30
    assert rest.counts["with"] == 0
