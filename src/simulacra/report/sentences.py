"""Report cards of models that write sentences."""

from __future__ import annotations

from simulacra.report.report_card import Cards

CARDS: Cards = {}
