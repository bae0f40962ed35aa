"""ImageFiles translated at any size: in tiles as in one piece, the right way up, and nothing overwritten."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from simulacra.core.batch import tensor, to_bytes
from simulacra.core.noise import Noise
from simulacra.data.images.decode import ImageWithAlpha, open_with_alpha
from simulacra.data.spec import DataSpec
from simulacra.models.cyclegan.card import CycleGANConfig
from simulacra.models.cyclegan.model import CycleGAN
from simulacra.models.pix2pix.card import Pix2PixConfig
from simulacra.models.pix2pix.model import Pix2Pix
from simulacra.tasks.picture_files import write
from simulacra.tasks.translate import (
    ALIGN,
    MARGIN,
    OVERLAP,
    TILE,
    strips,
    translated,
    translated_image,
    varies,
)
from tests.tasks.test_picture_files import planned, saved

TURNED = 0x0112  # EXIF orientation
SRGB = b"\0" * 16 + b"RGB " + b"\0" * 108


class Net:
    """A model that translates by calling a function, and remembers the sizes it was given."""

    device = torch.device("cpu")

    def __init__(self, function: Any, channels: int = 3, known: tuple[int, int] = (8, 8)) -> None:
        self.function, self.spec = function, DataSpec("image", (channels, *known))
        self.seen: list[tuple[int, ...]] = []

    def translate(self, x: Tensor, noise: Noise, to: str | None = None) -> Tensor:
        self.seen.append(tuple(x.shape[2:]))
        return self.function(x, noise)


SAME = Net(lambda x, noise: x)


def noise(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


@pytest.mark.parametrize("length", [1, 511, 512, 513, 640, 896, 897, 1000, 1280, 1281, 4001])
def test_weights_add_up_to_one_and_leave_margins_out(length: int) -> None:
    found = strips(length, TILE)
    total = torch.zeros(length)
    for strip in found:
        assert strip.start % ALIGN == 0
        assert len(strip.weights) == strip.stop - strip.start <= TILE
        assert strip.weights.min() >= 0
        total[strip.start : strip.stop] += strip.weights
        if strip is not found[0]:
            assert strip.weights[:MARGIN].max() == 0
        if strip is not found[-1]:
            assert strip.weights[-MARGIN:].max() == 0
            # from one to the next over at least half of what they share
            assert strip.weights.diff().abs().max() <= 1 / (OVERLAP - 2 * MARGIN) + 1e-6
    torch.testing.assert_close(total, torch.ones(length))
    assert (found[0].start, found[-1].stop) == (0, length)
    assert (len(found) == 1) == (length <= TILE)


def convolutions() -> nn.Module:
    """Halves twice, doubles twice; an output sees 23 pixels to either side at most."""
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(3, 8, 3, 2, 1),
        nn.Tanh(),
        nn.Conv2d(8, 8, 3, 2, 1),
        nn.Tanh(),
        nn.Conv2d(8, 8, 7, 1, 3),
        nn.Tanh(),
        nn.ConvTranspose2d(8, 8, 4, 2, 1),
        nn.Tanh(),
        nn.ConvTranspose2d(8, 2, 4, 2, 1),
        nn.Sigmoid(),
    )
    for p in net.parameters():
        nn.init.normal_(p, 0, 0.5)
    return net.requires_grad_(False)


@pytest.mark.parametrize(("h", "w"), [(648, 400), (1100, 1304)])
def test_tiles_give_the_picture_of_the_whole_at_once(h: int, w: int) -> None:
    net = convolutions()
    x = noise(3, h, w)
    model = Net(lambda x, noise: net(x))
    whole = to_bytes(net(tensor(x[None])))[0]
    assert whole.std() > 20
    in_tiles = translated(model, x)
    assert len(model.seen) == len(strips(h, TILE)) * len(strips(w, TILE)) > 1
    assert max(map(max, model.seen)) <= TILE
    # half a level apart rounds either way
    apart = np.abs(in_tiles.astype(int) - whole)
    assert apart.max() <= 1
    assert (apart > 0).mean() < 1e-3


def test_no_seam_shows_where_tiles_differ() -> None:
    # each tile of one colour, that of its mean: as different as a net that sees the whole tile can be
    model = Net(lambda x, noise: x.mean(dim=(2, 3), keepdim=True).expand_as(x))
    x = np.linspace(0, 255, 1500).astype(np.uint8)[None, None].repeat(3, 0).repeat(1000, 1)
    y = translated(model, x).astype(int)
    assert y.max() - y.min() > 100
    assert np.abs(np.diff(y, axis=2)).max() <= 255 / (OVERLAP - 2 * MARGIN) + 1
    assert np.abs(np.diff(y, axis=1)).max() == 0


@pytest.mark.parametrize("size", [(4, 5), (20, 33), (512, 512), (513, 700), (40, 1300)])
def test_every_pixel_stays_at_its_place(size: tuple[int, int]) -> None:
    x = noise(3, *size)
    assert np.array_equal(translated(SAME, x), x)


def test_small_pictures_are_mirrored_up_to_what_the_model_knows() -> None:
    model = Net(lambda x, noise: torch.cat([x[:, :, 1:], x[:, :, :1]], dim=2), known=(10, 24))
    x = noise(3, 6, 30)
    y = translated(model, x)
    assert model.seen == [(10, 30)]
    # one up; the mirror has no second copy of the edge
    assert np.array_equal(y[:, :-1], x[:, 1:])
    assert np.array_equal(y[:, -1], x[:, -2])


def test_a_model_of_large_pictures_gets_large_tiles() -> None:
    model = Net(lambda x, noise: x, known=(600, 600))
    translated(model, noise(3, 600, 1000))
    assert {h for h, _ in model.seen} == {600}
    assert max(w for _, w in model.seen) == 640


def test_all_tiles_have_one_style() -> None:
    model = Net(lambda x, noise: noise.uniform(1, 3)[:, :, None, None].expand_as(x))
    one, other = (translated(model, noise(3, 700, 900), seed) for seed in (1, 2))
    assert np.ptp(one, axis=(1, 2)).max() == 0
    assert not np.array_equal(one, other)


@pytest.mark.parametrize("size", [(4, 4), (5, 31), (33, 64)])
def test_nets_take_pictures_of_any_size(size: tuple[int, int]) -> None:
    image = DataSpec("image", (3, 32, 32), classes=("a", "b"), target=DataSpec("image", (1, 32, 32)))
    x = noise(3, *size)
    cyclegan = CycleGAN(image, CycleGANConfig(width=4, blocks=1)).eval()
    assert translated(cyclegan, x).shape == (3, *size)
    assert not varies(cyclegan)
    pix2pix = Pix2Pix(image, Pix2PixConfig(width=4)).eval()
    assert translated(pix2pix, x).shape == (1, *size)
    assert varies(pix2pix)


def test_grey_becomes_colour_and_colour_grey() -> None:
    grey, red = Image.new("L", (9, 8), 90), Image.new("RGB", (9, 8), (255, 0, 0))
    assert translated_image(SAME, grey).getpixel((0, 0)) == (90, 90, 90)
    assert translated_image(SAME, red).getpixel((8, 7)) == (255, 0, 0)
    takes_grey = Net(lambda x, noise: x, channels=1)
    assert translated_image(takes_grey, red).getpixel((0, 0)) == 76  # 0.299 * 255
    gives_grey = Net(lambda x, noise: x[:, :1])
    assert translated_image(gives_grey, red).mode == "L"


def through(source: Path, out: Path) -> Image.Image:
    """What comes out of a model that changes nothing."""
    original = open_with_alpha(source)
    write(translated_image(SAME, original.image), original, out)
    with Image.open(out) as image:
        image.load()
    return image


@pytest.mark.parametrize("orientation", range(1, 9))
def test_pictures_come_out_upright_with_their_transparency(tmp_path: Path, orientation: int) -> None:
    upright = Image.fromarray(noise(8, 12, 4), "RGBA")
    alpha = np.zeros((8, 12), np.uint8)
    alpha[:3, :5], alpha[5:, 7:] = 255, 99
    upright.putalpha(Image.fromarray(alpha))
    # how a camera stores it that has been turned so: the inverse of what turns it upright
    t = Image.Transpose
    stored_as = {
        2: t.FLIP_LEFT_RIGHT, 3: t.ROTATE_180, 4: t.FLIP_TOP_BOTTOM, 5: t.TRANSPOSE,
        6: t.ROTATE_90, 7: t.TRANSVERSE, 8: t.ROTATE_270,
    }  # fmt: skip
    stored = upright.transpose(stored_as[orientation]) if orientation > 1 else upright
    exif = Image.Exif()
    exif[TURNED] = orientation
    out = through(saved(stored, tmp_path / "in.png", exif=exif), tmp_path / "out.png")
    assert (out.mode, out.size) == ("RGBA", (12, 8))
    assert TURNED not in out.getexif()
    got, expected = np.asarray(out).astype(int), np.asarray(upright).astype(int)
    assert np.array_equal(got[..., 3], alpha)
    assert np.array_equal(got[alpha == 255], expected[alpha == 255])
    # what is transparent is seen over white
    assert (got[alpha == 0][:, :3] == 255).all()


@pytest.mark.parametrize(
    ("name", "kind", "mode", "exact"),
    [
        ("a.png", "PNG", "RGB", True),
        ("a.BMP", "BMP", "RGB", True),
        ("a.jpg", "JPEG", "RGB", False),
        ("a.JPEG", "JPEG", "RGB", False),
        ("a.webp", "WEBP", "RGB", False),
        ("b.png", "PNG", "RGBA", True),
        ("b.webp", "WEBP", "RGBA", False),
    ],
)
def test_formats_are_kept(tmp_path: Path, name: str, kind: str, mode: str, exact: bool) -> None:
    image = Image.new("RGB", (16, 16), (200, 100, 50))
    image.paste((20, 60, 90), (0, 0, 8, 16))
    if mode == "RGBA":
        image.putalpha(255)
        image.putpixel((8, 0), (0, 0, 0, 0))
    (job,), *_ = planned([saved(image, tmp_path / name)], tmp_path / "out")
    assert job.outs == (tmp_path / "out" / name,)
    out = through(job.source.path, job.outs[0])
    assert (out.format, out.mode, out.size) == (kind, mode, (16, 16))
    apart = np.abs(np.asarray(out.convert("RGB")).astype(int) - np.asarray(image.convert("RGB")))
    assert apart[:, [0, 1, 2, 13, 14, 15]].max() <= (0 if exact else 8)


def test_a_format_without_transparency_becomes_png(tmp_path: Path) -> None:
    clear = Image.new("RGBA", (8, 8), (1, 2, 3, 4))
    saved(clear, tmp_path / "in" / "really-a-png.jpg", format="PNG")
    saved(Image.new("P", (8, 8), 3), tmp_path / "in" / "a.gif")
    saved(Image.new("L", (8, 8), 3), tmp_path / "in" / "b.png", transparency=3)
    out = tmp_path / "out"
    jobs, bad, _ = planned([tmp_path / "in", tmp_path / "in" / "a.gif"], out)
    assert bad == {}
    assert [job.outs[0].name for job in jobs] == ["b.png", "really-a-png.png", "a.png"]
    grey_and_alpha = through(jobs[0].source.path, jobs[0].outs[0])
    assert grey_and_alpha.getpixel((0, 0)) == (255, 255, 255, 0)
    assert through(jobs[1].source.path, jobs[1].outs[0]).getpixel((7, 7))[3] == 4
    assert jobs[1].source.header().alpha
    assert not jobs[2].source.header().alpha


def test_colour_profiles_stay_where_they_fit(tmp_path: Path) -> None:
    image = Image.new("RGB", (8, 8), "red")
    for name in ("a.png", "a.jpg", "a.webp"):
        out = through(saved(image, tmp_path / name, icc_profile=SRGB), tmp_path / "out" / name)
        assert out.info["icc_profile"] == SRGB
    original = ImageWithAlpha(image, None, SRGB)
    write(Image.new("L", (8, 8)), original, tmp_path / "grey.png")
    with Image.open(tmp_path / "grey.png") as grey:
        assert "icc_profile" not in grey.info


def test_16_bits_of_grey_are_translated(tmp_path: Path) -> None:
    ramp = Image.fromarray(np.linspace(0, 65535, 64).astype(np.uint16).reshape(8, 8))
    out = through(saved(ramp, tmp_path / "in.png", transparency=0), tmp_path / "out.png")
    assert out.mode == "RGB"
    assert (out.getpixel((0, 0)), out.getpixel((7, 7))) == ((0, 0, 0), (255, 255, 255))


@pytest.mark.parametrize(
    ("mode", "name", "kind"),
    [
        ("1", "a.png", "PNG"),
        ("L", "a.jpg", "JPEG"),
        ("LA", "a.png", "PNG"),
        ("P", "a.png", "PNG"),
        ("P", "a.bmp", "BMP"),
        ("CMYK", "a.jpg", "JPEG"),
    ],
)
def test_every_kind_of_picture_is_translated_to_colour(
    tmp_path: Path, mode: str, name: str, kind: str
) -> None:
    black_and_white = Image.new("L", (16, 16), 255)
    black_and_white.paste(0, (0, 0, 8, 16))
    (job,), bad, _ = planned([saved(black_and_white.convert(mode), tmp_path / name)], tmp_path / "out")
    assert bad == {}
    out = through(job.source.path, job.outs[0])
    assert (out.format, out.mode) == (kind, "RGBA" if mode == "LA" else "RGB")
    rgb = np.asarray(out.convert("RGB"))
    assert rgb[:, :6].max() <= 8
    assert rgb[:, 10:].min() >= 247
