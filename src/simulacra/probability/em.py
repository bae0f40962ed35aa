"""Mixtures of normals by expectation maximisation (Dempster et al. 1977; Bishop 2006, section 9.2.2).

    p(x) = sum_k pi_k N(x; mu_k, C_k)

    E:  r_nk = pi_k N(x_n; mu_k, C_k) / p(x_n)                  the posterior of the component, given x_n
    M:  N_k = sum_n r_nk,   pi_k = N_k / N,   mu_k = sum_n r_nk x_n / N_k,
        C_k = sum_n r_nk (x_n - mu_k) (x_n - mu_k)^T / N_k

Neither step lowers the likelihood. It climbs to a local maximum, so that the start matters.
"""

from __future__ import annotations

from math import inf, log, pi
from typing import NamedTuple

import torch
from torch import Tensor
from torch.distributions import (
    Categorical,
    Distribution,
    Independent,
    MixtureSameFamily,
    MultivariateNormal,
    Normal,
)

# added to every variance, of numbers with variance 1: no component shrinks to a point (as in scikit-learn)
FLOOR = 1e-6
# EM ends when a step raises the mean log-likelihood by less than this, in nats, and after so many steps
TOLERANCE, STEPS = 1e-4, 200
# steps from each start, before the best goes on (Biernacki et al. 2003), and examples that they take at most
SHORT, FEW = 10, 10_000


class NormalMixture(NamedTuple):
    """A mixture of K normals over vectors of D numbers.

    Attributes:
        log_pi: log-weights, `(K,)`.
        mu: means, `(K, D)`.
        L: of full covariances the Cholesky factors, C_k = L_k L_k^T, `(K, D, D)`; of diagonal ones the
            standard deviations, `(K, D)`.
    """

    log_pi: Tensor
    mu: Tensor
    L: Tensor

    def log_joint(self, x: Tensor) -> Tensor:
        """ln pi_k + ln N(x; mu_k, C_k) of vectors `(N, D)`, `(N, K)`; a component at a time."""
        columns = []
        for mu, L in zip(self.mu, self.L, strict=True):
            # (x - mu)^T C^-1 (x - mu) = |L^-1 (x - mu)|^2, |C|^(1/2) = prod diag(L)
            if L.ndim == 1:
                white, scale = (x - mu) / L, L
            else:
                # a product with the inverse takes a fraction of the time of a solution for all x
                inverse = torch.linalg.solve_triangular(L, torch.eye(len(L)).to(L), upper=False)
                white, scale = (x - mu) @ inverse.T, L.diagonal()
            columns.append(-0.5 * white.square().sum(dim=1) - scale.log().sum())
        return torch.stack(columns, dim=1) + self.log_pi - 0.5 * x.shape[1] * log(2 * pi)

    def log_prob(self, x: Tensor) -> Tensor:
        """ln p(x) in nats of vectors `(N, D)`, `(N,)`."""
        return torch.logsumexp(self.log_joint(x), dim=1)

    def bic(self, x: Tensor) -> float:
        """The Bayesian information criterion -2 ln L + P ln N, P free parameters; lower is better.

        Schwarz 1978; of vectors `(N, D)`.
        """
        return -2 * self.log_prob(x).sum().item() + self.free_parameters * log(len(x))

    @property
    def free_parameters(self) -> int:
        """Numbers that were fitted: weights, means and covariances."""
        K, D = self.mu.shape
        each = D if self.L.ndim == 2 else D * (D + 1) // 2
        return K - 1 + K * (D + each)

    def distribution(self) -> MixtureSameFamily:
        """The same as a torch distribution over `(D,)`."""
        each: Distribution
        if self.L.ndim == 2:
            each = Independent(Normal(self.mu, self.L, validate_args=False), 1, validate_args=False)
        else:
            each = MultivariateNormal(self.mu, scale_tril=self.L, validate_args=False)
        weights = Categorical(logits=self.log_pi, validate_args=False)
        return MixtureSameFamily(weights, each, validate_args=False)


def maximise(x: Tensor, r: Tensor, diagonal: bool) -> NormalMixture:
    """The M-step: the mixture that fits vectors x `(N, D)` best, given responsibilities r `(N, K)`."""
    # no component is left without examples
    n = r.sum(dim=0) + 10 * torch.finfo(x.dtype).eps
    mu = (r.T @ x) / n[:, None]
    factors = []
    for k in range(r.shape[1]):
        centred = x - mu[k]
        if diagonal:
            factors.append((r[:, k] @ centred.square() / n[k] + FLOOR).sqrt())
            continue
        C = (centred * r[:, k, None]).T @ centred / n[k]
        C.diagonal().add_(FLOOR)
        factors.append(torch.linalg.cholesky(C))
    return NormalMixture((n / n.sum()).log(), mu, torch.stack(factors))


def climb(p: NormalMixture, x: Tensor, steps: int = STEPS, tolerance: float = TOLERANCE) -> NormalMixture:
    """Steps of EM from a mixture p on vectors x `(N, D)`.

    Args:
        p: where it starts.
        x: the data.
        steps: at most.
        tolerance: it ends when a step raises the mean log-likelihood by less than this, in nats.

    >>> x = torch.cat([torch.randn(500, 1) - 3, torch.randn(500, 1) + 3]).double()
    >>> one = torch.ones(2, 1, dtype=torch.float64)
    >>> p = climb(NormalMixture(torch.tensor([0.5, 0.5]).log(), torch.tensor([[-1.0], [1.0]]), one), x)
    >>> p.mu.round().flatten().tolist()
    [-3.0, 3.0]
    """
    before, diagonal = -inf, p.L.ndim == 2
    for _ in range(steps):
        joint = p.log_joint(x)
        log_p = torch.logsumexp(joint, dim=1)
        p = maximise(x, (joint - log_p[:, None]).exp(), diagonal)
        now = log_p.mean().item()
        if abs(now - before) < tolerance:
            break
        before = now
    return p


def fit(x: Tensor, K: int, diagonal: bool = False, restarts: int = 5, seed: int = 0) -> NormalMixture:
    """A mixture of K normals fitted to vectors: the best of several starts, after a few steps from each.

    Args:
        x: `(N, D)`, N >= K, each column with variance about 1.
        K: components.
        diagonal: whether covariances are diagonal.
        restarts: starts that are tried.
        seed: of the starts.

    Returns:
        The mixture, components in the order of their weights, the largest first.
    """
    few = x[torch.randperm(len(x), generator=torch.Generator().manual_seed(seed))[: max(K, FEW)]]
    starts = [start(few, K, diagonal, seed + i) for i in range(restarts if K > 1 else 1)]
    if len(starts) > 1:
        starts = [climb(p, few, SHORT) for p in starts]
    p = climb(max(starts, key=lambda p: p.log_prob(few).sum().item()), x)
    order = p.log_pi.argsort(descending=True, stable=True)
    return NormalMixture(*(part[order] for part in p))


def start(x: Tensor, K: int, diagonal: bool, seed: int) -> NormalMixture:
    """Centres by k-means++ (Arthur and Vassilvitskii 2007), each with the vectors that are nearest to it.

    All components share one covariance, that of the vectors around their centres: none begins as a point.
    """
    from sklearn.cluster import kmeans_plusplus

    centres = torch.from_numpy(kmeans_plusplus(x.cpu().numpy(), K, random_state=seed)[0]).to(x)
    nearest = torch.cdist(x, centres).argmin(dim=1)
    n = nearest.bincount(minlength=K).to(x)
    mu = torch.zeros_like(centres).index_add_(0, nearest, x) / n.clamp(min=1)[:, None]
    shared = maximise(x - mu[nearest], x.new_ones(len(x), 1), diagonal).L
    # a centre that was picked twice has no vectors
    log_pi = ((n + 1) / (n + 1).sum()).log()
    return NormalMixture(
        log_pi, torch.where(n[:, None] > 0, mu, centres), shared.expand(K, *shared.shape[1:])
    )


def fit_by_bic(
    x: Tensor, most: int, diagonal: bool = False, restarts: int = 5, seed: int = 0
) -> NormalMixture:
    """The mixture with the lowest BIC of those with 1 to `most` components.

    1, 2, 4, ... components are tried, until two in a row are no better than the best; then numbers between
    the best and its neighbours, until these are tried.

    Args:
        x: as for `fit`.
        most: components, at least 1.
        diagonal: as for `fit`.
        restarts: as for `fit`.
        seed: as for `fit`.
    """
    found: dict[int, tuple[float, NormalMixture]] = {}

    def best() -> int:
        return min(found, key=lambda K: found[K][0])

    def attempt(K: int) -> None:
        p = fit(x, K, diagonal, restarts, seed)
        found[K] = p.bic(x), p

    for doublings in range(most.bit_length()):
        if found and best() <= 2**doublings // 8:
            break
        attempt(2**doublings)
    while True:
        K, tried = best(), sorted(found)
        below = max((other for other in tried if other < K), default=0)
        above = min((other for other in tried if other > K), default=most + 1)
        between = {(below + K) // 2, (K + above) // 2} - {0, *tried}
        if not between:
            return found[K][1]
        for one in sorted(between):
            attempt(one)
