"""Noise that does not depend on how a batch is cut, and freezing that ends."""

import pytest
import torch
from torch import nn

from simulacra.core.capabilities import Elbo
from simulacra.core.model import frozen
from simulacra.core.noise import Noise


@pytest.mark.parametrize("shards", [1, 2, 4])
def test_shards_put_together_are_the_whole(shards: int) -> None:
    parts = [Noise(7, step=3, shard=i, shards=shards) for i in range(shards)]
    whole = Noise(7, step=3)
    # the second draw too: every shard has used up the same numbers
    for draw in ("normal", "uniform"):
        cut = torch.cat([getattr(part, draw)(8 // shards, 5) for part in parts])
        assert torch.equal(cut, getattr(whole, draw)(8, 5))


def test_noise_depends_on_seed_and_step() -> None:
    draws = [Noise(seed, step).normal(3, 2) for seed, step in ((0, 0), (0, 1), (1, 0))]
    assert not torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])
    assert torch.equal(draws[0], Noise(0, 0).normal(3, 2))


def test_frozen_gives_no_gradient_and_comes_back() -> None:
    net, head = nn.Linear(2, 2), nn.Linear(2, 1)
    head.bias.requires_grad_(False)
    with frozen(head):
        loss = head(net(torch.ones(1, 2))).sum()
    loss.backward()
    assert net.weight.grad is not None
    assert head.weight.grad is None
    assert head.weight.requires_grad
    # what was frozen before stays so
    assert not head.bias.requires_grad
    with pytest.raises(RuntimeError, match="inside"), frozen(head):
        raise RuntimeError("inside")
    assert head.weight.requires_grad


def test_elbo_is_the_difference() -> None:
    elbo = Elbo(torch.tensor([-3.0]), torch.tensor([1.0]))
    assert elbo.value.item() == -4
