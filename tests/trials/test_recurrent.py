"""Plans for weights that are used step after step."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from gradcheck_cli.trials import edits, recurrent
from gradcheck_cli.trials.torchcalls import NotTriable
from tests.trials.contexts import context

STEPS = 12
BATCH = torch.randn(2, STEPS, 3, generator=torch.Generator().manual_seed(0)), torch.zeros(2, 4)


class Reader(nn.Module):
    """Reads a sequence with one of torch's cells and puts out its last state."""

    def __init__(self, cell: nn.RNNBase) -> None:
        super().__init__()
        self.cell = cell

    def forward(self, x: Tensor) -> Tensor:
        return self.cell(x)[0][:, -1]


class Written(nn.Module):
    """The same, written out."""

    def __init__(self, act: Callable[[Tensor], Tensor] = torch.tanh) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.read, self.carry, self.act = nn.Linear(3, 4), nn.Linear(4, 4), act

    def forward(self, x: Tensor) -> Tensor:
        state = x.new_zeros(2, 4)
        for step in x.unbind(1):
            state = self.act(self.carry(state) + self.read(step))
        return state


class Gated(Written):
    """A state that a written-out sigmoid lets through."""

    def __init__(self, bias: float) -> None:
        super().__init__()
        nn.init.constant_(self.read.bias, bias)

    def forward(self, x: Tensor) -> Tensor:
        state = x.new_ones(2, 4)
        for step in x.unbind(1):
            state = state * torch.sigmoid(self.read(step)) + torch.tanh(self.carry(state))
        return state


def rnn(**fields: object) -> nn.RNNBase:
    torch.manual_seed(0)
    return nn.RNN(3, 4, batch_first=True, **fields)


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_a_plain_rnn_is_replaced_by_a_cell_that_remembers_as_long_as_its_sequence(cell: str) -> None:
    (edit,) = recurrent.gated(cell)(context(Reader(rnn()), BATCH)).edits
    assert edit.function is edits.replace_rnn
    assert edit.arguments == {"path": "cell", "cell": cell, "bias": round(math.log(STEPS), 2), "seed": 0}


def test_only_the_cells_that_are_blamed_are_replaced() -> None:
    class Two(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = Reader(rnn()), Reader(rnn())

        def forward(self, x: Tensor) -> Tensor:
            return self.a(x) + self.b(x)

    plans = [recurrent.gated("gru")(context(Two(), BATCH, layers=layers)) for layers in (("b.cell",), ("head",))]
    assert [[edit.arguments["path"] for edit in plan.edits] for plan in plans] == [["b.cell"], ["a.cell", "b.cell"]]


@pytest.mark.parametrize("model", [Written(), Reader(nn.LSTM(3, 4, batch_first=True))], ids=["written", "gated"])
def test_what_is_no_plain_rnn_cannot_be_replaced(model: nn.Module) -> None:
    with pytest.raises(NotTriable, match=r"only an nn\.RNN can be replaced"):
        recurrent.gated("lstm")(context(model, BATCH))


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU])
def test_the_gates_of_torchs_cells_open_by_their_bias(kind: type[nn.RNNBase]) -> None:
    (edit,) = recurrent.forget_bias(context(Reader(kind(3, 4, batch_first=True)), BATCH)).edits
    assert (edit.function, edit.arguments) == (edits.open_gates, {"biases": {"cell": round(math.log(STEPS), 2)}})
    with pytest.raises(NotTriable, match="no biases"):
        recurrent.forget_bias(context(Reader(kind(3, 4, batch_first=True, bias=False)), BATCH))


def test_a_closed_gate_that_is_written_out_is_shifted_open() -> None:
    (edit,) = recurrent.forget_bias(context(Gated(-9.0), BATCH)).edits
    assert edit.function is edits.shift_arguments
    assert sorted(edit.arguments["shifts"]) == [
        ("", "sigmoid", step) for step in range(1, STEPS)
    ]  # the first state is given
    assert all(shift == pytest.approx(9 + math.log(STEPS), abs=1.5) for shift in edit.arguments["shifts"].values())
    with pytest.raises(NotTriable, match="no closed gate"):
        recurrent.forget_bias(context(Gated(0.0), BATCH))


def test_recurrent_weights_are_made_orthogonal_and_a_sigmoid_between_them_a_tanh() -> None:
    (plain,) = recurrent.orthogonal(context(Written(), BATCH)).edits
    assert (plain.function, plain.arguments) == (edits.orthogonalise, {"names": ("carry.weight",), "seed": 0})
    swap, also = recurrent.orthogonal(context(Written(torch.sigmoid), BATCH)).edits
    assert also == plain
    assert swap.arguments["to"] == "tanh"
    assert len(swap.arguments["places"]) == STEPS - 1  # behind the last one stands no weight


def test_the_gates_of_a_cell_are_squares_that_are_stacked() -> None:
    (edit,) = recurrent.orthogonal(context(Reader(nn.GRU(3, 4, batch_first=True)), BATCH)).edits
    assert edit.arguments["names"] == ("cell.weight_hh_l0",)
    with pytest.raises(NotTriable, match="no square recurrent weight"):
        recurrent.identity_recurrence(context(Reader(nn.GRU(3, 4, batch_first=True)), BATCH))


def test_an_identity_comes_with_a_relu() -> None:
    swap, identity = recurrent.identity_recurrence(context(Written(), BATCH)).edits
    assert (swap.arguments["to"], identity.function) == ("relu", edits.identify)
    assert identity.arguments == {"names": ("carry.weight",)}
    rectified = rnn(nonlinearity="relu")
    nn.init.ones_(rectified.bias_ih_l0)
    (alone,) = recurrent.identity_recurrence(context(Reader(rectified), BATCH)).edits
    assert alone.arguments == {"names": ("cell.weight_hh_l0",)}


def test_the_tanh_of_torchs_own_cell_cannot_be_swapped() -> None:
    with pytest.raises(NotTriable, match="torch's own"):
        recurrent.identity_recurrence(context(Reader(rnn()), BATCH))


def test_without_a_weight_that_is_used_at_many_steps_nothing_recurs() -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(36, 36), nn.Tanh(), nn.Linear(36, 4))
    for make in (recurrent.orthogonal, recurrent.identity_recurrence):
        with pytest.raises(NotTriable, match="no square recurrent weight"):
            make(context(model, BATCH))
