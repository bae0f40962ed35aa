"""Tables as people have them, random: words, numbers, dates and missing cells that depend on each other."""

from __future__ import annotations

import csv
from datetime import date, timedelta
from pathlib import Path

import numpy as np

Table = dict[str, list[str]]

EDUCATION = (
    "Preschool", "1st-4th", "5th-6th", "7th-8th", "9th", "10th", "11th", "12th", "HS-grad", "Some-college",
    "Assoc-voc", "Assoc-acdm", "Bachelors", "Masters", "Prof-school", "Doctorate",
)  # fmt: skip
OCCUPATIONS = ("Craft-repair", "Sales", "Other-service", "Adm-clerical", "Tech-support", "Prof-specialty")
COUNTRIES = ("United-States", *(f"Country-{i}" for i in range(2, 43)))


def adult(n: int = 2000, seed: int = 0) -> Table:
    """15 columns like those of the census: 8 of words, 42 countries, a date, missing cells, few gains."""
    rng = np.random.default_rng(seed)
    age = np.clip(17 + rng.gamma(2.5, 9, n), 17, 90).round()
    years = np.clip(rng.normal(10 + (age > 25), 2.5), 1, 16).round().astype(int)
    sex = np.where(rng.random(n) < 0.67, "Male", "Female")
    married = rng.random(n) < 1 / (1 + np.exp(-(age - 33) / 8))
    marital = np.where(married, "Married", np.where(age < 30, "Never-married", "Divorced"))
    relationship = np.where(married, np.where(sex == "Male", "Husband", "Wife"), "Not-in-family")
    place = np.clip((years - 5) / 2 + rng.normal(0, 1.2, n), 0, 5).astype(int)
    hours = np.where(rng.random(n) < 0.47, 40, np.clip(rng.normal(41, 13, n), 1, 99).round())
    wage = np.exp(1.9 + 0.09 * years + 0.008 * age + rng.normal(0, 0.3, n))
    score = 0.35 * (years - 10) + 0.05 * (age - 38) + 1.8 * married + 0.03 * (hours - 40) - 2.4
    rich = rng.random(n) < 1 / (1 + np.exp(-score))
    gain = np.where(rng.random(n) < 0.05 + 0.15 * rich, np.exp(rng.normal(8, 1, n)).round(), 0)
    loss = np.where(rng.random(n) < 0.06, rng.normal(1870, 300, n).round(), 0)
    country = np.where(rng.random(n) < 0.9, 0, rng.integers(0, len(COUNTRIES), n))
    days = rng.integers(0, np.maximum(1, 365 * (age - 16)).astype(int))
    work = rng.choice(["Private", "Self-emp", "Local-gov", "Federal-gov"], n, p=[0.72, 0.11, 0.1, 0.07])
    unknown = rng.random(n) < 0.06
    return {
        "age": _whole(age),
        "workclass": np.where(unknown, "?", work).tolist(),
        "hired": [(date(2024, 6, 30) - timedelta(days=int(d))).isoformat() for d in days],
        "education": [EDUCATION[y - 1] for y in years],
        "education-num": _whole(years),
        "marital-status": marital.tolist(),
        "occupation": ["?" if lost else OCCUPATIONS[k] for k, lost in zip(place, unknown, strict=True)],
        "relationship": relationship.tolist(),
        "sex": sex.tolist(),
        "capital-gain": _whole(gain),
        "capital-loss": _whole(loss),
        "hours-per-week": _whole(hours),
        "wage": _missing(rng, 0.08, [f"{value:.2f}" for value in wage]),
        "native-country": [COUNTRIES[k] for k in country],
        "income": np.where(rich, ">50K", "<=50K").tolist(),
    }


def german(n: int = 1000, seed: int = 0) -> Table:
    """Credits: words, numbers, codes that look like numbers, and whether they were paid back."""
    rng = np.random.default_rng(seed)
    months = rng.choice([6, 9, 12, 15, 18, 24, 30, 36, 48, 60], n)
    amount = np.exp(rng.normal(6.4 + 0.03 * months, 0.6)).round()
    age = np.clip(19 + rng.gamma(2, 8, n), 19, 75).round()
    checking = rng.choice(["<0 DM", "0-200 DM", ">=200 DM", "none"], n, p=[0.27, 0.27, 0.06, 0.4])
    housing = np.where(age > 32, rng.choice(["own", "free"], n, p=[0.8, 0.2]), rng.choice(["own", "rent"], n))
    risk = (
        0.04 * (months - 20)
        + 1.2 * (checking == "<0 DM")
        - 0.9 * (checking == "none")
        - 0.02 * (age - 35)
        - 1
    )
    bad = rng.random(n) < 1 / (1 + np.exp(-risk))
    return {
        "checking": checking.tolist(),
        "months": _whole(months),
        "purpose": rng.choice(["car (new)", "car (used)", "radio/tv", "furniture, equipment"], n).tolist(),
        "amount": _whole(amount),
        "savings": _missing(rng, 0.18, rng.choice(["<100 DM", "100-500 DM", ">=500 DM"], n).tolist()),
        "rate": _whole(rng.integers(1, 5, n)),
        "housing": housing.tolist(),
        "age": _whole(age),
        "dependents": _whole(rng.integers(1, 3, n)),
        "foreign": np.where(rng.random(n) < 0.96, "yes", "no").tolist(),
        "class": np.where(bad, "bad", "good").tolist(),
    }


def ricci(n: int = 118, seed: int = 0) -> Table:
    """A promotion exam of few people: marks, one of them computed from the others, and who passed."""
    rng = np.random.default_rng(seed)
    oral = rng.normal(70, 10, n).round(2)
    written = rng.normal(70, 8, n).round()
    combined = (0.4 * oral + 0.6 * written).round(3)
    return {
        "Position": rng.choice(["Captain", "Lieutenant"], n, p=[0.35, 0.65]).tolist(),
        "Oral": [f"{value:.2f}" for value in oral],
        "Written": _whole(written),
        "Race": rng.choice(["W", "B", "H"], n, p=[0.58, 0.23, 0.19]).tolist(),
        "Combine": [f"{value:.3f}" for value in combined],
        "Class": np.where(combined >= 70, "Promotion", "No promotion").tolist(),
    }


def write(table: Table, path: Path) -> str:
    """Write a table as CSV; returns its source."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(table)
        writer.writerows(zip(*table.values(), strict=True))
    return f"csv:{path}"


def _whole(values: np.ndarray) -> list[str]:
    return [f"{value:.0f}" for value in values]


def _missing(rng: np.random.Generator, share: float, cells: list[str]) -> list[str]:
    return ["" if lost else cell for lost, cell in zip(rng.random(len(cells)) < share, cells, strict=True)]
