"""What a loss is made of, by the calls that lead to it."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gradcheck_cli.watch.backward import Backward
from gradcheck_cli.watch.entries import Data, TapeEntry
from gradcheck_cli.watch.loop.losstargets import heeds_targets, ignored_targets, matches_itself


class Answers:
    """Answers as it was told to, and notes what it was asked about."""

    def __init__(self, answer: bool) -> None:
        self.answer, self.targets, self.parameters = answer, list[Data](), list[Tensor]()

    def ignores(self, backward: Backward, targets: Sequence[Data]) -> bool:
        self.targets += targets
        return self.answer

    def heeds(self, backward: Backward, targets: Sequence[Data]) -> bool:
        return self.ignores(backward, targets)

    def needs_nothing(self, backward: Backward, parameter: Tensor) -> bool:
        self.parameters.append(parameter)
        return self.answer


def call(function: object, *args: object, of: Sequence[Tensor] = ()) -> TapeEntry:
    entry = TapeEntry()
    entry.call, entry.args, entry.parameters, entry.place = function, list(args), list(of), None
    return entry


def passed(*entries: TapeEntry) -> Backward:
    backward = Backward("backward", None, None)
    backward.entries = list(entries)
    return backward


def test_targets_of_all_losses_are_asked_about_at_once() -> None:
    one, other = Data(torch.arange(4.0)), Data(torch.arange(4))
    asked = Answers(True)
    losses = [call(F.mse_loss, None, one), call(nn.CrossEntropyLoss(), None, other)]
    assert ignored_targets(passed(*losses), asked) is losses[0]
    assert asked.targets == [one, other]
    assert ignored_targets(passed(*losses), Answers(False)) is None


def test_targets_that_are_all_the_same_tell_nothing() -> None:
    asked = Answers(True)
    same = passed(call(F.mse_loss, None, Data(torch.ones(4))))
    assert ignored_targets(same, asked) is None and not heeds_targets(same, asked)
    assert asked.targets == []


def test_whether_they_are_heeded_is_asked_anew() -> None:
    losses = passed(call(F.mse_loss, None, Data(torch.arange(4.0))))
    assert heeds_targets(losses, Answers(True)) and not heeds_targets(losses, Answers(False))


ENCODER = nn.Sequential(nn.Linear(3, 8), nn.ReLU(), nn.Linear(8, 2))


def encoded() -> TapeEntry:
    return call(ENCODER, Data(torch.ones(4, 3)), of=list(ENCODER.parameters()))


def test_a_model_that_is_called_twice_and_compared_is_asked_about_by_its_last_weight() -> None:
    asked, less = Answers(True), call(torch.sub)
    assert matches_itself(passed(encoded(), encoded(), less), asked) is less
    assert len(asked.parameters) == 1 and asked.parameters[0] is ENCODER[2].weight


def test_data_beside_it_or_a_single_call_is_another_loss() -> None:
    asked = Answers(True)
    assert matches_itself(passed(encoded(), encoded(), call(F.mse_loss, Data(torch.ones(4)))), asked) is None
    assert matches_itself(passed(encoded(), call(torch.square)), asked) is None
    assert asked.parameters == []
