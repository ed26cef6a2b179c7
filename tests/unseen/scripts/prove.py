"""What the labels of these training scripts rest on: `python -m tests.unseen.scripts.prove core [NAME ...]`.

Each script is run as plain Python with torch alone, watched from outside: as it is and mended (`proofs.yaml` holds what
is replaced), at three seeds. Printed are the first step that is not finite, the first loss and the last ones, how far
the parameters moved, the rows that are at fault, and whether all this is what `labels.yaml` says.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import math
import multiprocessing
import re
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import yaml

HERE = Path(__file__).parent
SEEDS = (0, 1000, 2000)
TIMEOUT = 120.0


class Ledger:
    """What is seen of one run: steps count attempted updates over all optimisers, from 1."""

    def __init__(self) -> None:
        self.attempts = 0
        self.inside = 0
        self.by_scaler = 0
        self.moves = 0
        self.backwards: list[tuple[int, float, float]] = []
        self.optimizers: list[Any] = []
        self.started: dict[int, tuple[Any, Any]] = {}
        self.scaled: tuple[int, float] = (0, math.nan)
        self.skips = 0
        self.scale = math.nan
        self.after: list[bool] = []

    @property
    def step(self) -> int:
        """The step under way: a closure runs inside of it, a backward before it."""
        return max(self.attempts, 1) if self.inside else self.attempts + 1

    def parameters(self) -> Iterator[Any]:
        seen = set()
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                for p in group["params"]:
                    if id(p) not in seen:
                        seen.add(id(p))
                        yield p

    def saw_backward(self, loss: float, grads: Sequence[Any]) -> None:
        norms = [
            g.detach().float().coalesce().values().norm() if g.is_sparse else g.detach().float().norm() for g in grads
        ]
        self.backwards.append((self.step, loss, math.hypot(*(float(n) for n in norms)) if norms else 0.0))


def watch(ledger: Ledger) -> None:
    """Patch torch so that the ledger sees backward passes, optimiser steps and gradient scalers."""
    import torch
    from torch.optim.optimizer import register_optimizer_step_post_hook, register_optimizer_step_pre_hook

    backward, grad, step_scaler, scale = (
        torch.Tensor.backward,
        torch.autograd.grad,
        torch.amp.GradScaler.step,
        torch.amp.GradScaler.scale,
    )
    made = torch.optim.Optimizer.__init__

    def counted_backward(self: Any, *args: Any, **kwargs: Any) -> None:
        backward(self, *args, **kwargs)
        loss = ledger.scaled[1] if ledger.scaled[0] == id(self) else float(self.detach())
        ledger.saw_backward(loss, [p.grad for p in ledger.parameters() if p.grad is not None])
        ledger.attempts += not ledger.optimizers  # updates by hand: one a backward

    def counted_grad(outputs: Any, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        grads = grad(outputs, inputs, *args, **kwargs)
        if not ledger.optimizers:  # updates by hand: one a call
            ledger.saw_backward(float(outputs.detach()), grads)
            ledger.attempts += 1
        return grads

    def noted(self: Any, *args: Any, **kwargs: Any) -> None:
        made(self, *args, **kwargs)
        ledger.optimizers.append(self)

    def scaled(self: Any, outputs: Any) -> Any:
        result = scale(self, outputs)
        ledger.scaled = (id(result), float(outputs.detach()))
        return result

    def attempted(self: Any, optimizer: Any, *args: Any, **kwargs: Any) -> Any:
        ledger.attempts += 1
        before = ledger.moves
        ledger.inside += 1
        ledger.by_scaler += 1
        try:
            return step_scaler(self, optimizer, *args, **kwargs)
        finally:
            ledger.inside -= 1
            ledger.by_scaler -= 1
            ledger.skips += ledger.moves == before
            ledger.scale = self.get_scale()

    def before_step(optimizer: Any, *_: Any) -> None:
        for p in ledger.parameters():
            ledger.started.setdefault(id(p), (p, p.detach().clone()))
        ledger.moves += 1
        ledger.attempts += not ledger.by_scaler
        ledger.inside += 1

    def after_step(*_: Any) -> None:
        ledger.inside -= 1
        ledger.after.append(all(bool(p.detach().isfinite().all()) for p in ledger.parameters()))

    torch.Tensor.backward, torch.autograd.grad, torch.optim.Optimizer.__init__ = counted_backward, counted_grad, noted
    torch.amp.GradScaler.scale, torch.amp.GradScaler.step = scaled, attempted
    register_optimizer_step_pre_hook(before_step)
    register_optimizer_step_post_hook(after_step)


def shift_seeds(by: int) -> None:
    import torch
    import torch.multiprocessing

    seed = torch.manual_seed
    torch.manual_seed = lambda n: seed(n + by)
    torch.multiprocessing.spawn = lambda fn, args=(), nprocs=1: [fn(rank, *args) for rank in range(nprocs)]


def look(code: CodeType, ledger: Ledger, line: int, step: int, expression: str, seen: list[Any]) -> None:
    """Evaluate an expression whenever a line of the script is about to run at a step."""
    import torch

    def local(frame: FrameType, event: str, _: Any) -> Any:
        if event == "line" and frame.f_lineno == line and ledger.step == step and frame.f_code.co_name != "<listcomp>":
            sys.settrace(None)
            seen.append(eval(expression, {**frame.f_globals, "torch": torch}, {**frame.f_locals}))
            sys.settrace(globally)
        return local

    def globally(frame: FrameType, event: str, _: Any) -> Any:
        return local if frame.f_code.co_filename == code.co_filename else None

    sys.settrace(globally)


def child(options: Mapping[str, Any]) -> None:
    """Run one form of a script at one seed, and write what was seen."""
    path = Path(options["file"])
    source = path.read_text()
    for old, new in options["mend"]:
        assert old in source, f"{path.name} has no {old!r}"
        source = source.replace(old, new)
    ledger, seen, out = Ledger(), [], io.StringIO()
    shift_seeds(options["shift"])
    watch(ledger)
    sys.argv = [str(path)]
    names = {"__name__": "__main__", "__file__": str(path)}
    sys.modules["__main__"].__dict__.update(names)
    code = compile(source, str(path), "exec")
    clock = time.perf_counter  # the script runs in this module's place, and may call something else `time`
    t = clock()
    if options.get("expression"):
        look(code, ledger, options["line"], options["step"], options["expression"], seen)
    with contextlib.redirect_stdout(out):
        exec(code, sys.modules["__main__"].__dict__)
    sys.settrace(None)
    moved = sum(float((p.detach() - start).float().square().sum()) for p, start in ledger.started.values()) ** 0.5
    size = sum(float(start.float().square().sum()) for _, start in ledger.started.values()) ** 0.5
    result = {
        "backwards": ledger.backwards,
        "attempts": ledger.attempts,
        "skips": ledger.skips,
        "scale": ledger.scale,
        "moved": moved,
        "size": size,
        "last_line": (out.getvalue().strip().splitlines() or [""])[-1],
        "seen": seen,
        "seconds": round(clock() - t, 1),
        "bad_after": next((k + 1 for k, fine in enumerate(ledger.after) if not fine), None),
    }
    Path(options["out"]).write_text(json.dumps(result))


def guarded(options: Mapping[str, Any]) -> None:
    """Run in a fork, and leave word of what was raised."""
    import torch

    torch.set_num_threads(1)
    try:
        child(options)
    except BaseException:
        Path(options["out"]).write_text(json.dumps({"error": traceback.format_exc()[-600:]}))


def run(file: Path, mend: Sequence[Any], shift: int, **looking: Any) -> dict[str, Any]:
    """What is seen of one form of a script at one seed, in a process of its own."""
    import torch._dynamo  # noqa: F401  (once, here: an optimiser imports it, and every fork has it then)

    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out.json"
        options = {"file": str(file), "mend": list(mend), "shift": shift, "out": str(out), **looking}
        process = multiprocessing.get_context("fork").Process(target=guarded, args=(options,))
        process.start()
        process.join(TIMEOUT)
        if process.is_alive():
            process.kill()
        return json.loads(out.read_text()) if out.exists() else {"error": "no word of it"}


def facts(result: Mapping[str, Any]) -> dict[str, Any]:
    """The figures of a run that labels are made of."""
    seen = result["backwards"]
    losses = [loss for _, loss, _ in seen]
    tail = losses[-max(1, len(losses) // 10) :]
    bad_loss = next((step for step, loss, _ in seen if not math.isfinite(loss)), None)
    bad_grad = next((step for step, _, norm in seen if not math.isfinite(norm)), None)
    finite = [(norm, step) for step, _, norm in seen if math.isfinite(norm)]
    top = max(finite) if finite else (math.nan, 0)
    return {
        "steps": result["attempts"],
        "first": losses[0],
        "tail": sum(tail) / len(tail),
        "bad_loss": bad_loss,
        "bad_grad": bad_grad,
        "bad_step": min((s for s in (bad_loss, bad_grad) if s), default=None),
        "top_norm": top,
        "skips": result["skips"],
        "scale": result["scale"],
        "moved": result["moved"] / result["size"] if result["size"] else math.nan,
        "last_line": result["last_line"],
        "seconds": result["seconds"],
    }


def told(name: str, f: Mapping[str, Any]) -> str:
    bad = (
        f"  not finite from step {f['bad_step']} (loss {f['bad_loss']}, gradient {f['bad_grad']})"
        if f["bad_step"]
        else ""
    )
    scaler = f"  scale {f['scale']:.3g}, {f['skips']} skipped" if math.isfinite(f["scale"]) else ""
    return (
        f"  {name:12s} loss {f['first']:.4g} -> {f['tail']:.4g}  steps {f['steps']}"
        f"  largest norm {f['top_norm'][0]:.3g} at {f['top_norm'][1]}"
        f"  moved {f['moved']:.2g}{scaler}{bad}  {f['seconds']} s  | {f['last_line'][:110]}"
    )


def is_worse(ill: Mapping[str, Any], mended: Mapping[str, Any], figure: str | None) -> bool:
    """Whether the ill form ends half as high again as the mended one, or where its loss tells nothing, half as well."""
    if figure:
        ends = [float(re.search(figure + r" ([\d.]+)", f["last_line"])[1]) for f in (ill, mended)]
        return ends[0] < ends[1] / 2
    return not math.isfinite(ill["tail"]) or ill["tail"] > 1.5 * mended["tail"]


def at_odds(
    label: Mapping[str, Any],
    proof: Mapping[str, Any],
    ill: dict[str, Any],
    mended: dict[str, Any] | None,
    seen: Sequence[Any],
) -> list[str]:
    """What of a label the run at the script's own seed does not bear out."""
    odds = []
    if ill["steps"] != label["total_steps"]:
        odds.append(f"steps {ill['steps']}, label {label['total_steps']}")
    if label["verdict"] == "healthy":
        if ill["bad_step"] and not ill["skips"]:
            odds.append("not finite")
        return odds
    first, last = label["alarm_step"]
    if "nonfinite" in label["alarms_ok"][:1] and not (ill["bad_step"] and first <= ill["bad_step"] <= last):
        odds.append(f"first not finite at {ill['bad_step']}")
    if mended and mended["bad_step"]:
        odds.append("the mended form is not finite")
    if mended and not is_worse(ill, mended, proof.get("figure")):
        odds.append("the mended form does no better")
    if label.get("samples"):
        rows = sorted({row for rows in seen for row in rows})
        if rows != label["samples"]:
            odds.append(f"rows {rows}")
    return odds


def prove(
    folder: Path, name: str, label: Mapping[str, Any], proof: Mapping[str, Any], seeds: Sequence[int]
) -> list[str]:
    file = folder / label["command"][-1]
    looking = (
        {"line": proof["at"], "step": label["alarm_step"][0], "expression": proof["rows"]} if "rows" in proof else {}
    )
    print(f"{name}: {label['verdict']}, {label.get('cause') or ''}", flush=True)
    own: dict[str, Any] = {}
    seen: list[Any] = []
    for shift in seeds:
        for form, mend in (("as it is", []), ("mended", proof.get("mend"))):
            if mend is None:
                continue
            result = run(file, mend, shift, **(looking if form == "as it is" else {}))
            if "error" in result:
                print(f"  {form}: {result['error']}")
                return ["does not run"]
            f = facts(result)
            print(told(f"{form} +{shift}", f), flush=True)
            if shift == 0:
                own[form] = f
                seen = result["seen"] or seen
    if seen:
        print("  rows at fault:", seen)
    odds = at_odds(label, proof, own["as it is"], own.get("mended"), seen)
    print("  as labelled" if not odds else f"  AT ODDS: {odds}", flush=True)
    return odds


def main() -> int:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("set", choices=["core", "loop", "more", "late", "forum", "tried", "sudden", "asked"])
    p.add_argument("names", nargs="*")
    p.add_argument("--seeds", type=int, nargs="*", default=list(SEEDS))
    a = p.parse_args()
    folder = HERE / a.set
    labels = yaml.safe_load((folder / "labels.yaml").read_text())
    proofs = yaml.safe_load((folder / "proofs.yaml").read_text())
    odds = {n: o for n in a.names or labels if (o := prove(folder, n, labels[n], proofs.get(n) or {}, a.seeds))}
    print(f"{len(a.names or labels) - len(odds)} as labelled, {len(odds)} at odds: {', '.join(odds) or 'none'}")
    return bool(odds)


if __name__ == "__main__":
    sys.exit(main())
