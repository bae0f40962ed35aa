"""`simulacra direction RUN --attribute smiling`; without options it lists the directions of a run."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from simulacra.cli.usage import Overwrite, parse
from simulacra.errors import printable

if TYPE_CHECKING:
    import numpy as np

    from simulacra.latent.directions import Direction
    from simulacra.run import Run


@dataclass(frozen=True)
class Arguments:
    """Find directions in the latent space of a run, and save them there. Without options: list them."""

    run: tyro.conf.Positional[Path]
    """run folder"""
    data: str | None = None
    """data source with labels; what the run was trained on when not given. Directions are found in its
    training split and measured in its test split"""
    attribute: str | None = None
    """attribute or class, e.g. smiling, age>=60, race=Black"""
    with_: Annotated[tuple[Path, ...], tyro.conf.arg(name="with")] = ()
    """image files and folders: examples with the attribute"""
    without: tuple[Path, ...] = ()
    """image files and folders: examples without it"""
    classifier: Path | None = None
    """run folder of a classifier, whose predictions are the labels: of samples, or of --data"""
    unlabelled: Literal["pca", "sefa"] | None = None
    """directions without labels. pca: principal components of latents or of samples; sefa: from the weights
    of the first layer, or of all styles"""
    compose: str | None = None
    """a sum of saved directions, e.g. 'smile - 0.5*glasses'"""
    examples: int | None = None
    """examples of each kind; 20 of data, 500 of samples when not given"""
    method: Literal["means", "logistic", "channels"] | None = None
    """means: difference of the means, the default; logistic: normal of a logistic regression; channels: the
    difference of the means in the channels that differ most, and 0 in all others, e.g. with --space s"""
    channels: int | None = None
    """with --method channels: number of channels; 1 when not given"""
    orthogonal_to: str | None = None
    """comma-separated: saved directions or attributes that the direction leaves alone"""
    components: int | None = None
    """with --unlabelled: number of directions; 10 when not given"""
    name: str | None = None
    """name of the direction; the attribute when not given"""
    space: str | None = None
    """latent space, of a model with several, e.g. w or s of a stylegan"""
    layers: str | None = None
    """of a stylegan, layers that the direction moves: coarse, middle, fine, or numbers, e.g. 0-3; it leaves
    the others alone"""
    seed: int = 0
    """random seed"""
    overwrite: Overwrite = False
    json: tyro.conf.FlagCreatePairsOff[bool] = False
    """print one JSON object and nothing else"""


# what all directions from labels take
LABELLED = ("method", "channels", "orthogonal_to", "name", "space", "layers")
# the ways to a direction: the option that asks for each, of which the first counts, and what it takes besides
TAKES = {
    "compose": ("name", "layers"),
    "unlabelled": ("data", "components", "name", "space", "layers"),
    "with_": ("without", *LABELLED),
    "classifier": ("data", "attribute", "examples", *LABELLED),
    "attribute": ("data", "examples", *LABELLED),
}
# directions without labels, when not given
COMPONENTS = 10
SETTINGS = dict.fromkeys([*TAKES, *(option for options in TAKES.values() for option in options)])


def main(argv: list[str]) -> int:
    arguments = parse(Arguments, argv, "simulacra direction")
    way = _way(arguments)
    from simulacra.run import Run

    run = Run(arguments.run)
    run.check_trained()
    import json

    from simulacra.latent.directions import names, save
    from simulacra.latent.find import cautions

    if way is None:
        rows = [_row(run, name) for name in names(run)]
        if arguments.json:
            print(json.dumps({"run": str(run), "directions": rows}))
        elif rows:
            print("\n".join(_table(rows)))
        else:
            print(f"no directions in {run}; find one: simulacra direction {run} --attribute NAME")
        return 0
    _check_new(arguments, way, run)
    found = _found(arguments, way, run)
    for one in found:
        save(run, one, overwrite=arguments.overwrite)
    rows = [_row(run, one.name) for one in found]
    print(json.dumps({"run": str(run), "directions": rows}) if arguments.json else "\n".join(_table(rows)))
    for text in (text for one in found for text in cautions(one)):
        print(f"simulacra: {text}", file=sys.stderr)
    return 0


def _way(arguments: Arguments) -> str | None:
    """How a direction is to be found, one of `TAKES`; None where the directions are listed.

    Raises:
        ConfigError: an option is missing, or does not go with the others.
    """
    from simulacra.errors import ConfigError

    given = [option for option in SETTINGS if getattr(arguments, option) not in (None, ())]
    way = next((option for option in TAKES if option in given), None)
    if way is None:
        if given:
            raise ConfigError(
                f"{_flag(given[0])}: needs --attribute, --with and --without, --classifier, --unlabelled or"
                " --compose"
            )
        return None
    if other := next((option for option in given if option != way and option not in TAKES[way]), None):
        raise ConfigError(f"{_flag(other)}: cannot be combined with {_flag(way)}; leave one of them out")
    needed = {"compose": ("name",), "with_": ("without", "name")}.get(way, ())
    if missing := next((option for option in needed if option not in given), None):
        raise ConfigError(f"{_flag(missing)} is missing, which {_flag(way)} needs")
    if arguments.channels is not None and arguments.method != "channels":
        raise ConfigError("--channels: is for --method channels; add it, or leave --channels out")
    if both := set(arguments.with_) & set(arguments.without):
        raise ConfigError(f"{both.pop()}: is given --with and --without the attribute; leave one out")
    return way


def _flag(option: str) -> str:
    return "--" + option.strip("_").replace("_", "-")


def _check_new(arguments: Arguments, way: str, run: Run) -> None:
    """Refuse a name that cannot be, or that there is already, before any work."""
    from simulacra.latent.directions import check_name, exists, file_of

    name = arguments.name or (arguments.unlabelled if way == "unlabelled" else arguments.attribute)
    if name is None:
        return
    check_name(name)
    count = (arguments.components or COMPONENTS) if way == "unlabelled" else 0
    for one in [f"{name}-{k}" for k in range(1, count + 1)] or [name]:
        if file_of(run, one).exists() and not arguments.overwrite:
            raise exists(run, one)


def _found(arguments: Arguments, way: str, run: Run) -> list[Direction]:
    from simulacra.latent.directions import compose
    from simulacra.latent.layers import at_layers
    from simulacra.tasks.direction import direction, unlabelled_directions

    if way == "compose":
        assert arguments.compose is not None
        assert arguments.name is not None
        one = replace(compose(run, arguments.compose), name=arguments.name)
        if arguments.layers is not None:
            one = at_layers(run.load(), one, arguments.layers)
        return [one]
    if way == "unlabelled":
        assert arguments.unlabelled is not None
        return unlabelled_directions(
            run.path,
            arguments.unlabelled,
            COMPONENTS if arguments.components is None else arguments.components,
            data=arguments.data,
            space=arguments.space,
            layers=arguments.layers,
            name=arguments.name,
            seed=arguments.seed,
        )
    positive = negative = None
    if way == "with_":
        positive, negative = _read(run, arguments.with_), _read(run, arguments.without)
    one = direction(
        run.path,
        positive,
        negative,
        attribute=arguments.attribute,
        data=arguments.data,
        classifier=arguments.classifier,
        examples=arguments.examples,
        method=arguments.method or "means",
        channels=1 if arguments.channels is None else arguments.channels,
        orthogonal_to=_names(arguments.orthogonal_to),
        space=arguments.space,
        layers=arguments.layers,
        name=arguments.name,
        seed=arguments.seed,
    )
    return [one]


def _names(text: str | None) -> list[str]:
    return [] if text is None else [name.strip() for name in text.split(",") if name.strip()]


def _read(run: Run, paths: tuple[Path, ...]) -> np.ndarray:
    """The images of files and folders, `(N, C, H, W)` uint8."""
    from simulacra.errors import DataError
    from simulacra.tasks.inputs import read_images

    x, _, bad = read_images(run, paths)
    if bad:
        file, reason = next(iter(bad.items()))
        raise DataError(f"{file}: {reason}; leave it out")
    return x


def _row(run: Run, name: str) -> dict[str, Any]:
    """What is known of a saved direction, or its `problem`."""
    from simulacra.errors import RunError
    from simulacra.latent.directions import describe, is_current, read

    try:
        one = read(run, name)
    except RunError as error:
        return {"name": name, "problem": str(error)}
    return {**describe(one), "current": is_current(run, one)}


def _table(rows: list[dict[str, Any]]) -> list[str]:
    """Lines of a table of directions."""
    head = ["name", "space", "method", "of", "examples", "held-out accuracy", "error"]
    cells = [head, *([row["name"], row["problem"]] if "problem" in row else _cells(row) for row in rows)]
    whole = [row for row in cells if len(row) == len(head)]
    widths = [max(len(printable(row[i])) for row in whole) for i in range(len(head))]
    # a damaged one has fewer cells, the last of them long
    return [
        "  ".join(printable(cell).ljust(width) for cell, width in zip(row, widths, strict=False)).rstrip()
        for row in cells
    ]


def _cells(row: dict[str, Any]) -> list[str]:
    from simulacra.latent.directions import formula

    details = row["details"]
    of = details.get("attribute", "")
    if "terms" in details:
        of = formula(details["terms"])
    elif "share" in details:
        of = f"{details['share']:.1%} of {'the variance' if row['method'] == 'pca' else 'A^T A'}"
    if layers := details.get("layers"):
        of += f" at layers {layers}"
    if "channels" in details:
        of += f" in {len(details['channels'])} of {prod(row['shape']):,}"
    if removed := details.get("orthogonal_to"):
        of += f", orthogonal to {', '.join(removed)}"
    n = details.get("examples", "")
    examples = f"{n['with']} + {n['without']}" if isinstance(n, dict) else f"{n:,}" if n else ""
    accuracy, error = details.get("held_out_accuracy"), details.get("error")
    measured = ""
    if accuracy:
        measured = (
            f"{accuracy['value']:.1%} ({accuracy['low']:.1%} to {accuracy['high']:.1%}, n={accuracy['n']})"
        )
    # with few examples the error is unknown; without labels there is none
    angle = f"{error['angle']:.0f} degrees" if error else "-" if "error" in details else ""
    if error and error.get("lower_bound"):
        angle = f"at least {angle}"
    if not row["current"]:
        angle = "found with other weights; find it again"
    return [row["name"], row["space"], row["method"], of, examples, measured, angle]
