"""Nothing is called exact that is not: each part of the tape is tampered with, and the proof sees it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from gradcheck_cli.records.timeline import Replay
from gradcheck_cli.watch.backward import Backward
from gradcheck_cli.watch.entries import Data, TapeEntry, data_of
from gradcheck_cli.watch.proof import Replayed, difference, verify
from gradcheck_cli.watch.sideeffects import TORCH
from tests.watch.running import Verifier, watched


class Round(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x.round()

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Tensor:
        return g


class Doubled(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x.clone()

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Tensor:
        return 2 * g


def net_of() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.Dropout(0.5), nn.Linear(6, 3))


class Tampering(Verifier):
    """Changes what was taken down before it is verified."""

    def __init__(self, how: Callable[[Backward], None]) -> None:
        super().__init__(1)
        self.how = how

    def ended(self, backward: Backward, raised: BaseException | None) -> None:
        self.how(backward)
        super().ended(backward, raised)


def outcome(how: Callable[[Backward], None], step: Callable[[nn.Module], Tensor] | None = None) -> Replayed:
    """One step of a small model with a tampered tape."""
    verifier = Tampering(how)
    net = net_of()
    with watched(verifier):
        (step or usual)(net).backward()
    assert not verifier.failures
    return verifier.replayed[0]


def usual(net: nn.Module) -> Tensor:
    x, y = torch.randn(8, 4), torch.randint(0, 3, (8,))
    return nn.functional.cross_entropy(net(x) * 2, y, label_smoothing=0.1)


def entry_of(backward: Backward, name: str) -> TapeEntry:
    return next(e for e in backward.entries if getattr(e.call, "__name__", type(e.call).__name__) == name)


def test_an_untouched_tape_is_exact() -> None:
    assert outcome(lambda backward: None) == Replayed(Replay.EXACT)


def smoothing(backward: Backward) -> None:
    entry = entry_of(backward, "cross_entropy")
    entry.kwargs = {**entry.kwargs, "label_smoothing": 0.10001}


def factor(backward: Backward) -> None:
    entry_of(backward, "mul").args[1] = 2.0000005


def batch(backward: Backward) -> None:
    data = next(data_of(entry_of(backward, "Sequential")))
    data.keep(data.tensor + 1e-6)


def random_state(backward: Backward) -> None:
    torch.rand(1)
    entry_of(backward, "Sequential").random = ((TORCH, torch.get_rng_state()),)


def no_random_state(backward: Backward) -> None:
    entry_of(backward, "Sequential").random = ()


def mode(backward: Backward) -> None:
    entry_of(backward, "Sequential").training = False


def cut(backward: Backward) -> None:
    """The same loss, and no gradient behind it."""
    entry_of(backward, "mul").call = lambda x, by: (x.detach() * by).requires_grad_()


def half_cut(backward: Backward) -> None:
    """The same loss, and a part of the gradient."""
    entry_of(backward, "mul").call = lambda x, by: x * 1 + x.detach() * (by - 1)


def turned(backward: Backward) -> None:
    """The same loss, and the gradient turned."""
    entry_of(backward, "mul").call = lambda x, by: x.detach() * 2 * by - x * by


def a_little_off(backward: Backward) -> None:
    """The same loss, and a gradient that is off by ten times the tolerance."""
    entry_of(backward, "mul").call = lambda x, by: x * by + 0 * x.detach() + 1e-5 * (x - x.detach())


@pytest.mark.parametrize(
    "how",
    [smoothing, factor, batch, random_state, no_random_state, mode, cut, half_cut, turned, a_little_off],
    ids=lambda how: how.__name__,
)
def test_a_tampered_tape_is_never_exact(how: Callable[[Backward], None]) -> None:
    replayed = outcome(how)
    assert replayed.outcome is not Replay.EXACT and replayed.why


@pytest.mark.parametrize("function", [Round, Doubled])
def test_a_custom_function_that_is_taped_as_its_forward_is_seen_by_its_gradient(function: Any) -> None:
    def step(net: nn.Module) -> Tensor:
        return function.apply(net(torch.randn(8, 4)) * 3).square().mean()

    def forward_only(backward: Backward) -> None:
        entry_of(backward, "Applied").call = lambda x: function.forward(None, x)

    assert outcome(lambda backward: None, step).outcome is Replay.EXACT
    replayed = outcome(forward_only, step)
    assert replayed.outcome is Replay.INEXACT and "the loss is the same and a gradient differs" in replayed.why


def test_a_buffer_that_was_not_put_back_is_seen() -> None:
    class Counting(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = nn.Linear(4, 1)
            self.register_buffer("seen", torch.zeros(()))

        def forward(self, x: Tensor) -> Tensor:
            self.seen += 1
            return self.net(x) * self.seen

    def forget(backward: Backward) -> None:
        entry_of(backward, "Counting").buffers = ()

    def step(net: nn.Module) -> Tensor:
        return net(torch.randn(8, 4)).square().mean()

    for how, expected in ((lambda backward: None, Replay.EXACT), (forget, Replay.INEXACT)):
        verifier = Tampering(how)
        net = Counting()
        with watched(verifier):
            step(net).backward()
        assert verifier.replayed[0].outcome is expected
        assert net.seen == 1


def test_an_input_that_was_written_into_is_told_and_copied_from_then_on() -> None:
    verifier, net, buffer = Verifier(0), nn.Linear(4, 1), torch.zeros(8, 4)
    with watched(verifier):
        for _ in range(2):
            for _ in range(2):
                buffer.copy_(torch.randn(8, 4))
                net(buffer).square().mean().backward()
            verifier.replayed.append(verify(verifier.tape, verifier.accumulation))
            net.zero_grad()
    assert [each.outcome for each in verifier.replayed] == [Replay.INEXACT, Replay.EXACT]
    assert verifier.replayed[0].why.startswith("an input or the loss was written into after it was used")


def test_a_write_that_torch_does_not_count_is_seen_too() -> None:
    verifier, net, x = Verifier(0), nn.Linear(4, 1), torch.randn(8, 4)
    with watched(verifier):
        net(x).square().mean().backward()
        x.numpy()[:] = 0
        assert verify(verifier.tape, verifier.accumulation).outcome is Replay.INEXACT


def test_parameters_that_moved_since_are_told() -> None:
    verifier, net = Verifier(0), nn.Linear(4, 1)
    with watched(verifier):
        net(torch.randn(8, 4)).square().mean().backward()
        net.weight.data.mul_(1.001)
        assert verify(verifier.tape, verifier.accumulation).outcome is Replay.INEXACT
        verifier.accumulation.updated()
        told = verify(verifier.tape, verifier.accumulation)
    assert told.outcome is Replay.IMPOSSIBLE and "updated" in told.why


@pytest.mark.parametrize("clip", ["norm", "unscale", "value", "double"])
def test_gradients_that_were_clipped_since_are_the_same_up_to_one_factor_below_one(clip: str) -> None:
    verifier, net = Verifier(0), nn.Linear(4, 1)
    with watched(verifier):
        (net(torch.randn(8, 4)) * 30).square().mean().backward()
        if clip == "norm":
            nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        elif clip == "value":
            nn.utils.clip_grad_value_(net.parameters(), 1.0)
        else:
            for p in net.parameters():
                p.grad.mul_(1 / 1024 if clip == "unscale" else 2.0)
        told = verify(verifier.tape, verifier.accumulation)
    assert told.outcome is (Replay.EXACT if clip in ("norm", "unscale") else Replay.INEXACT)


def test_what_is_not_finite_has_to_be_so_at_the_same_place() -> None:
    nan, inf = float("nan"), float("inf")
    one = torch.tensor([1.0, nan, inf, -inf])
    assert not difference([one], [one.clone()])
    for other in ([1.0, nan, inf, inf], [nan, nan, inf, -inf], [1.0, nan, 3.0, -inf], [1.0001, nan, inf, -inf]):
        assert difference([one], [torch.tensor(other)])
    assert difference([one], [None])
    assert difference([torch.zeros(3)], [torch.full((3,), 1e-30)])


def test_verifying_leaves_everything_as_it_was() -> None:
    class Noting(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net, self.calls, self.last = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4)), [], None

        def forward(self, x: Tensor) -> Tensor:
            self.calls.append(len(self.calls))
            SEEN.append(1)
            print("called")
            self.last = self.net(x)
            return self.last

    verifier, net = Verifier(0), Noting()
    net.net[0].weight.register_hook(lambda g: HOOKED.append(1))
    with watched(verifier):
        loss = net(torch.randn(8, 4)).square().mean()
        loss.backward()
        before = {name: value.clone() for name, value in net.state_dict().items()}
        grads = [(p.grad, p.grad._version, p.grad.clone()) for p in net.parameters()]
        kept = net.last, list(net.calls), list(SEEN), torch.get_rng_state(), torch.is_grad_enabled()
        found = verify(verifier.tape, verifier.accumulation)
    assert found.outcome is Replay.EXACT
    assert all(torch.equal(before[name], value) for name, value in net.state_dict().items())
    for (grad, version, values), p in zip(grads, net.parameters(), strict=True):
        assert p.grad is grad and grad._version == version and torch.equal(values, grad)
    assert HOOKED == [1] and net.last is kept[0] and net.calls == kept[1] and kept[2] == SEEN
    assert torch.equal(torch.get_rng_state(), kept[3]) and torch.is_grad_enabled() == kept[4]
    assert not torch._C._len_torch_function_stack()


SEEN: list[int] = []
HOOKED: list[int] = []


def test_data_knows_when_it_was_written_into() -> None:
    x = torch.zeros(3)
    data = Data(x)
    assert not data.moved
    x[:2].add_(1)
    assert data.moved
    data.keep(x.clone())
    assert not data.moved
