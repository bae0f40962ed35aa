"""Counts of ProPublica's COMPAS table, two years, all 7,214 rows: no row of it is kept here.

Source: github.com/propublica/compas-analysis, compas-scores-two-years.csv; flagged: decile_score >= 5
(Larson et al. 2016).
"""

from pathlib import Path

# (race, sex) -> people without two_year_recid not flagged, flagged; with it not flagged, flagged
COUNTS = {
    ("African-American", "Female"): (241, 164, 74, 173),
    ("African-American", "Male"): (749, 641, 458, 1196),
    ("Asian", "Female"): (1, 0, 1, 0),
    ("Asian", "Male"): (20, 2, 2, 6),
    ("Caucasian", "Female"): (257, 111, 86, 113),
    ("Caucasian", "Male"): (882, 238, 375, 392),
    ("Hispanic", "Female"): (63, 7, 24, 9),
    ("Hispanic", "Male"): (255, 80, 105, 94),
    ("Native American", "Female"): (1, 0, 0, 3),
    ("Native American", "Male"): (4, 3, 1, 6),
    ("Other", "Female"): (46, 6, 10, 5),
    ("Other", "Male"): (162, 30, 80, 38),
}


def rows() -> list[tuple[str, str, int, int]]:
    """Race, sex, recidivated, flagged of every person."""
    return [
        (race, sex, y, flag)
        for (race, sex), cells in COUNTS.items()
        for (y, flag), n in zip(((0, 0), (0, 1), (1, 0), (1, 1)), cells, strict=True)
        for _ in range(n)
    ]


def write(path: Path) -> Path:
    """The table as CSV."""
    lines = [",".join(map(str, row)) for row in rows()]
    path.write_text("race,sex,recidivated,flagged\n" + "\n".join(lines) + "\n")
    return path


def only(path: Path, *races: str) -> Path:
    """The table as CSV, without the others."""
    lines = [",".join(map(str, row)) for row in rows() if row[0] in races]
    path.write_text("race,sex,recidivated,flagged\n" + "\n".join(lines) + "\n")
    return path
