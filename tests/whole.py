"""Scripts run whole, as `python X` and as `gradcheck run X`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_ROOT = Path(__file__).parent.parent
_BEFORE = "import random, numpy, torch; torch.manual_seed(0); random.seed(0); numpy.random.seed(0)\n"
_AFTER = "\nfrom tests.watch.running import digest; print(digest(globals()))\n"


@dataclass
class Ended:
    """How a script ended, and the document on it where it was watched."""

    code: int
    out: str
    err: str
    run: dict[str, Any] = field(default_factory=dict)

    def is_intact(self, bare: Ended) -> bool:
        """Whether a watched script did all that the bare one did; our report follows what it says to stderr."""
        return (self.run["script_exit"], self.out, self.err[: len(bare.err)]) == (bare.code, bare.out, bare.err)

    @property
    def steps(self) -> int:
        """Steps that were seen."""
        return int(self.run["steps"])

    @property
    def stepped_aside(self) -> str:
        """What was told of a watcher that stepped aside; empty where none did."""
        return next((note for note in self.run.get("notes", ()) if "stepped aside" in note), "")


def environment() -> dict[str, str]:
    """One thread, and this package."""
    path = os.pathsep.join(filter(None, (str(_ROOT), os.environ.get("PYTHONPATH"))))
    return {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1", "GRADCHECK_DEBUG": ""}


def plain(script: Path, *arguments: str) -> Ended:
    """Run it as `python script.py`."""
    return _ended([sys.executable, str(script), *arguments], script.parent)


def watched(script: Path, *options: str) -> Ended:
    """Run it as `gradcheck run --output json=... OPTIONS script.py`."""
    told = script.with_suffix(".json")
    told.unlink(missing_ok=True)
    ours = [sys.executable, "-m", "gradcheck_cli", "run", "--no-config", f"--output=json={told}", *options]
    ended = _ended([*ours, str(script)], script.parent)
    ended.run = json.loads(told.read_text()) if told.is_file() else {}
    return ended


def _ended(command: list[str], folder: Path) -> Ended:
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder, env=environment(), timeout=300)
    return Ended(done.returncode, done.stdout, done.stderr)


def written(folder: Path, text: str, *, telling: bool = False) -> Path:
    """A script of this text; `telling` makes it print, at its end, a digest of all that it computed with."""
    script = folder / "train.py"
    script.write_text(_BEFORE + text + _AFTER if telling else text, encoding="utf-8")
    return script
