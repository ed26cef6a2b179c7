"""Other packages for the same purpose, judged on the same models; `pip install -e ".[peers]"` installs them.

Each is run by the entry point that its own documentation shows, with its own defaults, for one step.
"""

from __future__ import annotations

import contextlib
import importlib.util
import io
import os
import tempfile
import warnings
from collections.abc import Callable, Iterator
from importlib.metadata import version
from typing import Any

import torch
from torch import nn

from tests.corpus.case import Case


class _Stepped(nn.Module):
    """A case as a model whose output is its loss, for packages that call model and loss function themselves."""

    def __init__(self, case: Case) -> None:
        super().__init__()
        self.model, self.batch, self.step = case.make()

    def forward(self, unused: Any) -> torch.Tensor:
        return self.step(self.model, self.batch)


@contextlib.contextmanager
def _contained() -> Iterator[None]:
    """Keep a package's prints, warnings and files in the working folder to itself."""
    here = os.getcwd()  # noqa: PTH109
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        os.chdir(folder)
        try:
            with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
                yield
        finally:
            os.chdir(here)


def neuraldbg(case: Case) -> bool:
    """NeuralDBG: any event that does not end in a healthy, normal or stable state."""
    from neuraldbg import NeuralDbg

    model, batch, step = case.make()
    with _contained(), NeuralDbg(model) as watcher:
        loss = step(model, batch)
        loss.backward()
        watcher.step_iteration()
        states = {getattr(event.to_state, "value", event.to_state) for event in watcher.get_events()}
    return bool(states - {"healthy", "normal", "stable"})


def gradtracer(case: Case) -> bool:
    """GradTracer: its report after one step does not end in "no critical issues"."""
    from gradtracer import FlowTracker

    model, batch, step = case.make()
    with _contained():
        tracker = FlowTracker(model)
        loss = step(model, batch)
        loss.backward()
        tracker.step(loss=loss.item())
        report = io.StringIO()
        with contextlib.redirect_stdout(report):
            tracker.report()
        tracker.detach()
    return "No critical issues detected" not in report.getvalue()


def torchtest(case: Case) -> bool:
    """torchtest: its suite, that every variable changes in one step of SGD and nothing is NaN or Inf, raises."""
    import torchtest as package

    model = _Stepped(case)
    optimiser = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.01)
    with _contained():
        try:
            package.assert_vars_change(
                model, lambda loss, unused: loss, optimiser, [torch.zeros(1), torch.zeros(1)], torch.device("cpu")
            )
            package.assert_never_nan(model(None))
            package.assert_never_inf(model(None))
        except Exception as error:
            return "torchtest" in type(error).__module__
    return False


def installed() -> dict[str, Callable[[Case], bool]]:
    """The packages that are installed, by name and version."""
    peers = {peer.__name__: peer for peer in (neuraldbg, gradtracer, torchtest)}
    return {f"{name} {version(name)}": peer for name, peer in peers.items() if importlib.util.find_spec(name)}
