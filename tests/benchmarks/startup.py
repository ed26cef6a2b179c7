"""How long a command takes beside the least that Python needs for the same.

Run `python -m tests.benchmarks.startup [--rounds N]`. What needs no torch is held against
`python -c "import typer, rich"`; a check of a small model against a script that imports torch and does the
same forward and backward pass. The two run in turns, and the ratio is the median over the rounds. The last line is
the peak memory of the process that the shell started: the model runs in another (Linux).
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.table import Table

from tests.hostile.processes import peak_memory

Command = tuple[str, ...]

MODEL = """\
import torch
from torch import nn

model = nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 4))
batch = (torch.randn(8, 16), torch.randint(4, (8,)))
loss = nn.functional.cross_entropy
"""
PLAIN = MODEL + "loss(model(batch[0]), batch[1]).backward()\n"
TORCHLESS: dict[str, tuple[str, ...]] = {
    "gradcheck --help": ("--help",),
    "gradcheck check --help": ("check", "--help"),
    "gradcheck rule": ("rule",),
    "gradcheck show": ("show", "report.json"),
    "a usage error": ("check", "model.py", "--no-such-option"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--rounds", type=int, default=9, help="paired rounds of each command (default 9)")
    rounds = parser.parse_args().rounds
    table = Table("command", "s", "beside", "s", "ratio", "at most", title="From the shell, start to end")
    ours = (sys.executable, "-m", "gradcheck_cli")
    libraries = (sys.executable, "-c", "import typer, rich")
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "model.py").write_text(MODEL, encoding="utf-8")
        Path(folder, "plain.py").write_text(PLAIN, encoding="utf-8")
        _seconds((*ours, "check", "model.py", "--output", "json=report.json"), folder)
        for label, arguments in TORCHLESS.items():
            _add(table, label, (*ours, *arguments), "import typer, rich", libraries, "2.00", rounds, folder)
        plain = (sys.executable, "plain.py")
        _add(table, "gradcheck check", (*ours, "check", "model.py"), "plain script", plain, "1.05", rounds, folder)
        peak = _peak_memory((*ours, "check", "model.py"), folder)
    Console().print(table)
    print(f"memory of the command itself while it checks: {peak / 1e6:.0f} MB (at most 60)")


def _add(
    table: Table, label: str, ours: Command, beside: str, other: Command, limit: str, rounds: int, folder: str
) -> None:
    pairs = [(_seconds(ours, folder), _seconds(other, folder)) for _ in range(rounds + 1)][
        1:
    ]  # the first fills the disk cache
    mine, theirs = (median(pair[i] for pair in pairs) for i in (0, 1))
    ratio = median(a / b for a, b in pairs)
    table.add_row(label, f"{mine:.2f}", beside, f"{theirs:.2f}", f"{ratio:.2f}", limit)


def _seconds(command: Command, folder: str) -> float:
    started = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)
    if done.returncode not in (0, 2) or "Traceback" in done.stderr:
        raise SystemExit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stderr}")
    return time.perf_counter() - started


def _peak_memory(command: Command, folder: str) -> int:
    """Bytes that the process of a command holds at most."""
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL)
    peak = 0
    while process.poll() is None:
        peak = max(peak, peak_memory(process.pid))
        time.sleep(0.002)
    return peak


if __name__ == "__main__":
    main()
