"""The soap bubble in a figure: where the prior's draws lie, and what lies halfway between two of them.

    simulacra recipe slerp
    python benchmarks/soap_bubble.py runs/slerp [--out docs/pictures/soap-bubble.png]

Above: norms of 20,000 draws of N(0, I) in several dimensions (bars) against the chi distribution (lines),
and norms of linear midpoints in the run's number of dimensions. Below: pairs of samples of the run, with the
linear and the spherical midpoints between them.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import matplotlib as mpl
import numpy as np
import torch
from scipy.stats import chi

import simulacra as sim
from simulacra.core.batch import to_bytes
from simulacra.core.inference import decode
from simulacra.core.noise import Noise
from simulacra.images import grid
from simulacra.latent.paths import lerp, slerp

DIMENSIONS, DRAWS, PAIRS = {2, 8, 256, 512}, 20_000, 12


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("run", type=Path)
    parser.add_argument("--out", type=Path, default=Path("docs/pictures/soap-bubble.png"))
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    mpl.use("Agg")
    import matplotlib.pyplot as plt

    model, noise = sim.load(arguments.run), Noise(arguments.seed)
    size = model.latent.size
    figure, (above, below) = plt.subplots(
        2, 1, figsize=(8, 6.4), height_ratios=(1, 1.1), layout="constrained"
    )
    for d in sorted(DIMENSIONS | {size}):
        norms = noise.normal(DRAWS, d).norm(dim=1).numpy()
        above.hist(norms, bins=60, density=True, alpha=0.4)
        r = np.linspace(norms.min() - 0.5, norms.max() + 0.5, 200)
        above.plot(r, chi.pdf(r, d), color="black", linewidth=0.8)
        above.annotate(f"d = {d}", (chi.mean(d), chi.pdf(chi.mean(d), d)), (0, 6), textcoords="offset points",
                       ha="center", fontsize=8)  # fmt: skip
    halves = lerp(noise.normal(DRAWS, size), noise.normal(DRAWS, size), 0.5).norm(dim=1).numpy()
    above.hist(halves, bins=60, density=True, color="crimson", histtype="step")
    above.annotate(f"linear midpoints, d = {size}", (halves.mean(), 0.88), color="crimson", ha="center",
                   fontsize=8)  # fmt: skip
    above.set(xlabel="norm of z", ylabel="density", ylim=(0, 1))
    a, b = (model.latent.sample(PAIRS, noise) for _ in range(2))
    rows = {"z1": a, "linear midpoint": lerp(a, b, 0.5), "spherical midpoint": slerp(a, b, 0.5), "z2": b}
    picture = grid(to_bytes(torch.cat([decode(model, z) for z in rows.values()])), PAIRS)
    below.imshow(picture, interpolation="nearest")
    places = (np.arange(len(rows)) + 0.5) * picture.shape[0] / len(rows)
    below.set(xticks=[], yticks=places, yticklabels=[
        f"{name}\n|z| = {z.norm(dim=1).mean():.1f}" for name, z in rows.items()
    ])  # fmt: skip
    below.tick_params(length=0, labelsize=8)
    for side in below.spines.values():
        side.set_visible(False)
    figure.savefig(arguments.out, dpi=110)
    print(arguments.out)


if __name__ == "__main__":
    main()
