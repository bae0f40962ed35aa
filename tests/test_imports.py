"""The direction of the imports, and what must start fast."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from simulacra.cli.audit import KINDS

SOURCE = Path(__file__).parents[1] / "src" / "simulacra"

# What a part of the library may import, besides itself; the rest is above it. The command line is above all.
BASE = {"errors", "limits", "files", "images", "config"}
DATA = BASE | {"data", "core"}
TRAINED = DATA | {"probability", "models", "run", "engine", "latent", "metrics", "tensors"}
ALLOWED = {
    "limits": {"errors"},
    "errors": set(),
    "files": {"errors"},
    "config": {"errors", "limits"},
    "terminal": {"errors"},
    "tensors": {"errors", "limits", "files"},
    "images": {"errors", "files"},
    "data": {"errors", "limits", "files", "images"},
    "core": {"errors", "limits", "config", "data"},
    "probability": {"errors", "data", "core"},
    "nets": {"errors", "config", "core", "data"},
    "accelerate": {"nets"},
    "attacks": {"errors", "data", "core"},
    "models": {"errors", "limits", "config", "data", "core", "nets", "probability", "attacks"},
    "run": DATA | {"models", "tensors"},
    "metrics": DATA | {"probability", "latent", "nets"},
    "engine": DATA | {"accelerate", "models", "run", "metrics", "tensors", "terminal"},
    "latent": DATA | {"nets", "run", "tensors"},
    "tasks": TRAINED | {"attacks", "nets"},
    "estimators": TRAINED,
    "transformer": TRAINED | {"estimators"},
    "api": TRAINED | {"tasks"},
    "report": TRAINED | {"tasks"},
    "audit": TRAINED | {"tasks", "report"},
}
FILES = [
    f
    for f in SOURCE.rglob("*.py")
    if f.relative_to(SOURCE).parts[0] not in ("cli", "__init__.py", "__main__.py")
]
IDS = [str(f.relative_to(SOURCE)) for f in FILES]


def part_of(file: Path) -> str:
    return file.relative_to(SOURCE).parts[0].removesuffix(".py")


def imported(file: Path) -> set[str]:
    """The modules that a file imports, inside functions too."""
    modules = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            modules |= {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            modules |= {alias.name for alias in node.names}
    return modules


@pytest.mark.parametrize("file", FILES, ids=IDS)
def test_imports_go_one_way(file: Path) -> None:
    parts = {name.split(".")[1] for name in imported(file) if name.startswith("simulacra.")}
    # models that are built on the model of another run
    more = {"run"} if file.name == "pretrained.py" else set()
    assert parts - {part_of(file)} <= ALLOWED[part_of(file)] | more


def test_kinds_of_audits_import_only_what_they_share() -> None:
    for file in (SOURCE / "audit").rglob("*/*.py"):
        kinds = {name.split(".")[2] for name in imported(file) if name.startswith("simulacra.audit.")}
        # predictions are acted on, and what that costs belongs to decisions
        allowed = {"predictions": {"decisions"}}.get(file.parent.name, set())
        assert kinds <= {file.parent.name, "shared"} | allowed, file


@pytest.mark.parametrize("file", FILES, ids=IDS)
def test_only_models_know_models_by_name(file: Path) -> None:
    models = {name for name in imported(file) if name.startswith("simulacra.models.")}
    # the estimators are two models in scikit-learn's terms; `train` gives the type of each model
    if part_of(file) not in ("models", "estimators", "api"):
        assert all(name.startswith("simulacra.models.registry") for name in models)


@pytest.mark.parametrize("file", FILES, ids=IDS)
def test_data_and_cards_know_no_torch_and_only_the_engine_knows_fabric(file: Path) -> None:
    packages = {name.split(".")[0] for name in imported(file)}
    if part_of(file) in BASE | {"data"} or (file.name == "card.py" and part_of(file) in ("core", "models")):
        assert "torch" not in packages
    if part_of(file) != "engine":
        assert "lightning_fabric" not in packages


@pytest.mark.parametrize(
    "words",
    [
        "audit", "audit --help", "audit falacy", *(f"audit {kind} --help" for kind in KINDS),
        "audit fallacy --fail-on >", "audit decide",
        "--help", "--version", "data list", "train --help", "train vea", "train vae --help", "recipe",
        "train vae --data digits --latent-dimm 3", "train vae", "sample", "translate", "nonsense",
        "runs", "runs none", "compare a", "compare a b", "doctor --help",
        "train vae --data digitz", "train vae --data folder:none", "train vae --data digits --latent-dim 0",
        "train classifier --data faces", "train mdn --data csv:README.md",
        "train vae --data moons --out README.md",
        "sample none --out x.png", "evaluate none", "reconstruct none --out x.png", "report none",
        "edit", "edit none x.png --direction a --out x",
        "interpolate none --seeds 1,2 --out x.png", "interpolate none --seeds 1 --out x.png",
        "predict none --data digits --out x.csv", "translate none x.png --out x", "attack none --out x.png",
    ],
)  # fmt: skip
def test_help_and_usage_errors_import_neither_torch_nor_fabric(words: str) -> None:
    code = (
        "import sys\nfrom simulacra.cli.main import main\n"
        f"try:\n    main({words.split()!r})\nexcept SystemExit:\n    pass\n"
        "slow = {'torch', 'lightning_fabric', 'matplotlib', 'sklearn', 'scipy', 'pandas', 'statsmodels'}\n"
        "slow &= set(sys.modules)\n"
        "sys.exit(f'imported {slow}' if slow else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
