"""Sampling, encoding and decoding in evaluation mode and in parts."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

import simulacra as sim
from simulacra.core import inference
from simulacra.core.inference import decode, draw, encode_all, eval_mode, matched_samples
from simulacra.data.spec import Dataset, DataSpec
from simulacra.models.registry import MODELS, build

SPEC = DataSpec("vector", (3,), ("a", "b"))


def test_every_module_gets_its_own_mode_back() -> None:
    net = nn.Sequential(nn.Dropout(), nn.BatchNorm1d(2).eval())
    with eval_mode(net):
        assert not any(module.training for module in net.modules())
    assert [module.training for module in net] == [True, False]


def test_parts_make_no_difference() -> None:
    model = build("vae", SPEC, MODELS["vae"].Config())
    assert isinstance(model, sim.VAE)
    x = np.random.default_rng(0).normal(size=(300, 3)).astype(np.float32)
    mean, stddev = encode_all(model, Dataset(SPEC, x))
    assert inference.CHUNK < 300
    with torch.no_grad():
        q = model.encode(torch.from_numpy(x))
        torch.testing.assert_close(mean, q.mean)
        torch.testing.assert_close(stddev, q.stddev)
        torch.testing.assert_close(decode(model, mean), model.decode(q.mean).mean)


def test_samples_depend_on_the_seed_alone() -> None:
    model = build("gan", SPEC, MODELS["gan"].Config())
    assert isinstance(model, sim.GAN)
    assert torch.equal(draw(model, 5, 1), draw(model, 5, 1))
    assert not torch.equal(draw(model, 5, 1), draw(model, 5, 2))
    assert model.training


def test_matched_samples_have_the_classes_of_the_data() -> None:
    model = build("conditional_gan", SPEC, MODELS["conditional_gan"].Config())
    assert isinstance(model, sim.ConditionalGAN)
    y = np.array([1, 0, 1, 1])
    x = matched_samples(model, Dataset(SPEC, np.zeros((4, 3), np.float32), y), seed=0)
    with torch.no_grad(), eval_mode(model):
        one = model.for_class(0).sample(1, inference.derive_seed(0, 0))
    assert torch.equal(x[1], one[0])
