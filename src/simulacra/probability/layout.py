"""Where the rows of a table have their numbers and their one-hot codes."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.distributions import constraints

from simulacra.core.noise import Noise
from simulacra.data.tables.schema import Schema

# of the relaxation of one-hot codes, as in CTGAN (Xu et al. 2019, section 4.4)
TEMPERATURE = 0.2


class Layout(nn.Module):
    """Where rows x `(B, D)` have their n numbers and the C entries of their G one-hot codes.

    Attributes:
        numbers: indices of the numbers, `(n,)`.
        codes: indices of the entries, block after block, `(C,)`.
        member: 1 where an entry belongs to a block, `(C, G)`.
        always: 1 for numbers that have a value of their own in every row, `(n,)`.
        own: 1 where an entry says that a number has a value of its own, `(C, n)`.
        special: what a number is in the rows of each other entry, `(C, n)`; 0 until `fit`.
    """

    numbers: Tensor
    codes: Tensor
    member: Tensor
    always: Tensor
    own: Tensor
    special: Tensor

    def __init__(self, schema: Schema) -> None:
        super().__init__()
        self.sizes = [code.stop - code.start for code in schema.codes]
        codes = [i for code in schema.codes for i in range(code.start, code.stop)]
        numbered = [block for block in schema.blocks if block.number is not None]
        own, always = torch.zeros(len(codes), len(numbered)), torch.ones(len(numbered))
        # of every entry that stands for a special value: the number's place
        self.special_of: dict[int, int] = {}
        for i, block in enumerate(numbered):
            if block.column.states:
                first = codes.index(block.code.start)
                own[first, i], always[i] = 1, 0
                self.special_of |= dict.fromkeys(range(first + 1, first + len(block.column.states)), i)
        member = torch.block_diag(*(torch.ones(size, 1) for size in self.sizes))
        fixed = {
            "numbers": torch.tensor(schema.numbers, dtype=torch.long),
            "codes": torch.tensor(codes, dtype=torch.long),
            "member": member if codes else torch.zeros(0, 0),
            "always": always,
            "own": own,
        }
        for name, tensor in fixed.items():
            self.register_buffer(name, tensor, persistent=False)
        self.register_buffer("special", torch.zeros_like(own))

    @property
    def support(self) -> constraints.Constraint:
        """Of distributions of rows: discrete where there are codes only."""
        return constraints.independent(constraints.real if len(self.numbers) else constraints.boolean, 1)

    def fit(self, x: np.ndarray) -> None:
        """Learn from rows `(N, D)` what numbers are in the rows of their special values."""
        for entry, i in self.special_of.items():
            rows = x[:, self.codes[entry]] == 1
            self.special[entry, i] = float(x[rows, self.numbers[i]].mean()) if rows.any() else 0.0

    def own_values(self, x: np.ndarray) -> Iterator[np.ndarray]:
        """For each number its values in rows `(N, D)` where it has one of its own, float64 `(M,)`."""
        present = self.present(torch.from_numpy(x[:, self.codes])).numpy() > 0
        for i, number in enumerate(self.numbers.tolist()):
            yield x[present[:, i], number].astype(np.float64)

    def present(self, codes: Tensor) -> Tensor:
        """Whether, or with which probability, numbers have a value of their own: `(B, C)` to `(B, n)`."""
        return self.always + codes @ self.own.to(codes)

    def observed(self, x: Tensor) -> Tensor:
        """1 where rows `(B, D)` say something: numbers with a value of their own, codes with a 1; else 0."""
        code = x[..., self.codes]
        y = torch.empty_like(x)
        member = self.member.to(code)
        y[..., self.numbers], y[..., self.codes] = self.present(code), code @ member @ member.T
        return y

    def join(self, numbers: Tensor, codes: Tensor, special: bool = True) -> Tensor:
        """Rows `(B, D)` of numbers `(B, n)`, which apply where they are present, and codes `(B, C)`.

        Elsewhere the numbers are as in the data, or 0 without `special`.
        """
        numbers = self.present(codes) * numbers
        if special:
            numbers = numbers + codes @ self.special.to(codes)
        x = numbers.new_empty(*numbers.shape[:-1], len(self.numbers) + len(self.codes))
        x[..., self.numbers], x[..., self.codes] = numbers, codes
        return x

    def straight_through(self, logits: Tensor, noise: Noise) -> Tensor:
        """One-hot codes `(B, C)`, drawn from a softmax for each block, with the gradients of a relaxation.

        Gumbel-softmax (Jang et al. 2017, eq. 2, and section 2.2).
        """
        u = noise.uniform(*logits.shape).clamp(1e-6, 1 - 1e-6)
        soft = self.log_softmax((logits - torch.log(-torch.log(u))) / TEMPERATURE).exp()
        hard = [F.one_hot(part.argmax(dim=-1), part.shape[-1]) for part in self.split(soft)]
        return torch.cat(hard, dim=-1).to(soft) + soft - soft.detach() if hard else soft

    def log_softmax(self, logits: Tensor) -> Tensor:
        """Log-probabilities `(B, C)`, normalised in every block."""
        parts = [part.log_softmax(dim=-1) for part in self.split(logits)]
        return torch.cat(parts, dim=-1) if parts else logits

    def split(self, codes: Tensor) -> tuple[Tensor, ...]:
        """The blocks of `(..., C)`."""
        return codes.split(self.sizes, dim=-1) if self.sizes else ()
