"""YAML files that people write for an audit: costs.yaml, graph.yaml, answers.yaml."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, TypeVar

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError, model_validator

from simulacra.data.paths import find
from simulacra.errors import DataError, nearest, printable

# a name, or a list of names
Names = Annotated[
    tuple[str, ...],
    BeforeValidator(lambda value: [value] if value and isinstance(value, str) else value or []),
]


class Document(BaseModel):
    """Base class of schemas: a mapping with these keys and no others; an empty one has all defaults."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)

    @model_validator(mode="before")
    @classmethod
    def _empty(cls, value: Any) -> Any:
        return value or {}


D = TypeVar("D", bound=Document)


class _Text(yaml.BaseLoader):
    """Every scalar is text: `no` is a name, and 2026-01-31 what somebody wrote; a key may occur once."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [key.value for key, _ in node.value]
        for i, (key, _) in enumerate(node.value):
            if key.value in keys[:i]:
                raise ValueError(f"line {key.start_mark.line + 1}: '{key.value}' occurs twice; keep one")
        return super().construct_mapping(node, deep)


def read_yaml(path: Path, schema: type[D], example: str) -> D:
    """Read a YAML file.

    Args:
        path: of the file.
        schema: what the file must hold; its validators raise ValueError with plain words.
        example: of a document, in one line, for messages.

    Raises:
        DataError: the file is missing, is not YAML, or does not fit the schema.
    """
    place = find(str(path))
    if not place.is_file():
        raise DataError(f"{path}: there is no such file; write one with {example}")
    try:
        loader = _Text(place.read_text(encoding="utf-8"))
        root = loader.get_single_node()
        document = {} if root is None else loader.construct_document(root)
        try:
            return schema.model_validate(document)
        except ValidationError as error:
            raise ValueError(_plain(error, schema, root, example)) from error
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
    except ValueError as error:
        raise DataError(f"{path}: {printable(str(error))}") from error


def _plain(error: ValidationError, schema: type[Document], root: yaml.Node | None, example: str) -> str:
    """The first fault, with its line."""
    fault = error.errors()[0]
    keys = [str(key) for key in fault["loc"]]
    line = f"line {_line(root, keys)}: " if root is not None else ""
    where = ".".join(keys)
    if fault["type"] == "value_error":
        return f"{line}{f'{where}: ' if where else ''}{fault['ctx']['error']}"
    if fault["type"] == "extra_forbidden":
        parent: Any = schema
        for key in keys[:-1]:
            parent = parent.model_fields[key].annotation
        inside = f"{'.'.join(keys[:-1])}: " if keys[:-1] else ""
        return f"{line}{inside}unknown key '{keys[-1]}', {nearest(keys[-1], parent.model_fields)}"
    if fault["type"] in ("float_parsing", "finite_number"):
        return f"{line}{where}: '{fault['input']}' is not a number"
    if fault["type"] == "string_type":
        return f"{line}{where}: must be text; put it in quotes"
    return f"{line}{f'{where}: ' if where else ''}must look like {example}"


def _line(node: yaml.Node, keys: list[str]) -> int:
    """The line of a key, or of the last of its parents that is there."""
    line = node.start_mark.line + 1
    for key in keys:
        children = node.value if isinstance(node, yaml.MappingNode) else ()
        found = next(((k, value) for k, value in children if k.value == key), None)
        if found is None:
            break
        line, node = found[0].start_mark.line + 1, found[1]
    return line
