"""Report cards of latent spaces: reconstructions, maps, a decoded lattice, and the KL of each dimension."""

from __future__ import annotations

from simulacra.core.batch import to_bytes
from simulacra.core.capabilities import BoundsLikelihood, Decodes, Encodes, Reconstructs
from simulacra.core.inference import decode, kl_of_dimensions
from simulacra.core.model_prior import ModelPrior
from simulacra.latent.lattice import lattice
from simulacra.metrics.information import by_group
from simulacra.metrics.latents import ACTIVE
from simulacra.report import figures
from simulacra.report.directions import edited_examples
from simulacra.report.edits import edited_attributes, leakage_matrix
from simulacra.report.inline_images import LABELLED_WIDTH, WIDTH, chart, layout, tiles
from simulacra.report.maps import attribute_maps, latent_map, pictured_map
from simulacra.report.material import Material
from simulacra.report.priors import fitted_prior
from simulacra.report.report_card import Cards, ReportCard
from simulacra.report.templating import render

# rows of reconstructions
ROWS = 4


def reconstructions(m: Material[Reconstructs]) -> ReportCard | None:
    """Held-out images above their reconstructions."""
    if m.held is None or m.codes is None or m.config.spec.kind != "image":
        return None
    scale, columns = layout(m.config.spec.shape, target=48, width=LABELLED_WIDTH, most=8)
    n = min(len(m.held), ROWS * columns)
    if n > columns:  # whole rows
        n -= n % columns
    decoded = to_bytes(decode(m.model, m.codes.mean[:n]))
    rows = []
    for start in range(0, n, columns):
        part = slice(start, min(start + columns, n))
        for name, x in (("original", m.held.x[part]), ("reconstruction", decoded[part])):
            rows.append((name, tiles(x, columns, scale, f"{name}s {start + 1} to {part.stop}")))
    caption = (
        f"{n} random examples of the {m.split} split, which are not trained on, above their"
        " reconstructions: the decoded means of their latents."
    )
    body = render("strips.html", rows=rows, strips=False)
    return ReportCard("reconstructions", "Reconstructions", body, caption)


def decoded_lattice(m: Material[Decodes]) -> ReportCard | None:
    """A regular grid of latents, decoded."""
    if m.config.spec.kind != "image":
        return None
    space = m.model.latent
    scale, n = layout(m.config.spec.shape, target=40, width=WIDTH, most=20, least=6, padding=1)
    axes = "z₁ increases to the right, z₂ upwards."
    if space.shape == (2,) and space.prior is not None and not isinstance(space.prior, ModelPrior):
        z, over = lattice(n, n, space.prior), f"the prior {space.prior.formula}"
    elif m.codes is not None:
        z, over = lattice(n, n, m.codes.mean), "the encoded examples"
        if space.size == 1:
            axes = "z₁ increases from left to right, row by row."
        elif space.size > 2:
            axes = "PC 1 increases to the right, PC 2 upwards; all other directions stay at the mean."
    else:
        return None
    caption = f"Decoded latents, evenly spaced from quantile 0.05 to 0.95 of {over}: {axes}"
    body = tiles(to_bytes(decode(m.model, z)), n, scale, "decoded grid of latents", padding=1)
    return ReportCard("lattice", "Decoded lattice", body, caption)


def kl(m: Material[BoundsLikelihood]) -> ReportCard | None:
    """KL(q(z | x) || p(z)) of each latent dimension, and of each group of a ladder."""
    if m.codes is None or m.held is None:
        return None
    found, active = kl_of_dimensions(m.model, m.held, m.config.training.seed), m.codes.variance() > ACTIVE
    each = m.codes.kl() if found is None else found.numpy()
    figure = figures.kl_bars(each, active)
    caption = (
        f"KL(q(z | x) || p(z)) by dimension, {each.sum():.1f} nats in total, averaged over"
        f" {len(m.codes.mean):,} examples of the {m.split} split. {active.sum()} of {len(each)} dimensions"
        f" are active: the variance of their mean over the data is above {ACTIVE} (Burda et al. 2016)."
    )
    if m.model.latent_groups:
        of_groups = ", ".join(f"{part.sum():.2f}" for part in by_group(each, m.model.latent_groups))
        caption += f" From the top down the groups have {of_groups} nats."
    return ReportCard("kl", "KL per dimension", chart(figure, "KL of every latent dimension"), caption)


CARDS: Cards = {
    Reconstructs: (reconstructions,),
    Encodes: (latent_map, pictured_map, attribute_maps),
    Decodes: (decoded_lattice, fitted_prior, edited_examples, edited_attributes, leakage_matrix),
    BoundsLikelihood: (kl,),
}
