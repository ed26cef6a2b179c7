"""A remedy written into the user's own line: `torch.log(p)` becomes `torch.log(p.clamp(min=1e-08))`."""

from __future__ import annotations

import ast
from collections.abc import Callable

_POSITIVE = "({x}).clamp(min=1e-8)"
_WITHIN_ONE = "({x}).clamp(-1 + 1e-6, 1 - 1e-6)"
_ABOVE = "({x}) + 1e-8"
_CHOSEN = "torch.where(({x}) > 1e-8, ({x}), 1.0)"
_ROOTS = dict.fromkeys(("log", "log2", "log10", "sqrt", "rsqrt", "pow", "reciprocal", "div", "lgamma"), _ABOVE)
_ARGUMENTS: dict[str, dict[str, str]] = {
    "eps": {op: form for op, form in _ROOTS.items() if op != "pow"},  # what is below zero stays there
    "clamp": dict.fromkeys(_ROOTS, _POSITIVE)
    | dict.fromkeys(("acos", "asin", "atanh"), _WITHIN_ONE)
    | {"logit": "({x}).clamp(1e-6, 1 - 1e-6)", "log1p": "({x}).clamp(min=-1 + 1e-6)"}
    | dict.fromkeys(("exp", "expm1", "cosh", "sinh"), "({x}).clamp(-80, 80)"),
    "double-where": dict.fromkeys(_ROOTS, _CHOSEN),
}
"""By remedy and op, what stands in place of the op's argument `x`."""


def rewritten(code: str, op: str, remedy: str, cause: str = "") -> str | None:
    """The user's line with a remedy applied to its only call of `op`; None where that cannot be done safely.

    Args:
        code: One line of source, without indentation.
        op: The op's plain name, such as "log".
        remedy: The id of the remedy.
        cause: The cause it is for: what overflows is too large, and a floor under it is no help.
    """
    form = _ARGUMENTS.get(remedy, {}).get(op.rstrip("_"))
    if form is None or (cause == "exp-overflow" and op in _ROOTS):
        return None
    try:
        tree = ast.parse(code)
    except SyntaxError:  # a line of a longer statement
        return None
    places = [place for node in ast.walk(tree) for place in _arguments(node, op.rstrip("_"))]
    if len(places) != 1:
        return None
    argument, put = places[0]
    put(ast.parse(form.format(x=ast.unparse(argument)), mode="eval").body)
    return ast.unparse(tree)


def _arguments(node: ast.AST, op: str) -> list[tuple[ast.expr, Callable[[ast.expr], None]]]:
    """The argument of a call of `op`, as torch.op(x), x.op() or an operator, and what puts another in its place."""
    operator = {"div": ast.Div, "pow": ast.Pow}.get(op)
    if operator is not None and isinstance(node, ast.BinOp) and isinstance(node.op, operator):
        side = "right" if op == "div" else "left"
        return [(getattr(node, side), lambda new: setattr(node, side, new))]
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute) or node.func.attr != op:
        return []
    function = node.func
    if isinstance(function.value, ast.Name) and function.value.id in ("torch", "F", "np"):
        position = 1 if op == "div" else 0
        if len(node.args) <= position:
            return []
        return [(node.args[position], lambda new: node.args.__setitem__(position, new))]
    if op == "div":
        return [(node.args[0], lambda new: node.args.__setitem__(0, new))] if node.args else []
    return [(function.value, lambda new: setattr(function, "value", new))]
