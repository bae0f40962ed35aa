"""The first layer of decoders of all kinds, against the weights that they have."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from simulacra.core.capabilities import Decodes
from simulacra.core.latents import LatentSpace
from simulacra.data.spec import DataSpec
from simulacra.errors import ConfigError
from simulacra.latent.first_layer import first_layer
from simulacra.probability.distributions import Delta

LINEAR = nn.Linear(5, 7)
TRANSPOSED = nn.ConvTranspose2d(5, 3, 4)
BESIDE = nn.Linear(7, 4)
CLASS = nn.Linear(2, 2)


class Decoder(Decodes):
    """A decoder that is any function of z."""

    def __init__(self, net: Callable[[Tensor], Tensor], *shape: int) -> None:
        super().__init__(DataSpec("vector", (3,)), None)
        self.net, self.spaces = net, (LatentSpace.normal(*shape),)

    def decode(self, z: Tensor, space: str | None = None) -> Distribution:
        return Delta(self.net(z))


def beside_a_class(z: Tensor) -> Tensor:
    """z beside an embedded class, which has a linear layer of its own."""
    y = CLASS(torch.eye(2)[torch.zeros(len(z), dtype=torch.long)])
    return BESIDE(torch.cat([y, z], dim=1)).relu()


CASES: dict[str, tuple[Callable[[Tensor], Tensor], Tensor]] = {
    "a linear layer": (lambda z: LINEAR(z).relu().square(), LINEAR.weight),
    "a product": (lambda z: z @ LINEAR.weight.T + 1, LINEAR.weight),
    "a sum over indices": (lambda z: torch.einsum("fz,nz->nf", LINEAR.weight, z), LINEAR.weight),
    "a transposed convolution": (
        lambda z: TRANSPOSED(z[:, :, None, None]).sin(),
        TRANSPOSED.weight.flatten(1).T,
    ),
    "z beside a class": (beside_a_class, BESIDE.weight[:, 2:]),
    "z scaled before": (lambda z: LINEAR(3 * z - 1), 3 * LINEAR.weight),
}


@pytest.mark.parametrize("name", CASES)
def test_the_weights_are_found(name: str) -> None:
    net, weight = CASES[name]
    model = Decoder(net, 5)
    A = first_layer(model, model.latent)
    assert A.shape == weight.shape
    assert torch.allclose(A, weight.detach(), atol=1e-5)


def test_many_latents_and_stacks() -> None:
    wide = nn.Linear(300, 4)
    model = Decoder(lambda z: wide(z.flatten(1)), 3, 100)
    assert torch.allclose(first_layer(model, model.latent), wide.weight.detach(), atol=1e-5)


def test_what_is_not_linear_is_refused() -> None:
    model = Decoder(lambda z: LINEAR(z / (z.square().mean(dim=1, keepdim=True) + 1e-8).sqrt()), 5)
    with pytest.raises(ConfigError, match="something that is not linear in them; use --unlabelled pca"):
        first_layer(model, model.latent)
    for net in (lambda z: z.sin(), lambda z: LINEAR(torch.ones(len(z), 5))):
        model = Decoder(net, 5)
        with pytest.raises(ConfigError, match="has no linear layer that its latents meet"):
            first_layer(model, model.latent)
