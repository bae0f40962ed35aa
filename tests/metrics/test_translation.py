"""Translations whose numbers are known: what is open comes back however disturbed, what is hidden is lost."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from simulacra.engine.batches import in_order
from simulacra.errors import ConfigError
from simulacra.game import Cycles, Noise, Translates
from simulacra.metrics import translation
from simulacra.metrics.features import Classifier, load_extractor
from simulacra.metrics.reconstruction import psnr, ssim
from simulacra.metrics.translation import Translated, blurred, meanings, noisy, of_domain, of_pairs, quantised
from tests.metrics.translators import (
    IMAGE,
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

CPU = torch.device("cpu")
PROBES = ("quantised", "blurred", "noisy")


def direction(model: Cycle, k: int = 0, probe: bool = True) -> Translated:
    """Test images of class k to the other one, in batches of 7."""
    test = domains().test
    parts = [test.take(test.y == c) for c in range(2)]
    names = model.spec.classes
    batches = in_order(parts[k], 7, CPU)
    return of_domain(model, batches, (names[k], names[1 - k]), parts[k], parts[1 - k], parts[1 - k], probe)


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
    # 0.25 is 63.75 of 255
    assert of.numbers["translation_l1_quantised"] == pytest.approx(0.25 / 255, rel=1e-3)
    assert of.numbers["translation_l1_blurred"] == pytest.approx(0, abs=1e-6)


def test_a_hidden_message_is_lost_with_what_hides_it() -> None:
    of = direction(Hides(domains().spec))
    numbers, x = of.numbers, floats(of.x)
    assert (of.made == 128).all()
    assert (of.beside == of.x).all()
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
    assert set(direction(Inverts(domains().spec), probe=False).numbers) == {"cycle_l1"}


def test_what_is_compared_is_of_the_other_domain() -> None:
    of = direction(Inverts(domains().spec), k=1)
    assert (of.name, of.domains) == ("bright to dark", ("bright", "dark"))
    assert (of.made == 255 - of.x).all()
    # in these data the inverted images are the other domain
    assert (of.real == of.made).all()


def test_fidelity_and_diversity_of_pairs() -> None:
    data = pairs()
    of = of_pairs(Varies(data.spec), in_order(data.test, 100, CPU, seed=4), data.test, data.train)
    noise = Noise(4)
    u, v = (0.2 * noise.uniform(30, 1, 1, 1).double() for _ in range(2))
    target = torch.from_numpy(floats(data.test.target))  # type: ignore[arg-type]  # there are targets
    one = target - u
    expected = {
        "l1": u.mean(),
        "psnr": psnr(one, target).mean(),
        "ssim": ssim(one.float(), target.float()).mean(),
        "diversity_l1": (u - v).abs().mean(),
    }
    assert of.numbers == pytest.approx({name: value.item() for name, value in expected.items()}, rel=1e-4)
    assert abs(of.made - floats(data.test.target) * 255 + 255 * u.numpy()).max() < 0.51
    assert of.real is data.test.target
    assert of.train is data.train.target
    assert of.domains is None


def test_a_net_without_noise_has_no_diversity() -> None:
    data = pairs()
    of = of_pairs(Stub(data.spec), in_order(data.test, 8, CPU), data.test, data.train)
    assert of.numbers["diversity_l1"] == 0
    # |x - (1 - x)|
    assert of.numbers["l1"] == pytest.approx(float(abs(2 * floats(data.test.x) - 1).mean()), rel=1e-5)


def test_perceptual_distances_are_of_what_they_say() -> None:
    raw = load_extractor("raw")

    def apart(a: np.ndarray, b: np.ndarray) -> float:
        a, b = (floats(x).reshape(len(x), -1) for x in (a, b))
        cosine = (a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)
        return float((2 - 2 * cosine).mean())

    data = pairs()
    of = of_pairs(Varies(data.spec), in_order(data.test, 100, CPU), data.test, data.train)
    assert translation.perceptual(of, raw) == pytest.approx(
        {"perceptual": apart(of.made, of.real), "diversity_perceptual": apart(of.made, of.beside)}, abs=1e-6
    )
    of = direction(Constant(domains().spec))
    expected = {"cycle_perceptual": apart(of.beside, of.x)}
    assert translation.perceptual(of, raw) == pytest.approx(expected, abs=1e-6)


def test_shares_read_as_a_domain() -> None:
    means, extractor = {"dark": [0], "bright": [1]}, load_extractor(Brightness())
    right = {"translated_as_target": 1, "real_as_target": 1, "source_as_target": 0, "back_as_source": 1}
    for k in range(2):
        assert translation.readings(direction(Inverts(domains().spec), k), extractor, means) == right
    # a dark grey is what it always makes
    to_bright, to_dark = (
        translation.readings(direction(Constant(domains().spec), k), extractor, means) for k in range(2)
    )
    assert to_bright == right | {"translated_as_target": 0}
    assert to_dark == right | {"back_as_source": 0}
    # of one domain nobody has said what means it
    found = translation.readings(direction(Inverts(domains().spec)), extractor, {"bright": [1]})
    assert set(found) == {"translated_as_target", "real_as_target", "source_as_target"}
    # several classes may mean one
    found = translation.readings(direction(Constant(domains().spec)), extractor, {"bright": [0, 1]})
    assert found == {"translated_as_target": 1, "real_as_target": 1, "source_as_target": 1}


EXAMPLE = np.zeros((1, *IMAGE.shape), np.uint8)


def test_which_classes_mean_a_domain() -> None:
    names = ("dark", "bright")
    same = load_extractor(Brightness())
    assert meanings(names, {}, same, EXAMPLE) == {"dark": [0], "bright": [1]}
    assert meanings(names, {"dark": ["bright", 0]}, same, EXAMPLE) == {"dark": [1, 0], "bright": [1]}
    other = load_extractor(Brightness(("night", "day")))
    assert meanings(names, {"bright": ["day"]}, other, EXAMPLE) == {"bright": [1]}
    # a name goes before a number
    numbered = load_extractor(Brightness(("1", "0")))
    assert meanings(names, {"dark": [0]}, numbered, EXAMPLE) == {"dark": [1]}


class Numbers(Classifier):
    """Knows 1000 classes by number."""

    name, size, resize = "numbers", None, "none"

    def both(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor | None]:
        return x.flatten(1), torch.full((len(x), 1000), 1e-3)


def test_classes_by_number() -> None:
    assert meanings(("a", "b"), {}, Numbers(), EXAMPLE) == {}
    assert meanings(("a", "b"), {"b": ["340", "999"]}, Numbers(), EXAMPLE) == {"b": [340, 999]}
    for wrong in ("1000", "-1", "zebra", "1.0"):
        with pytest.raises(ConfigError, match=f"no class '{wrong}'; there are 0 to 999$"):
            meanings(("a", "b"), {"b": [wrong]}, Numbers(), EXAMPLE)


def test_impossible_meanings() -> None:
    names = ("dark", "bright")
    with pytest.raises(ConfigError, match=r"unknown domain 'drak', did you mean 'dark'\?"):
        meanings(names, {"drak": [0]}, load_extractor(Brightness()), EXAMPLE)
    with pytest.raises(ConfigError, match=r"no class 'dya'; there are 0 to 1, or did you mean 'day'\?"):
        meanings(names, {"dark": ["dya"]}, load_extractor(Brightness(("night", "day"))), EXAMPLE)
    with pytest.raises(ConfigError, match="raw knows no classes; take as features"):
        meanings(names, {"dark": [0]}, load_extractor("raw"), EXAMPLE)
    assert meanings(names, {}, load_extractor("raw"), EXAMPLE) == {}
    with pytest.raises(ConfigError, match=r"knows night, day, none of which is called dark or bright; say"):
        meanings(names, {}, load_extractor(Brightness(("night", "day"))), EXAMPLE)


def test_the_stubs_have_the_capabilities() -> None:
    assert isinstance(Stub(pairs().spec), Translates)
    assert not isinstance(Stub(pairs().spec), Cycles)
    assert isinstance(Inverts(domains().spec), Cycles)
