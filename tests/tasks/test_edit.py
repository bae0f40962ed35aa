"""Edits: known answers, sizes and formats kept, and what is interrupted goes on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import simulacra as sim
from simulacra.core.batch import tensor, to_bytes
from simulacra.core.capabilities import Conditional, Decodes, Encodes
from simulacra.core.latents import LatentSpace
from simulacra.core.model import Model
from simulacra.data.spec import DataSpec
from simulacra.errors import ConfigError, DataError, RunError, SimulacraError
from simulacra.latent.directions import Direction
from simulacra.models.registry import build, model_card
from simulacra.tasks.edit import (
    BATCH,
    check_strengths,
    edit,
    edit_files,
    edit_latents,
    parse_strengths,
)
from simulacra.tasks.interpolate import from_seeds
from simulacra.tasks.picture_files import open_pictures, placed, plan
from tests.models.test_contract import CASES, SPECS, N, built, dataset

STRENGTHS = (-1.0, 0.0, 2.0)


def direction_of(model: Any, seed: int = 0) -> Direction:
    generator = torch.Generator().manual_seed(seed)
    return Direction(
        "smile", model.latent.name, torch.randn(model.latent.shape, generator=generator), "means"
    )


@pytest.mark.parametrize(("name", "kind"), [case for case in CASES if case[1] in ("grey", "vector", "mixed")])
def test_every_model_is_edited_or_says_why_not(name: str, kind: str) -> None:
    model: Any = built(name, kind).eval().requires_grad_(False)
    x, shape = dataset(SPECS[kind]).x[:N], (N, len(STRENGTHS), *SPECS[kind].shape)
    if isinstance(model, Encodes) and isinstance(model, Decodes):
        y = edit(model, x, direction_of(model), STRENGTHS)
        assert y.shape == shape
        assert torch.equal(y[:, 1], model.reconstruct(x))
        assert not torch.equal(y[:, 0], y[:, 2])
        return
    vector = Direction("smile", "z", torch.ones(4), "means")
    with pytest.raises(RunError, match="has no encoder; train an autoencoder, a vae or a pca"):
        edit(model, x, vector, STRENGTHS)
    of_class = model.for_class(1) if isinstance(model, Conditional) else model
    if isinstance(of_class, Decodes):
        z = from_seeds(of_class, list(range(N)))
        y = edit_latents(of_class, z, direction_of(of_class), STRENGTHS)
        assert y.shape == shape
        one = torch.cat([of_class.sample(1, seed, draw=False) for seed in range(N)])
        torch.testing.assert_close(y[:, 1], one)


def test_a_linear_model_moves_by_s_w_v() -> None:
    pca: Any = built("pca", "vector").eval()
    x = dataset(SPECS["vector"]).x
    direction = direction_of(pca)
    y = edit(pca, x, direction, STRENGTHS)
    # columns are in their units: W scaled by their standard deviations
    W = torch.stack([pca.decode(e[None]).mean[0] for e in torch.eye(4)]) - pca.decode(torch.zeros(1, 4)).mean
    for i, s in enumerate(STRENGTHS):
        torch.testing.assert_close(y[:, i], pca.reconstruct(x) + s * direction.vector @ W)


def test_strengths_are_written_as_a_range_a_list_or_one() -> None:
    assert parse_strengths("-2..2", 5) == (-2, -1, 0, 1, 2)
    assert parse_strengths("-.1..0.2", 4) == (-0.1, 0, 0.1, 0.2)
    assert parse_strengths("0, 1.5", 9) == (0, 1.5)
    assert parse_strengths("2..-2", 2) == (2, -2)
    assert str(parse_strengths("-0", 2)) == "(0.0,)"
    for text, steps, said in (
        ("a", 5, "cannot read 'a'; write e.g. -2..2"),
        ("1..2..3", 5, "a range has two ends"),
        ("1/0", 5, "cannot read"),
        ("1..2", 1, "steps: must be from 2 to 1000, not 1"),
        ("1..1", 5, "has a strength twice"),
        ("1,1.0", 5, "has a strength twice"),
        ("1e999", 5, "must be finite"),
        ("1e999999999..0", 5, "cannot read"),
        ("nan", 5, "must be finite"),
        ("", 5, "cannot read ''"),
    ):
        with pytest.raises(ConfigError, match=said):
            parse_strengths(text, steps)
    for wrong in ([], "many", [float("nan")], [[1], [2, 3]]):
        with pytest.raises(ConfigError, match="strengths"):
            check_strengths(wrong)  # type: ignore[arg-type]
    assert check_strengths(2) == (2.0,)


def test_what_does_not_fit_is_refused() -> None:
    model: Any = built("autoencoder", "grey").eval()
    direction, x = direction_of(model), dataset(SPECS["grey"]).x[:N]
    wrong: tuple[tuple[Any, Any, type[SimulacraError], str], ...] = (
        (x, "smile", ConfigError, "must be a Direction, not 'smile'"),
        (x, Direction("s", "w", direction.vector, "means"), ConfigError, "belongs to the latent space 'w'"),
        (x, Direction("s", "z", torch.ones(3), "means"), ConfigError, r"has shape \(3,\)"),
        (x[:0], direction, DataError, "x is empty"),
        (x[:, :, :7], direction, DataError, r"this model takes \(N, 1, 8, 8\)"),
    )
    for one, along, kind, said in wrong:
        with pytest.raises(kind, match=said):
            edit(model, one, along)


class Linear(Encodes, Decodes):
    """A stranger's model: the latent is the mean of each channel, which is added to grey."""

    players = {}
    has_likelihood = False

    def __init__(self, spec: DataSpec) -> None:
        super().__init__(spec, None)
        self.spaces = (LatentSpace("channels", (spec.shape[0],)),)
        self.calls = 0

    def encode(self, x: torch.Tensor, space: str | None = None) -> Any:
        return torch.distributions.Normal(x.mean(dim=(2, 3)), 1)

    def decode(self, z: torch.Tensor, space: str | None = None) -> Any:
        return torch.distributions.Normal(z[:, :, None, None].expand(-1, *self.spec.shape), 1)


def edit_all(model: Any, folder: Path, out: Path, **options: Any) -> list[Any]:
    direction = Direction("red", "channels", torch.tensor([0.2, 0.0, 0.0]), "means")
    with open_pictures([folder], out) as pictures:
        jobs, bad, _ = plan(pictures, out, ["-0", "+1"])
        assert not bad
        return list(edit_files(model, jobs, direction, (0.0, 1.0), options.get("overwrite", False)))


def test_edits_have_the_sizes_and_formats_of_their_originals(tmp_path: Path) -> None:
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    wide = Image.new("RGB", (30, 12), (10, 20, 30))
    wide.paste((100, 120, 140), (9, 0, 21, 12))
    wide.save(folder / "wide.png")
    Image.new("RGB", (8, 8), (50, 60, 70)).save(folder / "same.bmp")
    clear = Image.new("RGBA", (16, 16), (50, 60, 70, 255))
    clear.putpixel((3, 3), (0, 0, 0, 7))
    clear.save(folder / "clear.webp", lossless=True)
    Image.new("L", (8, 8), 90).save(folder / "grey.png")
    done = edit_all(Linear(DataSpec("image", (3, 8, 8))), folder, out)
    found = {one.path.name: one[2:] for one in done}
    assert found == {
        "wide.png": (True, True, False),
        "same.bmp": (False, False, False),
        "clear.webp": (True, False, False),
        "grey.png": (False, False, True),
    }
    read = {}
    for file in out.iterdir():
        with Image.open(file) as image:
            read[file.name] = (image.size, image.mode, image.convert("RGBA"))
    assert {name: kind[:2] for name, kind in read.items()} == {
        **{f"wide{s}.png": ((30, 12), "RGB") for s in ("-0", "+1")},
        **{f"same{s}.bmp": ((8, 8), "RGB") for s in ("-0", "+1")},
        **{f"clear{s}.webp": ((16, 16), "RGBA") for s in ("-0", "+1")},
        **{f"grey{s}.png": ((8, 8), "RGB") for s in ("-0", "+1")},
    }
    # 0.2 * 255 = 51 more red in the middle square, and what is around it as it was
    edited = np.asarray(read["wide+1.png"][2])
    assert (edited[:, 9:21] == (151, 120, 140, 255)).all()
    assert (edited[:, :9] == (10, 20, 30, 255)).all()
    assert (edited[:, 21:] == (10, 20, 30, 255)).all()
    assert read["same+1.bmp"][2].getpixel((0, 0)) == (101, 60, 70, 255)
    assert read["clear-0.webp"][2].getpixel((3, 3))[3] == 7


def test_a_model_of_other_than_square_pixels_takes_its_own_size_alone(tmp_path: Path) -> None:
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    Image.new("RGB", (20, 10), (50, 60, 70)).save(folder / "a.png")
    Image.new("RGB", (20, 20), (50, 60, 70)).save(folder / "b.png")
    done = edit_all(Linear(DataSpec("image", (3, 10, 20))), folder, out)
    assert {one.path.name: one.problem for one in done} == {
        "a.png": "",
        "b.png": "20x20 pixels, but this model takes 20x10",
    }
    assert placed(Image.open(out / "a+1.png"), Image.new("RGB", (20, 10))).getpixel((0, 0)) == (101, 60, 70)


def test_edits_of_many_batches_are_those_of_one(tmp_path: Path) -> None:
    folder, out, n = tmp_path / "in", tmp_path / "out", 2 * BATCH + 3
    folder.mkdir()
    for i in range(n):
        Image.new("RGB", (8, 8), (i, 2 * i, 255 - i)).save(folder / f"{i:03d}.png")
    threads = torch.get_num_threads()
    done = edit_all(Linear(DataSpec("image", (3, 8, 8))), folder, out)
    assert torch.get_num_threads() == threads
    assert [one.path.name for one in done] == [f"{i:03d}.png" for i in range(n)]
    for i in range(n):
        with Image.open(out / f"{i:03d}+1.png") as image:
            assert image.getpixel((4, 4)) == (i + 51, 2 * i, 255 - i)


def test_an_interruption_leaves_whole_files_and_no_more_is_begun(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, out, n = tmp_path / "in", tmp_path / "out", 40 * BATCH
    folder.mkdir()
    for i in range(n):
        Image.new("RGB", (4, 4), (i % 200, 0, 0)).save(folder / f"{i:04d}.png")
    model = Linear(DataSpec("image", (3, 4, 4)))
    encode = Linear.encode

    def stopped(self: Linear, x: torch.Tensor, space: str | None = None) -> Any:
        self.calls += 1
        if self.calls == 3:
            raise KeyboardInterrupt
        return encode(self, x, space)

    monkeypatch.setattr(Linear, "encode", stopped)
    with pytest.raises(KeyboardInterrupt):
        edit_all(model, folder, out)
    first = {file.name: file.read_bytes() for file in out.iterdir()}
    assert 0 < len(first) < n
    assert model.calls < 38
    for name in first:
        with Image.open(out / name) as image:
            assert image.size == (4, 4)
    # the same call writes what is missing
    done = edit_all(model, folder, out)
    assert len(list(out.iterdir())) == 2 * n
    assert 0 < len(done) < n
    assert all((out / name).read_bytes() == raw for name, raw in first.items())


def test_numbers_are_those_of_the_library(tmp_path: Path) -> None:
    torch.manual_seed(0)
    spec = DataSpec("image", (3, 32, 32))
    model: Any = build("autoencoder", spec, model_card("autoencoder").Config(width=8)).eval()
    model.requires_grad_(False)
    x = np.random.default_rng(0).integers(0, 256, (5, 3, 32, 32), dtype=np.uint8)
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    for i, one in enumerate(x):
        Image.fromarray(one.transpose(1, 2, 0)).save(folder / f"{i}.png")
    direction = direction_of(model)
    with open_pictures([folder], out) as pictures:
        jobs, *_ = plan(pictures, out, ["-a", "-b", "-c"])
        assert len(list(edit_files(model, jobs, direction, STRENGTHS, False))) == 5
    expected = to_bytes(edit(model, tensor(x), direction, STRENGTHS))
    for i in range(5):
        for k, suffix in enumerate("abc"):
            with Image.open(out / f"{i}-{suffix}.png") as image:
                apart = np.asarray(image).transpose(2, 0, 1).astype(int) - expected[i, k]
            # one thread may round the last bit of a float otherwise than several
            assert np.abs(apart).max() <= 1
            assert (apart != 0).mean() < 1e-3


def test_sim_has_edit() -> None:
    assert sim.edit is edit
    assert isinstance(Linear(DataSpec("image", (3, 8, 8))), Model)
