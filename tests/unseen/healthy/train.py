"""One healthy run as a script: `python -m tests.unseen.healthy.train NAME SEED [--to FILE]`.

Told at the end are the losses, what the task ends with against chance, and a hash of the weights.
"""

from __future__ import annotations

import argparse
import hashlib
import itertools
import json
import math
import random
import statistics
from pathlib import Path

import torch
from torch import nn

from tests.unseen.healthy.grid import BY_NAME, OPTIMIZERS, SCHEDULES, STEPS, Run
from tests.unseen.healthy.tasks import TASKS, Loss, Task

CLEARLY = 0.85
"""A run is healthy if it ends below this share of chance."""
BY = 0.15
"""Or by so much below it, in nats, where the loss is a log density, which has no zero."""


def train(run: Run, seed: int) -> tuple[Task, list[float]]:
    """Train as the grid says; the losses are those of the first player."""
    torch.manual_seed(seed)
    random.seed(seed)
    task = TASKS[run.task]()
    if task.before is not None:
        first_learn(*task.before)
    made = [OPTIMIZERS[run.optimizer]([p for p in m.parameters() if p.requires_grad], run.lr) for m, _ in task.players]
    schedules = [SCHEDULES[run.schedule](optimizer) for optimizer in made]
    losses = []
    for step in range(STEPS):
        for player, ((model, loss_of), optimizer) in enumerate(zip(task.players, made, strict=True)):
            optimizer.zero_grad()
            for _ in range(run.accumulate):
                with torch.autocast("cpu", torch.bfloat16, enabled=run.bf16):
                    loss = loss_of()
                (loss / run.accumulate).backward()
                if player == 0:
                    losses.append(loss.item())
            if run.clip is not None:
                nn.utils.clip_grad_norm_(model.parameters(), run.clip)
            optimizer.step()
        for schedule in schedules:
            schedule.step()
        task.after(step)
    return task, losses


def first_learn(model: nn.Module, loss_of: Loss) -> None:
    """What is tuned, or copied, later."""
    optimizer = torch.optim.Adam(model.parameters(), 0.005)
    for _ in range(100):
        optimizer.zero_grad()
        loss_of().backward()
        optimizer.step()
    optimizer.zero_grad()


def told(task: Task, losses: list[float]) -> dict[str, object]:
    """What is written down of a run."""
    state = torch.get_rng_state()
    end = task.measure() if task.measure is not None else statistics.fmean(losses[-len(losses) // 10 :])
    torch.set_rng_state(state)
    tensors = itertools.chain.from_iterable(model.state_dict().values() for model, _ in task.players)
    weights = b"".join(tensor.detach().contiguous().numpy().tobytes() for tensor in tensors)
    below = end < (task.chance - BY if task.is_log_density else CLEARLY * task.chance)
    return {
        "healthy": below and all(map(math.isfinite, losses)),
        "begin": losses[0],
        "end": end,
        "chance": task.chance,
        "weights": hashlib.sha256(weights).hexdigest()[:16],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition(":")[0])
    parser.add_argument("name", choices=sorted(BY_NAME), metavar="NAME")
    parser.add_argument("seed", type=int)
    parser.add_argument("--to", type=Path)
    asked = parser.parse_args()
    text = json.dumps(told(*train(BY_NAME[asked.name], asked.seed)))
    asked.to.write_text(text, encoding="ascii") if asked.to else print(text)


if __name__ == "__main__":
    main()
