"""Report cards of models that write sentences: samples, reconstructions, walks and edits as text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from markupsafe import Markup
from torch import Tensor

from simulacra.core.batch import tensor
from simulacra.core.capabilities import Decodes, Reconstructs, Samples
from simulacra.core.inference import decode, draw
from simulacra.errors import printable
from simulacra.latent.paths import PATHS, default_path, path
from simulacra.metrics.edit_distance import nearest
from simulacra.report.directions import accuracy, usable
from simulacra.report.material import Material
from simulacra.report.report_card import Cards, ReportCard
from simulacra.report.templating import render
from simulacra.tasks.edit import STRENGTHS, edit, edit_latents, strength_name
from simulacra.tasks.interpolate import from_seeds

# samples, reconstructions, walks and their steps, directions and sentences edited along each
SAMPLES, RECONSTRUCTIONS, WALKS, STEPS, DIRECTIONS, EDITED = 16, 10, 4, 7, 6, 2

Group = tuple[str, Sequence[Sequence[str]]]


def sampled_sentences(m: Material[Samples]) -> ReportCard:
    """Samples, each beside the training sentence nearest to it."""
    seed = m.config.training.seed
    x = draw(m.model, SAMPLES, seed)
    caption = (
        f"{SAMPLES} draws of z ~ p(z), each the most probable sentence of p(x | z) that the decoder finds"
    )
    if not isinstance(m.model, Decodes):
        caption = f"{SAMPLES} draws from p(x)"
    if m.data is not None and m.data.truth.log_density is not None:
        possible = int(np.isfinite(m.data.truth.log_density(x.cpu().numpy())).sum())
        caption += f"; the grammar of {m.data.name} derives {possible} of them"
    header, columns = ["sample"], [_texts(m, x)]
    if m.data is not None:
        index, distance = nearest(x.cpu().numpy(), m.data.train.x)
        header += ["nearest training sentence", "edits"]
        columns += [_texts(m, m.data.train.x[index]), [f"{100 * share:.0f}%" for share in distance]]
        caption += "; edits: the fewest tokens to change, as a share of the longer one, 0% of a copy"
    body = _table(header, [("", list(zip(*columns, strict=True)))])
    return ReportCard("samples", "Samples", body, f"{caption}. Seed {seed}; none selected.", True)


def reconstructed_sentences(m: Material[Reconstructs]) -> ReportCard | None:
    """Held-out sentences beside their reconstructions."""
    if m.held is None or m.codes is None:
        return None
    again = decode(m.model, m.codes.mean).cpu().numpy()
    exact = (again == m.held.x).all(axis=1).mean()
    n = RECONSTRUCTIONS
    rows = list(zip(_texts(m, m.held.x[:n]), _texts(m, again[:n]), strict=True))
    caption = (
        f"{len(rows)} random sentences of the {m.split} split, which are not trained on, and their"
        f" reconstructions: the most probable sentences at the means of their latents. Of {len(again):,}"
        f" sentences {100 * exact:.0f}% come back exactly."
    )
    body = _table(["sentence", "reconstruction"], [("", rows)])
    return ReportCard("reconstructions", "Reconstructions", body, caption, True)


def walks(m: Material[Reconstructs]) -> ReportCard | None:
    """What is decoded on the way between the latents of held-out sentences."""
    if m.held is None or m.codes is None or len(m.held) < 2 * WALKS:
        return None
    curve = default_path(m.model.latent)
    groups: list[Group] = []
    for k in range(WALKS):
        z = path(m.codes.mean[2 * k : 2 * k + 2], STEPS, PATHS[curve])
        first, last = _texts(m, m.held.x[2 * k : 2 * k + 2])
        steps = [[text] for text in _texts(m, decode(m.model, z))]
        groups.append((f"{first} \N{RIGHTWARDS ARROW} {last}", steps))
    caption = (
        f"{STEPS} steps between the latents of two sentences of the {m.split} split, above each, along"
        f" {'arcs' if curve == 'slerp' else 'straight lines'}: the most probable sentence at each. The first"
        " and the last step are the reconstructions. Random sentences, none selected."
    )
    return ReportCard("walks", "Between two sentences", _table(["step by step"], groups), caption, True)


def edited_sentences(m: Material[Decodes]) -> ReportCard | None:
    """For each direction of the run, sentences at five strengths."""
    found, _ = usable(m)
    encodes = isinstance(m.model, Reconstructs)
    if not found or (m.held is None if encodes else m.model.latent.prior is None):
        return None
    groups: list[Group] = []
    for direction in found[:DIRECTIONS]:
        if m.held is not None and encodes:
            y = edit(m.model, tensor(m.held.x[:EDITED], m.model.device), direction, STRENGTHS)
        else:
            z = from_seeds(m.model, list(range(EDITED)), direction.space)
            y = edit_latents(m.model, z, direction, STRENGTHS)
        columns = [_texts(m, one) for one in y]
        strengths = map(strength_name, STRENGTHS)
        groups.append(
            (f"{printable(direction.name)}{accuracy(direction)}", list(zip(strengths, *columns, strict=True)))
        )
    shown = [f"sentence {k + 1}" for k in range(len(columns))]
    what, plain = ("Sentences", "the reconstruction") if encodes else ("Samples", "the unedited sample")
    caption = f"{what} with their latents moved along each direction; strength 0 is {plain}."
    if len(found) > DIRECTIONS:
        caption += f" {len(found) - DIRECTIONS} more directions are not shown."
    return ReportCard("directions", "Directions", _table(["strength", *shown], groups), caption, True)


def _texts(m: Material[Any], x: np.ndarray | Tensor) -> list[str]:
    """The sentences of numbers of tokens, which a page can show."""
    vocabulary = m.config.spec.vocabulary
    assert vocabulary is not None, "as every spec of sentences has"
    rows = x.cpu().numpy() if isinstance(x, torch.Tensor) else x
    return [printable(text) for text in vocabulary.decode(rows)]


def _table(header: Sequence[str], groups: Sequence[Group]) -> Markup:
    return render("sentences.html", header=header, groups=groups)


CARDS: Cards = {
    Samples: (sampled_sentences,),
    Reconstructs: (reconstructed_sentences, walks),
    Decodes: (edited_sentences,),
}
