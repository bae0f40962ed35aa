"""The card of samples that are vectors."""

import re

from simulacra.report import cards, vectors
from simulacra.report.material import gather, untrained
from simulacra.run import Run


def caption(run: Run) -> str:
    card = vectors.samples(gather(run))
    assert card is not None
    assert card.name == "samples"
    return card.caption


def test_an_untrained_net_is_shown_by_very_many_points(generator: Run) -> None:
    said = caption(generator)
    assert said.startswith("100,000 draws of z ~ p(z), x ~ p(x | z), at their own scale")
    # mean and spread of both columns
    assert re.search(r"x_1 -?[\d.e-]+ \([\d.e-]+\), x_2 -?[\d.e-]+ \([\d.e-]+\)", said)


def test_a_collapse_is_told_in_modes_and_spread(naive: Run) -> None:
    said = caption(naive)
    assert "The samples cover 0 of 8 modes, marked by rings of 4 standard deviations; 0.0% of them" in said
    assert "Mean (standard deviation) of the samples: x_1 " in said


def test_only_what_has_seen_no_data_is_untrained(
    generator: Run, naive: Run, pca: Run, vae: Run, mdn: Run
) -> None:
    assert [untrained(run.load()) for run in (generator, naive, pca, vae, mdn)] == [True, *[False] * 4]


def test_images_and_predictions_have_no_card_of_vectors(vae: Run, mdn: Run) -> None:
    for run, kinds in ((vae, [True, False]), (mdn, [False, False])):
        material = gather(run)
        assert [make(material) is not None for make in (cards.samples, vectors.samples)] == kinds
