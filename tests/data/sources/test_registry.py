"""Every source accepts the options and the argument that its entry names, and refuses the others."""

import re
from pathlib import Path

import pytest

from simulacra.data import SOURCES, Options, full_name, load, parse
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


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "own" / "photos").mkdir(parents=True)
    (tmp_path / "own" / "numbers").mkdir()
    (tmp_path / "own" / "numbers" / "train-images-idx3-ubyte.gz").touch()
    (tmp_path / "own" / "numbers" / "labels-idx1-ubyte").touch()
    for name in ("a.csv", "a.TSV", "a.parquet", "a.npz", "a.zip", "a.jpg", "b@c.csv"):
        (tmp_path / "own" / name).touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("own/photos", ("folder", "own/photos", None)),
        ("own/photos@test", ("folder", "own/photos", "test")),
        ("own", ("folder", "own", None)),
        ("own/numbers", ("idx", "own/numbers", None)),
        ("own/a.csv", ("csv", "own/a.csv", None)),
        ("own/a.TSV@validation", ("csv", "own/a.TSV", "validation")),
        ("own/b@c.csv", ("csv", "own/b@c.csv", None)),
        ("own/a.parquet", ("parquet", "own/a.parquet", None)),
        ("own/a.npz", ("npz", "own/a.npz", None)),
        ("own/a.zip", ("folder", "own/a.zip", None)),
        ("own/numbers/labels-idx1-ubyte", ("idx", "own/numbers/labels-idx1-ubyte", None)),
        # a source is not looked for on the disk
        ("digits", ("digits", "", None)),
    ],
)
def test_a_path_is_read_by_the_source_that_it_suits(
    own: Path, written: str, meant: tuple[str, str, str | None]
) -> None:
    (own / "digits").mkdir()
    assert parse(written) == meant
    assert parse(full_name(written)) == meant
    assert full_name(full_name(written)) == full_name(written)


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("own/phots", "no such file or folder; did you mean 'own/photos'?"),
        ("own/b.csv", "did you mean 'own/"),
        ("owm", "did you mean 'own'"),
        ("nowhere/at/all", "no such file or folder; '.' is there"),
        ("digitz", "unknown source 'digitz', did you mean 'digits'?"),
        ("foldr:own", "unknown source 'foldr', did you mean 'folder'?"),
        ("unicorns", "no source 'unicorns', and no file or folder; 'simulacra data list' shows the sources"),
        ("own/a.jpg", "a source is a folder of images, or a file that ends in .zip, .csv,"),
        ("own/photos@tset", "no split 'tset', did you mean 'test'?"),
        ("", "no source ''"),
    ],
)
def test_a_slip_of_the_pen_names_what_is_near(own: Path, written: str, message: str) -> None:
    with pytest.raises(DataError, match=re.escape(message)) as error:
        parse(written)
    assert len(str(error.value)) < 200


def test_paths_below_the_data_folder_are_found(own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIMULACRA_DATA", str(own / "own"))
    monkeypatch.chdir("/")
    assert parse("photos") == ("folder", "photos", None)
