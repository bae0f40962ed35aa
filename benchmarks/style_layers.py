"""What the layers of a StyleGAN decide: a table of attributes by groups of layers, and a heat map by layers.

    simulacra train stylegan --data faces:20000 --minutes 60 --out runs/faces-stylegan
    python benchmarks/style_layers.py runs/faces-stylegan --out style-layers.png [--classifier RUN]

Of each attribute, as a regressor trained on the truth predicts it (or a given classifier or regressor), the
share of its variance over samples that swapping the styles of layers decides.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

import simulacra as sim
from simulacra.metrics.layers import GROUPS
from simulacra.report.figures import png, single, style
from simulacra.run import Run
from simulacra.tasks.evaluate import evaluate


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("run", type=Path)
    parser.add_argument("--classifier", type=Path)
    parser.add_argument("--out", type=Path, default=Path("docs/pictures/style-layers.png"))
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    run = Run(arguments.run)
    found = evaluate(
        sim.load(run.path), run.config.source, metrics=["layers"], seed=arguments.seed,
        classifier=arguments.classifier, run=run,
    )  # fmt: skip
    columns, matrix = found["columns"], found["style_layers"]
    groups = [group for group in GROUPS if f"style_{group}" in next(iter(columns.values()))]
    print("| attribute |", *(f"{group} |" for group in groups))
    print("|---|" + "---:|" * len(groups))
    for name, values in columns.items():
        print(f"| {name} |", *(f"{values[f'style_{group}']:.2f} |" for group in groups))
    names, shares = matrix["attributes"], np.array(matrix["shares"])
    with style():
        figure, axes = single(520, 60 + 26 * len(names))
        axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="auto")
        for (row, column), share in np.ndenumerate(shares):
            axes.text(column, row, f"{share:.2f}", ha="center", va="center", fontsize=8,
                      color="white" if share > 0.6 else "black")  # fmt: skip
        layers = [f"{k}\n{r} px" for k, r in enumerate(matrix["resolutions"])]
        axes.set_xticks(range(len(layers)), layers, fontsize=8)
        axes.set_yticks(range(len(names)), names)
        axes.set_xlabel("layer of w+ whose style is swapped")
        axes.tick_params(length=0)
    arguments.out.write_bytes(png(figure, ground="white"))
    print(arguments.out)


if __name__ == "__main__":
    main()
