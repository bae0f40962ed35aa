"""The distribution of sentences that a decoder gives, and how one is chosen from it."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from simulacra.core.decoding import Decoding
from simulacra.core.model import unwrap
from simulacra.data.text.vocabulary import END, PADDING, UNKNOWN
from simulacra.nets.sequence.decoder import SequenceDecoder


class Sentences(Distribution):
    """p(x | z) of sentences: the product over t of p(x_t | x_1 ... x_{t-1}, z).

    What is generated has a token at least, and no unknown ones; `log_prob` is of any sentence.

    Args:
        decoder: a `SequenceDecoder`, which may be wrapped.
        z: latents `(B, Z)`.
        decoding: how `mean` and `sample` choose.
    """

    arg_constraints: dict[str, Any] = {}  # as torch declares it

    def __init__(self, decoder: nn.Module, z: Tensor, decoding: Decoding) -> None:
        self.decoder, self.z, self.decoding = decoder, z, decoding
        self._net: SequenceDecoder = unwrap(decoder)  # type: ignore[assignment]  # what is wrapped is one
        super().__init__(torch.Size([len(z)]), torch.Size([self._net.longest]), validate_args=False)

    def log_prob(self, value: Tensor) -> Tensor:
        """ln p(x | z) in nats `(B,)` of sentences `(B, T)`."""
        return self.token_log_probs(value).sum(dim=1)

    def token_log_probs(self, value: Tensor) -> Tensor:
        """ln p(x_t | x_1 ... x_{t-1}, z) in nats `(B, T)`, 0 after the end."""
        each: Tensor = self.decoder(self.z, value)
        return each

    @property
    def mean(self) -> Tensor:
        """The sentences that are found to be most probable, `(B, T)`."""
        with torch.no_grad():
            return self._search() if self.decoding.beam > 1 else self._generate(self.z, draw=False)

    @property
    def mode(self) -> Tensor:
        """As `mean`."""
        return self.mean

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """Draws `(*sample_shape, B, T)`."""
        with torch.no_grad():
            k = prod(sample_shape)
            z = self.z[None].expand(k, *self.z.shape).flatten(0, 1)
            return self._generate(z, draw=True).view(*sample_shape, *self.batch_shape, -1)

    def _generate(self, z: Tensor, draw: bool) -> Tensor:
        net, longest = self._net, self._net.longest
        token = torch.full((len(z),), END, device=z.device)
        ended = torch.zeros(len(z), dtype=torch.bool, device=z.device)
        x = torch.full((len(z), longest), PADDING, device=z.device)
        state = net.start(z)
        for t in range(longest - 1):
            logits, state = net.step(token, state)
            _leave_out(logits, t)
            token = self._draw(logits) if draw else logits.argmax(dim=1)
            x[:, t] = token.masked_fill(ended, PADDING)
            ended = ended | (token == END)
            # a look at the device now and then
            if t % 8 == 7 and bool(ended.all()):
                return x
        x[:, -1] = torch.where(ended, PADDING, END)
        return x

    def _draw(self, logits: Tensor) -> Tensor:
        probabilities = (logits / self.decoding.temperature).softmax(dim=1)
        if self.decoding.top_p < 1:
            ordered, order = probabilities.sort(dim=1, descending=True)
            # a token stays if those before it have less than the share
            left_out = ordered.cumsum(dim=1) - ordered >= self.decoding.top_p
            probabilities = torch.zeros_like(ordered).scatter(1, order, ordered.masked_fill(left_out, 0.0))
        # the inverse of the distribution function; torch.multinomial takes 30 times as long on a CPU
        below = probabilities.cumsum(dim=1)
        total = below[:, -1:]
        u = torch.rand(len(below), 1, device=below.device) * total
        u = torch.minimum(u, torch.nextafter(total, torch.zeros_like(total)))
        return torch.searchsorted(below, u, right=True)[:, 0]

    def _search(self) -> Tensor:
        """Beam search for the sentence of the highest probability."""
        net, k, z = self._net, self.decoding.beam, self.z
        n, longest, device = len(z), self._net.longest, z.device
        x = torch.full((n * k, longest), PADDING, device=device)
        token = torch.full((n * k,), END, device=device)
        ended = torch.zeros(n * k, dtype=torch.bool, device=device)
        # all beams start alike: only the first one counts
        score = torch.full((n, k), -torch.inf, device=device)
        score[:, 0] = 0.0
        first = torch.arange(n, device=device)[:, None] * k
        state = net.start(z.repeat_interleave(k, dim=0))
        for t in range(longest):
            logits, state = net.step(token, state)
            _leave_out(logits, t)
            log_p = logits.log_softmax(dim=1)
            if t == longest - 1:
                log_p = torch.full_like(log_p, -torch.inf)
                log_p[:, END] = 0.0
            # a sentence that has ended goes on with padding
            log_p[ended] = -torch.inf
            log_p[ended, PADDING] = 0.0
            total = (score.flatten()[:, None] + log_p).view(n, -1)
            score, best = total.topk(k, dim=1)
            rows = (first + best // logits.shape[1]).flatten()
            token = (best % logits.shape[1]).flatten()
            x, ended, state = x[rows], ended[rows], net.choose(state, rows)
            x[:, t] = token
            ended = ended | (token == END)
            if bool(ended.all()):
                break
        return x.view(n, k, longest)[:, 0]


def _leave_out(logits: Tensor, t: int) -> None:
    """Give no probability to unknown tokens, nor to an end at once, in logits `(B, V)` of position t."""
    logits[:, UNKNOWN] = -torch.inf
    if t == 0:
        logits[:, END] = -torch.inf
