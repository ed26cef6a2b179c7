"""Numbers of a run: each says what it is, and why it is that."""

from __future__ import annotations

import ast
import dataclasses
import inspect

from gradcheck_cli.records import alarmlimits
from gradcheck_cli.records.alarmlimits import Alarming


def test_every_number_has_a_docstring_with_its_reason() -> None:
    """Behind a colon, or in a clause or a sentence of its own."""
    table = next(node for node in ast.parse(inspect.getsource(alarmlimits)).body if isinstance(node, ast.ClassDef))
    told = {}
    for field, after in zip(table.body, table.body[1:], strict=False):
        if isinstance(field, ast.AnnAssign) and isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant):
            told[ast.unparse(field.target)] = str(after.value.value)
    assert list(told) == [field.name for field in dataclasses.fields(Alarming)]
    bare = [name for name, text in told.items() if not any(mark in text for mark in (": ", ". ", "; ", ", "))]
    assert not bare, bare
