"""Edits of a model in place. A remedy is tried by running these, and `--write-patch` writes their very source.

So nothing here may need more than torch and the standard library, and each edit takes literals only. A place,
`(module, function, n)`, is the n-th call of a torch function inside one forward pass of a module, or every call
where n is None; it also holds for functional code, loops and modules that are called more than once.
"""

from __future__ import annotations

import functools
import math
from collections import Counter
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

Place = tuple[str, str, "int | None"]


class Calls(TorchFunctionMode):
    """Lets `answer(place, function, args, kwargs)` answer every torch call inside the forward passes of a model."""

    def __init__(self, model: nn.Module, answer: Callable[..., Any]) -> None:
        super().__init__()
        self.answer = answer
        self.running: list[tuple[str, Counter[str]]] = []
        for path, module in list(model.named_modules()):
            module.forward = self.watched(path, module.forward)

    def watched(self, path: str, forward: Callable[..., Any]) -> Callable[..., Any]:
        """`forward`, with its calls answered as those of the module at `path`."""

        @functools.wraps(forward)
        def run(*args: Any, **kwargs: Any) -> Any:
            self.running.append((path, Counter()))
            try:
                if len(self.running) > 1:
                    return forward(*args, **kwargs)
                with self:
                    return forward(*args, **kwargs)
            finally:
                self.running.pop()

        return run

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        path, seen = self.running[-1]
        name = getattr(function, "__name__", "")
        seen[name] += 1
        return self.answer((path, name, seen[name] - 1), function, args, kwargs or {})


def at(place: Place, places: Any) -> bool:
    """Whether a call is one of `places`."""
    return place in places or (place[0], place[1], None) in places


def first(args: Any, kwargs: Any) -> Any:
    """What a function is called on."""
    return args[0] if args else kwargs["input"]


def swap_activations(model: nn.Module, places: set[Place], to: str) -> None:
    """Call another function of torch.nn.functional where these activations are called."""

    def answer(place: Place, function: Any, args: Any, kwargs: Any) -> Any:
        return getattr(F, to)(first(args, kwargs)) if at(place, places) else function(*args, **kwargs)

    Calls(model, answer)


def normalise(model: nn.Module, places: set[Place]) -> None:
    """Normalise what these layers put out, each sample by itself: LayerNorm, after a convolution GroupNorm(1)."""

    def answer(place: Place, function: Any, args: Any, kwargs: Any) -> Any:
        out = function(*args, **kwargs)
        if not at(place, places):
            return out
        return F.group_norm(out, 1) if "conv" in place[1] else F.layer_norm(out, out.shape[-1:])

    Calls(model, answer)


def add_identity(model: nn.Module, layers: set[Place], activations: set[Place], factor: float) -> None:
    """Add the input of a layer to what its activation puts out, where the two have one shape: x + factor * f(x)."""
    entered: list[Tensor] = []

    def answer(place: Place, function: Any, args: Any, kwargs: Any) -> Any:
        out = function(*args, **kwargs)
        if at(place, layers):
            entered[:] = [first(args, kwargs)]
        elif at(place, activations) and entered and entered[0].shape == out.shape:
            return entered.pop() + factor * out
        return out

    Calls(model, answer)


def skip_blocks(model: nn.Module, blocks: set[str], factor: float) -> None:
    """Add what goes into each of these modules to what it puts out, where the two have one shape: x + factor * f(x)."""

    def around(forward: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(forward)
        def run(*args: Any, **kwargs: Any) -> Any:
            out = forward(*args, **kwargs)
            fits = args and isinstance(args[0], Tensor) and isinstance(out, Tensor) and args[0].shape == out.shape
            return args[0] + factor * out if fits else out

        return run

    for path, module in model.named_modules():
        if path in blocks:
            module.forward = around(module.forward)


def scale_arguments(model: nn.Module, factors: dict[Place, float]) -> None:
    """Multiply what goes into these calls by a number."""

    def answer(place: Place, function: Any, args: Any, kwargs: Any) -> Any:
        factor = factors.get(place, factors.get((place[0], place[1], None)))
        if factor is None:
            return function(*args, **kwargs)
        return function(args[0] * factor, *args[1:], **kwargs)

    Calls(model, answer)


def shift_arguments(model: nn.Module, shifts: dict[Place, float]) -> None:
    """Add a number to what goes into these calls."""

    def answer(place: Place, function: Any, args: Any, kwargs: Any) -> Any:
        shift = shifts.get(place, shifts.get((place[0], place[1], None)))
        return function(*args, **kwargs) if shift is None else function(args[0] + shift, *args[1:], **kwargs)

    Calls(model, answer)


def scale_output(model: nn.Module, factor: float) -> None:
    """Multiply what the model puts out by a number."""
    model.register_forward_hook(lambda module, args, out: out * factor if isinstance(out, Tensor) else out)


def skip(model: nn.Module, places: set[Place]) -> None:
    """Hand on what goes into these calls instead of calling them."""

    def answer(place: Place, function: Any, args: Any, kwargs: Any) -> Any:
        return first(args, kwargs) if at(place, places) else function(*args, **kwargs)

    Calls(model, answer)


def drop(model: nn.Module, layers: tuple[str, ...], p: float) -> None:
    """Drop this share in these dropout layers."""
    for name in layers:
        dropout: Any = model.get_submodule(name)
        dropout.p = p


def reshape_output(model: nn.Module, shape: tuple[int, ...]) -> None:
    """Give what the model puts out, where it is one tensor of as many elements, this shape."""

    def reshaped(module: nn.Module, args: Any, out: Any) -> Any:
        return out.reshape(shape) if isinstance(out, Tensor) and out.numel() == math.prod(shape) else out

    model.register_forward_hook(reshaped)


def softmax_over(model: nn.Module, places: set[Place], dim: int) -> None:
    """Take these softmaxes over another dimension."""

    def answer(place: Place, function: Any, args: Any, kwargs: Any) -> Any:
        return F.softmax(first(args, kwargs), dim=dim) if at(place, places) else function(*args, **kwargs)

    Calls(model, answer)


def scale_branches(model: nn.Module, places: set[Place], factor: float) -> None:
    """Multiply the younger operand of these additions, the branch of x + f(x), by a number."""

    def age(tensor: Tensor) -> int:
        return -1 if tensor.grad_fn is None else tensor.grad_fn._sequence_nr()

    def answer(place: Place, function: Any, args: Any, kwargs: Any) -> Any:
        if not at(place, places):
            return function(*args, **kwargs)
        stream, branch = sorted(args[:2], key=age)
        return stream + factor * branch

    Calls(model, answer)


def unscale(model: nn.Module, places: set[Place]) -> None:
    """Leave out the constant factor of these calls: x + f(x) for x + 1e-6 * f(x)."""

    def answer(place: Place, function: Any, args: Any, kwargs: Any) -> Any:
        if not at(place, places):
            return function(*args, **kwargs)
        tensors = [value for value in args if isinstance(value, Tensor)]
        return tensors[0] if len(tensors) == 1 else function(*args)

    Calls(model, answer)


def average(model: nn.Module, places: set[Place]) -> None:
    """Take the mean where these calls take a sum: over dimensions, or over neighbours in a product or a scatter."""

    def answer(place: Place, function: Any, args: Any, kwargs: Any) -> Any:
        if place[1] == "scatter_reduce" and at(place, places):
            by_mean = ["mean" if isinstance(value, str) and value == "sum" else value for value in args]
            return function(*by_mean, **kwargs | {"include_self": False})
        out = function(*args, **kwargs)
        if not at(place, places):
            return out
        if place[1] == "sum":
            return out / (args[0].numel() / out.numel())
        if place[1] == "einsum":
            terms, _, kept = args[0].replace(" ", "").partition("->")
            sizes: dict[str, int] = {}
            for term, value in zip(terms.split(","), args[1:], strict=True):
                sizes.update(zip(term, value.shape, strict=False))
            return out / math.prod(size for label, size in sizes.items() if label not in kept)
        if place[1] in ("index_add", "index_add_", "scatter_add", "scatter_add_"):
            ones = torch.ones_like(args[3])
            return out / function(torch.zeros_like(args[0]), *args[1:3], ones, **kwargs).clamp(min=1)
        return out / args[0].abs().sum(-1, keepdim=True).clamp(min=1)

    Calls(model, answer)


@torch.no_grad()
def initialise(model: nn.Module, deviations: dict[str, float], zeroed: tuple[str, ...] = (), seed: int = 0) -> None:
    """Draw weights anew from a normal distribution of these standard deviations; biases become zero."""
    for name, deviation in deviations.items():
        weight = model.get_parameter(name)
        weight.normal_(0.0, deviation, generator=torch.Generator(weight.device).manual_seed(seed))
        seed += 1
    for name in zeroed:
        model.get_parameter(name).zero_()


@torch.no_grad()
def orthogonalise(model: nn.Module, names: tuple[str, ...], seed: int = 0) -> None:
    """Make recurrent weights orthogonal, each square block of them by itself."""
    for name in names:
        weight = model.get_parameter(name)
        generator = torch.Generator(weight.device).manual_seed(seed)
        for block in weight.split(weight.shape[1]):
            nn.init.orthogonal_(block, generator=generator)


@torch.no_grad()
def identify(model: nn.Module, names: tuple[str, ...]) -> None:
    """Make recurrent weights the identity, so that each step starts by keeping its state."""
    for name in names:
        nn.init.eye_(model.get_parameter(name))


@torch.no_grad()
def open_gates(model: nn.Module, biases: dict[str, float]) -> None:
    """Set the forget gate of an LSTM, or the update gate of a GRU, to remember: its bias becomes this number."""
    for path, bias in biases.items():
        layer: Any = model.get_submodule(path)
        for name, parameter in layer.named_parameters():
            gates = parameter.shape[0] // layer.hidden_size
            if "bias" in name and gates > 1:
                parameter.view(gates, -1)[1] = bias if "hh" in name else 0.0


class RememberingLSTM(nn.LSTM):
    """An LSTM behind the interface of an nn.RNN: it takes and gives a state, and keeps its cell to itself."""

    def forward(self, steps: Any, state: Tensor | None = None) -> Any:  # type: ignore[override]
        """All outputs and the last state, as an nn.RNN gives them."""
        begun = None if state is None else (state, torch.zeros_like(state))
        out, (state, _) = super().forward(steps, begun)
        return out, state


def replace_rnn(model: nn.Module, path: str, cell: str, bias: float, seed: int = 0) -> None:
    """Put an LSTM or a GRU of the same sizes in the place of a plain RNN, with gates that remember."""
    old = model.get_submodule(path)
    weight = next(old.parameters())
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        if isinstance(old, nn.RNNCell):
            new: nn.Module = nn.GRUCell(old.input_size, old.hidden_size)
        else:
            sizes = {name: getattr(old, name) for name in ("num_layers", "batch_first", "dropout", "bidirectional")}
            kind = RememberingLSTM if cell == "lstm" else nn.GRU
            new = kind(old.input_size, old.hidden_size, **sizes)
    model.set_submodule(path, new.to(weight).train(old.training))
    open_gates(model, {path: bias})


def standardise_inputs(model: nn.Module) -> None:
    """Bring every floating input to mean 0 and deviation 1 by feature, with the statistics of the first batch.

    Features lie along dimension 1 of images (4 dimensions or more) and along the last one otherwise.
    """
    known: dict[Any, tuple[Tensor, Tensor]] = {}

    def standardised(key: Any, value: Any) -> Any:
        if not isinstance(value, Tensor) or not value.is_floating_point() or value.ndim < 2:
            return value
        if key not in known:
            feature = 1 if value.ndim >= 4 else value.ndim - 1
            others = [d for d in range(value.ndim) if d != feature]
            deviation, mean = torch.std_mean(value.detach().double(), others, keepdim=True, correction=0)
            known[key] = mean, torch.where(deviation > 1e-6 * mean.abs() + 1e-30, deviation, 1.0)
        mean, deviation = known[key]
        return ((value.double() - mean) / deviation).to(value.dtype)

    def before(module: nn.Module, args: Any, kwargs: Any) -> Any:
        return (
            tuple(standardised(i, value) for i, value in enumerate(args)),
            {name: standardised(name, value) for name, value in kwargs.items()},
        )

    model.register_forward_pre_hook(before, with_kwargs=True)


def standardise_targets(batch: Any, key: Any) -> Any:
    """A copy of the batch with targets, which it holds at `key`, of mean 0 and deviation 1."""
    new = dict(batch) if isinstance(batch, dict) else list(batch)
    new[key] = (new[key] - new[key].mean()) / new[key].std()
    return new if isinstance(batch, (dict, list)) else tuple(new)
