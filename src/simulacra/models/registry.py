"""Every model by name. Importing this imports no model and no torch.

Models are found in three places: the folders of this package with a `card.py`, the cards that installed
packages register as entry points of the group `simulacra.models`, and files of the user, named as
`path/to/file.py:Class`.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from pkgutil import iter_modules
from types import ModuleType
from typing import TYPE_CHECKING, Any

import simulacra.models
from simulacra.core.card import ModelCard
from simulacra.errors import ConfigError, LimitError, SimulacraError, nearest
from simulacra.limits import WEIGHTS, amount, available_memory, out_of_memory

if TYPE_CHECKING:
    from simulacra.core.model import Model
    from simulacra.data.spec import DataSpec


def _cards() -> dict[str, ModelCard]:
    names = [module.name for module in iter_modules(simulacra.models.__path__) if module.ispkg]
    own = {name: import_module(f"simulacra.models.{name}.card").CARD for name in names}
    return {**{point.name: point.load() for point in entry_points(group="simulacra.models")}, **own}


MODELS: Mapping[str, ModelCard] = _cards()


def model_card(name: str) -> ModelCard:
    """The card of a model.

    Args:
        name: a registered name, or `path/to/file.py:Class`.

    Raises:
        ConfigError: there is no such model, file or class.
    """
    if not isinstance(name, str):
        known = {card.path.rpartition(":")[2]: key for key, card in MODELS.items()}
        example = known.get(getattr(name, "__name__", ""), "vae")
        raise ConfigError(f"the model must be a name, e.g. '{example}', not a {type(name).__name__}")
    if _is_file(name):
        return _card_of_file(name)
    if name not in MODELS:
        raise ConfigError(f"unknown model '{name}', {nearest(name, [*MODELS, 'path/to/file.py:Class'])}")
    return MODELS[name]


def density_model(kind: str) -> tuple[str, Mapping[str, Any]]:
    """The model that a kind of density of latents is, and its settings; any other model stands for itself.

    >>> density_model("pca")
    ('pca', {})

    Raises:
        ConfigError: there is no such kind and no such model.
    """
    kinds = {key: (name, one) for name, card in MODELS.items() for key, one in card.densities.items()}
    if kind in kinds:
        return kinds[kind]
    if kind not in MODELS and not _is_file(kind):
        raise ConfigError(f"kind: unknown '{kind}', {nearest(kind, kinds)}")
    return kind, {}


def model_class(name: str) -> type[Model]:
    """The class of a model, by a name as `model_card` takes it."""
    path = model_card(name).path
    module, _, attribute = path.rpartition(":")
    loaded = _load_file(Path(module)) if _is_file(path) else import_module(module)
    cls: type[Model] = getattr(loaded, attribute)
    return cls


def build(name: str, spec: DataSpec, config: Any, each: int = 4) -> Model:
    """An untrained model for data of this spec.

    Args:
        name: as `model_card` takes it.
        spec: of the data.
        config: of the model.
        each: bytes of memory for every number of its weights; more than 4 where it will be trained.

    Raises:
        LimitError: the weights do not fit in memory, or are too many.
    """
    from torch.nn.modules.module import register_module_parameter_registration_hook

    free, numbers, weights = available_memory(), 0, 0
    too_large = (
        f"the weights of this {short_name(name)} need more than {amount(free)} of memory, all that is free;"
        " choose a smaller model or image size"
    )

    # a parameter is registered before it gets its values, and takes no memory until then
    def register(_module: Any, _name: str, parameter: Any) -> None:
        nonlocal numbers, weights
        numbers += 0 if parameter is None else parameter.numel()
        weights += 1
        if weights > WEIGHTS:
            raise LimitError(f"this {short_name(name)} has more than {WEIGHTS:,} weights, the limit")
        if each * numbers > free:
            raise LimitError(too_large)

    handle = register_module_parameter_registration_hook(register)
    try:
        return model_class(name)(spec, config)
    except (RuntimeError, MemoryError) as error:
        if out_of_memory(error):
            raise LimitError(too_large) from error
        raise
    finally:
        handle.remove()


def full_name(name: str) -> str:
    """The name that a run stores: of a file its absolute path, so that the run loads from everywhere."""
    return model_card(name).path if _is_file(name) else name


def short_name(name: str) -> str:
    """How messages and folders call a model.

    >>> short_name("vae"), short_name("examples/flow.py:Flow")
    ('vae', 'flow')
    """
    return name.rpartition(":")[2].lower() if _is_file(name) else name


def _is_file(name: str) -> bool:
    return ".py:" in name


def _card_of_file(name: str) -> ModelCard:
    file, _, attribute = name.rpartition(":")
    path = Path(file).expanduser().resolve()
    if not path.is_file():
        raise ConfigError(f"model: there is no file {file}")
    cls = getattr(_load_file(path), attribute, None)
    card = getattr(cls, "card", None)
    if not isinstance(card, ModelCard):
        raise ConfigError(
            f"model: {file} has no class {attribute} with an attribute `card`, a simulacra.ModelCard"
        )
    return replace(card, path=f"{path}:{attribute}")


@cache
def _load_file(path: Path) -> ModuleType:
    spec = spec_from_file_location(f"simulacra_file_{path.stem}", path)
    assert spec is not None, "the name ends in .py"
    assert spec.loader is not None
    module = module_from_spec(spec)
    # dataclasses look their module up
    sys.modules[spec.name] = module
    try:
        spec.loader.exec_module(module)
    except SimulacraError:
        raise
    except Exception as error:
        raise ConfigError(f"model: {path} cannot be imported ({type(error).__name__}: {error})") from error
    return module
