"""One backward pass: the calls that lead to it, and what is left of it when it is emptied."""

from __future__ import annotations

import torch
from torch import nn

from gradcheck_cli.watch.backward import Backward, reached
from gradcheck_cli.watch.entries import Slot, TapeEntry


def call(number: int, *needs: Slot, parameters: tuple[nn.Parameter, ...] = ()) -> TapeEntry:
    entry = TapeEntry()
    entry.number, entry.call, entry.args = number, torch.relu, []
    entry.needs, entry.parameters = list(needs), list(parameters)
    return entry


def slot_of(entry: TapeEntry, tensor: torch.Tensor) -> Slot:
    slot = Slot(tensor)
    slot.entry = entry
    return slot


def test_the_calls_that_a_pass_comes_from_are_told_in_their_order_and_once() -> None:
    kept = [torch.zeros(1) for _ in range(3)]
    first = call(1)
    one = slot_of(first, kept[0])
    second, aside = call(2, one), call(3, one)
    last = call(4, slot_of(second, kept[1]), one)
    assert reached([slot_of(last, kept[2])]) == [first, second, last]
    assert aside not in reached([slot_of(last, kept[2])])


def test_parameters_are_those_that_learn_each_once_also_when_it_is_emptied() -> None:
    learning, frozen = nn.Parameter(torch.ones(2)), nn.Parameter(torch.ones(2), requires_grad=False)
    backward = Backward("backward", None, None)
    backward.entries = [call(1, parameters=(learning, frozen)), call(2, parameters=(learning,))]
    assert [id(p) for p in backward.parameters] == [id(learning)]
    emptied = backward.emptied("too large")
    assert emptied.why == "too large" and emptied.parameters is backward.parameters
    assert [entry.number for entry in emptied.entries] == [1, 2] and emptied.entries[0].args == []
