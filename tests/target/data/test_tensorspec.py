import pytest
import torch

from gradcheck_cli.errors import UsageError
from gradcheck_cli.target.data.arrays import draw
from gradcheck_cli.target.data.tensorspec import parse_tensor


@pytest.mark.parametrize(
    ("text", "dtype", "shape", "low", "high"),
    [
        ("float32[8,3,4]", torch.float32, (8, 3, 4), -10, 10),
        (" bfloat16 [ 2 , 3 ] ", torch.bfloat16, (2, 3), -10, 10),
        ("float64[500] in -1.5..2e1", torch.float64, (500,), -1.5, 20),
        ("int64[500] in 0..10", torch.int64, (500,), 0, 9),
        ("int32[100]", torch.int32, (100,), 0, 1),
        ("int8[100] in -3..-1", torch.int8, (100,), -3, -2),
        ("float32[]", torch.float32, (), -10, 10),
    ],
)
def test_a_spec_draws_what_it_says(text, dtype, shape, low, high):
    drawn = draw(parse_tensor(text, "--input"))
    assert (drawn.dtype, tuple(drawn.shape)) == (dtype, shape)
    assert low <= drawn.min() <= drawn.max() <= high


def test_a_half_open_range_reaches_both_ends():
    drawn = draw(parse_tensor("int64[1000] in 0..3", "--input"))
    assert drawn.unique().tolist() == [0, 1, 2]


def test_bool_and_complex_are_drawn():
    assert draw(parse_tensor("bool[64]", "--input")).unique().tolist() == [False, True]
    assert draw(parse_tensor("complex64[4]", "--input")).is_complex()


def test_a_name_stands_before_the_dtype():
    assert parse_tensor("input_ids=int64[4,128] in 0..50257", "--input").name == "input_ids"


@pytest.mark.parametrize(
    ("text", "problem", "column"),
    [
        ("flaot32[8]", "`flaot32` is not a dtype; did you mean `float32`?", 0),
        ("", "a dtype is expected", 0),
        ("float32", "`[` is expected", 7),
        ("float32[8,]", "a size is expected: a whole number", 10),
        ("float32[8,x]", "a size is expected: a whole number", 10),
        ("float32[8;3]", "`,` or `]` is expected", 9),
        ("float32[8,3", "`,` or `]` is expected", 11),
        ("float32[8] on 0..1", "nothing may follow here", 11),
        ("int64[8] in 0.5..3", "int64 needs whole numbers", 12),
        ("int64[8] in 0-3", "`..` is expected", 13),
        ("int64[8] in 3..3", "the range is empty: it runs up to, not including, the second number", 15),
        ("bool[8] in 0..1", "bool takes no range", 8),
        ("a b=float32[8]", "`a` is not a dtype", 0),
    ],
)
def test_a_malformed_spec_is_pointed_at(text, problem, column):
    with pytest.raises(UsageError) as error:
        parse_tensor(text, "--input")
    first, line, caret = error.value.message.split("\n")
    assert first == f"--input: {problem}"
    assert line == f"  {text}"
    assert caret == " " * (2 + column) + "^"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("int8[4] in 0..1000", "int8 cannot hold 1000"),
        ("uint8[4] in -1..4", "uint8 cannot hold -1"),
        ("int64[4] in 0..99999999999999999999", "cannot hold"),
        ("float32[99999999999999999999]", "beyond all memory"),
    ],
)
def test_what_no_tensor_can_be_is_pointed_at(text, problem):
    with pytest.raises(UsageError, match=problem) as error:
        parse_tensor(text, "--input")
    assert error.value.message.endswith("^")


@pytest.mark.parametrize("text", ["uint8[900] in 0..256", "int8[900] in -128..128", "int16[9] in -5..5"])
def test_a_range_may_reach_the_end_of_its_dtype(text):
    assert draw(parse_tensor(text, "--input")).numel() > 0


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (f"float32[{'9' * 5000}]", "beyond all memory"),
        ("float32[9999999999,9999999999]", "beyond all memory"),
        (f"float32[{','.join('1' * 65)}]", "at most 64 sizes"),
        ("float32[٤]", "a size is expected"),
        (f"int64[4] in 0..{'9' * 5000}", "too large"),
        ("float32[4] in 0..1e400", "too large"),
        ("int64[4] in ٤..٥", "a number is expected"),
    ],
)
def test_sizes_and_bounds_have_an_end(text, told):
    with pytest.raises(UsageError, match=told):
        parse_tensor(text, "--input")


def test_zeros_in_front_are_none():
    assert parse_tensor(f"float32[{'0' * 400}8]", "--input").shape == (8,)
