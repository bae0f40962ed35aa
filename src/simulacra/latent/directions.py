"""Directions in a latent space: what to add to a latent so that one attribute of the example changes.

>>> smile = Direction("smile", "z", torch.tensor([2.0, 0.0]), "means")
>>> smile.apply(torch.zeros(1, 2), strength=0.5)
tensor([[1., 0.]])

A run keeps its directions in `latent/directions/`: a file of tensors each, which is whole on its own, and
beside it the same details as JSON, for people and other programs.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from math import isfinite
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import torch
from torch import Tensor

from simulacra import tensors
from simulacra.core.model import LatentModel
from simulacra.errors import ConfigError, RunError, nearest, printable, shorten
from simulacra.files import replacing
from simulacra.run import Run

FOLDER = Path("latent") / "directions"
# Bytes of a file name that a direction's name may take: systems allow 255, with an ending and a process id.
LONGEST_NAME = 200
# A remainder of this share of a direction's length is rounding: the direction lies in the span of the others.
ROUNDING = 1e-5


@dataclass(frozen=True, eq=False)
class Direction:
    """A displacement in a latent space.

    Attributes:
        name: e.g. `smile`.
        space: name of the latent space.
        vector: displacement at strength 1, float32 `(*shape of the space)`. For a labelled direction it
            reaches from the mean of the examples without the attribute to that of those with it (a logistic
            normal is scaled to the same distance along itself); for an unlabelled one it is one standard
            deviation of the latents along it.
        method: `means`, `logistic`, `channels`, `pca`, `sefa` or `sum`.
        details: plain values for JSON: data, attribute, examples, held-out accuracy, error, seed, checksum of
            the weights; of a `sum` its `terms`, the factor of every direction in it by name.

    Raises:
        ConfigError: the vector is empty, or not finite.
    """

    name: str
    space: str
    vector: Tensor
    method: str
    details: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        vector = torch.as_tensor(self.vector).detach().to("cpu", torch.float32)
        if not vector.numel() or not bool(vector.isfinite().all()):
            raise ConfigError(f"direction '{self.name}': its vector must have numbers, all of them finite")
        object.__setattr__(self, "vector", vector)

    def __repr__(self) -> str:
        shape = tuple(self.vector.shape)
        return f"Direction({self.name!r}, space={self.space!r}, shape={shape}, method={self.method!r})"

    def apply(self, z: Tensor, strength: float | Tensor = 1.0) -> Tensor:
        """z + strength * vector, like z.

        >>> smile = Direction("smile", "z", torch.tensor([2.0, 0.0]), "means")
        >>> smile.apply(torch.zeros(2, 2), torch.tensor([-1.0, 1.0]))
        tensor([[-2.,  0.],
                [ 2.,  0.]])

        Args:
            z: latents `(N, *shape of the space)`.
            strength: one for all, or one for each, `(N,)`; 0 changes nothing, negative ones go back.

        Raises:
            ConfigError: the latents have another shape, or the strengths are not finite or too many.
        """
        if z.shape[1:] != self.vector.shape:
            raise ConfigError(
                f"direction '{self.name}': the latents have shape {tuple(z.shape)}, and the direction "
                f"{_batch(self.vector.shape)}"
            )
        factor = torch.as_tensor(strength).to(z)
        if not bool(factor.isfinite().all()):
            raise ConfigError(f"strength: must be finite, not {strength}")
        if factor.ndim and factor.shape != z.shape[:1]:
            raise ConfigError(
                f"strength: give one, or {len(z)}, one for each latent; not {tuple(factor.shape)}"
            )
        return z + factor.reshape(-1, *(1 for _ in self.vector.shape)) * self.vector.to(z)

    def check(self, model: LatentModel) -> None:
        """Check that it belongs to a latent space of a model.

        Raises:
            ConfigError: the model has no space of this name and shape.
        """
        shapes = {space.name: space.shape for space in model.spaces}
        if self.space not in shapes:
            raise ConfigError(
                f"direction '{self.name}' belongs to the latent space '{self.space}', and this"
                f" {type(model).__name__} has {', '.join(shapes)}"
            )
        if shapes[self.space] != self.vector.shape:
            raise ConfigError(
                f"direction '{self.name}' has shape {tuple(self.vector.shape)}, and the latent space"
                f" '{self.space}' of this {type(model).__name__} {tuple(shapes[self.space])}"
            )

    def orthogonal(self, *others: Direction) -> Direction:
        """The direction without its components along the span of others, which it then leaves alone.

        Conditional manipulation (Shen et al. 2020, "InterFaceGAN", arXiv:2005.09635). The result is shorter
        than the direction: what it shared with the others is gone.

        >>> smile = Direction("smile", "z", torch.tensor([2.0, 1.0]), "means")
        >>> glasses = Direction("glasses", "z", torch.tensor([0.0, 3.0]), "means")
        >>> smile.orthogonal(glasses).vector
        tensor([2., 0.])

        Raises:
            ConfigError: it lies in their span, or they belong to another space.
        """
        for other in others:
            self._check_same_space(other)
        if not others:
            return self
        v = self.vector.double().flatten()
        rest = remainder(v, torch.stack([other.vector.double().flatten() for other in others]))
        if rest.norm() <= ROUNDING * v.norm():
            named = " and ".join(f"'{other.name}'" for other in others)
            raise ConfigError(f"direction '{self.name}': nothing of it is left without {named}")
        removed = [*self.details.get("orthogonal_to", ()), *(other.name for other in others)]
        details = {**self.details, "orthogonal_to": list(dict.fromkeys(removed))}
        return replace(self, vector=rest.reshape(self.vector.shape), details=details)

    def cosine(self, other: Direction) -> float:
        """The cosine of the angle between two directions of one space.

        Raises:
            ConfigError: they belong to different spaces.
        """
        self._check_same_space(other)
        a, b = self.vector.double().flatten(), other.vector.double().flatten()
        return float(torch.nn.functional.cosine_similarity(a, b, dim=0))

    def __add__(self, other: Direction) -> Direction:
        return self._combined(1.0, other, 1.0)

    def __sub__(self, other: Direction) -> Direction:
        return self._combined(1.0, other, -1.0)

    def __neg__(self) -> Direction:
        return -1.0 * self

    def __mul__(self, factor: float) -> Direction:
        if not isinstance(factor, int | float):
            return NotImplemented
        if not isfinite(factor):
            raise ConfigError(f"direction '{self.name}': cannot be multiplied by {factor}")
        return self._sum(factor * self.vector, {name: factor * one for name, one in self._terms.items()})

    __rmul__ = __mul__

    def _combined(self, mine: float, other: Direction, theirs: float) -> Direction:
        if not isinstance(other, Direction):
            return NotImplemented
        self._check_same_space(other)
        terms = {name: mine * factor for name, factor in self._terms.items()}
        for name, factor in other._terms.items():
            terms[name] = terms.get(name, 0.0) + theirs * factor
        return self._sum(mine * self.vector + theirs * other.vector, terms, other)

    def _sum(self, vector: Tensor, terms: Mapping[str, float], other: Direction | None = None) -> Direction:
        details: dict[str, Any] = {"terms": dict(terms)}
        weights = [one.details["weights"] for one in (self, other) if one and "weights" in one.details]
        if weights:
            details["weights"] = weights[0]
        return Direction(formula(terms), self.space, vector, "sum", details)

    @property
    def _terms(self) -> Mapping[str, float]:
        terms: Mapping[str, float] = self.details["terms"] if self.method == "sum" else {self.name: 1.0}
        return terms

    def _check_same_space(self, other: Direction) -> None:
        if (self.space, self.vector.shape) != (other.space, other.vector.shape):
            raise ConfigError(
                f"directions '{self.name}' and '{other.name}' belong to different latent spaces: "
                f"{self.space} {tuple(self.vector.shape)} and {other.space} {tuple(other.vector.shape)}"
            )
        mine, theirs = self.details.get("weights"), other.details.get("weights")
        if mine and theirs and mine != theirs:
            raise ConfigError(
                f"directions '{self.name}' and '{other.name}' were found with different weights"
            )


def remainder(v: Tensor, others: Tensor) -> Tensor:
    """Vectors `(..., Z)` without their components along the span of others `(K, Z)`, like v.

    >>> remainder(torch.tensor([2.0, 1.0]), torch.tensor([[1.0, 1.0]]))
    tensor([ 0.5000, -0.5000])
    """
    # n' = n - Q Q^T n, the columns of Q an orthonormal basis of the span; the others may depend on each other
    Q, sizes, _ = torch.linalg.svd(others.T, full_matrices=False)
    Q = Q[:, sizes > ROUNDING * sizes.max()]
    return v - v @ Q @ Q.T


def _batch(shape: torch.Size) -> str:
    return f"(N, {', '.join(map(str, shape))})"


def formula(terms: Mapping[str, float]) -> str:
    """How a sum is written.

    >>> formula({"smile": 1.0, "glasses": -0.5})
    'smile - 0.5*glasses'
    """
    text = ""
    for name, factor in terms.items():
        sign = (" - " if text else "-") if factor < 0 else " + " if text else ""
        text += sign + ("" if abs(factor) == 1 else f"{abs(factor):g}*") + name
    return text


def check_name(name: str) -> str:
    """The name of a direction, which has to be one that a file can have.

    >>> check_name("age>=60")
    'age>=60'

    Raises:
        ConfigError: it is empty, too long, holds characters that cannot be printed, or starts with a sign.
    """
    if not name or not name[0].isalnum() or not name.isprintable() or name != name.strip():
        raise ConfigError(
            f"name: a direction cannot be called '{shorten(printable(name))}'; start with a letter or a digit"
        )
    if len(_file_name(name)) > LONGEST_NAME:
        raise ConfigError(f"name: '{shorten(name)}' is too long; choose a shorter --name")
    return name


def _file_name(name: str) -> str:
    """A name with characters that no file system objects to; reversed by `unquote`."""
    return quote(name, safe=" =,+()'")


def file_of(run: Run, name: str) -> Path:
    """Where a run keeps a direction of this name."""
    return run.path / FOLDER / f"{_file_name(name)}.safetensors"


def save(run: Run, direction: Direction, overwrite: bool = False) -> Path:
    """Write a direction into a run, whole or not at all.

    Args:
        run: the run with whose weights it was found.
        direction: its name becomes that of the file.
        overwrite: whether to replace one of the same name.

    Returns:
        The file of tensors.

    Raises:
        ConfigError: the name cannot be that of a file, or the direction is zero.
        RunError: there is one of this name, it was found with other weights, or it cannot be written.
    """
    if not bool(direction.vector.any()):
        raise ConfigError(f"direction '{direction.name}' is zero: it changes nothing")
    path = file_of(run, check_name(direction.name))
    weights = tensors.checksum(run.weights)
    if direction.details.get("weights", weights) != weights:
        raise RunError(f"{run}: direction '{direction.name}' was found with other weights than these")
    if path.exists() and not overwrite:
        raise exists(run, direction.name)
    versions = {package: version(package) for package in ("simulacra", "torch")}
    details = {**direction.details, "weights": weights, "versions": versions}
    text = json.dumps(describe(replace(direction, details=details)), indent=2, ensure_ascii=False)
    with replacing(path.with_suffix(".json")) as beside, beside.open("w", encoding="utf-8") as file:
        file.write(text + "\n")
        # the file of tensors takes its place only when this one is on the disk
        file.flush()
        os.fsync(file.fileno())
        tensors.write(path, {"vector": direction.vector}, {"direction": text})
    return path


def describe(direction: Direction) -> dict[str, Any]:
    """All but the vector, as plain values for JSON."""
    return {
        "name": direction.name,
        "space": direction.space,
        "shape": list(direction.vector.shape),
        "method": direction.method,
        "details": dict(direction.details),
    }


def exists(run: Run, name: str) -> RunError:
    """An error about a name that is taken."""
    return RunError(
        f"{run}: has a direction '{name}' already; choose another --name, or replace it with --overwrite"
    )


def names(run: Run) -> list[str]:
    """The names of the directions that a run has, in order."""
    return sorted(unquote(file.stem) for file in (run.path / FOLDER).glob("*.safetensors"))


def read(run: Run, name: str) -> Direction:
    """A direction of a run, whatever weights it was found with.

    Raises:
        RunError: there is none of this name (the message names the nearest), or its file is damaged.
    """
    path = file_of(run, name)
    if not path.is_file():
        known = names(run)
        hint = nearest(name, known) if known else f"find one: simulacra direction {run} --help"
        raise RunError(f"{run}: there is no direction '{printable(shorten(name))}'; {hint}")
    found, notes = tensors.read(path)
    try:
        document = json.loads(notes["direction"])
        texts = [document[key] for key in ("name", "space", "method")]
        vector, details = found["vector"], document["details"]
        if not all(isinstance(text, str) for text in texts) or not isinstance(details, dict):
            raise TypeError
        direction = Direction(texts[0], texts[1], vector, texts[2], details)
    except (ValueError, LookupError, TypeError, RecursionError, ConfigError) as error:
        raise tensors.damaged(path, "it holds no direction") from error
    return direction


def load(run: Run, name: str) -> Direction:
    """A direction of a run, found with the weights that the run has now.

    Raises:
        RunError: there is none of this name (the message names the nearest), it was found with other weights,
            or its file is damaged.
    """
    direction = read(run, name)
    if not is_current(run, direction):
        raise RunError(
            f"{run}: direction '{name}' was found with other weights than these; find it again, with"
            " --overwrite"
        )
    return direction


def is_current(run: Run, direction: Direction) -> bool:
    """Whether a direction was found with the weights that the run has now."""
    return bool(direction.details.get("weights") == tensors.checksum(run.weights))


# a factor, as in 0.5*smile
_FACTOR = re.compile(r"(\d+\.?\d*|\.\d+)\s*\*\s*")


def compose(run: Run, text: str) -> Direction:
    """A sum of directions of a run, e.g. `smile - 0.5*glasses`.

    A name is the longest one that the run has: `smile-wide` is the direction of this name where there is one,
    and otherwise `smile` less `wide`.

    Args:
        run: a run with directions.
        text: their names, with factors, `+` and `-`; `(`, `)` and `/` have no meaning.

    Raises:
        ConfigError: it cannot be read.
        RunError: there is no direction of a name in it, or one cannot be loaded.
    """
    known = sorted(names(run), key=len, reverse=True)
    total, place, text = None, 0, text.strip()
    if not text:
        raise ConfigError("compose: is empty; write names of directions, e.g. 'smile - 0.5*glasses'")
    while place < len(text):
        sign = re.compile(r"\s*([+-]?)\s*").match(text, place)
        assert sign is not None, "it matches nothing, too"
        place = sign.end()
        factor = _FACTOR.match(text, place)
        place = factor.end() if factor else place
        name = next((one for one in known if _is_at(text, place, one)), None)
        if name is None:
            word = re.split(r"\s*[-+*]\s*|$", text[place:], maxsplit=1)[0]
            if not word:
                raise ConfigError(f"compose: a name is missing at the end of '{shorten(text[:place])}'")
            read(run, word)
            raise ConfigError(f"compose: cannot read '{shorten(text[place:])}'")
        place += len(name)
        weight = (float(factor[1]) if factor else 1.0) * (-1 if sign[1] == "-" else 1)
        term = weight * load(run, name)
        total = term if total is None else total + term
    assert total is not None
    return total


def _is_at(text: str, place: int, name: str) -> bool:
    """Whether the text has a name at a place, and a sign or the end behind it."""
    return text.startswith(name, place) and re.match(r"\s*([+-]|$)", text[place + len(name) :]) is not None
