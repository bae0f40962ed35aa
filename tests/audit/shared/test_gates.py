"""Gates: what passes, what fails, and what must not pass because nobody could tell."""

import pytest

from simulacra.audit.shared.findings import Audit, Estimate, Finding, Section
from simulacra.audit.shared.gates import Gate
from simulacra.errors import ConfigError

FINDINGS = [
    Finding(
        "fpr.race", "Race.", "finding", "Why.", "d", Estimate(0.2, 0.1, 0.3), 9, {"ratio": Estimate(1.9)}
    ),
    Finding("fpr.sex", "Sex.", "no finding", "Why.", "d", Estimate(0.05, -0.1, 0.2), 9),
    Finding("fpr.age", "Few.", "withheld", "Why."),
    Finding("p", "Stated.", "stated", "Why.", "p", Estimate(0.5)),
]
AUDIT = Audit("kind", "Title", "Lead", [Section("s", "S", "data", FINDINGS)], {})


@pytest.mark.parametrize(
    ("gate", "passed", "why"),
    [
        ("fpr.race", False, "Race."),
        ("fpr.sex", True, "none of 1 is a finding"),
        ("p", True, "none of 1"),
        ("fpr.*", False, "Race. (1 of 3 withheld)"),
        ("*", False, "Race. (1 of 4 withheld)"),
        ("fpr.race>0.1", False, "fpr.race is 0.2"),
        ("fpr.race > 0.2", True, "fpr.race is 0.2, not > 0.2"),
        ("fpr.race>=0.2", False, "fpr.race is 0.2"),
        ("p<1", False, "p is 0.5"),
        ("p<=0.4", True, "not <= 0.4"),
        ("fpr.*>0.04", False, "fpr.race is 0.2"),
        ("fpr.race:ratio>1.25", False, "fpr.race:ratio is 1.9"),
        ("fpr.race:ratio>2", True, "not > 2"),
        ("fpr.race:low>0.15", True, "fpr.race:low is 0.1"),
        ("fpr.race:high>0.15", False, "fpr.race:high is 0.3"),
        # what cannot be checked does not pass
        ("fpr.age", False, "cannot be checked: Few."),
        ("fpr.age>0.1", False, "cannot be checked: Few."),
        ("fpr.sex:ratio>1.25", False, "cannot be checked: fpr.sex has no ratio here"),
        ("p:low>0.1", False, "cannot be checked"),
    ],
)
def test_outcomes(gate: str, passed: bool, why: str) -> None:
    outcome = Gate.parse(gate).check(AUDIT)
    assert (outcome.passed, outcome.gate) == (passed, gate)
    assert why in outcome.why


def test_a_gate_that_names_nothing_is_bad_usage() -> None:
    with pytest.raises(ConfigError, match=r"no finding 'fpr.rase', did you mean 'fpr.race'"):
        Gate.parse("fpr.rase").check(AUDIT)


@pytest.mark.parametrize("text", ["", ">", "a>", "a>b", "a b", "a:b", "a=3", ">0.1", "a>1>2"])
def test_what_is_no_gate(text: str) -> None:
    with pytest.raises(ConfigError, match="is not a gate"):
        Gate.parse(text)
