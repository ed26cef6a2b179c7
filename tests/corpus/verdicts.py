"""Every verdict on the corpus and the samples, held against the recorded ones: `python -m tests.corpus.verdicts`.

A verdict is what a report says is ill: code, cause, severity, layers and first remedy of every finding. `--cases`
adds the files of a folder of labelled cases, `--write` records what is found now. The recorded verdicts are in
`verdicts.json`: a change that moves one shows there, and has to give its reason.
"""

from __future__ import annotations

import argparse
import json
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch

from gradcheck_cli import check
from gradcheck_cli.config import load_config
from gradcheck_cli.errors import GradcheckError
from gradcheck_cli.pipeline import run_check
from gradcheck_cli.records.report import Report
from gradcheck_cli.records.run import RunOptions
from gradcheck_cli.records.spec import CheckSpec
from tests.corpus import CASES

RECORDED = Path(__file__).with_name("verdicts.json")
SAMPLES = Path(__file__).parents[2] / "samples"
Verdict = list[dict[str, Any]]


def verdict_of(report: Report) -> Verdict:
    """What a report says, in the order in which it says it."""
    return [
        {
            "code": finding.code,
            "cause": finding.cause,
            "severity": finding.severity.value,
            "layers": list(finding.layers),
            "remedy": next((remedy.id for remedy in finding.remedies), None),
        }
        for finding in report.findings
    ]


def found(folders: list[Path]) -> Iterator[tuple[str, Verdict]]:
    """The verdict on every model, by its name."""
    for case in CASES:
        model, batch, step = case.make()
        yield f"corpus/{case.name}", verdict_of(check(model, batch, step=step, **case.options))
    runs = (each.spec for each in load_config(SAMPLES / "gradcheck.yaml", {}))
    scripts = {SAMPLES / Path(run.command[0]).name for run in runs if isinstance(run, RunOptions)}
    for folder in (SAMPLES, *folders):
        for path in sorted(set(folder.glob("*.py")) - scripts):
            yield f"{folder.parent.name if folder.name == 'cases' else folder.name}/{path.stem}", _on_file(path)


def _on_file(path: Path) -> Verdict:
    torch.manual_seed(0)
    try:
        return verdict_of(run_check(CheckSpec(model=str(path))))
    except GradcheckError as error:
        return [{"failed": type(error).__name__}]


def moved(now: Mapping[str, Verdict], then: Mapping[str, Verdict]) -> Iterator[str]:
    """A line for each verdict that is not what it was, or that is new."""
    for name, verdict in now.items():
        if name not in then:
            yield f"{name}: new: {_short(verdict)}"
        elif verdict != then[name]:
            yield f"{name}: {_short(then[name])} -> {_short(verdict)}"


def _short(verdict: Verdict) -> str:
    return "; ".join(" ".join(map(str, finding.values())) for finding in verdict) or "nothing"


def main() -> int:
    """Print every verdict that moved; exit 1 if one did."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=Path, action="append", default=[], metavar="FOLDER")
    parser.add_argument("--write", action="store_true")
    asked = parser.parse_args()
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    now = dict(found(asked.cases))
    then = json.loads(RECORDED.read_text(encoding="ascii")) if RECORDED.exists() else {}
    lines = list(moved(now, then))
    print(*lines, f"{len(lines)} of {len(now)} verdicts moved", sep="\n")
    if asked.write:
        text = ",\n".join(f"{json.dumps(name)}: {json.dumps(verdict)}" for name, verdict in sorted(now.items()))
        RECORDED.write_text(f"{{\n{text}\n}}\n", encoding="ascii")
    return int(bool(lines))


if __name__ == "__main__":
    raise SystemExit(main())
