"""The tables of models in the documents are those of the cards."""

from pathlib import Path

import pytest

from simulacra.models.table import START, with_table

ROOT = Path(__file__).parents[2]
DOCUMENTS = [f for f in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))) if START in f.read_text()]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.name)
def test_table_is_up_to_date(document: Path) -> None:
    text = document.read_text()
    assert with_table(text) == text, f"run: python -m simulacra.models.table {document.name}"


def test_readme_has_the_table() -> None:
    assert ROOT / "README.md" in DOCUMENTS
