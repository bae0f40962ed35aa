"""`simulacra attack RUN --method pgd --out attack.png | attack.npz | folder --rounds 3`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

if TYPE_CHECKING:
    from torch import Tensor

    from simulacra.attacks.gradient import AdversarialExamples
    from simulacra.attacks.rounds import Attack, Round
    from simulacra.core.model import Model
    from simulacra.core.noise import Noise
    from simulacra.data.spec import Data, Dataset
    from simulacra.run import Run


@dataclass(frozen=True)
class Arguments:
    """Make images that a classifier misreads. With --rounds: train new ones on them, and attack again."""

    run: tyro.conf.Positional[Path]
    """run folder of a classifier; it stays as it is"""
    out: Path
    """attack.png: the first images before and after; attack.npz: arrays; with --rounds a folder for the new
    runs"""
    data: str | None = None
    """data source, e.g. mnist@validation; the run's own test split when not given"""
    method: Literal["fgsm", "pgd", "noise", "smallest", "patch"] = "pgd"
    """fgsm: one gradient step; pgd: many, in the ball around an image; noise: noise becomes an image it is
    sure of; smallest: the smallest change in L2 that is enough; patch: a sticker for every image"""
    norm: Literal["linf", "l2"] | None = None
    """fgsm, pgd: what changes are measured in; linf, the largest change of a pixel, when not given"""
    epsilon: float | None = None
    """fgsm, pgd: largest change, of pixels from 0 to 1; 0.3 in linf and 2 in l2 when not given"""
    steps: int | None = None
    """all but fgsm: gradient steps; 40, for noise and patch 200, when not given"""
    restarts: int | None = None
    """pgd: random starts; 1 when not given"""
    size: float | None = None
    """patch: its diameter, as a share of the shorter side; 0.4 when not given"""
    target: str | None = None
    """name of the class that images are to be read as; any but their own when not given"""
    n: Annotated[int, tyro.conf.arg(aliases=["-n"])] = 100
    """images attacked; with --rounds those that every round is measured on"""
    seed: int = 0
    """of all noise"""
    rounds: int = 0
    """fgsm, pgd, noise: trainings with what fooled the classifiers before added to the data, with their own
    classes, or what came from noise as a class 'none'"""
    added: int = 5000
    """with --rounds: training images attacked before each"""
    json: tyro.conf.FlagCreatePairsOff[bool] = False
    """print one JSON object and nothing else"""


# what each method takes, and its defaults
TAKES: dict[str, dict[str, Any]] = {
    "fgsm": {"norm": "linf", "epsilon": None, "target": None},
    "pgd": {"norm": "linf", "epsilon": None, "steps": 40, "restarts": 1, "target": None},
    "noise": {"steps": 200, "target": None},
    "smallest": {"steps": 40, "target": None},
    "patch": {"steps": 200, "size": 0.4, "target": None},
}
EPSILON = {"linf": 0.3, "l2": 2.0}
OPTIONS = ("norm", "epsilon", "steps", "restarts", "size", "target")
# training images a sticker is made on
PASTED = 1000


def main(argv: list[str]) -> int:
    arguments = tyro.cli(Arguments, args=argv, prog="simulacra attack")
    settings = resolved(arguments)
    import json

    from simulacra.attacks.gradient import check
    from simulacra.data import split_of
    from simulacra.errors import DataError
    from simulacra.run import Run

    run, split = Run(arguments.run), split_of(arguments.data)
    model = run.load()
    check(model)
    target = settings["target"] = _class(settings["target"], model)
    data = run.data(arguments.data)
    held_out = _labelled(data.split(split), model, data.name)
    if target is not None and arguments.method != "noise":
        assert held_out.y is not None
        held_out = held_out.take(held_out.y != target)
    held_out = held_out.take(slice(0, arguments.n))
    if len(held_out) == 0:
        raise DataError(
            f"{data.name}@{split}: no examples to attack; choose another split, class or more data"
        )
    told = {
        "run": str(run),
        "data": f"{data.name}@{split}",
        "method": arguments.method,
        **{name: value for name, value in settings.items() if value is not None},
        "seed": arguments.seed,
        "examples": len(held_out),
    }
    if target is not None:
        told["target"] = model.spec.classes[target]
    if arguments.rounds:
        return play(arguments, run, model, held_out, settings, told)
    found, before, numbers = attack(arguments, model, data, held_out, settings)
    write(arguments, found, before, model, held_out, {**told, **numbers})
    if arguments.json:
        print(json.dumps({**told, **numbers, "out": str(arguments.out)}))
        return 0
    from simulacra.cli.evaluate import lines

    print("\n".join(lines({**told, **{k: "none" if v is None else v for k, v in numbers.items()}})))
    print(arguments.out)
    return 0


def resolved(arguments: Arguments) -> dict[str, Any]:
    """The settings of the method, defaults included. Imports no torch.

    Raises:
        ConfigError: it does not take one that was given, or one cannot be.
    """
    from simulacra.errors import ConfigError

    method, out = arguments.method, arguments.out
    settings = dict(TAKES[method])
    for name in OPTIONS:
        if (value := getattr(arguments, name)) is not None:
            if name not in settings:
                raise ConfigError(f"{name}: the method {method} takes none; leave --{name} out")
            settings[name] = value
    if "epsilon" in settings and settings["epsilon"] is None:
        settings["epsilon"] = EPSILON[settings["norm"]]
    if not settings.get("epsilon", 1) > 0:
        raise ConfigError(f"epsilon: must be above 0, not {settings['epsilon']}")
    if not 0 < settings.get("size", 1) <= 1:
        raise ConfigError(f"size: must be above 0 and at most 1, not {settings['size']}")
    counts = {"n": arguments.n, "added": arguments.added, **settings}
    for name in ("n", "added", "steps", "restarts"):
        if counts.get(name, 1) < 1:
            raise ConfigError(f"{name}: must be at least 1, not {counts[name]}")
    if arguments.rounds < 0:
        raise ConfigError(f"rounds: must be 0 or more, not {arguments.rounds}")
    if not arguments.rounds:
        if out.suffix not in (".png", ".npz") or out.is_dir():
            raise ConfigError(f"out: {out} must be a file that ends in .png or .npz")
        return settings
    if method not in ("fgsm", "pgd", "noise"):
        raise ConfigError(f"rounds: are played with fgsm, pgd or noise, not with {method}")
    if out.suffix in (".png", ".npz") or out.is_file():
        raise ConfigError(f"out: {out} must be a folder for the runs of the rounds")
    if out.resolve() == arguments.run.resolve():
        raise ConfigError(f"out: {out} is the run itself, which stays as it is; choose another folder")
    return settings


def made(method: str, settings: dict[str, Any]) -> Attack:
    """The attack on a batch; `noise` makes images of the classes it is given."""
    from simulacra.attacks import gradient

    if method == "noise":

        def from_noise(model: Model, x: Tensor, y: Tensor, noise: Noise) -> AdversarialExamples:
            target = settings["target"]
            wanted = y if target is None else y.new_full(y.shape, target)
            return gradient.from_noise(model, wanted, noise, settings["steps"])

        return from_noise
    if method == "fgsm":
        return lambda model, x, y, noise: gradient.fgsm(model, x, y, **settings)
    kind = gradient.pgd if method == "pgd" else gradient.smallest
    return lambda model, x, y, noise: kind(model, x, y, noise=noise, **settings)


def attack(
    arguments: Arguments, model: Model, data: Data, held_out: Dataset, settings: dict[str, Any]
) -> tuple[AdversarialExamples, Tensor, dict[str, Any]]:
    """What was found, p(class | x) before, and the numbers that are told."""
    import torch

    from simulacra.attacks.gradient import concatenate
    from simulacra.attacks.rounds import SIZE
    from simulacra.core.batch import in_order

    noisy, target = arguments.method == "noise", settings["target"]
    act = (
        sticking(model, data, settings, arguments.seed)
        if arguments.method == "patch"
        else made(arguments.method, settings)
    )
    predict: Any = model.predict
    parts, clean, answers = [], [], []
    for batch in in_order(held_out, SIZE, model.device, arguments.seed):
        assert batch.y is not None
        # from noise: every class in turn
        wanted = torch.arange(len(batch)) % len(data.spec.classes) if noisy else batch.y
        found = act(model, batch.x, wanted, batch.noise)
        with torch.no_grad():
            parts.append(found)
            clean.append(predict(batch.x).probs)
            answers.append(batch.y)
    found, p, y = concatenate(parts), torch.cat(clean), torch.cat(answers)
    with torch.no_grad():
        before = predict(found.start).probs if noisy else p
    right = p.argmax(dim=1) == y
    numbers: dict[str, Any] = {"clean_accuracy": _share(right)}
    if noisy:
        counted = torch.ones_like(right)
    else:
        # what was misread, or read as the target, before any attack counts for none
        counted = right if target is None else p.argmax(dim=1) != target
        numbers["accuracy_under_attack"] = _share(found.probabilities.argmax(dim=1) == y)
    moved = found.fooled & counted
    numbers |= {"counted": int(counted.sum()), "fooled": _share(found.fooled[counted])}
    for norm in ("l2", "linf"):
        distances = getattr(found, norm)[moved]
        numbers[f"median_{norm}"] = distances.median().item() if len(distances) else None
    return found, before, numbers


def sticking(model: Model, data: Data, settings: dict[str, Any], seed: int) -> Attack:
    """A sticker made on training images, to be put on others."""
    import torch

    from simulacra.attacks.patch import make, stick
    from simulacra.core.batch import tensor
    from simulacra.core.noise import Noise, derive_seed

    train = _labelled(data.train.take(slice(0, PASTED)), model, data.name)
    assert train.y is not None
    # the noise of the images it is tried on is another
    noise, y = Noise(derive_seed(seed, 1)), torch.from_numpy(train.y)
    sticker = make(model, tensor(train.x), y, noise, **settings)

    def put(model: Model, x: Tensor, y: Tensor, noise: Noise) -> AdversarialExamples:
        return stick(model, sticker, x, y, noise, settings["target"])

    return put


def write(
    arguments: Arguments,
    found: AdversarialExamples,
    before: Tensor,
    model: Model,
    held_out: Dataset,
    told: dict[str, Any],
) -> None:
    """The picture, or the arrays."""
    import numpy as np

    from simulacra.attacks.sheet import sheet
    from simulacra.files import replacing
    from simulacra.report.figures import png

    names = ("x", "start", "fooled", "probabilities", "l2", "linf")
    arrays = {name: getattr(found, name).numpy() for name in names}
    arrays |= {"probabilities_before": before.numpy(), "y": np.asarray(held_out.y)}
    title = f"{told['method']}{_within(told)}: {100 * (told['fooled'] or 0):.0f}% of {told['counted']} fooled"
    truth = None if arguments.method == "noise" else arrays["y"]
    with replacing(arguments.out) as file:
        if arguments.out.suffix == ".png":
            file.write_bytes(png(sheet(found, before, model.spec.classes, title, truth), ground="white"))
            return
        with file.open("wb") as stream:
            np.savez_compressed(stream, allow_pickle=False, **arrays)


def play(
    arguments: Arguments,
    run: Run,
    model: Model,
    held_out: Dataset,
    settings: dict[str, Any],
    told: dict[str, Any],
) -> int:
    """The iterated game, a run folder a round; the same command again goes on where it stopped."""
    import dataclasses
    import json

    from simulacra.attacks.rounds import rounds
    from simulacra.engine.loop import train
    from simulacra.errors import RunError
    from simulacra.files import write_text
    from simulacra.run import Run

    config, out = run.config, arguments.out
    stored, known = out / "attack.json", json.dumps({**told, "added": arguments.added}, indent=1) + "\n"
    if stored.is_file() and stored.read_text(encoding="utf-8") != known:
        raise RunError(f"{out}: holds rounds of another attack; choose another --out, or delete it")
    write_text(stored, known)

    def retrain(number: int, data: Data) -> Model:
        return train(
            Run(out / f"round-{number}"),
            dataclasses.replace(config, spec=data.spec),
            data,
            quiet=arguments.json,
        )

    as_none = arguments.method == "noise"
    table = rounds(
        model, run.data(), held_out, made(arguments.method, settings), retrain,
        arguments.rounds, arguments.added, as_none, arguments.seed,
    )  # fmt: skip
    rows = []
    if not arguments.json:
        print("round  negatives  accuracy  under attack  under the attack before")
    for row in table:
        rows.append(dataclasses.asdict(row))
        if not arguments.json:
            print(_line(row), flush=True)
        write_text(out / "rounds.json", json.dumps(rows, indent=1) + "\n")
    if arguments.json:
        print(json.dumps({**told, "rounds": rows, "out": str(out)}))
    else:
        print(out)
    return 0


def _line(row: Round) -> str:
    before = "" if row.known_accuracy is None else f"{row.known_accuracy:23.4f}"
    return f"{row.number:5}  {row.negatives:9,}  {row.accuracy:8.4f}  {row.robust_accuracy:12.4f}  {before}"


def _within(told: dict[str, Any]) -> str:
    words = f" within {told['epsilon']:g} in {told['norm']}" if "epsilon" in told else ""
    return words + (f", to be read as {told['target']}" if "target" in told else "")


def _share(which: Tensor) -> float | None:
    return float(which.double().mean()) if len(which) else None


def _class(name: str | None, model: Model) -> int | None:
    from simulacra.errors import ConfigError, nearest

    if name is None:
        return None
    if name not in model.spec.classes:
        raise ConfigError(f"target: no class '{name}', {nearest(name, model.spec.classes)}")
    return model.spec.classes.index(name)


def _labelled(dataset: Dataset, model: Model, source: str) -> Dataset:
    """The examples with labels as the model numbers its classes, by their names.

    Raises:
        DataError: they have none, or of classes it does not know.
    """
    import numpy as np

    from simulacra.data.spec import Dataset
    from simulacra.errors import DataError

    if dataset.y is None:
        raise DataError(f"{source}: has no labels, and an attack needs to know what is right")
    known, classes = model.spec.classes, dataset.spec.classes
    if strange := [name for name in classes if name not in known]:
        raise DataError(
            f"{source}: classes {', '.join(strange[:5])} are not the run's: {', '.join(known[:10])}"
        )
    y = np.array([known.index(name) for name in classes], dtype=np.int64)[dataset.y]
    return Dataset(model.spec, dataset.x, y)
