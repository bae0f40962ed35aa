"""The pictures of a report: each function makes one, or None where model or data do not have it."""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO
from math import ceil

import numpy as np
import torch
from PIL import Image

from simulacra.core.batch import to_bytes
from simulacra.core.capabilities import BoundsLikelihood, Decodes, Encodes, Samples
from simulacra.core.noise import Noise
from simulacra.images import SMALLEST_CELL, grid
from simulacra.latent.lattice import lattice, leading_plane
from simulacra.metrics.latents import ACTIVE
from simulacra.report import figures
from simulacra.report.html import chart, img
from simulacra.report.material import Material, decoded

# width in CSS pixels that pictures are laid out for
WIDTH = 500
# width that reconstructions have beside their labels
STRIP = 400
PAIRS = 4


@dataclass(frozen=True)
class Card:
    """A picture with a heading and a line below; `body` is HTML, the rest plain text."""

    name: str
    title: str
    body: str
    caption: str


def tiles(x: np.ndarray, columns: int, scale: int, alt: str, padding: int = 2) -> str:
    """An `<img>` of uint8 images `(N, C, H, W)` tiled, every pixel drawn `scale` pixels wide."""
    x = x.repeat(scale, axis=2).repeat(scale, axis=3)
    picture = grid(x, columns, padding)
    # without the outer margin, so that pictures line up with the text
    picture = picture[padding : len(picture) - padding, padding : picture.shape[1] - padding]
    file = BytesIO()
    Image.fromarray(picture).save(file, format="PNG", optimize=True)
    height, width, _ = picture.shape
    # enlarged pixels are squares; pictures that have to shrink are smoothed
    square = scale > 1 and width <= WIDTH
    return img(file.getvalue(), width, height, alt, "tiles pixelated" if square else "tiles")


def samples(m: Material) -> Card | None:
    """New pictures."""
    if not isinstance(m.model, Samples) or m.config.spec.kind != "image":
        return None
    seed = m.config.training.seed
    scale, columns = layout(m.config.spec.shape, target=58, width=WIDTH, most=8)
    with torch.no_grad():
        x = to_bytes(m.model.sample(columns**2, Noise(seed)))
    body = tiles(x, columns, scale, f"{len(x)} samples")
    # a model that encodes shows the mean of its likelihood
    how = "each shown as the mean of p(x | z)" if isinstance(m.model, Encodes) else "x ~ p(x | z)"
    caption = f"{len(x)} draws of z ~ p(z), {how}. Seed {seed}; not selected."
    return Card("samples", "Samples", body, caption)


def reconstructions(m: Material) -> Card | None:
    """Held-out images above what the model makes of their latents."""
    if not (isinstance(m.model, Encodes) and isinstance(m.model, Decodes)):
        return None
    if m.held is None or m.codes is None or m.config.spec.kind != "image":
        return None
    scale, columns = layout(m.config.spec.shape, target=48, width=STRIP, most=8)
    n = min(len(m.held), PAIRS * columns)
    if n > columns:  # whole rows
        n -= n % columns
    made = to_bytes(decoded(m.model, m.codes.mean[:n]))
    rows = []
    for start in range(0, n, columns):
        part = slice(start, min(start + columns, n))
        for name, x in (("original", m.held.x[part]), ("reconstruction", made[part])):
            rows.append(f"<div>{name}</div>{tiles(x, columns, scale, f'{name}s {start + 1} to {part.stop}')}")
    caption = (
        f"{n} random examples of the {m.split} split, which training does not see, above what the decoder"
        " makes of the mean of their latents."
    )
    return Card("reconstructions", "Reconstructions", f'<div class="pairs">{"".join(rows)}</div>', caption)


def latent_map(m: Material) -> Card | None:
    """Where held-out examples lie in the latent space."""
    if m.codes is None or m.held is None:
        return None
    plane = leading_plane(m.codes.mean)
    dims = m.codes.mean.shape[1]
    if dims <= 2:
        names = ["z₁", "z₂"][:dims]
    else:
        names = [f"PC {k + 1} ({100 * share:.0f}% of variance)" for k, share in enumerate(plane.explained)]
    classes = m.held.spec.classes
    figure = figures.latent_map(np.asarray(plane.project(m.codes.mean)), names, m.held.y, classes)
    colours = "" if m.held.y is None or not classes else ", coloured by class"
    components = "" if dims <= 2 else f" The two leading principal components of {dims} dimensions."
    caption = f"Latent means of {len(m.held):,} examples of the {m.split} split{colours}.{components}"
    return Card("map", "Latent map", chart(figure, "map of the latent space", "paper"), caption)


def decoded_lattice(m: Material) -> Card | None:
    """What the decoder makes of a regular grid of latents."""
    if not isinstance(m.model, Decodes) or m.config.spec.kind != "image":
        return None
    dims = m.codes.mean.shape[1] if m.codes is not None else getattr(m.config.config, "latent_dim", None)
    scale, n = layout(m.config.spec.shape, target=40, width=WIDTH, most=20, least=6, padding=1)
    # the prior of every model that samples from two dimensions is N(0, I)
    if dims == 2 and isinstance(m.model, Samples):
        z = lattice(n, n)
        caption = (
            "Decoded latents, evenly spaced from quantile 0.05 to 0.95 of the prior N(0, I):"
            " z₁ rises to the right, z₂ upwards."
        )
    elif m.codes is not None:
        z = lattice(n, n, m.codes.mean)
        where = "Decoded latents, evenly spaced from quantile 0.05 to 0.95 of the encoded examples:"
        if dims == 1:
            caption = f"{where} z₁ rises as text is read."
        elif dims == 2:
            caption = f"{where} z₁ rises to the right, z₂ upwards."
        else:
            caption = f"{where} PC 1 rises to the right, PC 2 upwards; all other directions stay at the mean."
    else:
        return None
    body = tiles(to_bytes(decoded(m.model, z)), n, scale, "decoded grid of latents", padding=1)
    return Card("lattice", "Decoded lattice", body, caption)


def kl(m: Material) -> Card | None:
    """How much each latent dimension says about an example."""
    if m.codes is None or not isinstance(m.model, BoundsLikelihood):
        return None
    each, active = m.codes.kl(), m.codes.variance() > ACTIVE
    figure = figures.kl_bars(each, active)
    caption = (
        f"KL(q(z | x) || p(z)) by dimension, {each.sum():.1f} nats together, on average over"
        f" {len(m.codes.mean):,} examples of the {m.split} split. {active.sum()} of {len(each)} count as"
        f" active: the variance of the mean over the data is above {ACTIVE} (Burda et al. 2016)."
    )
    return Card("kl", "KL per dimension", chart(figure, "KL of every latent dimension"), caption)


def layout(
    shape: tuple[int, ...], target: int, width: int, most: int, least: int = 4, padding: int = 2
) -> tuple[int, int]:
    """The whole factor that brings images near `target` pixels, and how many then fit side by side."""
    _, h, w = shape
    scale = max(round(target / w), ceil(SMALLEST_CELL / min(h, w)))
    return scale, min(max(width // (w * scale + padding), least), most)
