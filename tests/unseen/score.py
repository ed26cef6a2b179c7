"""Score the tool on a set of models that it had not seen: `python -m tests.unseen.score verdicts_first [NAME ...]`.

Each file is checked as a user would, by the command line. What is printed stands beside the first run's figures;
`--write` records what is found now as the latest.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).parent
TIMEOUT = 300.0
FAMILIES = {
    "vanishing": {"vanishing", "no-gradient", "precision"},
    "exploding": {"exploding"},
    "nan": {"nonfinite"},
}
"""What counts as a hit, by the verdict of a label."""
PLACES = ("loss", "targets", "input batch", "model")
"""Culprits that are no module."""


@dataclass(frozen=True, kw_only=True)
class Score:
    """What came of one case: the findings above a note, and whether each of these is as labelled.

    A healthy case is right where nothing is found; the others are None for it, and the remedy for what is a note.
    """

    right: bool
    found: list[str]
    culprit: bool | None = None
    cause: bool | None = None
    first_remedy: bool | None = None


def judged(report: Mapping[str, Any], label: Mapping[str, Any]) -> Score:
    """Hold a report against the label of its case."""
    findings = [f for f in report.get("findings", ()) if f["severity"] != "note"]
    found = [f"{f['code']} {f['cause']}" for f in findings]
    if report.get("status") == "failed":
        return Score(right=False, found=["failed to check"])
    if "healthy" in label["verdict"]:
        wrong = [f for f in report["findings"] if f["severity"] == "note" and f["cause"] in label.get("never", ())]
        found += [f"{f['code']} {f['cause']} (note)" for f in wrong]
        return Score(right=not found, found=found)
    wanted = set().union(*(FAMILIES[verdict] for verdict in label["verdict"]))
    causes = {label["cause"], *label.get("cause_alt", ())}
    hits = [f for f in findings if f["family"] in wanted]
    if label.get("told") == "note":
        hits = [f for f in report.get("findings", ()) if f["family"] in wanted and f["cause"] in causes]
        found += [f"{f['code']} {f['cause']} (note)" for f in hits if f["severity"] == "note"]
    first = [r["id"] for f in findings[:1] for r in f["remedies"][:1]]
    return Score(
        right=bool(hits),
        found=found,
        culprit=any(_names(f, label["where"]) for f in hits),
        cause=any(f["cause"] in causes for f in hits),
        first_remedy=None if label.get("told") else bool(set(first) & set(label["acceptable_remedies"])),
    )


def _names(finding: Mapping[str, Any], where: Sequence[str]) -> bool:
    """Whether a finding names one of the culprits, or what lies below one."""
    text, op = finding["message"].lower(), (finding.get("op") or "").lower()
    for culprit in where:
        if culprit.startswith("op:") and (culprit[3:].lower() in op or culprit[3:].lower() in text):
            return True
        if culprit in PLACES and culprit.split()[-1].rstrip("s") in text:
            return True
        if any(layer == culprit or layer.startswith(f"{culprit}.") for layer in finding["layers"]):
            return True
    return False


def checked(folder: Path, name: str) -> Mapping[str, Any]:
    """The report of one case of a set, as the command line gives it; a failed one where it gives none."""
    options = labels_of(folder)[name].get("options", ())
    case = str(folder / "cases" / f"{name}.py")
    command = [sys.executable, "-m", "gradcheck_cli", "check", case, *options, "--format", "json"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT, check=False)
        report: Mapping[str, Any] = json.loads(done.stdout)
    except (subprocess.TimeoutExpired, json.JSONDecodeError):
        return {"status": "failed"}
    return report


def labels_of(folder: Path) -> Mapping[str, Any]:
    """The labels of a set, by case."""
    labels: Mapping[str, Any] = yaml.safe_load((folder / "labels.yaml").read_text(encoding="utf-8"))
    return labels


def figures(scores: Mapping[str, Score], labels: Mapping[str, Any]) -> dict[str, int]:
    """How many of the ill were found, with the right culprit, cause and first remedy, and how many healthy alarmed."""
    ill = [score for name, score in scores.items() if "healthy" not in labels[name]["verdict"]]
    well = [score for name, score in scores.items() if "healthy" in labels[name]["verdict"]]
    return {
        "ill": len(ill),
        "found": sum(score.right for score in ill),
        "culprit": sum(bool(score.culprit) for score in ill),
        "cause": sum(bool(score.cause) for score in ill),
        "first remedy": sum(bool(score.first_remedy) for score in ill),
        "healthy": len(well),
        "false alarms": sum(not score.right for score in well),
    }


def told(found: Mapping[str, int]) -> str:
    """Figures in a line."""
    ill = f"found {found['found']} of {found['ill']} ill"
    told = f"culprit {found['culprit']}, cause {found['cause']}, first remedy {found['first remedy']}"
    return f"{ill} ({told}), false alarms on {found['false alarms']} of {found['healthy']} healthy"


def rows(name: str, kept: Mapping[str, Any]) -> list[str]:
    """The two rows of a set in the README's table: what the first run came to, and the latest."""
    return [
        f"| {name} | {when} | {f['found']} of {f['ill']} | {f['culprit']} | {f['cause']} | {f['first remedy']} | "
        f"{f['false alarms']} of {f['healthy']} |"
        for when, f in (("first run", kept["first"]["figures"]), ("now", kept["latest"]["figures"]))
    ]


def main() -> int:
    """Check the cases of a set; exit 1 if one comes out worse than it did last."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("set", help="a folder beside this file")
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--write", action="store_true")
    asked = parser.parse_args()
    folder = HERE / asked.set
    labels = labels_of(folder)
    names = asked.names or sorted(labels)
    with ThreadPoolExecutor(2) as pool:
        reports = pool.map(partial(checked, folder), names)
    scores = {name: judged(report, labels[name]) for name, report in zip(names, reports, strict=True)}
    kept = json.loads((folder / "figures.json").read_text(encoding="ascii"))
    worse = [name for name in names if not scores[name].right and kept["latest"]["cases"].get(name, {}).get("right")]
    for name, score in scores.items():
        wrong = [part for part in ("culprit", "cause", "first_remedy") if getattr(score, part) is False]
        if not score.right or wrong:
            label = labels[name]
            said = "; ".join(score.found) or "nothing"
            print(
                f"{name}: labelled {'/'.join(label['verdict'])} {label['cause']}, said {said}; wrong: {wrong or 'all'}"
            )
    print(f"first run: {told(kept['first']['figures'])}")
    print(f"now:       {told(figures(scores, labels))}")
    print(f"worse than last: {', '.join(worse) or 'none'}")
    if asked.write:
        kept["latest"] = {
            "figures": figures(scores, labels),
            "cases": {name: asdict(score) for name, score in sorted(scores.items())},
        }
        text = json.dumps(kept, indent=1, ensure_ascii=True)
        (folder / "figures.json").write_text(text + "\n", encoding="ascii")
    return int(bool(worse))


if __name__ == "__main__":
    sys.exit(main())
