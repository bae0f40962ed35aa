"""`feedback`: what happens when predictions decide what is observed and models learn from it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from simulacra.audit.shared.arguments import Shared
from simulacra.audit.shared.findings import Audit


@dataclass(frozen=True, kw_only=True)
class Arguments(Shared):
    """Simulate a feedback loop many times: patrols go where they recorded crime, and record it there."""

    preset: Literal["urn", "oakland", "poverty"]
    """urn: two identical areas; oakland: two areas in the setting of Lum and Isaac 2016; poverty: profiling
    of a group, where a conviction keeps people poor"""
    rates: tuple[float, float] | None = None
    """mean incidents found by a visit to each area (urn and oakland)"""
    start: tuple[float, float] | None = None
    """recorded incidents of each area at the start (urn and oakland)"""
    steps: int | None = None
    """draws from the urn, default 1,000; years for poverty, default 30"""
    seeds: int = 200
    """runs, each with its own random numbers"""
    seed: int = 0
    """random seed"""


def audit(arguments: Arguments) -> Audit:
    """Simulate a loop many times, with and without a correction.

    Raises:
        ConfigError: an impossible setting.
    """
    from simulacra.errors import ConfigError

    for name, number, least, most in (
        ("steps", arguments.steps, 1, 100_000),
        ("seeds", arguments.seeds, 20, 100_000),
        ("seed", arguments.seed, 0, None),
    ):
        if number is not None and (number < least or (most is not None and number > most)):
            at_most = f" and at most {most:,}" if most else ""
            raise ConfigError(f"{name}: must be at least {least:,}{at_most}, not {number}")
    inputs: dict[str, str | int | float] = {"preset": arguments.preset}
    if arguments.preset == "poverty":
        if arguments.rates is not None or arguments.start is not None:
            raise ConfigError("feedback: rates and start belong to the presets urn and oakland")
        from simulacra.audit.feedback import profiling

        steps = arguments.steps or 30
        sections = profiling.sections(steps, arguments.seeds, arguments.seed)
        inputs |= {"people": profiling.PEOPLE, "years": steps}
        title = "A loop of profiling and poverty"
        lead = (
            "A simulated town with two groups that start out alike, but not in the records. Each year people "
            f"are stopped where the records point. {arguments.seeds} runs of {steps} years."
        )
    else:
        from simulacra.audit.feedback import patrols
        from simulacra.audit.feedback.polya_urn import SETTINGS

        preset = SETTINGS[arguments.preset]
        rates, start = arguments.rates or preset.rates, arguments.start or preset.start
        setting = replace(preset, rates=rates, start=start)
        for name, pair in (("rates", setting.rates), ("start", setting.start)):
            if not all(0 < number < 1e9 for number in pair):
                raise ConfigError(f"{name}: two numbers above 0, not {pair[0]:g} and {pair[1]:g}")
        steps = arguments.steps or 1000
        sections = patrols.sections(setting, steps, arguments.seeds, arguments.seed)
        inputs |= {f"rate {k}": rate for k, rate in enumerate(setting.rates, 1)}
        inputs |= {f"record {k}": record for k, record in enumerate(setting.start, 1)}
        inputs |= {
            "what a visit finds": "varies (Poisson)" if setting.poisson else "exactly the rate",
            "draws": steps,
        }
        title = "Patrols that learn from what they find"
        lead = (
            "Two areas. Each patrol picks an area with the probability of its share of the records, and what "
            f"the patrol finds is added to the records (Ensign et al. 2018). {arguments.seeds} runs of "
            f"{steps:,} patrols."
        )
    return Audit(
        "feedback",
        title,
        lead,
        sections,
        {**inputs, "seeds": arguments.seeds, "seed": arguments.seed},
        [
            "Your own loop: which prediction decides what is observed, and does the model learn from it? "
            "Draw the loop, and run 'simulacra audit causes'.",
            "Incidents that people report themselves: they enter the records wherever patrols go, and slow "
            "the loop down without ending it (Ensign et al. 2018).",
        ],
    )
