"""`feedback`: what happens where a prediction decides what is seen, and what is seen is learned from."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from simulacra.audit.shared.arguments import Shared
from simulacra.audit.shared.findings import Audit


@dataclass(frozen=True, kw_only=True)
class Arguments(Shared):
    """Let a loop run many times: patrols go where crime was found, and find it where they go."""

    preset: Literal["urn", "oakland", "poverty"]
    """urn: two areas alike; oakland: two areas in the setting of Lum and Isaac 2016; poverty: profiling of a
    group, where a conviction keeps people poor"""
    rates: tuple[float, float] | None = None
    """of urn and oakland: incidents that a visit to each area finds, on average"""
    start: tuple[float, float] | None = None
    """of urn and oakland: incidents of each area on record"""
    steps: int | None = None
    """draws from the urn, 1,000 when not given; of poverty years, 30"""
    seeds: int = 200
    """runs with different seeds"""
    seed: int = 0
    """of the first run"""


def audit(arguments: Arguments) -> Audit:
    """Run a loop many times, as it is and corrected.

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
            raise ConfigError(
                f"{name}: must be {least:,} or more{f', up to {most:,}' if most else ''}, not {number}"
            )
    if arguments.preset == "poverty":
        if arguments.rates is not None or arguments.start is not None:
            raise ConfigError("feedback: rates and start belong to the presets urn and oakland")
        from simulacra.audit.feedback.profiling import PEOPLE, sections

        steps = arguments.steps or 30
        about: dict[str, str | int | float] = {"people": PEOPLE, "years": steps}
        title, told = "A loop of profiling and poverty", sections(steps, arguments.seeds, arguments.seed)
        lead = (
            "A made-up town with two groups that begin alike, but not in the records. Each year people are "
            f"stopped where the records point. {arguments.seeds} runs of {steps} years."
        )
    else:
        from simulacra.audit.feedback.patrols import sections as patrols
        from simulacra.audit.feedback.polya_urn import SETTINGS

        setting = SETTINGS[arguments.preset]
        setting = replace(
            setting, rates=arguments.rates or setting.rates, start=arguments.start or setting.start
        )
        for name, pair in (("rates", setting.rates), ("start", setting.start)):
            if not all(0 < number < 1e9 for number in pair):
                raise ConfigError(f"{name}: two numbers above 0, not {pair[0]:g} and {pair[1]:g}")
        steps = arguments.steps or 1000
        about = {
            f"{name} {k + 1}": pair[k]
            for name, pair in (("rate", setting.rates), ("record", setting.start))
            for k in (0, 1)
        }
        about |= {
            "what a visit finds": "varies (Poisson)" if setting.poisson else "exactly the rate",
            "draws": steps,
        }
        title, told = (
            "Patrols that learn from what they find",
            patrols(setting, steps, arguments.seeds, arguments.seed),
        )
        lead = (
            "Two areas. Each patrol goes to one of them as often as its share of the records says, and what "
            f"it finds there enters the records (Ensign et al. 2018). {arguments.seeds} runs of {steps:,} "
            "patrols."
        )
    return Audit(
        "feedback",
        title,
        lead,
        told,
        {"preset": arguments.preset, **about, "seeds": arguments.seeds, "seed": arguments.seed},
        [
            "Your own loop: which prediction decides what is seen, and is what is seen learned from? Draw "
            "it, and run 'simulacra audit causes'.",
            "Incidents that people report themselves: they enter the records wherever patrols go, and slow "
            "the loop down without ending it (Ensign et al. 2018).",
        ],
    )
