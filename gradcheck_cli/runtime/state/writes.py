"""See in a torch function's call what it is about to write into."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from torch.overrides import TorchFunctionMode

_names: dict[Any, str] = {}
_WRITING_OPERATORS = frozenset(
    "__setitem__ __iadd__ __isub__ __imul__ __itruediv__ __ifloordiv__ __imod__ __ipow__ __iand__ __ior__ __ixor__ "
    "__ilshift__ __irshift__".split()
)


def function_name(func: Callable[..., Any]) -> str:
    """The plain name of a torch function; a property's getter and setter by the property's name.

    It ends in an underscore where the function writes into its first argument.
    """
    name = _names.get(func)
    if name is None:
        name = getattr(func, "__name__", "?")
        if name in ("__get__", "__set__"):
            owner = getattr(func, "__self__", None)
            name = getattr(owner, "__name__", "?") + ("_" if name == "__set__" else "")
        elif name in _WRITING_OPERATORS:
            name += "_"
        elif name.startswith("__") and name.endswith("__"):
            name = name[:-1] + " "  # a dunder's underscore does not mean in-place
            name = name.strip()[:-1] or "?"
        _names[func] = name
    return name


def written(name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any] | None) -> Any:
    """The tensor or list of tensors that the function of this name writes into; None for most."""
    given = kwargs or {}
    if name[-1] == "_" or given.get("inplace"):  # nn.init passes its tensor by keyword
        return args[0] if args else next(iter(given.values()), None)
    if given.get("max_norm") is not None:  # an embedding shortens the rows that it looks up
        return args[1] if len(args) > 1 else given.get("weight")
    if name == "batch_norm":
        return [*args[1:3], given.get("running_mean"), given.get("running_var")]
    return given.get("out")


class WriteWatch(TorchFunctionMode):
    """Tells `before_write` what every torch function inside is about to write into: optimisers step in backward."""

    def __init__(self, before_write: Callable[[Any], None]) -> None:
        super().__init__()
        self._before_write = before_write

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        self._before_write(written(function_name(func), args, kwargs))
        return func(*args, **(kwargs or {}))
