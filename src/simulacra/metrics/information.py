"""How many nats the latents carry about the examples, and where they are.

The KL term of the bound is the sum of two (Hoffman and Johnson 2016, ELBO surgery):

    E KL(q(z | x) || p(z)) = I(x; z) + KL(q(z) || p(z)),    q(z) = E q(z | x).

The first is what the latents tell about an example, the second what samples from the prior suffer from.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import log
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor
from torch.distributions import Distribution

from simulacra.core.batch import at_most, in_order, max_batch
from simulacra.core.capabilities import BoundsLikelihood, Encodes
from simulacra.core.inference import kl_of_dimensions
from simulacra.metrics.likelihood import COLLAPSED
from simulacra.metrics.registry import ANY_KIND, Measurement, Metric, register

if TYPE_CHECKING:
    from simulacra.metrics.evaluation import Evaluation

# examples of which all pairs are compared, those encoded together, and draws compared with them at a time
EXAMPLES, ENCODED, DRAWS = 2000, 500, 20
# nats below ln N within which an estimate of the mutual information is at its limit
LIMIT = 0.5


def by_group(each: np.ndarray, sizes: Sequence[int]) -> list[np.ndarray]:
    """Numbers `(Z,)` of all dimensions, of one group after the other.

    >>> [part.tolist() for part in by_group(np.array([1, 2, 3]), [1, 2])]
    [[1], [2, 3]]
    """
    return np.split(each, np.cumsum(sizes)[:-1])


def log_marginal(q: Sequence[Distribution], z: Tensor) -> Tensor:
    """ln q(z) = ln 1/N sum_j q(z | x_j), the aggregate posterior of N examples, at latents z; `(M,)`.

    Args:
        q: posteriors of parts of the examples, N in all.
        z: latents `(M, *shape)`.

    >>> from torch.distributions import Independent, Normal
    >>> q = Independent(Normal(torch.tensor([[0.0], [0.0]]), 1.0), 1)
    >>> log_marginal([q], torch.zeros(1, 1))
    tensor([-0.9189])
    """
    parts = []
    for rows in z.split(DRAWS):
        each = torch.cat([part.log_prob(rows[:, None]) for part in q], dim=1)  # (DRAWS, N)
        parts.append(torch.logsumexp(each, dim=1) - log(each.shape[1]))
    return torch.cat(parts)


def mutual_information(q: Sequence[Distribution], z: Tensor) -> Tensor:
    """ln q(z_i | x_i) - ln q(z_i) for one draw z_i ~ q(z | x_i) of each of N examples, `(N,)`.

    The mean is the mutual information of z and the index of the example (Hoffman and Johnson 2016). It is at
    most ln N, and on average not above I(x; z), which it reaches as N grows.

    Args:
        q: posteriors of parts of the examples, N in all.
        z: the draws `(N, *shape)`.
    """
    own = torch.cat(
        [part.log_prob(rows) for part, rows in zip(q, z.split([len(p.mean) for p in q]), strict=True)]
    )
    return own - log_marginal(q, z)


@torch.no_grad()
def _information(evaluation: Evaluation) -> dict[str, Any]:
    model, dataset = evaluation.model, at_most(EXAMPLES, evaluation.dataset, evaluation.seed)
    if not isinstance(model, Encodes) or model.latent.prior is None:
        return {"left_out": "information needs an encoder and a prior"}
    q, draws = [], []
    for batch in in_order(dataset, max_batch(dataset, ENCODED), model.device, evaluation.seed):
        q.append(model.encode(model.observe(batch.x, batch.noise)))
        draws.append(batch.noise.draw(q[-1]))
    z, n = torch.cat(draws), len(dataset)
    found = mutual_information(q, z).double()
    # ln q(z) - ln p(z)
    aggregate = (torch.cat([part.log_prob(rows) for part, rows in zip(q, draws, strict=True)]) - found) - (
        model.latent.prior.log_prob(z)
    )
    numbers: dict[str, Any] = {
        "mutual_information": found.mean().item(),
        "aggregate_kl": aggregate.double().mean().item(),
        "information_examples": n,
    }
    cautions = []
    if numbers["mutual_information"] > log(n) - LIMIT:
        cautions.append(
            f"{n:,} examples show at most ln {n:,} = {log(n):.2f} nats; the mutual information is larger, up"
            " to the KL, and KL(q(z) || p(z)) smaller"
        )
    if isinstance(model, BoundsLikelihood):
        each = kl_of_dimensions(model, dataset, evaluation.seed)
        if each is not None and model.latent_groups:
            groups = [float(part.sum()) for part in by_group(each.numpy(), model.latent_groups)]
            numbers["kl_of_groups"] = groups
            unused = [str(i) for i, kl in enumerate(groups, start=1) if kl < COLLAPSED]
            if unused:
                which = f"group{'s' if len(unused) > 1 else ''} {', '.join(unused)}"
                cautions.append(f"{which} of {len(groups)} carry less than {COLLAPSED} nats")
        if each is not None:
            numbers["kl_of_dimensions"] = each.tolist()
    return numbers | ({"cautions": {"information": "; ".join(cautions)}} if cautions else {})


INFORMATION = register(Measurement(
    name="information", needs=(BoundsLikelihood,), kinds=ANY_KIND,
    metrics=(
        Metric("mutual_information", "mutual information", "nats",
            "I(x; z), what the latents tell about an example; a lower estimate from all pairs",
            circumstances=" of {information_examples:,} examples"),
        Metric("aggregate_kl", "KL of the aggregate posterior", "nats",
            "KL(q(z) || p(z)), what samples from the prior suffer from; an upper estimate", "lower",
            " from all pairs of {information_examples:,} examples"),
    ),
    settings=("information_examples", "kl_of_groups", "kl_of_dimensions"),
    compute=_information, slow=True, order=12,
))  # fmt: skip
