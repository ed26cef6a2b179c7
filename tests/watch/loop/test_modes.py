"""The mode of what is trained, where it matters."""

from __future__ import annotations

from contextlib import nullcontext

import torch
from torch import nn

from gradcheck_cli.watch.backward import Backward
from gradcheck_cli.watch.entries import TapeEntry
from gradcheck_cli.watch.loop.calls import LoopCalls
from gradcheck_cli.watch.loop.modes import ModeFacts, Modes
from gradcheck_cli.watch.loop.signs import LONG_ROW


def passed(model: nn.Module) -> Backward:
    """A backward pass that came through a model."""
    entry = TapeEntry()
    entry.call, entry.parameters, entry.training = model, list(model.parameters()), model.training
    backward = Backward("backward", None, None)
    backward.entries = [entry]
    return backward


def mode(modes: Modes, model: nn.Module) -> ModeFacts:
    return modes.of(0, [passed(model)], list(model.parameters()))


def modes_of(calls: LoopCalls | None = None) -> Modes:
    return Modes(calls or LoopCalls(lambda: True, nullcontext()))


def test_eval_mode_matters_where_a_layer_does_something_else_in_it() -> None:
    assert not mode(modes_of(), nn.Sequential(nn.Linear(2, 2), nn.Dropout(0.0)).eval()).evaluates
    assert mode(modes_of(), nn.Sequential(nn.Linear(2, 2), nn.Dropout(0.1)).eval()).evaluates
    assert not mode(modes_of(), nn.Sequential(nn.Linear(2, 2), nn.Dropout(0.1))).evaluates


def test_a_norm_that_has_seen_no_batch_is_told_from_one_that_has() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    assert mode(modes_of(), model.eval()).untouched_norms
    model.train()(torch.randn(4, 2))
    assert not mode(modes_of(), model.eval()).untouched_norms


def test_who_was_in_train_mode_before() -> None:
    model, modes = nn.Sequential(nn.Linear(2, 2), nn.Dropout(0.1)), modes_of()
    assert not mode(modes, model.train()).trained_before
    assert mode(modes, model.eval()).trained_before


def test_the_call_that_put_it_there_is_told_of_the_model_that_holds_it() -> None:
    calls = LoopCalls(lambda: True, nullcontext())
    model, other = nn.Sequential(nn.Linear(2, 2), nn.Dropout(0.1)), nn.Linear(2, 2)
    calls.modes[model], calls.modes[other] = ("train.py", 7), ("train.py", 9)
    assert mode(modes_of(calls), model.eval()).line == ("train.py", 7)


def test_it_is_not_looked_at_for_ever() -> None:
    model, modes = nn.Sequential(nn.Linear(2, 2), nn.Dropout(0.1)).eval(), modes_of()
    assert [mode(modes, model).evaluates for _ in range(LONG_ROW + 2)] == [True] * LONG_ROW + [False] * 2
