"""Short ways to write a measurement by hand."""

from collections.abc import Iterable
from typing import Any

from gradcheck_cli.evidence import gather
from gradcheck_cli.records.judging import Choice, Verdict
from gradcheck_cli.records.measurement import (
    Edge,
    Measurement,
    ModuleMeasurement,
    Op,
    ParameterMeasurement,
    TensorStats,
)
from gradcheck_cli.records.trainingsettings import Training
from gradcheck_cli.rules import judge

LEAF = "AccumulateGrad"
_JUDGING = ("select", "ignore", "waivers")


def op(name: str, total: float, *edges: tuple[int, float], module: int = 0, source: int = -1, sequence: int = 0) -> Op:
    """An op that received `total` and sends each (op, norm) of `edges`."""
    return Op(name, sequence, module, source, total, tuple(Edge(*edge) for edge in edges))


def parameter(name: str, *, op: int | None, grad: float | None, **fields: Any) -> ParameterMeasurement:
    """A 4 x 4 weight of norm 1 whose leaf is `op`."""
    plain: dict[str, Any] = {
        "module": 0,
        "shape": (4, 4),
        "dtype": "float32",
        "numel": 16,
        "requires_grad": True,
        "grad_max": grad,
        "zero_share": None if grad is None else float(grad == 0),
        "nan_count": 0,
        "inf_count": 0,
        "weight_norm": 1.0,
        "active_weight_norm": 1.0,
    }
    return ParameterMeasurement(names=(name,), op=op, grad_norm=grad, **(plain | fields))


def module(path: str, kind: str = "Linear", **fields: Any) -> ModuleMeasurement:
    """A module that was called once."""
    plain: dict[str, Any] = {
        "calls": 1,
        "output_rms": 1.0,
        "output_ops": (),
    }
    return ModuleMeasurement(path=path, kind=kind, **(plain | fields))


def stats(name: str, **fields: Any) -> TensorStats:
    """A standardised 4 x 4 tensor."""
    plain: dict[str, Any] = {
        "shape": (4, 4),
        "dtype": "float32",
        "numel": 16,
        "rms": 1.0,
        "std": 1.0,
    }
    return TensorStats(name=name, **(plain | fields))


def measurement(
    *ops: Op,
    parameters: Iterable[ParameterMeasurement] = (),
    modules: Iterable[ModuleMeasurement] = (),
    loss: float = 1.0,
    **fields: Any,
) -> Measurement:
    """A pass with nothing to remark on but what is given."""
    empty: dict[str, Any] = dict.fromkeys(("sources", "lenses", "cuts", "inputs", "outputs", "targets", "remarks"), ())
    return Measurement(
        loss=loss,
        ops=ops,
        parameters=tuple(parameters),
        modules=tuple(modules) or (module("", "Net"),),
        **(empty | {"seconds": {}} | fields),
    )


def judged(found: Measurement, training: Training = Training(), **asked: Any) -> Verdict:  # noqa: B008 - frozen
    """What a measurement comes to; `asked` holds fields of the choice, and what `gather` takes."""
    choice = {name: asked.pop(name) for name in _JUDGING if name in asked}
    return judge(gather(found, training=training, **asked), Choice(**choice))
