"""Reading the ledger: the factors on the strongest paths, what they have in common, and what explains a small one."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

from gradcheck_cli.evidence.opgraph import OpGraph
from gradcheck_cli.records.account import Account, Ledger
from gradcheck_cli.records.source import SourceLine


@dataclass(frozen=True, eq=False)
class Paths:
    """The strongest paths of all parameters, which form a tree that is rooted at the loss."""

    graph: OpGraph
    ledger: Ledger

    @cached_property
    def accounts(self) -> Mapping[int, Account]:
        """Accounts by parameter index."""
        return {account.parameter: account for account in self.ledger.accounts}

    @cached_property
    def _strongest(self) -> Mapping[int, Account]:
        found: dict[int, Account] = {}
        for module, owned in self.graph.owned.items():
            accounts = [self.accounts[i] for i in owned if i in self.accounts]
            if accounts:
                found[module] = max(accounts, key=lambda account: account.decades)
        return found

    def strongest(self, module: int) -> Account | None:
        """The account of the module's largest gradient."""
        return self._strongest.get(module)

    # -- along one path

    def climb(self, op: int) -> Iterator[int]:
        """The ops of the strongest path from `op`, which comes first, up to the loss."""
        while op >= 0:
            yield op
            op = self.ledger.parent[op]

    def factor(self, child: int) -> float | None:
        """What the op above `child` made of its gradient on the way there, in decades; None where nothing passed."""
        parent = self.ledger.parent[child]
        if parent < 0:
            return None
        total, sent = self.graph.op(parent).total, self.ledger.sent[child]
        return math.log10(sent / total) if sent > 0 and total > 0 else None

    def factors(self, account: Account) -> Iterator[tuple[int, float]]:
        """The op factors of an account in decades, by the index of the op, from the leaf up to the loss."""
        for child, op in pairwise(self.climb(account.leaf)):
            decades = self.factor(child)
            if decades is not None:
                yield op, decades

    def position(self, module: int) -> float:
        """When in the forward pass a layer's parameters were used: the sequence number next to its leaf."""
        account = self.strongest(module)
        climb = self.climb(account.leaf) if account else iter(())
        return next((self.graph.op(i).sequence for i in climb if self.graph.op(i).sequence >= 0), math.inf)

    # -- along all paths, each in one pass down the tree

    @cached_property
    def _weights_above(self) -> Sequence[int]:
        parent, weighted = self.ledger.parent, self.graph.weighted
        above = [0] * len(parent)
        for index, up in enumerate(parent):
            if up >= 0:
                above[index] = above[up] + weighted[up]
        return above

    def weights_above(self, op: int) -> int:
        """How many weights stand between an op and the loss, along the strongest path."""
        return self._weights_above[op]

    @cached_property
    def _sourced(self) -> Sequence[int]:
        """For each op the nearest one at or above it whose line is known; -1."""
        found: list[int] = []
        for index, up in enumerate(self.ledger.parent):
            known = self.graph.op(index).source >= 0
            found.append(index if known else found[up] if up >= 0 else -1)
        return found

    def source_of(self, module: int) -> SourceLine | None:
        """The user's line that called the op next to a layer's leaf."""
        account = self.strongest(module)
        op = self._sourced[account.leaf] if account else -1
        return self.graph.source_of(op) if op >= 0 else None

    def under(self, op: int) -> Sequence[bool]:
        """For each op whether its path leads through `op`."""
        under = [False] * len(self.ledger.parent)
        for index, up in enumerate(self.ledger.parent):
            under[index] = index == op or (up >= 0 and under[up])
        return under

    def shared_by(self, modules: Sequence[int]) -> frozenset[int]:
        """The ops that the paths of all these layers have in common: the loss and what scales it."""
        parent = self.ledger.parent
        leaves = [account.leaf for m in modules if (account := self.strongest(m)) is not None]
        below = [0] * len(parent)
        for leaf in leaves:
            below[leaf] += 1
        for index in range(len(parent) - 1, 0, -1):  # a parent stands before its children
            if parent[index] >= 0:
                below[parent[index]] += below[index]
        return frozenset(index for index, count in enumerate(below) if count == len(leaves) > 0)
