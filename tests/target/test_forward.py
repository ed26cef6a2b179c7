import copy
from dataclasses import dataclass

import pytest
import torch
from torch import nn

from gradcheck_cli.errors import Interrupted, ProbeError, TargetError, UsageError, UserCodeError
from gradcheck_cli.target import explain_forward_error, wrap_target
from gradcheck_cli.target.accepts import arrange

X, Y, Z = torch.randn(4, 3), torch.tensor([0, 1, 1, 0]), torch.randn(4, 1)


def model_of(forward):
    return type("Model", (nn.Module,), {"forward": forward})()


@dataclass
class Sample:
    x: torch.Tensor
    y: torch.Tensor


@pytest.mark.parametrize(
    ("forward", "batch", "args", "kwargs", "target"),
    [
        (lambda self, x: x, X, (X,), {}, None),
        (lambda self, x: x, (X,), (X,), {}, None),
        (lambda self, x: x, (X, Y), (X,), {}, Y),
        (lambda self, x: x, [X, Y], (X,), {}, Y),
        (lambda self, x, z: x, ((X, Z), Y), (X, Z), {}, Y),
        (lambda self, x, z: x, (X, Z, Y), (X, Z), {}, Y),
        (lambda self, x, z: x, ({"x": X, "z": Z}, Y), (), {"x": X, "z": Z}, Y),
        (lambda self, source, goal: source, (X, Y), (X, Y), {}, Y),
        (lambda self, x, mask: x, (X, None), (X,), {}, None),
        (lambda self, images: images, ([X, Z], Y), ([X, Z],), {}, Y),
        (lambda self, *xs: xs, ([X, Z], Y), (X, Z), {}, Y),
        (lambda self, x, targets=None: x, (X, Y), (X,), {"targets": Y}, Y),
        (lambda self, x: x, {"x": X, "label": Y}, (), {"x": X}, Y),
        (lambda self, x, labels: x, {"x": X, "labels": Y}, (), {"x": X, "labels": Y}, Y),
        (lambda self, x, **rest: x, {"x": X, "y": Y}, (), {"x": X, "y": Y}, Y),
        (lambda self, batch: batch, {"x": X, "y": Y}, ({"x": X, "y": Y},), {}, Y),
        (lambda self, x: x, Sample(X, Y), (), {"x": X}, Y),
        (lambda self, sample: sample, Sample(X, Y), (Sample(X, Y),), {}, Y),
    ],
)
def test_a_batch_is_laid_out_for_the_forward(forward, batch, args, kwargs, target):
    call = arrange(model_of(forward), batch, hand_over=True)
    assert repr(call.args) == repr(args)
    assert repr(dict(call.kwargs)) == repr(kwargs)
    assert call.target is target


def test_a_target_is_not_handed_to_a_model_whose_loss_is_given():
    call = arrange(model_of(lambda self, x, targets=None: x), (X, Y), hand_over=False)
    assert not call.kwargs


def test_wrappers_are_looked_through():
    inner = model_of(lambda self, x, labels=None: x)
    assert "labels" in arrange(nn.DataParallel(inner), (X, Y), hand_over=True).kwargs


def test_an_empty_tuple_is_no_batch():
    with pytest.raises(TargetError, match="empty tuple or list"):
        arrange(nn.Linear(3, 2), (), hand_over=True)


def test_a_scripted_model_is_called_too():
    target = wrap_target(torch.jit.script(nn.Linear(3, 2)), (X, Y))
    assert target.forward(target.model, target.batches[0]).loss_source == "guessed: cross_entropy"


def test_forward_works_on_a_copy_of_the_model():
    model = nn.Linear(3, 2)
    target = wrap_target(model, (X, Y), step=lambda model, batch: model(batch[0]).mean())
    twin = copy.deepcopy(model)
    target.forward(twin, target.batches[0]).loss.backward()
    assert twin.weight.grad is not None
    assert model.weight.grad is None


def test_wrapping_leaves_the_model_as_it_was():
    model = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2).eval())
    state, version = copy.deepcopy(model.state_dict()), torch.random.get_rng_state()
    target = wrap_target(model, lambda: (X, Y), loss=nn.CrossEntropyLoss(), name="mine")
    assert target.model is model and target.name == "mine" and target.loss_source == "given: CrossEntropyLoss"
    assert [m.training for m in model.modules()] == [True, True, False]
    assert all(torch.equal(a, b) for a, b in zip(state.values(), model.state_dict().values(), strict=True))
    assert torch.equal(version, torch.random.get_rng_state())


@pytest.mark.parametrize(
    ("model", "options", "error", "text"),
    [
        ("text", {}, TargetError, "is a str, not a torch.nn.Module"),
        (nn.ReLU(), {}, ProbeError, "no parameters"),
        (nn.Linear(3, 2), {"loss": "mse", "step": print}, UsageError, "exclude each other"),
        (nn.Linear(3, 2), {"loss": "mes_loss"}, UsageError, "did you mean `mse_loss`"),
    ],
)
def test_what_cannot_be_wrapped_is_said(model, options, error, text):
    with pytest.raises(error, match=text):
        wrap_target(model, (X, Y), **options)


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

    model = model_of(lambda self, x: Twice.apply(self.weight * x))
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


def test_a_model_that_returns_nothing():
    model = model_of(lambda self, x: None)
    model.weight = nn.Parameter(torch.ones(3))
    for loss in (None, "cross_entropy"):
        target = wrap_target(model, (X, torch.zeros(4)), loss=loss)
        with pytest.raises(TargetError, match="the model returned None"):
            target.forward(model, target.batches[0])
