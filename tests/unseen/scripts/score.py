"""Score `gradcheck run` on training scripts it had not seen: `python -m tests.unseen.scripts.score core [NAME ...]`.

Each script is run as a user would run it, in a copy of its folder. What is printed stands beside the first run's
figures; `--write` records what is found now as the latest.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).parent
TIMEOUT = 300.0
PARTS = ("found", "step", "kind", "culprit", "line", "cause", "samples", "first remedy")
"""What is judged of an ill script; `samples` only where the label names rows."""
PLACES = {"loss": "loss", "batch": "batch", "input": "input", "optimizer": "optimizer", "lr": "learning rate"}
"""Culprits that are no layer and no op, and the words that name them."""


def labels_of(folder: Path) -> Mapping[str, Any]:
    """The labels of a set, by script."""
    labels: Mapping[str, Any] = yaml.safe_load((folder / "labels.yaml").read_text(encoding="utf-8"))
    return labels


def watched(folder: Path, label: Mapping[str, Any]) -> Mapping[str, Any]:
    """The report of `gradcheck run` on a script; an empty one where there is none."""
    with tempfile.TemporaryDirectory() as place:
        copy, report = Path(place, "set"), Path(place, "run.json")
        shutil.copytree(folder, copy)
        command = [sys.executable, "-m", "gradcheck_cli", "run", "--quiet", "--output", f"json={report}"]
        surroundings = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(sys.path)}
        try:
            subprocess.run(
                [*command, *map(str, label["command"])],
                cwd=copy,
                env=surroundings,
                capture_output=True,
                timeout=TIMEOUT,
                check=False,
            )
            told: Mapping[str, Any] = json.loads(report.read_text(encoding="utf-8"))
        except (subprocess.TimeoutExpired, OSError, json.JSONDecodeError):
            return {}
    return told


def judged(report: Mapping[str, Any], label: Mapping[str, Any]) -> dict[str, bool]:
    """Hold a run's report against the label of its script.

    `intact` and `right` are there for every script, the rest for ill ones. A healthy script is right where nothing
    stands: neither an alarm nor a finding of a step. An ill one is right where an alarm stands in its window and none
    before it.
    """
    standing = [alarm for alarm in report.get("alarms", ()) if _stands(alarm)]
    intact = {"intact": bool(report) and report["script_exit"] == label.get("script_exit", 0)}
    if label["verdict"] == "healthy":
        return intact | {"right": bool(report) and not standing and report["status"] == "healthy"}
    first, last = label["alarm_step"]
    inside = [alarm for alarm in standing if first <= alarm["step"] <= last]
    early = any(alarm["step"] < first for alarm in standing)
    pairs = [(alarm, finding) for alarm in inside for finding in _ill(alarm)]
    lines = set(label.get("line") or ())
    causes = {label["cause"], *label.get("cause_alt", ())}
    first_remedies = [remedy["id"] for _, finding in pairs[:1] for remedy in finding["remedies"][:1]]
    score = {
        "right": bool(inside) and not early,
        "found": bool(standing),
        "step": bool(inside) and not early,
        "kind": any(alarm["kind"] in label["alarms_ok"] for alarm in inside),
        "culprit": any(_names(pair, label) or _line(pair) in lines for pair in pairs),
        "line": any(_line(pair) in lines for pair in pairs),
        "cause": any(finding["cause"] in causes for _, finding in pairs),
        "first remedy": bool(set(first_remedies) & set(label["remedies_ok"])),
    }
    if label.get("samples"):
        score["samples"] = any(alarm["samples"] == label["samples"] for alarm in inside)
    return intact | score


def _stands(alarm: Mapping[str, Any]) -> bool:
    return alarm["verdict"] == "confirmed" or (alarm["verdict"] == "open" and bool(list(_ill(alarm))))


def _ill(alarm: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    return (finding for finding in alarm["report"]["findings"] if finding["severity"] != "note")


def _line(pair: tuple[Mapping[str, Any], Mapping[str, Any]]) -> int | None:
    source = pair[1]["source"]
    return source["line"] if source else None


def _names(pair: tuple[Mapping[str, Any], Mapping[str, Any]], label: Mapping[str, Any]) -> bool:
    alarm, finding = pair
    text = " ".join((alarm["message"], finding["message"], finding["cause"])).lower()
    for culprit in label["where"]:
        if culprit.startswith("op:") and (culprit[3:] in text or culprit[3:] in (finding["op"] or "").lower()):
            return True
        if culprit in PLACES and PLACES[culprit] in text:
            return True
        if any(layer == culprit or layer.startswith(f"{culprit}.") for layer in finding["layers"]):
            return True
    return False


def figures(scores: Mapping[str, Mapping[str, bool]], labels: Mapping[str, Any]) -> dict[str, int]:
    """How many of the ill were found, with each part right, and how many of the healthy were not left in peace."""
    ill = [score for name, score in scores.items() if labels[name]["verdict"] == "ill"]
    well = [score for name, score in scores.items() if labels[name]["verdict"] == "healthy"]
    parts = {part: sum(score.get(part, False) for score in ill) for part in PARTS}
    return {
        "ill": len(ill),
        **parts,
        "with samples": sum("samples" in score for score in ill),
        "healthy": len(well),
        "false alarms": sum(not score["right"] for score in well),
        "not intact": sum(not score["intact"] for score in scores.values()),
    }


def row(name: str, when: str, f: Mapping[str, int]) -> str:
    """A row of the README's table."""
    return (
        f"| {name} | {when} | {f['step']} of {f['ill']} | {f['line']} | {f['cause']} | {f['samples']} of "
        f"{f['with samples']} | {f['first remedy']} | {f['false alarms']} of {f['healthy']} |"
    )


def rows(name: str, kept: Mapping[str, Any]) -> list[str]:
    """The two rows of a set in the README's table: what the first run came to, and the latest."""
    return [row(name, "first run", kept["first"]["figures"]), row(name, "now", kept["latest"]["figures"])]


def main() -> int:
    """Run the scripts of a set; exit 1 if one comes out worse than it did last."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("set", help="a folder beside this file")
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--write", action="store_true")
    asked = parser.parse_args()
    folder = HERE / asked.set
    labels, kept = labels_of(folder), json.loads((folder / "figures.json").read_text(encoding="ascii"))
    scores, worse = {}, []
    for name in asked.names or sorted(labels):
        report = watched(folder, labels[name])
        scores[name] = judged(report, labels[name])
        wrong = [part for part, right in scores[name].items() if not right]
        if wrong:
            alarms = [(alarm["kind"], alarm["step"], alarm["verdict"]) for alarm in report.get("alarms", ())]
            print(f"{labels[name]['verdict']} {name}: wrong {', '.join(wrong)}; {alarms}", flush=True)
        before = kept["latest"]["cases"].get(name, {})
        worse += [name] if any(was and not scores[name].get(part) for part, was in before.items()) else []
    now = figures(scores, labels)
    print("\n".join((row(asked.set, "first run", kept["first"]["figures"]), row(asked.set, "now", now))))
    print(f"worse than last: {', '.join(worse) or 'none'}")
    if asked.write:
        kept["latest"] = {"figures": now, "cases": dict(sorted(scores.items()))}
        (folder / "figures.json").write_text(json.dumps(kept, indent=1) + "\n", encoding="ascii")
    return int(bool(worse))


if __name__ == "__main__":
    sys.exit(main())
