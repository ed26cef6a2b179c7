"""Hostile names, streams and values that are not on the list of earlier attacks, written before gradcheck met them.

On the tool as it was then, 195 of the 304 ended as expected. Of the 109 others the expectation was wrong, at least in
part, for 12, and is mended here: a package's folder and Latin-1 in a comment can be imported; 1e400 in a table is a
finding, which is a good answer; a limit of infinite seconds is none; a drift without a baseline is told first; a
question of the user's own shares its line with what follows; and a table whose odd number makes a header of its row, a
loss misspelt in a file without a batch, a batch that does fill both inputs, a layer's name with a dot (twice) and a
report that could not be shown anyway did not try what they were meant to.
"""

from __future__ import annotations

import json
import struct
from pathlib import Path

import numpy as np

from gradcheck_cli.records.documents import report_to_dict
from tests.hostile.making import (
    holds,
    is_device,
    leave_no_folder,
    nothing_left_but,
    npy,
    saved_npy,
    still,
    written,
    zipped,
)
from tests.hostile.naming import (
    CONFIG,
    MODEL,
    Case,
    Laid,
    absent,
    device,
    fifo,
    folder,
    hard_link,
    hole,
    link,
    private,
    unix_socket,
)
from tests.reports.examples import vanishing

CHECK = ("check", "m.py", "--no-try")
JSON = (*CHECK, "--format", "json")
NO_FILE = r"(?i)not a (regular )?file|is a (socket|device|folder|FIFO|named pipe|pipe)|no (such )?file|is no file"
LOOP = r"(?i)leads back to itself|too many levels|symbolic link|no (such )?file|loop"
TWO = (2,)
WHOLE = (0, 1)


def _safe(header: bytes, body: bytes = b"", length: int | None = None) -> bytes:
    return struct.pack("<Q", len(header) if length is None else length) + header + body


def _model(name: str, laid: Laid, says: str = NO_FILE, codes: tuple[int, ...] = TWO, *, argv: str = "x.py") -> Case:
    return Case(f"MODEL: {name}", ("check", argv, "--no-try"), says, codes, {"x.py": laid})


def _data(
    name: str, file: str, laid: object, says: str = NO_FILE, codes: tuple[int, ...] = TWO, **more: object
) -> Case:
    argv = (*CHECK, "--batch", file, "--loss", "cross_entropy")
    return Case(f"--batch {file}: {name}", argv, says, codes, {file: laid}, **more)  # type: ignore[dict-item, arg-type]


def _weights(name: str, file: str, laid: object, says: str = NO_FILE) -> Case:
    return Case(f"--weights {file}: {name}", (*CHECK, "--weights", file), says, files={file: laid})  # type: ignore[dict-item]


MODELS = (
    _model("a socket", unix_socket),
    _model("a device like /dev/null", device(3)),
    _model("a device like /dev/zero", device(5)),
    _model("a link that leads nowhere", link("nowhere.py")),
    _model("a link to itself", link("x.py"), LOOP),
    _model("below a file", "", r"no file|[Nn]ot a (directory|folder)", argv="m.py/x.py"),
    _model("no text at all", "", r"MODEL", argv=""),
    _model("the working folder", "", r"(?i)folder|not a Python file|MODEL", argv="."),
    Case("MODEL: a folder with an __init__.py", ("check", "pkg"), codes=(0,), files={"pkg/__init__.py": MODEL}),
    _model("no name after the colon", "", r"m\.py", argv="m.py:"),
    _model("no file before the colon", "", r"MODEL|no file|:model", argv=":build_model"),
    _model("a dot at the name's end", "", r"build_model", argv="m.py:build_model."),
    _model("UTF-16", MODEL.encode("utf-16"), r"x\.py"),
    _model("Latin-1 in a comment", b"# caf\xe9\n" + MODEL.encode(), "healthy", (0,)),
    _model("zeros in the source", MODEL.encode() + b"\0\0", r"x\.py"),
    _model("2 GB of zeros", hole(2**31), r"x\.py"),
    _model("a home of nobody's", "", r"nosuchuser", argv="~nosuchuser/x.py"),
    Case(
        "MODEL: a name that is no UTF-8",
        ("check", "m\udcff.py", "--format", "json"),
        codes=(0,),
        files={"m\udcff.py": MODEL},
    ),
    Case(
        "MODEL: a name that is a command to GitHub, with a newline",
        ("check", "x\n::error::y.py", "--no-try"),
        codes=(0,),
        files={"x\n::error::y.py": MODEL},
    ),
    Case(
        "MODEL: a name that is a command to Azure Pipelines",
        ("check", "##vso[task.complete]x.py", "--no-try"),
        codes=(0,),
        files={"##vso[task.complete]x.py": MODEL},
    ),
)

BATCHES = (
    _data("a folder", "x.npy", folder),
    _data("a socket", "x.npz", unix_socket),
    _data("a device like /dev/zero", "x.pt", device(5)),
    _data("a device like /dev/zero", "x.safetensors", device(5)),
    _data("a link to itself", "x.csv", link("x.csv"), LOOP),
    _data("a link that leads nowhere", "x.npz", link("nowhere"), r"x\.npz"),
    Case("--batch: a home of nobody's", (*CHECK, "--batch", "~nosuchuser/x.npy"), r"nosuchuser"),
    _data(
        "a negative dimension", "x.npy", npy("{'descr': '<f4', 'fortran_order': False, 'shape': (-4, 4)}"), r"x\.npy"
    ),
    _data("a type of no bytes", "x.npy", npy("{'descr': '|V0', 'fortran_order': False, 'shape': (4, 4)}"), r"x\.npy"),
    _data(
        "text of 4 GB each",
        "x.npy",
        npy("{'descr': '<U1073741823', 'fortran_order': False, 'shape': (9,)}"),
        r"x\.npy",
    ),
    _data("a version that is none", "x.npy", npy("{}", version=(9, 9)), r"x\.npy"),
    _data("a header that claims 4 GB", "x.npy", npy("{}", version=(2, 0), length=2**32 - 1), r"x\.npy"),
    _data("a header that is code", "x.npy", npy("__import__('os').abort()"), r"x\.npy"),
    _data("fewer rows than the header says", "x.npy", saved_npy(np.zeros((100, 4), np.float32))[:-800], r"x\.npy"),
    _data(
        "more dimensions than there can be",
        "x.npy",
        npy(f"{{'descr': '<f4', 'fortran_order': False, 'shape': {(1,) * 200}}}"),
        r"x\.npy",
    ),
    _data("no rows", "x.npy", saved_npy(np.zeros((0, 4), np.float32)), r"(?i)x\.npy|empty|no rows|no samples|batch"),
    _data("a zip that holds nothing", "x.npz", zipped(), r"x\.npz"),
    _data("a zip whose entry is no array", "x.npz", zipped(**{"x.npy": b"hello"}), r"x\.npz"),
    _data(
        "a zip bomb of 60 GB in four entries",
        "x.npz",
        zipped(
            **{f"{n}.npy": npy(f"{{'descr': '|u1', 'fortran_order': False, 'shape': ({15 * 2**30},)}}") for n in "abcd"}
        ),
        r"x\.npz",
    ),
    _data("a header that claims 2 ** 63 bytes", "x.safetensors", _safe(b"{}", length=2**63), r"x\.safetensors"),
    _data("a header nested 100,000 deep", "x.safetensors", _safe(b'{"a":' * 100_000), r"x\.safetensors"),
    _data(
        "a tensor that ends after the file",
        "x.safetensors",
        _safe(b'{"x":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}}', b"\0" * 8),
        r"x\.safetensors",
    ),
    _data("no tensors", "x.safetensors", _safe(b"{}"), r"x\.safetensors"),
    _data(
        "a torch archive with a pickle that inflates to 4 GB",
        "x.pt",
        zipped(**{"x__data.pkl": b"\x80\x02" + b"N0" * 2**25, "x__version": b"3"}),
        r"x\.pt",
    ),
    _data("a zip that torch did not write", "x.pt", zipped(readme=b"hello"), r"x\.pt"),
    _data("a zero inside", "x.csv", "a,b\n1,\0\n", r"x\.csv"),
    _data("UTF-16", "x.csv", "a,b\n1,2\n".encode("utf-16"), r"x\.csv"),
    _data("a quote that never ends, 300,000 characters on", "x.csv", 'a,b\n1,"' + "2" * 300_000, r"x\.csv"),
    _data("1e400", "x.csv", "a,b,c,d,y\n1,2,3,1e400,0\n1,2,3,4,1\n", r"(?i)1e400|inf|x\.csv", (1, 2)),
    _data("a header and no rows", "x.csv", "a,b,c,d,y\n", r"(?i)x\.csv"),
    _data("rows of different lengths", "x.csv", "1,2,3,4\n1,2\n", r"x\.csv"),
    _data("a number that is text for Python alone", "x.csv", "1,2,3,4,1\n1_000,２,3,4,0\n", r"x\.csv"),
    *(
        Case(
            f"--target-column {text!r}",
            (*CHECK, "--batch", "x.csv", f"--target-column={text}"),
            r"--target-column|column",
            files={"x.csv": "a,b,c,d,y\n1,2,3,4,0\n5,6,7,8,1\n"},
        )
        for text in ("", "-9", "99999999999999999999", "٤", "1e3", "+-1")
    ),
    _weights("a folder", "w.pt", folder),
    _weights("a socket", "w.safetensors", unix_socket),
    _weights("nothing in it", "w.pt", b"", r"w\.pt"),
    _weights("JSON", "w.pt", '{"layers.0.weight": 1}', r"w\.pt"),
    _weights("a device like /dev/null", "w.pt", device(3)),
    Case("--weights: a home of nobody's", (*CHECK, "--weights", "~nosuchuser/w.pt"), r"nosuchuser"),
    Case("--weights: ''", (*CHECK, "--weights", ""), r"--weights"),
)

_DEEP = "[" * 100_000 + "]" * 100_000


def _show(name: str, laid: object, says: str = r"r\.json", codes: tuple[int, ...] = TWO, *argv: str) -> Case:
    return Case(f"show: {name}", ("show", "r.json", *argv), says, codes, {"r.json": laid})  # type: ignore[dict-item]


def _config(
    name: str, laid: object, says: str = r"gradcheck\.yaml", codes: tuple[int, ...] = TWO, **more: object
) -> Case:
    return Case(f"gradcheck.yaml: {name}", ("batch",), says, codes, {"gradcheck.yaml": laid}, **more)  # type: ignore[dict-item, arg-type]


def _checks(
    name: str, line: str, says: str = r"gradcheck\.yaml:\d+:\d+", codes: tuple[int, ...] = TWO, **more: object
) -> Case:
    return _config(name, f"{CONFIG}    {line}\n", says, codes, **more)


DOCUMENTS = (
    _show("a folder", folder, r"r\.json.*([Ff]older|not a (regular )?file|[Dd]irectory)"),
    _show("a socket", unix_socket),
    _show("a device like /dev/zero", device(5)),
    _show("a link to itself", link("r.json"), LOOP),
    _show("3 GB of zeros", hole(3 * 2**30)),
    _show("UTF-16", '{"schema": "gradcheck-report/1"}'.encode("utf-16")),
    _show("lists 100,000 deep", _DEEP),
    _show("a number of a million digits", '{"schema": "gradcheck-report/1", "loss": ' + "9" * 10**6 + "}"),
    _show("the same key twice, with another schema", '{"schema": "gradcheck-suite/1", "schema": "gradcheck-report/1"}'),
    _show(
        "a suite that holds a suite",
        '{"schema": "gradcheck-suite/1", "name": "a", "exit_code": 0, "seconds": 0, "checks": [{"schema": "gradcheck-suite/1"}]}',
    ),
    _show("a run with nothing in it", '{"schema": "gradcheck-run/1"}'),
    _show("two documents", '{"schema": "gradcheck-report/1"}\n{"schema": "gradcheck-report/1"}\n'),
    Case("show: a home of nobody's", ("show", "~nosuchuser/r.json"), r"nosuchuser"),
    Case(
        "show: two, the second a FIFO",
        ("show", "r.json", "s.json"),
        r"s\.json|r\.json",
        files={"r.json": "{}", "s.json": fifo},
    ),
    Case("show: ''", ("show", ""), r"(?i)file|report|read"),
    Case("--baseline: a folder", (*CHECK, "--baseline", "b"), r"\bb\b", files={"b": folder}),
    Case(
        "--baseline: a socket, to be updated",
        (*CHECK, "--baseline", "b", "--update-baseline"),
        r"\bb\b",
        files={"b": unix_socket},
    ),
    Case("--baseline: lists 100,000 deep", (*CHECK, "--baseline", "b"), r"\bb\b", files={"b": _DEEP}),
    Case(
        "--baseline: the model's file, to be updated",
        (*CHECK, "--baseline", "m.py", "--update-baseline"),
        r"m\.py",
        holds=still("m.py", MODEL),
    ),
    Case("--baseline: a home of nobody's", (*CHECK, "--baseline", "~nosuchuser/b", "--update-baseline"), r"nosuchuser"),
    Case(
        "--baseline: a link to itself",
        (*CHECK, "--baseline", "b", "--update-baseline"),
        r"(?i)levels|link|\bb\b",
        files={"b": link("b")},
    ),
    Case("--config: a folder", (*CHECK, "--config", "c"), r"\bc\b.*folder", files={"c": folder}),
    Case("--config: a socket", (*CHECK, "--config", "c"), r"\bc\b", files={"c": unix_socket}),
    Case("--config: a device like /dev/zero", (*CHECK, "--config", "c"), r"\bc\b", files={"c": device(5)}),
    Case("--config: a home of nobody's", (*CHECK, "--config", "~nosuchuser/c"), r"nosuchuser"),
    Case("--config: ''", (*CHECK, "--config", ""), r"(?i)--config|folder|file"),
    _config("a FIFO, found by itself", fifo, r"(?i)gradcheck\.yaml|no config"),
    _config("UTF-16", CONFIG.encode("utf-16")),
    Case(
        "gradcheck.yaml: includes a FIFO by a pattern",
        ("batch",),
        r"more\.yaml",
        files={"gradcheck.yaml": "version: 1\ninclude: ['more*']\n", "more.yaml": fifo},
    ),
    _config("includes a device", "version: 1\ninclude: [/dev/zero]\n", r"gradcheck\.yaml|/dev/zero"),
    _config("includes a pattern that is none", "version: 1\ninclude: ['[']\n"),
    _config("includes no text", "version: 1\ninclude: ['']\n"),
    _config("includes 300 characters", f"version: 1\ninclude: ['{'n' * 300}']\n"),
    Case(
        "gradcheck.yaml: includes itself by a link",
        ("batch",),
        r"(?i)include",
        files={"gradcheck.yaml": CONFIG + "include: [me.yaml]\n", "me.yaml": link("gradcheck.yaml")},
    ),
    _checks(
        "a matrix of 10 ** 8 checks",
        "matrix: {"
        + ", ".join(f"{key}: [{', '.join(map(str, range(100)))}]" for key in ("seed", "batches"))
        + ", set: {a: "
        + str(list(range(100)))
        + ", b: "
        + str(list(range(100)))
        + "}}",
    ),
    _checks("seed: 10 ** 30", f"seed: {10**30}"),
    _checks("batches: 1e300", "batches: 1e300"),
    _checks("timeout: -1", "timeout: -1"),
    _checks("timeout: 1e-300", "timeout: 1e-300"),
    _checks("timeout: 1e12, which nobody reaches", "timeout: 1e12", r"m\.py", (0, 2)),
    _checks("lr: 1e400", "lr: 1e400"),
    _checks("max_memory: 1e400GB", "max_memory: 1e400GB"),
    _checks(
        "max_memory: 99999999999999999999TB", "max_memory: 99999999999999999999TB", r"m\.py|gradcheck\.yaml", (0, 2)
    ),
    _checks("name: a command to GitHub", 'name: "a\\n::error file=x::owned"', "", (0,)),
    _checks("name: a command to GitHub v1", 'name: "##[error]owned"', "", (0,)),
    _checks("model: a zero in the name", 'batch: "a\\0b.npy"'),
    _config("checks: {}", "version: 1\nchecks: {}\n"),
    _config("version: 1.5", CONFIG.replace("version: 1", "version: 1.5")),
    _config(
        "a set that names a key twice by a merge of itself",
        "version: 1\ndefaults: &a\n  <<: *a\n" + CONFIG[len("version: 1\n") :],
    ),
    Case("init: a file", ("init", "m.py"), r"m\.py"),
    Case("init: a home of nobody's", ("init", "~nosuchuser"), r"nosuchuser"),
    Case(
        "init: a FIFO and a socket among the files",
        ("init", "."),
        r"wrote",
        (0,),
        {"gradcheck.yaml": absent, "a.py": fifo, "b.py": unix_socket},
    ),
    Case(
        "init: a class that derives from itself, and two from each other",
        ("init", "."),
        r"wrote",
        (0,),
        {
            "gradcheck.yaml": absent,
            "a.py": "import torch\nclass A(A): pass\nclass B(C, torch.nn.Module): pass\nclass C(B): pass\n",
        },
    ),
    Case(
        "init: 900 kB of brackets",
        ("init", "."),
        r"wrote",
        (0,),
        {"gradcheck.yaml": absent, "a.py": "import torch\n" + "(" * 900_000},
    ),
    Case(
        "init: gradcheck.yaml is a link that leads nowhere",
        ("init", "."),
        "",
        (0, 2),
        {"gradcheck.yaml": link("elsewhere.yaml")},
        holds=holds("gradcheck.yaml", Path.is_symlink, "is no link any more"),
    ),
    Case(
        "init: a class whose name is a command",
        ("init", "."),
        r"wrote",
        (0,),
        {"gradcheck.yaml": absent, "a\n::error::b.py": MODEL},
    ),
)

_LONG = "n" * 255
_WIDE = "é" * 127


def _out(name: str, path: str, says: str = "", codes: tuple[int, ...] = TWO, **more: object) -> Case:
    return Case(f"--output: {name}", (*CHECK, "--output", f"json={path}"), says, codes, **more)  # type: ignore[arg-type]


OUTPUTS = (
    _out("over --config", "gradcheck.yaml", r"gradcheck\.yaml", holds=still("gradcheck.yaml", CONFIG)),
    Case(
        "--output: over the batch",
        (*CHECK, "--batch", "x.csv", "--output", "json=x.csv"),
        r"x\.csv",
        files={"x.csv": "1,2,3,4,0\n5,6,7,8,1\n"},
        holds=still("x.csv", "1,2,3,4,0\n5,6,7,8,1\n"),
    ),
    Case(
        "--output: over the file of the loss",
        (*CHECK, "--loss", "l.py:loss", "--output", "json=l.py"),
        r"l\.py",
        files={"l.py": "def loss(a, b):\n    return a.sum()\n"},
        holds=still("l.py", "def loss(a, b):\n    return a.sum()\n"),
    ),
    Case(
        "--output: over a baseline",
        (*CHECK, "--baseline", "b.json", "--output", "json=b.json"),
        r"b\.json",
        files={"b.json": '{"schema": "gradcheck-baseline/1", "checks": {}}'},
        holds=still("b.json", '{"schema": "gradcheck-baseline/1", "checks": {}}'),
    ),
    _out("a link to the model", "l", r"\bl\b|m\.py", files={"l": link("m.py")}, holds=still("m.py", MODEL)),
    _out("a hard link of the model", "l", "", (0, 2), files={"l": hard_link("m.py")}, holds=still("m.py", MODEL)),
    _out("the model by another spelling", "./sub/../m.py", r"m\.py", files={"sub/a": ""}, holds=still("m.py", MODEL)),
    Case(
        "--output: over the script of a run",
        ("run", "--output", "json=train.py", "train.py"),
        r"train\.py",
        holds=holds("train.py", lambda path: "optimizer" in path.read_text(), "is not as it was"),
    ),
    Case(
        "--output: over the report that is shown",
        ("show", "r.json", "--output", "html=r.json"),
        r"r\.json",
        files={"r.json": '{"schema": "gradcheck-report/1"}'},
        holds=still("r.json", '{"schema": "gradcheck-report/1"}'),
    ),
    Case(
        "--output: over the config of a batch",
        ("batch", "--output", "json=gradcheck.yaml"),
        r"gradcheck\.yaml",
        holds=still("gradcheck.yaml", CONFIG),
    ),
    Case("--output: over a model of a batch", ("batch", "--output", "json=m.py"), r"m\.py", holds=still("m.py", MODEL)),
    Case(
        "--output: two names of one file",
        (*CHECK, "--output", "json=a", "--output", "html=b"),
        r"(?i)twice|same file",
        files={"a": "", "b": link("a")},
    ),
    _out("a name of 255 characters, which is legal", _LONG, "", (0,), holds=written(_LONG)),
    _out("a name of 254 bytes in UTF-8, which is legal", _WIDE, "", (0,), holds=written(_WIDE)),
    _out("a name of 256 characters", _LONG + "n", r"(?i)too long", holds=nothing_left_but()),
    _out("a name that is no UTF-8", "r\udcff.json", "", (0,), holds=written("r\udcff.json")),
    _out(
        "a name that is a command, of a folder that is not there",
        "no\n::error::x/r.json",
        r"no folder|cannot be written",
    ),
    _out("a link that leads nowhere yet", "l", "", (0,), files={"l": link("to.json")}, holds=written("to.json")),
    _out("a link to itself", "l", r"(?i)\bl\b", files={"l": link("l")}),
    _out("below a file", "m.py/r.json", r"m\.py"),
    _out("a slash at the end", "new/", r"new", holds=nothing_left_but()),
    _out("a socket", "s", r"\bs\b", files={"s": unix_socket}),
    _out("a device like /dev/null", "null", "", (0,), files={"null": device(3)}, holds=is_device("null")),
    _out("a device like /dev/full", "full", r"(?i)no space", files={"full": device(7)}, holds=is_device("full")),
    _out("/dev/stderr, which is a pipe", "/dev/stderr", "gradcheck-report/1", (0,)),
    _out("/dev/fd/1, which is a pipe", "/dev/fd/1", "gradcheck-report/1", (0,)),
    _out("/proc/self/fd/2, which is a pipe", "/proc/self/fd/2", "gradcheck-report/1", (0,)),
    _out(
        "mode 0640 is kept",
        "r.json",
        "",
        (0,),
        files={"r.json": private("old", 0o640)},
        holds=holds("r.json", lambda path: path.stat().st_mode & 0o777 == 0o640, "has another mode"),
    ),
    Case(
        "--write-patch over the model",
        ("check", "m.py", "--write-patch", "m.py"),
        r"m\.py",
        holds=still("m.py", MODEL),
    ),
    Case("--journal: a folder", ("batch", "--journal", "j"), r"\bj\b", files={"j": folder}),
    Case(
        "--journal: a socket",
        ("batch", "--journal", "j"),
        r"\bj\b",
        files={"j": unix_socket},
        holds=holds("j", Path.is_socket, "is no socket any more"),
    ),
    Case(
        "--journal: a link to a device like /dev/null",
        ("batch", "--journal", "j"),
        r"\b(j|null)\b",
        files={"null": device(3), "j": link("null")},
        holds=is_device("null"),
    ),
    Case("--journal: the model's file", ("batch", "--journal", "m.py"), r"m\.py", holds=still("m.py", MODEL)),
    Case("--journal: a link to itself", ("batch", "--journal", "j"), r"\bj\b", files={"j": link("j")}),
    Case("--journal: below a file", ("batch", "--journal", "m.py/j"), r"m\.py"),
    Case("--save-batch: a file", ("run", "--save-batch", "m.py", "train.py"), r"m\.py", holds=still("m.py", MODEL)),
    Case(
        "--save-batch: a device",
        ("run", "--save-batch", "d", "train.py"),
        r"\bd\b",
        files={"d": device(3)},
        holds=is_device("d"),
    ),
    *(
        Case(f"stdout is full: --format {format}", (*CHECK, "--format", format), r"(?i)no space", stdout="/dev/full")
        for format in ("markdown", "html", "github", "junit", "sarif")
    ),
    Case(
        "stdout is full, and a file is written",
        (*JSON, "--output", "json=r.json"),
        r"(?i)no space",
        stdout="/dev/full",
        holds=written("r.json"),
    ),
    Case("stdout and stderr are full", JSON, stdout="/dev/full", stderr="/dev/full"),
    Case("stderr is full, and the report goes there", ("run", "train.py"), stderr="/dev/full"),
    Case("stderr is full, and it is wrong usage", ("check",), stderr="/dev/full"),
    Case("stdout is full: a suite", ("batch", "--format", "json"), r"(?i)no space", stdout="/dev/full"),
    Case(
        "stdout is full: show",
        ("show", "r.json", "--format", "json"),
        r"(?i)no space|r\.json",
        files={"r.json": json.dumps(report_to_dict(vanishing()))},
        stdout="/dev/full",
    ),
    Case("stdout is closed: schema", ("schema",), codes=(0, 2), stdout="-"),
    Case("stdout and stderr are closed", JSON, codes=(0, 2), stdout="-", stderr="-"),
    Case("the working folder is gone: run", ("run", "train.py"), r"(?i)folder|no file|no such", before=leave_no_folder),
    Case(
        "the working folder is gone: check in process",
        ("check", "../m.py", "--in-process", "--no-try"),
        "",
        (0, 2),
        before=leave_no_folder,
    ),
    Case(
        "the working folder is gone: an output by its whole path",
        ("check", "@W/m.py", "--no-try", "--output", "json=@W/r.json"),
        "",
        (0, 2),
        before=leave_no_folder,
    ),
)

SEEING = """\
import torch
def build_model(value=None):
    raise ValueError(f"got <{value!r}>")
"""


def _set(text: str, got: str) -> Case:
    """`--set` gives the model this value, as YAML 1.2 reads it."""
    return Case(
        f"--set: {text[:60]!r}", ("check", "v.py", "--set", f"value={text}"), f"got <{got}>", files={"v.py": SEEING}
    )


def _refused(text: str, says: str = r"--set", name: str = "") -> Case:
    return Case(
        f"--set: {name or repr(text[:60])}", ("check", "v.py", "--set", f"value={text}"), says, files={"v.py": SEEING}
    )


def _option(*argv: str, says: str = "", codes: tuple[int, ...] = TWO) -> Case:
    return Case(" ".join(argv)[:80], (*CHECK, *argv), says or re_of(argv[0]), codes)


def re_of(option: str) -> str:
    return rf"'?{option}'?"


VALUES = (
    _set("-0", "0"),
    _set("+7", "7"),
    _set("0b101", "'0b101'"),
    _set("0o8", "'0o8'"),
    _set("0x1F", "31"),
    _set("1_0.5", "'1_0.5'"),
    _set("1e3", "1000.0"),
    _set(".5", "0.5"),
    _set("off", "'off'"),
    _set("y", "'y'"),
    _set("~", "None"),
    _set("", "None"),
    _set("2020-01-01", "'2020-01-01'"),
    _set("12:30:45", "'12:30:45'"),
    _set("=", "'='"),
    _set("[1, no, 1e-7]", r"\[1, 'no', 1e-07\]"),
    _set('"a # b" # note', "'a # b'"),
    _refused("*nowhere"),
    _refused("1\n--- 2"),
    _refused("!!binary aGk="),
    _refused("!!set {a}"),
    _refused("!!omap [a: 1]"),
    _refused("!!python/tuple [1]"),
    _refused('"\\ud800"'),
    _refused('"\\0"'),
    _refused("\x07"),
    _refused("{a: 1, 'a': 2}"),
    _refused("{1: 2}"),
    _refused("&a {b: *a}"),
    _refused("[" * 200 + "]" * 200),
    _refused("%YAML 9.9\n--- 1"),
    _refused("\t- a"),
    _refused("9" * 100_000, name="100,000 digits"),
    _refused("-1e999"),
    Case(
        "--set: a value of 100 kB",
        ("check", "v.py", "--set", "value=" + "a" * 100_000),
        "got <'aaaa",
        files={"v.py": SEEING},
    ),
    Case(
        "--set: a key with a command in it",
        ("check", "v.py", "--set", "a\n::error::b=1"),
        r"--set",
        files={"v.py": SEEING},
    ),
    Case("--set: `self`", ("check", "m.py:Net", "--set", "self=1"), r"self"),
    _option("--seed", "1e3"),
    _option("--seed", "9" * 5000),
    _option("--batches", "9" * 30),
    _option("--lr", "nan"),
    _option("--lr", "inf"),
    _option("--lr", "1e400"),
    _option("--timeout", "nan"),
    _option("--timeout", "inf", codes=(0,), says="healthy"),
    _option("--timeout", "1e-9"),
    _option("--timeout", "1e300", codes=(0, 2), says=r"timeout|m\.py"),
    _option("--max-memory", ""),
    _option("--max-memory", "1e400"),
    _option("--max-memory", "٤GB"),
    _option("--drift", "nan"),
    _option("--drift", "inf", says="baseline"),
    _option("--try-budget", "9" * 5000),
    _option("--input", "float32[99999999999999]"),
    _option("--input", "float32[٤]"),
    _option("--input", "float32[" + ",".join("1" * 2000) + "]"),
    _option("--input", "int64[4] in 0..1e400"),
    _option("--target", "int64[16] in 5..5"),
    _option("--target", "float32[8] in 0..nan"),
    _option("--device", "cpu\n::error::x", says=r"device"),
    _option("--dtype", "float33", says=r"dtype"),
    Case("--workers 10 ** 30", ("batch", "--workers", "9" * 30), r"m\.py|--workers", (0, 2)),
    Case("--shard of 20 digits", ("batch", "--shard", "1/99999999999999999999"), r"(?i)shard|m\.py|no check", (0, 2)),
    Case("--shard in Arabic digits", ("batch", "--shard", "١/٢"), r"--shard"),
    Case("-k with a command in it", ("batch", "-k", "a\n::error::b"), r"-k|fits|no check"),
    Case("run --budget nan", ("run", "--budget", "nan", "train.py"), r"--budget"),
    Case("run --budget 1e400", ("run", "--budget", "1e400", "train.py"), r"--budget"),
    Case("run --at of 5,000 digits", ("run", "--at", "9" * 5000, "train.py"), r"--at"),
    Case("run --at of 30 digits", ("run", "--at", "9" * 30, "train.py"), "", (0, 1, 2)),
    Case("run --every of 30 digits", ("run", "--every", "9" * 30, "train.py"), "", (0, 1, 2)),
    Case("run --steps of 30 digits", ("run", "--steps", "9" * 30, "train.py"), "", (0, 1, 2)),
    Case("run: the script is a FIFO", ("run", "x.py"), r"x\.py", files={"x.py": fifo}),
    Case("run: the script is a device like /dev/zero", ("run", "x.py"), r"x\.py", files={"x.py": device(5)}),
    Case("run: the script's name is 300 characters", ("run", "n" * 300 + ".py"), r"nnn"),
    Case("run: --config is a FIFO", ("run", "--config", "c", "train.py"), r"\bc\b", files={"c": fifo}),
)

HEAD = "import torch\nfrom torch import nn\nfrom torch.nn import functional as F\n"
NET = HEAD + (
    "class Net(nn.Module):\n    def __init__(self):\n        super().__init__()\n        self.fc = nn.Linear(4, 3)\n"
    "    def forward(self, x):\n        return self.fc(x)\nmodel = Net()\n"
)
_BATCH = "batch = torch.randn(8, 4), torch.randint(3, (8,))\ncriterion = nn.CrossEntropyLoss()\n"


def _foreign(name: str, text: str, says: str, *argv: str, codes: tuple[int, ...] = TWO, **files: str) -> Case:
    """A file of somebody else's that cannot be checked as it is: what is wrong is told, and what to type next."""
    beside = {name.replace("__", "."): content for name, content in files.items()}
    return Case(
        f"foreign: {name}", ("check", "f.py", "--no-try", *argv), says, codes, {"f.py": text, **beside}, hint=2 in codes
    )


FOREIGN = (
    _foreign("a package that is missing", "import nosuchpackage.layers\n" + NET + _BATCH, r"nosuchpackage"),
    _foreign("a name that its package does not have", "from torch.nn import Linnear\n" + NET, r"Linnear"),
    _foreign("a relative import", "from .layers import x\n" + NET, r"relative import"),
    _foreign("data that is missing", NET + "rows = open('data/train.csv').read()\n", r"data/train\.csv"),
    _foreign("weights that are missing", NET + "model.load_state_dict(torch.load('best.pt'))\n", r"best\.pt"),
    _foreign("CUDA at import", NET + "model = model.cuda()\n" + _BATCH, r"(?i)cuda"),
    _foreign("a checkpoint for CUDA", NET + "x = torch.zeros(3, device='cuda:0')\n" + _BATCH, r"(?i)cuda"),
    _foreign(
        "arguments at import",
        "import argparse\np = argparse.ArgumentParser()\np.add_argument('--data', required=True)\nargs = p.parse_args()\n"
        + NET,
        r"(?i)--data|argument",
    ),
    _foreign(
        "an environment variable that is not set", "import os\nroot = os.environ['DATA_ROOT']\n" + NET, r"DATA_ROOT"
    ),
    _foreign("a question at import", "name = input()\n" + NET, r"(?i)input|EOF|stdin"),
    _foreign("Python 2", "print 'hello'\n", r"f\.py:1"),
    _foreign("sys.exit at import", "import sys\nsys.exit('usage: f.py DATA')\n", r"usage: f\.py DATA|exit"),
    _foreign("no model", "import torch\nx = 3\n", r"f\.py"),
    _foreign(
        "two models",
        HEAD + "class A(nn.Linear): pass\nclass B(nn.Linear): pass\na, b = A(4, 3), B(4, 3)\n",
        r"\ba\b.*\bb\b|A.*B",
    ),
    _foreign(
        "a model that needs arguments",
        HEAD + "class Net(nn.Module):\n    def __init__(self, width, depth):\n        super().__init__()\n",
        r"width",
    ),
    _foreign("a name misspelt", NET + _BATCH, r"cross_entropy", "--loss", "cross_entropi"),
    _foreign("a wrong shape", NET.replace("Linear(4, 3)", "Linear(5, 3)") + _BATCH, r"(?s)fc.*(8.*4.*5|5.*8.*4)"),
    _foreign(
        "an image where a table is expected",
        HEAD
        + "model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.Flatten(), nn.Linear(8, 3))\nbatch = torch.randn(8, 3, 9, 9), torch.randint(3, (8,))\ncriterion = nn.CrossEntropyLoss()\n",
        r"(?s)2.*(392|8x)",
    ),
    _foreign("a wrong dtype", NET + _BATCH.replace("4)", "4).double()", 1), r"(?i)double|float64"),
    _foreign(
        "whole numbers into a linear layer",
        NET + "batch = torch.randint(9, (8, 4)), torch.randint(3, (8,))\ncriterion = nn.CrossEntropyLoss()\n",
        r"(?i)long|int64",
    ),
    _foreign(
        "targets out of range",
        NET + "batch = torch.randn(8, 4), torch.tensor([0, 1, 2, 7, 0, 1, 2, 0])\ncriterion = nn.CrossEntropyLoss()\n",
        r"\b7\b",
    ),
    _foreign(
        "targets from 1",
        NET + "batch = torch.randn(3, 4), torch.tensor([1, 2, 3])\ncriterion = nn.CrossEntropyLoss()\n",
        r"\b3\b",
    ),
    _foreign(
        "a token out of range",
        HEAD
        + "model = nn.Sequential(nn.Embedding(10, 4), nn.Flatten(), nn.Linear(8, 3))\nbatch = torch.tensor([[1, 57], [2, 3]]), torch.tensor([0, 1])\ncriterion = nn.CrossEntropyLoss()\n",
        r"\b57\b",
    ),
    _foreign(
        "a loss that is no scalar",
        NET + _BATCH.replace("CrossEntropyLoss()", "CrossEntropyLoss(reduction='none')"),
        r"(?i)scalar|one number|\(8,\)",
    ),
    _foreign(
        "a loss that is a Python number",
        NET
        + _BATCH
        + "def compute_loss(model, batch):\n    return F.cross_entropy(model(batch[0]), batch[1]).item()\n",
        r"(?i)float|tensor|graph|item",
    ),
    _foreign(
        "probabilities above 1",
        HEAD + "model = nn.Linear(4, 1)\nbatch = torch.randn(8, 4) * 9, torch.rand(8, 1)\ncriterion = nn.BCELoss()\n",
        r"(?i)between 0 and 1|\[0, ?1\]|sigmoid",
    ),
    _foreign(
        "a forward of two inputs",
        NET.replace("self, x)", "self, x, mask)") + _BATCH.replace("torch.randn(8, 4)", "{'x': torch.randn(8, 4)}"),
        r"mask",
    ),
    _foreign(
        "nothing to train", NET + _BATCH + "model.requires_grad_(False)\n", r"(?i)frozen|requires_grad|no parameter"
    ),
    _foreign("no batch", NET, r"(?i)batch"),
    _foreign(
        "a loader that yields nothing",
        NET + "loader = torch.utils.data.DataLoader([], batch_size=4)\ncriterion = nn.CrossEntropyLoss()\n",
        r"(?i)empty|no batch|nothing|yields",
    ),
    _foreign("a batch that is None", NET + "batch = None\ncriterion = nn.CrossEntropyLoss()\n", r"(?i)batch"),
    _foreign("an output of no tensor", NET.replace("return self.fc(x)", "return None") + _BATCH, r"(?i)None"),
    _foreign(
        "one sample through BatchNorm",
        HEAD
        + "model = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Linear(8, 3))\nbatch = torch.randn(1, 4), torch.tensor([1])\ncriterion = nn.CrossEntropyLoss()\n",
        r"(?i)more than (1|one) value",
    ),
    _foreign(
        "a file that is somebody's TensorFlow",
        "import tensorflow as tf\nmodel = tf.keras.Sequential()\n",
        r"tensorflow",
    ),
    _foreign(
        "a script that trains",
        NET
        + _BATCH
        + "opt = torch.optim.SGD(model.parameters(), 0.1)\nwhile True:\n    opt.zero_grad(); criterion(model(batch[0]), batch[1]).backward(); opt.step()\n",
        r"gradcheck run",
        "--timeout",
        "8",
    ),
    Case("foreign: a notebook", ("check", "f.ipynb"), r"f\.ipynb", files={"f.ipynb": "{}"}, hint=True),
    Case("foreign: a checkpoint as MODEL", ("check", "best.pth"), r"best\.pth", files={"best.pth": b"PK"}, hint=True),
    Case("foreign: an address as MODEL", ("check", "https://example.org/model.py"), r"example\.org", hint=True),
    Case("foreign: a call as MODEL", ("check", "m.py:Net(depth=3)"), r"Net\(depth=3\)", hint=True),
    Case("foreign: a name misspelt as MODEL", ("check", "m.py:biuld_model"), r"build_model", hint=True),
    Case("foreign: a function that is no loss", (*CHECK, "--loss", "relu_"), r"relu_", (0, 1, 2)),
)

_NAMED = """\
import torch
from torch import nn
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.add_module(NAME, nn.Linear(4, 8))
        self.head = nn.Linear(8, 3)
    def forward(self, x):
        h = self._modules[NAME](x)
        return self.head(h.relu() if not BREAK else h.view(7, 9))
Net.__name__ = Net.__qualname__ = KIND
model = Net()
batch = torch.randn(16, 4), torch.randint(3, (16,))
criterion = nn.CrossEntropyLoss()
"""


def _printed(name: str, layer: str, format: str, *, kind: str = "Net", breaks: bool = False) -> Case:
    text = f"NAME, KIND, BREAK = {layer!r}, {kind!r}, {breaks}\n" + _NAMED
    argv = ("check", "p.py", "--no-try", "--verbose", "--format", format)
    return Case(
        f"printed: {name}, {format}", argv, "", (2,) if breaks else (0, 1), {"p.py": text}, commands=format == "github"
    )


PRINTED = (
    _printed("a layer whose name is a command after a newline", "a\n::error::owned", "table"),
    _printed("a layer whose name is a command after a newline", "a\n::error::owned", "markdown"),
    _printed("a layer whose name is a command to GitHub v1", "##[add-mask]a", "table"),
    _printed("a layer whose name is a command to GitHub v1", "##[add-mask]a", "html"),
    _printed("a layer whose name is a command to Azure Pipelines", "##vso[task]a", "markdown"),
    _printed("a layer whose name is a command to Azure Pipelines", "##vso[task]a", "junit"),
    _printed("a layer whose name turns the line around", "a\u202eb\u2066c", "table"),
    _printed("a layer whose name turns the line around", "a\u202eb\u2066c", "html"),
    _printed("a layer whose name sets the title of the terminal", "a\x1b]0;owned\x07", "table"),
    _printed("a layer whose name ends lines as Unicode does", "a\u2028::error::b\x85c", "junit"),
    _printed("a class whose name is a command, that raises", "a", "table", kind="x\n::error::owned", breaks=True),
    _printed(
        "a class whose name is a command, that raises", "a", "github", kind="x\n::stop-commands::owned", breaks=True
    ),
    _printed(
        "a class whose name is a command to TeamCity, that raises",
        "a",
        "table",
        kind="x\n##teamcity[buildStop]",
        breaks=True,
    ),
    _printed("a layer whose name is 50,000 characters", "a" * 50_000, "table"),
)

UNSEEN = (*MODELS, *BATCHES, *DOCUMENTS, *OUTPUTS, *VALUES, *FOREIGN, *PRINTED)
