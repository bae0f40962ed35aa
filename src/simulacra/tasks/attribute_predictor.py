"""Attributes of examples, real or made, as a model predicts them; real ones show how well it does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import torch

from simulacra.core.batch import in_order, max_batch
from simulacra.core.capabilities import Predicts
from simulacra.core.inference import CHUNK, eval_mode
from simulacra.data.arrays import fingerprint
from simulacra.data.images.attributes import classes
from simulacra.data.spec import Data, Dataset, DataSpec, Options
from simulacra.errors import ConfigError, DataError, RunError, SimulacraError
from simulacra.models.registry import model_card
from simulacra.run import Run, RunConfig

# where a run keeps its predictor, and how long that is trained
FOLDER = "attributes"
STEPS, BATCH, WIDTH = 1500, 64, 16
# held-out share of variance that predictions have to explain
KNOWN = 0.5
# what is said where the attribute of a direction is a column
UNMEASURED = (
    "edits of the columns of a table are not measured; compare the columns that 'simulacra edit RUN"
    " --data SOURCE --direction NAME --out edits.csv' writes"
)
# held-out examples that this is measured on, at most
TESTED = 2000


@dataclass(frozen=True)
class AttributePredictor:
    """A model that predicts attributes of examples.

    Attributes:
        run: its run folder.
        names: of the attributes, A of them.
        model: predicts numbers, or the probabilities of classes.
    """

    run: Run
    names: tuple[str, ...]
    model: Predicts

    @cached_property
    def held_out(self) -> tuple[np.ndarray, np.ndarray]:
        """Attributes of held-out examples of its own data, and its predictions of them: both `(N, A)`.

        Raises:
            DataError: the data are not there any more.
        """
        test = self.run.data().test.take(slice(TESTED))
        truth = test.target
        if truth is None:
            truth = np.stack([_column(test, name) for name in self.names], axis=1)
        return truth, self.predict(test.x)

    @torch.no_grad()
    def predict(self, x: np.ndarray) -> np.ndarray:
        """Attributes `(N, A)`, in the units of the data, of examples as data are stored."""
        spec, parts = self.model.spec, [np.zeros((0, len(self.names)), np.float32)]
        dataset = Dataset(replace(spec, target=None, classes=()), x)
        with eval_mode(self.model):
            for batch in in_order(dataset, max_batch(dataset, CHUNK), self.model.device):
                p = self.model.predict(batch.x)
                if spec.target is not None:
                    parts.append(p.mean.cpu().numpy())
                    continue
                # of one number it is the probability of the second of two classes
                probs = p.probs if hasattr(p, "probs") and p.probs.shape[-1] > 1 else p.mean
                parts.append(probs[:, -len(self.names) :].cpu().numpy())
        return np.concatenate(parts)


@dataclass(frozen=True)
class Known:
    """Attributes that a predictor knows, and those that it does not.

    Attributes:
        predictor: of all of them.
        names: of those it knows.
        columns: the place of each among the predictor's.
        r2: share of the variance over real held-out examples that its predictions explain, for each.
        deviation: standard deviation of each over the data.
        withheld: the other attributes -> why nothing is said about them.
    """

    predictor: AttributePredictor
    names: tuple[str, ...]
    columns: tuple[int, ...]
    r2: np.ndarray
    deviation: np.ndarray
    withheld: dict[str, str]

    def predict(self, x: np.ndarray) -> np.ndarray:
        """The attributes that it knows, of examples as data are stored: `(N, K)`."""
        return self.predictor.predict(x)[:, list(self.columns)]


def attribute_names(spec: DataSpec) -> tuple[str, ...]:
    """The attributes of data, and their classes: the second of two, or all of more.

    >>> attribute_names(DataSpec("image", (1, 8, 8), ("not_smiling", "smiling"), ("age",)))
    ('age', 'smiling')
    """
    found = spec.classes[1:] if len(spec.classes) == 2 else spec.classes
    return tuple(dict.fromkeys([*spec.attributes, *found]))


def attribute_values(dataset: Dataset, name: str) -> np.ndarray | None:
    """An attribute of every example, float32 `(N,)`: a column, a class as 0 or 1, or a condition `age>=60`.

    >>> spec = DataSpec("image", (1, 8, 8), ("not_smiling", "smiling"))
    >>> data = Dataset(spec, np.zeros((2, 1, 8, 8), np.uint8), np.array([0, 1]))
    >>> attribute_values(data, "smiling").tolist(), attribute_values(data, "age")
    ([0.0, 1.0], None)
    """
    spec, values = dataset.spec, dataset.attributes
    if values is not None and name in spec.attributes:
        return values[:, spec.attributes.index(name)]
    if dataset.y is not None and name in spec.classes:
        return (dataset.y == spec.classes.index(name)).astype(np.float32)
    try:
        found, y = classes("data", spec.attributes, values, name)
    except DataError:
        return None
    return y.astype(np.float32) if len(found) == 2 else None


def trained_predictor(run: Run, data: Data) -> AttributePredictor:
    """The predictor of all attributes that a run has, trained on its training data when it is first needed.

    It is a `regressor` of the attributes as numbers, trained by least squares on real examples of the
    training split, in a run folder inside the run's: `RUN/attributes/HASH`, for the data of that hash.

    Args:
        run: a run folder.
        data: with attributes or classes; its training split is learnt from.

    Raises:
        DataError: the data have neither, or all are the same in every training example.
        RunError: the folder is busy, or cannot be written.
        KeyboardInterrupt: a signal came; the same call goes on.
    """
    names = [name for name in attribute_names(data.spec) if _column(data.train, name).std() > 0]
    if not names and data.spec.columns:
        raise DataError(f"{data.name}: {UNMEASURED}")
    if not names:
        raise DataError(
            f"{data.name}: has no attributes or classes that differ, so what an edit moves cannot be"
            " measured; give --classifier RUN"
        )
    of = _to_predict(data, names)
    source = fingerprint(of)
    path = run.path / FOLDER / source.rpartition(":")[2]
    # the engine takes seconds to import
    from simulacra.engine.loop import train

    card = model_card("regressor")
    config = card.Config(likelihood="normal", width=WIDTH)
    training = replace(card.training, steps=STEPS, batch_size=BATCH)
    model = train(Run(path), RunConfig("regressor", config, source, Options(), of.spec, training), of)
    assert isinstance(model, Predicts)
    return AttributePredictor(Run(path), tuple(names), model)


def _to_predict(data: Data, names: Sequence[str]) -> Data:
    """The data with these attributes as targets, and no others."""
    spec = replace(
        data.spec,
        classes=(),
        attributes=(),
        target=DataSpec("vector", (len(names),), columns=tuple(names)),
    )

    def of(dataset: Dataset) -> Dataset:
        return Dataset(spec, dataset.x, target=np.stack([_column(dataset, name) for name in names], axis=1))

    return Data(data.name, of(data.train), of(data.validation), of(data.test))


def _column(dataset: Dataset, name: str) -> np.ndarray:
    values = attribute_values(dataset, name)
    assert values is not None, "a data set has the attributes of its spec"
    return values


def predictor_of(run: Run, given: Path | None = None, data: Data | None = None) -> AttributePredictor:
    """The predictor of a run that the user gives, or else the one that is kept in the run of the generator.

    Args:
        run: of the generator.
        given: run folder of a classifier or regressor.
        data: what the generator was trained on, where they are loaded already.

    Raises:
        SimulacraError: as `given_predictor` and `trained_predictor`.
    """
    if given is not None:
        return given_predictor(given, run.config.spec)
    return trained_predictor(run, run.data() if data is None else data)


def given_predictor(path: Path, spec: DataSpec) -> AttributePredictor:
    """The predictor of a run: a classifier of classes, or a regressor of columns with names.

    Args:
        path: its run folder.
        spec: of the examples that it is to take.

    Raises:
        RunError: there is no run, or it predicts neither.
        ConfigError: it takes other examples.
    """
    run = Run(path)
    model = run.load()
    trained_on = model.spec
    names = attribute_names(replace(trained_on, attributes=()))
    if trained_on.target is not None:
        names = trained_on.target.columns
    if not isinstance(model, Predicts) or not names:
        raise RunError(
            f"{path}: a {run.config.model} predicts no attributes with names; give a classifier, or leave"
            " --classifier out"
        )
    if trained_on.shape != spec.shape:
        raise ConfigError(
            f"classifier: {path} takes examples of shape {trained_on.shape}, these have {spec.shape}"
        )
    return AttributePredictor(run, names, model)


def known(predictor: AttributePredictor, held: Dataset) -> Known:
    """What a predictor knows, measured on held-out examples; where they lack an attribute, on its own ones.

    Raises:
        DataError: there are none.
    """
    held = held.take(slice(TESTED))
    if not len(held):
        raise DataError("there are no held-out examples to edit; take more data")
    predicted = predictor.predict(held.x)
    kept, r2, deviation, withheld = [], [], [], {}
    for i, name in enumerate(predictor.names):
        truth, found = attribute_values(held, name), predicted[:, i]
        if truth is None:
            try:
                truth, found = predictor.held_out[0][:, i], predictor.held_out[1][:, i]
            except SimulacraError as error:
                withheld[name] = f"the data have no such attribute, and of the predictor's own ones: {error}"
                continue
        if truth.std() == 0:
            withheld[name] = "it is the same in all held-out examples"
            continue
        # R^2 = 1 - sum (y - prediction)^2 / sum (y - mean of y)^2
        explained = float(1 - np.square(truth - found).mean() / truth.var())
        if explained < KNOWN:
            withheld[name] = (
                f"predictions explain {max(explained, 0):.2f} of its variance in held-out examples, less than"
                f" {KNOWN}"
            )
            continue
        kept.append(i)
        r2.append(explained)
        deviation.append(float(truth.std()))
    names = tuple(predictor.names[i] for i in kept)
    return Known(predictor, names, tuple(kept), np.array(r2), np.array(deviation), withheld)
