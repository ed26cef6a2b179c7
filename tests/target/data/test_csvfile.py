"""Numeric .csv files as inputs and a target."""

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gradcheck_cli.errors import TargetError, UsageError
from gradcheck_cli.target.data.csvfile import columns, read_csv


@pytest.mark.parametrize(
    ("column", "text"), [("z", "no column `z`"), ("9", "no column `9`"), ("targt", "did you mean `target`")]
)
def test_an_unknown_target_column_is_a_usage_error(load, tmp_path, column, text):
    (tmp_path / "d.csv").write_text("a,target\n1,2\n")
    with pytest.raises(UsageError, match=text) as error:
        load("model = nn.Linear(1, 2)", batch="d.csv", target_column=column)
    assert error.value.hint == "It has `a`, `target`."


def test_csv_targets_are_whole_numbers_or_floats_and_empty_cells_nan(load, tmp_path):
    (tmp_path / "d.csv").write_text("a,y\n1,0.5\n,2\n")
    inputs, target = load("model = nn.Linear(1, 1)", batch="d.csv").batches[0]
    assert target.tolist() == [0.5, 2.0]
    assert inputs.isnan().tolist() == [[False], [True]]


def read(tmp_path, text, column=None):
    path = tmp_path / "d.csv"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return read_csv(str(path), column)


NUMBERS = st.floats(-1e6, 1e6, width=32)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), delimiter=st.sampled_from(",;\t"), header=st.booleans(), columns=st.integers(2, 5))
def test_what_is_written_is_read(tmp_path, data, delimiter, header, columns):
    rows = data.draw(st.lists(st.lists(NUMBERS, min_size=columns, max_size=columns), min_size=1, max_size=5))
    lines = [[f"c{i}" for i in range(columns)]] * header + [[repr(x) for x in row] for row in rows]
    inputs, target = read(tmp_path, "\n".join(delimiter.join(line) for line in lines))
    assert target is None
    assert inputs.tolist() == rows


@pytest.mark.parametrize("name", ["target", "targets", "label", "labels", "class", "y", "Y", "Label"])
def test_the_usual_names_of_a_target_are_known_in_any_case(tmp_path, name):
    inputs, target = read(tmp_path, f"a,{name},b\n1,7,3\n4,8,6\n")
    assert inputs.tolist() == [[1, 3], [4, 6]]
    assert target.tolist() == [7, 8]
    assert target.dtype is torch.int64


def test_of_two_usual_names_the_last_is_the_target(tmp_path):
    inputs, target = read(tmp_path, "y,x,label\n1,2,3\n")
    assert (inputs.tolist(), target.tolist()) == ([[1, 2]], [3])


@pytest.mark.parametrize(
    ("column", "left", "target"), [("b", [1, 3], 2), ("0", [2, 3], 1), ("-1", [1, 2], 3), ("-3", [2, 3], 1)]
)
def test_a_target_column_is_a_name_or_an_index(tmp_path, column, left, target):
    inputs, chosen = read(tmp_path, "a,b,c\n1,2,3\n", column)
    assert (inputs.tolist(), chosen.tolist()) == ([left], [target])


def test_a_header_that_looks_like_an_index_is_a_name(tmp_path):
    _, target = read(tmp_path, "1,x,0\n10,20,30\n", "0")
    assert target.tolist() == [30]


@pytest.mark.parametrize("cells", ["0.5", "1e400", "nan", ""])
def test_a_target_that_is_not_whole_and_finite_is_a_float(tmp_path, cells):
    _, target = read(tmp_path, f"x,y\n1,{cells}\n2,1\n")
    assert target.dtype is torch.get_default_dtype()


def test_a_byte_order_mark_and_empty_lines_are_passed_over(tmp_path):
    inputs, target = read(tmp_path, b"\xef\xbb\xbfy,x\r\n\r\n1,2\r\n,\r\n3,4\r\n")
    assert (inputs.tolist(), target.tolist()) == ([[2], [4]], [1, 3])


def test_quotes_keep_a_delimiter_in_a_name(tmp_path):
    with pytest.raises(UsageError) as error:
        read(tmp_path, '"a,b",y\n1,2\n', "z")
    assert error.value.hint == "It has `a,b`, `y`."


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "has no rows"),
        ("1,2\n3,4\n5\n", "row 3 has 1 cells where others have 2"),
        ("a,y\n1,2\n3,4,5\n", "row 3 has 3 cells where others have 2"),
        ("1,2\n3,x\n", "row 2, column `1`: `x` is not a number"),
        (b"\xff\xfe1\n", "cannot be read"),
    ],
)
def test_what_is_no_table_of_numbers_is_told_at_its_row(tmp_path, text, told):
    with pytest.raises(TargetError, match=told):
        read(tmp_path, text)


def test_a_file_that_is_not_there_is_told(tmp_path):
    with pytest.raises(TargetError, match="cannot be read"):
        read_csv(str(tmp_path / "none.csv"), None)


def test_without_a_header_the_columns_are_counted(tmp_path):
    with pytest.raises(UsageError) as error:
        read(tmp_path, "1,2,3\n", "3")
    assert error.value.hint == "It has no header; columns are 0 to 2."


@pytest.mark.parametrize(
    ("text", "column", "names"),
    [("a,b,y\n1,2,3\n", None, ("a", "b")), ("a,b,y\n1,2,3\n", "a", ("b", "y")), ("1,2\n3,4\n", None, ())],
)
def test_the_names_of_the_columns_that_are_inputs(tmp_path, text, column, names):
    path = tmp_path / "d.csv"
    path.write_text(text)
    assert columns(str(path), column) == names


@pytest.mark.parametrize("cell", ["1_000", "２", "٤", "1e", "0x1F", "--1", "1.2.3", "½"])
def test_what_only_python_takes_for_a_number_is_told(cell, tmp_path):
    (tmp_path / "t.csv").write_text(f"a,b\n1,2\n3,{cell}\n", encoding="utf-8")
    with pytest.raises(TargetError, match=r"row 3, column `b`: .* is not a number"):
        read_csv(str(tmp_path / "t.csv"), None)


@pytest.mark.parametrize("cell", ["1", " -2.5 ", "+.5", "1.", "1E-7", "nan", "-Inf", "Infinity"])
def test_what_tables_hold_is_read_as_python_reads_it(cell, tmp_path):
    (tmp_path / "t.csv").write_text(f"a,b\n1,{cell}\n", encoding="utf-8")
    inputs, _ = read_csv(str(tmp_path / "t.csv"), None)
    assert repr(inputs[0, 1].item()) == repr(torch.tensor(float(cell)).item())


@pytest.mark.parametrize("wanted", ["--1", "²", "٤", "9" * 5000, "", "1e0", "+1"])
def test_a_place_is_a_small_whole_number(wanted, tmp_path):
    (tmp_path / "t.csv").write_text("1,2\n3,4\n")
    with pytest.raises(UsageError, match="--target-column"):
        read_csv(str(tmp_path / "t.csv"), wanted)
