"""How many labels a direction needs: how near it is to the direction of all labels, and what else it moves.

    simulacra train vae --data faces:10000 --latent-dim 32 --out runs/faces-vae
    python benchmarks/direction_labels.py runs/faces-vae [--classifier RUN] [--out X.png]

For n labelled examples of each kind, drawn at random from the training split, a direction is found as the
difference of their means, as the normal of a logistic regression, and as the difference of means without its
components along those of the other attributes, which are found from n examples of each kind likewise. The
table gives the median over the draws and the range of the middle nine tenths of them: of the cosine with the
direction that the same method finds from all labels; and, where the data have other attributes, of the mean
absolute leakage of those that the model shows (`simulacra.metrics.edits.leakage`), infinite where the edited
attribute may not move at all. The last column is how many of them move less than 15% as far as the edited
one, on average over the draws.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from simulacra.core.capabilities import Reconstructs
from simulacra.core.inference import encode_all
from simulacra.data.spec import Dataset
from simulacra.errors import SimulacraError
from simulacra.latent.directions import Direction
from simulacra.latent.find import METHODS
from simulacra.metrics.edits import LITTLE, SAME, leakage
from simulacra.metrics.features import load_extractor
from simulacra.report.figures import BLUE, GREEN, ORANGE, png, style
from simulacra.run import Run
from simulacra.tasks.attribute_predictor import KNOWN, Known, attribute_values, known, predictor_of
from simulacra.tasks.evaluate_edits import edited_examples, measure

LABELS, DRAWS, EDITED, STRENGTHS = (5, 20, 100, 500), 20, 60, (-1.0, 1.0)
# leakage at the top of the figure
MOST = 1.5
# single channels are for styles
LABELLED = ("means", "logistic")
PROJECTED = "means, projected"

# rows of latents with and without an attribute, `(n, Z)` each
Kinds = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Found:
    """One direction: its cosine with that of all labels, mean leakage, and the attributes left alone."""

    cosine: float
    leakage: float | None
    left_alone: int | None


def halves(dataset: Dataset, attribute: str) -> np.ndarray:
    """Which examples have an attribute, bool `(N,)`; of a number, those above its median."""
    values = attribute_values(dataset, attribute)
    if values is None:
        raise SimulacraError(f"the data have no attribute '{attribute}'")
    return np.asarray(values > (0.5 if np.isin(values, (0, 1)).all() else np.median(values)))


def drawn(has: np.ndarray, n: int | None, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """The places of n random examples with, and n without; of all for None."""
    kinds = np.flatnonzero(has), np.flatnonzero(~has)
    if n is None:
        return kinds
    with_it, without = (rng.permutation(kind)[:n] for kind in kinds)
    return with_it, without


def projected(v: np.ndarray, others: Sequence[np.ndarray]) -> np.ndarray:
    """v without its components along others."""
    vectors = [Direction(str(i), "z", torch.from_numpy(o), "means") for i, o in enumerate(others)]
    return Direction("v", "z", torch.from_numpy(v), "means").orthogonal(*vectors).vector.numpy()


def finders(
    z: np.ndarray, train: Dataset, attribute: str, others: Sequence[str]
) -> dict[str, Callable[[int | None, np.random.Generator], np.ndarray]]:
    """Method -> function that finds a direction from n random labels of each kind, or from all."""
    labels = {name: halves(train, name) for name in (attribute, *others)}

    def find(method: str, name: str, n: int | None, rng: np.random.Generator) -> np.ndarray:
        a, b = drawn(labels[name], n, rng)
        return METHODS[method](z[a], z[b])

    def find_projected(n: int | None, rng: np.random.Generator) -> np.ndarray:
        v = find("means", attribute, n, rng)
        return projected(v, [find("means", other, n, rng) for other in others])

    made: dict[str, Callable[[int | None, np.random.Generator], np.ndarray]] = {
        method: (lambda n, rng, method=method: find(method, attribute, n, rng)) for method in LABELLED
    }
    return {**made, PROJECTED: find_projected} if others else made


def experiment(
    model: Reconstructs, train: Dataset, held: Dataset, what: Known, attribute: str, draws: int
) -> Iterator[tuple[str, int | None, list[Found]]]:
    """Method, n (None for all labels), and what the draws found."""
    z = encode_all(model, train)[0].flatten(1).numpy().astype(np.float64)
    target = what.names.index(attribute)
    column = attribute_values(held, attribute)
    assert column is not None
    zero = Direction(attribute, model.latent.name, torch.zeros(model.latent.shape), "means")
    shown = measure(edited_examples(model, zero, held, STRENGTHS, EDITED), what, load_extractor("raw")).shown
    assert shown is not None
    others = []
    for k, name in enumerate(what.names):
        values = attribute_values(held, name)
        assert values is not None
        same = abs(float(np.corrcoef(values, column)[0, 1])) >= SAME
        if k != target and not same and shown[k] >= KNOWN:
            others.append(k)

    def judged(v: np.ndarray, of_all: np.ndarray) -> Found:
        cosine = float(v @ of_all / np.linalg.norm(v) / np.linalg.norm(of_all))
        if not others:
            return Found(cosine, None, None)
        vector = torch.from_numpy(v).float().reshape(model.latent.shape)
        direction = Direction(attribute, model.latent.name, vector, "means")
        edited = edited_examples(model, direction, held, STRENGTHS, EDITED)
        leaked = leakage(measure(edited, what, load_extractor("raw")).moved, target)
        # a direction that does not move the attribute moves everything else endlessly more
        sizes = np.full(len(others), np.inf) if leaked is None else np.abs(leaked.value[others])
        return Found(cosine, float(sizes.mean()), int((sizes < LITTLE).sum()))

    for method, find in finders(z, train, attribute, [what.names[k] for k in others]).items():
        of_all = find(None, np.random.default_rng(0))
        for n in LABELS:
            if n > min(np.bincount(halves(train, attribute))):
                continue
            found = [judged(find(n, np.random.default_rng([n, i])), of_all) for i in range(draws)]
            yield method, n, found
        yield method, None, [judged(of_all, of_all)]


def range_of(values: Sequence[float]) -> tuple[float, float, float]:
    """Median, and the ends of the middle nine tenths; some may be infinite."""
    low, middle, high = np.quantile(values, [0.05, 0.5, 0.95], method="inverted_cdf")
    return float(middle), float(low), float(high)


def draw(rows: Sequence[tuple[str, int | None, list[Found]]], path: Path) -> None:
    """Cosine and leakage against the number of labels, as a PNG file."""
    from matplotlib.figure import Figure

    leaks = rows[0][2][0].leakage is not None
    with style():
        figure = Figure(figsize=(5.2 * (1 + leaks), 3.4), layout="constrained")
        several = np.atleast_1d(figure.subplots(1, 1 + leaks))
        methods = list(dict.fromkeys(method for method, _, _ in rows))
        for axes, key, label in zip(
            several, ("cosine", "leakage"), ("cosine with all labels", "mean |leakage|"), strict=False
        ):
            for method, colour in zip(methods, (BLUE, ORANGE, GREEN), strict=False):
                mine = [(n, found) for name, n, found in rows if name == method and n]
                n = [row[0] for row in mine]
                middle, low, high = zip(
                    *(range_of([getattr(one, key) for one in found]) for _, found in mine), strict=True
                )
                # what is infinite leaves the chart
                middle, low, high = (np.minimum(values, MOST) for values in (middle, low, high))
                axes.plot(n, middle, color=colour, marker="o", markersize=4, label=method)
                axes.fill_between(n, low, high, color=colour, alpha=0.15, linewidth=0)
            axes.set_xscale("log")
            axes.set_xticks(LABELS, [str(n) for n in LABELS])
            axes.minorticks_off()
            axes.set_xlabel("labelled examples of each kind")
            axes.set_ylabel(label)
            axes.set_ylim(0, 1 if key == "cosine" else min(MOST, axes.get_ylim()[1]))
            axes.grid()
        figure.legend(*several[0].get_legend_handles_labels(), loc="outside upper left", ncols=3)
    path.write_bytes(png(figure, ground="white"))


def main() -> None:
    form = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=form)
    parser.add_argument("run", type=Path, help="a model that encodes and decodes")
    parser.add_argument("--attribute", default="smiling")
    parser.add_argument(
        "--classifier", type=Path, help="run that predicts attributes; one is trained if needed"
    )
    parser.add_argument("--draws", type=int, default=DRAWS, help="of the labels")
    parser.add_argument("--out", type=Path, help="figure, a PNG file")
    arguments = parser.parse_args()
    try:
        run = Run(arguments.run)
        model, data = run.load_with(Reconstructs), run.data()
        what = known(predictor_of(run, arguments.classifier, data), data.test)
        if arguments.attribute not in what.names:
            parser.error(f"{arguments.attribute} is not predicted: {', '.join(what.names)} are")
        print(f"{'method':18}{'labels':>8}  {'cosine':22}  {'mean |leakage|':22}  left alone")
        rows = []
        for method, n, found in experiment(
            model, data.train, data.test, what, arguments.attribute, arguments.draws
        ):
            rows.append((method, n, found))
            cells = ["{:.2f} ({:.2f} to {:.2f})".format(*range_of([one.cosine for one in found]))]
            if found[0].leakage is not None:
                cells.append("{:.2f} ({:.2f} to {:.2f})".format(*range_of([f.leakage or 0 for f in found])))
                cells.append(f"{np.mean([f.left_alone or 0 for f in found]):.1f}")
            print(f"{method:18}{n or 'all':>8}  " + "  ".join(f"{cell:22}" for cell in cells), flush=True)
    except SimulacraError as error:
        parser.error(str(error))
    if arguments.out is not None:
        draw(rows, arguments.out)


if __name__ == "__main__":
    main()
