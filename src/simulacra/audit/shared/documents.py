"""What people write for an audit: costs.yaml, graph.yaml."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import yaml

from simulacra.data.paths import find
from simulacra.errors import DataError

T = TypeVar("T")


def read_yaml(path: Path, build: Callable[[Any], T], example: str) -> T:
    """What `build` makes of a YAML file; it raises ValueError, in plain words, where that is something else.

    Args:
        path: of the file.
        build: from the document.
        example: of a document, in one line, for messages.

    Raises:
        DataError: the file is missing, is no YAML, or says something else.
    """
    place = find(str(path))
    if not place.is_file():
        raise DataError(f"{path}: there is no such file; write one with {example}")
    try:
        return build(yaml.safe_load(place.read_text(encoding="utf-8")))
    except yaml.YAMLError as error:
        raise DataError(f"{path}: is no YAML ({str(error).splitlines()[0]}); write {example}") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: is not UTF-8 text") from error
    except ValueError as error:
        raise DataError(f"{path}: {error}") from error
