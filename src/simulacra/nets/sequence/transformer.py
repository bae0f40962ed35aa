"""What the transformers of encoder and decoder share: learned positions, and pre-norm blocks."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Positions(nn.Module):
    """Adds a learned vector for each position (Vaswani et al. 2017, arXiv:1706.03762, section 3.5).

    Args:
        longest: positions.
        width: numbers of each.
    """

    def __init__(self, longest: int, width: int) -> None:
        super().__init__()
        self.table = nn.Parameter(0.02 * torch.randn(longest, width))

    def forward(self, h: Tensor) -> Tensor:
        return h + self.table[: h.shape[1]]


def blocks(width: int, depth: int, heads: int) -> nn.TransformerEncoder:
    """Self-attention and an MLP of four times the width, with layer norms before each and after the last."""
    layer = nn.TransformerEncoderLayer(
        width, heads, 4 * width, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
    )
    return nn.TransformerEncoder(layer, depth, nn.LayerNorm(width), enable_nested_tensor=False)
