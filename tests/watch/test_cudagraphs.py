"""While a CUDA graph is captured, nothing is read; a graph of ours stands in for torch's where there is no GPU."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from gradcheck_cli.watch.cudagraphs import TOLD
from tests.watch.watching import watching


class _Graph:
    """Captures nothing; whoever reads a number meanwhile is found out, as on a GPU."""

    capturing = False

    def capture_begin(self, *, fail: bool = False) -> None:
        if fail:
            raise RuntimeError("no capture")
        _Graph.capturing = True

    def capture_end(self) -> None:
        _Graph.capturing = False


@pytest.fixture
def graph(monkeypatch: pytest.MonkeyPatch) -> _Graph:
    monkeypatch.setattr(torch.cuda, "CUDAGraph", _Graph)

    def reading(original: Any) -> Any:
        def read(*args: Any, **kwargs: Any) -> Any:
            assert not _Graph.capturing, "a value is read while a graph is captured"
            return original(*args, **kwargs)

        return read

    for name in ("item", "tolist", "__float__", "__bool__", "cpu", "numpy"):
        monkeypatch.setattr(torch.Tensor, name, reading(getattr(torch.Tensor, name)))
    return _Graph()


def _train(model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    optimizer.zero_grad()
    model(torch.ones(8, 4)).square().mean().backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()


def test_what_is_captured_is_left_alone_and_told(graph: _Graph, tmp_path: Any) -> None:
    model = nn.Linear(4, 1)
    with watching(tmp_path) as watched:
        optimizer = torch.optim.SGD(model.parameters(), 0.1)
        _train(model, optimizer)
        for _ in range(2):
            graph.capture_begin()
            _train(model, optimizer)
            graph.capture_end()
        _train(model, optimizer)
    assert [vital.step for vital in watched.process.vitals] == [1, 2]
    assert watched.process.notes == (TOLD,) and not watched.process.aside


def test_a_capture_that_cannot_begin_does_not_end_the_watching(graph: _Graph, tmp_path: Any) -> None:
    model = nn.Linear(4, 1)
    with watching(tmp_path) as watched:
        optimizer = torch.optim.SGD(model.parameters(), 0.1)
        with pytest.raises(RuntimeError, match="no capture"):
            graph.capture_begin(fail=True)
        _train(model, optimizer)
    assert len(watched.process.vitals) == 1


def test_torch_is_left_as_it_was(tmp_path: Any) -> None:
    before = torch.cuda.CUDAGraph.capture_begin, torch.cuda.CUDAGraph.capture_end
    with watching(tmp_path):
        assert torch.cuda.CUDAGraph.capture_begin is not before[0]
    assert (torch.cuda.CUDAGraph.capture_begin, torch.cuda.CUDAGraph.capture_end) == before
