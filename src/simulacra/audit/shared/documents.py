"""Schemas of YAML files that people write for an audit: graph.yaml, answers.yaml."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, TypeVar

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError, model_validator

from simulacra.audit.shared.yaml_files import line_of, load
from simulacra.errors import nearest

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


def read_yaml(path: Path, schema: type[D], example: str) -> D:
    """Read a YAML file.

    Args:
        path: of the file.
        schema: what the file must hold; its validators raise ValueError with plain words.
        example: of a document, in one line, for messages.

    Raises:
        DataError: the file is missing, is not YAML, or does not fit the schema.
    """

    def parse(document: Any, root: yaml.Node | None) -> D:
        try:
            return schema.model_validate(document)
        except ValidationError as error:
            raise ValueError(_plain(error, schema, root, example)) from error

    return load(path, example, parse)


def _plain(error: ValidationError, schema: type[Document], root: yaml.Node | None, example: str) -> str:
    """The first fault, with its line."""
    fault = error.errors()[0]
    keys = [str(key) for key in fault["loc"]]
    line = f"line {line_of(root, keys)}: " if root is not None else ""
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
