"""The card of `conditional_flow_matching`: its settings and its introduction. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass

from simulacra.config import check_ranges
from simulacra.core.card import ModelCard
from simulacra.data.spec import DataSpec
from simulacra.errors import ConfigError
from simulacra.models.flow_matching.card import CARD as FLOW_MATCHING
from simulacra.models.flow_matching.card import LIMITS, FlowMatchingConfig
from simulacra.models.settings import lacks_classes, lacks_numbers


@dataclass(frozen=True)
class ConditionalFlowMatchingConfig(FlowMatchingConfig):
    """Net, training and solver of a velocity field given the class."""

    class_dropout: float = 0.1
    """share of examples that train the velocity without a class, which guidance needs"""
    guidance: float = 1.0
    """strength of the class in samples; 1: as in the data, more: more typical of the class, less varied"""

    def __post_init__(self) -> None:
        """Raises ConfigError for impossible settings."""
        super().__post_init__()
        check_ranges(self, at_least_0=("guidance",))
        if not 0 <= self.class_dropout < 1:
            raise ConfigError(f"class_dropout: must be in [0, 1), not {self.class_dropout}")
        if self.class_dropout == 0 and self.guidance != 1:
            raise ConfigError("guidance: needs a --class-dropout above 0")


def needs(spec: DataSpec) -> str:
    """What the data lack, a sentence; empty when they suit."""
    name = "conditional_flow_matching"
    return lacks_classes(name, spec, "use a flow_matching, or ") or lacks_numbers(name, spec)


CARD = ModelCard(
    "simulacra.models.conditional_flow_matching.model:ConditionalFlowMatching",
    ConditionalFlowMatchingConfig,
    "flow matching given the class, with guidance: sample --class --guidance",
    (
        *LIMITS,
        "It samples the classes as frequently as they occur in the training data, which may not be their"
        " frequency elsewhere.",
        "With guidance above 1 samples of a class are more typical, and no longer distributed as the data.",
    ),
    training=FLOW_MATCHING.training,
    gains_bf16=FLOW_MATCHING.gains_bf16,
    needs=needs,
    densities={"conditional-flow-matching": {}},
)
