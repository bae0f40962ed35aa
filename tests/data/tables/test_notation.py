import pytest

from simulacra.data.sources.tables import open_table
from simulacra.data.spec import Options
from simulacra.data.tables.notation import plain_numbers
from simulacra.data.tables.rows import read, read_inputs


@pytest.mark.parametrize(
    ("cells", "delimiter", "numbers"),
    [
        # decimal commas, and points between thousands
        (["1.234,56", "12,5", "1.234"], ";", ["1234.56", "12.5", "1234"]),
        (["-0,5", "1,5E+03"], "\t", ["-0.5", "1.5E+03"]),
        # without a comma the point is decimal, unless a cell has two
        (["€ 1.234", "€ 2.5"], ";", ["1.234", "2.5"]),
        (["1.234.567", "1.234"], ";", ["1234567", "1234"]),
        # what both marks allow
        (["1,234", "5"], ";", ["1.234", "5"]),
        (["1,234", "5"], ",", ["1234", "5"]),
        (["1,234", "5"], "\t", None),
        (["1,234", "1,234,567"], "\t", ["1234", "1234567"]),
        # units
        (["$23,561.59", "$-4", "-$5"], ",", ["23561.59", "-4", "-5"]),
        (["12 EUR", "1.000,50 EUR"], ",", ["12", "1000.50"]),
        (["45%", "7.5 %"], ",", ["45", "7.5"]),
        (["170 cm", "65 cm"], ",", ["170", "65"]),
        # no numbers, or in several notations
        (["$4", "4 EUR"], ",", None),
        (["45%", "3"], ",", None),
        (["1.234,5", "1,234.5"], ";", None),
        (["12,5", "3"], ",", None),
        (["03.04.2020"], ";", None),
        (["Q1", "Q2"], ",", None),
        (["5a", "6a"], ",", None),
    ],
)
def test_numbers_of_one_notation_are_read(cells, delimiter, numbers):
    assert list(plain_numbers(cells, delimiter).values()) == (numbers or [])


def table(tmp_path, lines, name="a.csv"):
    (tmp_path / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
    return open_table("csv", str(tmp_path / name))


def german(tmp_path, cells=("1.234", "12,5", "0,25")):
    # the decimal comma comes after the rows that are read at a time
    rows = [f"{cells[0]};{i}" for i in range(2500)] + [f"{cells[1 + i % 2]};{i}" for i in range(100)]
    return table(tmp_path, ["Preis;Nummer", *rows])


def test_a_table_with_decimal_commas_has_numbers(tmp_path):
    rows = read(german(tmp_path), Options(drop="Nummer"))
    (column,) = rows.columns
    assert (column.kind, column.decimals, column.low, column.high) == ("number", 2, 0.25, 1234.0)
    assert rows.notes == ("column 'Preis' is read as numbers, '1.234' as 1234",)
    assert rows.everything.x[2499, 0] == 1234
    assert rows.everything.x[2501, 0] == 0.25


def test_money_has_numbers_and_other_rows_may_be_without_a_sign(tmp_path):
    priced = table(tmp_path, ["price,n", *(f'"${i},561.5",{i % 7}' for i in range(1, 41))])
    spec = read(priced, Options()).everything.spec
    x, _ = read_inputs(table(tmp_path, ["price,n", '"$1,200.50",1'], "signed.csv"), spec)
    plain, _ = read_inputs(table(tmp_path, ["price,n", "1200.5,1"], "plain.csv"), spec)
    assert x[0, 0] == plain[0, 0] == 1200.5


def test_two_numbers_with_a_unit_are_the_same_categories_in_another_file(tmp_path):
    lines = ["rate,word", *(f"{(5, 7)[i % 2]}%,{'ab'[i % 3 // 2]}" for i in range(40))]
    spec = read(table(tmp_path, lines), Options()).everything.spec
    assert spec.schema.columns[0].categories == ("5", "7")
    x, notes = read_inputs(table(tmp_path, ["rate,word", "7%,a", "5%,b"], "new.csv"), spec)
    assert x[:, :2].tolist() == [[0, 1], [1, 0]]
    assert notes == ()


def test_a_missing_cell_among_decimal_commas_is_the_only_fault(tmp_path):
    spec = read(german(tmp_path), Options(drop="Nummer")).everything.spec
    with pytest.raises(
        Exception,
        match=r"row 2 .*: the cell is empty; fill it in, or remove the row, or train with --missing mean$",
    ):
        read_inputs(table(tmp_path, ["Preis;n", "12,5;1", ";2"], "new.csv"), spec)


def test_mixed_signs_say_what_to_do(tmp_path):
    lines = ["price,n", *(f"{'$' if i % 2 else '€'}{i},{i % 7}" for i in range(40))]
    note = read(table(tmp_path, lines), Options()).notes[0]
    assert note.endswith("most of them numbers: write all with the same sign or unit, or with none")
