"""Commands on a disk that fails: they end in a sentence, keep what was there, and go on afterwards."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
COMPILER = shutil.which("cc") or shutil.which("gcc")


@pytest.mark.slow
@pytest.mark.skipif(COMPILER is None or sys.platform != "linux", reason="needs a C compiler and Linux")
@pytest.mark.parametrize(
    ("stride", "errors"), [(50, "ENOSPC"), pytest.param(1, "ENOSPC,EIO,EROFS", marks=pytest.mark.torture)]
)
def test_every_operation_may_fail(tmp_path: Path, stride: int, errors: str) -> None:
    library = tmp_path / "failing_disk.so"
    assert COMPILER is not None
    build = [COMPILER, "-shared", "-fPIC", "-o", str(library), str(HERE / "failing_disk.c"), "-ldl"]
    subprocess.run(build, check=True, capture_output=True)
    command = [
        sys.executable,
        "-W",
        "ignore",
        str(HERE / "failing_disk.py"),
        str(library),
        str(tmp_path / "disk"),
    ]
    environment = {**os.environ, "LD_PRELOAD": str(library), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [*command, str(stride), errors], env=environment, check=True, capture_output=True, text=True
    )
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(rows) == 8 * len(errors.split(","))
    assert [problem for row in rows for problem in row["problems"]] == []
    # the failures were there
    assert all(row["failures"] for row in rows)
    assert sum(row["failures"] for row in rows if row["command"] == "train") >= 150 // stride
