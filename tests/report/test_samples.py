"""The cards of samples."""

import re

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
