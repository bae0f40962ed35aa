"""The numbers of a run in words: names, units, and what each one says."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from simulacra.models.registry import entry
from simulacra.run import Run, RunConfig

HIGHER, LOWER = "higher is better", "lower is better"

# key -> (name, unit, half a line about it)
GLOSSARY = {
    "loss": ("loss", "", f"what training minimises, on average over examples; {LOWER}"),
    "elbo": ("ELBO", "nats", f"lower bound on log p(x), reconstruction minus KL; {HIGHER}"),
    "reconstruction": (
        "reconstruction",
        "nats",
        f"log p(x | z) of an example under its own latent; {HIGHER}",
    ),
    "kl": ("KL", "nats", "KL(q(z | x) || p(z)), how much the latents say about the example"),
    "nll": ("negative log-likelihood", "nats", f"-log p(x) of an example; {LOWER}"),
    "mse": ("mean squared error", "", f"of reconstructions, for each number of an example; {LOWER}"),
    "psnr": ("PSNR", "dB", f"peak signal to noise of reconstructions; {HIGHER}"),
    "ssim": ("SSIM", "", f"structural similarity of reconstructions, 1 for equal pictures; {HIGHER}"),
    "active_units": (
        "active units",
        "",
        "latent dimensions whose mean has a variance above 0.01 over the data",
    ),
    "knn_accuracy": (
        "nearest-neighbour accuracy",
        "%",
        f"classes told from the latents by neighbours; {HIGHER}",
    ),
    "linear_probe_accuracy": (
        "linear-probe accuracy",
        "%",
        f"classes told from the latents linearly; {HIGHER}",
    ),
}

# of long lists of names
SHOWN = 20

# keys of an event that say how it was made, or belong to another number
CIRCUMSTANCES = {"event", "step", "data", "examples", "seed", "importance_samples", "latent_dim"}


@dataclass(frozen=True)
class Number:
    """One number: its name, its value written out, its unit ("" without one), and what it says."""

    name: str
    value: str
    unit: str
    meaning: str


@dataclass(frozen=True)
class Numbers:
    """The last that is known about how good a run is.

    Attributes:
        title: where the numbers come from; a sentence.
        rows: the numbers; empty when nothing was measured.
        evaluated: they come from an evaluation, not from the looks at validation data in training.
    """

    title: str
    rows: list[Number]
    evaluated: bool


def last_numbers(run: Run) -> Numbers:
    """The last `evaluation` event of a run, or else its last `validation` event."""
    events = run.events()
    for event in reversed(events):
        if event["event"] == "evaluation":
            return Numbers(_origin(event, played(run)), _rows(event), True)
    for event in reversed(events):
        if event["event"] == "validation":
            title = f"Not evaluated yet: these are averages over validation data at step {event['step']:,}."
            return Numbers(title, _rows(event), False)
    return Numbers("Not evaluated yet.", [], False)


def summary(config: RunConfig, steps: int) -> str:
    """One sentence: which model, on which data, trained for how long.

    >>> from simulacra.config import Training
    >>> from simulacra.data import DataSpec, Options
    >>> from simulacra.models.configs import PCAConfig
    >>> spec = DataSpec("image", (1, 8, 8), ("0", "1"))
    >>> summary(RunConfig("pca", PCAConfig(2), "digits", Options(), spec, Training()), 0)
    'pca (the linear baseline, solved exactly), 2 latent dimensions, on digits: 8x8 grey images, 2 classes.'
    """
    latents = getattr(config.config, "latent_dim", None)
    text = f"{config.model} ({entry(config.model).summary})"
    if latents is not None:
        text += f", {latents:,} latent dimension{'s' if latents > 1 else ''}"
    length = f" Trained for {steps:,} steps." if steps else ""
    return f"{text}, on {config.source}: {examples(config)}.{length}"


def examples(config: RunConfig) -> str:
    """What the data are, in a few words: `8x8 grey images, 10 classes`."""
    spec = config.spec
    if spec.kind == "image":
        channels, height, width = spec.shape
        text = f"{height}x{width} {'grey' if channels == 1 else 'colour'} images"
    else:
        text = f"vectors of {spec.shape[0]:,} number{'s' if spec.shape[0] > 1 else ''}"
    return text + (f", {len(spec.classes):,} classes" if spec.classes else "")


def played(run: Run) -> int:
    """Steps that the training has told of."""
    return max((event["step"] for event in run.events("train")), default=0)


def listed(names: Sequence[str]) -> str:
    """Names with commas between them, at most twenty.

    >>> listed(["cat", "dog"])
    'cat, dog'
    """
    more = [f"and {len(names) - SHOWN:,} more"] if len(names) > SHOWN else []
    return ", ".join([*names[:SHOWN], *more])


def label(key: str) -> str:
    """The name of a number, for people.

    >>> label("kl"), label("generator_loss")
    ('KL', 'generator loss')
    """
    return GLOSSARY[key][0] if key in GLOSSARY else key.replace("_", " ")


def unit(key: str) -> str:
    """The unit of a number, "" where it has none or it is not known."""
    return GLOSSARY[key][1] if key in GLOSSARY else ""


def written(value: Any) -> str:
    """A value of an event as text, fractions with four significant digits.

    >>> written(-104.123), written(10000), written(12345.6), written(0.01234567)
    ('-104.1', '10,000', '12,346', '0.01235')
    >>> written(-79.0), written(True), written("inception")
    ('-79.00', 'true', 'inception')
    """
    if isinstance(value, str):
        return value
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return json.dumps(value)
    if isinstance(value, int) or 1000 <= abs(value) < float("inf"):
        return f"{value:,.0f}"
    return f"{value:#.4g}".rstrip(".")


def _origin(event: dict[str, Any], steps: int) -> str:
    title = f"Evaluated on {event.get('data', 'held-out data')}"
    if "examples" in event:
        title += f", {event['examples']:,} examples"
    if event.get("step"):
        title += f", at step {event['step']:,}"
        if event["step"] < steps:
            title += f"; the weights have since gone on to step {steps:,}, so evaluate again"
    return f"{title}."


def _rows(event: dict[str, Any]) -> list[Number]:
    return [_number(key, value, event) for key, value in event.items() if key not in CIRCUMSTANCES]


def _number(key: str, value: Any, event: dict[str, Any]) -> Number:
    name, measure, meaning = GLOSSARY.get(key, (label(key), "", ""))
    if key == "active_units" and "latent_dim" in event:
        measure = f"of {event['latent_dim']}"
    if key == "nll" and "importance_samples" in event:
        draws = event["importance_samples"]
        meaning = f"-log p(x) of an example, estimated with {draws:,} samples of z unless exact; {LOWER}"
    if measure == "%" and isinstance(value, (int, float)):
        return Number(name, f"{100 * value:.1f}", measure, meaning)
    return Number(name, written(value), measure, meaning)
