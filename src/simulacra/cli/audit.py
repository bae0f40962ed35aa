"""`simulacra audit KIND ...`: a page and findings.json about what data or a model do to people."""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from simulacra.audit.shared.arguments import Shared
    from simulacra.audit.shared.findings import Audit

# kind -> its package in simulacra.audit, and what it asks. Its module `command` imports nothing slow:
# it has the dataclass `Arguments` and the function `audit`, which makes an `Audit` of them.
KINDS = {
    "predictions": ("predictions", "do predictions go wrong for some groups more than for others?"),
    "sampling": ("sampling", "who is selected, and what would reweighting correct?"),
    "amplify": ("amplification", "does a model amplify the bias of its training data?"),
    "decide": ("decisions", "which action costs least, and whom does it cost?"),
    "fallacy": ("fallacy", "is a probability read backwards?"),
    "correlations": ("correlations", "which correlations survive many tests, and new rows?"),
    "causes": ("causes", "what would an intervention do, if this graph of causes is right?"),
    "feedback": ("feedback", "does acting on a prediction make it come true?"),
    "generator": ("generator", "who is generated, how well, and who is memorised?"),
    "edits": ("edits", "for whom does an edit along a direction work, and for whom not?"),
    "checklist": ("checklist", "who answers what no number answers?"),
}
# what of the extra `audit` a kind needs, if not all of it
EXTRA = ("pandas", "networkx", "pydantic")
NEEDED: dict[str, tuple[str, ...]] = {"fallacy": (), "decide": (), "feedback": (), "edits": ()}

# letters of a sentence on a terminal: names of groups have any number; the page has all of them
LONGEST_SENTENCE = 1000

HELP = """usage: simulacra audit KIND ...

{kinds}

  simulacra audit KIND --help    what a kind takes

Each writes a page, audit.html, and findings.json. No audit says that something is all right: it says what
was found, how surely, and what that does not show.
"""


def main(argv: list[str]) -> int:
    if not argv or argv[0] in ("-h", "--help"):
        kinds = "\n".join(f"  {kind:13} {text}" for kind, (_, text) in KINDS.items())
        print(HELP.format(kinds=kinds), end="")
        return 0 if argv else 2
    from simulacra.errors import ConfigError, nearest

    kind, *rest = argv
    if kind not in KINDS:
        raise ConfigError(f"unknown kind of audit '{kind}', {nearest(kind, KINDS)}")
    from simulacra.audit.shared.arguments import folder, replaces
    from simulacra.audit.shared.gates import Gate
    from simulacra.cli.usage import parse

    module: Any = import_module(f"simulacra.audit.{KINDS[kind][0]}.command")
    arguments = parse(module.Arguments, rest, f"simulacra audit {kind}")
    gates = [Gate.parse(text) for text in arguments.fail_on]
    if missing := [name for name in NEEDED.get(kind, EXTRA) if find_spec(name) is None]:
        raise ConfigError(f"audit {kind}: needs {', '.join(missing)}: pip install simulacra[audit]")
    out = folder(kind, arguments)
    # an audit may put the marker there
    replace = replaces(arguments, out)
    audit = module.audit(arguments)
    return _answer(audit, arguments, gates, out, replace)


def _answer(audit: Audit, arguments: Shared, gates: list[Any], out: Path, replace: bool) -> int:
    """Write the answers, print them, and say which gates failed."""
    import json
    from dataclasses import asdict

    from simulacra.audit.shared.page import write
    from simulacra.errors import abridge

    outcomes = [gate.check(audit) for gate in gates]
    document = audit.json([asdict(outcome) for outcome in outcomes])
    page = write(audit, document, out, arguments.overwrite, replace)
    if arguments.run is not None:
        from simulacra.report.model_card_file import write_model_card
        from simulacra.run import Run

        write_model_card(Run(arguments.run))
    if arguments.json:
        print(json.dumps(document))
    else:
        for section in audit.sections:
            print(f"{section.title}\n")
            for finding in section.findings:
                sentence = abridge(finding.sentence, LONGEST_SENTENCE)
                print(f"  {finding.verdict:10}  {sentence}\n              [{abridge(finding.name)}]")
            print()
        print(f"{audit.count()}: {page}")
    for outcome in outcomes:
        if not outcome.passed:
            print(f"simulacra: fail-on {outcome.gate}: {outcome.why}", file=sys.stderr)
    return 0 if all(outcome.passed for outcome in outcomes) else 1
