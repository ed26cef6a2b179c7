"""Which torch functions a model's forward pass calls, where, and which op of the measurement each call made."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from gradcheck_cli.records.measurement import Measurement
from gradcheck_cli.records.spec import Step
from gradcheck_cli.runtime.autogradgraph import Graph
from gradcheck_cli.runtime.modelcopy import independent_copy
from gradcheck_cli.runtime.passes import forward_pass
from gradcheck_cli.trials.edits import Calls, Place


class NotTriable(Exception):
    """Why a remedy cannot be tried here."""


class NothingToActOn(NotTriable):
    """What a remedy would change is not in this model, so that it cannot apply."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TorchCall:
    """One call of a torch function inside the model.

    `op` is the index of the op that it made, among those of the measurement; `parameters` names the parameters
    that went in, as such or transposed; `tensors` counts the tensors among its arguments, `numbers` holds its numbers.
    `mean`, `deviation` and `shape` are those of the first tensor; `same_shape` says whether all tensors that went in
    have the shape of what came out.
    """

    place: Place
    op: int
    parameters: tuple[str, ...]
    tensors: int
    numbers: tuple[float, ...]
    mean: float
    deviation: float
    shape: tuple[int, ...]
    same_shape: bool

    @property
    def name(self) -> str:
        """The function's name: a hardtanh that is flat up to 0 is a relu6, as nn.ReLU6 calls it."""
        called = self.place[1]
        return "relu6" if called == "hardtanh" and self.numbers[:1] == (0.0,) else called


def recorded_calls(step: Step, measurement: Measurement) -> tuple[TorchCall, ...]:
    """The calls of one forward pass of a copy that made an op; none where the pass went another way than before.

    Raises:
        NotTriable: The loss does not come from the copy.
        NotIndependent: A copy shares something with the model.
    """
    model = independent_copy(step.target.model)
    recorder = _Recorder(model)
    result = forward_pass(replace(step, target=replace(step.target, model=model)))
    graph = Graph(result.loss.grad_fn)
    own = {id(parameter) for parameter in model.parameters()}
    if not any(id(leaf) in own for leaf in graph.leaves().values()):
        raise NotTriable("the step function does not use the model that it is given")
    if graph.names != [op.name for op in measurement.ops]:
        return ()
    return tuple(recorder.calls({id(node): index for index, node in enumerate(graph.nodes)}))


class _Recorder:
    def __init__(self, model: nn.Module) -> None:
        self._names = {id(parameter): name for name, parameter in model.named_parameters()}
        self._made: list[tuple[Place, Any, tuple[Any, ...], float, float, tuple[int, ...], bool]] = []
        Calls(model, self._answer)

    def _answer(self, place: Place, function: Any, args: Any, kwargs: Any) -> Any:
        result = function(*args, **kwargs)
        if isinstance(result, Tensor) and result.grad_fn is not None:
            given = (*args, *kwargs.values())
            shapes = {value.shape for value in given if isinstance(value, Tensor)}
            found = next((v for v in given if isinstance(v, Tensor) and v.is_floating_point()), None)
            shape = () if found is None else tuple(found.shape)
            self._made.append((place, result.grad_fn, given, *_moments(found), shape, shapes == {result.shape}))
        return result

    def calls(self, index_of: dict[int, int]) -> Iterator[TorchCall]:
        for place, node, given, mean, deviation, shape, same_shape in self._made:
            if id(node) in index_of:
                tensors = [value for value in given if isinstance(value, Tensor)]
                yield TorchCall(
                    place=place,
                    op=index_of[id(node)],
                    parameters=tuple(name for value in tensors if (name := self._name_of(value))),
                    tensors=len(tensors),
                    numbers=tuple(float(v) for v in given if isinstance(v, (int, float)) and not isinstance(v, bool)),
                    mean=mean,
                    deviation=deviation,
                    shape=shape,
                    same_shape=same_shape,
                )

    def _name_of(self, tensor: Tensor) -> str:
        return self._names.get(id(tensor)) or self._names.get(id(tensor._base), "")


def _moments(tensor: Tensor | None) -> tuple[float, float]:
    if tensor is None or tensor.numel() < 2:
        return 0.0, 0.0
    deviation, mean = torch.std_mean(tensor.detach().double(), correction=0)
    return float(mean), float(deviation)
