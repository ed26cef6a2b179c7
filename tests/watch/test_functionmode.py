from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch.overrides import TorchFunctionMode

from gradcheck_cli.watch.functionmode import FunctionMode


class Noting:
    def __init__(self) -> None:
        self.names: list[str] = []

    def __call__(self, func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], hiding: Any) -> Any:
        self.names.append(func.__name__)
        with hiding():
            return func(*args, **kwargs)


class Users(TorchFunctionMode):
    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return func(*args, **(kwargs or {}))


def depth() -> int:
    return torch._C._len_torch_function_stack()


def test_what_is_called_while_it_is_open_is_handed_over() -> None:
    handler, x = Noting(), torch.ones(2)
    mode = FunctionMode(handler)
    torch.relu(x)
    mode.open()
    try:
        assert mode.is_on_top()
        mode.open()
        assert depth() == 1, "it is there once"
        torch.exp(x)
    finally:
        assert mode.close()
    torch.sigmoid(x)
    assert handler.names == ["exp"] and not mode.close() and not mode.is_on_top()


def test_it_lies_below_the_scripts_modes_which_leave_theirs_from_the_top() -> None:
    mode = FunctionMode(Noting())
    with Users() as users:
        mode.open()
        assert not mode.is_on_top() and torch._C._get_function_stack_at(1) is users
        assert mode.close() and depth() == 1
        mode.open()
    assert mode.is_on_top() and mode.close() and not depth()


def test_a_default_device_stays_at_the_bottom() -> None:
    mode = FunctionMode(Noting())
    with torch.device("cpu"):
        mode.open()
        assert torch.ones(1).device.type == "cpu"
        assert mode.close()
    assert not depth()


def test_an_error_shows_none_of_its_frames() -> None:
    def handler(func: Any, args: Any, kwargs: Any, hiding: Any) -> Any:
        raise ValueError("the script's")

    mode = FunctionMode(handler)
    mode.open()
    try:
        with pytest.raises(ValueError, match="the script's") as raised:
            torch.relu(torch.ones(1))
    finally:
        mode.close()
    assert all("functionmode" not in str(entry.path) for entry in raised.traceback if "test_" not in str(entry.path))
