"""Train and eval mode of what is trained, where it matters."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase
from torch.nn.modules.dropout import _DropoutNd

from gradcheck_cli.watch.backward import Backward
from gradcheck_cli.watch.entries import TapeEntry
from gradcheck_cli.watch.loop.calls import Line, LoopCalls
from gradcheck_cli.watch.loop.signs import LONG_ROW


@dataclass(frozen=True, slots=True)
class ModeFacts:
    """The mode of the model at one update; the fields are those of `Facts`, with the line as it was noted."""

    evaluates: bool = False
    trained_before: bool = False
    untouched_norms: bool = False
    line: Line | None = None


class Modes:
    """Tells it. Nothing is looked for in a model that is in train mode, or for long in one that is not.

    Args:
        calls: Knows who put what into eval mode.
    """

    def __init__(self, calls: LoopCalls) -> None:
        self._calls = calls
        self._trained: set[int] = set()
        self._times: dict[int, int] = {}
        self._began: dict[int, int] = {}
        self._layers: weakref.WeakKeyDictionary[nn.Module, list[nn.Module]] = weakref.WeakKeyDictionary()

    def of(self, optimizer: int, backwards: Sequence[Backward], held: Sequence[Tensor]) -> ModeFacts:
        """The mode at an update of an optimiser, by its number."""
        entries = [entry for backward in backwards for entry in backward.entries if entry.parameters]
        if not entries or any(entry.training for entry in entries):
            if entries:
                self._trained.add(optimizer)
            self._times[optimizer] = 0
            return self._beneath(optimizer, entries)
        self._times[optimizer] = self._times.get(optimizer, 0) + 1
        if self._times[optimizer] > LONG_ROW:
            return ModeFacts()
        mine = {id(p) for p in held}
        called = [entry.call for entry in entries if any(id(p) in mine for p in entry.parameters)]
        layers = [layer for module in called for layer in self._of_mode(module) if not layer.training]
        norms = [layer for layer in layers if isinstance(layer, _NormBase)]
        return ModeFacts(
            evaluates=bool(layers),
            trained_before=optimizer in self._trained,
            untouched_norms=any(_is_untouched(norm) for norm in norms),
            line=self._line_of(layers[0]) if layers else None,
        )

    def _beneath(self, optimizer: int, entries: Sequence[TapeEntry]) -> ModeFacts:
        """The mode of what lies in models in train mode: a wrapper may not pass it on.

        Norms that are put into eval mode on purpose have statistics, of what was loaded or of the training before; so
        this is looked at in the first updates, and it is a fault only where none has any, and none is in train mode.
        """
        self._began[optimizer] = self._began.get(optimizer, 0) + 1
        if self._began[optimizer] > LONG_ROW or not entries:
            return ModeFacts()
        called = {id(entry.call): entry.call for entry in entries if isinstance(entry.call, nn.Module)}
        layers = [layer for module in called.values() for layer in self._of_mode(module)]
        norms = [layer for layer in layers if isinstance(layer, _NormBase)]
        if not norms or any(layer.training for layer in layers) or not all(map(_is_untouched, norms)):
            return ModeFacts()
        return ModeFacts(evaluates=True, untouched_norms=True, line=self._line_of(layers[0]))

    def _of_mode(self, module: nn.Module) -> list[nn.Module]:
        """The layers inside that do something else in train mode."""
        if module not in self._layers:
            self._layers[module] = [each for each in module.modules() if _has_modes(each)]
        return self._layers[module]

    def _line_of(self, layer: nn.Module) -> Line | None:
        found = [line for module, line in self._calls.modes.items() if any(each is layer for each in module.modules())]
        return found[-1] if found else None


def _has_modes(module: nn.Module) -> bool:
    if isinstance(module, _DropoutNd):
        return module.p > 0
    return isinstance(module, _NormBase) and module.running_mean is not None


def _is_untouched(norm: nn.Module) -> bool:
    seen, mean = norm.num_batches_tracked, norm.running_mean
    return isinstance(seen, Tensor) and not int(seen) and isinstance(mean, Tensor) and not bool(mean.any())
