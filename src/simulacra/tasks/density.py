"""Fit a density to the latents of a run: the prior that makes a generator of an autoencoder."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch

from simulacra import tensors
from simulacra.config import Training, configure
from simulacra.core.batch import in_order, max_batch
from simulacra.core.calls import trusted
from simulacra.core.capabilities import EstimatesLikelihood, Generates, Reconstructs, Samples, require
from simulacra.core.inference import CHUNK, eval_mode
from simulacra.core.latents import Prior
from simulacra.core.model_prior import ModelPrior
from simulacra.core.noise import Noise
from simulacra.data.arrays import fingerprint
from simulacra.data.images.parallel import progress
from simulacra.data.spec import SPLITS, Data, Dataset, DataSpec, Options
from simulacra.errors import ConfigError, RunError
from simulacra.models.registry import density_model, model_card, model_class, short_name
from simulacra.run import LATENTS, PRIORS, Run, RunConfig

# latents that the likelihood is the mean of, at most
SCORED = 1000


def folder_of(run: Run, name: str) -> Path:
    """The folder of a prior.

    Raises:
        ConfigError: the name cannot be that of a folder.
    """
    if not re.fullmatch(r"\w[\w.-]{0,99}", name):
        raise ConfigError(f"name: '{name}' cannot name a folder; use letters, digits and -")
    return run.path / PRIORS / name


def fit_density(
    run: Run | str | Path,
    kind: str,
    name: str | None = None,
    *,
    overwrite: bool = False,
    **settings: Any,
) -> Generates:
    """Fit a density to the latents of the training examples of a run, and make it a prior of the run.

    Each example gives one draw z ~ q(z | x), so that the density approximates the aggregate posterior
    E_x q(z | x) (Ghosh et al. 2020, arXiv:1903.12436, section 4). Fitted again with the same settings it is
    returned as it is, or resumed.

    Args:
        run: of a model that encodes and decodes.
        kind: `mvn`, `gmm`, `flow`, `flow-matching`, `conditional-flow-matching`, or a model by its name.
        name: of the prior; the kind when not given.
        overwrite: whether to replace a prior of this name that was fitted otherwise.
        settings: any field of the Config of the model that the kind is, or of `Training`.

    Returns:
        The model with this prior.

    Raises:
        SimulacraError: the subclass says what is at fault: the run, its data, the kind or a setting.

    >>> import tempfile
    >>> import simulacra as sim
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     model = sim.train("autoencoder", "digits", folder, latent_dim=8, steps=20)
    ...     model = fit_density(folder, "pca", latent_dim=2)
    >>> model.sample(3, seed=0).shape
    torch.Size([3, 1, 8, 8])
    """
    model, fixed = density_model(kind)
    card = model_card(model)
    config, training = configure((card.Config(), card.training), {**fixed, **settings})
    run = run if isinstance(run, Run) else Run(run)
    return start(run, model, name or kind, config, training, overwrite)[0]


def start(
    run: Run, model: str, name: str, config: Any, training: Training, overwrite: bool
) -> tuple[Generates, Data]:
    """`fit_density` with its settings already in their dataclasses; returns the latents, too."""
    # the engine takes seconds to import
    from simulacra.engine.loop import train

    folder, of = folder_of(run, name), run.config
    encoder = require(run.load(), Reconstructs, run, short_name(of.model), of.source)
    if not issubclass(model_class(model), Samples):
        raise ConfigError(f"kind: a {short_name(model)} {Samples.missing}")
    if len(encoder.latent.shape) == 3 and getattr(config, "grid", ()) is None:
        # its net reads latents as the maps that they are
        config = replace(config, grid=encoder.latent.shape)
    data = latent_data(encoder, run.data(), training.seed)
    model_card(model).check(data.spec)
    inner = RunConfig(model, config, fingerprint(data), Options(), data.spec, training)
    density = Run(folder)
    if density.started and (different := density.config.differences(inner)):
        if not overwrite:
            raise RunError(
                f"{run}: has a prior '{name}' that was fitted otherwise ({'; '.join(different)}); choose"
                " another --name, or replace it with --overwrite"
            )
        density.check_free()
        shutil.rmtree(folder)
    train(density, inner, data)
    notes = {
        "weights": tensors.checksum(run.weights),
        "space": encoder.latent.name,
        "fitted": datetime.now(UTC).isoformat(),
    }
    mean = torch.from_numpy(data.train.x).mean(dim=0).reshape(encoder.latent.shape)
    tensors.write(folder / LATENTS, {"mean": mean}, notes)
    return run.load_with(Generates, name), data


def latent_data(model: Reconstructs, data: Data, seed: int = 0) -> Data:
    """Data of latents: one draw z ~ q(z | x) of each example, with its split and its class.

    Args:
        model: encodes the examples.
        data: the examples.
        seed: of the draws.
    """
    spec = DataSpec("vector", (model.latent.size,), classes=data.spec.classes)

    def of(name: str, index: int) -> Dataset:
        dataset = data.split(name)
        x = np.empty((len(dataset), model.latent.size), np.float32)
        size, noise, at = max_batch(dataset, CHUNK), Noise(seed, index), 0
        batches = in_order(dataset, size, model.device)
        for batch in progress(batches, -(-len(dataset) // size), f"encoding {name}"):
            z = noise.draw(model.encode(model.observe(batch.x, batch.noise)))
            x[at : at + len(z)] = z.flatten(1).float().cpu().numpy()
            at += len(z)
        return Dataset(spec, x, dataset.y)

    with torch.no_grad(), eval_mode(model), trusted():
        train, validation, test = (of(name, i) for i, name in enumerate(SPLITS))
    return Data(f"latents of {data.name}", train, validation, test)


def held_out_log_likelihood(prior: Prior, latents: Data) -> float | None:
    """The mean of ln p(z) in nats, of latents that it was not fitted to; None where there is none."""
    held = latents.test if len(latents.test) else latents.validation
    inner = prior.model if isinstance(prior, ModelPrior) else None
    if not isinstance(inner, EstimatesLikelihood) or not len(held):
        return None
    with torch.no_grad():
        return float(inner.log_likelihood(torch.from_numpy(held.x[:SCORED])).double().mean())
