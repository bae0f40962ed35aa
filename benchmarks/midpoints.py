"""Midpoints and path lengths of several runs in one table, straight lines beside arcs.

    python benchmarks/midpoints.py runs/autoencoder runs/vae runs/gan --features runs/classifier

What is measured is `--metrics interpolation` of `simulacra evaluate`; nothing is written.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import simulacra as sim
from simulacra.latent.paths import PATHS
from simulacra.run import Run

COLUMNS = {
    "midpoint_precision": "precision of midpoints",
    "path_length": "path length",
    "midpoint_discriminator": "discriminator prefers midpoint",
    "midpoint_likelihood": "midpoint more likely",
}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("runs", nargs="+", type=Path)
    parser.add_argument(
        "--features", default="efficientnet-lite0", help="an extractor, or a classifier's run"
    )
    parser.add_argument("--examples", type=int)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    features: Any = arguments.features
    if Path(features, "config.yaml").is_file():
        features = sim.load(features)
    names = ["run", "ends", "pairs", "path", "precision of ends", *COLUMNS.values()]
    print(f"| {' | '.join(names)} |\n|{'---|' * len(names)}", flush=True)
    for path in arguments.runs:
        run = Run(path)
        found = sim.evaluate(
            run.load(), run.config.source, metrics=["interpolation"], features=features,
            examples=arguments.examples, seed=arguments.seed, importance_samples=50,
        )  # fmt: skip
        for curve in reversed(PATHS):
            cells = [path.name, found["ends"], str(found["pairs"]), curve, with_error(found, "end_precision")]
            cells += [with_error(found, f"{key}_{curve}") for key in COLUMNS]
            print(f"| {' | '.join(cells)} |", flush=True)


def with_error(found: dict[str, Any], key: str) -> str:
    return f"{found[key]:.3f} ± {found[key + '_error']:.3f}" if key in found else ""


if __name__ == "__main__":
    main()
