"""Models that attack the process they run in, and how the command is run on them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

HEAD = """
import atexit, ctypes, json, os, signal, subprocess, sys, threading, time
import torch
from torch import nn
torch.manual_seed(0)
calls = [0]
class M(nn.Module):
    def __init__(self, ill=False):
        super().__init__()
        deep = [m for _ in range(12) for m in (nn.Linear(8, 8), nn.Sigmoid())]
        self.body = nn.Sequential(*deep) if ill else nn.ReLU()
        self.first, self.last = nn.Linear(4, 8), nn.Linear(8, 3)
    def forward(self, x):
        calls[0] += 1
        fault()
        return self.last(self.body(self.first(x)))
batch = (torch.randn(16, 4), torch.arange(16) % 3)
criterion = nn.functional.cross_entropy
"""
HEALTHY = HEAD + "fault = lambda: None\nmodel = M()\n"
ILL = HEAD + "fault = lambda: None\nmodel = M(ill=True)\n"
IN_TRIALS = (
    "import traceback\ndef trying(): return any('/trials/' in frame.filename for frame in traceback.extract_stack())\n"
)
DAEMON = "if os.fork() == 0: os.setsid(); os.fork() or os.execvp('sleep', ['sleep', '300']); os._exit(0)"


def healthy(*fault: str) -> str:
    """A healthy model whose forward runs these lines."""
    return HEAD + "def fault():\n" + "".join(f"    {line}\n" for line in fault) + "model = M()\n"


def ill_in_trials(fault: str) -> str:
    """An ill model that does something only while a remedy is tried."""
    return HEAD + IN_TRIALS + f"def fault():\n    if trying(): {fault}\nmodel = M(ill=True)\n"


@dataclass(frozen=True, kw_only=True)
class Fault:
    """A model, its limits as in a gradcheck.yaml, and how a check of it must end."""

    text: str
    codes: tuple[int, ...] = (2,)
    told: str = ""
    limits: Mapping[str, object] = field(default_factory=dict)

    def options(self) -> list[str]:
        """The limits as options of `check`."""
        return [part for name, value in self.limits.items() for part in (f"--{name.replace('_', '-')}", str(value))]


SHADOWS = ("rich", "jinja2", "xml", "queue", "random", "copy", "json")
RAISING = "raise RuntimeError('shadowed')\n"
FAULTS = {
    "segfault": Fault(text=healthy("ctypes.string_at(0)"), told="SIGSEGV"),
    "exit through C": Fault(text=healthy("ctypes.CDLL(None)._exit(0)"), told="status 0"),
    "os._exit": Fault(text=healthy("os._exit(0)"), told="status 0"),
    "recursion of the C stack": Fault(
        text=healthy("sys.setrecursionlimit(10**9)", "g = lambda n: max([n], key=g)", "g(0)"), told="SIG"
    ),
    "SIGALRM": Fault(text=healthy("signal.setitimer(signal.ITIMER_REAL, 0.02)", "time.sleep(5)"), told="SIGALRM"),
    "a handler of SIGALRM raises in our code": Fault(
        text=HEAD + "fault = lambda: None\nmodel = M(ill=True)\nsignal.signal(signal.SIGALRM, lambda *a: 1 / 0)\n"
        "signal.setitimer(signal.ITIMER_REAL, 0.01, 0.01)\n",
        codes=(0, 1, 2),
    ),
    "a thread without end": Fault(
        text=HEALTHY + "threading.Thread(target=lambda: [time.sleep(1) for _ in range(10**6)]).start()\n", codes=(0,)
    ),
    "atexit leaves": Fault(text=ILL + "atexit.register(lambda: os._exit(0))\n", codes=(1,)),
    "atexit leaves, healthy": Fault(text=HEALTHY + "atexit.register(lambda: os._exit(0))\n", codes=(0,)),
    "atexit raises": Fault(text=HEALTHY + "atexit.register(lambda: 1 / 0)\n", codes=(0,)),
    "json.dumps replaced": Fault(text=HEALTHY + "json.dumps = lambda *a, **k: 'PWNED'\n", codes=(0,)),
    "sys.stdout replaced": Fault(text=HEALTHY + "sys.stdout = sys.stderr = None\n", codes=(0,)),
    "fork, both return": Fault(text=healthy("os.fork()"), codes=(0,)),
    "fork, the child raises": Fault(text=healthy("if os.fork() == 0: raise ValueError('child')"), codes=(0,)),
    "a child in a session of its own": Fault(
        text=healthy("subprocess.Popen(['sleep', '300'], start_new_session=True)"), codes=(0,)
    ),
    "a daemon": Fault(text=healthy(DAEMON), codes=(0,)),
    "a daemon, then a crash": Fault(text=healthy(DAEMON, "os.abort()"), told="SIGABRT"),
    "many sleepers in sessions of their own": Fault(
        text=healthy("[subprocess.Popen(['sleep', '200'], start_new_session=True) for _ in range(30)]"), codes=(0,)
    ),
    "noise in every descriptor": Fault(
        text=healthy("for fd in range(3, 1024):", "    try: os.write(fd, b'noise' * 9)", "    except OSError: pass")
    ),
    "noise and a hang": Fault(
        text=healthy(
            "for fd in range(3, 1024):",
            "    try: os.write(fd, b'noise' * 9)",
            "    except OSError: pass",
            "time.sleep(99)",
        ),
        limits={"timeout": 2},
        told="timed out",
    ),
    "a pickle in every descriptor": Fault(
        text=healthy(
            "import pickle, struct",
            "class P:",
            "    def __reduce__(self): return os.system, ('touch PWNED',)",
            "m = pickle.dumps(P()); m = struct.pack('!i', len(m)) + m",
            "for fd in range(3, 1024):",
            "    try: os.write(fd, m)",
            "    except OSError: pass",
        )
    ),
    "every descriptor closed": Fault(text=healthy("os.closerange(3, 4096)"), told="descriptor"),
    "the parent is killed": Fault(text=healthy("os.kill(os.getppid(), signal.SIGKILL); time.sleep(5)"), told="SIGKILL"),
    "memory of a child in a session of its own": Fault(
        text=healthy(
            "code = 'x = bytearray(2 * 10**9); import time; time.sleep(99)'",
            "subprocess.Popen([sys.executable, '-c', code], start_new_session=True)",
            "time.sleep(99)",
        ),
        limits={"max_memory": "1.5GB", "timeout": 60},
        told="used more than 1.5 GB",
    ),
    "shared memory": Fault(
        text=HEAD + "class D(torch.utils.data.Dataset):\n    def __len__(self): return 64\n"
        "    def __getitem__(self, i): return torch.randn(4), i % 3\nfault = lambda: time.sleep(1)\nmodel = M()\n"
        "del batch\nloader = torch.utils.data.DataLoader(D(), 16, num_workers=4, persistent_workers=True)\n",
        limits={"max_memory": "1.2GB"},
        codes=(0,),
    ),
    "a limit that nothing meets": Fault(text=healthy("time.sleep(0.3)"), limits={"max_memory": "1MiB"}, told="1.05 MB"),
    "a hang": Fault(text=healthy("time.sleep(99)"), limits={"timeout": 1}, told="timed out after 1 s"),
    "a trial hangs": Fault(
        text=ill_in_trials("time.sleep(999)"), limits={"try_budget": 3}, codes=(1,), told="cut short"
    ),
    "a trial leaves": Fault(text=ill_in_trials("os._exit(0)"), codes=(1,), told="status 0", limits={"try_budget": 5}),
    "a trial calls sys.exit": Fault(text=ill_in_trials("sys.exit(0)"), codes=(1,), limits={"try_budget": 5}),
    "a trial raises a BaseException": Fault(
        text=ill_in_trials("raise type('B', (BaseException,), {})('x')"), codes=(1,), limits={"try_budget": 5}
    ),
    **{
        f"timeout {seconds}": Fault(text=HEALTHY, limits={"timeout": seconds}, codes=(0,))
        for seconds in (3e6, 1e9, 1e10, 1e300)
    },
}


@dataclass(frozen=True, kw_only=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str
    seconds: float


def environment(folder: Path) -> dict[str, str]:
    """The environment of a command: a TMPDIR of its own, and a mark by which all that it starts is found."""
    temporary(folder).mkdir(exist_ok=True)
    return {**os.environ, "TMPDIR": str(temporary(folder)), "GRADCHECK_TEST": str(folder)}


def temporary(folder: Path) -> Path:
    """The TMPDIR of a command, whose name leaves room for that of a socket."""
    return Path(tempfile.gettempdir(), f"gct-{zlib.crc32(os.fsencode(folder)):08x}")


def started(folder: Path, *arguments: str, prefix: tuple[str, ...] = (), **variables: str) -> subprocess.Popen[bytes]:
    """The command in a folder, with files for what it writes: pipes would be held open by what is left running."""
    with (folder / "tmp.out").open("wb") as out, (folder / "tmp.err").open("wb") as err:
        return subprocess.Popen(
            [*prefix, sys.executable, "-m", "gradcheck_cli", *arguments],
            cwd=folder,
            env=environment(folder) | variables,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
        )


def ended(folder: Path, process: subprocess.Popen[bytes], timeout: float = 60) -> Ended:
    """How a command that was started ends, which it must in so many seconds."""
    begun = time.monotonic()
    code = process.wait(timeout)
    out, err = ((folder / name).read_text(errors="replace") for name in ("tmp.out", "tmp.err"))
    return Ended(code=code, out=out, err=err, seconds=time.monotonic() - begun)


def gradcheck(folder: Path, *arguments: str, timeout: float = 60, **variables: str) -> Ended:
    """Run the command in a folder."""
    return ended(folder, started(folder, *arguments, **variables), timeout)


def document(ended: Ended) -> dict:
    """The one JSON document on stdout."""
    return json.loads(ended.out)


def left(folder: Path, patience: float = 2.0) -> list[str]:
    """What still runs, or lies in TMPDIR, of a command that has ended; given a moment to go."""
    deadline = time.monotonic() + patience
    while (found := [*_running(str(folder)), *_temporary(folder)]) and time.monotonic() < deadline:
        time.sleep(0.05)
    return found


def _running(mark: str) -> list[str]:
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            environ, line = (process / "environ").read_bytes(), (process / "cmdline").read_bytes()
        except OSError:
            continue
        if f"GRADCHECK_TEST={mark}\0".encode() in environ:
            found.append(f"{process.name}: {line[:80]!r}")
    return found


def _temporary(folder: Path) -> list[str]:
    names = (path.name for path in temporary(folder).glob("*"))
    return [name for name in names if name.startswith(("gradcheck", "pymp", "listener"))]


def peak_memory(pid: int) -> int:
    """Bytes that a process has held at most so far; 0 once it has ended."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return max((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM")), default=0)
