"""The line of a script that makes the batch which a loss is given: the loop over the loader, or the slice."""

from __future__ import annotations

import ast
import functools
import linecache
from collections.abc import Iterator

from gradcheck_cli.records.source import SourceLine

_Scope = ast.Module | ast.FunctionDef | ast.AsyncFunctionDef


@functools.cache
def target_made_at(line: SourceLine) -> SourceLine | None:
    """Where the names that a loss is given as its target were last bound above its line, in the same function.

    A loop over a loader leads on to the line that makes the loader, where that stands in the same file.

    Args:
        line: The line that calls the loss.

    Returns:
        None where the file cannot be read, or the target comes from elsewhere, as an argument does.
    """
    try:
        tree = ast.parse("".join(linecache.getlines(line.file)))
    except SyntaxError:  # a notebook's cell
        return None
    scope = _scope_of(tree, line.line)
    names = {name for call in _calls(scope, line.line) for name in _names(_target(call))}
    made = [node for node, bound in _bindings(scope) if node.lineno <= line.line and bound & names]
    if not made:
        return None
    last = max(made, key=lambda node: node.lineno)
    loaders = [node.lineno for node in _loaders(tree, last)] if isinstance(last, ast.For) else []
    return SourceLine(file=line.file, line=max(loaders, default=last.lineno))


def _scope_of(tree: ast.Module, line: int) -> _Scope:
    """The innermost function that a line is in, or the module."""
    around = (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    holding = [node for node in around if node.lineno <= line <= (node.end_lineno or line)]
    return max(holding, key=lambda node: node.lineno, default=tree)


def _calls(scope: _Scope, line: int) -> Iterator[ast.Call]:
    """The calls with an output and a target on a line."""
    for node in ast.walk(scope):
        if isinstance(node, ast.Call) and node.lineno <= line <= (node.end_lineno or line) and _target(node):
            yield node


def _target(call: ast.Call) -> ast.expr | None:
    named = next((keyword.value for keyword in call.keywords if keyword.arg == "target"), None)
    return named or (call.args[1] if len(call.args) > 1 else None)


def _names(expression: ast.expr | None) -> Iterator[str]:
    for node in ast.walk(expression) if expression is not None else ():
        if isinstance(node, ast.Name):
            yield node.id


def _bindings(scope: _Scope) -> Iterator[tuple[ast.For | ast.Assign, set[str]]]:
    """What binds names, a loop or an assignment, and which."""
    for node in ast.walk(scope):
        if isinstance(node, ast.For | ast.Assign):
            targets = [node.target] if isinstance(node, ast.For) else node.targets
            yield node, {name for target in targets for name in _names(target)}


def _loaders(tree: ast.Module, loop: ast.For) -> Iterator[ast.Assign]:
    """The assignments above a loop that make a loader which it goes over."""
    over = set(_names(loop.iter))
    for node, bound in _bindings(tree):
        if isinstance(node, ast.Assign) and node.lineno < loop.lineno and bound & over and _is_loader(node.value):
            yield node


def _is_loader(made: ast.expr) -> bool:
    called = made.func if isinstance(made, ast.Call) else None
    name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
    return name == "DataLoader"
