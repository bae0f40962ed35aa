"""`simulacra audit generator` from the command line, on small runs; and how groups are read."""

import json
from pathlib import Path

import numpy as np
import pytest

import simulacra as sim
from simulacra.audit.generator.group_classifier import (
    EXAMPLES,
    groupings,
    linear,
    pixels,
    predict_all,
    training_command,
)
from simulacra.cli.main import main
from simulacra.data import Options, load
from simulacra.data.images.attributes import with_classes
from simulacra.data.spec import Dataset, DataSpec
from simulacra.errors import DataError
from tests.pages import standing_alone

FACES = "faces:400,glasses=0.4"
AUDIT = ["--attribute", "glasses", "--samples", "200", "--minimum-n", "10"]
PRESENT = (
    "share.glasses",
    "amplification.glasses",
    "coverage.glasses",
    "reconstruction.glasses",
    "likelihood.glasses",
)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A generator; classifiers of glasses, of smiles, and of another size."""
    folder = tmp_path_factory.mktemp("runs")
    sim.train("pca", FACES, folder / "pca", image_size=32, latent_dim=4)
    few = {"steps": 3, "width": 2, "hidden": (4,)}
    sim.train("classifier", FACES, folder / "glasses", image_size=32, target="glasses", **few)
    sim.train("classifier", FACES, folder / "smiling", image_size=32, target="smiling", **few)
    sim.train("classifier", "faces:60", folder / "large", target="glasses", **few)
    return folder


@pytest.fixture
def here(runs: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(runs)
    return runs


def test_the_whole_audit(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["audit", "generator", "pca", *AUDIT, "--truncation", "0.5"]
    assert main(command) == 0
    printed = capsys.readouterr().out
    out = here / "pca" / "audits" / "generator"
    text = (out / "audit.html").read_bytes()
    page = standing_alone(text.decode())
    document = json.loads((out / "findings.json").read_text())
    assert [section["about"] for section in document["sections"]] == [
        "data", "predictions", "generator", "generator", "generator", "generator",
    ]  # fmt: skip
    findings = {f["name"]: f for section in document["sections"] for f in section["findings"]}
    assert set(findings) == {
        "data.glasses", "classifier.glasses", *PRESENT, "precision.glasses", "recall.glasses",
        "truncation.glasses", "truncation.coverage", "memorised", "copies",
    }  # fmt: skip
    for name, f in findings.items():
        assert name in page.ids
        assert f["sentence"] in printed
        assert f["plot"] is not None or f["verdict"] == "withheld"
        assert "{" not in f["sentence"] + f["does_not_show"]
    # a linear classifier, and pictures of what it reads, and of who is closest
    assert "a linear classifier, of" in page.words
    for plot in ("plot-shares-glasses-read", "plot-memorised-pairs"):
        assert plot in page.ids
    assert "train classifier --data faces:400,glasses=0.4 --target glasses --image-size 32" in page.words
    card = (here / "pca" / "MODEL_CARD.md").read_text()
    assert "### Who is generated: glasses" in card
    # the same again
    assert main([*command, "--json", "--fail-on", "share.glasses:data>0.9"]) == 0
    again = json.loads(capsys.readouterr().out)
    assert again.pop("gates")[0]["passed"] is True
    assert document.pop("gates") == []
    assert again == document


def test_a_classifier_of_ones_own(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert (
        main(["audit", "generator", "pca", *AUDIT, "--classifier", "glasses", "--features", "glasses"]) == 0
    )
    document = json.loads((here / "pca" / "audits" / "generator" / "findings.json").read_text())
    assert document["inputs"]["classifier"] == "glasses"
    # to be published
    assert main(["audit", "generator", "pca", *AUDIT, "--no-pairs"]) == 0
    page = standing_alone((here / "pca" / "audits" / "generator" / "audit.html").read_text())
    assert "plot-memorised-distances" in page.ids
    assert "plot-memorised-pairs" not in page.ids
    assert document["inputs"]["features"].startswith("classifier ")
    both = "glasses,smiling"
    assert (
        main(["audit", "generator", "pca", *AUDIT, "--attribute", both, "--classifier", both, "--json"]) == 0
    )
    capsys.readouterr()
    document = json.loads((here / "pca" / "audits" / "generator" / "findings.json").read_text())
    names = {f["name"]: f for section in document["sections"] for f in section["findings"]}
    assert {"share.glasses", "share.smiling", "share.glasses-smiling"} <= set(names)
    crossed = [key for key in names["data.glasses-smiling"]["more"] if key.startswith("group.")]
    assert sorted(crossed) == [
        "group.glasses-smiling", "group.glasses-without-smiling",
        "group.without-glasses-smiling", "group.without-glasses-without-smiling",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ("none --attribute glasses", 1, "no run here"),
        ("glasses --attribute glasses", 1, "this classifier does not sample"),
        ("pca --attribute glases", 1, "unknown attribute 'glases', did you mean 'glasses'?"),
        ("pca --attribute skin_tone", 1, "split them in two, e.g. 'skin_tone>="),
        ("pca --attribute class", 1, "the data have no classes"),
        ("pca --attribute glasses,glasses", 2, "names an attribute twice"),
        ("pca --attribute glasses --classifier smiling", 2, "smiling was not trained on the group"),
        ("pca --attribute glasses --classifier large", 2, "takes examples of shape (3, 64, 64)"),
        ("pca --attribute glasses --classifier pca", 1, "a pca has no classes; train a classifier: "),
        ("pca --attribute glasses --classifier none", 1, "no run here"),
        ("pca --attribute glasses,smiling --classifier glasses", 2, "1 for 2 attributes"),
        ("pca --attribute glasses --truncation half", 2, "write 0.5,0.7,1"),
        ("pca --attribute glasses --truncation 1", 2, "write 0.5,0.7,1"),
        ("pca --attribute glasses --samples 5", 2, "samples: must be at least 100"),
        ("pca --attribute glasses --features rwa", 2, "extractor: unknown 'rwa', did you mean 'raw'?"),
        ("pca --attribute glasses --data digits", 1, "digits: the data have no attributes"),
        ("pca --attribute glasses --out other", 2, "leave --out out"),
    ],
)  # fmt: skip
def test_plain_words(
    words: str, code: int, said: str, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["audit", "generator", *words.split()]) == code
    err = capsys.readouterr().err
    assert said in err
    assert err.count("\n") <= 1


def test_tables_with_classes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    sim.train("pca", "iris", "flowers", latent_dim=2)
    words = ["audit", "generator", "flowers", "--attribute", "class", "--samples", "300", "--minimum-n", "5"]
    assert main(words) == 0
    assert "of 100 samples" in capsys.readouterr().out
    assert (tmp_path / "flowers" / "audits" / "generator" / "audit.html").is_file()


def test_groups_cross() -> None:
    data = load("faces:200", Options(image_size=32))
    one, other, both = groupings(data, ["glasses", "smiling"], [], None, "faces:200", "train")
    assert both.name == "glasses & smiling"
    assert both.groups[1] == "without glasses & smiling"
    assert np.array_equal(both.train, 2 * one.train + other.train)
    assert np.array_equal(both.held_out_predicted, 2 * one.held_out_predicted + other.held_out_predicted)
    x = data.test.x
    each = predict_all([one, other, both], x)
    assert np.array_equal(each[2], both.predict(x))
    assert np.array_equal(each[2], 2 * each[0] + each[1])
    assert both.confusions.sum() == len(data.validation) + len(data.test)
    smiling = with_classes(data, "smiling")
    assert smiling.train.y is not None
    assert np.array_equal(other.train, smiling.train.y)


def test_a_linear_classifier_reads() -> None:
    data = with_classes(load("faces:1500,glasses=0.5", Options(image_size=64)), "glasses")
    assert pixels(data.test.x).shape[1] == 3 * 32 * 32
    read = linear(data.train, None)(data.test.x)
    assert (read == data.test.y).mean() > 0.9
    one = Dataset(DataSpec("vector", (2,), ("a", "b")), np.zeros((9, 2), np.float32), np.zeros(9, np.int64))
    with pytest.raises(DataError, match="of one group only"):
        linear(one, None)
    assert EXAMPLES > 1


def test_the_command_that_trains_a_classifier() -> None:
    spec = DataSpec("image", (3, 64, 64))
    assert training_command("folder:a b.zip@train", "age>=60", spec) == (
        "simulacra train classifier --data 'folder:a b.zip' --target 'age>=60' --image-size 64 --channels 3 "
        "--out 'runs/age>=60'"
    )
    assert "--target" not in training_command("iris", "class", DataSpec("vector", (4,)))
