"""Which module a pass failed in, what it expected and what it got."""

import pytest
import torch
from torch import nn

from gradcheck_cli.errors import Interrupted, ProbeError, UserCodeError
from gradcheck_cli.target import explain_forward_error, wrap_target

X = torch.randn(4, 3)


def failure(model, batch):
    target = wrap_target(model, batch)
    with pytest.raises(BaseException) as raised:
        target.forward(model, target.batches[0])
    return explain_forward_error(model, raised.value)


def net(*layers):
    return nn.Sequential(*layers)


@pytest.mark.parametrize(
    ("model", "batch", "start", "detail"),
    [
        (
            net(nn.Linear(4, 2)),
            X,
            "the forward pass of `0` (Linear) raised RuntimeError: mat1 and mat2",
            "it expects a last dimension of 4 (in_features), it got float32[4, 3]",
        ),
        (
            net(nn.Conv2d(3, 4, 3)),
            torch.randn(2, 1, 8, 8),
            "the forward pass of `0` (Conv2d) raised RuntimeError: Given groups=1",
            "it expects 3 channels in dimension 1 (in_channels), it got float32[2, 1, 8, 8]",
        ),
        (
            net(nn.Conv2d(3, 4, 3)),
            torch.randn(2, 8),
            "the forward pass of `0` (Conv2d)",
            "it expects 4 dimensions (batch, channels and 2 of space), it got float32[2, 8]",
        ),
        (
            net(nn.Embedding(10, 4)),
            torch.tensor([[1, 11]]),
            "the forward pass of `0` (Embedding) raised IndexError",
            "it expects indices from 0 to 9 (num_embeddings) and not 1 to 11, it got int64[1, 2]",
        ),
        (
            net(nn.Embedding(10, 4)),
            X,
            "the forward pass of `0` (Embedding) raised RuntimeError",
            "it expects whole numbers as indices, it got float32[4, 3]",
        ),
        (
            net(nn.LSTM(5, 4)),
            torch.randn(2, 3, 4),
            "the forward pass of `0` (LSTM) raised",
            "it expects a last dimension of 5 (input_size), it got float32[2, 3, 4]",
        ),
        (
            net(nn.Linear(3, 6), nn.LayerNorm(5)),
            X,
            "the forward pass of `1` (LayerNorm) raised",
            "it expects last dimensions [5] (normalized_shape), it got float32[4, 6]",
        ),
        (
            net(nn.Linear(3, 6), nn.BatchNorm1d(5)),
            X,
            "the forward pass of `1` (BatchNorm1d) raised",
            "it expects 5 channels in dimension 1 (num_features), it got float32[4, 6]",
        ),
        (
            net(nn.Linear(3, 2)),
            X.long(),
            "the forward pass of `0` (Linear) raised RuntimeError",
            "its weights are float32, it got int64[4, 3]",
        ),
        (
            nn.Bilinear(3, 3, 2),
            X,
            "the forward pass of the model (Bilinear) raised TypeError",
            "it takes forward(input1: torch.Tensor, input2: torch.Tensor)",
        ),
    ],
)
def test_an_error_in_forward_names_the_module_and_its_shapes(model, batch, start, detail):
    error = failure(model, batch)
    assert isinstance(error, UserCodeError)
    assert error.message.startswith(start)
    assert error.message.split("\n  ")[-1].startswith(detail)
    assert str(error) == error.message


def test_the_users_line_is_in_the_frames(load):
    code = """
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc = nn.Linear(5, 2)
        def forward(self, x):
            return self.fc(x.flatten(1))
    def batch(): return torch.randn(4, 3)
    """
    target = load(code)
    with pytest.raises(RuntimeError) as raised:
        target.forward(target.model, target.batches[0])
    error = explain_forward_error(target.model, raised.value)
    assert "`fc` (Linear)" in error.message
    assert error.frames[-1] == "  user.py:10 in forward\n    return self.fc(x.flatten(1))"


@pytest.mark.parametrize(
    ("raised", "kind", "text"),
    [
        (SystemExit(1), UserCodeError, r"the forward pass of the model \(Net\) called sys.exit\(1\)"),
        (KeyboardInterrupt(), Interrupted, "interrupted in the forward pass"),
        (MemoryError(), UserCodeError, "ran out of memory"),
        (KeyError("ids"), UserCodeError, "raised KeyError: 'ids'"),
        (RecursionError(), UserCodeError, "recursed without end"),
        (ProbeError("kept"), ProbeError, "^kept$"),
    ],
)
def test_whatever_forward_raises_becomes_one_error(raised, kind, text):
    class Net(nn.Linear):
        def forward(self, x):
            raise raised

    error = failure(Net(3, 2), X)
    assert type(error) is kind
    with pytest.raises(kind, match=text):
        raise error


def test_an_error_in_backward_is_not_blamed_on_forward():
    class Twice(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

        @staticmethod
        def backward(ctx, g):
            raise ValueError("in backward")

    class Net(nn.Module):
        def forward(self, x):
            return Twice.apply(self.weight * x)

    model = Net()
    model.weight = nn.Parameter(torch.ones(3))
    target = wrap_target(model, X)
    loss = target.forward(model, target.batches[0]).loss
    with pytest.raises(ValueError) as raised:
        loss.backward()
    error = explain_forward_error(model, raised.value)
    assert error.message == "the backward pass raised ValueError: in backward"
    assert "in backward" in error.frames[-1]


def test_a_batch_under_unknown_names_is_described():
    error = failure(nn.Sequential(nn.Linear(3, 2)), {"wrong": X})
    assert "it got dict(wrong: float32[4, 3])" in error.message


class Helped(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = nn.Linear(3, 2)

    def forward(self, x, mask=None):
        return self.mixed(self.inner(x), 3)

    def mixed(self, hidden, times):
        raise ValueError(f"no {times}")


def test_an_error_in_a_helper_is_told_of_the_modules_forward():
    error = failure(nn.Sequential(Helped()), X)
    assert error.message == "the forward pass of `0` (Helped) raised ValueError: no 3\n  it got float32[4, 3]"
    assert error.frames[-1].endswith('in mixed\n    raise ValueError(f"no {times}")')


def test_an_error_outside_of_every_module_is_one_of_the_forward_pass():
    def step(model, batch):
        return {}["missing"]

    model = nn.Linear(3, 2)
    target = wrap_target(model, X, step=step)
    with pytest.raises(KeyError) as raised:
        target.forward(model, target.batches[0])
    error = explain_forward_error(model, raised.value)
    assert error.message == "the forward pass raised KeyError: 'missing'"
    assert error.frames[-1].endswith('in step\n    return {}["missing"]')


def test_the_innermost_of_nested_modules_is_named():
    error = failure(nn.Sequential(nn.Linear(3, 3), nn.Sequential(nn.ReLU(), nn.Linear(7, 2))), X)
    assert error.message.startswith("the forward pass of `1.1` (Linear) raised RuntimeError")
    assert error.message.endswith("it expects a last dimension of 7 (in_features), it got float32[4, 3]")


def test_a_module_of_another_model_is_passed_over():
    stranger = nn.Linear(7, 2)

    class Net(nn.Linear):
        def forward(self, x):
            return stranger(x)

    error = failure(Net(3, 2), X)
    assert error.message.startswith("the forward pass of the model (Net) raised RuntimeError")
