"""The likelihood of the rows of a table: a mixture of normals for each number, a softmax for each code."""

from __future__ import annotations

from collections.abc import Sequence
from math import log, pi, sqrt
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.distributions import Categorical, Distribution

from simulacra.data.tables.schema import Schema
from simulacra.probability.layout import Layout
from simulacra.probability.likelihoods import SMALLEST_SIGMA, Likelihood

# normals of each number
COMPONENTS = 5
# rows that they are fitted to before the training, and steps of that
LOOKED_AT, STEPS = 10_000, 100


class Mixed(Likelihood):
    """Every column of a table has its likelihood, given the net's output independent of the others.

    A number: sum_k pi_k N(x; mu_k, sigma_k^2), with mu_k = m_k + s_k a_k and sigma_k = s_k softplus(b_k);
    the net gives pi (softmax), a and b. The m_k and s_k are those of a mixture that is fitted to the column
    (`fit`), so that several modes, long tails and any unit suit the net. No sigma is smaller than the
    rounding of the column, 10^-decimals / sqrt(12). A code: softmax. A number with special values contributes
    its density only where it has a value of its own. A code without a 1 (a category that the training data
    lack) contributes nothing.

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

    rounding: Tensor  # (n, 1)
    loc: Tensor  # (n, K)
    spread: Tensor  # (n, K)
    log_weight: Tensor  # (n, K)

    def __init__(self, schema: Schema, scale: str = "softplus", sigma: float = 1.0) -> None:
        super().__init__(scale, sigma)
        self.layout = Layout(schema)
        columns = [block.column for block in schema.blocks if block.number is not None]
        # the standard deviation of what rounding takes away, uniform on an interval
        rounding = [10.0**-column.decimals / sqrt(12) for column in columns]
        self.register_buffer("rounding", torch.tensor(rounding)[:, None], persistent=False)
        shape = (len(columns), COMPONENTS)
        self.register_buffer("loc", torch.zeros(shape))
        self.register_buffer("spread", torch.ones(shape))
        self.register_buffer("log_weight", torch.zeros(shape))

    def outputs(self, shape: Sequence[int]) -> tuple[int, ...]:
        return (3 * self.loc.numel() + len(self.layout.codes),)

    def fit(self, x: np.ndarray) -> None:
        """Fit the mixture of each number, by its own values in rows `(N, D)`."""
        self.layout.fit(x)
        present = self.layout.present(torch.from_numpy(x[:, self.layout.codes])).numpy() > 0
        for i, number in enumerate(self.layout.numbers.tolist()):
            own = x[present[:, i], number][:LOOKED_AT].astype(np.float64)
            if len(own):
                fitted = mixture(own, COMPONENTS, float(self.rounding[i]))
                for buffer, value in zip((self.log_weight, self.loc, self.spread), fitted, strict=True):
                    buffer[i] = torch.from_numpy(value)

    def forward(self, output: Tensor) -> Rows:
        numbers, logits = output.split([3 * self.loc.numel(), len(self.layout.codes)], dim=-1)
        w, a, b = numbers.unflatten(-1, (3, *self.loc.shape)).unbind(dim=-3)  # (B, n, K) each
        mu = self.loc + self.spread * a
        # softplus and exp are 1 at 0.54 and 0
        sigma = self.spread * (self.scale(b) * self.sigma + SMALLEST_SIGMA) + self.rounding
        return Rows(self.layout, (w + self.log_weight).log_softmax(dim=-1), mu, sigma, logits)


class Rows(Distribution):
    """Rows of a table `(B, D)` with independent columns: mixtures of normals, and categories.

    Args:
        layout: where the columns are.
        log_pi: log-weights of the components of every number, `(B, n, K)`.
        mu: their means, `(B, n, K)`.
        sigma: their standard deviations, `(B, n, K)`.
        logits: of the entries of the codes, `(B, C)`.
    """

    arg_constraints: dict[str, Any] = {}

    def __init__(self, layout: Layout, log_pi: Tensor, mu: Tensor, sigma: Tensor, logits: Tensor) -> None:
        self.layout, self.log_pi, self.mu, self.sigma = layout, log_pi, mu, sigma
        self.log_p = layout.log_softmax(logits)
        width = len(layout.numbers) + len(layout.codes)
        super().__init__(logits.shape[:-1], torch.Size([width]), validate_args=False)

    @property
    def mean(self) -> Tensor:
        """The expected row: of a code the probabilities."""
        return self.layout.join((self.log_pi.exp() * self.mu).sum(dim=-1), self.log_p.exp())

    @property
    def variance(self) -> Tensor:
        second = self.log_pi.exp() * (self.mu.square() + self.sigma.square())
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
        # ln sum_k pi_k N(x; mu_k, sigma_k^2)
        log_normal = -0.5 * ((x[..., None] - self.mu) / self.sigma).square() - self.sigma.log()
        log_density = torch.logsumexp(self.log_pi + log_normal, dim=-1) - 0.5 * log(2 * pi)
        of_numbers = (self.layout.present(code) * log_density).sum(dim=-1)
        return of_numbers + (code * self.log_p).sum(dim=-1)

    def sample(self, sample_shape: Any = ()) -> Tensor:
        """Rows with one-hot codes."""
        shape = torch.Size(sample_shape)
        k = _categories(self.log_pi, shape)[..., None]
        mu, sigma = (t.expand(*shape, *t.shape).gather(-1, k).squeeze(-1) for t in (self.mu, self.sigma))
        codes = [
            F.one_hot(_categories(part, shape), part.shape[-1]) for part in self.layout.split(self.log_p)
        ]
        code = torch.cat(codes, dim=-1) if codes else self.log_p.expand(*shape, *self.log_p.shape)
        return self.layout.join(mu + sigma * torch.randn_like(mu), code.to(mu))


def _categories(log_p: Tensor, shape: torch.Size) -> Tensor:
    return Categorical(logits=log_p, validate_args=False).sample(shape)


def mixture(x: np.ndarray, components: int, rounding: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Log-weights, means and standard deviations `(K,)` of a mixture of normals for numbers `(N,)`.

    By expectation maximisation (Bishop 2006, section 9.2.2), from K parts with equally many numbers each.

    Args:
        x: the numbers.
        components: K.
        rounding: the smallest standard deviation.

    >>> x = np.random.default_rng(0).normal(size=1000) * [0.1] + np.repeat([0, 5], 500)
    >>> _, mu, sigma = mixture(x, 2, 0.01)
    >>> np.abs(mu).round(1), sigma.round(1)
    (array([0., 5.]), array([0.1, 0.1]))
    """
    floor = max(rounding, SMALLEST_SIGMA * x.std())
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
