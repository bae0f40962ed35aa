"""Sample grids: what the model makes of the same latents or examples as it trains."""

from __future__ import annotations

import numpy as np
import torch

from simulacra.core.batch import to_bytes
from simulacra.core.capabilities import preview
from simulacra.core.inference import eval_mode
from simulacra.core.model import Model
from simulacra.data.spec import Data
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

    def run(self, state: State) -> None:
        image = sample_grid(state.average, state.data, state.seed)
        if image is not None:
            save_png(image, state.run.path / "samples" / f"{state.step:06d}.png")


@torch.no_grad()
def sample_grid(average: Model, data: Data, seed: int) -> np.ndarray | None:
    """The grid as uint8 `(H, W, 3)`; None for a model of vectors, or without a preview."""
    if average.spec.kind != "image":
        return None
    examples = data.validation if len(data.validation) else data.train
    with eval_mode(average):
        shown = preview(average, examples, seed)
    return None if shown is None else grid(to_bytes(shown.images), shown.columns)
