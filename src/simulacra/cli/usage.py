"""The options of a verb as a dataclass; what is wrong with them is an error of one line. Imports no torch."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Collection, Iterator
from contextlib import redirect_stdout, suppress
from typing import Annotated, Any, NoReturn, TypeVar

import tyro

# the hook is not part of tyro's stable interface, so pyproject.toml limits the version
from tyro import _errors as failures

from simulacra.cli.optional import OPTIONAL
from simulacra.errors import ConfigError, close_match, nearest

T = TypeVar("T")

# the option of every verb that writes where its user says
Overwrite = Annotated[
    bool, tyro.conf.FlagCreatePairsOff, tyro.conf.arg(help="replace files that exist already")
]

# how tyro describes a type -> how errors do
KINDS = {"INT": "a whole number", "FLOAT": "a number", "[INT [INT ...]]": "whole numbers"}


def parse(
    arguments: type[T], argv: list[str], prog: str, description: str | None = None, more: Collection[str] = ()
) -> T:
    """The options in `argv` as an instance of the dataclass `arguments`.

    Args:
        prog: the verb as it is typed, e.g. `simulacra sample`.
        description: of the verb in its help; the docstring of the dataclass by default.
        more: options that the verb takes besides those of the dataclass.

    Raises:
        ConfigError: bad usage, in one line.
        SystemExit: --help was asked for.
    """

    def refuse(failure: failures.ParseErrorEvent) -> NoReturn:
        parts = _sentences(failure, argv, lambda: [*_options(arguments), *more])
        raise ConfigError("; ".join([f"{prog.removeprefix('simulacra ')}: {next(parts)}", *parts]))

    with OPTIONAL, failures.on_parse_error(refuse):
        return tyro.cli(arguments, args=argv, prog=prog, description=description)


def listed(text: str | None) -> list[str]:
    """The names in an option's value, with commas between.

    >>> listed("cat, dog")
    ['cat', 'dog']
    """
    return [name.strip() for name in (text or "").split(",") if name.strip()]


def seeds(text: str | None, option: str = "seeds") -> list[int]:
    """The seeds in an option's value.

    >>> seeds("1,2")
    [1, 2]

    Raises:
        ConfigError: one is not a whole number, 0 or more.
    """
    for word in listed(text):
        if not word.isdecimal():
            raise ConfigError(f"--{option} takes whole numbers, 0 or more, with commas between, not '{word}'")
    return [int(word) for word in listed(text)]


def _options(arguments: type[Any]) -> list[str]:
    """All options, as the help lists them."""
    text = io.StringIO()
    with OPTIONAL, redirect_stdout(text), suppress(SystemExit):
        tyro.cli(arguments, args=["--help"])
    return re.findall(r"(?<![\w-])--[a-z][a-z0-9-]*", text.getvalue())


def _sentences(failure: Any, argv: list[str], options: Callable[[], list[str]]) -> Iterator[str]:
    """What is wrong, and what to do."""
    if isinstance(failure, failures.UnrecognizedArgs):
        yield from _unrecognized(failure.tokens, argv, options)
    elif isinstance(failure, failures.MissingArgs):
        flags = [token for token in failure.unrecognized_tokens if token.startswith("-")]
        if flags:
            yield from _unrecognized(flags, argv, options)
        else:
            yield from _missing(failure)
    elif isinstance(failure, failures.InvalidChoice):
        flag = _name(failure.argument)
        yield f"{flag}: unknown '{failure.value}', {nearest(failure.value, failure.choices)}"
    elif isinstance(failure, failures.BadValue) and failure.argument.is_positional():
        known = options()
        flags = [word for word in argv if word.startswith("--") and word.partition("=")[0] not in known]
        if flags:
            yield f"unknown option {flags[0]}"
            name = _name(failure.argument)
            yield f"write {failure.prog} {name}"
        else:
            yield _missing_one(failure.argument)
    elif isinstance(failure, failures.BadValue):
        flag, values = _name(failure.argument), failure.argument.lowered.nargs
        needs = f"{values} values" if isinstance(values, int) and values > 1 else "a value"
        yield f"{flag} needs {needs}: {flag} {failure.argument.lowered.metavar}"
    elif getattr(failure, "argument", None):
        yield from _bad_value(failure)
    else:
        yield str(getattr(failure, "message", "these options cannot be combined; see --help"))


def _name(argument: Any) -> str:
    name: str = argument.lowered.name_or_flags[-1]
    return name.upper() if argument.is_positional() else name


def _missing(failure: Any) -> Iterator[str]:
    missing = [one.arg for one in failure.missing_arguments]
    if len(missing) > 1:
        form = " ".join(
            _name(one) if one.is_positional() else f"{_name(one)} {one.lowered.metavar}" for one in missing
        )
        yield f"{' and '.join(map(_name, missing))} are missing"
        yield f"write {failure.prog} {form}"
        return
    one, words = missing[0], failure.unrecognized_tokens
    yield _missing_one(one)
    if len(words) == 1 and not one.is_positional():
        yield f"write {_name(one)} {words[0]}"


def _missing_one(argument: Any) -> str:
    text = argument.field.helptext
    about = " ".join((text() if callable(text) else text or "").split()).partition(";")[0].rstrip(".")
    return f"{_name(argument)} is missing{f' ({about})' if about else ''}"


def _bad_value(failure: Any) -> Iterator[str]:
    metavar = failure.argument.lowered.metavar
    found = re.search(r"'([^']*)'", failure.message)
    value = found[1] if found else ""
    yield f"{_name(failure.argument)} takes {KINDS.get(metavar, metavar)}, not '{value}'"
    if re.fullmatch(r"-?\d{1,3}(,\d{3})+", value):
        yield f"write {value.replace(',', '')}"
    elif re.fullmatch(r"-?\d+,\d+", value):
        yield f"write {value.replace(',', '.')}"
    elif metavar == "INT" and re.fullmatch(r"\d+(\.\d*)?[eE]\d+|\d+\.0*", value):
        yield f"write {float(value):.0f}"


def _unrecognized(tokens: list[str], argv: list[str], options: Callable[[], list[str]]) -> Iterator[str]:
    flag = next((token.partition("=")[0] for token in tokens if token.startswith("-")), None)
    if flag is not None:
        # without the hyphens, which all have in common
        names = {option.lstrip("-"): option for option in options()}
        close = close_match(flag.replace("_", "-").lstrip("-"), names)
        yield f"unknown option {flag}"
        yield f"did you mean {names[close]}?" if close is not None else "--help lists the options"
        return
    before = argv[max(0, argv.index(tokens[0]) - 1)] if tokens[0] in argv else ""
    if before.startswith("--"):
        yield f"{before} takes no value"
        yield f"leave '{tokens[0]}' out"
    elif before.endswith(","):
        yield f"write {before}{tokens[0]} without the space"
    else:
        yield f"unexpected '{tokens[0]}'"
        yield "a name with spaces needs quotes, and an option starts with --"
