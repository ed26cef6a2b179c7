"""`--snapshot K`: parameters and optimiser state as they were every K steps, on the host."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor
from torch.utils._pytree import tree_map

from gradcheck_cli.watch.attempts import Attempt
from gradcheck_cli.watch.copyupdate import UpdateStart


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What one optimiser held before the update of a step: `values` and `state` by the parameters' ids."""

    step: int
    values: Mapping[int, Tensor]
    state: Mapping[int, Any]

    def start(self, gradients: Mapping[int, Tensor], like: Mapping[int, Tensor]) -> UpdateStart:
        """An update from there, with these gradients, on the devices of the parameters `like`."""
        return UpdateStart(values=self.on(like), gradients=gradients, state=_moved(self.state, like))

    def on(self, like: Mapping[int, Tensor]) -> Mapping[int, Tensor]:
        """The values on the devices of the parameters `like`; of those that came later none."""
        return {key: self.values[key].to(own.device) for key, own in like.items() if key in self.values}


class Snapshots:
    """Keeps the newest of each optimiser.

    Args:
        every: Updates of one optimiser between two; None keeps none.
    """

    def __init__(self, every: int | None) -> None:
        self._every = every
        self._kept: dict[int, Snapshot] = {}

    def of(self, optimizer: int) -> Snapshot | None:
        """The newest of an optimiser, by its number."""
        return self._kept.get(optimizer)

    def see(self, step: int, attempt: Attempt, *, finite: bool) -> None:
        """An update is about to be made; what a step that is not finite begins from is not worth keeping."""
        if self._every is None or not finite or (attempt.own_step % self._every and attempt.number in self._kept):
            return
        self._kept[attempt.number] = snapshot_of(step, attempt)


def snapshot_of(step: int, attempt: Attempt) -> Snapshot:
    """What an optimiser holds now, before an update."""
    held, state = list(attempt.parameters()), attempt.optimizer.state
    return Snapshot(
        step=step,
        values={id(p): _on_host(p) for p in held},
        state={id(p): tree_map(_on_host, copy.copy(state[p])) for p in held if p in state},
    )


def _on_host(value: Any) -> Any:
    return value.detach().to("cpu", copy=True) if isinstance(value, Tensor) else copy.deepcopy(value)


def _moved(state: Mapping[int, Any], like: Mapping[int, Tensor]) -> Mapping[int, Any]:
    """The state of each parameter on that one's device, but for counts, which optimisers keep on the host."""

    def placed(own: Tensor, value: Any) -> Any:
        return value.to(own.device) if isinstance(value, Tensor) and value.dim() else value

    return {key: tree_map(lambda x, own=own: placed(own, x), state[key]) for key, own in like.items() if key in state}
