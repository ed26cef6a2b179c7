"""What a model's forward takes, and how a batch is laid out for it."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import nn

from gradcheck_cli.errors import TargetError
from gradcheck_cli.target.code.signatures import signature_of
from gradcheck_cli.target.data.nesting import is_sequence

TARGET_NAMES = ("labels", "label", "targets", "target", "y")


@dataclass(frozen=True, kw_only=True, slots=True)
class Accepts:
    """The parameters of a forward: positional ones in order, those without default, all by name."""

    positional: tuple[str, ...]
    required: tuple[str, ...]
    names: frozenset[str]
    any_positional: bool
    any_keyword: bool

    def takes_keyword(self, name: str) -> bool:
        """Whether `name` can be given as a keyword."""
        return self.any_keyword or name in self.names


@dataclass(frozen=True, kw_only=True, slots=True)
class ForwardCall:
    """How to call the model on a batch, and the target that the loss compares with."""

    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    target: Any = None


def accepts(model: nn.Module) -> Accepts:
    """Read the signature of `model.forward`, looking through DataParallel and torch.compile."""
    signature = signature_of(_unwrapped(model).forward)
    parameters = signature.parameters if signature else {}
    in_place = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    variable = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    kinds = {parameter.kind for parameter in parameters.values()}
    plain = {name: p for name, p in parameters.items() if p.kind not in variable}
    return Accepts(
        positional=tuple(name for name, p in plain.items() if p.kind in in_place),
        required=tuple(name for name, p in plain.items() if p.default is p.empty),
        names=frozenset(name for name, p in plain.items() if p.kind is not p.POSITIONAL_ONLY),
        any_positional=signature is None or inspect.Parameter.VAR_POSITIONAL in kinds,
        any_keyword=signature is None or inspect.Parameter.VAR_KEYWORD in kinds,
    )


def arrange(model: nn.Module, batch: Any, *, hand_over: bool) -> ForwardCall:
    """Lay out a batch for a model's forward.

    A tuple or list is (inputs, target), all but the last being inputs where there are more than two; a
    mapping goes in as keywords; a graph or dataclass goes in whole, or by its attributes where the
    forward names them. `hand_over` gives the target to a forward that asks for it by name, so that the
    model can compute its own loss.

    Raises:
        TargetError: The batch is empty.
    """
    takes = accepts(model)
    call = _arranged(takes, batch)
    if not hand_over or call.target is None or any(call.target is arg for arg in call.args):
        return call
    filled = (*takes.positional[: len(call.args)], *call.kwargs)
    asked = [name for name in TARGET_NAMES if name in takes.names and name not in filled]
    return dataclasses.replace(call, kwargs={**call.kwargs, asked[0]: call.target}) if asked else call


def _unwrapped(model: nn.Module) -> nn.Module:
    for attribute in ("module", "_orig_mod"):
        inner = getattr(model, attribute, None)
        if isinstance(inner, nn.Module) and type(model).__module__.startswith("torch."):
            return _unwrapped(inner)
    return model


def _arranged(takes: Accepts, batch: Any) -> ForwardCall:
    if is_sequence(batch):
        return _from_sequence(takes, batch)
    if isinstance(batch, Mapping):
        return _from_mapping(takes, batch)
    target = next((found for name in TARGET_NAMES if (found := _field(batch, name)) is not None), None)
    return dataclasses.replace(_from_inputs(takes, batch), target=target)


def _from_sequence(takes: Accepts, batch: Any) -> ForwardCall:
    if len(batch) == 0:
        raise TargetError("the batch is an empty tuple or list", hint="A batch is (inputs, target).")
    if len(batch) == 1:
        return _from_inputs(takes, batch[0])
    inputs, target = (batch[0] if len(batch) == 2 else batch[:-1]), batch[-1]
    # forward(source, target): the second element is an input as well.
    both = len(takes.required) == len(batch) == 2 and target is not None
    if both and not is_sequence(inputs) and not isinstance(inputs, Mapping):
        return ForwardCall(args=(inputs, target), target=target)
    return dataclasses.replace(_from_inputs(takes, inputs), target=target)


def _from_mapping(takes: Accepts, batch: Mapping[str, Any]) -> ForwardCall:
    key = next((name for name in TARGET_NAMES if name in batch), None)
    target = batch[key] if key is not None else None
    if _wants_whole(takes, batch):
        return ForwardCall(args=(batch,), target=target)
    kwargs = {name: item for name, item in batch.items() if name != key or takes.takes_keyword(name)}
    return ForwardCall(kwargs=kwargs, target=target)


def _wants_whole(takes: Accepts, batch: Mapping[str, Any]) -> bool:
    """Whether forward(batch) takes the mapping itself: one parameter, not a key, and no key a parameter."""
    return len(takes.required) == 1 and takes.required[0] not in batch and not takes.names & set(batch)


def _from_inputs(takes: Accepts, inputs: Any) -> ForwardCall:
    if isinstance(inputs, Mapping):
        return dataclasses.replace(_from_mapping(takes, inputs), target=None)
    if is_sequence(inputs):
        # forward(images) with a list of images: more items than parameters, so it is one argument.
        one = len(inputs) > len(takes.positional) == 1 and not takes.any_positional
        return ForwardCall(args=(inputs,) if one else tuple(inputs))
    if _has_fields(inputs) and takes.required and not _wants_object(takes, inputs):
        fields = {name: _field(inputs, name) for name in takes.positional}
        return ForwardCall(kwargs={name: item for name, item in fields.items() if item is not None})
    return ForwardCall(args=(inputs,))


def _has_fields(value: Any) -> bool:
    """Whether `value` is a graph (torch_geometric) or a dataclass, whose attributes are its tensors."""
    return dataclasses.is_dataclass(value) or hasattr(value, "edge_index") or hasattr(value, "edge_index_dict")


def _wants_object(takes: Accepts, inputs: Any) -> bool:
    # A graph batch has an attribute `batch` (node to graph), which forward(batch) does not mean.
    lone = takes.required == ("batch",)
    return lone or any(_field(inputs, name) is None for name in takes.required)


def _field(value: Any, name: str) -> Any:
    return getattr(value, name, None) if _has_fields(value) else None
