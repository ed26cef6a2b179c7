"""Numbers about the tensors of a batch, an output or a target."""

from __future__ import annotations

import math
from dataclasses import dataclass

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gradcheck_cli.probe.stats import stats_of
from gradcheck_cli.records.measurement import TensorStats

NAN, INF = math.nan, math.inf


def one(tensor: torch.Tensor) -> TensorStats:
    (found,) = stats_of(tensor, "x")
    return found


@settings(max_examples=50, deadline=None)
@given(values=st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=20))
def test_the_rms_and_the_spread_of_a_finite_tensor(values: list[float]) -> None:
    found = one(torch.tensor(values, dtype=torch.float64))
    mean = math.fsum(values) / len(values)
    assert found.rms == pytest.approx(math.sqrt(math.fsum(x * x for x in values) / len(values)))
    assert found.std == pytest.approx(math.sqrt(math.fsum((x - mean) ** 2 for x in values) / len(values)), abs=1e-6)
    assert (found.numel, found.nan_count, found.inf_count, found.first_bad) == (len(values), 0, 0, ())


@pytest.mark.parametrize(
    ("values", "nan", "inf", "first"),
    [
        ([[0.0, 1.0], [NAN, NAN]], 2, 0, (1, 0)),
        ([[0.0, INF], [-INF, 1.0]], 0, 2, (0, 1)),
        ([[INF, 0.0], [0.0, NAN]], 1, 1, (1, 1)),
    ],
)
def test_the_first_nan_is_told_and_without_one_the_first_inf(
    values: list[list[float]], nan: int, inf: int, first: tuple[int, ...]
) -> None:
    found = one(torch.tensor(values))
    assert (found.nan_count, found.inf_count, found.first_bad) == (nan, inf, first)


def test_a_norm_that_overflows_by_itself_makes_nothing_bad() -> None:
    found = one(torch.full((4,), 3e38))
    assert (found.nan_count, found.inf_count, found.first_bad) == (0, 0, ())
    assert found.rms == pytest.approx(3e38, rel=1e-6)


@pytest.mark.parametrize("tensor", [torch.arange(4), torch.ones(3, dtype=torch.bool), torch.zeros(0)])
def test_names_and_nothing_have_no_amount(tensor: torch.Tensor) -> None:
    found = one(tensor)
    assert (found.rms, found.std) == (None, None)
    assert found.shape == tuple(tensor.shape)


def test_a_complex_tensor_has_a_size_and_no_spread() -> None:
    found = one(torch.tensor([3 + 4j, 0j]))
    assert found.rms == pytest.approx(math.sqrt(12.5))
    assert (found.std, found.dtype, found.is_floating) == (None, "complex64", False)


def test_a_sparse_tensor_keeps_its_shape() -> None:
    found = one(torch.eye(3).to_sparse())
    assert (found.shape, found.numel, found.nan_count) == ((3, 3), 9, 0)


@dataclass
class Sample:
    image: torch.Tensor
    name: str


def test_every_tensor_of_a_nesting_is_told_by_its_path() -> None:
    tree = ({"ids": torch.zeros(2)}, [torch.zeros(3), None], Sample(torch.zeros(4), "a"))
    assert [(s.name, s.numel) for s in stats_of(tree, "batch")] == [
        ("batch.0.ids", 2),
        ("batch.1.0", 3),
        ("batch.2.image", 4),
    ]
    assert stats_of("text", "batch") == stats_of(None, "batch") == ()


def test_the_batch_is_not_altered() -> None:
    tensor = torch.tensor([1.0, NAN], requires_grad=True)
    one(tensor)
    assert tensor.grad is None and tensor.grad_fn is None


def test_gaps_leave_the_rms_and_the_spread_of_the_others() -> None:
    found = one(torch.tensor([3.0, NAN, -3.0, -INF]))
    assert (found.rms, found.std) == (pytest.approx(3.0), pytest.approx(3.0))
    nothing = one(torch.tensor([NAN, NAN]))
    assert (nothing.rms, nothing.std) == (None, None)
