"""GC1xx: values that are not finite."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from typing import TYPE_CHECKING

from gradcheck_cli.records.apart import rows_among
from gradcheck_cli.records.choices import Severity
from gradcheck_cli.records.measurement import NonfiniteInput, Origin, ParameterMeasurement, TensorStats
from gradcheck_cli.records.ops import LOGARITHMS, WRITERS, plain_op
from gradcheck_cli.rules.origins import backward_cause, calls_logdet, forward_cause, is_logdet, values_of
from gradcheck_cli.rules.rule import Diagnoses, Diagnosis
from gradcheck_cli.words import named, number

if TYPE_CHECKING:
    from gradcheck_cli.evidence import Evidence


def nonfinite_input(evidence: Evidence) -> Diagnoses:
    """The batch itself holds NaN or Inf.

    Nothing that follows is the model's fault: every layer that the value reaches is poisoned. Look at
    the data: missing values read as NaN, a division by a zero standard deviation, a log of zero counts.
    What harms neither the loss nor a gradient, as NaN for a label that is not known and is masked, is a note;
    Inf of that kind, as in an attention mask, is left alone.
    """
    entry = evidence.measurement.entry
    held = [s for s in (*evidence.measurement.inputs, *evidence.measurement.targets) if s.nan_count or s.inf_count]
    reached = [stats for stats in held if _reaches(evidence, stats)]
    if reached:
        stats = reached[0]
        nan = entry.produced == "nan" if entry is not None else bool(stats.nan_count)
        yield Diagnosis(
            cause="nan-input" if nan else "inf-input",
            message=f"{_holding(evidence, stats)}{_stopping(evidence)}",
            why="the data is not finite before the model has seen it" + _coming_in(entry),
            op=entry.origin.op if entry is not None and entry.origin is not None else None,
            source=entry.origin.source if entry is not None and entry.origin is not None else None,
            numbers=_amounts(stats),
        )
        return
    for stats in held:
        if stats.nan_count:
            yield Diagnosis(
                severity=Severity.NOTE,
                cause="nan-input",
                message=_holding(evidence, stats),
                why="none of it reaches the loss or a gradient, as where a mask leaves it out"
                if not _is_harmed(evidence)
                else "it is not what makes the loss or the gradients non-finite",
                numbers=_amounts(stats),
            )
            return


def _is_harmed(evidence: Evidence) -> bool:
    measurement = evidence.measurement
    return not math.isfinite(measurement.loss) or any(p.nan_count or p.inf_count for p in measurement.parameters)


def _reaches(evidence: Evidence, stats: TensorStats) -> bool:
    """Whether a tensor that is not finite is to blame; where no search told, it is."""
    entry = evidence.measurement.entry
    if entry is not None:
        return entry.kind == "batch" and entry.name == stats.name
    return _is_harmed(evidence) and evidence.measurement.origin is None


def _holding(evidence: Evidence, stats: TensorStats) -> str:
    first = f", the first at {list(stats.first_bad)}{_whence(evidence, stats)}" if stats.first_bad else ""
    return f"`{stats.name}` holds {_counts(stats.nan_count, stats.inf_count)} among {stats.numel:,} values{first}"


def _whence(evidence: Evidence, stats: TensorStats) -> str:
    """Where the first bad value of a tensor stands in the data, as far as that is known."""
    samples, at = evidence.measurement.samples, stats.first_bad
    if samples is None:
        return ""
    named = stats in evidence.measurement.inputs and len(at) == 2 and stats.shape[1] == len(samples.columns)
    column = f", column `{samples.columns[at[1]]}`" if named else ""
    return f" ({samples.kind} {samples.first + at[0]} of {samples.holder}{column})"


def _amounts(stats: TensorStats) -> dict[str, float | int | str]:
    return {"nan": stats.nan_count, "inf": stats.inf_count, "values": stats.numel}


def _coming_in(entry: NonfiniteInput | None) -> str:
    """By which op a value that was there before came in."""
    if entry is None or entry.origin is None:
        return ""
    made = f"{entry.origin.op} takes it in and puts out"
    if entry.kind == "parameter" and all(
        math.isfinite(v) for o in entry.origin.operands for v in (o.smallest, o.largest) if v is not None
    ):
        made = f"what is made of it is finite until {entry.origin.op} puts out"
    return f"; {made} {_elements(entry.origin)}"


def _stopping(evidence: Evidence) -> str:
    """The exception that a pass stopped with."""
    stopped = evidence.measurement.stopped
    return f", and then the code stopped with {stopped}" if stopped else ""


def nonfinite_parameter(evidence: Evidence) -> Diagnoses:
    """A parameter or a buffer is NaN or Inf before the pass.

    An earlier step diverged, a checkpoint is damaged, or memory was never initialised. The gradient
    cannot be judged until the weights are sound. A buffer counts where its values reach the loss or a gradient.
    """
    entry = evidence.measurement.entry
    if entry is not None and entry.kind == "buffer":
        yield _held_by_buffer(evidence, entry)
        return
    bad = [p for p in evidence.measurement.parameters if p.weight_nonfinite and _is_to_blame(evidence, p)]
    if bad:
        more = f", and so {_do(len(bad) - 1)} more" if len(bad) > 1 else ""
        yield Diagnosis(
            layers=tuple(dict.fromkeys(evidence.graph.path_of(p.module) for p in bad)),
            cause="nan-parameter",
            message=f"`{bad[0].names[0]}` holds {bad[0].weight_nonfinite:,} NaN or Inf among {bad[0].numel:,} "
            f"values{more}{_stopping(evidence)}",
            why="the weights were damaged before this pass, by an earlier step, a checkpoint, their own start or "
            "memory that was never set"
            + (_coming_in(entry) if entry is not None and entry.name in bad[0].names else ""),
            op=entry.origin.op if entry is not None and entry.origin is not None else None,
            source=entry.origin.source if entry is not None and entry.origin is not None else None,
            numbers={"parameters": len(bad), "values": sum(p.weight_nonfinite for p in bad)},
        )


def _is_to_blame(evidence: Evidence, parameter: ParameterMeasurement) -> bool:
    """Whether a damaged parameter is: not where an op, or the batch, is known to be."""
    entry = evidence.measurement.entry
    if entry is not None:
        return entry.kind == "parameter"
    if evidence.measurement.origin is not None and evidence.measurement.origin.node < 0 and _is_harmed(evidence):
        return False
    return not math.isfinite(evidence.measurement.loss) or parameter.op is not None


def _held_by_buffer(evidence: Evidence, entry: NonfiniteInput) -> Diagnosis:
    owner = entry.name.rpartition(".")[0]
    nan = entry.produced == "nan"
    return Diagnosis(
        layers=(owner,) if owner else (),
        cause="nan-parameter" if nan else "inf-buffer",
        message=f"the buffer `{entry.name}` holds {'NaN' if nan else 'Inf'}{_stopping(evidence)}",
        why=(
            "it was damaged before this pass, as running statistics are by one bad batch, or never filled"
            if nan
            else "it was not finite before this pass, as the inverse of a spread that is 0"
        )
        + _coming_in(entry),
        op=entry.origin.op if entry.origin is not None else None,
        source=entry.origin.source if entry.origin is not None else None,
        numbers={"buffers": 1, "buffer": entry.name},
    )


def nonfinite_forward(evidence: Evidence) -> Diagnoses:
    """The loss is NaN or Inf although the batch and the parameters are finite.

    The forward pass was run again op by op, and every value that is not finite was followed from the op that made it:
    its inputs were finite and its output was not. What is named is the first of those that the loss was made from,
    or, where the code stopped with an exception, that it had looked at. Everything after it only passes the value on.
    """
    loss, origin, entry = evidence.measurement.loss, evidence.measurement.origin, evidence.measurement.entry
    if math.isfinite(loss):
        return
    if origin is None:
        yield _unlocated(evidence, loss, entry)
        return
    if stopped := _stopping(evidence):
        message = f"{origin.op} puts out {_elements(origin)}{stopped}"
    else:
        what = f"the gradient of {origin.op}, taken by autograd.grad," if origin.derived else f"{origin.op} puts out"
        is_ = " is" if origin.derived else ""
        message = f"the loss is {number(loss)}: {what}{is_} {_elements(origin)}, and is the first op to do so"
    yield _made_by(evidence, origin, message)


def _unlocated(evidence: Evidence, loss: float, entry: NonfiniteInput | None) -> Diagnosis:
    """What was not finite before the pass; what torch.logdet writes for a determinant below 0; else it is not known."""
    graph = evidence.graph
    determinants = (i for i, op in enumerate(evidence.measurement.ops) if plain_op(op.name) in _DETERMINANTS)
    index = next((i for i in determinants if calls_logdet(graph.source_of(i))), None)
    if entry is not None or index is None or not math.isnan(loss):
        return Diagnosis(
            cause="unknown" if entry is None else "nan-input" if entry.produced == "nan" else "inf-input",
            message=f"the loss is {number(loss)}",
            why="no single op made it" if entry is None else f"`{entry.name}` was not finite before the pass",
            numbers={"loss": loss},
        )
    module = graph.op(index).module
    return Diagnosis(
        layers=(graph.path_of(module),) if module >= 0 else (),
        cause="negative-determinant",
        message=f"the loss is {number(loss)}: logdet puts out NaN",
        why=_RULES_OF_ARITHMETIC["negative-determinant"],
        op="logdet",
        source=graph.source_of(index),
        numbers={"loss": loss},
    )


_DETERMINANTS = {"linalg_slogdet", "logdet", "linalg_det"}


def _made_by(evidence: Evidence, origin: Origin, message: str) -> Diagnosis:
    cause = forward_cause(origin)
    return Diagnosis(
        layers=(evidence.graph.path_of(origin.module),) if origin.module >= 0 else (),
        cause=cause,
        message=f"{message}{_sample(evidence, origin)}",
        why=_in_words(cause, origin),
        op="logdet" if is_logdet(origin) else origin.op,
        source=origin.source,
        numbers={
            "loss": evidence.measurement.loss,
            "bad_elements": origin.count,
            "elements": origin.numel,
            **_range(origin),
            **_of_sample(evidence, origin),
        },
    )


def nonfinite_backward(evidence: Evidence) -> Diagnoses:
    """The loss is finite, but a gradient is NaN or Inf.

    The op that is named received a finite gradient and sent on one that is not: its derivative does not
    exist or overflows at the values it saw. Where those were not finite already, as in a branch that the forward pass
    dropped later, the op that made them is named. Layers below it are only poisoned by it.
    """
    if not math.isfinite(evidence.measurement.loss):
        return
    layers = evidence.layers.items()
    poisoned = tuple(evidence.graph.path_of(m) for m, layer in layers if layer.nan_count or layer.inf_count)
    index, origin = evidence.measurement.culprit, evidence.measurement.origin
    if index is not None and origin is not None and origin.node < 0:
        yield _met_by(evidence, index, origin, poisoned)
    elif index is not None:
        yield _sent_by(evidence, index, poisoned)
    elif poisoned:
        yield Diagnosis(
            layers=poisoned,
            cause="unknown",
            message=f"the gradient of {named(poisoned)} is not finite",
            why="no single op made it, as where finite gradients of several ways are added up",
            numbers={"layers": len(poisoned)},
        )


def _met_by(evidence: Evidence, index: int, origin: Origin, poisoned: tuple[str, ...]) -> Diagnosis:
    """What an op made in the forward pass, and the gradient of another one met."""
    op = evidence.graph.op(index)
    harm = f"poisons the gradient of {named(poisoned)}" if poisoned else "reaches no parameter"
    message = (
        f"{origin.op} puts out {_elements(origin)}, which the loss does not show; "
        f"the gradient of {plain_op(op.name)} meets it and {harm}"
    )
    made = _made_by(evidence, origin, message)
    if backward_cause(evidence, index, origin) == "where-trap":  # as the op that meets it says
        made = replace(made, cause="where-trap", why=_in_words("where-trap", origin))
    numbers = {**made.numbers, "incoming_norm": op.total, "layers": len(poisoned)}
    return replace(made, severity=None if poisoned else Severity.WARNING, layers=poisoned, numbers=numbers)


def _sent_by(evidence: Evidence, index: int, poisoned: tuple[str, ...]) -> Diagnosis:
    op, origin = evidence.graph.op(index), evidence.measurement.origin
    cause = backward_cause(evidence, index, origin)
    sent = "NaN" if any(math.isnan(edge.norm) for edge in op.edges) else "Inf"
    harm = f"which poisons the gradient of {named(poisoned)}" if poisoned else "but reaches no parameter"
    inside = origin is not None and origin.derived
    what = f"{origin.op}, taken by autograd.grad and differentiated," if origin and inside else plain_op(op.name)
    return Diagnosis(
        severity=None if poisoned else Severity.WARNING,
        layers=poisoned,
        cause=cause,
        message=f"the gradient of {what} is {_elements(origin) if origin else sent}, {harm}"
        f"{_sample(evidence, origin) if origin else ''}",
        why=_in_words(cause, origin)
        if origin
        else f"a gradient of norm {number(op.total, 2)} went in and {sent} came out",
        op=origin.op if origin and inside else index,
        source=origin.source if origin else None,
        numbers={"incoming_norm": op.total, "layers": len(poisoned)}
        | (_range(origin) | _of_sample(evidence, origin) if origin else {}),
    )


def hidden_nonfinite(evidence: Evidence) -> Diagnoses:
    """A layer puts out NaN or Inf, and neither the loss nor a gradient shows it.

    The bad values are masked, replaced or divided away after it. Whatever they stand for is lost: no gradient comes
    back through them, and the next change to the mask lets them out. An Inf that is written on purpose, as -inf into
    attention scores or as the logarithm of a mask, is left alone. Where nothing of the loss was made from it, as of a
    metric that is returned beside it, it is a note.
    """
    origin = evidence.measurement.origin
    if not math.isfinite(evidence.measurement.loss) or origin is None or origin.node >= 0 or _is_harmed(evidence):
        return
    if origin.op not in WRITERS | LOGARITHMS:
        unseen = "nothing of the loss is made from it" if origin.idle else "neither the loss nor a gradient shows it"
        made = _made_by(evidence, origin, f"{origin.op} puts out {_elements(origin)}, and {unseen}")
        yield replace(made, severity=Severity.NOTE) if origin.idle else made


_RULES_OF_ARITHMETIC = {
    "log-zero": "a logarithm is -Inf at 0, and its slope Inf",
    "log-negative": "a logarithm or a root is NaN below 0",
    "sqrt-zero": "a root or a norm has no finite slope at 0",
    "acos-boundary": "it is NaN outside its domain, and its slope is Inf at the ends",
    "pow-domain": "a fractional power is NaN below 0, and one below 1 has the slope Inf at 0",
    "zero-div-zero": "0 / 0 is NaN, and what is divided by 0 is Inf",
    "small-denominator": "what is divided by next to nothing overflows",
    "zero-variance": "the spread of a single value is NaN, and that of equal values has no finite slope",
    "zero-times-inf": "0 times Inf is NaN, and so is Inf - Inf",
    "inf-in-loss": "an Inf that masks something is counted by the loss",
    "negative-determinant": "the logarithm of a determinant is NaN where that is below 0, and -Inf where it is 0",
    "nan-parameter": "memory that was never set holds whatever lay there, and not all of it was written to",
    "zero-norm": "a vector of length 0 has no direction: 0 / 0 is NaN",
    "masked-softmax-row": "the softmax of a row of -Inf is NaN",
    "logsumexp-neginf": "the slope of a logsumexp over nothing but -Inf is NaN",
    "empty-reduction": "the mean of nothing is NaN",
    "masked-loss": "the mean over no labels is NaN",
    "ctc-infeasible": "a target that does not fit into its input has probability 0",
    "degenerate-eigenvalues": "eigenvectors of equal eigenvalues and singular matrices have no finite gradient",
    "where-trap": "these elements are dropped later, but their gradient is made all the same, and 0 times Inf is NaN",
    "fp16-overflow": "float16 ends at 65,504",
}
"""Why values like these are not finite, by cause."""


def _in_words(cause: str, origin: Origin) -> str:
    reason = _RULES_OF_ARITHMETIC.get(cause)
    return (f"{reason}: {values_of(origin)}" if reason else values_of(origin)) + _rounded_away(origin)


_SMALL_NUMBER = re.compile(r"(?<![\w.])\d+(?:\.\d*)?e-\d+(?![\w.])")
_DEFAULT_EPS = {"normalize(": "1e-12", "cosine_similarity(": "1e-8"}
"""What such a call adds where it is told nothing."""
_LEAST_OF_HALF = 2.0**-25
"""Half of the smallest number of float16: what is not larger rounds to 0."""


def _rounded_away(origin: Origin) -> str:
    """The eps of the user's line that is 0 in the precision that the op runs in, to end a sentence with."""
    code = origin.source.code if origin.source is not None else ""
    if not any(operand.dtype == "float16" for operand in origin.operands):
        return ""
    defaults = [eps for call, eps in _DEFAULT_EPS.items() if call in code and "eps" not in code]
    lost = [text for text in (*_SMALL_NUMBER.findall(code), *defaults) if float(text) <= _LEAST_OF_HALF]
    return f"; {lost[0]} is 0 in float16, whose smallest number is 6e-8" if lost else ""


def _elements(origin: Origin) -> str:
    name = {"nan": "NaN", "inf": "Inf"}[origin.produced]
    return name if origin.numel == 1 else f"{name} at {origin.count:,} of {origin.numel:,} elements"


def _sample(evidence: Evidence, origin: Origin) -> str:
    """The sample of the batch that the first bad element belongs to, where what went in is laid out by samples."""
    index, samples = bad_sample(evidence, origin), evidence.measurement.samples
    if index is None:
        return ""
    known = f" ({samples.kind} {samples.first + index} of {samples.holder})" if samples is not None else ""
    return f"; the first comes from sample {index} of the batch{known}"


def _of_sample(evidence: Evidence, origin: Origin) -> dict[str, float | int | str]:
    """The first sample; where there are several, and the elements at fault are all known, those too."""
    rows = bad_samples(evidence, origin)
    all_known = any(origin.count == len(operand.elements) for operand in origin.operands)
    several = {"samples": " ".join(map(str, rows))} if len(rows) > 1 and all_known else {}
    return {"sample": rows[0], **several} if rows else {}


def bad_sample(evidence: Evidence, origin: Origin) -> int | None:
    """Its index; None where what went in is not laid out by samples, or there is one alone."""
    return next(iter(bad_samples(evidence, origin)), None)


def bad_samples(evidence: Evidence, origin: Origin) -> tuple[int, ...]:
    """The indexes of the first bad elements by samples; none where what went in is not laid out by them."""
    samples = rows_among(stats.shape[0] for stats in evidence.measurement.inputs if stats.shape)
    for operand in origin.operands:
        if operand.elements and operand.shape[:1] == (samples,):
            return tuple(dict.fromkeys(element.at[0] for element in operand.elements))
    return ()


def _range(origin: Origin) -> dict[str, float | int | str]:
    known = next((o for o in origin.operands if o.smallest is not None and o.largest is not None), None)
    return {"smallest_input": known.smallest or 0.0, "largest_input": known.largest or 0.0} if known else {}


def _counts(nan: int, inf: int) -> str:
    return " and ".join(f"{count:,} {name}" for count, name in ((nan, "NaN"), (inf, "Inf")) if count)


def _do(count: int) -> str:
    return f"does {count}" if count == 1 else f"do {count}"
