"""What every registered model owes the engine and the tools, over every kind of data."""

import atexit
import copy
from dataclasses import replace
from functools import cache
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp
from typing import Any

import numpy as np
import pytest
import torch
from torch.distributions import Distribution

from simulacra.core.batch import Batch, in_order
from simulacra.core.capabilities import (
    BLOCK,
    BoundsLikelihood,
    Conditional,
    Cycles,
    Decodes,
    Discriminates,
    Encodes,
    EstimatesLikelihood,
    Predicts,
    Samples,
    Translates,
)
from simulacra.core.model import Model
from simulacra.core.noise import Noise
from simulacra.data.spec import Dataset, DataSpec
from simulacra.data.tables.schema import Column, Schema
from simulacra.data.text.vocabulary import Vocabulary
from simulacra.engine.distributed import launch
from simulacra.engine.players import Players
from simulacra.errors import ConfigError
from simulacra.models.registry import MODELS, build, model_card, short_name
from tests.models.generator_run import generator_run

SCHEMA = Schema(
    (
        Column("age", "number", decimals=1),
        Column("job", "category", ("", "clerk", "smith")),
        Column("gain", "number", special=("0", "")),
        Column("day", "date"),
    )
)
VOCABULARY = Vocabulary.of(["one cat saw two dogs", "two dogs saw one cat"], "words", 20)
SPECS = {
    "grey": DataSpec("image", (1, 8, 8), ("a", "b")),
    "colour": DataSpec("image", (3, 17, 20)),
    "vector": DataSpec("vector", (5,)),
    "table": DataSpec("vector", (5,), target=DataSpec("vector", (2,))),
    "mixed": DataSpec(
        "vector", (9,), ("a", "b"), columns=SCHEMA.names, schema=SCHEMA, target=DataSpec("vector", (2,))
    ),
    "image to image": DataSpec("image", (1, 8, 8), target=DataSpec("image", (3, 8, 8))),
    "image to numbers": DataSpec("image", (3, 16, 16), target=DataSpec("vector", (2,))),
    "text": DataSpec("text", (7,), ("a", "b"), vocabulary=VOCABULARY),
}
# the registered models, and a stranger's in a file of their own
NAMES = [*MODELS, f"{Path(__file__).parents[2] / 'examples' / 'flow.py'}:Flow"]
CASES = [
    (name, kind)
    for name in NAMES
    for kind, spec in SPECS.items()
    # the stranger's model has a density, and knows nothing of categories
    if not model_card(name).lacks(spec) and (name in MODELS or kind != "mixed")
] + [
    # a ladder of latent groups: vectors, maps
    ("vae groups=3", "mixed"),
    ("vae groups=3", "colour"),
    # likelihoods with a state, and over whole pixels
    ("vae likelihood=normal-optimal", "vector"),
    ("vae likelihood=logistic-mixture", "colour"),
]
Z = 4
N = 6


@cache
def generator(kind: str) -> str:
    """The run of a generator of such data, for models that are trained for one."""
    folder = Path(mkdtemp())
    atexit.register(rmtree, folder, ignore_errors=True)
    generator_run(folder / "run", SPECS[kind], latent_dim=Z)
    return str(folder / "run")


def dataset(spec: DataSpec) -> Dataset:
    rng = np.random.default_rng(0)

    def examples(spec: DataSpec) -> np.ndarray:
        if spec.kind == "image":
            return rng.integers(0, 256, (40, *spec.shape), dtype=np.uint8)
        if spec.vocabulary is not None:
            words = spec.vocabulary.entries.replace("\u2581", "").split()
            return spec.vocabulary.encode([" ".join(rng.choice(words, n)) for n in rng.integers(1, 7, 40)], 7)
        x = rng.normal(size=(40, *spec.shape)).astype(np.float32)
        for code in () if spec.schema is None else spec.schema.codes:
            width = code.stop - code.start
            x[:, code] = np.eye(width)[rng.integers(0, width, 40)]
        return x

    x, target = examples(spec), None if spec.target is None else examples(spec.target)
    return Dataset(spec, x, rng.integers(0, 2, 40) if spec.classes else None, target=target)


def batch(spec: DataSpec, seed: int = 0) -> Batch:
    batch = next(in_order(dataset(spec), N, torch.device("cpu"), seed))
    return replace(batch, noise=Noise(seed, 1), step=10, steps=100)


def untrained(name: str, kind: str) -> Model:
    if name == "flow":
        pytest.importorskip("zuko", reason="flow needs the extra `flows`")
    name, *given = name.split(" ")
    card, settings = model_card(name), dict(setting.split("=") for setting in given)
    settings = {key: int(value) if value.isdigit() else value for key, value in settings.items()}
    if hasattr(card.Config(), "latent_dim"):
        settings["latent_dim"] = Z
    if hasattr(card.Config(), "solver_steps"):
        settings |= {"solver_steps": 2, "width": 8}
    if card.base:
        settings[card.base] = generator(kind)
    return build(name, SPECS[kind], card.Config(**settings))


def built(name: str, kind: str) -> Model:
    torch.manual_seed(0)
    model = untrained(name, kind)
    model.prepare(dataset(SPECS[kind]))
    return model


def test_a_strangers_density_refuses_categories() -> None:
    with pytest.raises(ConfigError, match="the table has categories or special values; train a vae"):
        untrained(NAMES[-1], "mixed")


@pytest.fixture(params=CASES, ids=[f"{short_name(m)}-{k}" for m, k in CASES])
def case(request: pytest.FixtureRequest) -> tuple[str, str, Model]:
    name, kind = request.param
    return name, kind, built(name, kind)


def test_players_own_every_parameter_once(case: tuple[str, str, Model]) -> None:
    _, _, model = case
    owned = [p for nets in model.players.values() for net in nets for p in getattr(model, net).parameters()]
    assert len({id(p) for p in owned}) == len(owned)
    # what is not trained has no players
    assert {id(p) for p in owned} == {id(p) for p in model.parameters() if model.players}


def test_a_turn_gives_its_player_gradients_and_nobody_else(case: tuple[str, str, Model]) -> None:
    _, kind, model = case
    players = {
        player: [p for net in nets for p in getattr(model, net).parameters()]
        for player, nets in model.players.items()
    }
    moved = set()
    # a player may join late
    for turn in model.play(replace(batch(SPECS[kind]), step=99)):
        assert all(p.requires_grad for p in model.parameters()), "something is frozen while a player moves"
        assert turn.loss.shape == ()
        assert turn.loss.isfinite()
        turn.loss.backward()
        for player, parameters in players.items():
            if player == turn.player:
                assert all(p.grad is not None and p.grad.isfinite().all() for p in parameters)
                assert any(p.grad.abs().max() > 0 for p in parameters if p.grad is not None)
            else:
                assert all(p.grad is None for p in parameters)
        model.zero_grad(set_to_none=True)
        moved.add(turn.player)
    assert moved == set(model.players)
    assert all(p.requires_grad for p in model.parameters())


def test_same_seed_same_losses(case: tuple[str, str, Model]) -> None:
    name, kind, model = case
    losses = [[turn.loss.item() for turn in m.play(batch(SPECS[kind]))] for m in (model, built(name, kind))]
    assert losses[0] == losses[1]


def test_bf16_changes_losses_by_rounding_alone(case: tuple[str, str, Model]) -> None:
    name, kind, model = case
    with torch.no_grad():
        # untrained nets say nearly the same of every example, and mixed up examples would not show
        for p in model.parameters():
            # those of an equalised learning rate, N(0, 1), do not
            p *= 1 if p.ndim > 1 and p.std() > 0.9 else 2
    training = replace(model_card(name.split(" ")[0]).training, precision="bf16", device="cpu")
    stage = Players(copy.deepcopy(model), training, launch(training)).stage
    exact, rounded = ([turn.loss.item() for turn in m.play(batch(SPECS[kind]))] for m in (model, stage))
    assert rounded == pytest.approx(exact, rel=0.02, abs=0.02)


def test_state_survives_saving(case: tuple[str, str, Model]) -> None:
    name, kind, model = case
    torch.manual_seed(99)
    other = untrained(name, kind)
    other.load_state_dict(model.state_dict())
    x = batch(SPECS[kind]).x
    for tool in (_sample, _encode, _decode, _score, _predict):
        a, b = tool(model, x), tool(other, x)
        assert (a is None) == (b is None)
        assert a is None or torch.equal(a, b)


def test_capabilities_have_their_shapes(case: tuple[str, str, Model]) -> None:
    _, kind, model = case
    shape = SPECS[kind].shape
    x = batch(SPECS[kind]).x
    assert isinstance(model, Encodes | Samples | Predicts | Translates), "a model that can do nothing"
    if isinstance(model, Translates):
        y = model.translate(x, Noise(5))
        assert y.shape == (N, *(SPECS[kind].target or SPECS[kind]).shape)
        assert 0 <= y.min() < y.max() <= 1
        torch.testing.assert_close(model.translate(x, Noise(5)), y)
    if isinstance(model, Cycles):
        there, back = model.cycle(x, batch(SPECS[kind]).y)
        assert there.shape == back.shape == x.shape
    if isinstance(model, Samples):
        few, same = model.sample(3, Noise(5)), model.sample(3, Noise(5))
        assert few.shape == (3, *shape)
        assert torch.equal(few, same)
        one = model.for_class(1) if isinstance(model, Conditional) else model
        assert isinstance(one, Samples)
        typical = one.sample(2, Noise(5), truncation=0.0, draw=False)
        assert torch.equal(typical[0], typical[1]), "without spread all samples are alike"
    if isinstance(model, Conditional):
        with torch.no_grad():
            # a net whose last layer starts at zero tells no classes apart
            for p in model.parameters():
                p += 0.01
        a, b = (model.for_class(y) for y in (0, 1))
        assert isinstance(a, Samples)
        assert isinstance(b, Samples)
        assert a.sample(3, Noise(5)).shape == (3, *shape)
        assert not torch.equal(a.sample(3, Noise(5)), b.sample(3, Noise(5)))
    if isinstance(model, Discriminates):
        assert model.discriminate(x).shape == (N,)
    if isinstance(model, Encodes):
        q = model.encode(x)
        assert isinstance(q, Distribution)
        assert q.mean.shape == (N, *model.latent.shape)
    if isinstance(model, Decodes):
        p = model.decode(torch.zeros(2, *model.latent.shape))
        assert p.mean.shape == (2, *shape)
        assert p.log_prob(x[:2]).shape == (2,)
    if isinstance(model, Predicts):
        y = model.targets(batch(SPECS[kind]))
        p = model.predict(x)
        assert len(y) == N
        assert p.log_prob(y).shape == (N,)
        assert Noise(0).draw(p, 3).shape == (3, *y.shape)
    if isinstance(model, EstimatesLikelihood):
        assert model.log_likelihood(x, Noise(0), 3).shape == (N,)
    if isinstance(model, BoundsLikelihood):
        elbo = model.elbo(x, Noise(0))
        assert elbo.value.shape == (N,)
        assert (elbo.kl >= -1e-4).all()


def test_samples_are_the_first_of_more_of_their_seed(case: tuple[str, str, Model]) -> None:
    _, kind, model = case
    if not isinstance(model, Samples):
        return
    block = BLOCK[model.spec.kind]
    sources = [model, model.for_class(1)] if isinstance(model, Conditional) else [model]
    for source in sources:
        assert isinstance(source, Samples)
        for draw in (False, True) if source.has_likelihood else (False,):
            few, some, more = (
                source.eval().sample_labelled(n, 3, truncation=0.7, draw=draw) for n in (7, 64, block + 5)
            )
            assert more[0].shape == (block + 5, *SPECS[kind].shape)
            assert not torch.equal(more[0][block:], more[0][:5]), "blocks repeat"
            for n, (x, y) in ((7, few), (64, some)):
                assert torch.equal(x, more[0][:n])
                assert (y is None) == (more[1] is None)
                assert y is None or torch.equal(y, more[1][:n])


def test_validation_terms_are_one_number_an_example(case: tuple[str, str, Model]) -> None:
    _, kind, model = case
    for values in model.validate(batch(SPECS[kind])).values():
        assert values.shape == (N,)


def _sample(model: Any, x: torch.Tensor) -> torch.Tensor | None:
    return model.sample(2, Noise(1)) if isinstance(model, Samples) else None


def _encode(model: Any, x: torch.Tensor) -> torch.Tensor | None:
    return model.encode(x).mean if isinstance(model, Encodes) else None


def _decode(model: Any, x: torch.Tensor) -> torch.Tensor | None:
    return model.decode(torch.ones(2, *model.latent.shape)).mean if isinstance(model, Decodes) else None


def _predict(model: Any, x: torch.Tensor) -> torch.Tensor | None:
    return Noise(1).draw(model.predict(x)) if isinstance(model, Predicts) else None


def _score(model: Any, x: torch.Tensor) -> torch.Tensor | None:
    return model.log_likelihood(x, Noise(1), 2) if isinstance(model, EstimatesLikelihood) else None
