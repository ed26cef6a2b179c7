"""What a low precision loses of a gradient, against closed forms."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn

from gradcheck_cli.probe.precision import roundings
from gradcheck_cli.records.measurement import Rounding
from gradcheck_cli.records.thresholds import Thresholds
from gradcheck_cli.target import wrap_target


class Scaled(nn.Module):
    """Sum of w * x: the gradient of w is x itself."""

    def __init__(self, count: int, dtype: torch.dtype) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.ones(count, dtype=dtype))

    def forward(self, x: Tensor) -> Tensor:
        return self.w * x.to(self.w.dtype)


def compared(values: list[float], dtype: torch.dtype, factor: float = 1.0) -> tuple[Rounding, ...]:
    """A pass whose gradient is the values times the factor."""
    step = lambda model, x: (model(x) * factor).sum()  # noqa: E731
    target = wrap_target(Scaled(len(values), dtype), torch.tensor(values), step=step)
    return roundings(target, target.batches[0], 0, None, lambda: None)


def test_in_float32_there_is_nothing_to_compare() -> None:
    assert compared([1.0, 1e-30], torch.float32) == ()


def test_what_underflows_is_lost_and_what_nearly_does_is_subnormal() -> None:
    # 2^-14 is the smallest normal number of float16, 2^-24 the smallest of all; half of that is rounded to 0.
    (found,) = compared([2.0**-2, 2.0**-9, 2.0**-12, 0.0], torch.float16, factor=2.0**-13)
    assert found.parameter == "w" and found.dtype == "float16"
    assert (found.lost, found.subnormal) == (0.25, 0.5)
    assert found.largest == found.largest_float32 == 2.0**-15
    assert found.limit == 65504.0


@pytest.mark.parametrize(("dtype", "lost"), [(torch.float16, 0.5), (torch.bfloat16, 0.0)])
def test_bfloat16_keeps_the_range_of_float32(dtype: torch.dtype, lost: float) -> None:
    (found,) = compared([1.0, 2.0**-14, 1.0, 2.0**-14], dtype, factor=2.0**-13)
    assert (found.lost, found.subnormal) == (lost, 0.0)


def test_an_element_that_is_zero_anyway_is_not_lost() -> None:
    (found,) = compared([0.0, 1.0], torch.float16)
    assert (found.lost, found.subnormal) == (0.0, 0.0)


def test_elements_near_the_limit_are_counted() -> None:
    near = 65504.0 / Thresholds().headroom
    (found,) = compared([near * 1.1, near * 0.9, 1.0, 0.0], torch.float16)
    assert found.near_limit == 0.25
    assert found.largest == pytest.approx(near * 1.1, rel=1e-3)


def test_under_autocast_each_parameter_is_compared_in_that_precision() -> None:
    torch.manual_seed(0)
    target = wrap_target(nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 2)), (torch.randn(8, 4), torch.zeros(8, 2)))
    found = roundings(target, target.batches[0], 0, torch.bfloat16, lambda: None)
    assert [r.parameter for r in found] == ["0.weight", "0.bias", "1.weight", "1.bias"]
    assert {r.dtype for r in found} == {"bfloat16"}
    assert all(r.largest == pytest.approx(r.largest_float32, rel=0.05) for r in found)


def test_the_model_and_its_batch_are_left_alone() -> None:
    model = Scaled(3, torch.float16)
    model.w.grad = torch.ones(3, dtype=torch.float16)
    target = wrap_target(model, torch.ones(3, dtype=torch.float16), step=lambda model, x: model(x).sum())
    state, batch = copy.deepcopy(model.state_dict()), target.batches[0].clone()
    roundings(target, target.batches[0], 0, None, lambda: None)
    assert model.w.dtype is torch.float16
    assert torch.equal(model.w, state["w"]) and torch.equal(target.batches[0], batch)
    assert model.w.grad.tolist() == [1, 1, 1]


def test_what_the_users_code_raises_in_float32_comes_out() -> None:
    def step(model: nn.Module, x: Tensor) -> Tensor:
        if model.w.dtype is torch.float32:
            raise TypeError("half only")
        return model(x).sum()

    target = wrap_target(Scaled(3, torch.float16), torch.ones(3), step=step)
    with pytest.raises(TypeError, match="half only"):
        roundings(target, target.batches[0], 0, None, lambda: None)
