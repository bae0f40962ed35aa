"""The launcher of commands, small data of each kind, and a generator."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from PIL import Image

from simulacra.data.spec import DataSpec
from tests.models.generator_run import generator_run
from tests.survival.launcher import Launcher


@pytest.fixture(scope="module")
def launcher(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Launcher]:
    """A launcher whose folder has data: pictures in classes, in pairs and of two domains, a table, a run."""
    folder = tmp_path_factory.mktemp("survival") / "place"
    rng = np.random.default_rng(0)
    for name in ("classes/dark", "classes/bright", "pairs/A", "pairs/B", "unpaired/A", "unpaired/B"):
        (folder / "data" / name).mkdir(parents=True)
        for i in range(16):
            picture = rng.integers(0, 256, (32, 32, 3), np.uint8)
            Image.fromarray(picture).save(folder / "data" / name / f"{i:02}.png")
    rows = [f"{i % 50 / 50},{'red' if i % 3 else ''},{i * i % 7},{'ab'[i % 2]}" for i in range(120)]
    (folder / "data" / "table.csv").write_text("p,colour,k,y\n" + "\n".join(rows) + "\n")
    generator_run(folder / "data" / "gan", DataSpec("image", (1, 8, 8)), latent_dim=3, hidden=(8,))
    classes = DataSpec("image", (1, 8, 8), ("a", "b"))
    generator_run(folder / "data" / "classifier", classes, "classifier", net="conv", width=4, hidden=(8,))
    modules = ("lightning_fabric", "sklearn.datasets", "simulacra.cli.train", "simulacra.engine.loop")
    with Launcher(folder, "simulacra.cli.main", *modules) as launcher:
        yield launcher
