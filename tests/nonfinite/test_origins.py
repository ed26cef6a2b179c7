"""Every case is blamed on its op and its line, with the values that went in."""

from __future__ import annotations

import warnings

import pytest
import torch

from gradcheck_cli import Finding, check
from gradcheck_cli.names import plain_op
from tests.nonfinite import CASES, Case

ids = [case.name for case in CASES]


def blamed(case: Case) -> Finding:
    model, x, loss = case.make()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        report = check(model, x, step=loss)
    return report.findings[0]


def test_there_are_sixty_cases():
    assert len(CASES) >= 60
    assert len({case.name for case in CASES}) == len(CASES)


@pytest.mark.parametrize("case", CASES, ids=ids)
def test_plain_torch_agrees_that_it_is_not_finite(case: Case):
    model, x, loss = case.make()
    value = loss(model, x)
    assert bool(torch.isfinite(value)) == case.backward
    if case.backward:
        value.backward()
        poisoned = any(not torch.isfinite(p.grad).all() for p in model.parameters() if p.grad is not None)
        assert poisoned == case.reaches


@pytest.mark.parametrize("case", CASES, ids=ids)
def test_the_op_the_line_and_the_cause_are_named(case: Case):
    found = blamed(case)
    assert found.code == ("GC104" if case.backward else "GC103")
    assert plain_op(found.op or "").startswith(case.ops)
    assert found.source is not None
    assert (found.source.file.rpartition("/")[2], found.source.line) == (
        case.loss.__code__.co_filename.rpartition("/")[2],
        case.line,
    )
    assert found.cause in case.causes
    assert found.severity.value == ("error" if case.reaches else "warning")
    assert bool(found.layers) == case.reaches or not case.backward
    assert found.remedies
