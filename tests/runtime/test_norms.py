"""Norms are exact where the square of a number is not, and cost one read a device."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from gradcheck_cli.runtime.norms import dense, extreme, norm, settle

NAN, INF = float("nan"), float("inf")


def number(scalar: float | Tensor) -> float:
    return settle([scalar])[0]


@pytest.mark.parametrize("scale", [1e-45, 1e-40, 1e-30, 1e-22, 1e-21, 1e-20, 1e-14, 1.0, 1e17, 1e19, 1e30, 1e37])
def test_three_and_four_make_five_over_the_whole_range_of_float32(scale: float) -> None:
    tensor = torch.tensor([3 * scale, 4 * scale])
    exact = math.hypot(*tensor.tolist())  # of the numbers as float32 rounds them
    assert norm(tensor) == pytest.approx(exact, rel=1e-6, abs=0)


@pytest.mark.parametrize("scale", [1e-320, 1e-200, 1e-160, 1e160, 1e200, 1e300])
def test_float64_is_scaled_as_well(scale: float) -> None:
    tensor = torch.tensor([3 * scale, 4 * scale], dtype=torch.float64)
    assert norm(tensor) == pytest.approx(5 * scale, rel=1e-3 if scale < 1e-300 else 1e-12, abs=0)


@pytest.mark.parametrize(("dtype", "value"), [(torch.float16, 60000.0), (torch.bfloat16, 2.0**100)], ids=str)
def test_a_narrow_dtype_is_summed_in_a_wider_one(dtype: torch.dtype, value: float) -> None:
    tensor = torch.full((16,), value, dtype=dtype)
    assert norm(tensor) == pytest.approx(4 * tensor[0].item(), rel=1e-6, abs=0)
    assert torch.isfinite(torch.tensor(norm(tensor)))


@given(st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), max_size=20))
def test_the_norm_is_that_of_python_whatever_the_numbers_are(values: list[float]) -> None:
    exact = math.hypot(*values)
    assert number(norm(torch.tensor(values, dtype=torch.float32))) == pytest.approx(exact, rel=1e-5, abs=0)


@given(st.lists(st.floats(width=32), min_size=1, max_size=20))
def test_the_extreme_is_the_largest_absolute_value_and_nan_where_there_is_one(values: list[float]) -> None:
    found = number(extreme(torch.tensor(values, dtype=torch.float32)))
    if any(map(math.isnan, values)):
        assert math.isnan(found)
    else:
        assert found == max(map(abs, values))


@pytest.mark.parametrize("measure", [norm, extreme])
@pytest.mark.parametrize(
    ("values", "told"),
    [([], 0.0), ([0.0, -0.0], 0.0), ([1.0, INF], INF), ([-INF, 1.0], INF), ([NAN, 1.0], NAN), ([NAN, INF], NAN)],
)
def test_nothing_zeros_and_what_is_not_finite(measure, values: list[float], told: float) -> None:
    assert number(measure(torch.tensor(values))) == pytest.approx(told, nan_ok=True)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int32, torch.int64, torch.bool], ids=str)
def test_integers_and_booleans_have_a_norm(dtype: torch.dtype) -> None:
    tensor = torch.tensor([1, 1, 0, 1, 1]).to(dtype)
    assert (number(norm(tensor)), number(extreme(tensor))) == (2.0, 1.0)


@pytest.mark.parametrize("dtype", [torch.complex32, torch.complex64, torch.complex128], ids=str)
@pytest.mark.filterwarnings("ignore:ComplexHalf")
def test_the_norm_of_complex_numbers_is_that_of_their_absolute_values(dtype: torch.dtype) -> None:
    tensor = torch.tensor([3 + 4j, 0 + 12j]).to(dtype)
    assert number(norm(tensor)) == pytest.approx(13.0)
    assert number(norm(tensor.conj())) == pytest.approx(13.0)


def test_the_extreme_of_complex_numbers() -> None:
    assert number(extreme(torch.tensor([3 + 4j, 1 - 1j]))) == pytest.approx(5.0)


def test_a_sparse_gradient_counts_its_duplicates_added_up() -> None:
    doubled = torch.sparse_coo_tensor([[1, 1, 3]], [1.0, 2.0, 4.0], (5,))
    assert number(norm(doubled)) == 5.0
    assert number(extreme(doubled)) == 4.0
    assert sorted(dense(doubled).tolist()) == [3.0, 4.0]


@pytest.mark.filterwarnings("ignore:Sparse CSR")
def test_a_compressed_one_gives_what_it_stores() -> None:
    rows = torch.tensor([[0.0, 3.0], [4.0, 0.0]]).to_sparse_csr()
    assert (number(norm(rows)), number(extreme(rows))) == (5.0, 4.0)


def test_the_values_are_without_their_graph_and_share_memory() -> None:
    tensor = torch.ones(3, requires_grad=True)
    found = dense(tensor * 1)
    assert not found.requires_grad
    assert dense(tensor).data_ptr() == tensor.data_ptr()


def test_a_conjugate_view_is_resolved() -> None:
    view = torch.tensor([1 + 2j]).conj()
    assert view.is_conj() and not dense(view).is_conj()
    assert dense(view).tolist() == [1 - 2j]


def test_scalars_settle_in_their_order_whether_they_are_here_or_on_a_device() -> None:
    scalars = [1.0, torch.tensor(2.0), 3, torch.tensor(4.0, dtype=torch.float64), torch.tensor(NAN)]
    *first, last = settle(scalars)
    assert first == [1.0, 2.0, 3.0, 4.0] and math.isnan(last)
    assert all(type(value) is float for value in first)
    assert settle([]) == []
    assert settle([torch.tensor(0.1)]) == [torch.tensor(0.1).double().item()]
