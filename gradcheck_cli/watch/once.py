"""An attribute that is computed when it is asked for first, as functools has it, but without a lock, which costs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class once(Generic[T]):
    """A method whose answer is an attribute from then on; the object has a `__dict__`, and one thread asks."""

    def __init__(self, method: Callable[[Any], T]) -> None:
        self._method = method
        self.__doc__ = method.__doc__

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, instance: Any, owner: type) -> T:
        found = instance.__dict__[self._name] = self._method(instance)
        return found
