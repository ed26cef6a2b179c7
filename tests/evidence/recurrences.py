"""A weight that is used step after step, written by hand."""

import math

from gradcheck_cli.records.measurement import Edge, Measurement, Op
from tests.measurements import LEAF, measurement, parameter


def recurrence(signals: list[float], steps_apart: int = 2) -> Measurement:
    """A loss on the last state; step k receives signals[k], and each step uses the weight once."""
    steps = len(signals)
    leaf = 1 + 2 * steps
    ops = [Op("MeanBackward0", steps_apart * steps + 5, -1, -1, 1.0, (Edge(1, signals[-1]),))]
    for k in reversed(range(steps)):
        tanh, mm = 1 + 2 * (steps - 1 - k), 2 + 2 * (steps - 1 - k)
        ops.append(Op("TanhBackward0", steps_apart * k + 1, 0, -1, signals[k], (Edge(mm, signals[k]),)))
        down = (Edge(tanh + 2, signals[k - 1]),) if k else ()
        ops.append(Op("MmBackward0", steps_apart * k, 0, -1, signals[k], (*down, Edge(leaf, signals[k]))))
    total = math.hypot(*signals)
    ops.append(Op(LEAF, -1, -1, -1, total, ()))
    return measurement(*ops, parameters=[parameter("w", op=leaf, grad=total)])
