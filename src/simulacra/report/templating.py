"""HTML pages from Jinja2 templates: the environment that reports and audits render them in."""

from __future__ import annotations

import re
import shlex
from functools import cache
from typing import Any

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

REPORT = "simulacra.report"


@cache
def environment(package: str = REPORT) -> Environment:
    """The templates of a package, which may extend those of reports; text is escaped everywhere.

    `base.html` is the frame of a page that needs no other file: its blocks are `style`, for more CSS, and
    `main`.
    """
    found = Environment(
        loader=ChoiceLoader([PackageLoader(name) for name in dict.fromkeys((package, REPORT))]),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    found.filters |= {"minus": minus, "plain": plain, "quote": shlex.quote}
    return found


def render(template: str, **values: Any) -> Markup:
    """A template of reports, filled in."""
    return Markup(environment().get_template(template).render(values))


def minus(text: str) -> str:
    """Hyphens that mean minus, as a minus sign.

    >>> minus("-0.5 of a well-known -x")
    '−0.5 of a well-known −x'
    """
    return re.sub(r"(?<![\w-])-(?=\w)", "\u2212", text)


def plain(value: Any) -> str:
    """A setting as text.

    >>> plain(None), plain(True), plain([64, 32]), plain(0.1)
    ('none', 'yes', '64, 32', '0.1')
    """
    if value is None or value == "":
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
