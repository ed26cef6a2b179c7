import math
from itertools import pairwise

import pytest
import torch
from torch import Tensor, nn

from gradcheck_cli import check
from gradcheck_cli.evidence import gather
from gradcheck_cli.records.account import Account
from gradcheck_cli.records.measurement import Measurement
from gradcheck_cli.records.series import Series
from tests.probe.comparing import Built, made, plain_norm, probed

CLOSE = 1e-5


def near(value: float) -> object:
    return pytest.approx(value, rel=CLOSE)


class Chain(nn.Module):
    """y = W_n ... W_1 x without biases."""

    def __init__(self, sizes: list[int]) -> None:
        super().__init__()
        pairs = pairwise(sizes)
        self.layers = nn.ModuleList(nn.Linear(wide, narrow, bias=False) for wide, narrow in pairs)

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = layer(x)
        return x

    def weights(self) -> list[Tensor]:
        return [layer.weight.detach().double() for layer in self.layers]


def by_hand(weights: list[Tensor], x: Tensor, signal: Tensor) -> list[Tensor]:
    """dE/dW_k = (dE/dx_k)^T x_{k-1}, with signal = dE/dy carried down by the weights above."""
    inputs = [x]
    for weight in weights[:-1]:
        inputs.append(inputs[-1] @ weight.T)
    gradients = []
    for weight, below in zip(reversed(weights), reversed(inputs), strict=True):
        gradients.append(signal.T @ below)
        signal = signal @ weight
    return gradients[::-1]


def output(weights: list[Tensor], x: Tensor) -> Tensor:
    for weight in weights:
        x = x @ weight.T
    return x


def chain(depth: int, loss: str) -> tuple[Chain, tuple[Tensor, Tensor], list[Tensor], float]:
    """The model, its batch, the gradients and the loss worked out with matrix products in float64."""
    torch.manual_seed(depth)
    model = Chain([5, *range(7, 6 + depth), 3])
    x, target = torch.randn(11, 5), torch.randn(11, 3)
    weights, wide = model.weights(), x.double()
    y = output(weights, wide)
    if loss == "sum":
        return model, (x, target), by_hand(weights, wide, torch.ones_like(y)), float(y.sum())
    error = y - target.double()
    return model, (x, target), by_hand(weights, wide, 2 * error / error.numel()), float(error.square().mean())


LOSSES = {"sum": lambda y, target: y.sum(), "mse": nn.functional.mse_loss}


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("depth", [1, 2, 5, 12])
def test_linear_chain(depth: int, loss: str) -> None:
    model, batch, gradients, value = chain(depth, loss)
    report = check(model, batch, loss=LOSSES[loss])
    assert report.loss == near(value)
    assert [layer.path for layer in report.layers] == [f"layers.{i}" for i in range(depth)]
    for layer, weight, gradient in zip(report.layers, model.weights(), gradients, strict=True):
        g, w = plain_norm(gradient), plain_norm(weight)
        assert layer.grad_norm == near(g)
        assert layer.grad_rms == near(g / math.sqrt(weight.numel()))
        assert layer.grad_max == near(float(gradient.abs().max()))
        assert layer.weight_norm == near(w)
        assert layer.relative_gradient == near(g / w)
        assert layer.elasticity == near(g * w / abs(value))
        assert layer.decades == pytest.approx(math.log10(g), abs=CLOSE)
        assert (layer.zero_share, layer.nan_count, layer.inf_count) == (0, 0, 0)


@pytest.mark.parametrize("loss", LOSSES)
def test_scale_of_activations_and_stream_by_layer(loss: str) -> None:
    model, batch, _, _ = chain(4, loss)
    report = check(model, batch, loss=LOSSES[loss])
    weights, x = model.weights(), batch[0].double()
    y = output(weights, x)
    signal = torch.ones_like(y) if loss == "sum" else 2 * (y - batch[1].double()) / y.numel()
    for k in reversed(range(4)):
        value = output(weights[: k + 1], x)
        assert report.layers[k].activation_rms == near(plain_norm(value) / math.sqrt(value.numel()))
        assert report.layers[k].stream == near(plain_norm(signal))
        signal = signal @ weights[k]


def test_decades_by_kind_of_a_linear_chain() -> None:
    """Loss factor |dE/dy|, then a weight factor for each layer; the last is the outer product with x."""
    model, batch, gradients, _ = chain(5, "mse")
    measurement = probed(model, batch, lambda m, b: LOSSES["mse"](m(b[0]), b[1]))
    weights, x = model.weights(), batch[0].double()
    error = output(weights, x) - batch[1].double()
    signal = 2 * error / error.numel()
    accounts = {measurement.parameters[a.parameter].names[0]: a for a in gather(measurement).paths.ledger.accounts}
    for k, gradient in enumerate(gradients):
        account = accounts[f"layers.{k}.weight"]
        assert account.by_kind["loss"] == pytest.approx(math.log10(plain_norm(signal)), abs=CLOSE)
        weight = math.log10(plain_norm(gradient) / plain_norm(signal))
        assert account.by_kind["weight"] == pytest.approx(weight, abs=CLOSE)
        assert account.count_by_kind["weight"] == 5 - k
        assert account.decades == pytest.approx(math.log10(plain_norm(gradient)), abs=CLOSE)


def test_a_branch_that_is_added_gives_a_merge_factor() -> None:
    """y = x + x: two equal contributions make a merge factor of exactly two."""
    model = nn.Linear(4, 4)

    def step(m: nn.Module, x: Tensor) -> Tensor:
        y = m(x).tanh()
        return (y.sin() + y.sin()).sum()

    (weight, _) = gather(probed(model, torch.randn(6, 4), step)).paths.ledger.accounts
    assert weight.by_kind["merge"] == pytest.approx(math.log10(2), abs=CLOSE)


def test_branches_that_cancel_give_a_merge_factor_far_below_one() -> None:
    model = nn.Linear(4, 4)

    def step(m: nn.Module, x: Tensor) -> Tensor:
        y = m(x)
        return (y.sin() - 0.999 * y.sin()).sum()

    (weight, _) = gather(probed(model, torch.randn(6, 4), step)).paths.ledger.accounts
    assert weight.by_kind["merge"] == pytest.approx(-3, abs=1e-3)


# --------------------------------------------------------------------------- through time


class Linear(nn.Module):
    """h = W h + x with W = gain * orthogonal, so that every step back multiplies by exactly `gain`."""

    def __init__(self, size: int, gain: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(size, size))
        nn.init.orthogonal_(self.weight, gain)

    def forward(self, x: Tensor) -> Tensor:
        h = torch.zeros_like(x[:, 0])
        for step in x.unbind(1):
            h = h @ self.weight.T + step
        return h


def series_of(measurement: Measurement) -> Series:
    (series,) = gather(measurement).paths.ledger.series
    return series


@pytest.mark.parametrize("gain", [0.3, 0.5, 0.8, 0.95, 1.1, 1.5, 2.0])
def test_attenuation_is_the_log_of_the_gain(gain: float) -> None:
    torch.manual_seed(0)
    model = Linear(16, gain)
    measurement = probed(model, torch.randn(8, 30, 16), lambda m, x: m(x).square().mean())
    series = series_of(measurement)
    assert series.steps == 30
    assert series.attenuation == pytest.approx(math.log10(gain), rel=0.01)
    assert all(carry == pytest.approx(gain, rel=1e-3) for carry in series.carry)


@pytest.mark.parametrize("gain", [0.3, 0.5, 0.8])
def test_horizon_counts_the_steps_above_one_percent(gain: float) -> None:
    torch.manual_seed(0)
    measurement = probed(Linear(16, gain), torch.randn(8, 40, 16), lambda m, x: m(x).square().mean())
    within = sum(gain**k >= 0.01 for k in range(40))
    assert series_of(measurement).horizon == within


def test_a_loss_at_every_step_does_not_hide_the_decay() -> None:
    class Every(Linear):
        def forward(self, x: Tensor) -> Tensor:
            h, states = torch.zeros_like(x[:, 0]), []
            for step in x.unbind(1):
                h = h @ self.weight.T + step
                states.append(h)
            return torch.stack(states, 1)

    torch.manual_seed(0)
    measurement = probed(Every(16, 0.5), torch.randn(8, 30, 16), lambda m, x: m(x).square().mean())
    assert series_of(measurement).attenuation == pytest.approx(math.log10(0.5), rel=0.01)


# --------------------------------------------------------------------------- the nets of the theory


def deep(act: type[nn.Module]) -> Built:
    layers = [m for _ in range(10) for m in (nn.Linear(64, 64), act())]
    model = nn.Sequential(*layers, nn.Linear(64, 10))
    batch = torch.randn(64, 64), torch.randint(0, 10, (64,))
    return model, batch, lambda m, b: nn.functional.cross_entropy(m(b[0]), b[1])


def first_account(act: type[nn.Module]) -> Account:
    measurement = probed(*made(lambda: deep(act)))
    assert measurement.parameters[0].names == ("0.weight",)
    return gather(measurement).paths.ledger.accounts[0]


def test_ten_sigmoid_layers() -> None:
    account = first_account(nn.Sigmoid)
    assert account.by_kind["activation"] == pytest.approx(-6.14, abs=0.05)
    assert account.count_by_kind["activation"] == 10
    assert account.by_kind["loss"] == pytest.approx(-0.92, abs=0.02)
    assert sum(account.by_kind.values()) == pytest.approx(account.decades, abs=1e-6)


def test_ten_relu_layers_lose_little() -> None:
    account = first_account(nn.ReLU)
    assert account.by_kind["activation"] == pytest.approx(-1.38, abs=0.3)
    assert account.count_by_kind["activation"] == 10
    assert sum(account.by_kind.values()) == pytest.approx(account.decades, abs=1e-6)
