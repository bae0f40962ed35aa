"""A card of a report: what one capability of a model shows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from simulacra.core.capabilities import Capability
from simulacra.report.material import Material


@dataclass(frozen=True)
class ReportCard:
    """Images with a heading and a caption.

    Attributes:
        name: its anchor in the page.
        title: the heading, plain text.
        body: HTML.
        caption: plain text.
        wide: whether it takes the whole width of the page.
    """

    name: str
    title: str
    body: Markup
    caption: str
    wide: bool = False


Cards = Mapping[type[Capability], tuple[Callable[[Material[Any]], ReportCard | None], ...]]
"""Capability -> functions that make its cards, each None where the data do not suit."""
