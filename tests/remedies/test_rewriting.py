"""A guard written into the user's line, and whether the line then is cured and keeps its numbers."""

from __future__ import annotations

import inspect
import sys
import textwrap
import warnings
from dataclasses import replace

import pytest
import torch

from gradcheck_cli import check
from gradcheck_cli.records.guard import Guard
from gradcheck_cli.remedies.rewriting import calls, rewritten
from tests.nonfinite import CASES, Case

WHERE = {"argument": "torch.where(ok, x, 1.0)", "result": "torch.where(ok, y, 0.0)"}


@pytest.mark.parametrize(
    ("code", "guard", "expected"),
    [
        ("y = torch.log(p)", Guard(op="log", argument="x.clamp(min=1e-8)"), "y = torch.log(p.clamp(min=1e-08))"),
        ("return -(p.log() * q).sum()", Guard(op="log", argument="x + 1e-8"), "return -((p + 1e-08).log() * q).sum()"),
        ("share = a / b.sum(-1)", Guard(op="div", argument="x + 1e-8"), "share = a / (b.sum(-1) + 1e-08)"),
        ("a /= b", Guard(op="div", argument="x + 1e-8"), "a /= b + 1e-08"),
        (
            "a /= b",
            Guard(op="div", chosen="x != 0", **WHERE),
            "ok = b != 0; a = torch.where(ok, a / torch.where(ok, b, 1.0), 0.0)",
        ),
        (
            "r = y.sqrt()",
            Guard(op="sqrt", chosen="x > 0", **WHERE),
            "ok = y > 0; r = torch.where(ok, torch.where(ok, y, 1.0).sqrt(), 0.0)",
        ),
        (
            "return d.sum(-1) ** 0.5",
            Guard(op="pow", chosen="x > 0", **WHERE),
            "arg = d.sum(-1); ok = arg > 0; return torch.where(ok, torch.where(ok, arg, 1.0) ** 0.5, 0.0)",
        ),
        ("w = 1 / (a / b)", Guard(op="div", argument="x + 1e-8"), "w = 1 / (a / (b + 1e-08))"),
        ("w = 1 / (a / b)", Guard(op="reciprocal", argument="x + 1e-8"), "w = 1 / (a / b + 1e-08)"),
        (
            "z = torch.xlogy(a, b)",
            Guard(op="xlogy", argument="x.clamp(min=1e-8)"),
            "z = torch.xlogy(a, b.clamp(min=1e-08))",
        ),
        ("y = p.log() + q.log()", Guard(op="log", argument="x + 1e-8"), "y = (p + 1e-08).log() + (q + 1e-08).log()"),
        (
            "g = -torch.log(-torch.log(u))",
            Guard(op="log", argument="x.clamp(min=1e-8)"),
            "g = -torch.log((-torch.log(u.clamp(min=1e-08))).clamp(min=1e-08))",
        ),
        ("w = SCALE / n", Guard(op="reciprocal", argument="x + 1e-8"), "w = SCALE / (n + 1e-08)"),
        ("b = x.new_empty(2, 3)", Guard(op="new_empty", result="y.zero_()"), "b = x.new_empty(2, 3).zero_()"),
        (
            "s = x.std(dim=0)",
            Guard(op="std", instead="var", result="torch.sqrt(y + 1e-12)"),
            "s = torch.sqrt(x.var(dim=0) + 1e-12)",
        ),
        (
            "scaled = gap / log_var.exp()",
            Guard(op="div", result="numerator * torch.exp(-power)"),
            "scaled = gap * torch.exp(-log_var)",
        ),
        (
            "y = torch.addcdiv(a, b, c)",
            Guard(op="addcdiv", argument="x + 1e-8"),
            "y = torch.addcdiv(a, b, c + 1e-08)",
        ),
        (
            "w = torch.logdet(m)",
            Guard(op="logdet", result="torch.linalg.slogdet(x)[1]"),
            "w = torch.linalg.slogdet(m)[1]",
        ),
        (
            "c = F.ctc_loss(p, t, n, m)",
            Guard(op="ctc_loss", keyword="zero_infinity=True"),
            "c = F.ctc_loss(p, t, n, m, zero_infinity=True)",
        ),
        (
            "a = s.masked_fill(m, -math.inf)",
            Guard(op="masked_fill", result="x.masked_fill(second, -1e4)"),
            "a = s.masked_fill(m, -10000.0)",
        ),
        (
            "a = F.softmax(s, dim=-1)",
            Guard(op="softmax", chosen="(x > -torch.inf).any(dim, keepdim=True)", argument="torch.where(ok, x, 0.0)"),
            "ok = (s > -torch.inf).any(-1, keepdim=True); a = F.softmax(torch.where(ok, s, 0.0), dim=-1)",
        ),
    ],
)
def test_a_line_is_rewritten(code: str, guard: Guard, expected: str):
    assert rewritten(code, guard) == expected


LOG = Guard(op="log", argument="x + 1e-8")


@pytest.mark.parametrize(
    ("code", "guard"),
    [
        ("y = torch.log(", LOG),  # a line of a longer statement
        ("y = p.log() + q.log()", Guard(op="log", chosen="x > 0", **WHERE)),  # which of them?
        ("y = criterion(p)", LOG),  # the call is elsewhere
        ("self.log(p)", LOG),  # a method of a module
        ("y = math.log(p)", LOG),
        ("y = torch.logaddexp(a, b)", LOG),
        ("", LOG),
        ("f = lambda p: p.log()", Guard(op="log", chosen="x > 0", **WHERE)),  # nothing can be taken out of it
        ("a = x.softmax()", Guard(op="softmax", chosen="x.any(dim)")),  # over which?
        ("s.masked_fill_(m, v)", Guard(op="masked_fill", result="x.masked_fill(second, -1e4)")),  # it writes in place
        ("y = gap / var", Guard(op="div", result="numerator * torch.exp(-power)")),  # of no exp
        ("m = x.mean(0)", Guard(op="mean", instead="sum", result="y / x.numel()", plain=True)),
    ],
)
def test_what_cannot_be_rewritten_safely_is_left(code: str, guard: Guard):
    assert rewritten(code, guard) is None


@pytest.mark.parametrize(
    ("code", "op", "called"),
    [("y = p.log()", "log", True), ("loss = criterion(p)", "log", False), ("y = p.log(", "log", True)],
)
def test_whether_a_line_calls_an_op_itself(code: str, op: str, called: bool):
    assert calls(code, op) is called


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
        found += [(case, r.id, r.code) for r in finding.remedies if r.trial.outcome == "fixed"]
    return found


def test_lines_that_were_carried_out_cure_their_case_when_they_are_pasted():
    lines = suggestions()
    failed = [(case.name, name, line) for case, name, line in lines if not cured(case, line)]
    assert len({case.name for case, *_ in lines}) >= 50
    assert failed == []


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("std = torch.exp(0.5 * logvar)", "logvar = logvar.clamp(max=20); std = torch.exp(0.5 * logvar)"),
        ("std = logvar.mul(0.5).exp_()", "logvar = logvar.clamp(max=20); std = logvar.mul(0.5).exp_()"),
        ("std = torch.exp(self.head(h))", None),
        ("std = torch.exp(a + b)", None),
        ("std = [torch.exp(v) for v in logvars]", None),
    ],
)
def test_the_variable_that_a_call_is_made_of_is_guarded_before_the_line(code: str, expected: str | None) -> None:
    assert rewritten(code, Guard(op="exp", argument="x.clamp(max=20)", before=True)) == expected
