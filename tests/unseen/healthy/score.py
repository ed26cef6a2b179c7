"""Count the alarms of `gradcheck run` on healthy runs: `python -m tests.unseen.healthy.score [PART_OF_A_NAME ...]`.

Every run of the grid is made twice at each of three seeds, bare and watched, each in a process of its own that is
forked from this one: that spares the start-up, which `--processes` brings back, with `gradcheck run` itself. Healthy
is what ends clearly below chance when it runs bare; the rest is told and left out. scikit-learn must be installed.
`--write` records what is found as the latest figures.
"""

from __future__ import annotations

import argparse
import atexit
import importlib
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from gradcheck_cli.records.codec import encode
from gradcheck_cli.records.run import RunOptions
from gradcheck_cli.timeline import assembled
from gradcheck_cli.watch.session import write_options
from gradcheck_cli.watch.sessionreader import read
from gradcheck_cli.worker.watched import attach
from tests.unseen.healthy.corpora import letters, shipped
from tests.unseen.healthy.grid import GRID, SEEDS, Run
from tests.unseen.healthy.tasks import REAL
from tests.unseen.healthy.train import told, train

KEPT = Path(__file__).with_name("figures.json")
Row = Mapping[str, Any]


def forked(work: Callable[[], None]) -> int:
    """Do it in a process of its own, silently, with what is to be done at a process's end."""
    if child := os.fork():
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    silent = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(silent, stream)
    code = 1
    try:
        work()
        atexit._run_exitfuncs()
        code = 0
    finally:
        os._exit(code)


@contextmanager
def place() -> Iterator[Path]:
    """A folder that a forked process does not take away at its end, as it would a TemporaryDirectory."""
    folder = Path(tempfile.mkdtemp())
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def result_of(run: Run, seed: int, to: Path) -> None:
    to.write_text(json.dumps(told(*train(run, seed))), encoding="ascii")


def bare(run: Run, seed: int) -> Row:
    with place() as folder:
        to = folder / "told.json"
        forked(lambda: result_of(run, seed, to))
        result: Row = json.loads(to.read_text(encoding="ascii"))
    return result


def watched(run: Run, seed: int) -> Row:
    """The same run watched: the alarms, its status, and the weights that it ended with."""
    with place() as folder:
        to, session = folder / "told.json", folder / "session"
        options = RunOptions(command=(run.name, str(seed)), try_budget=800)
        session.mkdir()
        write_options(str(session), options)

        def work() -> None:
            attach(str(session))
            result_of(run, seed, to)

        began = time.perf_counter()
        code = forked(work)
        timeline = assembled(read(str(session)), options, code, time.perf_counter() - began)
        ended = json.loads(to.read_text(encoding="ascii")) if to.exists() else {}
    return row_of(encode(timeline), ended)


def by_command(run: Run, seed: int) -> Row:
    """The same by `gradcheck run`, as a user would."""
    with place() as folder:
        to, report = folder / "told.json", folder / "run.json"
        tool = [sys.executable, "-m", "gradcheck_cli", "run", "--quiet", "--output", f"json={report}", "-m"]
        command = [*tool, "tests.unseen.healthy.train", run.name, str(seed), "--to", str(to)]
        subprocess.run(command, env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True, check=False)
        ended = json.loads(to.read_text(encoding="ascii")) if to.exists() else {}
        return row_of(json.loads(report.read_text(encoding="utf-8")), ended)


def row_of(report: Row, ended: Row) -> Row:
    alarms = [{key: alarm[key] for key in ("kind", "step", "verdict", "message")} for alarm in report["alarms"]]
    found = [
        {"code": finding["code"], "cause": finding["cause"], "severity": finding["severity"], "step": each["step"]}
        for each in (*report["diagnoses"], *report["alarms"])
        for finding in each["report"]["findings"]
        if finding["severity"] != "note"
    ]
    asides = [note for note in report["notes"] if "aside" in note]
    return {
        "status": report["status"],
        "alarms": alarms,
        "found": found,
        "asides": asides,
        "weights": ended.get("weights"),
    }


def figures(rows: Mapping[str, Row]) -> dict[str, Any]:
    """What the runs came to."""
    well = {name: row for name, row in rows.items() if row["healthy"]}
    verdicts = Counter(alarm["verdict"] for row in well.values() for alarm in row["alarms"])
    return {
        "runs": len(rows),
        "healthy": len(well),
        "of real data": sum(name.startswith(REAL) for name in well),
        "configurations": len({name.rpartition(" ")[0] for name in well}),
        "with a confirmed alarm": sum(any(a["verdict"] == "confirmed" for a in row["alarms"]) for row in well.values()),
        "told as ill": sum(row["status"] == "ill" for row in well.values()),
        "confirmed": verdicts["confirmed"],
        "recovered": verdicts["recovered"],
        "open": verdicts["open"],
        "other weights": sum(not row["same"] for row in well.values()),
        "stepped aside": sum(bool(row["asides"]) for row in well.values()),
    }


def scored(run: Run, seed: int, watch: Callable[[Run, int], Row]) -> Row:
    alone = bare(run, seed)
    seen = watch(run, seed)
    return {**alone, **seen, "same": alone["weights"] == seen["weights"]}


def warm() -> None:
    """Have in this process what every forked one would load anew: torch's optimisers, the probe, the data."""
    importlib.import_module("gradcheck_cli.pipeline")
    importlib.import_module("gradcheck_cli.probe")
    layer = torch.nn.Linear(2, 2)
    layer(torch.ones(1, 2)).sum().backward()
    torch.optim.Adam(layer.parameters()).step()
    letters()
    for table in ("digits", "wine", "breast_cancer", "diabetes"):
        shipped(table)


def asked_for(parts: Sequence[str], sample: int | None) -> list[tuple[Run, int]]:
    """The runs asked for, or so many drawn from them."""
    runs = [(run, seed) for seed in SEEDS for run in GRID if not parts or any(part in run.name for part in parts)]
    return runs if sample is None else random.Random(0).sample(runs, min(sample, len(runs)))


def main() -> int:
    """Make the runs; exit 1 if any alarm is confirmed, or any run differs from the bare one."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition(":")[0])
    parser.add_argument("parts", nargs="*", metavar="PART_OF_A_NAME")
    parser.add_argument("--sample", type=int, metavar="N", help="so many runs, drawn from all")
    parser.add_argument("--processes", action="store_true", help="by `gradcheck run` itself")
    parser.add_argument("--all", action="store_true", help="print every run, not those alone that are told of")
    parser.add_argument("--write", metavar="WHEN", choices=("first", "latest"))
    asked = parser.parse_args()
    rows = {}
    warm()
    for run, seed in asked_for(asked.parts, asked.sample):
        name = f"{run.name} {seed}"
        rows[name] = row = scored(run, seed, by_command if asked.processes else watched)
        if asked.all or not row["healthy"] or row["alarms"] or row["found"] or not row["same"] or row["asides"]:
            print(json.dumps({"run": name, **row}), flush=True)
    now = figures(rows)
    print(json.dumps(now, indent=1))
    if asked.write:
        told_of = {name: row for name, row in rows.items() if not row["healthy"] or row["alarms"] or row["found"]}
        kept = json.loads(KEPT.read_text(encoding="ascii")) if KEPT.exists() else {}
        kept[asked.write] = {"figures": now, "told": told_of}
        KEPT.write_text(json.dumps(kept, indent=1) + "\n", encoding="ascii")
    return int(bool(now["confirmed"] or now["told as ill"] or now["other weights"] or now["stepped aside"]))


if __name__ == "__main__":
    sys.exit(main())
