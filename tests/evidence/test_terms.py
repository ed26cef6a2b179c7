"""The terms of a loss, in measurements written by hand."""

from __future__ import annotations

from typing import Any

import pytest

from gradcheck_cli.evidence import gather
from gradcheck_cli.evidence.terms import LossTerms
from gradcheck_cli.records.measurement import Measurement
from gradcheck_cli.records.source import SourceLine
from gradcheck_cli.records.term import Term
from tests.measurements import LEAF, measurement, op, parameter
from tests.records.test_targetcomparison import comparison

LINES = (SourceLine(file="net.py", line=7, code="a"), SourceLine(file="net.py", line=8, code="b"))


def two(penalty: float, **fields: Any) -> Measurement:
    """An error and a penalty, both on what one layer puts out, and the penalty on its weight as well."""
    return measurement(
        op("AddBackward0", 1.0, (1, 1.0), (2, 1.0), module=-1),
        op("MseLossBackward0", 1.0, (4, 0.1), module=-1, source=0),
        op("MulBackward0", 1.0, (3, penalty), module=-1, source=1),
        op("AbsBackward0", penalty, (4, penalty), (5, 3 * penalty), module=-1, source=1),
        op("AddmmBackward0", 0.1, (5, 0.4), module=0),
        op(LEAF, 0.4),
        parameters=[parameter("weight", op=5, grad=0.4)],
        sources=LINES,
        comparisons=(comparison((8,), (8,), (8,), function="mse_loss", op=1),),
        **({"terms": (Term(1, 0.5), Term(2, 2.0))} | fields),
    )


def terms(found: Measurement) -> LossTerms:
    return gather(found).terms


def test_terms_are_named_by_their_op_and_ordered_by_what_they_add() -> None:
    heavy, light = terms(two(1.0)).addends
    assert (heavy.name, heavy.value, heavy.given, heavy.ops) == ("abs", 2.0, False, (2,))
    assert (light.name, light.value, light.given, light.ops) == ("mse_loss", 0.5, True, (1,))


def test_gradients_are_compared_where_terms_come_together() -> None:
    met = terms(two(1.0)).meeting(0, 1)
    assert met is not None
    assert (met.first, met.second, met.op) == (1.0, pytest.approx(0.1), 4)


def test_what_never_meets_is_not_compared() -> None:
    apart = measurement(
        op("AddBackward0", 1.0, (1, 1.0), (2, 1.0)),
        op("MseLossBackward0", 1.0, (3, 0.1)),
        op("AbsBackward0", 1.0, (4, 5.0)),
        op(LEAF, 0.1),
        op(LEAF, 5.0),
        terms=(Term(1, 0.5), Term(2, 2.0)),
    )
    assert terms(apart).meeting(0, 1) is None


def test_what_a_line_adds_for_each_of_the_weights_is_one_term() -> None:
    found = measurement(
        op("AddBackward0", 1.0, (1, 1.0), (2, 1.0), (3, 1.0), module=-1),
        op("MseLossBackward0", 1.0, (6, 0.1), (7, 0.1), module=-1, source=0),
        op("SumBackward0", 1.0, (4, 1.0), module=-1, source=1),
        op("SumBackward0", 1.0, (5, 1.0), module=-1, source=1),
        op("AbsBackward0", 1.0, (6, 3.0), module=-1, source=1),
        op("AbsBackward0", 1.0, (7, 4.0), module=-1, source=1),
        op(LEAF, 3.0),
        op(LEAF, 4.0),
        sources=LINES,
        terms=(Term(1, 0.5), Term(2, 1.0), Term(3, 2.0)),
    )
    penalty, error = terms(found).addends
    assert (penalty.ops, penalty.value, error.value) == ((2, 3), 3.0, 0.5)
    met = terms(found).meeting(0, 1)
    assert met is not None
    assert met.first == pytest.approx(5.0)  # 3 and 4


def test_a_loss_that_is_no_sum_is_one_term() -> None:
    (only,) = terms(two(1.0, terms=(Term(0, 2.5),))).addends
    assert (only.value, only.given) == (2.5, True)
