"""A small language model of some sentences, which measures others."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from simulacra.core.capabilities import EstimatesLikelihood
from simulacra.data.spec import Data, Dataset, DataSpec, Options
from simulacra.models.registry import model_card
from simulacra.run import Run, RunConfig

# passes over the sentences, and steps at most
EPOCHS, STEPS, BATCH = 10, 1500, 64
# perplexity of held-out sentences of the grammar after 10,000: 10.6 with 1e-3, 7.4 with 4e-3, 7.3 with 1e-2
LR = 5e-3
SIZES = {"embedding": 64, "width": 128}


def trained_language_model(x: np.ndarray, spec: DataSpec, seed: int = 0) -> EstimatesLikelihood:
    """A `language_model` trained on sentences `(N, T)` for 10 epochs, 1,500 steps at most; it is not kept.

    Args:
        x: numbers of tokens.
        spec: of the sentences.
        seed: of the training.

    Raises:
        KeyboardInterrupt: a signal came.
    """
    # the engine takes seconds to import
    from simulacra.engine.loop import train

    spec, card = replace(spec, classes=(), attributes=()), model_card("language_model")
    data = Dataset(spec, x.astype(np.int32))
    none = data.take(slice(0))
    steps = min(STEPS, max(1, EPOCHS * len(x) // BATCH))
    training = replace(card.training, steps=steps, batch_size=BATCH, lr=LR, seed=seed, log_every=steps)
    config = RunConfig("language_model", card.Config(**SIZES), "samples", Options(), spec, training)
    with TemporaryDirectory() as folder:
        model = train(Run(Path(folder, "run")), config, Data("samples", data, none, none), quiet=True)
    assert isinstance(model, EstimatesLikelihood)
    return model
