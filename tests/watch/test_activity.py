"""Dead units and saturated elements of a pass, in closed form."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from gradcheck_cli.watch.activity import Activity, flat, off, rms


def looked_at(model: nn.Module, x: Tensor) -> Activity:
    activity = Activity({id(module): name for name, module in model.named_modules()})
    with activity:
        model(x)
    return activity


def test_units_that_no_row_turns_on_are_off() -> None:
    values = torch.tensor([[0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 2.0, 0.0]])
    assert off(values) == 0.5
    assert off(values.unsqueeze(0)) == 0.5  # (batch, time, units)
    images = torch.zeros(2, 4, 3, 3)
    images[1, 2, 0, 1] = 1.0
    assert off(images) == 0.75


def test_a_share_of_elements_is_flat() -> None:
    values = torch.sigmoid(torch.tensor([0.0, 10.0, -10.0, 1.0]))
    assert flat(values, lambda y: 4 * y * (1 - y)) == 0.5


def test_shares_are_told_by_the_module_that_is_called() -> None:
    first, second = nn.Linear(1, 4), nn.Linear(4, 2)
    nn.init.zeros_(first.weight)
    with torch.no_grad():
        first.bias.copy_(torch.tensor([-1.0, -1.0, -1.0, 1.0]))
        nn.init.constant_(second.weight, 50.0)
    activity = looked_at(nn.Sequential(first, nn.ReLU(), second, nn.Tanh()), torch.ones(16, 1))
    assert activity.dead == {"1": 0.75}
    assert activity.saturated == {"3": 1.0}


def test_the_scale_of_what_layers_put_out() -> None:
    """A recurrent layer returns its outputs first; a layer that is called twice is told by its larger output."""
    assert rms(torch.tensor([3.0, -4.0])) == pytest.approx(3.5355339)
    twice, recurrent = nn.Linear(2, 2, bias=False), nn.RNN(2, 3, batch_first=True)
    with torch.no_grad():
        twice.weight.copy_(2 * torch.eye(2))
    model = nn.Sequential(twice, nn.ReLU(), twice)
    assert looked_at(model, torch.ones(4, 2)).output_rms == {"0": pytest.approx(4.0)}
    x = torch.randn(4, 5, 2)
    out = recurrent(x)[0].detach()
    assert looked_at(recurrent, x).output_rms == {"": pytest.approx(float(out.square().mean().sqrt()))}


class Functional(nn.Module):
    """Calls what has no module of its own, twice."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Linear(2, 2)

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(-x.abs()) + torch.relu(self.body(x))


def test_of_several_calls_in_one_module_the_worst_counts() -> None:
    assert looked_at(Functional(), torch.randn(32, 2)).dead == {"": 1.0}


@pytest.mark.parametrize("rows", [1, 15])
def test_a_few_rows_say_nothing_of_dead_units(rows: int) -> None:
    assert looked_at(nn.Sequential(nn.ReLU()), -torch.ones(rows, 3)).dead == {}


def test_hooks_are_gone_afterwards_also_where_the_model_raises() -> None:
    from torch.nn.modules import module

    with pytest.raises(RuntimeError), Activity({}):
        nn.Linear(2, 2)(torch.ones(1, 3))
    assert not module._global_forward_pre_hooks and not module._global_forward_hooks
