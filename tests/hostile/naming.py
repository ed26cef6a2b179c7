"""Whatever a user can name on a command line: records of such inputs, and how one is run in a process of its own."""

from __future__ import annotations

import os
import re
import resource
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MODEL = """\
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self, depth=1, **rest):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 3))

    def forward(self, x):
        return self.layers(x)


def build_model(depth=1, **rest):
    torch.manual_seed(0)
    return Net()


def make_batch():
    g = torch.Generator().manual_seed(0)
    return torch.randn(16, 4, generator=g), torch.randint(3, (16,), generator=g)


criterion = nn.CrossEntropyLoss()
"""
CONFIG = "version: 1\nchecks:\n  - model: m.py\n    loss: cross_entropy\n"
SCRIPT = """\
import torch
torch.manual_seed(0)
model = torch.nn.Linear(4, 3)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for step in range(6):
    optimizer.zero_grad()
    loss = torch.nn.functional.cross_entropy(model(torch.randn(8, 4)), torch.randint(3, (8,)))
    loss.backward()
    optimizer.step()
"""
MOST_MEMORY = 12 * 2**30
"""Bytes of address space, of which importing torch takes some."""
MOST_OUTPUT = 200_000
"""Characters of stdout and stderr together, but for the documents."""
_COMMANDS = re.compile(r"^\s*::|##\[|##vso\[|##teamcity\[", re.MULTILINE)
"""What GitHub Actions (`::` at a line's beginning, `##[` anywhere), Azure Pipelines and TeamCity take for a command."""
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")

Laid = str | bytes | Callable[[Path], object]


@dataclass(frozen=True)
class Case:
    """One hostile input: what lies in the folder, the command line, and how it must end.

    Of every case it is claimed that there is no hang, no internal error, no traceback of Python's, no line that a CI
    runner takes for a command, no control character, and with exit 2 one line that begins with `error:`.

    Args:
        name: What is wrong.
        argv: The command line after `gradcheck`; `@W` stands for the folder.
        says: What stdout and stderr together must match.
        codes: The exit codes that are right.
        files: What lies in the folder beside a healthy `m.py`, a `gradcheck.yaml` and a `train.py`.
        holds: What is wrong in the folder afterwards, as text; "" where nothing is.
        stdout: The file that stdout is, if not a pipe; "-" where it is closed.
        stderr: The same of stderr.
        stdin: What is typed.
        errors: With exit 2, one line of stderr begins with `error:`; not so of a check in a suite.
        hint: What to do next must be told, in a line that begins with `hint:`.
        commands: The format that is asked for is one of commands.
        before: Runs in the child before gradcheck does.
        environment: Variables.
        timeout: Seconds.
    """

    name: str
    argv: tuple[str, ...]
    says: str = ""
    codes: tuple[int, ...] = (2,)
    files: Mapping[str, Laid] = field(default_factory=dict)
    holds: Callable[[Path], str] | None = None
    stdout: str = ""
    stderr: str = ""
    stdin: str = ""
    errors: bool = True
    hint: bool = False
    commands: bool = False
    before: Callable[[], object] | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    timeout: float = 40


@dataclass(frozen=True)
class Ended:
    """How a command ended: its exit code, None after a hang, and what stands on stdout and on stderr."""

    code: int | None
    out: str
    err: str


# ------------------------------------------------------------------------------------------------ what lies there


def lay(folder: Path, case: Case) -> None:
    """Put down what a case names."""
    for name, laid in {"m.py": MODEL, "gradcheck.yaml": CONFIG, "train.py": SCRIPT, **case.files}.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(laid, str | bytes):
            path.write_bytes(laid.encode("utf-8", "surrogateescape") if isinstance(laid, str) else laid)
        else:
            laid(path)


def fifo(path: Path) -> None:
    os.mkfifo(path)


def folder(path: Path) -> None:
    path.mkdir()


def absent(path: Path) -> None:
    """Nothing, instead of what every folder has."""


def unix_socket(path: Path) -> None:
    here = Path.cwd()
    os.chdir(path.parent)  # a socket's name may have 107 characters
    try:
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(path.name)
    finally:
        os.chdir(here)


def device(minor: int) -> Callable[[Path], None]:
    """A copy of /dev/null (3), /dev/zero (5) or /dev/full (7), which may be lost."""
    return lambda path: os.mknod(path, 0o666 | stat.S_IFCHR, os.makedev(1, minor))


def link(to: str) -> Callable[[Path], None]:
    return lambda path: path.symlink_to(to)


def hard_link(to: str) -> Callable[[Path], None]:
    return lambda path: os.link(path.parent / to, path)


def private(text: str, mode: int = 0o600) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        path.write_text(text)
        path.chmod(mode)

    return write


def hole(size: int) -> Callable[[Path], None]:
    """A file of so many zeros that takes no room."""

    def write(path: Path) -> None:
        with path.open("wb") as file:
            file.truncate(size)

    return write


# ------------------------------------------------------------------------------------------------ how it is run


def run(case: Case, folder: Path) -> Ended:
    """Run a case in a process of its own, in a folder of its own."""
    lay(folder, case)
    command = [sys.executable, "-m", "gradcheck_cli", *(text.replace("@W", str(folder)) for text in case.argv)]
    own = {name: value for name, value in os.environ.items() if not name.startswith(("GRADCHECK", "PYTHON"))}
    own |= {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1", **case.environment}
    streams = {name: _opened(getattr(case, name), folder) for name in ("stdout", "stderr")}

    def prepare() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))
        for number, name in ((1, case.stdout), (2, case.stderr)):
            if name == "-":
                os.close(number)
        if case.before:
            case.before()

    process = subprocess.Popen(
        command,
        cwd=folder,
        env=own,
        stdin=subprocess.PIPE,
        **streams,  # type: ignore[call-overload]
        start_new_session=True,
        preexec_fn=prepare,
    )
    try:
        out, err = process.communicate(case.stdin.encode(), timeout=case.timeout)
        code: int | None = process.returncode
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        out, err = process.communicate()
        code = None
    finally:
        for stream in streams.values():
            if stream != subprocess.PIPE:
                os.close(stream)
    return Ended(code, *(text.decode("utf-8", "surrogateescape") if text else "" for text in (out, err)))


def _opened(name: str, folder: Path) -> int:
    if name in ("", "-"):
        return subprocess.PIPE
    return os.open(folder / name, os.O_WRONLY | os.O_CREAT, 0o644)


def faults(case: Case, ended: Ended, folder: Path) -> Iterator[str]:
    """What is not as it must be."""
    both = ended.out + ended.err
    if ended.code is None:
        yield f"still running after {case.timeout:g} s"
        return
    if ended.code not in case.codes:
        yield f"exit {ended.code}, not {' or '.join(str(code) for code in case.codes)}"
    if "internal error" in both:
        yield "an internal error"
    if "Traceback (most recent call last)" in both or "Exception ignored" in both:
        yield "a traceback"
    if not case.commands and (found := _COMMANDS.search(both)):
        yield f"a command to a CI runner: {both[found.start() : found.start() + 60]!r}"
    if found := _CONTROLS.search(both):
        yield f"a control character: {both[max(found.start() - 20, 0) : found.start() + 20]!r}"
    if len(ended.err) > MOST_OUTPUT:
        yield f"{len(ended.err)} characters on stderr"
    told = len(re.findall(r"^error:", ended.err, re.MULTILINE))
    if ended.code == 2 and case.errors and not case.stderr and told != 1:
        yield "not one line that begins with `error:`"
    if case.hint and "\nhint: " not in both:
        yield "no hint"
    if case.says and not re.search(case.says, both):
        yield f"does not say {case.says!r}"
    if case.holds and (wrong := case.holds(folder)):
        yield wrong
    if not stat.S_ISCHR(Path("/dev/null").stat().st_mode):
        yield "/dev/null is gone"


def tail(ended: Ended) -> str:
    """The end of what was said, in a line."""
    text = " | ".join((ended.err.strip() or ended.out.strip()).splitlines()[-4:])
    return f"exit {ended.code}: {text[-500:]!r}"
