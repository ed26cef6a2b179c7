"""A copy that is handed out shares nothing with the original; one that would is refused with the reason."""

from __future__ import annotations

import copy
import threading
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from gradcheck_cli.runtime.modelcopy import NotIndependent, independent_copy


def net() -> nn.Sequential:
    return nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Linear(8, 3))


class Same(nn.Linear):
    def __deepcopy__(self, memo: Any) -> Same:
        return self


class Sharing(nn.Parameter):
    """Copied, but on the same memory."""

    def __deepcopy__(self, memo: Any) -> nn.Parameter:
        return nn.Parameter(self.data)


class SharesItsArray(nn.Linear):
    def __deepcopy__(self, memo: Any) -> nn.Module:
        made = nn.Linear(4, 3)
        made.table = self.table
        return made


class Frozen:
    """An object of the user's that is not copied, with a tensor in it."""

    def __init__(self) -> None:
        self.cache = torch.zeros(3)

    def __deepcopy__(self, memo: Any) -> Frozen:
        return self


def _returns_itself() -> nn.Module:
    return Same(4, 3)


def _shared_backbone() -> nn.Module:
    return nn.Sequential(Same(4, 8), nn.Linear(8, 3))


def _shared_storage() -> nn.Module:
    model = net()
    model[0].weight = Sharing(model[0].weight.data)
    return model


def _shared_array() -> nn.Module:
    model = SharesItsArray(4, 3)
    model.table = np.zeros(3)
    return model


def _shared_object() -> nn.Module:
    model = net()
    model.kept = Frozen()
    return model


def _hook_on_the_original() -> nn.Module:
    model = net()

    def hook(*_: Any) -> None:
        with torch.no_grad():
            model[0].weight.mul_(0.9)

    model[2].register_forward_hook(hook)
    return model


def _hook_with_a_default() -> nn.Module:
    model = net()
    model[2].register_forward_pre_hook(lambda module, inputs, weight=model[0].weight: None)
    return model


_global_model = net()


def _hook_on_a_global() -> nn.Module:
    _global_model.kept = lambda: _global_model[0].weight
    return _global_model


def _function_in_a_list() -> nn.Module:
    model = net()
    model.calls = [lambda: model]
    return model


def _backward_hook() -> nn.Module:
    model = net()
    model[0].register_full_backward_hook(lambda *_: model.zero_grad())
    return model


SHARING = [
    (_returns_itself, "the model"),
    (_shared_backbone, "`0"),
    (_shared_storage, "the memory of `0.weight`"),
    (_shared_array, "`table`"),
    (_shared_object, "`kept.cache`"),
    (_hook_on_the_original, "through a function"),
    (_hook_with_a_default, "`0.weight` through a function"),
    (_hook_on_a_global, "through a function"),
    (_function_in_a_list, "through a function"),
    (_backward_hook, "through a function"),
]


@pytest.mark.parametrize(("build", "told"), SHARING, ids=[build.__name__ for build, _ in SHARING])
def test_a_copy_that_shares_something_is_refused(build: Any, told: str) -> None:
    with pytest.raises(NotIndependent) as refused:
        independent_copy(build())
    assert told in str(refused.value)


def test_a_model_that_cannot_be_copied_is_refused() -> None:
    model = net()
    model.lock = threading.Lock()
    with pytest.raises(NotIndependent, match="cannot be copied: TypeError"):
        independent_copy(model)


def test_a_usual_model_is_copied_with_its_ties_and_its_hooks() -> None:
    model = net()
    model.tied = model[0].weight
    model.generator = torch.Generator().manual_seed(3)
    model.note = {"a": [1]}
    model[1].register_forward_hook(lambda module, inputs, output: output * 1)
    model[2].register_forward_hook(_module_level_hook)
    model(torch.randn(5, 4)).sum().backward()
    made = independent_copy(model)
    assert made.tied is made[0].weight
    assert made.tied.data_ptr() != model.tied.data_ptr()
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(1.0)
    assert not torch.equal(made.tied, model.tied)


def _module_level_hook(module: nn.Module, inputs: Any, output: Tensor) -> Tensor:
    return output.clamp(-10, 10)


def test_bound_methods_are_bound_to_the_copy() -> None:
    model = net()
    model.step = model[0].forward
    made = independent_copy(model)
    assert made.step.__self__ is made[0]


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize(
    "buffer",
    [
        torch.eye(3).to_sparse(),
        torch.ones(3).to(torch.float8_e4m3fn),
        torch.quantize_per_tensor(torch.ones(3), 0.1, 0, torch.qint8),
    ],
)
def test_buffers_of_other_makes_are_copied(buffer: Tensor) -> None:
    model = net()
    model.register_buffer("odd", copy.deepcopy(buffer))
    assert independent_copy(model).odd is not model.odd
