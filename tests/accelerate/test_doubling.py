"""Products of matrices in place of convolutions: the same outputs and gradients."""

import pytest
import torch
from torch import Tensor, nn

from simulacra.accelerate.doubling import FEW_PIXELS, DoublingConv2d, HalvingConv2d


def gradients(net: nn.Module, x: Tensor, parameters: dict[str, Tensor]) -> list[Tensor]:
    out = torch.func.functional_call(net, parameters, (x,))
    return [out, *torch.autograd.grad((out**2).sum(), [x, *parameters.values()])]


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("size", [(2, 2), (4, 2), (3, 5), (8, 8), (20, 24)])
@pytest.mark.parametrize(
    ("ours", "theirs"), [(HalvingConv2d, nn.Conv2d), (DoublingConv2d, nn.ConvTranspose2d)]
)
def test_outputs_and_gradients_are_those_of_the_convolution(
    ours: type[nn.Module], theirs: type[nn.Module], size: tuple[int, int], batch: int
) -> None:
    torch.manual_seed(0)
    net = ours(5, 7, 4, 2, 1).double()
    x = torch.randn(batch, 5, *size, dtype=torch.float64, requires_grad=True)
    parameters = dict(net.named_parameters())
    expected = gradients(theirs(5, 7, 4, stride=2, padding=1).double(), x, parameters)
    torch.testing.assert_close(gradients(net, x, parameters), expected)


def test_only_few_pixels_are_multiplied(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*given: object) -> None:
        raise AssertionError

    net, few = HalvingConv2d(2, 3, 4, 2, 1), torch.zeros(1, 2, 16, 16)
    assert few.shape[2] * few.shape[3] // 4 == FEW_PIXELS
    monkeypatch.setattr(nn.Conv2d, "forward", refuse)
    assert net(few).shape == (1, 3, 8, 8)
    with pytest.raises(AssertionError):
        net(torch.zeros(2, 2, 16, 16))
    # what is used, and exported, is the convolution
    with torch.no_grad(), pytest.raises(AssertionError):
        net(few)
