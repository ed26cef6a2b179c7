"""Imports of ours inside the user's process, who may have files that are named like modules of Python's."""

from __future__ import annotations

import sys
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.machinery import PathFinder
from pathlib import Path

_PYTHON = tuple({sysconfig.get_path(name) for name in ("stdlib", "platstdlib")})
_INSTALLED = tuple({sysconfig.get_path(name) for name in ("purelib", "platlib")})


@contextmanager
def pythons_own() -> Iterator[None]:
    """Inside, what is named like a module of Python's is that module; what the script has under the name comes back."""
    path, known = list(sys.path), set(sys.modules)
    theirs = {name: module for name, module in list(sys.modules.items()) if _is_theirs(name)}
    for name in theirs:
        del sys.modules[name]
    sys.path[:] = inside = sorted(path, key=lambda entry: not _is_python(entry))
    try:
        yield
    finally:
        if sys.path == inside:
            sys.path[:] = path
        beside = [entry for entry in path if not _is_python(entry)]
        new = [name for name in sys.modules if name not in known and _top(name) in sys.stdlib_module_names]
        found = {top: PathFinder.find_spec(top, beside) is not None for top in map(_top, new)}
        for name in new:
            if found[_top(name)]:
                del sys.modules[name]
        for name in [name for name in sys.modules if _top(name) in theirs]:
            del sys.modules[name]
        sys.modules.update(theirs)


def _is_theirs(name: str) -> bool:
    top = _top(name)
    file = getattr(sys.modules.get(top), "__file__", None)
    return top in sys.stdlib_module_names and isinstance(file, str) and not _is_python(file) and name != "__main__"


def _top(name: str) -> str:
    return name.partition(".")[0]


def _is_python(path: str) -> bool:
    """Whether a file or a folder is one of Python's own, and not of what is installed."""
    full = str(Path(path).absolute())
    return full.startswith(_PYTHON) and not full.startswith(_INSTALLED)
