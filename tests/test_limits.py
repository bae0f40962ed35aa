"""Limits of what is read, and their table in the docs."""

from __future__ import annotations

import os
import re
import socket
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

import simulacra as sim
from simulacra import limits
from simulacra.cli.main import OUT_OF_MEMORY, main
from simulacra.config import Training
from simulacra.data import Options, load
from simulacra.errors import ConfigError, DataError, LimitError, RunError
from simulacra.models.registry import build, model_card
from simulacra.run import Run, read_event

GB = 10**9
UNITS = {"MiB": 2**20, "GiB": 2**30, "": 1}


def test_the_docs_have_every_limit() -> None:
    text = (Path(__file__).parents[1] / "docs" / "limits.md").read_text()
    rows = re.findall(r"^\| `([A-Z_]+)` \| ([\d,]+) ?(\w*) \|", text, re.MULTILINE)
    table = {name: int(number.replace(",", "")) * UNITS[unit] for name, number, unit in rows}
    table |= {name: int(n) for name, n in re.findall(r"`([A-Z_]+)`: (\d+) bytes", text)}
    named = {name: value for name, value in vars(limits).items() if re.fullmatch("[A-Z][A-Z_]+", name)}
    assert table == {name: value for name, value in named.items() if type(value) is int}


def images(folder: Path) -> Path:
    folder.mkdir()
    for k in range(12):
        Image.fromarray(np.full((8, 8), 20 * k, np.uint8)).save(folder / f"{k}.png")
    return folder


@pytest.mark.parametrize("kind", ["pipe", "device", "socket", "link"])
def test_what_is_no_regular_file_is_not_read(kind: str, tmp_path: Path) -> None:
    folder = images(tmp_path / "x")
    odd = folder / "odd.png"
    if kind == "pipe":
        os.mkfifo(odd)
    elif kind == "device":
        odd.symlink_to("/dev/zero")
    elif kind == "socket":
        bound = socket.socket(socket.AF_UNIX)
        here = Path.cwd()
        # the names of sockets are short
        os.chdir(folder)
        bound.bind(odd.name)
        os.chdir(here)
        bound.close()
    else:
        odd.symlink_to(folder / "3.png")
        assert len(load(f"folder:{folder}").names) == 13
        return
    with pytest.raises(DataError, match=r"1 of 13 files cannot be used .*a pipe, a device or a socket"):
        load(f"folder:{folder}")
    assert len(load(f"folder:{folder}", Options(skip_bad=True)).names) == 13


@pytest.mark.parametrize("source", ["csv:p.csv", "npz:p.npz", "idx:p", "parquet:p.parquet", "folder:p.zip"])
def test_sources_that_are_pipes(source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    os.mkfifo(tmp_path / source.partition(":")[2])
    with pytest.raises(DataError, match=r"a pipe, a device or a socket|neither a folder nor"):
        load(source)


def test_labels_that_unpack_to_far_more_than_they_are(tmp_path: Path) -> None:
    folder = images(tmp_path / "x")
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for file in folder.iterdir():
            archive.write(file, file.name)
        archive.writestr("labels.csv", b"file,label\n" + b"0.png,a\n" * (5 * 10**6))
    assert (tmp_path / "a.zip").stat().st_size < 200_000
    with pytest.raises(DataError, match=r"labels\.csv: unpacks to \d+ times its size \(40 MB\)"):
        load(f"folder:{tmp_path / 'a.zip'}")


def test_labels_with_more_rows_than_images(tmp_path: Path) -> None:
    folder = images(tmp_path / "x")
    (folder / "labels.csv").write_text("file,label\n" + "0.png,a\n" * 11_000)
    with pytest.raises(DataError, match="more than 10,012 rows, but there are 12 images"):
        load(f"folder:{folder}")


def test_a_zip_of_too_many_entries_is_refused_before_they_are_read(tmp_path: Path) -> None:
    file = tmp_path / "a.zip"
    with zipfile.ZipFile(file, "w") as archive:
        for k in range(2000):
            archive.writestr(f"{'x' * 200}{k}", b"")
    limits.check_zip(file, limits.ZIP_ENTRIES)
    with pytest.raises(LimitError, match="more than 1,000 entries"):
        limits.check_zip(file, limits.NPZ_ARRAYS)


def test_an_entry_is_read_to_the_size_that_its_archive_states(tmp_path: Path) -> None:
    file = tmp_path / "a.zip"
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a", bytes(10**7))
    raw = bytearray(file.read_bytes())
    # the size in the directory: 24 bytes into its entry
    place = raw.index(b"PK\1\2") + 24
    raw[place : place + 4] = struct.pack("<I", 10)
    file.write_bytes(raw)
    with zipfile.ZipFile(file) as archive, pytest.raises(zipfile.BadZipFile):
        limits.read_entry(archive, archive.getinfo("a"), 2**20)


@pytest.mark.parametrize("dimensions", [[2**32 - 1] * 3, [1] * 255, []])
def test_idx_files_that_claim_too_much(dimensions: list[int], tmp_path: Path) -> None:
    file = tmp_path / "a.idx"
    file.write_bytes(bytes([0, 0, 8, len(dimensions)]) + struct.pack(f">{len(dimensions)}I", *dimensions))
    with pytest.raises(DataError, match=r"of memory, but|not an idx file"):
        load(f"idx:{file}")


def test_images_that_do_not_fit_in_memory_are_not_resized(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "available_memory", lambda: 20 * GB)
    message = r"1,\d+ images of 4096x4096 pixels need \d+(\.\d)? GB of memory, but 20 GB"
    with pytest.raises(LimitError, match=message):
        load("digits", Options(image_size=4096))


def test_weights_that_do_not_fit_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("simulacra.models.registry.available_memory", lambda: 10**6)
    spec, config = load("digits").spec, model_card("vae").Config()
    # 71,296 numbers
    build("vae", spec, config, each=4)
    with pytest.raises(LimitError, match="the weights of this vae need more than 1 MB of memory"):
        build("vae", spec, config, each=16)


def test_samples_that_do_not_fit_in_memory() -> None:
    model = build("vae", load("digits").spec, model_card("vae").Config()).eval()
    with pytest.raises(LimitError, match=r"10,000,000,000 samples need 5\.1 TB of memory"):
        model.sample(10**10)
    with pytest.raises(ConfigError, match="must be at most 1,000,000"):
        model.log_likelihood(np.zeros((1, 8, 8)), samples=10**9)


def test_free_memory_counts_the_limits_of_a_process(monkeypatch: pytest.MonkeyPatch) -> None:
    resource = pytest.importorskip("resource")
    free = limits.available_memory()
    assert free > 0
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    monkeypatch.setattr(resource, "getrlimit", lambda _: (used + GB, used + GB))
    assert abs(limits.available_memory() - GB) < 10**8


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("[enforce fail at alloc_cpu.cpp:117] . can't allocate memory: you tried"),
        RuntimeError("CUDA out of memory. Tried to allocate 20.00 GiB"),
    ],
)
def test_memory_that_runs_out_is_one_sentence(
    error: Exception, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(_: list[str]) -> int:
        raise error

    monkeypatch.setattr("simulacra.cli.doctor.main", fail)
    assert main(["doctor"]) == 1
    assert capsys.readouterr().err == f"simulacra: {OUT_OF_MEMORY}\n"


@pytest.mark.parametrize("settings", [{"epochs": float("inf")}, {"minutes": float("inf")}, {"steps": 10**15}])
def test_lengths_without_an_end(settings: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match=r"must be (finite|at most)"):
        Training(**settings)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: &a [x, x]\nb: *a", "line 2: aliases"),
        ("[" * 10**5, "nested more than 20 deep"),
        ("{a: " * 10**5, "nested more than 20 deep"),
    ],
)
def test_yaml_that_grows(text: str, message: str) -> None:
    with pytest.raises(LimitError, match=re.escape(message)):
        limits.load_yaml(text)


@pytest.mark.parametrize(
    "text", ["!!bool x", "!!int ''", "!!timestamp x", "2001-99-99", "? [a]\n: b", "!!python/name:os.x"]
)
def test_yaml_of_wrong_types(text: str) -> None:
    with pytest.raises((ValueError, yaml.YAMLError)):
        limits.load_yaml(text)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    out = tmp_path_factory.mktemp("run") / "vae"
    sim.train("vae", "digits", out, steps=2, latent_dim=2, hidden=(8,))
    return Run(out)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("latent_dim: 2", "latent_dim: two", "latent_dim: must be a whole number"),
        ("latent_dim: 2", "latent_dim: 1000000000000", "the weights of this vae need more than"),
        ("lr: 0.001", "lr: .nan", "lr: must be above 0"),
        ("source: digits", "source: [digits]", "must be texts"),
        ("  seed: 0", "  seed: {a: 1}", "seed: must be a whole number"),
        ("- 8\n    - 8", "- -8\n    - 8", "is no shape of an image"),
        ("training:", "trainings:", "there is no section 'training'"),
        ("  name: vae", "  nome: vae", "'name' is missing"),
    ],
)
def test_a_config_that_was_changed_is_refused_by_name(
    run: Run, old: str, new: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file = run.path / "config.yaml"
    whole = file.read_text()
    changed = whole.replace(old, new, 1)
    assert changed != whole
    file.write_text(changed)
    try:
        with pytest.raises(RunError, match=message):
            run.load()
        assert main(["runs", str(run)]) == 0
        assert main(["report", str(run)]) == 1
        assert "Traceback" not in capsys.readouterr().err
    finally:
        file.write_text(whole)


def test_lines_that_are_no_events_are_left_out(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    whole = run.metrics.read_bytes()
    odd = [
        b"1", b"null", b"[]", b"{}", b'{"event": 3}', b'{"event": "train"}',
        b'{"event": "train", "step": "5"}', b"[" * 10**5, b"\xff\xfe",
        b'{"event": "train", "step": 5, "loss": [1]}', b'{"event": "warning", "step": 1}',
        b'{"event": "train", "step": 1, "a": ' + b"9" * 5000 + b"}", b'{"event": "length", "step": 0}',
        b'{"event": "train", "step": 1, "x": "' + b"x" * 2**20 + b'"}',
    ]  # fmt: skip
    assert not any(map(read_event, odd))
    before = run.events()
    try:
        run.metrics.write_bytes(whole + b"\n".join(odd) + b"\n")
        assert run.events() == before
        assert main(["runs", "check", str(run)]) in (0, 1)
        assert f"{len(odd)} of {len(before) + len(odd)} lines cannot be read" in capsys.readouterr().out
        assert main(["report", str(run)]) == 0
        assert main(["evaluate", str(run), "--examples", "5"]) == 0
    finally:
        run.metrics.write_bytes(whole)


def test_too_many_draws_of_z(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", str(run), "--importance-samples", "1000000000"]) == 2
    assert "importance_samples: must be at most 1,000,000" in capsys.readouterr().err


def test_a_log_that_is_too_large(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "METRICS_BYTES", 10)
    with pytest.raises(RunError, match=r"metrics\.jsonl: cannot be read \(is larger than 10 bytes"):
        run.events()
