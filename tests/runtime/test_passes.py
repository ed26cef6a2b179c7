"""How a pass of the user's model is run, and what is known of it before."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from gradcheck_cli.records.spec import Step
from gradcheck_cli.runtime.passes import RaisedByUser, Unsaved, loss_alone, low_precision, run_backward
from gradcheck_cli.target import wrap_target


def layers(*dtypes: torch.dtype, frozen: int = -1) -> nn.Module:
    model = nn.ModuleList(nn.Linear(2, 2).to(dtype) for dtype in dtypes)
    if frozen >= 0:
        model[frozen].requires_grad_(False)
    return model


@pytest.mark.parametrize(
    ("model", "autocast", "low"),
    [
        (layers(torch.float32, torch.float64), None, None),
        (layers(torch.float32, torch.bfloat16), None, torch.bfloat16),
        (layers(torch.float16, torch.float32), None, torch.float16),
        (layers(torch.float16, torch.float32, frozen=0), None, None),  # no gradient of it is computed
        (layers(torch.float32), torch.bfloat16, torch.bfloat16),
        (layers(torch.float16), torch.bfloat16, torch.bfloat16),
        (nn.ReLU(), None, None),
    ],
)
def test_the_precision_in_which_gradients_are_computed(
    model: nn.Module, autocast: torch.dtype | None, low: torch.dtype | None
) -> None:
    assert low_precision(model, autocast) is low


def test_what_the_user_raised_is_kept() -> None:
    error = ValueError("no such shape")
    raised = RaisedByUser(error)
    assert raised.error is error
    assert str(raised) == "no such shape"


def test_a_backward_pass_looks_at_infinite_gradients_also_where_anomalies_raise() -> None:
    x = torch.zeros(1, requires_grad=True)
    with torch.autograd.set_detect_anomaly(True), pytest.warns(UserWarning):
        loss = (x.sqrt() * 0).sum()
        with pytest.raises(RuntimeError, match="returned nan"):
            loss.backward(retain_graph=True)
        run_backward(loss)
    assert x.grad is not None and x.grad.isnan().all()


def test_a_pass_that_none_follows_keeps_nothing_but_leaves() -> None:
    model = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1))
    unsaved = Unsaved()
    with unsaved:
        out = model(torch.ones(3, 4))
    assert out.requires_grad and not unsaved.missed
    assert torch.equal(out.grad_fn._saved_mat2.t(), model[2].weight)  # type: ignore[union-attr]
    with pytest.raises(RuntimeError, match="was not saved"):
        out.sum().backward()
    assert not unsaved.missed, "that was outside"


def test_a_pass_that_takes_gradients_itself_is_made_with_all_that_it_saves() -> None:
    weight = nn.Parameter(torch.tensor([2.0]))

    class Penalty(nn.Module):
        calls = 0

        def __init__(self) -> None:
            super().__init__()
            self.weight = weight

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            Penalty.calls += 1
            (slope,) = torch.autograd.grad((self.weight.tanh() * x).sum(), self.weight, create_graph=True)
            return slope.square().sum()

    x = torch.tensor([3.0])
    target = wrap_target(Penalty(), (x, torch.zeros(())), loss=lambda out, _: out)
    loss = loss_alone(Step(target=target, batch=target.batches[0]))
    assert float(loss) == pytest.approx((3 * (1 - math.tanh(2.0) ** 2)) ** 2)
    assert Penalty.calls == 2
