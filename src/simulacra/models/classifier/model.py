"""The classifier, and its adversarial training."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import prod
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.distributions import Categorical

from simulacra.attacks.balls import projected_ascent, uniform
from simulacra.core.batch import Batch
from simulacra.core.model import Turn, frozen, unwrap
from simulacra.core.noise import Noise
from simulacra.data.spec import DataSpec
from simulacra.errors import ConfigError
from simulacra.models.classifier.card import CARD, ClassifierConfig
from simulacra.models.regressor.model import Regressor
from simulacra.nets import pick
from simulacra.nets.conv import channels, ladder
from simulacra.probability.likelihoods import Classes, Likelihood


class Classifier(Regressor):
    """Classifier: class probabilities p(class | x).

    Trained by the cross-entropy, L = -log p(y | x), on images moved by a pixel. Images go through levels of
    convolutions with batch normalisation (LeCun et al. 1998; Ioffe and Szegedy 2015), plain or residual (He
    et al. 2016), vectors through an MLP. After the last step one temperature is calibrated on held-out
    examples (Guo et al. 2017). With `robust` the game is a saddle point (Madry et al. 2018, eq. 2.1):

        min over theta of E [ max over |delta| <= epsilon of L(theta, x + delta, y) ]

    the maximum found by projected gradient ascent in every step, in the largest change of a pixel.

    >>> spec = DataSpec("image", (1, 28, 28), ("cat", "dog"))
    >>> model = Classifier(spec, ClassifierConfig()).eval()
    >>> x = torch.zeros(5, 1, 28, 28)
    >>> model.predict(x).probs.shape, model.features(x).shape
    (torch.Size([5, 2]), torch.Size([5, 128]))
    """

    players = {"classifier": ("net", "likelihood")}
    card = CARD
    net: ClassifierNet

    def __init__(self, spec: DataSpec, config: Any) -> None:
        """Raises ConfigError for settings that cannot be, or data without labels."""
        super().__init__(spec, config)
        if config.robust and spec.kind != "image":
            raise ConfigError("robust: needs images, whose pixels lie in [0, 1]")

    def head(self) -> Likelihood:
        return Classes()

    def build_net(self, outputs: tuple[int, ...]) -> nn.Module:
        return ClassifierNet(self.spec.shape, outputs[0], self.config)

    def predict(self, x: Tensor) -> Categorical:
        """p(class | x) `(B,)`; in evaluation mode calibrated."""
        return cast(Categorical, super().predict(x))

    def play(self, batch: Batch) -> Iterator[Turn]:
        x, y, config = batch.x, self.targets(batch), self.config
        if config.shift and self.spec.kind == "image":
            x = shifted(x, config.shift, batch.noise)
        if config.robust:
            x = self.worst(x, y, batch.noise)
        # L = -log p(y | x)
        p = self.predict(x)
        yield Turn(
            "classifier", -p.log_prob(y).mean(), {"accuracy": (p.logits.argmax(dim=1) == y).float().mean()}
        )

    def validate(self, batch: Batch) -> dict[str, Tensor]:
        """Of a robust classifier under its own attack."""
        x, y = batch.x, self.targets(batch)
        p = self.predict(self.worst(x, y, batch.noise) if self.config.robust else x)
        return {"loss": -p.log_prob(y), "accuracy": (p.logits.argmax(dim=1) == y).float()}

    def worst(self, x: Tensor, y: Tensor, noise: Noise) -> Tensor:
        """Images `(B, C, H, W)` within epsilon of x that it reads worst, climbed to from a random start."""
        epsilon, steps = self.config.epsilon, self.config.attack_steps
        # the net itself, out of what spreads it over processes: no gradient of its parameters is asked for
        net = unwrap(self.net)

        def loss(x: Tensor) -> Tensor:
            return -self.likelihood(net(self.standardise_x(x))).log_prob(y)

        start = (x + uniform(x, epsilon, "linf", noise)).clamp(0, 1)
        # with the averages of batch normalisation, which the attack leaves as they are
        was_training = net.training
        net.eval()
        with frozen(net):
            found = projected_ascent(loss, x, start, epsilon, "linf", steps)
        net.train(was_training)
        return found

    def features(self, x: Tensor) -> Tensor:
        """Input of the last layer, `(B, F)`."""
        features: Tensor = self.net.features(self.standardise_x(x))
        return features

    def maps(self, x: Tensor) -> list[Tensor]:
        """What images are turned into on the way: the maps of each size `(B, C, H, W)`, then `features`."""
        return self.net.maps(self.standardise_x(x))


class ClassifierNet(nn.Module):
    """From examples `(B, *shape)` to logits `(B, K)`; `features` is all but the last layer."""

    def __init__(self, shape: Sequence[int], classes: int, config: ClassifierConfig) -> None:
        super().__init__()
        kind = pick("conv" if config.net == "auto" and len(shape) == 3 else config.net, shape)
        if kind == "mlp":
            self.trunk, sizes = nn.Sequential(nn.Flatten()), [prod(shape)]
        else:
            self.trunk, sizes = _levels(shape, config.width, config.depth, residual=kind == "resnet")
        sizes += config.hidden
        for n_in, n_out in zip(sizes, sizes[1:], strict=False):
            self.trunk.extend([nn.Linear(n_in, n_out), nn.ReLU()])
        self.last = nn.Linear(sizes[-1], classes)

    def features(self, x: Tensor) -> Tensor:
        features: Tensor = self.trunk(x)
        return features

    def maps(self, x: Tensor) -> list[Tensor]:
        """The maps of each size, as they are before they are halved, and the input of the last layer."""
        h, seen = x, []
        for i, layer in enumerate(self.trunk):
            if i and isinstance(layer, nn.MaxPool2d | nn.Flatten):
                seen.append(h)
            h = layer(h)
        return [*seen, h]

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.last(self.trunk(x))
        return logits


class BasicBlock(nn.Module):
    """relu(x + f(x)), f two convolutions 3x3 on `width` channels; f starts at 0 (Goyal et al. 2017, 5.1)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        last = nn.BatchNorm2d(width)
        nn.init.zeros_(last.weight)
        second = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.residual = nn.Sequential(*_conv_bn_relu(width, width), second, last)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = torch.relu(x + self.residual(x))
        return out


def _levels(shape: Sequence[int], width: int, depth: int, residual: bool) -> tuple[nn.Sequential, list[int]]:
    """Convolutions at every size of the ladder, halved in between: to `(B, F)`, and [F]."""
    sizes = ladder(shape[1:])
    widths = [shape[0], *channels(width, len(sizes))]
    layers: list[nn.Module] = []
    for level, (c_in, c_out) in enumerate(zip(widths, widths[1:], strict=False)):
        layers += [nn.MaxPool2d(2, ceil_mode=True)] if level else []
        layers += _conv_bn_relu(c_in, c_out)
        for _ in range(depth if residual else depth - 1):
            layers += [BasicBlock(c_out)] if residual else _conv_bn_relu(c_out, c_out)
    return nn.Sequential(*layers, nn.Flatten()), [widths[-1] * prod(sizes[-1])]


def _conv_bn_relu(c_in: int, c_out: int) -> list[nn.Module]:
    convolution = nn.Conv2d(c_in, c_out, 3, padding=1, bias=False)
    return [convolution, nn.BatchNorm2d(c_out), nn.ReLU(inplace=True)]


def shifted(x: Tensor, pixels: int, noise: Noise) -> Tensor:
    """Images `(B, C, H, W)`, each moved by up to so many pixels along both axes; the edge is repeated.

    >>> x = torch.arange(4.0).reshape(1, 1, 1, 4).expand(100, 1, 4, 4)
    >>> shifted(x, 1, Noise(0))[:, 0, 0].unique(dim=0)
    tensor([[0., 0., 1., 2.],
            [0., 1., 2., 3.],
            [1., 2., 3., 3.]])
    """
    n, _, *sides = x.shape
    moves = (noise.uniform(n, 2) * (2 * pixels + 1)).long() - pixels  # (B, 2)
    rows, columns = (
        (torch.arange(side, device=x.device) + move[:, None]).clamp(0, side - 1)
        for side, move in zip(sides, moves.T, strict=True)
    )
    each = torch.arange(n, device=x.device)[:, None, None]
    return x.permute(0, 2, 3, 1)[each, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)
