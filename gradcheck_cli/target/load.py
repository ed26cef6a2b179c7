"""Put a target together: model, batches and the way from one to a loss."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn

from gradcheck_cli.errors import TargetError, UsageError
from gradcheck_cli.records.choices import Mode
from gradcheck_cli.records.spec import CheckSpec, Target
from gradcheck_cli.runtime.modelcopy import NotIndependent, independent_copy
from gradcheck_cli.runtime.state import drawing, seed_everything
from gradcheck_cli.target.code.construction import Constructions, watched_construction
from gradcheck_cli.target.code.importing import Imports, UserModule
from gradcheck_cli.target.code.locating import located, start, started_here
from gradcheck_cli.target.code.models import build_model, check_model, pick_model
from gradcheck_cli.target.code.references import parse_model, parse_object
from gradcheck_cli.target.code.scripts import Steps, advised
from gradcheck_cli.target.code.settings import parse_settings
from gradcheck_cli.target.code.usercode import user_code
from gradcheck_cli.target.code.weights import load_weights
from gradcheck_cli.target.data.batches import load_batches
from gradcheck_cli.target.data.batching import take
from gradcheck_cli.target.data.batchlists import as_taken, materialised
from gradcheck_cli.target.data.nesting import batch_size, move
from gradcheck_cli.target.devices import cast, parse_device
from gradcheck_cli.target.loss.forward import ModelForward, StepForward, has_training_step, training_step, uses
from gradcheck_cli.target.loss.lossfunction import as_loss, as_step, found_loss, found_step, named_loss, passed_over

Forward = ModelForward | StepForward


@dataclass(frozen=True, kw_only=True, slots=True)
class _Built:
    """The model and where it came from."""

    model: nn.Module
    source: UserModule
    imports: Imports
    name: str
    picked: str
    constructions: Constructions


def load_target(spec: CheckSpec) -> Target:
    """Load what a prechecked spec names; see `gradcheck_cli.target.load_target`."""
    with started_here(), advised(spec.model):
        return _loaded(spec)


def _loaded(spec: CheckSpec) -> Target:
    device = parse_device(spec.device)
    root = _root(spec.model)  # while the file can be seen: the user's code may drop its rights, or move it
    seed_everything(spec.seed)
    built = _build(spec)
    model = built.model
    if spec.weights is not None:
        load_weights(model, spec.weights, trust_pickle=spec.trust_pickle)
    check_model(model)
    _place(model, device, spec)
    seed_everything(spec.seed)
    found = load_batches(spec, built.imports, built.source, model)
    moved = partial(_moved, device=device, dtype=getattr(torch, spec.dtype) if spec.dtype else None, label=found.origin)
    found = found._replace(batches=moved(found.batches))
    forward = _forward(spec, built)
    _place_loss(forward, device)
    batches, reading = as_taken(found, model, forward, spec.seed, moved)
    materialised(model, forward, batches[0])
    loss = forward.source or "the model's own, or guessed"
    picked = (f"model: {built.picked}", f"batch: {found.origin}{reading}", f"loss: {loss}")
    return Target(
        name=built.name,
        model=model,
        batches=tuple(batches),
        forward=forward,
        loss_source=forward.source,
        picked=picked,
        root=str(root),
        batch_size=batch_size(batches[0]),
        built=built.constructions.of(model),
        derived=tuple(built.constructions.derived(model)),
        samples=found.samples if len(batches) == len(found.batches) else (),
    )


def wrap_target(
    model: nn.Module,
    batch: Any,
    *,
    loss: Callable[..., Any] | str | None,
    step: Callable[..., Any] | None,
    name: str | None,
    seed: int,
    batches: int = 1,
    device: str | None = None,
) -> Target:
    """Make a target of a live model; see `gradcheck_cli.target.wrap_target`."""
    if not isinstance(model, nn.Module):
        raise TargetError(
            f"the model is a {type(model).__name__}, not a torch.nn.Module", hint="Pass the model itself."
        )
    if loss is not None and step is not None:
        raise UsageError("loss and step exclude each other", hint="A step computes the loss itself.")
    check_model(model)
    if device is not None:
        model, loss = _copied_to(parse_device(device), model, loss)
    home = next(p.device for p in model.parameters() if p.requires_grad)  # one that is frozen may be on meta
    with drawing(batch, seed):
        drawn = _moved(take(batch, batches, "the batch"), home, None, "the batch")
    forward = _live_forward(model, loss, step)
    return Target(
        name=name or type(model).__name__,
        model=model,
        batches=tuple(drawn),
        forward=forward,
        loss_source=forward.source,
        picked=(),
        root=str(start()),
        batch_size=batch_size(drawn[0]),
    )


def _copied_to(device: torch.device, model: nn.Module, loss: Any) -> tuple[nn.Module, Any]:
    """Copies on a device: what a caller gave stays where it is."""
    try:
        copies = [independent_copy(each) if isinstance(each, nn.Module) else each for each in (model, loss)]
    except NotIndependent as reason:
        raise TargetError(f"device: {reason}", hint="Move the model yourself, and leave `device` out.") from reason
    with user_code(f"moving the model to {device}"):
        return tuple(each.to(device) if isinstance(each, nn.Module) else each for each in copies)  # type: ignore[return-value]


def _build(spec: CheckSpec) -> _Built:
    reference = parse_model(spec.model)
    imports = Imports()
    settings = parse_settings(spec.settings)
    with watched_construction() as constructions:
        with Steps() as steps:
            source = imports.get(reference)
        name, made = pick_model(source, reference.name, settings)
        model = build_model(source, name, made, settings)
    call = "" if isinstance(made, nn.Module) else "()"
    return _Built(
        model=model,
        source=source,
        imports=imports,
        name=f"{source.label}:{name}",
        picked=f"`{name}{call}` in {source.label}{steps.told(reference)}",
        constructions=constructions,
    )


def _place(model: nn.Module, device: torch.device, spec: CheckSpec) -> None:
    if any(parameter.is_meta for parameter in model.parameters()):
        raise TargetError(
            "the model's parameters are on the meta device and hold no values", hint="Build it on the CPU."
        )
    with user_code(f"moving the model to {device}"):
        model.to(device)
        if spec.dtype is not None:
            cast(model, spec.dtype)
        if spec.mode is not Mode.KEEP:
            model.train(spec.mode is Mode.TRAIN)


def _moved(batches: list[Any], device: torch.device, dtype: torch.dtype | None, label: str) -> list[Any]:
    with user_code(f"moving {label} to {device}"):
        return [move(batch, device, dtype) for batch in batches]


def _forward(spec: CheckSpec, built: _Built) -> Forward:
    """Explicit first; then what its file holds; then the model's own training step.

    A loss of the file's that the training step itself calls is not all that the step does.
    """
    if spec.step is not None:
        value, label = _referenced(spec.step, "--step", built)
        return StepForward(as_step(value, label), f"given: {spec.step}")
    if spec.loss is not None:
        return ModelForward(_given_loss(spec.loss, built), f"given: {spec.loss}")
    own = has_training_step(built.model)
    step, loss = found_step(built.source), found_loss(built.source)
    if step is not None:
        return StepForward(step[1], f"found: {step[0]} in {built.source.label}")
    if loss is not None and not (own and uses(built.model, loss[0])):
        return ModelForward(loss[1], f"found: {loss[0]} in {built.source.label}")
    if own:
        return StepForward(training_step, f"{type(built.model).__name__}.training_step")
    return ModelForward(passed_over=passed_over(built.source))


def _live_forward(model: nn.Module, loss: Callable[..., Any] | str | None, step: Callable[..., Any] | None) -> Forward:
    if step is not None:
        return StepForward(as_step(step, _name_of(step)), f"given: {_name_of(step)}")
    if isinstance(loss, str):
        return ModelForward(named_loss(loss), f"given: {loss}")
    if loss is not None:
        return ModelForward(as_loss(loss, _name_of(loss)), f"given: {_name_of(loss)}")
    if has_training_step(model):
        return StepForward(training_step, f"{type(model).__name__}.training_step")
    return ModelForward()


def _given_loss(text: str, built: _Built) -> Callable[..., Any]:
    """The user's own name comes before one of torch.nn.functional."""
    reference = parse_object(text, "--loss")
    if not reference.location and built.source.find(text.split(".", maxsplit=1)[0]) is None:
        return named_loss(text)
    value, label = _referenced(text, "--loss", built)
    return as_loss(value, label)


def _referenced(text: str, option: str, built: _Built) -> tuple[Any, str]:
    reference = parse_object(text, option)
    holder = built.imports.get(reference) if reference.location else built.source
    return holder.get(reference.name), f"`{reference.name}` in {holder.label}"


def _place_loss(forward: Forward, device: torch.device) -> None:
    # nn.CrossEntropyLoss(weight=...) holds a tensor of its own.
    if isinstance(forward, ModelForward) and isinstance(forward.loss, nn.Module):
        forward.loss.to(device)


def _name_of(function: Callable[..., Any]) -> str:
    if isinstance(function, partial):
        return _name_of(function.func)
    return str(getattr(function, "__name__", type(function).__name__))


def _root(model: str) -> Path:
    """The working folder, or the file's own where it lies elsewhere."""
    reference = parse_model(model)
    path = located(reference.location).resolve()
    inside = not reference.is_file or path.is_relative_to(start())
    return start() if inside else path.parent
