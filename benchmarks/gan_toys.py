"""Every adversarial objective on toys with known modes, at default settings: modes covered, samples near.

python benchmarks/gan_toys.py --seeds 5 --data gaussians-8
"""

from __future__ import annotations

import argparse
import tempfile
import time

import simulacra as sim
from simulacra.data import load
from simulacra.probability.objectives import OBJECTIVES


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", default="gaussians-8")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--objectives", nargs="*", default=[*OBJECTIVES, "wasserstein-gp"])
    arguments = parser.parse_args()
    data = load(arguments.data)
    print(f"{arguments.data}: modes covered of {len(data.truth.modes)}, share within 4 sigma, by seed")
    for objective in arguments.objectives:
        row = []
        began = time.perf_counter()
        for seed in range(arguments.seeds):
            with tempfile.TemporaryDirectory() as folder:
                model = sim.train("gan", arguments.data, f"{folder}/run", objective=objective, seed=seed)
            numbers = sim.evaluate(model, data, metrics=("samples",))
            row.append(f"{numbers['modes_covered']} {numbers['within_4_sigma']:.3f}")
        seconds = (time.perf_counter() - began) / arguments.seeds
        print(f"{objective:22}", *(f"{cell:10}" for cell in row), f"{seconds:.0f} s each", flush=True)


if __name__ == "__main__":
    main()
