"""The Inception score by hand and against torchmetrics; the network against torch-fidelity's."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from simulacra.errors import ConfigError
from simulacra.metrics.inception import inception_score
from simulacra.metrics.inception_v3 import InceptionV3, resize
from tests.metrics.invented import inception_weights, pictures

# torch-fidelity 0.4.0 with `inception_weights` on `pictures`: features 0, 511, 1024, 2047, and the norm
FEATURES = [
    [2.2335498, 0.0066041248, 0.6073612, 7.7707476, 215.90884],
    [1.9494613, 0.0056811739, 0.5485534, 6.8746228, 189.82935],
]
# logits 0, 503, 1007, and the norm
LOGITS = [[-19.693562, -21.504589, 4.1947742, 423.99144], [-17.322601, -18.918774, 3.6288652, 373.29933]]


@pytest.fixture(scope="module")
def weights() -> dict[str, torch.Tensor]:
    return inception_weights()


def random_probs(n: int = 60, classes: int = 5) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return (3 * torch.randn(n, classes, generator=generator, dtype=torch.float64)).softmax(dim=1)


def test_sure_and_varied_scores_the_number_of_classes() -> None:
    assert inception_score(np.tile(np.eye(10), (10, 1)), splits=1).mean == pytest.approx(10)


def test_always_the_same_scores_one() -> None:
    for row in ([1.0, 0.0, 0.0], [0.2, 0.3, 0.5]):
        found = inception_score(np.tile(row, (40, 1)), splits=4)
        assert found == pytest.approx((1.0, 0.0))


def test_between_by_hand() -> None:
    # log 2 - H(0.9)
    expected = np.exp(np.log(2) + 0.9 * np.log(0.9) + 0.1 * np.log(0.1))
    assert inception_score(np.array([[0.9, 0.1], [0.1, 0.9]]), splits=1).mean == pytest.approx(expected)


def test_splits_are_scored_on_their_own() -> None:
    probs = np.repeat(np.eye(2), 2, axis=0)
    # in the given order each half knows one class only
    assert inception_score(probs, splits=2, seed=None) == pytest.approx((1.0, 0.0))
    mixed = probs[[0, 2, 0, 1]]
    assert inception_score(mixed, splits=2, seed=None) == pytest.approx((1.5, 0.5))


def test_the_seed_orders_as_torch_fidelity_does() -> None:
    probs = random_probs(61).numpy()
    ordered = probs[np.random.RandomState(5).permutation(61)]
    assert inception_score(probs, splits=4, seed=5) == inception_score(ordered, splits=4, seed=None)
    assert inception_score(probs, splits=4, seed=5) != inception_score(probs, splits=4, seed=6)


def test_splits_need_samples() -> None:
    with pytest.raises(ConfigError, match="3 samples cannot be cut into 4"):
        inception_score(np.eye(3), splits=4)


def test_equals_torchmetrics_in_its_order() -> None:
    metric = pytest.importorskip("torchmetrics.image.inception").InceptionScore
    probs = random_probs()
    with pytest.warns(UserWarning, match="extracted features"):
        oracle = metric(feature=torch.nn.Identity(), splits=4)
    oracle.update(probs.log())
    torch.manual_seed(3)
    mean, std = oracle.compute()
    torch.manual_seed(3)
    found = inception_score(probs[torch.randperm(len(probs))].numpy(), splits=4, seed=None)
    assert found.mean == pytest.approx(mean.item(), rel=1e-9)
    # of 4 - 1
    assert found.std == pytest.approx(std.item() * np.sqrt(3 / 4), rel=1e-9)


def test_equals_torch_fidelity() -> None:
    oracle = pytest.importorskip("torch_fidelity.metric_isc").isc_features_to_metric
    probs = random_probs(61)
    expected = oracle(probs.log(), splits=4, shuffle=True, rng_seed=5)
    found = inception_score(probs.numpy(), splits=4, seed=5)
    assert found.mean == pytest.approx(expected["inception_score_mean"], rel=1e-9)
    assert found.std == pytest.approx(expected["inception_score_std"], rel=1e-9)


@torch.no_grad()
def test_network_gives_what_torch_fidelity_gave(weights: dict[str, torch.Tensor]) -> None:
    network = InceptionV3(weights)
    features = network.features(pictures().float())
    logits = network.logits(features)
    assert (features.shape, logits.shape) == ((2, 2048), (2, 1008))
    found = torch.cat([features[:, [0, 511, 1024, 2047]], features.norm(dim=1, keepdim=True)], dim=1)
    torch.testing.assert_close(found, torch.tensor(FEATURES), rtol=1e-4, atol=1e-5)
    found = torch.cat([logits[:, [0, 503, 1007]], logits.norm(dim=1, keepdim=True)], dim=1)
    torch.testing.assert_close(found, torch.tensor(LOGITS), rtol=1e-4, atol=1e-4)


@torch.no_grad()
def test_network_equals_torch_fidelity(weights: dict[str, torch.Tensor], tmp_path: Path) -> None:
    oracle = pytest.importorskip("torch_fidelity.feature_extractor_inceptionv3").FeatureExtractorInceptionV3
    counts = {
        n.replace("weight", "num_batches_tracked"): torch.tensor(0) for n in weights if "bn.weight" in n
    }
    torch.save(weights | counts, tmp_path / "weights.pth")
    theirs = oracle("x", ["2048", "logits_unbiased"], str(tmp_path / "weights.pth"))
    features, logits = theirs(pictures())
    network = InceptionV3(weights)
    found = network.features(pictures().float())
    torch.testing.assert_close(found, features, rtol=1e-5, atol=1e-4)
    torch.testing.assert_close(network.logits(found), logits, rtol=1e-5, atol=1e-3)


def test_other_networks_are_refused(weights: dict[str, torch.Tensor]) -> None:
    with pytest.raises(ValueError, match="1008 classes, not 1000"):
        InceptionV3(weights | {"fc.weight": torch.zeros(1000, 2048)})
    with pytest.raises(KeyError):
        InceptionV3({name: w for name, w in weights.items() if name != "Mixed_6c.branch_pool.bn.bias"})


def test_resize_takes_pixels_as_tensorflow_1_did() -> None:
    x = torch.arange(12.0).view(1, 1, 3, 4)
    # rows 0, 1/2, 1, 3/2, 2, and beyond the last the last; columns 0, 2/3, 4/3, 2, 8/3, 10/3
    expected = torch.tensor([[0.0, 2], [2, 4], [4, 6], [6, 8], [8, 10], [8, 10]])
    torch.testing.assert_close(resize(x, 6)[0, 0, :, ::3], expected)
    # every other pixel, nothing averaged
    stripes = torch.tensor([0.0, 1, 0, 1]).expand(1, 1, 4, 4)
    torch.testing.assert_close(resize(stripes, 2), torch.zeros(1, 1, 2, 2))
