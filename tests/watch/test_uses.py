"""How a script uses its optimisers, as the calls show it."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn
from torch.optim import SGD, AdamW

from tests.watch.watching import watching


def test_what_the_calls_show_is_told(tmp_path: Path) -> None:
    torch.manual_seed(0)
    body, head = nn.Linear(8, 16).requires_grad_(False), nn.Linear(16, 1)
    model = nn.Sequential(body, nn.Tanh(), head)
    with watching(tmp_path, first=False, max_diagnoses=0) as watched:
        optimizer = AdamW(head.parameters(), lr=0.01)
        schedule = torch.optim.lr_scheduler.StepLR(optimizer, 4, gamma=0.1)
        for step in range(8):
            optimizer.zero_grad()
            for _ in range(3):
                with torch.autocast("cpu", torch.bfloat16):
                    loss = model(torch.randn(5, 8)).float().square().mean()
                loss.backward()
            if step % 2:
                nn.utils.clip_grad_norm_(head.parameters(), 1e-6)
            optimizer.step()
            schedule.step()
        watched.watcher._ending()
    (use,) = watched.process.uses
    assert (use.kind, use.updates, use.passes, use.rows, use.clipped) == ("AdamW", 8, 24, 5, 4)
    assert (use.first_rate, use.last_rate, use.rates) == (0.01, 0.001, 1)
    assert (use.autocast, use.scaled, use.skipped) == ("bfloat16", False, 0)
    assert use.frozen == (8 * 16 + 16) / (8 * 16 + 16 + 17)
    assert not watched.process.aside


def test_clipping_counts_where_it_shortens(tmp_path: Path) -> None:
    model = nn.Linear(4, 1, bias=False)
    with watching(tmp_path, first=False, max_diagnoses=0) as watched:
        optimizer = SGD(model.parameters(), lr=1e-6)
        for size in (1.0, 1.0, 100.0, 1.0, float("nan")):  # what is NaN is not clipped
            optimizer.zero_grad()
            (size * model(torch.ones(1, 4))).sum().backward()  # its norm is twice that
            nn.utils.clip_grad_norm_(model.parameters(), 10.0)
            optimizer.step()
        watched.watcher._ending()
    assert [(use.clipped, use.clip_limit) for use in watched.process.uses] == [(1, 10.0)]


def test_updates_by_hand_are_told_as_such(tmp_path: Path) -> None:
    model = nn.Linear(4, 1, bias=False)
    with watching(tmp_path, first=False, max_diagnoses=0) as watched:
        for _ in range(6):
            model.zero_grad()
            model(torch.ones(3, 4)).sum().backward()
            for p in model.parameters():
                assert p.grad is not None
                p.data -= 0.01 * p.grad
        watched.watcher._ending()
    (use,) = watched.process.uses
    assert (use.kind, use.rows, use.first_rate) == ("no optimizer, updates by hand", 3, None)


def test_evaluation_passes_are_counted(tmp_path: Path) -> None:
    model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 1))
    other = nn.Linear(4, 1)
    with watching(tmp_path, first=False, max_diagnoses=0) as watched:
        optimizer = SGD(model.parameters(), lr=0.01)
        for _ in range(3):
            optimizer.zero_grad()
            model(torch.ones(1, 4)).sum().backward()
            optimizer.step()
            with torch.no_grad():
                model(torch.ones(1, 4))
                other(torch.ones(1, 4))
        watched.watcher._ending()
    assert watched.process.evaluations == 3


def test_each_optimiser_is_told_by_itself(tmp_path: Path) -> None:
    one, two = nn.Linear(2, 2), nn.Linear(2, 2)
    with watching(tmp_path, first=False, max_diagnoses=0) as watched:
        optimizers = SGD(one.parameters(), lr=0.1), AdamW(two.parameters(), lr=0.01)
        for _ in range(3):
            for model, optimizer in zip((one, two), optimizers, strict=True):
                optimizer.zero_grad()
                model(torch.randn(4, 2)).square().mean().backward()
                optimizer.step()
        watched.watcher._ending()
    assert [(use.optimizer, use.kind, use.updates) for use in watched.process.uses] == [(0, "SGD", 3), (1, "AdamW", 3)]
