"""Measure a trained model on held-out data: every number its capabilities allow."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from simulacra.core.calls import trusted
from simulacra.core.inference import eval_mode
from simulacra.core.model import Model
from simulacra.data import parse
from simulacra.data.arrays import Trainable
from simulacra.data.fitting import fitting
from simulacra.data.spec import Data, Dataset
from simulacra.errors import ConfigError, DataError, nearest
from simulacra.limits import IMPORTANCE_SAMPLES
from simulacra.metrics.evaluation import Evaluation
from simulacra.metrics.features import EXTRACTORS
from simulacra.metrics.registry import Measurement, check, groups, measurements, merge
from simulacra.run import Run
from simulacra.tasks.attribute_predictor import Known, given_predictor, known, predictor_of
from simulacra.tasks.language_model import trained_language_model


@torch.no_grad()
def evaluate(
    model: Model,
    data: Trainable,
    split: str | None = None,
    metrics: Sequence[str] | None = None,
    importance_samples: int = 100,
    examples: int | None = None,
    batch_size: int = 100,
    seed: int = 0,
    features: str | object = "raw",
    weights: str | Path | None = None,
    variants: int = 4,
    anomalies: Trainable | None = None,
    classifier: str | Path | None = None,
    run: Run | None = None,
) -> dict[str, Any]:
    """Numbers on one split, averaged over examples; log-likelihoods in nats per example.

    Args:
        model: a trained model.
        data: the splits, loaded; or what `sim.load_data` takes: a source, arrays X or (X, y). Labels are
            matched to the model's classes by name. Some measurements also read the training split.
        split: `train`, `validation` or `test`; when not given, the split that a source names, else the test
            split of loaded data, of what the model was trained on, and of sources with splits of their own,
            else every example, except those of the training split. The training split of a run on arrays is
            known only when the same arrays are passed.
        metrics: groups of `metrics.registry`: `elbo`, `nll`, `reconstruction`, `latents`, `prediction`,
            `samples`, `table`, `translation`, and those that compare features, `fid`, `kid`, `prdc`, `is`,
            `classes`, `memorisation`, `perceptual`; `disentanglement`, `layers` and `anomaly`; for sentences
            `grammatical`, `walks` and `language_model`. Those that the model has no capability for are left
            out. The first ones, up to `translation`, and `grammatical` when not given, without those of
            `Model.on_request`.
        importance_samples: draws of z for an estimated log-likelihood.
        examples: the first examples of the split, this many; for a model that translates between two domains
            half of them from each. All of it when not given.
        batch_size: examples at a time.
        seed: random seed.
        features: what is compared: `raw` numbers, `efficientnet-lite0`, `inception`, or a model with a method
            `features`.
        weights: a file of weights, for `inception`.
        variants: translations of each input of a pair, at least 2.
        anomalies: data as for `data`, of which the test split, or the split that a source names, is compared
            with the examples: adds the group `anomaly`.
        classifier: run folder of a classifier or regressor that predicts attributes of samples, for `layers`,
            and for `disentanglement` of a model without an encoder.
        run: run of the model, in which a regressor of all attributes of its data is trained and kept where no
            classifier is given.

    Returns:
        `data`, `examples`, `seed`, and the values of each group by their keys, which the modules of
        `simulacra.metrics` declare and describe; those of single targets in `columns`, those of the two
        directions between domains in `directions`. Beside scores of samples, `real_against_real` has those of
        as many training examples. Groups that need more examples are named in `left_out`; `cautions` has a
        sentence for each group whose numbers are to be read with care.

    Raises:
        ConfigError: an unknown metric, none that the model has a capability for, or missing features.
        DataError: the split is empty, or lacks what is to be translated.

    >>> import tempfile, simulacra as sim
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     model = sim.train("pca", "digits", f"{folder}/run", latent_dim=8)
    >>> round(evaluate(model, sim.load_data("digits"))["linear_probe_accuracy"], 1)
    0.9
    """
    if not isinstance(model, Model):
        raise ConfigError(
            f"evaluate: the model is a {type(model).__name__}; pass a model, e.g. sim.load(RUN)"
        )
    chosen = applicable(model, metrics, importance_samples, examples, features, variants, anomalies)
    data, split = fitted(model, data, split)
    dataset = _first(model, data.split(split), examples)
    if len(dataset) == 0:
        raise DataError(
            f"{data.name}@{split}: no examples to evaluate on; take more data, or --data {data.name}@train to"
            " evaluate on what it was trained on"
        )
    held_out = split != "train"
    others: tuple[str, Dataset] | None = None
    if anomalies is not None:
        found, part = fitted(model, anomalies)
        others = f"{found.name}@{part}", _first(model, found.split(part), examples)

    def predictor() -> Known:
        if run is None:
            assert classifier is not None, "one of them is given"
            return known(given_predictor(Path(classifier), model.spec), dataset)
        return known(predictor_of(run, None if classifier is None else Path(classifier)), dataset)

    evaluation = Evaluation(
        model,
        data,
        dataset,
        held_out,
        chosen,
        features,
        weights,
        importance_samples,
        variants,
        batch_size,
        seed,
        others,
        None if classifier is None and run is None else predictor,
        partial(trained_language_model, spec=model.spec, seed=seed),
    )
    numbers: dict[str, Any] = {"data": f"{data.name}@{split}", "examples": len(dataset), "seed": seed}
    with eval_mode(model), trusted():
        for measurement in chosen:
            merge(numbers, measurement.measure(evaluation))
    return numbers


def fitted(model: Model, data: Trainable, split: str | None = None) -> tuple[Data, str]:
    """The data as a model takes them, and the split to measure on; remarks are printed.

    Args:
        model: a trained model.
        data: as for `evaluate`.
        split: `train`, `validation` or `test`; `test`, or the split that a source names, when not given.

    Raises:
        DataError: the data do not suit the model.
    """
    if split is None and isinstance(data, str | Path):
        split = parse(str(data))[2]
    found = fitting(data, model.spec, model.trained_on, model.needs_labels, whole=split is None)
    for note in () if isinstance(data, Data) else found.notes:
        print(f"simulacra: {found.name}: {note}", file=sys.stderr)
    return found, split or "test"


def applicable(
    model: Model,
    metrics: Sequence[str] | None = None,
    importance_samples: int = 100,
    examples: int | None = None,
    features: str | object = "raw",
    variants: int = 4,
    anomalies: object = None,
) -> list[Measurement]:
    """What `evaluate` measures with these arguments; data are not needed to refuse them.

    Raises:
        ConfigError: an argument is out of range or unknown, or the model has no capability for any metric.
    """
    if metrics is None:
        metrics = [name for name in groups(quick=True) if name not in model.on_request]
    check(metrics, groups())
    if anomalies is not None:
        metrics = [*metrics, "anomaly"]
    elif "anomaly" in metrics:
        raise ConfigError("metrics: anomaly compares with other data; name them with --anomalies SOURCE")
    if isinstance(features, str) and features not in EXTRACTORS:
        known = [*EXTRACTORS, "the run folder of a classifier"]
        raise ConfigError(f"features: unknown '{features}', {nearest(features, known)}")
    if importance_samples < 1 or (examples is not None and examples < 1):
        raise ConfigError("importance_samples and examples: must be at least 1")
    if importance_samples > IMPORTANCE_SAMPLES:
        raise ConfigError(
            f"importance_samples: must be at most {IMPORTANCE_SAMPLES:,}, not {importance_samples:,}"
        )
    if variants < 2:
        raise ConfigError(f"variants: must be at least 2, not {variants}")
    chosen = [m for m in measurements() if m.name in metrics and m.suits(model)]
    if anomalies is not None and not any(m.name == "anomaly" for m in chosen):
        raise ConfigError("anomalies: this model has no reconstructions and no likelihood; leave them out")
    if not chosen:
        raise ConfigError(f"metrics: {', '.join(metrics)} do not apply to this model")
    return chosen


def _first(model: Model, dataset: Dataset, n: int | None) -> Dataset:
    """The first n examples, or equally many of each class where the model is trained so."""
    if n is None or dataset.y is None or not model.class_balanced:
        return dataset.take(slice(0, n))
    classes = len(dataset.spec.classes)
    rows = [np.flatnonzero(dataset.y == k)[: max(1, n // classes)] for k in range(classes)]
    return dataset.take(np.concatenate(rows))
