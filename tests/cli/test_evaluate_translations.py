"""`simulacra evaluate` of models that translate, as a person types it and reads it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from simulacra.cli.main import main
from simulacra.core.model import Model
from simulacra.run import Run
from tests.metrics.translators import Constant, Hides, Inverts, Varies, images

GRAY = ["--image-size", "8", "--channels", "1"]
SMALL = ["--width", "8", "--patch", "16", "--steps", "1"]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cyclegan between day and night, a classifier of them, and a pix2pix from night to day."""
    folder = tmp_path_factory.mktemp("runs")
    for k, split in enumerate(("train", "validation", "test")):
        for i, night in enumerate(images(k, 20, 0, 100)):
            for name, x in (("night", night), ("day", 255 - night)):
                file = folder / "domains" / split / name / f"{i:02}.png"
                file.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(x[0]).save(file)
    # of images that stand in no split its content decides
    x = images(3, 100, 0, 204)
    np.savez(folder / "pairs.npz", images=x[:, 0], targets=255 - x.transpose(0, 2, 3, 1))
    source = [f"--data=unpaired:{folder / 'domains'}", *GRAY]
    assert (
        main(["train", "cyclegan", *source, *SMALL, "--blocks", "1", "--out", str(folder / "cyclegan")]) == 0
    )
    words = ["--steps", "60", "--batch-size", "20", "--shift", "0"]
    assert main(["train", "classifier", *source, *words, "--out", str(folder / "judge")]) == 0
    words = ["train", "pix2pix", f"--data=npz:{folder / 'pairs.npz'}", *SMALL, "--norm", "instance"]
    assert main([*words, "--out", str(folder / "pix2pix")]) == 0
    return folder


def become(monkeypatch: pytest.MonkeyPatch, path: Path, model: type[Model]) -> None:
    """Let the run at `path` hold a model whose numbers are known."""
    load = Run.load

    def loaded(run: Run, prior: str | None = None) -> Model:
        return model(run.config.spec) if run.path == path else load(run, prior)  # type: ignore[call-arg]

    monkeypatch.setattr(Run, "load", loaded)


def numbers(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, Any]:
    capsys.readouterr()
    assert main(["evaluate", *words, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_a_real_pix2pix(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = runs / "pix2pix"
    found = numbers(capsys, str(run))
    assert {"l1", "psnr", "ssim", "diversity_l1"} <= set(found)
    assert 0 < found["l1"] < 1
    assert found["diversity_l1"] > 0
    # what training looked at, with the same noise
    (*_, look) = Run(run).events("validation")
    validated = numbers(capsys, str(run), "--data", f"npz:{runs / 'pairs.npz'}@validation")
    assert validated["l1"] == pytest.approx(look["loss"], rel=1e-4)


def test_a_real_cyclegan(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = runs / "cyclegan"
    found = numbers(capsys, str(run), "--data", f"unpaired:{runs / 'domains'}@validation")["directions"]
    assert list(found) == ["day to night", "night to day"]
    (*_, look) = Run(run).events("validation")
    # as many images of each
    mean = sum(each["cycle_l1"] for each in found.values()) / 2
    assert mean == pytest.approx(look["loss"], rel=1e-4)
    for each in found.values():
        psnr = each.pop("cycle_psnr")
        assert 0 < psnr < 100
        assert all(0 < value < 1 for value in each.values())


def test_known_pairs(runs: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    become(monkeypatch, runs / "pix2pix", Varies)
    found = numbers(capsys, str(runs / "pix2pix"), "--metrics", "translation,perceptual,kid")
    assert 0.05 < found["l1"] < 0.15
    assert found["best_l1"] < found["diversity_l1"] < found["l1"] < found["targets_l1"]
    assert {"perceptual", "best_perceptual", "diversity_perceptual", "targets_perceptual", "kid"} <= set(
        found
    )
    assert found["variants"] == 4
    assert found["samples"] == found["real"] == found["examples"]


def test_a_hidden_message_shows(
    runs: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    become(monkeypatch, runs / "cyclegan", Hides)
    capsys.readouterr()
    assert main(["evaluate", str(runs / "cyclegan")]) == 0
    # as text, a number a line
    found = dict(line.rsplit(maxsplit=1) for line in capsys.readouterr().out.splitlines())
    assert found["day to night cycle_l1"] == "0.0000"
    assert float(found["day to night translation_l1_quantised"]) < 0.002
    assert float(found["day to night cycle_l1_quantised"]) > 0.2


def test_a_classifier_of_ones_own_reads_the_translations(
    runs: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [str(runs / "cyclegan"), "--metrics", "classes", "--features", str(runs / "judge")]
    with monkeypatch.context() as patch:
        become(patch, runs / "cyclegan", Inverts)
        found = numbers(capsys, *words)
    right = {"translated_as_target": 1, "real_as_target": 1, "source_as_target": 0, "cycle_as_source": 1}
    for each in found["directions"].values():
        assert each.items() >= right.items()
    become(monkeypatch, runs / "cyclegan", Constant)
    found = numbers(capsys, *words)["directions"]
    assert found["day to night"].items() >= {"translated_as_target": 1, "cycle_as_source": 0}.items()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--metrics classes --features efficientnet", "did you mean 'efficientnet-lite0'?"),
        ("--variants 1", "variants: must be at least 2, not 1"),
        ("--metrics translations", "did you mean 'translation'?"),
    ],
)
def test_what_cannot_be_asked(runs: Path, words: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    before = len(Run(runs / "cyclegan").events())
    assert main(["evaluate", str(runs / "cyclegan"), *words.split()]) == 2
    text = capsys.readouterr().err
    assert said in text
    assert len(text.strip().splitlines()) == 1
    assert len(Run(runs / "cyclegan").events()) == before


def test_imagenet_has_its_classes_by_number(
    runs: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run, examples = str(runs / "cyclegan"), 8
    become(monkeypatch, runs / "cyclegan", Inverts)
    words = [run, "--metrics", "classes,kid", "--features", "efficientnet-lite0", "--examples", str(examples)]
    found = numbers(capsys, *words)
    assert found["extractor"] == "efficientnet-lite0"
    there, back = (found["directions"][name] for name in ("day to night", "night to day"))
    assert len(there["class_shares"]) == 1000
    # what it makes of noise is anybody's guess; the class that is named most is the domain's
    assert there["real_as_target"] == max(there["class_shares_data"])
    assert there["class_shares_data"][int(there["target_class"])] == there["real_as_target"]
    assert there["class_shares"][int(there["target_class"])] == there["translated_as_target"]
    assert there["source_as_source"] == back["real_as_target"]
    # it inverts twice
    assert there["cycle_same_class"] == 1
    capsys.readouterr()
    assert main(["evaluate", *words]) == 0
    lines = dict(line.rsplit(maxsplit=1) for line in capsys.readouterr().out.splitlines())
    assert lines["day to night target_class"] == there["target_class"]
    # a thousand shares are no text
    assert not any("class_shares" in name for name in lines)


def test_too_few_for_a_score(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    words = ["evaluate", str(runs / "pix2pix"), "--metrics", "translation,kid", "--examples", "3"]
    assert main(words) == 0
    assert "left_out                               kid needs 4 examples, not 3" in capsys.readouterr().out


def test_data_of_other_domains_are_refused(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (runs / "renamed").mkdir()
    for name, other in (("day", "noon"), ("night", "midnight")):
        (runs / "renamed" / other).symlink_to(runs / "domains" / "train" / name)
    capsys.readouterr()
    assert main(["evaluate", str(runs / "cyclegan"), "--data", f"unpaired:{runs / 'renamed'}"]) == 1
    assert (
        "hold 'midnight', 'noon' in 40 rows, and the model knows only 'day', 'night'"
        in capsys.readouterr().err
    )
