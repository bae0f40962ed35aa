"""`simulacra direction` as a person uses it, on digits and on a stranger's model."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import simulacra as sim
from simulacra.cli.main import main
from simulacra.latent.directions import FOLDER, load
from simulacra.run import Run

FLOW = Path(__file__).parents[2] / "examples" / "flow.py"


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    few = ["--steps", "3"]
    assert main(["train", "pca", "--data", "digits", "--latent-dim", "16", "--out", str(folder / "pca")]) == 0
    classifier = ["train", "classifier", "--data", "digits", "--steps", "150"]
    assert main([*classifier, "--out", str(folder / "classifier")]) == 0
    assert main(["train", "gan", "--data", "digits", *few, "--out", str(folder / "gan")]) == 0
    assert main(["train", f"{FLOW}:Flow", "--data", "digits", *few, "--out", str(folder / "flow")]) == 0
    return folder


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Digits as files, twice their size and in colour: 12 zeros and 12 ones."""
    folder = tmp_path_factory.mktemp("pictures")
    train = sim.load_data("digits").train
    assert train.y is not None
    for k, name in enumerate(("zero", "one")):
        (folder / name).mkdir()
        for i, x in enumerate(train.x[train.y == k][:12]):
            Image.fromarray(np.kron(x[0], np.ones((2, 2), np.uint8))).convert("RGB").save(
                folder / name / f"{i}.png"
            )
    return folder


def answer(words: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    capsys.readouterr()
    code = main(words)
    out, err = capsys.readouterr()
    return code, out, err


def test_from_nothing_to_a_table(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = str(runs / "pca")
    assert answer(["direction", run], capsys)[1].startswith(f"no directions in {run}; find one")
    code, out, err = answer(["direction", run, "--attribute", "0"], capsys)
    assert (code, err) == (0, "")
    head, row = out.splitlines()
    assert head.split("  ")[0] == "name"
    assert row.split()[:3] == ["0", "z", "means"]
    assert "20 + 20" in row
    assert "degrees" in row
    code, out, _ = answer(["direction", run, "--attribute", "1", "--method", "logistic", "--json"], capsys)
    (one,) = json.loads(out)["directions"]
    assert out.count("\n") == 1
    assert one["details"]["held_out_accuracy"]["value"] > 0.8
    assert one["current"]
    plus = ["direction", run, "--attribute", "8", "--orthogonal-to", "0, 9", "--name", "eight"]
    assert answer(plus, capsys)[0] == 0
    assert load(Run(run), "eight").details["orthogonal_to"] == ["0", "9"]
    words = ["direction", run, "--compose", "eight - 0.5*0", "--name", "round-ish"]
    assert "sum     eight - 0.5*0" in answer(words, capsys)[1]
    code, out, _ = answer(["direction", run], capsys)
    assert [line.split()[0] for line in out.splitlines()] == ["name", "0", "1", "eight", "round-ish"]
    assert "8, orthogonal to 0, 9" in out
    listed = json.loads(answer(["direction", run, "--json"], capsys)[1])
    assert [one["name"] for one in listed["directions"]] == ["0", "1", "eight", "round-ish"]
    # a damaged one hides no other
    (runs / "pca" / FOLDER / "1.safetensors").write_bytes(b"x")
    code, out, _ = answer(["direction", run], capsys)
    assert code == 0
    assert "damaged" in out.splitlines()[2]
    assert len(out.splitlines()) == 5
    code, out, _ = answer(["runs", "check", run], capsys)
    assert code == 1
    assert [line.split()[0] for line in out.splitlines() if "damaged" in line] == [f"{FOLDER}/1.safetensors"]
    # and is replaced
    assert answer(["direction", run, "--attribute", "1"], capsys)[0] == 1
    assert answer(["direction", run, "--attribute", "1", "--overwrite"], capsys)[0] == 0


def test_files_with_and_without(runs: Path, pictures: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = str(runs / "pca")
    files = sorted(map(str, (pictures / "zero").iterdir()))
    words = ["direction", run, "--with", *files, "--without", str(pictures / "one"), "--name", "zero-files"]
    code, out, err = answer(words, capsys)
    assert (code, err) == (0, "")
    assert "12 + 12" in out
    found = load(Run(run), "zero-files")
    assert found.details["held_out_accuracy"]["measured_on"] == "cross-validation"
    assert found.details["held_out_accuracy"]["value"] > 0.9
    few = ["direction", run, "--with", *files[:2], "--without", str(pictures / "one"), "--name", "few"]
    code, out, err = answer(few, capsys)
    assert code == 0
    assert "comes from 2 + 12 examples; take 10 or more of each kind" in err
    assert out.splitlines()[1].split()[-1] == "-"
    assert "degrees" not in out
    code, out, err = answer([*words[:-1], "one", "--with", files[0]], capsys)
    assert (code, out) == (1, "")
    assert "there is 1 example with it; at least 2 of each kind are needed" in err


def test_models_without_an_encoder(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    gan, classifier = str(runs / "gan"), str(runs / "classifier")
    code, out, err = answer(["direction", gan, "--attribute", "3"], capsys)
    assert (code, out) == (1, "")
    assert err.count("\n") == 1
    assert "has no encoder" in err
    assert "--classifier" in err
    code, out, err = answer(["direction", gan, "--classifier", classifier], capsys)
    assert code == 1
    assert "'class' has 10 values; choose one, e.g. 'class=0'" in err
    for run in (gan, str(runs / "flow")):
        code, out, err = answer(["direction", run, "--unlabelled", "sefa", "--components", "2"], capsys)
        assert (code, err) == (0, "")
        assert [line.split()[0] for line in out.splitlines()] == ["name", "sefa-1", "sefa-2"]
        # they come from the weights, not from examples
        assert "2,000" not in out
    code, out, _ = answer(["direction", gan, "--unlabelled", "pca", "--name", "change"], capsys)
    assert code == 0
    assert len(out.splitlines()) == 11
    assert "change-10" in out
    assert "2,000" in out
    # all or none
    for k in (1, 3):
        (runs / "gan" / FOLDER / f"change-{k}.safetensors").unlink()
    code, out, err = answer(["direction", gan, "--unlabelled", "pca", "--name", "change"], capsys)
    assert (code, out) == (1, "")
    assert "has a direction 'change-2' already" in err
    assert not (runs / "gan" / FOLDER / "change-1.safetensors").exists()
    code, out, err = answer(["direction", classifier, "--attribute", "3"], capsys)
    assert code == 1
    assert "a Classifier has no latent space" in err


def test_a_classifier_labels_samples(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["direction", str(runs / "pca"), "--classifier", str(runs / "classifier"), "--attribute", "0"]
    assert answer([*words, "--name", "zeros", "--examples", "30"], capsys)[0] == 0
    found = load(Run(runs / "pca"), "zeros")
    assert found.details["data"] == "samples"
    assert found.details["classifier"] == str(runs / "classifier")
    assert found.details["examples"] == {"with": 30, "without": 30}


def test_layers_of_a_stylegan(runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = str(tmp_path / "run")
    words = ["train", "stylegan", "--data", "digits", "--steps", "2", "--width", "4", "--out", run]
    assert answer(words, capsys)[0] == 0
    sefa = ["direction", run, "--unlabelled", "sefa", "--components", "1"]
    code, out, err = answer([*sefa, "--layers", "middle", "--name", "stroke"], capsys)
    assert (code, err) == (0, "")
    assert out.splitlines()[1].split()[:3] == ["stroke-1", "w+", "sefa"]
    assert "of A^T A at layers 1-3" in out
    assert answer(sefa, capsys)[0] == 0
    words = ["direction", run, "--compose", "sefa-1", "--layers", "coarse", "--name", "pose"]
    assert "sefa-1 at layers 0" in answer(words, capsys)[1]
    edit = ["edit", run, "--seeds", "1,2", "--strength", "0,3", "--out"]
    pose, whole = tmp_path / "pose.npz", tmp_path / "whole.npz"
    assert answer([*edit, str(pose), "--direction", "pose"], capsys)[0] == 0
    words = [*edit, str(whole), "--direction", "sefa-1", "--layers", "coarse"]
    assert answer(words, capsys)[0] == 0
    with np.load(pose) as a, np.load(whole) as b:
        assert np.array_equal(a["x"], b["x"])
        assert not np.array_equal(a["x"][:, 0], a["x"][:, 1])
    # at truncation 0 all samples are one
    words = [*edit, str(tmp_path / "mean.npz"), "--direction", "sefa-1", "--truncation", "0"]
    assert answer(words, capsys)[0] == 0
    with np.load(tmp_path / "mean.npz") as mean:
        assert np.array_equal(mean["x"][0], mean["x"][1])
    walk = ["interpolate", run, "--seeds", "1,2", "--space", "w+", "--truncation", "0", "--out"]
    assert answer([*walk, str(tmp_path / "walk.npz")], capsys)[0] == 0
    with np.load(tmp_path / "walk.npz") as still:
        assert (still["x"] == still["x"][:1]).all()
    # what layers decide, as a classifier sees it
    measure = ["evaluate", run, "--metrics", "layers", "--classifier", str(runs / "classifier"), "--json"]
    code, out, _ = answer(measure, capsys)
    assert code == 0
    numbers = json.loads(out)
    assert numbers["style_layers"]["resolutions"] == [4, 8, 8, 8]
    assert set(numbers["columns"][numbers["style_layers"]["attributes"][0]]) == {
        "style_coarse",
        "style_middle",
    }
    new = [*sefa, "--name", "new"]
    for words, message in (
        ([*new, "--layers", "coarsest"], "layers: cannot read 'coarsest'"),
        ([*new, "--layers", "fine"], "layers: cannot read 'fine'"),
        ([*new, "--space", "z"], "use --unlabelled pca"),
        ([*edit, "x.npz", "--direction", "pose", "--truncation", "nan"], "truncation: must be a finite"),
        (["edit", run, "--data", "digits", "--direction", "pose", "--truncation", "1", "--out", "x.npz"],
            "truncation: is that of samples; add --seeds"),
    ):  # fmt: skip
        code, out, err = answer(words, capsys)
        assert (code, out) == (2, "")
        assert message in err


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        ("--attribute tree", 1, "there is no attribute 'tree'"),
        ("--attribute 3 --data digits@test", 1, "leave '@test' out"),
        ("--attribute 3 --data wine", 1, "wine"),
        ("--attribute 3 --name ../x", 2, "name: a direction cannot be called '../x'"),
        ("--attribute 3 --examples 0", 2, "examples: must be a whole number, at least 1"),
        ("--attribute 3 --orthogonal-to tree", 2, "'tree' is no saved direction"),
        ("--attribute 3 --components 3", 2, "--components: cannot be combined with --attribute"),
        ("--attribute 3 --unlabelled pca", 2, "--attribute: cannot be combined with --unlabelled"),
        ("--examples 20", 2, "--examples: needs --attribute"),
        ("--with a.png", 2, "--without is missing, which --with needs"),
        ("--with a.png --without b.png", 2, "--name is missing, which --with needs"),
        ("--with a.png --without a.png --name x", 2, "a.png: is given --with and --without"),
        ("--with a.png --without b.png --name x", 1, "a.png"),
        ("--compose smile", 2, "--name is missing, which --compose needs"),
        ("--compose smile --name x", 1, "there is no direction 'smile'"),
        ("--unlabelled ica", 2, "--unlabelled: unknown 'ica', did you mean 'pca'?"),
        ("--unlabelled sefa --space w", 2, "space: unknown 'w'"),
        ("--attribute 3 --channels 2", 2, "--channels: is for --method channels"),
        ("--unlabelled sefa --layers coarse", 1, "layers: this PCA has no styles"),
        ("--layers coarse", 2, "--layers: needs --attribute"),
        ("--classifier nowhere", 1, "no run here"),
        ("--atribute 3", 2, "did you mean --attribute?"),
    ],
)
def test_mistakes_are_one_line_and_leave_nothing(
    runs: Path, words: str, code: int, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    run = runs / "pca"
    before = sorted(run.rglob("*"))
    found, out, err = answer(["direction", str(run), *words.split()], capsys)
    assert (found, out) == (code, "")
    assert message in err
    assert err.count("\n") == 1
    assert sorted(run.rglob("*")) == before
