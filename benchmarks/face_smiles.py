"""Smiles added and removed: which factors of drawn faces a cyclegan changes, and which it keeps.

    simulacra train cyclegan --data faces:20000 --target smiling --out runs/smiles
    python benchmarks/face_smiles.py runs/smiles [--reader runs/faces-reader]

A regressor predicts the factors from pictures. It is trained, if it does not exist yet, on the true factors
of the training faces of `faces:20000` at the size of the run, so that it has seen no test face. For each
direction the table gives the share of test faces that have the requested smile; the shares that keep hair
colour, skin tone and glasses (predictions within 0.1 of the true factors, which are in [0, 1]; glasses on
the right side of 0.5); and the share that keeps all of these. For comparison it gives the same for the faces
before translation: 0 and then 100 for a perfect regressor.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch

import simulacra as sim
from simulacra.core.batch import to_bytes, to_float
from simulacra.core.capabilities import Cycles, Predicts
from simulacra.core.noise import Noise
from simulacra.data import Dataset, Options
from simulacra.errors import SimulacraError
from simulacra.run import Run

FACES, STEPS, BATCH, PART = "faces:20000", 4000, 64, 50
KEPT = ("hair_lightness", "hair_warmth", "skin_tone", "glasses")
READ = ("smile", *KEPT)
# tolerance for factors in [0, 1]: by chance a fifth would be kept
NEAR = 0.1

# uint8 images (N, C, H, W) to their factors (N, 5), the columns of `READ`
Reader = Callable[[np.ndarray], np.ndarray]


def factors(faces: Dataset) -> np.ndarray:
    """The true factors of `READ`, `(N, 5)`."""
    assert faces.attributes is not None
    return faces.attributes[:, [faces.spec.attributes.index(name) for name in READ]]


def shares(truth: np.ndarray, seen: np.ndarray, smiling: bool) -> dict[str, float]:
    """Shares of faces with the requested smile, and with the factors that they were drawn with, `(N, 5)`.

    >>> drawn, seen = np.array([[-1, 0.5, 0.5, 0.5, 1]]), np.array([[1, 0.45, 0.8, 0.55, 0.7]])
    >>> list(shares(drawn, seen, smiling=True).values())
    [1.0, 1.0, 0.0, 1.0, 1.0, 0.0]
    """
    kept = np.abs(seen - truth)[:, 1:] <= NEAR
    glasses = READ.index("glasses")
    kept[:, glasses - 1] = (seen[:, glasses] > 0.5) == (truth[:, glasses] > 0.5)
    return {
        "as target": float(np.mean((seen[:, 0] > 0) == smiling)),
        **dict(zip(KEPT, kept.mean(axis=0).tolist(), strict=True)),
        "all kept": float(kept.all(axis=1).mean()),
    }


@torch.no_grad()
def table(model: Cycles, faces: Dataset, read: Reader) -> Iterator[tuple[str, int, dict[str, float]]]:
    """A name, the number of faces and their `shares`, for each direction and before translation.

    Args:
        model: translates between the classes of the faces, the second of which smiles.
        faces: of `faces`, classes as `--target smiling` makes them.
        read: predicts their factors.
    """
    assert faces.y is not None
    domains = faces.spec.classes
    for k in range(2):
        of = faces.take(faces.y == k)
        parts = torch.from_numpy(of.x).split(PART)
        made = [to_bytes(model.translate(to_float(x), Noise(0), to=domains[1 - k])) for x in parts]
        smiling, truth = k == 0, factors(of)
        yield f"{domains[k]}, untouched", len(of), shares(truth, read(of.x), smiling)
        yield f"{domains[k]} to {domains[1 - k]}", len(of), shares(truth, read(np.concatenate(made)), smiling)


def reader(path: Path, size: int, steps: int) -> Reader:
    """The regressor at a path; trains it first if there is none."""
    if not (path / "config.yaml").is_file():
        faces = sim.load_data(FACES, Options(image_size=size)).train
        with tempfile.TemporaryDirectory() as folder:
            archive = f"{folder}/faces.npz"
            np.savez(archive, images=faces.x, targets=factors(faces), target_names=np.array(READ))
            sim.train("regressor", f"npz:{archive}", path, steps=steps, batch_size=BATCH, keep="best")
    model = Run(path).load()
    assert isinstance(model, Predicts)

    @torch.no_grad()
    def read(x: np.ndarray) -> np.ndarray:
        means = [model.predict(to_float(part)).mean for part in torch.from_numpy(x).split(PART)]
        return torch.cat(means).numpy()

    return read


def main() -> None:
    form = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=form)
    parser.add_argument("run", type=Path, help="a cyclegan trained on faces, --target smiling")
    parser.add_argument("--reader", type=Path, help="run folder; runs/faces-reader-SIZE when not given")
    parser.add_argument("--steps", type=int, default=STEPS, help="to train the reader for")
    arguments = parser.parse_args()
    try:
        run = Run(arguments.run)
        model, faces = run.load(), run.data().test
    except SimulacraError as error:
        parser.error(str(error))
    known = "smile" in faces.spec.attributes and "smiling" in faces.spec.classes
    if not isinstance(model, Cycles) or not known:
        parser.error(f"{run}: is not a cyclegan trained on faces, --target smiling")
    size = model.spec.shape[1]
    read = reader(arguments.reader or Path(f"runs/faces-reader-{size}"), size, arguments.steps)
    names = ("as target", *KEPT, "all kept")
    print(f"{'':28} faces" + "".join(f"{name.replace('_', ' '):>16}" for name in names))
    for name, n, found in table(model, faces, read):
        print(f"{name:28} {n:5}" + "".join(f"{100 * found[column]:15.1f}%" for column in names), flush=True)


if __name__ == "__main__":
    main()
