"""`checklist`: the questions that no number answers, and who answers them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import tyro

from simulacra.audit.checklist.questions import ANSWERS, QUESTIONS, Question, template
from simulacra.audit.shared.arguments import Shared, folder
from simulacra.audit.shared.findings import Audit, Estimate, Finding, Plot, Section

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from simulacra.audit.checklist.answers import State


@dataclass(frozen=True, kw_only=True)
class Arguments(Shared):
    """Ask what no number answers. The first run writes answers.yaml, beside the page, with the questions
    and what an answer has to name; people fill it in, and it is read from then on and never changed."""

    marker = ANSWERS

    run: tyro.conf.Positional[Path | None] = None
    """run folder that the answers are about: they lie in RUN/audits/checklist; without one, see --out"""
    sign: str | None = None
    """sign all answers that have this name under 'signed': binds them to their words, to the run's weights
    and data, and to what they rest on"""
    wronged: Path | None = None
    """CSV with a row for each group: columns of groups; 'rate', the chance of being wronged in one encounter,
    or 'wronged' and 'n', how many of how many encounters were a wrong; 'encounters', how many a person has"""
    encounters: int | None = None
    """encounters a person has, instead of the column"""
    minimum_n: int = 30
    """encounters that a rate has to be counted in; below, it is withheld"""


def audit(arguments: Arguments) -> Audit:
    """Read the answers, or write the questions, and report the status of each.

    Raises:
        ConfigError: an impossible setting, or nobody signed what is to be signed.
        DataError: the answers, their signatures or the table cannot be used.
        RunError: there is no run, or it has no weights.
    """
    from datetime import date

    from simulacra.audit.checklist import answers as kept
    from simulacra.audit.checklist.encounters import MOST, read, section
    from simulacra.audit.shared.source import Source
    from simulacra.errors import ConfigError, DataError
    from simulacra.files import write_text

    for name, number, least in (
        ("minimum-n", arguments.minimum_n, 2),
        ("encounters", arguments.encounters, 1),
    ):
        if number is not None and not least <= number <= MOST:
            raise ConfigError(f"{name}: must be {least} to {MOST:,}, not {number}")
    if arguments.encounters is not None and arguments.wronged is None:
        raise ConfigError("encounters: belong to the table of --wronged; give both")
    inputs: dict[str, str | int | float] = {}
    counted = None
    if arguments.wronged is not None:
        source = Source(arguments.wronged)
        column, groups = read(source, arguments.encounters)
        counted = section(column, groups, arguments.minimum_n)
        inputs = source.about()
    where, today = folder("checklist", arguments), date.today()
    file, signatures = where / ANSWERS, where / kept.SIGNATURES
    about = kept.subject(arguments.run)
    lookup = kept.EvidenceLookup(where, () if counted is None else counted.findings)
    answers = kept.read(file) if file.exists() else {}
    signed = kept.read_signatures(signatures)
    try:
        new = {}
        if arguments.sign is not None:
            new = kept.sign(arguments.sign, answers, signed, about, lookup, today)
        signed |= new
        states = {
            q.name: kept.state(q, answers.get(q.name, kept.Answer()), signed.get(q.name), about, lookup)
            for q in QUESTIONS
        }
    except LookupError as error:
        raise DataError(f"{file}: {error.args[0]}") from error
    if not file.exists():
        write_text(file, template())
    if new:
        write_text(signatures, kept.dumped(signed))
    inputs = {"answers": ANSWERS, **inputs}
    inputs |= {f"SHA-256 of the {name}": digest for name, digest in about.items()}
    asked = [
        "Whether an answer is right, and whether what it rests on supports it: people have to read it. A "
        "signature shows what was signed: words, weights, data, evidence. It does not prove who typed a name."
    ]
    if arguments.run is None:
        asked.append("Whether the answers are about these weights and data: give the run.")
    if counted is None:
        asked.append(
            "The chance of being wronged at least once, by group: give rates and encounters with --wronged."
        )
    sections = [_section(question, states[question.name]) for question in QUESTIONS]
    open_ = [name for name, state in states.items() if state.status != "signed"]
    status = f"Open: {', '.join(open_)}." if open_ else "Somebody has signed an answer to each."
    return Audit(
        "checklist",
        "Questions that no number answers",
        f"What has to be answered by somebody, with their name, before anything is done. {status}",
        [*sections, *([counted] if counted is not None else []), _open(states)],
        inputs,
        asked,
    )


def _section(question: Question, state: State) -> Section:
    notes = [f"{question.why} An answer names {question.names}."]
    if question.audits:
        notes.append(f"Look at: simulacra audit {' | '.join(question.audits)}")
    return Section(question.name, question.text, question.about, [_finding(question, state)], notes=notes)


def _finding(question: Question, state: State) -> Finding:
    answer, names = state.answer, [evidence.name for evidence in state.rests_on]
    by = ", ".join(filter(None, (answer.signed, answer.date)))
    written = (
        f"\N{LEFT DOUBLE QUOTATION MARK}{' '.join(answer.answer.split())}\N{RIGHT DOUBLE QUOTATION MARK}"
        + (f" {by}." if by else "")
    )
    if state.status == "signed":
        return Finding(
            question.name,
            f"{question.text} {written}" + (f" Rests on {', '.join(names)}." if names else ""),
            "stated",
            "Whether this is so: it is what somebody has signed.",
            "findings and files that the answer rests on",
            Estimate(len(names)),
            rests_on=state.rests_on,
        )
    why = "; ".join(state.why)
    lead = {
        "unanswered": "Unanswered.",
        "unsigned": f"Not signed ({why}): {written}",
        "stale": f"Signature out of date ({why}): {written}",
    }[state.status]
    limits = "Anything: nobody has signed an answer to this, for what is here."
    return Finding(question.name, f"{question.text} {lead}", "withheld", limits, rests_on=state.rests_on)


def _open(states: Mapping[str, State]) -> Section:
    """How many questions have no answer whose signature holds; for gates."""
    from simulacra.audit.shared.phrasing import shorten

    by_status: dict[str, list[str]] = {"unanswered": [], "unsigned": [], "stale": []}
    for name, state in states.items():
        if state.status != "signed":
            by_status[state.status].append(name)
    count = sum(map(len, by_status.values()))
    sentence = "Every question has an answer that somebody has signed, for what is here."
    if count:
        names = "; ".join(f"{status}: {shorten(names)}" for status, names in by_status.items() if names)
        sentence = (
            f"{count} question{' has' if count == 1 else 's have'} no answer that somebody has signed, for "
            f"what is here. {names[0].upper()}{names[1:]}. Answer in answers.yaml, then --sign NAME."
        )
    caption = (
        "Filled: done. Holds: neither the words nor the weights, the data or what it rests on have changed "
        "since it was signed."
    )
    finding = Finding(
        "open",
        sentence,
        "finding" if count else "stated",
        "Whether the answers are any good, or how many should be enough: others do not make up for one that "
        "is missing.",
        "questions without a signed answer",
        Estimate(count),
        None,
        {status: Estimate(len(names)) for status, names in by_status.items()},
        "questions",
    )
    plot = Plot("questions", "The status of each question", _figure(states), caption)
    return Section("open", "What is open", "actions", [finding], [plot])


def _figure(states: Mapping[str, State]) -> Figure:
    """A row for each question: answered, signed, holds."""
    from simulacra.report.figures import BLUE, GREY, INK, single, style

    columns, statuses = ("answered", "signed", "holds"), ("unanswered", "unsigned", "stale", "signed")
    with style():
        figure, axes = single(420, 56 + 26 * len(states))
        for place, state in enumerate(states.values()):
            for k in range(len(columns)):
                done = k < statuses.index(state.status)
                axes.plot(
                    [k], [place], marker="o", markersize=9, color=BLUE if done else GREY,
                    fillstyle="full" if done else "none",
                )  # fmt: skip
        axes.set_xticks(range(len(columns)), columns)
        axes.xaxis.tick_top()
        axes.tick_params(axis="both", length=0, labelcolor=INK)
        axes.set_yticks(range(len(states)), list(states))
        axes.set(xlim=(-0.6, len(columns) - 0.4), ylim=(len(states) - 0.5, -0.5))
        axes.spines[["left", "bottom"]].set_visible(False)
    return figure
