"""Arrays, tensors and loaded data in place of a source."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from simulacra.data import SPLITS, Data, Dataset, DataSpec, Options, load
from simulacra.data.arrays import fingerprint, frame_inputs, read_arrays
from simulacra.data.fitting import fitting
from simulacra.errors import DataError

RNG = np.random.default_rng(0)
GREY = RNG.integers(0, 256, (60, 6, 8)).astype(np.uint8)
ROWS = RNG.normal(size=(60, 3)).astype(np.float32)
LABELS = np.arange(60) % 3


def everything(data: Data) -> Dataset:
    """All examples in the order in which they were passed."""
    parts = [data.train, data.validation, data.test]
    order = np.argsort(np.concatenate([part.rows for part in parts]))

    def joined(name: str) -> Any:
        arrays = [getattr(part, name) for part in parts]
        return None if arrays[0] is None else np.concatenate(arrays)[order]

    return Dataset(data.spec, joined("x"), joined("y"), target=joined("target"))


@pytest.mark.parametrize(
    "form",
    [
        GREY,
        GREY[:, None],
        GREY[..., None],
        GREY / 255,
        (GREY / 255).astype(np.float32),
        torch.from_numpy(GREY),
        (torch.from_numpy(GREY) / 255)[:, None].requires_grad_(),
        # as an antialiased resize leaves them
        np.where(GREY == 255, 1 + 1e-6, GREY / 255),
    ],
)
def test_images_in_every_form_are_the_same_data(form: Any) -> None:
    data = read_arrays(form, Options())
    assert data.spec == DataSpec("image", (1, 6, 8))
    assert np.array_equal(everything(data).x, GREY[:, None])
    assert data.name == fingerprint(data) == fingerprint(read_arrays(GREY, Options()))
    assert min(len(data.train), len(data.validation), len(data.test)) > 0


def test_colour_images_with_channels_first_or_last() -> None:
    x = RNG.integers(0, 256, (20, 3, 5, 7)).astype(np.uint8)
    for form in (x, x.transpose(0, 2, 3, 1)):
        assert np.array_equal(everything(read_arrays(form, Options())).x, x)
    small = read_arrays(x, Options(image_size=4, channels=1))
    assert small.spec.shape == (1, 4, 4)


@pytest.mark.parametrize(
    "y", [LABELS, LABELS.tolist(), torch.from_numpy(LABELS), LABELS[:, None], pd.Series(LABELS)]
)
def test_whole_numbers_are_classes_of_images(y: Any) -> None:
    dataset = everything(read_arrays((GREY, y), Options()))
    assert dataset.spec.classes == ("0", "1", "2")
    assert dataset.spec.target is None
    assert dataset.y is not None
    assert dataset.y.tolist() == LABELS.tolist()


def test_words_are_classes_and_floats_targets() -> None:
    words = np.array(["cat", "dog"])[LABELS % 2]
    for y in (words, words.tolist(), pd.Series(words), pd.Series(words, dtype=object).to_numpy()):
        assert read_arrays((ROWS, y), Options()).spec.classes == ("cat", "dog")
    for y in (ROWS[:, 0], ROWS[:, :1], pd.Series(ROWS[:, 0].astype(float))):
        data = read_arrays((ROWS, y), Options())
        assert data.spec == DataSpec("vector", (3,), target=DataSpec("vector", (1,)))
        assert np.array_equal(everything(data).target, ROWS[:, :1])
    assert read_arrays((GREY, ROWS), Options()).spec.target == DataSpec("vector", (3,))
    # pairs of images
    assert read_arrays((GREY, 255 - GREY), Options()).spec.target == DataSpec("image", (1, 6, 8))


def test_whole_numbers_of_vectors_are_both() -> None:
    dataset = everything(read_arrays((ROWS, LABELS), Options()))
    assert dataset.spec == DataSpec("vector", (3,), ("0", "1", "2"), target=DataSpec("vector", (1,)))
    assert dataset.target is not None
    assert dataset.target[:, 0].tolist() == LABELS.tolist()
    assert read_arrays((ROWS, np.zeros(60, int)), Options()).spec.target is None


def test_other_contents_or_other_splits_have_another_hash() -> None:
    x = GREY.copy()
    x[7, 3, 3] ^= 1
    kinds = [GREY, x, GREY[::-1], (GREY, LABELS), GREY.reshape(60, 8, 6)]
    names = {read_arrays(data, Options()).name for data in kinds} | {
        read_arrays(GREY, Options(split="time")).name
    }
    # the order of rows decides the order of batches
    assert len(names) == 6


def test_a_data_set_is_split_and_data_are_taken_as_they_are() -> None:
    digits = load("digits")
    assert read_arrays(digits, Options()) is digits
    data = read_arrays(digits.train, Options())
    assert len(everything(data)) == len(digits.train)
    assert 0.05 < len(data.test) / len(digits.train) < 0.15
    assert data.spec == digits.spec
    assert fingerprint(digits) != data.name


DIGITS = load("digits")
WRONG = [
    (np.zeros((3, 8, 8, 2)), {}, r"shape \(3, 8, 8, 2\)"),
    (np.full((9, 8, 8), 16.0), {}, "from 16 to 16; images are uint8, or floats in .0, 1.: divide by 16"),
    (np.zeros((9, 8, 8), int), {}, r"x\.astype\(numpy\.uint8\)"),
    ([1, 2, 3], {}, r"shape \(3,\)"),
    ([[1, 2], [3]], {}, "one length"),
    (None, {}, "x is a NoneType; pass a source"),
    ((GREY, LABELS, 1), {}, "3 parts"),
    ((GREY, LABELS[:5]), {}, r"must be \(60,\)"),
    ((ROWS, np.full(60, np.nan)), {}, "NaN"),
    (GREY, {"target": "x"}, "target: does not apply to ndarray; leave it out"),
    (DIGITS, {"image_size": 16}, "image_size: does not apply to Data; .*sim.load_data"),
    (ROWS, {"image_size": 16}, "no image size"),
    (replace(DIGITS.train, x=DIGITS.train.x / 255), {}, r"float64 .*; its spec needs uint8"),
    (replace(DIGITS.train, y=None), {}, "must both be given"),
    (replace(DIGITS.train, y=DIGITS.train.y + 1), {}, "int64 from 0 to 9"),
]


@pytest.mark.parametrize(("data", "options", "message"), WRONG)
def test_what_cannot_be_used(data: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message) as error:
        read_arrays(data, Options(**options))
    assert "\n" not in str(error.value)


def test_a_frame_for_a_model_is_encoded_by_its_schema() -> None:
    frame = pd.DataFrame({"n": ROWS[:, 0], "word": np.array(["a", "b", "c"])[LABELS]})
    spec = read_arrays(frame, Options()).spec
    # the rows of fewer categories, and in another order of columns
    few = frame[frame.word != "c"][["word", "n"]]
    data = fitting(few, spec)
    assert data.spec == spec
    assert np.array_equal(everything(data).x, frame_inputs(few, spec))
    assert frame_inputs(few, spec)[:, 1:].sum(axis=0).tolist() == [20, 20, 0]
    predicting = read_arrays(frame, Options(target="n")).spec
    assert fitting(few, predicting).test.target is not None


SENTENCES = [
    f"The {who} {what}." for who in ("cat", "dog", "old man") for what in ("sat", "ran", "slept")
] * 9


@pytest.mark.parametrize("form", [list, np.array, lambda x: np.array(x, object), pd.Series])
def test_sentences_in_every_form_are_the_same_data(form: Any) -> None:
    data = read_arrays(form(SENTENCES), Options())
    assert data.name == read_arrays(SENTENCES, Options()).name
    assert data.spec.vocabulary is not None
    texts = [text for split in SPLITS for text in data.spec.vocabulary.decode(data.split(split).x)]
    assert sorted(texts) == sorted(SENTENCES)
    labelled = read_arrays((form(SENTENCES), [len(text) > 13 for text in SENTENCES]), Options(max_tokens=4))
    assert labelled.spec.classes == ("False", "True")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (["a cat", " "], "sentence 1 is empty"),
        ((SENTENCES, [0, 1]), "one y for each of 81 sentences"),
    ],
)
def test_sentences_that_cannot_be_used(data: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_arrays(data, Options())
    with pytest.raises(DataError, match="image_size: does not apply"):
        read_arrays(SENTENCES, Options(image_size=8))
