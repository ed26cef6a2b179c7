"""Hostile inputs, written before gradcheck was run on any of them: `python -m tests.hostile.attack` runs them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from textwrap import dedent, indent


@dataclass(frozen=True)
class Expect:
    """What must hold after every run. Never: a hang, an internal error, a traceback of gradcheck's, anything left over.

    A leftover is a process that still runs 3 s after gradcheck ended, a file `gradcheck*` or `pymp-*` or a socket in
    TMPDIR, a journal, a socket or a fifo in the working folder.

    Args:
        codes: The exit codes of the command line that are right.
        json: stdout is one strict JSON document with the exit code of the process (or nothing after a signal).
        statuses: Of the checks in the document, in order; any if empty.
        loss: In the document, where a report came.
        layers: Names that some layer of the report has.
        one_error: With exit 2, one line of stderr begins with `error:`.
        says: With exit 2, what stderr must match; of a script, what a `TOLD:` must match.
        traceback: The user's own code prints one.
        writes: Files in the working folder that are there afterwards, for their owner to read.
        runs: One run for each, with these variables in the environment; all reports are the same but for the times.
        read_after: Seconds that whoever reads stdout and stderr sleeps first.
        most_output: Characters of stdout and stderr together.
        answers: Of a script: `SAME`, `TOLD` or both.
    """

    codes: tuple[int, ...] = (0,)
    json: bool = True
    statuses: tuple[str, ...] = ()
    loss: float | None = None
    layers: tuple[str, ...] = ()
    one_error: bool = True
    says: str = ""
    traceback: bool = False
    writes: tuple[str, ...] = ()
    runs: tuple[dict[str, str], ...] = ({},)
    read_after: float = 0
    most_output: int = 10_000_000
    answers: tuple[str, ...] = ("SAME",)


@dataclass(frozen=True)
class Attack:
    """One hostile input: files and a command line, or the text of a script that uses the Python API."""

    name: str
    kind: str
    files: dict[str, str] = field(default_factory=dict)
    argv: tuple[str, ...] = ("check", "m.py", "--format", "json", "--no-try")
    api: str = ""
    expect: Expect = Expect()
    reason: str = ""
    timeout: float = 60


PROCESS, STATE, TENSOR, DETERMINISM, SIZE = "process", "state", "tensor", "determinism", "size"
CHECK = ("check", "m.py", "--format", "json", "--no-try")
TRIED = ("check", "m.py", "--format", "json")
SHORT = (*CHECK, "--timeout", "6")
BATCH = ("batch", "gradcheck.yaml", "--format", "json")

HEAD = "import torch\nfrom torch import nn\nfrom torch.nn import functional as F\n"
PRELUDE = (
    HEAD
    + "import gradcheck_cli\nfrom gradcheck_cli.errors import GradcheckError\n"
    + "from tests.hostile.bitwise import Deep, Net, bits, held, numbers, plain, value\n"
)
LOSS = 1.26739
"""Of `net()` as it stands, measured in plain PyTorch."""
HEALTHY = Expect(statuses=("healthy",), loss=LOSS, layers=("a", "b"))
JUDGED = Expect(codes=(0, 1))
FAILED = Expect(codes=(2,), statuses=("failed",))
EITHER = Expect(codes=(0, 2))
ANY = Expect(codes=(0, 1, 2))


def net(*, top: str = "", init: str = "", forward: str = "", tail: str = "") -> str:
    """A healthy model with its batch and loss; the arguments are what is wrong with it, and where."""
    return "\n".join(
        (
            HEAD + dedent(top),
            "torch.manual_seed(0)",
            "class Net(nn.Module):",
            "    def __init__(self):",
            "        super().__init__()",
            "        self.a, self.b = nn.Linear(4, 8), nn.Linear(8, 3)",
            indent(dedent(init), " " * 8),
            "    def forward(self, x):",
            "        h = torch.tanh(self.a(x))",
            indent(dedent(forward), " " * 8),
            "        return self.b(h)",
            "model = Net()",
            "g = torch.Generator().manual_seed(0)",
            "batch = torch.randn(16, 4, generator=g), torch.randint(3, (16,), generator=g)",
            "criterion = nn.CrossEntropyLoss()",
            dedent(tail),
        )
    )


ILL = (
    HEAD
    + """
torch.manual_seed(0)
class Deep(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(8, 8) for _ in range(14))
        self.head = nn.Linear(8, 3)
    def forward(self, x):
        for layer in self.layers:
            x = torch.sigmoid(layer(x))
        return self.head(x)
model = Deep()
batch = torch.randn(32, 8), torch.randint(3, (32,))
criterion = nn.CrossEntropyLoss()
"""
)


def cli(
    name: str,
    kind: str,
    text: str,
    expect: Expect,
    reason: str,
    *,
    argv: tuple[str, ...] = CHECK,
    timeout: float = 60,
    files: dict[str, str] | None = None,
) -> Attack:
    """A model file `m.py` and what lies beside it."""
    beside = {name: dedent(content) for name, content in (files or {}).items()}
    return Attack(name, kind, {"m.py": text, **beside}, argv, "", expect, reason, timeout)


def api(
    name: str,
    kind: str,
    body: str,
    reason: str,
    *,
    answers: tuple[str, ...] = ("SAME",),
    says: str = "",
    timeout: float = 60,
    expect: Expect = Expect(),
) -> Attack:
    """A script that prints one line."""
    expect = replace(expect, answers=answers, says=says)
    return Attack(name, kind, {}, (), PRELUDE + dedent(body), expect, reason, timeout)


def between(body: str, *, init: str = "", base: str = "Net", top: str = "") -> str:
    """Source of a class `Odd` that does `body` to `x` in its forward pass."""
    return "\n".join(
        (
            dedent(top),
            f"class Odd({base}):",
            "    def __init__(self):",
            "        super().__init__()",
            indent(dedent(init), " " * 8),
            "    def between(self, x):",
            indent(dedent(body), " " * 8),
            "        return x",
            "model = Odd()",
        )
    )


# ---------------------------------------------------------------------------------------------------- processes

THEIR_OWN = "the process of the user's code is theirs to end; no check was made, and exit 0 or 1 would be a verdict"
BY_ITSELF = "stdout is the parent's alone, whatever the user's process writes to its descriptors"
PLAIN_WORKS = "the same file works under plain python, so it can be checked"
BOUND = "--timeout is a promise that holds whatever the user's process does to itself"
ONLY_THEIRS = "what the user's process does to itself must not reach the parent, which writes the report"

PROCESSES = (
    cli(
        "exec of /bin/true at import",
        PROCESS,
        "import os\nos.execv('/bin/true', ['true'])\n",
        FAILED,
        THEIR_OWN,
    ),
    cli(
        "exec of a program that prints a healthy report",
        PROCESS,
        net(
            top="import os, sys",
            forward="""
            text = '{"schema": "gradcheck-report/1", "name": "m.py", "status": "healthy", "exit_code": 0}'
            os.execv(sys.executable, [sys.executable, "-c", f"print({text!r})"])
            """,
        ),
        FAILED,
        "a report that the user's own program prints is not one of gradcheck's",
    ),
    cli(
        "kill -9 of itself in forward",
        PROCESS,
        net(top="import os, signal", forward="os.kill(os.getpid(), signal.SIGKILL)"),
        FAILED,
        "the kernel's OOM killer does the same: it must be told, and is no verdict",
    ),
    cli(
        "stops itself (SIGSTOP) with --timeout",
        PROCESS,
        net(top="import os, signal", forward="os.kill(os.getpid(), signal.SIGSTOP)"),
        FAILED,
        BOUND,
        argv=SHORT,
        timeout=40,
    ),
    cli(
        "SIGTERM to its own process group, as launchers clean up",
        PROCESS,
        net(top="import os, signal", tail="os.killpg(os.getpgrp(), signal.SIGTERM)"),
        Expect(codes=(2, 143)),
        "the user's group is its own (2) or gradcheck was told to end (143); never a verdict, never anything left",
    ),
    cli(
        "SIGINT to itself, handled as KeyboardInterrupt",
        PROCESS,
        net(top="import os, signal", forward="os.kill(os.getpid(), signal.SIGINT)"),
        Expect(codes=(2, 130)),
        "the user's process was interrupted: told as theirs (2) or as Ctrl-C (130), without a traceback",
    ),
    cli(
        "ignores SIGTERM and SIGINT, blocks all signals, and hangs",
        PROCESS,
        net(
            top="import signal, time",
            forward="""
            for s in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD, signal.SIGPIPE):
                signal.signal(s, signal.SIG_IGN)
            signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
            while True:
                time.sleep(1)
            """,
        ),
        FAILED,
        BOUND,
        argv=SHORT,
        timeout=40,
    ),
    cli(
        "a session of its own, then it hangs with two children in others",
        PROCESS,
        net(
            top="import os, subprocess, time",
            forward="""
            for _ in range(2):
                subprocess.Popen(["sleep", "300"], start_new_session=True)
            if os.getpid() != os.getsid(0):
                os.setsid()
            time.sleep(300)
            """,
        ),
        FAILED,
        BOUND + ", and all that the check started ends with it",
        argv=SHORT,
        timeout=40,
    ),
    cli(
        "SIGCHLD is ignored from import on",
        PROCESS,
        net(
            top="import signal, subprocess\nsignal.signal(signal.SIGCHLD, signal.SIG_IGN)\nsubprocess.Popen(['true'])",
        ),
        HEALTHY,
        PLAIN_WORKS + ": only waiting for children changes",
    ),
    cli(
        "SIGPIPE by default and a closed stdout, as a Unix filter does",
        PROCESS,
        net(
            top="""
            import os, signal, sys
            signal.signal(signal.SIGPIPE, signal.SIG_DFL)
            sys.stdout.close()
            """,
        ),
        HEALTHY,
        PLAIN_WORKS,
    ),
    cli(
        "descriptors 0, 1 and 2 closed at import",
        PROCESS,
        net(top="import os\nfor fd in (0, 1, 2):\n    os.close(fd)"),
        HEALTHY,
        ONLY_THEIRS,
    ),
    cli(
        "all descriptors from 3 on closed, as every daemon library does",
        PROCESS,
        net(top="import os", tail="os.closerange(3, 4096)"),
        EITHER,
        "the check may lose its way back to the parent, and then that is one message; it does not hang",
    ),
    cli(
        "becomes a daemon: fork, setsid, fork, the parents leave, descriptors to /dev/null",
        PROCESS,
        net(
            top="import os",
            tail="""
            if os.fork():
                os._exit(0)
            os.setsid()
            if os.fork():
                os._exit(0)
            null = os.open(os.devnull, os.O_RDWR)
            for fd in range(3):
                os.dup2(null, fd)
            """,
        ),
        EITHER,
        "the process that was started is gone: one message (2), or the report of the one that goes on (0); no orphan",
    ),
    cli(
        "stdout detached and wrapped in UTF-8, sys.stderr replaced",
        PROCESS,
        net(
            top="""
            import codecs, io, sys
            sys.stdout = codecs.getwriter("utf-8")(sys.stdout.detach())
            sys.stderr = io.StringIO()
            print("caf\\u00e9")
            """,
        ),
        HEALTHY,
        PLAIN_WORKS + ": the idiom is in many old scripts",
    ),
    cli(
        "C code, os.write and a child write to descriptor 1",
        PROCESS,
        net(
            top="import ctypes, os, subprocess, sys",
            forward="""
            ctypes.CDLL(None).puts(b"from C, still in its buffer")
            os.write(1, b"raw\\n")
            os.system("echo from a shell")
            subprocess.run([sys.executable, "-c", "print('from a child')"])
            """,
        ),
        HEALTHY,
        BY_ITSELF,
    ),
    cli(
        "a daemon thread prints for ever, also after the report",
        PROCESS,
        net(
            top="""
            import sys, threading, time
            def chatter():
                while True:
                    sys.__stdout__.write("still here\\n")
                    sys.__stdout__.flush()
                    time.sleep(0.002)
            threading.Thread(target=chatter, daemon=True).start()
            """,
        ),
        replace(HEALTHY, most_output=50_000_000),
        BY_ITSELF,
    ),
    cli(
        "logging at DEBUG to stdout, and tqdm to stdout",
        PROCESS,
        net(
            top="""
            import logging, sys
            from tqdm import tqdm
            logging.basicConfig(stream=sys.stdout, level=logging.DEBUG, force=True)
            """,
            forward="""
            logging.info("loss so far")
            for _ in tqdm(range(50), file=sys.stdout):
                pass
            """,
        ),
        HEALTHY,
        BY_ITSELF,
    ),
    cli(
        "logging is disabled and its classes are replaced",
        PROCESS,
        net(
            top="""
            import logging
            logging.disable(logging.CRITICAL)
            def never(*a, **k):
                raise RuntimeError("no logging here")
            logging.Logger._log = never
            logging.getLogger = never
            """,
        ),
        HEALTHY,
        "gradcheck's own words must not depend on the user's logging",
    ),
    cli(
        "80 MB of progress on stdout and stderr at import",
        PROCESS,
        net(
            top="""
            import sys
            for stream in (sys.stdout, sys.stderr):
                for _ in range(400):
                    stream.write("x" * 99999 + "\\n")
            """,
        ),
        replace(HEALTHY, most_output=120_000_000),
        "a pipe that nobody empties stops the user's code: this must not hang, and stdout stays one document",
    ),
    cli(
        "all descriptors set to non-blocking, a long report, a slow reader",
        PROCESS,
        HEAD
        + dedent(
            """
            import os
            for fd in range(16):
                try:
                    os.set_blocking(fd, False)
                except OSError:
                    pass
            torch.manual_seed(0)
            class Wide(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.branches = nn.ModuleList(nn.Linear(4, 3) for _ in range(400))
                def forward(self, x):
                    return sum(b(x) for b in self.branches) / 20
            model = Wide()
            batch = torch.randn(16, 4), torch.randint(3, (16,))
            criterion = nn.CrossEntropyLoss()
            """
        ),
        replace(JUDGED, read_after=15),
        "the flag is shared by all that hold the pipe: the parent's document must still arrive whole",
        timeout=90,
    ),
    cli(
        "input() waits for an answer, with --timeout",
        PROCESS,
        net(tail="answer = input('Overwrite the run folder? [y/N] ')"),
        FAILED,
        "nobody answers: the end of the input (at once) or the timeout, told as such",
        argv=SHORT,
        timeout=40,
    ),
    cli(
        "reads all of stdin at import, with --timeout",
        PROCESS,
        net(tail="import sys\nconfig = sys.stdin.read()"),
        Expect(codes=(0, 2)),
        "stdin is nobody's (empty: 0) or waited for until the timeout (2)",
        argv=SHORT,
        timeout=40,
    ),
    cli(
        "no descriptors left: RLIMIT_NOFILE 3 at import",
        PROCESS,
        net(tail="import resource\nresource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))"),
        EITHER,
        "the limit is the user's own: a report if it came through, else one message",
    ),
    cli(
        "files of no size: RLIMIT_FSIZE 0",
        PROCESS,
        net(tail="import resource\nresource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))"),
        replace(HEALTHY, writes=("report.json", "report.html")),
        "the files are written by the parent, whose limits are not the user's to set; " + PLAIN_WORKS,
        argv=(*CHECK, "--output", "json=report.json", "--output", "html=report.html"),
    ),
    cli(
        "one second of processor time: RLIMIT_CPU, as judges of contests set it",
        PROCESS,
        net(
            top="import resource",
            forward="""
            used = int(sum(resource.getrusage(resource.RUSAGE_SELF)[:2]))
            resource.setrlimit(resource.RLIMIT_CPU, (used + 1, used + 2))
            while True:
                h = h * 1
            """,
        ),
        FAILED,
        "ended by SIGXCPU or SIGKILL: no check was made",
    ),
    cli(
        "little address space: RLIMIT_AS, then a large allocation",
        PROCESS,
        net(
            top="import resource",
            forward="""
            resource.setrlimit(resource.RLIMIT_AS, (1 << 28, 1 << 28))
            h = h + torch.zeros(1 << 28).sum()
            """,
        ),
        FAILED,
        "the user's allocation fails inside the user's forward: their error, even where nothing can be allocated",
    ),
    cli(
        "no processes and no threads: RLIMIT_NPROC 0 and a stack limit",
        PROCESS,
        net(
            tail="""
            import resource, threading
            resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
            threading.stack_size(1 << 15)
            torch.set_num_threads(1)
            """
        ),
        HEALTHY,
        PLAIN_WORKS + ": it needs no thread",
    ),
    cli(
        "os.chdir at import, and --output to a relative path",
        PROCESS,
        net(tail="import os\nos.makedirs('runs', exist_ok=True)\nos.chdir('runs')"),
        replace(HEALTHY, writes=("report.json",)),
        "a path on the command line is relative to where the command was given",
        argv=(*CHECK, "--output", "json=report.json"),
    ),
    cli(
        "the working folder is removed at import",
        PROCESS,
        net(tail="import os\nos.mkdir('gone')\nos.chdir('gone')\nos.rmdir('../gone')"),
        HEALTHY,
        PLAIN_WORKS + ": os.getcwd() fails in the user's process alone",
    ),
    cli(
        "umask 0777 at import, and --output",
        PROCESS,
        net(top="import os\nos.umask(0o777)"),
        replace(HEALTHY, writes=("report.json",)),
        "a report that its owner may not read is no report",
        argv=(*CHECK, "--output", "json=report.json"),
    ),
    cli(
        "the environment is cleared, and TMPDIR points nowhere",
        PROCESS,
        net(
            top="""
            import os, tempfile
            os.environ.clear()
            os.environ["TMPDIR"] = "/nonexistent"
            tempfile.tempdir = "/nonexistent"
            """
        ),
        HEALTHY,
        PLAIN_WORKS,
    ),
    cli(
        "everything in TMPDIR is removed and it is closed to all",
        PROCESS,
        net(
            top="""
            import os, shutil, tempfile
            for name in os.listdir(tempfile.gettempdir()):
                path = os.path.join(tempfile.gettempdir(), name)
                shutil.rmtree(path, ignore_errors=True) if os.path.isdir(path) else os.unlink(path)
            os.chmod(tempfile.gettempdir(), 0)
            """
        ),
        EITHER,
        "clean-up scripts do this to /tmp: the check may be lost, with one message",
    ),
    cli(
        "PyTorch's usual switches at import: threads, CUDA_VISIBLE_DEVICES, start method, determinism",
        PROCESS,
        net(
            top="""
            import os
            os.environ["CUDA_VISIBLE_DEVICES"] = ""
            os.environ["OMP_NUM_THREADS"] = "1"
            import torch.multiprocessing as mp
            mp.set_start_method("spawn", force=True)
            mp.set_sharing_strategy("file_system")
            torch.set_num_threads(1)
            torch.set_num_interop_threads(1)
            torch.use_deterministic_algorithms(True)
            torch.autograd.set_detect_anomaly(True)
            torch.set_default_device("cpu")
            """
        ),
        HEALTHY,
        PLAIN_WORKS,
    ),
    cli(
        "warnings are errors",
        PROCESS,
        net(
            top="import warnings\nwarnings.simplefilter('error')",
            init="self.gru = nn.GRU(8, 8, num_layers=1)",
            forward="h = h + 0 * self.gru(h)[0]",
        ),
        JUDGED,
        "no warning of gradcheck's own use of torch may become the user's error; " + PLAIN_WORKS,
    ),
    cli(
        "numpy raises on every floating-point oddity and prints with 1 digit",
        PROCESS,
        net(top="import numpy as np\nnp.seterr(all='raise')\nnp.set_printoptions(1)\ntorch.set_printoptions(1)"),
        HEALTHY,
        PLAIN_WORKS,
    ),
    cli(
        "sys.modules is cleared of torch, json, os and numpy",
        PROCESS,
        net(
            top="import sys",
            tail="""
            for name in [n for n in sys.modules if n.split(".")[0] in ("json", "os", "numpy", "pickle", "struct")]:
                del sys.modules[name]
            sys.modules["numpy"] = None
            sys.modules["dataclasses"] = None
            """,
        ),
        EITHER,
        ONLY_THEIRS + "; where the pass itself fails for it, it is the user's error and not an internal one",
    ),
    cli(
        "sys.path and sys.meta_path are emptied",
        PROCESS,
        net(top="import sys", tail="sys.path.clear()\nsys.meta_path.clear()\nsys.path_hooks.clear()"),
        HEALTHY,
        PLAIN_WORKS + ": what the pass needs is imported before the user's code runs",
    ),
    cli(
        "an import hook that raises for everything it does not know",
        PROCESS,
        net(
            top="import builtins",
            tail="""
            real = builtins.__import__
            def strict(name, *a, **k):
                if name.split(".")[0] not in ("torch", "math", "typing"):
                    raise ImportError(f"{name} is not on the list of allowed packages")
                return real(name, *a, **k)
            builtins.__import__ = strict
            """,
        ),
        EITHER,
        "sandboxes of notebooks do this: a report, or one message; not `internal error`",
    ),
    cli(
        "builtins are replaced: print, open, len, isinstance, sorted",
        PROCESS,
        net(
            top="import builtins, io",
            tail="""
            builtins.print = lambda *a, **k: None
            builtins.open = lambda *a, **k: io.StringIO("nothing")
            builtins.sorted = lambda *a, **k: []
            builtins.repr = lambda x: "x"
            """,
        ),
        EITHER,
        "a user's process in which Python itself is broken: a report or one message, and no internal error",
    ),
    cli(
        "time stands still: time.time, perf_counter, monotonic and sleep are replaced",
        PROCESS,
        net(
            top="import time",
            tail="""
            time.time = time.perf_counter = time.monotonic = time.process_time = lambda: 0.0
            time.sleep = lambda seconds: None
            """,
        ),
        HEALTHY,
        "freezegun does this in every test suite; times are only printed",
    ),
    cli(
        "sockets are forbidden, as pytest-socket forbids them",
        PROCESS,
        net(
            top="import socket",
            tail="""
            class Blocked(socket.socket):
                def __new__(cls, *a, **k):
                    raise RuntimeError("A test tried to use socket.socket.")
            socket.socket = Blocked
            socket.socketpair = socket.create_connection = Blocked
            """,
        ),
        HEALTHY,
        PLAIN_WORKS,
    ),
    cli(
        "pickle, copy.deepcopy and os.read are replaced",
        PROCESS,
        net(
            top="import copy, os, pickle",
            tail="""
            def never(*a, **k):
                raise RuntimeError("replaced")
            pickle.dumps = pickle.loads = pickle.Pickler = copy.deepcopy = copy.copy = os.read = os.write = never
            """,
        ),
        EITHER,
        "the result may be lost on its way, and then it is one message; not a hang, not an internal error",
    ),
    cli(
        "an excepthook that ends the process with 0, and an import that fails",
        PROCESS,
        net(
            top="""
            import os, sys, threading
            sys.excepthook = threading.excepthook = lambda *a: os._exit(0)
            """,
            tail="raise ValueError('the config is incomplete')",
        ),
        replace(FAILED, says="the config is incomplete"),
        "the user's code raised at import: told, with their message, whatever hooks they set",
    ),
    cli(
        "faulthandler.dump_traceback_later(exit=True) strikes during a slow forward",
        PROCESS,
        net(
            top="import faulthandler, time\nfaulthandler.enable()\nfaulthandler.dump_traceback_later(1, exit=True)",
            forward="time.sleep(20)",
        ),
        FAILED,
        "the watchdog ends the process with status 1, which is not a finding",
    ),
    cli(
        "a trace function, a profile function and gc in debug mode",
        PROCESS,
        net(
            top="""
            import gc, sys, threading
            def trace(frame, event, argument):
                return trace
            sys.settrace(trace)
            sys.setprofile(lambda *a: None)
            threading.settrace(trace)
            gc.set_threshold(1, 1, 1)
            """
        ),
        HEALTHY,
        "coverage and debuggers do this; " + PLAIN_WORKS,
        timeout=180,
    ),
    cli(
        "a recursion limit of 120",
        PROCESS,
        net(tail="import sys\nsys.setrecursionlimit(120)"),
        EITHER,
        PLAIN_WORKS + ", yet so low a limit may be the reason of one message; not an internal error",
    ),
    cli(
        "an atexit hook that waits for its upload for ever, as experiment trackers do",
        PROCESS,
        net(top="import atexit, time\natexit.register(time.sleep, 3600)"),
        HEALTHY,
        "the report is complete before the hook begins; the tool ends, and the hook's process with it",
    ),
    cli(
        "a child process of multiprocessing that never ends and is no daemon",
        PROCESS,
        net(
            top="import multiprocessing, time",
            tail="""
            child = multiprocessing.get_context("fork").Process(target=time.sleep, args=(3600,))
            child.start()
            """,
        ),
        HEALTHY,
        "multiprocessing would wait for it at exit: the report comes, and the child is ended",
    ),
    cli(
        "a server is started at import and keeps stdout open, as TensorBoard's launcher does",
        PROCESS,
        net(top="import subprocess\nserver = subprocess.Popen(['sleep', '300'])"),
        HEALTHY,
        "`gradcheck ... | jq` must see the end of stdout, and all processes of a check end with it",
    ),
    cli(
        "a pool of workers made of functions of the model's file builds the batch",
        PROCESS,
        net(
            top="import multiprocessing",
            tail="""
            def row(i):
                return [float(i % 7), float(i % 5), float(i % 3), 1.0]
            def make_batch():
                with multiprocessing.get_context("fork").Pool(2) as pool:
                    x = torch.tensor(pool.map(row, range(16)))
                return x, torch.arange(16) % 3
            del batch
            """,
        ),
        JUDGED,
        PLAIN_WORKS + ": a check must be allowed to have children",
    ),
    cli(
        "spawned workers import the model's file by its name",
        PROCESS,
        net(
            top="import multiprocessing",
            tail="""
            def row(i):
                return [float(i % 7), float(i % 5), float(i % 3), 1.0]
            def make_batch():
                with multiprocessing.get_context("spawn").Pool(1) as pool:
                    x = torch.tensor(pool.map(row, range(16)))
                return x, torch.arange(16) % 3
            del batch
            """,
        ),
        Expect(codes=(0, 1, 2), traceback=True),
        "under spawn the child must find the module again: a report, or one message, no hang and no fork bomb",
        argv=(*CHECK, "--timeout", "50"),
        timeout=90,
    ),
    cli(
        "asyncio: a loop that runs in forward, and one that is left unclosed with tasks",
        PROCESS,
        net(
            top="import asyncio",
            forward="""
            async def later(t):
                await asyncio.sleep(0.01)
                return t * 1
            loop = asyncio.new_event_loop()
            asyncio.set_event_loop(loop)
            pending = loop.create_task(asyncio.sleep(3600))
            h = loop.run_until_complete(later(h))
            """,
        ),
        HEALTHY,
        PLAIN_WORKS,
    ),
    cli(
        "sys.exit(main()) as the last line of the file, without a guard",
        PROCESS,
        net(tail="import sys\ndef main():\n    return 0\nsys.exit(main())"),
        EITHER,
        "the file ends itself: told, or checked with what it had defined; never taken for a verdict",
    ),
    cli(
        "sys.exit(1) at import",
        PROCESS,
        net(top="import sys", tail="sys.exit(1)"),
        EITHER,
        "a status of 1 from the user's code is not a finding",
    ),
    cli(
        "argparse at module level",
        PROCESS,
        net(
            tail="""
            import argparse
            parser = argparse.ArgumentParser()
            parser.add_argument("--epochs", type=int, default=3)
            args = parser.parse_args()
            """
        ),
        HEALTHY,
        "`python m.py` works, so sys.argv must be the file's own, not gradcheck's",
    ),
    cli(
        "nn.Module.__call__ is wrapped, as profilers and tracers do",
        PROCESS,
        net(
            top="""
            real = nn.Module.__call__
            def call(self, *a, **k):
                out = real(self, *a, **k)
                assert isinstance(out, torch.Tensor)
                return out
            nn.Module.__call__ = call
            """
        ),
        HEALTHY,
        PLAIN_WORKS,
    ),
    cli(
        "Tensor.backward, torch.autograd.grad and torch.load are replaced by ones that raise",
        PROCESS,
        net(
            top="""
            def never(*a, **k):
                raise RuntimeError("use the engine's own backward")
            torch.Tensor.backward = torch.autograd.grad = torch.load = torch.save = never
            """
        ),
        EITHER,
        "a framework may forbid them: a report by gradcheck's own means, or the user's error; not an internal error",
    ),
    cli(
        "Tensor.item and Tensor.__bool__ raise, to find what waits for the device",
        PROCESS,
        net(
            tail="""
            def never(*a, **k):
                raise RuntimeError("a synchronisation point")
            torch.Tensor.item = torch.Tensor.tolist = torch.Tensor.__bool__ = torch.Tensor.__float__ = never
            """
        ),
        EITHER,
        "the patch is the user's: a report or one message, and not an internal error",
    ),
    cli(
        "Tensor.__repr__ shows statistics and raises on odd shapes; nn.Module.__repr__ raises",
        PROCESS,
        net(
            top="""
            def shown(self, *a, **k):
                raise ValueError("cannot show this")
            torch.Tensor.__repr__ = torch.Tensor.__str__ = nn.Module.__repr__ = shown
            """
        ),
        HEALTHY,
        "a check shows nothing by repr; " + PLAIN_WORKS,
    ),
    cli(
        "nn.Linear is replaced by a subclass and F.cross_entropy by a function of the user's",
        PROCESS,
        net(
            top="""
            class Fast(nn.Linear):
                def forward(self, x):
                    return x @ self.weight.t() + self.bias
            nn.Linear = torch.nn.modules.linear.Linear = Fast
            real = F.cross_entropy
            F.cross_entropy = lambda *a, **k: real(*a, **k)
            """
        ),
        HEALTHY,
        "libraries that speed up torch do this; " + PLAIN_WORKS,
    ),
    cli(
        "a model file whose every name exists (module __getattr__ gives mocks)",
        PROCESS,
        net(tail="from unittest.mock import MagicMock\ndef __getattr__(name):\n    return MagicMock(name=name)"),
        EITHER,
        "names that the file makes up must not win over those it holds, or are told in one message",
    ),
    cli(
        "left-overs of a training script under usual names: loss, step, model_name, loader = None",
        PROCESS,
        net(tail="loss = 2.31\nstep = 0\nloader = None\ndataset = 'cifar10'\ntrain_loader = None\nnet = None"),
        EITHER,
        "a number called loss is no loss function: what was picked instead is told, or one message",
    ),
    cli(
        "threads of the user's raise while the pass runs",
        PROCESS,
        net(
            top="import threading",
            forward="""
            for _ in range(20):
                threading.Thread(target=lambda: [][0]).start()
            """,
        ),
        replace(HEALTHY, traceback=True),
        "a thread's exception is printed by Python and changes nothing of the pass",
    ),
    cli(
        "a destructor that raises and one that ends the process when the model is collected",
        PROCESS,
        net(
            top="import os",
            init="self.guard = Guard()",
            tail="",
        ).replace("class Net", "class Guard:\n    def __del__(self):\n        os._exit(0)\nclass Net"),
        EITHER,
        "a process that ends before its report is no verdict; after it, nothing is lost",
    ),
    cli(
        "setuid to nobody in the user's process, --output into the folder",
        PROCESS,
        net(
            top="import os",
            tail="""
            if os.getuid() == 0:
                os.setgid(65534)
                os.setuid(65534)
            """,
        ),
        replace(HEALTHY, writes=("report.json",)),
        "the files are written by the parent, who keeps its rights",
        argv=(*CHECK, "--output", "json=report.json"),
    ),
    cli(
        "a process without /proc for others: PR_SET_DUMPABLE 0, with --max-memory",
        PROCESS,
        net(top="import ctypes\nctypes.CDLL(None).prctl(4, 0, 0, 0, 0)"),
        HEALTHY,
        "memory that cannot be read is not memory over the limit",
        argv=(*CHECK, "--max-memory", "8GB"),
    ),
    cli(
        "a huge allocation in forward that Python refuses",
        PROCESS,
        net(forward="held = bytearray(1 << 60)"),
        replace(FAILED, says="MemoryError"),
        "the user's own MemoryError, told as theirs",
    ),
    cli(
        "gradcheck_cli.py, gradcheck.py, yaml.py, typer.py, click.py, pydantic.py and markupsafe.py beside the model",
        PROCESS,
        net(),
        HEALTHY,
        "nothing in the model's folder may stand in for what gradcheck itself imports",
        files=dict.fromkeys(
            ("gradcheck_cli.py", "gradcheck.py", "yaml.py", "typer.py", "click.py", "pydantic.py", "markupsafe.py"),
            "raise RuntimeError('shadowed')\n",
        ),
    ),
    cli(
        "stdlib names beside the model: statistics, difflib, html, secrets, calendar, code, profile, test",
        PROCESS,
        net(),
        HEALTHY,
        "these are names that people give their files, and the model imports none of them",
        files=dict.fromkeys(
            ("statistics.py", "difflib.py", "html.py", "secrets.py", "calendar.py", "code.py", "profile.py", "test.py"),
            "raise RuntimeError('shadowed')\n",
        ),
    ),
    cli(
        "a file torch.py beside the model",
        PROCESS,
        net(),
        EITHER,
        "plain python fails on it, so one message is right, and so is a report",
        files={"torch.py": "raise RuntimeError('this is my torch')\n"},
    ),
    cli(
        "the model's file is called typing.py",
        PROCESS,
        "",
        EITHER,
        "it is loaded by its path; that it carries the name of a stdlib module must not break what imports that one",
        argv=("check", "typing.py", "--format", "json", "--no-try"),
        files={"typing.py": net()},
    ),
    cli(
        "the model's file is called gradcheck_cli.py",
        PROCESS,
        "",
        HEALTHY,
        "a path is a path, whatever its name",
        argv=("check", "gradcheck_cli.py", "--format", "json", "--no-try"),
        files={"gradcheck_cli.py": net()},
    ),
    cli(
        "the model's file is called __main__.py and has a main guard",
        PROCESS,
        "",
        HEALTHY,
        "the guard's body is the user's training run and is not executed",
        argv=("check", "__main__.py", "--format", "json", "--no-try"),
        files={"__main__.py": net(tail="if __name__ == '__main__':\n    raise SystemExit('training begins')")},
    ),
    cli(
        "sitecustomize.py and usercustomize.py beside gradcheck.yaml end the interpreter",
        PROCESS,
        net(),
        Expect(statuses=("healthy",), loss=LOSS),
        "the working folder is not on the path of the interpreters that gradcheck starts",
        argv=BATCH,
        files={
            "gradcheck.yaml": "version: 1\nchecks:\n  - {model: m.py}\n",
            "sitecustomize.py": "import os\nos._exit(7)\n",
            "usercustomize.py": "import os\nos._exit(7)\n",
        },
    ),
    cli(
        "multiprocessing.py, socket.py, signal.py, tempfile.py, typing.py beside gradcheck.yaml, models in a folder",
        PROCESS,
        "",
        Expect(statuses=("healthy",), loss=LOSS),
        "nobody put that folder on the path: the model lives elsewhere",
        argv=BATCH,
        files={
            "gradcheck.yaml": "version: 1\nchecks:\n  - {model: nets/m.py}\n",
            "nets/m.py": net(),
        }
        | dict.fromkeys(
            [f"{n}.py" for n in "multiprocessing socket signal tempfile typing pickle threading abc enum".split()],
            "raise RuntimeError('shadowed')\n",
        ),
    ),
    cli(
        "batch: exec, kill -9, a daemon and a clean check side by side",
        PROCESS,
        net(),
        Expect(codes=(2,), statuses=("failed", "failed", "failed", "healthy"), one_error=False),
        "one that dies is reported as failed, and costs the others nothing",
        argv=(*BATCH, "--workers", "2"),
        files={
            "gradcheck.yaml": "version: 1\nchecks:\n"
            "  - {model: e.py}\n  - {model: k.py}\n  - {model: d.py}\n  - {model: m.py}\n",
            "e.py": "import os\nos.execv('/bin/true', ['true'])\n",
            "k.py": net(top="import os", forward="os.kill(os.getpid(), 9)"),
            "d.py": "import os\nif os.fork():\n    os._exit(0)\nos.setsid()\nos._exit(0)\n",
        },
    ),
    cli(
        "batch: a check stops itself, --timeout 6",
        PROCESS,
        net(),
        Expect(codes=(2,), statuses=("failed", "healthy"), one_error=False),
        BOUND,
        argv=(*BATCH, "--timeout", "6"),
        timeout=45,
        files={
            "gradcheck.yaml": "version: 1\nchecks:\n  - {model: s.py}\n  - {model: m.py}\n",
            "s.py": net(top="import os, signal", forward="os.kill(os.getpid(), signal.SIGSTOP)"),
        },
    ),
    cli(
        "batch: one check changes the folder, the umask, the environment and the limits for the next",
        PROCESS,
        net(),
        Expect(statuses=("healthy", "healthy", "healthy"), loss=LOSS, writes=("out.json",)),
        "checks are isolated from each other",
        argv=(*BATCH, "--workers", "1", "--output", "json=out.json"),
        files={
            "gradcheck.yaml": "version: 1\nchecks:\n  - {model: o.py}\n  - {model: m.py}\n  - {model: p.py}\n",
            "o.py": net(
                tail="""
                import os, resource
                os.chdir("/")
                os.umask(0o777)
                os.environ.clear()
                resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
                torch.set_default_dtype(torch.float64)
                """
            ),
            "p.py": net(tail="import os\nassert os.path.exists('m.py') and 'PATH' in os.environ"),
        },
    ),
)

# ------------------------------------------------------------------------------------------------------- state

BACK = "the model comes back exactly as it was"
UNDONE = "what cannot be put back must be told"

STATES = (
    api(
        "forward unties tied weights",
        STATE,
        between("self.b.weight = nn.Parameter(self.b.weight.detach().clone())", init="self.c = self.b")
        + "\nheld(model, plain(), loss='cross_entropy')",
        BACK + ": both names hold the same parameter again",
    ),
    api(
        "parameters are views of one flat tensor, and forward moves them off it",
        STATE,
        between(
            "for p in self.parameters():\n    p.data = p.data.clone() * 1.5",
            init="""
            self.flat = torch.cat([p.detach().reshape(-1) for p in self.parameters()])
            at = 0
            for p in self.parameters():
                p.data = self.flat[at : at + p.numel()].view_as(p)
                at += p.numel()
            """,
        )
        + "\nheld(model, plain(), loss='cross_entropy')",
        BACK + ": an optimiser that works on the flat tensor must still reach the parameters",
    ),
    api(
        "gradients are views of a bucket, and forward zeroes them in place",
        STATE,
        between("self.zero_grad(set_to_none=False)")
        + """
bucket = torch.randn(sum(p.numel() for p in model.parameters()))
at = 0
for p in model.parameters():
    p.grad = bucket[at : at + p.numel()].view_as(p)
    at += p.numel()
held(model, plain(), loss='cross_entropy', also=lambda: value(bucket))
""",
        "`.grad` is kept: the same tensors, in the same memory, with the same bits",
    ),
    api(
        "gradients that carry a graph, from create_graph=True",
        STATE,
        """
        model = Net()
        x, y = plain()
        F.cross_entropy(model(x), y).backward(create_graph=True)
        kept = [p.grad for p in model.parameters()]
        held(model, (x, y), loss="cross_entropy", also=lambda: [(id(g), id(g.grad_fn), g.requires_grad) for g in kept])
        """,
        "`.grad` is kept, with the graph that a second backward pass needs",
    ),
    api(
        "sparse gradients of an embedding from the user's last step",
        STATE,
        """
        class Words(nn.Module):
            def __init__(self):
                super().__init__()
                torch.manual_seed(0)
                self.e, self.out = nn.Embedding(20, 6, sparse=True), nn.Linear(6, 3)
            def forward(self, x):
                return self.out(self.e(x).mean(1))
        model, batch = Words(), (torch.arange(32).reshape(8, 4) % 20, torch.arange(8) % 3)
        F.cross_entropy(model(batch[0]), batch[1]).backward()
        held(model, batch, loss="cross_entropy")
        """,
        "a sparse `.grad` is the usual one for `sparse=True`, and is kept",
    ),
    api(
        "the user's own loss is waiting for its backward pass",
        STATE,
        between("x = x + self.m\nself.m += 1", init="self.register_buffer('m', torch.zeros(8))")
        + """
x, y = plain()
loss = F.cross_entropy(model(x), y)
def graph():
    return id(loss.grad_fn)
held(model, (x, y), loss="cross_entropy", also=graph)
loss.backward()
""",
        "a check in the middle of a step must not make the user's backward raise `modified by an inplace operation`",
    ),
    api(
        "the batch is the output of an encoder with a live graph",
        STATE,
        """
        encoder, model = nn.Linear(4, 4), Net()
        x, y = plain()
        z = encoder(x)
        z.retain_grad()
        held(model, (z, y), loss="cross_entropy", also=lambda: [value(p) for p in encoder.parameters()] + [z.grad])
        z.sum().backward()
        """,
        "the check neither frees the user's graph nor leaves gradients above the batch",
    ),
    api(
        "the batch is a leaf with a gradient of its own, as in adversarial training",
        STATE,
        """
        x, y = plain()
        x = x.clone().requires_grad_()
        x.grad = torch.full_like(x, 7.0)
        held(Net(), (x, y), loss="cross_entropy", also=lambda: (id(x.grad), value(x)))
        """,
        "the batch is the user's, and so is its gradient",
    ),
    api(
        "a plain attribute is a leaf that requires a gradient",
        STATE,
        between("x = x * self.scale", init="self.scale = torch.ones(8, requires_grad=True)\nself.__dict__['more'] = 1")
        + "\nheld(model, plain(), loss='cross_entropy', also=lambda: model.scale.grad)",
        BACK + ": a backward pass must not leave a gradient on a tensor that was never registered",
    ),
    api(
        "a loss with parameters and a running centre",
        STATE,
        """
        class Centred(nn.Module):
            def __init__(self):
                super().__init__()
                self.scale = nn.Parameter(torch.ones(()))
                self.register_buffer("centre", torch.zeros(3))
            def forward(self, out, y):
                self.centre.mul_(0.9).add_(out.detach().mean(0), alpha=0.1)
                return F.cross_entropy(self.scale * (out - self.centre), y)
        loss = Centred()
        held(Net(), plain(), loss=loss, also=lambda: [value(p) for p in (*loss.parameters(), *loss.buffers())])
        """,
        "the loss is handed to the check as the model is; " + UNDONE,
        answers=("SAME", "TOLD"),
        says="(?i)loss|centre|scale",
    ),
    api(
        "forward registers its buffer again as not persistent",
        STATE,
        between(
            "self.register_buffer('m', self.m + 1, persistent=False)", init="self.register_buffer('m', torch.ones(8))"
        )
        + "\nheld(model, plain(), loss='cross_entropy', also=lambda: list(model.state_dict()))",
        BACK + ": what the state dict holds is part of it",
    ),
    api(
        "main_grad on the parameters, accumulated in a custom backward, as large trainers do",
        STATE,
        between(
            "x = Fused.apply(x, self.b.weight)",
            init="for p in self.parameters():\n    p.main_grad = torch.zeros_like(p)\n    p.steps = 0",
            top="""
            class Fused(torch.autograd.Function):
                @staticmethod
                def forward(ctx, x, w):
                    ctx.w = w
                    return x * 1
                @staticmethod
                def backward(ctx, g):
                    ctx.w.main_grad += 1
                    ctx.w.steps += 1
                    return g, None
            """,
        )
        + "\nheld(model, plain(), loss='cross_entropy')",
        BACK + ": attributes of a parameter are part of the model",
    ),
    api(
        "an optimiser and a scheduler are attributes, and forward steps the scheduler",
        STATE,
        between(
            "self.scheduler.step()",
            init="""
            self.optimizer = torch.optim.AdamW(self.parameters(), lr=1.0)
            self.scheduler = torch.optim.lr_scheduler.StepLR(self.optimizer, 1, gamma=0.5)
            self.optimizer.step()
            """,
        )
        + """
held(model, plain(), loss='cross_entropy', also=lambda: [model.scheduler.last_epoch, value(model.optimizer)])
""",
        BACK + "; " + UNDONE,
        answers=("SAME", "TOLD"),
        says="(?i)scheduler|optimizer",
    ),
    api(
        "a step that is a whole training step: zero_grad, backward, clip, optimiser",
        STATE,
        """
        model = Net()
        optimizer = torch.optim.AdamW(model.parameters(), lr=0.1)
        def step(model, batch):
            optimizer.zero_grad()
            loss = F.cross_entropy(model(batch[0]), batch[1])
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            return loss
        held(model, plain(), step=step, also=lambda: value(optimizer))
        """,
        "people hand over the step that they have: the weights and the optimiser come back, or the message names it",
        answers=("SAME", "TOLD"),
        says="(?i)step|backward|optimi[sz]er",
    ),
    api(
        "a step that pops the labels out of the batch, as trainers do",
        STATE,
        """
        x, y = plain()
        def step(model, batch):
            labels = batch.pop("labels")
            batch["extra"]["seen"].append(1)
            return F.cross_entropy(model(**{"x": batch["x"]}), labels)
        held(Net(), {"x": x, "labels": y, "extra": {"seen": []}}, step=step)
        """,
        "the batch is the user's, and every pass must find it whole",
    ),
    api(
        "an averaged copy (AveragedModel) is updated in forward",
        STATE,
        between(
            "self.teacher[0].update_parameters(self.b)",
            init="""
            self.teacher = nn.ModuleList([torch.optim.swa_utils.AveragedModel(self.b)])
            for p in self.teacher.parameters():
                p.requires_grad_(False)
            self.teacher[0].n_averaged += 3
            with torch.no_grad():
                self.b.weight += 1
            """,
        )
        + "\nheld(model, plain(), loss='cross_entropy')",
        BACK + ": a teacher's weights and counter are parameters and buffers of the model",
    ),
    api(
        "one-shot hooks remove themselves and set the model up",
        STATE,
        between(
            "",
            init="""
            self.ready = False
            def once(module, arguments):
                module.ready = True
                self.handle.remove()
            self.handle = self.register_forward_pre_hook(once)
            """,
        )
        + "\nheld(model, plain(), loss='cross_entropy')",
        BACK + ": the hook is there for the user's own first call",
    ),
    api(
        "train() is overridden and counts its calls",
        STATE,
        between("", init="self.modes = []")
        + """
def train(self, mode=True):
    self.modes.append(mode)
    return nn.Module.train(self, mode)
Odd.train = train
model.b.eval()
held(model, plain(), loss='cross_entropy')
""",
        BACK + ": modes are set module by module, and `train` is the user's code",
    ),
    api(
        "forward freezes, unfreezes, switches modes and swaps submodules",
        STATE,
        between(
            """
            self.eval()
            self.a.weight.requires_grad_(False)
            self.spare, self.b = self.b, self.spare
            del self.unused
            """,
            init="self.spare = nn.Linear(8, 3)\nself.unused = nn.Linear(1, 1)",
        )
        + "\nheld(model, plain(), loss='cross_entropy')",
        BACK + ": modes, requires_grad and the modules under their names, in their order",
    ),
    api(
        "lazy layers are made real by the first pass",
        STATE,
        """
        class Lazy(nn.Module):
            def __init__(self):
                super().__init__()
                self.a, self.n, self.b = nn.LazyLinear(8), nn.LazyBatchNorm1d(), nn.LazyLinear(3)
            def forward(self, x):
                return self.b(torch.tanh(self.n(self.a(x))))
        held(Lazy(), plain(), loss="cross_entropy")
        """,
        BACK + ", lazy; or the message says that it must see a batch first",
        answers=("SAME", "TOLD"),
        says="(?i)lazy|uninitiali[sz]ed|not initiali[sz]ed",
    ),
    api(
        "a cached_property, an iterator, a StringIO, a slots object and a UserDict change in forward",
        STATE,
        between(
            """
            x = x * self.table
            next(self.it)
            self.log.write("called")
            self.slots.n += 1
            self.user["n"] += 1
            """,
            init="""
            import collections, io, itertools
            self.it = itertools.count()
            self.log = io.StringIO()
            self.slots = Slots()
            self.user = collections.UserDict(n=0)
            """,
            top="""
            class Slots:
                __slots__ = ("n",)
                def __init__(self):
                    self.n = 0
            """,
        )
        + """
import functools
Odd.table = functools.cached_property(lambda self: torch.ones(8))
Odd.table.__set_name__(Odd, "table")
held(model, plain(), loss='cross_entropy')
""",
        BACK + "; " + UNDONE,
        answers=("SAME", "TOLD"),
        says="(?i)it|log|slots|user",
    ),
    api(
        "an attribute is a generator, which cannot be copied",
        STATE,
        between("x = x + next(self.it)", init="self.it = (i * 0.01 for i in range(5))")
        + """
held(model, plain(), loss='cross_entropy', also=lambda: model.it.gi_frame is not None and model.it.gi_frame.f_locals)
""",
        UNDONE + ": a generator that has moved on cannot",
        answers=("TOLD", "SAME"),
        says="(?i)\\bit\\b|generator",
    ),
    api(
        "forward changes the model, then raises",
        STATE,
        between(
            """
            import random
            import numpy as np
            self.a.weight.data.add_(1)
            self.m += 1
            self.b.eval()
            self.history.append(1)
            self.a.weight.grad = torch.ones_like(self.a.weight)
            torch.set_grad_enabled(False)
            torch.set_default_dtype(torch.float64)
            random.random(), np.random.rand(), torch.rand(3)
            raise ValueError("no")
            """,
            init="self.register_buffer('m', torch.zeros(8))\nself.history = []",
        )
        + "\nheld(model, plain(), loss='cross_entropy', fails=True)",
        BACK + ", also when the check fails",
    ),
    api(
        "KeyboardInterrupt in the third pass, with trials",
        STATE,
        between(
            """
            global calls
            calls += 1
            if calls == 3:
                raise KeyboardInterrupt
            self.layers[0].weight.data.mul_(1.01)
            """,
            base="Deep",
            top="calls = 0",
        )
        + """
def interrupted(*a, **k):
    try:
        return gradcheck_cli.check(*a, **k)
    except (KeyboardInterrupt, GradcheckError):
        return None
held(model, plain(), loss='cross_entropy', try_budget=10, check=interrupted)
""",
        "Ctrl-C in a notebook leaves the model as it was, too",
    ),
    api(
        "switches that forward sets: view replay, multithreading, opt_einsum, nnpack, print options, conversion",
        STATE,
        between(
            """
            torch._C._set_view_replay_enabled(not torch._C._is_view_replay_enabled())
            torch._C._set_multithreading_enabled(False)
            torch.backends.opt_einsum.enabled = False
            torch.set_printoptions(precision=1)
            torch.__future__.set_swap_module_params_on_conversion(True)
            torch.__future__.set_overwrite_module_params_on_conversion(True)
            torch.backends.nnpack.set_flags(False)
            """
        )
        + "\nheld(model, plain(), loss='cross_entropy')",
        "global flags come back",
    ),
    api(
        "a dispatch mode is entered in forward and never left",
        STATE,
        between(
            "if not self.__dict__.get('mode'):\n    self.mode = Mode()\n    self.mode.__enter__()",
            top="""
            from torch.utils._python_dispatch import TorchDispatchMode
            class Mode(TorchDispatchMode):
                def __torch_dispatch__(self, func, types, args=(), kwargs=None):
                    return func(*args, **(kwargs or {}))
            """,
        )
        + "\nheld(model, plain(), loss='cross_entropy')",
        "a mode of torch is a global flag; one that cannot be left must be told",
        answers=("SAME", "TOLD"),
        says="(?i)mode",
    ),
    api(
        "gaussians that were drawn in pairs: the second one is still cached",
        STATE,
        between(
            "import random, numpy as np\nx = x + 0 * random.gauss(0, 1) + 0 * np.random.randn() + 0 * torch.randn(1)"
        )
        + """
import random
import numpy as np
random.seed(1), np.random.seed(1), torch.manual_seed(1)
random.gauss(0, 1), np.random.randn(), torch.randn(1)
held(model, plain(), loss='cross_entropy')
""",
        "the cached half is part of a generator's state",
    ),
    api(
        "numpy's global generator is a PCG64",
        STATE,
        between("import numpy as np\nx = x + 0 * float(np.random.rand())")
        + """
import numpy as np
np.random.set_bit_generator(np.random.PCG64(3))
held(model, plain(), loss='cross_entropy')
""",
        "the generator is the user's choice and comes back in its state",
        expect=Expect(),
    ),
    api(
        "check inside no_grad, inference_mode, autocast, anomaly mode and saved_tensors_hooks at once",
        STATE,
        """
        model, batch = Net(), plain()
        hooks = torch.autograd.graph.saved_tensors_hooks(lambda t: t, lambda t: t)
        with torch.autograd.set_detect_anomaly(True), torch.autocast("cpu", torch.bfloat16), hooks, torch.no_grad():
            report = held(model, batch, loss="cross_entropy")
        assert report.status.value == "healthy", report
        """,
        "the contexts around a check are the user's, and a backward pass inside them is gradcheck's own affair",
    ),
    api(
        "check inside inference_mode",
        STATE,
        """
        model, batch = Net(), plain()
        with torch.inference_mode():
            report = held(model, batch, loss="cross_entropy")
        assert report.status.value == "healthy", report
        """,
        "the model has ordinary parameters, so the pass can be made and the mode comes back",
    ),
    api(
        "check inside the user's dispatch mode and module hooks for all modules",
        STATE,
        """
        from torch.nn.modules.module import register_module_forward_hook, register_module_forward_pre_hook
        from torch.utils.flop_counter import FlopCounterMode
        seen = []
        register_module_forward_hook(lambda m, i, o: seen.append(1))
        register_module_forward_pre_hook(lambda m, i: None)
        with FlopCounterMode(display=False):
            held(Net(), plain(), loss="cross_entropy")
        """,
        "profilers stay where they were",
    ),
    api(
        "all that belongs to the process, an ill model with trials",
        STATE,
        """
        import warnings
        warnings.simplefilter("error")
        report = held(Deep(), plain(), loss="cross_entropy", try_budget=10, process=True)
        assert report.status.value == "ill"
        """,
        "check() runs inside people's notebooks: filters, signals, streams, logging, gc, folders stay",
        timeout=120,
    ),
    api(
        "check in a thread that is not the main one, and inside a running event loop",
        STATE,
        """
        import asyncio, threading
        model, batch = Net(), plain()
        def inside(*a, **k):
            came = []
            async def main():
                came.append(gradcheck_cli.check(*a, **k))
            thread = threading.Thread(target=lambda: asyncio.run(main()))
            thread.start()
            thread.join()
            return came[0]
        held(model, batch, loss="cross_entropy", check=inside)
        """,
        "web servers and notebooks call it there: no signal handlers, no loop of its own",
    ),
    api(
        "two checks at once in two threads",
        STATE,
        """
        import threading
        model, other, batch = Net(), Deep(), plain()
        def both(model, batch, **k):
            came = []
            threads = [threading.Thread(target=lambda m=m: came.append(gradcheck_cli.check(m, batch, **k)))
                       for m in (model, other)]
            for t in threads:
                t.start()
            for t in threads:
                t.join()
            assert {type(c).__name__ for c in came} == {"Report"} and len(came) == 2, came
            return came[0]
        held(model, batch, loss="cross_entropy", check=both, also=lambda: [value(p) for p in other.parameters()])
        """,
        "both models come back, and so do the switches and generators that the two checks share",
    ),
    api(
        "forward calls check on a submodule",
        STATE,
        between(
            """
            global inside
            if inside is None:
                inside = 0
                inside = gradcheck_cli.check(self.c, plain(), loss="cross_entropy")
            """,
            init="self.c = Net()",
            top="inside = None",
        )
        + "\nheld(model, plain(), loss='cross_entropy')",
        "a check within a check: the outer one's hooks and the model come back, or it says that it cannot",
        answers=("SAME", "TOLD"),
        says="(?i)check",
    ),
    api(
        "nothing keeps the model, the batch or a gradient alive afterwards",
        STATE,
        """
        import gc, weakref
        model, batch = Deep(), plain()
        report = gradcheck_cli.check(model, batch, loss="cross_entropy", try_budget=5)
        alive = [weakref.ref(model), weakref.ref(model.layers[0].weight), weakref.ref(batch[0])]
        del model, batch
        gc.collect()
        print("CHANGED: still alive" if any(r() is not None for r in alive) else "SAME")
        """,
        "in a notebook a model that a check keeps alive is memory that never comes back",
        timeout=120,
    ),
    api(
        "DistributedDataParallel on one process, checked before a step of training",
        STATE,
        """
        import tempfile, os
        import torch.distributed as dist
        store = os.path.join(tempfile.mkdtemp(prefix="theirs"), "store")
        dist.init_process_group("gloo", init_method=f"file://{store}", rank=0, world_size=1)
        inner = Net()
        model = nn.parallel.DistributedDataParallel(inner)
        x, y = plain()
        held(inner, (x, y), loss="cross_entropy", check=lambda m, b, **k: gradcheck_cli.check(model, b, **k))
        for _ in range(2):
            F.cross_entropy(model(x), y).backward()
        dist.destroy_process_group()
        """,
        "the reducer's hooks live on the parameters: the user's next step must still work",
    ),
    api(
        "a hook on the AccumulateGrad node, held from outside, still fires once",
        STATE,
        """
        model, batch = Net(), plain()
        node = model.a.weight.view_as(model.a.weight).grad_fn.next_functions[0][0]
        fired = []
        node.register_hook(lambda *a: fired.append(1))
        held(model, batch, loss="cross_entropy")
        del fired[:]
        F.cross_entropy(model(batch[0]), batch[1]).backward()
        assert len(fired) == 1, fired
        """,
        "distributed trainers hold these nodes; a parameter that was rebuilt would have another",
    ),
    api(
        "parametrised weights and a spectral norm that iterates in train mode",
        STATE,
        """
        from torch.nn.utils import parametrizations
        model = Net()
        parametrizations.spectral_norm(model.a)
        parametrizations.weight_norm(model.b)
        model.train()
        held(model, plain(), loss="cross_entropy")
        """,
        BACK + ": the vectors of the power iteration are buffers",
    ),
    api(
        "a scripted model with a buffer that counts",
        STATE,
        """
        class Counting(nn.Module):
            def __init__(self):
                super().__init__()
                torch.manual_seed(0)
                self.a, self.b = nn.Linear(4, 8), nn.Linear(8, 3)
                self.register_buffer("n", torch.zeros(()))
            def forward(self, x):
                self.n.add_(1)
                return self.b(torch.tanh(self.a(x)))
        model, batch = torch.jit.script(Counting()), plain()
        state = lambda: {k: value(v) for k, v in model.state_dict().items()}
        before = state(), model.training
        try:
            gradcheck_cli.check(model, batch, loss="cross_entropy")
            print("SAME" if repr((state(), model.training)) == repr(before) else "CHANGED: the buffer n")
        except GradcheckError as error:
            print("TOLD:", str(error).splitlines()[0])
        """,
        "a ScriptModule is an nn.Module; if it cannot be probed, the message says so",
        answers=("SAME", "TOLD"),
        says="(?i)script",
    ),
    api(
        "the whole model is compiled with the eager backend",
        STATE,
        between("self.m += 1", init="self.register_buffer('m', torch.zeros(8))")
        + "\ncompiled = torch.compile(model, backend='eager')"
        + "\nheld(model, plain(), loss='cross_entropy', check=lambda m, b, **k: gradcheck_cli.check(compiled, b, **k))",
        "an OptimizedModule is checked as the module that it holds, and comes back",
        timeout=150,
    ),
    api(
        "a pruned model and an old-style weight norm, whose weights are plain attributes with a graph",
        STATE,
        """
        import warnings
        from torch.nn.utils import prune
        warnings.simplefilter("ignore")
        model = Net()
        prune.l1_unstructured(model.a, "weight", 0.5)
        nn.utils.weight_norm(model.b)
        model(plain()[0])
        held(model, plain(), loss="cross_entropy")
        """,
        BACK + ": masks, hooks and the plain `weight`",
    ),
    api(
        "a memory-mapped parameter and one in shared memory",
        STATE,
        """
        import os, tempfile
        path = os.path.join(tempfile.mkdtemp(prefix="theirs"), "weights.bin")
        torch.randn(32, generator=torch.Generator().manual_seed(1)).numpy().tofile(path)
        model = Net()
        model.a.weight = nn.Parameter(torch.from_file(path, shared=True, size=32).reshape(8, 4))
        model.b.share_memory()
        held(model, plain(), loss="cross_entropy", try_budget=5, also=lambda: open(path, "rb").read())
        """,
        "the file and the other processes see the weights as they were, in the memory where they were",
    ),
    api(
        "trials on parameters in a read-only file map, model ill",
        STATE,
        """
        import os, tempfile, warnings
        import numpy as np
        warnings.simplefilter("ignore")
        path = os.path.join(tempfile.mkdtemp(prefix="theirs"), "weights.bin")
        np.random.default_rng(0).standard_normal(16).astype("float32").tofile(path)
        model = Deep()
        model.layers[3].weight = nn.Parameter(torch.from_numpy(np.memmap(path, "float32", "r", shape=(4, 4))))
        held(model, plain(), loss="cross_entropy", try_budget=5)
        """,
        "only copies are trained: a write into this memory ends the process with a segmentation fault",
        timeout=120,
    ),
    api(
        "the parameters' attributes, slots and __class__ are the user's; forward sets them",
        STATE,
        between(
            "self.__class__ = Other\nself.a.weight.tag = 'seen'\nself.a.extra = 1\nself.forward = self.forward",
            top="""
            class Other(Net):
                pass
            """,
        )
        + "\nOther.between = lambda self, x: x\nheld(model, plain(), loss='cross_entropy')",
        BACK + ": its class and all that was set on it",
    ),
    api(
        "two checks with the same seed, and training in between on a copy",
        DETERMINISM,
        between(
            "x = F.dropout(x, 0.2)\nimport numpy as np, random\nx = x * (1 + random.random()) * (1 + np.random.rand())"
        )
        + """
import copy, random
import numpy as np
model, batch = Odd(), plain()
first = list(numbers(gradcheck_cli.check(model, batch, loss="cross_entropy", seed=5)))
other = copy.deepcopy(model)
for _ in range(3):
    F.cross_entropy(other(batch[0]), batch[1]).backward()
random.seed(9), np.random.seed(9), torch.manual_seed(9)
second = list(numbers(gradcheck_cli.check(model, batch, loss="cross_entropy", seed=5)))
print("SAME" if repr(first) == repr(second) else "CHANGED: the report")
""",
        "same inputs and seed: same report, also in one process",
    ),
)

# ------------------------------------------------------------------------------------------------------ tensors

UNTOUCHED = "it takes no part in the pass, " + PLAIN_WORKS
LEFT = "whatever its make, a tensor that the pass does not write comes back, and it is no reason to fail"


def attribute(name: str, make: str, reason: str = LEFT, *, top: str = "") -> Attack:
    """A tensor of an odd make as plain attribute, frozen buffer and in the state, checked through the API."""
    body = between("", init=f"odd = {make}\nself.odd = [odd]\nself.register_buffer('buffer', odd)", top=top)
    return api(
        name,
        TENSOR,
        "import warnings\nwarnings.simplefilter('ignore')\n" + body + "\nheld(model, plain(), loss='cross_entropy')",
        reason,
    )


WRAPPER = """
from torch.utils._pytree import tree_map
class Scaled(torch.Tensor):
    @staticmethod
    def __new__(cls, q, scale):
        return torch.Tensor._make_wrapper_subclass(cls, q.shape, dtype=torch.float32, requires_grad=False)
    def __init__(self, q, scale):
        self.q, self.scale = q, scale
    def __tensor_flatten__(self):
        return ["q", "scale"], None
    @staticmethod
    def __tensor_unflatten__(inner, meta, size, stride):
        return Scaled(inner["q"], inner["scale"])
    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        if func in (torch.ops.aten.detach.default, torch.ops.aten.alias.default):
            return cls(args[0].q, args[0].scale)
        if func is torch.ops.aten.t.default:
            return args[0].q.float().mul(args[0].scale).t()
        if func in (torch.ops.aten.mm.default, torch.ops.aten.addmm.default, torch.ops.aten.mul.Tensor):
            plain = lambda x: x.q.float() * x.scale if isinstance(x, cls) else x
            return func(*tree_map(plain, args), **(kwargs or {}))
        raise NotImplementedError(f"{func} is not implemented for {cls.__name__}")
"""

TENSORS = (
    attribute(
        "buffer: bits8 and packed 4-bit floats", "torch.empty(4, dtype=torch.bits8).view(torch.float4_e2m1fn_x2)"
    ),
    attribute("buffer: uint64 seeds above 2**63", "torch.tensor([2**63, 2**64 - 1], dtype=torch.uint64)"),
    attribute("buffer: mkldnn layout", "torch.randn(4, 4).to_mkldnn()"),
    attribute("buffer: block-sparse (BSR)", "torch.eye(4).to_sparse_bsr((2, 2))"),
    attribute("buffer: a conjugate view", "torch.randn(4, dtype=torch.cfloat).conj()"),
    attribute("buffer: a negative view of an imaginary part", "torch.randn(4, dtype=torch.cfloat).conj().imag"),
    attribute("buffer: expanded, one element in memory", "torch.zeros(1).expand(1000)"),
    attribute("buffer: zero elements and zero dimensions", "torch.empty(0, 3).sum(0)[:0]"),
    attribute(
        "buffer: made under inference_mode",
        "cached()",
        top="@torch.inference_mode()\ndef cached():\n    return torch.ones(8)",
    ),
    attribute(
        "buffer: a wrapper subclass with __torch_dispatch__ that knows few ops",
        "Scaled(torch.ones(4, 4, dtype=torch.int8), torch.ones(()))",
        top=WRAPPER,
    ),
    cli(
        "buffer: a jagged nested tensor",
        TENSOR,
        net(
            init="""
            parts = [torch.ones(2), torch.ones(3)]
            self.register_buffer("odd", torch.nested.nested_tensor(parts, layout=torch.jagged))
            """
        ),
        HEALTHY,
        LEFT,
    ),
    cli(
        "buffer: a leaked wrapper of torch.func.grad and of vmap",
        TENSOR,
        net(
            init="""
            leaked = []
            torch.func.grad(lambda t: (leaked.append(t * 1), t.sum())[1])(torch.ones(3))
            torch.func.vmap(lambda t: (leaked.append(t * 1), t)[1])(torch.ones(3, 2))
            self.leaked = leaked
            """
        ),
        HEALTHY,
        "dead wrappers raise on nearly every op; " + UNTOUCHED,
    ),
    cli(
        "buffer: computed from a parameter, so it carries a graph",
        TENSOR,
        net(
            init="self.register_buffer('mean', self.b.weight.mean(0))\nself.last = (self.a.weight * 2).sum()",
            forward="h = h + 0 * self.mean.detach()",
        ),
        HEALTHY,
        "a common slip: it cannot be deep-copied, and yet " + PLAIN_WORKS,
    ),
    cli(
        "hidden state is kept between calls with its graph",
        TENSOR,
        net(
            init="self.state = torch.zeros(16, 8)\nself.r = nn.Linear(8, 8)",
            forward="h = torch.tanh(self.r(self.state) + h)\nself.state = h",
        ),
        ANY,
        "plain torch works for one step and raises in the second backward: judged, or told as the user's error",
    ),
    cli(
        "trainable: an expanded parameter, a conjugate one and an overlapping one",
        TENSOR,
        net(
            init="""
            self.row = nn.Parameter(torch.randn(1, 8).expand(8, 8))
            self.z = nn.Parameter(torch.randn(8, dtype=torch.cfloat).conj())
            self.hankel = nn.Parameter(torch.randn(15).as_strided((8, 8), (1, 1)))
            """,
            forward="h = h + 0.1 * (h @ self.row + (h * self.z).real + h @ self.hankel)",
        ),
        JUDGED,
        PLAIN_WORKS + "; whoever writes into such memory element by element gets an error",
    ),
    api(
        "parameters that overlap in memory, and forward writes one",
        TENSOR,
        between(
            "with torch.no_grad():\n    self.one.mul_(2)",
            init="""
            base = torch.arange(12.0)
            self.one, self.two = nn.Parameter(base[:8]), nn.Parameter(base[4:])
            """,
        )
        + "\nheld(model, plain(), loss='cross_entropy')",
        BACK + ": both, for what is written through one is seen through the other",
    ),
    cli(
        "trainable: zero-size (a LoRA of rank 0), zero-dim and one element out of a large storage",
        TENSOR,
        net(
            init="""
            self.down, self.up = nn.Linear(8, 0, bias=False), nn.Linear(0, 8, bias=False)
            self.temperature = nn.Parameter(torch.tensor(1.0))
            self.far = nn.Parameter(torch.zeros(1 << 28)[12345:12346])
            """,
            forward="h = self.temperature * (h + self.up(self.down(h))) + self.far",
        ),
        JUDGED,
        PLAIN_WORKS,
    ),
    cli(
        "frozen: packed 4-bit weights (uint8), a bool mask and int8 beside a trained adapter",
        TENSOR,
        net(
            init="""
            self.packed = nn.Parameter(torch.arange(32, dtype=torch.uint8).reshape(8, 4), requires_grad=False)
            self.mask = nn.Parameter(torch.ones(8, dtype=torch.bool), requires_grad=False)
            self.int8 = nn.Parameter(torch.ones(8, 8, dtype=torch.int8), requires_grad=False)
            """,
            forward="""
            low, high = (self.packed & 15).float() - 7.5, (self.packed >> 4).float() - 7.5
            h = h + 0.01 * h @ torch.cat((low, high), 1).t()[:8] * self.mask + 0.01 * h @ self.int8.float()
            """,
        ),
        JUDGED,
        PLAIN_WORKS + ": quantised fine-tuning looks like this",
    ),
    cli(
        "frozen: a weight that is a wrapper subclass with few ops, in a Linear",
        TENSOR,
        net(
            top=WRAPPER,
            init="""
            self.q = nn.Linear(8, 8, bias=False)
            q = Scaled(torch.randint(-127, 127, (8, 8), dtype=torch.int8), torch.tensor(0.01))
            self.q.weight = nn.Parameter(q, requires_grad=False)
            """,
            forward="h = h + self.q(h)",
        ),
        JUDGED,
        PLAIN_WORKS + ": libraries of quantisation store weights so",
    ),
    cli(
        "a subclass of Parameter whose __new__ wants more, ill model with trials",
        TENSOR,
        ILL.replace(
            "class Deep",
            "class Named(nn.Parameter):\n"
            "    def __new__(cls, data, requires_grad=True, *, name):\n"
            "        self = super().__new__(cls, data, requires_grad)\n"
            "        self.label = name\n"
            "        return self\n"
            "class Deep",
        ).replace(
            "        self.head = nn.Linear(8, 3)\n",
            "        self.head = nn.Linear(8, 3)\n"
            "        self.head.weight = Named(self.head.weight.detach(), name='head')\n",
        ),
        Expect(codes=(1,), statuses=("ill",)),
        "the copy for a trial may fail, and then the trials are `not-tried`; the finding stands",
        argv=TRIED,
        timeout=120,
    ),
    cli(
        "the whole model is on the meta device",
        TENSOR,
        net(tail="model = model.to('meta')"),
        replace(FAILED, says="(?i)meta"),
        "there are no numbers to measure: told, with the device's name",
    ),
    cli(
        "the whole model is made of fake tensors",
        TENSOR,
        net(
            top="from torch._subclasses.fake_tensor import FakeTensorMode\nfake = FakeTensorMode()\nfake.__enter__()",
            tail="fake.__exit__(None, None, None)",
        ),
        FAILED,
        "no numbers again: one message, not an internal error",
    ),
    cli(
        "the model was built under inference_mode",
        TENSOR,
        net(tail="with torch.inference_mode():\n    model = Net()"),
        EITHER,
        "plain torch raises in forward or backward: told as such, or made to work",
    ),
    cli(
        "the input is an inference tensor, a feature of a frozen backbone",
        TENSOR,
        net(tail="with torch.inference_mode():\n    batch = batch[0] * 1, batch[1] * 1"),
        EITHER,
        "plain torch raises `cannot be saved for backward`: told as such, or made to work",
    ),
    cli(
        "complex numbers: inputs, weights and a real loss",
        TENSOR,
        HEAD
        + dedent(
            """
            torch.manual_seed(0)
            class Spectral(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.a = nn.Linear(4, 8, dtype=torch.cfloat)
                    self.b = nn.Linear(8, 2, dtype=torch.cfloat)
                def forward(self, x):
                    h = self.a(x)
                    return self.b(torch.complex(torch.tanh(h.real), torch.tanh(h.imag)))
            model = Spectral()
            batch = torch.randn(16, 4, dtype=torch.cfloat), torch.randn(16, 2, dtype=torch.cfloat)
            def criterion(out, y):
                return (out - y).abs().pow(2).mean()
            """
        ),
        JUDGED,
        PLAIN_WORKS,
    ),
    cli(
        "the loss is complex",
        TENSOR,
        net(
            init="self.z = nn.Parameter(torch.ones((), dtype=torch.cfloat))",
            tail="def criterion(out, y):\n    return (out * model.z).mean()",
        ),
        FAILED,
        "torch has no gradient of a complex number: told, not internal",
    ),
    cli(
        "the input is a subclass that wraps every result, raises on ==, len, bool and iteration",
        TENSOR,
        net(
            top="""
            class Image(torch.Tensor):
                def never(self, *a):
                    raise TypeError("an image is not compared")
                __eq__ = __ne__ = __len__ = __bool__ = __iter__ = __contains__ = never
                __hash__ = torch.Tensor.__hash__
            """,
            tail="batch = batch[0].as_subclass(Image), batch[1]",
        ),
        HEALTHY,
        PLAIN_WORKS,
    ),
    cli(
        "inputs in read-only memory: a memory map and a broadcast array of numpy",
        TENSOR,
        net(
            top="import numpy as np, warnings\nwarnings.simplefilter('ignore')",
            tail="""
            np.random.default_rng(0).standard_normal(64).astype("float32").tofile("x.bin")
            x = torch.from_numpy(np.memmap("x.bin", "float32", "r", shape=(16, 4)))
            batch = x, torch.from_numpy(np.broadcast_to(np.int64(1), (16,)))
            """,
        ),
        JUDGED,
        "writing into such an input, even the same bits, is a segmentation fault; " + PLAIN_WORKS,
    ),
    cli(
        "a batch of texts, a packed sequence and a frozen dataclass",
        TENSOR,
        HEAD
        + dedent(
            """
            from dataclasses import dataclass
            from torch.nn.utils.rnn import PackedSequence, pack_sequence
            @dataclass(frozen=True)
            class Batch:
                texts: list
                packed: PackedSequence
                labels: torch.Tensor
            torch.manual_seed(0)
            class Reader(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.e, self.r, self.out = nn.Embedding(128, 8), nn.GRU(4, 8), nn.Linear(8, 3)
                def forward(self, texts, packed):
                    words = torch.stack([self.e(torch.tensor([ord(c) for c in t])).mean(0) for t in texts])
                    return self.out(words + self.r(packed)[1][0])
            model = Reader()
            texts = ["a cat", "dogs", "a fish and a bird", "x"]
            batch = Batch(texts, pack_sequence([torch.randn(5 - i, 4) for i in range(4)]), torch.tensor([0, 1, 2, 0]))
            def compute_loss(model, batch):
                assert isinstance(batch, Batch) and isinstance(batch.packed, PackedSequence)
                return F.cross_entropy(model(batch.texts, batch.packed), batch.labels)
            """
        ),
        JUDGED,
        "compute_loss takes (model, batch): what the batch is made of is between the two",
    ),
    cli(
        "a loss that returns a float, with the graph gone",
        TENSOR,
        net(tail="def criterion(out, y):\n    return F.cross_entropy(out, y).item()"),
        FAILED,
        "nothing to differentiate: told as the loss's fault",
    ),
    cli(
        "a loss of shape (1, 1, 1) in a subclass, the output a named tuple with None in it",
        TENSOR,
        net(
            top="import collections\nOut = collections.namedtuple('Out', 'logits hidden cache')",
            tail="""
            class Loss(torch.Tensor):
                pass
            def compute_loss(model, batch):
                out = Out(model(batch[0]), None, ())
                return F.cross_entropy(out.logits, batch[1]).reshape(1, 1, 1).as_subclass(Loss)
            """,
        ),
        Expect(codes=(0, 2), loss=LOSS),
        "backward() takes one element of any shape; or one message that asks for a scalar",
    ),
    cli(
        "an empty batch: no rows",
        TENSOR,
        net(tail="batch = batch[0][:0], batch[1][:0]"),
        Expect(codes=(1, 2)),
        "the mean of nothing is NaN: a finding or a message, never healthy",
    ),
    cli(
        "targets of every wrong dtype: a class index in int32",
        TENSOR,
        net(tail="batch = batch[0], batch[1].int()"),
        EITHER,
        "torch refuses it or takes it, by version: told as the loss's error, or judged",
    ),
    cli(
        "a masked tensor as input attribute and a mock as logger",
        TENSOR,
        net(
            top="import warnings\nfrom unittest.mock import MagicMock\nwarnings.simplefilter('ignore')",
            init="""
            self.seen = torch.masked.masked_tensor(torch.ones(4), torch.tensor([True, False, True, False]))
            self.logger = MagicMock()
            """,
            forward="self.logger.info('x', h.detach())",
        ),
        HEALTHY,
        "tests are full of mocks; " + PLAIN_WORKS,
    ),
)

# -------------------------------------------------------------------------------------------------- determinism

AGAIN = "same inputs and seed: same report, byte for byte, apart from times"
TWICE = replace(ANY, codes=(0, 1), runs=({}, {}))
THRICE = replace(TWICE, runs=({}, {}, {}))

DETERMINISMS = (
    cli(
        "layers are built and summed in the order of a set of strings",
        DETERMINISM,
        net(
            init="""
            self.heads = nn.ModuleDict()
            for name in {"colour", "depth", "edges", "flow", "normals", "shape"}:
                self.heads[name] = nn.Linear(8, 8)
            """,
            forward="h = sum(self.heads[n](h) for n in set(self.heads)) / 6",
        ),
        THRICE,
        AGAIN + ": the interpreter that runs the model is gradcheck's to start, with a hash seed of its choice",
    ),
    cli(
        "weights, data and dropped layers by unseeded random, numpy and torch",
        DETERMINISM,
        net(
            tail="""
            import random
            import numpy as np
            model.a.weight.data.mul_(1 + 0.1 * random.random())
            model.b.weight.data.add_(torch.from_numpy(np.random.randn(3, 8)).float() * 0.1)
            batch = batch[0] + torch.randn(16, 4), batch[1]
            """,
            forward="""
            import random
            import numpy as np
            h = F.dropout(h, 0.1) * (random.random() + 0.5) * (1 + 0.1 * np.random.standard_normal())
            """,
        ).replace("torch.manual_seed(0)\n", ""),
        THRICE,
        AGAIN + ": --seed governs the global generators of Python, numpy and torch from the start",
    ),
    cli(
        "a shuffling DataLoader with two workers whose augmentation draws from three generators",
        DETERMINISM,
        net(
            tail="""
            import random
            import numpy as np
            from torch.utils.data import DataLoader, Dataset
            class Noisy(Dataset):
                def __len__(self):
                    return 64
                def __getitem__(self, i):
                    noise = torch.randn(4) + np.random.rand() + random.random()
                    return torch.full((4,), i / 64) + noise, i % 3
            train_loader = DataLoader(Noisy(), batch_size=16, shuffle=True, num_workers=2, persistent_workers=True)
            del batch
            """,
        ),
        THRICE,
        AGAIN + ": torch seeds the workers from its global generator; and no worker is left over",
    ),
    cli(
        "branches run in a thread pool, in an order that the clock decides",
        DETERMINISM,
        net(
            top="import os, time\nfrom concurrent.futures import ThreadPoolExecutor",
            init="self.branches = nn.ModuleList(nn.Linear(8, 8) for _ in range(6))",
            forward="""
            def late(branch):
                time.sleep(os.urandom(1)[0] / 4000)
                return torch.tanh(branch(h))
            with ThreadPoolExecutor(6) as pool:
                h = torch.stack(list(pool.map(late, self.branches))).mean(0)
            """,
        ),
        THRICE,
        AGAIN + ": the values do not depend on the order of the calls, so the report must not",
    ),
    cli(
        "the clock, the process id, addresses and uuids are kept in attributes",
        DETERMINISM,
        net(
            init="import os, time, uuid\nself.born, self.run, self.pid = time.time(), str(uuid.uuid4()), os.getpid()",
            forward="import time\nself.last = time.time_ns()\nself.at = {id(h): object()}",
        ),
        TWICE,
        AGAIN + ": they take no part in the pass",
    ),
    cli(
        "the loss is a partial, the batch a callable object, the model a lambda: their reprs hold addresses",
        DETERMINISM,
        net(
            tail="""
            import functools
            class Maker:
                def __init__(self, batch):
                    self.batch = batch
                def __call__(self):
                    return self.batch
            make_batch = Maker(batch)
            net = model
            build_model = lambda: net
            criterion = functools.partial(F.cross_entropy, label_smoothing=0.1)
            del batch, model
            """,
        ),
        TWICE,
        AGAIN + ": an address in `picked` or `loss_source` differs from run to run",
        argv=("check", "m.py:build_model", "--format", "json", "--no-try"),
    ),
    cli(
        "the user's error shows an object by its address",
        DETERMINISM,
        net(top="class Config:\n    pass", forward="raise TypeError(f'cannot use {Config()!r} with {object()!r}')"),
        replace(FAILED, runs=({}, {}), says="cannot use"),
        AGAIN + ": an address says nothing to a reader",
    ),
    cli(
        "columns, colours, language and time zone of the terminal",
        DETERMINISM,
        ILL,
        replace(
            ANY,
            codes=(1,),
            runs=(
                {"COLUMNS": "40", "LANG": "C", "LC_ALL": "C", "NO_COLOR": "1"},
                {
                    "COLUMNS": "240",
                    "LANG": "C.UTF-8",
                    "LC_ALL": "C.UTF-8",
                    "FORCE_COLOR": "1",
                    "TERM": "xterm-256color",
                },
                {"TZ": "Pacific/Kiritimati", "HOME": "/nonexistent", "PYTHONUTF8": "1", "USER": ""},
            ),
        ),
        AGAIN + ": JSON is for programs",
    ),
    cli(
        "trials of a model whose passes take a random time",
        DETERMINISM,
        ILL.replace(
            "        for layer",
            "        import os, time\n        time.sleep(os.urandom(1)[0] / 20000)\n        for layer",
        ),
        replace(ANY, codes=(1,), statuses=("ill",), runs=({}, {})),
        "work is counted in passes, so that a slow machine reaches the same verdict",
        argv=TRIED,
        timeout=150,
    ),
    cli(
        "twins: two towers with the same weights, the same gradients and the same illness",
        DETERMINISM,
        ILL.replace("model = Deep()", "")
        + dedent(
            """
            import copy
            class Twins(nn.Module):
                def __init__(self):
                    super().__init__()
                    one = Deep()
                    self.towers = nn.ModuleDict({n: copy.deepcopy(one) for n in ("zeta", "alpha", "mu", "beta")})
                def forward(self, x):
                    return sum(self.towers[n](x) for n in set(self.towers)) / 4
            model = Twins()
            """
        ),
        replace(ANY, codes=(1,), runs=({"PYTHONHASHSEED": "1"}, {"PYTHONHASHSEED": "2"}, {})),
        AGAIN + ": ties are broken by the order of the definition; here even the values do not depend on the order",
    ),
    cli(
        "batch: checks end in an order that the clock decides, 3 workers",
        DETERMINISM,
        net(top="import os, time\ntime.sleep(os.urandom(1)[0] / 200)"),
        replace(ANY, codes=(0,), runs=({}, {}, {})),
        "a suite reports in the order of the file, apart from times",
        argv=(*BATCH, "--workers", "3"),
        files={
            "gradcheck.yaml": "version: 1\nchecks:\n" + "".join(f"  - {{model: m.py, name: c{i}}}\n" for i in range(6))
        },
        timeout=120,
    ),
    cli(
        "destructors and weak references draw from the global generator when garbage is collected",
        DETERMINISM,
        net(
            top="""
            class Draws:
                def __init__(self):
                    self.me = self
                def __del__(self):
                    torch.rand(1)
            """,
            forward="""
            for _ in range(300):
                Draws()
            h = F.dropout(h, 0.5)
            """,
        ),
        TWICE,
        AGAIN + ": nothing but the user's own allocations decides when they are collected",
    ),
    cli(
        "the human report twice, with trials",
        DETERMINISM,
        ILL,
        Expect(codes=(1,), json=False, runs=({"COLUMNS": "100"}, {"COLUMNS": "100"})),
        AGAIN + ": the table holds no times",
        argv=("check", "m.py"),
        timeout=150,
    ),
)

# --------------------------------------------------------------------------------------------------------- size

ENDS = "what has no end must be found out in bounded time, as one message, or not be asked for at all"
BIG = "large, but a plain pass takes under two seconds, so a check may take its timeout and no more"


def endless(method: str, item: str) -> Attack:
    return cli(
        f"{method}() is overridden and never ends",
        SIZE,
        net(tail=f"def endless(self, *a, **k):\n    while True:\n        yield {item}\nNet.{method} = endless"),
        ANY,
        ENDS,
        timeout=60,
    )


SIZES = (
    endless("named_buffers", "'b', torch.zeros(1)"),
    endless("modules", "nn.Identity()"),
    endless("named_children", "'c', nn.Identity()"),
    cli(
        "a child holds its parent as a submodule",
        SIZE,
        net(tail="model.a.parent = model"),
        ANY,
        "the pass works, though `train()` and `apply()` recurse for ever: a report, or one message",
    ),
    cli(
        "one module under 5,000 names and one parameter in 3,000 modules",
        SIZE,
        net(
            init="""
            self.many = nn.ModuleList([self.b] * 5000)
            self.tied = nn.ModuleList(nn.Linear(8, 3, bias=False) for _ in range(3000))
            for t in self.tied:
                t.weight = self.b.weight
            """
        ),
        JUDGED,
        BIG,
        timeout=120,
    ),
    cli(
        "30,000 buffers",
        SIZE,
        net(init="for i in range(30_000):\n    self.register_buffer(f'b{i}', torch.zeros(2))"),
        HEALTHY,
        BIG,
        timeout=120,
    ),
    cli(
        "modules nested 3,000 deep that forward walks in a loop",
        SIZE,
        net(
            init="""
            self.chain = last = nn.Module()
            for _ in range(3000):
                last.inner = nn.Module()
                last = last.inner
            last.weight = nn.Parameter(torch.ones(8))
            object.__setattr__(self, "leaf", last)
            """,
            forward="h = h * self.leaf.weight",
        ),
        ANY,
        "the pass works, though `named_modules()` recurses too deep: a report, or one message about the nesting",
        timeout=120,
    ),
    cli(
        "a name of 100,000 characters and one of 150 levels",
        SIZE,
        net(
            init="""
            self.add_module("n" * 100_000, nn.Linear(8, 8))
            top = inner = nn.Sequential()
            for _ in range(150):
                new = nn.Sequential()
                inner.append(new)
                inner = new
            inner.append(nn.Linear(8, 8))
            self.top = top
            """,
            forward="h = self.top(getattr(self, 'n' * 100_000)(h))",
        ),
        ANY,
        "a report, or the user's RecursionError told once",
        timeout=120,
    ),
    cli(
        "a graph of 40,000 nodes in one chain",
        SIZE,
        net(init="self.w = nn.Parameter(torch.ones(8))", forward="for _ in range(20_000):\n    h = h * self.w + 0.0"),
        JUDGED,
        BIG,
        timeout=180,
    ),
    cli(
        "a step of 4,000 unrolled calls of one cell",
        SIZE,
        net(
            init="self.cell = nn.GRUCell(8, 8)",
            forward="x = h\nfor _ in range(4000):\n    h = self.cell(x, h)",
        ),
        JUDGED,
        BIG,
        timeout=180,
    ),
    cli(
        "an output of 50,000 tensors, and one that holds itself",
        SIZE,
        net(
            tail="""
            real = Net.forward
            def forward(self, x):
                out = real(self, x)
                ring = [out.sum()]
                ring.append(ring)
                return {"logits": out, "all": [out[0, 0] * i for i in range(50_000)], "ring": ring}
            Net.forward = forward
            def compute_loss(model, batch):
                return F.cross_entropy(model(batch[0])["logits"], batch[1])
            """
        ),
        replace(JUDGED, loss=LOSS),
        PLAIN_WORKS + ": the loss takes what it needs of it",
        timeout=120,
    ),
    cli(
        "a batch that holds itself",
        SIZE,
        net(
            tail="""
            batch = {"x": batch[0], "y": batch[1], "meta": []}
            batch["meta"].append(batch)
            def compute_loss(model, batch):
                return F.cross_entropy(model(batch["x"]), batch["y"])
            """
        ),
        Expect(codes=(0, 2), loss=LOSS),
        "compute_loss works on it: a report, or one message; not a RecursionError as internal error",
    ),
    cli(
        "a batch nested 3,000 lists deep",
        SIZE,
        net(
            tail="""
            deep = batch[0]
            for _ in range(3000):
                deep = [deep]
            batch = {"x": deep, "y": batch[1]}
            def compute_loss(model, batch):
                x = batch["x"]
                while isinstance(x, list):
                    x = x[0]
                return F.cross_entropy(model(x), batch["y"])
            """
        ),
        Expect(codes=(0, 2), loss=LOSS),
        "as above",
    ),
    cli(
        "attributes: a vocabulary of 600,000 words, a linked list of 100,000 nodes, a dict that holds itself",
        SIZE,
        net(
            top="class Node:\n    def __init__(self, next):\n        self.next = next",
            init="""
            self.vocabulary = {f"w{i}": i for i in range(600_000)}
            self.rows = [[i] for i in range(200_000)]
            self.config = {}
            self.config["self"] = self.config
            node = None
            for _ in range(100_000):
                node = Node(node)
            self.nodes = node
            """,
        ),
        HEALTHY,
        "none of it takes part in the pass; looking at it must neither recurse too deep nor take long",
        timeout=120,
    ),
    api(
        "attributes: a vocabulary, a linked list and a dict that holds itself, with trials",
        SIZE,
        """
        class Node:
            def __init__(self, next):
                self.next = next
        model = Deep()
        object.__setattr__(model, "vocabulary", {f"w{i}": i for i in range(300_000)})
        config = {}
        config["self"] = config
        model.config = config
        node = None
        for _ in range(100_000):
            node = Node(node)
        model.__dict__["_nodes"] = node
        last = node
        report = held(model, plain(), loss="cross_entropy", try_budget=5, also=lambda: id(last.next))
        assert report.status.value == "ill"
        while node is not None:
            node = node.next
        """,
        "where a model cannot be copied the trials are left out, and the finding stands",
        timeout=120,
    ),
    cli(
        "a dataset of 10**15 samples",
        SIZE,
        net(
            tail="""
            class Endless(torch.utils.data.Dataset):
                def __len__(self):
                    return 10**15
                def __getitem__(self, i):
                    return torch.randn(4), i % 3
            dataset = Endless()
            del batch
            """
        ),
        ANY,
        "one batch of it is wanted: shuffling all its indices would take a petabyte",
    ),
    cli(
        "a loader that yields for ever, each batch larger, and one batch is asked for",
        SIZE,
        net(
            tail="""
            def stream():
                n = 16
                while True:
                    yield torch.randn(n, 4), torch.arange(n) % 3
                    n *= 4
            train_loader = stream()
            del batch
            """
        ),
        EITHER,
        "no more is drawn than was asked for; or a generator is refused in one message",
    ),
    cli(
        "a loader that holds no batch",
        SIZE,
        net(
            tail="""
            class Stalled(torch.utils.data.IterableDataset):
                def __iter__(self):
                    while False:
                        yield
            train_loader = torch.utils.data.DataLoader(Stalled(), batch_size=None)
            del batch
            """
        ),
        FAILED,
        "there is no batch: told",
    ),
    cli(
        "an error whose message has 60 million characters",
        SIZE,
        net(forward="raise ValueError('the tensor is ' + 'x' * 60_000_000)"),
        FAILED,
        "one message that a terminal and a CI log can take: it is shortened",
    ),
    cli(
        "an error that cannot be shown: __str__ raises, __repr__ exits, the class name holds a line end",
        SIZE,
        net(
            top="""
            class Odd(Exception):
                def __str__(self):
                    raise RuntimeError("no words")
                def __repr__(self):
                    raise SystemExit(0)
            Odd.__name__ = Odd.__qualname__ = "Odd\\nerror: second"
            """,
            forward="raise Odd()",
        ),
        FAILED,
        "the user's code raised, whatever it says about it",
    ),
    cli(
        "an error with 3,000 causes in a group of groups",
        SIZE,
        net(
            top="import builtins\nGroup = getattr(builtins, 'ExceptionGroup', None)",
            forward="""
            error = ValueError("the first")
            for i in range(3000):
                new = Group("more", [error]) if Group and i % 2 else RuntimeError(f"because {i}")
                new.__cause__ = error
                error = new
            error.__context__ = error
            raise error
            """,
        ),
        FAILED,
        "told once, without going down the chain for ever or too deep",
    ),
    cli(
        "recursion in forward without end, caught by the user, who goes on",
        SIZE,
        net(
            forward="""
            def down(n):
                return down(n + 1) + 1
            try:
                down(0)
            except RecursionError:
                h = h * 1
            """
        ),
        HEALTHY,
        PLAIN_WORKS,
    ),
    cli(
        "mutual recursion of modules: a calls b calls a",
        SIZE,
        net(
            forward="self.calls = getattr(self, 'calls', 0) + 1\nh = h + self.inner[0](x)[:, :1]",
            tail="model.__dict__['inner'] = [model]",
        ),
        replace(FAILED, says="RecursionError|recursion"),
        "the user's own RecursionError, told as theirs",
    ),
    cli(
        "a model file with 400 nested parentheses",
        SIZE,
        net(tail="table = " + "(" * 400 + "1" + ")" * 400),
        replace(FAILED, says="nested|m\\.py"),
        "the user's file does not compile: its name and the compiler's words",
    ),
    cli(
        "a model file of 300,000 lines",
        SIZE,
        net(tail="\n".join(f"w{i} = {i}" for i in range(300_000))),
        HEALTHY,
        BIG,
        timeout=120,
    ),
    cli(
        "extra_repr, __repr__, __dir__, __len__ and __iter__ of a module have no end",
        SIZE,
        net(
            tail="""
            def endless(self, *a):
                while True:
                    pass
            Net.extra_repr = Net.__repr__ = Net.__dir__ = Net.__len__ = Net.__iter__ = Net.__bool__ = endless
            """
        ),
        HEALTHY,
        "a check needs none of them; " + PLAIN_WORKS,
    ),
    cli(
        "300 illnesses at once: 300 dead towers",
        SIZE,
        HEAD
        + dedent(
            """
            torch.manual_seed(0)
            class Towers(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.ins = nn.ModuleList(nn.Linear(4, 6) for _ in range(300))
                    self.outs = nn.ModuleList(nn.Linear(6, 3) for _ in range(300))
                    for i in self.ins:
                        nn.init.constant_(i.bias, -1e4)
                def forward(self, x):
                    return sum(o(torch.relu(i(x))) for i, o in zip(self.ins, self.outs))
            model = Towers()
            batch = torch.randn(16, 4), torch.randint(3, (16,))
            criterion = nn.CrossEntropyLoss()
            """
        ),
        Expect(codes=(1,), statuses=("ill",)),
        "each is an illness, and trials stay within their budget",
        argv=TRIED,
        timeout=240,
    ),
)

ATTACKS: tuple[Attack, ...] = (*PROCESSES, *STATES, *TENSORS, *DETERMINISMS, *SIZES)
