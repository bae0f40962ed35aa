"""The class-conditional StyleGAN: w holds the class, and every class has a mean of its own."""

from __future__ import annotations

import pytest
import torch

import simulacra as sim
from simulacra.core.batch import Batch
from simulacra.core.noise import Noise
from simulacra.data.spec import DataSpec
from simulacra.errors import ConfigError
from simulacra.models.conditional_stylegan.card import CARD
from simulacra.models.conditional_stylegan.model import DRAWS, ConditionalStyleGAN
from simulacra.models.registry import build
from simulacra.tasks.edit import edit_latents
from simulacra.tasks.interpolate import from_seeds, seeds_with_classes, walk

SPEC = DataSpec("image", (1, 8, 8), ("left", "middle", "right"))


@pytest.fixture(name="model")
def _model() -> ConditionalStyleGAN:
    torch.manual_seed(0)
    model = ConditionalStyleGAN(SPEC, CARD.Config(latent_dim=6, width=4, widest=8)).eval()
    with torch.no_grad():
        model.frequencies.copy_(torch.tensor([0.5, 0.0, 0.5]))
        # untrained affine maps hardly depend on w
        for affine in model.generator.affines:
            affine.weight.mul_(10)
    return model


def test_a_class_is_decoded_with_its_own_embedding(model: ConditionalStyleGAN) -> None:
    one, z = model.for_class("right"), torch.randn(4, 6)
    h = torch.cat([z, model.mapping.embedding.weight[2].expand(4, -1)], dim=1)  # type: ignore[union-attr]
    h = torch.cat(
        [part / part.square().mean(dim=1, keepdim=True).add(1e-8).sqrt() for part in h.chunk(2, 1)], 1
    )
    for layer in model.mapping.layers:
        h = layer(h)
    torch.testing.assert_close(one.decode(z, "z").mean, one.decode(h, "w").mean)
    torch.testing.assert_close(one.styles(z, "z"), h[:, None].expand(-1, len(one.resolutions), -1))


def test_the_spaces_of_a_class_are_one_pushforward(model: ConditionalStyleGAN) -> None:
    one = model.for_class(0)
    assert [space.name for space in one.spaces] == ["w", "z", "w+", "s"]
    images = [
        one.decode(one.space(name).sample(5, Noise(3), truncation=0.6), name).mean
        for name in ("w", "w+", "s")
    ]
    for image in images[1:]:
        torch.testing.assert_close(image, images[0])


def test_samples_are_truncated_towards_the_mean_of_their_class(model: ConditionalStyleGAN) -> None:
    x, y = model.sample_labelled(40, 0, truncation=0.0)
    # the class of frequency 0 is not sampled
    assert set(y.tolist()) == {0, 2}
    for k in (0, 2):
        one = model.for_class(k)
        z = Noise(0).normal(DRAWS, 6)
        mean = model.mapping(z, torch.full((DRAWS,), k)).mean(dim=0)
        expected = one.decode(mean[None], "w").mean
        torch.testing.assert_close(x[y == k], expected.expand_as(x[y == k]))
        torch.testing.assert_close(one.sample(3, 1, truncation=0.0), expected.expand(3, -1, -1, -1))
    assert (x[y == 0][0] - x[y == 2][0]).abs().max() > 0.01


def test_latents_of_all_classes_have_their_frequencies(model: ConditionalStyleGAN) -> None:
    w = model.latent.sample(2000, Noise(5))
    means = torch.stack([model.mean_w(k) for k in range(3)])
    near = torch.cdist(w, means).argmin(dim=1).bincount(minlength=3)
    apart = torch.cdist(means, means)[0, 2] / (w - w.mean(dim=0)).norm(dim=1).mean()
    assert apart > 0.1
    zu = Noise(5).normal(2000, 7)
    y = torch.where(zu[:, 6] < 0, 0, 2)
    torch.testing.assert_close(w, model.mapping(zu[:, :6], y))
    assert near.sum() == 2000


def test_between_classes_embeddings_are_averaged_and_w_stays(model: ConditionalStyleGAN) -> None:
    z, w = torch.randn(1, 6), torch.randn(1, 6)
    pure, mixed = torch.eye(3)[:1], torch.tensor([[0.5, 0.0, 0.5]])
    torch.testing.assert_close(
        model.decode_weighted(z, pure, "z").mean, model.for_class(0).decode(z, "z").mean
    )
    assert not torch.allclose(
        model.decode_weighted(z, mixed, "z").mean, model.decode_weighted(z, pure, "z").mean
    )
    assert torch.equal(model.decode_weighted(w, mixed, "w").mean, model.decode_weighted(w, pure, "w").mean)


def test_both_players_are_given_the_class(model: ConditionalStyleGAN) -> None:
    y = torch.tensor([0, 2, 2, 1])
    x = torch.rand(4, 1, 8, 8)
    d, g = model.play(Batch(x, y, Noise(0, 1), step=1, steps=10))
    d.loss.backward()
    g.loss.backward()
    for net in (model.mapping, model.discriminator):
        assert net.embedding is not None
        assert net.embedding.weight.grad is not None
        assert (net.embedding.weight.grad.abs().sum(dim=1) > 0).tolist() == [True, True, True]
    outputs = torch.stack([model.discriminate(x, torch.full((4,), k)) for k in range(3)])
    torch.testing.assert_close(model.discriminate(x), outputs.amax(dim=0))


def test_data_without_classes_are_refused() -> None:
    with pytest.raises(
        ConfigError, match="a conditional_stylegan needs labels, and the data have none; use a stylegan"
    ):
        build("conditional_stylegan", DataSpec("image", (1, 8, 8)), CARD.Config())


@pytest.mark.parametrize("space", ["w", "z", "w+", "s"])
def test_paths_between_classes_end_at_samples_of_each(model: ConditionalStyleGAN, space: str) -> None:
    x = sim.interpolate(model, 1, 2, 3, space=space, classes=("left", "right"))
    for k, name, seed in ((0, "left", 1), (2, "right", 2)):
        torch.testing.assert_close(x[k], model.for_class(name).sample(1, seed)[0])
    assert not torch.equal(x[1], x[0])
    # a single seed between two classes
    points = seeds_with_classes(model, [7], ["left", "right"], space)
    first, last = (part[0] for part in next(walk(model, points, 2)).split(1))
    torch.testing.assert_close(first, model.for_class("left").sample(1, 7)[0])
    torch.testing.assert_close(last, model.for_class("right").sample(1, 7)[0])


def test_directions_of_all_classes_and_edits_of_one(model: ConditionalStyleGAN) -> None:
    first = sim.unlabelled_directions(model, "pca", 2)[0]
    one = model.for_class("right")
    y = edit_latents(one, from_seeds(one, [1, 2], first.space), first, (0.0, 1.0))
    torch.testing.assert_close(y[:, 0], torch.cat([one.sample(1, 1), one.sample(1, 2)]))
    assert (y[:, 1] - y[:, 0]).abs().max() > 0
