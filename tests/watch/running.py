"""Run a small training script bare, or under the tape with steps repeated in the middle, and tell what became of it."""

from __future__ import annotations

import contextlib
import hashlib
import io
import random
import traceback
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim.optimizer import (
    Optimizer,
    register_optimizer_step_post_hook,
    register_optimizer_step_pre_hook,
)

from gradcheck_cli.records.timeline import Replay
from gradcheck_cli.watch.accumulation import Accumulation
from gradcheck_cli.watch.backward import Backward
from gradcheck_cli.watch.draft import Draft
from gradcheck_cli.watch.isolation import hushed
from gradcheck_cli.watch.proof import Replayed, verify
from gradcheck_cli.watch.tape import Tape
from gradcheck_cli.watch.taps import install

FORMS = Path(__file__).parent / "forms"


@dataclass
class Ran:
    """What became of a script: a digest of all that it left, what it printed, what was repeated, errors of ours."""

    digest: str
    printed: str
    replayed: list[Replayed] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    backwards: list[Backward] = field(default_factory=list)
    space: dict[str, Any] = field(default_factory=dict)
    late: int = 0

    @property
    def outcomes(self) -> set[Replay]:
        """All outcomes that there were."""
        return {each.outcome for each in self.replayed}


class Verifier:
    """Repeats every `every`-th backward pass, right after it has run; none with 0."""

    def __init__(self, every: int) -> None:
        self.tape: Tape
        self.every, self.count = every, 0
        self.accumulation = Accumulation()
        self.replayed: list[Replayed] = []
        self.failures: list[str] = []
        self.backwards: list[Backward] = []
        self.late_ones = 0

    @property
    def outcomes(self) -> set[Replay]:
        """All outcomes that there were."""
        return {each.outcome for each in self.replayed}

    def forward(self) -> None:
        """Nothing is asked of forward passes."""

    def began(self, backward: Backward) -> None:
        self.accumulation.began(backward)

    def ended(self, backward: Backward, raised: BaseException | None) -> None:
        self.accumulation.ended(backward, raised)
        if raised is None:
            self._repeat(backward)

    def _repeat(self, backward: Backward) -> None:
        self.backwards.append(backward)
        self.count += 1
        if self.every and self.count % self.every == 1 % self.every:
            with hushed():
                self.replayed.append(verify(self.tape, self.accumulation))

    def late(self, backward: Backward, draft: Draft) -> None:
        self.accumulation.late(backward, draft.standing())
        self.late_ones += 1
        self._repeat(backward)

    def failed(self, error: BaseException) -> None:
        self.failures.append("".join(traceback.format_exception(error)))


def digest(space: dict[str, Any]) -> str:
    """Of every tensor and model among the variables of a script, and of the random generators."""
    found = hashlib.sha256()
    for name in sorted(space):
        value = space[name]
        tensors = list(value.state_dict().values()) if isinstance(value, nn.Module) else []
        if isinstance(value, nn.Module):
            tensors += [p.grad for p in value.parameters() if p.grad is not None]
        for tensor in [*tensors, *([value] if isinstance(value, Tensor) else [])]:
            if isinstance(tensor, Tensor):
                dense = tensor.detach().to_dense() if tensor.layout is not torch.strided else tensor.detach()
                found.update(
                    name.encode() + str(dense.dtype).encode() + repr(dense.float().tolist()).encode()
                    if not dense.is_complex()
                    else repr(dense.tolist()).encode()
                )
    found.update(torch.get_rng_state().numpy().tobytes())
    found.update(repr(random.getstate()).encode() + np.random.get_state()[1].tobytes())
    return found.hexdigest()


def run_script(path: Path) -> tuple[dict[str, Any], str]:
    """Run a script in a namespace of its own; its variables, and what it printed."""
    torch.manual_seed(0)
    random.seed(0)
    np.random.seed(0)
    space: dict[str, Any] = {"__name__": "__main__", "__file__": str(path)}
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(path.read_text(encoding="utf-8"), str(path), "exec"), space)
    return space, printed.getvalue()


def bare(path: Path) -> Ran:
    """Run it as it is."""
    space, printed = run_script(path)
    return Ran(digest(space), printed)


@contextlib.contextmanager
def watched(verifier: Verifier) -> Iterator[Tape]:
    """Inside, everything is taped for a verifier."""
    tape = verifier.tape = Tape(verifier)
    undo = install(tape)
    hook = register_optimizer_step_post_hook(lambda *args: verifier.accumulation.updated())
    try:
        yield tape
    finally:
        hook.remove()
        undo()


@contextlib.contextmanager
def drafted(verifier: Verifier) -> Iterator[None]:
    """Inside, each step is noted, and the tape is written from the notes before its update at the latest."""

    def before(optimizer: Optimizer, *args: Any) -> None:
        if verifier.tape.draft is not None:
            verifier.tape.draft.write_out()

    def after(optimizer: Optimizer, *args: Any) -> None:
        if verifier.tape.enabled and not verifier.tape.depth and not verifier.tape.live.copying:
            groups = optimizer.param_groups
            verifier.tape.draft = Draft(verifier.tape, lambda: [p for group in groups for p in group["params"]])

    with watched(verifier):
        hooks = register_optimizer_step_pre_hook(before), register_optimizer_step_post_hook(after)
        try:
            yield
        finally:
            for hook in hooks:
                hook.remove()


def taped(path: Path, every: int = 3, *, drafts: bool = False) -> Ran:
    """Run it under the tape, or with drafts of it."""
    verifier = Verifier(every)
    with drafted(verifier) if drafts else watched(verifier):
        space, printed = run_script(path)
    return Ran(
        digest(space), printed, verifier.replayed, verifier.failures, verifier.backwards, space, verifier.late_ones
    )


if __name__ == "__main__":
    import sys

    torch.set_num_threads(1)
    for path in sorted(FORMS.glob("*.py")):
        if path.stem == "__init__" or (sys.argv[1:] and path.stem not in sys.argv[1:]):
            continue
        try:
            one, two = bare(path), taped(path)
        except Exception:
            print(path.stem, "RAISED")
            traceback.print_exc(limit=-8)
            continue
        told = sorted({f"{r.outcome.value} {r.why}".strip() for r in two.replayed})
        same = "" if (one.digest, one.printed) == (two.digest, two.printed) else "  CHANGED"
        print(f"{path.stem:24} {len(two.replayed):3} {told}{same}")
        for text in two.failed:
            print(text)
