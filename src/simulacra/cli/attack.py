"""`simulacra attack RUN --method pgd --out attack.png | attack.npz | folder --rounds 3`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from simulacra.cli.usage import Overwrite, parse

if TYPE_CHECKING:
    from simulacra.attacks.rounds import Round


@dataclass(frozen=True)
class Arguments:
    """Make adversarial examples for a classifier. With --rounds: train on them, and attack again."""

    run: tyro.conf.Positional[Path]
    """run folder of a classifier; it is not changed"""
    out: Path
    """attack.png: the first images before and after; attack.npz: arrays; with --rounds: folder for the new
    runs"""
    overwrite: Overwrite = False
    data: str | None = None
    """data source, e.g. mnist@validation; by default the test split of the run's own data"""
    method: Literal["fgsm", "pgd", "noise", "smallest", "patch"] = "pgd"
    """fgsm: one gradient step; pgd: projected gradient descent; noise: images from noise that are classified
    with high confidence; smallest: smallest L2 distortion; patch: one sticker for all images"""
    norm: Literal["linf", "l2"] | None = None
    """fgsm, pgd: norm of the perturbation; linf by default"""
    epsilon: float | None = None
    """fgsm, pgd: largest norm of the perturbation, for pixels in [0, 1]; by default 0.3 in linf, 2 in l2"""
    steps: int | None = None
    """all but fgsm: gradient steps; by default 40, and 200 for noise and patch"""
    restarts: int | None = None
    """pgd: random starts; 1 by default"""
    size: float | None = None
    """patch: diameter, as a share of the shorter side; 0.4 by default"""
    target: str | None = None
    """target class, by name; by default any wrong class"""
    n: Annotated[int, tyro.conf.arg(aliases=["-n"])] = 100
    """images to attack; with --rounds: images on which every round is measured"""
    seed: int = 0
    """random seed"""
    rounds: int = 0
    """fgsm, pgd, noise: trainings with the adversarial examples of earlier rounds added to the data, with
    their correct classes, or for noise as a class 'none'"""
    added: int = 5000
    """with --rounds: training images to attack before each training"""
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


def main(argv: list[str]) -> int:
    arguments = parse(Arguments, argv, "simulacra attack")
    settings = resolved(arguments)
    from simulacra.run import Run

    run = Run(arguments.run)
    run.check_trained()
    import json
    from dataclasses import asdict

    from simulacra.attacks.gradient import check
    from simulacra.data import split_of
    from simulacra.data.fitting import match
    from simulacra.errors import DataError
    from simulacra.tasks.attack import (
        adversarial_training,
        attack,
        target_class,
        title,
        write_arrays,
    )

    method, out, seed = arguments.method, arguments.out, arguments.seed
    split = split_of(arguments.data)
    model = run.load()
    check(model)
    target = settings["target"] = target_class(settings["target"], model)
    data = match(run.data(arguments.data), model.spec, labels=True)
    held_out = data.split(split)
    if held_out.y is None:
        raise DataError(f"{data.name}: has no labels, which an attack needs")
    if target is not None and method != "noise":
        assert held_out.y is not None
        held_out = held_out.take(held_out.y != target)
    held_out = held_out.take(slice(0, arguments.n))
    if len(held_out) == 0:
        raise DataError(
            f"{data.name}@{split}: no examples to attack; choose another split, class or more data"
        )
    description = {
        "run": str(run),
        "data": f"{data.name}@{split}",
        "method": method,
        **{name: value for name, value in settings.items() if value is not None},
        "seed": seed,
        "examples": len(held_out),
    }
    if target is not None:
        description["target"] = model.spec.classes[target]
    if arguments.rounds:
        rows = []
        if not arguments.json:
            print("round  negatives  accuracy  under attack  under the previous attack")
        for row in adversarial_training(
            run, model, held_out, method, settings, out, arguments.rounds, arguments.added, seed,
            description, quiet=arguments.json,
        ):  # fmt: skip
            rows.append(asdict(row))
            if not arguments.json:
                print(_line(row), flush=True)
        print(json.dumps({**description, "rounds": rows, "out": str(out)}) if arguments.json else out)
        return 0
    result = attack(model, data, held_out, method, settings, seed)
    if out.suffix == ".png":
        from simulacra.attacks.sheet import sheet
        from simulacra.files import replacing
        from simulacra.report.figures import png

        truth = None if method == "noise" else result.y
        heading = title({**description, **result.numbers})
        figure = sheet(result.examples, result.before, model.spec.classes, heading, truth)
        with replacing(out, arguments.overwrite) as file:
            file.write_bytes(png(figure, ground="white"))
    else:
        write_arrays(result, out, arguments.overwrite)
    if arguments.json:
        print(json.dumps({**description, **result.numbers, "out": str(out)}))
        return 0
    from simulacra.cli.evaluate import lines

    numbers = {key: "none" if value is None else value for key, value in result.numbers.items()}
    print("\n".join(lines({**description, **numbers})))
    print(out)
    return 0


def resolved(arguments: Arguments) -> dict[str, Any]:
    """The settings of the method, defaults included. Imports no torch.

    Raises:
        ConfigError: it does not take one that was given, or one cannot be.
        RunError: the output exists.
    """
    from simulacra.errors import ConfigError
    from simulacra.files import check_unused

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
        check_unused(out, overwrite=arguments.overwrite)
        return settings
    if method not in ("fgsm", "pgd", "noise"):
        raise ConfigError(f"rounds: are played with fgsm, pgd or noise, not with {method}")
    if out.suffix in (".png", ".npz") or out.is_file():
        raise ConfigError(f"out: {out} must be a folder for the runs of the rounds")
    if out.resolve() == arguments.run.resolve():
        raise ConfigError(f"out: {out} is the run itself, which stays as it is; choose another folder")
    if not (out / "attack.json").is_file():
        check_unused(out, overwrite=arguments.overwrite)
    return settings


def _line(row: Round) -> str:
    before = "" if row.known_accuracy is None else f"{row.known_accuracy:25.4f}"
    return f"{row.number:5}  {row.negatives:9,}  {row.accuracy:8.4f}  {row.robust_accuracy:12.4f}  {before}"
