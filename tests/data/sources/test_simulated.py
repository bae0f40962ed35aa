"""The simulated sources: written as documented, always the same, with densities computed exactly."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import logsumexp
from scipy.stats import multivariate_normal

from simulacra.data import SPLITS, load
from simulacra.data.sources import simulated
from simulacra.data.sources.arguments import read
from simulacra.data.sources.simulated import COUNT, gauss_legendre, log_mixture, simulate
from simulacra.data.sources.toys import TOYS
from simulacra.data.spec import Dataset, Truth
from simulacra.errors import DataError

NAMES = [*TOYS, "bishop-inverse", "robot-arm"]
WRITTEN = [*NAMES, "robot-arm:joints=5"]


def counted(written: str, n: int) -> str:
    """The source with n examples."""
    name, _, settings = written.partition(":")
    return f"{name}:{n}" + (f",{settings}" if settings else "")


# --- how they are written -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("argument", "values"),
    [
        ("", (50_000, 2)),
        ("10", (10, 2)),
        ("10000000", (10_000_000, 2)),
        ("joints=3", (50_000, 3)),
        ("20000,joints=8", (20_000, 8)),
        ("joints=1,300", (300, 1)),
    ],
)
def test_arguments_are_read(argument: str, values: tuple[int, int]) -> None:
    source, read_values = read("robot-arm", argument, COUNT, joints=(2, 1, 8))
    assert source == (f"robot-arm:{argument}" if argument else "robot-arm")
    assert read_values == dict(zip(("N", "joints"), values, strict=True))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("n", ["9", "0", "-20", "many", "1.5", "1e4", "²", "10000001", "9" * 5_000])
def test_a_bad_number_of_examples_is_refused(name: str, n: str) -> None:
    with pytest.raises(DataError) as caught:
        load(f"{name}:{n}")
    said = str(caught.value)
    assert said.startswith(f"{name}:{n}: N is a whole number from 10 to 10,000,000, not '{n}'")
    assert f"write {name}:20000" in said
    assert "\n" not in said


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (
            "robot-arm:joints=0",
            "joints is a whole number from 1 to 8, not '0'; write robot-arm:20000,joints=2",
        ),
        ("robot-arm:joints=9", "joints is a whole number from 1 to 8, not '9'"),
        ("robot-arm:joints=", "joints is a whole number from 1 to 8, not ''"),
        ("robot-arm:joints=two", "joints is a whole number from 1 to 8, not 'two'"),
        ("robot-arm:100,joint=3", "unknown setting 'joint', did you mean 'joints'?"),
        ("robot-arm:links=3", "unknown setting 'links', choose from joints"),
        ("robot-arm:joints=2,joints=3", "joints is given twice"),
        ("robot-arm:100,200", "N is given twice"),
        ("robot-arm:100,", "N is a whole number .* not ''"),
        ("rings:sigma=3", "unknown setting 'sigma', write rings:20000 for 20,000 examples"),
        ("rings:joints=3", "unknown setting 'joints'"),
        ("moons:N=100", "unknown setting 'N'"),
    ],
)
def test_a_bad_argument_is_refused_in_plain_words(source: str, words: str) -> None:
    with pytest.raises(DataError, match=words) as caught:
        load(source)
    assert str(caught.value).startswith(f"{source}: ")


def test_too_many_for_the_memory_is_said_in_plain_words() -> None:
    def draw() -> Dataset:
        raise MemoryError

    with pytest.raises(DataError, match="rings:10000000: so many examples do not fit in memory"):
        simulate("rings:10000000", draw, Truth())


# --- what is loaded -------------------------------------------------------------------------------


@pytest.mark.parametrize("written", WRITTEN)
def test_a_source_is_the_same_every_time_and_the_beginning_of_a_larger_one(written: str) -> None:
    few, again, many = (load(counted(written, n)) for n in (150, 150, 400))
    for name in SPLITS:
        a, b, c = few.split(name), again.split(name), many.split(name)
        assert len(a) < len(c)
        for i, j, k in ((a.x, b.x, c.x), (a.target, b.target, c.target)):
            if i is not None and j is not None and k is not None:
                assert np.array_equal(i, j)
                assert np.array_equal(i, k[: len(a)])


@pytest.mark.parametrize("written", WRITTEN)
def test_splits_are_vectors_and_disjoint(written: str) -> None:
    data = load(counted(written, 5_000))
    assert data.name == counted(written, 5_000)
    assert data.spec.kind == "vector"
    assert len(data.spec.columns) == data.spec.shape[0]
    rows: set[bytes] = set()
    for name, share in zip(SPLITS, (0.8, 0.1, 0.1), strict=True):
        split = data.split(name)
        assert split.x.dtype == np.float32
        assert split.x.shape == (len(split), *data.spec.shape)
        assert abs(len(split) / 5_000 - share) < 0.03
        assert (split.target is None) == (data.spec.target is None)
        if split.target is not None and data.spec.target is not None:
            assert split.target.dtype == np.float32
            assert split.target.shape == (len(split), *data.spec.target.shape)
            assert len(data.spec.target.columns) == split.target.shape[1]
        mine = {row.tobytes() for row in split.x}
        assert not rows & mine
        rows |= mine
    assert len(rows) > 4_900


@pytest.mark.parametrize("name", NAMES)
def test_the_least_number_of_examples_leaves_some_in_training(name: str) -> None:
    data = load(f"{name}:10")
    assert sum(len(data.split(split)) for split in SPLITS) == 10
    assert len(data.train) > 0


# --- densities ------------------------------------------------------------------------------------


@pytest.mark.parametrize("D", [1, 2, 5])
def test_log_mixture_is_that_of_scipy(D: int, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(D)
    x, centres = 3 * rng.standard_normal((50, D)), rng.standard_normal((7, D))
    weights = rng.dirichlet(np.ones(7))
    terms = [multivariate_normal(c, 0.3**2 * np.eye(D)).logpdf(x) for c in centres]
    expected = logsumexp(np.array(terms).T, axis=1, b=weights)
    # whole, and in blocks of 3 rows
    assert np.allclose(log_mixture(x, centres, weights, 0.3), expected, rtol=1e-12)
    monkeypatch.setattr(simulated, "BLOCK", 3 * 7)
    assert np.allclose(log_mixture(x, centres, weights, 0.3), expected, rtol=1e-12)


def test_log_mixture_is_finite_far_away() -> None:
    centres = np.array([[-1.0, 0.0], [1.0, 0.0]])
    log_p = log_mixture(np.array([[1e8, 0.0]]), centres, np.array([0.25, 0.75]), 0.01)
    # the nearer centre is all that counts
    expected = np.log(0.75) - (1e8 - 1) ** 2 / (2 * 1e-4) - np.log(2 * np.pi * 1e-4)
    assert np.allclose(log_p, expected, rtol=1e-14)


@pytest.mark.parametrize("panels", [1, 2, 8])
def test_gauss_legendre_is_exact_for_polynomials_and_sharp_ends(panels: int) -> None:
    t, w = gauss_legendre(panels)
    assert t.shape == w.shape
    assert np.all(np.diff(t) > 0)
    assert 0 < t[0] < t[-1] < 1
    for power in (0, 1, 10, 47):
        assert w @ t**power == pytest.approx(1 / (power + 1), rel=1e-13)
    for rate in (10, 1_000):
        assert w @ np.exp(-rate * t) == pytest.approx((1 - np.exp(-rate)) / rate, rel=1e-12)
        assert w @ np.exp(-rate * (1 - t)) == pytest.approx((1 - np.exp(-rate)) / rate, rel=1e-12)
