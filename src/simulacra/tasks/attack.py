"""Attack a classifier: adversarial examples for held-out images, and rounds of attack and retraining."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from simulacra import limits
from simulacra.attacks import gradient
from simulacra.attacks.gradient import AdversarialExamples, concatenate
from simulacra.attacks.patch import make, stick
from simulacra.attacks.rounds import SIZE, Attack, Round, rounds
from simulacra.core.batch import in_order, tensor
from simulacra.core.model import Model
from simulacra.core.noise import Noise, derive_seed
from simulacra.data.spec import Data, Dataset
from simulacra.errors import ConfigError, RunError, nearest
from simulacra.files import replacing, write_text
from simulacra.run import Run

# training images for which a patch is optimised
PATCH_EXAMPLES = 1000


@dataclass(frozen=True)
class Result:
    """Adversarial examples of held-out images.

    Attributes:
        examples: the adversarial examples; images that were misread before the attack do not count as fooled.
        before: p(class | x) of the images that they were made from, `(N, K)`.
        y: labels of the held-out images, `(N,)`.
        numbers: accuracies, the share that fools the classifier, and median distances.
    """

    examples: AdversarialExamples
    before: Tensor
    y: np.ndarray
    numbers: dict[str, Any]


def target_class(name: str | None, model: Model) -> int | None:
    """The index of a class by its name; None for None.

    Raises:
        ConfigError: there is no such class.
    """
    if name is None:
        return None
    if name not in model.spec.classes:
        raise ConfigError(f"target: no class '{name}', {nearest(name, model.spec.classes)}")
    return model.spec.classes.index(name)


def gradient_attack(method: str, settings: Mapping[str, Any]) -> Attack:
    """The attack on a batch; `noise` makes images of the classes it is given.

    Args:
        method: `fgsm`, `pgd`, `smallest` or `noise`.
        settings: arguments of the function of this name in `attacks.gradient`.
    """
    if method == "noise":

        def from_noise(model: Model, x: Tensor, y: Tensor, noise: Noise) -> AdversarialExamples:
            target = settings["target"]
            classes = y if target is None else y.new_full(y.shape, target)
            return gradient.from_noise(model, classes, noise, settings["steps"])

        return from_noise
    if method == "fgsm":
        return lambda model, x, y, noise: gradient.fgsm(model, x, y, **settings)
    function = gradient.pgd if method == "pgd" else gradient.smallest
    return lambda model, x, y, noise: function(model, x, y, noise=noise, **settings)


def patch_attack(model: Model, data: Data, settings: Mapping[str, Any], seed: int) -> Attack:
    """A patch that is optimised on training images, and pasted on others."""
    train = data.train.take(slice(0, PATCH_EXAMPLES))
    assert train.y is not None
    # not the noise of the attacked images
    noise, y = Noise(derive_seed(seed, 1)), torch.from_numpy(train.y)
    sticker = make(model, tensor(train.x), y, noise, **settings)

    def paste(model: Model, x: Tensor, y: Tensor, noise: Noise) -> AdversarialExamples:
        return stick(model, sticker, x, y, noise, settings["target"])

    return paste


def attack(
    model: Model, data: Data, held_out: Dataset, method: str, settings: Mapping[str, Any], seed: int
) -> Result:
    """Attack a classifier on held-out images.

    Args:
        model: a classifier.
        data: fitted to the model; its training images are used by `patch`.
        held_out: images with labels in the model's order of classes.
        method: `fgsm`, `pgd`, `noise`, `smallest` or `patch`.
        settings: arguments of the method.
        seed: random seed.
    """
    from_noise, target = method == "noise", settings["target"]
    on_batch = (
        patch_attack(model, data, settings, seed) if method == "patch" else gradient_attack(method, settings)
    )
    predict: Any = model.predict
    parts, clean, labels = [], [], []
    for batch in in_order(held_out, SIZE, model.device, seed, alike=True):
        assert batch.y is not None
        # from noise: every class in turn
        classes = torch.arange(len(batch)) % len(data.spec.classes) if from_noise else batch.y
        examples = on_batch(model, batch.x, classes, batch.noise)
        with torch.no_grad():
            parts.append(examples)
            clean.append(predict(batch.x).probs)
            labels.append(batch.y)
    examples, p, y = concatenate(parts), torch.cat(clean), torch.cat(labels)
    with torch.no_grad():
        before = predict(examples.start).probs if from_noise else p
    correct = p.argmax(dim=1) == y
    numbers: dict[str, Any] = {"clean_accuracy": _share(correct)}
    if from_noise:
        counted = torch.ones_like(correct)
    else:
        # images that were misclassified, or classified as the target, before the attack do not count
        counted = correct if target is None else p.argmax(dim=1) != target
        numbers["accuracy_under_attack"] = _share(examples.probabilities.argmax(dim=1) == y)
    examples = replace(examples, fooled=examples.fooled & counted)
    numbers |= {"counted": int(counted.sum()), "fooled": _share(examples.fooled[counted])}
    for norm in ("l2", "linf"):
        distances = getattr(examples, norm)[examples.fooled]
        numbers[f"median_{norm}"] = distances.median().item() if len(distances) else None
    return Result(examples, before, np.asarray(held_out.y), numbers)


def title(description: Mapping[str, Any]) -> str:
    """What was done and found, for a figure: `pgd within 0.3 in linf: 90% of 100 fooled`."""
    text: str = description["method"]
    if "epsilon" in description:
        text += f" within {description['epsilon']:g} in {description['norm']}"
    if "target" in description:
        text += f", classified as {description['target']}"
    return f"{text}: {100 * (description['fooled'] or 0):.0f}% of {description['counted']} fooled"


def write_arrays(result: Result, out: Path, overwrite: bool = True) -> None:
    """Write a result as a NumPy archive."""
    names = ("x", "start", "fooled", "probabilities", "l2", "linf")
    arrays = {name: getattr(result.examples, name).numpy() for name in names}
    arrays |= {"probabilities_before": result.before.numpy(), "y": result.y}
    with replacing(out, overwrite) as file, file.open("wb") as stream:
        np.savez_compressed(stream, allow_pickle=False, **arrays)


def adversarial_training(
    run: Run,
    model: Model,
    held_out: Dataset,
    method: str,
    settings: Mapping[str, Any],
    out: Path,
    n_rounds: int,
    added: int,
    seed: int,
    description: Mapping[str, Any],
    quiet: bool,
) -> Iterator[Round]:
    """Rounds of attack and retraining, a run folder each; the same call again resumes.

    Args:
        run: the run of the classifier.
        model: the classifier.
        held_out: images on which every round is measured.
        method: `fgsm`, `pgd` or `noise`.
        settings: arguments of the method.
        out: the folder of the new runs.
        n_rounds: number of trainings.
        added: training images attacked before each.
        seed: random seed.
        description: what is stored in `attack.json`, to recognise the same call.
        quiet: train without output.

    Raises:
        RunError: the folder holds rounds of another attack.
    """
    # it imports lightning-fabric, which takes seconds
    from simulacra.engine.loop import train

    config = run.config
    stored, described = out / "attack.json", json.dumps({**description, "added": added}, indent=1) + "\n"
    if stored.is_file() and limits.read_bytes(stored, limits.JSON_BYTES) != described.encode():
        raise RunError(f"{out}: holds rounds of another attack; choose another --out, or delete it")
    write_text(stored, described)

    def retrain(number: int, data: Data) -> Model:
        return train(Run(out / f"round-{number}"), replace(config, spec=data.spec), data, quiet=quiet)

    rows = []
    on_batch, as_none = gradient_attack(method, settings), method == "noise"
    for row in rounds(model, run.data(), held_out, on_batch, retrain, n_rounds, added, as_none, seed):
        rows.append(asdict(row))
        yield row
        write_text(out / "rounds.json", json.dumps(rows, indent=1) + "\n")


def _share(which: Tensor) -> float | None:
    return float(which.double().mean()) if len(which) else None
