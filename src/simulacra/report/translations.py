"""The pictures of models that translate: each function makes one, or None where it does not apply."""

from __future__ import annotations

from html import escape

import numpy as np
import torch

from simulacra.core.batch import in_order, to_bytes
from simulacra.core.capabilities import Cycles, Translates
from simulacra.report.cards import STRIP, Card, layout, tiles
from simulacra.report.figures import shortened
from simulacra.report.material import Material

# side in pixels, and examples in a row
SIDE, EXAMPLES = 96, 4


def pairs(m: Material) -> Card | None:
    """Held-out inputs, two translations of each, and the targets."""
    if not isinstance(m.model, Translates) or isinstance(m.model, Cycles):
        return None
    if m.held is None or m.held.target is None:
        return None
    scale, n = layout(m.config.spec.shape, target=SIDE, width=STRIP, most=EXAMPLES)
    n = min(n, len(m.held))
    (batch,) = in_order(m.held.take(slice(0, n)), n, m.model.device, m.config.training.seed)
    with torch.no_grad():
        one, other = (to_bytes(m.model.translate(batch.x, batch.noise)) for _ in range(2))
    rows = [("input", m.held.x[:n]), ("translation", one)]
    # one is enough of a net without noise
    if (one != other).any():
        rows.append(("another", other))
    rows.append(("target", m.held.target[:n]))
    variants = " Another: the same input with other noise." if len(rows) > 3 else ""
    caption = f"{n} random examples of the {m.split} split, which training does not see.{variants}"
    return Card("translations", "Translations", _strips(rows, scale), caption)


def there(m: Material) -> Card | None:
    """Held-out images of the first domain, in the second, and back."""
    return _cycle(m, 0)


def back(m: Material) -> Card | None:
    """Held-out images of the second domain, in the first, and back."""
    return _cycle(m, 1)


def _cycle(m: Material, k: int) -> Card | None:
    domains = m.config.spec.classes
    if (
        not isinstance(m.model, Cycles)
        or m.held is None
        or m.held.y is None
        or m.held.spec.classes != domains
    ):
        return None
    held = m.held.take(np.flatnonzero(m.held.y == k))
    scale, n = layout(m.config.spec.shape, target=SIDE, width=STRIP, most=EXAMPLES)
    n = min(n, len(held))
    if n == 0:
        return None
    (batch,) = in_order(held.take(slice(0, n)), n, m.model.device, m.config.training.seed)
    with torch.no_grad():
        translated, returned = map(to_bytes, m.model.cycle(batch.x, batch.y))
    source, target = (shortened(domains[i]) for i in (k, 1 - k))
    rows = [(source, held.x[:n]), (target, translated), ("back", returned)]
    caption = (
        f"{n} random images of '{domains[k]}' of the {m.split} split, which training does not see, translated"
        f" to '{domains[1 - k]}', and these translated back."
    )
    return Card(f"from-{k + 1}", f"{source} to {target}", _strips(rows, scale), caption)


def _strips(rows: list[tuple[str, np.ndarray]], scale: int) -> str:
    """Rows of images with their names before them."""
    body = "".join(
        f"<div>{escape(name)}</div>{tiles(x, len(x), scale, f'{name}, {len(x)} examples')}"
        for name, x in rows
    )
    return f'<div class="pairs strips">{body}</div>'
