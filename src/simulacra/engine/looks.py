"""What a training looks at as it goes: the validation terms and a picture from fixed latents."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import torch

from simulacra.data.spec import Dataset
from simulacra.engine.batches import in_order, tensor, to_bytes
from simulacra.game import Decodes, Encodes, Model, Noise, Samples
from simulacra.pictures import grid, save_png

# Held-out examples looked at: enough for a curve, few enough to cost nothing.
LOOKED_AT = 1024
SHOWN = 64


@torch.no_grad()
def validation(model: Model, dataset: Dataset, seed: int) -> dict[str, float]:
    """The model's terms averaged over the first held-out examples, with the same noise every time."""
    was_training = model.training
    model.eval()
    sums: dict[str, float] = defaultdict(float)
    looked = dataset.take(slice(0, LOOKED_AT))
    for batch in in_order(looked, 256, model.device, seed):
        for name, values in model.validate(batch).items():
            sums[name] += values.double().sum().item()
    model.train(was_training)
    return {name: value / len(looked) for name, value in sums.items()}


@torch.no_grad()
def picture(model: Model, dataset: Dataset, file: Path, seed: int) -> None:
    """Samples from the same latents every time, or else held-out examples beside their reconstructions."""
    if model.spec.kind != "image":
        return
    was_training = model.training
    model.eval()
    if isinstance(model, Samples):
        x = model.sample(SHOWN, Noise(seed))
    elif isinstance(model, Encodes) and isinstance(model, Decodes) and len(dataset):
        real = tensor(dataset.x[: SHOWN // 2], model.device)
        x = torch.stack([real, model.decode(model.encode(real).mean).mean], dim=1).flatten(0, 1)
    else:
        return
    model.train(was_training)
    save_png(grid(to_bytes(x)), file)
