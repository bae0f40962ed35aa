"""The likelihood of the rows of a table: a mixture of logistics for each number, a softmax for each code."""

from __future__ import annotations

from collections.abc import Sequence
from math import pi, sqrt
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.distributions import Categorical, Distribution, constraints

from simulacra.data.tables.schema import Schema
from simulacra.probability.layout import Layout
from simulacra.probability.likelihoods import SMALLEST_SIGMA, Likelihood

# logistics of each number
COMPONENTS = 5
# values of each number that have a component of their own, at most; the share of rows that such a value has
HEAPS, HEAPED = 32, 0.01
# rows that they are fitted to before the training, and steps of that
LOOKED_AT, STEPS = 10_000, 100


class Mixed(Likelihood):
    """Every column of a table has its likelihood, given the net's output independent of the others.

    A number: a mixture of logistics, each averaged over the interval that rounds to x, of r = 10^-decimals:

        p(x) = sum_k pi_k (F_k(x + r / 2) - F_k(x - r / 2)) / r,

    so that the density of rounded numbers is their probability divided by r, and never infinite (Salimans et
    al. 2017, PixelCNN++, eq. 2). The net gives pi (softmax), a and b; the location is m_k + s_k a_k and the
    scale s_k softplus(b_k), with the m_k and s_k of a mixture fitted to the column (`fit`), so that several
    modes, long tails and any unit suit the net. A value of many rows (50 hours a week, 12 years of school) is
    a component of its own, with all its mass on that value. A code: softmax. A number with special values
    contributes its density only where it has a value of its own. A code without a 1 (a category that the
    training data lack) contributes nothing.

    Args:
        schema: the columns.
        scale: activation of predicted scales.
        sigma: where they start, in units of those of the fitted mixture.

    >>> from simulacra.data.tables.schema import Column
    >>> schema = Schema((Column("age", "number"), Column("sex", "category", ("female", "male"))))
    >>> likelihood = Mixed(schema)
    >>> p = likelihood(torch.zeros(5, *likelihood.outputs((3,))))
    >>> p.log_prob(torch.tensor([[0.0, 1.0, 0.0]])).shape, p.mean[0], p.sample().shape
    (torch.Size([5]), tensor([0.0000, 0.5000, 0.5000]), torch.Size([5, 3]))
    """

    step: Tensor  # (n,)
    loc: Tensor  # (n, K)
    spread: Tensor  # (n, K)
    heaps: Tensor  # (n, H)
    log_weight: Tensor  # (n, K + H)

    def __init__(self, schema: Schema, scale: str = "softplus", sigma: float = 1.0) -> None:
        super().__init__(scale, sigma)
        self.layout = Layout(schema)
        columns = [block.column for block in schema.blocks if block.number is not None]
        # days of dates
        step = [10.0**-column.decimals for column in columns]
        self.register_buffer("step", torch.tensor(step), persistent=False)
        n = len(columns)
        self.register_buffer("loc", torch.zeros(n, COMPONENTS))
        self.register_buffer("spread", torch.ones(n, COMPONENTS))
        self.register_buffer("heaps", torch.zeros(n, HEAPS))
        unused = torch.full((n, HEAPS), -torch.inf)
        self.register_buffer("log_weight", torch.cat([torch.zeros(n, COMPONENTS), unused], dim=1))
        self.sizes = [self.log_weight.numel(), self.loc.numel(), self.loc.numel(), len(self.layout.codes)]

    def outputs(self, shape: Sequence[int]) -> tuple[int, ...]:
        return (sum(self.sizes),)

    def fit(self, x: np.ndarray) -> None:
        """Fit the mixture of each number, by its own values in rows `(N, D)`."""
        self.layout.fit(x)
        for i, values in enumerate(self.layout.own_values(x)):
            if not len(values):
                continue
            heaps, shares = heaped(values)
            rest = values[~np.isin(values, heaps)]
            # where every value is a heap, other values are possible
            log_pi, mu, sigma = mixture(
                (rest if len(rest) else values)[:LOOKED_AT], COMPONENTS, float(self.step[i])
            )
            left = max(1 - shares.sum(), 1 / len(values))
            self.loc[i], self.spread[i] = torch.from_numpy(mu), torch.from_numpy(sigma)
            self.heaps[i, : len(heaps)] = torch.from_numpy(heaps)
            self.log_weight[i] = -torch.inf
            log_weight = np.concatenate([np.log(left) + log_pi, np.log(shares)])
            self.log_weight[i, : len(log_weight)] = torch.from_numpy(log_weight)

    def forward(self, output: Tensor) -> Rows:
        w, a, b, logits = output.split(self.sizes, dim=-1)
        log_pi = (w.unflatten(-1, self.log_weight.shape) + self.log_weight).log_softmax(dim=-1)
        loc = self.loc + self.spread * a.unflatten(-1, self.loc.shape)  # (B, n, K)
        scale = self.spread * (self.scale(b).unflatten(-1, self.loc.shape) * self.sigma + SMALLEST_SIGMA)
        # so narrow that all mass is on one value
        narrow = (self.step[:, None] / 50).expand_as(self.heaps)
        loc, scale = (
            torch.cat([free, fixed.expand(*free.shape[:-1], -1)], dim=-1)
            for free, fixed in ((loc, self.heaps), (scale, narrow))
        )
        return Rows(self.layout, log_pi, loc, scale, logits, self.step)


class Rows(Distribution):
    """Rows of a table `(B, D)` with independent columns: mixtures of logistics, rounded, and categories.

    Args:
        layout: where the columns are.
        log_pi: log-weights of the components of every number, `(B, n, K)`.
        loc: their means, `(B, n, K)`.
        scale: their scales, `(B, n, K)`.
        logits: of the entries of the codes, `(B, C)`.
        step: what the numbers are rounded to multiples of, `(n,)`.
    """

    arg_constraints: dict[str, Any] = {}

    def __init__(
        self, layout: Layout, log_pi: Tensor, loc: Tensor, scale: Tensor, logits: Tensor, step: Tensor
    ) -> None:
        self.layout, self.log_pi, self.loc, self.scale, self.step = layout, log_pi, loc, scale, step
        self.log_p = layout.log_softmax(logits)
        width = len(layout.numbers) + len(layout.codes)
        super().__init__(logits.shape[:-1], torch.Size([width]), validate_args=False)

    @property
    def support(self) -> constraints.Constraint:
        return self.layout.support

    @property
    def mean(self) -> Tensor:
        """The expected row: of a code the probabilities."""
        return self.layout.join((self.log_pi.exp() * self.loc).sum(dim=-1), self.log_p.exp())

    @property
    def variance(self) -> Tensor:
        # of a logistic, and of what rounding takes away
        variance = (pi * self.scale).square() / 3 + self.step[:, None].square() / 12
        second = self.log_pi.exp() * (self.loc.square() + variance)
        p = self.log_p.exp()
        present = self.layout.present(p)
        square = present * second.sum(dim=-1) + p @ self.layout.special.square()
        x = self.mean
        x[..., self.layout.numbers] = square - x[..., self.layout.numbers].square()
        x[..., self.layout.codes] = p * (1 - p)
        return x

    def log_prob(self, value: Tensor) -> Tensor:
        """A density of the numbers that have a value of their own, times probabilities of the codes; nats."""
        x, code = value[..., self.layout.numbers], value[..., self.layout.codes]
        # sigmoid(b) - sigmoid(a) = e^b (1 - e^(a - b)) / ((1 + e^a) (1 + e^b)), a and b half a step from x
        width = self.step[:, None] / self.scale
        middle = (x[..., None] - self.loc) / self.scale
        a, b = middle - width / 2, middle + width / 2
        log_mass = b + torch.log(-torch.expm1(-width)) - F.softplus(a) - F.softplus(b)
        log_density = torch.logsumexp(self.log_pi + log_mass, dim=-1) - self.step.log()
        of_numbers = (self.layout.present(code) * log_density).sum(dim=-1)
        return of_numbers + (code * self.log_p).sum(dim=-1)

    def sample(self, sample_shape: Any = ()) -> Tensor:
        """Rows with one-hot codes and rounded numbers."""
        shape = torch.Size(sample_shape)
        k = _categories(self.log_pi, shape)[..., None]
        loc, scale = (t.expand(*shape, *t.shape).gather(-1, k).squeeze(-1) for t in (self.loc, self.scale))
        u = torch.rand_like(loc).clamp(1e-6, 1 - 1e-6)
        # the inverse of the distribution function
        numbers = ((loc + scale * (u.log() - torch.log1p(-u))) / self.step).round() * self.step
        return self.layout.join(numbers, self._codes(shape))

    def _codes(self, shape: torch.Size) -> Tensor:
        """One-hot codes `(*shape, B, C)`."""
        codes = [
            F.one_hot(_categories(part, shape), part.shape[-1]) for part in self.layout.split(self.log_p)
        ]
        return torch.cat(codes, dim=-1).to(self.log_p) if codes else self.log_p.expand(*shape, -1, -1)


class PointRows(Rows):
    """Rows of a table `(B, D)` whose numbers are given, and only the codes are random.

    Args:
        layout: where the columns are.
        numbers: `(B, n)`.
        logits: of the entries of the codes, `(B, C)`.
    """

    def __init__(self, layout: Layout, numbers: Tensor, logits: Tensor) -> None:
        one = torch.zeros_like(numbers)[..., None]
        super().__init__(layout, one, numbers[..., None], one, logits, torch.ones_like(numbers[0]))

    def sample(self, sample_shape: Any = ()) -> Tensor:
        """Rows with one-hot codes."""
        code = self._codes(torch.Size(sample_shape))
        return self.layout.join(self.loc.squeeze(-1).expand(*code.shape[:-1], -1), code)

    def log_prob(self, value: Tensor) -> Tensor:
        """Infinite where the numbers are those given, else -infinite; without numbers that of the codes."""
        code = value[..., self.layout.codes]
        if not len(self.layout.numbers):
            return (code * self.log_p).sum(dim=-1)
        same = (value[..., self.layout.numbers] == self.loc.squeeze(-1)) | (self.layout.present(code) == 0)
        return torch.where(same.all(dim=-1), torch.inf, -torch.inf)


def heaped(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The most frequent values `(H,)` of numbers `(N,)`, and the shares of rows that have them.

    >>> heaped(np.array([40.0, 40, 50, 40, 50, 50.5] * 10))
    (array([40. , 50. , 50.5]), array([0.5       , 0.33333333, 0.16666667]))
    """
    values, counts = np.unique(x, return_counts=True)
    order = np.argsort(-counts, kind="stable")[:HEAPS]
    # a value of few rows may be frequent by chance
    order = order[counts[order] >= max(HEAPED * len(x), 10)]
    return values[order], counts[order] / len(x)


def _categories(log_p: Tensor, shape: torch.Size) -> Tensor:
    return Categorical(logits=log_p, validate_args=False).sample(shape)


def mixture(x: np.ndarray, components: int, step: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Log-weights, means and standard deviations `(K,)` of a mixture of normals for numbers `(N,)`.

    By expectation maximisation (Bishop 2006, section 9.2.2), from K parts with equally many numbers each.

    Args:
        x: the numbers.
        components: K.
        step: what they are rounded to multiples of; no standard deviation is below that of the rounding.

    >>> x = np.random.default_rng(0).normal(size=1000) * [0.1] + np.repeat([0, 5], 500)
    >>> _, mu, sigma = mixture(x, 2, 0.01)
    >>> np.abs(mu).round(1), sigma.round(1)
    (array([0., 5.]), array([0.1, 0.1]))
    """
    floor = max(step / sqrt(12), SMALLEST_SIGMA * x.std())
    parts = np.array_split(np.sort(x), components)
    mu = np.array([part.mean() if len(part) else x.mean() for part in parts])
    sigma = np.array([max(part.std(), floor) if len(part) else floor for part in parts])
    pi = np.full(components, 1 / components)
    for _ in range(STEPS):
        log_r = np.log(pi) - 0.5 * ((x[:, None] - mu) / sigma) ** 2 - np.log(sigma)
        r = np.exp(log_r - log_r.max(axis=1, keepdims=True))
        r /= r.sum(axis=1, keepdims=True)
        # no component is left without rows
        n = r.sum(axis=0) + 1e-3
        pi, mu = n / n.sum(), (r.T @ x + 1e-3 * mu) / n
        sigma = np.sqrt(np.maximum((r * (x[:, None] - mu) ** 2).sum(axis=0) / n, floor**2))
    return np.log(pi), mu, sigma
