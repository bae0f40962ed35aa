"""Report cards of models with styles: mixing by layers, what only noise changes, and truncation."""

from __future__ import annotations

from simulacra.core.batch import to_bytes
from simulacra.core.capabilities import Styles
from simulacra.core.inference import draw
from simulacra.report.inline_images import LABELLED_WIDTH, layout, tiles
from simulacra.report.material import Material
from simulacra.report.report_card import Cards, ReportCard
from simulacra.report.templating import render
from simulacra.tasks.mix import rows, seed_styles
from simulacra.tasks.style_noise import columns

# rows of destinations; images in a row
DESTINATIONS, IN_A_ROW = 2, 6
# draws of noise: the standard error of a deviation is a tenth of it
DRAWS = 50
# factors of truncation, as in Karras et al. 2019, figure 8
FACTORS = (1.0, 0.7, 0.5, 0.0, -0.5, -1.0)


def mixing(m: Material[Styles]) -> ReportCard:
    """Samples with the styles of others at coarse, middle and fine layers."""
    scale, n = _layout(m)
    sources = seed_styles(m.model, range(n - 1))
    destinations = seed_styles(m.model, range(n - 1, n - 1 + DESTINATIONS))
    found = [
        (name, tiles(x, n, scale, f"samples: {name}")) for name, x in rows(m.model, sources, destinations)
    ]
    caption = (
        f"The first row: samples of seeds 0 to {n - 2}. The first column below it: those of seeds {n - 1} to"
        f" {n + DESTINATIONS - 2}. All others have the styles of the first row at the named layers, and those"
        " of the first column at the other layers."
    )
    return ReportCard("mixing", "Style mixing", render("strips.html", rows=found, strips=True), caption)


def noise(m: Material[Styles]) -> ReportCard:
    """What draws of noise change in samples."""
    scale, n = _layout(m)
    found, sigma = columns(m.model, range(n), draws=DRAWS)
    images = [(name, tiles(x, n, scale, f"{n} samples: {name}")) for name, x in found.items()]
    caption = (
        f"The samples of seeds 0 to {n - 1}; close-ups of three draws of noise, where it changes most; the"
        f" standard deviation of each pixel over {DRAWS} draws, black is 0 and white {sigma.amax():.2g}"
        f" (mean {sigma.mean():.2g}); samples without noise, and with the noise of some layers only."
    )
    return ReportCard("noise", "Noise", render("strips.html", rows=images, strips=True), caption)


def truncation(m: Material[Styles]) -> ReportCard:
    """Samples at several factors of truncation."""
    scale, n = _layout(m)
    seed = m.config.training.seed
    images = [
        (f"{psi:g}", tiles(to_bytes(draw(m.model, n, seed, psi)), n, scale, f"{n} samples at {psi:g}"))
        for psi in FACTORS
    ]
    caption = (
        f"Samples with their latents at several factors of their distance from the mean of"
        f" {m.model.latent.name}; at 0 all are the mean. Seed {seed}."
    )
    return ReportCard("truncation", "Truncation", render("strips.html", rows=images, strips=True), caption)


def _layout(m: Material[Styles]) -> tuple[int, int]:
    return layout(m.config.spec.shape, target=48, width=LABELLED_WIDTH, most=IN_A_ROW)


CARDS: Cards = {Styles: (mixing, noise, truncation)}
