"""The drawn faces: reproducible, ruled by their factors and by nothing else, and the same at every size."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from simulacra.data import SPLITS, DataSpec, Options, load, parse
from simulacra.data.images import face_drawing
from simulacra.data.sources.faces import ATTRIBUTES, FACTORS, draw, sample_factors
from simulacra.errors import DataError

NAMES = list(FACTORS)
# a plain face to change one factor of
PLAIN = {
    "smile": 0.5,
    "eyes_open": 0.8,
    "hair_lightness": 0.3,
    "hair_warmth": 0.5,
    "hair_length": 0.4,
    "glasses": 0.0,
    "skin_tone": 0.3,
    "face_width": 0.5,
    "head_turn": 0.0,
    "background": 0.7,
    "clothes": 0.1,
}


def face(**changed: float) -> np.ndarray:
    """One row of factors, float32 `(1, F)`."""
    values = PLAIN | changed
    return np.array([[values[name] for name in NAMES]], np.float32)


def extremes(n: int) -> np.ndarray:
    """Factors at one or the other end of their ranges, float32 `(n, F)`."""
    lowest, highest = np.array(list(FACTORS.values()), np.float32).T
    ends = np.random.default_rng(0).integers(0, 2, (n, len(FACTORS)))
    factors: np.ndarray = np.where(ends == 1, highest, lowest)
    return factors


def rows(top: float, bottom: float, size: int) -> slice:
    """The rows between two heights, the image spanning -1 to 1."""
    return slice(round((top + 1) / 2 * size), round((bottom + 1) / 2 * size))


# --- factors --------------------------------------------------------------------------------------


def test_factors_are_a_prefix_of_more_factors() -> None:
    assert np.array_equal(sample_factors(100), sample_factors(2_000)[:100])
    assert not np.array_equal(sample_factors(100), sample_factors(100, seed=1))


def test_factors_fill_their_ranges() -> None:
    factors = sample_factors(5_000)
    assert factors.dtype == np.float32
    assert factors.shape == (5_000, len(FACTORS))
    for values, (low, high) in zip(factors.T, FACTORS.values(), strict=True):
        assert values.min() >= low
        assert values.max() <= high
        assert np.ptp(values) > 0.98 * (high - low)


def test_factors_are_independent() -> None:
    factors = sample_factors(20_000)
    correlations = np.corrcoef(factors.T) - np.eye(len(FACTORS))
    # one over the square root of n is a standard deviation of a correlation of nothing
    assert np.abs(correlations).max() < 4 / np.sqrt(20_000)


def test_smiles_and_frowns_are_equally_many_and_clear() -> None:
    smile = sample_factors(20_000)[:, NAMES.index("smile")]
    assert abs((smile > 0).mean() - 0.5) < 0.015
    assert (np.abs(smile) < 0.1).mean() < 0.04


def test_glasses_are_worn_or_not() -> None:
    glasses = sample_factors(5_000)[:, NAMES.index("glasses")]
    assert set(np.unique(glasses)) == {0.0, 1.0}
    assert abs(glasses.mean() - 0.4) < 0.03


# --- pictures -------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [32, 45, 64, 128])
def test_same_factors_same_bits_whatever_the_neighbours(size: int) -> None:
    factors = sample_factors(24)
    x = draw(factors, size)
    assert x.dtype == np.uint8
    assert x.shape == (24, 3, size, size)
    assert np.array_equal(x, draw(factors, size))
    for row in (0, 11, 23):
        assert np.array_equal(x[row], draw(factors[row : row + 1], size)[0])


@pytest.mark.parametrize("size", [32, 64])
def test_windows_crop_nothing(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    factors = np.concatenate([extremes(256), sample_factors(64)])
    windowed = np.concatenate([draw(row[None], size) for row in factors])
    monkeypatch.setattr(face_drawing.Canvas, "around", lambda self, *_: self)
    assert np.array_equal(windowed, draw(factors, size))


# factor: the rows where it shows, and the rows where it does not
SHOWS = {
    "smile": ((0.1, 0.7), (-1, 0)),
    "eyes_open": ((-0.3, 0.15), (0.2, 1)),
    "hair_lightness": ((-0.9, -0.5), (0.6, 1)),
    "hair_warmth": ((-0.9, -0.5), (0.6, 1)),
    "hair_length": ((0.2, 0.7), (-1, -0.9)),
    "glasses": ((-0.3, 0.2), (0.3, 1)),
    "skin_tone": ((-0.3, 0.6), (-1, -0.6)),
    "face_width": ((-0.5, 0.5), (0.8, 1)),
    "head_turn": ((-0.5, 0.6), (-1, -0.9)),
    "background": ((-1, -0.5), (0, 0)),
    "clothes": ((0.8, 1), (-1, 0.5)),
}


@pytest.mark.parametrize("size", [32, 64])
@pytest.mark.parametrize("name", NAMES)
def test_a_factor_shows_where_it_should_and_nowhere_else(name: str, size: int) -> None:
    low, high = FACTORS[name]
    a, b = (draw(face(**{name: value}), size)[0].astype(int) for value in (low, high))
    change = np.abs(a - b).max(0)
    there, elsewhere = SHOWS[name]
    assert change[rows(*there, size)].max() > 60
    assert (change > 20).mean() > 0.01
    assert not change[rows(*elsewhere, size)].any()
    if name == "background":
        # what the head covers does not change
        assert not change[rows(-0.6, 0.5, size), size // 2 - 2 : size // 2 + 2].any()


@pytest.mark.parametrize("name", NAMES)
def test_a_small_step_of_a_factor_is_a_small_step_of_the_picture(name: str) -> None:
    low, high = FACTORS[name]
    steps = np.concatenate([face(**{name: value}) for value in np.linspace(low, high, 41)])
    x = draw(steps, 32).astype(float)
    moves = np.abs(np.diff(x, axis=0)).mean((1, 2, 3))
    assert moves.min() > 0
    assert moves.max() < 4


def test_the_mirror_image_is_the_opposite_turn() -> None:
    factors = sample_factors(100)
    opposite = factors.copy()
    opposite[:, NAMES.index("head_turn")] *= -1
    difference = np.abs(draw(factors, 64)[..., ::-1].astype(int) - draw(opposite, 64))
    assert difference.max() <= 1


@pytest.mark.parametrize("size", [64, 128])
def test_a_face_is_the_same_at_every_size(size: int) -> None:
    factors, k = np.concatenate([sample_factors(100), extremes(100)]), size // 32
    shrunk = draw(factors, size).reshape(200, 3, 32, k, 32, k).mean((3, 5))
    difference = np.abs(shrunk - draw(factors, 32))
    assert difference.mean() < 1.7
    assert np.quantile(difference, 0.99) < 22
    # nothing that a colour beyond white would leave behind when it wraps around to black
    assert difference.max() < 110


def test_closed_eyes_hide_the_white_and_the_iris() -> None:
    closed = draw(face(eyes_open=0, skin_tone=0.5), 128)[0, :, rows(-0.2, 0.0, 128), 36:92]
    opened = draw(face(eyes_open=1, skin_tone=0.5), 128)[0, :, rows(-0.2, 0.0, 128), 36:92]
    assert opened.min(0).max() > 235
    assert closed.min(0).max() < 160


def test_factors_can_be_read_off_the_pixels() -> None:
    from sklearn.linear_model import Ridge

    factors = sample_factors(2_000)
    x = draw(factors, 32).reshape(2_000, -1) / np.float32(255)
    train, test = slice(0, 1_500), slice(1_500, None)
    readers = Ridge(alpha=3.0).fit(x[train], factors[train])
    rest = factors[test] - readers.predict(x[test])
    r2 = dict(zip(NAMES, 1 - rest.var(0) / factors[test].var(0), strict=True))
    at_least = dict.fromkeys(NAMES, 0.8) | {"smile": 0.9, "hair_lightness": 0.98, "skin_tone": 0.98}
    assert {name: r2[name] for name in NAMES if r2[name] < at_least[name]} == {}


def test_smiling_can_be_told_at_32_pixels() -> None:
    from sklearn.linear_model import RidgeClassifier

    factors = sample_factors(2_000)
    mouths = draw(factors, 32)[:, :, rows(0.0, 0.75, 32)].reshape(2_000, -1) / np.float32(255)
    smiling = factors[:, 0] > 0
    model = RidgeClassifier(alpha=1.0).fit(mouths[:1_500], smiling[:1_500])
    assert model.score(mouths[1_500:], smiling[1_500:]) > 0.93


@pytest.mark.parametrize(
    ("factors", "size", "words"),
    [
        (face(), 16, "32 to 128 pixels"),
        (face(), 256, "32 to 128 pixels"),
        (face(smile=1.5), 32, "smile is from -1 to 1"),
        (face(skin_tone=float("nan")), 32, "skin_tone is from 0 to 1"),
        (face()[:, :4], 32, r"shape \(N, 11\)"),
        (face()[0], 32, r"shape \(N, 11\)"),
    ],
)
def test_what_cannot_be_drawn_is_refused(factors: np.ndarray, size: int, words: str) -> None:
    with pytest.raises(DataError, match=words):
        draw(factors, size)


# --- the source -----------------------------------------------------------------------------------


def test_load_gives_pictures_with_their_factors() -> None:
    data = load("faces:300", Options(image_size=32))
    assert data.name == "faces:300"
    assert data.spec.kind == "image"
    assert data.spec.shape == (3, 32, 32)
    assert data.spec.attributes == ATTRIBUTES == (*NAMES, "smiling")
    assert sum(map(len, (data.train, data.validation, data.test))) == 300
    for split in (data.train, data.validation, data.test):
        assert split.y is None
        assert split.attributes is not None
        assert split.attributes.dtype == np.float32
        assert np.array_equal(split.x, draw(split.attributes[:, :-1], 32))
        assert np.array_equal(split.attributes[:, -1], split.attributes[:, 0] > 0)


def test_fewer_faces_are_a_prefix_of_more_in_every_split() -> None:
    few, many = (load(f"faces:{n}", Options(image_size=32)) for n in (150, 400))
    for name in ("train", "validation", "test"):
        a, b = few.split(name), many.split(name)
        assert np.array_equal(a.x, b.x[: len(a)])
        assert np.array_equal(a.attributes, b.attributes[: len(a)])  # type: ignore[arg-type, index]  # never None


def test_a_face_is_in_the_same_split_at_every_size() -> None:
    small, large = (load("faces:150", Options(image_size=size)) for size in (32, 64))
    for name in ("train", "validation", "test"):
        assert np.array_equal(small.split(name).attributes, large.split(name).attributes)  # type: ignore[arg-type]  # never None


def test_defaults_and_grey() -> None:
    assert load("faces:50").spec.shape == (3, 64, 64)
    colour, grey = (load("faces:50", Options(channels=channels)) for channels in (3, 1))
    assert grey.spec.shape == (1, 64, 64)
    luma = np.asarray(Image.fromarray(colour.train.x[0].transpose(1, 2, 0)).convert("L"))
    assert np.abs(grey.train.x[0, 0].astype(int) - luma).max() <= 1
    assert parse("faces:20@test") == ("faces", "20", "test")


# --- pairs and domains ---------------------------------------------------------------------------


def test_outlines_are_paired_with_the_faces_of_the_same_split() -> None:
    faces, pairs = (load(f"{name}:200", Options(image_size=32)) for name in ("faces", "face-outlines"))
    assert pairs.spec == replace(faces.spec, target=DataSpec("image", (3, 32, 32)))
    for name in SPLITS:
        face, pair = faces.split(name), pairs.split(name)
        assert np.array_equal(pair.target, face.x)  # type: ignore[arg-type]  # never None
        assert np.array_equal(pair.attributes, face.attributes)  # type: ignore[arg-type]  # never None
        assert pair.x.shape == face.x.shape
    swapped = load("face-outlines:200", Options(image_size=32, swap=True))
    assert np.array_equal(swapped.train.x, faces.train.x)
    assert np.array_equal(swapped.train.target, pairs.train.x)  # type: ignore[arg-type]  # never None
    grey = load("face-outlines:50", Options(channels=1))
    assert grey.spec.target is not None
    assert grey.spec.shape == grey.spec.target.shape == (1, 64, 64)


def test_smiles_are_a_pair_of_domains() -> None:
    data = load("faces:5000", Options(image_size=32, target="smiling"))
    assert data.spec.classes == ("without smiling", "smiling")
    parts = [data.split(split) for split in SPLITS]
    factors = np.concatenate([part.attributes for part in parts if part.attributes is not None])
    smiling = np.concatenate([part.y for part in parts if part.y is not None]) == 1
    assert np.array_equal(smiling, factors[:, ATTRIBUTES.index("smile")] > 0)
    # no face stands in both, nor does a domain tell the identity: all other factors are alike in both
    identity = factors[:, 1:-1]
    assert len(np.unique(identity, axis=0)) == 5000
    means, spread = [identity[mask].mean(0) for mask in (smiling, ~smiling)], identity.std(0)
    assert (np.abs(means[0] - means[1]) < 4 * spread / np.sqrt(1250)).all()


def test_counts_of_pairs_are_refused_in_their_name() -> None:
    with pytest.raises(
        DataError, match=r"^face-outlines:many: N is a whole number from 1 to 10,000,000, not"
    ):
        load("face-outlines:many")
    assert load("face-outlines:20,glasses=0", Options(image_size=32)).name == "face-outlines:20,glasses=0"


def test_a_share_with_glasses() -> None:
    few, many = (sample_factors(20_000, glasses=share) for share in (0.1, 0.4))
    glasses = NAMES.index("glasses")
    assert abs(few[:, glasses].mean() - 0.1) < 0.01
    # who wears them, wears them; everything else is as it was
    assert (few[:, glasses] <= many[:, glasses]).all()
    assert np.array_equal(np.delete(few, glasses, 1), np.delete(many, glasses, 1))
    assert np.array_equal(many, sample_factors(20_000))
    none, alone = (
        load(source, Options(image_size=32)) for source in ("faces:50,glasses=0", "faces:glasses=1")
    )
    assert none.name == "faces:50,glasses=0"
    assert none.train.attributes is not None
    assert none.train.attributes[:, glasses].max() == 0
    assert alone.train.attributes is not None
    assert alone.train.attributes[:, glasses].min() == 1
    assert sum(map(len, (alone.train, alone.validation, alone.test))) == 10_000


@pytest.mark.parametrize(
    ("argument", "said"),
    [
        ("50,glasses=2", "glasses is a number from 0 to 1, not '2'; write faces:20000,glasses=0.4"),
        ("50,glasses=", "glasses is a number from 0 to 1, not ''"),
        ("50,glasses=-1", "glasses is a number from 0 to 1, not '-1'"),
        ("50,glases=0.1", "did you mean 'glasses'"), ("50glasses=0.1", "did you mean 'glasses'"),
        (",glasses=1", "N is a whole number"), ("10,200", "N is given twice"),
    ],
)  # fmt: skip
def test_a_bad_share_is_refused_in_plain_words(argument: str, said: str) -> None:
    with pytest.raises(DataError, match=said):
        load(f"faces:{argument}")


@pytest.mark.parametrize("count", ["0", "-5", "many", "1.5", "1e4", "²", "9" * 5_000, "10000001"])
def test_a_bad_count_is_refused_in_plain_words(count: str) -> None:
    with pytest.raises(DataError, match="N is a whole number from 1 to 10,000,000"):
        load(f"faces:{count}")


@pytest.mark.parametrize("size", [8, 31, 129, 1024])
def test_a_bad_size_is_refused_in_plain_words(size: int) -> None:
    with pytest.raises(DataError, match=f"32 to 128 pixels, not at {size}"):
        load("faces:50", Options(image_size=size))
