"""How the command line shows and reads options that may be None: `--clip FLOAT`, and `--clip none` for None.

Of text and paths, which may themselves be `none`, only the default can be None.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Union, get_args

from tyro.constructors import ConstructorRegistry, PrimitiveConstructorSpec, PrimitiveTypeInfo

OPTIONAL = ConstructorRegistry()


@OPTIONAL.primitive_rule
def optional(info: PrimitiveTypeInfo) -> PrimitiveConstructorSpec[Any] | None:
    """`T | None` as tyro shows T, instead of `{None}|T`; other types are left to tyro."""
    types = [kind for kind in get_args(info.type) if kind is not NoneType]
    if info.type_origin not in (Union, UnionType) or NoneType not in get_args(info.type) or len(types) > 1:
        return None
    spec = ConstructorRegistry.get_primitive_spec(PrimitiveTypeInfo.make(types[0], info.markers))
    if not isinstance(spec, PrimitiveConstructorSpec) or spec.nargs != 1:
        return None
    text = types[0] in (str, Path)

    def read(words: list[str]) -> Any:
        return None if words[0].casefold() == "none" and not text else spec.instance_from_str(words)

    return replace(
        spec,
        instance_from_str=read,
        is_instance=lambda value: value is None or spec.is_instance(value),
        str_from_instance=lambda value: ["none"] if value is None else spec.str_from_instance(value),
        choices=spec.choices and (*spec.choices, "none"),
    )
