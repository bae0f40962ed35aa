"""The classifier: what it learns, how sure it is, and what training against attacks changes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

import simulacra as sim
from simulacra.attacks.gradient import pgd
from simulacra.core.batch import Batch, tensor
from simulacra.core.capabilities import Predicts
from simulacra.core.noise import Noise
from simulacra.data.spec import Dataset, DataSpec
from simulacra.errors import ConfigError
from simulacra.models.classifier.card import ClassifierConfig
from simulacra.models.classifier.model import Classifier, shifted

IMAGES = DataSpec("image", (1, 8, 8), ("a", "b", "c"))


def trained(folder: Path, **settings: object) -> Classifier:
    model = sim.train("classifier", "digits", folder, steps=300, width=16, **settings)
    assert isinstance(model, Classifier)
    return model


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Classifier:
    return trained(tmp_path_factory.mktemp("plain") / "run")


def test_digits(plain: Classifier) -> None:
    numbers = sim.evaluate(plain, sim.load_data("digits"), split="validation")
    assert numbers["accuracy"] > 0.97
    assert numbers["calibration_error"] < 0.05
    assert plain.temperature != 1, "it was not calibrated"


def fooled(model: Classifier, epsilon: float) -> float:
    test = sim.load_data("digits").test
    assert test.y is not None
    found = pgd(model, tensor(test.x), torch.from_numpy(test.y), epsilon, Noise(0), steps=20)
    return found.fooled.float().mean().item()


def test_training_against_attacks_lowers_the_fooled_share(plain: Classifier, tmp_path: Path) -> None:
    robust = trained(tmp_path / "run", robust=True, epsilon=0.1, attack_steps=3)
    numbers = sim.evaluate(robust, sim.load_data("digits"))
    assert numbers["accuracy"] > 0.9
    assert fooled(robust, 0.1) < 0.5 * fooled(plain, 0.1)


def test_robust_in_bfloat16(tmp_path: Path) -> None:
    settings = {"robust": True, "attack_steps": 1, "precision": "bf16", "width": 4}
    model = sim.train("classifier", "digits", tmp_path / "run", steps=3, **settings)
    assert all(p.isfinite().all() for p in model.parameters())


@pytest.mark.parametrize("net", ["mlp", "conv", "resnet"])
@pytest.mark.parametrize("hidden", [(), (7, 5)])
def test_features_are_what_the_last_layer_sees(net: str, hidden: tuple[int, ...]) -> None:
    model = Classifier(IMAGES, ClassifierConfig(net=net, hidden=hidden, width=4)).eval()  # type: ignore[arg-type]  # any value
    x = torch.rand(6, 1, 8, 8)
    assert callable(model.features)
    assert isinstance(model, Predicts)
    features = model.features(x)
    assert features.shape[0] == 6
    assert not hidden or features.shape[1] == 5
    torch.testing.assert_close(model.net.last(features).log_softmax(dim=1), model.predict(x).logits)


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 17, 20), (3, 4, 4), (3, 64, 48)])
@pytest.mark.parametrize("net", ["auto", "resnet"])
def test_images_of_any_size(net: str, shape: tuple[int, ...]) -> None:
    model = Classifier(DataSpec("image", shape, ("a", "b")), ClassifierConfig(net=net, width=4))  # type: ignore[arg-type]  # any value
    assert model.predict(torch.rand(2, *shape)).probs.shape == (2, 2)


def test_worst_images_are_within_epsilon_and_worse() -> None:
    torch.manual_seed(0)
    model = Classifier(IMAGES, ClassifierConfig(width=4, epsilon=0.2))
    x, y = torch.rand(20, 1, 8, 8), torch.arange(20) % 3
    before = {name: value.clone() for name, value in model.state_dict().items()}
    worst = model.worst(x, y, Noise(0))
    assert (worst - x).abs().max() <= 0.2001
    assert worst.min() >= 0
    assert worst.max() <= 1
    assert torch.equal(worst, model.worst(x, y, Noise(0)))
    # its averages, its gradients and its mode are as they were
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    assert model.net.training
    assert all(p.requires_grad and p.grad is None for p in model.parameters())
    model.eval()
    assert model.predict(worst).log_prob(y).mean() < model.predict(x).log_prob(y).mean()


def test_robust_training_sees_attacked_images_and_validates_on_them() -> None:
    torch.manual_seed(0)
    x, y = torch.rand(20, 1, 8, 8), torch.arange(20) % 3
    losses = []
    for robust in (False, True):
        torch.manual_seed(0)
        model = Classifier(IMAGES, ClassifierConfig(width=4, shift=0, robust=robust))
        (turn,) = model.play(Batch(x, y, Noise(0, 1)))
        model.eval()
        with torch.no_grad():
            losses.append((turn.loss.item(), model.validate(Batch(x, y, Noise(0)))["loss"].mean().item()))
    assert losses[0][0] < losses[1][0]
    assert losses[0][1] < losses[1][1]


def test_shifts_move_whole_images() -> None:
    x = torch.zeros(500, 2, 9, 7)
    x[:, :, 4, 3] = 1
    moved = shifted(x, 2, Noise(0))
    assert torch.equal(moved.sum(dim=(2, 3)), torch.ones(500, 2))
    places = moved[:, 0].flatten(1).argmax(dim=1)
    rows, columns = places // 7 - 4, places % 7 - 3
    assert rows.unique().tolist() == columns.unique().tolist() == [-2, -1, 0, 1, 2]
    assert torch.bincount(rows + 2).min() > 70


def test_classes_of_vectors(tmp_path: Path) -> None:
    model = sim.train("classifier", "iris", tmp_path / "run", steps=200)
    assert sim.evaluate(model, sim.load_data("iris"))["accuracy"] > 0.8


@pytest.mark.parametrize(
    ("spec", "settings", "message"),
    [
        (DataSpec("image", (1, 8, 8)), {}, "needs labels"),
        (DataSpec("vector", (3,), target=DataSpec("vector", (1,))), {}, "needs labels"),
        (DataSpec("vector", (3,), ("a", "b")), {"robust": True}, "needs images"),
        (DataSpec("vector", (3,), ("a", "b")), {"net": "conv"}, "needs images"),
        (IMAGES, {"shift": -1}, "shift"),
        (IMAGES, {"epsilon": 0.0}, "epsilon"),
        (IMAGES, {"attack_steps": 0}, "attack_steps"),
        (IMAGES, {"width": 0}, "width"),
    ],
)
def test_what_cannot_be(spec: DataSpec, settings: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Classifier(spec, ClassifierConfig(**settings))  # type: ignore[arg-type]  # any value


def test_colour_is_standardised_by_channel() -> None:
    spec = DataSpec("image", (3, 8, 8), ("a", "b"))
    x = np.zeros((10, 3, 8, 8), np.uint8)
    x[:, 1] = 51
    model = Classifier(spec, ClassifierConfig(width=4))
    model.prepare(Dataset(spec, x, np.arange(10) % 2))
    assert model.standardise_x.mean[:, 0, 0].tolist() == pytest.approx([0, 0.2, 0])
