"""What every rule and trial looks at: one measurement with all that is derived from it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from statistics import median

from gradcheck_cli.evidence.blocking import Blocking
from gradcheck_cli.evidence.groups import grouped
from gradcheck_cli.evidence.layers import layer_table
from gradcheck_cli.evidence.ledger import account_for
from gradcheck_cli.evidence.opgraph import OpGraph
from gradcheck_cli.evidence.paths import Paths
from gradcheck_cli.evidence.terms import LossTerms
from gradcheck_cli.evidence.traits import traits_of
from gradcheck_cli.evidence.yardsticks import References
from gradcheck_cli.records.account import Account
from gradcheck_cli.records.blockage import Reason
from gradcheck_cli.records.drift import Drift
from gradcheck_cli.records.enquiry import Enquiry
from gradcheck_cli.records.group import Group
from gradcheck_cli.records.measurement import Measurement
from gradcheck_cli.records.report import Layer
from gradcheck_cli.records.thresholds import Thresholds
from gradcheck_cli.records.trainingsettings import Training
from gradcheck_cli.records.traits import Traits


@dataclass(frozen=True, kw_only=True, eq=False)
class Evidence:
    """One measurement with its ledger, look-ups, layer table and references, gathered once.

    Attributes:
        measurement: What was measured.
        enquiry: What further passes told, where they were made.
        graph: Look-ups among its ops, parameters and modules.
        paths: Its ledger, and how to read it.
        blocking: Where gradients that are exactly zero became so.
        layers: Layers by module index, in the model's order.
        references: What loss, output and input are held against.
        terms: What the loss is a sum of.
        thresholds: The numbers that a verdict turns on.
        training: What is known of how the model will be trained.
        drift: What gradients are held against, if they are.
        batches: What was measured on every batch, this one among them, where several are judged.
    """

    measurement: Measurement
    enquiry: Enquiry
    graph: OpGraph
    paths: Paths
    blocking: Blocking
    layers: Mapping[int, Layer]
    references: References
    terms: LossTerms
    thresholds: Thresholds
    training: Training
    drift: Drift | None
    batches: tuple[Measurement, ...] = ()

    def enlarged(self, enquiry: Enquiry) -> Evidence:
        """The same with what further passes told."""
        return replace(self, enquiry=enquiry)

    @cached_property
    def trainable(self) -> tuple[int, ...]:
        """Modules with a finite non-zero gradient and a matrix to learn (not only scales and biases)."""
        return tuple(
            module
            for module, layer in self.layers.items()
            if layer.grad_norm and math.isfinite(layer.grad_norm) and self.graph.has_matrix(module)
        )

    @cached_property
    def zero_layers(self) -> tuple[int, ...]:
        """Modules that are on the graph and whose gradients are all exactly zero."""
        return tuple(
            module
            for module, layer in self.layers.items()
            if layer.grad_norm == 0 and layer.status == "ok" and self.graph.has_matrix(module)
        )

    @cached_property
    def _working(self) -> tuple[int, ...]:
        """The trainable layers that move the loss, at least a hundredth as much as the one that moves it most."""
        least = max(self.thresholds.working_elasticity, self.thresholds.working_share * self.largest_elasticity)
        return tuple(m for m in self.trainable if (self.layers[m].elasticity or 0.0) >= least)

    @cached_property
    def typical_relative_gradient(self) -> float | None:
        """The median of u over the layers that move the loss: where most are ill, a plain median is ill too.

        Where decay is smooth over all layers, those are the healthy end of it.
        """
        values = [u for m in self._working or self.trainable if (u := self.layers[m].relative_gradient)]
        return median(values) if values else None

    @cached_property
    def shared(self) -> frozenset[int]:
        """The ops that the path of every layer has in common. They make no layer slower or wilder than another."""
        return self.paths.shared_by(self.trainable)

    @property
    def shared_decades(self) -> float:
        """log10 of the gradient where the paths of the layers part."""
        total = self.graph.op(max(self.shared)).total if self.shared else 0.0
        return math.log10(total) if 0 < total < math.inf else 0.0

    @cached_property
    def traits(self) -> Traits:
        """What the model has that remedies act on."""
        return traits_of(self)

    def is_hidden(self, op: int) -> bool:
        """Whether a weight stands between an op and the loss; where no gradient came, on any way."""
        if self.paths.weights_above(op) > 0:
            return True
        return not self.graph.op(op).total > 0 and self.graph.under_weight[op]

    @cached_property
    def healthiest(self) -> int | None:
        """What a slow layer is held against: the one with the largest relative gradient of those that move the loss."""
        return max(self._working, key=lambda m: self.layers[m].relative_gradient or 0.0, default=None)

    def groups(self, account: Account) -> tuple[Group, ...]:
        """An account in groups."""
        return grouped(self.paths, account, frozenset())

    def groups_lost(self, account: Account) -> tuple[Group, ...]:
        """An account in groups, with what the healthiest layer loses as well in one."""
        reference = self.paths.strongest(self.healthiest) if self.healthiest is not None else None
        if reference is None or reference.leaf == account.leaf:
            return self.groups(account)
        return grouped(self.paths, account, set(self.paths.climb(reference.leaf)))

    def groups_won(self, account: Account) -> tuple[Group, ...]:
        """An account in groups, with what scales the loss, above all weights and for all layers, in one."""
        above = {op for op in self.shared if not self.paths.weights_above(op)}
        if len(self.trainable) < 2:  # all of its path is shared, and what the model does itself is no scale of the loss
            above = {op for op in above if self.graph.op(op).module < 0}
        return grouped(self.paths, account, above)

    # -- judgements that several rules share

    @property
    def has_grown(self) -> bool:
        """Whether some layer puts out far more than the others.

        Held against the median, not the first: embeddings start at 0.02, and the norm behind them puts out 1.
        """
        scales = [layer.activation_rms for layer in self.layers.values() if layer.activation_rms]
        return bool(scales) and max(scales) > self.thresholds.usual_growth * median(scales)

    @property
    def predictor(self) -> str:
        """The path of the layer that predicts, the first head."""
        heads = self.measurement.heads
        return self.graph.path_of(self.graph.op(heads[0].op).module) if heads else "the last layer"

    @property
    def over_nothing(self) -> float | None:
        """L / L0: the loss over that of no prediction; None where that was not taken, or is not above 0."""
        zeroed = self.enquiry.zeroed
        return self.measurement.loss / zeroed if zeroed is not None and zeroed > 0 else None

    @property
    def over_one_answer(self) -> float | None:
        """L / Lm: the loss over that of one answer for every sample; None where that was not taken, or is 0."""
        mean = self.enquiry.mean
        return self.measurement.loss / mean if mean is not None and mean > 0 else None

    @property
    def has_learned(self) -> bool:
        """Whether the loss is known to lie clearly below that of one answer for every sample."""
        loss, mean = self.measurement.loss, self.enquiry.mean
        return mean is not None and mean - loss > (1 - self.thresholds.learned) * abs(mean)

    @property
    def largest_elasticity(self) -> float:
        """The largest S of a layer with a matrix."""
        return max((self.layers[m].elasticity or 0.0 for m in self.trainable), default=0.0)

    @property
    def collapsing(self) -> bool:
        """Whether what feeds every head is nearly the same for all samples, or for all positions of a sample.

        As far as its dtype can tell. A model of which one part still tells them apart learns from that.
        """
        return self._nearly_the_same(whole=True) or self._nearly_the_same(whole=False)

    @property
    def collapsing_in_part(self) -> bool:
        """Whether samples at one position, or the positions of one sample, are nearly the same, though not both.

        What is exactly the same, as copies of one token are, was made so and did not become it.
        """
        return self.collapsing and not self._nearly_the_same(whole=True)

    def _nearly_the_same(self, *, whole: bool) -> bool:
        heads = [h for h in self.measurement.heads if h.distinguishability is not None]
        spreads = [(h.distinguishability if whole else h.apart or None, h.floor) for h in heads]
        least = self.thresholds.faint_distinguishability
        return bool(spreads) and all(
            spread is not None and spread < least and floor < least for spread, floor in spreads
        )

    def cancels(self, module: int) -> bool:
        """Whether a layer's gradient is small because large parts of it add up to nothing."""
        account = self.paths.strongest(module)
        return account is not None and account.by_kind.get("merge", 0.0) < -self.thresholds.slower_decades

    @property
    def opens(self) -> bool:
        """Whether a layer waits for a gate that starts at 0 and itself gets a gradient."""
        return any(self.blocking.of(m).reason is Reason.OPENS for m in self.zero_layers)

    @cached_property
    def behind_gates(self) -> frozenset[int]:
        """The ops below a small factor that learns at speed."""
        behind: set[int] = set()
        if self.typical_relative_gradient is None:
            return frozenset()
        for index, above in enumerate(self.paths.ledger.parent):
            if above < 0:
                continue
            decades = self.paths.factor(index)
            if above in behind or (decades is not None and self.gate_learns(above, decades)):
                behind.add(index)
        return frozenset(behind)

    def gate_learns(self, op: int, decades: float) -> bool:
        """Whether a small parameter that itself learns at speed holds the gradient back, as a layer scale does."""
        if decades > -self.thresholds.slower_decades / 2:
            return False
        faint = self.thresholds.insensitive_elasticity * abs(self.measurement.loss)
        speed = max(self.typical_relative_gradient or 0.0, faint)
        under = (self.measurement.parameters[i] for i in self.graph.parameters_under(op))
        return any(p.grad_norm and p.grad_norm > speed * p.weight_norm > 0 for p in under)


def gather(
    measurement: Measurement,
    *,
    enquiry: Enquiry = Enquiry(),  # noqa: B008 - frozen
    training: Training = Training(),  # noqa: B008 - frozen
    thresholds: Thresholds = Thresholds(),  # noqa: B008 - frozen
    drift: Drift | None = None,
    batches: tuple[Measurement, ...] = (),
) -> Evidence:
    """Everything that is derived from a measurement; linear in its number of ops."""
    graph = OpGraph(measurement)
    paths = Paths(graph, account_for(graph))
    return Evidence(
        measurement=measurement,
        enquiry=enquiry,
        graph=graph,
        paths=paths,
        blocking=Blocking(graph),
        layers=layer_table(graph, paths),
        references=References(graph),
        terms=LossTerms(graph),
        thresholds=thresholds,
        training=training,
        drift=drift,
        batches=batches,
    )
