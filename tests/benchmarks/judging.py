"""How long it takes to gather the evidence of a measurement and judge it, as the number of its ops grows.

Run `python -m tests.benchmarks.judging [--rounds N]`. Measurements of 10,000 and of 20,000 ops are judged in turns; the
ratio is the median over the rounds, and 2 is linear. At most 2.2 is asked. Each shape sends another rule on its way:
layers that are all dead, that all vanish, cuts, branches, and weights that are used step after step.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from statistics import median

from rich.console import Console
from rich.table import Table

from gradcheck_cli.evidence import gather
from gradcheck_cli.records.measurement import Cut, Lens, Measurement, Op, ParameterMeasurement
from gradcheck_cli.rules import judge
from tests.measurements import LEAF, measurement, module, op, parameter

FEW, MANY = 10_000, 20_000
AT_MOST = 2.2


def chain(ops: int, slope: float, dead: bool = False) -> Measurement:
    """Layers in a chain under sigmoids, or with `dead` under ReLUs of which the first lets nothing through."""
    made: list[Op] = [op("MseLossBackward0", 1.0, (1, 0.1), module=-1, sequence=ops)]
    parameters: list[ParameterMeasurement] = []
    lenses: list[Lens] = []
    depth, signal = ops // 3, 0.1
    for k in range(depth):
        index, owner = 1 + 3 * k, depth - k
        passed = 0.0 if dead else max(signal * slope, 1e-300)
        name = "ReluBackward0" if dead else "SigmoidBackward0"
        made.append(op(name, signal, (index + 1, passed), module=owner, sequence=ops - 2 * k))
        below = [(index + 3, passed)] if k + 1 < depth else []
        made.append(op("MmBackward0", passed, *below, (index + 2, passed), module=owner, sequence=ops - 2 * k - 1))
        made.append(op(LEAF, passed, module=-1, sequence=-1))
        parameters.append(parameter(f"layers.{owner}.weight", op=index + 2, grad=passed, module=owner))
        lenses.append(Lens(op=index, kind="activation", slope=slope, saturated=1.0, units=64, samples=64))
        signal = passed
    modules = [module("", "Net"), *(module(f"layers.{i + 1}") for i in range(depth))]
    return measurement(*made, parameters=parameters[::-1], modules=modules, lenses=tuple(lenses))


def branches(ops: int) -> Measurement:
    """A stream with a dead branch beside every layer, so that each has blockers of its own."""
    made: list[Op] = [op("MseLossBackward0", 1.0, (1, 0.1), module=-1, sequence=ops)]
    parameters: list[ParameterMeasurement] = []
    depth = ops // 4
    for k in range(depth):
        index, owner = 1 + 4 * k, depth - k
        below = [(index + 4, 0.1)] if k + 1 < depth else []
        made.append(op("AddBackward0", 0.1, *below, (index + 1, 0.1), module=owner, sequence=ops - 3 * k))
        made.append(op("ReluBackward0", 0.1, (index + 2, 0.0), module=owner, sequence=ops - 3 * k - 1))
        made.append(op("MmBackward0", 0.0, *below, (index + 3, 0.0), module=owner, sequence=ops - 3 * k - 2))
        made.append(op(LEAF, 0.0, module=-1, sequence=-1))
        parameters.append(parameter(f"layers.{owner}.weight", op=index + 3, grad=0.0, module=owner))
    modules = [module("", "Net"), *(module(f"layers.{i + 1}") for i in range(depth))]
    return measurement(*made, parameters=parameters[::-1], modules=modules)


def cuts(ops: int) -> Measurement:
    """As many cut layers as there are ops, each behind a cut of its own."""
    parameters = [parameter(f"layers.{i}.weight", op=None, grad=None, module=i + 1) for i in range(ops)]
    modules = [module("", "Net"), *(module(f"layers.{i}") for i in range(ops))]
    found = [Cut(op="detach", module=i + 1, source=None, parameters=(i,), used=True) for i in range(ops)]
    return measurement(op("MseLossBackward0", 1.0), parameters=parameters, modules=modules, cuts=tuple(found))


def recurrent(ops: int, layers: int = 1) -> Measurement:
    """Cells that are used step after step, each reading what the one before it puts out."""
    steps = ops // (3 * layers)
    made: list[Op] = [op("MseLossBackward0", 1.0, (1, 0.1), module=-1, sequence=ops)]
    parameters: list[ParameterMeasurement] = []
    signal, index = 0.1, 1
    leaf_of = {layer: 1 + 2 * steps * layers + layer for layer in range(layers)}
    for layer in range(layers):
        for _ in range(steps):
            last = index + 2 >= leaf_of[0]
            below = [] if last else [(index + 2, signal)]
            made.append(op("TanhBackward0", signal, (index + 1, signal), module=layer + 1, sequence=ops - index))
            edges = [*below, (leaf_of[layer], signal)]
            made.append(op("MmBackward0", signal, *edges, module=layer + 1, sequence=ops - index - 1))
            index += 2
    for layer in range(layers):
        made.append(op(LEAF, 1.0, module=-1, sequence=-1))
        parameters.append(parameter(f"cells.{layer}.weight", op=leaf_of[layer], grad=1.0, module=layer + 1))
    modules = [module("", "Net"), *(module(f"cells.{i}") for i in range(layers))]
    return measurement(*made, parameters=parameters, modules=modules)


SHAPES: dict[str, Callable[[int], Measurement]] = {
    "healthy chain": lambda ops: chain(ops, 0.999),
    "vanishing chain": lambda ops: chain(ops, 0.25),
    "dead chain": lambda ops: chain(ops, 0.0, dead=True),
    "dead branches": branches,
    "cut layers": cuts,
    "one recurrent weight": recurrent,
    "ten recurrent layers": lambda ops: recurrent(ops, layers=10),
}


def seconds(found: Measurement) -> float:
    """What gathering and judging take."""
    started = time.perf_counter()
    judge(gather(found))
    return time.perf_counter() - started


def main() -> None:
    """Print a row for each shape."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--rounds", type=int, default=7, help="timed rounds of each shape (default 7)")
    rounds = parser.parse_args().rounds
    table = Table("shape", f"{FEW:,} ops, ms", f"{MANY:,} ops, ms", "ratio", "at most")
    for name, make in SHAPES.items():
        few, many = make(FEW), make(MANY)
        pairs = [(seconds(few), seconds(many)) for _ in range(rounds)]
        ratio = median(large / small for small, large in pairs)
        cells = [f"{1000 * median(column):.0f}" for column in zip(*pairs, strict=True)]
        table.add_row(name, *cells, f"{ratio:.2f}", f"{AT_MOST:.2f}")
    Console().print(table)


if __name__ == "__main__":
    main()
