"""gradcheck and torch's anomaly mode on the marked cases: `python -m tests.nonfinite.compare`."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from typing import NamedTuple

import torch
from rich.console import Console
from rich.table import Table

from gradcheck_cli import check
from gradcheck_cli.records.ops import plain_op
from tests.nonfinite import CASES, Case


class Named(NamedTuple):
    """What a judge got right of a case."""

    alarm: bool = False
    op: bool = False
    line: bool = False
    values: bool = False


def gradcheck(case: Case) -> Named:
    """Its first finding above a note."""
    model, x, loss = case.make()
    found = next((f for f in check(model, x, step=loss).findings if f.severity.value != "note"), None)
    if found is None:
        return Named()
    at = found.source
    return Named(
        alarm=True,
        op=plain_op(found.op or "").startswith(case.ops),
        line=at is not None and at.line == case.line and _file(at.file) == _file(case.loss.__code__.co_filename),
        values="largest_input" in found.evidence,
    )


def anomaly_mode(case: Case) -> Named:
    """The error of `torch.autograd.detect_anomaly()` and the forward traceback that it warns with."""
    model, x, loss = case.make()
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        try:
            with torch.autograd.detect_anomaly():
                loss(model, x).backward()
        except RuntimeError as error:
            node = re.search(r"Function '(\w+)' returned nan", str(error))
            told = "".join(str(w.message) for w in heard)
            file = re.escape(_file(case.loss.__code__.co_filename))
            return Named(
                alarm=True,
                op=bool(node) and plain_op(node[1]).startswith(case.ops),
                line=bool(re.search(rf'{file}", line {case.line},', told)),
            )
    return Named()


def _file(path: str) -> str:
    return path.replace("\\", "/").rpartition("/")[2]


def main() -> None:
    """Print how many cases each names, and every case that one of them gets wrong."""
    warnings.simplefilter("ignore")
    judges: dict[str, Callable[[Case], Named]] = {"gradcheck": gradcheck, "anomaly mode": anomaly_mode}
    results = {name: [judge(case) for case in CASES] for name, judge in judges.items()}
    table = Table(f"{len(CASES)} cases", "alarm", "right op", "right line", "op and line", "values shown")
    for name, named in results.items():
        counts = (sum(n.alarm for n in named), sum(n.op for n in named), sum(n.line for n in named),
                  sum(n.op and n.line for n in named), sum(n.values for n in named))  # fmt: skip
        table.add_row(name, *map(str, counts))
    console = Console(width=100)
    console.print(table)
    for index, case in enumerate(CASES):
        wrong = [name for name in judges if not (results[name][index].op and results[name][index].line)]
        if wrong:
            console.print(f"{case.name}: not named by {', '.join(wrong)}")


if __name__ == "__main__":
    main()
