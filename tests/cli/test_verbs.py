"""Every verb as a person uses it: on digits, from nothing to numbers and pictures."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from simulacra.cli.main import VERBS, main

TRAIN = ["--data", "digits", "--steps", "30", "--latent-dim", "2"]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    for model in ("vae", "autoencoder", "pca"):
        assert main(["train", model, *TRAIN, "--out", str(folder / model)]) == 0
    return folder


def size(picture: Path) -> tuple[int, int]:
    with Image.open(picture) as image:
        return image.size


def test_sample_a_grid_a_folder_and_an_archive(runs: Path, tmp_path: Path) -> None:
    run = str(runs / "vae")
    assert main(["sample", run, "-n", "9", "--out", str(tmp_path / "grid.png")]) == 0
    assert size(tmp_path / "grid.png") == (3 * 32 + 4 * 2, 3 * 32 + 4 * 2)
    assert main(["sample", run, "-n", "3", "--out", str(tmp_path / "folder")]) == 0
    assert [f.name for f in sorted((tmp_path / "folder").iterdir())] == [
        "00000.png",
        "00001.png",
        "00002.png",
    ]
    assert size(tmp_path / "folder" / "00000.png") == (8, 8)
    assert main(["sample", run, "-n", "5", "--out", str(tmp_path / "x.npz")]) == 0
    first = np.load(tmp_path / "x.npz")["x"]
    assert first.shape == (5, 1, 8, 8)
    assert 0 <= first.min() < first.max() <= 1
    main(["sample", run, "-n", "5", "--seed", "0", "--out", str(tmp_path / "same.npz")])
    main(["sample", run, "-n", "5", "--seed", "1", "--out", str(tmp_path / "other.npz")])
    assert np.array_equal(first, np.load(tmp_path / "same.npz")["x"])
    assert not np.array_equal(first, np.load(tmp_path / "other.npz")["x"])


@pytest.mark.parametrize("model", ["vae", "autoencoder", "pca"])
def test_reconstruct_and_evaluate(
    runs: Path, tmp_path: Path, model: str, capsys: pytest.CaptureFixture[str]
) -> None:
    run = str(runs / model)
    assert (
        main(["reconstruct", run, "--data", "digits@validation", "-n", "4", "--out", str(tmp_path / "p.npz")])
        == 0
    )
    assert np.load(tmp_path / "p.npz")["x"].shape == (8, 1, 8, 8)
    capsys.readouterr()
    assert main(["evaluate", run, "--importance-samples", "10", "--json"]) == 0
    out, _ = capsys.readouterr()
    numbers = json.loads(out)
    assert out.count("\n") == 1
    assert numbers["data"] == "digits@test"
    assert {"mse", "psnr", "ssim", "active_units", "knn_accuracy", "linear_probe_accuracy"} <= set(numbers)
    assert ("nll" in numbers) == (model != "autoencoder")
    if model == "vae":
        assert -numbers["nll"] > numbers["elbo"]
        assert numbers["elbo"] == pytest.approx(numbers["reconstruction"] - numbers["kl"], abs=1e-3)
    events = [json.loads(line) for line in (runs / model / "metrics.jsonl").read_text().splitlines()]
    assert events[-1]["event"] == "evaluation"


def test_evaluate_only_what_is_asked(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert (
        main(["evaluate", str(runs / "vae"), "--metrics", "reconstruction", "--examples", "5", "--json"]) == 0
    )
    numbers = json.loads(capsys.readouterr().out)
    assert numbers["examples"] == 5
    assert set(numbers) == {"run", "data", "examples", "seed", "mse", "psnr", "ssim", "sharpness"}


def test_report_prints_where_it_is(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", str(runs / "vae")]) == 0
    path = Path(capsys.readouterr().out.strip().removeprefix("report: "))
    assert path.name == "report.html"
    assert path.is_file()
    assert (runs / "vae" / "MODEL_CARD.md").is_file()


def test_recipe_list_and_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["recipe"]) == 0
    listed = capsys.readouterr().out
    for name in ("digits-vae", "mnist-vae", "mnist-vae-2d", "mnist-vae-best", "smiles-autoencoder"):
        assert name in listed
    out = tmp_path / "demo"
    assert main(["recipe", "digits-vae", "--steps", "20", "--out", str(out)]) == 0
    assert f"report: {out / 'report.html'}" in capsys.readouterr().out
    assert (out / "report.html").is_file()


def test_every_recipe_parses() -> None:
    from simulacra.cli.recipe import commands, recipes, trainings

    for name, recipe in recipes().items():
        (model, parsed), *variants = trainings(name, recipe, [])
        assert model == recipe["model"], name
        assert parsed.run.out == Path("runs") / name
        expected = [Path("runs") / f"{name}-{variant}" for variant in recipe.get("variants", {})]
        assert [arguments.run.out for _, arguments in variants] == expected
        assert set(recipe) <= {"summary", "model", "train", "variants", "evaluate", "then"}
        # a recipe that has been run can be run again
        for verb, *words in commands(recipe, Path("run")):
            assert verb in VERBS, name
            assert verb == "train" or "--out" not in words or "--overwrite" in words, name
        # an untrained model has no length of training
        assert parsed.training.steps or parsed.training.epochs or model in ("generator", "pca")


def test_variants_have_the_settings_of_the_recipe_but_for_their_own() -> None:
    from simulacra.cli.recipe import trainings

    recipe = {
        "model": "vae",
        "train": {"data": "digits", "latent_dim": 4, "steps": 9, "seed": 1},
        "variants": {"a": {"latent_dim": 2}, "b": {"model": "autoencoder"}},
    }
    parsed = trainings("name", recipe, ["--steps", "3", "--out", "x"])
    assert [model for model, _ in parsed] == ["vae", "vae", "autoencoder"]
    assert [str(one.run.out) for _, one in parsed] == ["x", "x-a", "x-b"]
    assert [one.model.latent_dim for _, one in parsed] == [4, 2, 4]
    # options of the command line hold for all
    assert {(one.training.steps, one.training.seed) for _, one in parsed} == {(3, 1)}


def test_a_recipe_runs_other_commands_on_its_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from simulacra.cli import recipe

    then = ["sample RUN -n 4 --out RUN/four.png --overwrite", "sample RUN --class 3 --out RUN/x.png"]
    settings = {"data": "digits", "steps": 10, "latent_dim": 2}
    of = {"summary": "", "model": "vae", "train": settings, "then": then}
    monkeypatch.setattr(recipe, "recipes", lambda: {"mine": of})
    out = tmp_path / "my run"
    for _ in range(2):
        # the second command is refused, with its own message and before the report
        assert main(["recipe", "mine", "--out", str(out)]) == 1
        assert size(out / "four.png") == (70, 70)
        assert "not conditioned on classes" in capsys.readouterr().err
        assert not (out / "report.html").exists()


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ("nonsense", 2, "unknown verb 'nonsense'"),
        ("trian vae", 2, "did you mean 'train'"),
        ("train", 2, "name a model first"),
        ("train vea --data digits", 2, "did you mean 'vae'"),
        ("train vae --data digitz", 1, "did you mean 'digits'"),
        ("train vae --data digits --lr -1", 2, "lr: must be above 0"),
        ("train vae --data digits@test --out {tmp}/run", 1, "leave '@test' out"),
        ("recipe digits-vea", 2, "did you mean 'digits-vae'"),
        ("sample {tmp}/none --out x.png", 1, "no run here"),
        ("evaluate {tmp}/none", 1, "no run here"),
        ("report {tmp}/none", 1, "no run here"),
        ("reconstruct {runs}/vae --data digits@tset --out {tmp}/x.png", 1, "did you mean 'test'"),
        ("evaluate {runs}/vae --metrics nlll", 2, "did you mean 'nll'"),
        ("sample {runs}/autoencoder --out {tmp}/x.png", 1, "does not sample"),
        ("sample {runs}/vae --out {tmp}/x.jpg", 2, "give a .png"),
        ("sample {runs}/vae --truncation low --out {tmp}/x.png", 2, "takes numbers with commas between"),
        ("sample {runs}/vae --truncation 1,0 --out {tmp}/x.npz", 2, "several are drawn as one .png"),
        ("train vae --data digits --betas 0.9 1 --out {tmp}/b", 2, "betas"),
        ("reconstruct {runs}/vae -n 0 --out {tmp}/x.png", 2, "at least 1"),
        ("evaluate {runs}/vae --examples 0", 2, "at least 1"),
        ("sample {runs}/vae -n 0 --out {tmp}/x.png", 2, "at least 1"),
        ("train vae --data digits --out {tmp}/file", 1, "is a file"),
        ("train vae --data digits --device cuda --out {tmp}/cuda", 2, "not available"),
    ],
)
def test_bad_input_gets_a_plain_line(
    runs: Path, tmp_path: Path, words: str, code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("mine")
    assert main(words.format(tmp=tmp_path, runs=runs).split()) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert said in err
    assert "Traceback" not in err
    assert len(err.strip().splitlines()) <= 2
    assert (tmp_path / "file").read_text() == "mine"


def test_debug_shows_the_traceback() -> None:
    from simulacra.errors import RunError

    with pytest.raises(RunError):
        main(["sample", "none", "--out", "x.png", "--debug"])


def test_help_names_every_verb(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    out = capsys.readouterr().out
    assert all(verb in out for verb in VERBS)
    assert main([]) == 2


def test_samples_are_judged_by_features_of_choice(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    metrics = ["--metrics", "fid,kid,prdc,is,memorisation", "--json"]
    capsys.readouterr()
    assert main(["evaluate", str(runs / "vae"), *metrics]) == 0
    raw = json.loads(capsys.readouterr().out)
    assert (raw["extractor"], raw["features"], raw["samples"], raw["seed"]) == ("raw", 64, raw["real"], 0)
    assert raw["fid"] > 0
    assert 0 <= raw["precision"] <= 1
    assert "inception_score" not in raw, "numbers know no classes"
    assert main(["evaluate", str(runs / "vae"), "--metrics", "fid", "--features", "nonsense"]) == 2
    assert "nonsense" in capsys.readouterr().err
    # a model that does not sample has nothing to judge
    assert main(["evaluate", str(runs / "autoencoder"), *metrics]) == 2
    printed, wrong = capsys.readouterr()
    assert printed == ""
    assert wrong == "simulacra: metrics: fid, kid, prdc, is, memorisation do not apply to this model\n"


def test_sample_a_class_by_its_name(tmp_path: Path, capsys: pytest.CaptureFixture[str], runs: Path) -> None:
    run = str(tmp_path / "run")
    words = ["--data", "iris", "--steps", "10", "--hidden", "8", "--out", run]
    assert main(["train", "conditional_gan", *words]) == 0
    for name in ("setosa", "virginica"):
        assert main(["sample", run, "--class", name, "-n", "5", "--out", str(tmp_path / f"{name}.npz")]) == 0
    drawn = [np.load(tmp_path / f"{name}.npz")["x"] for name in ("setosa", "virginica")]
    assert drawn[0].shape == (5, 4)
    assert not np.array_equal(*drawn)
    capsys.readouterr()
    assert main(["sample", run, "--class", "setossa", "--out", str(tmp_path / "x.npz")]) == 2
    assert "did you mean 'setosa'" in capsys.readouterr().err
    assert main(["sample", str(runs / "vae"), "--class", "3", "--out", str(tmp_path / "x.png")]) == 1
    assert "this vae is not conditioned on classes; train a conditional_gan" in capsys.readouterr().err
    assert not (tmp_path / "x.npz").exists()
