"""Report cards of models that translate images."""

from __future__ import annotations

import numpy as np
from markupsafe import Markup

from simulacra.core.batch import in_order, to_bytes
from simulacra.core.capabilities import Cycles, Translates
from simulacra.report.figures import shortened
from simulacra.report.inline_images import LABELLED_WIDTH, layout, tiles
from simulacra.report.material import Material
from simulacra.report.report_card import Cards, ReportCard
from simulacra.report.templating import render

# side in pixels, and examples in a row
SIDE, EXAMPLES = 96, 4


def translations(m: Material[Translates]) -> ReportCard | None:
    """Held-out inputs, two translations of each, and the targets."""
    if m.config.spec.target is None or m.held is None or m.held.target is None:
        return None
    scale, n = layout(m.config.spec.shape, target=SIDE, width=LABELLED_WIDTH, most=EXAMPLES)
    n = min(n, len(m.held))
    (batch,) = in_order(m.held.take(slice(0, n)), n, m.model.device, m.config.training.seed)
    one, other = (to_bytes(m.model.translate(batch.x, batch.noise)) for _ in range(2))
    rows = [("input", m.held.x[:n]), ("translation", one)]
    variants = ""
    # a net without noise has only one translation
    if (one != other).any():
        rows.append(("another", other))
        variants = " Another: the same input with other noise."
    rows.append(("target", m.held.target[:n]))
    caption = f"{n} random examples of the {m.split} split, which are not trained on.{variants}"
    return ReportCard("translations", "Translations", _strips(rows, scale), caption)


def first_to_second(m: Material[Cycles]) -> ReportCard | None:
    """Held-out images of the first domain, translated to the second and back."""
    return _cycle(m, 0)


def second_to_first(m: Material[Cycles]) -> ReportCard | None:
    """Held-out images of the second domain, translated to the first and back."""
    return _cycle(m, 1)


def _cycle(m: Material[Cycles], k: int) -> ReportCard | None:
    domains = m.config.spec.classes
    if m.held is None or m.held.y is None or m.held.spec.classes != domains:
        return None
    held = m.held.take(np.flatnonzero(m.held.y == k))
    scale, n = layout(m.config.spec.shape, target=SIDE, width=LABELLED_WIDTH, most=EXAMPLES)
    n = min(n, len(held))
    if n == 0:
        return None
    (batch,) = in_order(held.take(slice(0, n)), n, m.model.device, m.config.training.seed)
    translated, returned = map(to_bytes, m.model.cycle(batch.x, batch.y))
    source, target = (shortened(domains[i]) for i in (k, 1 - k))
    rows = [(source, held.x[:n]), (target, translated), ("back", returned)]
    caption = (
        f"{n} random images of '{domains[k]}' of the {m.split} split, which are not trained on, their"
        f" translations to '{domains[1 - k]}', and the translations back."
    )
    return ReportCard(f"from-{k + 1}", f"{source} to {target}", _strips(rows, scale), caption)


def _strips(rows: list[tuple[str, np.ndarray]], scale: int) -> Markup:
    """Rows of images with their names before them."""
    tiled = [(name, tiles(x, len(x), scale, f"{name}, {len(x)} examples")) for name, x in rows]
    return render("strips.html", rows=tiled, strips=True)


CARDS: Cards = {Translates: (translations,), Cycles: (first_to_second, second_to_first)}
