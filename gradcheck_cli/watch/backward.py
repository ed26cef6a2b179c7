"""One backward pass, with the calls that lead to what it started from."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from gradcheck_cli.watch.entries import Autocast, Data, Place, Slot, TapeEntry
from gradcheck_cli.watch.once import once


class Backward:
    """One backward pass, and the slots that it started from.

    Attributes:
        kind: "backward", "grad" (torch.autograd.grad), or "stopped" where the script ended before there was one.
        raised: What a module's call raised, by which the script ended.
        roots: The slots of its tensors, which refer to these weakly.
        values: The tensors' values, detached; the losses where these are scalars.
        written: How often these had been written into.
        why: Why it cannot be repeated; empty where it can, as far as is known before it was tried.
        gradients: The gradients that it was started with, None for the usual 1.
        inputs: The tensors that gradients are taken of alone, None for all.
        returned: The gradients that autograd.grad returned.
        place: The user's line that started it.
        retain: Whether the graph is kept.
        create: Whether the gradients have a graph.
        autocast: The state of autocast around it.
        rootless: Whether none of its tensors was made by anything: each is a leaf.
        scaled: Where a GradScaler multiplied the loss: the slot of what was given to it, and the scaler.
    """

    roots: tuple[Slot, ...] = ()
    values: tuple[Tensor, ...] = ()
    written: tuple[int, ...] = ()
    why = ""
    gradients: tuple[Data | Slot | None, ...] = ()
    inputs: tuple[Any, ...] | None = None
    returned: tuple[Any, ...] = ()
    raised: BaseException | None = None
    retain = create = rootless = False
    scaled: tuple[Slot, Any] | None = None

    def __init__(self, kind: str, place: Place | None, autocast: Autocast | None) -> None:
        self.kind, self.place, self.autocast = kind, place, autocast

    @once
    def entries(self) -> list[TapeEntry]:
        """The calls that lead to the loss, in order; and those whose results a gradient was given as."""
        return reached(list(self.roots) + [g for g in self.gradients if isinstance(g, Slot)])

    @once
    def parameters(self) -> list[Tensor]:
        """The tensors that learn and take part, each once: those of the modules called and those used by themselves."""
        found: dict[int, Tensor] = {}
        for entry in self.entries:
            for parameter in (*entry.parameters, *entry.leaves):
                if parameter.requires_grad:
                    found[id(parameter)] = parameter
        return list(found.values())

    def emptied(self, why: str) -> Backward:
        """The same pass without what it was given, and why it cannot be repeated."""
        made = Backward(self.kind, self.place, None)
        made.why = why
        made.entries = [entry.emptied() for entry in self.entries]
        made.parameters = self.parameters
        return made


def reached(slots: list[Slot]) -> list[TapeEntry]:
    """The calls that these slots come from, in order."""
    found: dict[int, TapeEntry] = {}
    stack = list(slots)
    while stack:
        slot = stack.pop()
        entry = slot.entry
        if slot.was is not None and isinstance(slot.was, Slot):
            stack.append(slot.was)
        if entry.number not in found:
            found[entry.number] = entry
            stack += entry.needs
    return [found[number] for number in sorted(found)]
