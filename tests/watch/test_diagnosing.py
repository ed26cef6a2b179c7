"""What is made of a step that is repeated: its bad rows, its number, and what is said of it."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.optim import SGD

from gradcheck_cli import check
from gradcheck_cli.records.apart import Apart, Kind
from gradcheck_cli.records.spec import Pass, Step, Target
from gradcheck_cli.records.timeline import AlarmKind, Raised, Replay, Vital
from gradcheck_cli.watch.backward import Backward
from gradcheck_cli.watch.diagnosing import Seen, _limit, guilty_rows, left_by, measured, named_rows
from gradcheck_cli.watch.vitals import Norms
from tests.watch.watching import Explaining, watching


def step_of(model: nn.Module, loss: Any, *batch: Tensor) -> Step:
    given = {str(place): tensor for place, tensor in enumerate(batch)}
    target = Target(
        name="step",
        model=model,
        batches=(given,),
        forward=lambda model, batch: Pass(loss=loss(model, *batch.values()), loss_source="here"),
        loss_source="here",
        picked=(),
        root="",
    )
    return Step(target=target, batch=given)


def mean_square(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    return (model(x) - y).square().mean()


def line(value: float) -> nn.Linear:
    model = nn.Linear(1, 1, bias=False)
    nn.init.constant_(model.weight, value)
    return model


def not_finite(loss: float, norm: float) -> bool:
    return not (math.isfinite(loss) and math.isfinite(norm))


def test_loss_and_norm_of_a_step_and_that_nothing_is_left_behind() -> None:
    """L = mean (w x - y)^2 = 4.5, dL/dw = mean 2 x (w x - y) = 9 for w = 3, x = (1, 1), y = (0, 3)."""
    model = line(3.0)
    step = step_of(model, mean_square, torch.ones(2, 1), torch.tensor([[0.0], [3.0]]))
    model.weight.grad = torch.full((1, 1), 7.0)
    state = torch.get_rng_state()
    assert measured(step) == (4.5, 3.0)
    assert model.weight.grad.item() == 7.0 and torch.equal(torch.get_rng_state(), state)


def test_a_loss_without_a_gradient_has_a_norm_of_zero() -> None:
    step = step_of(line(1.0), lambda model, x: x.sum(), torch.ones(2, 1))
    assert measured(step) == (2.0, 0.0)


@pytest.mark.parametrize("rows", [(3,), (0, 15), (2, 3, 9)])
def test_the_rows_that_are_not_finite(rows: tuple[int, ...]) -> None:
    x, y = torch.ones(16, 1), torch.ones(16, 1)
    x[list(rows)] = math.inf
    assert guilty_rows(step_of(line(2.0), mean_square, x, y), not_finite) == rows


def test_the_rows_that_make_a_large_loss() -> None:
    y = torch.zeros(16, 1)
    y[7] = 1e4
    step = step_of(line(1.0), mean_square, torch.ones(16, 1), y)
    assert guilty_rows(step, lambda loss, norm: loss > 100) == (7,)


def test_no_rows_where_the_parameters_are_at_fault() -> None:
    step = step_of(line(math.nan), mean_square, torch.ones(16, 1), torch.ones(16, 1))
    assert guilty_rows(step, not_finite) is None


def test_no_rows_where_the_code_takes_no_other_batch() -> None:
    def fixed(model: nn.Module, x: Tensor) -> Tensor:
        found: Tensor = (model(x).reshape(16) / x.reshape(16)).sum()
        return found

    x = torch.ones(16, 1)
    x[3] = math.nan
    assert guilty_rows(step_of(line(1.0), fixed, x), not_finite) is None


def test_the_rows_with_which_the_step_raises_as_it_did() -> None:
    def checked(model: nn.Module, x: Tensor) -> Tensor:
        if not bool(torch.isfinite(x).all()):
            raise ValueError("not finite")
        found: Tensor = model(x).sum()
        return found

    x = torch.ones(16, 1)
    x[5] = math.nan
    step = step_of(line(1.0), checked, x)
    assert guilty_rows(step, not_finite, ValueError("not finite")) == (5,)
    assert guilty_rows(step, not_finite, KeyError("another")) is None


def test_rows_that_only_together_leave_the_others_well_are_those_that_the_op_went_wrong_at() -> None:
    def by_partner(model: nn.Module, x: Tensor, label: Tensor) -> Tensor:
        same = (label[:, None] == label[None]).float() - torch.eye(len(label))
        found: Tensor = ((same @ model(x)).squeeze(1) / same.sum(1)).mean()
        return found

    label = torch.arange(8).repeat(2)  # every half of the batch is without partners
    label[5] = 20  # and so row 13 has none either
    step = step_of(line(1.0), by_partner, torch.ones(16, 1), label)
    assert guilty_rows(step, not_finite) is None
    assert guilty_rows(step, not_finite, named=(5, 13)) == (5, 13)
    assert guilty_rows(step, not_finite, named=(5,)) is None
    report = check(line(1.0), (torch.ones(16, 1), label), step=lambda model, b: by_partner(model, *b))
    assert named_rows(report) == (5, 13)
    assert named_rows(None) == ()


def test_a_tensor_of_all_pairs_of_rows_is_cut_both_ways() -> None:
    def by_partner(model: nn.Module, x: Tensor, same: Tensor) -> Tensor:
        found: Tensor = ((same @ model(x)).squeeze(1) / same.sum(1)).mean()
        return found

    same = torch.ones(16, 16) - torch.eye(16)
    same[3] = same[:, 3] = 0
    step = step_of(line(1.0), by_partner, torch.ones(16, 1), same)
    assert guilty_rows(step, not_finite) == (3,)
    left = left_by(step, (3,))
    assert left is not None and left.loss_left == 1.0


def test_no_rows_of_a_batch_without_any() -> None:
    assert guilty_rows(step_of(line(1.0), lambda model, x: model(x).sum(), torch.ones(1)), not_finite) is None


@pytest.mark.parametrize(
    ("loss", "norms", "finite"),
    [(1.0, (1.0,), True), (None, (), True), (math.nan, (1.0,), False), (1.0, (1.0, math.inf), False)],
)
def test_what_is_finite(loss: float | None, norms: tuple[float, ...], finite: bool) -> None:
    parameters = tuple(torch.zeros(1) for _ in norms)
    assert Seen(None, loss, Norms(parameters, norms), 1.0).finite is finite  # type: ignore[arg-type]


# -- under a watcher


def accumulate(bad: int, noise: bool = False) -> None:
    """Four micro-batches a step; one of the second step has a bad row."""
    model = nn.Linear(3, 1)
    optimizer = SGD(model.parameters(), lr=0.01)
    for step in (1, 2):
        optimizer.zero_grad()
        for micro in range(4):
            x = torch.randn(8, 3)
            if (step, micro) == (2, bad):
                x[6] = math.nan
            if noise:
                print("micro-batch", micro)
            nn.functional.mse_loss(model(x), torch.zeros(8, 1)).backward()
        optimizer.step()


@pytest.mark.parametrize("bad", [0, 2])
def test_the_micro_batch_that_is_at_fault_is_the_one_explained(tmp_path: Path, bad: int) -> None:
    with watching(tmp_path, first=False) as watched:
        accumulate(bad)
    (entry,) = watched.process.raised
    assert (entry.micro_batch, entry.samples, entry.replay) == (bad, (6,), Replay.EXACT)


def test_a_step_that_cannot_be_repeated_is_told_with_the_reason(tmp_path: Path) -> None:
    with watching(tmp_path, first=False, at=("2",)) as watched:
        model = nn.Linear(3, 1)
        optimizer = SGD(model.parameters(), lr=0.01)
        for _ in range(3):
            scale = float(torch.rand(()))  # drawn outside of any call that is on the tape
            nn.functional.mse_loss(model(torch.ones(4, 3)), torch.zeros(4, 1)).mul(scale).backward()
            optimizer.step()
            optimizer.zero_grad()
    assert [each.step for each in watched.process.diagnosed] == [2]

    class Drawing(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc, self.calls = nn.Linear(3, 1), iter(range(99))

        def forward(self, x: Tensor) -> Tensor:
            found: Tensor = self.fc(x) * next(self.calls)
            return found

    folder = tmp_path / "drawing"
    folder.mkdir()
    with watching(folder, first=False, at=("2",)) as watched:
        model = Drawing()  # type: ignore[assignment]
        optimizer = SGD(model.parameters(), lr=0.01)
        for _ in range(3):
            model(torch.ones(4, 3)).square().sum().backward()
            optimizer.step()
            optimizer.zero_grad()
    assert not watched.process.diagnosed
    (note,) = watched.process.notes
    assert note.startswith("step 2 was not diagnosed: `calls`, a range_iterator, is drawn from")
    assert next(model.calls) == 3  # type: ignore[arg-type]


def test_nothing_that_the_code_prints_is_heard_twice(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    class Loud(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Linear(3, 1)

        def forward(self, x: Tensor) -> Tensor:
            print("forward")
            found: Tensor = self.fc(x)
            return found

    with watching(tmp_path, at=("1", "2", "3")) as watched:
        model = Loud()
        optimizer = SGD(model.parameters(), lr=0.01)
        for _ in range(3):
            model(torch.ones(4, 3)).sum().backward()
            optimizer.step()
    assert capsys.readouterr().out == "forward\n" * 3
    assert len(watched.explain.steps) == 3


def test_a_spike_of_the_loss_names_the_rows_that_make_it(tmp_path: Path) -> None:
    with watching(tmp_path, first=False) as watched:
        torch.manual_seed(0)
        model = nn.Linear(3, 1)
        optimizer = SGD(model.parameters(), lr=1e-4)
        for step in range(1, 81):
            x, y = torch.randn(32, 3), torch.randn(32, 1)
            if step == 70:
                y[[4, 9]] = 1e3
            optimizer.zero_grad()
            nn.functional.mse_loss(model(x), y).backward()
            optimizer.step()
    kinds = {entry.raised.kind: entry for entry in watched.process.raised}
    assert kinds.keys() & {AlarmKind.LOSS_SPIKE, AlarmKind.GRAD_SPIKE}
    assert all(entry.raised.step == 70 and entry.samples == (4, 9) for entry in kinds.values())
    entry = next(iter(kinds.values()))
    assert entry.novel == Apart(
        name="target", rows=(4, 9), kind=Kind.ABOVE, value=1e3, others=pytest.approx(3.5, abs=1.0), batches=69
    )
    assert entry.without is not None
    assert entry.without.loss > 1e4 > 10 > entry.without.loss_left
    assert entry.without.norm > 100 * entry.without.norm_left


def test_a_jump_that_is_told_when_all_batches_are_like_it_blames_no_rows() -> None:
    late = Raised(kind=AlarmKind.LOSS_SPIKE, step=468, optimizer=0, message="", evidence={"loss_before": 0.28})
    limit = _limit(late, Vital(step=468, loss=1.61, grad_norm=2.0), usual=1.6)
    assert limit is not None and limit(1.58, 1.0) and not limit(0.5, 1.0)
    norm = Raised(kind=AlarmKind.GRAD_SPIKE, step=468, optimizer=0, message="", evidence={})
    assert _limit(norm, Vital(step=468, loss=1.0, grad_norm=2.0), usual=1.8) is None
    assert _limit(norm, Vital(step=468, loss=1.0, grad_norm=200.0), usual=1.8) is not None


def test_the_explanation_may_take_its_time_which_is_no_cost_of_watching(tmp_path: Path) -> None:
    import time

    class Slow(Explaining):
        def __call__(self, step: Step, *, trials: bool) -> Any:
            time.sleep(0.3)
            return super().__call__(step, trials=trials)

    with watching(tmp_path, Slow()) as watched:
        accumulate(bad=9)
        watched.watcher._ending()
    cost = watched.process.cost
    assert cost is not None and cost.diagnoses > 0.3 > cost.watching >= 0
    assert cost.steps == 2


class Parts(nn.Module):
    """What is used, what is cut off, and what is called for nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.cut, self.used, self.spare = nn.Linear(3, 4), nn.Linear(4, 1), nn.Linear(4, 1)

    def forward(self, x: Tensor) -> Tensor:
        hidden = self.cut(x).detach()
        self.spare(hidden)
        out: Tensor = self.used(hidden)
        return out


def test_what_a_loss_depends_on_and_that_nothing_of_it_is_left(tmp_path: Path) -> None:
    model = Parts()
    with watching(tmp_path, first=False) as watched:
        loss = model(torch.ones(2, 3)).square().sum()
        backward = watched.watcher._tape.started("backward", loss, None, False, False, None)
        before = [p.detach().clone() for p in model.parameters()]
        versions = [p._version for p in model.parameters()]
        found = {name for name, p in model.named_parameters() if watched.watcher._diagnosing.depends(backward, p)}
        assert all(map(torch.equal, model.parameters(), before))
        assert [p._version for p in model.parameters()] == versions
        loss.backward()
    assert found == {"cut.weight", "cut.bias", "used.weight", "used.bias"}


def test_what_cannot_be_taken_again_is_not_said_to_depend_on_anything(tmp_path: Path) -> None:
    model = Parts()
    with watching(tmp_path, first=False) as watched:
        backward = Backward("backward", None, None)
        backward.why = "nothing was seen"
        assert not watched.watcher._diagnosing.depends(backward, model.used.weight)


def test_whether_all_gradients_lead_through_a_layer(tmp_path: Path) -> None:
    model = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 1))
    beside = nn.Linear(3, 1).requires_grad_(False)
    model[1].requires_grad_(False)
    with watching(tmp_path, first=False) as watched:
        x = torch.ones(2, 3)
        loss = (model(x) - beside(x)).square().sum()
        backward = watched.watcher._tape.started("backward", loss, None, False, False, None)
        leads = watched.watcher._diagnosing.leads_through
        assert leads(backward, model[1].weight)
        assert not leads(backward, beside.weight)
        loss.backward()
    assert model[1].weight.count_nonzero() == 4
