"""Every row of the table of domains, both ways: its values make the op non-finite, and its remedy makes it finite."""

from __future__ import annotations

import re
import subprocess
import sys
import warnings
from functools import cache

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
from tests.nonfinite.table import BACKWARD, FORWARD, Row, made


class Holder(nn.Module):
    """Holds the values that a row is computed of."""

    def __init__(self, values: Tensor) -> None:
        super().__init__()
        self.weight = nn.Parameter(values.float().clone())


def loss_of(y: Tensor, pull: float) -> Tensor:
    y = y.real if y.is_complex() else y
    return ((y - y.detach()) * pull).sum() if pull else y.sum()


ROWS = [*FORWARD, *BACKWARD]


@cache
def found_in(index: int) -> Finding:
    row = ROWS[index]
    line = made(f"y = {row.code}", f"<row {index}>")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        step = lambda m, _: loss_of(line(m.weight), row.pull)  # noqa: E731
        return check(Holder(row.values), torch.ones(1), step=step).findings[0]


def is_cured(row: Row, lines: str) -> bool:
    """Whether plain torch, with these lines in place of the row's, has a finite loss and gradient."""
    x = row.values.float().clone().requires_grad_()
    y = made(lines)(x)
    loss_of(y, row.pull).backward()
    return bool(torch.isfinite(y).all()) and x.grad is not None and bool(torch.isfinite(x.grad).all())


def named(index: int) -> str:
    return f"{ROWS[index].op}-{ROWS[index].cause}"


every = pytest.mark.parametrize("index", range(len(ROWS)), ids=named)


@every
def test_what_makes_a_value_that_is_not_finite_is_named_with_its_cause(index: int) -> None:
    row, backward = ROWS[index], index >= len(FORWARD)
    assert bool(torch.isfinite(made(f"y = {row.code}")(row.values.float())).all()) == backward
    found = found_in(index)
    code = "GC104" if backward else "GC103"
    assert (found.code, plain_op(found.op or ""), found.cause) == (code, row.op, row.cause)


@every
@pytest.mark.filterwarnings("ignore")
def test_the_remedy_of_a_row_makes_it_finite(index: int) -> None:
    row, shown = ROWS[index], found_in(index).remedies
    if not row.cure:
        assert shown[0].trial.outcome == "fixed"
        assert is_cured(row, shown[0].code.replace("; ", "\n"))
        return
    remedy, _, line = row.cure.partition(": ")
    assert remedy in [r.id for r in shown[:3]]
    assert is_cured(row, f"y = {line}")


def test_every_op_of_the_table_has_a_row_forward_and_backward() -> None:
    for way, rows in (("forward", FORWARD), ("backward", BACKWARD)):
        missing = {op for op, domain in DOMAINS.items() if getattr(domain, way)} - {row.op for row in rows}
        assert missing == ELSEWHERE | {op for op, ways in UNMET.items() if way in ways}


ELSEWHERE = {
    "scaled_dot_product_attention",
    "scaled_dot_product_attention_math",
    "scaled_dot_product_cudnn_attention",
    "scaled_dot_product_efficient_attention",
    "scaled_dot_product_flash_attention",
    "scaled_dot_product_fused_attention_overrideable",
    "convolution_overrideable",
    "batch_norm_with_update",
    "cudnn_batch_norm",
    "miopen_batch_norm",
    "cudnn_ctc_loss",
    "miopen_ctc_loss",
    "fused_rms_norm",
}
"""Ops that only other devices have, or that are made of others on this one."""
UNMET = {
    "norm": ("forward",),  # torch itself calls vector_norm
    "batch_norm_legit": ("forward",),  # what has a spread of 0 is 0 in training
    **dict.fromkeys(("logsumexp", "logcumsumexp", "logaddexp", "logaddexp2"), ("forward",)),  # of -Inf, as masks are
    **dict.fromkeys(("where", "masked_scatter"), ("forward",)),  # they hand on what another op wrote
}
"""What no finite values make non-finite here, with the reason."""


@pytest.mark.parametrize(("way", "ops"), [("forward", FORWARD_CANDIDATES), ("backward", BACKWARD_CANDIDATES)])
def test_every_op_of_torchs_database_that_can_go_wrong_has_a_row_or_a_reason(way: str, ops: list[str]) -> None:
    assert {op for op in ops if not (op in DOMAINS and getattr(DOMAINS[op], way))} <= set(REASONS)


@pytest.mark.parametrize(
    ("names", "least"),
    [
        pytest.param((), 80, id="all", marks=pytest.mark.sweep),
        pytest.param(("log", "hypot", "linalg.svd"), 1, id="a-few"),
    ],
)
def test_a_scan_of_torchs_database_finds_no_op_that_is_not_listed(names: tuple[str, ...], least: int) -> None:
    """In a process of its own: the database switches torch's flags off for the whole process."""
    command = [sys.executable, "-m", "tests.nonfinite.candidates", *names]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    told = re.findall(r"(\d+) ops, new: (.*)", done.stdout)
    assert [new for _, new in told] == ["none", "none"]
    assert int(told[0][0]) >= least


def test_the_causes_of_the_table_are_known() -> None:
    told = {cause for d in DOMAINS.values() for cause in f"{d.forward}|{d.backward}".split("|") if cause}
    assert told <= set(CAUSES)


def test_an_op_that_is_not_known_is_told_with_its_values_and_no_borrowed_advice() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = check(
            Holder(torch.zeros(4)),
            torch.ones(1),
            step=lambda m, _: (torch.special.bessel_y0(m.weight.detach()) * m.weight).sum(),
        ).findings[0]
    assert (found.op, found.cause, found.remedies) == ("special_bessel_y0", "unknown", ())
    assert "its input is 0" in found.why
