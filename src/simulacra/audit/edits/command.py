"""`edits`: who is an edit good for?"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import isfinite
from pathlib import Path

import tyro

from simulacra.audit.shared.arguments import Shared
from simulacra.audit.shared.findings import Audit


@dataclass(frozen=True, kw_only=True)
class Arguments(Shared):
    """Compare how well a direction edits held-out examples of different groups."""

    # a field of its own, since it has no default
    run: tyro.conf.Positional[Path] = field()
    """run folder of a model that encodes and decodes"""
    direction: str
    """direction of the run"""
    group: str
    """groups: an attribute of the data, 'class', or a condition such as 'age>=60'"""
    strength: float = 1.0
    """strength of the edit that adds the attribute; the opposite one removes it"""
    classifier: Path | None = None
    """run folder of a classifier or regressor that predicts attributes; by default a regressor of all
    attributes of the data, trained once and kept in the run"""
    data: str | None = None
    """data source, e.g. folder:faces.zip; default: the run's own"""
    features: str | None = None
    """features whose cosine is the identity: raw, efficientnet-lite0, inception, or the run folder of a
    classifier; efficientnet-lite0 for images of 32 pixels and more, and raw otherwise, when not given"""
    examples: int = 2000
    """held-out examples that are edited, at most"""
    minimum_n: int = 30
    """examples that a number of a group needs; with fewer, it is withheld"""
    seed: int = 0
    """random seed"""


def audit(arguments: Arguments) -> Audit:
    """Compare how well a direction edits held-out examples of different groups.

    Raises:
        ConfigError: an impossible setting, or a direction whose attribute is not known.
        DataError: the data or their attributes cannot be used.
        RunError: there is no run or direction, or the model does not encode.
    """
    from simulacra.errors import ConfigError
    from simulacra.run import Run

    if arguments.minimum_n < 2:
        raise ConfigError(f"minimum-n: must be at least 2, not {arguments.minimum_n}")
    if arguments.examples < 2:
        raise ConfigError(f"examples: must be at least 2, not {arguments.examples}")
    if not (isfinite(arguments.strength) and arguments.strength > 0):
        raise ConfigError(f"strength: must be above 0, not {arguments.strength:g}")
    run = Run(arguments.run)
    run.check_trained()
    from simulacra.audit.edits.groups import edited_groups
    from simulacra.audit.edits.sections import edits_section, predictions_section
    from simulacra.core.capabilities import Reconstructs
    from simulacra.latent import directions
    from simulacra.metrics.features import load_extractor
    from simulacra.tasks.attribute_predictor import predictor_of
    from simulacra.tasks.evaluate import fitted
    from simulacra.tasks.evaluate_edits import identity_features

    direction = directions.load(run, arguments.direction)
    model = run.load_with(Reconstructs)
    source = arguments.data or run.config.source
    data, _ = fitted(model, source)
    features: object = arguments.features or identity_features(model.spec)
    if Path(str(features), "config.yaml").is_file():
        features = Run(str(features)).load()
    extractor = load_extractor(features, train=data.train)
    predictor = predictor_of(run, arguments.classifier, None if arguments.data else data)
    audited = edited_groups(
        model,
        data,
        direction,
        arguments.group,
        predictor,
        extractor,
        arguments.strength,
        arguments.examples,
        arguments.seed,
    )
    known = audited.measured.known
    withheld = [f"Whether the edit moves '{name}': {why}." for name, why in known.withheld.items()]
    return Audit(
        "edits",
        f"Who the edit '{direction.name}' is good for",
        f"{len(audited.group):,} held-out examples of {source}, edited by {run} along '{direction.name}' at"
        f" strength {arguments.strength:g} and -{arguments.strength:g}, by {arguments.group}.",
        [
            predictions_section(audited, arguments.minimum_n),
            edits_section(audited, arguments.minimum_n),
        ],
        {
            "run": str(run),
            "model": run.config.model,
            "direction": direction.name,
            "method": direction.method,
            "attribute": audited.target.name,
            "data": source,
            "edited examples": len(audited.group),
            "strength": arguments.strength,
            "predictor": str(predictor.run),
            "features": f"{extractor.name} {extractor.weights}".strip(),
            "seed": arguments.seed,
        },
        [*withheld, "What is done with the edited examples, and to whom: they are not actions yet."],
    )
