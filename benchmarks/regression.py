"""Whether two versions of simulacra give the same numbers.

    python benchmarks/regression.py write before.json --src OLD/src
    python benchmarks/regression.py write after.json
    python benchmarks/regression.py compare before.json after.json

`write` trains every model for a few steps through the command line, with one thread and fixed seeds; it
samples, reconstructs, translates, predicts, attacks, evaluates, audits and writes reports (5 minutes of one
core). The file has SHA-256 hashes of weights and arrays, and the numbers of `evaluate`, `attack`,
metrics.jsonl and audits, not rounded; `without names` is equal for equal weights under other names.
`compare` prints every difference and exits 1 if there is one. Write both files on the same machine.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from safetensors.numpy import load_file

# parts of the names of times in metrics.jsonl, which differ from run to run
TIMES = ("second", "time", "wait", "memory")
# how the commands of RUNS begin; RUN is the run folder
COMMANDS = {
    "sample": "sample RUN -n 16 --seed 3 --out RUN/samples.npz",
    "truncate": "sample RUN -n 16 --seed 3 --truncation 0.7 --out RUN/truncated.png",
    "reconstruct": "reconstruct RUN -n 8 --out RUN/pairs.npz",
    "translate": "translate RUN wide.png --out RUN/translated",
    "predict": "predict RUN --out RUN/predictions.csv --samples 3 --data",
    "attack": "attack RUN -n 20 --json",
    "evaluate": "evaluate RUN --json --seed 1 --importance-samples 5 --metrics",
}
TRAIN = "--out RUN --seed 7 --log-every 20 --device cpu"
IMAGES = f"{TRAIN} --image-size 32 --batch-size 8 --steps 20"
SMALL = f"{TRAIN} --batch-size 32 --steps 60 --hidden 16"
SCORES = "fid,kid,prdc"
RUNS = f"""
autoencoder: train autoencoder --data digits {SMALL} --latent-dim 4 --keep best --validate-every 20;
    reconstruct; evaluate reconstruction,latents
vae: train vae --data digits {SMALL} --latent-dim 4 --validate-every 30 --evaluate-every 30; sample; truncate;
    reconstruct; evaluate elbo,nll,reconstruction,latents,samples,{SCORES},memorisation
vae-resnet: train vae --data faces:60 {IMAGES} --net resnet --width 4 --depth 1 --importance-samples 2;
    sample; evaluate elbo,nll,{SCORES}
pca: train pca --data faces:200,glasses=0.4 {TRAIN} --image-size 32 --latent-dim 4; sample; truncate;
    reconstruct; audit generator RUN --attribute glasses --samples 200 --minimum-n 5 --truncation 0.5,1;
    evaluate nll,reconstruction,latents,{SCORES},memorisation
regressor: train regressor --data diabetes {SMALL}; predict diabetes; evaluate prediction
mdn: train mdn --data robot-arm:500 {SMALL}; predict robot-arm:500; evaluate prediction
classifier: train classifier --data digits {SMALL}; predict digits; evaluate prediction;
    attack --method fgsm --epsilon 0.1 --out RUN/fgsm.npz; attack --norm l2 --steps 5 --out RUN/pgd.npz
generator: train generator --data digits {TRAIN} --latent-dim 2 --hidden 16; sample; evaluate samples
gan: train gan --data faces:60 {IMAGES} --width 4 --augment diff; sample; truncate;
    evaluate samples,{SCORES},memorisation
gan-ema: train gan --data gaussians-8:500 {SMALL} --ema 0.9 --n-critic 2 --objective hinge;
    sample; evaluate samples,{SCORES}
conditional_gan: train conditional_gan --data digits {SMALL} --evaluate-every 30; truncate;
    sample --class 3; evaluate samples,{SCORES},is,classes --features classifier
pix2pix: train pix2pix --data face-outlines:60 {IMAGES} --width 4 --style-dim 2;
    translate --variants 2; evaluate translation,{SCORES}
cyclegan: train cyclegan --data faces:200 --target glasses {IMAGES} --width 4 --blocks 1 --pool 5;
    translate --to A; evaluate translation,{SCORES}
naive: train naive --data gaussians-8:500 {SMALL}; sample; evaluate samples
fallacy: audit fallacy --p-given 0.09 --base 0.06 --other 0.03 --out RUN
fallacy-table: audit fallacy people.csv --a outcome=1 --b group=x --out RUN
predictions: audit predictions people.csv --y outcome=1 --pred p>=0.5 --score p --group group,sex --out RUN
"""
# `python -m simulacra` for each command of a run in one process, which imports torch once
CHILD = """
import contextlib, io, json, runpy, sys
done = []
for sys.argv[1:] in json.loads(sys.argv[1]):
    with contextlib.redirect_stdout(io.StringIO()) as output:
        try:
            runpy.run_module("simulacra", run_name="__main__")
        except SystemExit as stop:
            done.append((stop.code, output.getvalue()))
print(json.dumps(done))
"""


def commands(run: str, text: str) -> Iterator[list[str]]:
    """The commands of one run folder, in words; a report at the end of what was trained."""
    for line in text.split(";") + ["report RUN"] * text.startswith("train"):
        first, *rest = line.split()
        yield [word.replace("RUN", run) for word in (*COMMANDS.get(first, first).split(), *rest)]


def write_inputs(folder: Path) -> None:
    """`people.csv`, 600 rows of simulated predictions, and `wide.png`, an image to translate."""
    rng = np.random.default_rng(0)
    rows = ["outcome,p,group,sex"]
    for p, u, g, s in rng.random((600, 4)):
        rows.append(f"{int(u < p * (0.7 if g < 0.4 else 1))},{p:.3f},{'xy'[int(g > 0.4)]},{'mf'[int(2 * s)]}")
    (folder / "people.csv").write_text("\n".join(rows) + "\n")
    pixels = np.kron(rng.integers(0, 256, (4, 6, 3)), np.ones((8, 8, 1)))
    Image.fromarray(pixels.astype(np.uint8)).save(folder / "wide.png")


def digest(array: Any) -> str:
    array = np.ascontiguousarray(array)
    return hashlib.sha256(f"{array.dtype} {array.shape} ".encode() + array.tobytes()).hexdigest()


def leaves(value: Any, name: str) -> Iterator[tuple[str, Any]]:
    """Everything in a JSON value that is not a list or an object, under the path to it."""
    if isinstance(value, dict | list):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from leaves(inner, f"{name}/{key}")
    else:
        yield name, value


def contents(file: Path) -> Iterator[tuple[str, Any]]:
    """Hashes and numbers of a file that a command has written."""
    if file.suffix in (".safetensors", ".npz"):
        arrays = load_file(file) if file.suffix == ".safetensors" else np.load(file)
        hashes = {key: digest(array) for key, array in arrays.items()}
        yield from ((f"/{key}", value) for key, value in hashes.items())
        yield ", without names", hashlib.sha256("".join(sorted(hashes.values())).encode()).hexdigest()
    elif file.suffix == ".png":
        yield "", digest(Image.open(file))
    elif file.suffix == ".csv":
        for name, *column in zip(*csv.reader(file.read_text().splitlines()), strict=True):
            yield f"/{name}", digest(column)
    elif file.name == "metrics.jsonl":
        for i, line in enumerate(file.read_text().splitlines()):
            event = leaves(json.loads(line), f"/{i}")
            yield from (leaf for leaf in event if not any(word in leaf[0] for word in TIMES))
    elif file.name == "findings.json":
        for section in json.loads(file.read_text())["sections"]:
            for finding in section["findings"]:
                numbers = {key: finding[key] for key in ("verdict", "number", "interval", "n", "more")}
                yield from leaves(numbers, f"/{finding['name']}")


def measure(source: Path, folder: Path) -> dict[str, Any]:
    """Hashes and numbers by name, of runs in a scratch folder."""
    environment = os.environ | {"PYTHONPATH": str(source), "OMP_NUM_THREADS": "1"}
    found: dict[str, Any] = {}
    write_inputs(folder)
    for block in re.split(r"\n(?=\w)", RUNS.strip()):
        run, text = block.split(": ", 1)
        lines = list(commands(run, text))
        python = [sys.executable, "-c", CHILD, json.dumps(lines)]
        printed = json.loads(subprocess.check_output(python, cwd=folder, env=environment))
        for words, (code, output) in zip(lines, printed, strict=True):
            name = f"{run}: {' '.join(words)}"
            found[f"{name}: exit code"] = code
            print(f"{name}: exit code {code}", file=sys.stderr, flush=True)
            if "--json" in words and code == 0:
                found |= leaves(json.loads(output), name)
        for file in sorted((folder / run).rglob("*")):
            if "checkpoints" not in file.parts:
                found |= {f"{file.relative_to(folder)}{name}": value for name, value in contents(file)}
    return found


def compare(a: dict[str, Any], b: dict[str, Any]) -> int:
    """Print what differs, as JSON (NaN equals NaN); 1 if anything does."""
    both = a.keys() & b.keys()
    different = [(n, a[n], b[n]) for n in sorted(both) if json.dumps(a[n]) != json.dumps(b[n])]
    for name, x, y in different:
        numbers = isinstance(x, int | float) and isinstance(y, int | float)
        relative = f", relative {abs(x - y) / (max(abs(x), abs(y)) or 1):.2g}" if numbers else ""
        print(f"{name}: {x!r} != {y!r}{relative}")
    alone = [name for name in {**a, **b} if name not in both]
    for name in alone:
        print(f"only in the {'first' if name in a else 'second'} file: {name}: {(a | b)[name]!r}")
    print(f"{len(both) - len(different)} equal, {len(different)} different, {len(alone)} only in one file")
    return int(bool(different or alone))


def main() -> int:
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("verb", choices=["write", "compare"])
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--src", type=Path, default=Path(__file__).parents[1] / "src")
    arguments = parser.parse_args()
    if arguments.verb == "compare":
        return compare(*(json.loads(file.read_text()) for file in arguments.files))
    with tempfile.TemporaryDirectory() as folder:
        found = measure(arguments.src.resolve(), Path(folder))
    arguments.files[0].write_text(json.dumps(found, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
