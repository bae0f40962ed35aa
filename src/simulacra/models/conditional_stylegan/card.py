"""The card of `conditional_stylegan`: its settings and its introduction. Imports no torch."""

from __future__ import annotations

from dataclasses import replace

from simulacra.data.spec import DataSpec
from simulacra.models.conditional_gan.card import CARD as CONDITIONAL_GAN
from simulacra.models.settings import lacks_classes
from simulacra.models.stylegan.card import CARD as STYLEGAN
from simulacra.models.stylegan.card import needs as needs_sides


def needs(spec: DataSpec) -> str:
    """What the data lack, a sentence; empty when they suit."""
    return needs_sides(spec) or lacks_classes("conditional_stylegan", spec, "use a stylegan, or ")


CARD = replace(
    STYLEGAN,
    path="simulacra.models.conditional_stylegan.model:ConditionalStyleGAN",
    summary="a class-conditional stylegan: sample --class, mix",
    limits=CONDITIONAL_GAN.limits,
    needs=needs,
)
