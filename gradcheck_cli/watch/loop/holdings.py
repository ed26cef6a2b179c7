"""Which parameters take part in training, and which of them an optimiser holds: by the graph of the first steps."""

from __future__ import annotations

import math
import weakref
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from gradcheck_cli.records.source import SourceLine
from gradcheck_cli.records.thresholds import USUAL
from gradcheck_cli.runtime.tensors import untouched
from gradcheck_cli.watch.backward import Backward
from gradcheck_cli.watch.entries import TapeEntry
from gradcheck_cli.watch.loop.facts import Holding
from gradcheck_cli.watch.loop.losstargets import LossProbe, heeds_targets, ignored_targets, matches_itself
from gradcheck_cli.watch.loop.movement import is_held, parts_of_one
from gradcheck_cli.watch.naming import Roots
from gradcheck_cli.watch.replay import line_of, model_of

_FEWEST = 64
"""Elements from which on a weight tells by its distribution that it was drawn."""
_EDGE = 0.05
"""How far the edge of what was drawn from a uniform distribution lies from sqrt(3) sigmas at most, as a share."""
_UNIT = 0.02
"""How far the spread of what was drawn from the standard normal distribution lies from 1 at most, of 10^4 numbers."""


class BackwardProbe(LossProbe, Protocol):
    """Who takes backward passes again, and looks at gradients too."""

    def depends(self, backward: Backward, parameter: Tensor) -> bool:
        """Whether the loss is another one with other values of a parameter."""

    def leads_through(self, backward: Backward, parameter: Tensor) -> bool:
        """Whether no parameter gets a gradient where this one is 0."""


class Holdings:
    """What the graphs of the first backward passes reach.

    Args:
        naming: Tells models by their variables.
        asked: Takes backward passes again, to see what a loss and a gradient depend on.
        drawn: Whether a parameter holds what torch.nn.init was seen to draw for it.
    """

    def __init__(self, naming: Roots, asked: BackwardProbe, drawn: Callable[[Tensor], bool]) -> None:
        self._naming, self._asked, self._drawn = naming, asked, drawn
        self._leaves: dict[int, tuple[weakref.ref[Tensor], Tensor]] = {}
        self._received: set[int] = set()
        self._idle: dict[int, Tensor] = {}

    def began(self, backward: Backward, scaled: Collection[int]) -> bool:
        """A backward pass is about to run: its graph is still there.

        Args:
            backward: The pass.
            scaled: The numbers of the nodes that made what a GradScaler has scaled.

        Returns:
            Whether such a node is in it.
        """
        found = False
        with untouched():
            for node in nodes_below(slot() for slot in backward.roots):
                found = found or (bool(scaled) and node._sequence_nr() in scaled)
                leaf = getattr(node, "variable", None)
                if isinstance(leaf, nn.Parameter) and id(leaf) not in self._leaves and is_held(leaf):
                    self._leaves[id(leaf)] = weakref.ref(leaf), parts_of_one(leaf)
        return found

    def updating(self, parameters: Iterable[Tensor]) -> None:
        """An optimiser is about to step."""
        for p in parameters:
            if p.grad is not None:
                self._received.add(id(p))
            elif id(p) not in self._idle:
                self._idle[id(p)] = parts_of_one(p)

    def holding(
        self,
        parameters: Sequence[Tensor],
        everyones: Iterable[Tensor],
        backwards: Sequence[Backward],
        heard: Mapping[nn.Module, bool],
    ) -> Holding:
        """What an optimiser holds.

        Args:
            parameters: Its parameters.
            everyones: Those of all optimisers.
            backwards: The backward passes of this update.
            heard: The modules that were called since it first stepped, and whether gradients were enabled.
        """
        reached = self._received | set(self._leaves)
        held = {id(p): p for p in parameters if p.requires_grad}
        of_any = {id(p): p for p in everyones}
        model = model_of(backwards, self._naming).module
        names = dict(self._names_in(heard)) | {id(p): name for name, p in model.named_parameters()}
        hidden = {id(p) for p in in_plain_containers(model)}
        used = {id(p): grad for module, grad in heard.items() for p in module.parameters(recurse=False)}
        with untouched():
            free = dict(self._free(of_any))
            idle = [p for key, p in held.items() if key not in reached]
            cut = [p for p in idle if id(p) in used and self._has_not_moved(p) and is_fresh(p)]
            cut = [p for p in cut if not used[id(p)] or (p.numel() > 1 and self._asked.depends(backwards[-1], p))]
            known = set(map(id, cut))
            aside = [p for p in idle if used.get(id(p)) and id(p) not in known and self._has_not_moved(p)]
            share = sum(p.numel() for p in aside) / max(sum(p.numel() for p in held.values()), 1)
            told = share >= USUAL.idle_share and any(map(is_fresh, aside))
            if told and len(idle) == len(held):  # it is the loss of another optimiser that they enter, if any
                cut, aside, told = [*cut, *aside], [], False
            copies = [parts_of_one(p) for key, p in held.items() if key in reached]
            free = {key: p for key, p in free.items() if not self._is_copy(p, copies)}
            shapes = Counter(tuple(p.shape) for p in idle)
            twins = sum((shapes & Counter(tuple(p.shape) for p in free.values())).values())
            return Holding(
                held=len(held),
                reached=sum(key in reached for key in held),
                cut=_names(cut, names),
                aside=_names(aside if told else [], names),
                aside_share=share,
                unheld=_names(_with_their_layers(free, hidden, names, self._drawn), names),
                twins=twins,
                only_the_top=_is_the_top(model, [p for p in held.values() if id(p) in reached]),
                ignored_target=_line_of(ignored_targets(backwards[-1], self._asked)),
                matched_itself=_line_of(matches_itself(backwards[-1], self._asked)),
                frozen_top=self._frozen_top(backwards, reached & held.keys(), names),
            )

    def heeds_targets(self, backward: Backward) -> bool:
        """Whether other targets change the loss of a backward pass."""
        with untouched():
            return heeds_targets(backward, self._asked)

    def _names_in(self, heard: Iterable[nn.Module]) -> Iterator[tuple[int, str]]:
        """The paths of parameters by the variables of their models, for what takes no part in a backward pass.

        A model comes after its layers, so that the longest path is the last.
        """
        for module in sorted(heard, key=lambda each: sum(1 for _ in each.modules())):
            root, variable = self._naming.root_of(module)
            inside = ((f"{variable}.{name}" if variable else name, p) for name, p in root.named_parameters())
            yield from ((id(p), name) for name, p in inside)

    def _free(self, of_any: Mapping[int, Tensor]) -> Iterator[tuple[int, Tensor]]:
        """What is reached, belongs to no optimiser, and has not moved since."""
        for key, (ref, first) in self._leaves.items():
            leaf = ref()
            if leaf is not None and key not in of_any and torch.equal(parts_of_one(leaf), first):
                yield key, leaf

    def _has_not_moved(self, parameter: Tensor) -> bool:
        first = self._idle.get(id(parameter))
        return first is not None and torch.equal(parts_of_one(parameter), first)

    def _is_copy(self, leaf: Tensor, held: Sequence[Tensor]) -> bool:
        """Whether it is a copy of a parameter that is trained, as a target network is."""
        first = self._leaves[id(leaf)][1]
        starts = [entry[1] for entry in self._leaves.values() if entry[0]() is not leaf]
        return any(torch.equal(first, each) for each in (*starts, *held))

    def _frozen_top(self, backwards: Sequence[Backward], learning: set[int], names: Mapping[int, str]) -> str:
        """The last layer of a module that was called, where it is drawn, frozen, and has what learns below it."""
        for backward, entry in ((each, entry) for each in backwards for entry in each.entries):
            if not isinstance(entry.call, nn.Module) or not any(id(p) in learning for p in entry.parameters):
                continue
            owners = [m for m in entry.call.modules() if any(p.dim() > 1 for p in m.parameters(recurse=False))]
            last = list(owners[-1].parameters(recurse=False)) if owners else []
            weights = [p for p in last if p.dim() > 1]
            if any(p.requires_grad for p in last) or not all(map(is_fresh, weights)):
                continue
            if weights and self._asked.leads_through(backward, weights[0]):
                name = next((n for n, p in entry.call.named_parameters() if p is weights[0]), "the last layer")
                return names.get(id(weights[0]), name).rpartition(".")[0] or name
        return ""


def _with_their_layers(
    free: Mapping[int, Tensor], hidden: set[int], names: Mapping[int, str], drawn: Callable[[Tensor], bool]
) -> list[Tensor]:
    """Those that are as initialised, or hidden, and the others of their layers: a bias is too small to tell."""
    layers = {_layer(key, names) for key, p in free.items() if drawn(p) or is_fresh(p) or key in hidden}
    return [p for key, p in free.items() if _layer(key, names) in layers]


def _layer(key: int, names: Mapping[int, str]) -> str:
    return names.get(key, "").rpartition(".")[0] or str(key)


def _line_of(entry: TapeEntry | None) -> SourceLine | None:
    return None if entry is None else line_of(entry.place)


def nodes_below(roots: Iterable[Tensor | None]) -> Iterator[Any]:
    """Every node of the graph that these tensors come from, once."""
    stack = [root.grad_fn for root in roots if root is not None and root.grad_fn is not None]
    seen = set(stack)
    while stack:
        node = stack.pop()
        yield node
        for below, _ in node.next_functions:
            if below is not None and below not in seen:
                seen.add(below)
                stack.append(below)


def is_fresh(parameter: Tensor) -> bool:
    """Whether a parameter is as initialisation leaves it: one constant, or drawn uniformly or standard normally.

    What was trained has neither the hard edge of a uniform distribution nor a spread of exactly 1.
    """
    values = parameter.detach().float().reshape(-1)
    if not values.numel():
        return False
    low, high, spread = (float(each) for each in (values.min(), values.max(), values.double().square().mean().sqrt()))
    if low == high:
        return values.numel() > 1 or low in (0.0, 1.0)
    if values.numel() < _FEWEST or not 0 < spread < math.inf:
        return False
    edge = max(-low, high) / (math.sqrt(3) * spread)
    unit = _UNIT * max(1.0, 100 / math.sqrt(values.numel()))
    tails = float(values.double().pow(4).mean()) / spread**4
    return abs(edge - 1) < _EDGE or (abs(spread - 1) < unit and abs(tails - 3) < 25 * unit)


def in_plain_containers(model: nn.Module) -> Iterator[Tensor]:
    """Parameters of layers that a model keeps in a list, a tuple or a dict, where `parameters()` does not find them."""
    for module in model.modules():
        for name, held in vars(module).items():
            if isinstance(held, (list, tuple, dict)) and name not in ("_parameters", "_modules", "_buffers"):
                for part in held.values() if isinstance(held, dict) else held:
                    if isinstance(part, nn.Module):
                        yield from part.parameters()
                    elif isinstance(part, nn.Parameter):
                        yield part


def _is_the_top(model: nn.Module, learning: Sequence[Tensor]) -> bool:
    owners = [owner for owner in model.modules() if any(True for _ in owner.parameters(recurse=False))]
    if len(owners) < 2 or not learning:
        return False
    top = {id(p) for p in owners[-1].parameters(recurse=False)}
    return all(id(p) in top for p in learning)


def _names(parameters: Sequence[Tensor], names: Mapping[int, str]) -> tuple[str, ...]:
    return tuple(names.get(id(p), f"a parameter of shape {list(p.shape)}") for p in parameters)
