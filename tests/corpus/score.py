"""Score gradcheck, and the usual rules of thumb, on the labelled models: `python -m tests.corpus.score`.

The rules of thumb are the ones that packages and answers on forums use, on the same gradients:
any parameter's mean |g| < 1e-7; any norm < 1e-6 or > 10; first norm / last norm < 1e-3 with the first
< 1e-4, or > 70. Anomaly mode is torch's own; it only looks for NaN. Then the packages of
`tests/corpus/peers.py` that are installed. A judge that raises on a model has not caught anything in it.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from rich.console import Console
from rich.table import Table

from gradcheck_cli import Finding, check
from tests.corpus import CASES, Case
from tests.corpus.peers import installed


@dataclass(frozen=True)
class Verdict:
    """What a judge says of one case; a judge that names no cause leaves it empty."""

    ill: bool
    cause: str = ""


Judge = Callable[[Case], Verdict]


def gradcheck(case: Case) -> Verdict:
    """The tool itself."""
    real = gradcheck_findings(case)
    return Verdict(bool(real), real[0].cause if real else "")


def gradcheck_findings(case: Case) -> Sequence[Finding]:
    """The findings above a note, gravest first."""
    model, batch, step = case.make()
    report = check(model, batch, step=step, **case.options)
    return [f for f in report.findings if f.severity.value != "note"]


def _gradients(case: Case) -> list[torch.Tensor]:
    model, batch, step = case.make()
    step(model, batch).backward()
    return [
        p.grad.coalesce().values() if p.grad.is_sparse else p.grad for p in model.parameters() if p.grad is not None
    ]


def tiny_mean(case: Case) -> Verdict:
    """Any parameter's mean |g| below 1e-7."""
    return Verdict(any(not g.abs().mean() >= 1e-7 for g in _gradients(case)))


def norm_range(case: Case) -> Verdict:
    """Any gradient norm below 1e-6 or above 10."""
    return Verdict(any(not 1e-6 <= g.norm() <= 10 for g in _gradients(case)))


def first_to_last(case: Case) -> Verdict:
    """First norm over last below 1e-3 with the first below 1e-4, or above 70."""
    gradients = _gradients(case)
    first, last = gradients[0].norm(), gradients[-1].norm()
    return Verdict(bool((first / last < 1e-3 and first < 1e-4) or not first / last <= 70))


def anomaly_mode(case: Case) -> Verdict:
    """torch.autograd.set_detect_anomaly raises."""
    model, batch, step = case.make()
    try:
        with torch.autograd.detect_anomaly():
            step(model, batch).backward()
    except RuntimeError as error:
        return Verdict("nan values" in str(error))
    return Verdict(False)


JUDGES: dict[str, Judge] = {
    "gradcheck": gradcheck,
    "mean |g| < 1e-7": tiny_mean,
    "norm < 1e-6 or > 10": norm_range,
    "first / last": first_to_last,
    "anomaly mode": anomaly_mode,
}


def package(alarms: Callable[[Case], bool]) -> Judge:
    """A judge of a package's yes or no."""

    def judge(case: Case) -> Verdict:
        try:
            return Verdict(alarms(case))
        except Exception:
            return Verdict(False)

    return judge


def score(judge: Judge, cases: Sequence[Case] = CASES) -> dict[str, float]:
    """Recall of the ill, share of healthy that alarm, precision and cause accuracy, 0 to 1."""
    verdicts = [(case, judge(case)) for case in cases]
    ill = [(c, v) for c, v in verdicts if c.status == "ill"]
    healthy = [(c, v) for c, v in verdicts if c.status == "healthy"]
    caught = [(c, v) for c, v in ill if v.ill]
    alarms = sum(v.ill for _, v in healthy)
    return {
        "recall": len(caught) / len(ill),
        "false alarms": alarms / len(healthy),
        "precision": len(caught) / max(len(caught) + alarms, 1),
        "cause": sum(v.cause in c.causes for c, v in ill) / len(ill),
    }


def main() -> None:
    """Print the table of all judges, and every case that gradcheck gets wrong."""
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    table = Table("judge", "recall", "false alarms", "precision", "right cause")
    for name, judge in (JUDGES | {name: package(alarms) for name, alarms in installed().items()}).items():
        numbers = score(judge)
        cells = [f"{numbers[key]:.1%}" for key in ("recall", "false alarms", "precision")]
        table.add_row(name, *cells, f"{numbers['cause']:.1%}" if name == "gradcheck" else "–")
    console = Console(width=100)
    ill = sum(case.status == "ill" for case in CASES)
    console.print(f"{len(CASES)} models: {ill} ill, {len(CASES) - ill} healthy but tricky", table)
    for case in CASES:
        verdict = gradcheck(case)
        if verdict.ill != (case.status == "ill") or (verdict.ill and verdict.cause not in case.causes):
            console.print(f"{case.name}: labelled {case.status} {case.causes}, called {verdict.cause or 'healthy'}")


if __name__ == "__main__":
    main()
