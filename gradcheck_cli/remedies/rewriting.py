"""A guard written into the user's own line: `torch.log(p)` becomes `torch.log(p.clamp(min=1e-08))`."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from gradcheck_cli.records.guard import Guard, position, spellings

_NAMESPACES = {"torch", "F", "nn", "linalg", "special"}
_OWNERS = {"self", "cls", "model", "math", "np", "numpy", "jnp"}
"""What has functions of such names that are not torch's."""
_OPERATORS = {"div": ast.Div, "reciprocal": ast.Div, "pow": ast.Pow}
_MAYBE = (ast.Lambda, ast.IfExp, ast.BoolOp, ast.ListComp, ast.GeneratorExp, ast.DictComp, ast.SetComp)
"""What does not run all that stands in it once: nothing may be taken out of it."""


_FORMULA = (ast.Name, ast.Constant, ast.BinOp, ast.UnaryOp, ast.operator, ast.unaryop, ast.expr_context)
_METHODS = ("mul", "div", "add", "sub", "neg")


@dataclass(frozen=True, kw_only=True)
class _Place:
    """A call of an op: its node, the operand that makes the trouble, and the arguments behind that."""

    node: ast.expr | ast.AugAssign
    x: ast.expr
    rest: tuple[ast.expr, ...] = ()
    function: bool = False


def rewritten(code: str, guard: Guard) -> str | None:
    """The user's line with the only call of the guard's op made safe; None where that cannot be done safely.

    Args:
        code: One line of source, without indentation.
        guard: What to make of the call; its own `line` is not read.
    """
    try:
        tree = ast.parse(code)
    except SyntaxError:  # a line of a longer statement
        return None
    places = _all_places(tree, guard.op)
    if len(places) > 1 and guard.argument and not (guard.chosen or guard.result or guard.before):
        return ast.unparse(_Everywhere(guard).visit(tree))
    if len(places) != 1 or not _writes_alike(places[0], guard):
        return None
    if guard.before:
        return _preceded(code, tree, places[0], guard)
    names = _names(places[0], guard)
    if names is None or (guard.chosen and any(isinstance(node, _MAYBE) for node in ast.walk(tree))):
        return None
    return _line(tree, places[0], guard, names)


def calls(code: str, op: str) -> bool:
    """Whether the user's line calls an op by itself, or it cannot be said."""
    try:
        return bool(_all_places(ast.parse(code), op))
    except SyntaxError:
        return True


def _all_places(tree: ast.Module, op: str) -> list[_Place]:
    """All calls of an op; of a reciprocal the divisions, where no number is written above one: a variable may be it."""
    places = [place for node in ast.walk(tree) for place in _places(node, op)]
    return _all_places(tree, "div") if op == "reciprocal" and not places else places


def filled(code: str, attribute: str) -> str | None:
    """The user's line with 0 for NaN where it reads an attribute once, such as a buffer; None where it does not.

    Args:
        code: One line of source, without indentation.
        attribute: The name of the attribute, without what it belongs to.
    """
    try:
        tree = ast.parse(code)
    except SyntaxError:
        return None
    read = [node for node in ast.walk(tree) if isinstance(node, ast.Attribute) and node.attr == attribute]
    if len(read) != 1 or not isinstance(read[0].ctx, ast.Load):
        return None
    new = ast.Call(ast.Attribute(ast.Name("torch"), "nan_to_num"), [read[0]], [])
    return ast.unparse(_Swap({read[0]: new}).visit(tree))


def _preceded(code: str, tree: ast.Module, place: _Place, guard: Guard) -> str | None:
    """The line after a statement for the one variable that the operand is a plain formula of; None where it is none."""
    names = [node for node in ast.walk(place.x) if isinstance(node, ast.Name)]
    if len(names) != 1 or not _is_formula(place.x) or any(isinstance(node, _MAYBE) for node in ast.walk(tree)):
        return None
    return f"{names[0].id} = {ast.unparse(_filled(guard.argument, {'x': names[0]}))}; {code}"


def _is_formula(node: ast.expr) -> bool:
    """Whether an operand is made of variables by plain arithmetic, as `0.5 * logvar` and `logvar.mul(0.5)` are."""
    called = [each for each in ast.walk(node) if isinstance(each, ast.Call)]
    methods = {id(each.func) for each in called if isinstance(each.func, ast.Attribute) and each.func.attr in _METHODS}
    return len(methods) == len(called) and all(
        isinstance(each, (*_FORMULA, ast.Call)) or id(each) in methods for each in ast.walk(node)
    )


def _writes_alike(place: _Place, guard: Guard) -> bool:
    """Whether a result that is spelled out writes in place where the user's call does."""
    if not guard.result or "y" in {name.id for name in _all_names(guard.result)}:
        return True
    name = _name(place.node.func) if isinstance(place.node, ast.Call) else ""
    return name.endswith("_") == guard.op.endswith("_")


def _line(tree: ast.Module, place: _Place, guard: Guard, names: dict[str, ast.expr]) -> str:
    before = []
    if guard.chosen:
        if any(isinstance(node, ast.Call | ast.BinOp) for node in ast.walk(place.x)):
            before.append(f"arg = {ast.unparse(place.x)}")
            names["x"] = ast.Name("arg")
        before.append(f"ok = {ast.unparse(_filled(guard.chosen, names))}")
    argument = _filled(guard.argument, names) if guard.argument else names["x"]
    call = _called(place, argument, guard)
    new = _filled(guard.result, names | {"y": call}) if guard.result else call
    if isinstance(place.node, ast.AugAssign):
        return "; ".join([*before, _assigned(place.node, guard, argument, new)])
    return "; ".join([*before, ast.unparse(_Swap({place.node: new}).visit(tree))])


def _assigned(node: ast.AugAssign, guard: Guard, argument: ast.expr, new: ast.expr) -> str:
    target = ast.unparse(node.target)
    if guard.result:
        return f"{target} = {ast.unparse(new)}"
    return f"{target} {'/' if isinstance(node.op, ast.Div) else '**'}= {ast.unparse(argument)}"


def _names(place: _Place, guard: Guard) -> dict[str, ast.expr] | None:
    """What the names in a guard stand for; None where the call does not say it."""
    names = {"x": place.x}
    keywords = {k.arg: k.value for k in place.node.keywords} if isinstance(place.node, ast.Call) else {}
    second = place.rest[0] if place.rest else None
    given = {"dim": keywords.get("dim", second), "second": second}
    given |= {"numerator": _numerator(place), "power": _power(place.x)}
    wanted = {node.id for text in (guard.chosen, guard.argument, guard.result) for node in _all_names(text)}
    for name in wanted & set(given):
        value = given[name]
        if value is None:
            return None
        names[name] = value
    if guard.plain and (len(place.rest) > ("second" in wanted or guard.keyword != "") or keywords):
        return None
    return names


def _numerator(place: _Place) -> ast.expr | None:
    return place.node.left if isinstance(place.node, ast.BinOp) else None


def _power(x: ast.expr) -> ast.expr | None:
    """What an exp is taken of."""
    if not isinstance(x, ast.Call) or _name(x.func) != "exp":
        return None
    function = x.func
    if isinstance(function, ast.Attribute) and not _is_namespace(function.value):
        return function.value
    return x.args[0] if x.args else None


def _all_names(text: str) -> list[ast.Name]:
    return [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Name)]


def _filled(text: str, names: dict[str, ast.expr]) -> ast.expr:
    """An expression with its names replaced."""
    body = ast.parse(text, mode="eval").body
    made = _Swap({n: names[n.id] for n in ast.walk(body) if isinstance(n, ast.Name) and n.id in names}).visit(body)
    assert isinstance(made, ast.expr)
    return made


def _called(place: _Place, argument: ast.expr, guard: Guard) -> ast.expr:
    """The call with another argument, function or keyword."""
    node = place.node
    if isinstance(node, ast.AugAssign):
        left = ast.parse(ast.unparse(node.target), mode="eval").body
        return ast.BinOp(left, node.op, argument)
    if isinstance(node, ast.BinOp):
        left, right = (argument, node.right) if isinstance(node.op, ast.Pow) else (node.left, argument)
        return ast.BinOp(left, node.op, right)
    assert isinstance(node, ast.Call)
    function: ast.expr = node.func
    if isinstance(function, ast.Attribute):
        name = guard.instead or function.attr
        function = ast.Attribute(function.value if place.function else argument, name)
    args = [argument if arg is place.x else arg for arg in node.args]
    name, _, value = guard.keyword.partition("=")
    kept = [k for k in node.keywords if k.arg != name]
    added = [ast.keyword(name, ast.parse(value, mode="eval").body)] if name else []
    return ast.Call(function, args, kept + added)


class _Swap(ast.NodeTransformer):
    """Puts other nodes in the place of some."""

    def __init__(self, by: dict[ast.AST, ast.expr]) -> None:
        self._by = {id(old): new for old, new in by.items()}

    def visit(self, node: ast.AST) -> ast.AST:
        """The node, or what stands in its place."""
        found = self._by.get(id(node))
        return self.generic_visit(node) if found is None else found


class _Everywhere(ast.NodeTransformer):
    """Guards the argument of every call of an op, the innermost first."""

    def __init__(self, guard: Guard) -> None:
        self._guard = guard

    def visit(self, node: ast.AST) -> ast.AST:
        """The node, or the guarded call."""
        node = self.generic_visit(node)
        for place in _places(node, self._guard.op):
            return _called(place, _filled(self._guard.argument, {"x": place.x}), self._guard)
        return node


def _places(node: ast.AST, op: str) -> list[_Place]:
    """A call of `op`, as torch.op(x), x.op() or an operator."""
    kind = _OPERATORS.get(op)
    if kind is not None and isinstance(node, ast.BinOp) and isinstance(node.op, kind):
        inverse = kind is ast.Div and isinstance(node.left, ast.Constant)  # 1 / x is a reciprocal
        if kind is ast.Div and inverse is not (op == "reciprocal"):
            return []
        return [_Place(node=node, x=node.left if kind is ast.Pow else node.right)]
    if kind is ast.Div and isinstance(node, ast.AugAssign) and isinstance(node.op, kind):
        return [_Place(node=node, x=node.value)]
    if not isinstance(node, ast.Call) or _name(node.func).rstrip("_") not in spellings(op):
        return []
    return list(_called_places(node, node.func, position(op)))


def _called_places(node: ast.Call, function: ast.expr, position: int) -> Iterator[_Place]:
    """As a function, or as a method; neither of what is no tensor."""
    if isinstance(function, ast.Name) or (isinstance(function, ast.Attribute) and _is_namespace(function.value)):
        if len(node.args) > position and not any(isinstance(arg, ast.Starred) for arg in node.args):
            yield _Place(node=node, x=node.args[position], rest=tuple(node.args[position + 1 :]), function=True)
        return
    assert isinstance(function, ast.Attribute)
    if isinstance(function.value, ast.Name) and function.value.id in _OWNERS:
        return
    if not position:
        yield _Place(node=node, x=function.value, rest=tuple(node.args))
    elif len(node.args) >= position:
        yield _Place(node=node, x=node.args[position - 1], function=True)


def _name(function: ast.expr) -> str:
    if isinstance(function, ast.Name):
        return function.id
    return function.attr if isinstance(function, ast.Attribute) else ""


def _is_namespace(node: ast.expr) -> bool:
    while isinstance(node, ast.Attribute):
        if node.attr not in _NAMESPACES | {"functional"}:
            return False
        node = node.value
    return isinstance(node, ast.Name) and node.id in _NAMESPACES
