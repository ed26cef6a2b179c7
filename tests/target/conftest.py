"""Write small user files and load them."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import dedent

import pytest

from gradcheck_cli.records.spec import CheckSpec, Pass, Target
from gradcheck_cli.target import load_target

HEADER = "import torch\nfrom torch import nn\nimport torch.nn.functional as F\n"


@pytest.fixture(autouse=True)
def import_state() -> Iterator[None]:
    """Loading adds folders to sys.path and modules to sys.modules; the next test starts without them."""
    path, modules = list(sys.path), set(sys.modules)
    yield
    sys.path[:] = path
    for name in set(sys.modules) - modules:
        if name.startswith(("gradcheck_target_", "neighbour", "mypkg")):
            del sys.modules[name]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Write a user file into the working folder, after the usual imports."""
    monkeypatch.chdir(tmp_path)

    def _write(code: str = "", name: str = "user.py", header: str = HEADER) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(header + dedent(code))
        return path

    return _write


@pytest.fixture
def load(write: Callable[..., Path]) -> Callable[..., Target]:
    """Write a user file and load it."""

    def _load(code: str, name: str = "", **options: object) -> Target:
        path = write(code)
        return load_target(CheckSpec(model=f"{path.name}:{name}" if name else path.name, **options))

    return _load


@pytest.fixture
def run(load: Callable[..., Target]) -> Callable[..., Pass]:
    """Write a user file, load it and run the first batch."""

    def _run(code: str, name: str = "", **options: object) -> Pass:
        target = load(code, name, **options)
        return target.forward(target.model, target.batches[0])

    return _run
