"""The calls of a model, e.g. `encode` and `sample`: arrays become tensors that fit, mistakes are explained.

A capability names its `calls`, and every class that defines one of them has it `checked`. Only the call that
a user makes is checked: not those that it makes itself, none in a training step (`trusted`), and none while
torch compiles, exports or traces.

>>> import numpy as np, simulacra as sim
>>> model = sim.VAE(sim.DataSpec("image", (1, 8, 8)), sim.MODELS["vae"].Config()).eval()
>>> model.encode(np.zeros((5, 8, 8), np.uint8)).mean.shape
torch.Size([5, 16])
>>> model.encode(np.zeros((5, 9, 9)))
Traceback (most recent call last):
simulacra.errors.DataError: encode: x has shape (5, 9, 9), but this model takes (N, 1, 8, 8)
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import wraps
from inspect import signature
from math import inf, isfinite, prod
from numbers import Real
from operator import index
from typing import Any

import numpy as np
import torch
from torch import Tensor

from simulacra.core.noise import Noise
from simulacra.data.arrays import frame_inputs
from simulacra.data.images.scale import rescaling
from simulacra.data.tables.frames import is_frame
from simulacra.data.text.given import texts_of
from simulacra.data.text.vocabulary import END, PADDING
from simulacra.errors import ConfigError, DataError
from simulacra.limits import IMPORTANCE_SAMPLES, check_memory

# images may lie outside [0, 1] by so much, as means of a normal likelihood do; other scales are further out
SLACK = 0.5

_local = threading.local()
_is_tracing: Callable[[], bool] = torch.jit.is_tracing  # type: ignore[attr-defined]  # not in torch's stubs


@contextmanager
def trusted() -> Iterator[None]:
    """No checks inside: for loops over tensors that are known to fit, where a check would wait for a GPU."""
    before = getattr(_local, "trusted", False)
    _local.trusted = True
    try:
        yield
    finally:
        _local.trusted = before


def checked(call: Callable[..., Any]) -> Callable[..., Any]:
    """The method of a model with its arguments checked and converted, by their names."""
    parameters = signature(call)
    checks = [(key, _CHECKS[key]) for key in parameters.parameters if key in _CHECKS]

    @wraps(call)
    def outermost(self: Any, *args: Any, **kwargs: Any) -> Any:
        if torch.compiler.is_compiling() or _is_tracing() or getattr(_local, "trusted", False):
            return call(self, *args, **kwargs)
        try:
            bound = parameters.bind(self, *args, **kwargs)
        except TypeError:
            # missing or unexpected arguments: Python's own message
            return call(self, *args, **kwargs)
        for key, check in checks:
            if key in bound.arguments:
                what = f"{call.__name__}: {key}"
                bound.arguments[key] = check(self, what, bound.arguments[key], bound.arguments)
        with trusted():
            return call(*bound.args, **bound.kwargs)

    return outermost


def check_examples(model: Any, what: str, value: Any) -> Tensor:
    """Examples as a call of the model takes them: images `(N, C, H, W)` in [0, 1], or vectors `(N, D)`.

    Raises:
        DataError: they are none, or of another shape; the message begins with `what`.
    """
    return _examples(model, what, value, {})


def _examples(model: Any, what: str, value: Any, _: Mapping[str, Any]) -> Tensor:
    """Images `(N, C, H, W)` or vectors `(N, D)`, floats on the model's device; or sentences `(N, T)`."""
    shape = model.spec.shape
    if model.spec.kind == "text":
        return _sentences(model, what, value)
    if model.spec.columns and is_frame(value):
        value = frame_inputs(value, model.spec)
    x = _numbers(model, what, value)
    if x.numel() == 0:
        raise DataError(f"{what} is empty: its shape is {tuple(x.shape)}")
    if model.spec.kind == "vector":
        if x.shape[1:] != shape:
            raise DataError(f"{what} has shape {tuple(x.shape)}, but this model takes {_batch(x, shape)}")
        return _in_range(what, x.to(model.dtype))
    images = _images(x, shape, model.any_size)
    if images is None:
        wanted = (shape[0], "H", "W") if model.any_size else shape
        raise DataError(f"{what} has shape {tuple(x.shape)}, but this model takes {_batch(x, wanted)}")
    if x.dtype == torch.uint8:
        return images.to(model.dtype) / 255
    return _in_range(what, images.to(model.dtype), -SLACK, 1 + SLACK)


def _sentences(model: Any, what: str, value: Any) -> Tensor:
    """Sentences as numbers of tokens `(N, T)`, int64 on the model's device, from texts or numbers."""
    vocabulary, longest = model.spec.vocabulary, model.spec.shape[0]
    texts = texts_of(value)
    if texts is not None:
        try:
            x = torch.from_numpy(vocabulary.encode(texts, longest)).long().to(model.device)
        except ValueError as error:
            raise DataError(f"{what}: {error}") from None
    else:
        x = _numbers(model, what, value)
    if x.ndim != 2 or len(x) == 0 or not 1 <= x.shape[1] <= longest or x.is_floating_point():
        raise DataError(
            f"{what} must be a list of sentences, or numbers of tokens (N, T) with T at most {longest}, not"
            f" {tuple(x.shape)} {x.dtype}"
        )
    x = x.long()
    ended = x <= END
    if not bool(((x >= 0) & (x < len(vocabulary))).all() & (ended.cumsum(1)[:, -1] > 0).all()):
        raise DataError(f"{what}: each sentence needs an end (1), and tokens from 0 to {len(vocabulary) - 1}")
    # nothing but padding after the first end
    after = ended.cumsum(dim=1) - ended.long() > 0
    return x.masked_fill(after, PADDING)


def _images(x: Tensor, shape: tuple[int, ...], any_size: bool) -> Tensor | None:
    """`(N, C, H, W)` from the same, from `(N, H, W)` or from `(N, H, W, C)`; None for another shape."""
    layouts = [x]
    layouts += [x[:, None]] if x.ndim == 3 else []
    layouts += [x.movedim(3, 1)] if x.ndim == 4 else []
    for images in layouts:
        fits = images.shape[1:2] == shape[:1] if any_size else images.shape[1:] == shape
        if images.ndim == 4 and fits:
            return images
    return None


def _batch(x: Tensor, shape: tuple[int | str, ...]) -> str:
    """The shape of a batch, and how to bring x to it where that is clear."""
    text = f"(N, {', '.join(map(str, shape))})"
    if not all(isinstance(size, int) for size in shape):
        return text
    sizes = [int(size) for size in shape]
    for n, numbers in ((1, prod(x.shape)), (-1, prod(x.shape[1:]))):
        if numbers == prod(sizes) and (n == 1 or x.ndim > 1 or sizes == [1]):
            return f"{text}: x.reshape({n}, {', '.join(map(str, shape))})"
    return text


def _limits(x: Tensor) -> tuple[float, float] | None:
    """The smallest and the largest value; None where they do not matter, or are hidden (`torch.vmap`)."""
    # what is being optimised may leave [0, 1]
    if x.requires_grad:
        return None
    try:
        low, high = torch.stack(x.detach().aminmax()).tolist()
    except RuntimeError:
        return None
    return low, high


def _in_range(what: str, x: Tensor, low: float = -inf, high: float = inf) -> Tensor:
    limits = _limits(x)
    if limits and not all(map(isfinite, limits)):
        raise DataError(f"{what} holds NaN or infinite values; remove or replace them")
    if limits and not low <= limits[0] <= limits[1] <= high:
        raise DataError(f"{what} has values from {limits[0]:g} to {limits[1]:g}; {rescaling(*limits)}")
    return x


def _latents(model: Any, what: str, value: Any, arguments: Mapping[str, Any]) -> Tensor:
    """Latents `(N, *shape of the space)`, floats on the model's device."""
    space = model.space(_name(model, "decode: space", arguments.get("space"), arguments))
    z = _numbers(model, what, value)
    if z.shape[1:] != space.shape or len(z) == 0:
        wanted = f"(N, {', '.join(map(str, space.shape))})"
        raise DataError(
            f"{what} has shape {tuple(z.shape)}, but the latent space '{space.name}' has {wanted}"
        )
    return _in_range(what, z.to(model.dtype))


def _labels(model: Any, what: str, value: Any, arguments: Mapping[str, Any]) -> Any:
    """The labels `(N,)` of examples x, int64 on the model's device; the class of `for_class` as it is."""
    if "x" not in arguments or value is None:
        return value
    y, classes, n = _numbers(model, what, value), len(model.spec.classes), len(arguments["x"])
    if y.shape != (n,) or y.is_floating_point():
        raise DataError(f"{what} has shape {tuple(y.shape)}; it must be ({n},), a whole number for every x")
    if not bool(((y >= 0) & (y < classes)).all()):
        raise DataError(f"{what} has labels from {y.min()} to {y.max()}; choose 0 to {classes - 1}")
    return y.long()


def _weights(model: Any, what: str, value: Any, arguments: Mapping[str, Any]) -> Tensor:
    """Weights of the classes `(N, K)`, floats on the model's device."""
    weights, n, classes = _numbers(model, what, value), len(arguments["z"]), len(model.spec.classes)
    if weights.shape != (n, classes):
        raise DataError(f"{what} has shape {tuple(weights.shape)}; it must be ({n}, {classes}), for every z")
    return _in_range(what, weights.to(model.dtype))


def _numbers(model: Any, what: str, value: Any) -> Tensor:
    """A tensor on the model's device, of an array, or of a tensor that is there."""
    if not isinstance(value, Tensor):
        return _from_array(what, value).to(model.device)
    if value.device != model.device:
        raise DataError(f"{what} is on {value.device}, the model on {model.device}; use .to(model.device)")
    if value.is_complex() or value.layout != torch.strided:
        raise DataError(f"{what} must be a dense tensor of real numbers, not {value.dtype} {value.layout}")
    return value


def _from_array(what: str, value: Any) -> Tensor:
    try:
        array = np.asarray(value)
    # lists of unequal lengths
    except ValueError:
        array = np.empty(0, object)
    if array.dtype.kind not in "buif":
        held = f"an array of {array.dtype}" if isinstance(value, np.ndarray) else f"a {type(value).__name__}"
        raise DataError(f"{what} must be an array or a tensor of numbers, not {held}")
    # a copy: tensors have to be writable, in the order of bytes of this machine
    if array.dtype.kind == "f":
        return torch.from_numpy(array.astype(np.float64 if array.dtype.itemsize > 4 else np.float32))
    return torch.from_numpy(array.astype(np.uint8 if array.dtype == np.uint8 else np.int64))


def _count(_model: Any, what: str, value: Any, _: Mapping[str, Any]) -> int:
    n = whole_number(value)
    if n is None or n < 1:
        raise ConfigError(f"{what} must be a whole number, at least 1, not {value!r}")
    return n


def _sample_count(model: Any, what: str, value: Any, arguments: Mapping[str, Any]) -> int:
    n = _count(model, what, value, arguments)
    # the batches, and all of them in one tensor
    needed = 2 * 4 * n * prod(model.spec.shape)
    check_memory(needed, f"{n:,} samples", "draw fewer, several times, each with a seed of its own")
    return n


def _draw_count(model: Any, what: str, value: Any, arguments: Mapping[str, Any]) -> int:
    samples = _count(model, what, value, arguments)
    if samples > IMPORTANCE_SAMPLES:
        raise ConfigError(f"{what} must be at most {IMPORTANCE_SAMPLES:,}, not {samples:,}")
    return samples


def _seed(_model: Any, what: str, value: Any, _: Mapping[str, Any]) -> int | Noise:
    if isinstance(value, Noise):
        return value
    seed = whole_number(value)
    if seed is None or seed < 0:
        raise ConfigError(f"{what} must be a whole number, 0 or more, not {value!r}")
    return seed


def whole_number(value: Any) -> int | None:
    """A whole number, also NumPy's; None for anything else."""
    try:
        return None if isinstance(value, bool) else index(value)
    except TypeError:
        return None


def _factor(_model: Any, what: str, value: Any, _: Mapping[str, Any]) -> float:
    if not isinstance(value, Real) or not isfinite(value):
        raise ConfigError(f"{what} must be a number, e.g. 0.7, not {value!r}")
    return float(value)


def _name(_model: Any, what: str, value: Any, _: Mapping[str, Any]) -> str | None:
    if value is not None and not isinstance(value, str):
        raise ConfigError(f"{what} must be a name, not {value!r}")
    return value


# name of a parameter -> its check: (model, what messages call it, value, all arguments) -> value
_CHECKS: dict[str, Callable[[Any, str, Any, Mapping[str, Any]], Any]] = {
    "x": _examples,
    "z": _latents,
    "y": _labels,
    "weights": _weights,
    "n": _sample_count,
    "samples": _draw_count,
    "seed": _seed,
    "truncation": _factor,
    "space": _name,
    "to": _name,
}
