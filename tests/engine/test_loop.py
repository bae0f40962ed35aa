"""The engine against loops written out by hand, and against itself cut in pieces."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import simulacra as sim
from simulacra.config import Training
from simulacra.core.batch import Batch
from simulacra.core.model import Model, Turn
from simulacra.core.noise import derive_seed
from simulacra.data import Data
from simulacra.data.spec import Dataset, DataSpec
from simulacra.engine.batches import Batches
from simulacra.engine.checkpoint import load, paths
from simulacra.engine.optimizers import learning_rate
from simulacra.errors import ConfigError, DivergedError, RunError
from simulacra.models.registry import build
from simulacra.models.vae.card import VAEConfig
from simulacra.models.vae.model import VAE
from simulacra.report.model_card_file import write_model_card
from simulacra.run import Run
from tests.engine.conftest import Trains


def weights(model: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


def assert_same(a: nn.Module, b: nn.Module) -> None:
    for name, tensor in a.state_dict().items():
        assert torch.equal(tensor, b.state_dict()[name]), name


def test_trains_where_gradients_are_off(trains: Trains) -> None:
    # as a measurement does that needs a predictor
    _, trained = trains("run", steps=3)
    with torch.no_grad():
        _, again = trains("again", steps=3)
    assert_same(trained, again)


def test_equals_a_loop_by_hand(trains: Trains, digits: Data) -> None:
    _, trained = trains("run", steps=25, lr=0.01, schedule="cosine", warmup=5, clip=1.0, ema=0.9)
    torch.manual_seed(derive_seed(0))
    model = build("vae", digits.spec, VAEConfig(latent_dim=2, hidden=(32,)))
    average = weights(model)
    optimizer = torch.optim.Adam(model.parameters(), fused=True)
    batches = Batches(digits.train, 64, 0, 25, 1, torch.device("cpu"))
    for step in range(25):
        optimizer.param_groups[0]["lr"] = learning_rate(
            Training(lr=0.01, warmup=5, schedule="cosine"), step, 25
        )
        (turn,) = model.play(batches.at(step, 0))
        turn.loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        decay = min(0.9, (1 + step) / (10 + step)) if step else 0.0
        for name, tensor in model.state_dict().items():
            average[name] = decay * average[name] + (1 - decay) * tensor
    for name, tensor in trained.state_dict().items():
        torch.testing.assert_close(tensor, average[name], rtol=1e-5, atol=1e-6)


RICH: dict[str, Any] = {
    "steps": 20, "lr": 0.003, "schedule": "cosine", "warmup": 3, "clip": 5.0, "ema": 0.95, "accumulate": 2,
}  # fmt: skip


LADDER: dict[str, Any] = {"groups": 3, "net": "resnet", "width": 4, "depth": 1, "latent_channels": 2}


@pytest.mark.parametrize(
    ("training", "nets"),
    [
        ({"precision": "32"}, {}),
        ({"precision": "bf16"}, {}),
        ({"optimizer": "adamax"}, {**LADDER, "dreg": True}),
    ],
)
def test_interrupted_and_resumed_is_bit_for_bit_uninterrupted(
    trains: Trains, monkeypatch: pytest.MonkeyPatch, training: dict[str, Any], nets: dict[str, Any]
) -> None:
    config = {"importance_samples": 3, "importance_from": 0.4, "kl_warmup": 12, "binarise": True, **nets}
    settings = {**RICH, **training}
    whole, model = trains("whole", config, **settings)
    play = VAE.play

    def interrupted_at_half(self: VAE, batch: Batch) -> Iterator[Turn]:
        if batch.step == 9 and batch.noise.shard == 0:
            os.kill(os.getpid(), signal.SIGTERM)
        yield from play(self, batch)

    with monkeypatch.context() as patched:
        patched.setattr(VAE, "play", interrupted_at_half)
        with pytest.raises(KeyboardInterrupt, match="step 10 of 20"):
            trains("halves", config, **settings)
    halves, resumed = trains("halves", config, **settings)
    assert_same(model, resumed)
    assert whole.weights.read_bytes() == halves.weights.read_bytes()
    # metrics.jsonl reads as if nothing had happened, but for the line that the interruption added
    steps = [event["step"] for event in halves.events("train")]
    assert steps == sorted(set(steps))
    last = [run.events("train")[-1]["loss"] for run in (whole, halves)]
    assert last[0] == last[1]


def test_dropout_draws_the_same_after_a_resume(trains: Trains, monkeypatch: pytest.MonkeyPatch) -> None:
    from simulacra.nets.mlp import MLP

    init = MLP.__init__

    def with_dropout(self: MLP, *args: Any, **kwargs: Any) -> None:
        init(self, *args, **kwargs)
        self.layers.append(nn.Dropout(0.5))

    monkeypatch.setattr(MLP, "__init__", with_dropout)
    _, whole = trains("whole", steps=10)
    trains("halves", steps=5)
    _, halves = trains("halves", steps=10)
    assert_same(whole, halves)


def test_same_seed_same_bits_other_seed_others(trains: Trains) -> None:
    a, b, c = (trains(name, seed=seed)[1] for name, seed in (("a", 1), ("b", 1), ("c", 2)))
    assert_same(a, b)
    assert not torch.equal(
        a.state_dict()["encoder.layers.0.weight"], c.state_dict()["encoder.layers.0.weight"]
    )


def test_accumulated_parts_equal_the_whole_batch(trains: Trains) -> None:
    whole, one = trains("one", accumulate=1)
    parts, four = trains("four", accumulate=4)
    for name, tensor in one.state_dict().items():
        torch.testing.assert_close(four.state_dict()[name], tensor, rtol=1e-4, atol=1e-5)
    for a, b in zip(whole.events("train"), parts.events("train"), strict=True):
        assert a["loss"] == pytest.approx(b["loss"], rel=1e-5)


def test_how_often_it_looks_and_saves_changes_nothing(trains: Trains) -> None:
    _, seldom = trains("seldom", log_every=20)
    _, often = trains("often", log_every=1, validate_every=1, sample_every=1, checkpoint_every=0)
    assert_same(seldom, often)


def test_more_steps_lengthen_a_finished_training(trains: Trains) -> None:
    _, at_once = trains("once", steps=20)
    trains("twice", steps=10)
    _, twice = trains("twice", steps=20)
    assert_same(at_once, twice)


def test_the_log_has_every_step_once(trains: Trains) -> None:
    run, _ = trains("run", steps=23, log_every=5)
    events = run.events("train")
    assert [event["step"] for event in events] == [5, 10, 15, 20, 23]
    assert {"loss", "reconstruction", "kl", "lr", "images_per_second"} <= set(events[0])
    assert run.events("validation")[-1]["step"] == 23
    assert sorted((run.path / "samples").glob("*.png"))[-1].name == "000023.png"


def test_a_nan_loss_names_player_net_and_step(trains: Trains, monkeypatch: pytest.MonkeyPatch) -> None:
    run, _ = trains("run", steps=10)
    kept = [file.read_bytes() for file in paths(run)]
    play = VAE.play

    def poisoned(self: VAE, batch: Batch) -> Iterator[Turn]:
        for turn in play(self, batch):
            yield Turn(turn.player, turn.loss * (float("nan") if batch.step == 12 else 1.0), turn.terms)

    monkeypatch.setattr(VAE, "play", poisoned)
    with pytest.raises(DivergedError, match=r"player 'vae' \(net encoder, decoder\) became nan at step 13"):
        trains("run", steps=20)
    assert [file.read_bytes() for file in paths(run)] == kept


def test_a_busy_folder_is_refused(trains: Trains) -> None:
    run, _ = trains("run", steps=2)
    with run.opened(run.config), pytest.raises(RunError, match="another process"):
        trains("run", steps=4)


def test_other_settings_are_refused_by_name(trains: Trains) -> None:
    run, _ = trains("run", steps=2)
    before = run.weights.read_bytes()
    with pytest.raises(RunError, match=r"lr 0\.001 there, 0\.01 here"):
        trains("run", steps=2, lr=0.01)
    with pytest.raises(RunError, match="latent_dim 2 there, 3 here"):
        trains("run", {"latent_dim": 3}, steps=2)
    assert run.weights.read_bytes() == before


def test_a_folder_with_other_things_is_left_alone(trains: Trains) -> None:
    run, _ = trains("run", steps=2)
    mine = run.path.parent / "mine"
    mine.mkdir()
    (mine / "thesis.txt").write_text("years of work")
    with pytest.raises(RunError, match="is not empty and is not a run folder"):
        trains("mine", steps=2)
    assert [p.name for p in mine.iterdir()] == ["thesis.txt"]


def test_learning_rate_by_hand() -> None:
    training = Training(lr=2.0, warmup=4, schedule="cosine")
    rates = [learning_rate(training, step, 12) for step in range(12)]
    assert rates[:4] == [0.5, 1.0, 1.5, 2.0]
    assert rates[4] == 2.0
    assert rates[8] == pytest.approx(1.0)
    assert all(a > b for a, b in zip(rates[4:], rates[5:], strict=False))
    assert learning_rate(Training(lr=0.1), 500, 10) == 0.1


def test_balanced_batches_hold_as_many_of_each_class_class_after_class() -> None:
    spec = DataSpec("vector", (1,), ("few", "many"))
    y = np.array([0] * 6 + [1] * 20)
    x = np.arange(26, dtype=np.float32)[:, None]
    cpu, seen = torch.device("cpu"), set()
    batches = Batches(Dataset(spec, x, y), 8, seed=3, steps=9, shards=2, device=cpu, class_balanced=True)
    for step in range(5):
        for shard in range(2):
            batch = batches.at(step, shard)
            assert batch.y is not None
            assert batch.y.tolist() == [0, 0, 1, 1]
            rows = batch.x[:, 0].int().tolist()
            assert y[rows].tolist() == batch.y.tolist()
            # an epoch of the many lasts five batches
            assert not seen & set(rows[2:])
            seen |= set(rows[2:])
    assert len(seen) == 20


def test_batches_are_permutations_cut_in_shards(digits: Data) -> None:
    whole = Batches(digits.train, 64, seed=3, steps=1, shards=1, device=torch.device("cpu"))
    cut = Batches(digits.train, 64, seed=3, steps=1, shards=4, device=torch.device("cpu"))
    seen = []
    for step in range(len(digits.train) // 64):
        batch = whole.at(step, 0)
        parts = [cut.at(step, shard) for shard in range(4)]
        assert torch.equal(batch.x, torch.cat([part.x for part in parts]))
        assert batch.y is not None
        seen.append(batch.x)
    rows = torch.cat(seen).flatten(1)
    table = torch.from_numpy(digits.train.x).flatten(1).float() / 255
    # every row of an epoch is a row of the table, and none more often than there
    assert len(rows.unique(dim=0)) >= len(rows) - (len(table) - len(table.unique(dim=0)))
    assert not torch.equal(whole.at(0, 0).x, whole.at(len(digits.train) // 64, 0).x)
    assert torch.equal(whole.at(2, 0).x, Batches(digits.train, 64, 3, 1, 1, torch.device("cpu")).at(2, 0).x)


@pytest.mark.slow
@pytest.mark.filterwarnings("default")  # torch's own, from within the compiler
def test_compiled_trains_the_same(trains: Trains) -> None:
    _, eager = trains("eager", steps=3)
    _, compiled = trains("compiled", steps=3, compile=True)
    for name, tensor in eager.state_dict().items():
        torch.testing.assert_close(compiled.state_dict()[name], tensor, rtol=1e-3, atol=1e-5)


def test_batch_that_cannot_be_cut(trains: Trains) -> None:
    with pytest.raises(ConfigError, match="must be a multiple of 3 for equal parts, not 64"):
        trains("run", accumulate=3)


class Duel(Model):
    """Two players pull one number each; the second sees where the first has moved in the same step."""

    players = {"a": ("a",), "b": ("b",)}

    def __init__(self) -> None:
        super().__init__(None, None)  # type: ignore[arg-type]  # it needs no data
        self.a = nn.Linear(1, 1, bias=False)
        self.b = nn.Linear(1, 1, bias=False)
        nn.init.zeros_(self.a.weight)
        nn.init.zeros_(self.b.weight)
        self.seen: list[float] = []

    def play(self, batch: Batch) -> Iterator[Turn]:
        one = torch.ones(len(batch), 1)
        yield Turn("a", (self.a(one) - 1).square().mean())
        self.seen.append(self.a.weight.item())
        yield Turn("b", (self.b(one) + 1).square().mean())


def test_a_game_of_two_alternates_and_parts_stay_in_step() -> None:
    from simulacra.core.noise import Noise
    from simulacra.engine.distributed import launch
    from simulacra.engine.players import Players

    model, training = Duel(), Training(lr=0.1, accumulate=2)
    players = Players(model, training, launch(training))
    for step in range(3):
        players.play([Batch(torch.zeros(2, 1), None, Noise(0), step) for _ in range(2)], rate=0.1)
    # both parts meet the same moved `a`, and Adam's first steps are as long as the rate
    assert model.seen[:2] == pytest.approx([0.1, 0.1])
    assert len(model.seen) == 6
    assert model.b.weight.item() == pytest.approx(-0.3, abs=0.01)
    terms = players.averages(3)
    assert set(terms) == {"a_loss", "b_loss", "a_gradient", "b_gradient"}


@pytest.mark.parametrize("clip", [None, 0.5])
def test_gradients_of_a_game_of_two_are_noted(clip: float | None) -> None:
    from simulacra.core.noise import Noise
    from simulacra.engine.distributed import launch
    from simulacra.engine.players import Players

    model, training = Duel(), Training(clip=clip)
    players = Players(model, training, launch(training))
    players.play([Batch(torch.zeros(2, 1), None, Noise(0))], rate=0.1)
    terms = players.averages(1)
    # d (w - 1)^2 / dw at 0, before it is clipped
    assert (terms["a_gradient"], terms["b_gradient"]) == pytest.approx((2, 2))


def test_the_best_weights_are_kept_through_an_interruption(
    trains: Trains, monkeypatch: pytest.MonkeyPatch
) -> None:
    # a rate this high makes validation worse again and again
    settings = {"steps": 40, "lr": 0.1, "validate_every": 5, "log_every": 5, "keep": "best"}
    run, model = trains("whole", **settings)
    losses = {event["step"]: event["loss"] for event in run.events("validation")}
    best = min(losses, key=lambda step: losses[step])
    assert best < 40
    _, early = trains("early", **{**settings, "steps": best, "keep": "last"})
    assert_same(model, early)
    saved, _ = load(run)
    assert saved is not None
    assert (saved.step, saved.best_step) == (40, best)
    assert saved.best_loss == pytest.approx(losses[best])

    play = VAE.play

    def interrupted(self: VAE, batch: Batch) -> Iterator[Turn]:
        if batch.step == 37:
            os.kill(os.getpid(), signal.SIGINT)
        return play(self, batch)

    monkeypatch.setattr(VAE, "play", interrupted)
    with pytest.raises(KeyboardInterrupt):
        trains("cut", **settings)
    monkeypatch.setattr(VAE, "play", play)
    _, resumed = trains("cut", **settings)
    assert_same(model, resumed)


def test_an_early_best_validation_is_reported_at_the_end(
    trains: Trains, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    losses = count(2)
    terms = "simulacra.engine.monitors.validation.validation_terms"
    monkeypatch.setattr(terms, lambda *_: {"loss": next(losses)})
    trains("overfitted", steps=30, validate_every=2, keep="best")
    said = capfd.readouterr().err
    assert "lowest at step 2 of 30 (2) and rose to 16: the weights of that step are kept" in said


def test_who_interrupts_is_told_what_happens(
    trains: Trains, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    play = VAE.play

    def interrupted(self: VAE, batch: Batch) -> Iterator[Turn]:
        if batch.step == 7:
            os.kill(os.getpid(), signal.SIGINT)
        return play(self, batch)

    monkeypatch.setattr(VAE, "play", interrupted)
    with pytest.raises(KeyboardInterrupt, match="saved at step 8 of 20"):
        trains("cut")
    assert "finishing the step and saving; press again to stop without saving\n" in capfd.readouterr().err


def test_best_needs_a_validation_loss(trains: Trains, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(VAE, "validate", Model.validate)
    with pytest.raises(ConfigError, match="has no validation loss"):
        trains("run", keep="best")


def test_a_loss_that_explodes_is_no_success(trains: Trains, tmp_path: Path) -> None:
    with pytest.raises(
        DivergedError, match=r"diverged: its loss was \d+(\.\d)? at the first step and is .*e\+"
    ):
        trains("run", steps=60, lr=1000.0)
    run = Run(tmp_path / "run")
    (warning,) = run.events("warning")
    assert (warning["cause"], warning["step"]) == ("divergence", 61)
    # nor when the same command is run again, and it is noted once
    with pytest.raises(DivergedError, match="Try a smaller --lr, or --clip 1, in another --out"):
        trains("run", steps=60, lr=1000.0)
    assert run.events("warning") == [warning]
    assert f"**Its training diverged**: {warning['text']}." in write_model_card(run).read_text()


@pytest.mark.parametrize("name", ["pca", "gmm"])
def test_a_model_that_is_solved_has_an_average(name: str, tmp_path: Path) -> None:
    plain, averaged = (
        sim.train(name, "iris", tmp_path / f"{ema}", ema=ema, **{"pca": {"latent_dim": 2}}.get(name, {}))
        for ema in (None, 0.9)
    )
    assert_same(plain, averaged)
