"""Commands that a newcomer gets wrong: each is answered in a line or two that names the fix."""

from __future__ import annotations

import re
import shlex
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock
from PIL import Image

from simulacra.cli.main import main

# words of Python, torch and tyro that no error for people has
INTERNAL = re.compile(
    r"Traceback|NoneType|mat1|\btensor|object has no|positional|Error\b|<class|0x[0-9a-f]{4}|literal for int"
    r"|convert string|Expected|helptext|dtype|__"
)

TRAINED = {
    "vae": "train vae --data digits --latent-dim 2",
    "gan": "train gan --data digits",
    "classifier": "train classifier --data digits",
    "flowers": "train conditional_gan --data iris",
}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with runs and data, as somebody might have."""
    folder = tmp_path_factory.mktemp("files")
    for name, words in TRAINED.items():
        assert main([*words.split(), "--steps", "2", "--hidden", "8", "--out", str(folder / name)]) == 0
    shutil.copytree(folder / "vae", folder / "unfinished")
    (folder / "unfinished" / "model.safetensors").unlink()
    (folder / "pictures").mkdir()
    for i, pixels in enumerate(np.random.default_rng(0).integers(0, 255, (6, 16, 16, 3), np.uint8)):
        Image.fromarray(pixels).save(folder / "pictures" / f"{i}.png")
    (folder / "empty").mkdir()
    with zipfile.ZipFile(folder / "documents.zip", "w") as archive:
        archive.writestr("letter.txt", "Dear reader")
    rows = [f"{i % 5},{3.5 * i},{1000.5 * i}" for i in range(60)]
    (folder / "houses.csv").write_text("rooms,area,price\n" + "\n".join(rows))
    (folder / "note.txt").write_text("mine")
    (folder / "graph.yaml").write_text("rooms: [")
    return folder


@pytest.mark.parametrize(
    ("words", "said"),
    [
        # verbs and models
        ("tran vae --data digits", "did you mean 'train'"),
        ("vae --data digits", "simulacra train vae --data SOURCE"),
        ("--seed 3", "simulacra VERB --seed"),
        ("train", "name a model first: autoencoder"),
        ("train vea --data digits", "did you mean 'vae'?"),
        ("train digits", "train MODEL --data digits"),
        ("train model.py:Net --data digits", "no file model.py"),
        # sources
        ("train vae", "--data is missing (data source, e.g. digits"),
        ("train vae digits", "write --data digits"),
        ("train vae --data", "--data needs a value"),
        ("train vae -data digits", "did you mean --data?"),
        ("train vae --data Digits", "did you mean 'digits'"),
        ("train vae --data my pictures", "a name with spaces needs quotes"),
        ("train vae --data digits@train", "leave '@train' out"),
        ("train vae --data folder:", "no path is given"),
        ("train vae --data folder:picures", "check the path"),
        ("train vae --data folder:empty", "no images found; add"),
        ("train vae --data folder:documents.zip", "no images found; add"),
        ("train vae --data csv:pictures", "name the file of the table"),
        ("train vae --data csv:house.csv", "there is no file 'house.csv'"),
        ("train gan --data faces:0", "whole number from 1"),
        ("train gan --data faces:many", "write faces:20000"),
        # data that do not suit the model
        ("train classifier --data folder:pictures", "into a sub-folder"),
        ("train classifier --data csv:houses.csv", "--target"),
        ("train classifier --data faces", "--target with one of smile"),
        ("train regressor --data csv:houses.csv", "--target"),
        ("train regressor --data csv:houses.csv --target prise", "did you mean 'price'"),
        ("train mdn --data folder:pictures", "into a sub-folder"),
        ("train cyclegan --data folder:pictures", "--data unpaired:PATH"),
        ("train pix2pix --data folder:pictures", "--data pairs:PATH"),
        ("train pca --data digits --latent-dim 64", "from 1 to 63"),
        # options of a training
        ("train vae --data digits --latent-dimm 3", "did you mean --latent-dim?"),
        ("train vae --data digits --zzz 3", "--help lists the options"),
        ("train vae --data digits --latent-dim 0", "latent_dim: must be at least 1"),
        ("train vae --data digits --steps 1,000", "write 1000"),
        ("train vae --data digits --steps 1e4", "write 10000"),
        ("train vae --data digits --steps many", "--steps takes a whole number, not 'many'"),
        ("train vae --data digits --lr 0,01", "write 0.01"),
        ("train vae --data digits --lr -1", "lr: must be above 0"),
        ("train vae --data digits --epochs 0", "epochs: must be above 0"),
        ("train vae --data digits --steps 9 --epochs 3", "give one of --steps, --epochs and --minutes"),
        ("train vae --data digits --steps 9 --minutes 3", "give one of --steps, --epochs and --minutes"),
        ("train vae --data digits --minutes -2", "minutes: must be above 0"),
        ("train vae --data digits --image-size 5000", "choose from 4 to 4096"),
        ("train vae --data digits --image-size 32x32", "a whole number, not '32x32'"),
        ("train vae --data digits --batch-size", "--batch-size needs a value"),
        ("train vae --data digits --betas 0.9", "--betas needs 2 values"),
        ("train vae --data digits --compile yes", "--compile takes no value"),
        ("train vae --data digits --device gpu", "did you mean 'cpu'"),
        ("train vae --data digits --schedule cosin", "did you mean 'cosine'"),
        # run folders
        ("train vae --data digits --out note.txt", "is a file; choose another --out"),
        ("train vae --data digits --out note.txt/run", "note.txt: is a file"),
        ("train vae --data digits --out pictures", "not a run folder; choose another --out"),
        ("train gan --data digits --out vae", "model vae there, gan here"),
        ("sample vea --out x.png", "did you mean vae?"),
        ("sample pictures --out x.png", "'simulacra runs FOLDER' lists"),
        ("report unfinished", "finish its training first"),
        ("evaluate unfinished", "finish its training first"),
        ("runs nowhere", "name the folder that has the runs in it"),
        ("compare vae", "name two or more run folders"),
        ("compare vae flowers", "name the data to compare on"),
        # what a model can do
        ("sample", "sample: RUN is missing (run folder)"),
        ("sample vae", "--out is missing"),
        ("sample vae --out x.jpg", "give a .png"),
        ("sample classifier --out x.png", "simulacra predict"),
        ("sample flowers --class rose --out x.npz", "choose from setosa"),
        ("sample gan --class 3 --out x.png", "omit --class"),
        ("predict gan --data digits --out p.csv", "simulacra sample"),
        ("predict classifier --data iris --out p.csv", "was trained on (1, 8, 8)"),
        ("reconstruct gan --out x.png", "train an autoencoder"),
        ("translate vae pictures --out t", "train a pix2pix or a cyclegan"),
        ("attack vae --out a.png", "train a classifier"),
        ("evaluate vae --metrics nlll", "did you mean 'nll'"),
        ("evaluate vae --metrics nll, fid", "write nll,fid without the space"),
        ("evaluate vae --features vgg", "choose from efficientnet-lite0"),
        ("evaluate vae --data digits@validate", "did you mean 'validation'"),
        # data, audits, recipes
        ("data chekc digits", "did you mean 'check'"),
        ("data check", "SOURCE is missing"),
        ("data check folder:nothing", "check the path"),
        ("audit predicton houses.csv", "did you mean 'predictions'"),
        ("audit predictions --data houses.csv", "write simulacra audit predictions TABLE"),
        ("audit predictions houses.csv --y sold --pred rooms>=3 --group area", "sold"),
        ("audit causes nothing.yaml houses.csv --do rooms=1", "nothing.yaml"),
        ("audit causes graph.yaml houses.csv --do rooms=1", "graph.yaml"),
        ("recipe digitsvae", "did you mean 'digits-vae'"),
        ("doctor now", "unexpected 'now'"),
    ],
)  # fmt: skip
def test_the_answer_names_the_fix(
    files: Path, words: str, said: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(files)
    before = sorted(files.rglob("*"))
    assert main(shlex.split(words)) in (1, 2)
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("simulacra: ")
    assert said in err
    assert 1 <= len(err.strip().splitlines()) <= 2
    assert not INTERNAL.search(err), err
    assert sorted(files.rglob("*")) == before


@pytest.mark.parametrize("verb", ["runs", "compare", "doctor", "train"])
def test_ctrl_c_leaves_with_a_line(
    verb: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, files: Path
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    where, words = {
        "runs": ("simulacra.tasks.list_runs.list_runs", f"runs {files}"),
        "compare": ("simulacra.tasks.compare.compare", f"compare {files / 'vae'} {files / 'gan'}"),
        "doctor": ("simulacra.cli.doctor.examine", "doctor"),
        "train": ("simulacra.engine.dry_run.dry_run", f"train vae --data digits --dry-run --out {files}/new"),
    }[verb]
    monkeypatch.setattr(where, interrupted)
    assert main(shlex.split(words)) == 130
    assert capsys.readouterr() == ("", "simulacra: interrupted\n")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("train vae --data digits --device cuda", "cuda is not available"),
        ("train classifier --data faces", "needs labels"),
        ("train classifier --data faces --target glases", "did you mean 'glasses'"),
        ("train classifier --data folder:pictures", "needs labels"),
        ("train regressor --data csv:houses.csv", "--target"),
        ("train vae --data digits --latent-dim 0", "at least 1"),
        ("train vae --data digits --out note.txt", "is a file"),
        ("train vae --data digits --out gan", "holds a training with other settings"),
        ("train vae --data faces --image-size 16", "32 to 128 pixels"),
        ("evaluate vae --metrics nlll", "did you mean 'nll'"),
        ("evaluate vae --metrics prediction", "do not apply"),
        ("compare vae gan --metrics nlll", "did you mean 'nll'"),
    ],
)
def test_it_comes_before_the_data_are_loaded(
    files: Path, words: str, said: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def load(*_: object) -> None:
        raise AssertionError("the data are loaded")

    monkeypatch.chdir(files)
    monkeypatch.setattr("simulacra.data.load", load)
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    assert main(shlex.split(words)) in (1, 2)
    assert said in capsys.readouterr().err


def test_a_busy_run_is_refused_before_the_data_are_loaded(
    files: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("simulacra.data.load", lambda *_: pytest.fail("the data are loaded"))
    with FileLock(files / "vae" / ".lock"):
        assert main(["train", *TRAINED["vae"].split()[1:], "--out", str(files / "vae")]) == 1
    assert "another process is training here" in capsys.readouterr().err
