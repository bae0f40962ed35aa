"""`simulacra doctor`: the installation and this machine, what is wrong, and the fix."""

from __future__ import annotations

import os
import platform
import re
import shutil
import sys
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

import tyro

from simulacra.cli.usage import parse

# bytes of free disk and memory below which a training may fail
LITTLE_DISK, LITTLE_MEMORY = 10**9, 10**9


@dataclass(frozen=True)
class Doctor:
    """Check the installation and this machine."""

    json: tyro.conf.FlagCreatePairsOff[bool] = False
    """print one JSON object and nothing else"""


@dataclass(frozen=True)
class Finding:
    """One line: its name, what was found, and if something is wrong, whether nothing works and the fix."""

    name: str
    value: str
    problem: str = ""
    broken: bool = False


def main(argv: list[str]) -> int:
    arguments = parse(Doctor, argv, "simulacra doctor")
    findings = list(examine())
    broken = any(finding.broken for finding in findings)
    if arguments.json:
        import json

        print(json.dumps({"ok": not broken, "findings": [asdict(finding) for finding in findings]}))
        return int(broken)
    for finding in findings:
        print(f"{finding.name:14} {finding.value}")
        if finding.problem:
            print(f"{'':14} {'broken' if finding.broken else 'note'}: {finding.problem}")
    problems = sum(bool(finding.problem) for finding in findings)
    print(f"problems: {problems}" if problems else "ok")
    return int(broken)


def examine() -> Iterator[Finding]:
    """Everything that is checked, in order."""
    yield Finding("simulacra", f"{version('simulacra')} in {Path(__file__).parents[1]}")
    yield Finding("python", f"{platform.python_version()} ({sys.executable})")
    yield from _torch()
    yield _memory()
    yield _disk()
    yield from _packages()
    yield _named_data()
    yield _cache()


def _torch() -> Iterator[Finding]:
    try:
        import torch
    # a broken installation of torch raises almost anything
    except Exception as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        yield Finding(
            "torch", "cannot be imported", f"{reason}; reinstall it: pip install torch", broken=True
        )
        return
    from simulacra.accelerate.processor import GAIN, bf16_speedup

    yield Finding("torch", f"{torch.__version__}, {torch.get_num_threads()} threads, {_cores()} cores")
    gpus = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    devices = ["cpu", *gpus, *(["mps"] if torch.backends.mps.is_available() else [])]
    driver = shutil.which("nvidia-smi") is not None
    lost = "there is an NVIDIA driver, but this torch cannot use it; install a build with CUDA: pytorch.org"
    yield Finding("devices", ", ".join(devices), lost if driver and not gpus else "")
    speedup = bf16_speedup()
    times = f"{speedup:.1f} times the speed of float32, measured on a product of matrices"
    worth = "--precision bf16 is worth it" if speedup > GAIN else "--precision 32 is as fast or faster"
    yield Finding("bf16 on the cpu", f"{times}: {worth}")


def _cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _memory() -> Finding:
    from simulacra.limits import available_memory

    free = available_memory()
    problem = "close other programs, or use a smaller --batch-size" if free < LITTLE_MEMORY else ""
    return Finding("memory", f"{free / 1e9:.1f} GB available", problem)


def _disk() -> Finding:
    free = shutil.disk_usage(Path()).free
    problem = "free some space: runs and checkpoints are written here" if free < LITTLE_DISK else ""
    if not os.access(Path(), os.W_OK):
        problem = "this folder cannot be written; name another one with --out"
    return Finding("disk", f"{free / 1e9:.1f} GB free in {Path.cwd()}", problem)


def _packages() -> Iterator[Finding]:
    """Required packages that are missing, and the extras."""
    missing: dict[str, list[str]] = defaultdict(list)
    extras: list[str] = []
    for line in requires("simulacra") or []:
        found = re.fullmatch(r"([\w.-]+).*?(?:extra == [\"'](\w+)[\"'])?", line)
        package, extra = (found[1], found[2] or "") if found else (line, "")
        if package == "simulacra":
            continue
        if extra and extra not in extras:
            extras.append(extra)
        try:
            version(package)
        except PackageNotFoundError:
            missing[extra].append(package)
    if needed := missing.pop("", []):
        fix = f"pip install {' '.join(needed)}"
        yield Finding("packages", f"missing: {', '.join(needed)}", fix, broken=True)
    there = [extra for extra in extras if extra not in missing and extra != "dev"]
    absent = [extra for extra in missing if extra != "dev"]
    listed = (
        f"; not installed: {', '.join(absent)} (pip install 'simulacra[{','.join(absent)}]')"
        if absent
        else ""
    )
    yield Finding("extras", f"{', '.join(there) or 'none'}{listed}")


def _named_data() -> Finding:
    named = os.environ.get("SIMULACRA_DATA")
    if not named:
        return Finding("SIMULACRA_DATA", "not set")
    folder = Path(named).expanduser()
    if not folder.is_dir():
        return Finding("SIMULACRA_DATA", named, "there is no such folder; make it, or correct the variable")
    entries = sorted(entry.name for entry in folder.iterdir() if not entry.name.startswith("."))
    return Finding("SIMULACRA_DATA", f"{named} ({len(entries):,} entries)")


def _cache() -> Finding:
    from simulacra.data.paths import data_folders

    places = [folder / "cache" for folder in data_folders()]
    sizes = {
        place: sum(file.stat().st_size for file in place.rglob("*") if file.is_file())
        for place in places
        if place.is_dir()
    }
    listed = [f"{size / 1e9:.2f} GB of decoded images in {place}" for place, size in sizes.items()]
    nearest = [next(p for p in (place, *place.absolute().parents) if p.exists()) for place in places]
    problem = ""
    if not any(os.access(folder, os.W_OK) for folder in nearest):
        problem = (
            f"{' and '.join(map(str, places))} cannot be written; set SIMULACRA_DATA to a folder that can"
        )
    return Finding("cache", f"{', '.join(listed)}; safe to delete" if listed else "empty", problem)
