"""Feature extractors, which samples and data are compared by, behind one protocol."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from contextlib import nullcontext
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.distributions import Categorical

from simulacra.core.inference import eval_mode
from simulacra.data.paths import find
from simulacra.data.spec import Dataset
from simulacra.errors import ConfigError, LimitError, nearest
from simulacra.limits import ARRAY_BYTES, open_regular
from simulacra.metrics import inception_v3
from simulacra.nets.efficientnet import efficientnet_lite0, weights_file
from simulacra.probability.standardise import Standardise

EXTRACTORS = ("raw", "efficientnet-lite0", "inception")
# one network under the names of pytorch-fid and torch-fidelity
INCEPTION_FILES = ("pt_inception-2015-12-05-6726825d.pth", "weights-inception-2015-12-05-6726825d.pth")
# characters of a digest
DIGEST = 16


@runtime_checkable
class Extractor(Protocol):
    """Turns examples into features and, where it predicts classes, into probabilities of these.

    Attributes:
        name: of the extractor.
        weights: a digest of its weights; empty without weights.
        size: side in pixels of the images that its network takes; None where it takes any size.
        resize: how images become that size, in words.
    """

    @property
    def name(self) -> str: ...

    @property
    def weights(self) -> str: ...

    @property
    def size(self) -> int | None: ...

    @property
    def resize(self) -> str: ...

    def features(self, x: Tensor) -> Tensor:
        """`(B, F)` of images `(B, C, H, W)` in [0, 1], or of vectors `(B, D)`; float32."""
        ...

    def probabilities(self, x: Tensor) -> Tensor | None:
        """Of the classes, `(B, K)`, of the same; None without classes."""
        ...


def extract(extractor: Extractor, x: Tensor) -> tuple[Tensor, Tensor | None]:
    """Features and probabilities, from one pass of a network where it gives both."""
    if isinstance(extractor, ClassifyingExtractor):
        return extractor.both(x)
    return extractor.features(x), extractor.probabilities(x)


def maps(extractor: Extractor, x: Tensor) -> list[Tensor]:
    """Feature maps of x at several layers, each `(B, C, H, W)`; the features where there are none."""
    if isinstance(extractor, ClassifyingExtractor):
        return extractor.maps(x)
    return [extractor.features(x)[:, :, None, None]]


def load_extractor(
    what: str | object,
    weights: str | Path | None = None,
    device: torch.device | str = "cpu",
    train: Dataset | None = None,
) -> Extractor:
    """The extractor of a name, or of an object.

    Args:
        what: `raw`, the numbers in one row, as they are or standardised; `efficientnet-lite0`, 1,280 features
            of a network trained on ImageNet, whose weights come with pip; `inception`, the 2,048 features of
            the FID; or an `Extractor`; or a trained model with a method `features(x) -> (B, F)`.
        weights: the file of the weights of `inception`. Without one it is looked for among the data and in
            torch's cache, under either of `INCEPTION_FILES`, and else downloaded as torch-fidelity does it.
        device: where a network computes; a model of yours stays where it is.
        train: examples the model was trained on: if they are vectors, `raw` standardises their columns.

    Raises:
        ConfigError: no such extractor; it needs packages or a file that are missing.

    >>> load_extractor("raw").features(torch.zeros(2, 1, 8, 8)).shape
    torch.Size([2, 64])
    """
    if weights is not None and what != "inception":
        raise ConfigError(f"weights: only the extractor 'inception' takes a file, not {_called(what)}")
    match what:
        case "raw" if train is not None and train.spec.kind == "vector":
            return Standardised(train, device)
        case "raw":
            return Raw()
        case "efficientnet-lite0":
            return EfficientNetLite0(device)
        case "inception":
            return Inception(weights, device)
        case str():
            raise ConfigError(f"extractor: unknown '{what}', {nearest(what, EXTRACTORS)}")
        case Extractor():
            return what
    if callable(getattr(what, "features", None)):
        return OfModel(what)
    raise ConfigError(f"extractor: {_called(what)} has no method 'features'; {nearest('', EXTRACTORS)}")


class Raw:
    """The numbers of an example in one row: for toys, tables and small images."""

    name, weights, size, resize = "raw", "", None, "none"

    def features(self, x: Tensor) -> Tensor:
        return x.flatten(1)

    def probabilities(self, x: Tensor) -> Tensor | None:
        return None


class Standardised(Raw):
    """The numbers of a vector in standard deviations of the training data, so that no unit counts more than
    another; the codes of categories as they are.

    Args:
        train: the training data, vectors.
        device: where the features are computed.
    """

    name = "standardised raw"

    def __init__(self, train: Dataset, device: torch.device | str = "cpu") -> None:
        standardise = Standardise(train.spec)
        standardise.fit(train.x)
        self.standardise = standardise.to(device)

    def features(self, x: Tensor) -> Tensor:
        standardised: Tensor = self.standardise(x.to(self.standardise.mean.device))
        return standardised


class ClassifyingExtractor:
    """An extractor that gives features and probabilities of classes in one pass, `both`.

    Attributes:
        classes: their names, where they are known.
    """

    weights = ""
    classes: tuple[str, ...] = ()

    def both(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        """Features `(B, F)`, and probabilities `(B, K)` or None."""
        raise NotImplementedError

    def features(self, x: Tensor) -> Tensor:
        return self.both(x)[0]

    def probabilities(self, x: Tensor) -> Tensor | None:
        return self.both(x)[1]

    def maps(self, x: Tensor) -> list[Tensor]:
        """As the function `maps`."""
        return [self.features(x)[:, :, None, None]]


class EfficientNetLite0(ClassifyingExtractor):
    """EfficientNet-Lite0 (Tan and Le 2019, without squeeze-and-excitation): what its last pool gives.

    Raises:
        ConfigError: its package is not installed.
    """

    name, size, resize = "efficientnet-lite0", 224, "bilinear, antialiased, to 224 x 224"

    def __init__(self, device: torch.device | str = "cpu") -> None:
        self.network, self.device = efficientnet_lite0(device), device
        self.weights = _file_digest(weights_file())

    def both(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        features, logits = self.network(self._input(x))
        return features, logits.softmax(dim=1)

    def maps(self, x: Tensor) -> list[Tensor]:
        """The last at each of five sizes: `(B, 16, 112, 112)`, then 24, 40, 112 and 320 channels."""
        return self.network.maps(self._input(x))

    def _input(self, x: Tensor) -> Tensor:
        x = colour(x, self.name).to(self.device)
        return F.interpolate(x, (self.size, self.size), mode="bilinear", antialias=True, align_corners=False)


class Inception(ClassifyingExtractor):
    """Inception-v3 of the FID (Heusel et al. 2017), with torch-fidelity's preprocessing of 8-bit images.

    Raises:
        ConfigError: the weights are not there, or are not its weights.
    """

    name, size = "inception", inception_v3.SIZE
    resize = "bilinear as in TensorFlow 1, not antialiased, to 299 x 299"

    def __init__(self, weights: str | Path | None = None, device: torch.device | str = "cpu") -> None:
        path = _inception_file(weights)
        try:
            open_regular(path, ARRAY_BYTES).close()
            self.network = inception_v3.InceptionV3(torch.load(path, map_location="cpu", weights_only=True))
            # a wrong size shows here
            self.network.logits(self.network.features(torch.zeros(1, 3, 8, 8)))
        except OSError as error:
            raise ConfigError(f"{path}: cannot be read ({error.strerror or error})") from error
        except LimitError as error:
            raise ConfigError(f"{path}: {error}") from error
        # torch.load reports a damaged file in many ways
        except Exception as error:
            raise ConfigError(
                f"{path}: does not hold the Inception-v3 of the FID; its file is {INCEPTION_FILES[0]}, "
                "as pytorch-fid and torch-fidelity publish it"
            ) from error
        self.network.to(device)
        self.weights, self.device = _file_digest(path), device

    def both(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        features = self.network.features(self._input(x))
        return features, self.network.logits(features).softmax(dim=1)

    def maps(self, x: Tensor) -> list[Tensor]:
        return self.network.maps(self._input(x))

    def _input(self, x: Tensor) -> Tensor:
        return (255 * colour(x, self.name)).round().to(self.device)


class OfModel(ClassifyingExtractor):
    """The features of a trained model, and its p(class | x) where it predicts classes.

    Args:
        model: with `features(x) -> (B, F)`; `predict(x)`, a `Categorical`, `spec.shape`, `device` and its
            parameters are used where it has them.
    """

    size, resize = None, "none"

    def __init__(self, model: Any) -> None:
        self.model, self.name = model, type(model).__name__.lower()
        state = model.state_dict() if isinstance(model, nn.Module) else {}
        self.weights = state_digest(state.items()) if state else ""
        self.classes = getattr(getattr(model, "spec", None), "classes", ())

    def both(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        shape = getattr(getattr(self.model, "spec", None), "shape", x.shape[1:])
        if tuple(shape) != tuple(x.shape[1:]):
            raise ConfigError(
                f"extractor: the {self.name} was trained on examples of shape {tuple(shape)}, these are "
                f"{tuple(x.shape[1:])}; take one that was trained on the same size and channels"
            )
        with eval_mode(self.model) if isinstance(self.model, nn.Module) else nullcontext():
            x = x.to(getattr(self.model, "device", "cpu"))
            features = self.model.features(x).flatten(1).float()
            predict = getattr(self.model, "predict", None)
            p = predict(x) if callable(predict) else None
        # one answer for each example, not one for each of its numbers
        if isinstance(p, Categorical) and p.probs.ndim == 2:
            return features, p.probs
        return features, None


def colour(x: Tensor, name: str) -> Tensor:
    """Images `(B, 1|3, H, W)` with three channels; grey three times.

    Raises:
        ConfigError: these are no such images.
    """
    if x.ndim != 4 or x.shape[1] not in (1, 3):
        what = f"vectors of {x.shape[1]} numbers" if x.ndim == 2 else f"of shape {tuple(x.shape[1:])}"
        raise ConfigError(f"extractor: {name} takes grey or colour images, these are {what}; take 'raw'")
    return x.expand(-1, 3, -1, -1)


def state_digest(state: Iterable[tuple[str, Tensor]]) -> str:
    """A digest of the names and the numbers of weights.

    >>> state_digest([("w", torch.zeros(2))]) == state_digest([("w", torch.ones(2))])
    False
    """
    digest = hashlib.sha256()
    for name, value in state:
        digest.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
        digest.update(value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()[:DIGEST]


def _file_digest(path: Path) -> str:
    """The start of the SHA-256, which the names of weight files end in."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:DIGEST]


def _inception_file(weights: str | Path | None) -> Path:
    if weights is not None:
        return find(str(weights))
    folders = [Path(), Path(torch.hub.get_dir()) / "checkpoints"]
    for path in (find(str(folder / name)) for name in INCEPTION_FILES for folder in folders):
        if path.is_file():
            return path
    try:
        url = import_module("torch_fidelity.feature_extractor_inceptionv3").URL_INCEPTION_V3
    except ImportError as error:
        raise ConfigError(
            f"extractor: inception needs '{error.name}', which is not installed: pip install "
            f"simulacra[vision], or give the file {INCEPTION_FILES[0]} as weights"
        ) from error
    path = folders[1] / INCEPTION_FILES[1]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.hub.download_url_to_file(url, str(path), hash_prefix="6726825d", progress=False)
    # OSError without a network, RuntimeError for another file
    except (OSError, RuntimeError) as error:
        raise ConfigError(
            f"inception: {url} could not be downloaded ({error}); give the file as weights"
        ) from error
    return path


def _called(what: object) -> str:
    return f"'{what}'" if isinstance(what, str) else f"a {type(what).__name__}"
