"""What feeds the tape: torch's own functions, wrapped. Each is out of the way where there is nothing to tape."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.amp.grad_scaler import GradScaler
from torch.compiler import is_compiling

from gradcheck_cli.watch import sideeffects
from gradcheck_cli.watch.tape import Tape
from gradcheck_cli.watch.tracebacks import hidden, trimmed

Undo = Callable[[], None]


def install(tape: Tape) -> Undo:
    """Wrap what the tape is fed by; call what is returned to take all of it away again."""
    undos = [
        _module_calls(tape),
        *(_backward_passes(tape)),
        _gradients(tape),
        _custom_functions(tape),
        *_single_calls(tape),
        _scalings(tape),
        _regions(),
        *sideeffects.noticing_structure(),
    ]

    def undo() -> None:
        tape.stop()
        for each in undos:
            each()

    return undo


def put(owner: Any, name: str, made: Callable[[Any], Any]) -> Undo:
    """Replace an attribute by what is made of it."""
    own = vars(owner).get(name)
    original = getattr(owner, name)
    setattr(owner, name, made(original))

    def undo() -> None:
        if own is None:
            delattr(owner, name)
        else:
            setattr(owner, name, own)

    return undo


def _module_calls(tape: Tape) -> Undo:
    def made(original: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(original)
        def tapped(self: nn.Module, *args: Any, **kwargs: Any) -> Any:
            try:
                if tape.heard is not None:
                    tape.heard[self] = torch.is_grad_enabled() or tape.heard.get(self, False)
                if tape.busy or is_compiling() or (tape.asleep and torch.is_grad_enabled()):
                    return original(self, *args, **kwargs)
                if tape.idle():
                    return tape.module(original, self, args, kwargs)
                if not torch.is_grad_enabled():
                    tape.evaluating(self)
                if tape.is_on_top():
                    return tape.aside(original, self, *args, **kwargs)
                return original(self, *args, **kwargs)
            except BaseException as error:
                trimmed(error)
                raise

        return tapped

    return put(nn.Module, "__call__", made)


def _backward_passes(tape: Tape) -> tuple[Undo, ...]:
    def of_tensor(original: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(original)
        def backward(
            self: torch.Tensor,
            gradient: Any = None,
            retain_graph: bool | None = None,
            create_graph: bool = False,
            inputs: Any = None,
        ) -> Any:
            try:
                if is_compiling() or tape.depth:
                    return original(self, gradient, retain_graph, create_graph, inputs=inputs)
                inputs = _many(inputs)

                def run() -> None:
                    original(self, gradient, retain_graph, create_graph, inputs=inputs)

                keep = create_graph if retain_graph is None else retain_graph
                return tape.backward(run, "backward", self, gradient, bool(keep), create_graph, inputs)
            except BaseException as error:
                trimmed(error)
                raise

        return backward

    def of_autograd(original: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(original)
        def backward(
            tensors: Any,
            grad_tensors: Any = None,
            retain_graph: bool | None = None,
            create_graph: bool = False,
            grad_variables: Any = None,
            inputs: Any = None,
        ) -> Any:
            if is_compiling() or tape.depth:
                return original(tensors, grad_tensors, retain_graph, create_graph, grad_variables, inputs)
            tensors, grad_tensors, inputs = _many(tensors), _many(grad_tensors), _many(inputs)

            def run() -> None:
                original(tensors, grad_tensors, retain_graph, create_graph, grad_variables, inputs)

            given = grad_tensors if grad_tensors is not None else grad_variables
            keep = create_graph if retain_graph is None else retain_graph
            return tape.backward(run, "backward", tensors, given, bool(keep), create_graph, inputs)

        return hidden(backward)  # two frames of ours: a warning of a hook's that points two further up meets one

    return put(torch.Tensor, "backward", of_tensor), put(torch.autograd, "backward", of_autograd)


def _gradients(tape: Tape) -> Undo:
    def made(original: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(original)
        def tapped(
            outputs: Any,
            inputs: Any,
            grad_outputs: Any = None,
            retain_graph: bool | None = None,
            create_graph: bool = False,
            *args: Any,
            **kwargs: Any,
        ) -> Any:
            outputs, inputs, grad_outputs = _many(outputs), _many(inputs), _many(grad_outputs)

            def run() -> Any:
                return original(outputs, inputs, grad_outputs, retain_graph, create_graph, *args, **kwargs)

            if is_compiling() or tape.busy or tape.depth:
                return run()
            if create_graph:
                if not tape.idle():
                    return run()
                return tape.single(original, outputs, inputs, grad_outputs, retain_graph, True, *args, **kwargs)
            keep = create_graph if retain_graph is None else retain_graph
            return tape.backward(run, "grad", outputs, grad_outputs, bool(keep), False, inputs)

        return hidden(tapped)

    return put(torch.autograd, "grad", made)


def _many(given: Any) -> Any:
    """Tensors, or a sequence of them, in a form that can be read twice: `parameters()` is a generator."""
    return given if given is None or isinstance(given, (torch.Tensor, list, tuple, dict)) else list(given)


def _custom_functions(tape: Tape) -> Undo:
    original = torch.autograd.Function.__dict__["apply"]

    def tapped(cls: Any, *args: Any, **kwargs: Any) -> Any:
        if is_compiling() or tape.busy:
            return original.__func__(cls, *args, **kwargs)
        if tape.idle():
            return tape.single(Applied(cls), *args, **kwargs)
        return tape.aside(original.__func__, cls, *args, **kwargs)

    torch.autograd.Function.apply = classmethod(hidden(tapped))  # type: ignore[assignment,method-assign]

    def undo() -> None:
        torch.autograd.Function.apply = original  # type: ignore[method-assign]

    return undo


class Applied:
    """A custom Function, called as `apply`: looked up again each time, as others may watch it."""

    def __init__(self, function: Any) -> None:
        self.function = function

    @hidden
    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Apply it."""
        return self.function.apply(*args, **kwargs)


def _single_calls(tape: Tape) -> tuple[Undo, ...]:
    """Scripted functions, and a call of a module with other parameters than its own."""

    def scripted(original: Callable[..., Any]) -> Callable[..., Any]:
        @hidden
        @functools.wraps(original)
        def tapped(self: Any, *args: Any, **kwargs: Any) -> Any:
            if is_compiling() or tape.busy:
                return original(self, *args, **kwargs)
            return tape.one(original, self, *args, **kwargs)

        return tapped

    def functional(original: Callable[..., Any]) -> Callable[..., Any]:
        @hidden
        @functools.wraps(original)
        def tapped(*args: Any, **kwargs: Any) -> Any:
            if is_compiling() or tape.busy:
                return original(*args, **kwargs)
            return tape.one(original, *args, **kwargs)

        return tapped

    return (
        put(torch._C.ScriptFunction, "__call__", scripted),
        put(torch.func, "functional_call", functional),
        put(torch, "compile", compiling(tape)),
    )


def compiling(tape: Tape) -> Callable[[Any], Any]:
    """torch.compile, whose functions are one call for the tape; a compiled module is called as any other."""

    def made(original: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(original)
        def compile(model: Any = None, *args: Any, **kwargs: Any) -> Any:
            compiled = original(model, *args, **kwargs)
            if model is None or isinstance(compiled, nn.Module) or not callable(compiled):
                return compiled

            @functools.wraps(compiled)
            def tapped(*args: Any, **kwargs: Any) -> Any:
                if is_compiling() or tape.busy:
                    return compiled(*args, **kwargs)
                return tape.one(compiled, *args, **kwargs)

            return tapped

        return compile

    return made


def _scalings(tape: Tape) -> Undo:
    def made(original: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(original)
        def tapped(self: GradScaler, outputs: Any) -> Any:
            returned = original(self, outputs)
            tape.scaled(outputs, returned, self)
            return returned

        return tapped

    return put(GradScaler, "scale", made)


def _regions() -> Undo:
    """Autocast forgets its casts where its outermost region ends."""

    def made(original: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(original)
        def clear_autocast_cache() -> Any:
            if not is_compiling():
                sideeffects.region_left()
            return original()

        return clear_autocast_cache

    return put(torch, "clear_autocast_cache", made)
