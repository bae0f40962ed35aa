"""The Fréchet distance of 10,000 against 10,000 examples at 2,048 features, from features to distance.

    python benchmarks/frechet.py [--rounds 3] [--n 10000] [--features 2048] [--threads 1]

Compares simulacra with covariances and `scipy.linalg.sqrtm` of their product, as in the first
implementations, and with torch-fidelity's own functions if it is installed. All sides alternate on the same
features; the first round warms up. Prints the distance and the median seconds of each, and the median of the
ratios.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import numpy as np
from scipy.linalg import sqrtm
from threadpoolctl import threadpool_limits

from simulacra.metrics.frechet import Moments, frechet_distance

Side = Callable[[np.ndarray, np.ndarray], float]


def main() -> None:
    """Read the arguments, measure, print."""
    parser = argparse.ArgumentParser(description="Time the Fréchet distance.")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--n", type=int, default=10_000)
    parser.add_argument("--features", type=int, default=2_048)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    generator = np.random.default_rng(0)
    shape = arguments.n, arguments.features
    mixing = generator.normal(size=(arguments.features, arguments.features)) / arguments.features**0.5
    a = (generator.normal(size=shape) @ mixing).astype(np.float32)
    b = (generator.normal(0.1, 1.1, size=shape) @ mixing).astype(np.float32)
    seconds: dict[str, list[float]] = {name: [] for name in sides()}
    with threadpool_limits(arguments.threads):
        for turn in range(1 + arguments.rounds):
            for name, side in sides().items():
                start = time.perf_counter()
                distance = side(a, b)
                spent = time.perf_counter() - start
                if turn:
                    seconds[name].append(spent)
                else:
                    print(f"{name:20} distance {distance:.6f}")
    for name, spent in seconds.items():
        ratio = statistics.median(theirs / mine for theirs, mine in zip(spent, seconds["ours"], strict=True))
        print(f"{name:20} {statistics.median(spent):6.2f} s   {ratio:.2f} times ours")


def sides() -> dict[str, Side]:
    """Features of both, float32 `(N, F)`, to a distance; by name."""
    found = {"ours": ours, "covariances, sqrtm": square_root}
    try:
        from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric
    except ImportError:
        return found

    def fidelity(a: np.ndarray, b: np.ndarray) -> float:
        import torch

        stats = (fid_features_to_statistics(torch.from_numpy(x)) for x in (a, b))
        return float(fid_statistics_to_metric(*stats, verbose=False)["frechet_inception_distance"])

    return {**found, "torch-fidelity": fidelity}


def ours(a: np.ndarray, b: np.ndarray) -> float:
    """By `simulacra.metrics`."""
    one, other = Moments.of(a), Moments.of(b)
    return frechet_distance(one.mean, one.covariance, other.mean, other.covariance)


def square_root(a: np.ndarray, b: np.ndarray) -> float:
    """|mu1 - mu2|^2 + Tr(S1 + S2 - 2 (S1 S2)^1/2), Heusel et al. 2017, as written."""
    (mu1, sigma1), (mu2, sigma2) = ((x.mean(0), np.cov(x.astype(np.float64), rowvar=False)) for x in (a, b))
    root = np.trace(sqrtm(sigma1 @ sigma2).real)
    return float(((mu1 - mu2) ** 2).sum() + np.trace(sigma1) + np.trace(sigma2) - 2 * root)


if __name__ == "__main__":
    main()
