"""What batches are made of, against those before: small marks of each, for the last hundred, on the device.

A batch leaves two numbers a tensor, its shape, and a few sums of its targets; nothing is read back until an alarm or a
sampled step asks.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter  # as it is now: a script may put its own clock in its place
from typing import NamedTuple

import torch
from torch import Tensor

from gradcheck_cli.records.alarmlimits import ALARMING
from gradcheck_cli.records.apart import LEAST_APART, Apart, Kind
from gradcheck_cli.runtime.tensors import untouched
from gradcheck_cli.watch.backward import Backward
from gradcheck_cli.watch.entries import Data, Place, data_of
from gradcheck_cli.watch.loop.losstargets import targets_of
from gradcheck_cli.watch.samples import MOST_SHARE

KEPT = 100
"""Batches that are remembered, for each line that starts a backward pass."""
FIRST = 1024
"""First backward passes, which are all looked at: most of what is wrong with the order of data shows in them."""
_SHARE, _ASKED = 0.01, 64
"""Share of the run's time that the marks of later ones may take, and after how many passes that is asked."""
_PLACES = 4
"""Such lines at most; a script of more is no training loop of one kind."""
_TENSORS = 6
"""Tensors of a batch that are marked."""
_MOST = 2**24
"""Elements of a tensor that is marked, at most."""
_BINS = 32
"""Classes that are told apart; more share bins, which makes blocks look less like blocks."""
_COLUMNS = 16
"""Columns of numeric targets that are looked at."""
_FEW = 8
"""Of fewer rows a batch's mean says nothing."""
_LONGER = 2.0
"""Factor by which a batch is longer than all before it to be told: what is summed or multiplied along it doubles."""
_COME_BACK = 0.9
"""Share of the later half of the batches whose targets lie in the range of those of the earlier half."""
_RECENT = 5
"""Batches whose mean target the next one is held against: a model forgets within a few updates."""

Key = tuple[Place | None, int]


class TensorMark(NamedTuple):
    """One tensor of a batch: `ends` are the least and the greatest of its values, or of its rows' peaks, (2,)."""

    shape: tuple[int, ...]
    ends: Tensor | None


@dataclass(slots=True)
class _Batch:
    """One backward pass: its tensors, the sums of its targets, (2, columns) or (bins,), and its loss."""

    marks: dict[Key, TensorMark]
    target: Tensor | None
    loss: Tensor | None = None


class Blocks(NamedTuple):
    """How far the order of the data shows.

    Attributes:
        share: Share of the targets' spread that lies between batches; 1 over the rows of one where they are shuffled.
        swing: Correlation of the loss with how far a batch's targets lie from those of the batches just before.
    """

    share: float
    swing: float


class BatchHistory:
    """Fed with each backward pass, before it runs and after.

    All batches are marked at first; later on so many in a row as are remembered, whenever what that takes has become a
    small share of the run.
    """

    def __init__(self) -> None:
        self._kept: dict[Place | None, deque[_Batch]] = {}
        self._last: Place | None = None
        self._now: _Batch | None = None  # what was kept of the last pass
        self._seen, self._left = 0, FIRST
        self._start, self._spent = perf_counter(), 0.0

    def began(self, backward: Backward) -> None:
        """A backward pass is about to run: its tape holds the batch."""
        self._now = None
        if not self._is_due() or (backward.place not in self._kept and len(self._kept) == _PLACES):
            return
        started = perf_counter()
        self._last = backward.place
        with untouched(), torch.no_grad():
            marks = {key: mark_of(data.tensor) for key, data in _keyed(backward)}
            self._now = _Batch(marks, _sums(backward))
        self._kept.setdefault(backward.place, deque(maxlen=KEPT + 1)).append(self._now)
        self._spent += perf_counter() - started

    def _is_due(self) -> bool:
        self._seen += 1
        if not self._left and self._seen % _ASKED == 0 and self._spent <= _SHARE * (perf_counter() - self._start):
            self._left = _PLACES * (KEPT + 1)
        self._left -= self._left > 0
        return self._left > 0

    def ended(self, backward: Backward) -> None:
        """It has run."""
        if self._now is not None and len(backward.values) == 1:
            self._now.loss = backward.values[0].detach()

    def blocks(self) -> Blocks | None:
        """How the last batches follow each other; None where they are too few, or their targets tell nothing."""
        if self._now is None:
            return None
        batches = [each for each in self._kept.get(self._last, ()) if each.target is not None and each.loss is not None]
        shape = batches[-1].target.shape if batches and batches[-1].target is not None else None
        with untouched(), torch.no_grad():
            pairs = [(b.target, b.loss) for b in batches if b.target is not None and b.target.shape == shape]
            if len(pairs) < ALARMING.window:
                return None
            targets = torch.stack([target for target, _ in pairs]).double().cpu()
            losses = torch.stack([loss.reshape(()) for _, loss in pairs if loss is not None]).double().cpu()
        return _blocks(targets, losses)

    def novel(self, backward: Backward, batch: Mapping[str, Tensor], rows: Sequence[int] | None) -> Apart | None:
        """What a batch has that those before it had not; None where there is nothing, or they were too few.

        Args:
            backward: The pass that it was for, the last of its line.
            batch: Its tensors by their names.
            rows: The rows that are guilty, where they are known: of a value it is told only where they hold it.
        """
        past = [each for each in self._kept.get(backward.place, ()) if each is not self._now]
        if len(past) < ALARMING.warm_up:
            return None
        names = {id(tensor): name for name, tensor in batch.items()}
        found: list[Apart] = []
        with untouched(), torch.no_grad():
            for key, data in _keyed(backward):
                before = [each.marks[key] for each in past if key in each.marks]
                name = names.get(id(data.tensor))
                if name is not None and len(before) >= ALARMING.warm_up:
                    found += filter(None, (_novel(name, data.tensor, before, rows),))
        return max(found, key=lambda each: each.factor, default=None)


def _keyed(backward: Backward) -> Iterator[tuple[Key, Data]]:
    """The tensors of a batch, by the call that they are given to and their place there."""
    seen: set[int] = set()
    for entry in backward.entries:
        for place, data in enumerate(data_of(entry)):
            if id(data.tensor) not in seen and data.tensor.dim() and len(seen) < _TENSORS:
                seen.add(id(data.tensor))
                yield (entry.place, place), data


def mark_of(tensor: Tensor) -> TensorMark:
    """What is remembered of a tensor."""
    shape = tuple(tensor.shape)
    odd = tensor.layout is not torch.strided or tensor.is_complex() or tensor.dtype is torch.bool
    if odd or not 0 < tensor.numel() <= _MOST:
        return TensorMark(shape, None)
    values = tensor.detach()
    if values.is_floating_point():
        values = values.flatten(1).abs().amax(1) if values.dim() > 1 else values.abs()  # a norm takes ten times as long
    return TensorMark(shape, torch.stack(torch.aminmax(values)).double())


def _novel(name: str, tensor: Tensor, before: Sequence[TensorMark], rows: Sequence[int] | None) -> Apart | None:
    longest = [max(sizes) for sizes in zip(*(each.shape[1:] for each in before), strict=False)]
    for size, most in zip(tensor.shape[1:], longest, strict=False):
        if size >= _LONGER * most > 0:
            return Apart(name=name, rows=(), kind=Kind.LONGER, value=size, others=most, batches=len(before))
    now, known = mark_of(tensor).ends, [each.ends for each in before if each.ends is not None]
    if now is None or len(known) < ALARMING.warm_up:
        return None
    low, high = now.tolist()
    all_ends = torch.stack(known).cpu()
    least, most_ever = float(all_ends[:, 0].min()), float(all_ends[:, 1].max())
    found = _beyond(low, high, least, most_ever, amounts=tensor.is_floating_point(), table=tensor.dim() > 1)
    if found is None:
        return None
    kind, value, others = found
    mine = _holders(tensor, kind, value)
    if rows is not None and not set(mine) <= set(rows):
        return None
    if len(mine) > MOST_SHARE * len(tensor):
        mine = ()  # it is the batch that is another
    return Apart(name=name, rows=mine, kind=kind, value=value, others=others, batches=len(known))


def _beyond(
    low: float, high: float, least: float, most: float, *, amounts: bool, table: bool
) -> tuple[Kind, float, float] | None:
    """In what the ends of a batch lie beyond those of the batches before."""
    if not all(map(math.isfinite, (low, high, least, most))):
        return None
    if not amounts:
        if high > most:
            return Kind.UNSEEN, high, most
        return (Kind.UNSEEN, low, least) if low < least else None
    if high >= LEAST_APART * most > 0:
        return Kind.ABOVE, high, most
    return (Kind.ZERO, 0.0, least) if table and low == 0.0 < least else None


def _holders(tensor: Tensor, kind: Kind, value: float) -> tuple[int, ...]:
    """The rows that hold what is told."""
    rows = tensor.detach().reshape(len(tensor), -1).double()
    if kind is Kind.UNSEEN:
        held = (rows == value).any(1)
    else:
        peaks = rows.abs().amax(1)
        held = peaks == 0 if kind is Kind.ZERO else peaks >= value / LEAST_APART
    return tuple(held.nonzero().flatten().tolist())


def _sums(backward: Backward) -> Tensor | None:
    """Of the first target of enough rows: the shares of its classes, or mean and variance of its columns."""
    for entry in backward.entries:
        for data in targets_of(entry):
            target = data.tensor.detach()
            if len(target) < _FEW or target.layout is not torch.strided or target.is_complex():
                continue
            if target.is_floating_point():
                columns = target.reshape(len(target), -1)[:, :_COLUMNS].float()
                return torch.stack((columns.mean(0), columns.var(0, unbiased=False)))
            return torch.bincount(target.flatten().long() % _BINS, minlength=_BINS).float() / target.numel()
    return None


def _return(means: Tensor) -> bool:
    """Whether the targets come back to where they were: those that a model makes for itself may run away instead."""
    first, second = means.chunk(2)
    inside = (second >= first.amin(0)) & (second <= first.amax(0))
    return float(inside.float().mean()) >= _COME_BACK


def _blocks(targets: Tensor, losses: Tensor) -> Blocks | None:
    means = targets[:, 0] if targets.dim() == 3 else targets
    middle = means.mean(0)
    between = float((means - middle).square().mean(0).sum())
    whole = between + float(targets[:, 1].mean(0).sum()) if targets.dim() == 3 else 1 - float(middle.square().sum())
    if not whole > 0 or not bool(losses.isfinite().all()):
        return None
    recent = means.unfold(0, _RECENT, 1).mean(-1)[:-1]
    surprise, after = (means[_RECENT:] - recent).norm(dim=1), losses[_RECENT:]
    both = torch.stack((surprise, after))
    spread = both.std(1)
    swing = float(torch.corrcoef(both)[0, 1]) if bool((spread > 0).all()) else 0.0
    if targets.dim() == 3 and not _return(means):
        swing = 0.0
    return Blocks(between / whole, swing)
