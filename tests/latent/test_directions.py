"""Directions: their arithmetic against linear algebra, and their files against damage and hostile names."""

import json
from pathlib import Path

import pytest
import torch

import simulacra as sim
from simulacra import tensors
from simulacra.core.latents import LatentSpace
from simulacra.core.model import LatentModel
from simulacra.errors import ConfigError, RunError
from simulacra.latent.directions import (
    FOLDER,
    Direction,
    check_name,
    compose,
    is_current,
    load,
    names,
    read,
    save,
)
from simulacra.run import Run

SMILE = Direction("smile", "z", torch.tensor([2.0, 1.0, 0.0]), "means", {"attribute": "smiling"})
GLASSES = Direction("glasses", "z", torch.tensor([0.0, 3.0, 0.0]), "means")
AGE = Direction("age>=60", "z", torch.tensor([0.0, 0.0, 1.0]), "logistic")


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """A run with weights, of no model."""
    run = Run(tmp_path / "run")
    tensors.write(run.weights, {"a": torch.zeros(3)})
    return run


def test_a_direction_is_added_once_for_each_latent() -> None:
    z = torch.randn(4, 3, dtype=torch.float64)
    assert torch.equal(SMILE.apply(z), z + SMILE.vector.double())
    assert torch.equal(SMILE.apply(z, 0.0), z)
    strength = torch.tensor([-2, -1, 0, 2])
    moved = SMILE.apply(z, strength)
    for i, s in enumerate(strength):
        assert torch.allclose(moved[i], z[i] + s * SMILE.vector.double())
    assert moved.dtype == torch.float64
    styles = Direction("style", "w+", torch.randn(5, 3), "means")
    w = torch.randn(4, 5, 3)
    assert torch.allclose(styles.apply(w, strength)[3], w[3] + 2 * styles.vector)


@pytest.mark.parametrize(
    ("z", "strength", "message"),
    [
        (torch.zeros(4, 2), 1.0, r"direction 'smile': the latents have shape \(4, 2\), and the .* \(N, 3\)"),
        (torch.zeros(3), 1.0, r"the latents have shape \(3,\)"),
        (torch.zeros(4, 3), torch.ones(3), r"strength: give one, or 4, one for each latent"),
        (torch.zeros(4, 3), float("nan"), "strength: must be finite"),
    ],
)
def test_what_does_not_fit_is_refused(z: torch.Tensor, strength: float, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        SMILE.apply(z, strength)


def test_a_vector_has_finite_numbers() -> None:
    for vector in (torch.tensor([1.0, float("nan")]), torch.tensor([])):
        with pytest.raises(ConfigError, match="all of them finite"):
            Direction("x", "z", vector, "means")


def test_orthogonal_is_the_least_squares_remainder() -> None:
    generator = torch.Generator().manual_seed(0)
    vectors = torch.randn(5, 20, generator=generator)
    target, *others = (Direction(f"d{i}", "z", v, "means") for i, v in enumerate(vectors))
    rest = target.orthogonal(*others)
    A, b = vectors[1:].T.double(), vectors[0].double()
    expected = b - A @ torch.linalg.lstsq(A, b[:, None]).solution[:, 0]
    assert torch.allclose(rest.vector.double(), expected, atol=1e-6)
    for other in others:
        assert abs(rest.cosine(other)) < 1e-6
    assert rest.details["orthogonal_to"] == ["d1", "d2", "d3", "d4"]
    # others that depend on each other span no more
    twice = target.orthogonal(*others, others[0] * 2, others[0] - others[1])
    assert torch.allclose(twice.vector, rest.vector, atol=1e-6)
    assert target.orthogonal() is target


def test_nothing_may_be_left() -> None:
    with pytest.raises(ConfigError, match=r"'smile': nothing of it is left without 'smile' and 'glasses'"):
        SMILE.orthogonal(SMILE, GLASSES)


def test_arithmetic_keeps_account_of_its_terms() -> None:
    friendly = SMILE - 0.5 * GLASSES
    assert friendly.vector.tolist() == [2.0, -0.5, 0.0]
    assert friendly.name == "smile - 0.5*glasses"
    assert friendly.method == "sum"
    again = -(friendly + GLASSES * 0.5)
    assert again.vector.tolist() == [-2.0, -1.0, 0.0]
    assert again.details["terms"] == {"smile": -1.0, "glasses": 0.0}
    with pytest.raises(ConfigError, match="cannot be multiplied by inf"):
        SMILE * float("inf")
    with pytest.raises(TypeError):
        SMILE * "2"  # type: ignore[operator]
    with pytest.raises(ConfigError, match=r"different latent spaces: z \(3,\) and w \(3,\)"):
        SMILE + Direction("old", "w", torch.ones(3), "means")
    with pytest.raises(ConfigError, match="found with different weights"):
        Direction("a", "z", torch.ones(3), "means", {"weights": "1"}) - Direction(
            "b", "z", torch.ones(3), "means", {"weights": "2"}
        )


class Spaces(LatentModel):
    """A model with two latent spaces, and nothing else."""

    spaces = (LatentSpace.normal(3), LatentSpace("w+", (2, 3)))


def test_a_direction_belongs_to_a_space_of_the_model() -> None:
    model = Spaces(sim.DataSpec("vector", (3,)), None)
    SMILE.check(model)
    Direction("styles", "w+", torch.ones(2, 3), "means").check(model)
    with pytest.raises(ConfigError, match=r"belongs to the latent space 's', and this Spaces has z, w\+"):
        Direction("x", "s", torch.ones(3), "means").check(model)
    with pytest.raises(
        ConfigError, match=r"has shape \(4,\), and the latent space 'z' of this Spaces \(3,\)"
    ):
        Direction("x", "z", torch.ones(4), "means").check(model)


def test_what_is_saved_is_loaded(run: Run) -> None:
    assert names(run) == []
    path = save(run, SMILE)
    save(run, AGE)
    assert names(run) == ["age>=60", "smile"]
    smile = load(run, "smile")
    assert torch.equal(smile.vector, SMILE.vector)
    assert (smile.name, smile.space, smile.method) == ("smile", "z", "means")
    assert smile.details["attribute"] == "smiling"
    assert smile.details["weights"] == tensors.checksum(run.weights)
    beside = json.loads(path.with_suffix(".json").read_text())
    assert beside["shape"] == [3]
    assert beside["details"] == smile.details


def test_a_direction_is_replaced_only_on_request(run: Run) -> None:
    save(run, SMILE)
    other = Direction("smile", "z", torch.ones(3), "logistic")
    with pytest.raises(RunError, match=r"has a direction 'smile' already; .* --overwrite"):
        save(run, other)
    assert load(run, "smile").method == "means"
    save(run, other, overwrite=True)
    assert load(run, "smile").method == "logistic"


@pytest.mark.parametrize("nth", [1, 2], ids=["json", "tensors"])
def test_a_failure_leaves_the_old_one_whole(run: Run, monkeypatch: pytest.MonkeyPatch, nth: int) -> None:
    path = save(run, SMILE)
    before = path.read_bytes(), path.with_suffix(".json").read_bytes()
    calls: list[int] = []

    def fail(descriptor: int) -> None:
        calls.append(descriptor)
        if len(calls) == nth:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", fail)
    with pytest.raises(RunError, match="what was there before is intact"):
        save(run, Direction("smile", "z", torch.ones(3), "logistic"), overwrite=True)
    assert (path.read_bytes(), path.with_suffix(".json").read_bytes()) == before
    assert sorted(file.suffix for file in path.parent.iterdir()) == [".json", ".safetensors"]


def test_an_unknown_one_names_the_nearest(run: Run) -> None:
    with pytest.raises(RunError, match=r"there is no direction 'smile'; find one: simulacra direction"):
        load(run, "smile")
    save(run, SMILE)
    with pytest.raises(RunError, match=r"there is no direction 'smle'; did you mean 'smile'\?"):
        load(run, "smle")


def test_one_of_other_weights_is_refused(run: Run, tmp_path: Path) -> None:
    path = save(run, SMILE)
    other = Run(tmp_path / "other")
    tensors.write(other.weights, {"a": torch.ones(3)})
    (other.path / FOLDER).mkdir(parents=True)
    (other.path / FOLDER / path.name).write_bytes(path.read_bytes())
    with pytest.raises(RunError, match="direction 'smile' was found with other weights than these"):
        load(other, "smile")
    assert not is_current(other, read(other, "smile"))
    with pytest.raises(RunError, match="was found with other weights"):
        save(other, load(run, "smile"), overwrite=True)


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"name": 1}', "[" * 100_000, '{"name": "smile"}'])
def test_damaged_files_are_reported(run: Run, content: str) -> None:
    path = save(run, SMILE)
    tensors.write(path, {"vector": SMILE.vector}, {"direction": content})
    with pytest.raises(RunError, match=r"smile\.safetensors: damaged"):
        load(run, "smile")
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(RunError, match=r"smile\.safetensors: damaged"):
        load(run, "smile")


@pytest.mark.parametrize(
    "name", ["age>=60", "race=Black", "a/b", "a\\b:c*?", "日本語", "x..", "a%2Fb", "smile!"]
)
def test_any_printable_name_is_a_file_in_the_folder(run: Run, name: str) -> None:
    path = save(run, Direction(name, "z", torch.ones(3), "means"))
    assert path.parent == run.path / FOLDER
    assert path.is_file()
    assert not set(path.name) & set('<>:"/\\|?*')
    assert names(run) == [name]
    assert load(run, name).name == name


@pytest.mark.parametrize("name", ["", " ", "../x", ".hidden", "-x", "a\nb", "a\x1b[31m", "x ", "x" * 300])
def test_other_names_are_refused(run: Run, name: str) -> None:
    with pytest.raises(ConfigError, match="name: "):
        check_name(name)
    with pytest.raises(ConfigError, match="name: "):
        save(run, Direction(name, "z", torch.ones(3), "means"))
    assert not (run.path / FOLDER).exists()


def test_a_zero_direction_is_not_saved(run: Run) -> None:
    with pytest.raises(ConfigError, match="is zero"):
        save(run, SMILE - SMILE)


@pytest.mark.parametrize(
    ("formula", "expected"),
    [
        ("smile", [2, 1, 0]),
        ("smile - 0.5*glasses", [2, -0.5, 0]),
        (" -smile+2 * glasses ", [-2, 5, 0]),
        ("smile-glasses", [2, -2, 0]),
        (".5*smile-glasses + age>=60", [1, -2.5, 1]),
        # the longest name there is
        ("smile-wide", [7, 7, 7]),
        ("smile - wide", [1, 1, 0]),
        ("a smile + smile", [5, 4, 3]),
    ],
)
def test_formulas(run: Run, formula: str, expected: list[float]) -> None:
    more = {"smile-wide": [7.0, 7, 7], "wide": [1.0, 0, 0], "a smile": [3.0, 3, 3]}
    for one in (SMILE, GLASSES, AGE, *(Direction(n, "z", torch.tensor(v), "means") for n, v in more.items())):
        save(run, one)
    found = compose(run, formula)
    assert found.vector.tolist() == pytest.approx(expected)


@pytest.mark.parametrize(
    ("formula", "error", "message"),
    [
        ("", ConfigError, "is empty"),
        ("smile glasses", RunError, "there is no direction 'smile glasses'"),
        ("smile -", ConfigError, "a name is missing at the end of 'smile -'"),
        ("smile - - glasses", ConfigError, "a name is missing"),
        ("0.5*", ConfigError, r"a name is missing at the end of '0\.5\*'"),
        ("smile*2", ConfigError, r"cannot read 'smile\*2'"),
        ("smile + glases", RunError, r"there is no direction 'glases'; did you mean 'glasses'\?"),
        ("__import__('os')", RunError, "there is no direction"),
    ],
)
def test_formulas_that_cannot_be_read(run: Run, formula: str, error: type[Exception], message: str) -> None:
    save(run, SMILE)
    save(run, GLASSES)
    with pytest.raises(error, match=message):
        compose(run, formula)
