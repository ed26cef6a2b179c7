"""Where a device fuses the gates of a recurrent layer, its decomposition shows what a CPU shows."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from gradcheck_cli import check
from gradcheck_cli.probe import unfused as module
from gradcheck_cli.probe.unfused import unfused
from tests.corpus import CASES
from tests.corpus.verdicts import RECORDED, verdict_of

RECURRENT = [
    "bidirectional_rnn",
    "gru_never_updates",
    "grucell_memory_frozen",
    "lstm_default_60_steps",
    "lstm_forgets",
    "lstm_input_gate_closed",
    "packed_lstm_variable_length",
    "truncated_bptt",
]
VF = torch._VF
LAYERS: dict[str, Callable[[], nn.Module]] = {
    "lstm": lambda: nn.LSTM(3, 5, 2, bidirectional=True, batch_first=True),
    "projected": lambda: nn.LSTM(3, 5, proj_size=2),
    "gru": lambda: nn.GRU(3, 5, 2, bidirectional=True),
    "no biases": lambda: nn.GRU(3, 5, bias=False),
    "lstm cell": lambda: nn.LSTMCell(3, 5),
    "gru cell": lambda: nn.GRUCell(3, 5, bias=False),
}


@pytest.fixture
def fusing(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if this device fused them."""
    monkeypatch.setattr(module, "is_fusing", lambda tensor: True)


def _gradients(layer: nn.Module, x: Any) -> list[Tensor]:
    found = layer(x)
    first = found[0] if isinstance(found, tuple) else found
    first = first.data if isinstance(first, nn.utils.rnn.PackedSequence) else first
    return list(torch.autograd.grad(first.square().sum(), list(layer.parameters())))


class _Unfused(torch.overrides.TorchFunctionMode):
    def __init__(self) -> None:
        super().__init__()
        self.replaced = 0

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        call = unfused(func.__name__, func, args)
        self.replaced += call is not func
        return call(*args, **(kwargs or {}))


@pytest.mark.usefixtures("fusing")
@pytest.mark.parametrize(
    ("name", "packed"),
    [(name, packed) for name in LAYERS for packed in (False, True) if not (packed and "cell" in name)],
)
def test_the_gradients_are_those_of_the_layer(name: str, packed: bool) -> None:
    torch.manual_seed(0)
    layer, x = LAYERS[name](), torch.randn(4, 3) if "cell" in name else torch.randn(7, 4, 3)
    given: Any = x
    if packed:
        lengths = [7, 5, 2, 2] if not getattr(layer, "batch_first", False) else [4, 3, 3, 2, 2, 1, 1]
        given = nn.utils.rnn.pack_padded_sequence(x, lengths, bool(getattr(layer, "batch_first", False)))
    expected = _gradients(layer, given)
    with _Unfused() as mode:
        found = _gradients(layer, given)
    assert mode.replaced == 1
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.usefixtures("fusing")
@pytest.mark.parametrize("name", ["lstm", "projected", "gru"])
def test_the_last_states_are_those_of_the_layer(name: str) -> None:
    torch.manual_seed(0)
    layer, x = LAYERS[name](), torch.randn(7, 4, 3)
    expected = layer(x)[1]
    with _Unfused():
        found = layer(x)[1]
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.usefixtures("fusing")
@pytest.mark.parametrize("name", RECURRENT)
def test_verdicts_are_those_of_a_cpu(name: str) -> None:
    case = next(each for each in CASES if each.name == name)
    model, batch, step = case.make()
    recorded = json.loads(RECORDED.read_text())[f"corpus/{name}"]
    assert verdict_of(check(model, batch, step=step)) == recorded


def test_nothing_is_replaced_on_a_cpu() -> None:
    assert unfused("lstm", VF.lstm, (torch.ones(1),)) is VF.lstm
