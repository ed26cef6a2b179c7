"""Every way in which a model was seen to change its own state, the batch or the process while it is checked."""

from __future__ import annotations

import random
import threading
from collections import Counter, deque
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules import module as global_hooks

Act = Callable[["Odd", Tensor], Any]


class Odd(nn.Module):
    """Two layers; `prepare` gives it state, `act` changes it in the forward pass."""

    def __init__(self, act: Act = lambda model, x: None, prepare: Callable[[Odd], Any] = lambda model: None) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(4, 8), nn.Linear(8, 3)
        self.act = act
        prepare(self)

    def forward(self, x: Tensor) -> Tensor:
        self.act(self, x)
        return self.b(torch.tanh(self.a(x)))


def batch() -> tuple[Tensor, Tensor]:
    return torch.randn(6, 4), torch.tensor([0, 1, 2, 0, 1, 2])


def _numpy_view(model: Odd, x: Tensor) -> None:
    model.a.weight.detach().numpy()[0, 0] += 1.0


@torch.jit.script
def _scripted(w: Tensor) -> Tensor:
    return w.mul_(0.9)


def _in_jit(model: Odd, x: Tensor) -> None:
    with torch.no_grad():
        _scripted(model.a.weight)


def _in_a_thread(model: Odd, x: Tensor) -> None:
    def write() -> None:
        with torch.no_grad():
            model.a.weight.mul_(0.9)

    thread = threading.Thread(target=write)
    thread.start()
    thread.join()


def _unseen(model: Odd, x: Tensor) -> None:
    with torch._C.DisableTorchFunction(), torch.no_grad():
        model.a.weight.mul_(0.9)


def _overload(model: Odd, x: Tensor) -> None:
    with torch.no_grad():
        torch.ops.aten.mul_.Tensor(model.a.weight, torch.tensor(0.9))


def _storage(model: Odd, x: Tensor) -> None:
    model.a.weight.untyped_storage().fill_(0)


def _shrinks(parameter: Tensor) -> Callable[..., None]:
    def hook(*_: Any) -> None:
        with torch.no_grad():
            parameter.mul_(0.9)

    return hook


class _Writing(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor) -> Tensor:
        ctx.weight = weight
        return x.clone()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        with torch.no_grad():
            ctx.weight.mul_(0.9)
        return gradient, None


class CustomBackward(Odd):
    def forward(self, x: Tensor) -> Tensor:
        return self.b(_Writing.apply(self.a(x), self.a.weight))


class ActivationHook(Odd):
    def forward(self, x: Tensor) -> Tensor:
        h = self.a(x)
        h.register_hook(_shrinks(self.a.weight))
        return self.b(h)


def _in_backward(model: Odd) -> None:
    """An optimiser that steps as each gradient arrives, as LOMO does."""
    for parameter in model.parameters():
        parameter.register_hook(_shrinks(parameter))


def _on_nodes(model: Odd) -> None:
    """As FSDP does: a hook on the node that accumulates the gradient."""
    model.kept = [p.expand_as(p).grad_fn.next_functions[0][0] for p in model.parameters()]
    for node, parameter in zip(model.kept, model.parameters(), strict=True):
        node.register_hook(_shrinks(parameter))


def _new_layer(model: Odd, x: Tensor) -> None:
    model.late = nn.Linear(4, 4)
    model.late(x)


class BuildsItsHead(Odd):
    """The first pass knows the shape: a known idiom."""

    def forward(self, x: Tensor) -> Tensor:
        if not hasattr(self, "head"):
            self.head = nn.Sequential(nn.Linear(8, 5), nn.Tanh(), nn.Linear(5, 3))
        return self.head(torch.tanh(self.a(x)))


PARAMETERS: dict[str, Callable[[], nn.Module]] = {
    "numpy view": lambda: Odd(_numpy_view),
    "jit": lambda: Odd(_in_jit),
    "a thread": lambda: Odd(_in_a_thread),
    "DisableTorchFunction": lambda: Odd(_unseen),
    "an overload of torch.ops": lambda: Odd(_overload),
    "storage": lambda: Odd(_storage),
    "a custom backward": lambda: CustomBackward(),
    "a hook of an activation": lambda: ActivationHook(),
    "hooks of parameters": lambda: Odd(prepare=_in_backward),
    "hooks of nodes": lambda: Odd(prepare=_on_nodes),
    "a full backward hook": lambda: Odd(prepare=lambda m: m.b.register_full_backward_hook(_shrinks(m.b.weight))),
    "a hook added in forward": lambda: Odd(lambda m, x: m.a.weight.register_hook(lambda g: None)),
    "a post-accumulate hook added": lambda: Odd(
        lambda m, x: m.a.weight.register_post_accumulate_grad_hook(lambda p: None)
    ),
    "a module hook added in forward": lambda: Odd(lambda m, x: m.a.register_forward_hook(lambda *_: None)),
    "gradients written in place": lambda: Odd(lambda m, x: m.kept.zero_(), _with_gradient),
    "a new submodule": lambda: Odd(_new_layer),
    "a submodule that is used": lambda: BuildsItsHead(),
    "a submodule replaced": lambda: Odd(lambda m, x: setattr(m, "b", nn.Linear(8, 3))),
    "a new parameter": lambda: Odd(lambda m, x: setattr(m, "extra", nn.Parameter(torch.ones(2)))),
    "a parameter deleted": lambda: Odd(lambda m, x: delattr(m, "spare") if hasattr(m, "spare") else None, _spare),
}


def _spare(model: Odd) -> None:
    model.spare = nn.Parameter(torch.ones(3))


def _with_gradient(model: Odd) -> None:
    model.kept = model.a.weight.grad = torch.ones_like(model.a.weight)


def _buffer(content: Tensor, act: Act) -> Callable[[], nn.Module]:
    return lambda: Odd(act, lambda m: m.register_buffer("m", content.clone()))


def _with_buffer(act: Act, **content: float) -> Callable[[], nn.Module]:
    return lambda: Odd(act, lambda m: m.register_buffer("m", torch.zeros(3)))


def _payload(model: Odd, x: Tensor) -> None:
    model.m.view(torch.int32).fill_(0x7FC00001)


def _swap_values(model: Odd, x: Tensor) -> None:
    model.c["n"] += 1


BUFFERS: dict[str, Callable[[], nn.Module]] = {
    "0.0 becomes -0.0": _buffer(torch.zeros(3), lambda m, x: m.m.neg_()),
    "a NaN of another payload": _buffer(torch.full((3,), float("nan")), _payload),
    "resized": _buffer(torch.zeros(3), lambda m, x: m.m.resize_(7).fill_(1.0)),
    "another tensor": _buffer(torch.zeros(3), lambda m, x: setattr(m, "m", torch.ones(3))),
    "its .data": _buffer(torch.zeros(3), lambda m, x: setattr(m.m, "data", torch.ones(9))),
    "transposed in place": _buffer(torch.arange(6.0).reshape(2, 3), lambda m, x: m.m.t_()),
    "of another dtype": _buffer(torch.zeros(3), lambda m, x: m.double().float() and None),
}


class Slots:
    __slots__ = ("n",)

    def __init__(self) -> None:
        self.n = 1


def _kept(make: Callable[[], Any], act: Act) -> Callable[[], nn.Module]:
    return lambda: Odd(act, lambda m: setattr(m, "c", make()))


ATTRIBUTES: dict[str, Callable[[], nn.Module]] = {
    "Counter": _kept(lambda: Counter("ab"), lambda m, x: m.c.update("a")),
    "deque": _kept(lambda: deque([1], maxlen=3), lambda m, x: m.c.append(2)),
    "list in a dict": _kept(lambda: {"n": [1]}, lambda m, x: m.c["n"].append(2)),
    "dict in a tuple": _kept(lambda: ({"n": 1},), lambda m, x: m.c[0].update(n=2)),
    "numpy array": _kept(lambda: np.zeros(3), lambda m, x: m.c.fill(1)),
    "plain object": _kept(lambda: SimpleNamespace(n=1), lambda m, x: setattr(m.c, "n", 2)),
    "object with slots": _kept(Slots, lambda m, x: setattr(m.c, "n", 2)),
    "plain tensor": _kept(lambda: torch.zeros(3), lambda m, x: m.c.add_(1)),
    "tensor in a list": _kept(lambda: [torch.zeros(3)], lambda m, x: m.c[0].add_(1)),
    "unregistered module": _kept(lambda: [nn.Linear(2, 2)], lambda m, x: nn.init.ones_(m.c[0].weight) is m.c[0].eval()),
    "torch.Generator": _kept(lambda: torch.Generator().manual_seed(1), lambda m, x: torch.rand(2, generator=m.c)),
    "numpy Generator": _kept(lambda: np.random.default_rng(1), lambda m, x: m.c.random()),
    "numpy RandomState": _kept(lambda: np.random.RandomState(1), lambda m, x: m.c.rand()),
    "random.Random": _kept(lambda: random.Random(1), lambda m, x: m.c.random()),
}

BATCH: dict[str, Callable[[], nn.Module]] = {
    "normalised in place": lambda: Odd(lambda m, x: x.sub_(x.mean()).div_(x.std())),
    "zeroed": lambda: Odd(lambda m, x: x.zero_()),
    "requires_grad": lambda: Odd(lambda m, x: x.requires_grad_()),
    "numpy view": lambda: Odd(lambda m, x: x.detach().numpy().fill(1)),
    "resized": lambda: Odd(lambda m, x: x.data.resize_(3, 4)),
    "transposed and back": lambda: Odd(lambda m, x: x.mul_(2).t_().t_()),
}


def _saved_tensor_hooks(model: Odd, x: Tensor) -> None:
    torch.autograd.graph.saved_tensors_hooks(lambda t: t, lambda t: t).__enter__()


class _Mode(torch.overrides.TorchFunctionMode):
    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return func(*args, **(kwargs or {}))


def _function_mode(model: Odd, x: Tensor) -> None:
    _Mode().__enter__()


def _switch(act: Callable[[], Any]) -> Callable[[], nn.Module]:
    return lambda: Odd(lambda m, x: act())


def _fill() -> None:
    torch.utils.deterministic.fill_uninitialized_memory = False


def _tf32() -> None:
    torch.backends.cuda.matmul.allow_tf32 = True
    torch.backends.cudnn.allow_tf32 = False


def _cudnn() -> None:
    torch.backends.cudnn.benchmark = torch.backends.cudnn.deterministic = True


SWITCHES: dict[str, Callable[[], nn.Module]] = {
    "matmul precision": _switch(lambda: torch.set_float32_matmul_precision("medium")),
    "tf32": _switch(_tf32),
    "autocast dtype": _switch(lambda: torch.set_autocast_dtype("cpu", torch.float16)),
    "autocast cache": _switch(lambda: torch.set_autocast_cache_enabled(False)),
    "autocast on": _switch(lambda: torch.set_autocast_enabled("cpu", True)),
    "cudnn": _switch(_cudnn),
    "sdp": _switch(lambda: torch.backends.cuda.enable_math_sdp(False)),
    "denormals": _switch(lambda: torch.set_flush_denormal(True)),
    "saved tensor hooks": lambda: Odd(_saved_tensor_hooks),
    "function mode": lambda: Odd(_function_mode),
    "default device": _switch(lambda: torch.set_default_device("meta")),
    "global forward hook": _switch(lambda: global_hooks.register_module_forward_hook(lambda *_: None)),
    "warn always": _switch(lambda: torch.set_warn_always(True)),
    "fill uninitialised": _switch(_fill),
    "default dtype": _switch(lambda: torch.set_default_dtype(torch.float64)),
    "threads": _switch(lambda: torch.set_num_threads(2)),
    "grad mode": _switch(lambda: torch.set_grad_enabled(True)),
    "random": _switch(lambda: (random.random(), np.random.rand(), torch.rand(1))),
    "seeds": _switch(lambda: (random.seed(7), np.random.seed(7), torch.manual_seed(7))),
}


class Mute(Tensor):
    """A sub-class that answers almost no torch function."""

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = getattr(func, "__name__", "")
        if name in ("detach", "clone", "norm", "isfinite", "isnan", "equal", "copy_", "view", "__get__"):
            raise RuntimeError(f"not on this tensor: {name}")
        return super().__torch_function__(func, types, args, kwargs or {})


def _quantised() -> Tensor:
    return torch.quantize_per_tensor(torch.randn(4), 0.1, 0, torch.qint8)


def _nested(layout: torch.layout) -> Tensor:
    return torch.nested.nested_tensor([torch.ones(2), torch.ones(3)], layout=layout)


FLOAT8 = ("float8_e4m3fn", "float8_e5m2", "float8_e4m3fnuz", "float8_e5m2fnuz", "float8_e8m0fnu")
MAKES: dict[str, Callable[[], Tensor]] = {
    **{name: (lambda name=name: torch.ones(4).to(getattr(torch, name))) for name in FLOAT8},
    "complex32": lambda: torch.ones(4, dtype=torch.complex32),
    "complex64": lambda: torch.ones(4, dtype=torch.complex64),
    "float4": lambda: torch.zeros(4, dtype=torch.uint8).view(torch.float4_e2m1fn_x2),
    "uint16": lambda: torch.ones(4).to(torch.uint16),
    "bool": lambda: torch.ones(4, dtype=torch.bool),
    "quantised": _quantised,
    "sparse COO": lambda: torch.eye(4).to_sparse(),
    "sparse COO, not coalesced": lambda: torch.sparse_coo_tensor([[0, 0], [1, 1]], [1.0, 2.0], (4, 4)),
    "sparse CSR": lambda: torch.eye(4).to_sparse_csr(),
    "sparse BSR": lambda: torch.eye(4).to_sparse_bsr((2, 2)),
    "nested": lambda: _nested(torch.strided),
    "jagged": lambda: _nested(torch.jagged),
    "meta": lambda: torch.empty(4, device="meta"),
    "mkldnn": lambda: torch.ones(4, 4).to_mkldnn(),
    "mute sub-class": lambda: torch.ones(4).as_subclass(Mute),
    "conjugate view": lambda: torch.ones(4, dtype=torch.complex64).conj(),
    "negative view": lambda: torch.ones(4, dtype=torch.complex64).conj().imag,
    "expanded": lambda: torch.ones(1).expand(5),
    "empty": lambda: torch.empty(0, 3),
}
