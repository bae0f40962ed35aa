"""`generator`: who is generated, how well, and who is memorised."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import tyro

from simulacra.audit.shared.arguments import Shared
from simulacra.audit.shared.findings import Audit

if TYPE_CHECKING:
    from simulacra.run import Run

# samples from which shares and neighbours can be told
FEWEST = 100


@dataclass(frozen=True, kw_only=True)
class Arguments(Shared):
    """Hold a generator's samples against its data, group by group."""

    # a field of its own: without, the default of `Shared` would stay
    run: tyro.conf.Positional[Path] = field()
    """run folder of a model that samples"""
    attribute: str
    """groups: attributes of the data, with commas between them; 'class', or a condition as 'age>=60'"""
    data: str | None = None
    """data source, e.g. folder:faces.zip; the run's own when not given"""
    classifier: str | None = None
    """run folders of classifiers, one for each attribute, with commas between them (simulacra train
    classifier --target ATTRIBUTE); without, a linear one is trained on the spot"""
    truncation: str | None = None
    """truncations to sample with, e.g. 0.5,0.7,1"""
    features: str = "raw"
    """what neighbours are looked for in: raw, efficientnet-lite0, inception, or the run folder of a
    classifier"""
    samples: int = 4000
    """samples that are drawn"""
    minimum_n: int = 30
    """held-out examples, and samples, that a number of a group needs; below, it is withheld"""
    pairs: bool = True
    """show the samples that are closest to training pictures beside these"""
    seed: int = 0
    """of all noise"""


def audit(arguments: Arguments) -> Audit:
    """Look at a run that samples.

    Raises:
        ConfigError: an impossible setting, or a classifier that does not fit.
        DataError: the data, or an attribute of theirs, cannot be used.
        RunError: there is no run, or one that does not sample.
    """
    from simulacra.errors import ConfigError, RunError
    from simulacra.run import Run

    if arguments.minimum_n < 2:
        raise ConfigError(f"minimum-n: must be at least 2, not {arguments.minimum_n}")
    if arguments.samples < FEWEST:
        raise ConfigError(f"samples: must be at least {FEWEST}, not {arguments.samples}")
    attributes = [name.strip() for name in arguments.attribute.split(",")]
    if "" in attributes or len(set(attributes)) < len(attributes):
        raise ConfigError(f"attribute: '{arguments.attribute}' names one twice, or none")
    truncations = _truncations(arguments.truncation)
    classifiers = [Path(path.strip()) for path in (arguments.classifier or "").split(",") if path.strip()]
    if classifiers and len(classifiers) != len(attributes):
        raise ConfigError(
            f"classifier: {len(classifiers)} of them for {len(attributes)} attributes; name one for each, in "
            "their order"
        )
    run = Run(arguments.run)
    model = run.load()
    from simulacra.core.capabilities import Samples

    if not isinstance(model, Samples):
        raise RunError(f"{run}: a {run.config.model} does not sample, so there is nothing to audit")
    return _look(arguments, run, model, attributes, classifiers, truncations)


def _look(
    arguments: Arguments,
    run: Run,
    model: object,
    attributes: list[str],
    classifiers: list[Path],
    truncations: list[float],
) -> Audit:
    from simulacra.audit.generator.generated import Looked, classifier, draw, in_data, shares
    from simulacra.audit.generator.group_classifier import axes, reads, training
    from simulacra.audit.generator.memorised import memorised
    from simulacra.audit.generator.quality import features, quality
    from simulacra.audit.generator.truncation import truncation
    from simulacra.data import parse
    from simulacra.metrics.features import load_extractor
    from simulacra.run import Run

    source = arguments.data or run.config.source
    split = parse(source)[2] or "train"
    data = run.data(arguments.data)
    of_run = Path(arguments.features, "config.yaml").is_file()
    extractor = load_extractor(Run(Path(arguments.features)).load() if of_run else arguments.features)
    seen = None if arguments.features == "raw" else lambda x: features(x, extractor)
    found = axes(data, attributes, classifiers, seen, source, split)
    samples = draw(model, arguments.samples, arguments.seed)
    looked = Looked(
        model,
        data,
        split,
        found,
        samples,
        reads(found, samples),
        extractor,
        arguments.minimum_n,
        arguments.seed,
    )
    sections = [in_data(looked), classifier(looked)]
    for i in range(len(found)):
        sections += [shares(looked, i), quality(looked, i)]
    if truncations:
        sections.append(truncation(looked, truncations))
    sections.append(memorised(looked, arguments.pairs))
    asked = ["What is done with the samples, and to whom: they are not actions yet."]
    if not classifiers:
        commands = "; ".join(training(source, name, data.spec) for name in attributes)
        asked.append(
            "How a better classifier reads the samples: the linear one is weak on pictures, and intervals "
            f"are the wider for it. Train one and name it with --classifier: {commands}"
        )
    if not truncations:
        asked.append("How shares change with truncation: give --truncation 0.5,0.7,1.")
    inputs: dict[str, str | int | float] = {
        "run": str(run),
        "model": run.config.model,
        "data": f"{source} ({split}: {len(data.split(split)):,})",
        "held out (validation and test)": len(looked.held),
        "attributes": ", ".join(attributes),
        "classifier": found[-1].by,
        "samples": len(samples),
        "features": " ".join([extractor.name, extractor.weights]).strip(),
        "seed": arguments.seed,
    }
    return Audit(
        "generator",
        f"Who is generated: {', '.join(attributes)}",
        f"{len(samples):,} samples of {run}, a {run.config.model}, against {source}.",
        sections,
        inputs,
        asked,
    )


def _truncations(text: str | None) -> list[float]:
    """In order, with 1; empty when none is asked for.

    Raises:
        ConfigError: one is no number, or there is none but 1.
    """
    from simulacra.errors import ConfigError

    if text is None:
        return []
    try:
        values = {float(part) for part in text.split(",")}
    except ValueError:
        values = {-1.0}
    if not all(0 <= value < float("inf") for value in values) or values == {1.0}:
        raise ConfigError(f"truncation: '{text}' are no numbers of 0 and more besides 1; write 0.5,0.7,1")
    return sorted(values | {1.0})
