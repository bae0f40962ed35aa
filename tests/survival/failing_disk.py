"""Run commands on a disk that fails at one operation after the other. Started with failing_disk.so preloaded.

    LD_PRELOAD=failing_disk.so python failing_disk.py failing_disk.so FOLDER STRIDE ENOSPC,EIO,EROFS

Prints one JSON line for each command and error: how many failures it met, and what was wrong.
"""

from __future__ import annotations

import ctypes
import errno
import io
import json
import os
import shutil
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

from simulacra import tensors
from simulacra.cli.main import main
from simulacra.engine import checkpoint
from simulacra.errors import RunError
from simulacra.run import Run

TRAIN = ["train", "vae", "--data", "digits", "--latent-dim", "2", "--hidden", "8", "--batch-size", "64"]
TRAIN += ["--log-every", "4", "--checkpoint-every", "0", "--device", "cpu", "--out", "RUN"]
COMMANDS = {
    "train": [*TRAIN, "--steps", "6"],
    "resume": [*TRAIN, "--steps", "12"],
    "evaluate": ["evaluate", "RUN", "--metrics", "elbo"],
    "report": ["report", "RUN"],
    "sample a grid": ["sample", "RUN", "-n", "4", "--out", "OUT.png"],
    "sample a folder": ["sample", "RUN", "-n", "4", "--out", "OUT"],
    "sample an archive": ["sample", "RUN", "-n", "4", "--out", "OUT.npz"],
    "reconstruct": ["reconstruct", "RUN", "--data", "digits", "-n", "4", "--out", "OUT.png"],
}
MOST = 400


def call(command: list[str]) -> tuple[int, str]:
    said = io.StringIO()
    with redirect_stderr(said), redirect_stdout(io.StringIO()):
        code = main(command)
    return code, said.getvalue()


def attempt(shim: ctypes.CDLL, place: Path, words: list[str], n: int, error: int) -> tuple[bool, str]:
    """Whether the n-th operation was reached, and what was wrong; in a process of its own."""
    names = {"RUN": str(place / "run"), "OUT": str(place / "out")}
    command = [word.replace("RUN", names["RUN"]).replace("OUT", names["OUT"]) for word in words]
    shim.fail(str(place).encode(), n, error)
    code, said = call(command)
    reached = shim.operations() >= n
    shim.fail(b"", 0, 0)
    problems = []
    # progress and warnings are lines of their own
    message = [line for line in said.splitlines() if line.startswith("simulacra: ")]
    if code not in (0, 1, 2):
        problems.append(f"exit code {code}")
    if code and len(message) != 1:
        problems.append(f"said {said!r}")
    if "Traceback" in said:
        problems.append(said)
    run = Run(place / "run")
    try:
        if run.weights.exists():
            tensors.check(run.weights)
        checkpoint.load(run)
    except RunError as damage:
        problems.append(f"left damaged: {damage}")
    for made in place.glob("out*"):
        shutil.rmtree(made) if made.is_dir() else made.unlink()
    again, said = call(command)
    if again != 0:
        problems.append(f"the same command afterwards: {again}, {said!r}")
    if leftovers := [*place.rglob("*.tmp")]:
        problems.append(f"left {leftovers}")
    return reached, "; ".join(problems)


def forked(shim: ctypes.CDLL, place: Path, words: list[str], n: int, error: int) -> tuple[bool, str]:
    read, write = os.pipe()
    process = os.fork()
    if process == 0:
        try:
            found = attempt(shim, place, words, n, error)
        except BaseException as problem:  # reported by the parent
            found = (True, f"raised {type(problem).__name__}: {problem}")
        os.write(write, json.dumps(found).encode())
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as pipe:
        said = pipe.read()
    _, status = os.waitpid(process, 0)
    if status or not said:
        return True, f"ended with status {status}"
    reached, problem = json.loads(said)
    return reached, problem


def run_all(shim: ctypes.CDLL, folder: Path, stride: int, errors: list[str]) -> None:
    trained = folder / "trained"
    (trained / "run").parent.mkdir(parents=True, exist_ok=True)
    code, said = call([word.replace("RUN", str(trained / "run")) for word in COMMANDS["train"]])
    assert code == 0, said
    for name, words in COMMANDS.items():
        for error in errors:
            failures, problems, n = 0, [], 1
            while n < MOST:
                place = folder / "place"
                shutil.rmtree(place, ignore_errors=True)
                place.mkdir()
                if name != "train":
                    shutil.copytree(trained / "run", place / "run")
                reached, problem = forked(shim, place, words, n, getattr(errno, error))
                if problem:
                    problems.append(f"operation {n}: {problem}")
                if not reached:
                    break
                failures += 1
                n += stride
            row = {"command": name, "error": error, "failures": failures, "problems": problems}
            print(json.dumps(row), flush=True)


if __name__ == "__main__":
    library = ctypes.CDLL(sys.argv[1])
    library.operations.restype = ctypes.c_long
    library.fail.argtypes = [ctypes.c_char_p, ctypes.c_long, ctypes.c_int]
    run_all(library, Path(sys.argv[2]), int(sys.argv[3]), sys.argv[4].split(","))
