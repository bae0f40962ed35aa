"""The tables of models in the documents, from the cards: `python -m simulacra.models.table FILE...`."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from simulacra.core.capabilities import (
    BoundsLikelihood,
    Conditional,
    Decodes,
    Encodes,
    EstimatesLikelihood,
    Predicts,
    Samples,
    Translates,
)
from simulacra.core.model import Model
from simulacra.models.registry import MODELS, model_class

START, END = "<!-- models: made by python -m simulacra.models.table -->", "<!-- end of models -->"
COLUMNS = {
    "predicts": Predicts,
    "samples": Samples,
    "encodes": Encodes,
    "decodes": Decodes,
    "translates": Translates,
}


def models_table() -> str:
    """A Markdown table with a row for every registered model.

    >>> print(models_table().splitlines()[0])
    | model | what it is | predicts | samples | encodes | decodes | translates | likelihood |
    """
    lines = [["model", "what it is", *COLUMNS, "likelihood"], ["---"] * (len(COLUMNS) + 3)]
    for name, card in MODELS.items():
        cls = model_class(name)
        can = ["yes" if issubclass(cls, capability) else "" for capability in COLUMNS.values()]
        if issubclass(cls, Conditional):
            can[list(COLUMNS).index("samples")] = "by class"
        summary = card.summary.replace("|", "\\|")
        lines.append([f"`{name}`", summary, *can, _likelihood(cls)])
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines).replace("  ", " ")


def _likelihood(cls: type[Model]) -> str:
    if issubclass(cls, Predicts):
        return "exact, of the target"
    if not issubclass(cls, EstimatesLikelihood):
        return ""
    if cls.exact:
        return "exact"
    return "bound, estimate" if issubclass(cls, BoundsLikelihood) else "estimate"


def with_table(text: str) -> str:
    """A document with the table between its two markers made anew."""
    block = f"{START}\n\n{models_table()}\n\n{END}"
    return re.sub(f"{re.escape(START)}.*?{re.escape(END)}", lambda _: block, text, flags=re.DOTALL)


if __name__ == "__main__":
    for name in sys.argv[1:]:
        file = Path(name)
        file.write_text(with_table(file.read_text(encoding="utf-8")), encoding="utf-8")
