"""Measures of sentences where their values are known."""

from __future__ import annotations

from math import exp, log, pi

import numpy as np
import pytest
import torch

import simulacra as sim
from simulacra.models.language_model.card import SequenceConfig
from simulacra.models.registry import build
from simulacra.models.sentence_vae.card import SentenceVAEConfig
from tests.metrics.texts import SPEC, VOCABULARY, Sampler, Walker, rows, sentence_data


def test_the_perplexity_of_a_unigram_source() -> None:
    model = build("language_model", SPEC, SequenceConfig(width=4, embedding=4))
    assert isinstance(model, sim.LanguageModel)
    p = {"end": 0.25, "a": 0.4, "b": 0.2, "c": 0.15}
    with torch.no_grad():
        for one in model.parameters():
            one.zero_()
        # a net of zeros ignores what came before
        model.decoder.bias.fill_(-1e9)
        model.decoder.bias[[1, 3, 4, 5]] = torch.tensor([log(q) for q in p.values()])
    # 5 ends, 8 a, 4 b, 3 c
    data = sentence_data([], ["a b a c", "a a b", "c a b a", "a b", "a c"])
    found = sim.evaluate(model, data, metrics=["nll"])
    nats = -(5 * log(0.25) + 8 * log(0.4) + 4 * log(0.2) + 3 * log(0.15))
    assert found["nll"] == pytest.approx(nats / 5)
    assert found["perplexity"] == pytest.approx(exp(nats / 20))
    assert found["tokens_per_sentence"] == 4
    # tokens as often as they are probable: the entropy of the source
    assert found["perplexity"] == pytest.approx(exp(-sum(q * log(q) for q in p.values())))


def test_the_importance_weighted_perplexity_tends_to_the_exact_one() -> None:
    torch.manual_seed(0)
    settings = SentenceVAEConfig(width=8, embedding=8, latent_dim=1)
    model = build("sentence_vae", SPEC, settings).eval()
    assert isinstance(model, sim.SentenceVAE)
    with torch.no_grad():
        # a decoder that depends on z, and an encoder whose q is not the prior, and wider
        for one in model.decoder.parameters():
            one.mul_(3)
        model.encoder.output.bias.copy_(torch.tensor([0.5, 1.0]))
    x = rows(["a b c", "b", "c c d a", "e f g", "g a"])
    # ln p(x) = ln integral of p(x | z) N(z; 0, 1) dz
    z = torch.linspace(-8, 8, 2001)[:, None]
    weights = (-0.5 * z[:, 0] ** 2).exp() / (2 * pi) ** 0.5 * (z[1] - z[0])
    with torch.no_grad():
        copies = [torch.from_numpy(one).long().expand(len(z), -1) for one in x]
        p = [(weights * model.decode(z).log_prob(one).exp()).sum() for one in copies]
    exact = exp(-float(torch.stack(p).log().sum()) / int((x != 0).sum()))
    data = sentence_data([], VOCABULARY.decode(x))

    def perplexity(k: int, seed: int) -> float:
        found = sim.evaluate(model, data, metrics=["nll"], importance_samples=k, seed=seed)
        return float(found["perplexity"])

    # with more samples the bound is tighter
    found = {
        k: np.mean([perplexity(k, seed) for seed in range(n)]) for k, n in ((1, 40), (10, 10), (2000, 1))
    }
    assert found[2000] == pytest.approx(exact, rel=2e-3)
    assert found[1] > found[10] > exact


def test_reconstructions_place_by_place() -> None:
    given = {0: "a b c", 1: "b b c d", 2: "c", 3: "d e"}
    model = Walker(lambda z: given[round(z)])
    data = sentence_data([], ["a b c", "b a c", "c d", "d e <odd>"])
    found = sim.evaluate(model, data, metrics=["reconstruction"])
    assert found["exact_match"] == 0.25
    # of 3, 4, 2 and 5 places (<odd> is three unknown tokens) 3, 2, 1 and 2 are right
    assert found["token_accuracy"] == pytest.approx(8 / 14)
    assert found["accuracy_by_position"] == pytest.approx([1, 2 / 4, 2 / 3, 0, 0])
    assert found["lengths"] == [2, 3, 5]
    assert found["accuracy_by_length"] == pytest.approx([1 / 2, 5 / 7, 2 / 5])
    assert found["bleu"] == 0


def test_the_variety_of_samples_beside_that_of_real_sentences() -> None:
    data = sentence_data([], ["a b", "c d", "e f", "a <odd>"])
    found = sim.evaluate(Sampler(rows(["a b", "a b", "a c"])), data, metrics=["samples"])
    # one real sentence has an unknown word
    assert found["samples"] == 3
    assert found["distinct_sentences"] == pytest.approx(2 / 3)
    assert (found["distinct_1"], found["distinct_2"]) == (0.5, pytest.approx(2 / 3))
    # two of three are equal: all but their triples and quadruples match
    assert found["self_bleu"] == pytest.approx((2 * 0.01**0.25 + (0.5 * 0.1**3) ** 0.25) / 3)
    real = found["real_against_real"]
    assert (real["distinct_sentences"], real["distinct_1"], real["self_bleu"]) == (1, 1, 0)
    assert "cautions" not in found
    found = sim.evaluate(Sampler(rows(["a b"])), data, metrics=["samples"])
    assert found["cautions"]["samples"] == (
        "samples repeat: 1 of 3 are different; of as many real sentences 3 are"
    )
    found = sim.evaluate(Sampler(rows(["a b"])), sentence_data([], ["a <odd>", "b"]), metrics=["samples"])
    assert found["left_out"] == "samples needs two sentences without unknown words"


def test_sentences_are_measured_in_the_order_of_their_lengths() -> None:
    data = sentence_data([], ["a b c d", "a", "b c"])
    widths = []

    model = build("language_model", SPEC, SequenceConfig(width=4, embedding=4))
    assert isinstance(model, sim.LanguageModel)
    inner = model.log_likelihood

    def watched(x, *rest):  # type: ignore[no-untyped-def]
        widths.append(x.shape[1])
        return inner(x, *rest)

    model.log_likelihood = watched  # type: ignore[method-assign]  # to see what it is given
    found = sim.evaluate(model, data, metrics=["nll"], batch_size=1)
    assert widths == [2, 3, 5]
    del model.log_likelihood
    whole = sim.evaluate(model, data, metrics=["nll"])
    assert found["nll"] == pytest.approx(whole["nll"])
