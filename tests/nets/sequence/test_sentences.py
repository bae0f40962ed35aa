"""The distribution of sentences, against the enumeration of all of them."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest
import torch
from torch import Tensor

from simulacra.core.noise import Noise
from simulacra.data.spec import Dataset, DataSpec
from simulacra.data.text.vocabulary import END, PADDING, UNKNOWN, Vocabulary
from simulacra.engine.batches import Batches
from simulacra.errors import ConfigError
from simulacra.models.sentence_vae.card import SentenceVAEConfig
from simulacra.models.sentence_vae.model import SentenceVAE
from simulacra.nets import sequence
from simulacra.nets.sequence.sentences import Decoding, Sentences

VOCABULARY = Vocabulary.of(["a b c", "c b a"], "words", 10)
T = 4
SPEC = DataSpec("text", (T,), vocabulary=VOCABULARY)
NETS = ["lstm", "gru", "transformer"]


def all_sentences() -> Tensor:
    """Every sentence of at most T - 1 tokens, unknown ones included."""
    tokens = range(UNKNOWN, len(VOCABULARY))
    rows = [(*words, END) for n in range(T) for words in product(tokens, repeat=n)]
    return torch.tensor([[*row, *[PADDING] * (T - len(row))] for row in rows])


def made(net: str, decoding: Any = None, scale: float = 1.0) -> Sentences:
    torch.manual_seed(1)
    config = SentenceVAEConfig(net=net, embedding=8, width=8, heads=2)  # type: ignore[arg-type]  # of NETS
    decoder = sequence.decoder(SPEC, config, 3)
    with torch.no_grad():
        for p in decoder.parameters():
            p *= scale
    return Sentences(decoder.eval(), torch.randn(2, 3), decoding or Decoding())


@pytest.mark.parametrize("net", NETS)
def test_the_probabilities_of_all_sentences_add_up_to_1(net: str) -> None:
    p, x = made(net), all_sentences()
    for z in p.z:
        of_z = Sentences(p.decoder, z.expand(len(x), -1), Decoding())
        assert of_z.log_prob(x).exp().sum().item() == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("net", NETS)
def test_what_follows_and_padding_change_no_probability(net: str) -> None:
    p, x = made(net), torch.tensor([[4, END, PADDING, PADDING], [3, 5, END, PADDING]])
    short = p.log_prob(x[:, :3])
    torch.testing.assert_close(p.log_prob(x), short)
    each = p.token_log_probs(x)
    assert each[0, 2:].tolist() == [0, 0]
    other = torch.tensor([[4, 4, END, PADDING], [3, 4, END, PADDING]])
    torch.testing.assert_close(p.token_log_probs(other)[:, 0], each[:, 0])


@pytest.mark.parametrize("net", NETS)
@torch.no_grad()
def test_a_wide_beam_finds_the_most_probable_sentence(net: str) -> None:
    p, x = made(net, Decoding(beam=100), scale=2.0), all_sentences()
    known = x[(x != UNKNOWN).all(dim=1) & (x[:, 0] != END)]
    for z, found in zip(p.z, p.mean, strict=True):
        of_z = Sentences(p.decoder, z.expand(len(known), -1), Decoding())
        # no unknown token and no end at once is generated, so others are more probable than in `log_prob`
        scores = []
        for row in known:
            state = of_z._net.start(z[None])
            token, total = torch.tensor([END]), 0.0
            for t, wanted in enumerate(row.tolist()):
                logits, state = of_z._net.step(token, state)
                logits[:, UNKNOWN] = -torch.inf
                logits[:, END] -= torch.inf if t == 0 else 0
                total += 0.0 if t == T - 1 else float(logits.log_softmax(1)[0, wanted])
                token = torch.tensor([wanted])
                if wanted == END:
                    break
            scores.append(total)
        assert found.tolist() == known[int(torch.tensor(scores).argmax())].tolist()


@pytest.mark.parametrize("net", NETS)
def test_draws_have_their_probabilities(net: str) -> None:
    p = made(net)
    one = Sentences(p.decoder, p.z[:1].expand(4000, -1), Decoding())
    first = Noise(0).draw(one)[:, 0]
    logits, _ = one._net.step(torch.tensor([END]), one._net.start(p.z[:1]))
    logits[:, [UNKNOWN, END]] = -torch.inf
    shares = torch.bincount(first, minlength=len(VOCABULARY)) / 4000
    # five standard errors
    assert (shares - logits.softmax(1)[0]).abs().max() < 5 * 0.5 / 4000**0.5


def test_a_narrow_nucleus_and_a_low_temperature_are_greedy() -> None:
    p = made("lstm")
    for decoding in (Decoding(top_p=1e-6), Decoding(temperature=1e-6)):
        assert torch.equal(Noise(3).draw(Sentences(p.decoder, p.z, decoding)), p.mean)
    for wrong in ({"beam": 0}, {"temperature": 0.0}, {"top_p": 1.5}):
        with pytest.raises(ConfigError, match=next(iter(wrong))):
            Decoding(**wrong)  # type: ignore[arg-type]  # wrong on purpose


def test_only_the_encoder_moves_while_it_lags() -> None:
    model = SentenceVAE(SPEC, SentenceVAEConfig(width=8, encoder_steps=2, encoder_until=0.5))
    x = all_sentences()[:8]
    moved = {}
    for step in (0, 1, 60):
        model.zero_grad(set_to_none=True)
        batch = _batch(x, step)
        for turn in model.play(batch):
            turn.loss.backward()
        assert all(p.grad is not None for p in model.encoder.parameters())
        moved[step] = any(p.grad is not None for p in model.decoder.parameters())
    assert moved == {0: False, 1: True, 60: True}


def test_a_kl_below_its_target_is_not_penalised() -> None:
    x = all_sentences()[:8]
    losses = []
    for target in (0.0, 1000.0):
        torch.manual_seed(0)
        model = SentenceVAE(SPEC, SentenceVAEConfig(width=8, kl_target=target))
        (turn,) = model.play(_batch(x, 0))
        losses.append((turn.loss - target * bool(target) + turn.terms["reconstruction"]).item())
        kl = turn.terms["kl"].item()
    assert losses == pytest.approx([kl, 0.0], abs=1e-3)


def test_batches_hold_sentences_of_similar_lengths_each_once_an_epoch() -> None:
    rng = torch.Generator().manual_seed(0)
    n = torch.randint(1, T + 1, (400,), generator=rng)
    x = torch.where(torch.arange(T) < n[:, None], 3, 0)
    x[torch.arange(400), n - 1] = END
    dataset = Dataset(SPEC, x.int().numpy(), y=torch.arange(400).numpy())
    batches = Batches(dataset, 20, 5, 40, 1, torch.device("cpu"))
    epochs = [[batches.at(step, 0) for step in range(first, first + 20)] for first in (0, 20)]
    for epoch in epochs:
        seen = torch.cat([batch.y for batch in epoch if batch.y is not None])
        assert sorted(seen.tolist()) == list(range(400))
        for batch in epoch:
            assert batch.x.dtype == torch.int64
            assert bool((batch.x != PADDING).any(dim=0).all()), "no column of padding alone"
    padded = sum(int((batch.x == PADDING).sum()) for batch in epochs[0])
    assert padded < 0.1 * 400 * T
    assert [b.x.shape[1] for b in epochs[0]] != sorted(b.x.shape[1] for b in epochs[0])
    again = Batches(dataset, 20, 5, 40, 2, torch.device("cpu"))
    halves = torch.cat([again.at(23, shard).x.sum(dim=1) for shard in (0, 1)])
    assert torch.equal(halves, batches.at(23, 0).x.sum(dim=1))


def _batch(x: Tensor, step: int) -> Any:
    from simulacra.core.batch import Batch

    return Batch(x, None, Noise(0, 1), step, 100)
