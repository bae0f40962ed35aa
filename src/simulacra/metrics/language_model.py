"""Forward and reverse perplexity: what a language model of the data makes of samples, and the other way."""

from __future__ import annotations

from math import exp
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from simulacra.core.batch import by_length, in_order, random_subset
from simulacra.core.capabilities import EstimatesLikelihood, Samples
from simulacra.core.inference import eval_mode
from simulacra.data.spec import Dataset
from simulacra.data.text.vocabulary import PADDING
from simulacra.metrics.registry import Measurement, Metric, register
from simulacra.metrics.sentences import without_unknown

if TYPE_CHECKING:
    from simulacra.metrics.evaluation import Evaluation

# sentences that a language model is trained on, and those it is measured on, at most
TRAINED, MEASURED = 10_000, 2000
# fewer say nothing
FEWEST = 20


@torch.no_grad()
def perplexity(model: EstimatesLikelihood, x: np.ndarray) -> float:
    """exp(-sum ln p(x) / number of tokens) of sentences `(N, T)`, ends included."""
    total = 0.0
    with eval_mode(model):
        for batch in in_order(by_length(Dataset(model.spec, x)), 100, model.device):
            total -= model.log_likelihood(batch.x).double().sum().item()
    return exp(total / int((x != PADDING).sum()))


def _forward_reverse(evaluation: Evaluation) -> dict[str, Any]:
    """Real sentences are those without unknown words, since samples have none."""
    fit, seed = evaluation.language_model, evaluation.seed
    train, held = (without_unknown(data) for data in (evaluation.data.train, evaluation.dataset))
    n, m = min(TRAINED, len(train)), min(MEASURED, len(held), len(train))
    if fit is None or min(n, m) < FEWEST:
        return {"left_out": f"language_model needs {FEWEST} training and {FEWEST} other sentences"}
    samples = evaluation.draw(evaluation.model, n, seed)
    real = random_subset(held, m, seed).x
    of_data, of_samples = fit(random_subset(train, n, seed).x), fit(samples)
    expected = perplexity(of_data, real)
    return {
        "forward_perplexity": perplexity(of_data, samples[:m]),
        "reverse_perplexity": perplexity(of_samples, real),
        "language_model_sentences": n,
        "real_against_real": {"forward_perplexity": expected, "reverse_perplexity": expected},
    }


TRAINED_ON = " (trained on {language_model_sentences:,})"
FORWARD_REVERSE = register(Measurement(
    name="language_model", needs=(Samples,), kinds=("text",),
    metrics=(
        Metric("forward_perplexity", "forward perplexity",
            meaning="of samples under a small language model of training sentences (Zhao et al. 2018); below"
            " that of held-out sentences samples are more typical than these", circumstances=TRAINED_ON),
        Metric("reverse_perplexity", "reverse perplexity", "",
            "of held-out sentences under a small language model of as many samples (Zhao et al. 2018); far"
            " above that of one of training sentences, samples lack what the data have", "lower", TRAINED_ON),
    ),
    settings=("language_model_sentences",), compute=_forward_reverse, slow=True, order=56,
))  # fmt: skip
