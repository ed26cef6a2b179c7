"""Run the scripts that try to break `gradcheck run`, bare and watched, and hold what happens against what was expected.

A case is a folder below cases: its files, and `expected.txt`. The first line of that says, in order: the status that is
expected ("any" for no matter which, "none" where no step can be seen), the replay of what is diagnosed ("exact", "told"
for any outcome that is told, "-"), for an ill script the alarm's kind and step; then key=value: the exit code, what a
note or message has to contain, the rows that are bad, the most time that watching may take, "diff" where our options
change what the script prints. The lines after it: how the command is written, its stdin, variables, our options. The
line marked HERE in a script is the one that has to be named.

    python -m tests.watch.attack.attack [NAME]...
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
CASES = HERE / "cases"
ROOT = HERE.parents[2]
_ASIDE = "stepped aside"


@dataclass
class Case:
    """One case, as its folder says it."""

    name: str
    status: str
    replay: str
    alarm: str = ""
    wanted: dict[str, str] = field(default_factory=dict)
    how: dict[str, str] = field(default_factory=dict)


def read(name: str) -> Case:
    """The case of that name."""
    first, *rest = (CASES / name / "expected.txt").read_text(encoding="utf-8").splitlines()
    status, replay, *others = shlex.split(first)
    how: dict[str, str] = {}
    for line in rest:
        for key in ("form", "stdin", "env", "opts"):
            if line.startswith(f"{key}="):
                how[key] = line[len(key) + 1 :]
    wanted = dict(each.partition("=")[::2] for each in others if "@" not in each)
    return Case(name, status, replay, next((each for each in others if "@" in each), ""), wanted, how)


@dataclass
class Ran:
    """What became of a command."""

    code: int
    out: bytes
    err: bytes
    files: dict[str, str]
    seconds: float


def run(case: Case, folder: Path, report: Path | None) -> Ran:
    """Run it in a fresh folder, bare or watched."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(CASES / case.name, folder)
    shutil.copy(HERE / "common.py", folder)
    form = case.how.get("form", "main.py")
    form = form.format(py=sys.executable, bin=Path(sys.executable).parent, s="main.py", dir=".")
    ours = [sys.executable, "-m", "gradcheck_cli", "run", *shlex.split(case.how.get("opts", ""))]
    ours += ["--color", "never", f"--output=json={report}"]
    command = form if form.startswith(("-m ", "- ", "-- ")) or form == "-" else shlex.join([form])
    words = shlex.split(command)
    if report is not None:
        words = [*ours, *words]
    elif words[0] == "--":
        words = words[1:]
    else:
        words = [sys.executable, *words]
    given = case.how.get("stdin", "")
    data = (CASES / case.name / "main.py").read_bytes() if given == "@" else given.replace("\\n", "\n").encode()
    env = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "GRADCHECK_DEBUG": "1"}
    env["PATH"] = f"{Path(sys.executable).parent}:{env['PATH']}"
    env.update(each.split("=", 1) for each in shlex.split(case.how.get("env", "")))
    began = time.perf_counter()
    try:
        done = subprocess.run(words, cwd=folder, input=data, capture_output=True, env=env, timeout=240, check=False)
        code, out, err = done.returncode, done.stdout, done.stderr
    except subprocess.TimeoutExpired as error:
        code, out, err = -999, error.stdout or b"", error.stderr or b""
    return Ran(code, out, err, _files(folder), time.perf_counter() - began)


def _files(folder: Path) -> dict[str, str]:
    paths = [p for p in sorted(folder.rglob("*")) if p.is_file() and "__pycache__" not in p.parts]
    return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in paths}


def told(case: Case, bare: Ran, watched: Ran, report: dict[str, Any]) -> list[str]:
    """What is not as expected."""
    code = bare.code if bare.code >= 0 else 128 - bare.code
    wrong = [] if report else ["no report"]
    if "diff" not in case.wanted and not case.how.get("opts", "").startswith("--steps"):
        if bare.out != watched.out:
            wrong.append(f"stdout: {bare.out[-300:]!r} != {watched.out[-300:]!r}")
        if bare.files != watched.files:
            names = [n for n in {*bare.files, *watched.files} if bare.files.get(n) != watched.files.get(n)]
            wrong.append(f"files: {names}")
        one, other = (
            re.sub(rb"0x[0-9a-f]+|\d\d:\d\d:\d\d\S*| \d{3,} torch|\d+:\d+ Sync", b"", each.err)
            for each in (bare, watched)
        )
        if not other.startswith(one):
            wrong.append(f"stderr: {bare.err[-300:]!r} != {watched.err[:300]!r}")
        ill = report.get("status") == "ill"
        asked = int(case.wanted.get("exit", code or ill))
        if watched.code != asked and "note" not in case.wanted:
            wrong.append(f"exit {watched.code}, not {asked}")
    return wrong + (_judged(case, report) if report else [])


def _judged(case: Case, report: dict[str, Any]) -> list[str]:
    wrong, text = [], json.dumps(report, ensure_ascii=False)
    status, alarms, diagnoses = report["status"], report.get("alarms", ()), report.get("diagnoses", ())
    if case.status in ("healthy", "ill") and status != case.status:
        codes = [f["code"] for each in [*alarms, *diagnoses] for f in each["report"]["findings"]]
        wrong.append(f"status {status} {codes} {[a['message'] for a in alarms]}")
    if case.status == "none" and report.get("steps"):
        wrong.append(f"{report['steps']} steps")
    if case.status == "healthy" and any(a["verdict"] == "confirmed" for a in alarms):
        wrong.append("a confirmed alarm")
    replays = [each["replay"] for each in [*alarms, *diagnoses]]
    if case.replay == "exact" and (not replays or set(replays) != {"exact"}):
        wrong.append(f"replay {replays}: {report.get('notes')}")
    if case.replay == "told" and not replays and "was not diagnosed" not in text:
        wrong.append("nothing diagnosed")
    if case.wanted.get("note", "") not in text:
        wrong.append(f"no word of {case.wanted['note']!r}: {report.get('notes')} {report.get('error', '')}")
    if _ASIDE in text and case.wanted.get("note") not in ("aside", "session"):
        wrong.append(f"aside: {[n for n in [*report.get('notes', ()), report.get('error', '')] if _ASIDE in n]}")
    return wrong + (_alarmed(case, alarms) if case.alarm else [])


def _alarmed(case: Case, alarms: list[dict[str, Any]]) -> list[str]:
    kind, _, step = case.alarm.partition("@")
    found = [a for a in alarms if a["kind"] == kind and step in ("*", str(a["step"]))]
    if not found:
        return [f"alarms {[(a['kind'], a['step'], a['verdict']) for a in alarms]}"]
    wrong = [] if any(a["verdict"] == "confirmed" for a in found) else [f"verdict {found[0]['verdict']}"]
    marked = [
        (p.name, number)
        for p in sorted((CASES / case.name).rglob("*.py"))
        for number, line in enumerate(p.read_text(encoding="utf-8").splitlines(), 1)
        if line.endswith("# HERE")
    ]
    sources = [
        (Path(f["source"]["file"]).name, f["source"]["line"])
        for a in found
        for f in a["report"]["findings"]
        if f.get("source")
    ]
    if marked and not set(marked) & set(sources):
        wrong.append(f"line {sources}, not {marked}")
    if "samples" in case.wanted and found[0]["samples"] != [int(case.wanted["samples"])]:
        wrong.append(f"samples {found[0]['samples']}")
    return wrong


def attacked(name: str) -> list[str]:
    """What is not as expected of one case."""
    case = read(name)
    folder = Path(tempfile.gettempdir(), f"attack-{os.getpid()}", name)
    report = folder.parent / f"{name}.json"
    bare, watched = run(case, folder, None), run(case, folder, report)
    found = json.loads(report.read_text(encoding="utf-8")) if report.exists() else {}
    wrong = told(case, bare, watched, found)
    if "ratio" in case.wanted and watched.seconds > float(case.wanted["ratio"]) * bare.seconds:
        wrong.append(f"{bare.seconds:.1f} s bare, {watched.seconds:.1f} s watched")
    (folder.parent / f"{name}.err").write_bytes(watched.err)
    shutil.rmtree(folder, ignore_errors=True)
    return wrong


def main(names: list[str]) -> int:
    """Run all cases, or those named."""
    names = names or sorted(p.name for p in CASES.iterdir() if (p / "expected.txt").is_file())
    bad = 0
    with ThreadPoolExecutor(2) as pool:
        for name, wrong in zip(names, pool.map(attacked, names), strict=True):
            print(f"{'NOT' if wrong else 'ok '} {name}" + "".join(f"\n      {each}" for each in wrong), flush=True)
            bad += bool(wrong)
    print(f"{len(names) - bad} of {len(names)} as expected")
    return bool(bad)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
