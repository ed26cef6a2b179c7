"""The example of a rule: a short file of docs/examples that is run as its first lines say, and what that prints."""

from __future__ import annotations

import contextlib
import io
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from gradcheck_cli.cli import run
from gradcheck_cli.rules import EVERY_RULE

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "docs" / "examples"
_NUMBER = re.compile(r"(?<![\w.])[-+]?\d[\d,]*(?:\.\d+)?(?:e[-+]?\d+)?(?![\w.]*\w)")
_LINE = re.compile(r"\.py:\d+|line \d+|GC\d{3}|step \d+")
_COST = re.compile(
    r" +[\d.]+ s   watching adds [^\n]*|^note  watching took .*?(?=^note  |^$)", re.MULTILINE | re.DOTALL
)
"""What no two machines agree on."""
NOISE = 0.05
"""Share by which a number may differ on another machine: their sums are taken in another order."""
_LEAST = 1e-6
"""Numbers below it are noise themselves."""


def example_of(code: str) -> Path:
    """The file of a rule, which has to be there."""
    example = EXAMPLES / f"{code}.py"
    assert example.is_file(), f"{code} has no example: write {example.relative_to(ROOT)}"
    return example


def commands_of(example: Path) -> list[str]:
    """The commands in the comments that it begins with."""
    lines = example.read_text(encoding="utf-8").splitlines()
    return [line.removeprefix("# ") for line in lines if line.startswith("# gradcheck ")]


def source_of(example: Path) -> str:
    """What stands below those comments."""
    lines = example.read_text(encoding="utf-8").splitlines(keepends=True)
    return "".join(line for line in lines if not line.startswith("# gradcheck "))


def is_of_a_run(example: Path) -> bool:
    """Whether it is a training script."""
    return commands_of(example)[0].startswith("gradcheck run ")


def is_trained(example: Path) -> bool:
    """Whether remedies are tried on it, which takes seconds."""
    return "--no-try" not in commands_of(example)[-1]


def printed_by(example: Path) -> str:
    """What its last command prints, with all of them run beside it in a folder of their own."""
    with tempfile.TemporaryDirectory() as folder, _inside(folder):
        shutil.copy(example, folder)
        texts = [_printed(shlex.split(command)[1:]) for command in commands_of(example)]
    return texts[-1].strip("\n")


@contextlib.contextmanager
def _inside(folder: str) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


def _printed(arguments: list[str]) -> str:
    """A check in this process, since torch is here already; a run as it always is, in one of its own."""
    if arguments[0] == "run":
        command = [sys.executable, "-m", "gradcheck_cli", *arguments]
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"}
        told = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300).stderr
        return _COST.sub("", told)
    out = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True)
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(io.StringIO()):
        run([*arguments, "--in-process", "--no-config"])
    out.seek(0)
    return out.read()


def tells(code: str, printed: str) -> bool:
    """Whether a finding of that rule is printed, or a note."""
    name = next(rule.name for rule in EVERY_RULE if rule.code == code)  # a note of a run names the kind of alarm
    told = rf"^ *(?:{code} (?:error|warning)|note  {code}|note  step \d+ · {name} ·) "
    return re.search(told, printed, re.MULTILINE) is not None


def is_same(printed: str, other: str) -> bool:
    """Whether two texts differ by no more than what another machine makes of their numbers.

    Bars, and how lines are filled, follow numbers; steps, lines and codes have to be the same.
    """
    if _LINE.findall(printed) != _LINE.findall(other) or _words(printed) != _words(other):
        return False
    pairs = zip(_numbers(printed), _numbers(other), strict=False)
    return all(abs(a - b) <= NOISE * max(abs(a), abs(b)) + _LEAST for a, b in pairs)


def _words(text: str) -> list[str]:
    return re.sub(r"[█▏▎▍▌▋▊▉▁▂▃▄▅▆▇×]+", "", _NUMBER.sub("#", text)).split()


def _numbers(text: str) -> list[float]:
    return [float(found.replace(",", "")) for found in _NUMBER.findall(text)]
