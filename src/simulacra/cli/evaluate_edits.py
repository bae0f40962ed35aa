"""`simulacra evaluate RUN --direction NAME [--classifier RUN] [--strength -2..2] [--json]`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from simulacra.errors import ConfigError

if TYPE_CHECKING:
    from simulacra.cli.evaluate import Evaluate
    from simulacra.core.capabilities import Decodes
    from simulacra.latent.directions import Direction
    from simulacra.run import Run

# numbers in a range of strengths
STEPS = 5


def run(arguments: Evaluate) -> None:
    """Measure the edits that a direction of a run makes, and print the numbers."""
    from simulacra.run import Run

    assert arguments.direction is not None
    for name in ("metrics", "anomalies"):
        if getattr(arguments, name) is not None:
            raise ConfigError(f"{name}: does not apply to a direction; leave it out")
    if arguments.examples is not None and arguments.examples < 2:
        raise ConfigError(f"examples: must be at least 2, not {arguments.examples}")
    trained = Run(arguments.run)
    trained.check_trained()
    from simulacra.core.capabilities import Decodes
    from simulacra.latent import directions
    from simulacra.metrics.features import load_extractor
    from simulacra.tasks.attribute_predictor import known, predictor_of
    from simulacra.tasks.edit import parse_strengths
    from simulacra.tasks.evaluate import fitted
    from simulacra.tasks.evaluate_edits import EXAMPLES, evaluate_edits, identity_features

    direction = directions.load(trained, arguments.direction)
    strengths = parse_strengths(arguments.strength, STEPS)
    model = trained.load_with(Decodes)
    if model.spec.kind == "text":
        _exact(arguments, trained, model, direction, strengths)
        return
    features: object = arguments.features or identity_features(model.spec)
    if Path(str(features), "config.yaml").is_file():
        features = Run(str(features)).load()
    data, split = fitted(model, arguments.data or trained.config.source)
    extractor = load_extractor(features, arguments.weights, train=data.train)
    predictor = predictor_of(trained, arguments.classifier, None if arguments.data else data)
    numbers = evaluate_edits(
        model,
        data,
        direction,
        known(predictor, data.split(split)),
        extractor,
        split,
        strengths,
        arguments.examples or EXAMPLES,
        arguments.seed,
    )
    _report(arguments, trained, numbers, lines)


def _exact(
    arguments: Evaluate, trained: Run, model: Decodes, direction: Direction, strengths: Sequence[float]
) -> None:
    """As `run`, of sentences, whose attributes are known or cannot be measured."""
    from simulacra.tasks.evaluate import fitted
    from simulacra.tasks.evaluate_edits import EXAMPLES
    from simulacra.tasks.evaluate_exact_edits import evaluate_exact_edits

    for name in ("classifier", "features", "weights"):
        if getattr(arguments, name) is not None:
            raise ConfigError(f"{name}: does not apply to sentences; leave it out")
    data, split = fitted(model, arguments.data or trained.config.source)
    if data.truth.attributes is None:
        raise ConfigError(
            "direction: edits are measured where the attributes of any sentence are known, as of 'sentences',"
            f" and those of {data.name} are not; look at some with: simulacra edit {trained} --direction"
            f" {direction.name} --data {data.name}"
        )
    numbers = evaluate_exact_edits(
        model, data, direction, split, strengths, arguments.examples or EXAMPLES, arguments.seed
    )
    _report(arguments, trained, numbers, exact_lines)


def _report(
    arguments: Evaluate,
    trained: Run,
    numbers: dict[str, Any],
    lines: Callable[[dict[str, Any]], Iterator[str]],
) -> None:
    """Print the numbers, and log them in the run."""
    import json

    if arguments.json:
        print(json.dumps({"run": str(trained), **numbers}))
    else:
        print("\n".join(lines(numbers)))
    # behind the numbers, which are not lost where the log cannot be written
    trained.log("evaluation", step=trained.step, **numbers)


def exact_lines(numbers: dict[str, Any]) -> Iterator[str]:
    """The numbers of an edit of sentences as text: a table of the strengths."""
    edit = numbers["edit"]

    def row(name: str, key: str) -> list[str]:
        return [name, *(f"{100 * x:.0f}%" for x in edit[key])]

    yield f"direction {numbers['direction']}: {numbers['data']}, {numbers['examples']:,} sentences"
    yield f"decoded without an edit, {100 * edit['valid_before']:.0f}% of them are grammatical; of those:"
    yield ""
    unchanged = zip(edit["others"], zip(*edit["unchanged"], strict=True), strict=True)
    yield from _columns(
        iter(
            [
                ["strength", *(f"{s:g}" for s in edit["strengths"])],
                ["sentences without it (above 0), with it", *(f"{n:,}" for n in edit["tried"])],
                row("grammatical when edited", "valid"),
                row(f"{edit['flipped']} flipped", "success"),
                row("and of those no other attribute", "rest"),
                *(
                    [f"{name} unchanged, of the grammatical", *(f"{100 * x:.0f}%" for x in shares)]
                    for name, shares in unchanged
                ),
                ["cosine of word counts", *(f"{x:.2f}" for x in edit["identity"])],
            ]
        )
    )
    yield ""
    if "direction_accuracy" in numbers:
        yield f"accuracy of the direction on held-out examples: {numbers['direction_accuracy']:.3f}"
    yield f"cosine of word counts of two different sentences: {numbers['edit_different']:.2f}"


def lines(numbers: dict[str, Any]) -> Iterator[str]:
    """The numbers of an edit as text: a table of the strengths, and one of the attributes."""
    edit = numbers["edit"]
    of = f"{numbers['data']}, {numbers['examples']:,} " + (
        "samples" if edit["shown"] is None else "held-out examples"
    )
    yield f"direction {numbers['direction']}: {of}"
    yield ""
    yield from _columns(_by_strength(edit, numbers["edit_different"]))
    yield ""
    yield from _columns(_by_attribute(edit))
    yield ""
    for key, text in (
        ("edit_left_alone", "of {edit_others} other attributes, {edit_left_alone} move less than 15% as far"),
        ("direction_accuracy", "accuracy of the direction on held-out examples: {direction_accuracy:.3f}"),
        ("direction_auc", "AUC of the direction on held-out examples: {direction_auc:.3f}"),
    ):
        if key in numbers:
            yield text.format_map(numbers)
    for name, why in edit["withheld"].items():
        yield f"withheld: {name}: {why}"
    yield from numbers.get("cautions", {}).values()
    yield f"attributes as {edit['predictor']} predicts them; identity by {numbers['extractor']} features"


def _by_strength(edit: dict[str, Any], different: float) -> Iterator[Sequence[str]]:
    yield ["strength", *(f"{s:g}" for s in edit["strengths"]), ""]
    if "column" in edit:
        k = edit["attributes"].index(edit["column"])
        yield [f"{edit['column']} moves", *(f"{row[k]:.2f}" for row in edit["change"]["value"]), "SD"]
        succeeded = ["-" if share is None else f"{100 * share:.0f}%" for share in edit["success"]]
        tried = f"of {min(edit['tried']):,} and more" if len(set(edit["tried"])) > 1 else ""
        yield ["edits that succeed", *succeeded, tried]
    yield [
        "identity",
        *(f"{x:.2f}" for x in edit["identity"]["value"]),
        f"two different examples: {different:.2f}",
    ]
    yield ["recognised", *(f"{100 * x:.0f}%" for x in edit["recognised"]), ""]
    if edit["consistency"] is not None:
        returned = "decoded, encoded and undone; two different examples: 1"
        yield ["inconsistency", *(f"{x:.2f}" for x in edit["consistency"]), returned]


def _by_attribute(edit: dict[str, Any]) -> Iterator[Sequence[str]]:
    """The edited attribute first, then those that move most."""
    names, leaks, shown = edit["attributes"], edit.get("leakage"), edit["shown"]
    edited = edit.get("column")
    head = [
        "attribute",
        "SD per strength",
        "95%",
        *(["leakage", "95%", "correlation"] if leaks else []),
        "R2",
    ]
    yield [*head, *([] if shown is None else ["R2 reconstructed"]), ""]
    size = [-abs(value) for value in edit["movement"]["value"]]
    for k in sorted(range(len(names)), key=lambda k: (names[k] != edited, size[k])):
        row = [names[k], f"{edit['movement']['value'][k]:.3f}", _ends(edit["movement"], k)]
        if leaks and names[k] == edited:
            row += ["", "", ""]
        elif leaks:
            row += [f"{leaks['value'][k]:.3f}", _ends(leaks, k), f"{edit['correlation'][k]:.2f}"]
        row += [f"{edit['r2'][k]:.2f}", *([] if shown is None else [f"{shown[k]:.2f}"])]
        counted = edited is None or names[k] in (edited, *edit["others"])
        yield [*row, "" if counted else "not counted"]


def _ends(band: dict[str, Any], k: int) -> str:
    return f"{band['low'][k]:.3f} to {band['high'][k]:.3f}"


def _columns(rows: Iterator[Sequence[str]]) -> Iterator[str]:
    """Rows of text below each other, the first column to the left and the others to the right."""
    table = list(rows)
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for first, *others in table:
        right = [cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True)]
        yield "  ".join([first.ljust(widths[0]), *right]).rstrip()
