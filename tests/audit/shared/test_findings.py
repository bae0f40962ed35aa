"""What a finding must say, findings.json, and the page."""

import ast
import json
import re
from dataclasses import replace
from math import inf, nan
from pathlib import Path

import pytest

from simulacra.audit.shared import findings as module
from simulacra.audit.shared.figures import by_group
from simulacra.audit.shared.findings import Audit, Estimate, Finding, Plot, Section, Table, dumps, slug
from simulacra.audit.shared.page import page, write
from simulacra.audit.shared.rates import Rate
from tests.pages import standing_alone

F = Finding(
    "a.b", "It is so.", "finding", "Why.", "rate", Estimate(0.5, -0.4, 0.6), 10, {"c": Estimate(1)}, "p"
)
W = Finding("w", "Withheld.", "withheld", "All.")


def audit() -> Audit:
    plot = Plot("p", "Rates", by_group([Rate("x", 3, 50), Rate("y", 1, 2)], "rates"), "A line.")
    table = Table("T & U", ["g", "<n>"], [["x", "-3"]], "Note.")
    one = Section("one", "First <one>", "predictions", [F], [plot], [table], ["Mind it."])
    two = Section("two", "Second", "actions", [W, replace(F, name="d", plot=None)])
    return Audit("kind", "Audit of <b>", "Lead.", [one, two], {"rows": 1234}, ["Not that."])


def test_json_is_stable() -> None:
    document = json.loads(dumps(audit().json([{"gate": "a", "passed": True, "why": "so"}])))
    assert list(document) == ["schema", "simulacra", "kind", "title", "inputs", "level", "sections", "gates"]
    assert document["schema"] == "simulacra.audit/1"
    assert document["sections"][0]["findings"][0] == {
        "name": "a.b", "verdict": "finding", "sentence": "It is so.", "what": "rate", "number": 0.5,
        "interval": [-0.4, 0.6], "n": 10, "more": {"c": {"number": 1.0, "interval": None}},
        "does_not_show": "Why.", "plot": "p", "rests_on": [],
    }  # fmt: skip
    assert document["sections"][1]["findings"][0]["number"] is None
    assert [section["about"] for section in document["sections"]] == ["predictions", "actions"]


def test_the_page(tmp_path: Path) -> None:
    made = audit()
    path = write(made, made.json([{"gate": "a.b>0.1", "passed": False, "why": "-0.5 <"}]), tmp_path / "out")
    text = path.read_text(encoding="utf-8")
    shown = standing_alone(text)
    assert path.name == "audit.html"
    assert (tmp_path / "out" / "findings.json").is_file()
    assert shown.ids == {
        "verdicts", "section-one", "section-two", "a.b", "w", "d", "plot-one-p", "not-asked", "gates",
        "inputs",
    }  # fmt: skip
    for words in (
        "Audit of <b>", "2 findings, 0 without, 1 withheld, 0 stated", "What is predicted",
        "What is done about it",
        "It is so.", "95% \N{MINUS SIGN}0.4 to 0.6", "does not show", "Mind it.", "T & U", "<n>",
        "\N{MINUS SIGN}3", "1,234", "Not that.", "a.b>0.1", "failed",
    ):  # fmt: skip
        assert words in shown.words, words
    assert page(made) == page(audit())


def test_findings_are_whole() -> None:
    for change, said in (
        ({"name": "A b"}, "no name"),
        ({"more": {"x y": Estimate(1)}}, "no name"),
        ({"sentence": ""}, "has a sentence"),
        ({"does_not_show": ""}, "does not show"),
        ({"number": None}, "has a number"),
        ({"verdict": "withheld"}, "withheld has none"),
    ):
        with pytest.raises(ValueError, match=said):
            replace(F, **change)  # type: ignore[arg-type]  # faults of all types
    with pytest.raises(ValueError, match=r"plots of a\.b are missing"):
        Section("s", "S", "data", [F])
    plot = audit().sections[0].plots
    with pytest.raises(ValueError, match=r"used twice: a\.b"):
        Audit("k", "T", "L", [Section("s", "S", "data", [F], plot), Section("t", "S", "data", [F], plot)], {})


def test_estimates_are_numbers() -> None:
    for numbers in ((nan,), (inf,), (1.0, 0.0, inf)):
        with pytest.raises(ValueError, match="not finite"):
            Estimate(*numbers)
    with pytest.raises(ValueError, match="one end"):
        Estimate(1.0, 0.0)
    e = Estimate(0.5, 0.4, 0.6)
    assert e.holds(0.4)
    assert not e.holds(0.39)
    assert (e - 0.5).ends == pytest.approx((-0.1, 0.1))
    assert Estimate(1).holds(1)
    assert not Estimate(1).holds(1.1)


def test_slugs() -> None:
    assert [slug(x) for x in ("A", "a b", "Größe", "???")] == ["a", "a-b", "gr-sse", "x"]


# an audit says what was found; that all is well it never says
SOURCE = Path(module.__file__).parents[1]
NEVER = re.compile(r"\b(un)?fair(ly|ness|er)?\b|unbiased|\bbias-free|non-?discriminat", re.IGNORECASE)


@pytest.mark.parametrize("file", sorted(SOURCE.rglob("*.py")), ids=lambda file: str(file.relative_to(SOURCE)))
def test_it_never_says_fair(file: Path) -> None:
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            assert not NEVER.search(node.value), f"line {node.lineno}: {node.value}"
