"""Attributes as classes."""

from pathlib import Path

import numpy as np
import pytest

from simulacra.data import Options, load
from simulacra.data.check import check
from simulacra.data.images.attributes import classes, known, with_classes
from simulacra.errors import DataError
from simulacra.images import save_png

NAMES = ("age", "race=A", "race=B", "glasses", "size")
VALUES = np.array([[20, 1, 0, 0, 3], [61, 0, 1, 1, 1], [60, 1, 0, 1, 3]], np.float32)


@pytest.mark.parametrize(
    ("attribute", "names", "y"),
    [
        ("race", ("A", "B"), [0, 1, 0]),
        ("race=B", ("without race=B", "race=B"), [0, 1, 0]),
        ("glasses", ("without glasses", "glasses"), [0, 1, 1]),
        ("size", ("size=1", "size=3"), [1, 0, 1]),
        ("age", ("age=20", "age=60", "age=61"), [0, 2, 1]),
        ("age>=60", ("age<60", "age>=60"), [0, 1, 1]),
        ("age > 60", ("age<=60", "age>60"), [0, 1, 0]),
        ("age<60", ("age>=60", "age<60"), [1, 0, 0]),
        ("age<=60", ("age>60", "age<=60"), [1, 0, 1]),
    ],
)
def test_attributes_make_classes(attribute: str, names: tuple[str, ...], y: list[int]) -> None:
    found, index = classes("data", NAMES, VALUES, attribute)
    assert found == names
    assert index.tolist() == y
    assert index.dtype == np.int64


@pytest.mark.parametrize(
    ("attribute", "said"),
    [
        ("glases", "unknown attribute 'glases', did you mean 'glasses'?"),
        ("ag>3", "unknown attribute 'ag', did you mean 'age'?"),
        ("age>many", "'many' in 'age>many' is not a number"),
        ("age>90", "'age>90' is the same in every example; choose another threshold: 'age' goes from "),
    ],
)
def test_plain_words(attribute: str, said: str) -> None:
    with pytest.raises(DataError) as error:
        classes("data", NAMES, VALUES, attribute)
    assert str(error.value).startswith("data: ")
    assert said in str(error.value)


def test_what_makes_no_classes() -> None:
    many = np.linspace(0, 1, 40, dtype=np.float32)[:, None]
    with pytest.raises(DataError, match=r"40 different values; split them in two, e.g. 'tone>=0\.5'"):
        classes("data", ("tone",), many, "tone")
    with pytest.raises(DataError, match="no attributes; leave out 'race'"):
        classes("data", (), None, "race")
    with pytest.raises(DataError, match="not exactly one of race=A, race=B is 1"):
        classes("data", NAMES, VALUES * 0, "race")
    assert known(NAMES) == ["age", "race", "glasses", "size"]


def test_of_every_split() -> None:
    data = load("faces:60", Options(image_size=32))
    named = with_classes(data, "glasses")
    column = data.spec.attributes.index("glasses")
    for split in ("train", "validation", "test"):
        part = named.split(split)
        assert part.spec.classes == ("without glasses", "glasses")
        assert part.y is not None
        assert part.attributes is not None
        assert np.array_equal(part.y, part.attributes[:, column])
    with pytest.raises(DataError, match="the data have no classes"):
        with_classes(data, "class")
    digits = load("digits")
    assert with_classes(digits, "class") is digits


def test_as_the_target_of_a_source(tmp_path: Path) -> None:
    for name in ("a", "b", "c", "d", "e", "f", "g", "h"):
        save_png(np.full((8, 8, 3), ord(name), np.uint8), tmp_path / f"{name}.png")
    rows = "\n".join(f"{name}.png,{'AB'[i % 2]}" for i, name in enumerate("abcdefgh"))
    (tmp_path / "labels.csv").write_text(f"file,race\n{rows}")
    options = Options(target="race")
    data = load(f"folder:{tmp_path}", options)
    assert data.spec.classes == ("A", "B")
    assert data.spec.attributes == ("race=A", "race=B")
    assert check(f"folder:{tmp_path}", options).classes == {"A": 4, "B": 4}
    faces = check("faces:100,glasses=0.5", Options(image_size=32, target="glasses")).classes
    assert list(faces) == ["without glasses", "glasses"]
    with pytest.raises(DataError, match="did you mean 'glasses'"):
        load("faces:20", Options(image_size=32, target="glases"))
