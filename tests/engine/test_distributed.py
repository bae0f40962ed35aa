"""Which process is the first, by the variables that launchers leave behind."""

import pytest

from simulacra.config import Training
from simulacra.engine.distributed import LEFTOVERS, TORCHRUN, is_first_process, world_size

LONELY = ("SLURM_PROCID", "SLURM_NTASKS", "OMPI_COMM_WORLD_RANK", *TORCHRUN, *LEFTOVERS)


@pytest.fixture(autouse=True)
def no_world(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in LONELY:
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("name", LONELY)
def test_one_variable_is_no_world(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "1")
    assert is_first_process()
    assert world_size(Training()) == 1
    assert world_size(Training(devices=2)) == 2


@pytest.mark.parametrize("rank", ["0", "1"])
def test_torchrun_is_a_world(rank: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in TORCHRUN:
        monkeypatch.setenv(name, rank)
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert is_first_process() == (rank == "0")
    assert world_size(Training()) == 2
