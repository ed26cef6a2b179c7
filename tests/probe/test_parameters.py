"""The figures of one gradient."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from gradcheck_cli.probe.parameters import GradientFigures, figures

NAN, INF = math.nan, math.inf


def settled(parameter: Tensor, gradient: Tensor) -> dict[str, float | None]:
    found: GradientFigures = figures(parameter, gradient)
    return {name: None if x is None else float(x) for name, x in found._asdict().items()}


@settings(max_examples=60, deadline=None)
@given(
    rows=st.integers(1, 5),
    columns=st.integers(1, 5),
    seed=st.integers(0, 999),
    zeros=st.floats(0, 1),
)
def test_the_figures_of_a_finite_gradient(rows: int, columns: int, seed: int, zeros: float) -> None:
    generator = torch.Generator().manual_seed(seed)
    weight = torch.randn(rows, columns, generator=generator, dtype=torch.float64)
    gradient = torch.randn(rows, columns, generator=generator, dtype=torch.float64)
    gradient[torch.rand(rows, columns, generator=generator) < zeros] = 0
    found = settled(weight, gradient)
    assert found["norm"] == pytest.approx(gradient.square().sum().sqrt().item())
    assert found["extreme"] == gradient.abs().max().item()
    assert found["zeros"] == (gradient == 0).sum().item()
    assert (found["nan"], found["inf"]) == (0, 0)
    if found["zeros"]:
        touched = (gradient != 0).any(1)
        assert found["active_weight"] == pytest.approx(weight[touched].square().sum().sqrt().item())
    else:
        assert found["active_weight"] is None


@pytest.mark.parametrize("shape", [(), (4,), (0,)])
def test_a_bias_has_no_rows(shape: tuple[int, ...]) -> None:
    assert figures(torch.ones(shape), torch.zeros(shape)).active_weight is None


@pytest.mark.parametrize(
    ("values", "norm", "nan", "inf"),
    [
        ([1.0, NAN, INF, -INF], NAN, 1, 2),
        ([1.0, INF, 0.0, 0.0], INF, 0, 1),
        ([NAN, NAN, NAN, NAN], NAN, 4, 0),
    ],
)
def test_what_is_not_finite_is_counted(values: list[float], norm: float, nan: int, inf: int) -> None:
    found = settled(torch.ones(4), torch.tensor(values))
    assert math.isnan(found["norm"]) if math.isnan(norm) else found["norm"] == norm
    assert (found["nan"], found["inf"]) == (nan, inf)


@pytest.mark.parametrize("scale", [1e-30, 1e30])
def test_a_gradient_whose_squares_leave_the_range_has_a_norm_all_the_same(scale: float) -> None:
    found = settled(torch.ones(4), torch.full((4,), scale))
    assert found["norm"] == pytest.approx(2 * scale, rel=1e-6)
    assert (found["nan"], found["inf"]) == (0, 0)


def test_a_sparse_gradient_counts_the_rows_that_it_does_not_hold_as_zeros() -> None:
    weight = torch.arange(12.0).reshape(4, 3)
    entries = torch.tensor([[1.0, 0.0, 2.0], [2.0, 0.0, 2.0]])
    sparse = torch.sparse_coo_tensor(torch.tensor([[1, 1]]), entries, (4, 3), check_invariants=True)
    found = settled(weight, sparse)
    assert found["norm"] == pytest.approx(5.0)  # both entries of row 1 together are (3, 0, 4)
    assert found["zeros"] == 10
    assert found["active_weight"] == pytest.approx(weight[1].norm().item())


def test_a_sparse_gradient_has_the_figures_of_the_same_dense_one() -> None:
    weight, gradient = torch.randn(5, 3), torch.zeros(5, 3)
    gradient[[1, 4]] = torch.randn(2, 3)
    assert settled(weight, gradient.to_sparse(1)) == pytest.approx(settled(weight, gradient))


def test_a_complex_gradient_is_measured_by_its_moduli() -> None:
    found = settled(torch.ones(2, dtype=torch.complex64), torch.tensor([3 + 4j, 0j]))
    assert (found["norm"], found["extreme"], found["zeros"]) == (5.0, 5.0, 1)


@pytest.mark.parametrize(
    ("weight", "gradient", "copies"),
    [
        (torch.full((3, 4), 0.1), torch.ones(3, 1) * torch.arange(4.0), 1),
        (torch.full((3, 4), 0.1), torch.ones(3, 1) * torch.arange(4.0) + 1e-6 * torch.eye(3, 4), 1),  # rounding
        (torch.full((3, 4), 0.1), torch.ones(3, 1) * torch.arange(4.0) + 2e-5 * torch.eye(3, 4), 1),
        (torch.full((3, 4), 0.1), torch.ones(3, 1) * torch.arange(4.0) + 5e-5 * torch.eye(3, 4), 0),
        (torch.full((3, 4), 0.1), torch.eye(3, 4), 0),
        (torch.full((3, 4), 0.1), torch.zeros(3, 4), 0),
        (torch.eye(3, 4), torch.ones(3, 4), 0),
        (torch.tensor([[1.0], [1.0], [2.0]]), torch.ones(3, 1), 0),
        (torch.ones(1, 4), torch.ones(1, 4), 0),
        (torch.ones(4), torch.ones(4), 0),
    ],
)
def test_rows_are_copies_where_weights_and_gradients_are(weight: Tensor, gradient: Tensor, copies: int) -> None:
    assert settled(weight, gradient)["copies"] == copies
