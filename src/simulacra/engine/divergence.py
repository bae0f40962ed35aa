"""Whether a training diverged without a loss becoming infinite."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

# A loss has to exceed its first value by so many times that value, or by so much where it was below 1: the
# few steps of a short training may well make it worse. In a game of several players losses rise without harm
# when the others get better.
ALONE, AMONG_PLAYERS = 10.0, 1000.0


def divergence(events: Sequence[Mapping[str, Any]]) -> str:
    """A sentence about a loss at the end of a training that is far above its loss before the first step.

    Args:
        events: of the training: `start`, with the loss of every player, and `train`.

    Returns:
        The sentence, without its full stop; empty where no loss exploded.

    >>> start = {"event": "start", "loss": 45.0}
    >>> divergence([start, {"event": "train", "step": 50, "loss": 1.7e8}])
    'the training diverged: its loss was 45 at the first step and is 1.7e+08 at step 50'
    >>> divergence([start, {"event": "train", "step": 50, "loss": 30.0}])
    ''
    """
    nothing: Mapping[str, Any] = {}
    start = next((event for event in events if event["event"] == "start"), nothing)
    last = next((event for event in reversed(events) if event["event"] == "train"), nothing)
    losses = {name: value for name, value in start.items() if name.endswith("loss") and name in last}
    factor = ALONE if len(losses) == 1 else AMONG_PLAYERS
    for name, first in losses.items():
        if last[name] - first > factor * max(1.0, abs(first)):
            label = name.replace("_", " ")
            return (
                f"the training diverged: its {label} was {first:.3g} at the first step and is"
                f" {last[name]:.3g} at step {last['step']:,}"
            )
    return ""
