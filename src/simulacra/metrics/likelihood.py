"""Log-likelihoods of held-out examples: the evidence lower bound, and ln p(x) itself."""

from __future__ import annotations

from math import exp
from typing import TYPE_CHECKING, Any

import numpy as np
from torch import Tensor

from simulacra.core.batch import Batch
from simulacra.core.capabilities import BoundsLikelihood, EstimatesLikelihood
from simulacra.data.text.vocabulary import PADDING
from simulacra.metrics.registry import ANY_KIND, Measurement, Metric, PerExample, register

if TYPE_CHECKING:
    from simulacra.metrics.evaluation import Evaluation

# KL in nats below which the decoder has nothing to go by: a bit is 0.69
COLLAPSED = 0.1


def posterior_collapse(kl: float) -> str:
    """What a KL of the latents of so few nats means; empty where they carry more (Bowman et al. 2016).

    >>> posterior_collapse(0.02)
    'posterior collapse: the latents carry 0.02 nats about an example, so the decoder ignores them'
    """
    if kl >= COLLAPSED:
        return ""
    return (
        f"posterior collapse: the latents carry {kl:.2g} nats about an example, so the decoder ignores them"
    )


def _elbo(evaluation: Evaluation, batch: Batch, x: Tensor) -> dict[str, Tensor]:
    elbo = evaluation.model.elbo(x, batch.noise)
    return {"elbo": elbo.value, "reconstruction": elbo.reconstruction, "kl": elbo.kl}


def _collapse(evaluation: Evaluation) -> dict[str, Any]:
    text = posterior_collapse(evaluation.averages["elbo"]["kl"])
    return {"cautions": {"elbo": text}} if text else {}


def _nll(evaluation: Evaluation, batch: Batch, x: Tensor) -> dict[str, Tensor]:
    return {"nll": -evaluation.model.log_likelihood(x, batch.noise, evaluation.importance_samples)}


def _settings(evaluation: Evaluation) -> dict[str, int]:
    model = evaluation.model
    drawn = {} if model.exact or not model.draws else {"importance_samples": evaluation.importance_samples}
    schema, x = model.spec.schema, evaluation.dataset.x
    unseen = np.zeros(len(x), dtype=bool)
    for code in () if schema is None else schema.codes:
        unseen |= (x[:, code] == 0).all(axis=1)
    # only where there are some: a row of zeros everywhere helps nobody
    return {**drawn, **({"unseen_rows": int(unseen.sum())} if unseen.any() else {})}


ELBO = register(PerExample(
    name="elbo", needs=(BoundsLikelihood,), kinds=ANY_KIND,
    metrics=(
        Metric("elbo", "ELBO", "nats", "lower bound on log p(x), reconstruction minus KL; estimated with one"
            " draw of z for each example, unless exact as in pca", "higher"),
        Metric("reconstruction", "reconstruction", "nats", "log p(x | z) of an example for z encoded from it",
            "higher"),
        Metric("kl", "KL", "nats", "KL(q(z | x) || p(z)), the information in the latents about the example"),
    ),
    values=_elbo, compute=_collapse, order=10,
))  # fmt: skip
NLL = register(PerExample(
    name="nll", needs=(EstimatesLikelihood,), kinds=ANY_KIND,
    metrics=(
        Metric("nll", "negative log-likelihood", "nats", "-log p(x) of an example", "lower",
            circumstances=", estimated with {importance_samples:,} samples of z unless exact"),
        Metric("unseen_rows", "rows with unseen categories", "", "rows with a category that no training row"
            " has; it contributes nothing to their likelihood"),
    ),
    settings=("importance_samples",), values=_nll, compute=_settings, order=11,
))  # fmt: skip


def _perplexity(evaluation: Evaluation) -> dict[str, float]:
    # exp(-sum ln p(x) / number of tokens), ends included
    length = float((evaluation.dataset.x != PADDING).sum(axis=1).mean())
    return {"perplexity": exp(evaluation.averages["nll"]["nll"] / length), "tokens_per_sentence": length}


PERPLEXITY = register(Measurement(
    name="nll", needs=(EstimatesLikelihood,), kinds=("text",),
    metrics=(
        Metric("perplexity", "perplexity",
            meaning="exp(NLL / tokens): as unsure as a choice among so many equally likely tokens; compare"
            " models of one vocabulary alone", better="lower"),
        Metric("tokens_per_sentence", "tokens of a sentence", meaning="mean, the end included"),
    ),
    compute=_perplexity, order=11,
))  # fmt: skip
