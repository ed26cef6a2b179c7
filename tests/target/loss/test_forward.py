import copy

import pytest
import torch
from torch import nn

from gradcheck_cli.errors import TargetError
from gradcheck_cli.target import wrap_target

X, Y, Z = torch.randn(4, 3), torch.tensor([0, 1, 1, 0]), torch.randn(4, 1)


def model_of(forward):
    return type("Model", (nn.Module,), {"forward": forward})()


def test_a_scripted_model_is_called_too():
    target = wrap_target(torch.jit.script(nn.Linear(3, 2)), (X, Y))
    assert target.forward(target.model, target.batches[0]).loss_source == "guessed: cross_entropy"


def test_forward_works_on_a_copy_of_the_model():
    model = nn.Linear(3, 2)
    target = wrap_target(model, (X, Y), step=lambda model, batch: model(batch[0]).mean())
    twin = copy.deepcopy(model)
    target.forward(twin, target.batches[0]).loss.backward()
    assert twin.weight.grad is not None
    assert model.weight.grad is None


def test_a_model_that_returns_nothing():
    model = model_of(lambda self, x: None)
    model.weight = nn.Parameter(torch.ones(3))
    for loss in (None, "cross_entropy"):
        target = wrap_target(model, (X, torch.zeros(4)), loss=loss)
        with pytest.raises(TargetError, match="the model returned None"):
            target.forward(model, target.batches[0])
