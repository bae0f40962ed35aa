"""What a report shows of models that translate: pictures, and numbers of both directions."""

from __future__ import annotations

import shutil
from base64 import b64decode
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from simulacra.core.batch import to_bytes, to_float
from simulacra.core.capabilities import Cycles
from simulacra.core.noise import Noise
from simulacra.report import translations
from simulacra.report.material import gather
from simulacra.report.numbers import numbers_of
from simulacra.run import Run
from tests.metrics.translators import Stub
from tests.report.test_model_card_file import card
from tests.report.test_page import ALWAYS, Page, report


def strips(body: str, side: int) -> dict[str, np.ndarray]:
    """The pictures of a card by their alternative texts, taken apart: grey images `(N, side, side)`."""
    found = {}
    for image in Page(body).images:
        _, _, data = image["src"].partition(",")
        picture = np.asarray(Image.open(BytesIO(b64decode(data))))[..., 0]
        scale = len(picture) // side
        width = scale * side
        starts = range(0, picture.shape[1], width + 2)
        found[image["alt"]] = np.stack([picture[::scale, i : i + width : scale] for i in starts])
    return found


def test_pairs_are_shown_with_two_variants_and_the_target(pix2pix: Run) -> None:
    m = gather(pix2pix)
    made = translations.translations(m)
    assert made is not None
    assert m.held is not None
    assert m.held.target is not None
    assert "Another: the same input with other noise" in made.caption
    shown = strips(made.body, side=16)
    names = ["input", "translation", "another", "target"]
    assert list(shown) == [f"{name}, 4 examples" for name in names]
    x, one, other, target = shown.values()
    assert np.array_equal(x, m.held.x[:4, 0])
    assert np.array_equal(target, m.held.target[:4, 0])
    assert not np.array_equal(one, other)
    page = report(pix2pix)
    assert page.ids == ALWAYS | {"curves", "translations"}
    assert f"Evaluated on {m.config.source}@test" in page.words
    assert "each translated 4 times (scores of translations as samples by raw features, resize" in page.words
    assert "simulacra translate" in page.words
    numbers = {row.name for row in numbers_of(pix2pix)[0].rows}
    names = ("distance", "best variant", "between variants", "between targets")
    assert {f"perceptual{',' * name.startswith('best')} {name}" for name in names} <= numbers
    assert {"L1 distance", "L1, best variant", "kernel distance"} <= numbers
    # what numbers were made with is none
    assert not {"variants", "samples", "seed"} & numbers


def test_a_net_without_noise_is_shown_once(pix2pix: Run) -> None:
    m = replace(gather(pix2pix), model=Stub(pix2pix.config.spec))
    made = translations.translations(m)
    assert made is not None
    assert "Another" not in made.caption
    shown = strips(made.body, side=16)
    assert list(shown) == [f"{name}, 4 examples" for name in ("input", "translation", "target")]
    assert np.array_equal(shown["input, 4 examples"], shown["translation, 4 examples"])


def test_domains_are_shown_there_and_back(cyclegan: Run) -> None:
    m = gather(cyclegan)
    assert m.held is not None
    assert m.held.y is not None
    assert isinstance(m.model, Cycles)
    for k, make in enumerate((translations.first_to_second, translations.second_to_first)):
        made = make(m)
        assert made is not None
        source, target = ("day", "night")[k], ("night", "day")[k]
        assert made.title == f"{source} to {target}"
        shown = strips(made.body, side=8)
        assert list(shown) == [f"{name}, 4 examples" for name in (source, target, "back")]
        x = m.held.x[m.held.y == k][:4]
        there = m.model.translate(to_float(torch.from_numpy(x)), Noise(0), to=target)
        back = m.model.translate(there, Noise(0), to=source)
        for expected, found in zip((x, to_bytes(there), to_bytes(back)), shown.values(), strict=True):
            assert np.array_equal(expected[:, 0], found)


def test_numbers_of_both_directions(cyclegan: Run) -> None:
    page = report(cyclegan)
    assert page.ids == ALWAYS | {"curves", "from-1", "from-2"}
    for text in (
        "day to night",
        "night to day",
        "cycle error after blur",
        "translations classified as the target",
    ):
        assert text in page.words, text
    numbers = numbers_of(cyclegan)[0]
    assert numbers.rows == []
    assert list(numbers.directions) == ["day to night", "night to day"]
    rows = {number.name: values for number, values in numbers.by_direction()}
    (event,) = cyclegan.events("evaluation")
    expected = [f"{100 * event['directions'][name]['real_as_target']:.1f}" for name in numbers.directions]
    assert rows["real images classified as the target"] == expected
    text = card(cyclegan)
    assert "| metric | day to night | night to day | unit | meaning |" in text
    assert f"| real images classified as the target | {' | '.join(expected)} | % |" in text


def test_what_was_left_out_is_said(pix2pix: Run, tmp_path: Path) -> None:
    run = Run(shutil.copytree(pix2pix.path, tmp_path / "run"))
    run.log("evaluation", step=4, data="other@test", l1=0.5, left_out="kid needs 4 examples, not 3")
    *_, last = numbers_of(run)
    assert last.title.endswith(". Left out: kid needs 4 examples, not 3.")
    assert [row.name for row in last.rows] == ["L1 distance"]


def test_a_number_of_one_direction_leaves_the_other_empty(cyclegan: Run, tmp_path: Path) -> None:
    run = Run(shutil.copytree(cyclegan.path, tmp_path / "run"))
    both = {"day to night": {"kid": 0.5}, "night to day": {"kid": 0.25, "cycle_as_source": 0.5}}
    run.log("evaluation", step=4, data="other@test", directions=both)
    values = [values for _, values in numbers_of(run)[-1].by_direction()]
    assert values == [["0.5000", "0.2500"], ["", "50.0"]]
    assert "| cycles classified as the source |  | 50.0 | % |" in card(run)


@pytest.mark.parametrize("name", ["pix2pix", "cyclegan"])
def test_the_code_of_the_card_runs(name: str, request: pytest.FixtureRequest) -> None:
    run: Run = request.getfixturevalue(name)
    (code,) = (part.split("```")[0] for part in card(run).split("```python\n")[1:])
    names: dict[str, object] = {"given": torch.rand(3, *run.config.spec.shape)}
    exec(code.replace("...", "given"), names)
    y = names["y"]
    assert isinstance(y, torch.Tensor)
    assert y.shape == (3, 1, *run.config.spec.shape[1:])


def test_without_targets_or_domains_there_is_no_card(cyclegan: Run, pix2pix: Run) -> None:
    assert translations.translations(gather(cyclegan)) is None
    pairs = gather(pix2pix)
    assert translations.first_to_second(pairs) is translations.second_to_first(pairs) is None
