"""The cards of samples."""

import re

import numpy as np
import pytest

from simulacra.report import samples
from simulacra.report.material import gather
from simulacra.run import Run


def caption(run: Run) -> str:
    card = samples.vector_samples(gather(run))
    assert card is not None
    assert card.name == "samples"
    return card.caption


def test_an_untrained_net_is_shown_by_very_many_points(generator: Run) -> None:
    text = caption(generator)
    assert text.startswith("100,000 draws of z ~ p(z), decoded to x = g(z); the net is untrained")
    # mean and spread of both columns
    assert re.search(r"x_1 -?[\d.e-]+ \([\d.e-]+\), x_2 -?[\d.e-]+ \([\d.e-]+\)", text)


def test_a_collapse_shows_in_modes_and_standard_deviations(naive: Run) -> None:
    text = caption(naive)
    assert "The samples cover 0 of 8 modes, marked by rings of 4 standard deviations; 0.0% of them" in text
    assert "Mean (standard deviation) of the samples: x_1 " in text


def test_only_the_generator_is_untrained(generator: Run, naive: Run, pca: Run, vae: Run, mdn: Run) -> None:
    assert [run.load().untrained for run in (generator, naive, pca, vae, mdn)] == [True, *[False] * 4]


def test_images_have_no_card_of_vectors(vae: Run, naive: Run) -> None:
    for run, kinds in ((vae, [True, False]), (naive, [False, True])):
        material = gather(run)
        makers = (samples.image_samples, samples.vector_samples)
        assert [make(material) is not None for make in makers] == kinds


def test_real_images_are_beside_as_many_samples(vae: Run) -> None:
    card = samples.image_samples(gather(vae))
    assert card is not None
    assert card.wide
    sizes = re.findall(r'width="(\d+)" height="(\d+)" alt="64 (?:real images|samples)"', card.body)
    assert len(sizes) == 2
    assert sizes[0] == sizes[1]


def test_the_nearest_rows_are_found_part_by_part(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    train = rng.integers(0, 256, (50, 1, 4, 4)).astype(np.uint8)
    copies = train[[41, 3, 49]]
    x = np.concatenate([copies, rng.integers(0, 256, (4, 1, 4, 4)).astype(np.uint8)])
    distance = np.linalg.norm(x[:, None].astype(float) - train, axis=(3, 4))[..., 0]
    for numbers in (16, 7 * 16, 2**24):
        monkeypatch.setattr(samples, "NUMBERS", numbers)
        assert samples.nearest_rows(x, train).tolist() == distance.argmin(axis=1).tolist()


def test_the_nearest_training_images_are_shown(vae: Run) -> None:
    card = samples.nearest_images(gather(vae))
    assert card is not None
    assert re.findall(r"<div>(\w+)</div>", card.body) == ["sample", "nearest", "test", "nearest"]
    assert "all 1,465 training images" in card.caption
