"""Views in place of transposes."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gradcheck_cli import check
from gradcheck_cli.records.choices import Severity

X = torch.randn(8, 5, 4, generator=torch.Generator().manual_seed(0))
Y = torch.arange(8) % 3


class Reader(nn.Module):
    """Reads sequences, time first."""

    def __init__(self, turned: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.turned, self.rnn, self.head = turned, nn.GRU(4, 8), nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.head(self.rnn(self.turned(x))[0][-1])
        return out


def found(turned: Callable[[Tensor], Tensor], x: Tensor = X) -> list[tuple[str, Severity]]:
    torch.manual_seed(0)
    report = check(Reader(turned), (x, Y), loss=F.cross_entropy)
    return [(f.cause, f.severity) for f in report.findings if f.code == "GC219"]


@pytest.mark.parametrize("name", ["view", "reshape"])
def test_a_view_that_swaps_sizes_is_an_error(name: str) -> None:
    assert found(lambda x: getattr(x, name)(5, 8, 4)) == [("wrong-dim", Severity.ERROR)]


def test_sizes_that_divide_each_other_may_be_heads() -> None:
    """(8, 16) is (16, 8) as well where 16 is split into 2 heads of 8 that join the first 8: a suspicion."""
    assert found(lambda x: x.view(16, 8, 4), X.repeat(1, 4, 1)[:, :16].contiguous()) == [("wrong-dim", Severity.NOTE)]


@pytest.mark.parametrize(
    "turned",
    [
        lambda x: x.transpose(0, 1),
        lambda x: x.permute(1, 0, 2).contiguous(),
        lambda x: x.view(8, 20).view(8, 5, 4).transpose(0, 1),
        lambda x: x.view(5, 8, 4).view(8, 5, 4).transpose(0, 1),  # taken back
        lambda x: x.transpose(0, 1).reshape(5, 8, 2, 2).reshape(5, 8, 4),
    ],
    ids=["transpose", "permute", "flat", "taken-back", "split"],
)
def test_what_moves_elements_or_splits_sizes_is_well(turned: Callable[[Tensor], Tensor]) -> None:
    assert found(turned) == []
