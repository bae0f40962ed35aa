"""The projected critic: its mixing against sums by hand, its spectra, and where gradients go."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from simulacra.core.noise import Noise
from simulacra.nets.efficientnet import efficientnet_lite0
from simulacra.nets.projected import TYPICAL, WIDTHS, ProjectedCritic, random_filters


def critic(side: int = 32, classes: int = 0, channels: int = 3) -> ProjectedCritic:
    torch.manual_seed(0)
    return ProjectedCritic((channels, side, side), classes)


def images(n: int = 2, side: int = 32, channels: int = 3) -> Tensor:
    return 2 * Noise(3).uniform(n, channels, side, side) - 1


def test_the_mixing_is_the_sum_written_out() -> None:
    net, x = critic(64), images(1, 64)
    seen = efficientnet_lite0().maps((x + 1) / 2)[1:]
    found = net.project(x)
    assert [m.shape[1] for m in found] == list(WIDTHS)
    # the deepest map is mixed across its channels alone
    deepest, filters = seen[3][0], net.channels_3[:, :, 0, 0]
    for i, j in ((0, 0), (1, 0)):
        mixed = sum(filters[:, c] * deepest[c, i, j] for c in range(len(deepest)))
        torch.testing.assert_close(found[3][0, :, i, j], mixed, rtol=1e-4, atol=1e-4)
    # the next one is its own mixture and what comes up: 3 x 3 with zeros around, enlarged from 2 x 2 to 4 x 4
    up = torch.zeros(len(found[2][0]), 2, 2)
    for i in range(2):
        for j in range(2):
            for k in range(3):
                for m in range(3):
                    if 0 <= i + k - 1 < 2 and 0 <= j + m - 1 < 2:
                        up[:, i, j] += net.scales_2[:, :, k, m] @ found[3][0, :, i + k - 1, j + m - 1]
    # the middles of 4 pixels lie at -1/4, 1/4, 3/4 and 5/4 of the middles of 2
    weights = torch.tensor([[1.0, 0.0], [0.75, 0.25], [0.25, 0.75], [0.0, 1.0]])
    enlarged = torch.einsum("ik,jm,ckm->cij", weights, weights, up)
    own = torch.einsum("oc,cij->oij", net.channels_2[:, :, 0, 0], seen[2][0])
    torch.testing.assert_close(found[2][0], own + enlarged, rtol=1e-4, atol=1e-4)


def test_random_filters_keep_the_scale() -> None:
    h = Noise(0).normal(4, 64, 16, 16)
    for kernel in (1, 3):
        mixed = F.conv2d(h, random_filters(512, 64, kernel))
        assert float(mixed.std()) == pytest.approx(1, abs=0.1)
    # with the typical scale of a map divided out, photographs give maps of about 1
    assert len(TYPICAL) == len(WIDTHS)


def test_learned_weights_have_a_spectral_norm_of_1() -> None:
    net = critic(classes=3)
    with torch.no_grad():
        for _ in range(60):
            net(images(), torch.tensor([0, 2]))
    learned = [m for m in net.modules() if isinstance(m, nn.Conv2d | nn.Embedding)]
    assert len(learned) == 12
    for layer in learned:
        largest = torch.linalg.matrix_norm(layer.weight.flatten(1), 2)
        assert float(largest.detach()) == pytest.approx(1, abs=0.03)


@pytest.mark.parametrize("side", [16, 28, 64, 256])
def test_logits_are_maps_of_four_discriminators(side: int) -> None:
    net = critic(side, channels=1)
    sides = [-(-side // stride) for stride in (4, 8, 16, 32)]
    halved = [s if s <= 8 else 8 - (s % 2) for s in sides]
    with torch.no_grad():
        assert net(images(1, side, 1)).shape == (1, sum(s**2 for s in halved))


def test_grey_images_are_seen_as_colour() -> None:
    grey, x = critic(channels=1).eval(), images(channels=1)
    torch.testing.assert_close(grey(x), critic().eval()(x.repeat(1, 3, 1, 1)))


def test_classes_add_a_projection() -> None:
    net, x = critic(classes=2).eval(), images()
    zero, one = (net(x, torch.full((2,), y)) for y in (0, 1))
    assert bool((zero != one).all())
    for head in net.heads:
        nn.utils.parametrize.remove_parametrizations(head.projection, "weight")
        nn.init.zeros_(head.projection.weight)
    torch.testing.assert_close(net(x, torch.zeros(2, dtype=torch.long)), net(x))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_gradients_reach_images_and_never_the_pretrained_network(dtype: torch.dtype) -> None:
    net, x = critic(), images().requires_grad_()
    with torch.autocast("cpu", dtype, enabled=dtype != torch.float32):
        logits = net(x)
    logits.float().mean().backward()
    assert x.grad is not None
    assert x.grad.isfinite().all()
    assert bool((x.grad.flatten(1).norm(dim=1) > 0).all())
    assert all(p.grad is None for p in efficientnet_lite0().parameters())
    # what real images are seen as needs no graph
    assert not any(h.requires_grad for h in net.project(images()))


def test_what_is_saved_is_what_is_random_and_learned() -> None:
    net, x = critic().eval(), images()
    state = net.state_dict()
    pretrained = sum(p.numel() for p in efficientnet_lite0().parameters())
    random = {name for name in state if name.startswith(("channels", "scales"))}
    assert len(random) == 7
    assert {name.split(".")[0] for name in state} - random == {"heads"}
    assert sum(v.numel() for v in state.values()) < pretrained
    torch.manual_seed(9)
    other = ProjectedCritic((3, 32, 32)).eval()
    assert not torch.equal(other(x), net(x))
    other.load_state_dict(state)
    torch.testing.assert_close(other(x), net(x))
