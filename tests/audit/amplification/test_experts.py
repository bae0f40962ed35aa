"""B(h) against the normal distribution, and experts against brute force."""

from itertools import product
from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import SGDClassifier

from simulacra.audit.amplification.experts import bayes, experts, linear, section
from simulacra.audit.shared.source import Source


@pytest.mark.parametrize(
    ("p", "d", "b"), [(0.7, 1.0, 0.1285), (0.7, 0.5, 0.2596), (0.5, 0.3, 0.0), (0.5, 4.0, 0.0)]
)
def test_bayes(p: float, d: float, b: float) -> None:
    assert bayes(p, d) == pytest.approx(b, abs=5e-5)
    rng = np.random.default_rng(0)
    y = rng.random(400_000) < p
    x = rng.normal(size=400_000) + np.where(y, d, 0)
    # the likelihood ratio, times the odds
    h = p * np.exp(-((x - d) ** 2) / 2) > (1 - p) * np.exp(-(x**2) / 2)
    assert amplified(h, y) == pytest.approx(b, abs=3e-3)


def amplified(h: np.ndarray, y: np.ndarray) -> float:
    """B(h) = E[h(x) - y] (Leino et al. 2019, definition 1)."""
    return float(h.mean() - y.mean())


def toy(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
    """One strong feature, and 199 weak ones that all speak for the same class, of share 0.6."""
    y = rng.random(n) < 0.6
    x = rng.normal(size=(n, 200))
    x[:, 0] += np.where(y, 1, -1)
    x[:, 1:] += 0.1 * y[:, None]
    return x, y


def test_experts_on_200_features() -> None:
    off, right = [], []
    for seed in range(6):
        rng = np.random.default_rng(seed)
        (x, y), (x_chosen, y_chosen), (x_new, y_new) = toy(rng, 500), toy(rng, 2000), toy(rng, 20_000)
        model = SGDClassifier(loss="log_loss", random_state=seed).fit(x, y)
        w, b = model.coef_[0], float(model.intercept_[0])
        kept = experts(w, b, x_chosen, y_chosen)
        h = [x_new @ (w * mask) + b > 0 for mask in (1, kept)]
        off.append([abs(amplified(one, y_new)) for one in h])
        right.append([(one == y_new).mean() for one in h])
    before, after = np.mean(off, axis=0)
    assert before > 0.08
    assert after < 2 / 3 * before
    assert all(with_experts >= with_all for with_all, with_experts in right)


def test_experts_are_the_best_of_all_prefixes() -> None:
    rng = np.random.default_rng(1)
    for _ in range(20):
        w, x = rng.normal(size=9), rng.normal(size=(60, 9))
        y = x @ rng.normal(size=9) + rng.normal(size=60) > 0
        kept = experts(w, 0.1, x, y)
        right = ((x @ w + 0.1 > 0) == y).mean()
        order = np.argsort(-np.abs(w))
        sides = [[j for j in order if w[j] > 0], [j for j in order if w[j] < 0]]
        least = min(
            abs(amplified(h, y))
            for alpha, beta in product(*(range(len(side) + 1) for side in sides))
            if ((h := x[:, (s := sides[0][:alpha] + sides[1][:beta])] @ w[s] + 0.1 > 0) == y).mean() >= right
        )
        h = x @ (w * kept) + 0.1 > 0
        assert abs(amplified(h, y)) == pytest.approx(least)
        assert (h == y).mean() >= right


def test_a_section(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    x, y = toy(rng, 1200)
    x, path = x[:, :60], tmp_path / "train.csv"
    rows = [
        ",".join([*(f"{v:.4f}" for v in row), "cook" if one else "not"])
        for row, one in zip(x, y, strict=True)
    ]
    path.write_text(",".join([*(f"x{i}" for i in range(60)), "object"]) + "\n" + "\n".join(rows))
    made = section(Source(path), [f"x{i}" for i in range(60)], "object", "cook", 30)
    weak, fewer = made.findings
    real, h, h_experts, _, kept = linear(np.round(x, 4), y)
    assert weak.number is not None
    assert fewer.number is not None
    assert weak.number.value == pytest.approx(amplified(h, real))
    assert weak.n == len(real) == 300
    assert fewer.more["after"].value == pytest.approx(amplified(h_experts, real))
    assert fewer.more["columns"].value == kept.sum()
    sign = 1 if weak.number.value >= 0 else -1
    moved = weak.number.value - fewer.more["after"].value
    assert fewer.number.value == pytest.approx(sign * moved)
    assert "A linear classifier of 60 columns predicts cook for" in weak.sentence
    assert 0 < weak.more["bayes"].value < 0.1
    assert {f.verdict for f in section(Source(path), ["x0"], "object", "row", 30).findings} == {"withheld"}
