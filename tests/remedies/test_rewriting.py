"""A remedy written into the user's line, and whether the line then is cured."""

from __future__ import annotations

import inspect
import sys
import textwrap
import warnings
from dataclasses import replace

import pytest
import torch

from gradcheck_cli import check
from gradcheck_cli.remedies.rewriting import rewritten
from tests.nonfinite import CASES, Case


@pytest.mark.parametrize(
    ("code", "op", "remedy", "expected"),
    [
        ("y = torch.log(p)", "log", "clamp", "y = torch.log(p.clamp(min=1e-08))"),
        ("return -(p.log() * q).sum()", "log", "eps", "return -((p + 1e-08).log() * q).sum()"),
        ("share = a / b.sum(-1)", "div", "eps", "share = a / (b.sum(-1) + 1e-08)"),
        ("d = (x - y).square().sum(-1) ** 0.5", "pow", "clamp", "d = (x - y).square().sum(-1).clamp(min=1e-08) ** 0.5"),
        ("t = torch.acos(c)", "acos", "clamp", "t = torch.acos(c.clamp(-1 + 1e-06, 1 - 1e-06))"),
        ("r = y.sqrt()", "sqrt", "double-where", "r = torch.where(y > 1e-08, y, 1.0).sqrt()"),
        ("z = torch.div(a, b)", "div", "clamp", "z = torch.div(a, b.clamp(min=1e-08))"),
        ("e = (new - old).exp()", "exp", "clamp", "e = (new - old).clamp(-80, 80).exp()"),
    ],
)
def test_a_line_is_rewritten(code: str, op: str, remedy: str, expected: str):
    assert rewritten(code, op, remedy) == expected


@pytest.mark.parametrize(
    ("code", "op", "remedy"),
    [
        ("y = torch.log(", "log", "eps"),  # a line of a longer statement
        ("y = p.log() + q.log()", "log", "eps"),  # which of them?
        ("y = criterion(p)", "log", "eps"),  # the call is elsewhere
        ("y = torch.log(p)", "log", "mask-fix"),
        ("", "log", "eps"),
    ],
)
def test_what_cannot_be_rewritten_safely_is_left(code: str, op: str, remedy: str):
    assert rewritten(code, op, remedy) is None


def cured(case: Case, line: str) -> bool:
    """Whether the case, with its marked line replaced, has a finite loss and finite gradients."""
    lines, _ = inspect.getsourcelines(case.loss)
    (marked,) = [i for i, text in enumerate(lines) if text.rstrip().endswith("# HERE")]
    lines[marked] = lines[marked][: len(lines[marked]) - len(lines[marked].lstrip())] + line + "\n"
    body = textwrap.dedent("".join(lines))
    scope = dict(vars(sys.modules[case.loss.__module__]))
    exec(body[body.index("def ") :], scope)
    model, x, loss = replace(case, loss=scope[case.loss.__name__]).make()
    value = loss(model, x)
    value.backward()
    return bool(torch.isfinite(value)) and all(
        torch.isfinite(p.grad).all() for p in model.parameters() if p.grad is not None
    )


def suggestions() -> list[tuple[Case, str, str]]:
    found = []
    for case in CASES:
        model, x, loss = case.make()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            finding = check(model, x, step=loss).findings[0]
        code = finding.source.code if finding.source else ""
        own = [(r.id, r.code) for r in finding.remedies if rewritten(code, case.ops[0], r.id, finding.cause) == r.code]
        found += [(case, name, line) for name, line in own]
    return found


def test_lines_that_are_written_for_the_user_cure_their_case():
    lines = suggestions()
    failed = [(case.name, name, line) for case, name, line in lines if not cured(case, line)]
    assert len({case.name for case, *_ in lines}) >= 25
    assert failed == []
