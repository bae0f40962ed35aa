"""Normal scores: numbers of any distribution as standard normal ones, and back."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from simulacra.data.tables.schema import Schema
from simulacra.probability.layout import Layout

# quantiles of each number that are kept
QUANTILES = 1000


class NormalScores(nn.Module):
    """Rows of a table with each number x replaced by its normal score, s = Phi^-1(F(x)), F its distribution
    function in the training data. Scores are standard normal whatever the column looks like: skewed, with
    several modes, rounded. A value of many rows, where F jumps, has scores between Phi^-1 of both ends. A
    number in a special state has the score 0; codes stay as they are.

    Args:
        schema: the columns.

    >>> from simulacra.data.tables.schema import Column
    >>> scores = NormalScores(Schema((Column("income", "number"),)))
    >>> x = np.exp(np.random.default_rng(0).normal(size=(5000, 1))).astype(np.float32)
    >>> scores.fit(x)
    >>> s = scores(torch.tensor([[1.0], [np.e]]))
    >>> s.round(decimals=1).flatten(), scores.inverse(s).round(decimals=2).flatten()
    (tensor([0., 1.]), tensor([1.0000, 2.7200]))
    """

    quantiles: Tensor  # (n, Q), ascending

    def __init__(self, schema: Schema) -> None:
        super().__init__()
        self.layout = Layout(schema)
        self.register_buffer("quantiles", torch.linspace(0, 1, QUANTILES).repeat(len(schema.numbers), 1))

    def fit(self, x: np.ndarray) -> None:
        """Learn the distribution of each number from rows `(N, D)`, of its own values."""
        self.layout.fit(x)
        for i, values in enumerate(self.layout.own_values(x)):
            if len(values):
                found = np.quantile(values, np.linspace(0, 1, QUANTILES))
                self.quantiles[i] = torch.from_numpy(found)

    def forward(self, x: Tensor, u: Tensor | None = None) -> Tensor:
        """Rows `(B, D)` with scores.

        Args:
            x: rows.
            u: where in a jump of F a score is, uniform on [0, 1) `(B, n)`; in the middle for None.
        """
        code, q = x[..., self.layout.codes], self.quantiles
        numbers = x[..., self.layout.numbers].T.contiguous()  # (n, B)
        first, behind = torch.searchsorted(q, numbers), torch.searchsorted(q, numbers, right=True)
        below, above = (q.gather(1, k.clamp(0, QUANTILES - 1)) for k in (first - 1, first))
        between = ((numbers - below) / (above - below).clamp(min=1e-12)).clamp(0, 1)
        jump = 0.5 if u is None else u.T
        # the level of a value between two quantiles, or of one that is a quantile, perhaps of many levels
        level = torch.where(behind > first, first - 0.5 + jump * (behind - first), first - 1 + between)
        # no score is infinite
        level = (level / (QUANTILES - 1)).clamp(0.5 / QUANTILES, 1 - 0.5 / QUANTILES)
        out = x.clone()
        out[..., self.layout.numbers] = torch.special.ndtri(level).T * self.layout.present(code)
        return out

    def inverse(self, scores: Tensor) -> Tensor:
        """Numbers `(B, n)` with these scores, within the range of the training data."""
        level = torch.special.ndtr(scores).T * (QUANTILES - 1)
        k = level.long().clamp(0, QUANTILES - 2)
        below, above = self.quantiles.gather(1, k), self.quantiles.gather(1, k + 1)
        return torch.lerp(below, above, (level - k).to(below)).T
