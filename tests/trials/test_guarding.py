"""A guard is kept only if it cures, and leaves what was healthy as it was; the model comes back as it was."""

from __future__ import annotations

import inspect
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from gradcheck_cli import check
from gradcheck_cli.records.guard import Carried, Guard
from gradcheck_cli.records.source import SourceLine
from gradcheck_cli.records.spec import Pass, Step, Target
from gradcheck_cli.trials.guarding import carried_out

FAST = {"forward": 0.0, "backward": 0.0}


class Scale(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(4))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.weight


def carried(loss: Callable[[nn.Module, Tensor], Tensor], x: Tensor, *guards: Guard, was: float = torch.nan) -> Carried:
    """What comes of guards of the second line of a loss."""
    target = Target(
        name="case",
        model=Scale(),
        batches=(x,),
        forward=lambda m, b: Pass(loss=loss(m, b)),
        loss_source="",
        picked=(),
        root=".",
    )
    step = Step(target=target, batch=x, seed=0, autocast=None)
    source = SourceLine(file=__file__, line=inspect.getsourcelines(loss)[1] + 2, code="")
    before = target.model.weight.detach().clone()
    (found,) = carried_out(step, source, {"it": guards}, was, FAST).values()
    assert torch.equal(target.model.weight, before) and target.model.weight.grad is None
    return found


def rooted(m: nn.Module, x: Tensor) -> Tensor:
    y = m(x)
    return y.sqrt().mean()


def divided(m: nn.Module, x: Tensor) -> Tensor:
    y = m(x)
    return (1.0 + y / y.detach()).mean()


def elsewhere(m: nn.Module, x: Tensor) -> Tensor:
    y = m(x).sqrt()
    return y.mean()


ROOT = {"argument": "torch.where(ok, x, 1.0)", "result": "torch.where(ok, y, 0.0)"}
MIXED = torch.tensor([0.0, 1e-10, 1.0, 4.0])


def test_the_first_guard_is_taken_that_cures_and_keeps_the_numbers() -> None:
    own = Guard(op="sqrt", chosen="x > 0", **ROOT)
    for coarse in (Guard(op="sqrt", argument="x + 1e-8"), Guard(op="sqrt", chosen="x > 1e-8", **ROOT)):
        assert carried(rooted, MIXED, coarse, own, was=0.75).guard is own


def test_a_guard_that_does_not_cure_is_not_taken() -> None:
    found = carried(rooted, MIXED, Guard(op="sqrt", argument="x * 1.0"), was=0.75)
    assert found.seen and found.guard is None


def test_a_sign_that_is_lost_is_noticed() -> None:
    x = torch.tensor([0.0, -2.0, 1.0, 4.0])
    assert carried(divided, x, Guard(op="div", argument="x.clamp(min=1e-8)")).guard is None
    right = Guard(op="div", chosen="x != 0", **ROOT)
    assert carried(divided, x, right).guard is right


def test_a_call_that_another_line_makes_is_left_alone() -> None:
    assert not carried(elsewhere, MIXED, Guard(op="sqrt", chosen="x > 0", **ROOT), was=0.75).seen


def test_a_slope_is_kept_however_large_as_long_as_it_is_finite() -> None:
    def quotient(m: nn.Module, x: Tensor) -> Tensor:
        y = m(x)
        return (torch.full((4,), 1e-9) / y).mean()

    guard = Guard(op="div", chosen="x.abs() > 1e-12", **ROOT)
    x = torch.tensor([1e-30, 1e-15, 1.0, 2.0])
    assert carried(quotient, x, guard, was=2.5e20).guard is None  # 1e21 at the second
    assert carried(quotient, torch.tensor([1e-30, 1e-11, 1.0, 2.0]), guard, was=2.5e20).guard is guard


@pytest.mark.parametrize("bad", [0.0, 1e-30])
def test_a_shown_line_keeps_the_healthy_numbers_of_a_whole_check(bad: float) -> None:
    x = torch.rand(8, 4) + 0.1
    x[3, 1] = bad
    report = check(Scale(), x, step=lambda m, b: torch.rsqrt(m(b)).mean())
    assert all(r.trial.outcome != "worse" for f in report.findings for r in f.remedies)


def test_matrices_are_healthy_or_not_as_a_whole() -> None:
    class Turned(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.stack([torch.eye(3), torch.diag(torch.tensor([0.1, 0.2, 0.3]))]))

    def loss(m: nn.Module, _: Tensor) -> Tensor:
        a = m.weight
        u, _, vh = torch.linalg.svd(a)
        return (u @ vh).square().mean() + u.sum()

    (found, *_) = check(Turned(), torch.ones(2, 1), step=loss).findings
    assert (found.cause, found.remedies[0].id) == ("degenerate-eigenvalues", "jitter")
    assert found.remedies[0].code.startswith("ok = ")  # the second matrix stays as it is


def over_exp(m: nn.Module, x: Tensor) -> Tensor:
    y = m(x)
    return (y.detach() / y.exp()).mean()


def test_what_is_divided_by_an_exp_is_multiplied_by_one_of_the_opposite() -> None:
    x = torch.tensor([[1.0, -2.0, -50.0, 0.5]])
    (kept,) = [
        carried(over_exp, x, Guard(op="div", result="numerator * torch.exp(-power)"), was=float((x / x.exp()).mean()))
    ]
    assert kept.guard is not None and kept.loss == pytest.approx(float((x * (-x).exp()).mean()))


def test_code_that_leaves_at_nan_does_not_leave_the_trial() -> None:
    def leaving(m: nn.Module, x: Tensor) -> Tensor:
        y = m(x)
        loss = y.log().mean()
        if not torch.isfinite(loss):
            raise SystemExit(1)
        return loss

    x = torch.tensor([[-1.0, 0.5, 1.0, 2.0]])
    weak, right = Guard(op="log", argument="x + 1e-8"), Guard(op="log", argument="x.clamp(min=1e-8)")
    assert carried(leaving, x, weak, right).guard is right


def sampled(m: nn.Module, x: Tensor) -> Tensor:
    v = m(x)
    std = torch.exp(0.5 * v)
    return std.mean() + v.exp().mean()


FIRST = {"op": "exp", "before": True}


def test_a_variable_that_is_guarded_before_a_line_is_so_behind_it_too() -> None:
    x = torch.tensor([1.0, -2.0, 3.0, 400.0])
    here = Guard(op="exp", argument="x.clamp(max=20)")
    assert carried(sampled, x, here).guard is None
    low = Guard(argument="x.clamp(-2.5, 2.5)", line="v = v.clamp(-2.5, 2.5); ...", **FIRST)  # type: ignore[arg-type]
    cap = Guard(argument="x.clamp(max=20)", line="v = v.clamp(max=20); ...", **FIRST)  # type: ignore[arg-type]
    found = carried(sampled, x, low, cap)
    assert found.guard is cap  # the other one changes the 3, which is healthy
    v = x.clamp(max=20)
    assert found.loss == pytest.approx((torch.exp(0.5 * v).mean() + v.exp().mean()).item())


def test_a_variable_that_would_be_cut_off_as_good_as_everywhere_is_left() -> None:
    cap = Guard(argument="x.clamp(max=20)", line="v = v.clamp(max=20); ...", **FIRST)  # type: ignore[arg-type]
    assert carried(sampled, torch.tensor([1.0, 400.0, 300.0, 400.0]), cap).guard is None
    assert carried(sampled, torch.tensor([1.0, 2.0, 300.0, 400.0]), cap).guard is cap
