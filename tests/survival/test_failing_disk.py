"""Commands on a disk that fails: they end in a sentence, keep what was there, and go on afterwards."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.survival.failing_disk import COMMANDS, WRITE_NOTHING

HERE = Path(__file__).parent
COMPILER = shutil.which("cc") or shutil.which("gcc")


# those that are tried in `make test`
FEW = (
    "train", "resume", "report", "sample into a folder", "sample anew", "predict", "translate",
    "data preview", "attack in rounds", "audit amplify", "audit fallacy anew",
)  # fmt: skip


@pytest.mark.slow
@pytest.mark.skipif(COMPILER is None or sys.platform != "linux", reason="needs a C compiler and Linux")
@pytest.mark.parametrize(
    ("most", "errors", "names"),
    [(2, "ENOSPC", FEW), pytest.param(10_000, "ENOSPC,EIO,EROFS", (), marks=pytest.mark.torture)],
)
def test_every_operation_may_fail(tmp_path: Path, most: int, errors: str, names: Sequence[str]) -> None:
    library = tmp_path / "failing_disk.so"
    assert COMPILER is not None
    build = [COMPILER, "-shared", "-fPIC", "-o", str(library), str(HERE / "failing_disk.c"), "-ldl"]
    subprocess.run(build, check=True, capture_output=True)
    script, disk = HERE / "failing_disk.py", tmp_path / "disk"
    command = [sys.executable, "-W", "ignore", *map(str, (script, library, disk, most)), errors, *names]
    environment = {**os.environ, "LD_PRELOAD": str(library), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert {row["command"] for row in rows} == set(names or COMMANDS)
    assert [problem for row in rows for problem in row["problems"]] == []
    # the failures were there
    assert {row["command"] for row in rows if not row["failures"]} <= WRITE_NOTHING
    assert all(row["operations"] >= 150 for row in rows if row["command"] == "train")
