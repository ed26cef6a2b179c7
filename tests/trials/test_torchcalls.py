"""Which torch functions a forward pass calls, and which op of the measurement each call made."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gradcheck_cli.pipeline import diagnose
from gradcheck_cli.records.spec import Step
from gradcheck_cli.trials.torchcalls import NotTriable, TorchCall, recorded_calls
from tests.trials.contexts import step_of

X, Y = torch.tensor([[1.0, 2.0], [3.0, 6.0]]), torch.zeros(2, 2)


class Net(nn.Module):
    """A layer, a raw weight and a function, in one loop."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layer = nn.Linear(2, 2)
        self.weight = nn.Parameter(torch.eye(2))

    def forward(self, x: Tensor) -> Tensor:
        x = self.layer(x)
        for _ in range(2):
            x = torch.tanh(x @ self.weight.t())
        return 0.5 * x


def recorded(step: Step) -> list[tuple[TorchCall, str]]:
    """Calls, with the stem of the op that each made."""
    graph = diagnose(step).evidence.graph
    return [(call, graph.stem(call.op)) for call in recorded_calls(step, graph.measurement)]


def test_each_call_is_found_with_its_place_its_op_and_its_parameters() -> None:
    calls = [(call.place, stem, call.parameters) for call, stem in recorded(step_of(Net(), (X, Y)))]
    assert calls == [
        (("layer", "linear", 0), "Addmm", ("layer.weight", "layer.bias")),
        (("", "t", 0), "T", ("weight",)),
        (("", "matmul", 0), "Mm", ("weight",)),
        (("", "tanh", 0), "Tanh", ()),
        (("", "t", 1), "T", ("weight",)),
        (("", "matmul", 1), "Mm", ("weight",)),
        (("", "tanh", 1), "Tanh", ()),
        (("", calls[-1][0][1], 0), "Mul", ()),
    ]


def test_what_went_in_is_told_in_numbers() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.Softplus(2.0, 9.0))
    with torch.no_grad():
        model[0].weight.copy_(torch.eye(2))
        model[0].bias.zero_()
    linear, softplus = (call for call, _ in recorded(step_of(model, (X, Y))))
    assert (linear.name, linear.mean, linear.shape, linear.tensors) == ("linear", 3.0, (2, 2), 3)
    assert linear.deviation == pytest.approx(3.5**0.5)
    assert not linear.same_shape  # the bias has another one
    assert (softplus.numbers, softplus.tensors, softplus.same_shape) == ((2.0, 9.0), 1, True)


def test_calls_outside_the_model_and_those_without_a_gradient_are_not_recorded() -> None:
    class Masked(nn.Linear):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x * torch.sigmoid(x))

    def step(model: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
        return torch.tanh(model(batch[0])).pow(2).mean()

    assert [call.name for call, _ in recorded(step_of(Masked(2, 2), (X, Y), step))] == ["linear"]


def test_a_step_that_uses_another_model_cannot_be_tried() -> None:
    model = Net()
    step = step_of(model, (X, Y), lambda given, batch: F.mse_loss(model(batch[0]), batch[1]))
    with pytest.raises(NotTriable, match="does not use the model that it is given"):
        recorded_calls(step, diagnose(step).evidence.measurement)


def test_a_pass_that_goes_another_way_than_the_measured_one_has_no_calls() -> None:
    step, other = step_of(Net(), (X, Y)), step_of(nn.Linear(2, 2), (X, Y))
    assert recorded_calls(step, diagnose(other).evidence.measurement) == ()


def test_the_users_model_is_left_as_it_was() -> None:
    model = Net()
    before = [set(vars(m)) for m in model.modules()]
    recorded(step_of(model, (X, Y)))
    assert [set(vars(m)) for m in model.modules()] == before
