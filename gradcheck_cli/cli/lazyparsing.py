"""A command line that loads no more than it needs, so that help and usage errors come at once."""

from __future__ import annotations

from typing import Any

from typer.core import TyperCommand, TyperGroup


class _LazyConverter:
    """Hands on what needs no conversion; newer releases of Typer load pydantic even for a string.

    It stands in for the converter that such a release keeps in `_runtime_param`. Where there is none the
    parser is left alone.
    """

    def coerce(self, value: Any, param: Any, ctx: Any) -> Any:
        """The value itself if it is absent, a default or wanted as text; else what Typer makes of it."""
        if value is None:
            return () if param.multiple else None
        of_one_type = type(value) is type(param.default)  # text may equal a default that is an Enum, and is none
        if (of_one_type and value == param.default) or param.type_descriptor.annotation in (str, list[str]):
            return value
        param._runtime_param = None
        return param.get_runtime_param().coerce(value, param=param, ctx=ctx)


def _with_lazy_converters(parameters: list[Any]) -> list[Any]:
    for parameter in parameters:
        if getattr(parameter, "_runtime_param", parameter) is None:
            parameter._runtime_param = _LazyConverter()
    return parameters


class LazyCommand(TyperCommand):
    """A command that converts only the values that need it."""

    def get_params(self, ctx: Any) -> list[Any]:
        """The parameters with `--help`."""
        return _with_lazy_converters(super().get_params(ctx))


class LazyGroup(TyperGroup):
    """A group that converts only the values that need it."""

    def get_params(self, ctx: Any) -> list[Any]:
        """The parameters with `--help`."""
        return _with_lazy_converters(super().get_params(ctx))
