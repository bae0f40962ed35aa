"""Sampled tables beside CTGAN and TVAE of the package ctgan, at equal minutes of training.

    pip install --no-deps ctgan rdt Faker
    python benchmarks/tables.py adult.csv german.csv --minutes 5

Every model is trained on the same training rows and gives as many rows as there are test rows; all are scored
by `simulacra.metrics.tables`, which also scores real training rows in their place. The minutes are CPU time
of one thread, so that other programs do not matter. Those of ctgan start after its transformation of the
data; those of simulacra hold everything, and end after their steps.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

import simulacra as sim
from simulacra.core.batch import random_subset
from simulacra.core.inference import draw
from simulacra.data.spec import Data
from simulacra.metrics.tables import MOST_ROWS, score_rows
from simulacra.models.registry import model_card

OURS = ("pca", "vae", "gan")
PEERS = ("TVAE", "CTGAN")
SHOWN = (
    "column_fit",
    "pair_fit",
    "two_sample_accuracy",
    "prediction_score",
    "row_distance",
    "nearer_to_train",
)


def ours(model: str, path: Path, n: int, minutes: float, steps: int | None, seed: int) -> np.ndarray:
    """Rows of one of our models, with its preset for tables."""
    start = time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        settings = {} if model == "pca" else model_card(model).presets["table"] | {"steps": steps}
        trained: Any = sim.train(model, f"csv:{path}", f"{folder}/run", seed=seed, **settings)
    taken = (time.process_time() - start) / 60
    print(f"{model}: {taken:.1f} minutes{' (more than the others)' if taken > minutes else ''}")
    return draw(trained, n, seed).numpy()


def peer(name: str, data: Data, n: int, minutes: float, seed: int) -> np.ndarray:
    """Rows of a model of ctgan, with its default settings."""
    import pandas as pd
    from ctgan import synthesizers

    schema = data.spec.schema
    assert schema is not None
    kinds = {column.name: column.kind for column in schema.columns}
    table = pd.DataFrame(schema.decode(data.train.x))
    discrete = [column for column in table if kinds[column] == "category"]
    for column in table.columns.difference(discrete):
        table[column] = pd.to_numeric(table[column])
    torch.manual_seed(seed)
    np.random.seed(seed)
    model: Any = getattr(synthesizers, name)(epochs=10**6, enable_gpu=False)
    module = getattr(synthesizers, name.lower())

    def until(epochs: range, **_: Any) -> Iterator[int]:
        end = time.process_time() + 60 * minutes
        for epoch in epochs:
            if time.process_time() > end:
                print(f"{name}: {epoch} epochs")
                return
            yield epoch

    module.tqdm = until
    model.fit(table, discrete)
    rows = model.sample(n)
    cells = {column: ["" if pd.isna(v) else str(v) for v in rows[column]] for column in rows}
    return schema.encode(cells)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("tables", nargs="+", type=Path)
    parser.add_argument("--models", nargs="+", default=[*OURS, *PEERS])
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--steps", type=int, help="of vae and gan; those of their presets by default")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    for path in arguments.tables:
        data = sim.load_data(f"csv:{path}")
        n = min(len(data.test), MOST_ROWS)
        train, test = (random_subset(rows, n, arguments.seed).x for rows in (data.train, data.test))
        print(f"{path.name}: {len(data.train):,} training rows, {n:,} test rows, {arguments.minutes} minutes")
        for name in arguments.models:
            start = time.process_time()
            if name in PEERS:
                rows = peer(name, data, n, arguments.minutes, arguments.seed)
            else:
                rows = ours(name, path, n, arguments.minutes, arguments.steps, arguments.seed)
            scores = score_rows(data.spec, rows, test, train, arguments.seed)
            shown = ", ".join(f"{key} {scores[key]:.3f}" for key in SHOWN)
            print(f"  {name:6} {shown} ({time.process_time() - start:.0f} s)", flush=True)
        real = ", ".join(f"{key} {scores[f'{key}_real']:.3f}" for key in SHOWN if f"{key}_real" in scores)
        print(f"  real   {real}")


if __name__ == "__main__":
    main()
