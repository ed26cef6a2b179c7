"""The first thing that Python runs in a process below `gradcheck run`: this folder is then the first on PYTHONPATH.

It leaves everything as it would be without it, but for an import hook that waits for torch. Any Python may come by
here, so it is written for old ones too; it imports next to nothing, and nothing of it that goes wrong is raised.
"""

import os
import sys

TYPE_CHECKING = False  # as typing has it, whose import every process would pay for
if TYPE_CHECKING:
    from typing import Any

NEWEST_TOO_OLD = (3, 9)
_HERE = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH100, PTH120 - pathlib costs as much as all of this
_ROOT = os.path.dirname(os.path.dirname(os.path.dirname(_HERE)))  # noqa: PTH120


class WhenTorchIsImported:
    """A finder that has the watcher attached once torch has been imported, and then goes away.

    Args:
        folder: The folder of the session.
    """

    def __init__(self, folder: str) -> None:
        self._folder = folder

    def find_spec(self, name: str, path: "Any" = None, target: "Any" = None) -> "Any":
        """Nothing, but for torch what the other finders find, which will tell when it is done."""
        if name != "torch":
            return None
        for finder in sys.meta_path:
            find = None if finder is self else getattr(finder, "find_spec", None)
            spec = find(name, path, target) if find else None
            if spec is not None:
                self._wait_for(spec)
                return spec
        return None

    def _wait_for(self, spec: "Any") -> None:
        """Attach the watcher when the import system lets go of the module.

        No loader is wrapped, since that would show in the traceback of an import that fails or is interrupted.
        """
        kind = type(spec)

        class Telling(kind):  # type: ignore[misc, valid-type]
            @property
            def _initializing(this: "Any") -> bool:
                return bool(this.__dict__.get("_initializing"))

            @_initializing.setter
            def _initializing(this: "Any", busy: bool) -> None:
                this.__dict__["_initializing"] = busy
                if not busy:
                    this.__class__ = kind
                    self._done(this)

        spec.__class__ = Telling

    def _done(self, spec: "Any") -> None:
        torch = sys.modules.get("torch")  # which is gone if it could not be imported
        if torch is not None and torch.__spec__ is spec and self in sys.meta_path:
            sys.meta_path.remove(self)
            attach(self._folder)


def attach(folder: str) -> None:
    """Attach the watcher to torch, or note why it could not be."""
    try:
        if sys.version_info[:2] <= NEWEST_TOO_OLD:
            raise RuntimeError(f"Python {sys.version_info[0]}.{sys.version_info[1]} is too old to be watched")
        import_gradcheck()
        from gradcheck_cli.worker.watched import attach

        attach(folder)
    except Exception as error:
        note(folder, f"{type(error).__name__}: {error}")


def import_gradcheck() -> None:
    """Import the package that this file lies in, which this Python need not have installed."""
    if "gradcheck_cli" in sys.modules:
        return
    from importlib.machinery import PathFinder
    from importlib.util import module_from_spec

    spec = PathFinder.find_spec("gradcheck_cli", [_ROOT])
    if spec is None or spec.loader is None:
        raise ImportError("gradcheck is gone")
    module = sys.modules["gradcheck_cli"] = module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules["gradcheck_cli"]
        raise


def note(folder: str, text: str) -> None:
    """Leave word in the session of what went wrong."""
    try:
        with open(os.path.join(folder, f"{os.getpid()}.note"), "a") as file:  # noqa: PTH118, PTH123
            file.write(text + "\n")
    except Exception:  # there is nobody to tell
        pass


def _step_aside() -> None:
    """Take this folder off the path, so that whoever comes next finds it as it would be."""
    sys.path[:] = [entry for entry in sys.path if os.path.abspath(entry) != _HERE]  # noqa: PTH100
    sys.path_importer_cache.pop(_HERE, None)
    sys.modules.pop(__name__, None)


def _boot() -> None:
    folder = os.environ.get("GRADCHECK_RUN")
    tracker = any("_tracker import" in argument for argument in getattr(sys, "orig_argv", ()))
    if folder and not tracker:
        sys.meta_path.insert(0, WhenTorchIsImported(folder))


if __name__ == "sitecustomize":
    _step_aside()
    _boot()
    import sitecustomize  # type: ignore[import-not-found] # noqa: F401 - the site's own, if there is one
