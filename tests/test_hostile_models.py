"""Models that once got a wrong verdict, an internal error, or were not put back as they were."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from gradcheck_cli import Report, check


class Swallows(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x * 1

    @staticmethod
    def backward(ctx, gradient):
        return None


class Body(nn.Module):
    """A layer, what `between` makes of it, and a head."""

    def __init__(self, between) -> None:
        super().__init__()
        self.body, self.head = nn.Linear(16, 32), nn.Linear(32, 4)
        self.between = between

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.between(self.body, x))


def diagnosed(report: Report) -> list[tuple[str, str, tuple[str, ...]]]:
    return [(f.code, f.cause, f.layers) for f in report.findings if f.severity.value != "note"]


def classify(between) -> Report:
    torch.manual_seed(0)
    batch = torch.randn(64, 16), torch.randint(0, 4, (64,))
    return check(Body(between), batch, loss=F.cross_entropy)


def test_a_reentrant_checkpoint_whose_input_needs_no_gradient_cuts_the_graph():
    report = classify(lambda body, x: checkpoint(body, x, use_reentrant=True))
    assert diagnosed(report) == [("GC401", "graph-cut", ("body",))]


@pytest.mark.parametrize("reentrant", [True, False])
def test_a_checkpoint_whose_input_needs_a_gradient_does_not(reentrant):
    report = classify(lambda body, x: checkpoint(body, x.requires_grad_(), use_reentrant=reentrant).relu())
    assert report.ok, str(report)


def test_a_custom_backward_that_returns_none_is_an_illness():
    report = classify(lambda body, x: Swallows.apply(body(x)).relu())
    assert diagnosed(report) == [("GC406", "custom-backward", ("body",))]
    assert report.findings[0].source is not None


def test_calls_side_by_side_in_a_loop_are_not_time():
    report = classify(lambda body, x: torch.stack([body(row).relu() * 0.5**i for i, row in enumerate(x)]))
    assert diagnosed(report) == []
    assert report.series == ()


def test_a_fitted_regression_is_not_masked():
    model, x = nn.Linear(4, 1, bias=False), torch.randn(64, 4)
    report = check(model, (x, model(x).detach()), loss=F.mse_loss)
    assert report.loss == 0
    assert report.ok, str(report)


def test_vmap_in_forward_is_probed():
    report = classify(lambda body, x: torch.vmap(body)(x).relu())
    assert report.ok, str(report)


class Grows(Body):
    def __init__(self) -> None:
        super().__init__(lambda body, x: body(x).relu())
        self.register_buffer("seen", torch.zeros(0))

    def forward(self, x: Tensor) -> Tensor:
        self.seen.resize_(len(x)).fill_(1.0)
        return super().forward(x)


def test_a_buffer_that_grows_comes_back_and_so_does_all_the_rest():
    model = Grows()
    kept = model.body.weight.grad = torch.ones_like(model.body.weight)
    state = torch.get_rng_state()
    check(model, (torch.randn(8, 16, generator=torch.Generator()), torch.zeros(8, dtype=torch.long)))
    assert model.seen.shape == (0,)
    assert model.body.weight.grad is kept
    assert torch.equal(torch.get_rng_state(), state)


class Casts(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.double().layer(x.double())


def test_a_model_that_casts_itself_comes_back_in_its_dtype():
    model = Casts()
    weight, values = model.layer.weight, model.layer.weight.detach().clone()
    check(model, torch.randn(8, 4), step=lambda m, x: m(x).square().mean())
    assert model.layer.weight is weight
    assert weight.dtype is torch.float32
    assert torch.equal(weight, values)


class Reversible(torch.autograd.Function):
    """A block whose backward runs a backward pass of its own, as reversible layers do."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, block: nn.Module) -> Tensor:
        ctx.block, ctx.x = block, x.detach()
        return block(ctx.x)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        with torch.enable_grad():
            x = ctx.x.requires_grad_()
            torch.autograd.backward(ctx.block(x), 1e-9 * gradient)
        return x.grad, None


def test_a_slow_layer_without_an_account_is_no_crash() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scale, self.block, self.head = nn.Parameter(torch.ones(8)), nn.Linear(8, 8), nn.Linear(8, 3)

        def forward(self, x: Tensor) -> Tensor:
            return self.head(Reversible.apply(self.scale * x, self.block))

    torch.manual_seed(0)
    report = check(Net(), (torch.randn(8, 8), torch.arange(8) % 3), loss="cross_entropy")
    assert report.status.value in ("healthy", "ill")
