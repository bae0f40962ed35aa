"""`simulacra project`, and what `edit` and `interpolate` make of its folder, as a person calls them."""

from __future__ import annotations

import shutil
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import simulacra as sim
from simulacra import tensors
from simulacra.cli.main import main
from simulacra.core.batch import to_bytes
from simulacra.latent import directions
from simulacra.latent.directions import Direction
from simulacra.latent.tuning import apply, tune
from simulacra.run import Run
from simulacra.tasks.picture_files import RECORD
from simulacra.tasks.project import LATENTS, PAIRS, TUNING, load, read


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    sim.train("gan", "digits", folder / "gan", latent_dim=4, steps=2)
    sim.train("vae", "digits", folder / "vae", latent_dim=4, steps=2)
    sim.train("conditional_gan", "digits", folder / "conditional", latent_dim=4, steps=2)
    sim.train("pca", "iris", folder / "iris", latent_dim=2)
    sim.train("stylegan", "digits", folder / "stylegan", image_size=8, latent_dim=4, width=4, steps=2)
    for name, space in (("gan", "z"), ("stylegan", "w")):
        vector = torch.tensor([0.5, -0.5, 0.25, 0.0])
        directions.save(Run(folder / name), Direction("more", space, vector, "means"))
    return folder


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("simulacra.latent.project.DRAWS", 8)
    monkeypatch.setattr("simulacra.tasks.project.tune", partial(tune, steps=5))


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Three digits, of the model's size, larger, and larger in one direction."""
    x = sim.load_data("digits").test.x[:3, 0]
    folder = tmp_path / "in"
    (folder / "more").mkdir(parents=True)
    for image, name, size in zip(
        x, ("a.png", "b.bmp", "more/c.png"), (None, (16, 16), (20, 12)), strict=True
    ):
        one = Image.fromarray(image)
        (one if size is None else one.resize(size)).save(folder / name)
    return folder


def files(folder: Path) -> list[str]:
    return sorted(file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file())


def pixels(file: Path) -> np.ndarray:
    with Image.open(file) as image:
        return np.asarray(image.convert("L"))


def test_a_folder_has_latents_and_a_picture_for_each_image(
    runs: Path, pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run, out = runs / "gan", tmp_path / "out"
    assert main(["project", str(run), str(pictures), "--steps", "3", "--out", str(out)]) == 0
    said, wrong = capsys.readouterr()
    assert said.startswith(f"{out}\n3 images projected into z; PSNR ")
    assert said.endswith(" (medians)\n")
    assert "the model takes 8x8 pixels; 2 images of another size were resized; of 1 only" in wrong
    assert files(out) == [RECORD, "a.png", "b.bmp", LATENTS, "more/c.png", PAIRS]
    model, images = load(out, Run(run))
    assert images.names == ("a.png", "b.bmp", "more/c.png")
    assert images.projection.latents.shape == (3, 4)
    y = to_bytes(model.decode(images.projection.latents).mean)
    assert np.array_equal(pixels(out / "a.png"), y[0, 0])
    # around the middle square there is the original
    assert pixels(out / "more" / "c.png").shape == (12, 20)
    assert np.array_equal(pixels(out / "more" / "c.png")[:, :4], pixels(pictures / "more" / "c.png")[:, :4])
    assert pixels(out / PAIRS).shape == (36, 6 * 34 + 2)


def test_the_same_command_goes_on_to_the_same_bytes(
    runs: Path,
    pictures: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("simulacra.tasks.project.BATCH", 1)
    words = ["project", str(runs / "gan"), str(pictures), "--steps", "2", "--tune", "--out"]
    whole, out = tmp_path / "whole", tmp_path / "out"
    assert main([*words, str(whole)]) == 0
    from simulacra.tasks.project import optimise

    calls = []

    def stopped(*args: Any, **kwargs: Any) -> Any:
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return optimise(*args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr("simulacra.tasks.project.optimise", stopped)
        assert main([*words, str(out)]) == 130
    assert f"interrupted: 2 of 3 images are projected, in {out}; run the same" in capsys.readouterr().err
    assert files(out) == [RECORD, LATENTS]
    # not tuned yet
    assert (
        main(["edit", str(runs / "gan"), "--projected", str(out), "--direction", "more", "--out", "e"]) == 1
    )
    assert "the weights are not tuned yet" in capsys.readouterr().err
    assert main([*words, str(out)]) == 0
    assert files(out) == files(whole)
    assert [name for name in files(out) if (out / name).read_bytes() != (whole / name).read_bytes()] == []
    # a call again makes nothing, and more images are others' weights
    monkeypatch.setattr("simulacra.tasks.project.optimise", None)
    assert main([*words, str(out)]) == 0
    (pictures / "a.png").unlink()
    assert main([*words, str(out)]) == 1
    assert "holds projections by other weights or settings; choose another" in capsys.readouterr().err


def test_more_images_are_added_and_others_kept(
    runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    words = ["project", str(runs / "gan"), "--data", "digits", "--steps", "2", "--out", str(out), "-n"]
    assert main([*words, "2"]) == 0
    before = read(out)
    assert main([*words, "3"]) == 0
    after = read(out)
    assert before is not None
    assert after is not None
    assert after.names[:2] == before.names
    assert torch.equal(after.projection.latents[:2], before.projection.latents)
    assert main([*words, "2", "--seed", "1"]) == 1
    assert main([*words, "2", "--seed", "1", "--overwrite"]) == 0
    changed = read(out)
    assert changed is not None
    assert changed.names == before.names
    assert not torch.equal(changed.projection.latents, before.projection.latents)


def test_tuned_weights_are_the_models_with_a_small_delta(
    runs: Path, pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run, out = runs / "gan", tmp_path / "out"
    assert main(["project", str(run), str(pictures), "--steps", "2", "--tune", "--out", str(out)]) == 0
    assert "; with tuned weights PSNR " in capsys.readouterr().out
    assert (out / TUNING).stat().st_size < 2**20
    tuned, images = load(out, Run(run))
    expected: Any = apply(sim.load(run), tensors.read(out / TUNING)[0])
    assert torch.equal(
        tuned.decode(images.projection.latents).mean, expected.decode(images.projection.latents).mean
    )
    assert not torch.equal(
        tuned.decode(images.projection.latents).mean,
        sim.load(run).decode(images.projection.latents).mean,
    )
    edits = tmp_path / "edits"
    words = ["edit", str(run), "--projected", str(out), "--direction", "more", "--strength"]
    assert main([*words, "0", "--out", str(edits)]) == 0
    for name in ("a.png", "b.bmp", "more/c.png"):
        assert np.array_equal(pixels(edits / name), pixels(out / name))
    assert main([*words, "-1..1", "--steps", "3", "--out", str(tmp_path / "strip.png")]) == 0
    assert pixels(tmp_path / "strip.png").shape[1] == 3 * 34 + 2
    path = tmp_path / "path"
    assert main(["interpolate", str(run), "--projected", str(out), "--steps", "2", "--out", str(path)]) == 0
    assert np.array_equal(pixels(path / "00000.png"), pixels(out / "a.png"))
    assert len(files(path)) == 3


def test_latents_and_noise_of_a_stylegan(
    runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run, out = runs / "stylegan", tmp_path / "out"
    words = ["project", str(run), "--data", "digits", "-n", "2", "--steps", "2", "--space", "w+", "--noise"]
    assert main([*words, "--out", str(out)]) == 0
    said = capsys.readouterr().out
    assert "2 images projected into w+; PSNR " in said
    assert "; with the model's own noise maps PSNR " in said
    _, images = load(out, Run(run))
    assert len(images.projection.noise) == len(sim.load(run).fixed_noise)
    # a direction of w is the same in each layer of w+
    edits = tmp_path / "edits"
    words = ["edit", str(run), "--projected", str(out), "--direction", "more", "--strength"]
    assert main([*words, "0", "--out", str(edits)]) == 0
    for name in images.names:
        assert np.array_equal(pixels(edits / name), pixels(out / name))


def test_a_start_by_an_encoder_and_a_class(
    runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("simulacra.latent.project.RATE", 0.0)
    few = ["--data", "digits", "-n", "2", "--steps", "1"]
    out = tmp_path / "out"
    assert main(["project", str(runs / "gan"), *few, "--encoder", str(runs / "vae"), "--out", str(out)]) == 0
    encoder: Any = sim.load(runs / "vae")
    images = read(out)
    assert images is not None
    z = encoder.encode(sim.load_data("digits").test.x[:2]).mean
    assert torch.allclose(images.projection.latents, z, atol=1e-6)
    words = ["project", str(runs / "conditional"), *few, "--class", "3", "--out", str(tmp_path / "three")]
    assert main(words) == 0
    model, _ = load(tmp_path / "three", Run(runs / "conditional"))
    assert type(model).__name__ == "OfClass"


def test_projections_by_other_weights_are_refused(
    runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, run = tmp_path / "out", tmp_path / "run"
    shutil.copytree(runs / "gan", run)
    assert main(["project", str(run), "--data", "digits", "-n", "1", "--steps", "1", "--out", str(out)]) == 0
    weights, notes = tensors.read(run / "model.safetensors")
    tensors.write(run / "model.safetensors", {name: value + 1 for name, value in weights.items()}, notes)
    assert main(["interpolate", str(run), "--projected", str(out), "--out", str(tmp_path / "x.png")]) == 1
    assert "holds projections by other weights than those of" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        ("project {runs}/gan --out {out}", 2, "inputs: name images or folders, or a source with --data"),
        ("project {runs}/gan --data digits -n 0 --out {out}", 2, "n: the number of examples"),
        ("project {runs}/gan --data digits --steps 0 --out {out}", 2, "steps: must be at least 1"),
        ("project {runs}/gan --data digits --seed -1 --out {out}", 2, "seed: must be 0 or more"),
        ("project {runs}/gan --data digits --tune --noise --out {out}", 2, "leave --noise or --tune out"),
        ("project {runs}/gan --data digits --noise --out {out}", 1, "has no styles"),
        ("project {runs}/gan --data digits --space w --out {out}", 2, "space: unknown 'w'"),
        ("project {runs}/gan --data digits --out {out}/x.png", 2, "as a file; give a folder"),
        ("project {runs}/gan nothing.png --out {out}", 1, "nothing.png"),
        ("project {runs}/conditional --data digits --out {out}", 2, "choose one with --class: 0, 1"),
        ("project {runs}/gan --data digits --class 3 --out {out}", 1, "is not conditioned on classes"),
        ("project {runs}/iris --data iris --out {out}", 1, "was trained on vectors, not on images"),
        ("project {runs}/gan --data digits --encoder {runs}/gan --out {out}", 1, "has no encoder"),
        ("project {runs}/stylegan --data digits --encoder {runs}/vae --out {out}", 2, "encodes into z (4,)"),
        ("edit {runs}/gan --projected {out} --direction more --out {out}/e", 1, "has no projections; make"),
        ("edit {runs}/gan x.png --direction more --out {out}/e", 1, "simulacra project "),
        ("interpolate {runs}/gan --projected {out} --seeds 1,2 --out {out}/e", 2, "cannot be combined"),
    ],
)
def test_wrong_calls(
    words: str, code: int, message: str, runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words.format(runs=runs, out=tmp_path / "out").split()) == code
    said, wrong = capsys.readouterr()
    assert message in wrong
    assert said == ""
    assert wrong.count("\n") <= 2
    assert not (tmp_path / "out" / LATENTS).exists()


def test_an_image_of_the_name_of_the_pairs_is_refused(
    runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Image.new("L", (8, 8)).save(tmp_path / PAIRS)
    words = ["project", str(runs / "gan"), str(tmp_path / PAIRS), "--out", str(tmp_path / "out")]
    assert main(words) == 1
    assert "is called pairs.png, as the picture of all pairs is; rename it" in capsys.readouterr().err
