"""Data sources: `load("digits")`, `load("folder:holiday.zip", Options(image_size=64))`.

`sources/` holds a module for each source and their registry, `images/` and `tables/` what those of images and
of tables share.
"""

from simulacra.data.sources.registry import SOURCES, TABLES, full_name, load, parse, peek, split_of
from simulacra.data.spec import SPLITS, Data, Dataset, DataSpec, Options, Truth

__all__ = [
    "SOURCES",
    "SPLITS",
    "TABLES",
    "Data",
    "DataSpec",
    "Dataset",
    "Options",
    "Truth",
    "full_name",
    "load",
    "parse",
    "peek",
    "split_of",
]
