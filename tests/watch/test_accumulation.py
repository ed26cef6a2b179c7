"""Which backward passes a gradient is made of."""

from __future__ import annotations

import os
import socket
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from gradcheck_cli.records.timeline import Replay
from gradcheck_cli.watch import inputmemory
from gradcheck_cli.watch.accumulation import dense, marks_of
from gradcheck_cli.watch.proof import verify
from tests.watch.running import Verifier, watched


def backward(net: nn.Module) -> None:
    net(torch.randn(4, 3)).square().mean().backward()


def test_passes_add_up_until_the_gradients_are_clear() -> None:
    net, verifier = nn.Linear(3, 1), Verifier(0)
    with watched(verifier):
        known = verifier.accumulation
        for count in (1, 2, 3):
            backward(net)
            assert len(known.backwards) == count and {s.first for s in known.starts.values()} == {0}
        net.zero_grad()
        backward(net)
        assert len(known.backwards) == 1
        net.zero_grad(set_to_none=False)
        backward(net)
        assert len(known.backwards) == 1 and all(s.base is None for s in known.starts.values())


def test_what_was_there_before_is_the_base() -> None:
    net, verifier = nn.Linear(3, 1), Verifier(1)
    backward(net)
    before = net.weight.grad.clone()
    with watched(verifier):
        backward(net)
        assert torch.equal(verifier.accumulation.starts[id(net.weight)].base, before)
        verifier.accumulation.updated()
        backward(net)
    assert verifier.outcomes == {Replay.EXACT} and not verifier.failures


def test_a_pass_that_raised_is_not_counted() -> None:
    net, verifier = nn.Linear(3, 1), Verifier(0)
    with watched(verifier) as tape:
        with pytest.raises(RuntimeError):
            net(torch.randn(4, 3)).backward()
        assert not verifier.accumulation.backwards
        backward(net)
        assert verify(tape, verifier.accumulation).outcome is Replay.EXACT


def test_each_model_has_its_own_beginning() -> None:
    one, two, verifier = nn.Linear(3, 1), nn.Linear(3, 1), Verifier(1)
    with watched(verifier):
        backward(one)
        backward(two)
        one.zero_grad()
        backward(one)
        starts = verifier.accumulation.starts
        assert starts[id(one.weight)].first == starts[id(two.weight)].first + 1
    assert verifier.outcomes == {Replay.EXACT}


def test_passes_whose_inputs_take_much_memory_are_let_go_and_the_last_is_proven_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(inputmemory, "_SHARE", 0.0)
    net, verifier = nn.Linear(3, 2), Verifier(1)
    with watched(verifier):
        known = verifier.accumulation
        for _ in range(2):
            for count in range(4):
                backward(net)
                assert len(known.backwards) == 1 and known.let_go == count
            known.updated()
            net.zero_grad()
    assert verifier.outcomes == {Replay.EXACT} and not verifier.failures


def test_inputs_that_are_used_again_hold_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inputmemory, "_SHARE", 0.0)
    net, verifier, x = nn.Linear(3, 2), Verifier(0), torch.randn(4, 3)
    with watched(verifier):
        for _ in range(3):
            net(x).sum().backward()
        assert len(verifier.accumulation.backwards) == 3


def test_the_first_pass_that_was_not_finite_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inputmemory, "_SHARE", 0.0)
    net, verifier = nn.Linear(3, 2), Verifier(0)
    with watched(verifier) as tape:
        known = verifier.accumulation
        for count in range(5):
            net(torch.full((4, 3), float("nan") if count == 2 else 1.0)).sum().backward()
            if count == 2:
                known.guilty = known.backwards[-1]
        assert known.backwards == [verifier.backwards[2], verifier.backwards[4]]
        assert verify(tape, known).outcome is Replay.EXACT
        known.updated()
        assert known.guilty is None and not known.let_go


@pytest.mark.parametrize("turned", [lambda g: -g, lambda g: g.flip(0), lambda g: g.roll(1, 0), lambda g: g * 1.00001])
def test_another_gradient_is_known_by_its_marks(monkeypatch: pytest.MonkeyPatch, turned: Any) -> None:
    monkeypatch.setattr(inputmemory, "_SHARE", 0.0)
    net, verifier, twist = nn.Linear(3, 2), Verifier(0), []

    class Twist(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
            return x.clone()

        @staticmethod
        def backward(ctx: Any, gradient: torch.Tensor) -> torch.Tensor:
            return turned(gradient.T).T if twist else gradient

    with watched(verifier) as tape:
        for _ in range(2):
            (Twist.apply(net(torch.randn(4, 3))) * torch.tensor([1.0, 2.0])).square().sum().backward()
        twist.append(True)
        assert verify(tape, verifier.accumulation).outcome is Replay.INEXACT


def test_marks_are_the_norm_and_a_sum_for_each_row() -> None:
    marks = marks_of(torch.tensor([[3.0, 0.0, 0.0, 0.0], [0.0, 4.0, 0.0, 0.0]]))
    assert marks.tolist() == [5.0, 1.5, 2.0]
    assert marks_of(torch.ones(4, dtype=torch.half)).tolist() == [2.0, 2.0]
    assert marks_of(torch.tensor(-2.0)).tolist() == [2.0, -2.0]


def test_dense_numbers_are_real_and_whole() -> None:
    assert dense(torch.eye(2).to_sparse()).shape == (2, 2)
    assert dense(torch.zeros(2, dtype=torch.cfloat).conj()).dtype is torch.float32


def _rank(rank: int, port: int, results: Any) -> None:
    torch.set_num_threads(1)
    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port))
    torch.distributed.init_process_group("gloo", rank=rank, world_size=2)
    sums = []
    for every in (0, 2):
        torch.manual_seed(0)
        net = DistributedDataParallel(
            nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Dropout(0.2), nn.Linear(4, 1))
        )
        optimizer, verifier = torch.optim.SGD(net.parameters(), 0.1), Verifier(every)
        torch.manual_seed(rank)
        with watched(verifier):
            for step in range(6):
                if step % 2:
                    with net.no_sync():
                        backward(net)
                backward(net)
                optimizer.step()
                optimizer.zero_grad()
        sums.append(b"".join(p.detach().numpy().tobytes() for p in net.parameters()))
    results.put((sums[0] == sums[1], [each.outcome.value for each in verifier.replayed], verifier.failures))
    torch.distributed.destroy_process_group()


def test_each_process_proves_its_own_share_of_an_average() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    context = torch.multiprocessing.get_context("fork")  # nothing to import again
    results = context.SimpleQueue()
    ranks = [context.Process(target=_rank, args=(rank, port, results)) for rank in (0, 1)]
    for process in ranks:
        process.start()
    for process in ranks:
        process.join(60)
    assert [process.exitcode for process in ranks] == [0, 0]
    for _ in ranks:
        same, outcomes, failures = results.get()
        assert same and not failures
        assert len(outcomes) >= 4 and set(outcomes) == {"exact"}
