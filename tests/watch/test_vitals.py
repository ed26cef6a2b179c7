"""Norms of gradients and losses of every make, against what can be written down."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, distributed, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.tensor import Replicate, Shard, distribute_tensor
from torch.overrides import TorchFunctionMode

from gradcheck_cli.watch.vitals import (
    Norms,
    _read,
    can_glimpse,
    glimpse,
    gradient_norms,
    in_one_transfer,
    number,
    readings,
)


def learning(gradient: Tensor | None, like: Tensor | None = None) -> Tensor:
    parameter = torch.zeros_like(gradient if like is None else like).requires_grad_()  # type: ignore[arg-type]
    parameter.grad = gradient
    return parameter


def norm_of(gradient: Tensor) -> float:
    (value,) = gradient_norms([learning(gradient)]).values
    return value


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_the_norm_of_equal_elements(dtype: torch.dtype) -> None:
    assert norm_of(torch.full((3, 3), 2.0, dtype=dtype)) == 6.0


def test_low_precision_is_added_up_in_float32() -> None:
    """In float16 the sum of these squares is infinite, in bfloat16 it stops growing at 256."""
    assert norm_of(torch.full((10_000,), 100.0, dtype=torch.float16)) == pytest.approx(1e4, rel=1e-6)
    assert norm_of(torch.ones(10_000, dtype=torch.bfloat16)) == pytest.approx(100.0, rel=1e-6)


@pytest.mark.parametrize("size", [1e19, 1e30, 3e38])
def test_a_finite_gradient_whose_square_overflows_has_a_finite_norm(size: float) -> None:
    assert norm_of(torch.tensor([size, -size])) == pytest.approx(math.sqrt(2) * float(torch.tensor(size)), rel=1e-6)


@pytest.mark.parametrize("size", [1e-20, 1e-30])
def test_a_gradient_whose_square_underflows_has_a_norm(size: float) -> None:
    assert norm_of(torch.full((4,), size)) == pytest.approx(2 * size, rel=1e-3)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_is_told_of_its_own_parameter(bad: float) -> None:
    held = [learning(torch.ones(4)), learning(torch.tensor([1.0, bad])), learning(torch.full((4,), 2.0))]
    one, two, three = gradient_norms(held).values
    assert (one, three) == (2.0, 4.0)
    assert math.isnan(two) if math.isnan(bad) else two == math.inf


def test_a_complex_gradient() -> None:
    assert norm_of(torch.tensor([3 + 4j, 0j])) == 5.0


def test_a_sparse_gradient_is_added_up_where_a_row_occurs_twice() -> None:
    sparse = torch.sparse_coo_tensor(torch.tensor([[1, 1, 3]]), torch.tensor([[1.0], [2.0], [4.0]]), (5, 1))
    parameter = learning(sparse, torch.zeros(5, 1))
    assert gradient_norms([parameter]).values == (5.0,)
    embedding = nn.Embedding(10, 4, sparse=True)
    embedding(torch.tensor([1, 1, 3])).sum().backward()
    assert gradient_norms([embedding.weight]).values == pytest.approx((math.sqrt(4 * 2**2 + 4),))


def test_gradients_of_several_makes_at_once() -> None:
    held = [
        learning(torch.full((4,), 1.0, dtype=torch.bfloat16)),
        learning(torch.full((4,), 2.0, dtype=torch.float64)),
        learning(torch.tensor([3 + 4j])),
        learning(torch.zeros(0)),
        learning(torch.tensor(-7.0)),
    ]
    assert gradient_norms(held).values == (2.0, 4.0, 5.0, 0.0, 7.0)
    assert gradient_norms(held[:2] + held[3:]).values == (2.0, 4.0, 0.0, 7.0)


def test_a_parameter_without_a_gradient_is_absent_and_none_at_all_is_no_norm() -> None:
    one, two = learning(torch.ones(4)), learning(None, torch.ones(4))
    norms = gradient_norms([two, one])
    assert norms.parameters == (one,) and norms.values == (2.0,)
    assert gradient_norms([two]) == Norms((), ())
    assert norms.over([two]) is None
    assert norms.over([two, one]) == 2.0


def test_a_norm_over_some_parameters() -> None:
    one, two = learning(torch.full((1,), 3.0)), learning(torch.full((1,), 4.0))
    norms = gradient_norms([one, two])
    assert (norms.over([one]), norms.over([one, two]), norms.over([])) == (3.0, 5.0, None)


@given(st.lists(st.lists(st.floats(-(2.0**100), 2.0**100, width=32), min_size=1, max_size=6), min_size=1, max_size=6))
def test_every_norm_is_that_of_float64(rows: list[list[float]]) -> None:
    gradients = [torch.tensor(row) for row in rows]
    found = gradient_norms([learning(each) for each in gradients]).values
    wanted = [float(torch.linalg.vector_norm(each.double())) for each in gradients]
    assert found == pytest.approx(wanted, rel=1e-5, abs=1e-18)


class _Counting(TorchFunctionMode):
    calls = 0

    def __torch_function__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        self.calls += 1
        return func(*args, **(kwargs or {}))


def test_no_mode_of_the_user_sees_any_of_it() -> None:
    parameter = learning(torch.ones(4))
    with _Counting() as mode:
        before = mode.calls
        gradient_norms([parameter])
        number(parameter.sum())
        assert mode.calls == before + 1  # the sum
    assert parameter.grad is not None and parameter.grad._version == 0


def test_a_loss_as_a_number() -> None:
    assert number(torch.tensor([[2.5]], requires_grad=True)) == 2.5
    assert number(torch.tensor(1.5, dtype=torch.bfloat16)) == 1.5
    assert math.isnan(number(torch.tensor(math.nan)) or 0.0)
    assert number(torch.zeros(2)) is None
    assert number(torch.tensor(1j)) is None


def test_of_a_tensor_that_is_spread_over_processes_only_what_all_have_is_read() -> None:
    distributed.init_process_group("gloo", rank=0, world_size=1, store=distributed.HashStore())
    try:
        mesh = init_device_mesh("cpu", (1,))
        parameter = nn.Parameter(distribute_tensor(torch.tensor([3.0, 4.0]), mesh, [Shard(0)]))
        loss = (parameter * parameter).sum()
        loss.backward()
        assert gradient_norms([parameter]).values == ()
        assert number(loss) is None
        assert number(distribute_tensor(torch.tensor(25.0), mesh, [Replicate()])) == 25.0
    finally:
        distributed.destroy_process_group()


def test_loss_and_norms_are_read_together() -> None:
    weight = learning(torch.tensor([3.0, 4.0]))
    assert readings(torch.tensor(2.5), [weight]) == (2.5, gradient_norms([weight]))
    assert readings(None, [weight]) == (None, gradient_norms([weight]))
    assert readings(torch.tensor([1.0, 2.0]), [weight])[0] is None


def test_what_waits_for_a_device_comes_in_one_transfer_with_the_numbers_beside() -> None:
    """As it is done on a GPU: the kernel's results and the loss, stacked."""
    assert in_one_transfer([torch.tensor(5.0), torch.tensor(2.5)]) == [5.0, 2.5]
    odd = learning(torch.full((4,), 2.0, dtype=torch.float64))
    held, values = _read([learning(torch.tensor([3.0, 4.0])), odd], [torch.tensor(0.5, dtype=torch.bfloat16)])
    assert len(held) == 2 and values == [5.0, 4.0, 0.5]


def test_a_glimpse_is_the_same_where_it_does() -> None:
    torch.manual_seed(0)
    model = nn.Linear(3, 2)
    model(torch.randn(4, 3)).square().sum().backward()
    held = list(model.parameters())
    gradients = [p.grad for p in held if p.grad is not None]
    assert can_glimpse(held) and glimpse(gradients) == pytest.approx(gradient_norms(held).values)


def test_a_glimpse_does_not_do_for_what_is_of_no_plain_kind() -> None:
    weight, double = nn.Parameter(torch.ones(2)), nn.Parameter(torch.ones(2, dtype=torch.float64))
    assert not can_glimpse([weight, double]) and not can_glimpse([])
    assert not can_glimpse([nn.Parameter(torch.ones(2, dtype=torch.bfloat16))])
    assert not can_glimpse([nn.Parameter(torch.ones(2, device="meta"))])
    assert glimpse([]) is None
    assert glimpse([torch.tensor([1.0, math.nan])]) is None
    assert glimpse([torch.full((4,), 1e30)]) is None, "its square is no float32"
    assert glimpse([torch.ones(2).to_sparse()]) is None
