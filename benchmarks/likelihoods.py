"""The table of docs/likelihoods.md: runs of one VAE with several likelihoods, side by side.

    simulacra recipe likelihoods
    python benchmarks/likelihoods.py runs/likelihoods runs/likelihoods-*

Passes: after how many passes over the training data the held-out loss has come 99% of the way from its first
value to its best one, each in the units of its own likelihood.
"""

from __future__ import annotations

import sys

from simulacra.run import Run
from simulacra.tasks.evaluate import evaluate

ROW = "| {:22} | {:>6} | {:>6} | {:>9} | {:>6} | {:>6} | {:>6} |"


def passes(run: Run, share: float = 0.99) -> float:
    """Passes over the training data until the validation loss has come this share of its way."""
    events = run.events("validation")
    losses = [event["loss"] for event in events]
    target = losses[0] - share * (losses[0] - min(losses))
    step = next(event["step"] for event in events if event["loss"] <= target)
    return step * run.config.training.batch_size / len(run.data().train)


def main() -> None:
    print(ROW.format("likelihood", "PSNR", "SSIM", "sharpness", "KL", "active", "passes"))
    print(ROW.format("---", *["---:"] * 6))
    for path in sys.argv[1:]:
        run = Run(path)
        model = run.load()
        found = evaluate(model, run.data(), "test", metrics=["reconstruction", "latents", "elbo"])
        numbers = [
            f"{found['psnr']:.2f}", f"{found['ssim']:.3f}", f"{found['sharpness']:.2f}", f"{found['kl']:.1f}",
            found["active_units"], f"{passes(run):.1f}",
        ]  # fmt: skip
        print(ROW.format(model.config.likelihood, *numbers))


if __name__ == "__main__":
    main()
