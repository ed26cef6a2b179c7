"""Import the user's files and modules, and look names up in them."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import os
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from gradcheck_cli.errors import TargetError
from gradcheck_cli.target.code.locating import located, start
from gradcheck_cli.target.code.references import Reference
from gradcheck_cli.target.code.usercode import user_code
from gradcheck_cli.words import did_you_mean, listing


@dataclass(frozen=True, slots=True)
class UserModule:
    """An imported module of the user's; `label` is how they named it."""

    module: ModuleType
    label: str

    def get(self, dotted: str) -> Any:
        """Return the object at a dotted name.

        Raises:
            TargetError: There is none; the message suggests close names and the hint lists them.
        """
        found: Any = self.module
        for part in dotted.split("."):
            with user_code(f"reading `{dotted}` in {self.label}"):
                missing = not hasattr(found, part)
                found = None if missing else getattr(found, part)
            if missing:
                raise self._no_name(dotted)
        return found

    def find(self, name: str) -> Any | None:
        """Return the object at a plain name, or None."""
        return vars(self.module).get(name)

    def own_names(self) -> list[str]:
        """Names that the module itself defines, as opposed to what it imports; values included."""
        return [name for name, value in vars(self.module).items() if self._is_own(name, value)]

    def _is_own(self, name: str, value: Any) -> bool:
        if name.startswith("_") or inspect.ismodule(value):
            return False
        home = getattr(value, "__module__", None)
        defined = inspect.isclass(value) or inspect.isroutine(value)
        return home == self.module.__name__ if defined else True

    def _no_name(self, dotted: str) -> TargetError:
        names = self.own_names()
        if not names:
            return TargetError(f"{self.label} has no `{dotted}`", hint="It defines no name of its own.")
        return TargetError(
            f"{self.label} has no `{dotted}`{did_you_mean(dotted, names)}", hint=f"It has {listing(names)}."
        )


class Imports:
    """The modules that one check has imported, so that a file named twice runs once."""

    def __init__(self) -> None:
        self._modules: dict[str, UserModule] = {}

    def get(self, reference: Reference) -> UserModule:
        """Import what `reference` lies in.

        Raises:
            TargetError: There is no such module.
            UserCodeError: The user's code raised while it ran.
        """
        key = str(located(reference.location).resolve()) if reference.is_file else reference.location
        if key not in self._modules:
            load = _import_file if reference.is_file else _import_module
            self._modules[key] = UserModule(load(reference.location), reference.location)
        return self._modules[key]


def _import_module(name: str) -> ModuleType:
    # A console script's path lacks the working folder, which `python -m` would have put first.
    _add_to_path(start(), first=True)
    try:
        with _as_script(name):
            return importlib.import_module(name)
    except ModuleNotFoundError as exc:
        # Missing itself, or a parent of it: their slip. Anything else is a dependency of their code.
        if exc.name and (name == exc.name or name.startswith(f"{exc.name}.")):
            raise TargetError(f"there is no module `{exc.name}`", hint=_module_hint(name)) from exc
        with user_code(f"importing {name}"):
            raise
    except BaseException:
        with user_code(f"importing {name}"):
            raise
    raise AssertionError("unreachable: user_code always raises here")


def _module_hint(name: str) -> str:
    file = Path(*name.split(".")).with_suffix(".py")
    if os.path.lexists(located(file)):  # unlike Path.exists, of a name that is too long as well
        return f"To name the file, write {file}."
    return "It is looked up in this folder and among the installed packages; write a file as path/file.py."


def _import_file(location: str) -> ModuleType:
    path = located(location).resolve()
    root, dotted = _package_of(path)
    _add_to_path(root, first=True)
    _add_to_path(start(), first=False)
    with user_code(f"importing {location}"), _as_script(location):
        if "." in dotted and _is_free(root, dotted):
            return importlib.import_module(dotted)
        return _run_alone(path)


def _package_of(path: Path) -> tuple[Path, str]:
    """The folder to import from and the dotted name there: relative imports need the package's name."""
    parts = [] if path.stem == "__init__" else [path.stem]
    folder = path.parent
    while (folder / "__init__.py").exists() and folder.name.isidentifier():
        parts.insert(0, folder.name)
        folder = folder.parent
    dotted = ".".join(parts)
    return folder, dotted if all(part.isidentifier() for part in parts) else ""


def _is_free(root: Path, dotted: str) -> bool:
    """Whether the top package's name is not already taken by another package of that name."""
    top = dotted.split(".", maxsplit=1)[0]
    taken = sys.modules.get(top)
    if taken is None:
        return True
    return str(root / top) in [str(Path(folder).resolve()) for folder in getattr(taken, "__path__", [])]


def _run_alone(path: Path) -> ModuleType:
    # A name of its own in sys.modules: dataclasses and pickle look their module up there, and a file
    # called test.py or types.py must not stand in for the standard one.
    name = f"gradcheck_target_{path.stem}_{zlib.crc32(os.fsencode(path)):08x}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise TargetError(f"{path.name} is not a Python file", hint="Name a file that ends in .py.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _add_to_path(folder: Path, *, first: bool) -> None:
    # It stays there for as long as the check runs: user code imports its neighbours lazily as well.
    entry = str(folder)
    if entry not in sys.path:
        sys.path.insert(0 if first else len(sys.path), entry)


@contextmanager
def _as_script(location: str) -> Iterator[None]:
    """Hide gradcheck's own arguments from a file that parses sys.argv when it is imported."""
    saved = sys.argv
    sys.argv = [location]
    try:
        yield
    finally:
        sys.argv = saved
