"""Decoders of sentences: p(x_t | x_1 ... x_{t-1}, z), one token after the other."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from simulacra.data.text.vocabulary import END, PADDING, UNKNOWN
from simulacra.nets.sequence.encoder import CELLS
from simulacra.nets.sequence.transformer import Positions, blocks


class WordDropout(nn.Dropout):
    """Replaces tokens by the unknown one (Bowman et al. 2016, arXiv:1511.06349, section 3.1)."""

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or not self.p:
            return x
        return torch.where(torch.rand(x.shape, device=x.device) < self.p, UNKNOWN, x)


class SequenceDecoder(nn.Module, ABC):
    """Predicts each token from z and the tokens before it.

    The embedding of a token is also the row of the output's weights (Press and Wolf 2017, arXiv:1608.05859).

    Args:
        tokens: different ones.
        longest: tokens of a sentence, its end included, at most.
        embedding: numbers of a token's embedding.
        width: of the state.
        word_dropout: share of the previous tokens that it does not see in training.
        dropout: of the outputs, in training.
    """

    def __init__(
        self, tokens: int, longest: int, embedding: int, width: int, word_dropout: float, dropout: float
    ) -> None:
        super().__init__()
        self.longest = longest
        self.word_dropout, self.dropout = WordDropout(word_dropout), nn.Dropout(dropout)
        self.embedding = nn.Embedding(tokens, embedding)
        nn.init.normal_(self.embedding.weight, std=embedding**-0.5)
        self.projection = nn.Linear(width, embedding) if width != embedding else nn.Identity()
        self.bias = nn.Parameter(torch.zeros(tokens))

    def forward(self, z: Tensor, x: Tensor) -> Tensor:
        """ln p(x_t | x_1 ... x_{t-1}, z) of each token, 0 of padding.

        Args:
            z: latents `(B, Z)`.
            x: numbers of tokens `(B, T)`, int64.

        Returns:
            Nats `(B, T)`.
        """
        # the end of the sentence before starts it
        before = F.pad(self.word_dropout(x[:, :-1]), (1, 0), value=END)
        logits = self.logits(self.dropout(self.states(z, before)))
        # a row for each token: over the second of three axes it takes three times as long
        each = -F.cross_entropy(logits.flatten(0, 1), x.flatten(), reduction="none").view_as(x)
        # a sentence that is as long as it can be has to end
        fixed = torch.arange(x.shape[1], device=x.device) == self.longest - 1
        return each.masked_fill((x == PADDING) | fixed, 0.0)

    def logits(self, states: Tensor) -> Tensor:
        """Logits `(B, T, V)` of states; those of padding are so low that it has no probability."""
        # in the bias, not in the logits: those are copied for it, in both passes
        never = torch.arange(len(self.bias), device=self.bias.device) == PADDING
        return F.linear(self.projection(states), self.embedding.weight, self.bias.masked_fill(never, -1e9))

    @abstractmethod
    def states(self, z: Tensor, before: Tensor) -> Tensor:
        """What each token is predicted from, `(B, T, W)`, for the tokens before it, END first, `(B, T)`."""

    @abstractmethod
    def start(self, z: Tensor) -> Any:
        """The state of a generation from latents z, which `step` goes on from."""

    @abstractmethod
    def step(self, token: Tensor, state: Any) -> tuple[Tensor, Any]:
        """Logits of the next token `(B, V)` after the last one `(B,)`, and the next state."""

    @abstractmethod
    def choose(self, state: Any, rows: Tensor) -> Any:
        """The state of some rows `(B',)`, in their order."""


class RecurrentDecoder(SequenceDecoder):
    """A recurrent net whose first state and each of whose inputs hold z.

    Args:
        tokens, longest, embedding, width, word_dropout, dropout: as of `SequenceDecoder`.
        latent_dim: numbers of z; 0 makes it a language model.
        net: `lstm` or `gru`.
        depth: layers.
    """

    def __init__(
        self,
        tokens: int,
        latent_dim: int,
        longest: int,
        net: str,
        embedding: int,
        width: int,
        depth: int,
        word_dropout: float = 0.0,
        dropout: float = 0.0,
    ) -> None:
        super().__init__(tokens, longest, embedding, width, word_dropout, dropout)
        self.parts, self.depth = 2 if net == "lstm" else 1, depth
        self.cells = CELLS[net](embedding + latent_dim, width, depth, batch_first=True)
        self.first = nn.Linear(latent_dim, self.parts * depth * width) if latent_dim else None
        self.width = width

    def states(self, z: Tensor, before: Tensor) -> Tensor:
        inputs = self.dropout(self.embedding(before))
        zs = z[:, None].expand(-1, before.shape[1], -1)
        states: Tensor = self.cells(torch.cat([inputs, zs], dim=2), self._first(z))[0]
        return states

    def start(self, z: Tensor) -> tuple[Tensor, Any]:
        return z, self._first(z)

    def step(self, token: Tensor, state: tuple[Tensor, Any]) -> tuple[Tensor, tuple[Tensor, Any]]:
        z, inner = state
        inputs = torch.cat([self.embedding(token), z], dim=1)
        output, inner = self.cells(inputs[:, None], inner)
        return self.logits(output[:, 0]), (z, inner)

    def choose(self, state: tuple[Tensor, Any], rows: Tensor) -> tuple[Tensor, Any]:
        z, inner = state
        chosen = tuple(part[:, rows] for part in inner) if self.parts == 2 else inner[:, rows]
        return z[rows], chosen

    def _first(self, z: Tensor) -> Any:
        if self.first is None:
            shape = (self.parts, self.depth, len(z), self.width)
            parts = torch.zeros(shape, device=z.device, dtype=self.bias.dtype)
        else:
            parts = self.first(z).tanh().view(len(z), self.parts, self.depth, -1).permute(1, 2, 0, 3)
        parts = parts.contiguous()
        return tuple(parts) if self.parts == 2 else parts[0]


class TransformerDecoder(SequenceDecoder):
    """Causal self-attention over the tokens, with z added to each.

    Args:
        tokens, longest, width, word_dropout, dropout: as of `SequenceDecoder`.
        latent_dim: numbers of z; 0 makes it a language model.
        depth: blocks.
        heads: of attention, which divide the width.
    """

    def __init__(
        self,
        tokens: int,
        latent_dim: int,
        longest: int,
        width: int,
        depth: int,
        heads: int,
        word_dropout: float = 0.0,
        dropout: float = 0.0,
    ) -> None:
        super().__init__(tokens, longest, width, width, word_dropout, dropout)
        self.positions = Positions(longest, width)
        self.condition = nn.Linear(latent_dim, width, bias=False) if latent_dim else None
        self.blocks = blocks(width, depth, heads)

    def states(self, z: Tensor, before: Tensor) -> Tensor:
        # an embedding has norm 1, a sum over width numbers
        h = self.positions(self.dropout(self.embedding(before) * self.embedding.embedding_dim**0.5))
        if self.condition is not None:
            h = h + self.condition(z)[:, None]
        length = before.shape[1]
        causal = nn.Transformer.generate_square_subsequent_mask(length, device=h.device, dtype=h.dtype)
        states: Tensor = self.blocks(h, mask=causal, is_causal=True)
        return states

    def start(self, z: Tensor) -> tuple[Tensor, Tensor]:
        return z, torch.empty(len(z), 0, dtype=torch.int64, device=z.device)

    def step(self, token: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        z, before = state
        before = torch.cat([before, token[:, None]], dim=1)
        return self.logits(self.states(z, before)[:, -1]), (z, before)

    def choose(self, state: tuple[Tensor, Tensor], rows: Tensor) -> tuple[Tensor, Tensor]:
        z, before = state
        return z[rows], before[rows]
