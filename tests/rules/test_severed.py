"""States that are carried on without their graph."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gradcheck_cli import check
from gradcheck_cli.records.choices import About

X = torch.randn(16, 6, 4, generator=torch.Generator().manual_seed(0))
Y = torch.arange(16) % 3


class Unrolled(nn.Module):
    """A cell that is stepped by hand; `cut` says before which steps its state leaves the graph."""

    def __init__(self, cut: tuple[int, ...], *, every: bool = False) -> None:
        super().__init__()
        self.cut, self.every = cut, every
        self.cell, self.head = nn.GRUCell(4, 8), nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        state, states = x.new_zeros(len(x), 8), []
        for place, each in enumerate(x.unbind(1)):
            state = self.cell(each, state.detach() if place in self.cut else state)
            states.append(state)
        out: Tensor = self.head(torch.stack(states).mean(0) if self.every else state)
        return out


def found(model: nn.Module) -> list[tuple[str, tuple[str, ...], About | None]]:
    torch.manual_seed(0)
    report = check(model, (X, Y), loss=F.cross_entropy)
    return [(f.cause, f.layers, f.opinion and f.opinion.about) for f in report.findings if f.code == "GC417"]


def test_a_state_that_is_cut_at_every_step_is_a_suspicion() -> None:
    assert found(Unrolled((0, 1, 2, 3, 4, 5))) == [("graph-cut", ("cell",), About.WHOLE)]


def test_a_state_that_is_cut_once_or_never_is_well() -> None:
    assert found(Unrolled(())) == found(Unrolled((3,))) == []


def test_a_loss_at_every_step_reaches_every_call() -> None:
    assert found(Unrolled((0, 1, 2, 3, 4, 5), every=True)) == []
