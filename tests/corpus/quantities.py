"""What the thresholds are held against, on the labelled models: `python -m tests.corpus.quantities [--zoo] [NAME...]`.

A line for each quantity: the threshold, on how many healthy models the quantity is known, where it lies on them, and
likewise on the models that are labelled with a cause of the threshold's rule. `--zoo` takes the real architectures,
all of which train. A NAME, such as `healthy*`, keeps to some models.
"""

from __future__ import annotations

import argparse
import math
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from fnmatch import fnmatch
from statistics import median, quantiles

import torch

from gradcheck_cli.evidence import Evidence, gather
from gradcheck_cli.probe import enquire, measure
from gradcheck_cli.records.choices import Optimizer
from gradcheck_cli.records.enquiry import Questions
from gradcheck_cli.records.ops import SQUASHING
from gradcheck_cli.records.spec import Step
from gradcheck_cli.records.thresholds import BOUNDS, Thresholds
from gradcheck_cli.records.trainingsettings import Training
from gradcheck_cli.rules import BY_CODE
from gradcheck_cli.rules.throughtime import total_decades
from gradcheck_cli.target import wrap_target
from gradcheck_cli.trials import first_update
from tests.corpus import CASES

RATE = 1e-3
"""Adam's, at which the first update is simulated."""
Quantity = Callable[[Evidence], float | None]


def _most(values: Iterable[float | None]) -> float | None:
    return max((value for value in values if value is not None), default=None)


def _least(values: Iterable[float | None]) -> float | None:
    return min((value for value in values if value is not None), default=None)


def _elasticities(evidence: Evidence) -> list[float | None]:
    return [evidence.layers[m].elasticity for m in evidence.trainable]


def _behind(evidence: Evidence) -> float | None:
    typical = evidence.typical_relative_gradient
    slowest = _least(evidence.layers[m].relative_gradient or None for m in evidence.trainable)
    return math.log10(typical / slowest) if typical and slowest else None


def _growth(evidence: Evidence) -> float | None:
    scales = [layer.activation_rms for layer in evidence.layers.values() if layer.activation_rms]
    return max(scales) / median(scales) if scales else None


def _saturated(evidence: Evidence) -> float | None:
    """Of hidden bounded activations that gate nothing."""
    graph = evidence.graph
    hidden = (
        lens
        for lens in evidence.measurement.lenses
        if graph.stem(lens.op) in SQUASHING and evidence.paths.weights_above(lens.op) and not graph.gates(lens.op)
    )
    return _most(lens.saturated for lens in hidden)


def _softmaxes(evidence: Evidence) -> list[tuple[float, float]]:
    """The share of one-hot rows of every softmax over several elements, and the share of its gradient that passes."""
    ops = evidence.measurement.ops
    lenses = (lens for lens in evidence.measurement.lenses if lens.kind == "softmax" and lens.length != 1)
    found = ((lens, ops[lens.op]) for lens in lenses if ops[lens.op].total and ops[lens.op].edges)
    return [(lens.saturated or 0.0, op.edges[0].norm / op.total) for lens, op in found]


def _one_hot_passes(evidence: Evidence) -> float | None:
    return _least(passed for share, passed in _softmaxes(evidence) if share >= evidence.thresholds.one_hot_share)


def _dead(evidence: Evidence) -> float | None:
    limits = evidence.thresholds
    lenses = (x for x in evidence.measurement.lenses if x.units >= limits.dead_units)
    return _most(x.dead for x in lenses if x.samples >= limits.dead_samples)


def _series(evidence: Evidence) -> list[float]:
    return [total_decades(series) for series in evidence.paths.ledger.series]


def _sides(evidence: Evidence) -> float | None:
    """RMS of the output over that of the targets, both as 1 where they are below."""
    compared = evidence.references.compared
    return max(compared[0], 1.0) / max(compared[1], 1.0) if compared else None


def _over_chance(evidence: Evidence) -> float | None:
    chance = evidence.references.chance
    return chance[0] / chance[1] if chance else None


def _outweighing(evidence: Evidence, given: bool) -> float | None:
    """Of two terms, the second an error, and the first too or a penalty: gradient over gradient where they meet."""
    addends = evidence.terms.addends
    pairs = ((i, j) for i, a in enumerate(addends) for j, b in enumerate(addends) if i != j and b.given)
    met = (evidence.terms.meeting(i, j) for i, j in pairs if addends[i].given is given)
    return _most(m.first / m.second for m in met if m is not None and m.second and math.isfinite(m.first))


def _rise(evidence: Evidence) -> float | None:
    stepped = evidence.training.stepped
    return (stepped.after - stepped.before) / abs(stepped.before) if stepped is not None and stepped.before else None


def _moved(evidence: Evidence) -> float | None:
    stepped = evidence.training.stepped
    driven = sum(p.driven for p in stepped.parameters) if stepped is not None else 0
    return sum(p.moved for p in stepped.parameters) / driven if stepped is not None and driven else None


def _updates(evidence: Evidence) -> list[float]:
    """The first update of every layer over its weights, in L2 norm: each weight that has a gradient moves by `RATE`."""
    layers = {m: evidence.layers[m].weight_norm for m in evidence.trainable if evidence.layers[m].weight_norm}
    owned = ((evidence.graph.parameters_of(m), norm) for m, norm in layers.items())
    return [
        RATE * math.sqrt(sum(p.numel * (1 - (p.zero_share or 0.0)) for p in found if p.grad_norm is not None)) / norm
        for found, norm in owned
    ]


QUANTITIES: Mapping[str, tuple[str, Quantity]] = {
    "decades behind the typical layer": ("slower_decades", _behind),
    "least elasticity": ("insensitive_elasticity", lambda e: _least(_elasticities(e))),
    "largest elasticity": ("exploding_elasticity", lambda e: _most(_elasticities(e))),
    "largest elasticity, as usual": ("usual_least", lambda e: _most(_elasticities(e))),
    "activation, largest over median": ("usual_growth", _growth),
    "L / L0": ("loss_over_zeroed", lambda e: e.over_nothing),
    "L / Lm": ("learned", lambda e: e.over_one_answer),
    "D at the head": (
        "collapsed_distinguishability",
        lambda e: _most(h.distinguishability for h in e.measurement.heads),
    ),
    "saturated share of a layer": ("saturated_share", _saturated),
    "one-hot rows of a softmax": ("one_hot_share", lambda e: _most(share for share, _ in _softmaxes(e))),
    "passed by a one-hot softmax": ("one_hot_passes", _one_hot_passes),
    "dead share of a layer": ("dead_share", _dead),
    "decades lost over a sequence": ("forgotten_decades", lambda e: _most(-total for total in _series(e))),
    "decades grown over a sequence": ("growth_decades", lambda e: _most(_series(e))),
    "output over targets": ("output_over_target", _sides),
    "loss over a blind guess": ("loss_over_chance", _over_chance),
    "targets out of reach": ("unreachable_share", lambda e: _most(c.outside for c in e.references.distances)),
    "penalty over error": ("outweighing_penalty", lambda e: _outweighing(e, given=False)),
    "error over error": ("outweighing_error", lambda e: _outweighing(e, given=True)),
    "widest column": ("uneven_columns", lambda e: _most(s.widest for s in e.measurement.inputs)),
    "offset of the columns": ("offset_columns", lambda e: _most(s.offset for s in e.measurement.inputs)),
    "RMS of the inputs": ("far_input", lambda e: e.references.input_rms),
    "share that dropout drops": ("dropped_share", lambda e: _most(m.dropped for m in e.measurement.modules)),
    "largest update, Adam at 1e-3": ("largest_update", lambda e: _most(_updates(e))),
    "rise of the loss, Adam at 1e-3": ("raised_loss", _rise),
    "weights that an update moves": ("moved_share", _moved),
    "gradient flushed to 0": ("flushed_share", lambda e: _most(r.lost for r in e.measurement.roundings)),
}
"""By what is measured, the threshold that it is held against."""


def evidence_of(model: torch.nn.Module, batch: object, step: Callable[..., torch.Tensor]) -> Evidence:
    """A model with both null predictions and its first update, whether or not the rules would ask for them."""
    target = wrap_target(model, batch, step=step, name="model", seed=0, batches=1)
    one = Step(target=target, batch=target.batches[0], seed=0)
    found = measure(one.target, one.batch, seed=0)
    training = Training(lr=RATE, optimizer=Optimizer.ADAM)
    stepped, _ = first_update(one, training, found.seconds)
    plain = gather(found, training=Training(lr=RATE, optimizer=Optimizer.ADAM, stepped=stepped))
    asked = Questions(nulls=bool(found.heads) and math.isfinite(found.loss))
    return plain.enlarged(enquire(one, found, asked)) if asked else plain


def measured(names: list[str], zoo: bool) -> Iterator[tuple[tuple[str, ...] | None, Evidence]]:
    """The causes that a model is labelled with, None where it is healthy, and what was measured of it."""
    if zoo:
        from tests.zoo import ARCHITECTURES

        models = [(each.name, None, each.build) for each in ARCHITECTURES]
    else:
        models = [(c.name, c.causes if c.status == "ill" else None, c.make) for c in CASES]
    for name, causes, build in models:
        if names and not any(fnmatch(name, pattern) for pattern in names):
            continue
        try:
            yield causes, evidence_of(*build())
        except Exception as error:
            print(f"{name}: {type(error).__name__}: {error}".splitlines()[0])


COLUMNS = ("least", "5 %", "median", "95 %", "most")


def _told(values: list[float]) -> str:
    if len(values) < 2:
        return f"{len(values):4}" + "".join(f"{value:9.2g}" for value in values).ljust(9 * len(COLUMNS))
    twentieths = quantiles(values, n=20, method="inclusive")
    found = (min(values), twentieths[0], median(values), twentieths[-1], max(values))
    return f"{len(values):4}" + "".join(f"{value:9.2g}" for value in found)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m tests.corpus.quantities", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--zoo", action="store_true", help="real architectures in place of the labelled models")
    asked = parser.parse_args()
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    healthy: dict[str, list[float]] = defaultdict(list)
    ill: dict[str, list[float]] = defaultdict(list)
    for causes, evidence in measured(asked.names, asked.zoo):
        for name, (threshold, quantity) in QUANTITIES.items():
            value = quantity(evidence)
            if value is None or math.isnan(value):
                continue
            if causes is None:
                healthy[name].append(value)
            elif set(causes) & set(BY_CODE[BOUNDS[threshold].rule].causes):
                ill[name].append(value)
    columns = "".join(f"{word:>9}" for word in COLUMNS)
    print(f"{'':<34}{'':>8}  {'well':>4}{columns}  {'ill':>4}{columns}")
    for name, (threshold, _) in QUANTITIES.items():
        limit = getattr(Thresholds(), threshold)
        print(f"{name:<34}{limit:8.2g}  {_told(healthy[name])}  {_told(ill[name])}")


if __name__ == "__main__":
    main()
