"""Find the model in a module of the user's and build it."""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Mapping
from typing import Any

from torch import nn
from torch.nn.modules.loss import _Loss
from torch.nn.parameter import is_lazy

from gradcheck_cli.errors import ProbeError, TargetError, UsageError
from gradcheck_cli.target.code.importing import UserModule
from gradcheck_cli.target.code.references import USUAL_NAMES
from gradcheck_cli.target.code.signatures import check_settings, required, takes
from gradcheck_cli.target.code.usercode import user_code
from gradcheck_cli.target.loss.lossfunction import LOSS_NAMES, STEP_NAMES
from gradcheck_cli.words import listing

MOST_PARTS = 1_000_000
"""Parameters, buffers or modules that a model can have: the largest language models have some ten thousands."""
_LISTINGS = (
    "named_modules",
    "modules",
    "named_parameters",
    "parameters",
    "named_buffers",
    "buffers",
    "named_children",
    "children",
)
"""Modules first: torch lists the others by way of them, and skips what it saw."""
_NOT_MODELS = (*LOSS_NAMES, *STEP_NAMES)


def pick_model(source: UserModule, name: str, settings: Mapping[str, Any]) -> tuple[str, Any]:
    """Return the name and the object that the model comes from: `name`, or what the file's habits say.

    Raises:
        TargetError: `name` is not there, or no model can be told from the rest.
    """
    if name:
        return name, source.get(name)
    usual = [usual for usual in USUAL_NAMES if _is_maker(source.find(usual))]
    for candidate in usual:
        found = source.find(candidate)
        if isinstance(found, nn.Module) or takes(found, **settings):
            return candidate, found
    lone = _instances(source) or _classes(source, settings) or usual
    if len(lone) == 1:
        return lone[0], source.find(lone[0])
    raise _nothing_picked(source, lone)


def build_model(source: UserModule, name: str, made: Any, settings: Mapping[str, Any]) -> nn.Module:
    """Return the module that `made` is, or instantiate or call it with `settings`.

    Raises:
        UsageError: A setting is unknown, or `made` is an instance and takes none.
        TargetError: `made` is not a model and cannot make one.
        UserCodeError: The class or the factory raised.
    """
    label = f"`{name}` in {source.label}"
    if isinstance(made, nn.Module):
        if settings:
            raise UsageError(f"--set: {label} is already built", hint="Name its class or a function that builds it.")
        return made
    if inspect.isclass(made) and not issubclass(made, nn.Module):
        raise TargetError(f"{label} is a class but not a torch.nn.Module", hint="Derive it from torch.nn.Module.")
    if not callable(made):
        raise TargetError(
            f"{label} is a {type(made).__name__}, not a model",
            hint="Name a module, its class or a factory function.",
        )
    check_settings(made, label, settings)
    with user_code(f"building the model with {label}"):
        model = made(**settings)
    if not isinstance(model, nn.Module):
        raise TargetError(
            f"{label} returned a {type(model).__name__}, not a torch.nn.Module",
            hint="Return the model alone.",
        )
    return model


def check_model(model: nn.Module) -> None:
    """Check that there is something to measure.

    Raises:
        ProbeError: The model has no parameters, or all are frozen.
        TargetError: There is no end to its parameters, buffers or modules.
    """
    kind = type(model).__name__
    with user_code(f"listing the parameters of the model ({kind})"):
        _require_an_end(model)
        parameters = list(model.parameters())
    if not parameters:
        raise ProbeError(f"the model ({kind}) has no parameters", hint="Keep layers in attributes or a ModuleList.")
    if not any(parameter.requires_grad for parameter in parameters):
        raise ProbeError(
            f"none of the model's {len(parameters)} parameters requires a gradient ({kind})",
            hint="Unfreeze what should learn: parameter.requires_grad_(True).",
        )
    if any(parameter.is_inference() for parameter in parameters if not is_lazy(parameter)):
        raise ProbeError(
            f"the model's parameters were made under torch.inference_mode() and can never get a gradient ({kind})",
            hint="Build the model outside of it.",
        )


def _require_an_end(model: nn.Module) -> None:
    """A model may override what lists its parts, and never stop."""
    for name in _LISTINGS:
        counted = sum(1 for _ in itertools.islice(getattr(model, name)(), MOST_PARTS + 1))
        if counted > MOST_PARTS:
            raise TargetError(
                f"`{name}()` of the model ({type(model).__name__}) gives more than {MOST_PARTS:,}",
                hint="Does it ever end?",
            )


def _is_maker(value: Any) -> bool:
    if isinstance(value, nn.Module) or inspect.isroutine(value):
        return True
    return inspect.isclass(value) and issubclass(value, nn.Module)


def _instances(source: UserModule) -> list[str]:
    """Names of module instances with parameters: a loss is a module too, but rarely has any."""
    return [
        name
        for name, value in vars(source.module).items()
        if isinstance(value, nn.Module) and not isinstance(value, _Loss) and any(True for _ in value.parameters())
    ]


def _classes(source: UserModule, settings: Mapping[str, Any]) -> list[str]:
    return [
        name
        for name in source.own_names()
        if inspect.isclass(value := source.find(name))
        and issubclass(value, nn.Module)
        and not issubclass(value, _Loss)
        and takes(value, **settings)
    ]


def _nothing_picked(source: UserModule, found: list[str]) -> TargetError:
    if found:
        return TargetError(
            f"{source.label} holds {len(found)} models: {listing(found)}",
            hint=f"Name one: {source.label}:{found[-1]}",
        )
    makers = [name for name in source.own_names() if name not in _NOT_MODELS and _is_maker(source.find(name))]
    advice = "Define `model` or `build_model()` there."
    if len(makers) == 1 and (needed := required(source.get(makers[0]))):
        flags = " ".join(f"--set {name}=..." for name in needed)
        advice = f"Give `{makers[0]}` what it needs: gradcheck check {source.label}:{makers[0]} {flags}"
    elif makers:
        advice = f"Name what builds it, {source.label}:NAME (it has {listing(makers)}). {advice}"
    usual = next((name for name in USUAL_NAMES if source.find(name) is not None and name not in makers), None)
    instead = f": its `{usual}` is {_kind(source.find(usual))}, not a torch.nn.Module" if usual else ""
    return TargetError(f"no model is found in {source.label}{instead}", hint=advice)


def _kind(value: Any) -> str:
    return f"the class {value.__name__}" if inspect.isclass(value) else f"a {type(value).__name__}"
