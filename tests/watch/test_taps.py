"""The wrappers around torch's own functions: taken away without a trace, and out of the way where nothing is taped."""

from __future__ import annotations

import inspect
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.amp.grad_scaler import GradScaler

from gradcheck_cli.records.timeline import Replay
from gradcheck_cli.watch.tape import Tape
from gradcheck_cli.watch.taps import install
from tests.watch.running import Verifier, watched

WRAPPED = [
    (nn.Module, "__call__"),
    (Tensor, "backward"),
    (torch.autograd, "backward"),
    (torch.autograd, "grad"),
    (torch.autograd.Function, "apply"),
    (torch._C.ScriptFunction, "__call__"),
    (torch.func, "functional_call"),
    (torch, "compile"),
    (torch, "clear_autocast_cache"),
    (GradScaler, "scale"),
]


def test_everything_is_put_back() -> None:
    before = [vars(owner).get(name) for owner, name in WRAPPED]
    hooks = nn.modules.module._global_parameter_registration_hooks
    count = len(hooks)
    undo = install(Tape(Verifier(0)))
    assert all(vars(owner)[name] is not was for (owner, name), was in zip(WRAPPED, before, strict=True))
    undo()
    assert all(vars(owner).get(name) is was for (owner, name), was in zip(WRAPPED, before, strict=True))
    assert len(hooks) == count


def test_a_wrapper_looks_like_what_it_wraps() -> None:
    signatures = [inspect.signature(getattr(owner, name)) for owner, name in WRAPPED[1:4]]
    with watched(Verifier(0)):
        assert [inspect.signature(getattr(owner, name)) for owner, name in WRAPPED[1:4]] == signatures
        assert torch.autograd.grad.__doc__ and nn.Module.__call__ is nn.Linear.__call__


@pytest.mark.parametrize("keywords", [{}, {"retain_graph": True}, {"gradient": torch.ones(()), "inputs": None}])
def test_every_way_to_start_a_backward_pass(keywords: dict[str, Any]) -> None:
    verifier, net = Verifier(1), nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))
    with watched(verifier):

        def loss() -> Tensor:
            net.zero_grad()
            return net(torch.randn(5, 3)).square().mean()

        loss().backward(**keywords)
        loss().backward(None, True)
        torch.autograd.backward(loss())
        torch.autograd.backward([loss()], [torch.tensor(2.0)])
        one = loss()
        torch.autograd.backward([one, net(torch.randn(5, 3)).sum()])
        out = net(torch.randn(5, 3))
        out.backward(gradient=torch.randn(5, 2))
        loss().backward(inputs=[net[2].weight])
        loss().backward(inputs=net[2].parameters())
        torch.autograd.grad(loss(), net.parameters())
        torch.autograd.grad(outputs=loss(), inputs=list(net.parameters()), grad_outputs=torch.tensor(3.0))
        hidden = net[0](torch.randn(5, 3))
        torch.autograd.grad(net[2](hidden).sum(), hidden)
    assert len(verifier.replayed) == 11
    assert verifier.outcomes == {Replay.EXACT}, verifier.replayed
    assert not verifier.failures


def test_a_gradient_with_a_graph_is_no_backward_pass_of_its_own() -> None:
    verifier, net = Verifier(1), nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1))
    with watched(verifier):
        out = net(torch.randn(5, 3)).sum()
        grads = torch.autograd.grad(out, net.parameters(), create_graph=True)
        (out + sum(g.square().sum() for g in grads)).backward()
    assert [each.outcome for each in verifier.replayed] == [Replay.EXACT]


def test_an_energy_and_its_forces_inside_a_model_are_one_call() -> None:
    class Energy(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1))

        def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
            x = x.requires_grad_()
            energy = self.net(x).sum()
            return energy, -torch.autograd.grad(energy, x, create_graph=True)[0]

    verifier, net = Verifier(1), Energy()
    with watched(verifier):
        energy, forces = net(torch.randn(5, 3))
        (energy.square() + forces.square().sum()).backward()
    assert [each.outcome for each in verifier.replayed] == [Replay.EXACT]
    assert len(verifier.backwards) == 1


def test_a_compiled_model_is_compiled_as_without_us() -> None:
    from torch._dynamo.testing import CompileCounter

    class Twice(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Tensor) -> Tensor:
            return x * 2

        @staticmethod
        def backward(ctx: Any, g: Tensor) -> Tensor:
            return g * 3

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = nn.Linear(3, 4)

        def forward(self, x: Tensor) -> Tensor:
            return Twice.apply(self.net(x)).sum()

    counts = []
    for every in (None, 1):
        torch._dynamo.reset()
        counter, net, verifier = CompileCounter(), Net(), Verifier(every or 0)

        def run(net: nn.Module = net, counter: Any = counter) -> None:
            fast = torch.compile(net, backend=counter, fullgraph=True)
            for _ in range(4):
                fast(torch.randn(5, 3)).backward()
                with torch.no_grad():
                    fast(torch.randn(5, 3))

        if every is None:
            run()
        else:
            with watched(verifier):
                run()
            assert verifier.outcomes == {Replay.EXACT} and not verifier.failures
        counts.append(counter.frame_count)
    assert counts[0] == counts[1]


def test_a_custom_function_that_depends_on_a_scripts_own_weight_is_one_call() -> None:
    class Scaled(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Tensor, w: Tensor) -> Tensor:
            ctx.save_for_backward(x)
            return x * w

        @staticmethod
        def backward(ctx: Any, g: Tensor) -> tuple[Tensor, Tensor]:
            return g, 2 * (g * ctx.saved_tensors[0]).sum()

    verifier, net, w = Verifier(1), nn.Linear(3, 1), nn.Parameter(torch.ones(()))
    with watched(verifier):
        Scaled.apply(net(torch.randn(5, 3)), w).sum().backward()
    assert verifier.outcomes == {Replay.EXACT}
