"""Every "before -> after" of an update that was made again, reproduced in plain PyTorch by a change made by hand."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.optim import SGD, Adam, AdamW, Optimizer, RMSprop

from gradcheck_cli.records.retrying import Retried, UpdateChange, UpdateVariant
from tests.watch.watching import watching


class Script:
    """A training script in plain PyTorch: what it does at a step may be changed, and it may stop after that."""

    rate, steps, bad, rows = 0.02, 40, 30, ()
    clipped: float | None = None

    def __init__(self) -> None:
        torch.manual_seed(7)
        self.model = self.made()
        self.optimizer = self.optimised(self.model)

    def made(self) -> nn.Module:
        return nn.Sequential(nn.Linear(6, 24), nn.Tanh(), nn.Dropout(0.1), nn.Linear(24, 1))

    def optimised(self, model: nn.Module) -> Optimizer:
        return SGD(model.parameters(), lr=self.rate, momentum=0.9)

    def batch(self, step: int) -> tuple[Tensor, Tensor]:
        x = torch.randn(16, 6)
        return x, x[:, :1] - 0.5 * x[:, 1:2] * x[:, 2:3]

    def loss(self, x: Tensor, y: Tensor) -> Tensor:
        return nn.functional.mse_loss(self.model(x), y)

    def backward(self, loss: Tensor) -> None:
        loss.backward()

    def update(self) -> None:
        self.optimizer.step()

    def train(self, until: int) -> None:
        for step in range(1, until + 1):
            x, y = self.batch(step)
            loss = self.loss(x, y)
            self.optimizer.zero_grad()
            self.backward(loss)
            self.update()

    def by_hand(self, tried: UpdateVariant, rows: tuple[int, ...] = ()) -> tuple[float, float]:
        """The loss of the batch of the bad step before its update and after, with a change made by hand."""
        self.train(self.bad - 1)
        x, y = self.batch(self.bad)
        random = torch.get_rng_state()
        self.optimizer.zero_grad()
        self.backward(self.loss(x, y))
        kept = [row for row in range(len(x)) if row not in rows]

        def costs() -> float:
            torch.set_rng_state(random)
            with torch.no_grad():
                return float(self.loss(x[kept], y[kept]))

        before = costs()
        self.change(tried, x[kept], y[kept], random)
        self.update()
        return before, costs()

    def change(self, tried: UpdateVariant, x: Tensor, y: Tensor, random: Tensor) -> None:
        amount = tried.amount or 0.0
        if tried.change is UpdateChange.CLIPPED:
            self.unscale()
            nn.utils.clip_grad_norm_(self.model.parameters(), amount)
        elif tried.change is UpdateChange.ANEW:
            self.optimizer.state.clear()
        elif tried.change is UpdateChange.WITHOUT_ROWS:
            self.optimizer.zero_grad()
            torch.set_rng_state(random)
            self.loss(x, y).backward()
        for group in self.optimizer.param_groups:
            if tried.change in (UpdateChange.LOWER_RATE, UpdateChange.HIGHER_RATE):
                group["lr"] *= amount
            elif tried.change is UpdateChange.EPS:
                group["eps"] = amount

    def unscale(self) -> None:
        pass


class OddRow(Script):
    """One target without its decimal point."""

    rows = (11,)

    def made(self) -> nn.Module:
        return nn.Sequential(nn.Linear(6, 24), nn.Tanh(), nn.Linear(24, 1))

    def batch(self, step: int) -> tuple[Tensor, Tensor]:
        x, y = super().batch(step)
        if step == self.bad:
            y[11] = 4000.0
        return x, y


class Silent(Script):
    """Inputs that were 0 so far: the averages of Adam are those of silence."""

    rate, steps, bad = 0.03, 60, 51

    def made(self) -> nn.Module:
        return nn.Sequential(nn.Linear(46, 24), nn.Tanh(), nn.Linear(24, 1))

    def optimised(self, model: nn.Module) -> Optimizer:
        return Adam(model.parameters(), lr=self.rate)

    def batch(self, step: int) -> tuple[Tensor, Tensor]:
        x, y = super().batch(step)
        new = 1 + 0.5 * torch.randn(16, 40)
        return torch.cat([x, new if step >= self.bad else torch.zeros_like(new)], 1), y


class Scaled(Script):
    """Float16 with a GradScaler, and a rate that was raised by far too much."""

    rate, steps, bad = 0.05, 40, 32

    def __init__(self) -> None:
        super().__init__()
        self.scaler = torch.amp.GradScaler("cpu", init_scale=2.0**8)

    def loss(self, x: Tensor, y: Tensor) -> Tensor:
        with torch.autocast("cpu", torch.float16):
            return nn.functional.mse_loss(self.model(x).float(), y)

    def batch(self, step: int) -> tuple[Tensor, Tensor]:
        if step == self.bad - 1:
            self.optimizer.param_groups[0]["lr"] = 4.0
        return super().batch(step)

    def backward(self, loss: Tensor) -> None:
        self.scaler.scale(loss).backward()

    def unscale(self) -> None:
        self.scaler.unscale_(self.optimizer)

    def update(self) -> None:
        self.scaler.step(self.optimizer)
        self.scaler.update()


class Crawling(Script):
    """A rate that moves nothing."""

    rate, steps, bad = 1e-8, 30, 30

    def optimised(self, model: nn.Module) -> Optimizer:
        return AdamW(model.parameters(), lr=self.rate)


class Rms(Silent):
    def optimised(self, model: nn.Module) -> Optimizer:
        return RMSprop(model.parameters(), lr=self.rate / 3)


def retried(script: type[Script], folder: Path, **options: object) -> Retried:
    """What the watcher made of the script's bad step, which is asked for where it raises no alarm."""
    with watching(folder, try_budget=1, first=False, **options) as watched:
        script().train(script.steps)
    assert not watched.process.aside
    return next(each for each in watched.process.retried if each.step == script.bad)


WAYS = {UpdateChange.AS_RUN, UpdateChange.LOWER_RATE, UpdateChange.CLIPPED}
CASES = [
    (OddRow, {}, WAYS | {UpdateChange.WITHOUT_ROWS}),
    (Silent, {"at": ("51",)}, WAYS | {UpdateChange.EPS, UpdateChange.ANEW}),
    (Rms, {"at": ("51",)}, WAYS | {UpdateChange.EPS}),
    (Scaled, {"at": ("32",)}, WAYS),
    (Crawling, {"at": ("30",)}, {UpdateChange.AS_RUN, UpdateChange.HIGHER_RATE}),
]


@pytest.mark.parametrize(("script", "options", "ways"), CASES, ids=lambda each: getattr(each, "__name__", ""))
def test_each_number_is_what_the_changed_script_comes_to(
    script: type[Script], options: dict[str, object], ways: set[UpdateChange], tmp_path: Path
) -> None:
    told = retried(script, tmp_path, **options)
    assert {tried.change for tried in told.tried} == ways and told.rows == script.rows
    for tried in told.tried:
        before, after = script().by_hand(tried, told.rows)
        assert told.loss == pytest.approx(before, rel=1e-6), tried
        assert tried.loss == pytest.approx(after, rel=1e-5), tried


def test_there_are_enough_of_them(tmp_path: Path) -> None:
    """At least ten numbers are reproduced above, by all kinds of changes."""
    found = []
    for place, (script, options, _) in enumerate(CASES):
        folder = tmp_path / str(place)
        folder.mkdir()
        found += retried(script, folder, **options).tried
    assert len(found) >= 20 and {each.change for each in found} == set(UpdateChange)
    assert all(each.loss is not None and not math.isnan(each.loss) for each in found)


def test_the_batch_with_the_parameters_of_a_snapshot(tmp_path: Path) -> None:
    """What the batch of a step after a bad update costs with the parameters of before, and what it costs now."""

    class Thrown(Script):
        bad = 31

        def batch(self, step: int) -> tuple[Tensor, Tensor]:
            self.optimizer.param_groups[0]["lr"] = 60.0 if step == self.bad - 1 else self.rate
            return super().batch(step)

    told = retried(Thrown, tmp_path, snapshot=10)
    assert told.held is not None and (told.held.step, told.start) == (30, 30)
    earlier = Thrown()
    earlier.train(29)
    earlier_values = {name: value.clone() for name, value in earlier.model.state_dict().items()}
    script = Thrown()
    script.train(30)
    x, y = script.batch(31)
    random = torch.get_rng_state()
    now = float(script.loss(x, y))
    script.model.load_state_dict(earlier_values)
    torch.set_rng_state(random)
    then = float(script.loss(x, y))
    assert (told.held.now, told.held.loss) == (pytest.approx(now, rel=1e-6), pytest.approx(then, rel=1e-6))
