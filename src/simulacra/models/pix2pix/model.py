"""pix2pix, and its style code."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from simulacra.core.batch import Batch
from simulacra.core.capabilities import Translates
from simulacra.core.model import Turn, frozen
from simulacra.core.noise import Noise
from simulacra.data.spec import DataSpec
from simulacra.models.jitter import Jitter, scaled
from simulacra.models.pix2pix.card import CARD, Pix2PixConfig
from simulacra.nets.conv import ConvEncoder
from simulacra.nets.layers import NormAct, initialise
from simulacra.nets.patch import PatchDiscriminator
from simulacra.nets.translation import ResNetTranslator, SkipUNet
from simulacra.probability.distributions import kl_to_standard_normal
from simulacra.probability.objectives import OBJECTIVES, generator_loss_term


class Pix2Pix(Translates):
    """pix2pix (Isola et al. 2017): image translation learned from pairs, with a patch discriminator.

        min over G, max over D of E ln D(x, y) + E ln(1 - D(x, G(x))) + lambda |y - G(x)|_1

    G is a U-Net whose noise is dropout, in training and translation alike; D classifies patches of input and
    output together. This noise has little effect: translations of one input are nearly the same. With
    `style_dim` the net also takes a code z, which an encoder E(y) keeps meaningful (BicycleGAN, Zhu et al.
    2017b): the code of y has to reconstruct y, with the KL divergence of q(z | y) from N(0, I) (cVAE-GAN, eq.
    4 to 6), and E has to recover a random code from its translation (cLR-GAN, eq. 7).

    >>> from simulacra.data.spec import DataSpec
    >>> from simulacra.models.pix2pix.card import Pix2PixConfig
    >>> image = DataSpec("image", (3, 32, 32))
    >>> model = Pix2Pix(DataSpec("image", (3, 32, 32), target=image), Pix2PixConfig(width=8))
    >>> model.translate(torch.rand(2, 3, 32, 32), seed=0).shape
    torch.Size([2, 3, 32, 32])
    """

    players = {"discriminator": ("discriminator",), "generator": ("generator", "encoder")}
    # of one image the weights' gradients take as long as everything else, and longer in channels_last
    memory_format = torch.contiguous_format
    card = CARD
    config: Pix2PixConfig

    def __init__(self, spec: DataSpec, config: Pix2PixConfig) -> None:
        """Raises ConfigError for settings that cannot be, or data without pairs of images."""
        super().__init__(spec, config)
        target = spec.target
        assert target is not None, "checked by the card"
        self.objective = OBJECTIVES[config.objective]
        self.jitter = Jitter(spec.shape, config.load_size, config.flip)
        c_in, c_out, size = spec.shape[0], target.shape[0], min(spec.shape[1:])
        self.generator: nn.Module
        if config.net == "resnet":
            self.generator = ResNetTranslator(c_in, c_out, config.width, config.blocks, config.norm, True)
        else:
            self.generator = SkipUNet(c_in, c_out, size, config.width, config.norm, code_dim=config.style_dim)
        self.discriminator = PatchDiscriminator(c_in + c_out, size, config.patch, config.width, config.norm)
        self.encoder: nn.Module = nn.Identity()
        if config.style_dim:
            style = NormAct("none", 0.2)
            self.encoder = ConvEncoder(target.shape, 2 * config.style_dim, config.width, style)
        # the encoder has no norms that would make up for small weights
        for net in (self.generator, self.discriminator):
            initialise(net)

    def play(self, batch: Batch) -> Iterator[Turn]:
        x, y = self.jitter(batch.noise, scaled(batch.x), scaled(_target(batch)))
        codes = self._codes(y, batch.noise) if self.config.style_dim else None
        # with codes two translations: with that of the target, and with a random one
        with batch.noise.dropout(self.generator):
            fakes = [self.generate(x, z) for z in ((codes.encoded, codes.random) if codes else (None,))]
        if self.config.adversarial:
            yield self._discriminator_turn(x, y, [fake.detach() for fake in fakes])
        distance = F.l1_loss(fakes[0], y)
        # of images in [0, 1]
        loss, terms = self.config.l1 * distance, {"l1": distance / 2}
        if self.config.adversarial:
            with frozen(self.discriminator):
                losses = [
                    generator_loss_term(self.config.objective, self._discriminate(x, fake)) for fake in fakes
                ]
            adversarial = torch.stack(losses).sum()
            loss, terms["adversarial"] = loss + self.config.adversarial * adversarial, adversarial
        if codes is not None:
            kl = codes.kl.mean()
            # the generator alone: the encoder could agree with it on an invisible code
            with frozen(self.encoder):
                recovered = F.l1_loss(self._encoded(fakes[1])[0], codes.random)
            loss = loss + self.config.kl * kl + self.config.recover * recovered
            terms |= {"kl": kl, "recovered": recovered}
        yield Turn("generator", loss, terms)

    def _discriminator_turn(self, x: Tensor, y: Tensor, fakes: list[Tensor]) -> Turn:
        """Half of the loss, so that D learns more slowly (Isola et al. 2017, section 3.3)."""
        real, fake = self._discriminate(x, y), [self._discriminate(x, translation) for translation in fakes]
        loss = 0.5 * torch.stack([self.objective.discriminator_loss(real, g) for g in fake]).mean()
        return Turn("discriminator", loss, {"real": real.mean(), "fake": fake[0].mean()})

    def validate(self, batch: Batch) -> dict[str, Tensor]:
        """Distance of one translation from the target, of 1: `loss`."""
        y = self.translate(batch.x, batch.noise)
        return {"loss": (y - _target(batch)).abs().flatten(1).mean(dim=1)}

    def generate(self, x: Tensor, z: Tensor | None) -> Tensor:
        """G(x) or G(x, z) in [-1, 1], of x in [-1, 1]."""
        out: Tensor = self.generator(x) if z is None else self.generator(x, z)
        return out.tanh()

    def translate(self, x: Tensor, seed: int | Noise = 0, to: str | None = None) -> Tensor:
        """One of the translations of images `(B, C, H, W)` in [0, 1]; other noise gives another.

        Args:
            to: the target's name; a pix2pix translates in one direction and takes none.
        """
        noise = Noise.of(seed)
        z = noise.normal(len(x), self.config.style_dim).to(x.device) if self.config.style_dim else None
        with noise.dropout(self.generator):
            return self.generate(scaled(x), z) / 2 + 0.5

    def _discriminate(self, x: Tensor, y: Tensor) -> Tensor:
        """The discriminator's outputs on the patches of pairs, `(B * patches,)`."""
        outputs: Tensor = self.discriminator(torch.cat([x, y], dim=1))
        return outputs.flatten()

    def _encoded(self, y: Tensor) -> tuple[Tensor, Tensor]:
        """mu and sigma of q(z | y), each `(B, style_dim)`."""
        mu, log_sigma = self.encoder(y).chunk(2, dim=1)
        return mu, log_sigma.clamp(-8, 8).exp()

    def _codes(self, y: Tensor, noise: Noise) -> Codes:
        mu, sigma = self._encoded(y)
        e, z = (noise.normal(len(y), self.config.style_dim) for _ in range(2))
        return Codes(mu + sigma * e, z, kl_to_standard_normal(mu, sigma).sum(dim=1))


class Codes(NamedTuple):
    """z ~ q(z | y) and z ~ N(0, I), each `(B, style_dim)`, and KL(q(z | y) || N(0, I)) `(B,)`."""

    encoded: Tensor
    random: Tensor
    kl: Tensor


def _target(batch: Batch) -> Tensor:
    assert batch.target is not None, "the spec has a target"
    return batch.target
