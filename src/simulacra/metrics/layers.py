"""What the layers of a model with styles mean: how much of each attribute the style of each layer decides."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from simulacra.core.capabilities import Styles
from simulacra.core.inference import decode, eval_mode
from simulacra.core.noise import Noise
from simulacra.metrics.registry import Measurement, Metric, register

if TYPE_CHECKING:
    from simulacra.metrics.evaluation import Evaluation

# samples whose styles are swapped with those of as many others
PAIRS = 500
GROUPS = ("coarse", "middle", "fine")


def swapped_variance(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """The share of the variance of attributes that what was swapped decides, `(S, K)`.

    The total effect of Sobol's analysis of variance, by Jansen's estimator (Jansen 1999; Saltelli et al.
    2010, table 2): 0 where nothing changes, 1 where the attribute is drawn anew. What acts only together with
    the rest counts for both, so that shares may add up to more than 1.

    >>> before, after = np.array([[0.0], [1.0]]), np.array([[1.0], [0.0]])
    >>> swapped_variance(before, np.stack([before, after])).tolist()
    [[0.0], [2.0]]

    Args:
        before: attributes of samples, `(N, K)`, none of them constant.
        after: those of the same samples with something swapped, in S ways, `(S, N, K)`.
    """
    # S_T = E (f(x) - f(x'))^2 / (2 Var f(x))
    return np.asarray(np.square(after - before).mean(axis=1) / (2 * before.var(axis=0)))


def swapped(a: Tensor, b: Tensor, layers: Sequence[int]) -> Tensor:
    """Latents of `w+` `(N, L, W)`: a, with the styles of some layers from b."""
    mixed = a.clone()
    mixed[:, layers] = b[:, layers]
    return mixed


@torch.no_grad()
def _layers(evaluation: Evaluation) -> dict[str, Any]:
    """Of each attribute the share of each group in `columns`; of each layer in `style_layers`."""
    model, predictor = evaluation.model, evaluation.predicts
    if predictor is None or not predictor.names:
        return {"left_out": "layers needs a classifier that predicts attributes of examples well"}
    with eval_mode(model):
        z = model.latent.sample(2 * PAIRS, Noise(evaluation.seed)).to(model.device, model.dtype)
        a, b = model.styles(z).chunk(2)

    def predicted(w: Tensor) -> np.ndarray:
        return predictor.predict(evaluation.stored(decode(model, w, "w+"))).astype(np.float64)

    groups = {name: model.groups[name] for name in GROUPS if name in model.groups}
    sets = [*groups.values(), *([k] for k in range(len(model.resolutions)))]
    before = predicted(a)
    varying = before.var(axis=0) > 0
    names = [name for name, varies in zip(predictor.names, varying, strict=True) if varies]
    after = np.stack([predicted(swapped(a, b, chosen)) for chosen in sets])
    shares = swapped_variance(before[:, varying], after[:, :, varying])
    by_group, by_layer = shares[: len(groups)], shares[len(groups) :]
    columns = {
        name: {f"style_{group}": float(by_group[g, k]) for g, group in enumerate(groups)}
        for k, name in enumerate(names)
    }
    matrix = {
        "attributes": names,
        "resolutions": list(model.resolutions),
        "shares": by_layer.T.tolist(),
        "pairs": PAIRS,
    }
    return {"columns": columns, "style_layers": matrix}


LAYERS = register(Measurement(
    name="layers", needs=(Styles,), slow=True,
    metrics=tuple(
        Metric(f"style_{group}", f"decided by {group} layers",
            meaning=f"share of the variance of an attribute, as another model predicts it, that swapping the"
            f" styles of the {group} layers decides")
        for group in GROUPS
    ),
    settings=("style_layers",), compute=_layers, order=32,
))  # fmt: skip
