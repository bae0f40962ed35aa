"""How sentences are chosen from a distribution: greedy, beam search, draws."""

from __future__ import annotations

from dataclasses import dataclass

from simulacra.config import check_ranges
from simulacra.errors import ConfigError


@dataclass(frozen=True)
class Decoding:
    """How sentences are chosen from a distribution.

    Attributes:
        beam: prefixes that the search for the most probable sentence keeps; 1 takes the most probable token
            at each step.
        temperature: of draws: logits are divided by it; below 1 sentences are more probable and less varied.
        top_p: draws are from the fewest tokens that have this share of the probability together (nucleus
            sampling, Holtzman et al. 2020, arXiv:1904.09751).

    >>> Decoding(temperature=0.7, top_p=0.9)
    Decoding(beam=1, temperature=0.7, top_p=0.9)
    """

    beam: int = 1
    temperature: float = 1.0
    top_p: float = 1.0

    def __post_init__(self) -> None:
        """Raises ConfigError for impossible settings."""
        check_ranges(self, at_least_1=("beam",), positive=("temperature",))
        if not 0 < self.top_p <= 1:
            raise ConfigError(f"top_p: must be above 0 and at most 1, not {self.top_p}")
