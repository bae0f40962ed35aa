"""The variational autoencoder of sentences."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from simulacra.core.batch import Batch
from simulacra.core.latents import LatentSpace
from simulacra.core.model import Turn
from simulacra.data.spec import Dataset
from simulacra.errors import ConfigError
from simulacra.models.pretrained import trained_model
from simulacra.models.sentence_autoencoder.model import SentenceAutoencoder
from simulacra.models.sentence_vae.card import CARD, SentenceVAEConfig
from simulacra.models.vae.variational import Variational


class SentenceVAE(Variational, SentenceAutoencoder):
    """Variational autoencoder of sentences (Bowman et al. 2016, arXiv:1511.06349).

    q(z | x) = N(mu, diag sigma^2) from the end of the encoder's pass over x, p(z) = N(0, I),
    p(x | z) = prod_t p(x_t | x_1 ... x_{t-1}, z). A strong decoder can do without z: the KL is then 0
    (posterior collapse). Remedies: `kl_warmup`, `word_dropout`, `free_bits` or `kl_target`, an encoder of an
    autoencoder to start from (Li et al. 2019, arXiv:1909.00868), and `encoder_steps` (He et al. 2019,
    arXiv:1901.05534).

    >>> from simulacra.data.spec import DataSpec
    >>> from simulacra.data.text.vocabulary import Vocabulary
    >>> from simulacra.models.sentence_vae.card import SentenceVAEConfig
    >>> vocabulary = Vocabulary.of(["a cat sat", "a dog sat"], "words", 10)
    >>> model = SentenceVAE(DataSpec("text", (6,), vocabulary=vocabulary), SentenceVAEConfig(width=8))
    >>> model.elbo(["a cat sat"]).value.shape, model.sample(3, seed=0).shape
    (torch.Size([1]), torch.Size([3, 6]))
    """

    players = {"vae": ("encoder", "decoder")}
    card: ClassVar = CARD
    config: SentenceVAEConfig
    latent_parameters = 2

    def prepare(self, train: Dataset) -> None:
        """Start from the encoder of an autoencoder, where the settings name one.

        Raises:
            ConfigError: it has other nets, or another vocabulary.
        """
        if self.config.encoder_from is None:
            return
        where = f"encoder_from: {self.config.encoder_from}"
        model = trained_model(self.config.encoder_from, "encoder_from")
        if not isinstance(model, SentenceAutoencoder):
            raise ConfigError(f"{where}: holds a {type(model).__name__}; train a sentence_autoencoder")
        if model.spec.vocabulary != self.spec.vocabulary:
            raise ConfigError(f"{where}: has another vocabulary; train it on the same data")
        mine = self.encoder.state_dict()
        if model.latent.shape != self.latent.shape or model.encoder.state_dict().keys() != mine.keys():
            raise ConfigError(f"{where}: its encoder has other nets or latents; give the same settings")
        for key, value in model.encoder.state_dict().items():
            # the first Z outputs are mu
            into = mine[key][: self.latent.size] if key.startswith("output.") else mine[key]
            if into.shape != value[: len(into)].shape:
                raise ConfigError(f"{where}: its encoder has other sizes; give the same settings")
            into.copy_(value[: len(into)])

    def play(self, batch: Batch) -> Iterator[Turn]:
        with batch.noise.dropout(self.decoder):
            turns = list(super().play(batch))
        yield from turns

    def posterior_collapse_remedies(self) -> list[str]:
        return ["--free-bits 0.1", "a longer --kl-warmup", "--word-dropout 0.4"]

    def _space(self) -> LatentSpace:
        return LatentSpace.normal(self.config.latent_dim)
