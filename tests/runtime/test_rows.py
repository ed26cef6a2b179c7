"""Rows that stand out are told, and nothing is said of those that only look as if."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from gradcheck_cli.records.apart import Kind
from gradcheck_cli.runtime.rows import apart

ROWS, ROW = 32, 5


def plain(seed: int = 0) -> Tensor:
    return torch.randn(ROWS, 6, generator=torch.Generator().manual_seed(seed))


def with_row(values: Tensor, row: Any) -> Tensor:
    values = values.clone()
    values[ROW] = row
    return values


def kinds(batch: Any, rows: tuple[int, ...] = (ROW,)) -> tuple[str, Kind] | None:
    found = apart(batch, rows, ROWS)
    return None if found is None else (found.name, found.kind)


def test_a_row_that_is_on_another_scale_is_told_with_its_factor() -> None:
    x = with_row(plain(), plain()[ROW] * 20000)
    found = apart({"y": torch.randn(ROWS), "x": x}, (ROW,), ROWS)
    assert found is not None and (found.name, found.kind) == ("x", Kind.ABOVE)
    others = torch.cat([x[:ROW], x[ROW + 1 :]]).abs().max().item()
    assert (found.value, found.others) == pytest.approx((x[ROW].abs().max().item(), others))
    assert found.factor == pytest.approx(found.value / found.others)


@pytest.mark.parametrize(
    ("row", "kind"), [(1e-9 * torch.ones(6), Kind.BELOW), (0.0, Kind.ZERO), (0.7, Kind.CONSTANT), (1e5, Kind.ABOVE)]
)
def test_in_what_a_row_stands_out(row: Any, kind: Kind) -> None:
    assert kinds((plain(1), with_row(plain(), row))) == ("batch.1", kind)


def test_all_rows_that_are_known_have_to_stand_out_and_no_other() -> None:
    x = plain()
    x[[3, 20]] *= 1e4
    assert kinds(x, (3, 20)) == ("batch", Kind.ABOVE)
    assert kinds(x, (3, 4)) is None and kinds(x, (3,)) is None


def test_what_a_tensor_says_that_stands_out_most_is_told() -> None:
    batch = {"a": with_row(plain(), 1e3), "b": with_row(plain(), 1e6)}
    assert kinds(batch) == ("b", Kind.ABOVE)


def test_a_row_of_padding_alone_among_ids_is_told() -> None:
    ids = torch.randint(1, 99, (ROWS, 6), generator=torch.Generator().manual_seed(0))
    assert kinds({"ids": with_row(ids, 0)}) == ("ids", Kind.ZERO)
    assert kinds({"ids": with_row(ids, torch.tensor([10**6, 2, 3, 4, 5, 6]))}) is None


@pytest.mark.parametrize(
    "batch",
    [
        plain(),
        with_row(plain(), plain()[ROW] * 3),
        torch.eye(ROWS),
        torch.nn.functional.one_hot(torch.arange(ROWS) % 7),
        torch.arange(ROWS),
        with_row(torch.arange(ROWS) % 10, 255),
        with_row(torch.zeros(ROWS, dtype=torch.long), 1),
        with_row(torch.ones(ROWS, 6).triu(1) * plain().sign(), 1.0),
        with_row(torch.tensor([1.0, 1, 0, 0, 0, 0]).expand(ROWS, 6), 1.0),
        with_row(torch.tensor([1, 1, 0, 0, 0, 0]).expand(ROWS, 6), 1),
        with_row(torch.tensor([False, True]).expand(ROWS, 2), False),
        with_row(torch.tensor([0.0, -1e4]).expand(ROWS, 2), 0.0),
        with_row(torch.tensor([0.0, -torch.inf]).expand(ROWS, 2), 0.0),
        with_row(torch.cat([torch.zeros(ROWS // 2, 6), plain()[: ROWS // 2]]), 0.0),
        with_row(torch.zeros(ROWS, 6), 5.0),
        plain()[:0],
        torch.zeros(ROWS, 0),
        with_row(plain(), 1e5).to_sparse(),
        with_row(torch.arange(ROWS).unsqueeze(1) + 1, 60000).to(torch.uint16),
        torch.tensor(3.0),
    ],
)
def test_of_what_only_looks_as_if_nothing_is_said(batch: Tensor) -> None:
    assert apart(batch, (ROW,), ROWS) is None


def test_the_largest_row_of_a_heavy_tail_seldom_stands_out() -> None:
    """The largest of 32 maxima of a Cauchy is 46 times the middle one, and as far above the next in 1 of 46 batches."""
    generator, told = torch.Generator().manual_seed(0), 0
    for _ in range(500):
        x = torch.empty(ROWS, 20).cauchy_(generator=generator)
        told += apart(x, (int(x.abs().amax(1).argmax()),), ROWS) is not None
    assert told / 500 < 0.06


def test_with_few_other_rows_nothing_is_said() -> None:
    assert apart(torch.tensor([[1e6], [1.0], [2.0], [1.5]]), (0,), 4) is None
    assert apart(torch.tensor([[1e6], [1.0], [2.0], [1.5], [1.0]]), (0,), 5) is not None
