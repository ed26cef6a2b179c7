"""The account of every gradient along its strongest path, and of every step through time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from gradcheck_cli.records.series import Series


@dataclass(frozen=True, kw_only=True, slots=True)
class Account:
    """The exact account of one parameter's gradient: the factors along its strongest path.

    `leaf` is its op; `Ledger.parent` leads from there to the loss. `by_kind` maps a kind of factor (activation,
    weight, normalization, attention, loss, reduction, merge, other) to decades; the values sum to
    `decades`, the log10 of the gradient's norm.
    """

    parameter: int
    leaf: int
    decades: float
    by_kind: Mapping[str, float]
    count_by_kind: Mapping[str, int]


@dataclass(frozen=True, kw_only=True, slots=True)
class Ledger:
    """The accounts of all parameters with a finite non-zero gradient, and the series through time.

    `parent[i]` is the op that sent op i its largest contribution, -1 at the loss and where nothing came; `sent[i]` is
    the norm of that contribution, 0 where nothing came.
    """

    accounts: tuple[Account, ...]
    series: tuple[Series, ...]
    parent: tuple[int, ...]
    sent: tuple[float, ...]
