"""Discriminator augmentation: every transform against what it is known to do, and p against its rule."""

from __future__ import annotations

import os
import subprocess
import sys
from math import log2, pi, sqrt
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from simulacra.core.noise import Noise
from simulacra.nets.augmentation import AdaptiveAugment, Colour, DiffAugment, Geometry, warp


def images(n: int = 4, channels: int = 3, height: int = 16, width: int = 16) -> Tensor:
    return 2 * Noise(7).uniform(n, channels, height, width) - 1


def adaptive(p: float) -> AdaptiveAugment:
    augment = AdaptiveAugment()
    augment.p.fill_(p)
    return augment


BOTH = pytest.mark.parametrize("augment", [DiffAugment(), adaptive(0.9)], ids=["diff", "adaptive"])


def moved(x: Tensor, **values: float) -> Tensor:
    """Images under one geometric transform."""
    zeros = torch.zeros(len(x))
    given = {name: zeros + value for name, value in values.items()}
    return warp(x, *Geometry(*[zeros] * 10)._replace(**given).affine(*x.shape[2:]))


def coloured(x: Tensor, **values: float) -> Tensor:
    """Images under one transform of colour."""
    zeros = torch.zeros(len(x))
    given = {name: zeros + value for name, value in values.items()}
    return Colour(*[zeros] * 5)._replace(**given)(x)


def equal(one: AdaptiveAugment, other: AdaptiveAugment) -> bool:
    """Whether all that a checkpoint carries is the same."""
    pairs = zip(one.state_dict().values(), other.state_dict().values(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


def near(count: int, n: int, chance: float) -> bool:
    """Whether a count of n is within five standard deviations of its binomial mean."""
    return abs(count - n * chance) <= 5 * sqrt(n * chance * (1 - chance))


@pytest.mark.parametrize("shape", [(3, 16, 16), (1, 28, 28), (3, 9, 14), (4, 7, 5), (1, 2, 2)])
def test_p_of_zero_changes_no_bit(shape: tuple[int, ...]) -> None:
    x = images(6, *shape)
    assert torch.equal(AdaptiveAugment()(x, Noise(0)), x)


def test_flips_and_quarter_turns() -> None:
    x = images()
    assert torch.equal(moved(x, flip=1), x.flip(3))
    for k in range(4):
        assert torch.equal(moved(x, turns=k), x.rot90(k, (2, 3)))
    # the flip comes first
    assert torch.equal(moved(x, flip=1, turns=1), x.flip(3).rot90(1, (2, 3)))
    for name in ("before", "after"):
        # cos(pi / 2) is not quite 0
        torch.testing.assert_close(moved(x, **{name: pi / 2}), x.rot90(1, (2, 3)), atol=1e-5, rtol=0)


@pytest.mark.parametrize("name", ["", "drift_"])
@pytest.mark.parametrize(("right", "down"), [(3, 0), (0, -2), (-4, 1)])
def test_moves_by_whole_pixels_over_a_mirrored_border(name: str, right: int, down: int) -> None:
    x = images(height=16, width=32)
    share = {f"{name}right": right / 32, f"{name}down": down / 16}
    mirrored = F.pad(x, (5, 5, 5, 5), mode="reflect")
    expected = mirrored[:, :, 5 - down : 21 - down, 5 - right : 37 - right]
    assert torch.equal(moved(x, **share), expected)


def test_moves_are_rounded_to_pixels_and_drifts_are_not() -> None:
    x = torch.arange(16.0).expand(1, 1, 16, 16)
    assert torch.equal(moved(x, right=1.3 / 16)[..., 8], x[..., 7])
    torch.testing.assert_close(moved(x, drift_right=1.3 / 16)[..., 8], x[..., 8] - 1.3)


def test_sizes_and_stretches() -> None:
    # the values are places: what is seen at o is the place it came from
    at = torch.arange(17.0) - 8
    across, down = at.expand(1, 1, 17, 17), at[:, None].expand(1, 1, 17, 17)
    middle = slice(5, 12)

    def seen(x: Tensor, **values: float) -> Tensor:
        return moved(x, **values)[0, 0, middle, middle]

    for x in (across, down):
        torch.testing.assert_close(seen(x, size=log2(1.6)), x[0, 0, middle, middle] / 1.6)
    torch.testing.assert_close(seen(across, stretch=0.5), across[0, 0, middle, middle] / sqrt(2))
    torch.testing.assert_close(seen(down, stretch=0.5), down[0, 0, middle, middle] * sqrt(2))


def test_transforms_are_applied_in_the_order_of_the_paper() -> None:
    g = Geometry.draw(Noise(3), 50, torch.tensor(1.0))
    h, w = 20, 30
    A, b = g.affine(h, w)
    for i in range(50):
        one = {name: float(value[i]) for name, value in g._asdict().items()}

        def matrix(a: float, b: float, c: float, d: float, x: float = 0.0, y: float = 0.0) -> np.ndarray:
            return np.array([[a, b, x], [c, d, y], [0, 0, 1]])

        def turn(angle: float) -> np.ndarray:
            # counter-clockwise for the eye, y downwards
            return matrix(np.cos(angle), np.sin(angle), -np.sin(angle), np.cos(angle))

        s, t = 2 ** one["size"], 2 ** one["stretch"]
        forward = np.eye(3)
        for step in (
            matrix(1 - 2 * one["flip"], 0, 0, 1),
            turn(one["turns"] * pi / 2),
            matrix(1, 0, 0, 1, round(one["right"] * w), round(one["down"] * h)),
            matrix(s, 0, 0, s),
            turn(one["before"]),
            matrix(t, 0, 0, 1 / t),
            turn(one["after"]),
            matrix(1, 0, 0, 1, one["drift_right"] * w, one["drift_down"] * h),
        ):
            forward = step @ forward
        inverse = torch.from_numpy(np.linalg.inv(forward)).float()
        torch.testing.assert_close(A[i], inverse[:2, :2], atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(b[i], inverse[:2, 2], atol=1e-4, rtol=1e-4)


def test_a_warp_reads_between_pixels_and_beyond_the_border() -> None:
    # cos(k pi x / last) is its own mirror image at both ends, so it is known everywhere
    h, w = 24, 32

    def wave(right: Tensor, down: Tensor) -> Tensor:
        return (3 * pi * (right / (w - 1) + 0.5)).cos() * (4 * pi * (down / (h - 1) + 0.5)).cos()

    n, right, down = 40, torch.arange(w) - (w - 1) / 2, torch.arange(h)[:, None] - (h - 1) / 2
    A, b = Geometry.draw(Noise(1), n, torch.tensor(1.0)).affine(h, w)
    u = A[:, :, 0, None, None] * right + A[:, :, 1, None, None] * down + b[:, :, None, None]
    outside = (u[:, 0].abs() > (w - 1) / 2) | (u[:, 1].abs() > (h - 1) / 2)
    assert 0.1 < outside.float().mean() < 0.9
    error = warp(wave(right, down).expand(n, 1, h, w), A, b)[:, 0] - wave(u[:, 0], u[:, 1])
    # linear between half pixels: omega^2 / 32 for each axis
    assert error.abs().max() < 1.2 * ((3 * pi / 31) ** 2 + (4 * pi / 23) ** 2) / 32


def test_brightness_and_contrast() -> None:
    for channels in (1, 2, 3):
        x = images(channels=channels)
        torch.testing.assert_close(coloured(x, brightness=0.3), x + 0.3)
        torch.testing.assert_close(coloured(x, contrast=0.7), x * 2**0.7)
        torch.testing.assert_close(coloured(x, brightness=0.3, contrast=1), 2 * (x + 0.3))


def test_one_channel_has_no_hue_to_turn() -> None:
    x = images(channels=1)
    assert torch.equal(coloured(x, invert=1, hue=2, saturation=1), x)


def test_hue_saturation_and_inverted_light() -> None:
    x = images()
    light = x.mean(dim=1, keepdim=True)
    colour = x - light
    # half way round, colours are opposite, and the light is the same
    torch.testing.assert_close(coloured(x, hue=pi), light - colour)
    # a third of the way round, channels change places: red becomes green
    torch.testing.assert_close(coloured(x, hue=2 * pi / 3), x.roll(1, dims=1))
    torch.testing.assert_close(coloured(x, saturation=-1), light + colour / 2)
    torch.testing.assert_close(coloured(x, invert=1), colour - light)
    together = coloured(x, brightness=0.1, contrast=1, invert=1, hue=pi, saturation=2)
    torch.testing.assert_close(together, 2 * (-(light + 0.1) - 4 * colour))


@pytest.mark.parametrize("p", [0.2, 0.8, 1.0])
def test_each_transform_is_applied_with_probability_p(p: float) -> None:
    n, chance = 20_000, torch.tensor(p)
    g, c = Geometry.draw(Noise(0), n, chance), Colour.draw(Noise(1), n, chance)
    turned = (g.before != 0) | (g.after != 0)
    for on in (g.size, g.stretch, g.drift_right, g.drift_down, g.right, turned, *c[:2], *c[3:]):
        assert near(int((on != 0).sum()), n, p)
    for one, other in ((g.right, g.down), (g.drift_right, g.drift_down)):
        assert torch.equal(one != 0, other != 0)
    # drawn from all of their values, the one that changes nothing among them
    assert near(int(g.flip.sum()), n, p / 2)
    assert near(int(c.invert.sum()), n, p / 2)
    for k in (1, 2, 3):
        assert near(int((g.turns == k).sum()), n, p / 4)


def test_the_transforms_are_as_large_as_in_the_paper() -> None:
    n, one = 20_000, torch.tensor(1.0)
    g, c = Geometry.draw(Noise(0), n, one), Colour.draw(Noise(1), n, one)
    normal = {g.size: 0.2, g.stretch: 0.2, g.drift_right: 0.125, g.drift_down: 0.125}
    normal |= {c.brightness: 0.2, c.contrast: 0.5, c.saturation: 1.0}
    for value, sigma in normal.items():
        assert abs(float(value.mean())) < 5 * sigma / sqrt(n)
        assert float(value.std()) == pytest.approx(sigma, rel=0.03)
    for value, most in ((g.right, 0.125), (g.down, 0.125), (g.before, pi), (g.after, pi), (c.hue, pi)):
        assert float(value.min()) == pytest.approx(-most, rel=0.01)
        assert float(value.max()) == pytest.approx(most, rel=0.01)
        assert float(value.std()) == pytest.approx(most / sqrt(3), rel=0.03)


def test_the_share_of_images_that_stay_as_they_are() -> None:
    n, p = 4000, 0.15
    x = images(1, 3, 16, 16).expand(n, 3, 16, 16)
    same = (adaptive(p)(x, Noise(0)) == x).flatten(1).all(dim=1)
    # a move by up to 2 pixels is rounded to none with 1/4 a side
    still = 1 - p + p / 16
    chance = (1 - p / 2) ** 2 * (1 - 3 * p / 4) * still * (1 - p) ** 8
    assert near(int(same.sum()), n, chance)


def test_diff_augment_is_what_the_paper_says() -> None:
    x, noise = images(30, 3, 17, 24), Noise(5)
    augmented = DiffAugment()(x, Noise(5))
    colours, rows, columns = noise.uniform(30, 3), noise.uniform(30, 2), noise.uniform(30, 2)
    for i in range(30):
        brightness, saturation, contrast = colours[i].tolist()
        image = x[i].double() + brightness - 0.5
        image = image.mean(dim=0) + 2 * saturation * (image - image.mean(dim=0))
        image = image.mean() + (contrast + 0.5) * (image - image.mean())
        # 17 / 8 and 24 / 8: up to 2 down, up to 3 right
        down, right = int(5 * rows[i, 0]) - 2, int(7 * columns[i, 0]) - 3
        image = F.pad(image, (3, 3, 2, 2))[:, 2 - down : 19 - down, 3 - right : 27 - right].clone()
        # 8 rows of 17, 12 columns of 24
        top, left = int(18 * rows[i, 1]) - 4, int(25 * columns[i, 1]) - 6
        image[:, max(top, 0) : top + 8, max(left, 0) : left + 12] = 0
        torch.testing.assert_close(augmented[i], image.float())


def test_diff_augment_moves_and_cuts_everywhere() -> None:
    n, size = 4000, 16
    # colours of a white image do nothing but change it everywhere: what is 0 was moved out or cut
    seen = (DiffAugment()(torch.ones(n, 1, size, size), Noise(0)) != 0).float()
    cut = 1 - seen[:, 0, 4:12, 4:12]
    # rows start - 4..3 of starts 0..16 cut one row with chance 8 / 17
    torch.testing.assert_close(cut.mean(dim=0), torch.full((8, 8), (8 / 17) ** 2), atol=0.04, rtol=0)
    # the first row was moved out by 1 of 5 or 2 of 5 pixels down
    kept = (1 - 2 / 5) ** 2 * (1 - (5 / 17) ** 2)
    assert near(int(seen[:, 0, 0, 0].sum()), n, kept)


@BOTH
def test_a_part_of_a_batch_meets_what_it_meets_in_the_whole(augment: torch.nn.Module) -> None:
    x = images(12)
    whole = augment(x, Noise(2))
    for shard in range(3):
        rows = slice(4 * shard, 4 * shard + 4)
        torch.testing.assert_close(augment(x[rows], Noise(2, 0, shard, 3)), whole[rows])


@BOTH
def test_draws_come_from_the_noise_alone(augment: torch.nn.Module) -> None:
    x, noise = images(), Noise(2)
    before = torch.get_rng_state()
    first, second = augment(x, noise), augment(x, noise)
    assert torch.equal(torch.get_rng_state(), before)
    assert not torch.isclose(first, second).flatten(1).all(dim=1).any()
    assert torch.equal(augment(x, Noise(2)), first)


class Asked(TorchDispatchMode):
    """Notes whether Python asks a tensor for a number, for which it would wait for the device."""

    numbers = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.numbers += func in (torch.ops.aten._local_scalar_dense.default, torch.ops.aten.nonzero.default)
        return func(*args, **(kwargs or {}))


def test_nothing_waits_for_the_device() -> None:
    x, augment, outputs = images(), adaptive(0.7), torch.ones(4)
    with Asked() as asked:
        DiffAugment()(x, Noise(0))
        augment(x, Noise(0))
        augment.update(outputs, Noise(0))
        assert asked.numbers == 0
        float(augment.p)
        assert asked.numbers == 1


@pytest.mark.parametrize("channels", [1, 3])
@BOTH
def test_gradients_flow_once_and_twice(augment: torch.nn.Module, channels: int) -> None:
    x = images(2, channels, 5, 4).double().requires_grad_()
    assert torch.autograd.gradcheck(lambda x: augment(x, Noise(4)), x)
    # what a gradient penalty needs
    assert torch.autograd.gradgradcheck(lambda x: augment(x, Noise(4)).square(), x)


@pytest.mark.parametrize(("sure", "way"), [(64, 1), (52, 1), (51, -1), (0, -1)])
def test_p_follows_the_sign_of_outputs_by_exact_steps(sure: int, way: int) -> None:
    # r = (2 sure - 64) / 64 is above 0.6 from 52 of 64 on
    augment, noise = adaptive(0.5), Noise(0)
    outputs = torch.where(torch.arange(64) < sure, 0.1, -3.0)
    for step in range(1, 13):
        augment.update(outputs, noise)
        steps = step // 4
        assert float(augment.p) == pytest.approx(0.5 + way * steps * 4 * 64 / 500_000, abs=1e-7)
        assert float(augment.r) == pytest.approx((2 * sure - 64) / 64 if steps else 0, abs=1e-6)


def test_four_steps_are_judged_together() -> None:
    augment, noise = adaptive(0.5), Noise(0)
    for sign in (1, 1, 1, -1):
        augment.update(torch.full((10,), 1.0 * sign), noise)
    assert float(augment.r) == pytest.approx(0.5)
    assert float(augment.p) == pytest.approx(0.5 - 40 / 500_000)


def test_p_stays_a_probability_and_rises_to_one_in_as_many_images_as_asked() -> None:
    augment, noise, sure = AdaptiveAugment(ramp=80), Noise(0), torch.ones(4)
    for step in range(1, 25):
        augment.update(sure, noise)
        assert float(augment.p) == pytest.approx(min(step // 4 * 0.2, 1))
    augment.p.fill_(0.1)
    for _ in range(4):
        augment.update(-sure, noise)
    assert float(augment.p) == 0.0


def test_parts_of_a_batch_count_as_one_step() -> None:
    outputs = torch.tensor([1.0, 2.0, -1.0, 3.0, 1.0, 1.0])
    whole, cut = adaptive(0.3), adaptive(0.3)
    for step in range(8):
        whole.update(outputs, Noise(0, step))
        for shard in range(3):
            p = float(cut.p)
            cut.update(outputs[2 * shard : 2 * shard + 2], Noise(0, step, shard, 3))
            assert shard == 2 or float(cut.p) == p
        assert equal(whole, cut)
    assert float(cut.p) != pytest.approx(0.3, abs=1e-6)


def test_a_checkpoint_in_the_middle_of_an_interval_goes_on_the_same() -> None:
    noise, outputs = Noise(0), torch.tensor([1.0, 1.0, 1.0, -1.0, 1.0])
    whole = adaptive(0.4)
    for _ in range(6):
        whole.update(outputs, noise)
    resumed = AdaptiveAugment()
    resumed.load_state_dict(whole.state_dict())
    assert set(whole.state_dict()) == {"p", "r", "tally"}
    assert float(resumed.p) != 0.4
    for _ in range(3):
        whole.update(outputs.neg(), noise)
        resumed.update(outputs.neg(), noise)
    assert equal(whole, resumed)


PROCESS = """
import sys
import torch
import torch.distributed as dist
from simulacra.nets.augmentation import AdaptiveAugment
from simulacra.core.noise import Noise

rank = int(sys.argv[1])
dist.init_process_group("gloo", init_method=f"file://{sys.argv[2]}", rank=rank, world_size=2)
augment = AdaptiveAugment()
# alone, the first would raise p and the second keep it at 0: together, r = (17 - 3) / 20
outputs = torch.ones(10) if rank == 0 else torch.tensor([2.0] * 7 + [-1.0] * 3)
for step in range(6):
    for part in range(2):
        augment.update(outputs, Noise(0, step, 2 * rank + part, 4))
print(augment.p.item(), augment.r.item(), *augment.tally.tolist())
dist.destroy_process_group()
"""


@pytest.mark.slow
def test_two_processes_have_the_same_p(tmp_path: Path) -> None:
    command, environment = [sys.executable, "-c", PROCESS], {**os.environ, "OMP_NUM_THREADS": "1"}
    started = [
        subprocess.Popen(
            [*command, rank, str(tmp_path / "meeting")], env=environment, stdout=subprocess.PIPE, text=True
        )
        for rank in ("0", "1")
    ]
    said = [process.communicate(timeout=120)[0] for process in started]
    assert [process.returncode for process in started] == [0, 0]
    assert said[0] == said[1]
    # 4 steps of 2 processes and 2 parts of 10 images changed p, and 2 steps wait
    p, r, *tally = (float(number) for number in said[0].split())
    assert p == pytest.approx(160 / 500_000)
    assert r == pytest.approx(0.7)
    assert tally == [56.0, 80.0, 2.0]
