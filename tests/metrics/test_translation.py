"""Translations whose numbers are known: what is open comes back however disturbed, what is hidden is lost."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from simulacra.core.batch import in_order, to_bytes
from simulacra.core.capabilities import Cycles, Translates
from simulacra.core.noise import Noise
from simulacra.metrics import translation
from simulacra.metrics.features import load_extractor
from simulacra.metrics.reconstruction import psnr, ssim
from simulacra.metrics.translation import (
    GROUPS,
    Translated,
    blurred,
    classify_cycle,
    domain_classes,
    noisy,
    predicted_classes,
    quantised,
    translate_cycle,
    translate_pairs,
)
from tests.metrics.translators import (
    Brightness,
    Constant,
    Cycle,
    Hides,
    Inverts,
    Stub,
    Varies,
    domains,
    pairs,
)

CPU, RAW = torch.device("cpu"), load_extractor("raw")
PROBES = ("quantised", "blurred", "noisy")


def direction(model: Cycle, k: int = 0, groups: tuple[str, ...] = GROUPS) -> Translated:
    """Test images of class k to the other one, in batches of 7."""
    test = domains().test
    parts = [test.take(test.y == c) for c in range(2)]
    names = model.spec.classes
    batches = in_order(parts[k], 7, CPU)
    pair = names[k], names[1 - k]
    return translate_cycle(model, batches, pair, parts[k], parts[1 - k], parts[1 - k], RAW, groups)


def translated(model: Stub, seed: int = 0, variants: int = 4, groups: tuple[str, ...] = GROUPS) -> Translated:
    """The test pairs, in batches of 7."""
    data = pairs()
    batches = in_order(data.test, 7, CPU, seed)
    return translate_pairs(model, batches, data.test, data.train, RAW, groups, variants)


def floats(x: np.ndarray) -> np.ndarray:
    return x.astype(np.float64) / 255


def test_the_blur_is_that_of_scipy() -> None:
    x = torch.rand(2, 3, 9, 14, generator=torch.Generator().manual_seed(0))
    expected = [[gaussian_filter(c, 1.0, mode="nearest", truncate=4.0) for c in one] for one in x.numpy()]
    np.testing.assert_allclose(blurred(x, Noise(0)), expected, atol=1e-6)
    # smaller than the window
    assert blurred(torch.ones(1, 1, 2, 1), Noise(0)).tolist() == [[[[pytest.approx(1)], [pytest.approx(1)]]]]


def test_what_rounding_and_noise_do() -> None:
    x = torch.tensor([[[[0.5001, 0.2]]]])
    assert (255 * quantised(x, Noise(0))).flatten().tolist() == pytest.approx([128, 51])
    grey, white = torch.full((1, 1, 100, 100), 0.5), torch.ones(1, 1, 100, 100)
    assert noisy(grey, Noise(0)).std().item() == pytest.approx(0.02, rel=0.05)
    assert noisy(white, Noise(0)).max() == 1


def test_what_comes_back_of_an_open_translation_is_as_disturbed() -> None:
    for model in (Cycle, Inverts):
        numbers = direction(model(domains().spec)).numbers
        assert numbers["cycle_l1"] == pytest.approx(0, abs=1e-7)
        # as far as PSNR goes
        assert numbers["cycle_psnr"] == pytest.approx(100)
        # 8-bit images stay what they are
        assert numbers["cycle_l1_quantised"] == pytest.approx(0, abs=1e-6)
        for probe in PROBES:
            there = numbers[f"translation_l1_{probe}"]
            assert numbers[f"cycle_l1_{probe}"] == pytest.approx(there, rel=1e-4, abs=1e-6)
        # E |n| of normal noise; dark images are clipped here and there
        assert numbers["cycle_l1_noisy"] == pytest.approx(0.02 * (2 / np.pi) ** 0.5, rel=0.1)
    x = floats(domains().test.x[:30, 0])
    blur = np.mean([abs(gaussian_filter(one, 1.0, mode="nearest", truncate=4.0) - one).mean() for one in x])
    assert numbers["translation_l1_blurred"] == pytest.approx(blur, rel=1e-5)


def test_a_constant_loses_everything_before_it_is_disturbed() -> None:
    of = direction(Constant(domains().spec), k=1)
    lost = float(abs(floats(of.x) - 0.25).mean())
    for name in ("cycle_l1", *(f"cycle_l1_{probe}" for probe in PROBES)):
        assert of.numbers[name] == pytest.approx(lost, rel=1e-6), name
    squared = (floats(of.x) - 0.25) ** 2
    assert of.numbers["cycle_psnr"] == pytest.approx(
        float(-10 * np.log10(squared.mean(axis=(1, 2, 3))).mean())
    )
    # 0.25 is 63.75 of 255
    assert of.numbers["translation_l1_quantised"] == pytest.approx(0.25 / 255, rel=1e-3)
    assert of.numbers["translation_l1_blurred"] == pytest.approx(0, abs=1e-6)


def test_a_hidden_message_is_lost_with_what_hides_it() -> None:
    of = direction(Hides(domains().spec))
    numbers, x = of.numbers, floats(of.x)
    assert (of.samples == 128).all()
    assert of.back is not None
    assert (of.back == of.x).all()
    assert numbers["cycle_l1"] < 1e-4
    # nothing is left: a grey of one half comes back
    lost = float(abs(0.5 - x).mean())
    assert numbers["cycle_l1_quantised"] == pytest.approx(lost, rel=1e-4)
    assert numbers["translation_l1_quantised"] == pytest.approx(lost * 0.9 / 255, rel=1e-3)
    # the blur of the message is the message of the blur
    blur = np.mean([abs(gaussian_filter(a[0], 1.0, mode="nearest", truncate=4.0) - a[0]).mean() for a in x])
    assert numbers["cycle_l1_blurred"] == pytest.approx(blur, rel=1e-3)
    assert numbers["translation_l1_blurred"] == pytest.approx(blur * 0.9 / 255, rel=1e-3)
    # noise of five grey levels makes the message uniform on [a, b]
    a, b = 0.5 - 0.5 / 0.9, 0.5 + 0.5 / 0.9
    expected = (((x - a) ** 2 + (b - x) ** 2) / (2 * (b - a))).mean()
    assert numbers["cycle_l1_noisy"] == pytest.approx(expected, rel=0.03)


def test_probes_are_left_out_when_nobody_asks() -> None:
    assert set(direction(Inverts(domains().spec), groups=("perceptual",)).numbers) == {"cycle_perceptual"}
    assert direction(Inverts(domains().spec), groups=()).numbers == {}
    assert translated(Varies(pairs().spec), groups=()).numbers == {}


def test_what_is_compared_is_of_the_other_domain() -> None:
    of = direction(Inverts(domains().spec), k=1)
    assert (of.name, of.domains) == ("bright to dark", ("bright", "dark"))
    assert (of.samples == 255 - of.x).all()
    # in these data the inverted images are the other domain
    assert (of.real == of.samples).all()


def test_fidelity_and_diversity_translate_pairs() -> None:
    data = pairs()
    of = translate_pairs(
        Varies(data.spec), in_order(data.test, 100, CPU, seed=4), data.test, data.train, RAW, GROUPS, 3
    )
    noise = Noise(4)
    u = torch.stack([0.2 * noise.uniform(30, 1, 1, 1).double() for _ in range(3)])
    target = torch.from_numpy(floats(data.test.target))  # type: ignore[arg-type]  # there are targets
    one = target - u[0]
    expected = {
        "l1": u[0].mean(),
        "best_l1": u.amin(dim=0).mean(),
        "diversity_l1": ((u[0] - u[1]).abs() + (u[0] - u[2]).abs() + (u[1] - u[2]).abs()).mean() / 3,
        # of input i and of input i + 15
        "targets_l1": (target[15:] - target[:15]).abs().mean(),
        "psnr": psnr(one, target).mean(),
        "ssim": ssim(one.float(), target.float()).mean(),
    }
    found = {name: of.numbers[name] for name in of.numbers if "perceptual" not in name}
    assert found == pytest.approx({name: value.item() for name, value in expected.items()}, rel=1e-4)
    assert abs(of.samples - floats(data.test.target) * 255 + 255 * u[0].numpy()).max() < 0.51
    assert of.real is data.test.target
    assert of.train is data.train.target
    assert of.domains is None


def test_a_net_without_noise_has_no_diversity() -> None:
    data = pairs()
    numbers = translated(Stub(data.spec)).numbers
    assert numbers["diversity_l1"] == numbers["diversity_perceptual"] == 0
    assert numbers["best_l1"] == numbers["l1"]
    # |x - (1 - x)|
    assert numbers["l1"] == pytest.approx(float(abs(2 * floats(data.test.x) - 1).mean()), rel=1e-5)


def test_perceptual_distances_are_of_what_they_say(monkeypatch: pytest.MonkeyPatch) -> None:
    def apart(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        a, b = (floats(x).reshape(len(x), -1) for x in (a, b))
        cosine: np.ndarray = (a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)
        return 2 - 2 * cosine

    model, target = Varies(pairs().spec), pairs().test.target
    assert target is not None
    # the variants of each batch of 7, one after the other
    of = translated(model)
    drawn = [[] for _ in range(4)]  # type: ignore[var-annotated]
    for batch in in_order(pairs().test, 7, CPU, 0):
        for k in range(4):
            drawn[k].append(to_bytes(model.translate(batch.x, batch.noise)))
    one, *more = map(np.concatenate, drawn)
    off = np.stack([apart(variant, target) for variant in (one, *more)])
    between = [apart(a, b) for a, b in combinations((one, *more), 2)]
    assert (of.samples == one).all()
    expected = {
        "perceptual": off[0].mean(),
        "best_perceptual": off.min(axis=0).mean(),
        "diversity_perceptual": np.mean(between),
        "targets_perceptual": apart(target, np.roll(target, 15, axis=0)).mean(),
    }
    found = {name: of.numbers[name] for name in of.numbers if "perceptual" in name}
    assert found == pytest.approx(expected, abs=1e-6)
    # few at a time
    monkeypatch.setattr(translation, "HELD", 3)
    assert translated(model).numbers == pytest.approx(of.numbers)
    cycle = direction(Constant(domains().spec))
    assert cycle.back is not None
    assert cycle.numbers["cycle_perceptual"] == pytest.approx(apart(cycle.back, cycle.x).mean(), abs=1e-6)


RIGHT = {
    "translated_as_target": 1, "real_as_target": 1, "source_as_target": 0,
    "cycle_as_source": 1, "source_as_source": 1, "cycle_same_class": 1,
}  # fmt: skip


def test_shares_read_as_a_domain() -> None:
    extractor, names = load_extractor(Brightness()), ("dark", "bright")
    test = domains().test
    assert test.y is not None
    real = {name: np.full(30, k) for k, name in enumerate(names)}
    for k, name in enumerate(names):
        assert predicted_classes(test.x[test.y == k], extractor) == pytest.approx(real[name])
    for k in range(2):
        found = classify_cycle(direction(Inverts(domains().spec), k), extractor, real, names)
        assert found == RIGHT | {"target_class": names[1 - k]}
    # a dark grey is what it always makes
    to_bright, to_dark = (
        classify_cycle(direction(Constant(domains().spec), k), extractor, real, names) for k in range(2)
    )
    assert to_bright == RIGHT | {"target_class": "bright", "translated_as_target": 0}
    assert to_dark == RIGHT | {"target_class": "dark", "cycle_as_source": 0, "cycle_same_class": 0}
    # by number; a third of the real bright ones are not seen as such
    real["bright"] = np.repeat([1, 0], [20, 10])
    found = classify_cycle(direction(Inverts(domains().spec)), extractor, real, ())
    assert found == RIGHT | {"target_class": "1", "real_as_target": pytest.approx(2 / 3)}
    found = classify_cycle(direction(Inverts(domains().spec), 1), extractor, real, ())
    part = {"source_as_source": 2 / 3, "source_as_target": 1 / 3, "cycle_same_class": 2 / 3}
    assert found == pytest.approx(RIGHT | part | {"target_class": "0"})
    # all are one to it: nothing means a domain
    found = classify_cycle(
        direction(Inverts(domains().spec)), extractor, dict.fromkeys(names, np.zeros(30, int)), ()
    )
    assert found == {"cycle_same_class": 1}


def test_which_class_means_a_domain() -> None:
    real = {"dark": np.array([1, 1, 0]), "bright": np.array([0, 0, 1])}
    assert domain_classes(real, ()) == {"dark": 1, "bright": 0}
    assert domain_classes(real, ("night", "day")) == {"dark": 1, "bright": 0}
    # its name goes before what is seen
    assert domain_classes(real, ("dark", "bright")) == {"dark": 0, "bright": 1}
    assert domain_classes(real, ("bright", "dusk", "dark")) == {"dark": 2, "bright": 0}
    assert domain_classes({"dark": np.array([7]), "bright": np.array([7])}, ()) == {}


def test_who_knows_no_classes_reads_nothing() -> None:
    assert predicted_classes(domains().test.x, RAW) is None


def test_the_stubs_have_the_capabilities() -> None:
    assert isinstance(Stub(pairs().spec), Translates)
    assert not isinstance(Stub(pairs().spec), Cycles)
    assert isinstance(Inverts(domains().spec), Cycles)
