"""Encoders of sentences: `(B, T)` numbers of tokens to `(B, outputs)`."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from simulacra.data.text.vocabulary import PADDING
from simulacra.nets.sequence.transformer import Positions, blocks

CELLS: dict[str, type[nn.LSTM] | type[nn.GRU]] = {"lstm": nn.LSTM, "gru": nn.GRU}


class RecurrentEncoder(nn.Module):
    """The state of a recurrent net at the end of a sentence, mapped linearly.

    Args:
        tokens: different ones.
        outputs: numbers.
        net: `lstm` or `gru`.
        embedding: numbers of a token's embedding.
        width: of the state.
        depth: layers.
    """

    def __init__(self, tokens: int, outputs: int, net: str, embedding: int, width: int, depth: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(tokens, embedding, padding_idx=PADDING)
        self.cells = CELLS[net](embedding, width, depth, batch_first=True)
        self.output = nn.Linear(width, outputs)

    def forward(self, x: Tensor) -> Tensor:
        states, _ = self.cells(self.embedding(x))
        # the state at the end token; what comes after it is padding
        end = (x != PADDING).sum(dim=1) - 1
        output: Tensor = self.output(states[torch.arange(len(x), device=x.device), end])
        return output


class TransformerEncoder(nn.Module):
    """The mean over the tokens of a transformer's outputs, mapped linearly.

    Args:
        tokens: different ones.
        outputs: numbers.
        longest: tokens of a sentence, at most.
        width: numbers of a token.
        depth: blocks.
        heads: of attention, which divide the width.
    """

    def __init__(self, tokens: int, outputs: int, longest: int, width: int, depth: int, heads: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(tokens, width, padding_idx=PADDING)
        self.positions = Positions(longest, width)
        self.blocks = blocks(width, depth, heads)
        self.output = nn.Linear(width, outputs)

    def forward(self, x: Tensor) -> Tensor:
        there = (x != PADDING).unsqueeze(2)
        h = self.positions(self.embedding(x))
        h = self.blocks(h, src_key_padding_mask=~there[:, :, 0]) * there
        output: Tensor = self.output(h.sum(dim=1) / there.sum(dim=1))
        return output
