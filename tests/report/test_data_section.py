"""The data section says what the data are, and what is left to say when they are gone."""

from pathlib import Path

import numpy as np
import pytest

import simulacra as sim
from simulacra.data import DataSpec, Options
from simulacra.data.spec import Dataset
from simulacra.data.tables.schema import Column, Schema
from simulacra.report import figures
from simulacra.report.data_section import columns, data_section, split_rule
from simulacra.report.material import gather
from simulacra.run import Run


def test_duplicates_are_counted_in_and_across_splits(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 2)).astype(np.float32)
    # the order of the rows is the split: three training rows again in training, two in the test split
    x[10:13], x[198:] = x[:3], x[20:22]
    np.savez(tmp_path / "a.npz", x=x)
    run = Run(tmp_path / "run")
    sim.train("pca", f"npz:{tmp_path / 'a.npz'}", run.path, latent_dim=1, split="time")
    facts = dict(data_section(gather(run)).facts)
    assert facts["duplicates"] == (
        "3 of 160 training examples are equal to an earlier one; 2 of 20 test examples are equal to a"
        " training example"
    )
    assert facts["splits"] == "160 train (80%), 20 validation (10%), 20 test (10%); 200 in all"
    assert facts["split by"] == "time: the first 80% are for training, the last 10% for testing"
    (tmp_path / "a.npz").unlink()
    section = data_section(gather(run))
    facts = dict(section.facts)
    assert facts["splits"] == "unknown, since the data could not be read"
    assert facts["source"] == f"npz:{tmp_path / 'a.npz'}"
    assert not section.chart
    assert not section.columns


def test_classes_are_counted(classifier: Run) -> None:
    section = data_section(gather(classifier))
    data = classifier.data()
    total = sum(np.array(data.split(split).class_counts) for split in ("train", "validation", "test"))
    assert f"0 {total[0]}, 1 {total[1]}, " in section.chart
    assert dict(section.facts)["duplicates"] == "none, neither in the training split nor across splits"


def test_bars_of_classes_stand_on_each_other() -> None:
    counts = {"train": np.array([5, 2]), "validation": np.array([1, 0]), "test": np.array([2, 3])}
    (axes,) = figures.class_counts(("a", "b"), counts).axes
    tops = [[bar.get_y() + bar.get_height() for bar in bars] for bars in axes.containers]
    assert tops == [[5, 2], [6, 2], [8, 5]]


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (Options(), "hash of the content, 80 / 10 / 10, unless the source has splits of its own"),
        (Options(split="column:part"), "column 'part'"),
        (Options(split="time", group="day"), "last 10% for testing; examples of one 'day' share a split"),
    ],
)
def test_rules_of_splits(options: Options, text: str) -> None:
    assert split_rule(options).endswith(text)


def test_columns_of_a_table_in_its_own_words() -> None:
    schema = Schema(
        (
            Column("age", "number", special=("", "0"), mean=30.0),
            Column("job", "category", ("", "cook", "nurse")),
            Column("day", "date", form="%Y-%m-%d"),
        )
    )
    x = schema.encode(
        {"age": ["20", "40", "", "0"], "job": ["cook", "cook", "nurse", ""],
         "day": ["2024-01-01", "2024-02-01", "2024-01-31", "2024-01-02"]}
    )  # fmt: skip
    spec = DataSpec("vector", (schema.width,), columns=schema.names, schema=schema,
                    target=DataSpec("vector", (1,), columns=("pay",)))  # fmt: skip
    rows = columns(Dataset(spec, x, target=np.array([[1.0], [2.0], [3.0], [6.0]], np.float32)))
    assert rows == [
        ("age", "number, 0 in 25%", "20.00 (16.33)", "0 to 40", "25.0%"),
        ("job", "2 categories: cook 50%, nurse 25%", "", "", "25.0%"),
        ("day", "date", "", "2024-01-01 to 2024-02-01", ""),
        ("pay (target)", "number", "3.000 (1.871)", "1 to 6", ""),
    ]
