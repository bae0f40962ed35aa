"""The report card of a run's directions: examples edited along each of them."""

from __future__ import annotations

from typing import Any

from simulacra.core.batch import tensor, to_bytes
from simulacra.core.capabilities import Decodes, Encodes
from simulacra.errors import SimulacraError, printable
from simulacra.latent import directions
from simulacra.latent.directions import Direction
from simulacra.report.figures import shortened
from simulacra.report.inline_images import WIDTH, layout, tiles
from simulacra.report.material import Material
from simulacra.report.report_card import ReportCard
from simulacra.report.templating import render
from simulacra.tasks.edit import STRENGTHS, edit, edit_latents, strength_name
from simulacra.tasks.interpolate import from_seeds

# examples, and directions that are shown; methods that need no labels come last
ROWS, SHOWN = 5, 6
UNLABELLED = ("pca", "sefa")


def edited_examples(m: Material[Decodes]) -> ReportCard | None:
    """For each direction of the run, examples at five strengths, with the accuracy of the direction."""
    if m.config.spec.kind != "image":
        return None
    found, stale = usable(m)
    encodes = isinstance(m.model, Encodes)
    if not found or (m.held is None if encodes else m.model.latent.prior is None):
        return None
    scale, _ = layout(m.config.spec.shape, target=48, width=WIDTH // 2, most=ROWS, least=ROWS)
    grids = []
    for direction in found[:SHOWN]:
        if m.held is not None and encodes:
            y = edit(m.model, tensor(m.held.x[:ROWS], m.model.device), direction, STRENGTHS)
            what = f"{len(y)} random examples of the {m.split} split"
        else:
            z = from_seeds(m.model, list(range(ROWS)), direction.space)
            y, what = edit_latents(m.model, z, direction, STRENGTHS), f"the samples of seeds 0 to {ROWS - 1}"
        name = printable(shortened(direction.name, 40))
        alt = f"{len(y)} examples at {len(STRENGTHS)} strengths along {name}"
        grids.append(
            (f"{name}{accuracy(direction)}", tiles(to_bytes(y.flatten(0, 1)), y.shape[1], scale, alt))
        )
    strengths = ", ".join(map(strength_name, STRENGTHS))
    caption = (
        f"Rows: {what}, edited along each direction. Columns: strengths {strengths}; 0 is"
        f" {'the reconstruction' if encodes else 'the unedited sample'}."
    )
    if any(accuracy(direction) for direction in found[:SHOWN]):
        caption += " Accuracy: the share of labelled examples on the right side of the direction's threshold."
    if len(found) > SHOWN:
        caption += f" {len(found) - SHOWN} more directions are not shown."
    if stale:
        caption += f" {stale} found with other weights, or damaged, are left out."
    wide = len(grids) > 1
    return ReportCard("directions", "Directions", render("beside.html", grids=grids), caption, wide)


def usable(m: Material[Decodes]) -> tuple[list[Direction], int]:
    """The directions that were found with the run's weights, labelled ones first, and how many others."""
    found, others = [], 0
    for name in directions.names(m.run):
        try:
            direction = directions.load(m.run, name)
            direction.check(m.model)
        except SimulacraError:
            others += 1
        else:
            found.append(direction)
    return sorted(found, key=lambda one: one.method in UNLABELLED), others


def accuracy(direction: Direction) -> str:
    """The accuracy of a labelled direction, e.g. `: accuracy 93% of 200, held-out data`."""
    accuracy: Any = direction.details.get("held_out_accuracy")
    try:
        return f": accuracy {accuracy['value']:.0%} of {accuracy['n']:,} ({accuracy['measured_on']})"
    except (TypeError, LookupError, ValueError):
        return ""
