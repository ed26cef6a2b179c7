"""The vitals of a plain script, recorded under the least of monkeypatching: what the alarms are tested on.

`python -m tests.watch.record SCRIPT [ARGS]... --to FILE.json` runs the script as `__main__` with `Tensor.backward`,
`Optimizer.step` and `GradScaler.step` wrapped, and stores one row an attempted update: optimiser, loss, gradient norm
before clipping, finite, scale, skipped, phase. It is no part of the tool and shares nothing with its watcher, so that
each can be held against the other.
"""

from __future__ import annotations

import argparse
import dataclasses
import functools
import json
import math
import os
import runpy
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from gradcheck_cli.records.timeline import Vital

SERIES = Path(__file__).parent / "series"
_FIELDS = [field for field in dataclasses.fields(Vital) if field.name != "step"]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("script", type=Path)
    parser.add_argument("args", nargs="*")
    parser.add_argument("--to", type=Path, required=True, help="the file that the series is written to")
    asked = parser.parse_args()
    recorder = Recorder()
    recorder.install()
    sys.argv = [str(asked.script), *asked.args]
    sys.path.insert(0, str(asked.script.parent))
    runpy.run_path(str(asked.script), run_name="__main__")
    if os.environ.get("RANK", "0") == "0":
        asked.to.write_text(written(recorder.vitals), encoding="utf-8")


def written(vitals: Iterable[Vital]) -> str:
    """A series as JSON: the names of the columns, then a row a step; what is not finite as a string."""
    rows = [[_plain(getattr(vital, field.name)) for field in _FIELDS] for vital in vitals]
    lines = ",\n".join(json.dumps(row, separators=(",", ":")) for row in rows)
    return f'{{"columns": {json.dumps([field.name for field in _FIELDS])}, "rows": [\n{lines}\n]}}\n'


def read(file: Path) -> list[Vital]:
    """A series that `written` made."""
    stored = json.loads(file.read_text(encoding="utf-8"))
    names = stored["columns"]
    rows = (zip(names, map(_number, row), strict=True) for row in stored["rows"])
    return [Vital(step=step, **dict(row)) for step, row in enumerate(rows, 1)]


def _plain(value: Any) -> Any:
    if not isinstance(value, float):
        return value
    return float(f"{value:.7g}") if math.isfinite(value) else str(value)


def _number(value: Any) -> Any:
    return float(value) if isinstance(value, str) else value


class Recorder:
    """Wraps what every training step passes through."""

    def __init__(self) -> None:
        self.vitals: list[Vital] = []
        self._losses: list[float] = []
        self._norm: float | None = None  # before clipping, or at the first call of a closure
        self._stepping: Any = None
        self._numbers: dict[int, int] = {}
        self._steps: dict[int, int] = {}
        self._seen: dict[int, tuple[float, int, int]] = {}  # learning rate, tensors that learn, phase

    def install(self) -> None:
        import torch
        from torch.optim.optimizer import register_optimizer_step_post_hook, register_optimizer_step_pre_hook

        _wrap(torch.Tensor, "backward", self._backward)
        _wrap(torch.nn.utils, "clip_grad_norm_", self._clip)
        _wrap(torch.amp.GradScaler, "scale", _scaled)
        _wrap(torch.amp.GradScaler, "step", self._scaled_step)
        register_optimizer_step_pre_hook(self._before_step)
        register_optimizer_step_post_hook(lambda optimizer, _args, _kwargs: self._note(optimizer))

    def _backward(self, original: Callable[..., None], tensor: Any, *args: Any, **kwargs: Any) -> None:
        self._losses.append(float(tensor.detach()) / getattr(tensor, "scaled_by", 1.0))
        original(tensor, *args, **kwargs)
        if self._stepping is not None and self._norm is None:
            self._norm = _norm(self._stepping)

    def _clip(self, original: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        norm = original(*args, **kwargs)
        self._norm = float(norm)
        return norm

    def _scaled_step(self, original: Callable[..., Any], scaler: Any, optimizer: Any, *args: Any, **kwargs: Any) -> Any:
        scale, before = float(scaler.get_scale()), len(self.vitals)
        if self._norm is None:  # not unscaled for a clip
            self._norm = _norm(optimizer) / scale
        result = original(scaler, optimizer, *args, **kwargs)
        if len(self.vitals) == before:
            self._note(optimizer)
            self.vitals[-1] = dataclasses.replace(self.vitals[-1], skipped=True)
        self.vitals[-1] = dataclasses.replace(self.vitals[-1], scale=scale)
        return result

    def _before_step(self, optimizer: Any, _args: Any, _kwargs: Any) -> None:
        self._stepping = optimizer
        if self._losses and self._norm is None:
            self._norm = _norm(optimizer)

    def _note(self, optimizer: Any) -> None:
        number = self._numbers.setdefault(id(optimizer), len(self._numbers))
        self._steps[number] = self._steps.get(number, 0) + 1
        loss = sum(self._losses) / len(self._losses) if self._losses else None
        self.vitals.append(
            Vital(
                step=len(self.vitals) + 1,
                optimizer=number,
                optimizer_step=self._steps[number],
                loss=loss,
                grad_norm=self._norm,
                finite=all(value is None or math.isfinite(value) for value in (loss, self._norm)),
                phase=self._phase(optimizer, number),
            )
        )
        self._losses, self._norm, self._stepping = [], None, None

    def _phase(self, optimizer: Any, number: int) -> int:
        rate = max(group["lr"] for group in optimizer.param_groups)
        learning = sum(p.requires_grad for group in optimizer.param_groups for p in group["params"])
        before, tensors, phase = self._seen.get(number, (rate, learning, 0))
        phase += rate > 2 * before or learning != tensors
        self._seen[number] = (rate, learning, phase)
        return phase


def _wrap(owner: Any, name: str, around: Callable[..., Any]) -> None:
    original = getattr(owner, name)

    @functools.wraps(original)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        return around(original, *args, **kwargs)

    setattr(owner, name, wrapped)


def _scaled(original: Callable[..., Any], scaler: Any, loss: Any) -> Any:
    result = original(scaler, loss)
    result.scaled_by = float(scaler.get_scale())
    return result


def _norm(optimizer: Any) -> float:
    grads = [p.grad for group in optimizer.param_groups for p in group["params"] if p.grad is not None]
    return math.sqrt(sum(float(grad.detach().float().norm()) ** 2 for grad in grads))


if __name__ == "__main__":
    main()
