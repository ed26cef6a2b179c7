"""Every row of the table of domains: its values make the op non-finite, and its cause is the one that is named."""

from __future__ import annotations

import warnings

import pytest
import torch
from torch import Tensor, nn

from gradcheck_cli import Finding, check
from gradcheck_cli.records.causes import CAUSES
from gradcheck_cli.records.ops import plain_op
from gradcheck_cli.rules.domains import DOMAINS
from tests.nonfinite.candidates import BACKWARD as BACKWARD_CANDIDATES
from tests.nonfinite.candidates import FORWARD as FORWARD_CANDIDATES
from tests.nonfinite.candidates import REASONS
from tests.nonfinite.table import BACKWARD, FORWARD, Row


class Holder(nn.Module):
    """Holds the values that a row is computed of."""

    def __init__(self, values: Tensor) -> None:
        super().__init__()
        self.weight = nn.Parameter(values.clone())


def found_in(row: Row) -> Finding:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return check(Holder(row.values), torch.ones(1), step=lambda m, _: row.made(m.weight).sum()).findings[0]


def named(row: Row) -> str:
    return f"{row.op}-{row.cause}"


@pytest.mark.parametrize("row", FORWARD, ids=named)
def test_what_puts_out_a_value_that_is_not_finite_is_named_with_its_cause(row: Row) -> None:
    found = found_in(row)
    assert (found.code, plain_op(found.op or ""), found.cause) == ("GC103", row.op, row.cause)


@pytest.mark.parametrize("row", BACKWARD, ids=named)
def test_what_sends_a_gradient_that_is_not_finite_is_named_with_its_cause(row: Row) -> None:
    assert torch.isfinite(row.made(row.values)).all()
    found = found_in(row)
    assert (found.code, plain_op(found.op or ""), found.cause) == ("GC104", row.op, row.cause)


def test_every_op_of_torchs_database_that_can_go_wrong_has_a_row_or_a_reason() -> None:
    forward = {op for op in FORWARD_CANDIDATES if not (op in DOMAINS and DOMAINS[op].forward)}
    backward = {op for op in BACKWARD_CANDIDATES if not (op in DOMAINS and DOMAINS[op].backward)}
    assert forward | backward == set(REASONS)


def test_the_causes_of_the_table_are_known() -> None:
    told = {cause for d in DOMAINS.values() for cause in f"{d.forward}|{d.backward}".split("|") if cause}
    assert told <= set(CAUSES)


def test_an_op_that_is_not_known_is_told_with_its_values_and_no_borrowed_advice() -> None:
    row = Row("special_bessel_y0", lambda x: torch.special.bessel_y0(x.detach()) * x, torch.zeros(4), "unknown")
    found = found_in(row)
    assert (found.op, found.cause, found.remedies) == ("special_bessel_y0", "unknown", ())
    assert "its input is 0" in found.why
