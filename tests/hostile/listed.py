"""The attacks that broke version 0.1.0, by what is wrong: names, streams, values, saved reports, journals, models.

Those that change the model, the batch or the process are in `kinds`, those that fork, hang and are killed in
`test_processes` and `fresh`.
"""

from __future__ import annotations

import json
import resource
import stat
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch

from gradcheck_cli.records.documents import report_to_dict
from tests.hostile.making import (
    holds,
    leave_no_folder,
    nothing_left_but,
    npy,
    still,
    written,
    zipped,
    zipped_zeros,
)
from tests.hostile.naming import CONFIG, MODEL, Case, Laid, absent, device, fifo, folder, hole, link, private
from tests.hostile.unseen import (
    CHECK,
    HEAD,
    JSON,
    NET,
    NO_FILE,
    SEEING,
    TWO,
)
from tests.reports.examples import vanishing

_LONG = "n" * 300
_BATCHES = ("x.csv", "x.npy", "x.npz", "x.pt", "x.safetensors")
_WEIGHTS = ("w.pt", "w.safetensors")
_BASELINE = '{"schema": "gradcheck-baseline/1", "checks": {}}'
REPORT = json.dumps(report_to_dict(vanishing()))


def _case(name: str, *argv: str, says: str = "", codes: tuple[int, ...] = TWO, **more: object) -> Case:
    return Case(name, argv, says, codes, **more)  # type: ignore[arg-type]


def _given(name: str, option: str, file: str, laid: Laid, says: str = NO_FILE, **more: object) -> Case:
    argv = (*CHECK, option, file)
    return Case(f"{option} {file[-16:]}: {name}", argv, says, files={file: laid} if len(file) < 256 else {}, **more)  # type: ignore[arg-type]


def _saved(value: object) -> Callable[[Path], object]:
    return lambda path: torch.save(value, path)


_STATE = {"layers.0.weight": "text", "layers.0.bias": 3, "layers.2.weight": torch.zeros(3, 8), "layers.2.bias": None}
_HEADER = "{{'descr': '<f4', 'fortran_order': False, 'shape': ({},)}}"

PATHS = (
    *(_given("a FIFO", "--batch", file, fifo) for file in _BATCHES),
    *(_given("a FIFO", "--weights", file, fifo) for file in _WEIGHTS),
    *(_given("300 characters", "--batch", _LONG + file, "", r"too long") for file in _BATCHES),
    *(_given("300 characters", "--weights", _LONG + file, "", r"too long") for file in _WEIGHTS),
    _given("a FIFO", "--input", "x.npy", fifo),
    _given("300 characters", "--target", _LONG + ".npy", "", "too long"),
    _given("a link to /dev/zero", "--batch", "x.csv", link("/dev/zero"), r"is a device"),
    _given("a header that claims 8 TB", "--batch", "x.npy", npy(_HEADER.format(2 * 10**12)), "claims 8 TB"),
    _given("a header that is a bomb of brackets", "--batch", "x.npy", npy("(" * 900), r"x\.npy"),
    _given(
        "an entry that claims 8 TB",
        "--batch",
        "x.npz",
        zipped(**{"x.npy": npy(_HEADER.format(2 * 10**12))}),
        "claims 8 TB",
    ),
    _given("40 GB of zeros", "--batch", "x.npz", zipped(**{"x.npy": npy(_HEADER.format(10 * 2**30))}), r"x\.npz"),
    _given(
        "1.1 GB of zeros that shrank",
        "--batch",
        "x.npz",
        zipped_zeros,
        "unpacks to 1.14 GB",
    ),
    _given("right keys, wrong values", "--weights", "w.pt", _saved(_STATE), r"layers\.0\.weight: a str in the file"),
    *(
        _case(
            f"--target-column {text[:9]!r}",
            *CHECK,
            "--batch",
            "x.csv",
            f"--target-column={text}",
            says="--target-column",
            files={"x.csv": "a,b\n1,2\n3,4\n"},
        )
        for text in ("--1", "9" * 5000, "²")
    ),
    _case("MODEL is a FIFO", "check", "x.py", says="is a FIFO", files={"x.py": fifo}),
    _case("MODEL of 300 characters", "check", _LONG + ".py", says="too long"),
    _case("MODEL of 300 characters without an ending", "check", _LONG, says="MODEL|no module"),
    _case("MODEL of 5,000 characters", "check", "n/" * 2500 + "x.py", says="too long"),
    _case("--config is a FIFO", *CHECK, "--config", "c", says="is a FIFO", files={"c": fifo}),
    _case("--baseline is /dev/zero", *CHECK, "--baseline", "b", says="is a device", files={"b": device(5)}),
    _case("--baseline is a FIFO", *CHECK, "--baseline", "b", says="is a FIFO", files={"b": fifo}),
    _case("--baseline is 3 GB", *CHECK, "--baseline", "b", says="is larger than", files={"b": hole(3 * 2**30)}),
    _case("the working folder is gone: check", "check", "m.py", says="is gone", before=leave_no_folder),
    _case("the working folder is gone: batch", "batch", "gradcheck.yaml", says="is gone", before=leave_no_folder),
    _case("the working folder is gone: show", "show", "r.json", says="is gone", before=leave_no_folder),
    _case("the working folder is gone: init", "init", says="is gone", before=leave_no_folder),
    _case("the working folder is gone: rule", "rule", "GC201", says="GC201", codes=(0,), before=leave_no_folder),
    _case("the working folder is gone: schema", "schema", says="schema", codes=(0,), before=leave_no_folder),
    _case("show: /dev/zero", "show", "r.json", says="is a device", files={"r.json": link("/dev/zero")}),
    _case("show: a FIFO", "show", "r.json", says="is a FIFO", files={"r.json": fifo}),
)

OUTPUTS = (
    _case("--baseline through a link", *CHECK, "--baseline", "b", "--update-baseline", codes=(0,), files={"real": _BASELINE, "b": link("real")}, holds=holds("b", Path.is_symlink, "is no link any more")),
    _case("--baseline through a link writes its end", *CHECK, "--baseline", "b", "--update-baseline", codes=(0,), files={"real": _BASELINE, "b": link("real")}, holds=holds("real", lambda path: "layers.0" in path.read_text(), "was not written")),
    _case("--output keeps 0600", *CHECK, "--output", "json=r", codes=(0,), files={"r": private("old")}, holds=holds("r", lambda path: path.stat().st_mode & 0o777 == 0o600, "has another mode")),
    _case("--output of 250 characters", *CHECK, "--output", f"json={'n' * 250}", codes=(0,), holds=written("n" * 250)),
    _case("--output of 300 characters", *CHECK, "--output", f"json={_LONG}", says="too long", holds=nothing_left_but()),
    _case("--output over the model", *CHECK, "--output", "json=m.py", says=r"m\.py", holds=still("m.py", MODEL)),
    _case("--output to a FIFO without a reader", *CHECK, "--output", "json=p", says=r"\bp\b", files={"p": fifo}),
    _case("--output to a home of nobody's", *CHECK, "--output", "json=~nosuchuser/x", says="no folder"),
    _case("--write-patch onto a folder", "check", "m.py", "--write-patch", "p", says="is a folder", files={"p": folder}),
    _case("--write-patch below a folder that is not there", "check", "m.py", "--write-patch", "no/p", says="no folder"),
    _case("--write-patch of 300 characters", "check", "m.py", "--write-patch", _LONG, says="too long"),
    _case("--write-patch to a full disk", "check", "i.py", "--write-patch", "p", says="(?i)no space", files={"p": device(7)}),
    _case("--write-patch through a link", "check", "i.py", "--write-patch", "p", codes=(1,), files={"p": link("real")}, holds=holds("real", Path.is_file, "was not written")),
    *(
        _case(f"stdout is full: {' '.join(argv)}", *argv, says="(?i)no space", files={"r.json": REPORT}, stdout="/dev/full")
        for argv in (("--help",), ("check", "--help"), ("--version",), ("rule", "GC201"), ("schema",), ("show", "r.json"), JSON)
    ),
    _case("stdout is full: init", "init", says="(?i)no space", files={"gradcheck.yaml": absent}, stdout="/dev/full"),
    _case("--journal on a device", "batch", "--journal", "j", says="is a device", files={"j": device(3)}, holds=holds("j", lambda path: stat.S_ISCHR(path.stat().st_mode), "is no device any more")),
    _case("--journal on a FIFO", "batch", "--journal", "j", says="is a FIFO", files={"j": fifo}, holds=holds("j", Path.is_fifo, "is no FIFO any more")),
    _case("--journal on a link to /dev/zero", "batch", "--journal", "j", says="is a device", files={"j": link("/dev/zero")}),
    _case("--journal through a link", "batch", "--journal", "j", codes=(0,), files={"j": link("real")}, holds=holds("j", Path.is_symlink, "is no link any more")),
    _case("--journal of 300 characters", "batch", "--journal", _LONG, says="too long"),
    _case("a TMPDIR of 150 characters", "batch", codes=(0,), files={"t" * 140: folder}, environment={"TMPDIR": "t" * 140}),
    _case("24 files and 16 workers", "batch", "--workers", "16", codes=(0, 2), before=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (24, 24))),
)  # fmt: skip
OUTPUTS = tuple(
    replace(
        case,
        files={
            **case.files,
            "i.py": HEAD
            + "model = nn.Sequential(*[nn.Sequential(nn.Linear(8, 8), nn.Sigmoid()) for _ in range(12)], nn.Linear(8, 3))\nbatch = torch.randn(32, 8), torch.randint(3, (32,))\ncriterion = nn.CrossEntropyLoss()\n",
        },
    )
    if "i.py" in case.argv
    else case
    for case in OUTPUTS
)


def _same(text: str, got: str) -> tuple[Case, Case]:
    """`--set` and gradcheck.yaml give the model the same value."""
    config = f"version: 1\nchecks:\n  - model: v.py\n    set: {{value: {text}}}\n"
    return (
        Case(f"--set: {text}", ("check", "v.py", "--set", f"value={text}"), f"got <{got}>", files={"v.py": SEEING}),
        Case(
            f"set in gradcheck.yaml: {text}",
            ("batch", "--verbose"),
            f"got <{got}>",
            files={"v.py": SEEING, "gradcheck.yaml": config},
            errors=False,
        ),
    )


def _refused(name: str, text: str) -> Case:
    return Case(f"--set: {name}", ("check", "v.py", "--set", f"value={text}"), "--set value", files={"v.py": SEEING})


def _in_config(name: str, line: str, says: str, codes: tuple[int, ...] = TWO, **more: object) -> Case:
    return Case(f"gradcheck.yaml: {name}", ("batch",), says, codes, {"gradcheck.yaml": f"{CONFIG}    {line}\n"}, **more)  # type: ignore[arg-type]


def _of_model(text: str, says: str) -> Case:
    """A model that is not there fails its own check of the suite, and is told by the check's name."""
    config = f"version: 1\nchecks:\n  - model: {text}\n"
    return Case(f"gradcheck.yaml: model: {text[:20]}", ("batch",), says, TWO, {"gradcheck.yaml": config}, errors=False)


def _many(count: int, text: Callable[[int], str]) -> dict[str, Laid]:
    return {f"f{number}.yaml": text(number) for number in range(count)}


_CHAIN = "import torch\nclass N0(torch.nn.Module): pass\n" + "".join(
    f"class N{n + 1}(N{n}): pass\n" for n in range(2000)
)

VALUES = (
    *_same("no", "'no'"),
    *_same("on", "'on'"),
    *_same("Yes", "'Yes'"),
    *_same("012", "12"),
    *_same("0o17", "15"),
    *_same("1_000", "'1_000'"),
    *_same("1:30", "'1:30'"),
    *_same("2020-13-45", "'2020-13-45'"),
    _refused("1e999", "1e999"),
    _refused("5,000 digits", "9" * 5000),
    _refused("!!bool maybe", "!!bool maybe"),
    _refused("!!float abc", "!!float abc"),
    _refused("!!int ''", "!!int ''"),
    _refused("!!int abc", "!!int abc"),
    _refused("!!timestamp abc", "!!timestamp abc"),
    _refused("!!int 0b", "!!int 0b"),
    _refused("an escape beyond all characters", '"\\UFFFFFFFF"'),
    _refused("a list that holds itself", "&a [*a]"),
    _refused("billion laughs", "[&a [0,0,0,0,0,0,0,0,0,0], " + ", ".join(f"&{chr(98 + n)} [{', '.join([f'*{chr(97 + n)}'] * 10)}]" for n in range(9)) + "]"),
    _refused("duplicate keys", "{a: 1, a: 2}"),
    _refused("nested 3,000 deep", "[" * 3000),
    _case("--max-memory 1B", *CHECK, "--max-memory", "1B", says="--max-memory"),
    _case("--timeout 1e10", *CHECK, "--timeout", "1e10", codes=(0,)),
    _in_config("timeout: 1e300", "timeout: 1e300", "", (0,)),
    _in_config("timeout: 1e9", "timeout: 1e9", "", (0,)),
    _in_config("timeout: 3e6", "timeout: 3e6", "", (0,)),
    Case("gradcheck.yaml: version: true", ("batch",), r"gradcheck\.yaml:1:10", files={"gradcheck.yaml": CONFIG.replace("1", "true", 1)}),
    _of_model("'../../../../etc/x.py'", r"failed .*x\.py: MODEL: there is no file"),
    _of_model("os:getcwd", "failed os:getcwd: .*not a torch"),
    _of_model("/etc/passwd", "failed /etc/passwd: .*not a Python file"),
    _of_model(_LONG + ".py", "too long"),
    Case("gradcheck.yaml: 1,200 files that include each other", ("batch", "f0.yaml"), "include", TWO, _many(1200, lambda n: f"version: 1\ninclude: [f{n + 1}.yaml]\n")),
    Case("init: 2,000 classes in a chain", ("init", "."), "wrote", (0,), {"gradcheck.yaml": absent, "c.py": _CHAIN}),
    Case("init: names that are no UTF-8", ("init", "."), "wrote", (0,), {"gradcheck.yaml": absent, "a\udcff.py": MODEL}, holds=holds("gradcheck.yaml", lambda path: "m.py" in path.read_text(encoding="utf-8"), "is no UTF-8")),
    Case("init: over a folder", ("init", "."), r"gradcheck\.yaml", files={"gradcheck.yaml": folder}),
    Case("init: over a folder, with --force", ("init", ".", "--force"), r"gradcheck\.yaml", files={"gradcheck.yaml": folder}),
    Case("init: a folder that is not there", ("init", "no"), "no folder"),
    Case("init: a folder of 300 characters", ("init", _LONG), "no folder"),
)  # fmt: skip

_COMMAND = "x\n::error file=x::pwned"


def _printed(name: str, *argv: str, codes: tuple[int, ...] = TWO, **files: str) -> tuple[Case, ...]:
    """In every format that people read, and on the terminal."""
    laid: dict[str, Laid] = {file.replace("_", "."): text for file, text in files.items()}
    return tuple(
        Case(f"printed: {name}: {format}", (*argv, "--format", format), "", codes, laid)
        for format in ("table", "markdown", "junit", "html")
    )


_BREAKS = NET.replace("return self.fc(x)", "raise Odd('no')") + "class Odd(Exception): pass\n"

PRINTED = (
    *_printed("the name of a model and of an error", "check", "k.py", k_py=_BREAKS + f"Net.__name__ = Odd.__name__ = {_COMMAND!r}\nbatch = torch.randn(8, 4), torch.randint(3, (8,))\n"),
    *_printed("--target-column", *CHECK, "--batch", "x.csv", "--target-column", _COMMAND, x_csv="a,b\n1,2\n"),
    *_printed("--set", *CHECK, "--set", f"depth={_COMMAND}: ]"),
    *_printed("keys of the batch", "check", "k.py", k_py=NET + f"batch = {{{_COMMAND!r}: torch.randn(8, 4)}}\n"),
    *_printed("a module that is missing", "check", "k.py", k_py=f"raise ModuleNotFoundError('no', name={_COMMAND!r})\n"),
    *_printed("a check of a suite", "batch", codes=(0,), gradcheck_yaml=CONFIG + f"    name: {json.dumps(_COMMAND)}\n"),
)  # fmt: skip


def _model(name: str, text: str, codes: tuple[int, ...] = (0, 1), **more: object) -> Case:
    return Case(f"model: {name}", ("check", "k.py", "--no-try", "--format", "json"), "", codes, {"k.py": text}, **more)  # type: ignore[arg-type]


_DATA = "batch = torch.randn(8, 4), torch.randint(3, (8,))\ncriterion = nn.CrossEntropyLoss()\n"


def _forward(body: str, top: str = "", after: str = "") -> str:
    return top + NET.replace("return self.fc(x)", f"{body}\n        return self.fc(x)") + _DATA + after


def _holding(value: str) -> str:
    return NET.replace("nn.Linear(4, 3)", f"nn.Linear(4, 3)\n        {value}") + _DATA


MODELS = (
    _model("__getattr__ without end", NET.replace("    def forward", "    def __getattr__(self, name):\n        return getattr(self, name)\n    def forward") + _DATA, TWO),
    _model("a __torch_function__ that raises", _forward("x = Odd(x)", "import torch\nclass Odd(torch.Tensor):\n    @classmethod\n    def __torch_function__(cls, f, types, args=(), kwargs=None):\n        if f.__name__ not in ('linear',): raise RuntimeError('not on this tensor')\n        return super().__torch_function__(f, types, args, kwargs or {})\n"), (0, 2)),
    *(_model(f"a file {name}.py beside it", NET + _DATA, (0,)) for name in ("jinja2", "rich", "xml")),
    _model("a submodule is built in forward", _forward("self.more = nn.Linear(4, 4)")),
    _model("atexit calls os._exit(0)", _forward("pass", "import atexit, os\natexit.register(os._exit, 0)\n"), (0,)),
    _model("atexit raises", _forward("pass", "import atexit\natexit.register(lambda: 1 / 0)\n"), (0,)),
    _model("a float8 buffer", _holding("self.register_buffer('s', torch.ones(4).to(torch.float8_e4m3fn))"), (0,)),
    _model("a float8 frozen parameter", _holding("self.s = nn.Parameter(torch.ones(4).to(torch.float8_e4m3fn), requires_grad=False)"), (0,)),
    _model("a sparse COO buffer", _holding("self.register_buffer('s', torch.eye(4).to_sparse())"), (0,)),
    _model("a sparse CSR buffer", _holding("self.register_buffer('s', torch.eye(4).to_sparse_csr())"), (0,)),
    _model("a sparse parameter", _holding("self.s = nn.Parameter(torch.eye(4).to_sparse())")),
    _model("a lazy layer that is never called", _holding("self.s = nn.LazyLinear(3)"), (0, 1, 2)),
    _model("forward calls os._exit", _forward("import os; os._exit(0)"), TWO),
    _model("forward calls C's exit", _forward("import ctypes; ctypes.CDLL(None)._exit(0)"), TWO),
    _model("forward calls sys.exit", _forward("import sys; sys.exit(0)"), TWO),
    _model("forward raises a BaseException of its own", _forward("raise type('B', (BaseException,), {})('x')"), TWO),
    _model("forward forks", _forward("import os; os.fork()"), (0,)),
    _model("recursion on the C stack", _forward("import sys; sys.setrecursionlimit(10**9)\n        def f(n): return list(map(f, [n]))\n        f(0)"), TWO),
    _model("a segmentation fault", _forward("import ctypes; ctypes.string_at(0)"), TWO),
    _model("set_grad_enabled(False) in forward", _forward("torch.set_grad_enabled(False)"), (1, 2)),
    _model("json.dumps is replaced", _forward("pass", after="import json\njson.dumps = lambda *a, **k: 'PWNED'\n"), (0, 2)),
    _model("parameters() without end", NET.replace("    def forward", "    def parameters(self, recurse=True):\n        while True: yield self.fc.weight\n    def forward") + _DATA, TWO, timeout=60),
    _model("a SIGALRM after 0.2 s", _forward("import signal, time; signal.setitimer(signal.ITIMER_REAL, 0.2); time.sleep(1)"), (0, 2)),
    _model("a thread that never ends", _forward("import threading, time; threading.Thread(target=time.sleep, args=(300,)).start()"), (0,)),
)  # fmt: skip
MODELS = tuple(
    replace(case, files={**case.files, f"{case.name.split()[3]}": "raise RuntimeError('shadowed')\n"})
    if " beside it" in case.name
    else case
    for case in MODELS
)
LISTED = (*PATHS, *OUTPUTS, *VALUES, *PRINTED, *MODELS)
