"""Prove in plain PyTorch that the architectures train: `python -m tests.zoo.prove [name ...]`.

Each model takes AdamW steps on its own batch. It is healthy when its loss falls by a tenth or more, and
when most of what runs is being trained: a loss can fall while half of a model never learns.
"""

from __future__ import annotations

import math
import sys
import time
import warnings
from dataclasses import dataclass
from statistics import fmean

import torch
from torch import nn

from . import ARCHITECTURES, Architecture

STEPS = 40
LEAST_REACH = 0.6  # some layers run for an output that this loss does not use, such as a pooler


@dataclass(frozen=True)
class Proof:
    """What training showed: the losses, and the share of the weights that ran which got a gradient."""

    losses: list[float]
    reach: float

    @property
    def holds(self) -> bool:
        """The last losses lie clearly below the first, dropout's noise allowed for, and all of it learns."""
        first, last = fmean(self.losses[:2]), fmean(self.losses[-5:])
        falls = all(map(math.isfinite, self.losses)) and last <= first - 0.1 * abs(first)
        return falls and self.reach >= LEAST_REACH


def train(architecture: Architecture, steps: int = STEPS) -> Proof:
    """A few steps of AdamW on the one batch."""
    model, batch, step = architecture.build()
    parameters = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=architecture.learning_rate)
    ran, reached, losses = watch(model), set(), []
    for _ in range(steps):
        optimizer.zero_grad()
        loss = step(model, batch)
        loss.backward()
        reached |= {p for p in parameters if p.grad is not None and p.grad.any()}
        optimizer.step()
        losses.append(loss.item())
    weights = {p for layer in ran for p in layer.parameters(recurse=False) if p.requires_grad}
    share = sum(p.numel() for p in weights & reached) / sum(p.numel() for p in weights) if weights else 1.0
    return Proof(losses, share)


def watch(model: nn.Module) -> set[nn.Module]:
    """The modules of the model that have run so far; it grows with every forward."""
    ran: set[nn.Module] = set()
    for layer in model.modules():
        layer.register_forward_hook(lambda layer, *_: ran.add(layer))
    return ran


def verdict(architecture: Architecture) -> bool:
    """Train one architecture and print how it went."""
    start = time.perf_counter()
    proof = train(architecture)
    seconds = (time.perf_counter() - start) / STEPS
    first, last = proof.losses[0], proof.losses[-1]
    print(
        f"{'ok    ' if proof.holds else 'FAILED'} {architecture.name:32} {first:10.4g} -> {last:10.4g}"
        f"  reach {proof.reach:4.0%}  {seconds:6.3f} s/step",
        flush=True,
    )
    return proof.holds


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
