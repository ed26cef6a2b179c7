"""What watching gradients costs: gradcheck's probe beside a bare pass and beside the usual tools.

Run `python -m tests.benchmarks.overhead [--only NAME] [--rounds N]`. All methods of a model are timed in
turns in one process, A B C D A B C D, so that a busy machine slows all of them alike; a ratio is the
median over the rounds of method / bare. Memory is the peak RSS of one pass in a process of its own.
This process does not import torch: a child's peak starts at the size of the parent that started it.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from statistics import median
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from tests.benchmarks.models import Case

METHODS = ("bare", "gradcheck", "anomaly mode", "norm loop")
NAMES = ("cnn", "transformer", "lstm", "chain")
LENGTHS = (10_000, 30_000, 100_000)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--only", choices=(*NAMES, "linear"), help="measure one model, or the growth with the ops")
    parser.add_argument("--rounds", type=int, default=7, help="timed rounds of each model (default 7)")
    parser.add_argument("--child", nargs=2, metavar=("MODEL", "METHOD"), help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.child:
        print(json.dumps(_as_child(*asked.child, asked.rounds)))
        return
    console = Console()
    names = [name for name in NAMES if asked.only in (None, name)]
    if names:
        console.print(_overhead(names, asked.rounds))
    if asked.only in (None, "linear"):
        console.print(_growth())


# -- the tables


def _overhead(names: list[str], rounds: int) -> Table:
    table = Table("model", "method", "ms", "ratio", "peak MB", "peak ratio", title="One forward and backward pass")
    for column in table.columns[2:]:
        column.justify = "right"
    for name in names:
        times = _child(name, "all", rounds)
        peaks = {method: _child(name, method, 1) for method in METHODS}
        for method in METHODS:
            ratio = median(a / b for a, b in zip(times[method], times["bare"], strict=True))
            table.add_row(
                name if method == "bare" else "",
                method,
                f"{1e3 * median(times[method]):.0f}",
                f"{ratio:.2f}",
                f"{peaks[method]:.0f}",
                f"{peaks[method] / peaks['bare']:.2f}",
            )
        table.add_section()
    return table


def _growth() -> Table:
    """Time per op should not depend on how many there are."""
    table = Table("ops", "bare µs/op", "gradcheck µs/op", "ratio", title="A chain of elementwise ops")
    for ops in LENGTHS:
        times = _child(f"ops:{ops}", "all", 3)
        bare, probe = median(times["bare"]), median(times["gradcheck"])
        table.add_row(f"{ops:,}", f"{1e6 * bare / ops:.1f}", f"{1e6 * probe / ops:.1f}", f"{probe / bare:.1f}")
    return table


def _child(name: str, method: str, rounds: int) -> Any:
    command = (sys.executable, "-m", __spec__.name, "--child", name, method, "--rounds", str(rounds))
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


# -- in the child


def _as_child(name: str, method: str, rounds: int) -> Any:
    import torch

    from tests.benchmarks.models import CASES, elementwise

    torch.manual_seed(0)
    case = elementwise(int(name[4:])) if name.startswith("ops:") else CASES[name]()
    if method == "all":
        return _timed(_methods(case), rounds)
    _methods(case)[method]()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 if sys.platform == "linux" else 1024**2)


def _timed(methods: dict[str, Callable[[], None]], rounds: int) -> dict[str, list[float]]:
    times: dict[str, list[float]] = {method: [] for method in methods}
    for turn in range(rounds + 1):
        for method, run in methods.items():
            started = time.perf_counter()
            run()
            if turn:  # the first is for warming up
                times[method].append(time.perf_counter() - started)
    return times


def _methods(case: Case) -> dict[str, Callable[[], None]]:
    import torch

    from gradcheck_cli.evidence import gather
    from gradcheck_cli.probe import measure
    from gradcheck_cli.target import wrap_target

    target = wrap_target(case.model, (case.inputs, case.target), loss="cross_entropy")

    def bare() -> None:
        case.model.zero_grad(set_to_none=True)
        case.loss().backward()

    def probe() -> None:
        case.model.zero_grad(set_to_none=True)
        gather(measure(target, target.batches[0]))

    def anomaly() -> None:
        with torch.autograd.detect_anomaly(check_nan=True):
            bare()

    def norm_loop() -> None:
        bare()
        {name: p.grad.norm().item() for name, p in case.model.named_parameters() if p.grad is not None}

    return dict(zip(METHODS, (bare, probe, anomaly, norm_loop), strict=True))


if __name__ == "__main__":
    main()
