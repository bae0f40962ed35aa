"""The file MODEL_CARD.md of a run: its model, data, training, metrics, limits and audits."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

from simulacra import limits
from simulacra.core.capabilities import Samples, commands, usage
from simulacra.core.model import Model
from simulacra.data import SPLITS
from simulacra.errors import LimitError, RunError, printable
from simulacra.files import write_text
from simulacra.models.registry import model_card
from simulacra.report.material import load_data
from simulacra.report.numbers import SHOWN, Numbers, examples, listed, numbers_of, summary
from simulacra.report.reproduce import changed, command, versions
from simulacra.run import Run, RunConfig

# settings that matter for the result; not where it was computed
SETTINGS = ("batch_size", "lr", "optimizer", "schedule", "ema", "keep", "precision", "seed")


def write_model_card(run: Run) -> Path:
    """Write `MODEL_CARD.md` into the run folder, whole or not at all.

    Returns:
        The file.

    Raises:
        RunError: there is no run, it has no weights, an audit of it cannot be read, or the file cannot be
            written.
    """
    path = run.path / "MODEL_CARD.md"
    write_text(path, _card(run))
    return path


def _card(run: Run) -> str:
    config, model = run.config, run.load()
    sections = {
        "What it was trained on": _data(run, config, model),
        "How it was trained": _training(run, config, model),
        "Metrics": _metrics(run),
        "Limits": "\n".join(f"- {line}" for line in _limits(run, config, model)),
        "Audit findings": _audits(run),
        "How to load it": _loading(run, config, model),
    }
    head = f"# {escape(run.path.resolve().name)}\n\n{escape(summary(config, run.step))}\n"
    return head + "".join(f"\n## {title}\n\n{body}\n" for title, body in sections.items())


def _data(run: Run, config: RunConfig, model: Model) -> str:
    lines = [f"- Source: {code(config.source)}", f"- Examples: {examples(config)}"]
    lines += [f"- {name}: {escape(str(value))}" for name, value in changed(config.options).items()]
    data, missing = load_data(run, config)
    if data is None:
        lines.append(
            f"- Sizes: unknown, the data could not be read when this was written ({escape(missing)})"
        )
    else:
        sizes = ", ".join(f"{len(data.split(split)):,} {split}" for split in SPLITS)
        used = "none was used for training" if model.untrained else "trained on the train split only"
        lines.append(f"- Sizes: {sizes}; {used}")
    spec = config.spec
    columns = spec.columns if spec.schema is None else [column.name for column in spec.schema.columns]
    names = {
        "Columns": columns,
        "Targets": () if spec.target is None else spec.target.columns,
        "Classes": spec.classes,
        "Attributes": spec.attributes,
    }
    lines += [f"- {what}: {escape(listed(several))}" for what, several in names.items() if several]
    return "\n".join(lines)


def _training(run: Run, config: RunConfig, model: Model) -> str:
    lines = [f"- {name}: {value}" for name, value in changed(config.config).items()]
    if model.players:
        lines.append(f"- steps: {run.step:,}")
        lines += [f"- {name}: {getattr(config.training, name)}" for name in SETTINGS]
    elif model.untrained:
        lines.append(
            f"- Untrained: its weights are those of the initialisation, seed {config.training.seed}."
        )
    else:
        lines.append("- Solved directly, without training steps.")
    lines.append(f"- Made with {', '.join(f'{name} {number}' for name, number in versions(run).items())}")
    return "\n".join(lines) + f"\n\n{fenced('sh', command(config, run.path))}"


def _metrics(run: Run) -> str:
    several = numbers_of(run)
    text = "\n\n".join(
        (f"### {escape(numbers.heading)}\n\n" if len(several) > 1 else "") + _table(numbers, run)
        for numbers in several
    )
    if any(numbers.compared for numbers in several):
        text += (
            "\n\nReal data: the same scores of as many training examples in place of the samples. A perfect"
            " model reaches them; fewer examples make them worse."
        )
    return text


def _table(numbers: Numbers, run: Run) -> str:
    text = escape(numbers.title)
    if not numbers.evaluated:
        text += f" {code(shlex.join(['simulacra', 'evaluate', str(run)]))} measures it."
    text += "".join(f"\n\n**{escape(caution)}**" for caution in numbers.cautions)
    if numbers.rows:
        real, line = (" real data |", "---:|") if numbers.compared else ("", "")
        text += f"\n\n| metric | value |{real} unit | meaning |\n|---|---:|{line}---|---|\n"
        text += "\n".join(
            f"| {escape(row.name)} | {escape(row.value)} |{f' {row.real} |' if real else ''} {row.unit} |"
            f" {escape(row.meaning)} |"
            for row in numbers.rows
        )
    return text + _by_column(numbers) + _by_direction(numbers)


def _by_column(numbers: Numbers) -> str:
    """A table with a row for each of the first predicted columns."""
    if not numbers.columns:
        return ""
    names = [row.name for row in next(iter(numbers.columns.values()))]
    text = f"\n\n| column | {' | '.join(names)} |\n|---|{'---:|' * len(names)}\n"
    text += "\n".join(
        f"| {escape(column)} | {' | '.join(f'{row.value} {row.unit}'.strip() for row in values)} |"
        for column, values in list(numbers.columns.items())[:SHOWN]
    )
    left = len(numbers.columns) - SHOWN
    return text + (f"\n\nAnd {left:,} more columns." if left > 0 else "")


def _by_direction(numbers: Numbers) -> str:
    """A table with a column for each direction between two domains."""
    if not numbers.directions:
        return ""
    names = " | ".join(escape(name) for name in numbers.directions)
    text = f"\n\n| metric | {names} | unit | meaning |\n|---|{'---:|' * len(numbers.directions)}---|---|\n"
    return text + "\n".join(
        f"| {escape(number.name)} | {' | '.join(values)} | {number.unit} | {escape(number.meaning)} |"
        for number, values in numbers.by_direction()
    )


def escape(text: str) -> str:
    """Text as Markdown that shows it as it is, in one line, also in a cell of a table.

    >>> print(escape("<b> | *x* of hand_x"))
    &lt;b> \\| \\*x\\* of hand_x
    """
    text = printable(" ".join(text.split())).replace("&", "&amp;").replace("<", "&lt;")
    # an underscore inside a word is no emphasis
    return re.sub(r"[\\`*\[\]~|]|(?<!\w)_|_(?!\w)", r"\\\g<0>", text)


def code(text: str) -> str:
    """Text as a span of code, whatever it contains.

    >>> print(code("csv:a.csv"), code("a`b"))
    `csv:a.csv` `` a`b ``
    """
    longest = max(map(len, re.findall("`+", text)), default=0)
    fence, space = "`" * (longest + 1), " " if longest else ""
    return f"{fence}{space}{printable(' '.join(text.split()))}{space}{fence}"


def fenced(language: str, text: str) -> str:
    """Lines of code, whatever they contain.

    >>> print(fenced("sh", "a"))
    ```sh
    a
    ```
    """
    fence = "`" * max(3, 1 + max(map(len, re.findall("`+", text)), default=0))
    return f"{fence}{language}\n" + "\n".join(map(printable, text.splitlines())) + f"\n{fence}"


def _limits(run: Run, config: RunConfig, model: Model) -> list[str]:
    warnings = [event for event in run.events("warning") if event["cause"] == "divergence"]
    lines = [f"**Its training diverged**: {event['text']}." for event in warnings[-1:]]
    lines += model_card(config.model).limits
    if not model.untrained:
        lines.append(
            f"It reflects its training data ({code(config.source)}), including what is rare, missing or wrong"
            " there."
        )
    if isinstance(model, Samples) and not model.untrained:
        lines.append(_memorisation(run, config))
    if not numbers_of(run)[0].evaluated:
        lines.append("It has not been evaluated on held-out test data.")
    return lines


def _memorisation(run: Run, config: RunConfig) -> str:
    """What the last evaluation on the run's own data found about memorised examples, or how to find out."""
    for event in reversed(run.events("evaluation")):
        if not event.get("data", "").startswith(f"{config.source}@"):
            continue
        at = f"(evaluated at step {event.get('step', 0):,})"
        if "closer_to_train" in event:
            closer, expected = (100 * event[key] for key in ("closer_to_train", "closer_expected"))
            return (
                f"Samples may be close to single training examples: {closer:.1f}% of {event['samples']:,}"
                f" samples are nearer to one of {event['train']:,} training examples than that is to its own"
                f" nearest neighbour, by {event['extractor']} features; {expected:.1f}% are expected of new"
                f" data. {event['copies']:,} samples equal a training example {at}."
            )
        if "nearer_to_train" in event:
            return (
                f"Samples may be close to single training rows: {100 * event['nearer_to_train']:.1f}% of"
                f" {event['rows']:,} samples are nearer to a training row than to a test row; 50% are"
                f" expected of a model without memory {at}."
            )
    command = shlex.join(["simulacra", "evaluate", str(run), "--metrics", "memorisation"])
    return f"Samples may be close to single training examples. This was not checked: {code(command)} does."


def _audits(run: Run) -> str:
    """The findings of every audit in `audits/`."""
    files = sorted((run.path / "audits").glob("*/findings.json"))
    if not files:
        return "None yet: the effects of this model on people have not been audited."
    parts = []
    for file in files:
        try:
            document = json.loads(limits.read_bytes(file, limits.JSON_BYTES))
            findings = [f for part in document["sections"] for f in part["findings"]]
            lines = [
                f"- **{f['verdict']}**: {escape(f['sentence'])} *Does not show: {escape(f['does_not_show'])}*"
                for f in findings
            ]
            title = document["title"]
        # ValueError: no JSON, or no UTF-8
        except (OSError, ValueError, KeyError, TypeError, LimitError, RecursionError) as error:
            raise RunError(f"{file}: cannot be read; run the audit again, or delete its folder") from error
        page = (file.parent / "audit.html").relative_to(run.path).as_posix()
        parts.append(f"### {escape(title)}\n\n[{page}]({page})\n\n" + "\n".join(lines))
    return "\n\n".join(parts)


def _loading(run: Run, config: RunConfig, model: Model) -> str:
    python = ["import simulacra as sim", "", f"model = sim.load({str(run)!r})", *usage(model)]
    shell = [
        shlex.join(["simulacra", *words])
        for words in commands(model, str(run), config.source, config.training.seed)
    ]
    return "\n\n".join(
        fenced(language, "\n".join(lines)) for language, lines in (("python", python), ("sh", shell)) if lines
    )
