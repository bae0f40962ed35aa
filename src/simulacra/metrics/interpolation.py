"""How real the middle of a path looks, and how much changes on the way: straight lines against arcs."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from simulacra.core.batch import random_subset, to_bytes
from simulacra.core.capabilities import Decodes, Discriminates, Encodes, EstimatesLikelihood
from simulacra.core.inference import CHUNK, encode_all
from simulacra.core.noise import Noise, derive_seed
from simulacra.latent.paths import PATHS, Curve
from simulacra.metrics.features import Extractor, Inception
from simulacra.metrics.perceptual import unrounded_maps
from simulacra.metrics.prdc import NEIGHBOURS, prdc
from simulacra.metrics.registry import Measurement, Metric, register
from simulacra.metrics.standard_errors import mean, share
from simulacra.metrics.statistics import Statistics
from simulacra.nets.perceptual import map_distance

if TYPE_CHECKING:
    from simulacra.metrics.evaluation import Evaluation

# paths, at most; those whose ends and midpoints have their likelihood estimated, which takes longer
PAIRS, LIKELIHOODS = 1000, 200
# Step along a path. Karras et al. 2019 take 1e-4, which leaves few digits of float32 in differences.
# With raw features of a VAE of drawn faces 1e-2, 1e-3 and 1e-4 gave .553, .554 and .555 (slerp).
EPSILON = 1e-3
# real examples that midpoints are compared with, at most, as for precision of samples
REAL = 10_000


@torch.no_grad()
def path_lengths(
    model: Decodes, a: Tensor, b: Tensor, curve: Curve, extractor: Extractor, seed: int = 0
) -> np.ndarray:
    """Perceptual path length of each pair of latents, at one random place of its path.

        d(G(z(t)), G(z(t + eps))) / eps^2, t ~ U(0, 1), z(t) from a to b

    (Karras et al. 2019, arXiv:1812.04948, eq. 2 with `slerp`, eq. 3 with `lerp`). Its mean is the squared
    speed at which images change along a path. Of images d is the distance of `metrics.perceptual`, without
    rounding to 8 bits; the paper takes LPIPS of VGG-16, so that its numbers are of another size. Of vectors d
    is the mean squared difference of features. No extremes are left out, unlike in the authors' code.

    Args:
        model: decodes latents of its default space.
        a: starts `(N, *shape)`.
        b: ends, as many.
        curve: `slerp` or `lerp`.
        extractor: of the features.
        seed: of the places.

    Returns:
        `(N,)`.
    """
    t = (1 - EPSILON) * Noise(seed).uniform(len(a)).double()
    # z in float64: what is not in its difference cannot be in that of the images
    z = [curve(a.double(), b.double(), s) for s in (t, t + EPSILON)]
    lengths = []
    for part in _parts(len(a), model):
        x, y = (model.decode(one[part].to(model.device, model.dtype)).mean for one in z)
        if model.spec.kind == "image":
            d = map_distance(unrounded_maps(x, extractor), unrounded_maps(y, extractor))
        else:
            d = (extractor.features(x) - extractor.features(y)).square().mean(dim=1)
        lengths.append(d.double().cpu())
    return torch.cat(lengths).numpy() / EPSILON**2


def preferred(middle: Tensor, ends: tuple[Tensor, Tensor]) -> np.ndarray:
    """How often a number of a midpoint is above those of its ends: 0, 1/2 or 1, a tie counted as half.

    Midpoints that are as real as ends have 1/2 on average, whatever the scale of the numbers.

    >>> preferred(torch.tensor([1.0, 2.0]), (torch.tensor([0.0, 2.0]), torch.tensor([3.0, 1.0])))
    array([0.5 , 0.75])
    """
    shares = [(middle > end).double() + 0.5 * (middle == end).double() for end in ends]
    share: np.ndarray = (torch.stack(shares).mean(dim=0)).cpu().numpy()
    return share


def _interpolation(evaluation: Evaluation) -> dict[str, Any]:
    """Of paths between draws from the prior, or else between encodings of examples."""
    model, extractor, seed = evaluation.model, evaluation.extractor, evaluation.seed
    real = Statistics(evaluation.dataset.x[:REAL], extractor, keep=True, whole=True)
    n = min(PAIRS, len(real))
    if n <= NEIGHBOURS:
        return {"left_out": f"interpolation needs {NEIGHBOURS + 1} examples, not {n}"}
    found = _ends(evaluation, n)
    if found is None:
        return {"left_out": "interpolation needs a prior, or examples that it is not measured on"}
    a, b, kind = found
    draws = Noise(derive_seed(seed, 2))

    def decoded(z: Tensor) -> Tensor:
        # as samples are: of vectors a mean is no example
        ps = (model.decode(z[part].to(model.device, model.dtype)) for part in _parts(len(z), model))
        return torch.cat([draws.draw(p) if model.spec.kind == "vector" else p.mean for p in ps])

    def precision(x: Tensor | np.ndarray) -> float:
        stored = to_bytes(x) if isinstance(x, Tensor) and x.ndim == 4 else x
        features = Statistics(stored, extractor).features
        return prdc(real.features, features, NEIGHBOURS, real.radii(NEIGHBOURS)).precision

    x = decoded(a), decoded(b)
    middles = {name: decoded(curve(a, b, 0.5)) for name, curve in PATHS.items()}
    numbers: dict[str, Any] = {
        "extractor": extractor.name,
        "weights": extractor.weights,
        "resize": extractor.resize,
        "features": real.features.shape[1],
        "real": len(real),
        "neighbours": NEIGHBOURS,
        "pairs": len(a),
        "ends": kind,
        "epsilon": EPSILON,
    }
    numbers |= share("end_precision", precision(torch.cat(x)), 2 * len(a))
    train = evaluation.data.train
    if evaluation.held_out and len(train):
        of_train = precision(random_subset(train, 2 * n, seed).x)
        numbers["real_against_real"] = {"end_precision": of_train}
    values = {
        "discriminator": (Discriminates, lambda x: model.discriminate(x), n),
        "likelihood": (
            EstimatesLikelihood,
            lambda x: model.log_likelihood(model.observe(x, draws), draws, evaluation.importance_samples),
            LIKELIHOODS,
        ),
    }
    for name, curve in PATHS.items():
        numbers |= share(f"midpoint_precision_{name}", precision(middles[name]), len(a))
        if not isinstance(extractor, Inception):
            lengths = path_lengths(model, a, b, curve, extractor, derive_seed(seed, 1))
            numbers |= mean(f"path_length_{name}", lengths)
    for what, (capability, value, most) in values.items():
        if isinstance(model, capability):
            of_ends, of_other = (_of_parts(model, one[:most], value) for one in x)
            for name in PATHS:
                of_middles = _of_parts(model, middles[name][:most], value)
                numbers |= mean(f"midpoint_{what}_{name}", preferred(of_middles, (of_ends, of_other)))
    if isinstance(extractor, Inception):
        numbers["left_out"] = "path length, since inception rounds images to 8 bits"
    return numbers


def _ends(evaluation: Evaluation, n: int) -> tuple[Tensor, Tensor, str] | None:
    """Latents of n pairs, and where they are from; None where there is nothing to take them from."""
    model, seed = evaluation.model, evaluation.seed
    if model.latent.prior is not None:
        z = model.latent.sample(2 * n, Noise(seed))
        return z[:n], z[n:], "prior"
    # not examples that midpoints are compared with
    others = evaluation.data.train if evaluation.held_out else evaluation.data.test
    n = min(n, len(others) // 2)
    if not isinstance(model, Encodes) or n <= NEIGHBOURS:
        return None
    z = encode_all(model, random_subset(others, 2 * n, seed))[0]
    return z[:n], z[n:], "encodings"


def _parts(n: int, model: Any) -> Iterator[slice]:
    size = max(1, min(CHUNK, 2**20 // prod(model.spec.shape[1:])))
    return (slice(start, start + size) for start in range(0, n, size))


def _of_parts(model: Any, x: Tensor, value: Any) -> Tensor:
    return torch.cat([value(x[part]) for part in _parts(len(x), model)])


def _metrics() -> Iterator[Metric]:
    def with_error(key: str, label: str, unit: str, meaning: str, better: Any = "", **more: Any) -> Any:
        yield Metric(key, label, unit, meaning, better, error=f"{key}_error", **more)
        yield Metric(f"{key}_error", "its standard error", unit, f"of {label}")

    yield from with_error(
        "end_precision", "precision of the ends", "%", "ends of paths that lie among the data", "higher"
    )
    for name in PATHS:
        yield from with_error(
            f"midpoint_precision_{name}", f"precision of midpoints, {name}", "%",
            "midpoints of paths that lie among the data; that of the ends is what to expect", "higher",
        )  # fmt: skip
        yield from with_error(
            f"path_length_{name}", f"perceptual path length, {name}", "",
            "squared speed at which examples change along a path", "lower",
        )  # fmt: skip
        yield from with_error(
            f"midpoint_discriminator_{name}", f"midpoints that the discriminator prefers, {name}", "%",
            "to an end of their path; half where midpoints look as real as ends", reference=0.5,
        )  # fmt: skip
        yield from with_error(
            f"midpoint_likelihood_{name}", f"midpoints that are more likely, {name}", "%",
            "than an end of their path, by the model; half where both are alike, more where midpoints are"
            " smoother", reference=0.5,
        )  # fmt: skip


INTERPOLATION = register(Measurement(
    name="interpolation", needs=(Decodes,), metrics=tuple(_metrics()),
    settings=("pairs", "ends", "epsilon", "neighbours"), compute=_interpolation, features=True, order=160,
))  # fmt: skip
