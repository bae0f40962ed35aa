"""`csv:PATH` and `parquet:PATH`: a table, one example a row; `Options.target` names the columns to predict.

The first line of a csv names the columns; cells are separated by commas, semicolons or tabs, and may be
quoted. `simulacra.data.tables.infer` finds what the columns hold, and a `Schema` encodes those that are not
targets as the vector x. Targets are numbers, or one column of categories: its classes. Rows without a target
are left out. The splits are cut by the content of x, or as `Options.split` and `Options.group` say.
"""

from __future__ import annotations

from simulacra.data.spec import Data, DataSpec, Options
from simulacra.data.tables.parquet import ParquetTable
from simulacra.data.tables.reader import Table, TextTable
from simulacra.data.tables.rows import choose, read


def load(name: str, argument: str, options: Options, spec: DataSpec | None = None) -> Data:
    """Load a table: x float32 `(N, D)`; targets that are numbers float32 `(N, T)`; classes `(N,)`.

    A single target of at most 20 different whole numbers is both: numbers, and classes.

    >>> import pathlib, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     rows = [f"{i},{'red' if i % 3 else ''},{'odd' if i % 2 else 'even'}" for i in range(50)]
    ...     _ = pathlib.Path(folder, "a.csv").write_text("n,colour,parity\\n" + "\\n".join(rows))
    ...     spec = load("csv", f"{folder}/a.csv", Options(target="parity")).spec
    >>> spec.columns, spec.classes, spec.target
    (('n', 'colour is red', 'colour is missing'), ('even', 'odd'), None)

    Args:
        name: of the source.
        argument: the path.
        options: which columns are used and predicted, and how rows are split.
        spec: of a run, whose schema and classes encode the rows; inferred from the table when not given.

    Raises:
        DataError: the file is missing or no table, a column is missing, a target is constant, or cells cannot
            be used; the message names their columns and rows.
    """
    return read(open_table(name, argument), options, spec).split(options)


def open_table(name: str, argument: str) -> Table:
    """The file of a source.

    Raises:
        DataError: it is missing or no table.
    """
    return (ParquetTable if name == "parquet" else TextTable).open(f"{name}:{argument}", argument)


def peek(name: str, argument: str, options: Options) -> DataSpec | None:
    """Without --target there is nothing to predict; with it, only the rows tell what.

    Raises:
        DataError: the file is missing or no table, or options name columns that it does not have.
    """
    choose(open_table(name, argument), options)
    return None if options.target is not None else DataSpec("vector", (1,))
