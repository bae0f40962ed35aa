"""Nets for sentences: an encoder, a decoder that predicts the next token, and the distribution it gives."""

from __future__ import annotations

from typing import Protocol

from simulacra.data.spec import DataSpec
from simulacra.nets.sequence.decoder import RecurrentDecoder, SequenceDecoder, TransformerDecoder
from simulacra.nets.sequence.encoder import RecurrentEncoder, TransformerEncoder


class Settings(Protocol):
    """The fields of a model's Config that describe its nets."""

    @property
    def net(self) -> str: ...
    @property
    def embedding(self) -> int: ...
    @property
    def width(self) -> int: ...
    @property
    def depth(self) -> int: ...
    @property
    def heads(self) -> int: ...
    @property
    def dropout(self) -> float: ...


def encoder(spec: DataSpec, settings: Settings, outputs: int) -> RecurrentEncoder | TransformerEncoder:
    """A net from sentences `(B, T)` to `(B, outputs)`."""
    tokens, longest = _sizes(spec)
    if settings.net == "transformer":
        return TransformerEncoder(tokens, outputs, longest, settings.width, settings.depth, settings.heads)
    return RecurrentEncoder(tokens, outputs, settings.net, settings.embedding, settings.width, settings.depth)


def decoder(
    spec: DataSpec, settings: Settings, latent_dim: int, word_dropout: float = 0.0
) -> SequenceDecoder:
    """A net from latents `(B, latent_dim)` and sentences `(B, T)` to log-probabilities of tokens."""
    tokens, longest = _sizes(spec)
    share = (word_dropout, settings.dropout)
    if settings.net == "transformer":
        sizes = (settings.width, settings.depth, settings.heads)
        return TransformerDecoder(tokens, latent_dim, longest, *sizes, *share)
    return RecurrentDecoder(
        tokens, latent_dim, longest, settings.net, settings.embedding, settings.width, settings.depth, *share
    )


def _sizes(spec: DataSpec) -> tuple[int, int]:
    assert spec.vocabulary is not None, "the card takes sentences alone"
    return len(spec.vocabulary), spec.shape[0]
