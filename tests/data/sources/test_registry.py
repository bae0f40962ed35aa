"""Every source accepts the options and the argument that its entry names, and refuses the others."""

from pathlib import Path

import pytest

from simulacra.data import SOURCES, Options, load
from simulacra.errors import DataError

VALUES = {"image_size": 8, "channels": 1, "target": "y", "swap": True}


@pytest.mark.parametrize(
    ("name", "option"), [(n, o) for n, one in SOURCES.items() for o in VALUES if o not in one.options]
)
def test_an_option_that_would_be_ignored_is_an_error(name: str, option: str) -> None:
    words = f"--{option.replace('_', '-')} does not apply here; only .* and .* leave it out"
    with pytest.raises(DataError, match=f"^{name}: {words}$"):
        load(name, Options(**{option: VALUES[option]}))  # type: ignore[arg-type]  # of several types


@pytest.mark.parametrize("name", [name for name, one in SOURCES.items() if ":" not in one.usage])
def test_an_argument_that_would_be_ignored_is_an_error(name: str) -> None:
    with pytest.raises(DataError, match=f"^{name}:7: '{name}' takes no argument; write {name}$"):
        load(f"{name}:7")


def test_the_readme_lists_every_source() -> None:
    readme = Path(__file__).parents[3].joinpath("README.md").read_text(encoding="utf-8")
    table = "\n".join(f"| `{one.usage}` | {one.summary} |" for one in SOURCES.values())
    assert table in readme
