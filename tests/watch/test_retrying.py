"""Updates that are made again: when, from where, at what cost; and that trying changes nothing of the run."""

from __future__ import annotations

import io
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.optim import LBFGS, SGD, Adam, AdamW

from gradcheck_cli.records.retrying import Retried, UpdateChange
from gradcheck_cli.watch import retrying
from tests.watch.running import FORMS, digest, run_script
from tests.watch.watching import Watched, watching


def line(steps: int, bad: int = 0, lr: float = 0.05, rows: int = 16) -> None:
    """A line fitted by SGD; the targets of one step are a million times as large."""
    torch.manual_seed(1)
    model = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1))
    optimizer = SGD(model.parameters(), lr=lr)
    for step in range(1, steps + 1):
        x = torch.randn(rows, 4)
        y = x[:, :1] * (1e6 if step == bad else 1.0)
        optimizer.zero_grad()
        nn.functional.mse_loss(model(x), y).backward()
        optimizer.step()


def tried(folder: Path, work: Callable[[], None], **options: Any) -> Watched:
    """The work, under a watcher that may try."""
    with watching(folder, **{"try_budget": 1, "first": False, **options}) as watched:
        work()
    assert not watched.process.aside, watched.process.aside
    return watched


def test_an_alarm_is_tried_and_a_quiet_run_is_not(tmp_path: Path) -> None:
    (told,) = tried(tmp_path, lambda: line(60, bad=50)).process.retried
    assert (told.step, told.kind, told.rate, told.scaled) == (50, "SGD", 0.05, False)
    assert told.harms and told.as_run is not None and told.loss is not None and told.loss > 1e11
    quiet = tmp_path / "quiet"
    quiet.mkdir()
    assert tried(quiet, lambda: line(60)).process.retried == ()


def test_a_step_that_raised_an_alarm_and_was_asked_for_is_tried_once(tmp_path: Path) -> None:
    assert len(tried(tmp_path, lambda: line(60, bad=50), at=("50",)).process.retried) == 1


def test_nothing_is_tried_with_no_try(tmp_path: Path) -> None:
    assert tried(tmp_path, lambda: line(60, bad=50), try_budget=0, at=("3",)).process.retried == ()


def test_a_first_step_that_was_not_asked_for_is_not_tried(tmp_path: Path) -> None:
    assert tried(tmp_path, lambda: line(3), first=True).process.retried == ()


def test_a_healthy_step_that_is_asked_for_takes_three_passes(tmp_path: Path) -> None:
    """The loss as it is, before the update and after it; nothing else is tried."""
    (told,) = tried(tmp_path, lambda: line(5), at=("3",)).process.retried
    assert told.passes == 3 and [each.change for each in told.tried] == [UpdateChange.AS_RUN]
    assert told.loss is not None and told.tried[0].loss is not None and told.tried[0].loss < told.loss


def test_the_threshold_of_clipping_is_known_where_the_update_needs_none(tmp_path: Path) -> None:
    (told,) = tried(tmp_path, lambda: line(30), at=("30",)).process.retried
    assert not told.harms and told.passes == 3
    (untried,) = told.tried[1:]
    assert (
        untried.change is UpdateChange.CLIPPED
        and untried.loss is None
        and untried.share == pytest.approx(0.1, abs=0.04)
    )


@pytest.mark.parametrize(("budget", "times"), [(0.0, 1), (100.0, 2)])
def test_the_first_alarm_is_free_and_later_ones_have_to_fit_into_the_budget(
    tmp_path: Path, budget: float, times: int
) -> None:
    def work() -> None:
        line(60, bad=50)
        line(60, bad=50)

    found = tried(tmp_path, work, budget=budget).process.retried
    assert len(found) == 2 and sum(bool(each.tried) for each in found) == times
    spent = sum(each.passes for each in found)
    if times == 1:
        assert found[1].why == f"--budget allows 0 passes by now, and {spent} were spent"
    assert [(each.kind, each.rate) for each in found] == [(found[0].kind, found[0].rate)] * 2 and found[0].rate


def parabola(curvature: float) -> None:
    """L = k w^2 / 2, of which a step of rate 1 leaves (1 - k)^2."""
    model = nn.Linear(1, 1, bias=False)
    nn.init.ones_(model.weight)
    optimizer = SGD(model.parameters(), lr=1.0)
    for _ in range(2):
        optimizer.zero_grad()
        (curvature / 2 * model(torch.ones(1, 1)).square().sum()).backward()
        optimizer.step()


@pytest.mark.parametrize(
    ("curvature", "left"),
    [(1.5, [0.25]), (3.0, [4.0, 0.0]), (12.0, [121.0, 9.0, 0.04])],
)
def test_the_mildest_rate_that_cures_is_the_last_that_is_tried(
    tmp_path: Path, curvature: float, left: list[float]
) -> None:
    (told,) = tried(tmp_path, lambda: parabola(curvature), at=("1",)).process.retried
    assert told.loss == curvature / 2
    changes = [UpdateChange.AS_RUN, UpdateChange.LOWER_RATE, UpdateChange.LOWER_RATE]
    assert [each.change for each in told.tried] == changes[: len(left)]
    losses = [each.loss for each in told.tried]
    assert losses == pytest.approx([share * curvature / 2 for share in left], rel=1e-4, abs=1e-9)


def accumulated(parts: int) -> None:
    torch.manual_seed(2)
    model = nn.Linear(4, 1)
    optimizer = Adam(model.parameters(), lr=0.1)
    for _ in range(4):
        optimizer.zero_grad()
        for _ in range(parts):
            x = torch.randn(8, 4)
            (nn.functional.mse_loss(model(x), x[:, :1]) / parts).backward()
        optimizer.step()


def test_the_loss_of_an_accumulated_update_is_that_of_all_its_passes(tmp_path: Path) -> None:
    watched = tried(tmp_path, lambda: accumulated(3), at=("3",))
    (told,) = watched.process.retried
    assert told.loss == pytest.approx(watched.process.vitals[2].loss, rel=1e-12) and told.passes == 9


def by_hand() -> None:
    weight = torch.ones(3, requires_grad=True)
    for _ in range(4):
        (weight * torch.ones(3)).square().sum().backward()
        with torch.no_grad():
            weight -= 0.1 * weight.grad  # type: ignore[operator]
        weight.grad = None


def with_lbfgs() -> None:
    model = nn.Linear(4, 1)
    optimizer = LBFGS(model.parameters())
    x = torch.randn(8, 4)

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = model(x).square().mean()
        loss.backward()
        return loss

    for _ in range(3):
        optimizer.step(closure)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("work", "why"),
    [
        (by_hand, "the parameters are updated by hand"),
        (with_lbfgs, "the backward pass runs inside the update"),
        (lambda: accumulated(9), "the update is made of 9 backward passes"),
    ],
)
def test_what_cannot_be_tried_says_why(tmp_path: Path, work: Callable[[], None], why: str) -> None:
    (told,) = tried(tmp_path, work, at=("2",)).process.retried
    assert (told.why, told.tried, told.passes) == (why, (), 0)


def poisoned() -> None:
    """An update in the past has left NaN in the parameters."""
    torch.manual_seed(4)
    model = nn.Linear(4, 1)
    optimizer = Adam(model.parameters(), lr=0.1)
    for step in range(1, 7):
        x = torch.randn(8, 4)
        optimizer.zero_grad()
        nn.functional.mse_loss(model(x), x[:, :1]).backward()
        if step == 4:
            optimizer.param_groups[0]["eps"] = float("nan")
        optimizer.step()


def test_parameters_that_are_not_finite_ask_for_a_snapshot_and_are_tried_from_one(tmp_path: Path) -> None:
    (told,) = tried(tmp_path, poisoned).process.retried
    wanted = "the update of step 4 left parameters that are not finite; --snapshot 1 keeps what was before"
    assert (told.step, told.why, told.tried) == (5, wanted, ())
    folder = tmp_path / "kept"
    folder.mkdir()
    (told,) = tried(folder, poisoned, snapshot=1).process.retried
    assert (told.start, told.held is not None and told.held.step) == (4, 4)
    assert told.harms and told.loss is not None and told.loss < 10


def test_gradients_that_are_averaged_over_processes_are_taken_as_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def odd_row() -> None:
        torch.manual_seed(1)
        model = nn.Linear(4, 1)
        optimizer = SGD(model.parameters(), lr=0.05)
        for step in range(1, 51):
            x = torch.randn(16, 4)
            y = x[:, :1].clone()
            y[3] *= 1e6 if step == 40 else 1.0
            optimizer.zero_grad()
            nn.functional.mse_loss(model(x), y).backward()
            optimizer.step()

    (told,) = tried(tmp_path, odd_row).process.retried
    assert told.rows == (3,) and UpdateChange.WITHOUT_ROWS in {each.change for each in told.tried}
    monkeypatch.setattr(retrying, "is_averaged", lambda backward: True)
    folder = tmp_path / "averaged"
    folder.mkdir()
    (told,) = tried(folder, odd_row, snapshot=1).process.retried
    assert told.rows == (3,) and UpdateChange.WITHOUT_ROWS not in {each.change for each in told.tried}
    assert told.held is not None and told.start is None


def test_a_batch_that_is_bad_under_earlier_parameters_as_well_did_it(tmp_path: Path) -> None:
    (told,) = tried(tmp_path, lambda: line(60, bad=50), snapshot=5).process.retried
    assert told.held is not None and told.start is None and told.held.step == 45
    assert told.held.loss == pytest.approx(told.held.now, rel=1e-3)


# -- trying changes nothing


def everything(scaled: bool, snapshot_of: dict[str, Any]) -> None:
    """All kinds of state: BatchNorm, dropout, a schedule, a scaler, a second optimiser, a hook that counts."""
    torch.manual_seed(5)
    model = nn.Sequential(nn.Linear(6, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.2), nn.Linear(16, 2))
    other = nn.Linear(6, 2)
    optimizer, second = AdamW(model.parameters(), lr=0.01), SGD(other.parameters(), lr=0.1, momentum=0.9)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.05, total_steps=40)
    scaler = torch.amp.GradScaler("cpu", init_scale=64.0, enabled=scaled)
    calls: list[int] = []
    optimizer.register_step_post_hook(lambda *args: calls.append(1))
    for step in range(1, 31):
        x = torch.randn(16, 6)
        y = (x[:, 0] > 0).long()
        if step == 25:
            x[3] = 1e4
        with torch.autocast("cpu", torch.float16, enabled=scaled):
            loss = nn.functional.cross_entropy(model(x).float() + other(x).float(), y)
        optimizer.zero_grad()
        second.zero_grad()
        scaler.scale(loss).backward()
        if scaled:
            scaler.unscale_(optimizer)
        nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        scaler.step(optimizer)
        scaler.step(second)
        scaler.update()
        schedule.step()
        print(step, loss.item(), schedule.get_last_lr())
    snapshot_of |= {
        "model": model.state_dict(),
        "gradients": [p.grad for p in model.parameters()],
        "optimizers": (optimizer.state_dict(), second.state_dict()),
        "schedule": schedule.state_dict(),
        "scaler": scaler.state_dict(),
        "calls": calls,
        "random": torch.get_rng_state(),
    }


@pytest.mark.parametrize("scaled", [False, True])
def test_trying_changes_nothing_of_a_run(tmp_path: Path, scaled: bool) -> None:
    def ran() -> tuple[str, str]:
        left: dict[str, Any] = {}
        out = io.StringIO()
        with redirect_stdout(out):
            everything(scaled, left)
        torch.set_printoptions(precision=17, threshold=10**9)
        try:
            return repr(left), out.getvalue()
        finally:
            torch.set_printoptions(profile="default")

    bare = ran()
    after: list[tuple[str, str]] = []
    watched = tried(
        tmp_path, lambda: after.append(ran()), at=tuple(str(n) for n in range(3, 61, 6)), snapshot=4, budget=100.0
    )
    assert after == [bare]
    found = watched.process.retried
    assert len(found) >= 9 and all(each.tried for each in found), [each.why for each in found]


@pytest.mark.parametrize("name", ["accumulation", "batchnorm", "gan", "rnn", "scaler"])
def test_trying_changes_nothing_of_all_forms_of_scripts(tmp_path: Path, name: str) -> None:
    def ran() -> tuple[str, str]:
        space, printed = run_script(FORMS / f"{name}.py")
        return digest(space), printed

    bare, after = ran(), list[tuple[str, str]]()
    watched = tried(tmp_path, lambda: after.append(ran()), at=("2", "5"), snapshot=1)
    assert after == [bare]
    assert any(each.tried for each in watched.process.retried), _whys(watched.process.retried)


def _whys(found: tuple[Retried, ...]) -> list[str]:
    return [each.why for each in found]


def half(steps: int, tiny: float = 1.0, **scaler: Any) -> None:
    """Four classes in float16, as autocast computes it."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(32, 64), nn.ReLU(), nn.Linear(64, 4))
    optimizer = Adam(model.parameters(), lr=1e-3)
    scaling = torch.amp.GradScaler("cpu", **scaler)
    mapped = torch.randn(32, 4)
    for _ in range(steps):
        x = torch.randn(64, 32)
        with torch.autocast("cpu", dtype=torch.float16):
            loss = nn.functional.cross_entropy(model(x), (x @ mapped).argmax(1)) * tiny
        optimizer.zero_grad()
        scaling.scale(loss).backward()
        scaling.step(optimizer)
        scaling.update()


def test_a_scale_that_grows_back_into_overflow_is_tried_with_one_that_fits(tmp_path: Path) -> None:
    watched = tried(tmp_path, lambda: half(80, init_scale=2.0**20, growth_interval=3))
    (told,) = watched.process.retried
    scales = told.scales
    assert scales is not None and scales.fits is not None and told.tried == () and told.scaled
    assert scales.lost > 0.0 == scales.lost_then and scales.fits < scales.now and scales.growth == 3
    assert 12 <= told.passes <= 14


def test_a_scale_that_settles_is_not_tried(tmp_path: Path) -> None:
    """Its first steps overflow on purpose."""
    watched = tried(tmp_path, lambda: half(80, init_scale=2.0**24))
    assert [entry.raised.kind.value for entry in watched.process.raised] == ["overflow"]
    assert watched.process.retried == ()
