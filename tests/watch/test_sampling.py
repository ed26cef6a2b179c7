"""The sampled vitals: closed forms, when they are taken, and that nothing of it stays behind."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from gradcheck_cli.records.enquiry import AtChance
from gradcheck_cli.records.session import Sample
from gradcheck_cli.records.spec import Step
from gradcheck_cli.records.timeline import AlarmKind, Replay
from gradcheck_cli.runtime.passes import forward_pass
from tests.watch.watching import Watched, watching


def trained(
    folder: Path,
    optimize: Callable[[], torch.optim.Optimizer],
    steps: int,
    loss_of: Callable[[], Tensor],
    micro_batches: int = 1,
    **options: object,
) -> Watched:
    with watching(folder, budget=0.0, first=False, **options) as watched:
        optimizer = optimize()
        for _ in range(steps):
            optimizer.zero_grad()
            for _ in range(micro_batches):
                loss_of().backward()
            optimizer.step()
    assert not watched.process.aside
    return watched


def line() -> tuple[nn.Linear, Callable[[], Tensor]]:
    """L = (w x)^2 for x = 1 and w = 2 at first."""
    model = nn.Linear(1, 1, bias=False)
    nn.init.constant_(model.weight, 2.0)
    x = torch.ones(4, 1)
    return model, lambda: model(x).square().mean()


def test_an_update_and_the_descent_of_its_own_batch(tmp_path: Path) -> None:
    """w = 2, dL/dw = 2 w = 4: with lr 0.1 the weight goes to 1.6, by a fifth of itself, and the loss from 4 to 2.56."""
    model, loss = line()
    optimize = partial(torch.optim.SGD, model.parameters(), lr=0.1, weight_decay=1e-9)
    (sample,) = trained(tmp_path, optimize, 1, loss, every=1).process.samples
    assert (sample.step, sample.optimizer, sample.chance, sample.update_rms) == (1, 0, None, None)
    assert (sample.loss, sample.after) == (pytest.approx(4.0), pytest.approx(2.56))
    assert (sample.update, sample.weight) == (pytest.approx(0.2), pytest.approx(2.0))
    assert sample.decay == pytest.approx(1e-9 * 2 / 4)


def test_a_decay_beside_the_normalised_update_is_held_against_that(tmp_path: Path) -> None:
    """AdamW: w = 2 of one element, a decay of 3 takes 6 lr where the gradient, whatever its size, moves lr."""
    model, loss = line()
    optimize = partial(torch.optim.AdamW, model.parameters(), lr=1e-3, weight_decay=3.0)
    (sample,) = trained(tmp_path, optimize, 1, loss, every=1).process.samples
    assert sample.decay == pytest.approx(6.0)


def test_the_first_update_of_adam_has_an_rms_of_1(tmp_path: Path) -> None:
    model, loss = line()
    (sample,) = trained(
        tmp_path, lambda: torch.optim.Adam(model.parameters(), lr=1e-3), 1, loss, every=1
    ).process.samples
    assert sample.update_rms == pytest.approx(1.0, rel=1e-3)


def test_matrices_count_where_there_are_any(tmp_path: Path) -> None:
    model = nn.Linear(2, 1)
    with torch.no_grad():
        model.weight.fill_(3.0)
        model.bias.fill_(1e-3)
    x = torch.ones(4, 2)
    optimize = partial(torch.optim.SGD, model.parameters(), lr=0.1)
    (sample,) = trained(tmp_path, optimize, 1, lambda: model(x).mean(), every=1).process.samples
    assert sample.update == pytest.approx(0.1 * math.sqrt(2) / (3 * math.sqrt(2)))


def test_without_every_and_budget_the_steps_double(tmp_path: Path) -> None:
    model, loss = line()
    optimize = partial(torch.optim.SGD, model.parameters(), lr=1e-3)
    samples = trained(tmp_path, optimize, 70, loss).process.samples
    assert [sample.step for sample in samples] == [16, 32, 64]


def test_how_far_updates_move_is_read_between_them_too(tmp_path: Path) -> None:
    """lr 0.1 takes a fifth of the weight each time; with a budget every eighth update is read, without a pass."""
    model, loss = line()
    with watching(tmp_path, budget=1e-9, first=False) as watched:
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1, weight_decay=1e-9)
        for _ in range(40):
            optimizer.zero_grad()
            loss().backward()
            optimizer.step()
    samples = {sample.step: sample for sample in watched.process.samples}
    assert list(samples) == [1, 8, 16, 24, 32, 40]
    assert [step for step, sample in samples.items() if sample.loss is not None] == [16, 32]
    assert [sample.update for sample in samples.values()] == pytest.approx([0.2] * 6)
    assert samples[8].decay is None and samples[16].decay is not None


def test_a_budget_allows_more(tmp_path: Path) -> None:
    model, loss = line()
    with watching(tmp_path, budget=100.0, first=False) as watched:
        optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
        for _ in range(60):
            optimizer.zero_grad()
            loss().backward()
            optimizer.step()
    assert len(watched.process.samples) > 3


def test_a_step_of_several_losses_is_not_repeated(tmp_path: Path) -> None:
    model, loss = line()
    optimize = partial(torch.optim.SGD, model.parameters(), lr=0.1)
    (sample,) = trained(tmp_path, optimize, 1, loss, micro_batches=2, every=1).process.samples
    assert (sample.loss, sample.after) == (None, None)
    assert sample.update == pytest.approx(0.4)


def test_an_update_that_is_too_large_raises_the_loss_of_its_batch(tmp_path: Path) -> None:
    model, loss = line()
    (sample,) = trained(tmp_path, lambda: torch.optim.SGD(model.parameters(), lr=1.5), 1, loss, every=1).process.samples
    assert sample.loss is not None and sample.after == pytest.approx(4 * sample.loss)


def test_an_update_that_only_itself_shows_is_explained_at_the_step_after_it(tmp_path: Path) -> None:
    """What is done to a gradient after the backward pass is in the update alone."""
    torch.manual_seed(0)
    model, x = nn.Linear(8, 1, bias=False), torch.randn(16, 8)
    with watching(tmp_path, every=1, first=False) as watched:
        optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
        for step in range(1, 61):
            optimizer.zero_grad()
            (model(x) - 1).square().mean().backward()
            assert model.weight.grad is not None
            model.weight.grad.mul_(1e4 if step == 40 else 1.0)
            optimizer.step()
    (entry,) = watched.process.raised
    assert (entry.raised.kind, entry.raised.step, entry.replay) == (AlarmKind.UPDATE_SPIKE, 41, Replay.EXACT)
    assert entry.raised.evidence["update_step"] == 40


def chance(step: Step) -> AtChance:
    return AtChance(float(forward_pass(step).loss.detach()), 7.0, 0.25)


def test_what_one_answer_costs_is_taken_beside_it(tmp_path: Path) -> None:
    model, loss = line()
    with watching(tmp_path, every=1, first=False) as watched:
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        watched.watcher._sampling._chance = chance
        loss().backward()
        optimizer.step()
    (sample,) = watched.process.samples
    assert sample.against_chance == pytest.approx(4 / 7)
    assert sample.distinguishability == 0.25


def test_the_loss_with_dropout_off_is_taken_beside_it(tmp_path: Path) -> None:
    """The weight goes from 2 to some w; all of it counts with dropout off, so that the loss is w^2."""
    torch.manual_seed(0)
    model, x = nn.Linear(1, 1, bias=False), torch.ones(64, 1)
    drop = nn.Dropout(0.8)
    optimize = partial(torch.optim.SGD, model.parameters(), lr=1e-3)
    (sample,) = trained(tmp_path, optimize, 1, lambda: model(drop(x)).square().mean(), every=1).process.samples
    assert sample.undropped == pytest.approx(float(model.weight.detach().square()))
    assert sample.after is not None and sample.after > sample.undropped
    model, loss = line()
    (tmp_path / "b").mkdir()
    (sample,) = trained(
        tmp_path / "b", partial(torch.optim.SGD, model.parameters(), lr=1e-3), 1, loss, every=1
    ).process.samples
    assert sample.undropped is None


def test_dead_units_are_told(tmp_path: Path) -> None:
    model = nn.Sequential(nn.Linear(1, 4), nn.ReLU(), nn.Linear(4, 1))
    with torch.no_grad():
        model[0].bias.fill_(-100.0)  # type: ignore[union-attr]
    x, y = torch.rand(16, 1), torch.ones(16, 1)
    loss = nn.functional.mse_loss
    optimize = partial(torch.optim.SGD, model.parameters(), lr=0.1)
    (sample,) = trained(tmp_path, optimize, 1, lambda: loss(model(x), y), every=1).process.samples
    assert sample.dead == {"1": 1.0}


@pytest.mark.parametrize("every", [None, 1])
def test_the_run_is_what_it_would_have_been(tmp_path: Path, every: int | None) -> None:
    """Dropout draws, BatchNorm counts, and Adam moves, as without samples."""

    def run(folder: Path | None) -> tuple[list[Tensor], Tensor]:
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.5), nn.Linear(8, 1))

        def loss() -> Tensor:
            return model(torch.randn(32, 4)).square().mean()

        if folder is not None:
            optimize = partial(torch.optim.Adam, model.parameters())
            assert trained(folder, optimize, 20, loss, every=every).process.samples
        else:
            optimizer = torch.optim.Adam(model.parameters())
            for _ in range(20):
                optimizer.zero_grad()
                loss().backward()
                optimizer.step()
        return [*model.state_dict().values()], torch.get_rng_state()

    bare, watched = run(None), run(tmp_path)
    assert all(map(torch.equal, bare[0], watched[0])) and torch.equal(bare[1], watched[1])


def test_a_sample_comes_back_from_the_session_as_it_was(tmp_path: Path) -> None:
    model, loss = line()
    optimize = partial(torch.optim.SGD, model.parameters(), lr=0.1)
    watched = trained(tmp_path, optimize, 1, loss, every=1)
    sample = Sample(step=2, loss=math.inf, dead={"1": 0.5})
    watched.watcher._session.sample(sample)
    assert watched.process.samples[-1] == sample
