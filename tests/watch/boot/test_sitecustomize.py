"""The boot: a Python that has it differs from one that has not by an import hook, and with torch by the watcher.

A toy torch and a toy gradcheck stand in for the real ones, so that a process costs a few hundredths of a second: the
boot finds the package that it lies in, wherever that is.
"""

from __future__ import annotations

import ast
import json
import os
import shutil
import subprocess
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pytest

import gradcheck_cli
from gradcheck_cli.worker.script import BOOT

SOURCE = Path(BOOT, "sitecustomize.py")
WATCHED = "import os\ndef attach(folder):\n    print(end='attached ')\n"


def write(path: Path, text: str = "") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


Ended = subprocess.CompletedProcess[str]


class Booted:
    """Runs Python with and without the boot of a toy gradcheck."""

    def __init__(self, folder: Path) -> None:
        self.session = folder / "session"
        self.session.mkdir()
        self.user = folder / "user"
        write(self.user / "torch" / "__init__.py", "from torch import nn\nvalue = 1\n")
        write(self.user / "torch" / "nn.py")
        tool = folder / "tool" / "gradcheck_cli"
        for package in (tool, tool / "worker"):
            write(package / "__init__.py")
        self.watched = write(tool / "worker" / "watched.py", WATCHED)
        self.boot = tool / "watch" / "boot"
        self.boot.mkdir(parents=True)
        shutil.copy(SOURCE, self.boot)

    def plain(self, code: str, *options: str, path: str | None = None, **more: str) -> Ended:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
        environment |= {"PYTHONPATH": str(self.user) if path is None else path, "PYTHONDONTWRITEBYTECODE": "1", **more}
        command = [sys.executable, *options, "-c", code]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    def __call__(
        self, code: str, *options: str, path: str | None = None, **more: str
    ) -> subprocess.CompletedProcess[str]:
        theirs = str(self.user) if path is None else path
        ours = f"{self.boot}{os.pathsep}{theirs}" if theirs else str(self.boot)
        return self.plain(code, *options, path=ours, **({"GRADCHECK_RUN": str(self.session)} | more))

    def notes(self) -> list[str]:
        return [path.read_text() for path in self.session.glob("*.note")]


@pytest.fixture
def booted(tmp_path: Path) -> Booted:
    return Booted(tmp_path)


# --------------------------------------------------------------------------- the watcher is attached


@pytest.mark.parametrize(
    "code",
    [
        "import torch; print(torch.value)",
        "from torch import nn; import torch; print(torch.value)",
        "import torch.nn; print(torch.value)",
        "def f():\n    import torch\n    return torch.value\nprint(f())",
        "import importlib; print(importlib.import_module('torch').value)",
        "import threading\ndef f():\n    import torch\n    print(torch.value)\nthreading.Thread(target=f).start()",
        "import importlib.util as u; u.find_spec('torch'); u.find_spec('torch'); import torch; print(torch.value)",
        "import torch; import torch.nn; from torch import nn; print(torch.value)",
    ],
    ids=["import", "from", "submodule", "function", "importlib", "thread", "find_spec", "again"],
)
def test_the_watcher_is_attached_once_torch_is_there_whoever_imports_it(booted: Booted, code: str) -> None:
    ran = booted(code)
    assert (ran.stdout, ran.stderr, booted.notes()) == ("attached 1\n", "", [])


@pytest.mark.parametrize(
    "code", ["print(1)", "import importlib.util as u; u.find_spec('torch'); print(1)", "import json; print(1)"]
)
def test_without_torch_there_is_no_watcher(booted: Booted, code: str) -> None:
    assert booted(code).stdout == "1\n"
    assert not any(booted.session.iterdir())


BAD_TORCH = "import os\nif 'BAD' in os.environ: raise ImportError('no libtorch')\nvalue = 1"


def test_a_torch_that_fails_to_import_is_waited_for_again(booted: Booted) -> None:
    write(
        booted.user / "torch" / "__init__.py",
        "import os\nif 'BAD' in os.environ: raise ImportError('no libtorch')\nvalue = 1",
    )
    code = """
import os
os.environ["BAD"] = "1"
try: import torch
except ImportError as error: print(error)
del os.environ["BAD"]
import torch
print(torch.value)
"""
    assert booted(code).stdout == "no libtorch\nattached 1\n"
    without = booted("import torch", BAD="1")
    assert (without.returncode, without.stderr) == (1, booted.plain("import torch", BAD="1").stderr)


def test_no_session_no_hook(booted: Booted) -> None:
    assert booted("import torch; print(torch.value)", GRADCHECK_RUN="").stdout == "1\n"


def test_trackers_of_multiprocessing_are_left_alone(booted: Booted) -> None:
    code = "import sys; print(sum(type(finder).__name__ == 'WhenTorchIsImported' for finder in sys.meta_path))"
    assert booted(code).stdout == "1\n"
    assert booted(f"#from multiprocessing.resource_tracker import main\n{code}").stdout == "0\n"


def test_a_gradcheck_of_the_users_does_not_get_in_the_way(booted: Booted) -> None:
    write(booted.user / "gradcheck_cli" / "__init__.py", "print('another')")
    assert booted("import torch; import gradcheck_cli.worker; print(torch.value)").stdout == "attached 1\n"


# --------------------------------------------------------------------------- nothing else is different

STATE = """
import sys, json
{before}
ours = ("gradcheck_cli", "gradcheck_cli.worker", "gradcheck_cli.worker.watched")
print(json.dumps(dict(
    path=sys.path, hooks=len(sys.path_hooks), cache=sorted(sys.path_importer_cache),
    modules=sorted(set(sys.modules) - set(ours)), custom=str(sys.modules.get("sitecustomize")),
    meta_path=[name for f in sys.meta_path if (name := type(f).__name__) != "WhenTorchIsImported"],
    flags=str(sys.flags), argv=sys.argv, orig=sys.orig_argv, main=str(sys.modules["__main__"].__spec__),
)))
"""


@pytest.mark.parametrize("options", [(), ("-I",), ("-E",), ("-O",), ("-X", "utf8"), ("-s",), ("-P",)], ids=" ".join)
def test_a_python_without_torch_is_as_it_would_be(booted: Booted, options: tuple[str, ...]) -> None:
    if "-P" in options and sys.version_info < (3, 11):
        pytest.skip("Python has -P from 3.11 on")
    code = STATE.format(before="")
    plain, ours = booted.plain(code, *options), booted(code, *options)
    assert plain.returncode == 0, plain.stderr
    assert json.loads(ours.stdout) == json.loads(plain.stdout)


@pytest.mark.parametrize("path", ["", os.pathsep, "{user}", "{user}:", ":{user}", "{user}:{user}/torch:{user}"])
def test_the_path_is_as_it_would_be(booted: Booted, path: str) -> None:
    path = path.format(user=booted.user)
    plain, ours = (
        booted.plain("import sys; print(sys.path)", path=path),
        booted("import sys; print(sys.path)", path=path),
    )
    assert ours.stdout == plain.stdout


def test_torch_is_as_it_would_be(booted: Booted) -> None:
    code = "import torch; print(torch.__spec__.origin, type(torch.__loader__), vars(torch.__loader__))"
    assert booted(code).stdout == f"attached {booted.plain(code).stdout}"
    state = STATE.format(before="import torch, importlib.util, importlib.machinery")
    ours = json.loads(booted(state).stdout.removeprefix("attached "))
    plain = json.loads(booted.plain(state).stdout)
    tool = str(booted.boot.parents[2])
    ours["cache"] = [entry for entry in ours["cache"] if not entry.startswith(tool)]
    assert ours == plain


@pytest.mark.parametrize(
    "theirs",
    [
        "print('site')",
        "import sys; print(__name__, sys.modules[__name__].__file__)",
        "raise ValueError('oops')",
        "import nothing",
        "1/",
    ],
    ids=["good", "self", "raises", "imports", "syntax"],
)
def test_the_sites_own_runs_as_it_would(booted: Booted, theirs: str) -> None:
    write(booted.user / "sitecustomize.py", theirs)
    code = "import sys; print(sys.modules.get('sitecustomize')); import sitecustomize, torch; print(1)"
    plain, ours = booted.plain(code), booted(code)
    assert (ours.returncode, ours.stdout.replace("attached ", "")) == (plain.returncode, plain.stdout)
    assert ours.stderr == plain.stderr


def test_the_users_own_runs_too(booted: Booted) -> None:
    write(booted.user / "usercustomize.py", "print(end='user ')")
    assert booted("import torch; print(1)", PYTHONNOUSERSITE="").stdout in ("user attached 1\n", "attached 1\n")
    plain = booted.plain("print(1)").stdout
    assert booted("print(1)").stdout == plain


def test_a_python_that_takes_no_site_is_not_disturbed(booted: Booted) -> None:
    ran = booted("import torch; print(torch.value)", "-S")
    assert (ran.stdout, ran.stderr) == ("1\n", "")


# --------------------------------------------------------------------------- what goes wrong


@pytest.mark.parametrize(
    ("watched", "note"),
    [
        ("def attach(folder): raise RuntimeError('no hooks')", "RuntimeError: no hooks\n"),
        ("import nothing_of_that_name", "ModuleNotFoundError: No module named 'nothing_of_that_name'\n"),
        ("def attach(", "SyntaxError: "),
    ],
)
def test_a_watcher_that_fails_is_noted_and_the_script_goes_on(booted: Booted, watched: str, note: str) -> None:
    booted.watched.write_text(watched)
    ran = booted("import torch; print(torch.value)")
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "1\n", "")
    (text,) = booted.notes()
    assert text.startswith(note)


def test_a_gradcheck_that_is_gone_is_noted(booted: Booted) -> None:
    shutil.rmtree(booted.boot.parent.parent / "worker")
    assert booted("import torch; print(torch.value)").stdout == "1\n"
    assert booted.notes() == ["ModuleNotFoundError: No module named 'gradcheck_cli.worker'\n"]


def test_a_session_that_is_over_is_no_matter(booted: Booted) -> None:
    booted.watched.write_text("def attach(folder): open(folder + '/options.json')")
    booted.session.rmdir()
    ran = booted("import torch; print(torch.value)")
    assert (ran.stdout, ran.stderr, booted.session.exists()) == ("1\n", "", False)


@pytest.fixture
def module() -> Any:
    spec = spec_from_file_location("boot", SOURCE)
    assert spec and spec.loader
    found = module_from_spec(spec)
    spec.loader.exec_module(found)
    return found


def test_an_old_python_is_noted(module: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "NEWEST_TOO_OLD", sys.version_info[:2])
    module.attach(str(tmp_path))
    (note,) = tmp_path.glob("*.note")
    assert (
        note.read_text()
        == f"RuntimeError: Python {sys.version_info[0]}.{sys.version_info[1]} is too old to be watched\n"
    )


def test_an_old_python_can_read_it() -> None:
    ast.parse(SOURCE.read_text(), feature_version=(3, 6))
    assert gradcheck_cli.__file__ and "from __future__" not in SOURCE.read_text()
