"""What the saved tensors of an op tell, held against its slope by autograd."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from gradcheck_cli.probe import measure
from gradcheck_cli.probe.lenses import LENSES, MEASURED, LensReading, look
from gradcheck_cli.target import wrap_target


def read(output: Tensor, child: str = "") -> LensReading:
    """The reading of the op that made `output`, its numbers fetched."""
    node = output.grad_fn
    with torch.no_grad():  # as in a backward pass
        reading = look(node.name(), node, child)
    assert reading is not None, node.name()
    return reading._replace(**{k: v if (v := getattr(reading, k)) is None else float(v) for k in MEASURED})


SMOOTH: dict[str, tuple[Callable[[Tensor], Tensor], float]] = {
    "sigmoid": (torch.sigmoid, 0.25),
    "tanh": (torch.tanh, 1.0),
    "gelu": (F.gelu, 1.0),
    "silu": (F.silu, 1.0),
    "mish": (F.mish, 1.0),
    "softplus": (F.softplus, 1.0),
    "hardtanh": (F.hardtanh, 1.0),
    "hardsigmoid": (F.hardsigmoid, 1 / 6),
    "hardswish": (F.hardswish, 1.0),
    "logsigmoid": (F.logsigmoid, 1.0),
}


@pytest.mark.parametrize("name", SMOOTH)
@settings(max_examples=10, deadline=None)
@given(scale=st.floats(0.01, 30), shift=st.floats(-20, 20), seed=st.integers(0, 99))
def test_the_slope_of_an_activation_is_its_derivative(name: str, scale: float, shift: float, seed: int) -> None:
    function, largest = SMOOTH[name]
    x = (torch.randn(5, 40, generator=torch.Generator().manual_seed(seed)) * scale + shift).requires_grad_()
    (slope,) = torch.autograd.grad(function(x).sum(), x)
    reading = read(function(x))
    assert reading.kind == "activation"
    assert reading.slope == pytest.approx(slope.abs().double().mean().item(), rel=1e-3, abs=1e-6)
    share = (slope.abs() < 0.01 * largest).double().mean().item()
    assert reading.saturated == pytest.approx(share, abs=0.011)  # rounding moves an element over the line
    assert (reading.units, reading.samples, reading.dead) == (1, 200, None)


def test_an_exponential_tells_the_share_that_is_exactly_zero() -> None:
    x = torch.tensor([0.0, -1.0, -200.0, -300.0], requires_grad=True)
    reading = read(x.exp())
    assert (reading.kind, reading.saturated) == ("exponential", 0.5)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_a_low_precision_is_read_in_float32(dtype: torch.dtype) -> None:
    x = torch.linspace(-3, 3, 50, dtype=dtype, requires_grad=True)
    y = torch.sigmoid(x)
    expected = (y.float() * (1 - y.float())).mean().item()
    assert read(y).slope == pytest.approx(expected, rel=1e-6)


def test_a_big_tensor_is_read_on_a_sample() -> None:
    x = torch.linspace(-3, 3, 1 << 18, requires_grad=True)
    y = torch.sigmoid(x)
    reading = read(y)
    assert 1 << 16 <= reading.samples < 1 << 17
    assert reading.slope == pytest.approx((y * (1 - y)).mean().item(), rel=1e-3)


@settings(max_examples=40, deadline=None)
@given(rows=st.integers(1, 6), units=st.integers(1, 6), seed=st.integers(0, 999), shift=st.floats(-2, 2))
def test_a_unit_is_dead_where_it_is_positive_on_no_sample(rows: int, units: int, seed: int, shift: float) -> None:
    x = (torch.randn(rows, units, generator=torch.Generator().manual_seed(seed)) + shift).requires_grad_()
    reading = read(torch.relu(x))
    active = x.detach() > 0
    assert reading.dead == pytest.approx((~active.any(0)).double().mean().item())
    assert reading.slope == pytest.approx(active.double().mean().item())
    assert (reading.units, reading.samples, reading.saturated) == (units, rows, None)


@pytest.mark.parametrize(
    ("child", "units", "dead"), [("ConvolutionBackward0", 3, 1 / 3), ("AddmmBackward0", 5, 0.0), ("", 5, 0.0)]
)
def test_units_are_channels_behind_a_convolution_and_features_elsewhere(child: str, units: int, dead: float) -> None:
    x = torch.ones(2, 3, 4, 5)
    x[:, 1] = -1  # one dead channel of three
    reading = read(torch.relu(x.requires_grad_()), child)
    assert (reading.units, reading.samples) == (units, 120 // units)
    assert reading.dead == pytest.approx(dead)
    assert reading.slope == pytest.approx(2 / 3)


def test_a_vector_has_no_units_that_could_be_dead() -> None:
    reading = read(torch.relu(torch.tensor([1.0, -1.0, 2.0, -2.0], requires_grad=True)))
    assert (reading.slope, reading.dead, reading.units, reading.samples) == (0.5, None, 4, 1)


@pytest.mark.parametrize("dim", [0, 1, 2, -1, -2, -3])
def test_a_softmax_is_read_along_its_own_dimension(dim: int) -> None:
    logits = torch.zeros(2, 3, 4)
    logits.select(dim, 0).fill_(100.0)
    reading = read(torch.softmax(logits.requires_grad_(), dim))
    assert (reading.kind, reading.length, reading.saturated) == ("softmax", logits.shape[dim], 1.0)
    assert read(torch.log_softmax(logits, dim)).length == logits.shape[dim]


def test_the_saturated_share_of_a_softmax_counts_rows() -> None:
    logits = torch.zeros(4, 3)
    logits[0, 1] = 100.0
    assert read(torch.softmax(logits.requires_grad_(), -1)).saturated == 0.25


@pytest.mark.parametrize(("rest", "share"), [(0.7e-4, 1.0), (1.5e-4, 0.0)])
def test_a_row_is_one_hot_where_all_but_the_largest_have_a_ten_thousandth(rest: float, share: float) -> None:
    logits = torch.tensor([[1 - rest, rest / 2, rest / 2]]).log()
    assert read(torch.softmax(logits.requires_grad_(), -1)).saturated == share


@pytest.mark.parametrize(("slope", "share"), [(0.007, 1.0), (0.015, 0.0)])
def test_an_element_is_saturated_where_a_hundredth_of_the_largest_slope_is_left(slope: float, share: float) -> None:
    x = torch.full((8,), (1 - slope) ** 0.5, dtype=torch.float64).atanh().requires_grad_()
    assert read(torch.tanh(x)).saturated == share


@pytest.mark.parametrize(
    ("layer", "shape", "length"),
    [
        (nn.LayerNorm(6), (2, 3, 6), 6),
        (nn.LayerNorm([3, 6]), (2, 3, 6), 18),
        (nn.GroupNorm(2, 4), (3, 4, 5, 5), 50),
        (nn.BatchNorm1d(4), (3, 4), 3),
        (nn.BatchNorm2d(4), (3, 4, 5, 5), 75),
        (nn.BatchNorm2d(4).eval(), (3, 4, 5, 5), None),
    ],
)
def test_a_normalisation_tells_over_how_many_values_it_runs(
    layer: nn.Module, shape: tuple[int, ...], length: int | None
) -> None:
    reading = read(layer(torch.randn(shape)))
    assert (reading.kind, reading.length) == ("normalization", length)


@pytest.mark.parametrize("loss", [F.mse_loss, F.smooth_l1_loss, F.huber_loss])
def test_a_regression_is_read_by_its_output_its_target_and_what_is_left(loss: Callable[..., Tensor]) -> None:
    target = torch.tensor([1.0, -1.0, 3.0, -3.0])
    output = (target * 0.5).requires_grad_()
    reading = read(loss(output, target))
    assert reading.target_rms == pytest.approx(math.sqrt(5))
    assert reading.output_rms == pytest.approx(math.sqrt(5) / 2)
    assert reading.unexplained == pytest.approx(0.5)  # half the target, which has mean 0, is not explained


def test_one_number_has_no_spread_to_explain() -> None:
    assert read(F.mse_loss(torch.ones(1, requires_grad=True), torch.zeros(1))).unexplained is None


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_a_likelihood_is_the_loss_of_one_sample_whatever_the_reduction(reduction: str) -> None:
    logits = torch.randn(6, 4, generator=torch.Generator().manual_seed(0)).requires_grad_()
    labels = torch.tensor([0, 1, 2, 3, -100, -100])
    rows = F.log_softmax(logits, 1)
    reading = read(F.nll_loss(rows, labels, reduction=reduction))
    assert (reading.kind, reading.length) == ("loss", 4)
    assert reading.per_sample == pytest.approx(F.cross_entropy(logits[:4], labels[:4]).item(), rel=1e-6)


def test_a_likelihood_of_an_image_has_a_sample_a_pixel() -> None:
    rows = torch.full((2, 5, 3, 3), math.log(0.2)).requires_grad_()
    reading = read(F.nll_loss(rows, torch.zeros(2, 3, 3, dtype=torch.long)))
    assert reading.length == 5
    assert reading.per_sample == pytest.approx(math.log(5))


def test_an_op_without_a_lens_is_not_read() -> None:
    y = torch.ones(2, requires_grad=True).cos()
    assert "CosBackward0" not in LENSES
    assert look("CosBackward0", y.grad_fn, "") is None


def test_saved_tensors_that_are_gone_give_no_reading() -> None:
    y = torch.sigmoid(torch.ones(2, requires_grad=True) * 1)
    node: Any = y.grad_fn
    y.sum().backward()
    assert look("SigmoidBackward0", node, "") is None
    assert look("TanhBackward0", torch.ones(1, requires_grad=True).exp().grad_fn, "") is not None  # it saves a result
    assert look("MseLossBackward0", node, "") is None


def test_units_that_are_off_are_known_where_they_are_many() -> None:
    class Offset(nn.Module):
        def __init__(self, off: int) -> None:
            super().__init__()
            self.fc = nn.Linear(4, 8)
            with torch.no_grad():
                self.fc.bias[:off] = -100.0

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.relu(self.fc(x))

    def off(units: int) -> tuple[int, ...]:
        torch.manual_seed(0)
        target = wrap_target(Offset(units), torch.randn(64, 4), step=lambda model, x: model(x).square().mean())
        return next(x.off for x in measure(target, target.batches[0]).lenses if x.kind == "activation")

    assert off(5) == tuple(range(5))
    assert off(3) == ()
