"""What an op and the values that it saw say about why something is not finite."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from gradcheck_cli.evidence import gather
from gradcheck_cli.records.measurement import Element, Operand, Origin
from gradcheck_cli.records.source import SourceLine
from gradcheck_cli.rules.origins import backward_cause, forward_cause, values_of
from tests.measurements import measurement, op


def operand(low: float | None, high: float | None, name: str = "self", **fields: Any) -> Operand:
    return Operand(**({"name": name, "shape": (4,), "dtype": "float32", "smallest": low, "largest": high} | fields))


def number(value: float, name: str = "other") -> Operand:
    """A number that is written in the user's code."""
    return operand(value, value, name, shape=(), dtype="")


def origin(name: str, *operands: Operand, **fields: Any) -> Origin:
    plain: dict[str, Any] = {"module": 0, "source": None, "produced": "nan", "count": 1, "numel": 4}
    return Origin(op=name, operands=operands, **(plain | fields))


# --------------------------------------------------------------------------- forward


@pytest.mark.parametrize(
    ("name", "operands", "produced", "cause"),
    [
        ("log", (operand(0, 1),), "inf", "log-zero"),
        ("log", (operand(-1, 1),), "nan", "log-negative"),
        ("rsqrt", (operand(0, 1),), "inf", "zero-div-zero"),
        ("rsqrt", (operand(-1, 1),), "nan", "log-negative"),
        ("div", (operand(0, 1), operand(0, 1, "other")), "nan", "zero-div-zero"),
        ("div", (operand(0, 1), operand(1e-30, 1, "other")), "inf", "small-denominator"),
        ("reciprocal", (operand(1e-40, 1),), "inf", "small-denominator"),
        ("pow", (operand(-1, 1),), "nan", "pow-domain"),
        ("pow", (operand(1, 1e30, elements=(Element((0,), 1e30),)),), "inf", "exp-overflow"),
        ("logaddexp", (operand(-math.inf, -math.inf), operand(-math.inf, 0, "other")), "nan", "logsumexp-neginf"),
        ("logaddexp2", (operand(-1, 1), operand(-1, 1, "other")), "nan", "logsumexp-neginf"),
        ("logcumsumexp", (operand(-math.inf, 0),), "nan", "logsumexp-neginf"),
        ("nll_loss", (operand(-1, 0), operand(-100, -100, "target")), "nan", "masked-loss"),
        ("linalg_svd", (operand(0, 1),), "nan", "degenerate-eigenvalues"),
        ("mm", (operand(0, 1e30), operand(0, 1e30, "mat2")), "inf", "large-init"),
        ("mm", (operand(0, math.inf), operand(0, 1, "mat2")), "nan", "zero-times-inf"),
        ("sub", (operand(0, math.inf), operand(0, math.inf, "other")), "nan", "zero-times-inf"),
        ("exp", (operand(0, 100),), "inf", "exp-overflow"),
        ("a_new_op", (operand(0, 1),), "nan", "unknown"),
        ("expand", (operand(0, 1),), "nan", "unknown"),
        ("log1p", (operand(-1, 1),), "inf", "log-zero"),
        ("log1p", (operand(-2, 1),), "nan", "log-negative"),
        ("logit", (operand(0.5, 2),), "nan", "log-negative"),
        ("xlogy", (operand(1, 1), operand(0, 1, "other")), "inf", "log-zero"),
        ("mul", (operand(0, 1e30), operand(0, 1e30, "other")), "inf", "exp-overflow"),
        ("pow", (operand(-1e30, 1, elements=(Element((0,), -1e30),)), number(2, "exponent")), "inf", "exp-overflow"),
        ("linalg_slogdet", (operand(0, 0),), "inf", "negative-determinant"),
        ("softmax", (operand(-math.inf, 1, elements=(Element((0,), -math.inf),)),), "nan", "masked-softmax-row"),
        ("softmax", (operand(-1, math.inf, elements=(Element((0,), math.inf),)),), "nan", "zero-times-inf"),
        ("layer_norm", (operand(-1e30, 1e30),), "nan", "exp-overflow"),
        ("mean", (operand(None, None, shape=(0, 3)),), "nan", "empty-reduction"),
        ("exp", (operand(0, 12, dtype="float16"),), "inf", "fp16-overflow"),
        ("mul", (operand(0, 1), number(math.nan)), "nan", "nan-input"),
        ("tensor", (operand(math.nan, math.nan, shape=()),), "nan", "nan-input"),  # x[i] = nan
        ("tensor", (operand(-math.inf, -math.inf, shape=()),), "inf", "inf-in-loss"),
        ("mul", (operand(0, 1), number(math.inf)), "nan", "inf-input"),
    ],
)
def test_the_cause_of_what_went_wrong_forward(
    name: str, operands: tuple[Operand, ...], produced: str, cause: str
) -> None:
    assert forward_cause(origin(name, *operands, produced=produced)) == cause


def test_the_values_at_the_bad_elements_count_and_not_the_range_around_them() -> None:
    below = operand(-1.0, 1.0, elements=(Element((2,), 0.0),))
    assert forward_cause(origin("log", below)) == "log-zero"
    ones = operand(0.0, 1.0, "other", elements=(Element((2,), 1e-20),))
    assert forward_cause(origin("div", operand(0, 1), ones)) == "small-denominator"


@pytest.mark.parametrize(
    ("places", "count", "cause"),
    [
        (((3, 0), (3, 1), (3, 2)), 4, "masked-softmax-row"),
        (((3, 0), (3, 1), (3, 2)), 3, "inf-in-loss"),  # fewer than a row has
        (((0, 0), (1, 0), (2, 0)), 8, "inf-in-loss"),  # a column
        (((0, 1), (0, 2), (0, 3)), 6, "inf-in-loss"),  # a causal mask
    ],
)
def test_a_fill_of_infinity_is_a_masked_row_only_where_it_fills_one(
    places: tuple[tuple[int, int], ...], count: int, cause: str
) -> None:
    scores = operand(-1.0, 1.0, shape=(8, 4), elements=tuple(Element(at, 0.5) for at in places))
    assert forward_cause(origin("masked_fill", scores, produced="inf", count=count)) == cause


def test_the_nan_that_logdet_writes_is_its_own() -> None:
    line = SourceLine(file="flow.py", line=3, code="return z, torch.logdet(w)")
    assert forward_cause(origin("where", operand(0, 1), source=line)) == "negative-determinant"
    other = SourceLine(file="flow.py", line=3, code="torch.linalg.slogdet(w)[1]")
    assert forward_cause(origin("where", operand(0, 1), source=other)) == "inf-in-loss"


# --------------------------------------------------------------------------- backward


def blamed(name: str, found: Origin | None = None, *above: str) -> str:
    """The cause that an op with this name names, below ops with these."""
    ops = [op(each, 1.0, (k + 1, 1.0)) for k, each in enumerate(above)]
    return backward_cause(gather(measurement(*ops, op(name, 1.0))), len(above), found)


@pytest.mark.parametrize(
    ("name", "cause"),
    [
        ("SqrtBackward0", "sqrt-zero"),
        ("LinalgVectorNormBackward0", "sqrt-zero"),
        ("StdBackward0", "zero-variance"),
        ("PowBackward0", "pow-domain"),
        ("LogBackward0", "log-zero"),
        ("LogaddexpBackward0", "logsumexp-neginf"),
        ("LogSoftmaxBackward0", "masked-softmax-row"),
        ("ScaledDotProductFlashAttentionForCpuBackward0", "masked-softmax-row"),
        ("ExpBackward0", "exp-overflow"),
        ("ExpandBackward0", "unknown"),
        ("ANewOpBackward0", "unknown"),
        ("MulBackward0", "zero-times-inf"),
        ("DivBackward0", "zero-div-zero"),
        ("LinalgEighBackward0", "degenerate-eigenvalues"),
        ("SqrtBackward", "custom-backward"),
        ("MineBackward", "custom-backward"),
    ],
)
def test_the_cause_of_what_went_wrong_on_the_way_back(name: str, cause: str) -> None:
    assert blamed(name) == cause


def test_torch_names_the_node_of_a_logaddexp_as_it_is_known_here() -> None:
    x = torch.zeros(1, requires_grad=True)
    assert blamed(torch.logaddexp(x, x).grad_fn.name()) == "logsumexp-neginf"


@pytest.mark.parametrize(
    ("above", "unwanted", "cause"),
    [
        (("WhereBackward0",), 1.0, "where-trap"),
        (("WhereBackward0", "AddBackward0"), 1.0, "where-trap"),
        (("WhereBackward0",), 0.5, "sqrt-zero"),  # some of it was asked for
        (("WhereBackward0", "MeanBackward0"), 1.0, "sqrt-zero"),  # a mean chooses nothing
        (("MeanBackward0", "AddBackward0"), 1.0, "sqrt-zero"),
    ],
)
def test_what_a_where_drops_is_a_trap(above: tuple[str, ...], unwanted: float, cause: str) -> None:
    found = origin("sqrt", operand(0, 1), node=len(above), unwanted=unwanted)
    assert blamed("SqrtBackward0", found, *above) == cause


@pytest.mark.parametrize(
    ("low", "dtype", "cause"),
    [(0.0, "float32", "zero-div-zero"), (1e-30, "float32", "small-denominator")],
)
def test_a_division_by_next_to_nothing_is_told_from_one_by_zero(low: float, dtype: str, cause: str) -> None:
    found = origin("div", operand(0, 1), operand(low, 1, "other", dtype=dtype))
    assert blamed("DivBackward0", found) == cause


def test_an_exponential_in_float16_passes_its_largest_number() -> None:
    assert blamed("ExpBackward0", origin("exp", operand(0, 12, "result", dtype="float16"))) == "fp16-overflow"


# --------------------------------------------------------------------------- words


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (origin("log", operand(0, 1)), "its input is from 0 to 1 (4 float32)"),
        (origin("log", operand(2, 2)), "its input is 2 (4 float32)"),
        (origin("mean", operand(None, None, shape=(0, 3))), "its input is empty (0x3 float32)"),
        (
            origin("div", operand(1, 1), operand(0, 0, "other")),
            "its denominator is 0 (4 float32); its numerator is 1 (4 float32)",
        ),
        (
            origin("pow", operand(-1, 1), number(0.5, "exponent")),
            "its base is from -1 to 1 (4 float32); its exponent is 0.5",
        ),
        (
            origin("ctc_loss", *(operand(9, 9, name) for name in ("log_probs", "target_lengths", "input_lengths"))),
            "its `target_lengths` is 9 (4 float32); its `input_lengths` is 9 (4 float32)",
        ),
        (origin("full"), "it has no floating input"),
    ],
)
def test_what_went_in_is_told_by_its_part_in_the_op(found: Origin, words: str) -> None:
    assert values_of(found) == words
