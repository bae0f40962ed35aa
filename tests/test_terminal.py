"""Processes without a terminal."""

import subprocess
import sys


def test_no_file_gets_the_number_of_a_closed_stream() -> None:
    # the notice of a signal, which goes to descriptor 2, ended in the checkpoint that was being written
    script = "import os, sys; from simulacra.cli.main import main; main(['--version'])"
    script += "; sys.exit(os.open(os.devnull, os.O_RDONLY))"
    command = ["bash", "-c", '"$0" -c "$1" <&- >&- 2>&-', sys.executable, script]
    assert subprocess.run(command, check=False).returncode >= 3
