"""YAML files that people write for an audit: their text, and in which line what is wrong."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import yaml

from simulacra import limits
from simulacra.data.paths import find
from simulacra.errors import DataError, LimitError, printable

D = TypeVar("D")


class _Text(yaml.BaseLoader):
    """Every scalar is text: `no` is a name, and 2026-01-31 what somebody wrote; a key may occur once."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise ValueError(f"line {key.start_mark.line + 1}: a key must be a text")
            if key.value in seen:
                raise ValueError(f"line {key.start_mark.line + 1}: '{key.value}' occurs twice; keep one")
            seen.add(key.value)
        return super().construct_mapping(node, deep)


def load(path: Path, example: str, parse: Callable[[Any, yaml.Node | None], D]) -> D:
    """Read a YAML file.

    Args:
        path: of the file.
        example: of a document, in one line, for messages.
        parse: makes something of the document and its node; ValueError with plain words if it does not fit.

    Raises:
        DataError: the file is missing, is not YAML, or does not fit.
    """
    place = find(str(path))
    if not place.exists():
        raise DataError(f"{path}: there is no such file; write one with {example}")
    try:
        text = limits.read_bytes(place, limits.YAML_BYTES).decode("utf-8")
        document, root = limits.load_yaml(text, _Text)
        return parse({} if root is None else document, root)
    except yaml.YAMLError as error:
        mark, problem = getattr(error, "problem_mark", None), getattr(error, "problem", None)
        where = f"line {mark.line + 1}: " if mark is not None else ""
        raise DataError(
            f"{path}: {where}is not YAML ({problem or str(error).splitlines()[0]}); write {example}"
        ) from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: is not UTF-8 text") from error
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error
    except (ValueError, LimitError) as error:
        raise DataError(f"{path}: {printable(str(error))}") from error


def line_of(node: yaml.Node, keys: list[str]) -> int:
    """The line of a key, or of the last of its parents that is there."""
    line = node.start_mark.line + 1
    for key in keys:
        children = node.value if isinstance(node, yaml.MappingNode) else ()
        found = next(((k, value) for k, value in children if k.value == key), None)
        if found is None:
            break
        line, node = found[0].start_mark.line + 1, found[1]
    return line
