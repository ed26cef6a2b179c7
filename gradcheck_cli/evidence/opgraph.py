"""Look-ups in the measured graph: each is made once, in a pass over the ops, so that judging stays linear in them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from gradcheck_cli.records.measurement import Cut, Lens, Measurement, Op, ParameterMeasurement
from gradcheck_cli.records.ops import (
    CLAMPS,
    EXPONENTIALS,
    MEANS_AND_SUMS,
    PRODUCTS,
    SIGMOIDS,
    SOFTMAXES,
    SUMS,
    VIEW_LIKE,
    plain_op,
)
from gradcheck_cli.records.source import SourceLine

_LOGS = frozenset(("Log", "Log2", "Log10", "Xlogy"))
_LOG_REACH = 4
"""Steps back from a logarithm to the softmax that it is of: a view, an eps, a clamp."""
_GATE_REACH = 4
"""Views that may lie between a gate and the product that it takes part in."""


@dataclass(frozen=True, eq=False)
class OpGraph:
    """The ops of a measurement, with who sends to whom, what hangs below, and how each is called.

    An op stands before the ops that it sends gradients to, so a pass in order goes down from the loss, and one in
    reverse up from the leaves.
    """

    measurement: Measurement

    # -- ops

    def op(self, index: int) -> Op:
        """The op at `index`."""
        return self.measurement.ops[index]

    def stem(self, index: int) -> str:
        """The stem of the op at `index`, such as "Sigmoid"."""
        return self.measurement.ops[index].stem

    def source_of(self, index: int) -> SourceLine | None:
        """The user's line that called the op at `index`."""
        source = self.op(index).source
        return self.measurement.sources[source] if source >= 0 else None

    @cached_property
    def senders(self) -> Sequence[Sequence[int]]:
        """For each op the indexes of the ops that send it gradients, once for each time that they do."""
        senders: list[list[int]] = [[] for _ in self.measurement.ops]
        for index, op in enumerate(self.measurement.ops):
            for edge in op.edges:
                senders[edge.to].append(index)
        return senders

    @cached_property
    def lenses(self) -> Mapping[int, Lens]:
        """Lenses by op index."""
        return {lens.op: lens for lens in self.measurement.lenses}

    @cached_property
    def made_in(self) -> Mapping[int, Sequence[int]]:
        """By module the indexes of the ops that it made itself, in order."""
        made: dict[int, list[int]] = {}
        for index, op in enumerate(self.measurement.ops):
            made.setdefault(op.module, []).append(index)
        return made

    def gates(self, index: int) -> bool:
        """Whether an op's output multiplies another signal; x * sigmoid(x), an activation, is none."""
        inputs, above = {edge.to for edge in self.op(index).edges}, {index}
        for _ in range(_GATE_REACH):
            senders = {s for i in above for s in self.senders[i]}
            products = [s for s in senders if self.stem(s) in PRODUCTS and len(self.op(s).edges) > 1]
            if any(not {edge.to for edge in self.op(s).edges} & inputs for s in products):
                return True
            above = {s for s in senders if self.stem(s) in VIEW_LIKE}
        return False

    def takes_log_of_softmax(self, source: SourceLine | None) -> bool:
        """Whether a logarithm that this line takes is one of what a softmax or a sigmoid put out."""
        logs = [i for i, op in enumerate(self.measurement.ops) if op.stem in _LOGS and self.source_of(i) == source]
        for _ in range(_LOG_REACH):
            logs = [edge.to for index in logs for edge in self.op(index).edges]
            if any(self.stem(index) in SOFTMAXES | SIGMOIDS for index in logs):
                return True
            logs = [index for index in logs if self.stem(index) in VIEW_LIKE | SUMS | CLAMPS]
        return False

    def makes_softmax(self, source: SourceLine | None) -> bool:
        """Whether an exponential that this line takes is divided by a sum of such, as a softmax by hand is."""
        return any(
            op.stem in EXPONENTIALS and self.source_of(index) == source and self._is_normalised(index)
            for index, op in enumerate(self.measurement.ops)
        )

    def takes_log_of_sum(self, source: SourceLine | None) -> bool:
        """Whether a sum of exponentials that this line takes goes into a logarithm, as a logsumexp by hand does."""
        ops = range(len(self.measurement.ops))
        below = self._below((i for i in ops if self.stem(i) in _LOGS), VIEW_LIKE | SUMS | CLAMPS)
        sums = {i for i in below if self.stem(i) in MEANS_AND_SUMS} | {i for i in ops if self.stem(i) == "Log1P"}
        terms = self._below(sums, VIEW_LIKE | PRODUCTS)
        return any(self.stem(i) in EXPONENTIALS and self.source_of(i) == source for i in terms)

    def _below(self, above: Iterable[int], through: frozenset[str]) -> set[int]:
        """What sends into some ops, directly or through a few others of these stems."""
        found: set[int] = set()
        for _ in range(_LOG_REACH):
            above = {edge.to for index in above for edge in self.op(index).edges} - found
            found |= above
            above = {index for index in above if self.stem(index) in through}
        return found

    def takes_exponential(self, source: SourceLine | None) -> bool:
        """Whether this line takes one."""
        return any(
            op.stem in EXPONENTIALS and self.source_of(index) == source for index, op in enumerate(self.measurement.ops)
        )

    def _is_normalised(self, index: int) -> bool:
        found, above = {index}, {index}
        for _ in range(_LOG_REACH + 2):
            above = {s for i in above for s in self.senders[i]} - found
            found |= above
        divisions = [i for i in found if self.stem(i) == "Div"]
        return any(len({edge.to for edge in self.op(i).edges} & found) > 1 for i in divisions)

    # -- parameters

    @cached_property
    def owned(self) -> Mapping[int, tuple[int, ...]]:
        """Parameter indexes by the index of the module that owns them."""
        owned: dict[int, list[int]] = {}
        for index, parameter in enumerate(self.measurement.parameters):
            owned.setdefault(parameter.module, []).append(index)
        return {module: tuple(indexes) for module, indexes in sorted(owned.items())}

    def parameters_of(self, module: int) -> tuple[ParameterMeasurement, ...]:
        """The parameters that a module directly owns."""
        return tuple(self.measurement.parameters[i] for i in self.owned.get(module, ()))

    def has_matrix(self, module: int) -> bool:
        """Whether a layer owns a parameter of at least two dimensions."""
        return any(len(p.shape) >= 2 for p in self.parameters_of(module))

    @cached_property
    def leaf_parameter(self) -> Mapping[int, int]:
        """Parameter index by the index of its leaf op."""
        return {p.op: i for i, p in enumerate(self.measurement.parameters) if p.op is not None}

    @cached_property
    def weighted(self) -> Sequence[bool]:
        """For each op whether a parameter takes part in it, directly or behind views only."""
        ops = self.measurement.ops
        leads, weighted = [False] * len(ops), [False] * len(ops)
        for index in range(len(ops) - 1, -1, -1):
            weighted[index] = any(leads[edge.to] for edge in ops[index].edges)
            leads[index] = index in self.leaf_parameter or (weighted[index] and self.stem(index) in VIEW_LIKE)
        return weighted

    @cached_property
    def under_weight(self) -> Sequence[bool]:
        """For each op whether a parameter takes part in an op on some way from it up to the loss."""
        under: list[bool] = []
        for senders in self.senders:
            under.append(any(self.weighted[sender] or under[sender] for sender in senders))
        return under

    def parameters_under(self, op: int) -> Iterator[int]:
        """Parameters that hang from an op directly or behind views only."""
        stack = [edge.to for edge in reversed(self.op(op).edges)] if self.weighted[op] else []
        while stack:
            index = stack.pop()
            if index in self.leaf_parameter:
                yield self.leaf_parameter[index]
            elif self.stem(index) in VIEW_LIKE:
                stack.extend(edge.to for edge in reversed(self.op(index).edges))

    @cached_property
    def cuts(self) -> Mapping[int, tuple[Cut, ...]]:
        """By module, the cuts that one of its trainable parameters lies behind and whose value went on, or was read."""
        parameters = self.measurement.parameters
        behind: dict[int, dict[int, Cut]] = {}
        for place, cut in enumerate(self.measurement.cuts):
            for index in cut.parameters if cut.used or cut.op == "item" else ():
                if parameters[index].requires_grad:
                    behind.setdefault(parameters[index].module, {})[place] = cut
        return {module: tuple(cuts.values()) for module, cuts in behind.items()}

    @cached_property
    def lost_alone(self) -> Mapping[int, tuple[Cut, ...]]:
        """The same for layers of which another parameter learns, where one that does not is behind the cut."""
        learning = [m for m in self.cuts if any(p.grad_norm is not None for p in self.parameters_of(m))]
        alone = {m: tuple(c for c in self.cuts[m] if self.lost_behind(c, m)) for m in learning}
        return {module: cuts for module, cuts in alone.items() if cuts}

    def lost_behind(self, cut: Cut, module: int) -> tuple[ParameterMeasurement, ...]:
        """The parameters of a layer that lie behind a cut and get no gradient."""
        behind = (self.measurement.parameters[i] for i in cut.parameters)
        return tuple(p for p in behind if p.module == module and p.requires_grad and p.grad_norm is None)

    @cached_property
    def read(self) -> frozenset[int]:
        """The modules of whose parameters a value left the graph, rather than what a layer computed with them."""
        parameters, cuts = self.measurement.parameters, self.measurement.cuts
        owners = [(parameters[i].module, cut) for cut in cuts for i in cut.parameters]
        computed = {module for module, cut in owners if not cut.leaf and self.measurement.modules[module].calls}
        return frozenset(module for module, _ in owners) - computed

    # -- modules

    @cached_property
    def module_at(self) -> Mapping[str, int]:
        """Module index by its dotted name."""
        return {module.path: index for index, module in enumerate(self.measurement.modules)}

    @cached_property
    def _simple(self) -> frozenset[int]:
        """The modules of torch.nn that own no parameter and hold no module: activations, softmaxes, pools."""
        paths = [module.path for module in self.measurement.modules]
        holders = {path.rpartition(".")[0] for path in paths if path}
        return frozenset(i for i, path in enumerate(paths) if path and path not in holders and i not in self.owned)

    @cached_property
    def _owner_below(self) -> Sequence[int]:
        """For each op the nearest module at or below it, by first inputs, that owns parameters; -1 for none."""
        ops = self.measurement.ops
        below = [-1] * len(ops)
        for index in range(len(ops) - 1, -1, -1):
            op = ops[index]
            if op.edges:
                below[index] = op.module if op.module in self.owned else below[op.edges[0].to]
        return below

    def feeder(self, op: int) -> int:
        """The nearest module below an op that owns parameters; the op's own module where there is none."""
        below = self._owner_below[op]
        return below if below >= 0 else self.op(op).module

    def built_at(self, module: int) -> SourceLine | None:
        """The user's line that built a module, if it was seen."""
        built = self.measurement.modules[module].built
        return self.measurement.sources[built] if built >= 0 else None

    def path_of(self, module: int) -> str:
        """A module's dotted name, with its class for the root."""
        if module < 0:
            return "(outside the model)"
        found = self.measurement.modules[module]
        return found.path or f"({found.kind})"

    def maker_of(self, index: int) -> str:
        """What made the op at `index`, as the user knows it: "`2` (ReLU)", "sign in `2` (Sign)", "relu in `stem`"."""
        op = self.op(index)
        name = plain_op(op.name)
        if op.module < 0 or not (path := self.measurement.modules[op.module].path):
            return name
        if op.module not in self._simple:
            return f"{name} in `{path}`"
        kind = self.measurement.modules[op.module].kind
        return f"`{path}` ({kind})" if name.replace("_", "") in kind.lower() else f"{name} in `{path}` ({kind})"
