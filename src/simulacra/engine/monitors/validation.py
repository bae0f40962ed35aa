"""Validation: terms of held-out data, diagnostics of a GAN, warnings, and the best weights."""

from __future__ import annotations

from collections import defaultdict

import torch

from simulacra.core.batch import at_most, in_order, max_batch
from simulacra.core.inference import eval_mode
from simulacra.core.model import Model
from simulacra.data.spec import Data, Dataset
from simulacra.engine.checkpoint import Best
from simulacra.engine.monitors.gan_diagnostics import gan_diagnostics
from simulacra.engine.monitors.monitor import State, every
from simulacra.engine.monitors.warnings import TrainingWarnings
from simulacra.errors import ConfigError

# enough held-out examples for a curve, few enough to cost nothing
EXAMPLES = 1024
# validations and sample grids of a training by default
VALIDATIONS, GRIDS = 20, 10
# share of a training before which the lowest validation loss is early
EARLY = 0.1


class Validation:
    """Logs the terms of held-out data and, where they are kept, remembers the weights with the lowest loss.

    Args:
        every: steps between validations.
        best: where the best weights are kept; None to keep the last ones.
        warnings: checks the terms.
    """

    def __init__(self, every: int, best: Best | None, warnings: TrainingWarnings) -> None:
        self.every, self.best, self.warnings = every, best, warnings

    def due(self, state: State) -> bool:
        return every(self.every, state) and len(state.data.validation) > 0

    def run(self, state: State) -> None:
        """A message at the end says when the best weights are early ones.

        Raises:
            ConfigError: the best weights are asked for, and the model has no validation loss.
        """
        terms = all_terms(state.average, state.model, state.data, state.seed)
        state.events.log("validation", state.step, terms)
        for kind, text in self.warnings.check(state.step, terms):
            state.events.warn(state.step, kind, text)
        if self.best is None:
            return
        if "loss" not in terms:
            raise ConfigError(f"keep: a {state.config.model} has no validation loss; leave --keep out")
        self.best.update(terms["loss"], state.step, state.average)
        if state.last and self.best.step < EARLY * state.steps and terms["loss"] > self.best.loss:
            state.events.message(
                f"the validation loss was lowest at step {self.best.step:,} of {state.steps:,}"
                f" ({self.best.loss:.4g}) and rose to {terms['loss']:.4g}: the weights of that step are kept."
                " The model overfits: take more data, a smaller model or fewer steps"
            )


def all_terms(average: Model, model: Model, data: Data, seed: int) -> dict[str, float]:
    """The terms of held-out data and the diagnostics of a GAN."""
    return validation_terms(average, data.validation, seed) | gan_diagnostics(average, model, data, seed)


@torch.no_grad()
def validation_terms(model: Model, dataset: Dataset, seed: int) -> dict[str, float]:
    """The model's terms averaged over held-out examples, with the same noise every time."""
    sums: dict[str, float] = defaultdict(float)
    examples = at_most(EXAMPLES, dataset, seed)
    with eval_mode(model):
        for batch in in_order(examples, max_batch(examples, 256), model.device, seed):
            for name, values in model.validate(batch).items():
                sums[name] += values.double().sum().item()
    return {name: value / len(examples) for name, value in sums.items()}
