"""What is kept, and for how long: nothing that the tape made, and nothing that no loss can come from any more."""

from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from gradcheck_cli.records.timeline import Replay
from gradcheck_cli.watch.entries import TapeEntry, data_of
from gradcheck_cli.watch.places import Places
from gradcheck_cli.watch.tape import Tape
from tests.watch.running import Verifier, watched


@pytest.fixture
def verifier() -> Iterator[Verifier]:
    torch.manual_seed(0)
    made = Verifier(1)
    OTHERS.clear()
    OTHERS.extend(alive())
    with watched(made):
        yield made
    assert not made.failures
    OTHERS.clear()


def net_of() -> nn.Module:
    return nn.Sequential(nn.Linear(8, 8), nn.Tanh(), nn.Linear(8, 2))


OTHERS: list[TapeEntry] = []
"""Calls that other tests' tapes keep."""


def alive() -> list[TapeEntry]:
    """The calls that are kept by anything, without the help of Python's collector."""
    others = set(map(id, OTHERS))
    return [each for each in gc.get_objects() if type(each) is TapeEntry and id(each) not in others]


def entries_alive() -> int:
    return len(alive())


def held() -> int:
    """Bytes of the data on the tape."""
    found = {id(d.tensor): d.tensor for e in alive() for d in data_of(e)}
    return sum(tensor.untyped_storage().nbytes() for tensor in found.values())


def test_an_evaluation_with_gradients_enabled_leaves_nothing(verifier: Verifier) -> None:
    net = net_of()
    for _ in range(20):
        out = net(torch.randn(4, 8)).softmax(1).max()
    assert entries_alive() == 3
    del out
    assert entries_alive() == 0


def test_losses_that_are_kept_in_a_list_keep_nothing(verifier: Verifier) -> None:
    net, losses, total = net_of(), [], torch.zeros(())
    verifier.every = 0
    for _ in range(20):
        loss = net(torch.randn(4, 8)).square().mean()
        loss.backward()
        losses.append(loss)
        total += loss.detach()
        net.zero_grad()
        verifier.accumulation.updated()
        verifier.backwards.clear()
    assert entries_alive() == 0


def test_an_auxiliary_output_and_its_graph_are_freed_as_without_us(verifier: Verifier) -> None:
    net = net_of()
    out = net(torch.randn(4, 8))
    auxiliary = out.exp() * 2
    freed = weakref.ref(auxiliary)
    saved = weakref.ref(auxiliary.grad_fn.next_functions[0][0]._saved_result)  # exp keeps its result
    del auxiliary
    assert freed() is None and saved() is None
    assert entries_alive() == 1
    out.sum().backward()


def test_sixteen_micro_batches_keep_their_data_and_nothing_else(verifier: Verifier) -> None:
    net, rows = net_of(), 32
    verifier.every = 0
    freed = []
    for _ in range(16):
        out = net(torch.randn(rows, 8))
        freed.append(weakref.ref(out))
        (out.square().mean() / 16).backward()
    del out
    assert held() == 16 * rows * 8 * 4
    assert all(each() is None for each in freed)
    verifier.accumulation.updated()
    verifier.backwards.clear()
    assert held() == 0 and entries_alive() == 0


def test_a_memory_of_what_an_agent_did_is_data_after_a_while(
    verifier: Verifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gradcheck_cli.watch.tape._MOST_SLOTS", 10)
    verifier.tape._most_slots = 10
    net = net_of()
    memory = [net(torch.randn(1, 8)).detach() for _ in range(60)]
    assert entries_alive() < 50
    loss = (net(torch.randn(4, 8)) - torch.cat(memory[-4:])).square().mean()
    loss.backward()
    assert verifier.outcomes == {Replay.EXACT}


def test_what_was_made_before_an_update_is_data_after_it(verifier: Verifier) -> None:
    net, other = net_of(), net_of()
    made = net(torch.randn(4, 8))
    made.square().mean().backward(retain_graph=True)
    with torch.no_grad():
        for p in net.parameters():
            p.add_(1)
    verifier.accumulation.updated()
    (other(torch.randn(4, 8)) - made.detach()).square().mean().backward()
    assert verifier.outcomes == {Replay.EXACT}


def test_a_tensor_that_nothing_seen_made_makes_it_impossible(verifier: Verifier) -> None:
    net, weight = net_of(), torch.randn(4, 8, requires_grad=True)
    hidden = weight * 2
    net(hidden).sum().backward()
    assert verifier.outcomes == {Replay.IMPOSSIBLE}
    assert "shape [4, 8] (MulBackward0)" in verifier.replayed[0].why
    weight.grad = None
    net.zero_grad()
    hidden = weight * 2
    net(hidden).sum().backward()
    assert verifier.replayed[1].outcome is Replay.EXACT, "from then on it is looked at always"


def test_a_backward_pass_inside_a_module_is_told(verifier: Verifier) -> None:
    class Whole(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = net_of()

        def forward(self, x: Tensor) -> Tensor:
            loss = self.net(x).square().mean()
            loss.backward()
            return loss.detach()

    Whole()(torch.randn(4, 8))
    assert verifier.replayed[0].why == "the backward pass runs inside a module's call"


def test_modes_of_the_users_are_left_in_their_order(verifier: Verifier) -> None:
    class Counting(TorchFunctionMode):
        count = 0

        def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            Counting.count += 1
            return func(*args, **(kwargs or {}))

    net, depth = net_of(), torch._C._len_torch_function_stack
    with torch.device("cpu"), Counting():
        out = net(torch.randn(4, 8))
        seen = Counting.count
        loss = out.square().mean()
        assert Counting.count > seen
        assert depth() == 3
    assert depth() == 1
    with torch.device("cpu"):
        assert torch.zeros(1).device.type == "cpu" and depth() == 2
    assert depth() == 1
    loss.backward()
    assert depth() == 0
    with Counting():
        net(torch.randn(4, 8)).sum().backward()
        assert depth() == 1
    assert depth() == 0
    assert verifier.outcomes == {Replay.EXACT}


def test_a_default_device_can_be_set_at_any_time(verifier: Verifier) -> None:
    net = net_of()
    try:
        out = net(torch.randn(4, 8))
        torch.set_default_device("cpu")
        out.sum().backward()
        out = net(torch.randn(4, 8))
        torch.set_default_device(None)
        out.sum().backward()
    finally:
        torch.set_default_device(None)
    assert torch._C._len_torch_function_stack() == 0
    assert verifier.outcomes == {Replay.EXACT}


def test_an_error_of_the_users_passes_and_leaves_the_tape_ready(verifier: Verifier) -> None:
    net = net_of()
    for _ in range(2):
        out = net(torch.randn(4, 8))
        with pytest.raises(RuntimeError):
            net(torch.randn(4, 7))
        with pytest.raises(RuntimeError):
            out @ torch.randn(5, 5)
        with pytest.raises(RuntimeError, match="scalar"):
            out.backward()
        net(torch.randn(4, 8)).sum().backward()
    assert [each.outcome for each in verifier.replayed] == [Replay.EXACT] * 2
    assert not verifier.tape.busy


def test_other_threads_are_left_alone(verifier: Verifier) -> None:
    net, other, errors = net_of(), net_of(), []
    out = net(torch.randn(4, 8))

    def work() -> None:
        try:
            other(torch.randn(4, 8)).sum().item()
            assert not torch._C._len_torch_function_stack()
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    out.sum().backward()
    assert not errors and len(verifier.backwards[0].entries) == 2


def test_a_thread_that_goes_on_where_one_has_ended_is_the_next_that_is_watched(verifier: Verifier) -> None:
    net, go = net_of(), threading.Event()

    def step() -> None:
        net(torch.randn(4, 8)).sum().backward()

    for work in (step, go.wait, step):  # the one that waits is given the number of the first, as a rule
        thread = threading.Thread(target=work)
        thread.start()
        if work is step:
            thread.join()
    go.set()
    assert [each.outcome for each in verifier.replayed] == [Replay.EXACT] * 2


def test_calls_without_gradients_are_not_taken_down(verifier: Verifier) -> None:
    net, teacher = net_of(), nn.Linear(2, 2)
    x = torch.randn(4, 8)
    out = net(x)
    with torch.no_grad():
        goal = teacher(out)
    with torch.inference_mode():
        net(x)
    loss = (out - goal).square().mean()
    loss.backward()
    assert all(entry.call is not teacher for entry in verifier.backwards[0].entries)
    assert verifier.outcomes == {Replay.EXACT}


def test_an_error_of_ours_switches_the_tape_off_and_the_script_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*args: Any) -> Any:
        raise ValueError("ours")

    for owner, name in ((Places, "here"), (Tape, "_keep"), (Tape, "_slot")):
        verifier, net = Verifier(1), net_of()
        with monkeypatch.context() as patched, watched(verifier):
            patched.setattr(owner, name, broken)
            for _ in range(2):
                net(torch.randn(4, 8)).sum().backward()
            assert not torch._C._len_torch_function_stack()
        assert len(verifier.failures) == 1 and "ours" in verifier.failures[0]
        assert not verifier.tape.enabled


def test_quiet_takes_nothing_down_and_brings_the_mode_back(verifier: Verifier) -> None:
    tape, net, depth = verifier.tape, net_of(), torch._C._len_torch_function_stack
    out = net(torch.randn(4, 8))
    with tape.quiet():
        assert depth() == 0
        net(torch.randn(4, 8)).sum().backward()
    assert depth() == 1 and not verifier.backwards
    out.sum().backward()
    assert len(verifier.backwards) == 1
