"""The watcher in this process: what it reads of a step, what it asks for, and that nothing of it reaches the script."""

from __future__ import annotations

import gc
import inspect
import math
import os
import random
import sys
import threading
import weakref
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.amp.grad_scaler import GradScaler
from torch.optim import SGD, Adam
from torch.utils._python_dispatch import TorchDispatchMode

from gradcheck_cli.errors import UserCodeError
from gradcheck_cli.records.apart import Kind
from gradcheck_cli.records.session import Stopped
from gradcheck_cli.records.timeline import AlarmKind, Outcome, Replay, Vital, Why
from gradcheck_cli.watch import inputmemory
from gradcheck_cli.watch.sessionreader import read
from tests.watch.watching import Explaining, Watched, watching


class Scale(nn.Module):
    """y = w x: the gradient of the sum is the sum of the inputs."""

    def __init__(self, value: float = 1.0) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.tensor([value]))

    def forward(self, x: Tensor) -> Tensor:
        return self.w * x


X = torch.tensor([1.0, 2.0])


def test_the_vitals_of_a_plain_loop(tmp_path: Path) -> None:
    """L = w (1 + 2): the gradient is 3, w goes down by 0.3 a step."""
    model = Scale()
    with watching(tmp_path) as watched:
        optimizer = SGD(model.parameters(), lr=0.1)
        for _ in range(3):
            optimizer.zero_grad()
            model(X).sum().backward()
            optimizer.step()
    assert [(v.step, v.optimizer_step, v.finite) for v in watched.process.vitals] == [(n, n, True) for n in (1, 2, 3)]
    assert [v.loss for v in watched.process.vitals] == pytest.approx([3.0, 2.1, 1.2])
    assert [v.grad_norm for v in watched.process.vitals] == [3.0] * 3
    assert not watched.process.aside


def test_the_norm_is_that_before_clipping(tmp_path: Path) -> None:
    model = Scale()
    with watching(tmp_path) as watched:
        optimizer = SGD(model.parameters(), lr=0.1)
        model(X).sum().backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 0.5)
        optimizer.step()
    (vital,) = watched.process.vitals
    assert vital.grad_norm == 3.0
    assert [each.replay for each in watched.process.diagnosed] == [Replay.EXACT]


def test_micro_batches_make_one_step_with_their_mean_loss_and_the_whole_gradient(tmp_path: Path) -> None:
    model = Scale()
    with watching(tmp_path) as watched:
        optimizer = SGD(model.parameters(), lr=0.1)
        for _ in range(2):
            optimizer.zero_grad()
            for x in (1.0, 2.0, 6.0):
                model(torch.tensor([x])).sum().backward()
            optimizer.step()
    one, two = watched.process.vitals
    assert (one.loss, one.grad_norm, two.grad_norm) == (3.0, 9.0, 9.0)


def test_two_optimisers_count_on_their_own_and_have_norms_of_their_own(tmp_path: Path) -> None:
    first, second = Scale(), Scale()
    with watching(tmp_path) as watched:
        one, two = SGD(first.parameters(), lr=0.1), SGD(second.parameters(), lr=0.1)
        for _ in range(2):
            first(X).sum().backward()
            one.step()
            one.zero_grad()
            second(4 * X).sum().backward()
            two.step()
            two.zero_grad()
    found = [(v.step, v.optimizer, v.optimizer_step, v.grad_norm) for v in watched.process.vitals]
    assert found == [(1, 0, 1, 3.0), (2, 1, 1, 12.0), (3, 0, 2, 3.0), (4, 1, 2, 12.0)]


@pytest.mark.parametrize("unscaled", [False, True])
def test_loss_and_norm_are_told_without_the_loss_scale(tmp_path: Path, unscaled: bool) -> None:
    model = Scale()
    with watching(tmp_path) as watched:
        optimizer, scaler = SGD(model.parameters(), lr=0.1), GradScaler("cpu", init_scale=1024.0)
        scaler.scale(model(X).sum()).backward()
        if unscaled:
            scaler.unscale_(optimizer)
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        scaler.step(optimizer)
        scaler.update()
    assert watched.process.vitals == (Vital(step=1, loss=3.0, grad_norm=3.0, rate=0.1, scale=1024.0),)


def test_a_step_that_a_scaler_skips(tmp_path: Path) -> None:
    model = Scale()
    with watching(tmp_path, first=False) as watched:
        optimizer, scaler = SGD(model.parameters(), lr=0.1), GradScaler("cpu", init_scale=1024.0)
        for x in (X, X * math.inf, X):
            optimizer.zero_grad()
            scaler.scale(model(x).sum()).backward()
            scaler.step(optimizer)
            scaler.update()
    assert [v.skipped for v in watched.process.vitals] == [False, True, False]
    assert [v.scale for v in watched.process.vitals] == [1024.0, 1024.0, 512.0]
    assert [v.finite for v in watched.process.vitals] == [True, False, True]


def test_a_closure_that_runs_several_times_is_one_step(tmp_path: Path) -> None:
    model = Scale()

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = (model(X) - 3).square().sum()
        loss.backward()
        return loss

    with watching(tmp_path) as watched:
        optimizer = torch.optim.LBFGS(model.parameters(), max_iter=5)
        for _ in range(3):
            optimizer.step(closure)
    assert [v.step for v in watched.process.vitals] == [1, 2, 3]
    assert watched.process.vitals[0].loss == 5.0  # of the first pass: (1 - 3)^2 + (2 - 3)^2
    assert [each.replay for each in watched.process.diagnosed] == [Replay.EXACT]


def test_a_later_call_of_a_closure_that_is_not_finite_is_told_at_its_own_step(tmp_path: Path) -> None:
    model, calls = Scale(), []

    def closure() -> Tensor:
        optimizer.zero_grad()
        calls.append(None)
        loss = (model(X) * (math.nan if len(calls) == 4 else 1.0) - 3).square().sum()
        loss.backward()
        return loss

    with watching(tmp_path, first=False) as watched:
        optimizer = torch.optim.LBFGS(model.parameters(), max_iter=3, lr=0.01)
        optimizer.step(closure)
        before = len(calls)
        optimizer.step(closure)
    assert before < 4 < len(calls) + 1
    (alarm,) = watched.process.raised
    assert (alarm.raised.kind, alarm.raised.step, alarm.optimizer_step) == (AlarmKind.NONFINITE, 2, 2)
    assert alarm.replay is Replay.EXACT and alarm.micro_batch == 4 - before - 1
    assert [v.step for v in watched.process.vitals] == [1, 2]
    assert [v.finite for v in watched.process.vitals] == [True, False]


def by_hand(model: nn.Module) -> Callable[[], Any]:
    def update() -> None:
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.data -= 0.1 * parameter.grad  # type: ignore[operator]
                parameter.grad = None

    return update


def unseen(model: nn.Module) -> Callable[[], Any]:
    """A step that is traced away whole; the optimiser is known."""
    optimizer = SGD(model.parameters(), lr=0.1)

    def update() -> None:
        with torch.no_grad():
            by_hand(model)()

    update.optimizer = optimizer  # type: ignore[attr-defined]
    return update


@pytest.mark.parametrize(("kind", "replay"), [(by_hand, Replay.EXACT), (unseen, Replay.IMPOSSIBLE)])
def test_updates_that_no_optimiser_is_seen_to_make(tmp_path: Path, kind: Any, replay: Replay) -> None:
    model = Scale()
    with watching(tmp_path, at=("3",)) as watched:
        update = kind(model)
        for _ in range(4):
            model(X).sum().backward()
            update()
    assert [v.loss for v in watched.process.vitals] == pytest.approx([3.0, 2.1, 1.2, 0.3])
    assert [v.grad_norm for v in watched.process.vitals] == [3.0] * 4
    told = {each.step: each.replay for each in watched.process.diagnosed}
    assert told == ({1: Replay.EXACT, 3: Replay.EXACT} if replay is Replay.EXACT else {3: Replay.EXACT})
    assert bool(watched.process.notes) is (replay is not Replay.EXACT)


def test_optimisers_in_a_backward_pass_make_one_step(tmp_path: Path) -> None:
    models = nn.ModuleList([Scale(), Scale(2.0)])

    def update(p: Tensor) -> None:
        optimizers[p].step()
        optimizers[p].zero_grad()

    with watching(tmp_path) as watched:
        optimizers = {p: SGD([p], lr=0.1) for p in models.parameters()}
        for parameter in models.parameters():
            parameter.register_post_accumulate_grad_hook(update)
        for _ in range(3):
            (models[0](X).sum() + models[1](X).sum()).backward()
    assert [v.loss for v in watched.process.vitals] == pytest.approx([9.0, 7.2, 5.4])
    assert [v.step for v in watched.process.vitals] == [1, 2, 3]


def test_gradients_of_autograd_grad_alone(tmp_path: Path) -> None:
    model = Scale()
    with watching(tmp_path) as watched:
        for _ in range(2):
            (gradient,) = torch.autograd.grad(model(X).sum(), list(model.parameters()))
            model.w.data -= 0.1 * gradient
    assert [v.loss for v in watched.process.vitals] == pytest.approx([3.0, 2.1])


# -- what is asked for


def train(steps: int, at: int = 0, rows: tuple[int, ...] = (), size: int = 16) -> list[float]:
    """A loop whose batch has bad rows at one step."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1))
    optimizer = SGD(model.parameters(), lr=0.01)
    losses = []
    for step in range(1, steps + 1):
        x, y = torch.randn(size, 3), torch.randn(size, 1)
        if step == at:
            x[list(rows), 1] = math.nan
        loss = nn.functional.mse_loss(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def test_steps_that_were_asked_for_are_explained_and_the_script_is_as_it_was(tmp_path: Path) -> None:
    bare = train(6)
    with watching(tmp_path, at=("2", "0:5"), try_budget=9) as watched:
        assert train(6) == bare
    told = [(each.step, each.why, each.replay) for each in watched.process.diagnosed]
    assert told == [(1, Why.FIRST, Replay.EXACT), (2, Why.AT, Replay.EXACT), (5, Why.AT, Replay.EXACT)]
    assert watched.explain.trials == [False, True, True]
    assert [step.target.batch_size for step in watched.explain.steps] == [16] * 3


def test_a_step_with_a_bad_row_names_it(tmp_path: Path) -> None:
    with watching(tmp_path / ".", save_batch=str(tmp_path / "kept"), first=False) as watched:
        train(6, at=4, rows=(5,))
    process = watched.process
    entry = process.raised[0]
    assert (entry.raised.kind, entry.raised.step, entry.optimizer_step) == (AlarmKind.NONFINITE, 4, 4)
    assert (entry.samples, entry.replay) == ((5,), Replay.EXACT)
    assert entry.source is not None and "loss.backward()" in (entry.source.code or "")
    kept = torch.load(tmp_path / "kept" / "step-4.pt", weights_only=True)
    shapes = {name: tuple(x.shape) for name, x in kept["batch"].items()}
    assert kept["samples"] == [5] and shapes == {"input": (16, 3), "target": (16, 1)}
    assert any("step-4.pt holds the batch of step 4" in note for note in process.notes)


def test_of_many_large_micro_batches_the_last_and_the_first_bad_one_are_explained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inputmemory, "_SHARE", 0.0)
    model = Scale()
    with watching(tmp_path) as watched:
        optimizer = SGD(model.parameters(), lr=0.001)
        for step in (1, 2, 3):
            optimizer.zero_grad()
            for number in range(4):
                bad = step == 3 and number == 1
                model(torch.tensor([1.0, math.nan if bad else 2.0, 3.0, number])).mean().backward()
            optimizer.step()
    (first,) = watched.process.diagnosed
    (alarm,) = watched.process.raised
    assert first.replay is alarm.replay is Replay.EXACT
    assert (alarm.raised.kind, alarm.raised.step, alarm.micro_batch) == (AlarmKind.NONFINITE, 3, 1)
    assert alarm.samples == (1,) and "too large to keep" in alarm.reason
    assert any(note.startswith("step 1: backward pass 4 of its update alone") for note in watched.process.notes)
    assert not watched.process.aside


def test_a_bad_micro_batch_before_it_was_known_that_they_are_large_cannot_be_repeated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inputmemory, "_SHARE", 0.0)
    model = Scale()
    with watching(tmp_path, first=False) as watched:
        optimizer = SGD(model.parameters(), lr=0.001)
        for x in (math.nan, 1.0, 2.0):
            model(torch.tensor([x])).sum().backward()
        optimizer.step()
    (alarm,) = watched.process.raised
    assert (alarm.replay, alarm.micro_batch) == (Replay.IMPOSSIBLE, 0)
    assert "too large to keep" in alarm.reason


def test_what_a_bad_row_alone_has_is_found(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = nn.Linear(3, 1)
    optimizer = SGD(model.parameters(), lr=0.001)
    with watching(tmp_path, first=False) as watched:
        for step in range(1, 4):
            x = torch.randn(16, 3)
            if step == 3:
                x[5] *= 1e4
            optimizer.zero_grad()
            model(x).cosh().mean().backward()
            optimizer.step()
    found = watched.process.raised[0].apart
    assert found is not None and (found.name, found.rows, found.kind) == ("input", (5,), Kind.ABOVE)
    assert 1e3 < found.factor < 1e5


def test_no_more_is_explained_than_was_allowed(tmp_path: Path) -> None:
    with watching(tmp_path, max_diagnoses=0, first=False) as watched:
        train(4, at=2, rows=(1,))
    entry = watched.process.raised[0]
    assert (entry.replay, entry.reason) == (Replay.IMPOSSIBLE, "--max-diagnoses was reached")
    assert not watched.explain.steps


def test_after_the_last_step_the_script_is_asked_twice_and_then_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended: list[int] = []
    monkeypatch.setattr(os, "_exit", ended.append)
    with watching(tmp_path, steps=2) as watched:
        for time in (1, 2, 3):
            with pytest.raises(SystemExit) as raised:
                train(5)
            assert raised.value.code == 0 and ended == ([0] if time == 3 else [])
    assert watched.process.stopped == Stopped(step=2, why="steps")
    assert [each.why for each in watched.process.diagnosed] == [Why.FIRST, Why.STEPS]
    assert len(watched.process.vitals) == 2


def test_an_alarm_stops_the_script_where_that_was_asked_for(tmp_path: Path) -> None:
    with watching(tmp_path, stop_on_alarm=True) as watched, pytest.raises(SystemExit):
        train(60, at=7, rows=(2,))
    assert watched.process.stopped == Stopped(step=len(watched.process.vitals), why="alarm")
    assert 7 <= len(watched.process.vitals) < 60


# -- the end of the script


def test_a_loss_that_is_not_finite_where_the_script_leaves_is_explained(tmp_path: Path) -> None:
    with watching(tmp_path, first=False) as watched:
        train(2)
        model = nn.Linear(3, 1)
        loss = model(torch.full((4, 3), math.nan)).square().mean()
        with pytest.raises(SystemExit):
            sys.exit("the loss is NaN")
        assert math.isnan(loss.item())
    entry = watched.process.raised[0]
    assert (entry.raised.kind, entry.raised.step, entry.replay) == (AlarmKind.NONFINITE, 3, Replay.EXACT)


READINGS: dict[str, Callable[[Tensor], Any]] = {
    "isfinite": lambda loss: bool(torch.isfinite(loss)),
    "isnan": lambda loss: bool(loss.detach().isnan().any()),
    "item": lambda loss: loss.item(),
    "isnan_of_math": math.isnan,
    "unlike_itself": lambda loss: bool(loss != loss),
    "printed": lambda loss: f"{loss:.3f}",
    "numpy": lambda loss: loss.detach().numpy(),
}


@pytest.mark.parametrize("reading", READINGS.values(), ids=READINGS.keys())
def test_a_loss_that_was_looked_at_is_explained_at_the_end_though_its_function_is_left(
    tmp_path: Path, reading: Callable[[Tensor], Any]
) -> None:
    model = Scale()

    def step(x: Tensor) -> None:
        loss = model(x).square().mean()
        reading(loss)
        if bool(x.isnan().any()):
            raise SystemExit(1)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()

    with watching(tmp_path, first=False) as watched:
        optimizer = SGD(model.parameters(), lr=0.1)
        step(X)
        with pytest.raises(SystemExit):
            step(torch.tensor([1.0, math.nan]))
        watched.watcher._ending()
    (alarm,) = watched.process.raised
    assert (alarm.raised.step, alarm.replay, alarm.samples) == (2, Replay.EXACT, (1,))
    well = watched.process.without_what_it_left()
    assert not well.raised and [v.step for v in well.vitals] == [1]


def test_what_was_looked_at_is_let_go_of_at_the_next_call(tmp_path: Path) -> None:
    model = Scale()
    with watching(tmp_path, first=False):
        loss = model(X / 0).sum()
        assert not torch.isfinite(loss)
        ref = weakref.ref(loss)
        del loss
        assert ref() is not None
        model(X)
        assert ref() is None


def test_a_script_that_leaves_with_all_well_raises_nothing(tmp_path: Path) -> None:
    with watching(tmp_path, first=False) as watched:
        train(2)
        kept = nn.Linear(3, 1)(torch.ones(4, 3)).square().mean()
        with pytest.raises(SystemExit):
            sys.exit(3)
        assert math.isfinite(kept.item())
    assert not watched.process.raised and len(watched.process.vitals) == 2


# -- what goes wrong in us


def test_an_error_of_ours_is_told_and_the_script_goes_on_as_without_us(tmp_path: Path) -> None:
    bare = train(5)
    calls = nn.Module.__call__, Tensor.backward
    with watching(tmp_path, Explaining(raises=ValueError("oops")), at=("2",), first=False) as watched:
        assert train(5) == bare
        assert watched.process.aside == "ValueError: oops"
    assert len(watched.process.vitals) == 2
    assert (nn.Module.__call__, Tensor.backward) == calls


def test_a_step_that_cannot_be_explained_is_told_and_the_others_are_explained(tmp_path: Path) -> None:
    explain = Explaining(raises=UserCodeError("the forward pass raised"))
    with watching(tmp_path, explain, at=("3",)) as watched:
        train(2)
        explain.raises = None
        train(2)
    assert [each.step for each in watched.process.diagnosed] == [3] and not watched.process.aside
    assert watched.process.notes == ("step 1 was not diagnosed: the forward pass raised",)


def test_what_was_trained_with_is_let_go_after_its_update(tmp_path: Path) -> None:
    with watching(tmp_path, first=False) as watched:
        model = nn.Sequential(nn.Linear(3, 2), nn.Linear(2, 1))
        optimizer = SGD(model.parameters(), lr=0.1)
        for _ in range(2):
            optimizer.zero_grad()
            model(torch.ones(2, 3)).sum().backward()
            optimizer.step()
        there = weakref.ref(model)
        del model, optimizer
        gc.collect()
        assert there() is None
    assert len(watched.process.vitals) == 2


class _Calls(TorchDispatchMode):
    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.count += "norm" in str(func) or "linear" in str(func) or "addmm" in str(func)
        return func(*args, **(kwargs or {}))


def test_a_mode_of_the_script_counts_no_call_of_ours(tmp_path: Path) -> None:
    with _Calls() as bare:
        train(3)
    with watching(tmp_path, at=("2",)) as watched, _Calls() as counted:
        train(3)
    assert counted.count == bare.count > 0
    assert [each.replay for each in watched.process.diagnosed] == [Replay.EXACT] * 2


def test_what_another_thread_draws_is_drawn_once(tmp_path: Path) -> None:
    """No step that nobody asked for is repeated meanwhile: the random state that is put back is also that thread's."""
    random.seed(0)
    expected = [random.random() for _ in range(300)]
    random.seed(0)
    drawn: list[float] = []
    model, over = torch.nn.Linear(2, 1), threading.Event()

    def feed() -> None:
        for _ in expected:
            drawn.append(random.random())
            over.wait(0.002)

    with watching(tmp_path, every=1) as watched:
        feeder = threading.Thread(target=feed, name="feeder")
        feeder.start()
        optimizer = SGD(model.parameters(), lr=1e-3)
        for _ in range(60):
            optimizer.zero_grad()
            model(torch.ones(4, 2)).square().mean().backward()
            optimizer.step()
        over.set()
        feeder.join()
    assert drawn == expected
    assert any("step 1 was not diagnosed: thread `feeder`" in note for note in watched.process.notes)


def test_a_second_thread_that_trains_is_left_alone(tmp_path: Path) -> None:
    def work(rate: float, out: list[float], steps: int) -> None:
        model = Scale()
        optimizer = SGD(model.parameters(), lr=rate)
        for _ in range(steps):
            optimizer.zero_grad()
            model(X).sum().backward()
            optimizer.step()
            barrier.wait()
        out.append(model.w.item())

    barrier = threading.Barrier(2)
    with watching(tmp_path, at=("5", "9")) as watched:
        found: tuple[list[float], list[float]] = [], []
        threads = [threading.Thread(target=work, args=(0.1 * (n + 1), found[n], 20)) for n in (0, 1)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        watched.watcher._ending()
    assert "another thread makes backward passes; it is not watched" in watched.process.notes
    assert [each[0] for each in found] == pytest.approx([1 - 20 * 0.3, 1 - 20 * 0.6], rel=1e-5)
    losses = [v.loss for v in watched.process.vitals]
    assert losses in [pytest.approx([3 - 3 * 0.3 * n * k for n in range(20)], abs=1e-4) for k in (1, 2)]
    assert {each.replay for each in watched.process.diagnosed} == {Replay.EXACT} and not watched.process.aside


def test_everything_comes_back(tmp_path: Path) -> None:
    before = [nn.Module.__call__, Tensor.backward, torch.autograd.grad, torch.autograd.backward, SGD.__init__]
    with watching(tmp_path):
        assert nn.Module.__call__ is not before[0]
    after = [nn.Module.__call__, Tensor.backward, torch.autograd.grad, torch.autograd.backward, SGD.__init__]
    assert after == before


def test_a_process_in_which_nothing_is_trained_leaves_nothing(tmp_path: Path) -> None:
    with watching(tmp_path):
        model = nn.Linear(3, 1)
        with torch.no_grad():
            model(torch.ones(2, 3))
        model(torch.ones(2, 3))
    assert not list(tmp_path.iterdir())


def test_a_backward_pass_that_raises_is_no_step(tmp_path: Path) -> None:
    model = Scale()
    with watching(tmp_path) as watched:
        optimizer = SGD(model.parameters(), lr=0.1)
        with pytest.raises(RuntimeError, match="only for scalar outputs"):
            model(X).backward()
        model(X).sum().backward()
        optimizer.step()
    assert [v.loss for v in watched.process.vitals] == [3.0] and not watched.process.aside


class _Around(nn.Module):
    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.inner(x)


def test_modules_inside_each_other_are_called_as_deeply_as_without_us(tmp_path: Path) -> None:
    net: nn.Module = nn.Linear(2, 2)
    limit = sys.getrecursionlimit()
    room = limit - len(inspect.stack()) - 30
    for _ in range(room // 4):  # what a call of a module takes
        net = _Around(net)
    x = torch.ones(1, 2)
    net(x)
    with watching(tmp_path):
        net(x).sum().backward()
        with torch.no_grad():
            net(x)
    assert sys.getrecursionlimit() == limit


def test_a_fault_of_the_loop_is_told_with_its_line_and_ends_the_script_where_that_is_asked(tmp_path: Path) -> None:
    model = Scale()
    with watching(tmp_path, first=False, stop_on_alarm=True) as watched, pytest.raises(SystemExit):
        optimizer = SGD(model.parameters(), lr=1e-3)
        for _ in range(20):
            model(X).sum().backward()
            optimizer.step()
    (entry,) = watched.process.raised
    assert (entry.raised.kind, entry.raised.step, entry.raised.evidence["code"]) == (AlarmKind.LOOP, 4, "GC650")
    assert entry.source is not None and entry.source.code == "model(X).sum().backward()"
    assert watched.process.stopped == Stopped(step=4, why="alarm")


def test_a_forked_child_that_trains_counts_its_own_steps(tmp_path: Path) -> None:
    with watching(tmp_path, first=False) as watched:
        train(7)
        if (child := os.fork()) == 0:
            try:
                train(3)
                watched.watcher._session.flush()
            finally:
                os._exit(0)
        os.waitpid(child, 0)
        train(2)
        watched.watcher._session.flush()
    steps = {each.pid: [vital.step for vital in each.vitals] for each in read(str(tmp_path))}
    assert steps == {os.getpid(): [*range(1, 10)], child: [1, 2, 3]}


def test_targets_that_a_mask_leaves_out_at_first_are_a_thing_of_the_first_steps(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model, targets = torch.nn.Linear(2, 1), torch.rand(4, 1)
    with watching(tmp_path, first=False) as watched:
        optimizer = SGD(model.parameters(), lr=1e-2)
        for step in range(30):
            optimizer.zero_grad()
            error = torch.nn.functional.mse_loss(model(torch.rand(4, 2)), targets)
            (error * float(step >= 10) + 0.01 * model.weight.square().sum()).backward()
            optimizer.step()
    (judged,) = watched.process.whole.judged
    assert (judged.raised.evidence["code"], judged.raised.step) == ("GC680", 3)
    assert (judged.outcome, judged.finding, judged.told) == (Outcome.RECOVERED, False, "at step 16 that was over")


def test_updates_that_are_glanced_at_lose_nothing_that_is_wrong(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model, bad = torch.nn.Linear(2, 1), 402
    with watching(tmp_path, budget=0.0, first=False) as watched:
        budget = watched.watcher._budget
        budget.every, budget.account = 8, lambda *spent: None  # type: ignore[method-assign]
        optimizer = SGD(model.parameters(), lr=1e-3)
        _trained(model, optimizer, range(1, 405), bad)
        watched.watcher._ending()
    process = watched.process
    (raised,) = [each for each in process.raised if each.raised.kind is AlarmKind.NONFINITE]
    assert raised.raised.step == bad and bad % 8 and raised.replay is Replay.EXACT
    assert process.cost is not None and process.cost.steps == 404
    assert len(process.vitals) + process.cost.glanced >= 404 > 404 - process.cost.glanced > 100
    assert process.vitals[-1].step == 404, "how far it came is told all the same"
    assert {each.step for each in process.vitals if each.step > 200} >= {208, 216, 224, bad}
    (use,) = process.uses
    assert (use.updates, use.passes, use.rates) == (404, 404, 0)


def _glancing(watched: Watched) -> None:
    budget = watched.watcher._budget
    budget.every, budget.account = 8, lambda *spent: None  # type: ignore[method-assign]


def _trained(model: nn.Module, optimizer: torch.optim.Optimizer, steps: range, bad: int = 0) -> None:
    """Make these steps; the batch of the bad one is NaN."""
    for step in steps:
        optimizer.zero_grad()
        model(torch.randn(8, 2) if step != bad else torch.full((8, 2), math.nan)).square().mean().backward()
        optimizer.step()


def _sleeping(watched: Watched, every: int = 16, awake: int = 4) -> None:
    budget = watched.watcher._budget
    budget.every, budget.awake, budget.account = every, awake, lambda *spent: None  # type: ignore[method-assign]


@pytest.mark.parametrize(("bad", "seen"), [(404, 404), (405, 408), (415, 416), (416, 416)])
def test_what_begins_while_updates_are_slept_through_is_seen_in_the_next(tmp_path: Path, bad: int, seen: int) -> None:
    torch.manual_seed(0)
    model = torch.nn.Linear(2, 1)
    with watching(tmp_path, budget=0.0, first=False) as watched:
        _sleeping(watched)
        optimizer = SGD(model.parameters(), lr=1e-3)
        _trained(model, optimizer, range(1, 420), bad)
        watched.watcher._ending()
    process = watched.process
    (raised,) = [each for each in process.raised if each.raised.kind is AlarmKind.NONFINITE]
    assert raised.raised.step == seen and raised.replay is Replay.EXACT
    notes = [note for note in process.notes if "slept through" in note]
    assert len(notes) == (seen != bad or seen % 4 == 0) and not process.aside
    assert all(note.startswith(f"step {seen}: 3 of the updates just before it were slept through") for note in notes)
    assert process.cost is not None and process.cost.steps == 419 and 100 < process.cost.slept < 300
    assert process.uses[0].updates == process.uses[0].passes == 419


def test_steps_that_are_asked_for_are_not_slept_through(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = torch.nn.Linear(2, 1)
    with watching(tmp_path, budget=0.0, first=False, at=("401",)) as watched:
        _sleeping(watched)
        optimizer = SGD(model.parameters(), lr=1e-3)
        _trained(model, optimizer, range(1, 420))
        watched.watcher._ending()
    (diagnosed,) = watched.process.diagnosed
    assert (diagnosed.step, diagnosed.replay) == (401, Replay.EXACT)


@pytest.mark.parametrize("awake", [1, 4])
def test_another_optimiser_wakes_it(tmp_path: Path, awake: int) -> None:
    torch.manual_seed(0)
    model = torch.nn.Linear(2, 1)
    with watching(tmp_path, budget=0.0, first=False) as watched:
        _sleeping(watched, awake=awake)
        _trained(model, SGD(model.parameters(), lr=1e-3), range(1, 411))
        _trained(model, Adam(model.parameters(), lr=1e-3), range(411, 421))
        watched.watcher._ending()
    process = watched.process
    assert not process.aside and process.cost is not None and process.cost.steps == 420
    assert [use.updates for use in process.uses] == [410, 10]
    assert [each.step for each in process.vitals if each.optimizer == 1] == list(range(411, 421))


class Stubborn(SGD):
    refuses = False

    def step(self, closure: Any = None) -> Any:
        if self.refuses:
            raise ValueError("no")
        return super().step(closure)


@pytest.mark.parametrize(("every", "awake"), [(1, 1), (16, 1), (16, 4)])
def test_updates_that_raise_are_counted_once(tmp_path: Path, every: int, awake: int) -> None:
    torch.manual_seed(0)
    model = torch.nn.Linear(2, 1)
    with watching(tmp_path, budget=0.0, first=False) as watched:
        _sleeping(watched, every, awake)
        optimizer = Stubborn(model.parameters(), lr=1e-3)
        for step in range(1, 421):
            optimizer.refuses = step % 9 == 4
            optimizer.zero_grad()
            model(torch.randn(8, 2) if step != 404 else torch.full((8, 2), math.nan)).square().mean().backward()
            with suppress(ValueError):
                optimizer.step()
        watched.watcher._ending()
    process = watched.process
    assert process.cost is not None and process.cost.steps == 420 and not process.aside
    (raised,) = [each for each in process.raised if each.raised.kind is AlarmKind.NONFINITE]
    assert raised.raised.step == 404 and raised.replay is Replay.EXACT


def test_weights_that_were_lost_in_the_last_sleep_are_told(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = torch.nn.Linear(2, 1)
    with watching(tmp_path, budget=0.0, first=False) as watched:
        _sleeping(watched)
        _trained(model, SGD(model.parameters(), lr=1e-3), range(1, 408), bad=406)
        watched.watcher._ending()
    process = watched.process
    (raised,) = process.raised
    assert (raised.raised.kind, raised.raised.step) == (AlarmKind.NONFINITE, 407)
    assert raised.replay is Replay.IMPOSSIBLE and "slept through" in raised.reason


def test_several_passes_of_an_update_are_slept_through(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = torch.nn.Linear(2, 1)
    with watching(tmp_path, budget=0.0, first=False) as watched:
        _sleeping(watched)
        optimizer = SGD(model.parameters(), lr=1e-3)
        for _ in range(400):
            optimizer.zero_grad()
            for _ in range(3):
                (model(torch.randn(8, 2)).square().mean() / 3).backward()
            optimizer.step()
        watched.watcher._ending()
    process = watched.process
    assert not process.aside and not process.raised
    assert process.cost is not None and process.cost.slept > 100
    assert [(use.updates, use.passes) for use in process.uses] == [(400, 1200)]


def test_an_optimiser_that_steps_inside_the_backward_pass_of_a_noted_step(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = torch.nn.Linear(2, 1)
    with watching(tmp_path, budget=0.0, first=False) as watched:
        _glancing(watched)
        optimizer = SGD(model.parameters(), lr=1e-3)
        for step in range(1, 203):
            optimizer.zero_grad()
            if step == 202:
                model.weight.register_post_accumulate_grad_hook(lambda parameter: optimizer.step())
            model(torch.randn(8, 2)).square().mean().backward()
            if step < 202:
                optimizer.step()
        watched.watcher._ending()
    process = watched.process
    assert not process.aside and process.cost is not None and process.cost.steps == 202


def test_a_backward_pass_of_a_noted_step_that_raises_is_told(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = torch.nn.Linear(2, 1)

    def broken(gradient: torch.Tensor) -> torch.Tensor:
        raise ValueError("no")

    with watching(tmp_path, budget=0.0, first=False) as watched:
        _glancing(watched)
        optimizer = SGD(model.parameters(), lr=1e-3)
        for step in range(1, 206):
            optimizer.zero_grad()
            out = model(torch.randn(8, 2))
            if step == 202:
                out.register_hook(broken)
            with suppress(ValueError):
                out.square().mean().backward()
            optimizer.step()
        watched.watcher._ending()
    process = watched.process
    assert not process.aside and process.cost is not None and process.cost.steps == 205


def test_a_game_that_is_glanced_at_shows_no_fault(tmp_path: Path) -> None:
    torch.manual_seed(0)
    critic, maker = torch.nn.Linear(2, 1), torch.nn.Linear(3, 2)
    with watching(tmp_path, budget=0.0, first=False) as watched:
        _glancing(watched)
        criticising, making = SGD(critic.parameters(), lr=1e-3, momentum=0.9), SGD(maker.parameters(), lr=1e-3)
        for step in range(1, 1201):
            one = making if step % 6 == 0 else criticising
            one.zero_grad()
            score = critic(maker(torch.randn(8, 3))).tanh().mean()
            (-score if one is making else score - critic(torch.randn(8, 2) + 1).tanh().mean()).backward()
            torch.nn.utils.clip_grad_norm_(one.param_groups[0]["params"], 0.1)
            one.step()
        watched.watcher._ending()
    process = watched.process
    assert not process.raised and not process.aside
    assert process.cost is not None and process.cost.glanced > 600
    assert [(use.updates, use.passes) for use in process.uses] == [(1000, 1000), (200, 200)]


def test_a_fault_that_comes_while_updates_are_glanced_at_is_found(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = torch.nn.Linear(2, 1)
    with watching(tmp_path, budget=0.0, first=False) as watched:
        _glancing(watched)
        optimizer = SGD(model.parameters(), lr=1e-6)
        for step in range(1, 600):
            if step < 400:
                optimizer.zero_grad()
            model(torch.randn(8, 2)).square().mean().backward()
            optimizer.step()
    (entry,) = [each for each in watched.process.raised if each.raised.kind is AlarmKind.LOOP]
    assert entry.raised.evidence["code"] == "GC650" and 400 <= entry.raised.step < 450
