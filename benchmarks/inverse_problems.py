"""Several right answers: mixture density networks and least squares on problems with known solutions.

    python benchmarks/inverse_problems.py [--out runs/inverse]

Trains the models that `--out` does not contain yet, and prints tables. A hand counts as correct within 2% of
the arm's length of its target.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import torch

import simulacra as sim
from simulacra.cli.recipe import recipes
from simulacra.data.sources.robot_arm import hand

HANDS, DRAWS = 1000, 20
LEAST_SQUARES: dict[str, Any] = {
    "likelihood": "normal",
    "hidden": (128, 128),
    "steps": 4000,
    "batch_size": 512,
}


def trained(name: str, out: Path) -> tuple[sim.game.Model, sim.game.Model, Any]:
    """The mdn of a recipe, a least-squares net, and the data of both."""
    settings = dict(recipes()[name]["train"])
    source = settings.pop("data")
    mdn = sim.train("mdn", source, out / name, **settings)
    plain = sim.train("regressor", source, out / f"{name}-least-squares", **LEAST_SQUARES)
    return mdn, plain, sim.load_data(source)


def bishop(out: Path) -> None:
    mdn, plain, data = trained("bishop-mdn", out)
    numbers, squares = sim.evaluate(mdn, data), sim.evaluate(plain, data)
    t = data.test.target
    assert data.truth.log_conditional is not None
    assert t is not None
    with torch.no_grad():
        x = torch.from_numpy(data.test.x)
        answers = {
            "mdn, a sample": sim.Noise(0).draw(mdn.predict(x)),
            "mdn, its highest mode": mdn.modes(x).values[:, 0],
            "least squares, its mean": plain.predict(x).mean,
        }
    exact = data.truth.log_conditional(data.test.x, t)
    print(f"bishop-inverse, {len(t):,} held-out x, negative log-likelihood in nats")
    print(
        f"  exact {numbers['nll_exact']:.4f}   mdn {numbers['nll']:.4f}   least squares {squares['nll']:.4f}"
    )
    # a density that only one in a hundred true answers falls below
    empty = np.quantile(exact, 0.01)
    for name, answer in answers.items():
        p = data.truth.log_conditional(data.test.x, answer.numpy())
        rmse = float(np.sqrt(np.mean((answer.numpy() - t) ** 2)))
        print(f"  {name:26} RMSE {rmse:.3f}   in empty space {100 * (p < empty).mean():5.1f}%")


def arm(name: str, out: Path) -> None:
    mdn, plain, data = trained(name, out)
    x = torch.from_numpy(data.test.x[:HANDS])
    with torch.no_grad():
        p = mdn.predict(x)
        draws = sim.Noise(0).draw(p, DRAWS)
        answers = {
            "mdn, a sample": draws[0],
            "mdn, its largest component": mdn.most_probable(x).mean,
            "least squares, its mean": plain.predict(x).mean,
        }
    print(f"{name}, {HANDS:,} held-out positions of the hand, error in lengths of the arm")
    for kind, theta in answers.items():
        error = np.linalg.norm(hand(theta.numpy()) - x.numpy(), axis=1)
        print(f"  {kind:26} within 2%: {100 * (error < 0.02).mean():5.1f}%   median {np.median(error):.4f}")
    up = (draws[..., 1] > 0).float().mean(dim=0)
    both = float(((up > 0) & (up < 1)).float().mean())
    print(f"  both elbows among {DRAWS} samples: {100 * both:.1f}% of the positions")


def diabetes() -> None:
    from sklearn.datasets import load_diabetes
    from sklearn.model_selection import KFold

    X, y = load_diabetes(return_X_y=True)
    print("diabetes, 10-fold cross-validation, nats and coverage of central intervals")
    for hidden in ((), (64, 64)):
        for likelihood in ("normal", "normal-shared", "normal-learned"):
            log_p, z = [], []
            for seed in range(3):
                for train, test in KFold(10, shuffle=True, random_state=seed).split(X):
                    model = sim.DistributionRegressor(likelihood, hidden=hidden, random_state=seed)
                    model.fit(X[train], y[train])
                    mean, std = model.predict(X[test], return_std=True)
                    log_p.append(model.log_prob(X[test], y[test]))
                    z.append(np.abs(y[test] - mean) / std)
            inside = [100 * (np.concatenate(z) <= q).mean() for q in (0.6745, 1.2816, 1.96)]
            shown = "  ".join(f"{k}%: {v:.1f}" for k, v in zip((50, 80, 95), inside, strict=True))
            print(f"  hidden {hidden!s:9} {likelihood:15} NLL {-np.concatenate(log_p).mean():.3f}   {shown}")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=Path("runs/inverse"))
    out = parser.parse_args().out
    bishop(out)
    arm("robot-arm-mdn", out)
    arm("robot-arm-3-mdn", out)
    diabetes()


if __name__ == "__main__":
    main()
