"""Answers that people sign: answers.yaml, which they write, and signatures.json, which binds them.

A signature is a list of digests (SHA-256): of the question, of the words of the answer, of the run's weights
and data, and of the sentences and files the answer rests on. Where any of them differs, the answer is stale.
It shows what was signed, not by whom: everybody who can write the file can make one.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import TypeAdapter, ValidationError, create_model, model_validator

from simulacra import limits
from simulacra.audit.checklist.questions import ANSWERS, KINDS, QUESTIONS, Question
from simulacra.audit.shared.documents import Document, Names, read_yaml
from simulacra.audit.shared.findings import Evidence, Finding
from simulacra.errors import ConfigError, DataError, LimitError, RunError, nearest
from simulacra.run import Run

SIGNATURES = "signatures.json"
EXAMPLE = "action: {answer: 'Yes, because ...', signed: NAME, date: 2026-01-31, rests_on: [decide/cost]}"
# of longer texts, for messages
CUT = 60

Status = Literal["unanswered", "unsigned", "stale", "signed"]


class Answer(Document):
    """What somebody wrote to a question; the text of the file, without blanks around it."""

    answer: str = ""
    signed: str = ""
    date: str = ""
    rests_on: Names = ()

    @model_validator(mode="after")
    def _whole(self) -> Self:
        today, day = date.today(), None
        if self.signed and not self.answer:
            raise ValueError(
                f"signed by {self.signed[:CUT]}, but has no answer; write one, or take the name out"
            )
        if self.date:
            with suppress(ValueError):
                day = date.fromisoformat(self.date)
            # fromisoformat takes 20260131, too
            if day is None or day.isoformat() != self.date:
                raise ValueError(f"'{self.date[:CUT]}' is not a date; write it as {today.isoformat()}")
            if day > today:
                raise ValueError(f"{self.date} is in the future; today is {today.isoformat()}")
        if len(set(self.rests_on)) < len(self.rests_on):
            raise ValueError("rests_on names something twice; name it once")
        return self


@dataclass(frozen=True)
class State:
    """Whether a question has an answer that is signed, and signed for what is here now.

    Attributes:
        status: "stale" if something has changed since the signature.
        answer: what is written.
        rests_on: the evidence that is there, in its order.
        why: why no signature holds, a few words each.
    """

    status: Status
    answer: Answer
    rests_on: tuple[Evidence, ...] = ()
    why: tuple[str, ...] = ()


def read(path: Path) -> dict[str, Answer]:
    """Read answers.yaml: question -> answer.

    Raises:
        DataError: no such question, key or date, or a name without an answer.
    """
    fields: dict[str, Any] = {question.name: (Answer, Answer()) for question in QUESTIONS}
    return dict(read_yaml(path, create_model("Answers", __base__=Document, **fields), EXAMPLE))


class EvidenceLookup:
    """What answers may rest on: findings of the audits beside this one, its own, and files.

    Args:
        folder: where answers.yaml lies, `audits/checklist`.
        own: findings of this audit.
    """

    def __init__(self, folder: Path, own: Sequence[Finding] = ()) -> None:
        self.folder = folder
        self.own = own

    def evidence(self, name: str) -> Evidence:
        """What is behind `KIND/NAME` or the path of a file.

        Raises:
            LookupError: nothing is; the message says what to do.
        """
        kind, _, rest = name.partition("/")
        if rest and kind in KINDS:
            return self._finding(name, kind, rest)
        file = self.folder / Path(name).expanduser()
        if not file.is_file():
            raise LookupError(
                f"'{name[:CUT]}' is not there; name a finding as KIND/NAME (predictions/flagged.sex), or a "
                f"file in {self.folder}"
            )
        try:
            return Evidence(name, f"a file, SHA-256 {_of_file(file)}")
        except OSError as error:
            raise LookupError(f"'{name[:CUT]}' cannot be read ({error.strerror})") from error

    def _finding(self, name: str, kind: str, rest: str) -> Evidence:
        if kind == "checklist":
            sentences = {f.name: f.sentence for f in self.own}
            hint, href = "; give --wronged" if not sentences else "", f"#{rest}"
        else:
            file = self.folder.parent / kind / "findings.json"
            if not file.is_file():
                raise LookupError(f"'{name[:CUT]}': there is no {file}; run 'simulacra audit {kind}' first")
            try:
                document = json.loads(limits.read_bytes(file, limits.JSON_BYTES))
                findings = [f for section in document["sections"] for f in section["findings"]]
                sentences = {str(f["name"]): f"{f['sentence']}" for f in findings}
            except (OSError, ValueError, KeyError, TypeError, LimitError, RecursionError) as error:
                raise LookupError(f"{file} cannot be read; run the audit again") from error
            hint, href = "", f"../{kind}/audit.html#{rest}"
        if rest not in sentences:
            hint = hint or f", {nearest(rest, sentences)}"
            raise LookupError(f"'{name[:CUT]}': the audit has no such finding{hint}")
        return Evidence(name, sentences[rest], href)


def subject(run: Path | None) -> dict[str, str]:
    """Digests of what answers are about: the weights and the data of a run; empty without one.

    Raises:
        RunError: there is no run, or it has no weights yet.
    """
    if run is None:
        return {}
    from simulacra.config import to_dict

    found = Run(run)
    config = found.config
    data = {"source": config.source, **to_dict(config.options), "spec": to_dict(config.spec)}
    try:
        return {"weights": _of_file(found.weights), "data": _of(data)}
    except FileNotFoundError as error:
        raise RunError(
            f"{run}: no weights yet (model.safetensors is missing); finish its training first"
        ) from error


class Signature(Document):
    """An entry of signatures.json: who signed an answer when, and digests."""

    signed: str
    date: str
    question: str
    words: str
    weights: str | None
    data: str | None
    rests_on: dict[str, str]


SIGNED = TypeAdapter(dict[str, Signature])


def signature(
    question: Question, answer: Answer, about: Mapping[str, str], evidence: Sequence[Evidence]
) -> Signature:
    """The signature of an answer to this question as it is now, about this run, resting on this evidence."""
    return Signature(
        signed=answer.signed,
        date=answer.date,
        question=_of(question.text),
        words=_of([answer.answer, answer.signed, answer.date, list(answer.rests_on)]),
        weights=about.get("weights"),
        data=about.get("data"),
        rests_on={e.name: _of(e.sentence) for e in evidence},
    )


def state(
    question: Question,
    answer: Answer,
    signed: Signature | None,
    about: Mapping[str, str],
    lookup: EvidenceLookup,
) -> State:
    """Compare an answer with its signature.

    Raises:
        LookupError: an answer without a signature rests on something that is not there.
    """
    if not answer.answer:
        return State("unanswered", answer)
    there, lost = list[Evidence](), list[str]()
    for name in answer.rests_on:
        try:
            there.append(lookup.evidence(name))
        except LookupError:
            if signed is None:
                raise
            lost.append(name)
    if signed is None:
        why = [f"no {what}" for what, text in (("name", answer.signed), ("date", answer.date)) if not text]
        why = why or [f"not bound yet: run it with --sign '{answer.signed}'"]
        return State("unsigned", answer, tuple(there), tuple(why))
    now = signature(question, answer, about, there)
    changes = {
        "question": "the question has changed",
        "words": "the answer, its name, its date or what it rests on has changed",
        "weights": "the weights have changed",
        "data": "the data have changed",
    }
    why = [text for key, text in changes.items() if getattr(now, key) != getattr(signed, key)]
    why += [f"{name} is gone" for name in lost]
    # a new name in the list is a change of words
    before = signed.rests_on
    why += [
        f"{name} has changed" for name, digest in now.rests_on.items() if digest != before.get(name, digest)
    ]
    return State("stale" if why else "signed", answer, tuple(there), tuple(why))


def read_signatures(path: Path) -> dict[str, Signature]:
    """Question -> signature; none where there is no file.

    Raises:
        DataError: the file holds something else.
    """
    try:
        return SIGNED.validate_json(limits.read_bytes(path, limits.JSON_BYTES)) if path.is_file() else {}
    except (OSError, LimitError, ValidationError) as error:
        raise DataError(f"{path}: cannot be read; delete it, and have the answers signed again") from error


def sign(
    name: str,
    answers: Mapping[str, Answer],
    before: Mapping[str, Signature],
    about: Mapping[str, str],
    lookup: EvidenceLookup,
    today: date,
) -> dict[str, Signature]:
    """Signatures of all answers that somebody has put their name and a date to.

    Raises:
        ConfigError: nobody of this name has.
        DataError: an answer has no date, or is signed for something else with the date it had before.
        LookupError: something that it rests on is not there.
    """
    made = {}
    for question in QUESTIONS:
        answer = answers.get(question.name, Answer())
        if not answer.signed or answer.signed != name.strip():
            continue
        old, place = before.get(question.name), f"{lookup.folder / ANSWERS}: '{question.name}'"
        if not answer.date:
            raise DataError(f"{place} has no date; write when it is signed, as {today.isoformat()}")
        evidence = [lookup.evidence(one) for one in answer.rests_on]
        made[question.name] = signature(question, answer, about, evidence)
        # so that nobody signs again without looking
        again = old is not None and old != made[question.name] and old.date == answer.date
        if again and answer.date != today.isoformat():
            raise DataError(
                f"{place} was signed on {answer.date} for something else; read it again, and write "
                f"{today.isoformat()}"
            )
    if not made:
        names = sorted({answer.signed for answer in answers.values() if answer.signed})
        there = nearest(name, names) if names else "no answer has a name yet"
        raise ConfigError(f"sign: no answer in {lookup.folder / ANSWERS} is signed '{name}'; {there}")
    return made


def dumped(signatures: Mapping[str, Signature]) -> str:
    """The text of signatures.json."""
    return json.dumps(SIGNED.dump_python(dict(signatures)), indent=1, ensure_ascii=False) + "\n"


def _of(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _of_file(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
