"""Classes are matched by name; a source that the model was not trained on is whole, without training rows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import simulacra as sim
from simulacra.cli.main import main
from simulacra.data.spec import Dataset
from simulacra.errors import DataError

WORDS = np.array(["box", "diag", "ell"])
rng = np.random.default_rng(0)


def rows(classes: list[int], n: int = 60) -> tuple[np.ndarray, np.ndarray]:
    """Rows around one corner for each class, which are easy to classify."""
    y = np.repeat(classes, n)
    return np.eye(3)[y] * 5 + rng.normal(0, 0.1, (len(y), 3)), y


X, LABELS = rows([0, 1, 2])


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return sim.train("classifier", (X, WORDS[LABELS]), tmp_path_factory.mktemp("a") / "run", steps=60)


def accuracy(model: Any, data: Any) -> tuple[float, int]:
    numbers = sim.evaluate(model, data, metrics=["prediction"])
    return numbers["accuracy"], numbers["examples"]


def test_labels_are_matched_by_name_and_every_row_is_scored(model: Any) -> None:
    x, y = rows([1, 2], 20)
    assert accuracy(model, (x, WORDS[y])) == (1, 40)
    assert accuracy(model, sim.load_data((x, WORDS[y])))[0] == 1
    test = sim.load_data((x, WORDS[y])).test
    assert accuracy(model, test) == (1, len(test))
    # a class that no example has
    spec = sim.load_data((X, np.where(LABELS == 0, "ape", WORDS[LABELS]))).spec
    kept = Dataset(spec, x.astype(np.float32), y.astype(np.int64))
    assert accuracy(model, kept) == (1, 40)


def test_the_arrays_of_the_training_keep_their_splits(model: Any) -> None:
    own = sim.load_data((X, WORDS[LABELS]))
    assert accuracy(model, (X, WORDS[LABELS])) == (1, len(own.test))
    assert sim.evaluate(model, (X, WORDS[LABELS]), "train")["examples"] == len(own.train)


def test_unknown_labels_are_refused(model: Any) -> None:
    x, y = rows([0, 1, 2], 20)
    with pytest.raises(DataError, match=r"hold 'maybe' in 20 rows, and the model knows only 'box', 'diag', "):
        sim.evaluate(model, (x, np.where(y == 2, "maybe", WORDS[y])))
    with pytest.raises(DataError, match=r"hold '0', '1', '2' in 60 rows"):
        sim.evaluate(model, (x, y))
    with pytest.raises(DataError, match=r"no labels; pass \(X, y\)"):
        sim.evaluate(model, x)


def test_models_that_need_no_labels_leave_unknown_ones_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pca = sim.train("pca", (X, WORDS[LABELS]), tmp_path / "run", latent_dim=2)
    x, y = rows([0, 1], 20)
    assert "knn_accuracy" not in sim.evaluate(pca, (x, WORDS[y + 1].astype("U8") + "s"))
    assert "labels are left out: 'diags', 'ells' are not the model's" in capsys.readouterr().err


def photos(folder: Path, classes: list[int], n: int, seed: int = 0) -> Path:
    noise = np.random.default_rng(seed)
    for k in classes:
        (folder / WORDS[k]).mkdir(parents=True)
        for i in range(n):
            image = noise.integers(0, 60, (8, 8), np.uint8)
            image[:, 3 * k : 3 * k + 2] += 180
            Image.fromarray(image).save(folder / WORDS[k] / f"{i}.png")
    return folder


def test_a_folder_with_fewer_classes_is_evaluated_by_name_and_whole(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own, new = photos(tmp_path / "own", [0, 1, 2], 20), photos(tmp_path / "new", [1, 2], 15, 1)
    run = str(tmp_path / "run")
    trained = sim.train("classifier", f"folder:{own}", run, steps=60)

    def numbers(*words: str) -> tuple[dict[str, Any], str]:
        capsys.readouterr()
        assert main(["evaluate", run, *words, "--json"]) == 0
        out, err = capsys.readouterr()
        return json.loads(out), err

    found, _ = numbers("--data", str(new))
    assert (found["accuracy"], found["examples"]) == (1, 30)
    assert sim.evaluate(trained, f"folder:{new}")["examples"] == 30
    assert numbers("--data", f"{new}@validation")[0]["examples"] < 10
    # its own splits by whichever path
    assert numbers("--data", str(own))[0] == numbers()[0]
    # what it was trained on does not count
    train = sim.load_data(f"folder:{own}").train
    (new / "box").mkdir()
    for i in range(4):
        Image.fromarray(train.take(train.y == 0).x[i, 0]).save(new / "box" / f"{i}.png")  # type: ignore[arg-type]  # labelled
    found, said = numbers("--data", str(new))
    assert found["examples"] == 30
    assert "4 of 34 examples are left out: the model was trained on them" in said
    # folders that say what the test is
    for split, seed in (("train", 2), ("test", 3)):
        photos(tmp_path / "split" / split, [0, 1, 2], 5, seed)
    assert numbers("--data", str(tmp_path / "split"))[0]["examples"] == 15
    assert sim.compare({"a": trained, "b": run}, str(new)).examples == 30


def test_frames_are_evaluated_with_the_target_of_the_training(tmp_path: Path) -> None:
    def frame(classes: list[int], n: int) -> pd.DataFrame:
        x, y = rows(classes, n)
        return pd.DataFrame(x, columns=list("abc")).assign(word=WORDS[y])

    own = frame([0, 1, 2], 40)
    model = sim.train("classifier", own, tmp_path / "target", steps=60, target="word")
    new = frame([1, 2], 10)
    assert accuracy(model, new) == (1, 20)
    assert accuracy(model, (new[["a", "b", "c"]], new["word"])) == (1, 20)
    pair = sim.train("classifier", (own[["a", "b", "c"]], own["word"]), tmp_path / "pair", steps=60)
    assert accuracy(pair, (new[["a", "b", "c"]], new["word"])) == (1, 20)
    with pytest.raises(DataError, match=r"no labels; pass \(X, y\)"):
        sim.evaluate(pair, new)
    new.to_csv(tmp_path / "new.csv", index=False)
    assert accuracy(model, f"csv:{tmp_path / 'new.csv'}") == (1, 20)
