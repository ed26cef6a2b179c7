"""What makes an op safe: for a remedy and an op the guards to carry out, the gentlest first.

A guard keeps the numbers: its condition is the op's own domain, and inside of that it changes nothing. Where more has
to be cut off, since the slope overflows next to the end of the domain, the limits come one after the other, and the
first is shown that cures and keeps them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from gradcheck_cli.records.guard import Carried, Guard
from gradcheck_cli.records.ops import DECOMPOSITIONS, LENGTHS, UNSET, is_custom, plain_op
from gradcheck_cli.records.report import Finding, Remedy, Trial
from gradcheck_cli.remedies.calling import from_outside
from gradcheck_cli.remedies.catalogue import ROWS
from gradcheck_cli.remedies.rewriting import calls, filled, rewritten
from gradcheck_cli.remedies.row import TrialKind

_FLOORS = ("1e-8", "1e-12", "1e-6", "1e-4", "1e-20", "1e-37")
_DOMAINS = {
    "log log2 log10 sqrt rsqrt lgamma digamma polygamma mvlgamma special_entr": (
        "x > {}",
        "1.0",
        ("0", "1e-37", "1e-25", "1e-12", "1e-8", "1e-4"),
    ),
    "pow": ("x > {}", "1.0", ("0", "1e-37", "1e-25", "1e-12", "1e-8", "1e-4")),
    "xlogy": ("x > {}", "1.0", ("0", "1e-37", "1e-12")),
    "div reciprocal remainder fmod addcdiv": (
        "x.abs() > {}",
        "1.0",
        ("1e-37", "1e-25", "1e-19", "1e-12", "1e-8", "1e-4"),
    ),
    "acosh": ("x > {}", "2.0", ("1", "1 + 1e-6")),
    "log1p special_xlog1py": ("x > {}", "0.0", ("-1", "-1 + 1e-6")),
    "acos asin atanh erfinv": ("x.abs() < {}", "0.0", ("1", "1 - 1e-6")),
    "logit special_ndtri": ("(x - 0.5).abs() < {}", "0.5", ("0.5", "0.5 - 1e-6")),
    "exp expm1": ("x < {}", "0.0", ("88", "80", "40")),
    "exp2 ldexp": ("x < {}", "0.0", ("127", "100", "60")),
    "sinh cosh i0 special_i1": ("x.abs() < {}", "0.0", ("88", "80", "40")),
}
"""By op where it is finite, and a value at which it is."""
_CLAMPS = {
    "log log2 log10 sqrt rsqrt lgamma digamma pow xlogy reciprocal div polygamma mvlgamma special_entr remainder fmod "
    "addcdiv": ("x.clamp(min={})", _FLOORS),
    "acosh": ("x.clamp(min=1 + {})", ("1e-6", "1e-4")),
    "log1p special_xlog1py": ("x.clamp(min=-1 + {})", ("1e-6", "1e-7")),
    "acos asin atanh erfinv": ("x.clamp(-1 + {0}, 1 - {0})", ("1e-6", "1e-7", "1e-4")),
    "logit special_ndtri": ("x.clamp({0}, 1 - {0})", ("1e-6", "1e-7", "1e-4")),
    "exp expm1": ("x.clamp(max={})", ("20", "40", "80", "88")),
    "exp2 ldexp": ("x.clamp(max={})", ("30", "60", "100", "127")),
    "sinh cosh i0 special_i1": ("x.clamp(-{0}, {0})", ("20", "40", "80", "88")),
    "special_erfcx": ("x.clamp(min=-{})", ("5", "9")),
    "special_log_ndtr": ("x.clamp(min=-{})", ("1e2", "1e4")),
}
_EPS = "log log2 log10 sqrt rsqrt reciprocal div lgamma digamma pow polygamma mvlgamma remainder fmod addcdiv"
_ROWS = "(x > -torch.inf).any(dim, keepdim=True)"


def _double_where() -> Iterator[Guard]:
    for ops, (inside, safe, limits) in _DOMAINS.items():
        for op in ops.split():
            exact = ("x != 0",) if op in ("div", "reciprocal", "remainder", "fmod", "addcdiv") else ()
            for chosen in (*exact, *(inside.format(limit) for limit in limits)):
                yield Guard(
                    op=op, chosen=chosen, argument=f"torch.where(ok, x, {safe})", result="torch.where(ok, y, 0.0)"
                )


def _clamps() -> Iterator[Guard]:
    for ops, (form, limits) in _CLAMPS.items():
        yield from (Guard(op=op, argument=form.format(limit)) for op in ops.split() for limit in limits)
    for limit in ("-10, 10", "max=20", "min=-20", "max=40", "min=-40", "max=80", "min=-80"):
        yield from (Guard(op=op, argument=f"x.clamp({limit})", before=True) for op in ("exp", "expm1", "exp2"))


def _masked_rows() -> Iterator[Guard]:
    for op in ("softmax", "log_softmax"):
        yield Guard(op=op, chosen=_ROWS, argument="torch.where(ok, x, 0.0)", result="torch.where(ok, y, 0.0)")
    yield Guard(
        op="logsumexp",
        chosen=_ROWS,
        argument="torch.where(ok, x, 0.0)",
        result="torch.where(ok.squeeze(dim), y, -torch.inf)",
    )


_VALUES = {"linalg_svd": "torch.linalg.svdvals(x)", "linalg_eigh": "torch.linalg.eigvalsh(x)"}


def _jitters() -> Iterator[Guard]:
    """Values that are equal are parted: in all matrices, else only in those that have such."""
    for op, values in _VALUES.items():
        parted = "x + {} * torch.diag(torch.arange(x.shape[-1]).to(x))"
        yield from (Guard(op=op, argument=parted.format(size)) for size in ("1e-5", "1e-4", "1e-3"))
        for gap, size in (("1e-7", "1e-5"), ("1e-6", "1e-4"), ("1e-5", "1e-3"), ("1e-4", "1e-3")):
            apart = f"({values}.diff().abs() > {gap} * x.norm(dim=(-2, -1))[..., None]).all(-1)[..., None, None]"
            yield Guard(op=op, chosen=apart, argument=f"torch.where(ok, x, {parted.format(size)})")


_ROOT_OF = ("1e-12", "1e-8", "1e-5")
_GUARDS: Mapping[str, tuple[Guard, ...]] = {
    "double-where": tuple(_double_where()),
    "clamp": tuple(_clamps()),
    "eps": (
        *(Guard(op=op, argument=f"x + {eps}") for op in _EPS.split() for eps in _FLOORS),
        *(Guard(op="hypot", result=f"torch.sqrt(x**2 + second**2 + {eps})") for eps in _ROOT_OF),
    ),
    "mask-fix": tuple(_masked_rows()),
    "finite-min": tuple(Guard(op=op, result=f"x.{op}(second, -1e4)") for op in ("masked_fill", "masked_fill_")),
    "slogdet": (Guard(op="logdet", result="torch.linalg.slogdet(x)[1]"),),
    "variance-floor": tuple(Guard(op="std", instead="var", result=f"torch.sqrt(y + {eps})") for eps in _ROOT_OF),
    "drop-empty": (
        Guard(op="mean", instead="sum", result="y / max(x.numel(), 1)", plain=True),
        *(
            Guard(op=op, keyword="reduction='sum'", result="y / max(x.numel(), 1)", plain=True)
            for op in ("mse_loss", "smooth_l1_loss", "l1_loss", "huber_loss")
        ),
        Guard(op="nll_loss", keyword="reduction='sum'", result="y / (second != -100).sum().clamp(min=1)", plain=True),
    ),
    "exp-of-minus": tuple(
        Guard(op="div", result=f"numerator * torch.exp(-power{limit})")
        for limit in ("", *(f".clamp(min=-{least})" for least in (80, 60, 40, 20)))
    ),
    "init": tuple(Guard(op=op, result="y.zero_()") for op in ("empty", "empty_like", "new_empty")),
    "zero-infinity": (Guard(op="ctc_loss", keyword="zero_infinity=True"),),
    "jitter": tuple(_jitters()),
}


def guards_for(remedy: str, op: str, cause: str, code: str) -> tuple[Guard, ...]:
    """The guards that carry a remedy out in the user's line; none where it has no such form, or the line no such call.

    Args:
        remedy: The id of the remedy.
        op: The op that is blamed, by its plain name.
        cause: What it is for: what overflows is too large, and a floor under it is no help.
        code: The user's line, without indentation.
    """
    floors = remedy in ("clamp", "eps") and _is_too_large(cause, op)
    fitting = [g for g in _GUARDS.get(remedy, ()) if g.op.rstrip("_") == op.rstrip("_") and not floors]
    written = ((guard, rewritten(code, guard)) for guard in fitting)
    return tuple(replace(guard, line=line) for guard, line in written if line is not None)


def without_softmax(remedies: Sequence[Remedy], code: str) -> tuple[Remedy, ...]:
    """Remedies for an exp that no softmax is near: where the line does not say so either, none is about one."""
    named = any(word in code for word in ("logits", "softmax", "attention"))
    return tuple(remedy for remedy in remedies if named or remedy.id not in _OF_SOFTMAX)


def _is_of_a_weight(finding: Finding) -> bool:
    """Whether the op works on a weight, as a spectral norm does: what goes into the layer is no matter."""
    inside = any("parametrizations" in layer.split(".") for layer in finding.layers)
    return inside or (finding.op or "").startswith(("weight_norm", "WeightNorm"))


def _is_too_large(cause: str, op: str) -> bool:
    return cause == "exp-overflow" and op in _EPS.split()


def ladders_for(finding: Finding) -> Mapping[str, tuple[Guard, ...]]:
    """By remedy of a finding what can be carried out in the user's line, in their order."""
    if finding.source is None or not finding.op:
        return {}
    op, code = plain_op(finding.op), finding.source.code
    found = {r.id: guards_for(r.id, op, finding.cause, code) for r in finding.remedies}
    return {remedy: guards for remedy, guards in found.items() if guards}


def carried_into(finding: Finding, ladders: Mapping[str, Sequence[Guard]], carried: Mapping[str, Carried]) -> Finding:
    """The finding with the lines that cured it and kept the numbers first, and without those that did not.

    What was not carried out is told as such, and what has no form in this line comes after.
    """
    if "buffer" in finding.evidence:
        return _with_buffer_filled(finding)
    kept = {r.id: _told(r, ladders[r.id], carried.get(r.id)) for r in finding.remedies if r.id in ladders}
    first = [r for r in kept.values() if r is not None]
    rest = _outside([r for r in finding.remedies if r.id not in kept], finding)
    fused = [r for r in finding.remedies[:1] if r.id in _FUSED]
    rest = [r for r in rest if r not in fused]
    failed = [replace(r, trial=Trial(note=_FAILED)) for r in finding.remedies if kept.get(r.id, r) is None]
    habits = [r for r in rest if ROWS[r.id].tried is TrialKind.TRAINING]
    if not first:  # what did not do in this line may do before it: rather than a way of training
        return replace(finding, remedies=(*fused, *(r for r in rest if r not in habits), *failed, *habits))
    return replace(finding, remedies=(*fused, *sorted(first, key=lambda r: r.trial.outcome != "fixed"), *rest))


def _with_buffer_filled(finding: Finding) -> Finding:
    """Where the user's line reads a buffer, NaN may be meant, as in slots that are not in use: fill it there first."""
    name, code = str(finding.evidence["buffer"]).rpartition(".")[2], finding.source.code if finding.source else ""
    line = filled(code, name)
    if line is None:
        return replace(finding, remedies=tuple(r for r in finding.remedies if r.id != "data-cleaning"))
    note = "untried: a buffer is filled by hand, or where it is read"
    filling = [replace(r, code=line, trial=Trial(note=note)) for r in finding.remedies if r.id == "data-cleaning"]
    return replace(finding, remedies=(*filling, *(r for r in finding.remedies if r.id != "data-cleaning")))


def _outside(remedies: list[Remedy], finding: Finding) -> list[Remedy]:
    """What is to be passed first, where the user's line takes it; of the rest what means anything to the op."""
    op, code = plain_op(finding.op or ""), finding.source.code if finding.source else ""
    fitting = [remedy for remedy in remedies if _fits(remedy.id, finding)]
    if is_custom(finding.op or ""):
        return fitting
    if _is_of_a_weight(finding):
        return sorted(fitting, key=lambda remedy: remedy.id != "init")
    low, high = finding.evidence.get("smallest_input", -1.0), finding.evidence.get("largest_input", 2.0)
    shares = isinstance(low, (int, float)) and isinstance(high, (int, float)) and 0 <= low <= high <= 1
    inside = op in _GUARDED and not calls(code, op)
    passed = {r.id: from_outside(r, op, code, shares=shares, inside=inside) for r in remedies if _serves(r.id, finding)}
    return [r for r in passed.values() if r is not None] + [r for r in fitting if passed.get(r.id) is None]


def _serves(remedy: str, finding: Finding) -> bool:
    """Whether it is meant for the values that went in: of a mask of -Inf a finite one, and not a clamp."""
    masked = finding.evidence.get("smallest_input") == -math.inf
    if remedy == "finite-min" and finding.cause == "where-trap":
        return masked
    return not (remedy == "clamp" and masked)


_GUARDED = {guard.op for guards in _GUARDS.values() for guard in guards}
"""What can be called in a line and guarded there."""


def _fits(remedy: str, finding: Finding) -> bool:
    """Whether a remedy that cannot be written into the line means anything to the op."""
    op, cause = plain_op(finding.op or ""), finding.cause
    if op in UNSET:  # no weight
        return False
    if remedy == "double-where" and cause in ("where-trap", "zero-times-inf"):
        return True
    if remedy in _OF_AN_OP:
        acted_on = {guard.op for guard in _GUARDS[remedy]} | _ALSO_OF.get(remedy, frozenset())
        return op in acted_on and not (remedy == "clamp" and _is_too_large(cause, op))
    if remedy == "init" and cause in ("zero-div-zero", "zero-norm"):
        return _is_of_a_weight(finding)
    words = _WORDS.get((remedy, cause), _WORDS.get((remedy, ""), ("",)))
    return _serves(remedy, finding) and any(
        word in f"{op} {finding.source.code if finding.source else ''}" for word in words
    )


_ALSO_OF = {"jitter": DECOMPOSITIONS, "eps": LENGTHS}
"""Ops that a remedy means something to, though it cannot be written into their line by itself."""
_OF_AN_OP = ("clamp", "eps", "jitter", "variance-floor", "double-where", "exp-of-minus")
"""Remedies that are written around a call of the op."""
_WORDS: Mapping[tuple[str, str], tuple[str, ...]] = {
    ("log-softmax", ""): ("exp", "log", "softmax", "sigmoid"),
    ("softmax", ""): ("exp",),
    ("xlogy", ""): ("log",),
    ("softplus", "exp-overflow"): ("exp",),
    ("scale-logits", "exp-overflow"): ("exp", "logits", "softmax", "attention", "cosh", "sinh"),
    ("slogdet", "exp-overflow"): ("det",),
}
"""By remedy, and cause where that matters, words of which the op or its line has to have one."""
_FUSED = ("log-softmax", "softmax")
"""They change nothing that is healthy, and are first only where there is a softmax to be fused."""
_OF_SOFTMAX = (*_FUSED, "scale-logits")
_FAILED = "carried out in this line it does not cure, or changes healthy values: guard what it is made of"


def _told(remedy: Remedy, ladder: Sequence[Guard], carried: Carried | None) -> Remedy | None:
    if carried is None or not carried.seen:
        why = "no passes were left to carry it out" if carried is None else "the line makes this call out of reach"
        return replace(remedy, code=ladder[0].line, trial=Trial(note=f"untried: {why}"))
    if carried.guard is None:
        return None
    note = f"carried out: the loss is {carried.loss:.4g}, all gradients are finite, and no healthy value changed"
    return replace(remedy, code=carried.guard.line, trial=Trial(outcome="fixed", note=note))
