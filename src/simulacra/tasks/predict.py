"""What a model predicts for a table of inputs, as arrays and as a file."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.distributions import Categorical, MixtureSameFamily

from simulacra.core.batch import in_order, to_bytes
from simulacra.core.capabilities import Predicts
from simulacra.data.spec import Dataset, DataSpec
from simulacra.data.tables.rows import schema_of
from simulacra.data.tables.writer import write_table
from simulacra.errors import ConfigError
from simulacra.files import replacing
from simulacra.images import grid, save_png
from simulacra.metrics.prediction import WITH_CDF
from simulacra.probability.distributions import marginals, modes, quantile
from simulacra.tasks.inputs import Inputs

# probabilities of the reported quantiles
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
# rows of a sheet of predicted images
PICTURES = 50


@torch.no_grad()
def predictions(
    model: Predicts, x: np.ndarray, samples: int = 0, seed: int = 0, batch_size: int = 500
) -> dict[str, np.ndarray]:
    """The predicted distribution of every input in numbers.

    Args:
        model: one that predicts.
        x: inputs, as a `Dataset` holds them.
        samples: draws of every distribution; those of a seed are the first of more draws.
        seed: of the draws.
        batch_size: inputs at a time.

    Returns:
        Of classes `probabilities` `(N, K)`. Of numbers `mean` and `std`, of mixtures `mode` (the highest),
        each `(N, *shape of a target)`; `quantiles` `(N, 5, ...)` for the probabilities `QUANTILES` where
        the distribution has a distribution function. With `samples` also `samples` `(N, samples, ...)`.

    >>> import simulacra as sim, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     model = sim.train("regressor", "diabetes", f"{folder}/run", steps=10)
    >>> predictions(model, sim.load_data("diabetes").test.x[:3])["quantiles"].shape
    (3, 5, 1)
    """
    parts = []
    for batch in in_order(Dataset(model.spec, x), batch_size, model.device, seed):
        p = model.predict(batch.x)
        if isinstance(p, Categorical):
            part = {"probabilities": p.probs}
        elif model.spec.target is None:
            part = {"probabilities": torch.cat([1 - p.mean, p.mean], dim=1)}
        else:
            part = {"mean": p.mean, "std": p.stddev}
            if isinstance(p, MixtureSameFamily):
                part["mode"] = modes(p).values[:, 0]
            each = marginals(p)
            if isinstance(each, WITH_CDF):
                part["quantiles"] = torch.stack([quantile(each, q) for q in QUANTILES], dim=1)
        if samples:
            # one after the other, so that the first do not depend on how many follow
            part["samples"] = torch.stack([batch.noise.draw(p) for _ in range(samples)], dim=1)
        parts.append({name: value.cpu().numpy() for name, value in part.items()})
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def check_out(out: Path, spec: DataSpec) -> None:
    """Refuse an output that predictions of this kind cannot be written to, before any work is done.

    Raises:
        ConfigError: an ending that does not fit, or a folder.
    """
    images = spec.target is not None and spec.target.kind == "image"
    endings = (".png", ".npz") if images else (".csv", ".npz")
    if out.suffix not in endings or out.is_dir():
        raise ConfigError(f"out: {out} must be a file that ends in {' or '.join(endings)}")


def about(inputs: Inputs) -> dict[str, Sequence[Any]]:
    """What is known about every input: `row` from 1, `file`, `split`, and what is to be predicted."""
    columns: dict[str, Sequence[Any]] = {"row": (inputs.rows + 1).tolist()}
    if inputs.files:
        columns["file"] = inputs.files
    return {**columns, "split": inputs.split.tolist(), **inputs.true}


def write_npz(inputs: Inputs, arrays: dict[str, np.ndarray], out: Path, overwrite: bool = True) -> None:
    """The arrays by their names, what is known about every input, and the columns of a table."""
    known = about(inputs)
    # `file` is an argument of savez
    if "file" in known:
        known["files"] = known.pop("file")
    columns = _with_table(inputs, known | arrays, taken=("file", "allow_pickle"))
    with replacing(out, overwrite) as file, file.open("wb") as stream:
        np.savez_compressed(stream, allow_pickle=False, **{k: np.array(v) for k, v in columns.items()})


def write_csv(
    inputs: Inputs, arrays: dict[str, np.ndarray], spec: DataSpec, out: Path, overwrite: bool = True
) -> None:
    """One line for every input: what is known about it, what is predicted, and its row of a table.

    Of classes the columns `predicted` and `p_CLASS`; of numbers `TARGET_mean`, `TARGET_std`, `TARGET_mode`,
    `TARGET_q05` and so on, `TARGET_sample_1` and so on. The columns of the table follow, `table_NAME` where a
    name is taken. No cell is a formula for a spreadsheet. Of scores a column each.
    """
    columns = _with_table(inputs, about(inputs) | dict(_columns(arrays, spec)))
    write_table(columns, out, overwrite=overwrite)


def _with_table(inputs: Inputs, columns: Mapping[str, Any], taken: Collection[str] = ()) -> dict[str, Any]:
    """Columns of predictions, followed by those of the table of the inputs."""
    joined: dict[str, Any] = dict(columns)
    for name, cells in inputs.columns.items():
        while name in joined or name in taken:
            name = f"table_{name}"
        joined[name] = cells
    return joined


def _columns(arrays: dict[str, np.ndarray], spec: DataSpec) -> Iterator[tuple[str, Sequence[object]]]:
    if "probabilities" in arrays:
        p = arrays["probabilities"]
        yield "predicted", [spec.classes[k] for k in p.argmax(axis=1)]
        yield from ((f"p_{name}", list(p[:, k])) for k, name in enumerate(spec.classes))
        if "samples" in arrays:
            for k, draws in enumerate(arrays["samples"].reshape(len(p), -1).T, 1):
                yield f"sample_{k}", [spec.classes[int(draw)] for draw in draws]
        return
    if "mean" not in arrays:
        yield from ((name, list(score)) for name, score in arrays.items())
        return
    assert spec.target is not None
    names = spec.target.columns or tuple(f"y_{i + 1}" for i in range(spec.target.shape[0]))
    for i, (name, column) in enumerate(zip(names, schema_of(spec.target).columns, strict=True)):
        # dates are written as dates, and their standard deviation in days
        written = column.cells if column.kind == "date" else list
        for key in ("mean", "std", "mode"):
            if key in arrays:
                yield f"{name}_{key}", (list if key == "std" else written)(arrays[key][:, i])
        if "quantiles" in arrays:
            for k, q in enumerate(QUANTILES):
                yield f"{name}_q{round(100 * q):02d}", written(arrays["quantiles"][:, k, i])
        if "samples" in arrays:
            for k in range(arrays["samples"].shape[1]):
                yield f"{name}_sample_{k + 1}", written(arrays["samples"][:, k, i])


def write_pictures(arrays: dict[str, np.ndarray], out: Path, overwrite: bool = True) -> None:
    """The first 50 predicted images, a row each: mean, standard deviation (white: the largest), samples."""
    arrays = {name: values[:PICTURES] for name, values in arrays.items()}
    std = arrays["std"] / max(float(arrays["std"].max()), 1e-12)
    columns = [arrays["mean"][:, None], std[:, None]]
    columns += [arrays["samples"]] if "samples" in arrays else []
    rows = np.concatenate(columns, axis=1)
    tiles = grid(to_bytes(torch.from_numpy(rows).flatten(0, 1)), columns=rows.shape[1])
    save_png(tiles, out, overwrite)
