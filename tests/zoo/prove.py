"""Prove in plain PyTorch that the architectures train: `python -m tests.zoo.prove [name ...]`.

Each model takes AdamW steps on its own batch. It is healthy when its loss falls by a tenth or more.
"""

from __future__ import annotations

import math
import sys
import time
import warnings
from statistics import fmean

import torch

from . import ARCHITECTURES, Architecture

STEPS = 40


def train(architecture: Architecture, steps: int = STEPS) -> list[float]:
    """The losses of a few steps of AdamW on the one batch."""
    model, batch, step = architecture.build()
    parameters = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=architecture.learning_rate)
    losses = []
    for _ in range(steps):
        optimizer.zero_grad()
        loss = step(model, batch)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def trains(losses: list[float]) -> bool:
    """Whether the last losses lie clearly below the first, allowing for dropout's noise."""
    first, last = fmean(losses[:2]), fmean(losses[-5:])
    return all(map(math.isfinite, losses)) and last <= first - 0.1 * abs(first)


def verdict(architecture: Architecture) -> bool:
    """Train one architecture and print how it went."""
    start = time.perf_counter()
    losses = train(architecture)
    seconds = (time.perf_counter() - start) / len(losses)
    mark = "ok    " if trains(losses) else "FAILED"
    print(
        f"{mark} {architecture.name:32} {losses[0]:10.4g} -> {losses[-1]:10.4g}  {seconds:6.3f} s/step",
        flush=True,
    )
    return trains(losses)


def main(names: list[str]) -> int:
    """Prove the named architectures, or all; exit 1 if one does not train."""
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    chosen = [a for a in ARCHITECTURES if not names or a.name in names]
    failed = [a.name for a in chosen if not verdict(a)]
    print(f"{len(chosen) - len(failed)} of {len(chosen)} architectures train")
    print(f"those that do not: {', '.join(failed) or 'none'}")
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
