"""A density that was fitted to latents: its draws over the latents of examples, and what they decode to."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from simulacra.core.batch import to_bytes
from simulacra.core.capabilities import Decodes
from simulacra.core.inference import decode
from simulacra.core.model_prior import ModelPrior
from simulacra.core.noise import Noise
from simulacra.images import grid
from simulacra.report import clouds, figures
from simulacra.report.inline_images import chart
from simulacra.report.material import Material
from simulacra.report.report_card import ReportCard

# points of each cloud at most, and rows and columns of decoded draws
POINTS, SIDE = 1000, 6
NAMES = ("z₁", "z₂")


def prior_figure(model: Decodes, latents: np.ndarray, seed: int) -> Figure:
    """The first two dimensions of latents, with draws from the prior over them; images, decoded, beside.

    Args:
        model: with a prior in its default latent space.
        latents: of examples `(N, Z)`.
        seed: of the draws.
    """
    points = latents[:POINTS]
    z = model.latent.sample(len(points), Noise(seed))
    figure = clouds.scatter(points, z.flatten(1).cpu().numpy(), NAMES, labels=("latents", "prior"))
    if model.spec.kind != "image":
        return figure
    with figures.style():
        width, height = figure.get_size_inches()
        figure.set_size_inches(2 * width, height)
        (left,) = figure.axes[:1]
        left.set_subplotspec(figure.add_gridspec(1, 2)[0])
        right = figure.add_subplot(1, 2, 2)
        images = grid(to_bytes(decode(model, z[: SIDE**2].to(model.device))), SIDE)
        right.imshow(images)
        right.set_axis_off()
    return figure


def fitted_prior(m: Material[Decodes]) -> ReportCard | None:
    """The density of the latents, for a model whose prior is one."""
    prior = m.model.latent.prior
    if not isinstance(prior, ModelPrior) or m.codes is None:
        return None
    seed = m.config.training.seed
    eps = Noise(seed).normal(*m.codes.mean.shape)
    z = (m.codes.mean + m.codes.stddev * eps).flatten(1).numpy()
    figure = prior_figure(m.model, z, seed)
    drawn = "; beside them what draws decode to" if m.config.spec.kind == "image" else ""
    of = f"two of {z.shape[1]}" if z.shape[1] > 2 else f"{z.shape[1]}"
    caption = (
        f"The first {of} dimensions of latents of the {m.split} split, and of draws from the density"
        f" '{prior.name}' that was fitted to latents of the training split{drawn}. Seed {seed}."
    )
    return ReportCard("prior", "Density of the latents", chart(figure, "latents and prior"), caption, True)
