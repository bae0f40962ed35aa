"""`simulacra translate`: files and folders through trained models, as a person does it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import simulacra as sim
from simulacra.cli.main import main
from simulacra.core.batch import tensor, to_bytes
from simulacra.core.noise import derive_seed
from simulacra.data import Options
from simulacra.models.cyclegan.model import CycleGAN


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    small = {"image_size": 32, "width": 8, "steps": 3}
    sim.train("pix2pix", "face-outlines:60", folder / "pix2pix", **small)
    sim.train("cyclegan", "faces:60", folder / "cyclegan", target="smiling", blocks=1, **small)
    sim.train("pca", "digits", folder / "pca", latent_dim=2)
    return folder


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Two faces at the size of the models, one of them in a folder, the other one turned by the camera."""
    x = sim.load_data("faces:4", Options(image_size=32)).train.x
    folder = tmp_path / "in"
    (folder / "more").mkdir(parents=True)
    upright, other = (Image.fromarray(image.transpose(1, 2, 0)) for image in x[:2])
    exif = Image.Exif()
    exif[0x0112] = 6
    upright.transpose(Image.Transpose.ROTATE_90).save(folder / "a.png", exif=exif)
    other.save(folder / "more" / "b.bmp")
    return folder


def read(file: Path) -> np.ndarray:
    with Image.open(file) as image:
        return np.asarray(image)


def files(folder: Path) -> list[str]:
    return sorted(f.relative_to(folder).as_posix() for f in folder.rglob("*") if f.is_file())


def upright(file: Path) -> np.ndarray:
    from PIL import ImageOps

    with Image.open(file) as image:
        return np.asarray(ImageOps.exif_transpose(image)).transpose(2, 0, 1)


def test_a_folder_becomes_what_the_model_makes_of_it(
    runs: Path, pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, run = tmp_path / "out", runs / "pix2pix"
    assert main(["translate", str(run), str(pictures), "--seed", "5", "--out", str(out)]) == 0
    said, wrong = capsys.readouterr()
    assert said.splitlines() == [str(out), "2 images translated"]
    assert wrong == ""
    assert files(out) == ["a.png", "more/b.bmp"]
    model = sim.load(run)
    for name in files(out):
        x = tensor(upright(pictures / name)[None])
        # with gradients products of matrices take the place of convolutions, and round otherwise
        with torch.no_grad():
            expected = to_bytes(model.translate(x, sim.Noise(derive_seed(5, 0))))[0].transpose(1, 2, 0)
        assert np.array_equal(read(out / name), expected)


def test_variants_differ_and_a_seed_repeats_them(runs: Path, pictures: Path, tmp_path: Path) -> None:
    words = ["translate", str(runs / "pix2pix"), str(pictures / "a.png"), "--variants", "3"]
    for name, seed in (("one", "1"), ("same", "1"), ("other", "2")):
        assert main([*words, "--seed", seed, "--out", str(tmp_path / name)]) == 0
    assert files(tmp_path / "one") == ["a-1.png", "a-2.png", "a-3.png"]
    one, same, other = ([read(f) for f in sorted((tmp_path / n).iterdir())] for n in ("one", "same", "other"))
    assert len({x.tobytes() for x in (*one, *other)}) == 6
    assert [x.tobytes() for x in one] == [x.tobytes() for x in same]


def test_the_domain_is_chosen_by_its_name(
    runs: Path, pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = runs / "cyclegan"
    model = sim.load(run)
    x = tensor(upright(pictures / "a.png")[None])
    first, second = model.spec.classes
    asked = {first: first, second: second, "A": first, "B": second}
    for words, to in (([], second), *((["--to", name], to) for name, to in asked.items())):
        out = tmp_path / "-".join(["out", *words])
        assert main(["translate", str(run), str(pictures / "a.png"), *words, "--out", str(out)]) == 0
        assert f"1 image translated to {to}" in capsys.readouterr().out
        expected = to_bytes(model.translate(x, sim.Noise(0), to))[0].transpose(1, 2, 0)
        assert np.array_equal(read(out / "a.png"), expected)


def test_with_overwrite_what_is_there_is_translated_again_but_no_input(
    runs: Path, pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["translate", str(runs / "cyclegan"), str(pictures), "--out", str(tmp_path / "out")]
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "a.png").write_bytes(b"mine")
    assert main(words) == 0
    assert (tmp_path / "out" / "a.png").read_bytes() == b"mine"
    assert "--overwrite translates them again" in capsys.readouterr().err
    assert main([*words, "--overwrite"]) == 0
    assert read(tmp_path / "out" / "a.png").shape == (32, 32, 3)
    assert main([*words[:-1], str(pictures), "--overwrite"]) == 1
    assert "is one of the inputs, which would have the results" in capsys.readouterr().err


def test_files_that_cannot_be_read_are_named_and_the_others_done(
    runs: Path, pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (pictures / "broken.png").write_bytes((pictures / "a.png").read_bytes()[:-200])
    (pictures / "text.jpg").write_text("hello")
    out = tmp_path / "out"
    words = ["translate", str(runs / "pix2pix"), str(pictures), str(tmp_path / "none.png")]
    assert main([*words, "--out", str(out)]) == 1
    said, wrong = capsys.readouterr()
    assert said.splitlines() == [str(out), "2 images translated"]
    assert wrong.splitlines() == [
        f"simulacra: {pictures}/text.jpg: not an image",
        f"simulacra: {tmp_path}/none.png: cannot be read (No such file or directory)",
        f"simulacra: {pictures}/broken.png: damaged or truncated",
        "simulacra: 3 of 5 inputs could not be read, as reported above",
    ]
    assert files(out) == ["a.png", "more/b.bmp"]
    assert main(["translate", str(runs / "pix2pix"), str(pictures / "text.jpg"), "--out", "none"]) == 1
    assert capsys.readouterr().out == ""
    assert not Path("none").exists()


def test_files_of_a_folder_that_are_no_pictures_by_their_ending_are_counted(
    runs: Path, pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    others = ["1.HEIC", "notes.txt", "more/2.heic", "more/README", "loose.gif"]
    # of these nothing is said
    hidden = [".DS_Store", ".trash/3.heic", "__MACOSX/4.heic", "more/._b.gif", "out/5.gif", "out/6.png"]
    for name in (*others, *hidden):
        (pictures / name).parent.mkdir(exist_ok=True)
        (pictures / name).touch()
    Image.new("P", (32, 32)).save(pictures / "loose.gif")
    run, out = str(runs / "pix2pix"), pictures / "out"
    read = "not those of images; .jpg, .jpeg, .png, .webp, .bmp are read\n"
    assert main(["translate", run, str(pictures), "--out", str(out)]) == 0
    said, wrong = capsys.readouterr()
    assert said.splitlines() == [str(out), "2 images translated"]
    counted = "5 files are skipped, since their endings (.heic, .gif, none, .txt) are"
    assert wrong == f"simulacra: {pictures}: {counted} {read}"
    # a file that is named is no file of a folder
    more = pictures / "more"
    saved = Path(shutil.copy(pictures / "loose.gif", more / "named.gif"))
    (more / "README").unlink()
    assert main(["translate", run, str(more), str(saved), "--out", str(tmp_path / "new")]) == 0
    wrong = capsys.readouterr().err
    assert wrong == (
        f"simulacra: {more}: 1 file is skipped, since its ending (.heic) is not that of an image;"
        " .jpg, .jpeg, .png, .webp, .bmp are read\n"
    )
    assert files(tmp_path / "new") == ["b.bmp", "named.png"]
    for i in range(9):
        (more / f"1.a{i}").touch()
    assert main(["translate", run, str(more), "--out", str(tmp_path / "many")]) == 0
    assert (
        "11 files are skipped, since their endings (.a0, .a1, .a2, .a3, .a4, ...)" in capsys.readouterr().err
    )


def test_interrupted_it_leaves_whole_files(
    runs: Path,
    pictures: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    translate, calls = CycleGAN.translate, iter(range(9))

    def stopped(self: CycleGAN, *rest: object) -> object:
        if next(calls) == 1:
            raise KeyboardInterrupt
        return translate(self, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(CycleGAN, "translate", stopped)
    out = tmp_path / "out"
    assert main(["translate", str(runs / "cyclegan"), str(pictures), "--out", str(out)]) == 130
    assert f"interrupted: 1 of 2 images are translated, in {out}" in capsys.readouterr().err
    assert files(out) == ["a.png"]
    first = read(out / "a.png")
    assert first.shape == (32, 32, 3)
    # the same command goes on
    monkeypatch.setattr(CycleGAN, "translate", translate)
    assert main(["translate", str(runs / "cyclegan"), str(pictures), "--out", str(out)]) == 0
    told = capsys.readouterr()
    assert "1 image translated" in told.out
    assert f"{out}: already has translations of 1 of the images" in told.err
    assert len(files(out)) == 2
    assert np.array_equal(read(out / "a.png"), first)
    # and a third time it is done
    assert main(["translate", str(runs / "cyclegan"), str(pictures), "--out", str(out)]) == 0
    told = capsys.readouterr()
    assert told.out == f"{out}\n"
    assert f"{out}: already has translations of 2 of the images" in told.err


def test_pictures_far_from_the_size_that_the_model_knows_are_mentioned(
    runs: Path, pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sizes = {"large": (80, 65), "double": (64, 64), "wide": (900, 64), "small": (20, 21), "narrow": (20, 32)}
    for name, size in sizes.items():
        Image.new("RGB", size).save(pictures / f"{name}.png")
    assert main(["translate", str(runs / "pix2pix"), str(pictures), "--out", str(tmp_path / "out")]) == 0
    said = "trained on 32x32 pixels; 2 of the images are far larger or smaller, resized copies"
    assert said in capsys.readouterr().err
    for name, (w, h) in sizes.items():
        assert read(tmp_path / "out" / f"{name}.png").shape == (h, w, 3)


@pytest.fixture
def inputs(pictures: Path) -> Iterator[Path]:
    """Pictures that have to be as they were, and nothing beside them."""
    before = {name: (pictures / name).read_bytes() for name in files(pictures)}
    yield pictures
    assert {name: (pictures / name).read_bytes() for name in files(pictures)} == before


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ("{runs}/pca {inputs} --out {out}", 1, "this pca does not translate; train a pix2pix or a cyclegan"),
        ("{runs}/none {inputs} --out {out}", 1, "no run here"),
        ("{runs}/pix2pix {inputs} --to smiling --out {out}", 1, "translates one way"),
        ("{runs}/cyclegan {inputs} --to smilin --out {out}", 2, "did you mean 'smiling'?"),
        ("{runs}/cyclegan {inputs} --variants 2 --out {out}", 1, "one translation for each image"),
        ("{runs}/pix2pix {inputs} --variants 0 --out {out}", 2, "at least 1, not 0"),
        ("{runs}/pix2pix --out {out}", 2, "name images or folders"),
        ("{runs}/pix2pix {inputs}/more --out {inputs}/more", 1, "more: is one of the inputs"),
        ("{runs}/pix2pix {inputs}/a.png --out {inputs}", 1, "a.png: is one of the inputs"),
        ("{runs}/pix2pix {inputs} --out {inputs}/a.png", 2, "is a file; give a folder"),
        ("{runs}/pix2pix {inputs} {runs}/a.png --out {out}", 1, "would both become"),
        ("{runs}/pix2pix {runs}/pca --out {out}", 1, "no images found"),
    ],
)
def test_mistakes_get_a_plain_line_and_no_work_is_done(
    runs: Path,
    inputs: Path,
    tmp_path: Path,
    words: str,
    code: int,
    said: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    Image.new("RGB", (8, 8)).save(runs / "a.png")
    out = tmp_path / "out"
    (out / "sub").mkdir(parents=True)
    (out / "sub" / "a.png").write_text("mine")
    assert main(["translate", *words.format(runs=runs, inputs=inputs, out=out).split()]) == code
    printed, wrong = capsys.readouterr()
    assert printed == ""
    assert said in wrong
    assert len(wrong.splitlines()) == 1
    assert files(out) == ["sub/a.png"]
    assert (out / "sub" / "a.png").read_text() == "mine"


def strip(seed: int, width: int = 64) -> Image.Image:
    """A pair side by side, or of two pictures that do not fit."""
    x = np.random.default_rng(seed).integers(0, 256, (32, width, 3), dtype=np.uint8)
    return Image.fromarray(x)


def test_three_pairs_are_enough_to_train_report_evaluate_and_translate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("three").mkdir()
    for i in range(3):
        strip(i).save(f"three/{i}.png")
    small = ["--width", "4", "--steps", "3", "--out", "runs/three"]
    assert main(["train", "pix2pix", "--data", "pairs:three", *small]) == 0
    data = sim.load_data("pairs:three")
    assert 0 in map(len, (data.validation, data.test)), "choose seeds that leave a split empty"
    assert main(["report", "runs/three"]) == 0
    assert main(["evaluate", "runs/three", "--data", "pairs:three@train"]) == 0
    assert main(["translate", "runs/three", "three/0.png", "--out", "out"]) == 0
    # the file is the whole pair
    assert read(Path("out/0.png")).shape == (32, 64, 3)
    capsys.readouterr()
    if not len(data.test):
        assert main(["evaluate", "runs/three"]) == 1
        assert (
            "no examples to evaluate on; take more data, or --data pairs:three@train"
            in capsys.readouterr().err
        )
    assert main(["evaluate", "runs/three", "--data", "pairs:three@train", "--metrics", "elbo,nll"]) == 2
    assert "metrics: elbo, nll do not apply to this model" in capsys.readouterr().err


def test_three_pictures_of_two_domains_are_enough(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for domain, n in (("A", 1), ("B", 2)):
        Path(f"two/train{domain}").mkdir(parents=True)
        for i in range(n):
            strip(i, 32).save(f"two/train{domain}/{i}.png")
    small = ["--width", "4", "--blocks", "1", "--steps", "3", "--batch-size", "16", "--out", "runs/two"]
    assert main(["train", "cyclegan", "--data", "unpaired:two", *small]) == 0
    assert main(["report", "runs/two"]) == 0
    assert main(["translate", "runs/two", "two/trainB", "--to", "A", "--out", "out"]) == 0
    assert files(Path("out")) == ["0.png", "1.png"]
    capsys.readouterr()
    assert main(["evaluate", "runs/two"]) == 1
    assert "unpaired:two@test: no examples to evaluate on" in capsys.readouterr().err


def test_a_pair_of_two_sizes_is_refused_and_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for side in "AB":
        Path("pairs", side).mkdir(parents=True)
        for i in range(3):
            strip(i, 40 if (side, i) == ("B", 1) else 32).save(f"pairs/{side}/{i}.png")
    train = ["train", "pix2pix", "--data", "pairs:pairs", "--width", "4", "--steps", "2", "--out", "run"]
    assert main(train) == 1
    said = capsys.readouterr().err
    assert "A/1.png: 32x32 pixels, but 40x32 its partner B/1.png" in said
    assert "--skip-bad" in said
    assert not Path("run").exists()
    strip(9, 63).save("odd.png")
    Path("halves").mkdir()
    Path("odd.png").rename("halves/odd.png")
    assert main([*train[:3], "pairs:halves", *train[4:]]) == 1
    assert "odd.png" in capsys.readouterr().err
