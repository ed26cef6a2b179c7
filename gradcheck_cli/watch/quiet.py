"""Nothing that the user's code says while a step is repeated is heard: it has said it once."""

from __future__ import annotations

import io
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from typing import Any


class _Nowhere(io.TextIOBase):
    """A stream that takes everything, with the descriptor of none."""

    encoding = "utf-8"

    def write(self, text: str) -> int:
        return len(text)

    def isatty(self) -> bool:
        return False


@contextmanager
def unheard() -> Iterator[None]:
    """Inside, prints, log records and warnings of this process go nowhere.

    Warnings are dropped where they would be shown: `warnings.catch_warnings` would let those come again that the
    script has shown already.
    """
    shown: Any = warnings._showwarnmsg_impl  # type: ignore[attr-defined]
    disabled = logging.root.manager.disable
    nowhere = _Nowhere()
    warnings._showwarnmsg_impl = lambda message: None  # type: ignore[attr-defined]
    logging.root.manager.disable = max(disabled, logging.CRITICAL)
    try:
        with redirect_stdout(nowhere), redirect_stderr(nowhere):
            yield
    finally:
        warnings._showwarnmsg_impl = shown  # type: ignore[attr-defined]
        logging.root.manager.disable = disabled
