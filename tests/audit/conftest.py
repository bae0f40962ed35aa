"""Tables and costs that several tests of audits read."""

from pathlib import Path

import numpy as np
import pytest

COSTS = """unit: wrongful searches
actions:
  search: {carries: 0, innocent: 1}
  let go: {carries: 5, innocent: 0}
"""
MAIL = """actions:
  delete: {spam: 0, ham: 10}
  junk: {spam: 1, ham: 3}
  inbox: {spam: 4, ham: 0}
"""


@pytest.fixture
def costs(tmp_path: Path) -> Path:
    path = tmp_path / "costs.yaml"
    path.write_text(COSTS)
    return path


@pytest.fixture
def mail(tmp_path: Path) -> Path:
    path = tmp_path / "mail.yaml"
    path.write_text(MAIL)
    return path


@pytest.fixture(scope="session")
def people(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """4,000 people: p is the probability of y in the north; in the south y is less common by a third."""
    rng = np.random.default_rng(0)
    region = rng.choice(["north", "south"], 4000, p=[0.6, 0.4])
    p = rng.beta(1.2, 4, 4000).round(4)
    y = rng.random(4000) < p * np.where(region == "south", 2 / 3, 1)
    # a column that tells the region, and one that does not
    district = np.where(rng.random(4000) < 0.9, region, "west")
    path = tmp_path_factory.mktemp("people") / "people.csv"
    rows = zip(region, p, y.astype(int), district, rng.random(4000).round(3), strict=True)
    path.write_text("region,p,y,district,height\n" + "\n".join(",".join(map(str, row)) for row in rows))
    return path
