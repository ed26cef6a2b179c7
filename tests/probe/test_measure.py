"""One instrumented pass, from a target to its measurement."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from gradcheck_cli.probe import measure
from gradcheck_cli.records.measurement import Measurement
from gradcheck_cli.runtime.passes import RaisedByUser
from gradcheck_cli.target import wrap_target

X, Y = torch.tensor([[1.0, 2.0], [3.0, 4.0]]), torch.tensor([[1.0], [0.0]])


def measured(model: nn.Module, batch: Any = (X, Y), **options: Any) -> Measurement:
    asked = {name: options.pop(name) for name in ("seed", "autocast", "on_stage") if name in options}
    target = wrap_target(model, batch, **options)
    return measure(target, target.batches[0], **asked)


def regression() -> nn.Linear:
    model = nn.Linear(2, 1)
    model.weight.data, model.bias.data = torch.tensor([[1.0, -1.0]]), torch.tensor([0.5])
    return model


def test_a_linear_regression_by_hand() -> None:
    # Outputs are -0.5 and -0.5, errors e = -1.5 and -0.5; dL/dw = mean(2 e x), dL/db = mean(2 e).
    found = measured(regression(), loss="mse_loss")
    weight, bias = found.parameters
    assert found.loss == 1.25
    assert found.loss_source == "given: mse_loss"
    assert weight.grad_norm == pytest.approx(math.hypot(-1.5 - 1.5, -3.0 - 2.0))
    assert weight.grad_max == pytest.approx(5.0)
    assert bias.grad_norm == pytest.approx(2.0)
    assert weight.weight_norm == pytest.approx(math.sqrt(2))
    assert found.outputs[0].rms == pytest.approx(0.5)
    assert [stats.name for stats in (*found.inputs, *found.outputs, *found.targets)] == [
        "batch.0",
        "batch.1",
        "output",
        "target",
    ]


def test_the_stages_are_told_in_their_order_and_their_time_is_taken() -> None:
    stages: list[str] = []
    found = measured(regression(), on_stage=stages.append)
    assert stages == ["forward", "backward", "reading the gradients"]
    assert set(found.seconds) == {"forward", "backward"}
    assert all(seconds > 0 for seconds in found.seconds.values())


@pytest.mark.parametrize(
    ("function", "stage"),
    [
        (lambda y: (y * 0).log(), "looking for the first non-finite value"),
        (lambda y: (y * 0).sqrt(), "looking for the values behind a non-finite gradient"),
    ],
)
def test_a_pass_that_is_not_finite_is_run_again_to_find_out_why(function: Any, stage: str) -> None:
    stages: list[str] = []
    found = measured(regression(), step=lambda model, batch: function(model(batch[0])).sum(), on_stage=stages.append)
    assert stages[-1] == stage
    assert found.origin is not None


def test_a_low_precision_is_compared_with_float32() -> None:
    stages: list[str] = []
    found = measured(regression(), loss="mse_loss", autocast=torch.bfloat16, on_stage=stages.append)
    assert stages[-1] == "comparing with float32"
    assert [r.parameter for r in found.roundings] == ["weight", "bias"]
    assert measured(regression()).roundings == ()


def test_a_model_that_does_not_run_in_float32_is_said_to_be_not_compared() -> None:
    class Half(nn.Linear):
        def forward(self, x: Tensor) -> Tensor:
            assert x.dtype is torch.bfloat16
            return super().forward(x)

    model = Half(2, 1).to(torch.bfloat16)
    found = measured(model, (X.bfloat16(), Y.bfloat16()), loss="mse_loss")
    assert found.roundings == ()
    assert found.remarks == ("not compared with float32: a copy of the model in float32 raised AssertionError",)


def test_the_same_seed_draws_the_same_dropout() -> None:
    model = nn.Sequential(nn.Linear(2, 64), nn.Dropout(0.5), nn.Linear(64, 1))
    losses = [measured(model, loss="mse_loss", seed=seed).loss for seed in (3, 3, 4)]
    assert losses[0] == losses[1] != losses[2]


def test_statistics_that_were_never_taken_are_taken_from_the_batch_and_that_is_said() -> None:
    model = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3), nn.Linear(3, 1)).eval()
    found = measured(model, loss="mse_loss")
    assert found.remarks == (
        "the model was in eval mode, but its BatchNorm statistics never saw data: probed in train mode",
    )
    assert not any(module.training for module in model.modules())
    assert measured(model.train(), loss="mse_loss").remarks == ()


class Checkpointed(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(2, 2), nn.Linear(2, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.b(checkpoint(self.a, x, use_reentrant=False))


def test_checkpointed_blocks_are_run_without_and_that_is_said() -> None:
    found = measured(Checkpointed(), loss="mse_loss")
    (remark,) = found.remarks
    assert remark.startswith("1 checkpointed block") and "run without checkpointing" in remark
    assert [op.name for op in found.ops].count("AddmmBackward0") == 2


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_buffer_that_reaches_the_loss_is_told_with_the_op_that_takes_it_in(bad: float) -> None:
    model = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3), nn.Linear(3, 1)).eval()
    model[1].num_batches_tracked.fill_(1)
    model[1].running_mean[0] = bad
    found = measured(model, loss="mse_loss")
    assert found.entry is not None and found.origin is None
    assert (found.entry.kind, found.entry.name) == ("buffer", "1.running_mean")
    assert found.entry.produced == ("nan" if math.isnan(bad) else "inf")
    assert found.entry.origin is not None and "batch_norm" in found.entry.origin.op
    assert measured(model.train(), loss="mse_loss").entry is None


class Raising(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x.clone()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        raise LookupError("in backward")


def fails_forward(model: nn.Module, batch: Any) -> Tensor:
    raise LookupError("in forward")


@pytest.mark.parametrize(
    ("step", "told"),
    [
        (fails_forward, "in forward"),
        (lambda model, batch: Raising.apply(model(batch[0])).sum(), "in backward"),
        (lambda model, batch: model(batch[0]).reshape(7), "shape"),
    ],
)
def test_what_the_users_code_raises_is_told_to_be_theirs(step: Any, told: str) -> None:
    model = regression()
    with pytest.raises(RaisedByUser, match=told) as error:
        measured(model, step=step)
    assert error.value.error is error.value.__cause__
    assert model.weight.grad is None


def test_an_interruption_is_no_error_of_the_users() -> None:
    def step(model: nn.Module, batch: Any) -> Tensor:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        measured(regression(), step=step)


def test_a_loss_without_a_graph_is_measured_and_reaches_no_parameter() -> None:
    found = measured(regression(), step=lambda model, batch: model(batch[0]).detach().sum())
    assert [p.grad_norm for p in found.parameters] == [None, None]
    assert [(cut.op, cut.parameters) for cut in found.cuts] == [("detach", (0, 1))]


def test_a_gradient_of_the_input_is_measured_and_given_back() -> None:
    x = X.clone().requires_grad_()
    x.grad = torch.full_like(x, 7.0)
    found = measured(regression(), (x, Y), loss="mse_loss")
    assert [op.name for op in found.ops].count("AccumulateGrad") == 3
    assert x.grad.unique().tolist() == [7.0]
