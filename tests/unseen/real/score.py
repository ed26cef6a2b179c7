"""Run training scripts that nobody here wrote under `gradcheck run`: `python -m tests.unseen.real.score --sources DIR`.

DIR holds clones of the repositories in manifest.yaml, `owner/name` as `owner+name`. Each script runs bare and watched:
exit code, printed lines (but for times) and the weights that it ends with must be the same, and no alarm may stand.
Then each of its faults is put in, and an alarm of the kind that the manifest names must stand. Needed beside torch are
torchvision, gymnasium, tyro, tensorboard, matplotlib, timm, accelerate, transformers, lightning and scikit-learn.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from tests.unseen.real.data import MAKERS

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
TIMEOUT = 280.0
TIMES = re.compile(
    r"ms/batch +[\d.]+|\d+(\.\d+)?e?-?\d* ?(ms|s\b|sec|img|it/s)|time.*|mfu.*|SPS.*|\d+:\d+|\[\d+/\d+.*it/s\].*"
)
"""What a script prints of the clock."""
Case = Mapping[str, Any]


def cases() -> dict[str, Case]:
    """The scripts of the manifest, by name."""
    listed = yaml.safe_load((HERE / "manifest.yaml").read_text(encoding="utf-8"))
    return {case["name"]: case for case in listed}


@contextmanager
def copied(case: Case, sources: Path) -> Iterator[Path]:
    """A copy of the script's repository with its data beside it; given is the folder that it runs in."""
    with tempfile.TemporaryDirectory() as place:
        whole = Path(place, "clones", case["repository"].replace("/", "+"))
        shutil.copytree(sources / whole.name, whole, ignore=shutil.ignore_patterns(".git"))
        folder = whole / case["folder"]
        MAKERS[case["data"]](folder)
        yield folder


def changed(folder: Path, fault: list[Any]) -> None:
    """Put a fault in: one piece of text for another, which must be there once."""
    file, old, new, _ = fault
    source = (folder / file).read_text(encoding="utf-8")
    assert source.count(old) == 1, f"{file} has the text to be replaced {source.count(old)} times"
    (folder / file).write_text(source.replace(old, new), encoding="utf-8")


def ended(command: list[str], folder: Path, surroundings: dict[str, str], seconds: float) -> tuple[int, str, str]:
    """Run a command to its end, or end it after so long; exit code and what it printed."""
    with subprocess.Popen(
        command,
        cwd=folder,
        env=surroundings,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    ) as process:
        try:
            out, err = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGTERM)
            out, err = process.communicate()
    return process.returncode, out, err


def ran(case: Case, folder: Path, *, watched: bool) -> dict[str, Any]:
    """Run it; how it ended, what it printed, its weights, and the report where it was watched."""
    weights, report = folder / "weights.txt", folder / "run.json"
    tool = [sys.executable, "-m", "gradcheck_cli", "run", "--quiet", "--output", f"json={report}"]
    command = [*tool] if watched else [sys.executable]
    command += [str(HERE / "hold.py"), str(weights), str(case["steps"]), case["script"], *map(str, case["arguments"])]
    surroundings = {
        **os.environ,
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": os.pathsep.join((str(folder), str(ROOT))),
        "PYTHONHASHSEED": "0",
        "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD": "1",  # a script that saves and loads an array of numpy
        "HF_HUB_OFFLINE": "1",
        "GRADCHECK_DEBUG": "1",
        "HOLD_SEED": str(case.get("seed", "")),
    }
    code, out, err = ended(command, folder, surroundings, case.get("seconds", TIMEOUT))
    told = json.loads(report.read_text(encoding="utf-8")) if report.exists() else {}
    return {
        "exit": told.get("script_exit") if watched and told else code,
        "lines": [TIMES.sub("", line) for line in out.splitlines()],
        "error": err[-600:] if code else "",
        "weights": weights.read_text(encoding="ascii") if weights.exists() else None,
        "report": told,
    }


def standing(report: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The alarms that stand, each with the codes and causes of its findings."""
    return [
        {
            "kind": alarm["kind"],
            "step": alarm["step"],
            "verdict": alarm["verdict"],
            "codes": [finding["code"] for finding in _ill(alarm)],
            "causes": [finding["cause"] for finding in _ill(alarm)],
        }
        for alarm in report.get("alarms", ())
        if alarm["verdict"] == "confirmed" or (alarm["verdict"] == "open" and _ill(alarm))
    ]


def _ill(alarm: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [finding for finding in alarm["report"]["findings"] if finding["severity"] != "note"]


def found(alarms: list[dict[str, Any]], expected: Mapping[str, Any]) -> bool:
    """Whether an alarm of the kind, or with one of the rules, stands."""
    kinds, codes = expected.get("alarms", ()), set(expected.get("codes", ()))
    return any(alarm["kind"] in kinds or codes & set(alarm["codes"]) for alarm in alarms)


def scored(case: Case, sources: Path) -> dict[str, Any]:
    """Bare against watched, then each fault."""
    results = []
    for watched in (False, True):
        with copied(case, sources) as folder:
            script = hashlib.sha256((folder / case["script"]).read_bytes()).hexdigest()
            assert script == case["sha256"], f"{case['script']} is not that of commit {case['commit']}"
            results.append(ran(case, folder, watched=watched))
        if results[0]["exit"] != 0:  # what does not run by itself says nothing
            return {"runs": False, **dict.fromkeys(PARTS, False), "errors": [results[0]["error"]], "faults": {}}
    bare, seen = results
    score: dict[str, Any] = {
        "runs": bare["exit"] == 0,
        "exit": seen["exit"] == bare["exit"],
        "printed": seen["lines"] == bare["lines"],
        "weights": bare["weights"] is not None and seen["weights"] == bare["weights"],
        "quiet": bool(seen["report"]) and not standing(seen["report"]) and seen["report"]["status"] == "healthy",
        "steps": seen["report"].get("steps"),
        "alarms": standing(seen["report"]),
        "errors": [error for error in (bare["error"], seen["error"]) if error],
        "faults": {},
    }
    for name, fault in case["faults"].items():
        with copied(case, sources) as folder:
            changed(folder, fault)
            result = ran(case, folder, watched=True)
        alarms = standing(result["report"])
        score["faults"][name] = {"found": found(alarms, fault[3]), "alarms": alarms}
    return score


def figures(scores: Mapping[str, Mapping[str, Any]]) -> dict[str, int]:
    """How many ran as without us and in peace, and how many faults were found."""
    faults = [fault for score in scores.values() for fault in score["faults"].values()]
    return {
        "scripts": len(scores),
        **{part: sum(bool(score[part]) for score in scores.values()) for part in ("runs", *PARTS)},
        "faults": len(faults),
        "found": sum(fault["found"] for fault in faults),
    }


PARTS = ("exit", "printed", "weights", "quiet")


def main() -> int:
    """Run the scripts; exit 1 if one does not come out as it did last."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition(":")[0])
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--sources", type=Path, required=True, help="the folder of clones")
    parser.add_argument("--write", choices=("first", "latest"), help="record the figures")
    asked = parser.parse_args()
    file = HERE / "figures.json"
    kept = json.loads(file.read_text(encoding="ascii")) if file.exists() else {}
    scores = {}
    for name, case in cases().items():
        if asked.names and name not in asked.names:
            continue
        scores[name] = score = scored(case, asked.sources.resolve())
        print(json.dumps({"script": name, **score}), flush=True)
        if asked.write:
            known = {**kept.get(asked.write, {}).get("scripts", {}), name: score}
            kept[asked.write] = {"figures": figures(known), "scripts": dict(sorted(known.items()))}
            file.write_text(json.dumps(kept, indent=1) + "\n", encoding="ascii")
    print(json.dumps(figures(scores)))
    return int(not all(score[part] for score in scores.values() for part in PARTS))


if __name__ == "__main__":
    sys.exit(main())
