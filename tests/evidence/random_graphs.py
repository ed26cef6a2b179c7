"""Random measurements: every op is reached, and gradients end here and there."""

from __future__ import annotations

import math
import random

from hypothesis import strategies as st

from gradcheck_cli.records.measurement import Edge, Measurement, Op
from tests.measurements import LEAF, measurement, module, parameter

STEMS = "Mul Mm Addmm Add MaskedFill NativeLayerNorm Sigmoid Tanh Relu Sign T View Expand Select".split()
NAMES = (*(f"{stem}Backward0" for stem in STEMS), "MineBackward", "SigmoidBackward")
NORMS = (1e-9, 1e-3, 0.25, 0.5, 1.0, 2.0, 30.0)


def random_graph(seed: int) -> Measurement:
    """A few ops, each sending to some of those after it, over a few leaves that two modules own."""
    rng = random.Random(seed)
    inner, leaves = rng.randint(1, 12), rng.randint(1, 5)
    size = inner + leaves
    targets: list[list[int]] = [[] for _ in range(size)]
    for to in range(1, size):
        for _ in range(rng.choice((1, 1, 2, 3))):
            targets[rng.randrange(min(to, inner))].append(to)
    silent = rng.choice((0.1, 0.8))
    arrived, ops = [1.0] + [0.0] * (size - 1), []
    for index in range(inner):
        norms = [rng.choice(NORMS) * (arrived[index] > 0 and rng.random() > silent) for _ in targets[index]]
        edges = tuple(map(Edge, targets[index], norms))
        for to, norm in edges:
            arrived[to] = math.hypot(arrived[to], norm)
        ops.append(Op(rng.choice(NAMES), size - index, rng.randint(-1, 2), -1, arrived[index], edges))
    ops += [Op(LEAF, -1, -1, -1, arrived[leaf], ()) for leaf in range(inner, size)]
    parameters = [
        parameter(
            f"p{leaf}",
            op=leaf,
            grad=arrived[leaf],
            module=rng.randint(1, 2),
            shape=rng.choice(((4, 4), (4,))),
            weight_norm=rng.choice((0.0, 1.0)),
        )
        for leaf in range(inner, size)
    ]
    return measurement(*ops, parameters=parameters, modules=[module("", "Net"), module("one"), module("two")])


graphs = st.integers(0, 2**32).map(random_graph)
