"""The relative gradient by layer: closed forms, and how often it is taken."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn
from torch.optim import SGD

from gradcheck_cli.watch.diagnosing import Seen
from gradcheck_cli.watch.layergradients import Layers, relative_gradients
from gradcheck_cli.watch.vitals import Norms, gradient_norms, number
from tests.watch.running import Verifier, watched


def seen_of(verifier: Verifier, parameters: list[Tensor], scale: float = 1.0) -> Seen:
    backward = verifier.backwards[-1]
    return Seen(backward, number(backward.values[0]), gradient_norms(parameters), scale)


class Net(nn.Module):
    """y = b a x, with |a| = 2 and |b| = 0.5 where both are filled so."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(4, 4, bias=False)
        self.second = nn.Linear(4, 1, bias=False)
        nn.init.constant_(self.first.weight, 0.5)
        nn.init.constant_(self.second.weight, 0.25)

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.second(self.first(x))
        return found


@pytest.mark.parametrize("scale", [1.0, 1024.0])
def test_the_relative_gradient_of_a_linear_chain(scale: float) -> None:
    """L = b a x for x of ones: dL/da = b x' has norm 0.5 * 2, dL/db = a x has norm 2 * 2."""
    verifier = Verifier(0)
    with watched(verifier) as tape:
        net = Net()
        (scale * net(torch.ones(1, 4)).sum()).backward()
        found = Layers(tape.naming).due(1, seen_of(verifier, list(net.parameters()), scale))
    assert found == pytest.approx({"first": 1.0 / 2.0, "second": 4.0 / 0.5})


def test_weight_and_bias_are_one_layer_and_a_parameter_of_the_model_itself_has_the_name_of_none() -> None:
    weight, bias, own = torch.full((3,), 3.0), torch.full((1,), 4.0), torch.ones(1)
    names = {id(weight): "fc.weight", id(bias): "fc.bias", id(own): "scale"}
    seen = Seen(None, 1.0, Norms((weight, bias, own), (6.0, 8.0, 0.5), (1, 2, 3)), 1.0)  # type: ignore[arg-type]
    assert relative_gradients(seen, names) == pytest.approx({"fc": 10.0 / math.sqrt(27 + 16), "": 0.5})


def test_a_layer_of_zeros_and_one_without_a_name_are_left_out() -> None:
    zero, other = torch.zeros(3), torch.ones(3)
    seen = Seen(None, 1.0, Norms((zero, other), (1.0, 1.0), (1, 2)), 1.0)  # type: ignore[arg-type]
    assert relative_gradients(seen, {id(zero): "a.weight"}) == {}
    assert relative_gradients(seen, {}) == {}


def test_ever_fewer_steps_are_taken() -> None:
    """100 steps each, then 100 of every second, then of every fourth."""
    verifier = Verifier(0)
    with watched(verifier) as tape:
        net = Net()
        net(torch.ones(1, 4)).sum().backward()
        seen, layers = seen_of(verifier, list(net.parameters())), Layers(tape.naming)
        taken = [step for step in range(1, 501) if layers.due(step, seen)]
    assert taken == [*range(1, 101), *range(102, 301, 2), *range(304, 501, 4)]


def test_two_models_in_turn_are_looked_up_once_each(monkeypatch: pytest.MonkeyPatch) -> None:
    """What one's backward pass leaves in the other has no name there, and is not looked for at every step."""
    from gradcheck_cli.watch import layergradients as module

    looked = []
    original = module.model_of
    monkeypatch.setattr(module, "model_of", lambda *args: looked.append(1) or original(*args))
    verifier = Verifier(0)
    with watched(verifier) as tape:
        one, two = Net(), Net()
        held = [*one.parameters(), *two.parameters()]
        layers = Layers(tape.naming)
        for step in range(1, 9):
            if step % 2:
                one(torch.ones(1, 4)).sum().backward()
            else:
                two(torch.ones(1, 4)).sum().backward()
            found = layers.due(step, seen_of(verifier, held))
    assert {"first", "second"} <= found.keys() and len(looked) <= 4


def test_a_parameter_that_learns_from_now_on_gets_its_name() -> None:
    verifier = Verifier(0)
    with watched(verifier) as tape:
        net = Net()
        net.first.requires_grad_(False)
        layers, optimizer = Layers(tape.naming), SGD(net.parameters(), lr=0.0)
        found = []
        for step in (1, 2, 3):
            net.first.requires_grad_(step > 1)
            optimizer.zero_grad()
            net(torch.ones(1, 4)).sum().backward()
            found.append(sorted(layers.due(step, seen_of(verifier, list(net.parameters())))))
    assert found == [["second"], ["first", "second"], ["first", "second"]]
