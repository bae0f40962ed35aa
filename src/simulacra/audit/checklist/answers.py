"""Answers that people sign: answers.yaml, which they write, and signatures.json, which binds them.

A signature is a list of digests (SHA-256): of the question, of the words of the answer, of the run's weights
and data, and of the sentences and files the answer rests on. Where any of them differs, the answer is stale.
It tells what was signed, and not by whom: everybody who can write the file can make one.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Literal

import yaml

from simulacra.audit.checklist.questions import KINDS, QUESTIONS, Question
from simulacra.audit.shared.findings import Evidence, Finding
from simulacra.errors import ConfigError, DataError, RunError, nearest, printable
from simulacra.run import Run

ANSWERS, SIGNATURES = "answers.yaml", "signatures.json"
KEYS = ("answer", "signed", "date", "rests_on")
# of longer texts, for messages
CUT = 60

Stands = Literal["unanswered", "unsigned", "stale", "signed"]


@dataclass(frozen=True)
class Answer:
    """What somebody wrote to a question; everything as it stands in the file, without blanks around it."""

    answer: str = ""
    signed: str = ""
    date: str = ""
    rests_on: tuple[str, ...] = ()


@dataclass(frozen=True)
class State:
    """Where a question stands.

    Attributes:
        stands: whether somebody stands by an answer to it, to what is here.
        answer: what is written.
        rests_on: what of that is there, in its order.
        why: why nobody stands by it, a few words each.
    """

    stands: Stands
    answer: Answer
    rests_on: tuple[Evidence, ...] = ()
    why: tuple[str, ...] = ()


def read(path: Path, today: date) -> dict[str, Answer]:
    """Read answers.yaml: question -> answer, of those that are there.

    Raises:
        DataError: no such question, key or date, or a name without an answer.
    """
    try:
        # everything is text: no is a surname, and 2026-01-31 what somebody wrote
        root = yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.BaseLoader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}: " if mark is not None else ""
        problem = getattr(error, "problem", None) or str(error).splitlines()[0]
        raise DataError(
            f"{path}: {where}is no YAML ({problem}); write longer answers below 'answer: |', indented"
        ) from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: is not UTF-8 text") from error
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error
    try:
        questions = _mapping(root, [question.name for question in QUESTIONS], "question")
        answers = {name: _answer(node, name) for name, node in questions.items()}
        for name, answer in answers.items():
            _check(name, answer, today)
    except ValueError as error:
        raise DataError(f"{path}: {printable(str(error))}") from error
    return answers


def _mapping(node: yaml.Node | None, valid: list[str], what: str) -> dict[str, yaml.Node]:
    if node is None or (isinstance(node, yaml.ScalarNode) and not node.value):
        return {}
    if not isinstance(node, yaml.MappingNode):
        raise ValueError(f"line {node.start_mark.line + 1}: write 'NAME: ...', a {what} in each line")
    found: dict[str, yaml.Node] = {}
    for key, value in node.value:
        line, name = key.start_mark.line + 1, str(key.value)
        if name not in valid:
            raise ValueError(f"line {line}: there is no {what} '{name[:CUT]}', {nearest(name, valid)}")
        if name in found:
            raise ValueError(f"line {line}: '{name}' is there twice; keep one")
        found[name] = value
    return found


def _answer(node: yaml.Node, name: str) -> Answer:
    values: dict[str, Any] = {}
    for key, value in _mapping(node, list(KEYS), f"part of '{name}'").items():
        line = value.start_mark.line + 1
        items = value.value if isinstance(value, yaml.SequenceNode) else [value]
        if not all(isinstance(item, yaml.ScalarNode) for item in items) or (
            key != "rests_on" and isinstance(value, yaml.SequenceNode)
        ):
            raise ValueError(f"line {line}: '{key}' of '{name}' is text; put it in quotes")
        texts = [str(item.value).strip() for item in items]
        values[key] = tuple(filter(None, texts)) if key == "rests_on" else texts[0]
    return Answer(**values)


def _check(name: str, answer: Answer, today: date) -> None:
    if answer.signed and not answer.answer:
        raise ValueError(
            f"'{name}' is signed by {answer.signed[:CUT]}, but has no answer; write one, or take the name out"
        )
    if answer.date:
        try:
            if not re.fullmatch(r"\d{4}-\d\d-\d\d", answer.date):
                raise ValueError
            day = date.fromisoformat(answer.date)
        except ValueError:
            raise ValueError(
                f"'{name}': '{answer.date[:CUT]}' is no date; write it as {today.isoformat()}"
            ) from None
        if day > today:
            raise ValueError(f"'{name}': {answer.date} is in the future; today is {today.isoformat()}")
    if len(set(answer.rests_on)) < len(answer.rests_on):
        raise ValueError(f"'{name}' names something twice that it rests on; name it once")


class Shelf:
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
            LookupError: nothing is; the words say what to do.
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
                document = json.loads(file.read_text(encoding="utf-8"))
                findings = [f for section in document["sections"] for f in section["findings"]]
                sentences = {str(f["name"]): f"{f['sentence']}" for f in findings}
            except (OSError, ValueError, KeyError, TypeError) as error:
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


def signature(question: Question, answer: Answer, about: Mapping[str, str], shelf: Shelf) -> dict[str, Any]:
    """What stands in signatures.json of an answer.

    Raises:
        LookupError: something that it rests on is not there.
    """
    named = {"signed": answer.signed, "date": answer.date}
    rests_on = {name: _of(shelf.evidence(name).sentence) for name in answer.rests_on}
    return {**named, **_bound(question, answer, about), "rests_on": rests_on}


def _bound(question: Question, answer: Answer, about: Mapping[str, str]) -> dict[str, str | None]:
    words = [answer.answer, answer.signed, answer.date, list(answer.rests_on)]
    digests = {"question": _of(question.text), "words": _of(words)}
    return {**digests, **{name: about.get(name) for name in ("weights", "data")}}


def state(
    question: Question,
    answer: Answer,
    signed: Mapping[str, Any] | None,
    about: Mapping[str, str],
    shelf: Shelf,
) -> State:
    """Hold an answer against its signature.

    Raises:
        LookupError: an answer without a signature rests on something that is not there.
    """
    if not answer.answer:
        return State("unanswered", answer)
    there: list[Evidence] = []
    lost: list[str] = []
    for name in answer.rests_on:
        try:
            there.append(shelf.evidence(name))
        except LookupError:
            if signed is None:
                raise
            lost.append(name)
    if signed is None:
        lacks = [words for words, text in (("no name", answer.signed), ("no date", answer.date)) if not text]
        why = lacks or [f"not bound yet: run it with --sign '{answer.signed}'"]
        return State("unsigned", answer, tuple(there), tuple(why))
    now = _bound(question, answer, about)
    why = [
        words
        for key, words in (
            ("question", "the question reads otherwise"),
            ("words", "the answer, its name, its date or what it rests on was changed"),
            ("weights", "the weights are others"),
            ("data", "the data are others"),
        )
        if now[key] != signed[key]
    ]
    why += [f"{name} is gone" for name in lost]
    before = signed["rests_on"]
    # what is new in the list is among the words
    why += [
        f"{e.name} reads otherwise" for e in there if e.name in before and before[e.name] != _of(e.sentence)
    ]
    return State("stale" if why else "signed", answer, tuple(there), tuple(why))


def read_signatures(path: Path) -> dict[str, dict[str, Any]]:
    """Question -> signature; none where there is no file.

    Raises:
        DataError: the file holds something else.
    """
    if not path.is_file():
        return {}
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        for entry in found.values():
            _ = (
                [entry[key] for key in ("date", "question", "words", "weights", "data")],
                dict(entry["rests_on"]),
            )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{path}: cannot be read; delete it, and have the answers signed again") from error
    return {str(name): dict(entry) for name, entry in found.items()}


def sign(
    name: str,
    answers: Mapping[str, Answer],
    before: Mapping[str, Mapping[str, Any]],
    about: Mapping[str, str],
    shelf: Shelf,
    today: date,
) -> dict[str, Any]:
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
        old, place = before.get(question.name), f"{shelf.folder / ANSWERS}: '{question.name}'"
        if not answer.date:
            raise DataError(f"{place} has no date; write when it is signed, as {today.isoformat()}")
        made[question.name] = signature(question, answer, about, shelf)
        # so that nobody signs again without looking
        again = old is not None and old != made[question.name] and old["date"] == answer.date
        if again and answer.date != today.isoformat():
            raise DataError(
                f"{place} was signed on {answer.date} for something else; read it again, and write "
                f"{today.isoformat()}"
            )
    if not made:
        names = sorted({answer.signed for answer in answers.values() if answer.signed})
        there = nearest(name, names) if names else "no answer has a name yet"
        raise ConfigError(f"sign: no answer in {shelf.folder / ANSWERS} is signed '{name}'; {there}")
    return made


def dumped(signatures: Mapping[str, Any]) -> str:
    """The text of signatures.json."""
    return json.dumps(signatures, indent=1, ensure_ascii=False) + "\n"


def _of(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _of_file(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
