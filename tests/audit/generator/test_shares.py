"""Shares behind a classifier that errs: against enumeration, closed forms, and their own promise."""

from dataclasses import replace
from math import sqrt

import numpy as np
import pytest
from scipy.optimize import minimize

from simulacra.audit.generator.group_classifier import Grouping
from simulacra.audit.generator.prevalence import Prevalence, discrepancy, discrepancy_interval
from simulacra.audit.generator.quality import quality_section
from simulacra.audit.generator.shares import Comparison, data_section, shares_section
from simulacra.audit.generator.truncation import truncation_section
from simulacra.audit.shared.findings import Estimate, Finding
from simulacra.audit.shared.intervals import combined, newcombe, wilson
from tests.audit.generator.stubs import Sampler, classifier, grouped_points

SURE = np.array([[1_000_000, 0], [0, 1_000_000]])


def found(of: object) -> dict[str, Finding]:
    return {f.name: f for f in of.findings}  # type: ignore[attr-defined]  # a section


def grouping(train: list[int], confusions: np.ndarray) -> Grouping:
    """Two groups or more, so many of each in training, with these confusions on held-out data."""
    K = len(train)
    y = np.repeat(np.arange(K), train)
    held_out, predicted = (np.repeat(np.indices((K, K))[i].ravel(), confusions.ravel()) for i in (0, 1))
    return Grouping("kind", tuple("ABCDEFGH"[:K]), y, held_out, predicted, classifier(1.0, K), "a stub")


def test_discrepancy_from_even_shares() -> None:
    assert discrepancy([0.99, 0.01]) == pytest.approx(0.693, abs=5e-4)
    assert discrepancy([1, 0]) == pytest.approx(0.7071, abs=5e-5)
    assert discrepancy([0.25] * 4) == 0
    assert discrepancy([1, 0, 0, 0, 0]) == pytest.approx(sqrt(1 - 1 / 5))
    e = discrepancy_interval([Estimate(0.6, 0.45, 0.7), Estimate(0.4, 0.3, 0.55)])
    assert e.ends == pytest.approx((0, sqrt(2) * 0.2))
    assert discrepancy_interval([Estimate(1, 0.9, 1), Estimate(0, 0, 0.1)]).ends == pytest.approx(
        (sqrt(2) * 0.4, sqrt(0.5))
    )


def test_from_90_10_to_99_1() -> None:
    """Difference -.09, ratio .1, discrepancy of the samples .693."""
    of = Prevalence(SURE, np.array([990_000, 10_000]))
    compare = Comparison(grouping([90_000, 10_000], SURE // 1000), [0, 1], of)
    assert compare.difference(1).value == pytest.approx(-0.09, abs=1e-6)
    ratio = compare.ratio(1)
    assert ratio is not None
    assert ratio.value == pytest.approx(0.1, abs=1e-6)
    assert 0.095 < ratio.ends[0] < 0.1 < ratio.ends[1] < 0.105
    bias = compare.amplification("kind", "Why.")
    assert bias.more["samples"].value == pytest.approx(0.693, abs=5e-4)
    assert bias.more["data"].value == pytest.approx(0.5657, abs=5e-5)
    assert bias.number is not None
    assert bias.number.value == pytest.approx(0.1273, abs=5e-5)
    assert bias.verdict == "finding"
    assert "The samples are further from equal shares." in bias.sentence


def test_a_class_that_is_never_generated() -> None:
    at = grouped_points([0.7, 0.3], [1.0, 0.0], accuracy=0.95)
    bias = found(shares_section(at, 0))["amplification.kind"]
    assert bias.more["samples"].value == pytest.approx(0.7071, abs=5e-5)
    assert "no sample is left in B" in bias.sentence
    share = found(shares_section(at, 0))["share.kind"]
    # some were read as such, all of them wrongly
    assert share.more["read"].value > 0.03
    assert share.more["samples"].value == pytest.approx(0, abs=1e-9)
    assert share.more["samples"].ends[0] == 0


def test_two_groups_are_those_of_rogan_and_gladen() -> None:
    confusions, reads = np.array([[460, 40], [30, 170]]), np.array([1500, 500])
    sensitivity, specificity = 170 / 200, 460 / 500
    expected = (500 / 2000 + specificity - 1) / (sensitivity + specificity - 1)
    of = Prevalence(confusions, reads)
    assert of.shares[1] == pytest.approx(expected, abs=1e-6)
    # the delta method, where it holds
    q, J = 0.25, sensitivity + specificity - 1
    se = (
        sqrt(
            q * (1 - q) / 2000
            + expected**2 * sensitivity * (1 - sensitivity) / 200
            + (1 - expected) ** 2 * specificity * (1 - specificity) / 500
        )
        / J
    )
    low, high = of.estimate(1).ends
    assert (high - low) / (2 * 1.96 * se) == pytest.approx(1, abs=0.05)


def test_the_likeliest_shares_are_those_of_a_search() -> None:
    rng = np.random.default_rng(0)
    for trial in range(4):
        confusions = rng.integers(1, 30, (3, 4)) + 60 * np.eye(3, 4, dtype=int)
        reads = rng.integers(1, 400, 4)
        if trial == 3:
            # on the edge: no sample of the first group
            M = confusions / confusions.sum(axis=1, keepdims=True)
            reads = np.round(1000 * (M[1] - 0.3 * (M[0] - M[1]))).astype(int).clip(0)
        M = confusions / confusions.sum(axis=1, keepdims=True)
        best = minimize(
            lambda p, M=M, reads=reads: -(reads * np.log(p @ M + 1e-300)).sum(),
            np.full(3, 1 / 3), bounds=[(0, 1)] * 3, method="SLSQP", tol=1e-14,
            constraints={"type": "eq", "fun": lambda p: p.sum() - 1},
        )  # fmt: skip
        assert Prevalence(confusions, reads).shares == pytest.approx(best.x, abs=2e-3)


def rates(share: list[float], accuracy: float, runs: int = 300) -> tuple[float, float, float]:
    """How often a perfect generator gives a finding: corrected, uncorrected; how often its share is held."""
    rng, K = np.random.default_rng(1), len(share)
    M = np.full((K, K), (1 - accuracy) / (K - 1)) + np.eye(K) * (accuracy - (1 - accuracy) / (K - 1))
    findings, raw, held = 0, 0, 0
    for seed in range(runs):
        train, known = rng.multinomial(8000, share), rng.multinomial(1500, share)
        confusions = np.array([rng.multinomial(n, row) for n, row in zip(known, M, strict=True)])
        reads = rng.multinomial(2000, np.array(share) @ M)
        compare = Comparison(
            grouping(train.tolist(), confusions), range(K), Prevalence(confusions, reads, seed)
        )
        d = [compare.difference(j, compare.level) for j in range(K)]
        findings += any(not e.holds(0) for e in d)
        held += compare.of.estimate(K - 1).holds(share[-1])
        read = [wilson(int(reads[j]), 2000, compare.level) for j in range(K)]
        uncorrected = [combined([(1, read[j]), (-1, compare.data(j, compare.level))]) for j in range(K)]
        raw += any(not e.holds(0) for e in uncorrected)
    return findings / runs, raw / runs, held / runs


@pytest.mark.parametrize("share", [[0.9, 0.1], [0.5, 0.3, 0.15, 0.05]])
def test_a_perfect_generator_through_a_95_percent_classifier(share: list[float]) -> None:
    """No finding after the correction, but for the 5% that 95% intervals allow; without it far more often."""
    corrected, raw, held = rates(share, 0.95)
    # 5% of 300 is 15 +- 3.8
    assert corrected < 0.09
    assert raw > (0.95 if len(share) == 2 else 0.4)
    assert held > 0.91


def test_a_perfect_generator_end_to_end() -> None:
    at = grouped_points([0.9, 0.1], accuracy=0.95, n=8000, held=2000, samples=4000)
    both = found(shares_section(at, 0))
    assert both["share.kind"].verdict == both["amplification.kind"].verdict == "no finding"
    assert "compatible with no difference" in both["share.kind"].sentence
    read = both["share.kind"].more["read"]
    assert not newcombe(round(read.value * 4000), 4000, 800, 8000).holds(0)
    assert not read.holds(0.1)


def test_too_little_is_withheld() -> None:
    at = grouped_points([0.6, 0.39, 0.01], held=300)
    share = found(shares_section(at, 0))["share.kind"]
    assert "Nothing about groups with fewer than 30 held-out examples" in share.does_not_show
    assert "C (" in share.does_not_show
    assert not any(key.endswith(".c") for key in share.more)
    # in the data it is counted all the same
    assert "group.c" in found(data_section(at))["data.kind"].more
    few = grouped_points([0.97, 0.03], held=100)
    for finding in shares_section(few, 0).findings:
        assert finding.verdict == "withheld"
        assert "fewer than two groups have 30 held-out examples" in finding.sentence
    # a coin reads both groups alike, to the last digit
    alike = grouping([50, 50], np.array([[50, 50], [50, 50]]))
    at = replace(grouped_points([0.5, 0.5], samples=200), groupings=[alike])
    assert {f.verdict for f in shares_section(at, 0).findings} == {"withheld"}
    assert "predicts the same for some groups" in shares_section(at, 0).findings[0].sentence


@pytest.mark.parametrize("accuracy", [0.55, 0.61, 0.75, 0.95])
@pytest.mark.parametrize("sampled", [0.0, 0.3, 0.55])
def test_what_a_classifier_can_carry(accuracy: float, sampled: float) -> None:
    """At 61% a ratio of 1e-9 was a finding; at 75% the truth is within the interval."""
    at = grouped_points([0.7, 0.3], [1 - sampled, sampled], accuracy=accuracy, n=2000, held=600, seed=1)
    share = found(shares_section(at, 0))["share.kind"]
    multiplied = at.prevalence(0, at.predicted[0]).multiplied
    assert multiplied == pytest.approx(1 / (2 * accuracy - 1), rel=0.35)
    if accuracy < 0.625:
        assert share.verdict == "withheld"
        assert not share.more
        assert "It would need to be right about 63 of 100 or more" in share.sentence
        # neither do its groups of samples have a quality
        (quality,) = quality_section(at, 0).findings
        assert quality.verdict == "withheld"
        assert found(truncation_section(at, [0.5, 1.0]))["truncation.kind"].verdict == "withheld"
        return
    assert share.more["samples"].holds(sampled)
    low, high = share.more["ratio"].ends
    assert low <= sampled / 0.3 <= high
    assert low < 0.1 if sampled == 0 else low > 0.4
    # rounding is no ratio
    assert share.more["ratio"].value == 0 or share.more["ratio"].value > 1e-4
    assert (share.verdict == "no finding") == (sampled == 0.3)
    assert len(quality_section(at, 0).findings) >= 1


def test_few_labels_make_an_interval_useless() -> None:
    at = grouped_points([0.5, 0.5], accuracy=0.7, held=70, samples=2000, minimum=20)
    share = found(shares_section(at, 0))["share.kind"]
    assert share.verdict == "withheld"
    assert "labelled held-out examples instead of 70" in share.sentence
    # as many as it says are enough
    needed = int(share.sentence.split("need about ")[1].split()[0].replace(",", ""))
    assert 70 < needed < 400
    at = grouped_points([0.5, 0.5], accuracy=0.7, held=2 * needed, samples=2000, minimum=20)
    assert found(shares_section(at, 0))["share.kind"].verdict != "withheld"


def test_truncation() -> None:
    at = grouped_points([0.6, 0.4], accuracy=0.95, model=Sampler([0.6, 0.4]))
    both = found(truncation_section(at, [0.25, 1.0, 2.0]))
    share = both["truncation.kind"]
    assert share.verdict == "finding"
    # 0.4 / 4 of 0.7
    assert share.more["with"].holds(0.1 / 0.7)
    assert share.more["without"].holds(0.4)
    assert share.number is not None
    assert share.number.holds(0.1 / 0.7 - 0.4)
    assert share.sentence.startswith("With truncation 0.25, ")
    cover = both["truncation.coverage"]
    assert cover.verdict == "finding"
    assert cover.number is not None
    assert cover.number.value < -0.3
    # the same shares: nothing to find
    still = Sampler([0.6, 0.4])
    still.sample = lambda n, noise, **_: Sampler.sample(still, n, noise)  # type: ignore[method-assign]  # of the test
    for name, finding in found(
        truncation_section(grouped_points([0.6, 0.4], model=still), [0.5, 1.0])
    ).items():
        assert finding.verdict == "no finding", name
