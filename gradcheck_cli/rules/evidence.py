"""What every rule looks at: the measurement by layer, with the quantities of scale-free judgement."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from gradcheck_cli.names import plain_op
from gradcheck_cli.records.account import Account, Ledger
from gradcheck_cli.records.drift import Drift
from gradcheck_cli.records.measurement import Lens, Measurement, Op, ParameterMeasurement
from gradcheck_cli.records.report import Finding, Layer
from gradcheck_cli.records.source import SourceLine
from gradcheck_cli.records.thresholds import Thresholds
from gradcheck_cli.records.training import Training


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """One measurement with its ledger; derived tables are computed once, on first use."""

    measurement: Measurement
    ledger: Ledger
    training: Training = field(default_factory=Training)
    thresholds: Thresholds = Thresholds()  # noqa: RUF009 - frozen
    drift: Drift | None = None

    # -- lookups

    @cached_property
    def owned(self) -> Mapping[int, tuple[int, ...]]:
        """Parameter indexes by the index of the module that owns them."""
        owned: dict[int, list[int]] = {}
        for index, parameter in enumerate(self.measurement.parameters):
            owned.setdefault(parameter.module, []).append(index)
        return {module: tuple(indexes) for module, indexes in owned.items()}

    @cached_property
    def accounts(self) -> Mapping[int, Account]:
        """Accounts by parameter index."""
        return {account.parameter: account for account in self.ledger.accounts}

    @cached_property
    def lenses(self) -> Mapping[int, Lens]:
        """Lenses by op index."""
        return {lens.op: lens for lens in self.measurement.lenses}

    @cached_property
    def senders(self) -> Mapping[int, tuple[int, ...]]:
        """For each op the indexes of the ops that send it gradients."""
        senders: dict[int, list[int]] = {}
        for index, op in enumerate(self.measurement.ops):
            for edge in op.edges:
                senders.setdefault(edge.to, []).append(index)
        return {op: tuple(indexes) for op, indexes in senders.items()}

    @cached_property
    def leaf_parameter(self) -> Mapping[int, int]:
        """Parameter index by the index of its leaf op."""
        return {p.op: i for i, p in enumerate(self.measurement.parameters) if p.op is not None}

    @cached_property
    def layers(self) -> Mapping[int, Layer]:
        """Layers by module index, in the model's order."""
        return {module: self._layer(module, owned) for module, owned in sorted(self.owned.items())}

    def parameters_of(self, module: int) -> tuple[ParameterMeasurement, ...]:
        """The parameters that a module directly owns."""
        return tuple(self.measurement.parameters[i] for i in self.owned.get(module, ()))

    def op(self, index: int) -> Op:
        """The op at `index`."""
        return self.measurement.ops[index]

    def source_of(self, index: int) -> SourceLine | None:
        """The user's line that called the op at `index`."""
        source = self.op(index).source
        return self.measurement.sources[source] if source >= 0 else None

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
        if op.module not in self.simple:
            return f"{name} in `{path}`"
        kind = self.measurement.modules[op.module].kind
        return f"`{path}` ({kind})" if name.replace("_", "") in kind.lower() else f"{name} in `{path}` ({kind})"

    @cached_property
    def simple(self) -> frozenset[int]:
        """The modules of torch.nn that own no parameter and hold no module: activations, softmaxes, pools."""
        paths = [module.path for module in self.measurement.modules]
        holders = {path.rpartition(".")[0] for path in paths if path}
        return frozenset(i for i, path in enumerate(paths) if path and path not in holders and i not in self.owned)

    @cached_property
    def shared(self) -> frozenset[int]:
        """The ops that the path of every layer has in common: the loss and what scales it. They make no
        layer slower or wilder than another."""
        ops, parent = self.measurement.ops, self.ledger.parent
        leaves = [account.leaf for m in self.trainable if (account := self.strongest(m)) is not None]
        below = [0] * len(ops)
        for leaf in leaves:
            below[leaf] += 1
        for index in range(len(ops) - 1, 0, -1):  # a parent stands before its children
            if parent[index] >= 0:
                below[parent[index]] += below[index]
        return frozenset(index for index, count in enumerate(below) if count == len(leaves) > 0)

    @property
    def shared_decades(self) -> float:
        """log10 of the gradient where the paths of the layers part."""
        totals = [self.op(index).total for index in [max(self.shared, default=-1)] if index >= 0]
        return math.log10(totals[0]) if totals and 0 < totals[0] < math.inf else 0.0

    def climb(self, op: int) -> Iterator[int]:
        """The ops of the strongest path from `op`, which comes first, up to the loss."""
        while op >= 0:
            yield op
            op = self.ledger.parent[op]

    def parameters_under(self, op: int) -> Iterator[int]:
        """Parameters that hang from an op directly or behind views only."""
        stack = [edge.to for edge in reversed(self.op(op).edges)]
        while stack:
            index = stack.pop()
            if index in self.leaf_parameter:
                yield self.leaf_parameter[index]
            elif self.op(index).name.startswith(VIEW_LIKE):
                stack.extend(edge.to for edge in reversed(self.op(index).edges))

    def feeder(self, op: int) -> int:
        """The nearest module below an op that owns parameters; the op's own module where there is none."""
        index = op
        while self.op(index).edges:
            if self.op(index).module in self.owned:
                return self.op(index).module
            index = self.op(index).edges[0].to
        return self.op(op).module

    def gates(self, index: int) -> bool:
        """Whether an op's output multiplies another signal; x * sigmoid(x), an activation, is none."""
        inputs, above = {edge.to for edge in self.op(index).edges}, {index}
        for _ in range(4):
            senders = {s for i in above for s in self.senders.get(i, ())}
            products = [s for s in senders if self.op(s).name.startswith("Mul") and len(self.op(s).edges) > 1]
            if any(not {edge.to for edge in self.op(s).edges} & inputs for s in products):
                return True
            above = {s for s in senders if self.op(s).name.startswith(VIEW_LIKE)}
        return False

    # -- layers

    def _layer(self, module: int, owned: tuple[int, ...]) -> Layer:
        found = self.measurement.modules[module]
        parameters = [self.measurement.parameters[i] for i in owned]
        with_gradient = [p for p in parameters if p.grad_norm is not None]
        gradient = _joint([p.grad_norm for p in with_gradient if p.grad_norm is not None])
        weight = _joint([p.active_weight_norm for p in with_gradient] or [p.weight_norm for p in parameters])
        numel = sum(p.numel for p in with_gradient)
        loss = abs(self.measurement.loss)
        strongest = self.strongest(module)
        has = bool(with_gradient)
        return Layer(
            path=found.path,
            kind=found.kind,
            parameters=sum(p.numel for p in parameters),
            grad_norm=gradient if has else None,
            grad_rms=gradient / math.sqrt(numel) if numel else None,
            grad_max=max((p.grad_max or 0.0 for p in with_gradient), default=None),
            zero_share=sum((p.zero_share or 0.0) * p.numel for p in with_gradient) / numel if numel else None,
            nan_count=sum(p.nan_count for p in parameters),
            inf_count=sum(p.inf_count for p in parameters),
            weight_norm=weight,
            relative_gradient=gradient / weight if has and weight else None,
            elasticity=gradient * weight / loss if has and loss and math.isfinite(loss) else None,
            decades=math.log10(gradient) if has and 0 < gradient < math.inf else None,
            activation_rms=found.output_rms,
            stream=_joint([self.op(i).total for i in found.output_ops]) if found.output_ops else None,
            by_kind=dict(strongest.by_kind) if strongest else {},
            status=self._plain_status(module, parameters, has),
            source=self._source(module, strongest),
        )

    def strongest(self, module: int) -> Account | None:
        """The account of the module's largest gradient."""
        accounts = [self.accounts[i] for i in self.owned.get(module, ()) if i in self.accounts]
        return max(accounts, key=lambda account: account.decades, default=None)

    def _plain_status(self, module: int, parameters: list[ParameterMeasurement], has: bool) -> str:
        if any(p.nan_count or p.inf_count for p in parameters):
            return "non-finite"
        if not any(p.requires_grad for p in parameters):
            return "frozen"
        if has:
            return "ok"
        return "none" if self.measurement.modules[module].calls else "unused"

    def _source(self, module: int, account: Account | None) -> SourceLine | None:
        """The line that called the op next to the layer's leaf."""
        if account is None:
            return None
        return next((self.source_of(i) for i in self.climb(account.leaf) if self.op(i).source >= 0), None)

    # -- scale-free references

    @cached_property
    def trainable(self) -> tuple[int, ...]:
        """Modules with a finite non-zero gradient and a matrix to learn (not only scales and biases)."""
        return tuple(
            module
            for module, layer in self.layers.items()
            if layer.grad_norm and math.isfinite(layer.grad_norm) and self.has_matrix(module)
        )

    def has_matrix(self, module: int) -> bool:
        """Whether a layer owns a parameter of at least two dimensions."""
        return any(len(p.shape) >= 2 for p in self.parameters_of(module))

    @cached_property
    def typical_relative_gradient(self) -> float | None:
        """The median of u over the layers that move the loss: where most are ill, a plain median is ill too."""
        working = [m for m in self.trainable if (self.layers[m].elasticity or 0.0) >= WORKING] or self.trainable
        values = [u for m in working if (u := self.layers[m].relative_gradient)]
        values.sort()
        middle = len(values) // 2
        return (values[middle] + values[-middle - 1]) / 2 if values else None

    @cached_property
    def input_rms(self) -> float | None:
        """RMS of the first floating input."""
        found = (s.rms for s in self.measurement.inputs if s.dtype.startswith(("float", "bfloat")))
        return next((rms for rms in found if rms is not None), None)

    @cached_property
    def compared(self) -> tuple[float, float] | None:
        """RMS of the output and of the target of a regression loss."""
        lens = next((lens for lens in self.measurement.lenses if lens.target_rms is not None), None)
        if lens is not None:
            return (lens.output_rms, lens.target_rms) if lens.output_rms is not None and lens.target_rms else None
        outputs, targets = self.measurement.outputs, self.measurement.targets
        if not self._ends_in_difference or len(outputs) != 1 or len(targets) != 1:
            return None
        (output,), (target,) = outputs, targets
        same = output.numel == target.numel and output.rms is not None and target.rms is not None
        return (output.rms or 0.0, target.rms or 0.0) if same else None

    @property
    def _ends_in_difference(self) -> bool:
        """Whether the loss is a mean or sum of |output - target| or its square, written with plain ops."""
        index = 0
        names: list[str] = []
        while len(names) < 4 and self.op(index).edges:
            names.append(self.op(index).name.partition("Backward")[0])
            index = self.op(index).edges[0].to
        kinds = [name for name in names if not name.startswith(("Mean", "Sum"))]
        return len(names) > 2 and len(kinds) > 1 and kinds[0] in ("Abs", "Pow", "Mul", "Square") and kinds[1] == "Sub"

    @cached_property
    def chance(self) -> tuple[float, float] | None:
        """(loss per sample, chance) of the worst cross entropy: chance is ln C for C classes."""
        found = [
            (lens.per_sample, math.log(lens.length))
            for lens in self.measurement.lenses
            if lens.per_sample is not None and math.isfinite(lens.per_sample) and lens.length and lens.length > 1
        ]
        return max(found, key=lambda pair: pair[0] / pair[1], default=None)


WORKING = 1e-4
"""Elasticity from which a layer counts as one that moves the loss; healthy layers lie at 1e-3 to 10."""
VIEW_LIKE = (
    "TBackward", "TransposeBackward", "ViewBackward", "UnsafeViewBackward", "ReshapeAliasBackward", "PermuteBackward",
    "SqueezeBackward", "UnsqueezeBackward", "CloneBackward", "ToCopyBackward", "ExpandBackward", "SliceBackward",
    "SelectBackward",
)  # fmt: skip


def _joint(norms: list[float]) -> float:
    return math.hypot(*norms) if norms else 0.0


Findings = Iterator[Finding]
