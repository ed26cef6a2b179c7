"""What one watched forward pass tells: calls, outputs, and where values left the graph."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.modules import module as module_hooks

from gradcheck_cli.probe.tracer import Tracer
from gradcheck_cli.records.measurement import Cut, Measurement
from gradcheck_cli.runtime.state import preserved
from tests.probe.comparing import probed


def mean_of(model: nn.Module, x: Tensor) -> Tensor:
    return model(x).mean()


def measured(forward: Callable[[Any, Tensor], Tensor], **modules: nn.Module) -> Measurement:
    """One pass of a model that has these modules and this forward."""

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            for name, module in modules.items():
                self.add_module(name, module)

        def forward(self, x: Tensor) -> Tensor:
            return forward(self, x)

    torch.manual_seed(0)
    return probed(Net(), torch.randn(5, 4), mean_of)


def behind(found: Measurement, cut: Cut) -> list[str]:
    return [found.parameters[index].names[0] for index in cut.parameters]


def linear() -> nn.Linear:
    return nn.Linear(4, 4)


def test_the_calls_of_every_module_are_counted() -> None:
    found = measured(lambda m, x: m.a(m.a(m.a(x))) + m.b(x), a=linear(), b=nn.Sequential(linear()), c=linear())
    assert {m.path: m.calls for m in found.modules} == {"": 1, "a": 3, "b": 1, "b.0": 1, "c": 0}


def test_the_rms_of_an_output_is_over_all_its_calls() -> None:
    halving, same = nn.Linear(4, 4, bias=False), nn.Linear(4, 4, bias=False)
    halving.weight.data, same.weight.data = torch.eye(4) / 2, torch.eye(4)
    found = measured(lambda m, x: m.same(m.halving(m.halving(x))), halving=halving, same=same)
    rms = {m.path: m.output_rms for m in found.modules}
    whole = found.inputs[0].rms
    assert whole is not None
    assert rms["halving"] == pytest.approx(whole * math.sqrt((0.5**2 + 0.25**2) / 2))
    assert rms["same"] == rms[""] == pytest.approx(whole * 0.25)


def test_a_module_that_raised_is_left_where_the_users_code_goes_on() -> None:
    class Picky(nn.Linear):
        def forward(self, x: Tensor) -> Tensor:
            raise ValueError("not today")

    def forward(model: Any, x: Tensor) -> Tensor:
        try:
            x = model.picky(x)
        except ValueError:
            x = model.spare(x)
        return x.exp()

    found = measured(forward, picky=Picky(4, 4), spare=linear())
    made = {op.name: found.modules[op.module].path for op in found.ops if op.module >= 0}
    assert made["AddmmBackward0"] == "spare"
    assert made["ExpBackward0"] == ""


def test_ops_of_a_loss_belong_to_no_module() -> None:
    found = probed(linear(), torch.randn(5, 4), lambda model, x: model(x).cos().mean())
    assert {op.name: op.module for op in found.ops}["CosBackward0"] == -1


CUTS: dict[str, tuple[Callable[[Any, Tensor], Tensor], str, bool]] = {
    "detach": (lambda m, x: m.b(m.a(x).detach()), "detach", True),
    "data": (lambda m, x: m.b(m.a(x).data), "data", True),
    "argmax": (lambda m, x: m.b(nn.functional.one_hot(m.a(x).argmax(1), 4).float()), "argmax", True),
    "comparison": (lambda m, x: m.b(torch.gt(m.a(x), 0).float()), "gt", True),
    "no_grad": (lambda m, x: m.b(quietly(m.a, x)), "no_grad", True),
    "numpy": (lambda m, x: m.b(torch.from_numpy(m.a(x).detach().numpy())), "detach", True),
    "item": (lambda m, x: m.b(x) + m.a(x).mean().item(), "item", False),
    "metric": (lambda m, x: watched(m, m.b(x), m.a(x)), "detach", False),
    "index of a maximum": (lambda m, x: m.b(m.a(x).max(1, keepdim=True).indices.float().expand(-1, 4)), "max", True),
}


def quietly(function: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    with torch.no_grad():
        return function(x)


def watched(model: Any, output: Tensor, value: Tensor) -> Tensor:
    model.seen = value.detach()
    return output


@pytest.mark.parametrize("name", CUTS)
def test_where_a_value_leaves_the_graph_is_told_with_what_lies_behind(name: str) -> None:
    forward, op, used = CUTS[name]
    found = measured(forward, a=linear(), b=linear())
    cuts = [cut for cut in found.cuts if cut.op == op]
    assert cuts, [cut.op for cut in found.cuts]
    assert behind(found, cuts[0]) == ["a.weight", "a.bias"]
    assert cuts[0].source is not None and cuts[0].source.file.endswith("test_tracer.py")
    assert any(cut.used for cut in found.cuts) is used


def test_a_value_that_also_goes_on_is_no_cut() -> None:
    assert measured(lambda m, x: m.b(m.a(x)) + m.a(x).detach(), a=linear(), b=linear()).cuts == ()


def test_frozen_layers_are_not_cut_off() -> None:
    found = measured(lambda m, x: m.b(m.a(x).detach()), a=linear().requires_grad_(False), b=linear())
    assert found.cuts == ()


class Doubled(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x * 2

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return gradient * 2


@pytest.mark.parametrize("raises", [False, True])
def test_nothing_of_the_tracer_stays_behind(raises: bool) -> None:
    def forward(model: Any, x: Tensor) -> Tensor:
        if raises:
            raise ValueError("oops")
        return Doubled.apply(model.rnn(x)[0])

    switches = lambda: (torch._C._get_mkldnn_enabled(), torch.backends.cudnn.enabled)  # noqa: E731
    before = torch.autograd.Function.__dict__["apply"], switches()
    hooks = len(module_hooks._global_forward_hooks), len(module_hooks._global_forward_pre_hooks)
    if raises:
        with pytest.raises(Exception, match="oops"):
            measured(forward, rnn=nn.RNN(4, 4))
    else:
        names = [op.name for op in measured(forward, rnn=nn.RNN(4, 4)).ops]
        assert "DoubledBackward" in names
    assert (torch.autograd.Function.__dict__["apply"], switches()) == before
    assert (len(module_hooks._global_forward_hooks), len(module_hooks._global_forward_pre_hooks)) == hooks


@pytest.mark.parametrize("kind", [nn.RNN, nn.LSTM, nn.GRU])
def test_built_in_recurrence_has_an_op_a_step(kind: type[nn.RNNBase]) -> None:
    found = measured(lambda m, x: m.rnn(x.view(5, 1, 4))[0], rnn=kind(4, 3))
    tanhs = [op for op in found.ops if op.name == "TanhBackward0"]
    assert len(tanhs) == (10 if kind is nn.LSTM else 5)
    assert {found.modules[op.module].path for op in tanhs} == {"rnn"}


# --------------------------------------------------------------------------- products


def traced(forward: Callable[[Any, Tensor], Tensor], model: nn.Module) -> tuple[Tracer, Tensor]:
    x = torch.randn(5, 4)
    with preserved(model, x) as state:
        tracer = Tracer(model, state, outputs=False)
        with tracer.watching_modules(), tracer:
            made = forward(model, x)
    return tracer, made


def number(made: Tensor) -> int:
    assert made.grad_fn is not None
    return made.grad_fn._sequence_nr()  # type: ignore[attr-defined]


def test_the_calls_of_products_are_counted_by_their_nodes() -> None:
    made: list[Tensor] = []

    def forward(model: nn.Module, x: Tensor) -> Tensor:
        made.extend((model(x), (x @ x.T).requires_grad_().exp(), torch.einsum("bi,oi->bo", x, model.weight)))
        return made[0]

    tracer, _ = traced(forward, linear())
    assert [tracer.product_at(number(each)) for each in made] == [0, -1, 2]
    assert tracer.product_at(-1) == -1


def test_what_a_gradient_inside_the_pass_makes_is_told_apart() -> None:
    def forward(model: nn.Module, x: Tensor) -> Tensor:
        x = x.requires_grad_()
        return torch.autograd.grad(model(x).exp().sum(), x, create_graph=True)[0]

    tracer, made = traced(forward, linear())
    assert tracer.is_derived(number(made))
    tracer, made = traced(lambda model, x: model(x), linear())
    assert not tracer.is_derived(number(made))


def test_only_the_last_frozen_layers_keep_what_they_were_fed() -> None:
    layers = nn.Sequential(nn.Linear(4, 4), *(nn.Linear(4, 4).requires_grad_(False) for _ in range(6)))
    tracer, _ = traced(lambda model, x: model(x), layers)
    assert [tracer.fed_to(call) is not None for call in range(7)] == [False] * 3 + [True] * 4
    tracer.forget_fed()
    assert tracer.fed_to(6) is None
