"""Run hostile inputs: `python -m tests.hostile.attack [NAME ...]`; ends with 1 if one is not as expected."""

from __future__ import annotations

import ctypes
import json
import os
import re
import signal
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.hostile.fresh import ATTACKS, Attack, Expect

ROOT = Path(__file__).resolve().parents[2]
LAUNCHER = "import sys\nfrom gradcheck_cli.__main__ import main\nif __name__ == '__main__':\n    sys.exit(main())\n"
"""What pip writes for a console script: the folder of the script comes first on sys.path, not the working folder."""
GRACE = 3.0
"""Seconds for what was told to end to be gone."""
ENDED_BY_SIGNAL = (129, 130, 143)
PR_SET_CHILD_SUBREAPER = 36


@dataclass(frozen=True)
class Seen:
    """What one run did."""

    code: int | None
    out: str
    err: str
    faults: tuple[str, ...]

    @property
    def tail(self) -> str:
        text = " | ".join((self.err.strip() or self.out.strip()).splitlines()[-4:])
        return f"exit {self.code}: {text[-400:]}"


def main(names: list[str]) -> int:
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)  # whatever loses its parent becomes our child
    unknown = set(names) - {attack.name for attack in ATTACKS}
    if unknown:
        print(f"no such attack: {', '.join(sorted(unknown))}", file=sys.stderr)
        return 2
    wanted = [attack for attack in ATTACKS if not names or attack.name in names]
    good = 0
    for attack in wanted:
        faults = list(judged(attack))
        good += not faults
        if faults:
            print(f"FAILED {attack.kind}: {attack.name}: {'; '.join(faults)}", flush=True)
    print(f"{good} of {len(wanted)} as expected")
    return int(good != len(wanted))


def judged(attack: Attack) -> Iterator[str]:
    """What was not as expected."""
    expect = attack.expect
    documents = []
    for environment in expect.runs:
        with tempfile.TemporaryDirectory(prefix="hostile-") as folder:
            seen, faults = one_run(attack, Path(folder), environment)
        documents.append(timeless(seen.out))
        if faults:
            yield from dict.fromkeys(faults)
            yield f"seen: {seen.tail}"
            return
    if any(document != documents[0] for document in documents):
        yield f"the reports differ: {first_difference(documents)}"


def one_run(attack: Attack, folder: Path, environment: dict[str, str]) -> tuple[Seen, list[str]]:
    work, scratch, launcher = folder / "work", folder / "tmp", folder / "bin" / "gradcheck"
    for new in (work, scratch, launcher.parent):
        new.mkdir()
    launcher.write_text(LAUNCHER)
    for name, text in attack.files.items():
        file = work / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    if attack.api:
        (folder / "bin" / "script.py").write_text(attack.api, encoding="utf-8")
        command = [sys.executable, str(folder / "bin" / "script.py")]
    else:
        command = [sys.executable, str(launcher), *attack.argv]
    own = {k: v for k, v in os.environ.items() if not k.startswith(("GRADCHECK", "PYTHON"))}
    own |= {"PYTHONPATH": str(ROOT), "TMPDIR": str(scratch), "PYTHONDONTWRITEBYTECODE": "1"} | environment
    seen = run(command, work, own, attack)
    return seen, [*seen.faults, *misfits(attack, seen), *litter(attack, work, scratch)]


def run(command: list[str], work: Path, environment: dict[str, str], attack: Attack) -> Seen:
    pipe = subprocess.PIPE  # stdin stays open and silent, as a terminal at which nobody types
    process = subprocess.Popen(
        command, cwd=work, env=environment, stdin=pipe, stdout=pipe, stderr=pipe, start_new_session=True
    )
    streams: dict[str, bytes] = {}
    readers = [
        threading.Thread(target=read, args=(process, name, streams, attack.expect.read_after), daemon=True)
        for name in ("stdout", "stderr")
    ]
    for reader in readers:
        reader.start()
    faults = []
    try:
        code: int | None = process.wait(attack.timeout)
    except subprocess.TimeoutExpired:
        code = None
        faults.append(f"still running after {attack.timeout:g} s")
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    if code is not None and 128 - code in attack.expect.codes:
        code = 128 - code  # a shell says 143 of a process that SIGTERM ended
    if code is not None and code < 0:
        faults.append(f"ended by signal {-code}")
    readers_end = time.monotonic() + GRACE + attack.expect.read_after
    for reader in readers:
        reader.join(max(readers_end - time.monotonic(), 0))
    held_open = any(reader.is_alive() for reader in readers)
    left = leftovers()
    if held_open and code is not None:
        faults.append("stdout or stderr is held open by something that was left running")
    if left and code is not None:
        faults.append(f"left running: {', '.join(left)}")
    for reader in readers:
        reader.join(5)
    for stream in (process.stdin, process.stdout, process.stderr):
        with suppress(OSError, ValueError):
            stream.close()
    out, err = (streams.get(name, b"").decode("utf-8", "replace") for name in ("stdout", "stderr"))
    return Seen(code, out, err, tuple(faults))


def read(process: subprocess.Popen[bytes], name: str, streams: dict[str, bytes], after: float) -> None:
    time.sleep(after)
    parts = []
    while part := os.read(getattr(process, name).fileno(), 1 << 16):
        parts.append(part)
        streams[name] = b"".join(parts) if len(parts) < 64 else streams[name] + part
    streams[name] = b"".join(parts)


def leftovers() -> list[str]:
    """What still runs below us after the grace, each as its command line; it is ended then."""
    end = time.monotonic() + GRACE
    while below := descendants():
        if time.monotonic() > end:
            break
        time.sleep(0.05)
    told = [f"{pid} {command_line(pid)}" for pid in below]
    while below:
        for pid in below:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.05)
        below = descendants()
    return told


def descendants() -> list[int]:
    """The ids of all processes below this one; those that have ended are waited for."""
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError, IndexError, ValueError):
                parents[int(entry.name)] = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
    below: list[int] = []
    level = [os.getpid()]
    while level:
        level = [pid for pid, parent in parents.items() if parent in level]
        below += level
    return below


def command_line(pid: int) -> str:
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")[:80]
    return "?"


def misfits(attack: Attack, seen: Seen) -> Iterator[str]:
    """What is wrong with the exit code and the two streams."""
    expect = attack.expect
    if seen.code is None or seen.code < 0:
        return
    if "internal error" in seen.out + seen.err:
        yield "an internal error"
    if "Traceback (most recent call last)" in seen.err and not expect.traceback:
        yield "a traceback"
    if len(seen.out) + len(seen.err) > expect.most_output:
        yield f"{len(seen.out) + len(seen.err)} characters of output"
    if attack.api:
        yield from misfits_of_script(expect, seen)
        return
    if seen.code not in expect.codes:
        yield f"exit code {seen.code}, not in {expect.codes}"
    if expect.json and (seen.out or seen.code not in ENDED_BY_SIGNAL):
        yield from misfits_of_document(expect, seen)
    if seen.code == 2 and expect.one_error:
        errors = [line for line in seen.err.splitlines() if line.startswith("error:")]
        if len(errors) != 1:
            yield f"{len(errors)} lines that begin with `error:`"
    if seen.code == 2 and expect.says and not re.search(expect.says, seen.err):
        yield f"stderr does not say {expect.says!r}"


def misfits_of_script(expect: Expect, seen: Seen) -> Iterator[str]:
    lines = seen.out.splitlines()
    if seen.code != 0:
        yield f"the script ended with {seen.code}"
    elif len(lines) != 1 or not re.match(r"SAME$|TOLD: |CHANGED: ", lines[0]):
        yield f"stdout is not one line of the three: {seen.out[:200]!r}"
    elif lines[0].split(":")[0] not in expect.answers:
        yield f"{lines[0][:400]} (expected {' or '.join(expect.answers)})"
    elif lines[0].startswith("TOLD") and not re.search(expect.says, lines[0]):
        yield f"does not name what changed ({expect.says!r}): {lines[0][:400]}"


def misfits_of_document(expect: Expect, seen: Seen) -> Iterator[str]:
    try:
        document = strict(seen.out)
    except ValueError as error:
        yield f"stdout is not one JSON document: {error}: {seen.out[:120]!r}"
        return
    if not isinstance(document, dict) or not str(document.get("schema", "")).startswith("gradcheck-"):
        yield "stdout is no report"
        return
    checks = document.get("checks", [document])
    if "checks" not in document and document.get("exit_code") != seen.code:
        yield f"the document says exit code {document.get('exit_code')}, the process {seen.code}"
    if seen.code == 2 and not any(check.get("status") == "failed" for check in checks):
        yield "exit 2, and no check is called failed"
    if expect.statuses and tuple(check.get("status") for check in checks) != expect.statuses:
        yield f"statuses {[check.get('status') for check in checks]}, not {list(expect.statuses)}"
    if expect.loss is not None and seen.code in (0, 1) and not near(checks[0].get("loss"), expect.loss):
        yield f"loss {checks[0].get('loss')}, not {expect.loss}"
    if seen.code in (0, 1):
        layers = {layer.get("path") for layer in checks[0].get("layers", [])}
        missing = [name for name in expect.layers if name not in layers]
        if missing:
            yield f"no layer {', '.join(missing)}"


def near(value: Any, wanted: float) -> bool:
    return isinstance(value, int | float) and abs(value - wanted) <= 1e-3 * max(abs(wanted), 1e-3)


def strict(text: str) -> Any:
    def refuse(word: str) -> None:
        raise ValueError(f"{word} is not JSON")

    return json.loads(text, parse_constant=refuse)


def timeless(text: str) -> str:
    """A document without its times; text that is no document as it is."""
    try:
        document = strict(text)
    except ValueError:
        return text
    if not isinstance(document, dict):
        return text
    for part in (document, *document.get("checks", ())):
        part.pop("seconds", None)
    return json.dumps(document, indent=1)


def first_difference(documents: list[str]) -> str:
    one, other = next((documents[0], d) for d in documents if d != documents[0])
    pairs = zip(one.splitlines(), other.splitlines(), strict=False)
    return next((f"{a.strip()!r} and {b.strip()!r}" for a, b in pairs if a != b), "one is longer")[:400]


def litter(attack: Attack, work: Path, scratch: Path) -> Iterator[str]:
    """What of gradcheck's lies about, and what it should have written and did not."""
    with suppress(OSError):
        scratch.chmod(0o700)
    left = [p.name for p in scratch.rglob("*") if p.name.startswith(("gradcheck", "pymp-")) or kind(p) == "socket"]
    left += [p.name for p in work.iterdir() if p.name.startswith(".gradcheck") or kind(p) in ("socket", "fifo")]
    if left:
        yield f"left in the file system: {', '.join(sorted(left)[:5])}"
    for name in attack.expect.writes:
        file = work / name
        if not file.is_file() or not file.stat().st_size or not file.stat().st_mode & stat.S_IRUSR:
            yield f"{name} was not written for its owner to read"


def kind(path: Path) -> str:
    mode = path.lstat().st_mode
    return "socket" if stat.S_ISSOCK(mode) else "fifo" if stat.S_ISFIFO(mode) else ""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
