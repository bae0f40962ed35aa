"""`generator`: who is generated, how well, and who is memorised."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import isfinite
from pathlib import Path

import tyro

from simulacra.audit.shared.arguments import Shared
from simulacra.audit.shared.findings import Audit

# samples that shares and neighbours need
FEWEST = 100


@dataclass(frozen=True, kw_only=True)
class Arguments(Shared):
    """Compare a generator's samples with its data, group by group."""

    # a field of its own, since it has no default
    run: tyro.conf.Positional[Path] = field()
    """run folder of a model that samples"""
    attribute: str
    """groups: comma-separated attributes of the data, 'class', or a condition such as 'age>=60'"""
    data: str | None = None
    """data source, e.g. folder:faces.zip; default: the run's own"""
    classifier: str | None = None
    """comma-separated run folders of classifiers, one for each attribute (simulacra train classifier --target
    ATTRIBUTE); default: linear classifiers trained on the spot"""
    prior: str | None = None
    """name of a density that was fitted to latents ('simulacra density')"""
    truncation: str | None = None
    """truncations to compare, e.g. 0.5,0.7,1"""
    features: str = "raw"
    """features for distances: raw, efficientnet-lite0, inception, or the run folder of a classifier"""
    samples: int = 4000
    """number of samples"""
    minimum_n: int = 30
    """held-out examples and samples that a number of a group needs; with fewer, it is withheld"""
    pairs: bool = True
    """show the samples closest to training pictures beside these"""
    seed: int = 0
    """random seed"""


def audit(arguments: Arguments) -> Audit:
    """Compare a generator's samples with its data, group by group.

    Raises:
        ConfigError: an impossible setting, or a classifier that does not fit.
        DataError: the data or their attributes cannot be used.
        RunError: there is no run, or one that does not sample.
    """
    from simulacra.errors import ConfigError
    from simulacra.run import Run

    if arguments.minimum_n < 2:
        raise ConfigError(f"minimum-n: must be at least 2, not {arguments.minimum_n}")
    if arguments.samples < FEWEST:
        raise ConfigError(f"samples: must be at least {FEWEST}, not {arguments.samples}")
    attributes = [name.strip() for name in arguments.attribute.split(",")]
    if "" in attributes or len(set(attributes)) < len(attributes):
        raise ConfigError(f"attribute: '{arguments.attribute}' names an attribute twice, or none")
    truncations = _truncations(arguments.truncation)
    classifiers = [Path(path.strip()) for path in (arguments.classifier or "").split(",") if path.strip()]
    if classifiers and len(classifiers) != len(attributes):
        raise ConfigError(
            f"classifier: {len(classifiers)} for {len(attributes)} attributes; give one for each, in the "
            "same order"
        )
    run = Run(arguments.run)
    from simulacra.audit.generator.group_classifier import groupings, predict_all, training_command
    from simulacra.audit.generator.grouped import GroupedGenerator, stored_samples
    from simulacra.audit.generator.memorised import memorised_section
    from simulacra.audit.generator.quality import quality_section
    from simulacra.audit.generator.shares import classifier_section, data_section, shares_section
    from simulacra.audit.generator.truncation import truncation_section
    from simulacra.core.capabilities import Samples
    from simulacra.data import parse
    from simulacra.metrics.features import load_extractor
    from simulacra.metrics.statistics import Statistics

    model = run.load_with(Samples, arguments.prior)
    source, data = arguments.data or run.config.source, run.data(arguments.data)
    split = parse(source)[2] or "train"
    of_run = Path(arguments.features, "config.yaml").is_file()
    asked = Run(Path(arguments.features)).load() if of_run else arguments.features
    extractor = load_extractor(asked, train=data.train)
    features = None if arguments.features == "raw" else lambda x: Statistics(x, extractor).features
    found = groupings(data, attributes, classifiers, features, source, split)
    samples = stored_samples(model, arguments.samples, arguments.seed)
    predicted, minimum, seed = predict_all(found, samples), arguments.minimum_n, arguments.seed
    audited = GroupedGenerator(model, data, split, found, samples, predicted, extractor, minimum, seed)
    sections = [data_section(audited), classifier_section(audited)]
    for i in range(len(found)):
        sections += [shares_section(audited, i), quality_section(audited, i)]
    if truncations:
        sections.append(truncation_section(audited, truncations))
    sections.append(memorised_section(audited, arguments.pairs))
    not_asked = ["What is done with the samples, and to whom: they are not actions yet."]
    if not classifiers:
        commands = "; ".join(training_command(source, name, data.spec) for name in attributes)
        not_asked.append(
            "How a better classifier divides the samples: linear ones are weak on pictures, which widens the "
            f"intervals. Train one and give it with --classifier: {commands}"
        )
    if not truncations:
        not_asked.append("How shares change with truncation: give --truncation 0.5,0.7,1.")
    return Audit(
        "generator",
        f"Who is generated: {', '.join(attributes)}",
        f"{len(samples):,} samples of {run}, a {run.config.model}, compared with {source}.",
        sections,
        {
            "run": str(run),
            "model": run.config.model,
            "data": f"{source} ({split}: {len(data.split(split)):,})",
            "held out (validation and test)": len(audited.held_out),
            "attributes": ", ".join(attributes),
            "classifier": found[-1].classifier,
            "samples": len(samples),
            "features": f"{extractor.name} {extractor.weights}".strip(),
            "seed": arguments.seed,
        },
        not_asked,
    )


def _truncations(text: str | None) -> list[float]:
    """Sorted, with 1; empty when there are none.

    Raises:
        ConfigError: one is not a number, or there is none but 1.
    """
    from simulacra.errors import ConfigError

    if text is None:
        return []
    try:
        values = {float(part) for part in text.split(",")}
    except ValueError:
        values = {-1.0}
    if not all(value >= 0 and isfinite(value) for value in values) or values == {1.0}:
        raise ConfigError(
            f"truncation: '{text}' must be numbers of 0 or more, one besides 1; write 0.5,0.7,1"
        )
    return sorted(values | {1.0})
