"""`simulacra audit edits`: a planted difference between groups is found, and none where there is none."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.distributions import Normal

from simulacra.audit.edits.groups import EditedGroups, edited_groups
from simulacra.audit.edits.sections import edits_section, predictions_section
from simulacra.audit.shared.findings import Finding
from simulacra.data.spec import Data, Dataset, DataSpec
from simulacra.errors import ConfigError, DataError
from simulacra.latent.directions import Direction
from simulacra.metrics.features import load_extractor
from tests.tasks.linear_edits import Linear, predictor

NAMES = ("smile", "glasses", "group")
SMILE = Direction("smile", "z", torch.tensor([2.0, 0.0, 0.0]), "means", {"attribute": "smile>0"})
EYE = torch.eye(3).tolist()


class Uneven(Linear):
    """Edits of group 1 move the first factor, and drag the second one along, by as much as is given."""

    def __init__(self, moves: float = 1.0, drags: float = 0.0) -> None:
        super().__init__(EYE)
        self.moves, self.drags = moves, drags

    def encode(self, x: Tensor, space: str | None = None) -> Normal:
        z = x.clone()
        z[:, 0] = x[:, 0] / self._factor(x)
        z[:, 1] = x[:, 1] - self.drags * (x[:, 2] > 0.5) * z[:, 0]
        return Normal(z, 1.0)

    def decode(self, z: Tensor, space: str | None = None) -> Normal:
        x = z.clone()
        x[:, 0] = z[:, 0] * self._factor(z)
        x[:, 1] = z[:, 1] + self.drags * (z[:, 2] > 0.5) * z[:, 0]
        return Normal(x, 1.0)

    def _factor(self, x: Tensor) -> Tensor:
        return torch.where(x[:, 2] > 0.5, self.moves, 1.0)


def people(n: int = 600, rare: float = 0.5) -> Data:
    """Two independent factors, and a group of 0 and 1."""
    spec = DataSpec("vector", (3,), attributes=NAMES)
    rng = np.random.default_rng(2)
    parts = []
    for size in (n, n, n):
        x = rng.normal(size=(size, 3)).astype(np.float32)
        x[:, 2] = rng.random(size) < rare
        parts.append(Dataset(spec, x, attributes=x))
    return Data("people", *parts)


def audited(model: Linear, data: Data | None = None, error: Any = (0, 0, 0), **changes: Any) -> EditedGroups:
    settings = {"group": "group", "strength": 1.0, "examples": 2000, "seed": 0, **changes}
    direction = settings.pop("direction", SMILE)
    reads = predictor(NAMES, error)
    return edited_groups(
        model, data or people(), direction, predictor=reads, extractor=load_extractor("raw"), **settings
    )


def findings(of: EditedGroups, minimum: int = 30) -> dict[str, Finding]:
    sections = (predictions_section(of, minimum), edits_section(of, minimum))
    return {f.name: f for section in sections for f in section.findings}


def test_a_planted_difference_is_found() -> None:
    found = findings(audited(Uneven(moves=0.2)))
    assert found["success.group"].verdict == "finding"
    assert found["removal.group"].verdict == "finding"
    assert found["movement.group"].verdict == "finding"
    assert "whose group is without group" in found["success.group"].sentence
    # the shares of the normal factor between -2, or -0.4, and 0
    more = found["success.group"].more
    assert more["group.without-group"].holds(0.9545)
    assert more["group.group"].holds(0.311)
    sd = audited(Uneven()).measured.known.deviation[0]
    assert found["movement.group"].more["group.group"].value == pytest.approx(0.4 / sd, rel=1e-4)
    # who moves less stays more
    assert found["identity.group"].verdict == "finding"
    assert found["side-effects.group"].verdict == "no finding"


def test_no_difference_where_there_is_none() -> None:
    found = findings(audited(Uneven()))
    # the group is one of the features, so that the cosines of the groups differ
    assert {f.verdict for f in found.values() if f.name != "identity.group"} == {"no finding"}
    assert "compatible with no difference" in found["success.group"].sentence


def test_side_effects_of_one_group_are_found() -> None:
    found = findings(audited(Uneven(drags=0.5)))
    assert found["side-effects.group"].verdict == "finding"
    assert found["side-effects.group"].more["group.group"].value == pytest.approx(1.0, rel=0.05)
    assert found["success.group"].verdict == "no finding"


def test_a_predictor_that_is_worse_for_one_group_is_found() -> None:
    of = audited(Uneven())
    worse = of.right & ((of.group == 0) | (np.arange(len(of.group)) % 4 > 0))
    changed = EditedGroups(of.measured, of.target, of.column, of.names, of.group, worse)
    f = findings(changed)["predictions.group"]
    assert f.verdict == "finding"
    assert f.more["group.group"].holds(0.75)


def test_small_groups_are_withheld() -> None:
    found = findings(audited(Uneven(), people(rare=0.01)))
    assert found["success.group"].verdict == "withheld"
    assert "only one group has 30" in found["success.group"].sentence


def test_what_is_refused() -> None:
    with pytest.raises(ConfigError, match="'smile>0' is what the direction edits"):
        audited(Uneven(), group="smile>0")
    with pytest.raises(DataError, match="unknown attribute 'grup', did you mean 'group'"):
        audited(Uneven(), group="grup")
    nameless = Direction("pc 1", "z", torch.ones(3), "pca")
    with pytest.raises(ConfigError, match="for no attribute that predictor predicts"):
        audited(Uneven(), direction=nameless)
