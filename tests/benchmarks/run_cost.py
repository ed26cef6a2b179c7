"""What `gradcheck run` costs: CPU time of a step, peak memory and start-up, of scripts alone and under the watcher.

Run `python -m tests.benchmarks.run_cost [--only MODEL] [--rounds N]`. A step alone and one under the watcher run in one
process and in turns, A B A B, in blocks, so that a busy machine slows both alike; what is told is the median over the
blocks. The first steps, in which everything is seen for the first time and step 1 would be diagnosed, are not timed;
samples are, as the budget has them. The last column says what a step may cost: 5 % or 0.15 ms, whichever is more. The
one before is what is added once it has watched for so long that it keeps to its budget: most updates of short steps are
then only glanced at, and of the shortest slept through.
Under DDP there are two ranks on gloo, each with a core of its own if there are two; the row is rank 0's.
Memory is the peak RSS of ten steps in a process of its own, start-up the CPU time of all processes of a command.

Added ms of a step as first measured, before the watcher was made cheaper: mlp 0.74 (AMP 0.73, 4 micro-batches 1.94),
lstm 0.72 (0.82, 2.53), cnn 0.95 (1.33, 4.24; DDP 2.35), resnet 3.1 (4.1, 32), gpt 16 (20, 54), and peak RSS 1.03,
1.02, 1.03, 1.11, 1.25. After it, the first 30 s of watching: mlp 0.51 (0.58, 2.2), lstm 0.66 (0.70, 2.6), cnn 1.3
(1.3, 5.2; DDP 2.8) of 6 ms, resnet and gpt 2 to 6 %; later: mlp 0.12 (0.22, 0.12), lstm 0.16 (0.17, 0.32), cnn 0.26
(0.39). From one time to the next these differ by 0.03 to 0.1.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

from rich.console import Console
from rich.table import Table

from gradcheck_cli.watch import readbudget
from tests.benchmarks.loops import MODELS, Step, script
from tests.benchmarks.watching import peaks, started_watcher, under

VARIANTS: dict[str, dict[str, Any]] = {"plain": {}, "AMP": {"amp": True}, "4 micro-batches": {"micro_batches": 4}}
DDP = "DDP, 2 ranks"
WARM, BLOCK, LEAST = 3.0, 0.2, 30
"""Seconds alone that warm a script up, those of a timed block, and steps of the first at least."""
SETTLED, LONG_BLOCK = 25.0, 1.0
"""Seconds after which the budget is kept, and those of a block then, in which one step in hundreds costs the most."""
_SHORT = 0.05
"""Seconds of a step below which reading every update whole may cost more than that."""
PERCENT, LEAST_MS = 5.0, 0.15
"""What a step may cost: the larger of the two."""
SCRIPTS = {
    "import torch": "import torch\n",
    "one step": (
        "import torch\nmodel = torch.nn.Linear(4, 1)\noptimizer = torch.optim.SGD(model.parameters())\n"
        "model(torch.randn(8, 4)).square().mean().backward()\noptimizer.step()\n"
    ),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--only", choices=MODELS, help="measure one model, and neither memory nor start-up")
    parser.add_argument("--rounds", type=int, default=15, help="timed blocks of each script (default 15)")
    parser.add_argument("--child", nargs=2, metavar=("MODEL", "VARIANT"), help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.child:
        print(json.dumps(_measured(*asked.child, asked.rounds)))
        return
    console = Console()
    names = [asked.only] if asked.only else list(MODELS)
    for name in names:
        console.print(_times(name, asked.rounds))
    if not asked.only:
        console.print(_memory(names))
        console.print(_startup(max(3, asked.rounds // 3)))


# -- the tables


def _times(name: str, rounds: int) -> Table:
    columns = "alone ms", "watched ms", "ratio", "added ms", "later ms", "at most"
    table = Table(name, *columns, title="CPU time of a step")
    for variant in (*VARIANTS, *([DDP] if name == "cnn" else [])):
        alone, watched, later = _in_children(name, variant, rounds)
        bare, added = 1e3 * median(alone), 1e3 * median(b - a for a, b in zip(alone, watched, strict=True))
        saved = 1e3 * median(later) if later else added
        most = max(PERCENT / 100 * bare, LEAST_MS)
        row = (f"{bare:.3f}", f"{1e3 * median(watched):.3f}", f"{1 + added / bare:.3f}", f"{added:.3f}", f"{saved:.3f}")
        table.add_row(variant, *row, f"{most:.3f}{'' if saved <= most else ' over'}")
    return table


def _memory(names: list[str]) -> Table:
    table = Table("model", "alone MB", "watched MB", "ratio", title="Peak RSS (at most 1.03)")
    for name in names:
        alone, watched = peaks(name)
        table.add_row(name, f"{alone:.0f}", f"{watched:.0f}", f"{watched / alone:.3f}")
    return table


def _startup(rounds: int) -> Table:
    table = Table("script", "alone s", "watched s", "added s", title="Start-up, CPU time (at most 0.3 s for import)")
    with tempfile.TemporaryDirectory() as folder:
        for name, text in SCRIPTS.items():
            path = Path(folder, "train.py")
            path.write_text(text, encoding="utf-8")
            commands = (sys.executable, str(path)), (sys.executable, "-m", "gradcheck_cli", "run", "-q", str(path))
            pairs = [[_seconds(command, folder) for command in commands] for _ in range(rounds + 1)][1:]
            alone, watched = (median(pair[i] for pair in pairs) for i in (0, 1))
            added = median(b - a for a, b in pairs)
            table.add_row(name, f"{alone:.2f}", f"{watched:.2f}", f"{added:.2f}")
    return table


def _seconds(command: tuple[str, ...], compiled: str) -> float:
    """CPU time of a command and all that it starts, with its modules compiled in that folder, as they are installed."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    places = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    subprocess.run(command, capture_output=True, check=False, env={**places, "PYTHONPYCACHEPREFIX": compiled})
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


# -- in children


Measured = tuple[list[float], list[float], list[float]]
"""CPU seconds a step, of blocks alone and under a watcher; and what is added later, where that was asked for."""


def _in_children(name: str, variant: str, rounds: int) -> Measured:
    """What was measured of rank 0, where there are two."""
    command = (sys.executable, "-m", "tests.benchmarks.run_cost", "--child", name, variant, "--rounds", str(rounds))
    with tempfile.TemporaryDirectory() as folder:
        places = {"STORE": str(Path(folder, "store")), "WORLD_SIZE": "2"} if variant == DDP else {}
        ranks = [
            subprocess.Popen(
                command, stdout=subprocess.PIPE, text=True, env={**os.environ, **places, "RANK": str(rank)}
            )
            for rank in range(2 if places else 1)
        ]
        told = [rank.communicate()[0] for rank in ranks]
    if any(rank.returncode for rank in ranks):
        raise SystemExit(f"{name}, {variant}: a process that was measured has failed")
    alone, watched, later = json.loads(told[0].splitlines()[-1])
    return alone, watched, later


def _measured(name: str, variant: str, rounds: int) -> Measured:
    if variant == DDP:
        import torch.distributed as dist

        rank = int(os.environ["RANK"])
        dist.init_process_group("gloo", init_method=f"file://{os.environ['STORE']}", rank=rank, world_size=2)
        found = _paired(lambda: script(name, ddp=True), rounds, agreed=_agreed)
        dist.destroy_process_group()
        return found
    return _paired(lambda: script(name, **VARIANTS[variant]), rounds)


def _agreed(count: int) -> int:
    """The number of steps that all ranks make."""
    import torch
    import torch.distributed as dist

    told = torch.tensor([count])
    dist.broadcast(told, 0)
    return int(told)


def _paired(made: Callable[[], Step], rounds: int, agreed: Callable[[int], int] | None = None) -> Measured:
    several, agreed = agreed is not None, agreed or int
    alone, watched, watcher = made(), made(), started_watcher()
    found: Measured = [], [], []
    _run(alone, 5)
    step = _run(alone, 5)
    warm, count = agreed(max(LEAST, round(WARM / step))), agreed(max(2, round(BLOCK / step)))
    _run(alone, LEAST)
    under(watcher, lambda: _run(watched, warm))
    for _ in range(rounds):
        found[0].append(_run(alone, count))
        under(watcher, lambda: found[1].append(_run(watched, count)))
    if not several and step < _SHORT:
        readbudget.SPARED = readbudget.SLEEPLESS = 0.0  # as if the first seconds of watching were over
        under(watcher, lambda: _run(watched, round(SETTLED / step)))
        count = round(LONG_BLOCK / step)
        for _ in range(rounds):
            bare = _run(alone, count)
            under(watcher, lambda bare=bare: found[2].append(_run(watched, count) - bare))
    return found


def _run(step: Step, count: int) -> float:
    started = time.process_time()
    for _ in range(count):
        step()
    return (time.process_time() - started) / count


if __name__ == "__main__":
    main()
