"""`simulacra doctor`: what it finds, and what it says about a machine with a fault."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest

from simulacra.cli import doctor
from simulacra.cli.main import main


def examined(capsys: pytest.CaptureFixture[str], code: int = 0) -> dict[str, dict[str, str]]:
    assert main(["doctor", "--json"]) == code
    found = json.loads(capsys.readouterr().out)
    assert found["ok"] == (code == 0)
    return {finding["name"]: finding for finding in found["findings"]}


def test_this_machine(capsys: pytest.CaptureFixture[str], own_cache: Path) -> None:
    found = examined(capsys)
    assert version("torch") in found["torch"]["value"]
    assert found["devices"]["value"].startswith("cpu")
    assert found["python"]["value"].startswith(sys.version.split()[0])
    assert found["SIMULACRA_DATA"]["value"] == "not set"
    assert found["cache"]["value"] == "empty"
    assert not list(own_cache.iterdir())
    assert main(["doctor"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "ok"


@pytest.mark.parametrize(
    ("speedup", "advice"), [(2.0, "--precision bf16 is worth it"), (0.5, "--precision 32 is")]
)
def test_bfloat16_is_measured(
    speedup: float, advice: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # flags of the processor do not tell
    monkeypatch.setattr("simulacra.accelerate.processor.bf16_speedup", lambda: speedup)
    assert examined(capsys)["bf16 on the cpu"]["value"].startswith(f"{speedup} times the speed of float32")
    assert advice in examined(capsys)["bf16 on the cpu"]["value"]


def test_a_torch_that_cannot_be_imported(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    torch = examined(capsys, code=1)["torch"]
    assert torch["broken"]
    assert "pip install torch" in torch["problem"]


def without(*names: str) -> Callable[[str], str]:
    def found(name: str) -> str:
        if name in names:
            raise PackageNotFoundError(name)
        return version(name)

    return found


def test_missing_packages(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "version", without("pandas"))
    assert "not installed: " in (value := examined(capsys)["extras"]["value"])
    assert "audit" in value.partition("not installed: ")[2]
    monkeypatch.setattr(doctor, "version", without("scikit-learn", "pillow"))
    packages = examined(capsys, code=1)["packages"]
    assert packages["problem"] == "pip install pillow scikit-learn"


def test_data_and_cache(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, own_cache: Path
) -> None:
    (own_cache / "simulacra" / "cache").mkdir(parents=True)
    (own_cache / "simulacra" / "cache" / "stack.npy").write_bytes(bytes(50_000_000))
    monkeypatch.setenv("SIMULACRA_DATA", str(tmp_path / "none"))
    found = examined(capsys)
    assert "no such folder" in found["SIMULACRA_DATA"]["problem"]
    assert found["cache"]["value"].startswith("0.05 GB")
    assert not (tmp_path / "none").exists()
    (tmp_path / "mnist").mkdir()
    monkeypatch.setenv("SIMULACRA_DATA", str(tmp_path))
    found = examined(capsys)
    assert found["SIMULACRA_DATA"]["value"] == f"{tmp_path} (1 entries)"
    assert not found["SIMULACRA_DATA"]["problem"]


def test_little_space(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "LITTLE_DISK", 10**18)
    monkeypatch.setattr(doctor, "LITTLE_MEMORY", 10**18)
    found = examined(capsys)
    assert "free some space" in found["disk"]["problem"]
    assert "--batch-size" in found["memory"]["problem"]
    assert main(["doctor"]) == 0
    out = capsys.readouterr().out
    assert out.splitlines()[-1] == "problems: 2"
    assert "note: free some space" in out
