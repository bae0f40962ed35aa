"""The direction of the imports, and what must start fast."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from simulacra.cli.audit import KINDS

SOURCE = Path(__file__).parents[1] / "src" / "simulacra"

# What a part of the library may import, besides itself; the rest is above it.
BASE = {"errors", "files", "pictures", "config"}
GAME = BASE | {"data", "game"}
ALLOWED = {
    "errors": set(),
    "files": {"errors"},
    "config": {"errors"},
    "pictures": {"errors", "files"},
    "data": {"errors", "files", "pictures"},
    "nets": {"errors"},
    "distributions": {"errors"},
    "likelihoods": {"errors", "distributions"},
    "objectives": set(),
    "game": {"errors", "data"},
    "adversarial": GAME,
    "augmentation": {"errors", "data", "game"},
    "models": GAME | {"nets", "likelihoods", "distributions", "objectives", "adversarial", "augmentation"},
    "run": GAME | {"models"},
    "engine": GAME | {"models", "run", "metrics"},
    "latent": GAME,
    "metrics": GAME | {"distributions"},
    "evaluation": GAME | {"engine", "metrics", "distributions"},
    "estimators": GAME | {"distributions", "models", "engine", "run"},
    "predictions": GAME | {"distributions", "engine", "metrics"},
    "output": GAME | {"engine"},
    "thumbnail": set(),
    "translation": GAME | {"engine", "thumbnail"},
    "api": GAME | {"models", "run", "engine"},
    "audit": GAME | {"models", "run", "engine", "latent", "metrics", "report"},
    "report": GAME | {"distributions", "models", "run", "engine", "latent", "metrics", "evaluation"},
}
FILES = [
    f
    for f in SOURCE.rglob("*.py")
    if f.relative_to(SOURCE).parts[0] not in ("cli", "__init__.py", "__main__.py")
]


def imported(file: Path) -> set[str]:
    """The parts of simulacra that a file imports, inside functions too."""
    parts = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [
                f"{node.module}.{a.name}" if node.module == "simulacra" else node.module for a in node.names
            ]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            continue
        parts |= {name.split(".")[1] for name in names if name.startswith("simulacra.")}
    return parts


@pytest.mark.parametrize("file", FILES, ids=[str(f.relative_to(SOURCE)) for f in FILES])
def test_imports_go_one_way(file: Path) -> None:
    part = file.relative_to(SOURCE).parts[0].removesuffix(".py")
    assert imported(file) - {part} <= ALLOWED[part]


@pytest.mark.parametrize("file", FILES, ids=[str(f.relative_to(SOURCE)) for f in FILES])
def test_files_stay_short(file: Path) -> None:
    assert len(file.read_text().splitlines()) <= 400


@pytest.mark.parametrize(
    "words",
    [
        "audit", "audit --help", "audit falacy", *(f"audit {kind} --help" for kind in KINDS),
        "audit fallacy --fail-on >", "audit decide",
        "--help", "--version", "data list", "train --help", "train vea", "train vae --help", "recipe",
        "train vae --data digits --latent-dimm 3", "train vae", "sample", "translate", "nonsense",
    ],
)  # fmt: skip
def test_help_and_usage_errors_import_neither_torch_nor_fabric(words: str) -> None:
    code = (
        "import sys\nfrom simulacra.cli.main import main\n"
        f"try:\n    main({words.split()!r})\nexcept SystemExit:\n    pass\n"
        "slow = {'torch', 'lightning_fabric', 'matplotlib', 'sklearn', 'pandas', 'statsmodels'}\n"
        "slow &= set(sys.modules)\n"
        "sys.exit(f'imported {slow}' if slow else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
