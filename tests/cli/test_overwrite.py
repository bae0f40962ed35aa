"""What is there stays, unless --overwrite is given; and a run with weights that are not finite is refused."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from PIL import Image

from simulacra import files, tensors
from simulacra.cli.main import main
from simulacra.errors import RunError
from simulacra.files import check_unused
from simulacra.run import Run

COMMANDS = {
    "sample a grid": "sample {runs}/vae -n 4 --out {out}.png",
    "sample a folder": "sample {runs}/vae -n 4 --out {out}",
    "sample an archive": "sample {runs}/vae -n 4 --out {out}.npz",
    "sample a table": "sample {runs}/pca -n 4 --out {out}.csv",
    "sample a chart": "sample {runs}/pca -n 4 --out {out}.png",
    "reconstruct": "reconstruct {runs}/vae -n 4 --out {out}.png",
    "reconstruct to a folder": "reconstruct {runs}/vae -n 4 --out {out}",
    "interpolate": "interpolate {runs}/vae --seeds 1,2 --steps 3 --out {out}.png",
    "interpolate to an animation": "interpolate {runs}/vae --seeds 1,2 --steps 3 --out {out}.gif",
    "mix": "mix {runs}/styles --sources 1 --destinations 2 --out {out}.png",
    "noise": "noise {runs}/styles --seeds 1 --draws 2 --out {out}.png",
    "predict": "predict {runs}/classifier --data digits --out {out}.csv",
    "predict to an archive": "predict {runs}/classifier --data digits --out {out}.npz",
    "attack": "attack {runs}/classifier --method fgsm -n 4 --out {out}.png",
    "attack to an archive": "attack {runs}/classifier --method fgsm -n 4 --out {out}.npz",
    "attack in rounds": "attack {runs}/classifier --method fgsm -n 4 --rounds 1 --added 4 --out {out}",
    "preview": "data preview digits -n 4 --out {out}.png",
    "audit": "audit fallacy --p-given 0.09 --base 0.13 --other 0.08 --out {out}",
}
# a model with styles
STYLES = Path(__file__).parents[1] / "tasks" / "rows.py"
# a name that the command writes into its folder
WITHIN = {
    "sample a folder": "00002.png",
    "reconstruct to a folder": "00002.png",
    "attack in rounds": "rounds.json",
    "audit": "findings.json",
}


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    few = ["--steps", "3"]
    assert main(["train", "vae", "--data", "digits", *few, "--out", str(folder / "vae")]) == 0
    assert main(["train", f"{STYLES}:Rows", "--data", "digits", "--out", str(folder / "styles")]) == 0
    assert main(["train", "pca", "--data", "wine", "--out", str(folder / "pca")]) == 0
    assert main(["train", "classifier", "--data", "digits", *few, "--out", str(folder / "classifier")]) == 0
    return folder


@pytest.mark.parametrize("name", COMMANDS)
def test_nothing_is_overwritten_unasked(
    runs: Path, tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    words = COMMANDS[name].format(runs=runs, out=tmp_path / "out").split()
    out = Path(words[words.index("--out") + 1])
    mine = out / WITHIN[name] if name in WITHIN else out
    mine.parent.mkdir(exist_ok=True)
    mine.write_bytes(b"mine")
    assert main(words) == 1
    printed, said = capsys.readouterr()
    assert printed == ""
    assert said.count("\n") == 1
    assert str(out) in said
    assert "--overwrite" in said
    assert [file for file in tmp_path.rglob("*") if file.is_file()] == [mine]
    assert mine.read_bytes() == b"mine"
    assert main([*words, "--overwrite"]) == 0
    assert mine.read_bytes() != b"mine"


@pytest.mark.parametrize("there", [False, True])
def test_a_folder_of_samples_is_whole_or_empty(
    runs: Path,
    tmp_path: Path,
    there: bool,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / "out"
    words = ["sample", str(runs / "vae"), "-n", "4", "--out", str(out)]
    if there:
        out.mkdir()
    before, written = sorted(tmp_path.rglob("*")), []
    save = Image.Image.save

    def failing(image: Image.Image, file: Path, *args: object, **options: object) -> None:
        if len(written) == 2:
            raise OSError(28, "No space left on device")
        written.append(file)
        save(image, file, *args, **options)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(Image.Image, "save", failing)
        assert main(words) == 1
    assert "No space left on device" in capsys.readouterr().err
    assert sorted(tmp_path.rglob("*")) == before
    # the same command goes on, also after a kill
    if there:
        dead = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True)
        (out / f".00001.png.{int(dead.stdout)}.tmp").touch()
    assert main(words) == 0
    assert len(list(out.iterdir())) == 4


# a name that is taken while the command works -> what takes it
@pytest.mark.parametrize("name", COMMANDS)
def test_what_appears_in_the_meantime_stays(
    runs: Path, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    if name == "attack in rounds":
        pytest.skip("its folder holds the runs of the rounds, and goes on")
    words = COMMANDS[name].format(runs=runs, out=tmp_path / "out").split()
    out = Path(words[words.index("--out") + 1])
    mine = out / WITHIN[name] if name in WITHIN else out
    synchronise = files._synchronise

    def meanwhile(path: Path) -> None:
        mine.parent.mkdir(exist_ok=True)
        mine.write_bytes(b"mine")
        synchronise(path)

    with monkeypatch.context() as patch:
        patch.setattr(files, "_synchronise", meanwhile)
        assert main(words) == 1
    assert "exists; choose another name, or replace it with --overwrite" in capsys.readouterr().err
    assert [file for file in tmp_path.rglob("*") if file.is_file()] == [mine]
    assert mine.read_bytes() == b"mine"


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs a folder that not even root can write to")
@pytest.mark.parametrize(
    "command", ["train vae --data digits", "sample {runs}/vae", "predict {runs}/classifier --data digits"]
)
def test_a_folder_that_cannot_be_made_is_reported_first(
    runs: Path, command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def too_late(*_: object) -> None:
        raise AssertionError("it worked first")

    monkeypatch.setattr("simulacra.run.Run.load", too_late)
    monkeypatch.setattr("simulacra.data.load", too_late)
    ending = "/x.csv" if "predict" in command else ""
    assert main([*command.format(runs=runs).split(), "--out", f"/proc/x{ending}"]) == 1
    assert capsys.readouterr().err.startswith("simulacra: /proc: cannot be written (")


def test_links_without_a_target_are_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "none")
    with pytest.raises(RunError, match="link: exists; choose another name, or replace it with --overwrite"):
        check_unused(tmp_path / "link")
    (tmp_path / "empty").mkdir()
    check_unused(tmp_path / "empty", tmp_path / "nothing")


@pytest.mark.parametrize(
    "command",
    [
        "evaluate {run}",
        "sample {run} --out {out}.png",
        "reconstruct {run} --out {out}.png",
        "report {run}",
    ],
)
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_are_refused(
    runs: Path, tmp_path: Path, command: str, value: float, capsys: pytest.CaptureFixture[str]
) -> None:
    run = Run(tmp_path / "run")
    run.path.mkdir()
    for file in ("config.yaml", "metrics.jsonl"):
        (run.path / file).write_bytes((runs / "vae" / file).read_bytes())
    weights, notes = tensors.read(runs / "vae" / "model.safetensors")
    name = next(name for name, weight in weights.items() if weight.dtype == torch.float32)
    weights[name].flatten()[0] = value
    tensors.write(run.weights, weights, notes)
    assert main(command.format(run=run, out=tmp_path / "out").split()) == 1
    printed, said = capsys.readouterr()
    assert printed == ""
    assert said == (
        f"simulacra: {run.weights}: the weights are not finite; train again with a smaller"
        " --lr, in another --out\n"
    )
    assert not (tmp_path / "out.png").exists()
