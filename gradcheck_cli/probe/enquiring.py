"""Further passes for what one pass cannot tell, made only where it looks odd; read `enquire` first."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_map

from gradcheck_cli.errors import GradcheckError
from gradcheck_cli.probe.functions import Application, recorded_applications, tested
from gradcheck_cli.probe.heads import FEWEST, Weights, along_one_axis, distinguishability, heads
from gradcheck_cli.probe.nulls import Answering, NullUnavailable, Product, product_of
from gradcheck_cli.probe.sources import SourceTable
from gradcheck_cli.probe.tracer import Tracer
from gradcheck_cli.records.enquiry import Agreement, AtChance, Distinct, Enquiry, FunctionTest, Questions
from gradcheck_cli.records.measurement import Measurement
from gradcheck_cli.records.ops import PRODUCT_CALLS
from gradcheck_cli.records.spec import Pass, Step
from gradcheck_cli.runtime.autogradgraph import Graph
from gradcheck_cli.runtime.modelcopy import independent_copy
from gradcheck_cli.runtime.passes import LOW, Unsaved, forward_pass, hangs_from_a_graph
from gradcheck_cli.runtime.state import State, WriteWatch, function_name, preserved
from gradcheck_cli.runtime.tensors import untouched

STEP = 1e-4
"""Share of a layer's weights by which it is moved along its gradient, there and back (THEORY.md, section 4d)."""


def enquire(step: Step, measured: Measurement, questions: Questions) -> Enquiry:
    """Answer `questions` about a step that was measured, by further passes with the same seed and batch.

    The model, its gradients, the batch, the random generators and torch's switches come back as they were. What
    cannot be had is left out.

    Raises:
        StateError: Something cannot be put back.
    """
    with _enquirer(step) as enquirer:
        zeroed, mean, why = enquirer.nulls([head.call for head in measured.heads]) if questions.nulls else (None,) * 3
        answered = Enquiry(
            zeroed=zeroed,
            mean=mean,
            without_nulls=why or "",
            profile=tuple(enquirer.profile()) if questions.profile else (),
            agreement=enquirer.agreement(measured, questions.steep) if questions.steep is not None else None,
            functions=enquirer.functions(measured, questions.functions) if questions.functions else (),
            in_double=enquirer.in_double() if questions.double else None,
        )
        return replace(answered, passes=enquirer.passes)


def chance(step: Step) -> tuple[float, float] | None:
    """The loss of a step and Lm, as `at_chance` has them."""
    found = at_chance(step)
    return None if found is None else (found.loss, found.mean)


def at_chance(step: Step) -> AtChance | None:
    """The loss of a step, Lm, its loss with the head's input at its mean, and D there; None where Lm cannot be had.

    Raises:
        StateError: Something cannot be put back.
    """
    with _enquirer(step) as enquirer:
        found = enquirer.heads()
        if found is None:
            return None
        loss, calls = found
        mean, spread = enquirer.mean_and_spread(calls)
        return AtChance(loss, mean, spread) if isinstance(mean, float) else None


@contextmanager
def _enquirer(step: Step) -> Iterator[_Enquirer]:
    with preserved(step.target.model, step.batch, getattr(step.target.forward, "loss", None)) as state:
        yield _Enquirer(step, state)


class _Enquirer:
    """Takes the step again and again; each pass begins where the first one did."""

    def __init__(self, step: Step, state: State) -> None:
        self.step, self.state, self.model = step, state, step.target.model
        self.passes = 0

    def forward(self, *looking_on: AbstractContextManager[Any]) -> Pass:
        """One forward pass inside these contexts, the last one the innermost.

        Raises:
            Exception: Whatever the user's code raises.
        """
        self._rewind()
        return self._run(*looking_on)

    def _rewind(self) -> None:
        self.state.restore()
        for parameter in self.model.parameters():
            parameter.grad = None

    def _run(self, *looking_on: AbstractContextManager[Any]) -> Pass:
        self.passes += 1
        watch = [WriteWatch(self.state.before_write)] if self.state.watches_writes else []
        return forward_pass(self.step, *watch, *looking_on)

    # -- null predictions

    def nulls(self, calls: list[int]) -> tuple[float | None, float | None, str]:
        """L0, Lm, and why one of them is not there."""
        if not calls:
            return None, None, "no layer of its own makes the prediction"
        zeroed, mean = self.answered(calls, lambda product: product.zeroed()), self.mean(calls)
        why = next((found for found in (mean, zeroed) if isinstance(found, str)), "")
        return _number(zeroed), _number(mean), why

    def mean(self, calls: Iterable[int]) -> float | str:
        """Lm, or why there is none."""
        return self.answered(calls, lambda product: product.averaged(), samples=2)

    def mean_and_spread(self, calls: Iterable[int]) -> tuple[float | str, float | None]:
        """Lm, or why there is none, and the largest D of what these calls take in."""
        spreads: list[float] = []

        def averaged(product: Product) -> None:
            with untouched():
                fed = product.fed()
                spread = distinguishability(*fed)[0] if fed is not None else None
            spreads.extend(() if spread is None else (spread,))
            product.averaged()

        mean = self.answered(calls, averaged, samples=2)
        return mean, max(spreads, default=None)

    def answered(self, calls: Iterable[int], change: Callable[[Product], None], *, samples: int = 0) -> float | str:
        """The loss with these calls changed, or why there is none; `samples` is how many of them it takes."""
        calls = frozenset(calls)
        if -1 in calls:
            return "the layer that makes the prediction is not called in a way that can be answered"
        unsaved = Unsaved()
        found = self._answered(calls, change, samples, unsaved)
        return self._answered(calls, change, samples) if unsaved.missed else found

    def _answered(
        self,
        calls: frozenset[int],
        change: Callable[[Product], None],
        samples: int,
        *saving: AbstractContextManager[Any],
    ) -> float | str:
        mode = Answering(calls, Weights(self.model), change)
        try:
            loss = float(self.forward(*saving, mode).loss.detach())
        except NullUnavailable as reason:
            return str(reason)
        except GradcheckError:
            raise
        except Exception as error:
            return f"with another answer of the head the step raises {type(error).__name__}"
        if mode.answered != len(calls):
            return "with another answer of the head the step takes another way"
        if mode.samples < samples:
            return "the layer that makes the prediction sees one sample"
        return loss if math.isfinite(loss) else "the loss of a null prediction is not finite"

    def heads(self) -> tuple[float, list[int]] | None:
        """The loss, and the calls that its heads make; None without any, or where not every one can be answered."""
        unsaved = Unsaved()
        found = self._heads(unsaved)
        return self._heads() if unsaved.missed else found

    def _heads(self, *saving: AbstractContextManager[Any]) -> tuple[float, list[int]] | None:
        tracer = Tracer(self.model, self.state, outputs=False)
        try:
            result = self.forward(*saving, tracer.watching_modules(), tracer)
        except GradcheckError:
            raise
        except Exception:
            return None
        graph = Graph(result.loss.grad_fn) if result.loss.grad_fn is not None else None
        if graph is None:
            return None
        with untouched():
            found = heads(graph, Weights(self.model))
            calls = [tracer.product_at(graph.nodes[head.op]._sequence_nr()) for head in found]
            graph.release()
        tracer.release()
        return (float(result.loss.detach()), calls) if calls and -1 not in calls else None

    # -- the profile

    def profile(self) -> list[Distinct]:
        """D of what goes into each product by a weight, in the order of the forward pass."""
        tracer = Tracer(self.model, self.state, outputs=False)
        profiler = _Profiler(tracer, Weights(self.model), SourceTable(self.step.target.root))
        try:
            self.forward(tracer.watching_modules(), tracer, profiler)
        except GradcheckError:
            raise
        except Exception:  # the user's code: what was found before it raised is told
            return profiler.found
        finally:
            tracer.release()
        return profiler.found

    # -- along the gradient

    def agreement(self, measured: Measurement, module: int) -> Agreement | None:
        """The loss a little way up and down the gradient of one layer, held against what the gradient promises."""
        parameters = self._parameters(measured, module)
        try:
            result = self.forward()
            if _is_coarse(result.loss):
                return None
            gradients = self._gradients(result.loss, parameters)
            length, size = _joint(gradients), _joint(parameters)
            promised = 2 * STEP * size * length
            if not 0 < promised < math.inf:
                return None
            ways = [gradient * (STEP * size / length) for gradient in gradients]
            above, below = (self._moved(parameters, ways, sign) for sign in (1, -1))
        except GradcheckError:
            raise
        except Exception:
            return None
        found = (above - below) / promised
        return Agreement(module, above, below, found) if math.isfinite(found) else None

    def _gradients(self, loss: Tensor, parameters: list[Tensor]) -> list[Tensor]:
        """The gradients, without a hook or a `.grad` of the user's that is touched."""
        torch.autograd.set_detect_anomaly(False)  # it would raise at a NaN; it comes back with the state
        keep = hangs_from_a_graph(self.step.batch)
        found = torch.autograd.grad(loss, parameters, retain_graph=keep)
        return [each.to_dense() if each.layout is not torch.strided else each for each in found]

    def _moved(self, parameters: list[Tensor], ways: list[Tensor], sign: int) -> float:
        self._rewind()
        before = [p.detach().clone() for p in parameters]
        try:
            for parameter, way in zip(parameters, ways, strict=True):
                parameter.data.add_(way, alpha=sign)
            return float(self._run().loss.detach())
        finally:
            for parameter, values in zip(parameters, before, strict=True):
                parameter.data.copy_(values)

    def _parameters(self, measured: Measurement, module: int) -> list[Tensor]:
        named = dict(self.model.named_parameters(remove_duplicate=False))
        owned = [p for p in measured.parameters if p.module == module and p.requires_grad and p.grad_norm]
        return [named[p.names[0]] for p in owned if p.names[0] in named]

    # -- custom Functions

    def functions(self, measured: Measurement, ops: tuple[int, ...]) -> tuple[FunctionTest, ...]:
        """Each of these ops called again on what it was given, beside its backward."""
        calls: list[Application] = []
        try:
            result = self.forward(recorded_applications(calls, {measured.ops[op].name for op in ops}))
            graph = Graph(result.loss.grad_fn)
            if graph.names != [op.name for op in measured.ops]:
                return ()
            made = {id(graph.nodes[op]): op for op in ops}
            found = [(made[id(call.node)], call) for call in calls if id(call.node) in made]
            tests = ((op, tested(call)) for op, call in found)
            return tuple(FunctionTest(op, *test) for op, test in tests if test is not None)
        except GradcheckError:
            raise
        except Exception:
            return ()

    # -- in float64

    def in_double(self) -> float | None:
        """The norm of the gradient of the same step on a float64 copy; None where it cannot be taken there."""
        self._rewind()
        self.passes += 1
        try:
            model = independent_copy(self.model).double()
            target, batch = replace(self.step.target, model=model), tree_map(_doubled, self.step.batch)
            loss = forward_pass(replace(self.step, target=target, batch=batch, autocast=None)).loss
            wanted = [p for p in model.parameters() if p.requires_grad]
            found = _joint(g for g in torch.autograd.grad(loss, wanted, allow_unused=True) if g is not None)
        except GradcheckError:
            raise
        except Exception:
            return None
        return found if math.isfinite(found) else None


def _doubled(value: Any) -> Any:
    return value.double() if isinstance(value, Tensor) and value.is_floating_point() else value


class _Profiler(TorchFunctionMode):
    def __init__(self, tracer: Tracer, weights: Weights, sources: SourceTable) -> None:
        super().__init__()
        self._tracer, self._weights, self._sources = tracer, weights, sources
        self.found: list[Distinct] = []

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        name = function_name(func)
        if name in PRODUCT_CALLS:
            self._read(name, args, kwargs or {})
        return func(*args, **(kwargs or {}))

    def _read(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        with untouched():
            try:
                fed = product_of(name, args, kwargs, self._weights).fed()
                spread, rows, floor = distinguishability(*fed) if fed is not None else (None, 0, 0.0)
            except Exception:  # no product by a weight, or of a sub-class that raises what it likes
                return
            if fed is not None and spread is not None and rows >= FEWEST:
                place = self._sources.line(self._tracer.place_of(sys._getframe()))
                apart, _ = along_one_axis(*fed)
                at = self._tracer.current_module
                apart = None if apart is None else max(apart, floor)
                self.found.append(Distinct(at, place, max(spread, floor), rows, apart))


def _is_coarse(loss: Tensor) -> bool:
    """Whether anything on the way to a loss is of a low precision, in which so small a move is not seen."""
    graph = Graph(loss.grad_fn)
    return any(made.dtype in LOW for node in graph.nodes for made in node._input_metadata)


def _number(found: float | str) -> float | None:
    return found if isinstance(found, float) else None


def _joint(tensors: Iterable[Tensor]) -> float:
    """The L2 norm of all of them together, in float64."""
    return math.hypot(*(_length(tensor.detach()) for tensor in tensors))


def _length(tensor: Tensor) -> float:
    wide = torch.complex128 if tensor.is_complex() else torch.float64
    return float(torch.linalg.vector_norm(tensor, dtype=wide))
