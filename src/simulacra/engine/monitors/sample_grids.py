"""Sample grids: what the model makes of the same latents or examples as it trains."""

from __future__ import annotations

import torch

from simulacra.core.batch import to_bytes
from simulacra.core.capabilities import preview
from simulacra.core.inference import eval_mode
from simulacra.engine.monitors.monitor import State, every
from simulacra.images import grid, save_png


class SampleGrids:
    """Writes `samples/STEP.png`, for models of images with a preview.

    Args:
        every: steps between grids.
    """

    def __init__(self, every: int) -> None:
        self.every = every

    def due(self, state: State) -> bool:
        return every(self.every, state) and state.model.spec.kind == "image"

    @torch.no_grad()
    def run(self, state: State) -> None:
        examples = state.data.validation if len(state.data.validation) else state.data.train
        with eval_mode(state.average):
            shown = preview(state.average, examples, state.seed)
        if shown is not None:
            file = state.run.path / "samples" / f"{state.step:06d}.png"
            save_png(grid(to_bytes(shown.images), shown.columns), file)
