"""Models that encode as transformers of scikit-learn: for pipelines, cross-validation and grid search.

>>> from sklearn.datasets import load_digits
>>> from sklearn.linear_model import LogisticRegression
>>> from sklearn.model_selection import cross_val_score
>>> from sklearn.pipeline import make_pipeline
>>> X, y = load_digits(return_X_y=True)
>>> probe = make_pipeline(as_transformer("pca", latent_dim=8), LogisticRegression(max_iter=1000))
>>> bool(cross_val_score(probe, X, y, cv=3).mean() > 0.8)
True
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Self

import numpy as np
import torch
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted, validate_data
from torch import Tensor

from simulacra.config import Training, configure
from simulacra.core.capabilities import Decodes, Encodes, require
from simulacra.core.inference import CHUNK, eval_mode
from simulacra.core.model import Model
from simulacra.data import Data, Options
from simulacra.data.arrays import frame_inputs, read_arrays
from simulacra.data.tables.frames import is_frame
from simulacra.data.text.given import texts_of
from simulacra.engine.loop import train
from simulacra.errors import ConfigError, SimulacraError
from simulacra.estimators import HELD_OUT
from simulacra.models.registry import MODELS, model_card, model_class, short_name
from simulacra.run import Run, RunConfig


def as_transformer(model: Any, space: str | None = None, **settings: Any) -> LatentTransformer:
    """A transformer of scikit-learn from examples to their latents.

    Args:
        model: a trained model or its run folder, which `fit` leaves as it is; or the name of a model, as
            `sim.train` takes it, which `fit` trains.
        space: name of the latent space; the default one for None.
        settings: of a training: any field of the model's Config or of `Training`, e.g. `latent_dim=8`.

    Raises:
        ConfigError: there is no such model, or setting, or a trained model is given settings.
        RunError: there is no run in the folder, or its model has no encoder.

    >>> X = np.random.default_rng(0).normal(size=(200, 5))
    >>> pca = as_transformer("pca", latent_dim=2).fit(X)
    >>> pca.transform(X).shape, pca.inverse_transform(pca.transform(X)).shape
    ((200, 2), (200, 5))
    """
    transformer = LatentTransformer(model, space, **settings)
    if isinstance(model, Model):
        require(model, Encodes, "model", type(model).__name__.lower(), "")
    name = transformer.trains
    if name is None:
        if settings:
            raise ConfigError(
                f"as_transformer: {', '.join(settings)} cannot be set for a trained model; leave them out"
            )
        if not isinstance(model, Model):
            model = Run(model.path if isinstance(model, Run) else model)
            model.check_trained()
            name = model.config.model
    else:
        transformer.configure()
    if name is not None and not issubclass(model_class(name), Encodes):
        raise ConfigError(f"as_transformer: this {short_name(name)} {Encodes.missing}")
    return transformer


class LatentTransformer(TransformerMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """Examples to latents and back; `as_transformer` makes it.

    Args:
        model: as for `as_transformer`.
        space: likewise.
        settings: likewise. They are parameters: `GridSearchCV` can search them.

    Attributes:
        model_: the trained model.
    """

    model_: Any

    def __init__(self, model: Any, space: str | None = None, **settings: Any) -> None:
        self.model = model
        self.space = space
        self.settings = settings

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Model, space and settings by their names."""
        return {"model": self.model, "space": self.space, **self.settings}

    def set_params(self, **params: Any) -> Self:
        """Change the model, the space or settings."""
        if "model" in params:
            self.__dict__.pop("model_", None)
        for name in ("model", "space"):
            if name in params:
                setattr(self, name, params.pop(name))
        self.settings = {**self.settings, **params}
        return self

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        tags.requires_fit = self.trains is not None
        return tags

    def __sklearn_is_fitted__(self) -> bool:
        return self.trains is None or hasattr(self, "model_")

    @property
    def trains(self) -> str | None:
        """The name of the model that `fit` trains; None where it is trained."""
        if isinstance(self.model, Model | Run | Path) or (isinstance(self.model, str) and self._is_folder()):
            return None
        model_card(self.model)
        name: str = self.model
        return name

    def _is_folder(self) -> bool:
        name = str(self.model)
        return name not in MODELS and ".py:" not in name and (Path(name).exists() or "/" in name)

    def configure(self) -> tuple[Any, Training]:
        """The model's Config and the settings of its training.

        Raises:
            ConfigError: there is no such setting, or a value is out of range.
        """
        card = model_card(self.model)
        config, training = configure((card.Config(), card.training), self.settings)
        return config, training

    def fit(self, X: Any, y: Any = None) -> Self:
        """Train the model on X, where it is not trained already.

        Args:
            X: examples: vectors `(N, D)`, or images `(N, H, W)`, `(N, C, H, W)` or `(N, H, W, C)`, uint8 or
                floats in [0, 1]; of a trained model also images as vectors `(N, C * H * W)`; or sentences, a
                list or an array of `str`, of which `transform` cuts those that are too long for the model.
            y: not used.

        Raises:
            ValueError: the examples, or the settings for them, cannot be used.
        """
        if self.trains is None:
            self._load()
            self._examples(X, reset=True)
            return self
        if (texts := texts_of(X)) is None:
            X = validate_data(self, X, allow_nd=True, ensure_min_samples=2)
        config, training = self.configure()
        try:
            every = read_arrays(X if texts is None else texts, Options(split="none")).test
            order = np.random.default_rng(training.seed).permutation(len(every))
            held = round(HELD_OUT * len(every)) if training.keep == "best" else 0
            data = Data("X", every.take(order[held:]), every.take(order[:held]), every.take(order[:0]))
            model_card(self.model).check(every.spec)
            settings = RunConfig(self.model, config, data.name, Options(), every.spec, training)
            with TemporaryDirectory() as folder, torch.random.fork_rng([]):
                model = train(Run(folder), settings, data, quiet=True).cpu()
        except SimulacraError as error:
            size = "" if texts is not None else f", n_features = {X.shape[1]}"
            raise ValueError(f"{error} (n_samples = {len(X)}{size})") from error
        # answers to one row and to many agree to the last digits in double precision only
        self.model_ = model.double() if every.spec.kind == "vector" else model
        self.shape_ = every.spec.shape if texts is not None else X.shape[1:]
        return self

    def transform(self, X: Any) -> np.ndarray:
        """The means of q(z | x), `(N, Z)`; stacks of styles in one row.

        Args:
            X: examples as `fit` takes them.

        Raises:
            ValueError: they do not fit the model.
        """
        x = self._examples(X)
        model = self._load()
        return self._in_parts(lambda part: model.encode(part, self.space).mean.flatten(1), x)

    def inverse_transform(self, Z: Any) -> np.ndarray:
        """The means of p(x | z) for latents `(N, Z)`, in the shape of the examples that `fit` was given; of
        sentences an array of `str`.

        Raises:
            ValueError: the latents do not fit the model, or it has no decoder.
        """
        model = self._load()
        if not isinstance(model, Decodes):
            raise ValueError(f"this {type(model).__name__} {Decodes.missing}")
        shape = self._space().shape
        Z = np.asarray(Z)
        z = Z.reshape(-1, *shape) if Z.ndim == 2 and Z.shape[1] == prod(shape) else Z
        x = self._in_parts(lambda part: model.decode(part, self.space).mean, z)
        if model.spec.vocabulary is not None:
            return np.array(model.spec.vocabulary.decode(x), dtype=object)
        wanted = getattr(self, "shape_", model.spec.shape)
        if len(wanted) == 3 and wanted != model.spec.shape:
            return np.moveaxis(x, 1, 3)
        return x.reshape(len(x), *wanted)

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Names of the latents: `z0`, `z1`, ..."""
        space = self._space()
        return np.array([f"{space.name}{i}" for i in range(space.size)], dtype=object)

    def _load(self) -> Encodes:
        if self.trains is not None or hasattr(self, "model_"):
            check_is_fitted(self)
        elif isinstance(self.model, Model):
            self.model_ = self.model
        else:
            run = self.model if isinstance(self.model, Run) else Run(self.model)
            self.model_ = run.load_with(Encodes)
        model: Encodes = self.model_
        return model

    def _space(self) -> Any:
        return self._load().space(self.space)

    def _examples(self, X: Any, reset: bool = False) -> Any:
        """Examples as the model's calls take them."""
        model = self._load()
        if self.trains is None and is_frame(X) and model.spec.columns:
            return frame_inputs(X, model.spec)
        texts = texts_of(X)
        if model.spec.vocabulary is not None and texts is not None:
            self.shape_ = model.spec.shape
            return model.spec.vocabulary.encode(texts, model.spec.shape[0], cut=True)
        x = validate_data(self, X, allow_nd=True, reset=reset or not hasattr(self, "n_features_in_"))
        if reset:
            self.shape_ = x.shape[1:]
        shape = model.spec.shape
        return x.reshape(len(x), *shape) if x.ndim == 2 and x.shape[1] == prod(shape) else x

    def _in_parts(self, call: Callable[[Any], Tensor], values: Any) -> np.ndarray:
        starts = range(0, max(len(values), 1), CHUNK)
        try:
            with torch.no_grad(), eval_mode(self._load()):
                return torch.cat([call(values[i : i + CHUNK]).cpu() for i in starts]).numpy()
        except SimulacraError as error:
            raise ValueError(str(error)) from error
