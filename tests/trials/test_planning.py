"""What is known when remedies are planned: which calls are activations, weights, hidden, and how places are written."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from gradcheck_cli.trials import edits
from gradcheck_cli.trials.planning import Edit, PlanningContext, some
from gradcheck_cli.trials.torchcalls import NotTriable
from tests.trials.contexts import context

BATCH = torch.randn(4, 3, generator=torch.Generator().manual_seed(0)), torch.zeros(4, 3)


class Net(nn.Module):
    """Layers with a sigmoid between two of them, one that multiplies as a gate, and one at the end."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.one, self.two, self.gate, self.head = (nn.Linear(3, 3) for _ in range(4))
        self.act = nn.Sigmoid()
        self.gate.requires_grad_(False)
        self.gate.weight.requires_grad_(True)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.sigmoid(self.one(x))
        x = self.two(x) * torch.sigmoid(self.gate(x))
        return self.act(self.head(x))


@pytest.fixture(scope="module")
def net() -> PlanningContext:
    return context(Net(), BATCH)


def test_only_what_is_trained_is_free_to_be_changed(net: PlanningContext) -> None:
    assert net.free == {
        "one.weight": (3, 3),
        "one.bias": (3,),
        "two.weight": (3, 3),
        "two.bias": (3,),
        "gate.weight": (3, 3),
        "head.weight": (3, 3),
        "head.bias": (3,),
    }


def test_gates_and_outputs_are_no_activations_between_two_layers(net: PlanningContext) -> None:
    assert [call.place for call in net.activations(("sigmoid",))] == [("", "sigmoid", 0)]
    assert net.activations(("relu",)) == []


def test_weighted_calls_and_those_that_are_hidden_behind_another(net: PlanningContext) -> None:
    assert [call.place[0] for call in net.weighted()] == ["one", "two", "gate", "head"]
    assert [call.place[0] for call in net.hidden()] == ["one", "two", "gate"]


def test_places_name_every_call_at_once_where_all_of_a_module_are_meant(net: PlanningContext) -> None:
    sigmoids = [call for call in net.calls if call.name == "sigmoid"]
    inside, last = [c for c in sigmoids if c.place[0] == ""], [c for c in sigmoids if c.place[0] == "act"]
    assert net.places(sigmoids) == {("", "sigmoid", None), ("act", "sigmoid", None)}
    assert net.places(inside[:1]) == {("", "sigmoid", 0)}
    assert net.places(last) == {("act", "sigmoid", None)}


def test_an_edit_is_carried_out_in_place(net: PlanningContext) -> None:
    model = Net()
    edit = net.swap([c for c in net.calls if c.place[0] == "act"], "relu")
    assert (edit.function, edit.arguments) == (
        edits.swap_activations,
        {"places": {("act", "sigmoid", None)}, "to": "relu"},
    )
    before = model(BATCH[0])
    edit.apply(model)
    after = model(BATCH[0])
    assert torch.allclose(after, torch.logit(before).relu(), atol=1e-5)


@pytest.mark.parametrize(
    ("edit", "changes"),
    [
        (Edit(function=edits.initialise, arguments={"deviations": {"w": 1.0}}), "draws new weights"),
        (Edit(function=edits.initialise, arguments={"deviations": {}}), "sets biases to zero"),
        (Edit(function=edits.open_gates), "sets biases"),
        (Edit(function=edits.standardise_inputs), "scales the inputs"),
        (Edit(function=edits.skip), "changes what the model computes"),
    ],
)
def test_what_an_edit_changes_is_told(edit: Edit, changes: str) -> None:
    assert edit.changes == changes


def test_nothing_to_act_on_says_why() -> None:
    assert some([1], "none") == [1]
    with pytest.raises(NotTriable, match="no layer"):
        some([], "no layer")
