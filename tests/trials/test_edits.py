"""Each edit, by what it makes of a small model's output."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gradcheck_cli.trials import edits


class Functional(nn.Module):
    """Functional and module activations, in a loop and shared."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(4, 4), nn.Linear(4, 4)
        self.act = nn.Tanh()

    def forward(self, x: Tensor) -> Tensor:
        x = torch.sigmoid(self.first(x))
        for _ in range(2):
            x = self.act(self.second(x)).tanh()
        return x


@pytest.fixture
def model() -> Functional:
    torch.manual_seed(0)
    return Functional()


@pytest.fixture
def x() -> Tensor:
    return torch.randn(3, 4)


def test_one_call_of_many_is_swapped(model: Functional, x: Tensor) -> None:
    first, second = model.first, model.second
    h = torch.sigmoid(first(x))
    h = torch.tanh(second(h)).tanh()
    expected = F.relu(torch.tanh(second(h)))
    edits.swap_activations(model, {("", "tanh", 1)}, "relu")
    assert torch.equal(model(x), expected)
    assert torch.equal(model(x), expected), "the calls are counted anew in each pass"


def test_every_call_of_a_module_is_swapped(model: Functional, x: Tensor) -> None:
    h = torch.sigmoid(model.first(x))
    for _ in range(2):
        h = F.relu(model.second(h)).tanh()
    edits.swap_activations(model, {("act", "tanh", None)}, "relu")
    assert torch.equal(model(x), h)


def test_a_pass_that_raises_leaves_no_trace(model: Functional, x: Tensor) -> None:
    before = model(x)
    edits.swap_activations(model, set(), "relu")
    with pytest.raises(RuntimeError):
        model(torch.zeros(3, 5))
    assert torch.equal(model(x), before)


def test_layers_are_normalised_sample_by_sample(x: Tensor) -> None:
    model = nn.Sequential(nn.Linear(4, 8))
    edits.normalise(model, {("0", "linear", None)})
    out = model(x)
    assert torch.allclose(out.mean(-1), torch.zeros(3), atol=1e-6)
    assert torch.allclose(out.var(-1, correction=0), torch.ones(3), atol=1e-3)


def test_convolutions_are_normalised_over_channels_and_pixels() -> None:
    model = nn.Sequential(nn.Conv2d(3, 6, 3))
    edits.normalise(model, {("0", "conv2d", None)})
    out = model(torch.randn(2, 3, 5, 5))
    assert torch.allclose(out.mean((1, 2, 3)), torch.zeros(2), atol=1e-6)


def test_identity_paths_go_where_shapes_match(x: Tensor) -> None:
    model = nn.Sequential(nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 8), nn.Tanh())
    h = x + 0.5 * torch.tanh(model[0](x))
    expected = torch.tanh(model[2](h))
    layers, activations = {("0", "linear", None), ("2", "linear", None)}, {("1", "tanh", None), ("3", "tanh", None)}
    edits.add_identity(model, layers, activations, 0.5)
    assert torch.allclose(model(x), expected)


class Attention(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return F.softmax(x @ x.transpose(-1, -2), dim=-1).sum(dim=1)


def test_arguments_are_scaled_and_calls_left_out(x: Tensor) -> None:
    scores = x @ x.T
    scaled, skipped, over = Attention(), Attention(), Attention()
    edits.scale_arguments(scaled, {("", "softmax", None): 0.1})
    edits.skip(skipped, {("", "softmax", 0)})
    edits.softmax_over(over, {("", "softmax", 0)}, 0)
    assert torch.allclose(scaled(x), F.softmax(0.1 * scores, -1).sum(1))
    assert torch.allclose(skipped(x), scores.sum(1))
    assert torch.allclose(over(x), F.softmax(scores, 0).sum(1))


def test_outputs_are_scaled_and_arguments_shifted(x: Tensor) -> None:
    model = nn.Sequential(nn.Sigmoid())
    edits.shift_arguments(model, {("0", "sigmoid", None): 3.0})
    edits.scale_output(model, 2.0)
    assert torch.allclose(model(x), 2 * torch.sigmoid(x + 3))


class Branches(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = self.layer(x)
        return 1e-6 * self.layer(x) + x


def test_the_younger_branch_is_scaled_whatever_the_order(x: Tensor) -> None:
    model = Branches()
    stream = model.layer(x)
    expected = stream + 0.5 * (1e-6 * model.layer(stream))
    edits.scale_branches(model, {("", "add", None)}, 0.5)
    assert torch.allclose(model(x), expected)


def test_a_constant_factor_is_left_out(x: Tensor) -> None:
    model = Branches()
    stream = model.layer(x)
    edits.unscale(model, {("", "mul", None), ("", "__rmul__", None)})
    assert torch.allclose(model(x), stream + model.layer(stream))


class Sums(nn.Module):
    def forward(self, x: Tensor, a: Tensor) -> Tensor:
        index = torch.zeros(3, 4, dtype=torch.int64)
        spread = torch.zeros(3, 4).scatter_reduce(0, index, x, "sum")
        return torch.einsum("ij,jk->ik", a, x) + x.sum(0) + a @ x + spread


def test_sums_become_means(x: Tensor) -> None:
    a = torch.tensor([[1.0, 1.0, 0.0], [1.0, 1.0, 1.0], [0.0, 0.0, 1.0]])
    model = Sums()
    neighbours = a.sum(-1, keepdim=True)
    spread = torch.zeros(3, 4)
    spread[0] = x.mean(0)
    edits.average(model, {("", name, None) for name in ("einsum", "sum", "matmul", "scatter_reduce")})
    assert torch.allclose(model(x, a), a @ x / 3 + x.mean(0) + a @ x / neighbours + spread)


def test_weights_are_drawn_from_the_seed_alone(model: Functional) -> None:
    state = torch.get_rng_state()
    edits.initialise(model, {"first.weight": 0.5}, ("first.bias",), seed=3)
    drawn = model.first.weight.detach().clone()
    edits.initialise(model, {"first.weight": 0.5}, seed=3)
    assert torch.equal(model.first.weight, drawn) and not model.first.bias.any()
    assert torch.equal(torch.get_rng_state(), state)


def test_deviations_are_those_asked_for() -> None:
    model = nn.Sequential(nn.Linear(200, 200))
    edits.initialise(model, {"0.weight": 0.1})
    assert float(model[0].weight.detach().std()) == pytest.approx(0.1, rel=0.02)


def test_recurrent_weights_become_orthogonal_block_by_block() -> None:
    model = nn.GRU(3, 5)
    edits.orthogonalise(model, ("weight_hh_l0",))
    for block in model.weight_hh_l0.detach().split(5):
        assert torch.allclose(block @ block.T, torch.eye(5), atol=1e-5)
    edits.identify(rnn := nn.RNN(5, 5), ("weight_hh_l0",))
    assert torch.equal(rnn.weight_hh_l0, torch.eye(5))


def test_gates_open_for_lstm_and_gru() -> None:
    lstm, gru = nn.Sequential(nn.LSTM(3, 5)), nn.Sequential(nn.GRU(3, 5))
    for model, gates in ((lstm, 4), (gru, 3)):
        edits.open_gates(model, {"0": 2.0})
        total = model[0].bias_ih_l0.detach() + model[0].bias_hh_l0.detach()
        assert torch.equal(total.view(gates, 5)[1], torch.full((5,), 2.0))


class Reads(nn.Module):
    def __init__(self, bidirectional: bool) -> None:
        super().__init__()
        self.rnn = nn.RNN(3, 5, num_layers=2, batch_first=True, bidirectional=bidirectional)

    def forward(self, x: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        return self.rnn(x, state)


@pytest.mark.parametrize("cell", ["lstm", "gru"])
@pytest.mark.parametrize("bidirectional", [False, True])
def test_a_gated_cell_takes_the_place_of_an_rnn(cell: str, bidirectional: bool) -> None:
    model, x = Reads(bidirectional), torch.randn(2, 7, 3)
    out, state = model(x)
    rng = torch.get_rng_state()
    edits.replace_rnn(model, "rnn", cell, 1.5)
    new, new_state = model(x)
    assert new.shape == out.shape and new_state.shape == state.shape
    again, _ = model(x, torch.zeros_like(new_state))
    assert torch.allclose(again, new)
    assert torch.equal(torch.get_rng_state(), rng)


def test_inputs_are_standardised_with_the_first_batch() -> None:
    model = nn.Sequential(nn.Identity())
    edits.standardise_inputs(model)
    x = torch.tensor([[1e6, 5.0], [3e6, 5.0]])
    assert torch.allclose(model(x), torch.tensor([[-1.0, 0.0], [1.0, 0.0]]))
    later = x + torch.tensor([1e6, 0.0])
    assert torch.allclose(model(later), torch.tensor([[0.0, 0.0], [2.0, 0.0]]))
    ids = torch.tensor([[1, 2]])
    assert model(ids) is ids


@pytest.mark.parametrize("kind", [tuple, list, dict])
def test_targets_are_standardised_in_a_copy(kind: type) -> None:
    y = torch.tensor([1.0, 2.0, 6.0])
    batch = {"x": 1, "y": y} if kind is dict else kind((1, y))
    new = edits.standardise_targets(batch, "y" if kind is dict else 1)
    made = new["y"] if kind is dict else new[1]
    assert type(new) is kind and float(made.mean()) == pytest.approx(0, abs=1e-6)
    assert float(made.std()) == pytest.approx(1) and y.tolist() == [1, 2, 6]


def test_less_is_dropped_in_the_layers_that_are_named() -> None:
    model = nn.Sequential(nn.Dropout(0.95), nn.Dropout(0.5))
    edits.drop(model, ("0",), 0.1)
    assert [layer.p for layer in model] == [0.1, 0.5]
