"""Models that a folder's Python files define, found by reading them; nothing is imported or run."""

from __future__ import annotations

import ast
import os
import warnings
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from gradcheck_cli.target.code.references import USUAL_NAMES

_SKIPPED = frozenset("__pycache__ node_modules site-packages build dist tests test".split())
_LARGEST = 2**20
_MODULES = frozenset("Module LightningModule PreTrainedModel Sequential".split())


@dataclass(frozen=True, kw_only=True, slots=True)
class Candidate:
    """A model by its reference, relative to the folder, and the arguments that it cannot be built without."""

    model: str
    needs: tuple[str, ...] = ()


def find_candidates(folder: Path) -> tuple[Candidate, ...]:
    """The models of every Python file below `folder`, by path; tests, hidden folders and environments are left out."""
    return tuple(
        Candidate(model=f"{path.relative_to(folder).as_posix()}:{name}", needs=needs)
        for path in _python_files(folder)
        for name, needs in models_in(_parsed(path))
    )


def models_in(module: ast.Module) -> list[tuple[str, tuple[str, ...]]]:
    """The names of a file's models with the arguments that each needs: the usual names, else its whole classes."""
    usual = {name: needs for name, needs in _named(module) if name in USUAL_NAMES}
    if usual:
        ordered = [(name, usual[name]) for name in USUAL_NAMES if name in usual]
        return [next((each for each in ordered if not each[1]), ordered[0])]
    classes = _module_classes(module)
    users = Counter(name for node in classes.values() for name in _mentioned(node) - {node.name})
    return [(name, _needs(_constructor(node, classes), skip=1)) for name, node in classes.items() if not users[name]]


def _python_files(folder: Path) -> Iterator[Path]:
    for root, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if _is_source(Path(root, name)))
        for name in sorted(files):
            if name.endswith(".py") and not name.startswith(("test_", "conftest", ".")) and _can_be_text(root + name):
                yield Path(root, name)


def _can_be_text(path: str) -> bool:
    """Whether a file of UTF-8, as gradcheck.yaml is, can name a path."""
    return not any("\ud800" <= character <= "\udfff" for character in path)


def _is_source(folder: Path) -> bool:
    return folder.name not in _SKIPPED and not folder.name.startswith(".") and not (folder / "pyvenv.cfg").exists()


def _parsed(path: Path) -> ast.Module:
    """A file's syntax tree; empty for one that is no Python, is huge or has nothing to do with torch."""
    nothing = ast.Module(body=[], type_ignores=[])
    try:
        content = path.read_bytes() if path.is_file() and path.stat().st_size <= _LARGEST else b""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the user's own escapes and comparisons
            return ast.parse(content) if b"torch" in content else nothing
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
        return nothing


def _named(module: ast.Module) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Functions with the arguments they need, and variables that are made by a call."""
    for node in module.body:
        if isinstance(node, ast.FunctionDef):
            yield node.name, _needs(node)
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call):
            yield from ((target.id, ()) for target in node.targets if isinstance(target, ast.Name))


def _module_classes(module: ast.Module) -> dict[str, ast.ClassDef]:
    """The classes that derive from a torch module, in the file itself included."""
    classes: dict[str, ast.ClassDef] = {}
    for node in module.body:
        if isinstance(node, ast.ClassDef) and any(base in _MODULES or base in classes for base in _bases(node)):
            classes[node.name] = node
    return classes


def _bases(node: ast.ClassDef) -> list[str]:
    return [base.attr if isinstance(base, ast.Attribute) else getattr(base, "id", "") for base in node.bases]


def _constructor(node: ast.ClassDef, classes: dict[str, ast.ClassDef]) -> ast.FunctionDef | None:
    """The `__init__` of a class, or the first that it inherits within the file, its bases from left to right."""
    waiting, seen = [node], set[str]()
    while waiting:
        each = waiting.pop(0)
        for inner in each.body:
            if isinstance(inner, ast.FunctionDef) and inner.name == "__init__":
                return inner
        new = [base for base in _bases(each) if base in classes and base not in seen]
        seen.update(new)
        waiting[:0] = [classes[base] for base in new]
    return None


def _needs(function: ast.FunctionDef | None, skip: int = 0) -> tuple[str, ...]:
    """The names of the arguments without a default, after the first `skip`."""
    if function is None:
        return ()
    arguments = function.args
    positional = [*arguments.posonlyargs, *arguments.args]
    required = positional[skip : len(positional) - len(arguments.defaults)]
    pairs = zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
    return tuple(each.arg for each in [*required, *(each for each, default in pairs if default is None)])


def _mentioned(node: ast.ClassDef) -> set[str]:
    return {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}
