"""VAEs against PCA, disentanglement, and anomalies: the tables of docs/latent-space.md.

    SIMULACRA_DATA=where/mnist/is python benchmarks/latent_tables.py [--out runs/latent-tables]

Trains the models that `--out` does not contain yet, and prints the tables as Markdown.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

import simulacra as sim
from simulacra.data.images.attributes import with_classes
from simulacra.data.spec import Data, Dataset

NETS: dict[str, Any] = {"net": "mlp", "hidden": (512,), "schedule": "cosine", "precision": "32"}
# source -> settings of a training, what the probes predict
SOURCES: dict[str, tuple[dict[str, Any], str]] = {
    "mnist": ({"steps": 3000}, "class"),
    "faces:10000": ({"epochs": 25, "batch_size": 64, "warmup": 200}, "smiling"),
}
BINARY: dict[str, Any] = {
    "latent_dim": 20,
    "net": "mlp",
    "likelihood": "bernoulli",
    "binarise": True,
    "lr": 0.003,
    "schedule": "cosine",
    "warmup": 100,
    "precision": "32",
}
HELD_OUT = (1, 4, 8)
PROBED, SCORED = 10_000, 1000
SCORES = ("reconstruction_error", "negative_elbo", "nll")


def trained(source: str, name: str, latent_dim: int, out: Path, **settings: Any) -> Any:
    kind = "vae" if name == "beta-vae" else name
    if kind != "pca":
        settings |= NETS | SOURCES[source][0]
    run = out / f"{source.partition(':')[0]}-{name}-{latent_dim}"
    return sim.train(kind, source, run, latent_dim=latent_dim, **settings)


def vae_against_pca(out: Path) -> None:
    white = [f"whitening_{what}" for what in ("mean", "variance", "correlation")]
    print(
        "| data | latents | model | MSE | mean | variance | correlation | nearest neighbours | linear probe |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    for source, (_, label) in SOURCES.items():
        data = with_classes(sim.load_data(source), label)
        data = replace(data, train=data.train.take(slice(0, PROBED)))
        for k in (2, 8, 32):
            for name in ("pca", "vae"):
                n = sim.evaluate(
                    trained(source, name, k, out), data, metrics=["reconstruction", "latents"], batch_size=500
                )
                cells = [f"{n['mse']:.4f}", *(f"{n[key]:.3f}" for key in white)]
                cells += [f"{n[f'{probe}_accuracy']:.1%}" for probe in ("knn", "linear_probe")]
                print(f"| {source} | {k} | {name} | {' | '.join(cells)} |", flush=True)


def disentanglement(out: Path) -> None:
    keys = ("disentanglement", "completeness", "informativeness", "mig")
    data = sim.load_data("faces:10000")
    print("| model | D | C | I | MIG | MSE |\n|---|---|---|---|---|---|")
    for name in ("pca", "autoencoder", "vae", "beta-vae"):
        model = trained("faces:10000", name, 32, out, **({"beta": 4.0} if name == "beta-vae" else {}))
        n = sim.evaluate(model, data, metrics=["disentanglement", "reconstruction"])
        print(f"| {name} | {' | '.join(f'{n[key]:.3f}' for key in keys)} | {n['mse']:.5f} |", flush=True)


def first(data: Dataset, rows: np.ndarray) -> Dataset:
    return replace(data.take(rows[:SCORED]), y=None, spec=replace(data.spec, classes=()))


def anomalies(out: Path) -> None:
    mnist, fashion = sim.load_data("mnist"), sim.load_data("fashion-mnist")
    shade = np.random.default_rng(0).integers(0, 256, (SCORED, 1, 1, 1))
    plain = replace(
        first(mnist.test, np.arange(SCORED)), x=np.broadcast_to(shade, (SCORED, 1, 28, 28)).astype(np.uint8)
    )
    usual = {"mnist": mnist, "fashion-mnist": fashion}
    print("| trained on | anomalies | reconstruction error | ELBO | log-likelihood |\n|---|---|---|---|---|")
    for name, other in (("mnist", "fashion-mnist"), ("fashion-mnist", "mnist")):
        model = sim.train("vae", name, out / name, steps=1500, **BINARY)
        tests = (first(usual[one].test, np.arange(SCORED)) for one in (name, other))
        row(model, name, next(tests), {other: next(tests), "one shade of grey": plain})
    for digit in HELD_OUT:

        def without(part: Dataset, digit: int = digit) -> Dataset:
            return part.take(np.flatnonzero(part.y != digit))

        data = replace(
            mnist, train=without(mnist.train), validation=without(mnist.validation), test=without(mnist.test)
        )
        model = sim.train("vae", data, out / f"without-{digit}", steps=1000, **BINARY)
        test = mnist.test
        normal = first(test, np.flatnonzero(test.y != digit))
        held = first(test, np.flatnonzero(test.y == digit))
        row(model, f"mnist without {digit}", normal, {f"the digit {digit}": held})


def row(model: Any, name: str, usual: Dataset, others: dict[str, Dataset]) -> None:
    for what, other in others.items():
        empty = usual.take(slice(0, 0))
        data, theirs = Data(name, empty, empty, usual), Data(what, empty, empty, other)
        n = sim.evaluate(model, data, metrics=["anomaly"], anomalies=theirs, importance_samples=50)
        cells = (
            f"{n[f'auc_{key}']:.3f} ({'-'.join(f'{end:.3f}' for end in n[f'auc_{key}_interval'])})"
            for key in SCORES
        )
        print(f"| {name} | {what} | {' | '.join(cells)} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=Path("runs/latent-tables"))
    out = parser.parse_args().out
    vae_against_pca(out)
    disentanglement(out)
    anomalies(out)


if __name__ == "__main__":
    main()
