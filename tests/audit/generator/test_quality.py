"""Quality by group on equal counts, and memorised examples."""

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.distributions import Normal

from simulacra.audit.generator.memorised import memorised_section
from simulacra.audit.generator.quality import Share, expected_coverage, half_sampled, quality_section
from simulacra.audit.shared.findings import Finding, Section
from simulacra.audit.shared.intervals import wilson
from simulacra.core.capabilities import BoundsLikelihood, Elbo, Reconstructs
from simulacra.core.noise import Noise
from simulacra.metrics.prdc import prdc
from tests.audit.generator.stubs import APART, Sampler, grouped_points, points


def found(section: Section) -> dict[str, Finding]:
    return {f.name: f for f in section.findings}


@pytest.mark.parametrize(
    ("N", "M", "k", "expected"), [(100, 10, 5, 0.388), (100, 100, 5, 0.971), (50, 20, 3, 0.648)]
)
def test_coverage_of_a_perfect_generator_depends_on_the_counts(
    N: int, M: int, k: int, expected: float
) -> None:
    """The closed form against simulation, in any number of dimensions."""
    assert expected_coverage(N, M, k) == pytest.approx(expected, abs=5e-4)
    rng = np.random.default_rng(0)
    for d in (1, 8):
        runs = [prdc(rng.normal(size=(N, d)), rng.normal(size=(M, d)), k).coverage for _ in range(300)]
        assert np.mean(runs) == pytest.approx(expected, abs=4 * np.std(runs) / 300**0.5)


def test_all_groups_are_brought_to_the_same_counts() -> None:
    """A perfect generator: the small group is as well covered, and would not be on its own counts."""
    off, findings = [], 0
    for seed in range(20):
        at = grouped_points([0.9, 0.1], held=1200, samples=2400, seed=seed)
        N, M = (int(at.groupings[0].counts(of)[1]) for of in (at.groupings[0].held_out, at.predicted[0]))
        both = quality_section(at, 0)
        cover = found(both)["coverage.kind"]
        assert cover.n == 2 * N
        assert f"{N} real examples (held out) and {min(N, M)} samples of every group" in both.notes[0]
        perfect = expected_coverage(N, min(N, M))
        off += [cover.more[f"group.{name}"].value - perfect for name in ("a", "b")]
        findings += cover.verdict == "finding"
    # its deviation at 120 examples is about .027
    assert abs(np.mean(off)) < 4 * 0.027 / len(off) ** 0.5
    assert findings <= 4
    assert expected_coverage(1080, 240) < 0.65 < 0.96 < expected_coverage(120, 120)


def test_a_group_that_is_drawn_too_narrowly() -> None:
    at = grouped_points([0.5, 0.5], held=800, model=Sampler([0.5, 0.5], shrunk=0.1))
    both = found(quality_section(at, 0))
    assert both["coverage.kind"].verdict == both["recall.kind"].verdict == "finding"
    assert "in group A" in both["coverage.kind"].sentence
    assert both["recall.kind"].more["group.b"].value < 0.2
    assert both["precision.kind"].more["group.b"].value > 0.95


def test_half_samples_know_how_sure_the_numbers_are() -> None:
    rng = np.random.default_rng(0)
    values, errors = [], []
    for _ in range(60):
        value, error = half_sampled(rng.normal(size=(100, 4)), 0.5 + 0.7 * rng.normal(size=(100, 4)), rng)
        values.append(value)
        errors.append(error**2)
    ratio = np.sqrt(np.mean(errors, axis=0)) / np.std(values, axis=0, ddof=1)
    assert (ratio > 0.8).all()
    assert (ratio < 1.6).all()


def test_shares_that_are_not_independent() -> None:
    # as independent ones where the error is theirs, and never narrower
    for error in ((0.3 * 0.7 / 100) ** 0.5, 0.01, 0.0):
        assert Share("A", 0.3, 100, error).estimate().ends == pytest.approx(wilson(30, 100).ends)
    assert Share("A", 0.3, 100, (0.3 * 0.7 / 50) ** 0.5).estimate().ends == pytest.approx(wilson(15, 50).ends)
    for value in (0.0, 1.0):
        assert Share("A", value, 40, 0.0).estimate().ends == pytest.approx(wilson(int(40 * value), 40).ends)


class Skilled(Sampler, Reconstructs, BoundsLikelihood):
    """Reconstructs and bounds: reconstructions of group B are off by 0.5 in every number."""

    def encode(self, x: Tensor, space: str | None = None) -> Normal:
        return Normal(x + 0.5 * (x[:, :1] > APART / 2), 1.0)

    def decode(self, z: Tensor, space: str | None = None) -> Normal:
        return Normal(z, 1.0)

    def elbo(self, x: Tensor, seed: int | Noise = 0) -> Elbo:
        return Elbo(-(x[:, 0] / APART).round(), torch.zeros(len(x)))


def test_reconstruction_and_likelihood_by_group() -> None:
    at = grouped_points([0.7, 0.3], model=Skilled([0.7, 0.3]))
    both = found(quality_section(at, 0))
    error = both["reconstruction.kind"]
    assert error.number is not None
    assert error.number.value == pytest.approx(0.5, abs=1e-5)
    assert error.verdict == "finding"
    n = at.groupings[0].counts(at.groupings[0].held_out).min()
    assert error.n == 2 * n
    bound = both["likelihood.kind"]
    assert bound.number is not None
    assert bound.number.value == pytest.approx(1)
    assert bound.sentence.startswith("Examples in group A have a lower bound of the log-likelihood of 0 nats")
    assert not {"reconstruction.kind", "likelihood.kind"} & set(
        found(quality_section(grouped_points([0.7, 0.3]), 0))
    )


def test_small_groups_are_withheld() -> None:
    at = grouped_points([0.5, 0.48, 0.02], held=400)
    cover = found(quality_section(at, 0))["coverage.kind"]
    assert "too small: C (" in cover.does_not_show
    assert "group.c" not in cover.more
    alone = found(quality_section(grouped_points([0.98, 0.02], held=400), 0))
    assert set(alone) == {"coverage.kind"}
    assert alone["coverage.kind"].verdict == "withheld"


class Copier(Sampler):
    """Every `often`-th sample is an example of the training data, moved by very little, or not at all."""

    def __init__(self, train: np.ndarray, often: int, moved: float) -> None:
        super().__init__([0.5, 0.5])
        self.train_x, self.often, self.moved = torch.from_numpy(train), often, moved

    def sample(
        self, n: int, seed: int | Noise = 0, *, truncation: float = 1.0, draw: bool | None = None
    ) -> Tensor:
        noise = Noise.of(seed)
        z = super().sample(n, noise, truncation=truncation)
        copied = self.train_x[: len(z[:: self.often])]
        z[:: self.often] = copied + self.moved * noise.normal(*copied.shape)
        return z


def test_memorised_examples() -> None:
    train, _ = points([0.5, 0.5], 2000, 0)
    near = found(memorised_section(grouped_points([0.5, 0.5], model=Copier(train, 5, 1e-4))))
    assert near["memorised"].verdict == "finding"
    # a fifth is copied, and 5% of the others are close
    assert near["memorised"].more["close"].holds(0.2 + 0.8 * 0.05)
    assert near["copies"].verdict == "no finding"
    exact = found(memorised_section(grouped_points([0.5, 0.5], model=Copier(train, 10, 0.0))))
    assert exact["copies"].verdict == "finding"
    assert exact["copies"].sentence.startswith("Of 2,000 samples, 200 equal a training example")


def test_a_generator_that_has_memorised_nobody() -> None:
    """A finding no more often than the 2.5% of one side allow."""
    runs = [
        found(memorised_section(grouped_points([0.5, 0.5], n=500, held=400, samples=400, seed=seed)))[
            "memorised"
        ].verdict
        for seed in range(200)
    ]
    assert runs.count("finding") / len(runs) <= 0.05


def test_too_few_held_out_examples() -> None:
    (withheld,) = memorised_section(grouped_points([0.5, 0.5], held=20, samples=200)).findings
    assert withheld.verdict == "withheld"
