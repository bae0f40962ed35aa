"""What no number answers, and has to be answered by somebody before anything is done."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass

from simulacra.audit.shared.findings import About


@dataclass(frozen=True)
class Question:
    """A question of the checklist.

    Attributes:
        name: in answers.yaml, and of its finding.
        about: what its section is about.
        text: the question.
        why: why it is asked.
        names: what an answer has to name, after "An answer names".
        audits: kinds of audit whose findings an answer may rest on.
    """

    name: str
    about: About
    text: str
    why: str
    names: str
    audits: tuple[str, ...] = ()


ANSWERS = "answers.yaml"
QUESTIONS = (
    Question(
        "representative",
        "data",
        "Are the data representative of the people they will be used on?",
        "A model learns who was recorded, not who there is: arrests are not offences.",
        "the people it will be used on, how the rows came to be recorded, who is missing, and what "
        "reweighting cannot undo",
        ("sampling",),
    ),
    Question(
        "amplified",
        "predictions",
        "Does the model amplify what it saw?",
        "What was more common in training can be more common still in a model's predictions.",
        "the groups that were looked at and those that were not, by how much, and what is done about it",
        ("amplify", "edits", "generator", "predictions"),
    ),
    Question(
        "direction",
        "predictions",
        "Is the direction of every conditional stated?",
        "How many with A have B is not how many with B have A, and the difference is people.",
        "each probability that something rests on, in both directions, with how common it is to begin with",
        ("fallacy", "predictions"),
    ),
    Question(
        "action",
        "actions",
        "Is the action argued for apart from how accurate the prediction is?",
        "That something is likely does not say what ought to be done about it.",
        "the actions that were considered, doing nothing among them, why this one would be right if every "
        "prediction were, and who decides",
        ("decide",),
    ),
    Question(
        "costs",
        "actions",
        "Who bears which cost?",
        "Whoever acts, whoever gains and whoever pays for errors are seldom the same people.",
        "for each action and each error who pays and in what, who set these costs, and whether those who pay "
        "were asked",
        ("decide", "predictions"),
    ),
    Question(
        "causes",
        "actions",
        "Is a causal graph drawn, and the loop considered?",
        "Acting changes what is predicted. The same correlation can call for opposite actions, and what is "
        "done today is in tomorrow's data.",
        "the graph, what in it nobody has measured, what the action changes in it, and how its effects come "
        "back as data",
        ("causes", "feedback", "correlations"),
    ),
    Question(
        "others",
        "actions",
        "Is anybody held responsible for what others did who share an attribute with them?",
        "A rate of a group is about the group. Nobody has done what others like them did.",
        "the attributes that the prediction rests on, which of them are the person's own doing, and how "
        "somebody can object who is not like the others",
    ),
    Question(
        "spread",
        "actions",
        "Are wrongs that cannot be avoided spread evenly?",
        "Whoever is met more often is wronged more often: at rate r and n encounters at least once with "
        "chance 1 - (1 - r)^n.",
        "r and n of each group, whether it is always the same people, and what is done for those who are "
        "wronged",
        ("checklist", "predictions", "decide"),
    ),
)
# whose findings answers may rest on
KINDS = frozenset(kind for question in QUESTIONS for kind in question.audits)

HEAD = """\
# Answers to 'simulacra audit checklist'. People write them; the command reads this file and never
# changes it. For each question:
#   answer     text; longer ones below 'answer: |', indented
#   signed     the name of the person who signs it
#   date       when, as 2026-01-31
#   rests_on   what it rests on: findings of the audits beside this one, as KIND/NAME, and files, from
#              this folder on: [predictions/flagged.sex, ../graph.yaml]
# Then 'simulacra audit checklist ... --sign NAME' binds all answers that NAME has signed to their
# words, to the weights and data of the run, and to what they rest on. Where one of these changes
# later, the answer no longer holds, until it is signed again."""


def template() -> str:
    """An answers.yaml without answers.

    >>> template().count("  answer:\\n")
    8
    """
    parts = [HEAD]
    for question in QUESTIONS:
        lines = [question.text, question.why, f"An answer names {question.names}."]
        if question.audits:
            lines.append(f"Look at: simulacra audit {' | '.join(question.audits)}")
        comments = "\n".join(_comment(line, "  ") for line in lines)
        parts.append(f"{question.name}:\n{comments}\n  answer:\n  signed:\n  date:\n  rests_on: []")
    return "\n\n".join(parts) + "\n"


def _comment(text: str, indent: str) -> str:
    lead = f"{indent}# "
    return textwrap.fill(text, 100, initial_indent=lead, subsequent_indent=lead, break_long_words=False)
